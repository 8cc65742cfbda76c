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
	"gonum.org/v1/plot/vg/draw"
)

// This file holds charts of any lines, side by side in one picture.

// Line is a line through points. Points that are not finite, or not positive on a logarithmic axis, leave a gap.
type Line struct {
	Name  string // in the legend; "" for none
	X, Y  []float64
	Faint bool // thin and gray, for what stands behind the others
	Dots  bool // the points alone, in black
	Knots bool // the points too, on the line, unless there are more than 40

	// Low and High, where there are, bound a band around the line, named Band in the legend.
	Low, High []float64
	Band      string
}

// Mark is an upright line at X with a name in the legend.
type Mark struct {
	Name string
	X    float64
}

// Chart is a picture of lines. Lines of the same place in two charts have the same color.
type Chart struct {
	Title, X, Y string // X and Y are what the axes say; a logarithmic Y is said in the title
	LogX, LogY  bool
	Counts      bool // X counts something: ticks are at whole numbers, and every X has a place on the axis, with a Y or without
	Lines       []Line
	Marks       []Mark
}

// WriteCharts draws charts side by side.
func WriteCharts(w io.Writer, charts ...Chart) error {
	if len(charts) == 0 {
		return errors.New("plot: there is no chart to draw")
	}
	// Many names stand beside the charts, once, as lines of the same place look the same in all.
	var beside *key
	for _, c := range charts {
		if len(c.Lines) > legendLines && (beside == nil || len(c.Lines) > len(beside.names)) {
			beside = newKey(c.Lines)
		}
	}
	var parts []*plot.Plot
	for _, c := range charts {
		p, err := c.plot(beside == nil)
		if err != nil {
			return fmt.Errorf("plot: %q: %w", c.Title, err)
		}
		parts = append(parts, p)
	}
	return write(w, [][]*plot.Plot{parts}, width, height, beside)
}

// legendLines is the most lines that a legend within a chart names.
const legendLines = 10

// plot draws one chart, with the names of its lines or without.
func (c *Chart) plot(named bool) (*plot.Plot, error) {
	p := newPlot(c.Title, c.X, c.Y)
	if c.LogY && c.Y != "" { // gonum leaves room for a label as if the axis were linear, far from where it stands
		p.Title.Text, p.Y.Label.Text = c.Title+": "+c.Y, ""
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	var all plotter.XYs
	for i, l := range c.Lines {
		if len(l.X) != len(l.Y) {
			return nil, fmt.Errorf("the line %q has %d x and %d y", l.Name, len(l.X), len(l.Y))
		}
		if len(l.Low) != len(l.High) || len(l.Low) != 0 && len(l.Low) != len(l.X) {
			return nil, fmt.Errorf("the line %q has %d x and a band of %d and %d y", l.Name, len(l.X), len(l.Low), len(l.High))
		}
		if !named {
			l.Name, l.Band = "", ""
		}
		all = append(all, c.line(p, l, style(i))...)
	}
	if err := c.axes(p, all); err != nil {
		return nil, err
	}
	for _, m := range c.Marks {
		upright := &plotter.Line{XYs: plotter.XYs{{X: m.X, Y: p.Y.Min}, {X: m.X, Y: p.Y.Max}},
			LineStyle: draw.LineStyle{Color: colors[1], Width: 1.2, Dashes: []vg.Length{4, 3}}}
		p.Add(upright)
		p.Legend.Add(m.Name, upright)
	}
	placeLegend(p, all)
	return p, nil
}

// line draws a line with its band and dots. It returns the points drawn.
func (c *Chart) line(p *plot.Plot, l Line, look draw.LineStyle) (all plotter.XYs) {
	if l.Faint {
		look = draw.LineStyle{Color: color.Gray{190}, Width: 0.7}
	}
	all = c.band(p, l, look.Color)
	if l.Dots {
		return append(all, c.dots(p, l)...)
	}
	for i, points := range c.runs(l) {
		all = append(all, points...)
		curve := &plotter.Line{XYs: points, LineStyle: look}
		p.Add(curve)
		looks := []plot.Thumbnailer{curve}
		if l.Knots && len(l.X) <= 40 {
			knots := &plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: look.Color, Radius: 2.2, Shape: draw.CircleGlyph{}}}
			p.Add(knots)
			looks = append(looks, knots)
		}
		if l.Name != "" && i == 0 {
			p.Legend.Add(l.Name, looks...)
		}
	}
	return all
}

