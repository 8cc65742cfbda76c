package train

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// BenchmarkWatch measures what looking at every 20th update costs, in percent of the time of all steps: the medians of the
// three kinds of step, which take turns, are compared.
func BenchmarkWatch(b *testing.B) {
	classes := func(n int, shape ...int) *tarn.Tensor {
		t := tarn.Zeros(tarn.I32, shape...)
		for i := range t.Size() {
			t.SetFloat(i, float64(i*7%n))
		}
		return t
	}
	noise := func(shape ...int) *tarn.Tensor {
		t := tarn.Zeros(tarn.F32, shape...)
		nn.Normal(0, 1)(t, tarn.NewRandom(1, "x"))
		return t
	}
	for _, c := range []struct {
		name  string
		model nn.Layer
		x, y  *tarn.Tensor
	}{
		{"mlp-mnist", nn.NewSequential(nn.NewLinear(784, 512), nn.ReLU{}, nn.NewLinear(512, 512), nn.ReLU{}, nn.NewLinear(512, 10)), noise(128, 784), classes(10, 128)},
		{"cnn-mnist", nn.NewSequential(nn.NewConv2d(1, 32, 3), nn.ReLU{}, nn.NewConv2d(32, 64, 3), nn.ReLU{}, nn.NewMaxPool(2, 2), nn.NewDropout(0.25), nn.Flatten{},
			nn.NewLinear(9216, 128), nn.ReLU{}, nn.NewDropout(0.5), nn.NewLinear(128, 10)), noise(64, 28, 28, 1), classes(10, 64)},
		{"gpt-mini", nn.NewGPT(nn.GPTOptions{Vocabulary: 65, Context: 64, Width: 128, Heads: 4, Layers: 4}), classes(65, 12, 64), classes(65, 12, 64)},
	} {
		b.Run(c.name, func(b *testing.B) {
			if err := tarn.Init(c.model, 1); err != nil {
				b.Fatal(err)
			}
			s, err := NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
				x, y := g.Input("x", c.x.DType(), c.x.Shape()...), g.Input("y", tarn.I32, c.y.Shape()...)
				return tarn.Outputs{"loss": nn.CrossEntropy(c.model.Forward(x), y)}
			}, c.model, optim.NewAdam(1e-4))
			if err != nil {
				b.Fatal(err)
			}
			s.Watch = watch.New(watch.Options{Every: 3})
			var times [3][]time.Duration
			for i := range max(66, b.N) {
				mode := s.mode(true)
				begun := time.Now()
				if _, err := s.Run(c.x.Shape()[0], c.x, c.y); err != nil {
					b.Fatal(err)
				}
				if i >= 6 { // the first compile
					times[mode] = append(times[mode], time.Since(begun))
				}
			}
			var median [3]float64
			for mode := range times {
				slices.Sort(times[mode])
				median[mode] = times[mode][len(times[mode])/2].Seconds()
			}
			plain := median[watch.Plain]
			b.ReportMetric((median[watch.Look]/plain-1)*100, "%/look")
			b.ReportMetric((median[watch.Remember]/plain-1)*100, "%/remember")
			b.ReportMetric((median[watch.Look]+median[watch.Remember]-2*plain)/20/plain*100, "%/step")
		})
	}
}
