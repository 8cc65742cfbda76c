// Package curve draws the learning curve of a training.
package curve

import (
	"fmt"
	"image/color"
	"io"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/seed-49005b45/tarn/train"
)

// The size of the picture and of its two parts.
const (
	width, height = 16 * vg.Centimeter, 10 * vg.Centimeter
	metricsWidth  = 13 * vg.Centimeter // added where there are metrics
	dpi           = 150
)

// colors are those of Okabe and Ito, which color-blind readers tell apart.
var colors = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255},
}

// WritePNG draws the loss by epoch, and beside it the metrics, if any. The loss is on a logarithmic scale where it is
// positive throughout and spans more than a factor of 20.
func WritePNG(w io.Writer, history []train.Record) error {
	if len(history) == 0 {
		return fmt.Errorf("curve: there is no epoch to draw")
	}
	loss := []line{
		{"training", func(r train.Record) float64 { return r.TrainLoss }},
		{"validation", func(r train.Record) float64 { return r.ValLoss }},
	}
	parts := []*plot.Plot{}
	p, err := part("loss", history, loss, true)
	if err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	parts = append(parts, p)
	var metrics []line
	for _, name := range slices.Sorted(maps.Keys(history[len(history)-1].Metrics)) {
		metrics = append(metrics, line{name, func(r train.Record) float64 {
			if x, ok := r.Metrics[name]; ok {
				return x
			}
			return math.NaN()
		}})
	}
	w0 := vg.Length(width)
	if len(metrics) > 0 {
		p, err := part("metrics of the validation set", history, metrics, false)
		if err != nil {
			return fmt.Errorf("curve: %w", err)
		}
		parts = append(parts, p)
		w0 += metricsWidth
	}
	c := vgimg.NewWith(vgimg.UseWH(w0, height), vgimg.UseDPI(dpi))
	tiles := draw.Tiles{Rows: 1, Cols: len(parts), PadTop: 12, PadBottom: 12, PadLeft: 12, PadRight: 18, PadX: 24}
	for i, canvas := range plot.Align([][]*plot.Plot{parts}, tiles, draw.New(c))[0] {
		parts[i].Draw(canvas)
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	return nil
}

// line is one curve: a number of each epoch, NaN for none.
type line struct {
	name string
	of   func(train.Record) float64
}

// part is a plot of some lines over the epochs.
func part(title string, history []train.Record, lines []line, scaled bool) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = 8
	p.X.Label.Text = "epoch"
	p.X.Tick.Marker = plot.TickerFunc(wholeTicks)
	p.Y.Tick.Marker = plot.TickerFunc(ticks)
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant, f.Size = "Sans", 9
	}
	p.Title.TextStyle.Font.Size = 11
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	lo, hi := math.Inf(1), math.Inf(-1)
	var all plotter.XYs
	for i, l := range lines {
		var points plotter.XYs
		for _, r := range history {
			if y := l.of(r); !math.IsNaN(y) && !math.IsInf(y, 0) {
				points = append(points, plotter.XY{X: float64(r.Epoch), Y: y})
				lo, hi = min(lo, y), max(hi, y)
			}
		}
		if len(points) == 0 {
			continue
		}
		all = append(all, points...)
		curve, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		curve.Color, curve.Width = colors[i%len(colors)], 1.6
		dots.Color, dots.Shape, dots.Radius = curve.Color, draw.CircleGlyph{}, 2.2
		p.Add(curve)
		if len(points) <= 40 {
			p.Add(dots)
			p.Legend.Add(l.name, curve, dots)
		} else {
			p.Legend.Add(l.name, curve)
		}
	}
	p.X.Min, p.X.Max = float64(history[0].Epoch), float64(history[len(history)-1].Epoch)
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	}
	switch {
	case lo > hi: // nothing was drawn
		p.Y.Min, p.Y.Max = 0, 1
	case scaled && lo > 0 && hi > 20*lo:
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Y.Min, p.Y.Max = lo/1.2, hi*1.2
		p.Title.Text += " (logarithmic)"
	default:
		margin := (hi - lo) / 20
		if margin == 0 {
			margin = max(math.Abs(hi)/10, 1e-3)
		}
		p.Y.Min, p.Y.Max = lo-margin, hi+margin
	}
	placeLegend(p, all)
	return p, nil
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
