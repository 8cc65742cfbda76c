package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/internal/clock"
	"github.com/seed-49005b45/tarn/internal/plot"
)

// This file predicts how trainings scale over ranks, from how long a step takes on one and what the network does.

// Model is a training whose scaling is predicted. Each rank takes a batch of its own.
type Model struct {
	Name    string
	About   string
	Weights int     // f32
	Flops   float64 // of a step on the batch of a rank
	Seconds float64 // that the step takes on a rank
}

// gpt1B is a GPT of 1.3 billion weights, that of Brown et al. 2020, table 2.1: 24 layers, 2048 wide, context 2048.
var gpt1B = struct{ layers, width, context, vocabulary int }{24, 2048, 2048, 50257}

// Models returns the trainings whose scaling is predicted: gpt-small, of which it takes steps here for a few seconds, and a GPT of 1.3 billion weights, whose step takes as long as its operations
// at the speed of gpt-small.
func Models(ctx context.Context, o Options) ([]Model, error) {
	j, err := gpts[1].make(tarn.NewRandom(0, "bench/gpt-small"))
	if err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(o.threads())
	p, err := j.trace(tarn.NewGraph())
	if err != nil {
		return nil, err
	}
	small := Model{Name: "gpt-small", About: fmt.Sprintf("%s, %d threads", gpts[1].About, o.threads())}
	params, err := tarn.Params(newGPT(6, 6, 384, 256))
	if err != nil {
		return nil, err
	}
	for _, w := range params.All() {
		small.Weights += w.Tensor().Size()
	}
	for _, s := range p.Steps() {
		small.Flops += float64(s.Flops)
	}
	var times []float64
	for began := clock.Now(); len(times) < 5 || len(times) < 200 && clock.Since(began) < 3*time.Second; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		start := clock.Now()
		if _, err := p.Run(j.inputs...); err != nil {
			return nil, fmt.Errorf("bench: gpt-small: %w", err)
		}
		times = append(times, clock.Since(start).Seconds())
	}
	times = times[1:]
	slices.Sort(times)
	small.Seconds = times[len(times)/2]

	// 6 operations for each weight and token, and 12 for each layer, channel and place for attention: Chowdhery et al. 2022, PaLM, appendix B.
	g := gpt1B
	large := Model{Name: "gpt-1.3b", About: fmt.Sprintf("%d layers, %d wide, context %d, batch 1, at the speed of gpt-small", g.layers, g.width, g.context)}
	large.Weights = 12*g.layers*g.width*g.width + (g.vocabulary+g.context)*g.width
	large.Flops = float64(g.context) * (6*float64(large.Weights) + 12*float64(g.layers*g.width*g.context))
	large.Seconds = large.Flops / small.Flops * small.Seconds
	return []Model{small, large}, nil
}

// Memory is what a rank needs of a training with Adam or AdamW: weights, two states each, and three arrays of gradients for the sums.
func (m Model) Memory() float64 { return float64(m.Weights) * 4 * (1 + 2 + 3) }

// Scaled is a prediction for a number of ranks.
type Scaled struct {
	Ranks      int
	Seconds    float64 // of a step
	Sum        float64 // seconds that the gradients are on the network
	Exposed    float64 // seconds of these that no computing hides
	Efficiency float64 // the share of a step that is computing
}

// hidden is the share of a step in which gradients can be sent: the backward pass takes two thirds of the operations.
const hidden = 2. / 3

// Scale predicts the step of a training over ranks, each of which has a shard with a batch of its own. The gradients are summed in buckets while the backward pass runs, but for the last
// bucket. Two small gathers keep the ranks in step.
func (m Model) Scale(n dist.Network, ranks int) Scaled {
	s := Scaled{Ranks: ranks, Seconds: m.Seconds, Efficiency: 1}
	if ranks == 1 {
		return s
	}
	bytes := 4 * m.Weights
	s.Sum = n.Sum(ranks, ranks, bytes)
	last := n.Sum(ranks, ranks, min(bytes, 25<<20)) // the bucket that is complete at the end
	s.Exposed = max(s.Sum-hidden*m.Seconds, min(last, s.Sum)) + 2*n.AllGather(ranks, 32)
	s.Seconds += s.Exposed
	s.Efficiency = m.Seconds / s.Seconds
	return s
}

