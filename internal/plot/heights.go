package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// This file holds heights: a function of two variables as shades of blue with contour lines, once for each path over it.

// Heights is a function of two variables on a grid, scaled to 0 to 1. NaN stays white; contour lines are drawn if there is none.
type Heights struct {
	Grid
	XName, YName string
	Paths        []Path
	Places       []Place
}

// Place is a point with a name, marked with a cross over every path.
type Place struct {
	Name string
	X, Y float64
}

// Path is a path over heights, drawn from a blue square to a black dot.
type Path struct {
	Title  string
	Points [][2]float64
}

const (
	heightsSide  = 10 * vg.Centimeter // of the square for each path
	heightsRow   = 3                  // squares beside each other
	heightsLines = 18                 // contour lines
)

var (
	pathColor    = color.RGBA{213, 94, 0, 255}
	startColor   = color.RGBA{0, 114, 178, 255}
	contourColor = color.RGBA{70, 100, 140, 255}
)

// WriteHeights draws the heights for each path, beside or below each other.
func WriteHeights(w io.Writer, h Heights) error {
	if len(h.Paths) == 0 {
		return errors.New("plot: there is no path to draw")
	}
	if err := h.check(); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	columns := min(heightsRow, len(h.Paths))
	if len(h.Paths) == 4 {
		columns = 2
	}
	var cells []*plot.Plot
	for _, path := range h.Paths {
		if len(path.Points) == 0 {
			return fmt.Errorf("plot: the path %q has no points", path.Title)
		}
		cells = append(cells, h.plot(path))
	}
	return write(w, table(cells, columns), heightsSide, heightsSide, nil)
}

// shades is a palette from white, at the bottom, to blue.
type shades struct{}

// Colors implements palette.Palette.
func (shades) Colors() []color.Color {
	const n = 96
	out := make([]color.Color, n)
	for i := range out {
		t := float64(i) / (n - 1)
		mix := func(a, b float64) uint8 { return uint8(a + (b-a)*t) }
		out[i] = color.RGBA{mix(255, 128), mix(255, 165), mix(252, 205), 255}
	}
	return out
}

// plain hides a plotter's boxes around each point of the grid, which cost more time to walk than the drawing and change nothing.
type plain struct{ plot.Plotter }

// plot draws one path over the heights.
func (h *Heights) plot(path Path) *plot.Plot {
	p := newPlot(path.Title, h.XName, h.YName)
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	heat := plotter.NewHeatMap(h, shades{})
	heat.Min, heat.Max, heat.Rasterized, heat.NaN = 0, 1, true, color.White
	p.Add(plain{heat})
	if !slices.ContainsFunc(h.Values, math.IsNaN) {
		levels := make([]float64, heightsLines)
		for i := range levels {
			levels[i] = (float64(i) + 0.5) / heightsLines
		}
		contour := plotter.NewContour(h, levels, nil)
		contour.LineStyles = []draw.LineStyle{{Color: contourColor, Width: 0.5}}
		p.Add(plain{contour})
	}
	points := make(plotter.XYs, len(path.Points))
	for i, q := range path.Points {
		points[i] = plotter.XY{X: q[0], Y: q[1]}
	}
	p.Add(&plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: pathColor, Width: 1.3}})
	if len(points) <= 300 {
		p.Add(&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: pathColor, Shape: draw.CircleGlyph{}, Radius: 1.7}})
	}
	first, last := points[0], points[len(points)-1]
	p.Add(dot(first.X, first.Y, draw.GlyphStyle{Color: startColor, Shape: draw.BoxGlyph{}, Radius: 3}))
	p.Add(dot(last.X, last.Y, draw.GlyphStyle{Color: color.Black, Shape: draw.CircleGlyph{}, Radius: 3}))
	for _, place := range h.Places {
		p.Add(dot(place.X, place.Y, minimum))
		names := &plotter.Labels{XYs: plotter.XYs{{X: place.X, Y: place.Y}}, Labels: []string{place.Name}, TextStyle: []text.Style{p.Legend.TextStyle}, Offset: vg.Point{X: 6, Y: 4}}
		if p.X.Min, p.X.Max = h.Xs[0], h.Xs[len(h.Xs)-1]; p.X.Norm(place.X) > 0.6 { // where the name would leave the picture
			names.TextStyle[0].XAlign, names.Offset.X = draw.XRight, -6
		}
		p.Add(names)
	}
	h.setRange(p)
	return p
}

// LogHeights returns values on a logarithmic scale above the lowest, from 0 there to 1 at the highest of the values; NaN for those that are not
// finite. The scale begins where a thousandth of the values lies below.
func LogHeights(values []float64, lowest float64) []float64 {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	var all []float64
	for _, v := range values {
		if finite(v) {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	floor, top := 1.0, 0.0
	if n := len(all); n > 0 {
		floor = max(all[max(n/1000, min(4, n-1))]-lowest, 1e-9*(all[n-1]-lowest), math.SmallestNonzeroFloat64)
		top = math.Log((all[n-1]-lowest)/floor + 1)
	}
	heights := make([]float64, len(values))
	for i, v := range values {
		switch {
		case !finite(v):
			heights[i] = math.NaN()
		case top > 0:
			heights[i] = math.Log((v-lowest)/floor+1) / top
		}
	}
	return heights
}
