package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// rooted is a model whose loss is the mean length of the predictions: for a row of zeros it is finite, and its gradient is not.
type rooted struct{ Hidden, Out *nn.Linear }

func newRooted() *rooted {
	m := &rooted{nn.NewLinear(3, 20), nn.NewLinear(20, 4)}
	m.Hidden.Bias, m.Out.Bias = nil, nil
	tarn.Init(m, 1)
	return m
}

func (m *rooted) build(g *tarn.Graph, n int) tarn.Outputs {
	x := g.Input("x", tarn.F32, n, 3)
	return tarn.Outputs{"loss": m.Out.Forward(m.Hidden.Forward(x).Tanh()).Square().Sum(1).Sqrt().Mean()}
}

// lengths has batches of 4 rows: fine, fine, bad, fine, fine, fine, bad, fine.
func lengths(bad float64) *tarn.Tensor {
	x := tarn.Zeros(tarn.F32, 32, 3)
	tarn.NewRandom(5, "lengths").Normal(x, 0, 1)
	for _, row := range []int{9, 26} {
		for j := range 3 {
			x.SetFloat(3*row+j, bad)
		}
	}
	return x
}

// guardedOptimizers are optimizers of every kind. copies is set if their updates are not elementwise functions that provably stay finite.
var guardedOptimizers = []struct {
	name   string
	make   func() optim.Optimizer
	copies bool
}{
	{"sgd", func() optim.Optimizer { return optim.NewSGD(0.1) }, false},
	{"momentum", func() optim.Optimizer { o := optim.NewSGD(0.1); o.Momentum = 0.9; return o }, false},
	{"adam", func() optim.Optimizer { return optim.NewAdam(0.01) }, false},
	{"adam without epsilon", func() optim.Optimizer { o := optim.NewAdam(0.01); o.Epsilon = 0; return o }, true},
	{"adamw, clipped, averaged", func() optim.Optimizer {
		o := optim.NewAdamW(0.01)
		o.WeightDecay, o.ClipNorm, o.ClipValue = 0.1, 1, 10
		o.Rate = optim.Warmup{Steps: 3, Then: optim.Cosine{Rate: 0.01, Steps: 10}}
		o.After = []optim.Transform{optim.EMA{}}
		return o
	}, false},
	{"amsgrad", func() optim.Optimizer { o := optim.NewAdam(0.01); o.AMSGrad = true; return o }, false},
	{"rmsprop", func() optim.Optimizer { return optim.NewRMSprop(0.01) }, false},
	{"adagrad", func() optim.Optimizer { return optim.NewAdagrad(0.01) }, false},
	{"lion", func() optim.Optimizer { return optim.NewLion(0.01) }, false},
	{"micro-batches", func() optim.Optimizer { o := optim.NewAdam(0.01); o.MicroBatches = 2; return o }, false},
	{"lookahead", func() optim.Optimizer {
		o := optim.NewSGD(0.1)
		o.After = []optim.Transform{optim.NewLookahead()}
		return o
	}, false},
	{"sam", func() optim.Optimizer { o := optim.NewSGD(0.1); o.Before = []optim.Transform{optim.SAM{}}; return o }, false},
	{"line search", func() optim.Optimizer {
		o := optim.NewSGD(1)
		o.After = []optim.Transform{optim.NewLineSearch()}
		return o
	}, false},
	{"lbfgs", func() optim.Optimizer { return optim.NewLBFGS(0.1) }, true},
	{"schedule-free", func() optim.Optimizer { return optim.NewScheduleFreeAdamW(0.01) }, false},
	{"muon", func() optim.Optimizer { return optim.NewMuon(0.01) }, true},
	{"shampoo", func() optim.Optimizer { return optim.NewShampoo(0.01) }, false},
	{"soap", func() optim.Optimizer { return optim.NewSOAP(0.01) }, false},
	{"kfac", func() optim.Optimizer { return optim.NewKFAC(0.01) }, false},
	{"sophia", func() optim.Optimizer { o := optim.NewSophia(0.01); o.Every = 2; return o }, false},
	{"adafactor", func() optim.Optimizer { return optim.NewAdafactor(0.01) }, true},
}

