package optim_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests gradients whose squares leave the range of their dtype, and trainings whose first gradient is 0.

// scaled is a problem whose loss is multiplied by a number.
func scaled(p *problem, by float64) *problem {
	loss := p.loss
	p.loss = func(g *tarn.Graph, rows int) *tarn.Value { return loss(g, rows).Scale(by) }
	return p
}

// invariant are optimizers whose steps do not depend on the scale of the gradient, but for their epsilons.
var invariant = func() map[string]func() optim.Optimizer {
	before := func(t optim.Transform) func() optim.Optimizer {
		return func() optim.Optimizer {
			o := optim.NewSGD(0.1)
			o.Before = []optim.Transform{t}
			return o
		}
	}
	chain := func(transforms ...optim.Transform) func() optim.Optimizer {
		return func() optim.Optimizer { return optim.NewChain(0.1, transforms...) }
	}
	return map[string]func() optim.Optimizer{
		"ClipNorm": func() optim.Optimizer {
			o := optim.NewSGD(0.1)
			o.ClipNorm = 1e-3
			return o
		},
		"ClipByNormOf 1":    chain(optim.ClipByNormOf{Order: 1, Limit: 1e-3}),
		"ClipByNormOf Inf":  chain(optim.ClipByNormOf{Order: math.Inf(1), Limit: 1e-3}),
		"NovoGrad":          func() optim.Optimizer { return optim.NewNovoGrad(0.1) },
		"ClipByNorm":        chain(optim.ClipByNorm(1e-3)),
		"ScaleByTrustRatio": chain(optim.NewScaleByTrustRatio()),
		"ClipAdaptive":      before(optim.ClipAdaptive{Limit: 1e-3, Epsilon: 1e-3}),
		"ScaleByMuon":       chain(optim.Only{Match: optim.Matrices, Then: optim.NewScaleByMuon()}, optim.Only{Match: optim.Vectors, Then: optim.ClipByNorm(1e-3)}),
		"LARS":              func() optim.Optimizer { return optim.NewLARS(0.1) },
		"LAMB":              func() optim.Optimizer { o := optim.NewLAMB(0.1); o.Epsilon = 0; return o },
		"Adafactor":         func() optim.Optimizer { o := optim.NewAdafactor(0.1); o.Epsilon1 = 1e-30; return o },
		"Prodigy":           func() optim.Optimizer { o := optim.NewProdigy(1); o.Distance = 1e-3; return o },
		"DAdaptAdam":        func() optim.Optimizer { o := optim.NewDAdaptAdam(1); o.Distance = 1e-3; return o },
		"DAdaptSGD":         func() optim.Optimizer { o := optim.NewDAdaptSGD(1); o.Distance = 1e-3; return o },
	}
}()

// TestHugeGradients compares trainings by losses of usual size with the same ones by losses times numbers up to the largest of the dtype.
func TestHugeGradients(t *testing.T) {
	for name, make := range invariant {
		for dtype, sizes := range map[tarn.DType][]float64{tarn.F32: {1e15, 1e18, 1e20, 1e30, 1e37}, tarn.F64: {1e100, 1e160, 1e250, 1e300}} {
			// Elements beyond the bound of squares count alike, which changes the shape of a step that has elements of several sizes.
			limits := slices.Contains([]string{"LAMB", "Adafactor", "Prodigy", "DAdaptAdam", "NovoGrad"}, name)
			for _, by := range sizes {
				usual, huge := network(dtype), scaled(network(dtype), by)
				one, two := usual.compile(t, make(), usual.rows), huge.compile(t, make(), huge.rows)
				start := usual.values()
				for range 6 {
					run(t, one, usual.batch())
					run(t, two, huge.batch())
				}
				tolerance := map[tarn.DType]float64{tarn.F32: 2e-4, tarn.F64: 1e-7}[dtype]
				got, want := huge.values(), usual.values()
				if slices.ContainsFunc(got, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) || worst(got, start) < worst(want, start)/100 {
					t.Errorf("%s %v times %g: it moved from %v to %v", name, dtype, by, start, got)
				} else if d := worst(got, want); d > tolerance && !limits {
					t.Errorf("%s %v times %g: it differs by %g", name, dtype, by, d)
				}
			}
		}
	}
}

// TestTinyGradients is the same for what divides by the norm alone.
func TestTinyGradients(t *testing.T) {
	for name, by := range map[tarn.DType]float64{tarn.F32: 1e-28, tarn.F64: 1e-250} {
		o := func() optim.Optimizer { return optim.NewChain(0.1, optim.NewScaleByTrustRatio()) }
		usual, tiny := network(name), scaled(network(name), by)
		run(t, usual.compile(t, o(), usual.rows), usual.batch())
		run(t, tiny.compile(t, o(), tiny.rows), tiny.batch())
		if d := worst(tiny.values(), usual.values()); !(d < 1e-5) {
			t.Errorf("%v: it differs by %g", name, d)
		}
	}
}