// NamedNetwork is a network with its name.
type NamedNetwork struct {
	Name string
	dist.Network
}

// Networks are usual ones, by what their makers promise, less a tenth: assumptions and no measurements.
var Networks = []NamedNetwork{
	{"1 Gbit/s Ethernet", dist.Network{Latency: 50e-6, Bandwidth: 0.9 * 1e9 / 8}},
	{"10 Gbit/s Ethernet", dist.Network{Latency: 30e-6, Bandwidth: 0.9 * 10e9 / 8}},
	{"100 Gbit/s InfiniBand", dist.Network{Latency: 2e-6, Bandwidth: 0.9 * 100e9 / 8}},
}

// scaleRanks are the numbers of ranks of a prediction.
func scaleRanks() (all []int) {
	for n := 1; n <= 1024; n *= 2 {
		all = append(all, n)
	}
	return all
}

// WriteScaling writes the predictions as tables.
func WriteScaling(w io.Writer, models []Model, networks []NamedNetwork) error {
	for _, m := range models {
		fmt.Fprintf(w, "%s: %s: %.4g million weights, %.3g operations a step, %.3g s a step on one rank (%.0f GFLOP/s); a rank needs %.3g GB and memory for activations\n", m.Name, m.About,
			float64(m.Weights)/1e6, m.Flops, m.Seconds, m.Flops/m.Seconds/1e9, m.Memory()/1e9)
		for _, n := range networks {
			fmt.Fprintf(w, "\n  %s: latency %.3g us, bandwidth %.3g GB/s\n\n  %6s %10s %10s %10s %10s %10s\n", n.Name, n.Latency*1e6, n.Bandwidth/1e9, "ranks", "step", "exchange", "not hidden", "efficiency", "speedup")
			for _, ranks := range scaleRanks() {
				s := m.Scale(n.Network, ranks)
				if _, err := fmt.Fprintf(w, "  %6d %10s %10s %10s %9.0f%% %10.1f\n", ranks, duration(s.Seconds*1e6), duration(s.Sum*1e6), duration(s.Exposed*1e6), 100*s.Efficiency, float64(ranks)*s.Efficiency); err != nil {
					return err
				}
			}
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintln(w, "Each rank takes a batch of its own, so the batch of all grows with the ranks. Assumed are ranks of one speed, and a network in which any two ranks have the whole bandwidth.")
	return err
}

// DrawScaling draws the predictions, a chart for each model.
func DrawScaling(w io.Writer, models []Model, networks []NamedNetwork) error {
	var charts []plot.Chart
	for _, m := range models {
		c := plot.Chart{Title: m.Name + ", predicted", X: "ranks", Y: "speedup", LogX: true, LogY: true}
		for _, n := range networks {
			l := plot.Line{Name: n.Name, Knots: true}
			for _, ranks := range scaleRanks() {
				l.X, l.Y = append(l.X, float64(ranks)), append(l.Y, float64(ranks)*m.Scale(n.Network, ranks).Efficiency)
			}
			c.Lines = append(c.Lines, l)
		}
		ideal := plot.Line{Name: "ideal", Faint: true}
		for _, ranks := range scaleRanks() {
			ideal.X, ideal.Y = append(ideal.X, float64(ranks)), append(ideal.Y, float64(ranks))
		}
		c.Lines = append(c.Lines, ideal)
		charts = append(charts, c)
	}
	return plot.WriteCharts(w, charts...)
}

// Agree returns the models as all ranks see them: the step takes as long as on the slowest.
func Agree(c dist.Comm, models []Model) error {
	for i := range models {
		mine, all := []float64{models[i].Seconds}, make([]float64, c.Size())
		if err := c.AllGather(dist.Bytes(all), dist.Bytes(mine)); err != nil {
			return err
		}
		for _, x := range all {
			models[i].Seconds = math.Max(models[i].Seconds, x)
		}
	}
	return nil
}
