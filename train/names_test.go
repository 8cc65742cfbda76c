package train

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests that a training keeps the names of its params whatever is done with a part of the model meanwhile.

// coder is a model of two parts whose params have the same names within each part, and a tied weight.
type coder struct {
	Enc, Dec *nn.Sequential
	Tied     *tarn.Param // the encoder's last bias
	Out      *nn.Linear
}

func newCoder(t *testing.T) *coder {
	t.Helper()
	part := func() *nn.Sequential { return nn.NewSequential(nn.NewLinear(3, 3), nn.Tanh{}, nn.NewLinear(3, 3)) }
	m := &coder{Enc: part(), Dec: part(), Out: nn.NewLinear(3, 1)}
	m.Tied = m.Enc.Layers[2].(*nn.Linear).Bias
	if err := tarn.Init(m, 5); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *coder) build(g *tarn.Graph, n int) tarn.Outputs {
	x, y := g.Input("x", tarn.F32, n, 3), g.Input("y", tarn.F32, n, 1)
	p := m.Out.Forward(m.Dec.Forward(m.Enc.Forward(x)).Add(m.Tied))
	return tarn.Outputs{"loss": p.Sub(y).Square().Mean(), "prediction": p}
}

// loop is a training of the model in which the decoder's first layer stays as it is by its group.
func (m *coder) loop(f *Folder) *Loop {
	opt := optim.NewAdamW(0.02)
	opt.Group(optim.Under("dec.0")).Rate = 0
	opt.After = []optim.Transform{optim.EMA{Decay: 0.9}}
	l := NewLoop(m.build, m, opt, examples(24, 1))
	l.Valid, l.Target, l.Epochs, l.Batch, l.CheckpointEvery, l.Folder = examples(9, 2), "y", 3, 8, 1, f
	return l
}

