package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// This file holds matrices of counts, shaded by their share of the row, and bars of quantities with their spread.

// Matrix is a picture of counts with a name for each row and column.
type Matrix struct {
	Title, X, Y string
	Names       []string // of rows and columns
	Counts      [][]int  // by row, from the top, and column
}

const (
	matrixSide  = 11 * vg.Centimeter // of the picture, up to ten names
	matrixNames = 60                 // the most names
)

// WriteMatrix draws a matrix. The counts themselves are written into it if there are at most 20 names.
func WriteMatrix(w io.Writer, m Matrix) error {
	n := len(m.Names)
	if n < 2 || n > matrixNames || len(m.Counts) != n {
		return fmt.Errorf("plot: a matrix of %d names and %d rows cannot be drawn; there must be 2 to %d", n, len(m.Counts), matrixNames)
	}
	p := newPlot(m.Title, m.X, m.Y)
	g := &Grid{Values: make([]float64, n*n)}
	var counts, bright plotter.XYs
	var words, brightWords []string
	for i, row := range m.Counts {
		if len(row) != n {
			return fmt.Errorf("plot: row %d of a matrix has %d counts for %d names", i+1, len(row), n)
		}
		g.Xs, g.Ys = append(g.Xs, float64(i)), append(g.Ys, float64(i))
		sum := 0
		for _, c := range row {
			sum += c
		}
		for j, c := range row {
			share := float64(c) / float64(max(1, sum))
			g.Values[(n-1-i)*n+j] = share // a plot counts from the bottom
			at := plotter.XY{X: float64(j), Y: float64(n - 1 - i)}
			if share > 0.55 {
				bright, brightWords = append(bright, at), append(brightWords, fmt.Sprint(c))
			} else {
				counts, words = append(counts, at), append(words, fmt.Sprint(c))
			}
		}
	}
	heat := plotter.NewHeatMap(g, blues{})
	heat.Min, heat.Max = 0, 1
	p.Add(plain{heat})
	if n <= 20 {
		for _, part := range []struct {
			xys   plotter.XYs
			words []string
			color color.Color
		}{{counts, words, color.Gray{40}}, {bright, brightWords, color.White}} {
			style := p.X.Tick.Label
			style.Color, style.XAlign, style.YAlign, style.Rotation = part.color, draw.XCenter, draw.YCenter, 0
			labels := &plotter.Labels{XYs: part.xys, Labels: part.words}
			for range part.words {
				labels.TextStyle = append(labels.TextStyle, style)
			}
			p.Add(plain{labels})
		}
	}
	shown := make([]string, n)
	for i, name := range m.Names {
		shown[i] = cutName(name, 18)
	}
	p.NominalX(shown...)
	slices.Reverse(shown)
	p.NominalY(shown...)
	if n > 4 {
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = 0.8, draw.XRight, draw.YTop
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	side := matrixSide * vg.Length(max(1, float64(n)/10))
	return write(w, [][]*plot.Plot{{p}}, side*1.1, side, nil)
}

// cutName leaves at most n characters of a name.
func cutName(name string, n int) string {
	if r := []rune(name); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return name
}

// blues is a palette from white to the blue of lines.
type blues struct{}

// Colors implements palette.Palette.
func (blues) Colors() []color.Color {
	const n = 64
	out := make([]color.Color, n)
	for i := range out {
		t := float64(i) / (n - 1)
		mix := func(a, b float64) uint8 { return uint8(a + (b-a)*t) }
		out[i] = color.RGBA{mix(250, 0), mix(252, 90), mix(255, 160), 255}
	}
	return out
}

// Ranks is a picture of quantities as bars, from the top, with their spread.
type Ranks struct {
	Title, X string
	Names    []string
	Values   []float64
	Spreads  []float64 // half the length of the line at the end of each bar; nil means none
}

// WriteRanks draws bars.
func WriteRanks(w io.Writer, r Ranks) error {
	n := len(r.Names)
	if n == 0 || len(r.Values) != n || r.Spreads != nil && len(r.Spreads) != n {
		return errors.New("plot: there are no bars to draw, or not as many values as names")
	}
	p := newPlot(r.Title, r.X, "")
	p.X.Tick.Marker = plot.TickerFunc(ticks)
	values := make(plotter.Values, n)
	names := make([]string, n)
	for i := range n {
		values[n-1-i], names[n-1-i] = r.Values[i], cutName(r.Names[i], 24)
	}
	bars, err := plotter.NewBarChart(values, 11)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	bars.Horizontal, bars.LineStyle.Width, bars.Color = true, 0, colors[5]
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = color.Gray{225}
	p.Add(grid, bars)
	low, high := 0.0, 0.0
	for i, v := range r.Values {
		spread := 0.0
		if r.Spreads != nil {
			spread = r.Spreads[i]
			y := float64(n - 1 - i)
			p.Add(&plotter.Line{XYs: plotter.XYs{{X: v - spread, Y: y}, {X: v + spread, Y: y}}, LineStyle: draw.LineStyle{Color: color.Gray{60}, Width: 1.2}})
		}
		low, high = min(low, v-spread), max(high, v+spread)
	}
	p.NominalY(names...)
	p.X.Min, p.X.Max = margin(low, high, 0.03, false)
	p.Y.Min, p.Y.Max = -0.7, float64(n)-0.3
	return write(w, [][]*plot.Plot{{p}}, width, vg.Length(n)*17+75, nil)
}
