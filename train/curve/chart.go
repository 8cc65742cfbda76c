package curve

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// This file holds charts of any lines, side by side in one picture.

// Line is a line through points. Points that are not finite, or not positive on a logarithmic axis, leave a gap.
type Line struct {
	Name  string // in the legend; "" for none
	X, Y  []float64
	Faint bool // thin and gray, for what stands behind the others
	Dots  bool // the points alone, in black

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
	Lines       []Line
	Marks       []Mark
}

// WriteCharts draws charts side by side.
func WriteCharts(w io.Writer, charts ...Chart) error {
	if len(charts) == 0 {
		return errors.New("curve: there is no chart to draw")
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
			return fmt.Errorf("curve: %q: %w", c.Title, err)
		}
		parts = append(parts, p)
	}
	return write(w, [][]*plot.Plot{parts}, width, height, beside)
}

// legendLines is the most lines that a legend within a chart names.
const legendLines = 10

// write draws a table of plots, each of that size, and a key beside it, unless it is nil.
func write(w io.Writer, rows [][]*plot.Plot, width, height vg.Length, beside *key) error {
	columns := len(rows[0])
	wide, high := vg.Length(columns)*width, vg.Length(len(rows))*height
	side := vg.Length(0)
	if beside != nil {
		side = beside.width(high-2*keyMargin) + keyMargin
	}
	c := vgimg.NewWith(vgimg.UseWH(wide+side, high), vgimg.UseDPI(dpi))
	tiles := draw.Tiles{Rows: len(rows), Cols: columns, PadTop: 12, PadBottom: 12, PadLeft: 12, PadRight: 18, PadX: 24, PadY: 18}
	whole := draw.Crop(draw.New(c), 0, -side, 0, 0)
	for i, row := range rows {
		for j, p := range row {
			p.Draw(tiles.At(whole, j, i))
		}
	}
	if beside != nil {
		beside.plot().Draw(draw.Crop(draw.New(c), wide, -keyMargin, keyMargin, -keyMargin))
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	return nil
}

// newPlot is an empty plot in the style of this package.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, 8
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Label.TextStyle.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant, f.Size = "Sans", 9
	}
	p.Title.TextStyle.Font.Size = 11
	return p
}

// style is the look of line i: the colors, then the colors dashed, in four ways.
func style(i int) draw.LineStyle {
	look := draw.LineStyle{Width: 1.5}
	all := append(append([]color.Color{}, colors...), color.Gray{0})
	look.Color = all[i%len(all)]
	switch i / len(all) % 5 {
	case 1:
		look.Dashes = []vg.Length{5, 2}
	case 2:
		look.Dashes = []vg.Length{1.5, 2}
	case 3:
		look.Dashes = []vg.Length{7, 2, 1.5, 2}
	case 4:
		look.Dashes = []vg.Length{12, 3}
	}
	return look
}

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
		look := style(i)
		if l.Faint {
			look = draw.LineStyle{Color: color.Gray{190}, Width: 0.7}
		}
		if !named {
			l.Name, l.Band = "", ""
		}
		all = append(all, c.band(p, l, look.Color)...)
		if l.Dots {
			all = append(all, c.dots(p, l)...)
			continue
		}
		first := true
		for _, points := range c.runs(l) {
			curve := &plotter.Line{XYs: points, LineStyle: look}
			p.Add(curve)
			if l.Name != "" && first {
				p.Legend.Add(l.Name, curve)
			}
			first = false
			all = append(all, points...)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no point can be drawn")
	}
	x0, x1, y0, y1 := plotter.XYRange(all)
	aside := 0.0
	if slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Dots }) {
		aside = 0.02 // room for dots at the ends
	}
	for _, m := range c.Marks {
		x0, x1 = min(x0, m.X), max(x1, m.X)
	}
	p.X.Min, p.X.Max = margin(x0, x1, aside, c.LogX)
	p.Y.Min, p.Y.Max = margin(y0, y1, 0.04, c.LogY)
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	if c.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
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

// margin widens a range by a share of it at both ends, and one of a single point to one that can be drawn.
func margin(lo, hi, share float64, log bool) (float64, float64) {
	if log {
		if lo == hi {
			return lo / 2, hi * 2
		}
		factor := math.Pow(hi/lo, share)
		return lo / factor, hi * factor
	}
	if lo == hi {
		return lo - max(math.Abs(lo)/10, 1e-3), hi + max(math.Abs(hi)/10, 1e-3)
	}
	return lo - share*(hi-lo), hi + share*(hi-lo)
}

// logTicks puts ticks at 1, 2, 5, 10, ..., or at powers of ten alone where there are many.
func logTicks(lo, hi float64) (ticks []plot.Tick) {
	decades := math.Log10(hi / lo)
	every := max(1, int(math.Ceil(decades/8)))
	for power := int(math.Floor(math.Log10(lo))); float64(power) <= math.Log10(hi); power++ {
		for digit := 1; digit < 10; digit++ {
			value := float64(digit) * math.Pow(10, float64(power))
			if value < lo*(1-1e-9) || value > hi*(1+1e-9) {
				continue
			}
			label := ""
			if digit == 1 && power%every == 0 || (digit == 2 || digit == 5) && decades < 3 {
				label = fmt.Sprintf("%.3g", value)
			}
			ticks = append(ticks, plot.Tick{Value: value, Label: label})
		}
	}
	return ticks
}
