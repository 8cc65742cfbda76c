package train_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// This file compares trainings that are watched with ones that are not, bit by bit.

// residual is a small residual network: a convolution and a block of two, each with a norm.
type residual struct {
	Convs []*nn.Conv
	Norms []layer
	Out   *nn.Linear
}

// layer is a norm.
type layer interface {
	Forward(x *tarn.Value) *tarn.Value
}

// residualOf returns a residual network of 32 channels with norms of a kind. Its arrays are so large that loops compute results again.
func residualOf(norm func() layer) func() (any, train.Build) {
	return func() (any, train.Build) {
		m := &residual{Out: nn.NewLinear(32, 3)}
		for i := range 3 {
			c := nn.NewConv2d([]int{1, 32, 32}[i], 32, 3)
			c.Bias, c.Padding = nil, []int{1}
			m.Convs, m.Norms = append(m.Convs, c), append(m.Norms, norm())
		}
		return m, func(g *tarn.Graph, n int) tarn.Outputs {
			x := m.Norms[0].Forward(m.Convs[0].Forward(g.Input("x", tarn.F32, n, 8, 8, 1))).ReLU()
			y := m.Norms[1].Forward(m.Convs[1].Forward(x)).ReLU()
			y = m.Norms[2].Forward(m.Convs[2].Forward(y)).Add(x).ReLU()
			logits := m.Out.Forward(nn.GlobalAvgPool{}.Forward(nn.NewMaxPool(2, 2).Forward(y)))
			return tarn.Outputs{"loss": nn.CrossEntropy(logits, g.Input("label", tarn.I32, n)), "prediction": logits}
		}
	}
}

// normedMLP returns a network of linear layers with norms of a kind, in a precision.
func normedMLP(width int, dtype tarn.DType, norm func() layer) func() (any, train.Build) {
	return func() (any, train.Build) {
		m := &struct {
			In   *nn.Linear
			Norm layer
			Out  *nn.Linear
		}{nn.NewLinear(64, width), norm(), nn.NewLinear(width, 3)}
		return m, func(g *tarn.Graph, n int) tarn.Outputs {
			x := g.Input("x", tarn.F32, n, 8, 8, 1).Reshape(n, 64)
			x = m.Norm.Forward(m.In.Forward(x).GELU()).Cast(dtype).Cast(tarn.F32)
			logits := m.Out.Forward(nn.NewDropout(0.1).Forward(x).Tanh())
			return tarn.Outputs{"loss": nn.CrossEntropy(logits, g.Input("label", tarn.I32, n)), "prediction": logits}
		}
	}
}

// bitModels are trainings with the loops that fusion makes of norms, convolutions, attention and recurrent layers.
var bitModels = append(watchedModels[:len(watchedModels):len(watchedModels)],
	rankModel{"residual with batch norm", residualOf(func() layer { return nn.NewBatchNorm(32) }), pictures(70), "label"},
	rankModel{"residual with group norm", residualOf(func() layer { return nn.NewGroupNorm(4, 32) }), pictures(70), "label"},
	rankModel{"residual with instance norm", residualOf(func() layer { return nn.NewInstanceNormAffine(32) }), pictures(70), "label"},
	rankModel{"residual with layer norm", residualOf(func() layer { return nn.NewLayerNorm(32) }), pictures(70), "label"},
	rankModel{"layer norm", normedMLP(40, tarn.F32, func() layer { return nn.NewLayerNorm(40) }), pictures(70), "label"},
	rankModel{"wide layer norm", normedMLP(300, tarn.F32, func() layer { return nn.NewLayerNorm(300) }), pictures(70), "label"},
	rankModel{"wide RMS norm", normedMLP(300, tarn.F64, func() layer { return nn.NewRMSNorm(300) }), pictures(70), "label"},
	rankModel{"RMS norm", normedMLP(24, tarn.F32, func() layer { return nn.NewRMSNorm(24) }), pictures(70), "label"},
	rankModel{"wide batch norm", normedMLP(300, tarn.F32, func() layer { return nn.NewBatchNorm(300) }), pictures(70), "label"},
	rankModel{"gru", func() (any, train.Build) {
		m := &struct {
			Embedding *nn.Embedding
			GRU       *nn.GRU
			Out       *nn.Linear
		}{nn.NewEmbedding(11, 8), nn.NewGRU(8, 8, nn.RecurrentOptions{}), nn.NewLinear(8, 11)}
		return m, func(g *tarn.Graph, n int) tarn.Outputs {
			logits := m.Out.Forward(m.GRU.Forward(m.Embedding.Forward(g.Input("x", tarn.I32, n, 6))))
			return tarn.Outputs{"loss": nn.CrossEntropy(logits, g.Input("label", tarn.I32, n, 6)), "prediction": logits}
		}
	}, words(70, 6), "label"},
)

