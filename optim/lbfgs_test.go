package optim_test

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares LBFGS with what torch.optim and Optax do, see testdata/lbfgs.py, and tests the search for the length of a step.

// lbfgs are the optimizers of testdata/lbfgs.json, by the problem, on which their rate depends.
var lbfgs = func() map[string]func(problem string) *optim.LBFGS {
	rates, large := map[string]float64{"quadratic": 0.4, "rosenbrock": 0.05, "network": 0.3}, map[string]float64{"quadratic": 1, "rosenbrock": 0.3, "network": 1}
	of := func(rates map[string]float64, change func(o *optim.LBFGS)) func(problem string) *optim.LBFGS {
		return func(problem string) *optim.LBFGS {
			o := optim.NewLBFGS(rates[problem])
			change(o)
			return o
		}
	}
	return map[string]func(problem string) *optim.LBFGS{
		"lbfgs":                 of(rates, func(o *optim.LBFGS) {}),
		"lbfgs short":           of(rates, func(o *optim.LBFGS) { o.History = 3 }),
		"lbfgs one":             of(rates, func(o *optim.LBFGS) { o.History = 1 }),
		"lbfgs skip":            of(large, func(o *optim.LBFGS) {}),
		"lbfgs euclidean":       of(rates, func(o *optim.LBFGS) { o.Euclidean = true }),
		"lbfgs euclidean short": of(rates, func(o *optim.LBFGS) { o.Euclidean, o.History = true, 4 }),
	}
}()

// searching is LBFGS as it is meant to be used.
func searching() optim.Optimizer {
	o := optim.NewLBFGS(1)
	o.After = []optim.Transform{optim.NewLineSearch()}
	return o
}

func TestLBFGSEqualsReferences(t *testing.T) {
	followAll(t, "testdata/lbfgs.json", lbfgs, map[tarn.DType]float64{tarn.F64: 1e-9}, func(name string, dtype tarn.DType) *problem {
		return problems(dtype)[name]
	})
}

// TestLBFGSConverges brings each problem to its minimum, in both dtypes, with a history that has to be shifted.
func TestLBFGSConverges(t *testing.T) {
	for _, c := range []struct {
		problem string
		dtype   tarn.DType
		steps   int
		most    float64
	}{
		{"quadratic", tarn.F64, 15, 1e-15}, {"rosenbrock", tarn.F64, 60, 1e-15}, {"network", tarn.F64, 150, 1e-8},
		{"quadratic", tarn.F32, 15, 1e-9}, {"rosenbrock", tarn.F32, 60, 1e-9}, {"network", tarn.F32, 150, 1e-4},
	} {
		p := problems(c.dtype)[c.problem]
		o := optim.NewLBFGS(1)
		o.History = 5
		o.After = []optim.Transform{optim.NewLineSearch()}
		program := p.compile(t, o, p.rows)
		loss, last := math.Inf(1), 0.0
		for step := range c.steps {
			last = run(t, program, p.batch())
			if last > loss+1e-6*math.Abs(loss) {
				t.Errorf("%s, %v: step %d takes the loss from %v to %v", c.problem, c.dtype, step, loss, last)
			}
			loss = last
		}
		if !(loss <= c.most) {
			t.Errorf("%s, %v: the loss after %d steps is %v", c.problem, c.dtype, c.steps, loss)
		}
	}
}

// TestLineSearch checks that both conditions hold at the length found, or that it is 0 where none can.
func TestLineSearch(t *testing.T) {
	for _, c := range []struct {
		name string
		loss func(x *tarn.Value) *tarn.Value // of the params, which begin at 1 and go to smaller ones
		rate float64
		want func(t float64) bool
	}{
		{"far too long", func(x *tarn.Value) *tarn.Value { return x.Square().Sum() }, 1e4, nil},
		{"far too short", func(x *tarn.Value) *tarn.Value { return x.Square().Sum() }, 1e-4, nil},
		{"right", func(x *tarn.Value) *tarn.Value { return x.Square().Sum() }, 0.5, func(t float64) bool { return t == 1 }},
		{"beyond where the loss exists", func(x *tarn.Value) *tarn.Value { return x.Sub(x.Log()).Sum().Add(x.Square().Sum()) }, 50, nil},
		{"steep and curved", func(x *tarn.Value) *tarn.Value { return x.Square().Square().Sum().Scale(100) }, 1, nil},
		{"without bound", func(x *tarn.Value) *tarn.Value { return x.Sum() }, 1, func(t float64) bool { return t > 1000 }},
		{"uphill", func(x *tarn.Value) *tarn.Value { return x.Square().Sum() }, 0, func(t float64) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := param(tarn.F64, "x", []float64{1, 1, 1}, 3)
			o := optim.NewSGD(c.rate)
			search := optim.NewLineSearch()
			o.After = []optim.Transform{search}
			g := tarn.NewGraph()
			loss := c.loss(p.Value(g))
			updates, err := o.Update(loss, named(p))
			if err != nil {
				t.Fatal(err)
			}
			program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
			if err != nil {
				t.Fatal(err)
			}
			measure, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "d": tarn.Grad(loss, p)[0]})
			if err != nil {
				t.Fatal(err)
			}
			at := func() (f, d float64) {
				out, err := measure.Run()
				if err != nil {
					t.Fatal(err)
				}
				return out["loss"].Item(), out["d"].Float(0)
			}
			f0, d0 := at()
			run(t, program, nil)
			moved := 1 - p.Tensor().Float(0)
			f1, d1 := at()
			if c.rate == 0 {
				if moved != 0 {
					t.Errorf("moved by %v", moved)
				}
				return
			}
			if c.want != nil && !c.want(moved/(c.rate*d0)) {
				t.Errorf("the length is %v", moved/(c.rate*d0))
			}
			// The params are equal, so that the slope along the step is 3 times one element's.
			if !(f1 <= f0-search.Decrease*3*moved*d0*(1-1e-9)) {
				t.Errorf("from %v to %v, with a slope of %v over %v", f0, f1, d0, moved)
			}
			if c.name != "without bound" && !(d1 <= search.Curvature*d0) {
				t.Errorf("the slope goes from %v to %v only", d0, d1)
			}
		})
	}
}

// TestLineSearchGivesUp takes no step where none lowers the loss, and goes on from there.
func TestLineSearchGivesUp(t *testing.T) {
	p := quadratic(tarn.F64)
	o := optim.NewChain(1, ascend{})
	o.After = []optim.Transform{optim.NewLineSearch()}
	program := p.compile(t, o, 0)
	before := p.values()
	for range 2 {
		run(t, program, nil)
	}
	if !slices.Equal(before, p.values()) {
		t.Errorf("from %v to %v", before, p.values())
	}
}

// ascend goes the wrong way.
type ascend struct{}

func (ascend) Apply(c *optim.Context, u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(_ *optim.Slot, u *tarn.Value) *tarn.Value { return u.Neg() })
}
