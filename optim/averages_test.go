package optim_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests weights for evaluation and the transforms of gradients that draw random numbers.

func TestAverages(t *testing.T) {
	p, opt := quadratic(tarn.F64), optim.NewSGD(0.1)
	ran := false
	if err := opt.WithAverages(func() error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("without averages: %v, called: %v", err, ran)
	}
	if err := opt.TakeAverages(); err == nil || !strings.Contains(err.Error(), "keeps no averaged weights") {
		t.Errorf("TakeAverages gave %v", err)
	}

	// Mean of the weights after the updates 2, 4 and 6, counted from 0, and before that the weights themselves.
	opt.After = []optim.Transform{optim.SWA{Start: 2, Every: 2}}
	program := p.compile(t, opt, 0)
	if got := averagesOf(t, opt, p); !slices.Equal(got, p.values()) {
		t.Errorf("before the first update the averages are %v", got)
	}
	var sum [3]float64
	n := 0.0
	for step := range 7 {
		run(t, program, nil)
		want := p.values()
		if step >= 2 {
			if step%2 == 0 {
				n++
				for i, x := range p.values() {
					sum[i] += x
				}
			}
			want = []float64{sum[0] / n, sum[1] / n, sum[2] / n}
		}
		if got := averagesOf(t, opt, p); worst(got, want) > 1e-14 {
			t.Fatalf("step %d: %v, want %v", step, got, want)
		}
	}
	if got := opt.Averages()["w"].Floats(); !slices.Equal(got, averagesOf(t, opt, p)) {
		t.Errorf("Averages gives %v", got)
	}

	// The params come back also where the evaluation fails or panics.
	before, failure := p.values(), errors.New("no data")
	if err := opt.WithAverages(func() error { return failure }); err != failure {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { recover() }()
		opt.WithAverages(func() error { panic("evaluation") })
	}()
	if !slices.Equal(before, p.values()) {
		t.Errorf("the params are %v, not %v", p.values(), before)
	}
	want := averagesOf(t, opt, p)
	if err := opt.TakeAverages(); err != nil || !slices.Equal(p.values(), want) {
		t.Errorf("TakeAverages: %v, params %v, want %v", err, p.values(), want)
	}
}

// TestAveragesBeginWithTheTraining changes the weights after the program has been built: averages must not see the old ones.
func TestAveragesBeginWithTheTraining(t *testing.T) {
	for _, name := range []string{"sgd ema", "sgd swa", "lookahead", "schedule-free sgd", "prodigy", "dadapt sgd"} {
		early, late := quadratic(tarn.F64), quadratic(tarn.F64)
		one, two := firstOrder[name](), firstOrder[name]()
		program := early.compile(t, one, 0)
		for _, p := range []*problem{early, late} {
			copy(p.params[0].Tensor().F64(), []float64{3, 4, 5})
		}
		other := late.compile(t, two, 0)
		for range 4 {
			run(t, program, nil)
			run(t, other, nil)
		}
		if !slices.Equal(early.values(), late.values()) || !slices.Equal(averagesOf(t, one, early), averagesOf(t, two, late)) {
			t.Errorf("%s: %v and %v", name, early.values(), late.values())
		}
	}
}

func TestGradientNoise(t *testing.T) {
	const n = 20000
	step := gradientTo(t, make([]float64, n), optim.GradientNoise{Eta: 4})
	mean, square := 0.0, 0.0
	for _, x := range step {
		mean += x / n
		square += x * x / n
	}
	if math.Abs(mean) > 0.06 || math.Abs(square-4) > 0.2 {
		t.Errorf("mean %v and mean square %v, want 0 and 4", mean, square)
	}
}

// TestHutchinson expects the mean of many estimates to be the diagonal of the Hessian.
func TestHutchinson(t *testing.T) {
	p := rosenbrock(tarn.F64)
	var estimates []*tarn.Value
	o := optim.NewSophia(0)
	o.Diagonal = func(c *optim.Context) []*tarn.Value {
		estimates = optim.Hutchinson(c)
		return estimates
	}
	g := tarn.NewGraph()
	loss := p.loss(g, 0)
	if _, err := o.Update(loss, named(p.params...)); err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"diagonal": estimates[0]})
	if err != nil {
		t.Fatal(err)
	}
	const n = 4000
	var mean [2]float64
	for range n {
		out, err := program.Run()
		if err != nil {
			t.Fatal(err)
		}
		for i := range mean {
			mean[i] += out["diagonal"].Float(i) / n
		}
	}
	// At (-1.2, 1) it is 2 + 1200 x^2 - 400 y and 200; an estimate is off by 400 x with a random sign.
	if math.Abs(mean[0]-1330) > 40 || math.Abs(mean[1]-200) > 40 {
		t.Errorf("got %v, want 1330 and 200", mean)
	}
}

// TestMuonSteps expects steps whose singular values are near 1, for matrices of both orientations and for a kernel.
func TestMuonSteps(t *testing.T) {
	for _, shape := range [][]int{{3, 5}, {5, 3}, {2, 3, 2}} {
		w := param(tarn.F64, "w", nil, shape...)
		size := w.Tensor().Size()
		g := tarn.NewGraph()
		c, err := tarn.FromSlice(wave(size, 0.3), shape...)
		if err != nil {
			t.Fatal(err)
		}
		o := optim.NewMuon(1)
		o.Match = func(string, *tarn.Param) bool { return true }
		updates, err := o.Update(w.Value(g).Mul(g.Const(c)).Sum(), named(w))
		if err != nil {
			t.Fatal(err)
		}
		program, err := tarn.Compile(g, nil, updates...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := program.Run(); err != nil {
			t.Fatal(err)
		}
		// The singular values are 1 or so, but for those of the gradient that are near 0, which still grow.
		rows, norm := shape[0], 0.0
		for _, x := range w.Tensor().Floats() {
			norm += x * x
		}
		columns := size / rows
		norm /= max(1, float64(rows)/float64(columns))
		if rank := float64(min(rows, columns)); !(norm > 0.25 && norm < 1.5*rank) {
			t.Errorf("%v: the squares of the step's singular values add up to %v", shape, norm)
		}
	}
}

// TestOnly limits the norm of the matrices alone.
func TestOnly(t *testing.T) {
	p, clipped := network(tarn.F64), network(tarn.F64)
	run(t, p.compile(t, optim.NewChain(1), p.rows), p.batch())
	run(t, clipped.compile(t, optim.NewChain(1, optim.Only{Match: optim.Matrices, Then: optim.ClipByNorm(1e-3)}), p.rows), p.batch())
	start := network(tarn.F64)
	norm := 0.0
	for i := range p.params {
		a, b, s := p.params[i].Tensor().Floats(), clipped.params[i].Tensor().Floats(), start.params[i].Tensor().Floats()
		if !optim.Matrices("", p.params[i]) {
			if !slices.Equal(a, b) {
				t.Errorf("%v was changed", p.params[i])
			}
			continue
		}
		for j := range s {
			norm += (b[j] - s[j]) * (b[j] - s[j])
		}
	}
	if math.Abs(math.Sqrt(norm)-1e-3) > 1e-6 {
		t.Errorf("the norm of the matrices' step is %v", math.Sqrt(norm))
	}
	// Frozen params are params too.
	frozen := network(tarn.F64)
	frozen.params[0].Frozen = true
	frozen.compile(t, optim.NewChain(1, optim.Only{Match: optim.Under("w1"), Then: optim.ClipByNorm(1)}), 5)
}