// TestSkipNonFinite asserts of each optimizer that a batch with a gradient that is not finite changes nothing: skipping it gives the bits of
// a training in which it is not there.
func TestSkipNonFinite(t *testing.T) {
	for _, c := range guardedOptimizers {
		t.Run(c.name, func(t *testing.T) {
			train := func(bad bool) ([]byte, *Step) {
				m, o := newRooted(), c.make()
				step, err := NewStepOf(m.build, m, o)
				if err != nil {
					t.Fatal(err)
				}
				step.SkipNonFinite = true
				x, skipped := lengths(0), 0
				for b := range 8 {
					if !bad && (b == 2 || b == 6) {
						continue
					}
					batch, err := tarn.FromSlice(x.F32()[12*b:12*b+12], 4, 3)
					if err != nil {
						t.Fatal(err)
					}
					before := bits(t, m, o)
					r, err := step.Run(4, batch)
					if err != nil {
						t.Fatal(err)
					}
					if r.Skipped {
						skipped++
						if string(bits(t, m, o)) != string(before) || !math.IsNaN(r.Loss) {
							t.Errorf("batch %d was skipped and has changed something; loss %v", b, r.Loss)
						}
					}
				}
				if want := 2; bad && skipped != want || !bad && skipped > 0 || step.Runs() != 6 {
					t.Errorf("%d batches skipped, %d runs", skipped, step.Runs())
				}
				return bits(t, m, o), step
			}
			with, step := train(true)
			without, _ := train(false)
			if string(with) != string(without) {
				t.Error("skipping a batch is not the same as leaving it out")
			}
			first, err := lengths(0).Reshape(8, 12)
			if err == nil {
				first, err = tarn.FromSlice(first.F32()[:12], 4, 3)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range step.programs {
				profile, err := p.program.Profile(1, first)
				if err != nil {
					t.Fatal(err)
				}
				copies := false
				for _, s := range profile {
					copies = copies || strings.HasPrefix(s.Work, "guard, with")
				}
				if copies != c.copies {
					t.Errorf("the guard copies: %t, should be %t", copies, c.copies)
				}
			}
		})
	}
}

// bits are the bytes of all params and states.
func bits(t *testing.T, model any, o optim.Optimizer) (all []byte) {
	t.Helper()
	params, err := tarn.Params(model)
	states, err2 := o.States()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, set := range []*tarn.ParamSet{params, states} {
		for _, p := range set.All() {
			all = append(all, p.Tensor().Raw()...)
		}
	}
	return all
}

func setOf(x *tarn.Tensor) (*data.Set, error) {
	return data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: x.Shape(), Data: x.F32()}})
}