// bitOptimizers are optimizers whose updates are loops, with sums in some of them, or products.
var bitOptimizers = map[string]func() optim.Optimizer{
	"adamw, clipped":       optimizersOverShards["adamw, clipped"],
	"sgd in micro-batches": optimizersOverShards["sgd in micro-batches"],
	"lamb":                 optimizersOverShards["lamb"],
	"muon":                 optimizersOverShards["muon"],
}

// bitsOf trains a model on a number of shards, 0 for none, and returns losses, weights and states.
func bitsOf(t *testing.T, m rankModel, o optim.Optimizer, shards int, options *watch.Options) (bits string) {
	t.Helper()
	model, build := m.make()
	if err := tarn.Init(model, 3); err != nil {
		t.Fatal(err)
	}
	step, err := train.NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs { g.Seed(5); return build(g, n) }, model, o)
	if err != nil {
		t.Fatal(err)
	}
	if shards > 0 {
		step.Shards = &train.Shards{N: shards}
	}
	if options != nil {
		step.Watch = watch.New(*options)
	}
	for r, err := range step.Over(context.Background(), m.set().Batches(35, data.Options{Epochs: 3})) {
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		if (r.Look != nil) != (options != nil && r.Run%int64(options.Every) == 1) && !updatesLess(o) {
			t.Fatalf("%s: run %d has the look %v", m.name, r.Run, r.Look)
		}
		bits += fmt.Sprintf("%d %x\n", r.Run, r.Loss)
	}
	return bits + fmt.Sprintf("%x %x", rankSums(must(tarn.Params(model))), rankSums(must(o.States())))
}

// updatesLess reports whether not every run of an optimizer is an update.
func updatesLess(o optim.Optimizer) bool {
	a, ok := o.(optim.Accumulator)
	return ok && !a.UpdatesAt(0)
}

// TestWatchBits trains with and without looks, at each level of the kernels: the losses, weights and states have the same bits.
func TestWatchBits(t *testing.T) {
	const inner = "TARN_TEST_WATCH_BITS"
	if os.Getenv(inner) == "" {
		self := must(os.Executable())
		for _, level := range cpu.Levels() {
			if testing.Short() && level != cpu.Levels()[len(cpu.Levels())-1] {
				continue
			}
			cmd := exec.Command(self, "-test.run=^TestWatchBits$", fmt.Sprintf("-test.short=%v", testing.Short()))
			cmd.Env = append(os.Environ(), inner+"=1", fmt.Sprintf("TARN_CPU=%v", level))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("at the level %v: %v\n%s", level, err, out)
			}
		}
		return
	}
	options := &watch.Options{Every: 2, Histograms: true, Values: func(out tarn.Outputs) map[string]*tarn.Value {
		return map[string]*tarn.Value{"largest": out["prediction"].Abs().Max()}
	}}
	best := fmt.Sprint(cpu.Levels()[len(cpu.Levels())-1]) == tarn.Kernels()
	for i, m := range bitModels {
		for name, o := range bitOptimizers {
			if name != "adamw, clipped" && (testing.Short() || !best) {
				continue
			}
			for _, shards := range []int{0, 2} {
				if shards > 0 && name != "adamw, clipped" || testing.Short() && shards != i%2*2 {
					continue
				}
				plain, few := bitsOf(t, m, o(), shards, nil), *options
				few.Histograms, few.Values = false, nil
				for i, options := range []*watch.Options{options, &few} {
					if i > 0 && (!best || testing.Short()) {
						continue
					}
					if got := bitsOf(t, m, o(), shards, options); got != plain {
						t.Errorf("%s with %s, %d shards, histograms %v: with looks\n%s\nand without\n%s", m.name, name, shards, options.Histograms, got, plain)
					}
				}
			}
		}
	}
}