// axes sets the ranges, scales and ticks for the points.
func (c *Chart) axes(p *plot.Plot, all plotter.XYs) error {
	x0, x1, y0, y1 := plotter.XYRange(all)
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	if c.Counts {
		p.X.Tick.Marker = plot.TickerFunc(wholeTicks)
		for _, l := range c.Lines {
			for _, x := range l.X {
				x0, x1 = min(x0, x), max(x1, x)
			}
		}
		if len(all) == 0 {
			y0, y1 = 0, 1
		}
	}
	if !(x0 <= x1) {
		return errors.New("no point can be drawn")
	}
	aside := 0.0
	if slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Dots }) {
		aside = 0.02 // room for dots at the ends
	}
	for _, m := range c.Marks {
		x0, x1 = min(x0, m.X), max(x1, m.X)
	}
	if c.Counts && x0 == x1 {
		p.X.Min, p.X.Max = x0-0.5, x1+0.5
	} else {
		p.X.Min, p.X.Max = margin(x0, x1, aside, c.LogX)
	}
	p.Y.Min, p.Y.Max = margin(y0, y1, 0.04, c.LogY)
	if c.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	return nil
}

// band draws the band of a line, if it has one, and gives the points of its edges.
func (c *Chart) band(p *plot.Plot, l Line, shade color.Color) (all plotter.XYs) {
	if len(l.Low) == 0 {
		return nil
	}
	r, g, b, _ := shade.RGBA()
	fill := color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 60}
	low, high := Line{X: l.X, Y: slices.Clone(l.Low)}, Line{X: l.X, Y: slices.Clone(l.High)}
	for i := range l.X { // a gap in one edge is one in the other
		if !c.drawable(l.X[i], low.Y[i]) || !c.drawable(l.X[i], high.Y[i]) {
			low.Y[i], high.Y[i] = math.NaN(), math.NaN()
		}
	}
	below, above := c.runs(low), c.runs(high)
	for i, edge := range below {
		around := slices.Clone(above[i])
		slices.Reverse(around)
		shape := &plotter.Polygon{XYs: []plotter.XYs{append(slices.Clone(edge), around...)}, Color: fill}
		p.Add(shape)
		if l.Band != "" && i == 0 {
			p.Legend.Add(l.Band, shape)
		}
		all = append(append(all, edge...), around...)
	}
	return all
}

// dots draws the points of a line, and gives them.
func (c *Chart) dots(p *plot.Plot, l Line) (all plotter.XYs) {
	for _, points := range c.runs(l) {
		all = append(all, points...)
	}
	if len(all) == 0 {
		return nil
	}
	radius := vg.Length(2.2)
	if len(all) > 300 {
		radius = 1.2
	}
	scatter := &plotter.Scatter{XYs: all, GlyphStyle: draw.GlyphStyle{Color: color.Gray{30}, Radius: radius, Shape: draw.CircleGlyph{}}}
	p.Add(scatter)
	if l.Name != "" {
		p.Legend.Add(l.Name, scatter)
	}
	return all
}

// drawable reports whether a point has a place in the chart.
func (c *Chart) drawable(x, y float64) bool {
	return !math.IsNaN(x+y) && !math.IsInf(x+y, 0) && !(c.LogX && x <= 0) && !(c.LogY && y <= 0)
}

// runs are the stretches of a line that can be drawn.
func (c *Chart) runs(l Line) (runs []plotter.XYs) {
	open := false
	for i, x := range l.X {
		y := l.Y[i]
		if !c.drawable(x, y) {
			open = false
			continue
		}
		if !open {
			runs, open = append(runs, nil), true
		}
		last := &runs[len(runs)-1]
		*last = append(*last, plotter.XY{X: x, Y: y})
	}
	return runs
}