// TestLoopNonFinite asserts what a training does that is not finite: the error names the origin, and the weights and the checkpoint are
// those before the run.
func TestLoopNonFinite(t *testing.T) {
	bad := func(row int, x float64) func(set, valid *tarn.Tensor) {
		return func(set, _ *tarn.Tensor) { set.SetFloat(3*row+1, x) }
	}
	zero := func(set, _ *tarn.Tensor) { clear(set.F32()[3*17 : 3*18]) }
	for _, c := range []struct {
		name string
		rate float64
		data func(set, valid *tarn.Tensor)
		runs int64 // completed; -1 for any
		want []string
		not  string
	}{
		{"nan in a row", 0.01, bad(17, math.NaN()), -1, []string{`input "x" is NaN in row `, "column 1", "row 17 of the data"}, "rate"},
		{"infinity in a row", 0.01, bad(17, math.Inf(1)), -1, []string{`input "x" is +Inf in row `, "row 17 of the data"}, "rate"},
		{"root of zero", 0.01, zero, -1, []string{"in the gradient of Sqrt, nonfinite_test.go"}, "rate"},
		{"rate", 1e30, nil, -1, []string{"the training has diverged", "lower learning rate", "nonfinite_test.go"}, ""},
		{"rate beyond f32", 1e39, nil, 0, []string{"comes first from"}, ""},
		{"validation", 0.01, func(_, valid *tarn.Tensor) { valid.SetFloat(7, math.NaN()) }, 8, []string{`validation loss is NaN in batch 1 of 4 examples: input "x" is NaN in row 2, column 1; it is row 2 of the data`}, "rate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newRooted()
			o := optim.NewSGD(c.rate)
			x, v := lengths(1), lengths(1)
			if c.data != nil {
				c.data(x, v)
			}
			set, err := setOf(x)
			valid, err2 := setOf(v)
			folder, err3 := CreateFolder(t.TempDir()+"/run", struct{ A int }{})
			if err := errors.Join(err, err2, err3); err != nil {
				t.Fatal(err)
			}
			loop := NewLoop(m.build, m, o, set)
			loop.Batch, loop.Epochs, loop.Folder, loop.CheckpointEvery, loop.Valid = 4, 1, folder, 1, valid
			var last error
			for _, err := range loop.Run(context.Background()) {
				last = err
			}
			if last == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(last.Error(), want) {
					t.Errorf("%v\nshould have %q", last, want)
				}
			}
			if c.not != "" && strings.Contains(last.Error(), c.not) {
				t.Errorf("%v\nshould not have %q", last, c.not)
			}
			if n := loop.step.Runs(); c.runs >= 0 && n != c.runs {
				t.Errorf("%d runs, want %d", n, c.runs)
			}
			now := bits(t, m, o)
			again := newRooted()
			params, err := tarn.Params(again)
			states, err2 := o.States()
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if _, _, err := folder.resume(params, states); err != nil {
				t.Fatal(err)
			}
			if string(bits(t, again, o)) != string(now) {
				t.Error("the checkpoint is not of the weights")
			}
			for _, p := range params.All() {
				for _, x := range p.Tensor().Floats() {
					if !finite(x) {
						t.Fatalf("a weight is %v", x)
					}
				}
			}
		})
	}
}

// TestLoopSkips asserts that a training that skips batches counts them, and resumes to the same bits.
func TestLoopSkips(t *testing.T) {
	run := func(folder *Folder, stop int) (*rooted, []Record) {
		m := newRooted()
		set, err := setOf(lengths(0))
		if err != nil {
			t.Fatal(err)
		}
		loop := NewLoop(m.build, m, optim.NewAdam(0.01), set)
		loop.Batch, loop.Epochs, loop.Folder, loop.SkipNonFinite = 4, 3, folder, true
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		turns := 0
		for _, err := range loop.Run(ctx) {
			if turns++; turns == stop {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		return m, loop.History()
	}
	want, history := run(nil, 0)
	for stop := 1; stop < 27; stop += 5 {
		folder, err := CreateFolder(t.TempDir()+"/run", struct{ A int }{})
		if err != nil {
			t.Fatal(err)
		}
		run(folder, stop)
		got, records := run(folder, 0)
		a, err := tarn.Params(want)
		b, err2 := tarn.Params(got)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for name, p := range a.All() {
			if d := p.Tensor().Diff(b.Lookup(name).Tensor(), 0); d != "" {
				t.Errorf("stopped after %d turns: %s: %s", stop, name, d)
			}
		}
		for i, r := range records {
			if r.Skipped != history[i].Skipped || r.Skipped < 1 || r.Step != history[i].Step || r.TrainLoss != history[i].TrainLoss || !finite(r.TrainLoss) {
				t.Errorf("stopped after %d turns: %+v, want %+v", stop, r, history[i])
			}
		}
	}
}