// TestPartsRenameNothing does something with a part of the model after every batch, and expects the files and the final
// weights of a training in which the same numbers were written by hand, unbroken and resumed.
func TestPartsRenameNothing(t *testing.T) {
	x := tarn.Zeros(tarn.F32, 16, 3)
	tarn.NewRandom(4, "x").Normal(x, 0, 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "part.safetensors")
	small := filepath.Join(dir, "small.safetensors")
	if err := safetensors.SaveWeights(small, nn.NewLinear(2, 2)); err != nil {
		t.Fatal(err)
	}
	nothing := func(*testing.T, *coder) {}
	for _, test := range []struct {
		name   string
		do     func(t *testing.T, m *coder)
		byHand func(t *testing.T, m *coder) // writes the same numbers without a walk over a part of m
	}{
		{"list", func(t *testing.T, m *coder) {
			for _, part := range []any{m.Enc, m.Dec, m.Dec.Layers[0], m.Out} {
				if _, err := tarn.Params(part); err != nil {
					t.Fatal(err)
				}
			}
		}, nothing},
		{"save", func(t *testing.T, m *coder) {
			if err := safetensors.SaveWeights(file, m.Dec); err != nil {
				t.Fatal(err)
			}
		}, nothing},
		{"save and load", func(t *testing.T, m *coder) {
			if err := errors.Join(safetensors.SaveWeights(file, m.Enc), safetensors.LoadWeights(file, m.Enc, safetensors.LoadOptions{})); err != nil {
				t.Fatal(err)
			}
		}, nothing},
		{"load in vain", func(t *testing.T, m *coder) {
			if err := safetensors.LoadWeights(small, m.Dec, safetensors.LoadOptions{}); err == nil {
				t.Fatal("a file of another model was loaded")
			}
		}, nothing},
		{"load another model's part", func(t *testing.T, m *coder) {
			other := newCoder(t)
			if err := errors.Join(safetensors.SaveWeights(file, other.Enc), safetensors.LoadWeights(file, m.Dec, safetensors.LoadOptions{})); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, m *coder) {
			other := newCoder(t)
			for i := range 2 {
				from, to := other.Enc.Layers[2*i].(*nn.Linear), m.Dec.Layers[2*i].(*nn.Linear)
				if err := errors.Join(to.Weight.Set(from.Weight.Tensor()), to.Bias.Set(from.Bias.Tensor())); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"initialize", func(t *testing.T, m *coder) {
			if err := tarn.Init(m.Out, 7); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, m *coder) {
			out := nn.NewLinear(3, 1)
			if err := errors.Join(tarn.Init(out, 7), m.Out.Weight.Set(out.Weight.Tensor()), m.Out.Bias.Set(out.Bias.Tensor())); err != nil {
				t.Fatal(err)
			}
		}},
		{"LSUV", func(t *testing.T, m *coder) {
			if err := nn.LSUV(m.Enc, x); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, m *coder) {
			other := newCoder(t)
			for i := range 2 {
				from, to := m.Enc.Layers[2*i].(*nn.Linear), other.Enc.Layers[2*i].(*nn.Linear)
				if err := errors.Join(to.Weight.Set(from.Weight.Tensor()), to.Bias.Set(from.Bias.Tensor())); err != nil {
					t.Fatal(err)
				}
			}
			if err := nn.LSUV(other.Enc, x); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if err := m.Enc.Layers[2*i].(*nn.Linear).Weight.Set(other.Enc.Layers[2*i].(*nn.Linear).Weight.Tensor()); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			// run trains to the end, or for a number of batches, and calls do after each.
			run := func(m *coder, f *Folder, batches int, do func(t *testing.T, m *coder)) {
				t.Helper()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				for p, err := range m.loop(f).Run(ctx) {
					if err != nil {
						if ctx.Err() != nil {
							return
						}
						t.Fatal(err)
					}
					if p.Record == nil {
						do(t, m)
					}
					if batches--; batches == 0 {
						cancel()
					}
				}
			}
			want, whole := folder(t), newCoder(t)
			run(whole, want, -1, test.byHand)
			got, m := folder(t), newCoder(t)
			run(m, got, -1, test.do)
			sameRun(t, "unbroken", got, want)
			sameWeights(t, "model", weightsOf(t, m), weightsOf(t, whole))

			resumed, part := folder(t), newCoder(t)
			run(part, resumed, 5, test.do)
			run(newCoder(t), resumed, -1, test.do)
			sameRun(t, "resumed", resumed, want)

			first, kept := newCoder(t).Dec.Layers[0].(*nn.Linear), m.Dec.Layers[0].(*nn.Linear)
			if test.name != "load another model's part" && !kept.Weight.Tensor().Equal(first.Weight.Tensor(), 0) {
				t.Error("a weight of a group with the rate 0 has moved")
			}
			checkpoint, err := safetensors.Load(got.Path(checkpointFile))
			if err != nil {
				t.Fatal(err)
			}
			names := slices.Sorted(maps.Keys(weightsOf(t, m)))
			var weights []string
			for name := range checkpoint.Tensors {
				if !strings.HasPrefix(name, statePrefix) {
					weights = append(weights, name)
				}
			}
			if slices.Sort(weights); !slices.Equal(weights, names) || len(names) != 10 {
				t.Errorf("the checkpoint has the weights %q, the model %q", weights, names)
			}
			for _, name := range names {
				for _, state := range []string{"adam.m/", "adam.v/", "ema.average/"} {
					if checkpoint.Tensors[statePrefix+state+name] == nil {
						t.Errorf("the checkpoint lacks the state %q", state+name)
					}
				}
			}
			if want := 10 + 3*10 + 1; len(checkpoint.Tensors) != want { // and ema.begun
				t.Errorf("the checkpoint has %d tensors, want %d", len(checkpoint.Tensors), want)
			}
		})
	}
}

// TestPairOfModels trains two models in turn, with an optimizer each, as a generator and a discriminator are trained. Each
// loss depends on both models, the params of both have the same names, and only the optimizer's own may move.
func TestPairOfModels(t *testing.T) {
	models := [2]*net{newNet(), newNet()}
	var steps [2]*Step
	var opts [2]*optim.Adam
	for i, m := range models {
		if err := tarn.Init(m, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range models {
		opts[i] = optim.NewAdam(0.01)
		var err error
		steps[i], err = NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
			x, y := g.Input("x", tarn.F32, n, 3), g.Input("y", tarn.F32, n, 1)
			of := func(m *net) *tarn.Value { return x.MatMul(m.W1).Add(m.B1).Tanh().MatMul(m.W2).Add(m.B2) }
			apart := of(models[0]).Sub(of(models[1])).Square().Mean()
			return tarn.Outputs{"loss": of(m).Sub(y).Square().Mean().Add(apart.Scale(0.1))}
		}, m, opts[i])
		if err != nil {
			t.Fatal(err)
		}
	}
	for b, err := range examples(32, 1).Batches(8, data.Options{Epochs: 3}).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range steps {
			before := weightsOf(t, models[1-i])
			own := weightsOf(t, models[i])
			if _, err := s.Run(b.N, b.Tensors...); err != nil {
				t.Fatal(err)
			}
			sameWeights(t, "the other model", weightsOf(t, models[1-i]), before)
			for name, w := range weightsOf(t, models[i]) {
				if w.Equal(own[name], 0) {
					t.Errorf("%s of model %d did not move", name, i)
				}
			}
		}
	}
	for i, opt := range opts {
		states, err := opt.States()
		if err != nil || states.Len() != 8 || states.Lookup("adam.m/w1") == nil {
			t.Errorf("optimizer %d has the states %v, %v", i, states.List(), err)
		}
	}
}

// descent is the least that an optimizer has to be: gradient descent without any of the optional interfaces.
type descent struct{ steps *tarn.Param }

func (d descent) Update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	list := params.Trainable().List()
	updates := []tarn.Update{tarn.Assign(d.steps, d.steps.Value(loss.Graph()).AddNum(1))}
	for i, g := range tarn.Grad(loss, list...) {
		updates = append(updates, tarn.Assign(list[i], list[i].Value(loss.Graph()).Sub(g.Scale(0.1))))
	}
	return updates, nil
}

func (d descent) States() (*tarn.ParamSet, error) {
	return tarn.Params(map[string]*tarn.Param{"steps": d.steps})
}

// TestLeastOptimizer trains by an optimizer of two methods, interrupted and resumed, as by SGD.
func TestLeastOptimizer(t *testing.T) {
	m, reference := newNet(), newNet()
	if err := errors.Join(tarn.Init(m, 1), tarn.Init(reference, 1)); err != nil {
		t.Fatal(err)
	}
	f := folder(t)
	for _, epochs := range []int{1, 3} {
		opt := descent{tarn.NewState(tarn.F64, nil)}
		l := NewLoop(m.build, m, opt, examples(32, 1))
		l.Epochs, l.Batch, l.Folder, l.Valid, l.Target = epochs, 8, f, examples(8, 2), "y"
		finish(t, l)
		if got, want := opt.steps.Tensor().Item(), float64(4*epochs); got != want {
			t.Errorf("%v steps, want %v", got, want)
		}
	}
	history, err := f.History()
	if err != nil || len(history) != 3 || history[2].LR == history[2].LR {
		t.Errorf("the log is %v, %v; want 3 epochs without a learning rate", history, err)
	}
	l := NewLoop(reference.build, reference, optim.NewSGD(0.1), examples(32, 1))
	l.Epochs, l.Batch = 3, 8
	finish(t, l)
	sameWeights(t, "as SGD", weightsOf(t, m), weightsOf(t, reference))
}