func TestGlobalNorm(t *testing.T) {
	for _, test := range []struct {
		a32, b32, a64 float64
		want          float64
	}{
		{3, 4, 0, 5}, {3, 4, 12, 13}, {3e20, 4e20, 0, 5e20}, {3e38, 0, 0, 3e38}, {3e-30, 4e-30, 0, 5e-30}, {0, 0, 0, 0},
		{3e20, 4e20, 12e20, 13e20}, {3, 4, 1e200, 1e200}, {0, 0, 1e-200, 1e-200}, {3e-20, 4e-20, 12e-20, 13e-20}, {0, 0, 1e308, 1e308},
		{math.Inf(1), 1, 1, math.Inf(1)}, {math.NaN(), 1, 1, math.NaN()}, {1, 1, math.Inf(-1), math.Inf(1)}, {1e30, 1, math.NaN(), math.NaN()},
	} {
		g := tarn.NewGraph()
		a, b := g.Const(tarn.Vector([]float64{test.a32, test.b32}).Cast(tarn.F32)), g.Const(tarn.Vector([]float64{0, test.a64}))
		p, err := tarn.Compile(g, tarn.Outputs{"both": optim.GlobalNorm([]*tarn.Value{a, b})})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run()
		if err != nil {
			t.Fatal(err)
		}
		got := out["both"].Item()
		if !(math.Abs(got-test.want) <= 1e-6*test.want) && !(math.IsNaN(got) && math.IsNaN(test.want)) && got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

// TestBrokenGradientsShow expects a gradient that is not finite to be seen in the params.
func TestBrokenGradientsShow(t *testing.T) {
	for name, make := range invariant {
		for _, by := range []float64{math.Inf(1), math.NaN()} {
			p := scaled(network(tarn.F32), by)
			run(t, p.compile(t, make(), p.rows), p.batch())
			if !slices.ContainsFunc(p.values(), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
				t.Errorf("%s: a gradient of %v goes to %v", name, by, p.values())
			}
		}
	}
}

// TestZeroGradientFirst begins where the gradient is 0 for some steps, and expects the training to begin with the first that is not.
func TestZeroGradientFirst(t *testing.T) {
	all := maps.Clone(makers)
	maps.Copy(all, invariant)
	for _, name := range []string{"noise", "LAMB", "Adafactor"} { // the first moves by itself, and the epsilons of the others are 0 here
		delete(all, name)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
			p := network(dtype)
			loss := p.loss
			p.loss = func(g *tarn.Graph, rows int) *tarn.Value {
				l := loss(g, rows)
				return l.Mul(g.Runs().Ge(tarn.Num(3)).Cast(l.DType()))
			}
			program := p.compile(t, all[name](), p.rows)
			for range 3 {
				run(t, program, p.batch())
			}
			before := p.values()
			for range 60 {
				run(t, program, p.batch())
			}
			if d := worst(p.values(), before); !(d > 1e-6) || math.IsNaN(d) {
				t.Errorf("%s %v: the params moved by %v from %v", name, dtype, d, before)
			}
		}
	}
}

// TestMomentsReachZero trains until the gradients of all params are 0 and waits for the moments, which may not stop short of 0 at the smallest number of
// their dtype.
func TestMomentsReachZero(t *testing.T) {
	for name, make := range map[string]func() optim.Optimizer{
		"SGD":   func() optim.Optimizer { o := optim.NewSGD(0.1); o.Momentum = 0.9; return o },
		"Adam":  func() optim.Optimizer { o := optim.NewAdam(1e-3); o.Beta2 = 0.9; return o },
		"AdamW": func() optim.Optimizer { o := optim.NewAdamW(1e-3); o.Beta2 = 0.9; return o },
	} {
		for dtype, steps := range map[tarn.DType]int{tarn.F32: 1500, tarn.F64: 8000} {
			p, opt := network(dtype), make()
			loss := p.loss
			p.loss = func(g *tarn.Graph, rows int) *tarn.Value {
				l := loss(g, rows)
				return l.Mul(g.Runs().Lt(tarn.Num(3)).Cast(l.DType()))
			}
			program := p.compile(t, opt, p.rows)
			for range 3 {
				run(t, program, p.batch())
			}
			moved := 0.0
			for _, s := range statesOf(t, opt).All() {
				moved = max(moved, math.Abs(s.Tensor().Float(0)))
			}
			batch := p.batch()
			for range steps {
				run(t, program, batch)
			}
			for state, s := range statesOf(t, opt).All() {
				for i := range s.Tensor().Size() {
					if x := s.Tensor().Float(i); x != 0 {
						t.Errorf("%s %v: %s[%d] is %g after %d steps without a gradient", name, dtype, state, i, x, steps)
						break
					}
				}
			}
			if moved == 0 {
				t.Errorf("%s %v: no moment was ever different from 0", name, dtype)
			}
		}
	}
}
