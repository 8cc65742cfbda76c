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
	"gonum.org/v1/plot/vg"
)

// This file holds bars of ratios, on a logarithmic axis: to the right above 1, to the left below it.

// Bars is a picture of ratios: in each row a bar of each series.
type Bars struct {
	Title  string
	Rows   []string // from the top
	Series []Series
}

// Series is a ratio for each row; one that is not finite or not positive has no bar.
type Series struct {
	Name   string
	Ratios []float64
}

const (
	barsWidth = 18 * vg.Centimeter // of the picture
	barWidth  = vg.Length(6)       // of one bar
	barGap    = vg.Length(10)      // between the bars of two rows
)

// WriteBars draws bars.
func WriteBars(w io.Writer, b Bars) error {
	if len(b.Rows) == 0 || len(b.Series) == 0 {
		return errors.New("plot: there is no bar to draw")
	}
	p := newPlot(b.Title, "", "")
	rows := slices.Clone(b.Rows)
	slices.Reverse(rows) // a plot counts from the bottom
	p.NominalY(rows...)
	p.X.Tick.Marker = plot.TickerFunc(ratioTicks)
	p.Legend.Padding, p.Legend.YOffs = 3, 8
	for i, s := range b.Series {
		if len(s.Ratios) != len(rows) {
			return fmt.Errorf("plot: the series %q has %d ratios for %d rows", s.Name, len(s.Ratios), len(rows))
		}
		logs := make(plotter.Values, len(rows))
		for k, ratio := range s.Ratios {
			if ratio > 0 && !math.IsInf(ratio, 0) {
				logs[len(rows)-1-k] = math.Log10(ratio)
			}
		}
		bars, err := plotter.NewBarChart(logs, barWidth)
		if err != nil {
			return fmt.Errorf("plot: %w", err)
		}
		bars.Horizontal, bars.LineStyle.Width = true, 0
		bars.Color = colors[i%len(colors)]
		bars.Offset = barWidth * vg.Length(float64(len(b.Series)-1)/2-float64(i))
		p.Add(bars)
		p.Legend.Add(s.Name, bars)
	}
	p.X.Min, p.X.Max = min(p.X.Min, math.Log10(0.8)), max(p.X.Max, 1)
	p.X.Max += (p.X.Max - p.X.Min) * 0.4 // room for the legend
	p.Y.Min, p.Y.Max = -0.5, float64(len(rows))-0.5
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = color.Gray{220}
	p.Add(grid)
	high := vg.Length(len(rows))*(barWidth*vg.Length(len(b.Series))+barGap) + 60
	return write(w, [][]*plot.Plot{{p}}, barsWidth, high, nil)
}

// ratioTicks labels an axis of logarithms by the numbers themselves: 1, 2 and 5 times the powers of ten.
func ratioTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for power := math.Floor(lo); power <= hi; power++ {
		for _, m := range []float64{1, 2, 5} {
			if x := power + math.Log10(m); x >= lo && x <= hi {
				ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%.4g", math.Pow(10, x))})
			}
		}
	}
	return ticks
}
