package bench

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// This file draws a comparison: for every workload a bar for each peer, as long as the logarithm of its time over Tarn's. Bars
// to the right are of peers that take longer, bars to the left of those that are faster.

// barColors are those of Okabe and Ito, which color-blind readers tell apart.
var barColors = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255}, color.RGBA{204, 121, 167, 255},
	color.RGBA{230, 159, 0, 255}, color.RGBA{86, 180, 233, 255},
}

const (
	barWidth   = vg.Length(6)  // of one bar
	barGap     = vg.Length(10) // between the bars of two workloads
	pictureDPI = 150
)

// picture is the comparison as a PNG.
func (r *report) picture() ([]byte, error) {
	own := map[string]float64{}
	var workloads []string
	for _, x := range r.Results {
		if x.Engine == tarnEngine && x.Result != nil {
			own[x.Workload] = x.Result.MedianUS
			workloads = append(workloads, x.Workload)
		}
	}
	slices.Reverse(workloads) // a plot counts from the bottom
	p := plot.New()
	p.Title.Text = fmt.Sprintf("time of a step over Tarn's, %d threads", r.Threads)
	p.NominalY(workloads...)
	p.X.Tick.Marker = ratioTicks{}
	p.Legend.Padding, p.Legend.YOffs = 3, 8
	for _, t := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		t.Typeface, t.Variant = "Liberation", "Sans"
	}
	peers := r.Engines[1:]
	for i, engine := range peers {
		values := make(plotter.Values, len(workloads))
		for _, x := range r.Results {
			if x.Engine == engine && x.Result != nil && own[x.Workload] > 0 && x.Result.MedianUS > 0 {
				values[slices.Index(workloads, x.Workload)] = math.Log10(x.Result.MedianUS / own[x.Workload])
			}
		}
		bars, err := plotter.NewBarChart(values, barWidth)
		if err != nil {
			return nil, fmt.Errorf("bench: the picture: %w", err)
		}
		bars.Horizontal, bars.LineStyle.Width = true, 0
		bars.Color = barColors[i%len(barColors)]
		bars.Offset = barWidth * vg.Length(float64(len(peers)-1)/2-float64(i))
		p.Add(bars)
		p.Legend.Add(engine, bars)
	}
	p.X.Min, p.X.Max = min(p.X.Min, math.Log10(0.8)), max(p.X.Max, 1)
	p.X.Max += (p.X.Max - p.X.Min) * 0.4 // room for the legend
	p.Y.Min, p.Y.Max = -0.5, float64(len(workloads))-0.5
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = color.Gray{Y: 220}
	p.Add(grid)
	height := vg.Length(len(workloads))*(barWidth*vg.Length(max(1, len(peers)))+barGap) + 60
	c := vgimg.NewWith(vgimg.UseWH(18*vg.Centimeter, height), vgimg.UseDPI(pictureDPI))
	p.Draw(draw.Crop(draw.New(c), 8, -12, 8, -8))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("bench: the picture: %w", err)
	}
	return b.Bytes(), nil
}

// ratioTicks labels an axis of logarithms by the numbers themselves.
type ratioTicks struct{}

// Ticks marks 1, 2 and 5 times the powers of ten.
func (ratioTicks) Ticks(lo, hi float64) []plot.Tick {
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
