// Package plot draws charts of lines, surfaces, heights and bars as PNG pictures, all in one style.
package plot

import (
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

// This file holds what all pictures share: size, fonts, colors, ticks and the table of plots that becomes a PNG.

// The size of one chart.
const (
	width, height = 16 * vg.Centimeter, 10 * vg.Centimeter
	dpi           = 150
)

// colors are those of Okabe and Ito, which color-blind readers tell apart.
var colors = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255},
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

// table sorts plots into rows and fills the last one up.
func table(cells []*plot.Plot, columns int) [][]*plot.Plot {
	for len(cells)%columns != 0 {
		blank := newPlot("", "", "")
		blank.HideAxes()
		cells = append(cells, blank)
	}
	return slices.Collect(slices.Chunk(cells, columns))
}

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
		return fmt.Errorf("plot: %w", err)
	}
	return nil
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

// placeLegend puts the legend into the corner with the fewest points.
func placeLegend(p *plot.Plot, points plotter.XYs) {
	fewest := math.MaxInt
	for _, left := range []bool{false, true} {
		for _, top := range []bool{true, false} {
			n := 0
			for _, point := range points {
				x, y := p.X.Norm(point.X), p.Y.Norm(point.Y)
				if (x < 0.35 && left || x > 0.65 && !left) && (y > 0.7 && top || y < 0.3 && !top) {
					n++
				}
			}
			if n < fewest {
				fewest, p.Legend.Left, p.Legend.Top = n, left, top
			}
		}
	}
	p.Legend.Padding, p.Legend.XOffs, p.Legend.YOffs = 3, -6, -6
	if p.Legend.Left {
		p.Legend.XOffs = 6
	}
	if !p.Legend.Top {
		p.Legend.YOffs = 6
	}
}

// ticks puts ticks at about six round numbers.
func ticks(lo, hi float64) []plot.Tick {
	power := math.Floor(math.Log10((hi - lo) / 6))
	factor := 1.0
	for _, next := range []float64{2, 5, 10} {
		if (hi-lo)/(factor*math.Pow(10, power)) > 7 {
			factor = next
		}
	}
	if factor == 10 {
		factor, power = 1, power+1
	}
	step := factor * math.Pow(10, power)
	var ticks []plot.Tick
	first := math.Ceil(lo/step) + 0 // + 0 makes 0 of -0
	for i := range 12 {
		value := (first + float64(i)) * step
		if !(value <= hi) {
			break
		}
		label := fmt.Sprintf("%.*f", max(0, -int(power)), value)
		if len(label) > 8 { // very small numbers, or very large ones
			digits := math.Floor(math.Log10(max(math.Abs(lo), math.Abs(hi)))) - power + 1
			label = fmt.Sprintf("%.*g", int(min(max(digits, 1), 8)), value)
		}
		ticks = append(ticks, plot.Tick{Value: value, Label: label})
	}
	return ticks
}

// wholeTicks puts ticks at whole epochs, about ten of them.
func wholeTicks(lo, hi float64) []plot.Tick {
	step := 1.0
	for factor := 0; (hi-lo)/step > 10; factor++ {
		step *= []float64{2, 2.5, 2}[factor%3] // 1 2 5 10 20 50 ...
	}
	var ticks []plot.Tick
	for x := math.Ceil(lo/step) * step; x <= hi; x += step {
		ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%.0f", x)})
	}
	return ticks
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
