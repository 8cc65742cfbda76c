package train

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// continuedOptimizers are optimizers with a state, a schedule or both. joins is set if a param may join later.
var continuedOptimizers = []struct {
	name  string
	make  func() optim.Optimizer
	joins bool
}{
	{"adam", func() optim.Optimizer { return optim.NewAdam(0.01) }, true},
	{"adam, schedule", func() optim.Optimizer {
		o := optim.NewAdam(0.01)
		o.Rate = optim.Warmup{Steps: 5, Then: optim.Cosine{Rate: 0.01, Steps: 30}}
		return o
	}, true},
	{"adamw, averaged", func() optim.Optimizer {
		o := optim.NewAdamW(0.01)
		o.After = []optim.Transform{optim.EMA{}}
		return o
	}, true},
	{"adam, micro-batches", func() optim.Optimizer { o := optim.NewAdam(0.01); o.MicroBatches = 3; return o }, true},
	{"momentum, dampened", func() optim.Optimizer { o := optim.NewSGD(0.01); o.Momentum, o.Dampening = 0.9, 0.1; return o }, true},
	{"adagrad, decaying", func() optim.Optimizer { o := optim.NewAdagrad(0.01); o.RateDecay = 0.1; return o }, true},
	{"lookahead", func() optim.Optimizer {
		o := optim.NewAdam(0.01)
		o.After = []optim.Transform{optim.NewLookahead()}
		return o
	}, true},
	{"adabelief", func() optim.Optimizer { return optim.NewAdaBelief(0.01) }, true},
	{"adamax", func() optim.Optimizer { return optim.NewAdamax(0.01) }, true},
	{"nadam", func() optim.Optimizer { return optim.NewNAdam(0.01) }, false},
	{"radam", func() optim.Optimizer { return optim.NewRAdam(0.01) }, false},
	{"prodigy", func() optim.Optimizer { return optim.NewProdigy(1) }, false},
	{"schedule-free", func() optim.Optimizer { return optim.NewScheduleFreeAdamW(0.01) }, false},
}

// TestContinue asserts that an optimizer goes on where it stopped: with a new step, with a second Run of a loop, and with a new loop.
func TestContinue(t *testing.T) {
	x := tarn.Zeros(tarn.F32, 21, 3)
	for i := range x.F32() {
		x.F32()[i] = float32(i%3) + 0.5 // all rows are the same, in any order
	}
	set, err := setOf(x)
	if err != nil {
		t.Fatal(err)
	}
	newLoop := func(m *rooted, o optim.Optimizer, epochs int) *Loop {
		l := NewLoop(m.build, m, o, set)
		l.Epochs, l.Batch = epochs, 1
		return l
	}
	for _, c := range continuedOptimizers {
		t.Run(c.name, func(t *testing.T) {
			finish := func(l *Loop) {
				for _, err := range l.Run(context.Background()) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			m, o := newRooted(), c.make()
			finish(newLoop(m, o, 2))
			want := bits(t, m, o)
			m, o = newRooted(), c.make()
			l := newLoop(m, o, 1)
			finish(l)
			finish(l)
			if string(bits(t, m, o)) != string(want) {
				t.Error("a second Run is not a continuation")
			}
			m, o = newRooted(), c.make()
			finish(newLoop(m, o, 1))
			l = newLoop(m, o, 1)
			finish(l)
			if string(bits(t, m, o)) != string(want) {
				t.Error("a new loop is not a continuation")
			}
			if r := l.History()[0]; r.Step != 42 {
				t.Errorf("the record is of run %d, not 42", r.Step)
			}
			m, o = newRooted(), c.make()
			l = newLoop(m, o, 2)
			finish(l)
			if err := l.step.Prepare(2); err != nil { // which puts back what averages have replaced
				t.Fatal(err)
			}
			want = bits(t, m, o)
			m, o = newRooted(), c.make()
			for range 6 {
				step, err := NewStepOf(m.build, m, o)
				if err != nil {
					t.Fatal(err)
				}
				for range 7 {
					row, err := tarn.FromSlice([]float32{0.5, 1.5, 2.5}, 1, 3)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := step.Run(1, row); err != nil {
						t.Fatal(err)
					}
				}
			}
			if string(bits(t, m, o)) != string(want) {
				t.Error("a new step is not a continuation")
			}
		})
	}
}

// TestUnfreeze asserts that a param that is trained only after others moves as it would with an optimizer of its own, the schedule apart, or
// is refused; also in a training that was interrupted and resumed by another process.
func TestUnfreeze(t *testing.T) {
	for _, c := range continuedOptimizers {
		if strings.Contains(c.name, "schedule") || strings.Contains(c.name, "lookahead") {
			continue // which count the updates of all
		}
		t.Run(c.name, func(t *testing.T) {
			set, err := setOf(lengths(1))
			if err != nil {
				t.Fatal(err)
			}
			head := func() (*rooted, optim.Optimizer) {
				m, o := newRooted(), c.make()
				m.Hidden.Weight.Frozen = true
				l := NewLoop(m.build, m, o, set)
				l.Epochs, l.Batch = 3, 4
				for _, err := range l.Run(context.Background()) {
					if err != nil {
						t.Fatal(err)
					}
				}
				m.Hidden.Weight.Frozen = false
				return m, o
			}
			m, o := head()
			start := m.Hidden.Weight.Tensor().Clone()
			step, err := NewStepOf(m.build, m, o)
			if err != nil {
				t.Fatal(err)
			}
			err = step.Prepare(4)
			if !c.joins {
				if err == nil || !strings.Contains(err.Error(), `"hidden.weight" joined after 24 updates`) || !strings.Contains(err.Error(), "make a new optimizer") {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Another model has the same weights, and a new optimizer that trains the hidden layer alone.
			other, own := newRooted(), c.make()
			if err := errors.Join(other.Hidden.Weight.Set(start), other.Out.Weight.Set(m.Out.Weight.Tensor())); err != nil {
				t.Fatal(err)
			}
			other.Out.Weight.Frozen = true
			apart, err := NewStepOf(other.build, other, own)
			if err != nil {
				t.Fatal(err)
			}
			batch, err := tarn.FromSlice(lengths(1).F32()[:12], 4, 3)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // with three micro-batches the first update
				_, err := step.Run(4, batch)
				_, err2 := apart.Run(4, batch)
				if err := errors.Join(err, err2); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(c.name, "micro") {
					continue
				}
				break // after that the heads differ
			}
			if start.Equal(m.Hidden.Weight.Tensor(), 0) {
				t.Error("the weights do not move")
			}
			if d := other.Hidden.Weight.Tensor().Diff(m.Hidden.Weight.Tensor(), 1e-6); d != "" {
				t.Error(d)
			}

			second := func(m *rooted, o optim.Optimizer, folder *Folder, stop int) {
				l := NewLoop(m.build, m, o, set)
				l.Epochs, l.Batch, l.Folder = 3, 4, folder
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				turns := 0
				for _, err := range l.Run(ctx) {
					if turns++; turns == stop {
						cancel()
					}
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
			}
			m, o = head()
			second(m, o, nil, 0)
			want := bits(t, m, o)
			folder, err := CreateFolder(t.TempDir()+"/run", struct{ A int }{})
			if err != nil {
				t.Fatal(err)
			}
			m, o = head()
			second(m, o, folder, 5)
			m, o = newRooted(), c.make()
			second(m, o, folder, 0)
			if string(bits(t, m, o)) != string(want) {
				t.Error("a resumed training has other bits")
			}
			if n := o.(optim.Counter).Runs(); n != 48 {
				t.Errorf("%d runs, want 48", n)
			}
		})
	}
}
