package optim_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares NewtonCG with a plain program that forms the matrices, see testdata/newtoncg.py, and tests what it does at saddles and
// where a step fails.

// newton are the optimizers of testdata/newtoncg.json.
var newton = map[string]func() *optim.NewtonCG{
	"newton": func() *optim.NewtonCG { return optim.NewNewtonCG(1, "") },
	"newton options": func() *optim.NewtonCG {
		o := optim.NewNewtonCG(1, "")
		o.Rate, o.Iterations, o.Warm, o.Damping = optim.Constant(0.6), 3, 0.5, 0.01
		return o
	},
	"newton undamped": func() *optim.NewtonCG {
		o := optim.NewNewtonCG(1, "")
		o.Damping, o.Warm, o.Progress = 1e-9, 0, 0
		return o
	},
	"gauss-newton": func() *optim.NewtonCG { return optim.NewNewtonCG(1, "prediction") },
	"gauss-newton options": func() *optim.NewtonCG {
		o := optim.NewNewtonCG(1, "prediction")
		o.Rate, o.Iterations, o.Progress, o.Warm, o.Damping = optim.Constant(0.8), 12, 0.01, 0.3, 0.001
		return o
	},
}

func TestNewtonCGEqualsReference(t *testing.T) {
	followAll(t, "testdata/newtoncg.json", onAll(newton), map[tarn.DType]float64{tarn.F64: 1e-9}, func(name string, dtype tarn.DType) *problem {
		return problems(dtype)[name]
	})
}

// TestNewtonCGConverges brings each problem to its minimum, in both dtypes, and never takes the loss up.
func TestNewtonCGConverges(t *testing.T) {
	for _, c := range []struct {
		problem, outputs string
		dtype            tarn.DType
		steps            int
		most             float64
	}{
		{"quadratic", "", tarn.F64, 40, 1e-15}, {"rosenbrock", "", tarn.F64, 60, 1e-15}, {"network", "", tarn.F64, 80, 1e-9}, {"network", "prediction", tarn.F64, 60, 1e-9},
		{"quadratic", "", tarn.F32, 40, 1e-10}, {"rosenbrock", "", tarn.F32, 60, 1e-9}, {"network", "prediction", tarn.F32, 60, 1e-6},
	} {
		p := problems(c.dtype)[c.problem]
		program := p.compile(t, optim.NewNewtonCG(1, c.outputs), p.rows)
		loss := math.Inf(1)
		for step := range c.steps {
			next := run(t, program, p.batch())
			if !(next <= loss*(1+1e-6)) {
				t.Errorf("%s, %v: step %d takes the loss from %v to %v", c.problem, c.dtype, step, loss, next)
			}
			loss = next
		}
		if !(loss <= c.most) {
			t.Errorf("%s by %q, %v: the loss after %d steps is %v", c.problem, c.outputs, c.dtype, c.steps, loss)
		}
	}
}

// TestNewtonCGLeavesSaddle begins beside the saddle of x^2 - y^2 + y^4 and comes to one of its minima, at y = 1/sqrt 2 or -1/sqrt 2.
func TestNewtonCGLeavesSaddle(t *testing.T) {
	p := param(tarn.F64, "x", []float64{0.5, 1e-6}, 2)
	o := optim.NewNewtonCG(1, "")
	o.Damping = 1e-3
	g := tarn.NewGraph()
	x, y := p.Value(g).Slice(0, 0, 1), p.Value(g).Slice(0, 1, 2)
	loss := x.Square().Sub(y.Square()).Add(y.Square().Square()).Sum()
	updates, err := o.Update(loss, named(p))
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		run(t, program, nil)
	}
	if a, b := p.Tensor().Float(0), math.Abs(p.Tensor().Float(1)); math.Abs(a) > 1e-6 || math.Abs(b-math.Sqrt(0.5)) > 1e-6 {
		t.Errorf("it ends at %v", p.Tensor())
	}
}

// TestNewtonCGRejects begins where Newton's step leaves the loss's domain: the params stay until the damping has grown enough.
func TestNewtonCGRejects(t *testing.T) {
	p := param(tarn.F64, "x", []float64{2.5}, 1)
	o := optim.NewNewtonCG(1, "")
	o.Damping = 1e-6
	g := tarn.NewGraph()
	x := p.Value(g)
	loss := x.Sub(x.Log()).Sum() // Newton's step from x goes to x (2 - x), which is negative
	updates, err := o.Update(loss, named(p))
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	damping := func() float64 {
		for name, s := range statesOf(t, o).All() {
			if name == "newtoncg.damping" {
				return s.Tensor().Item()
			}
		}
		return math.NaN()
	}
	run(t, program, nil)
	if p.Tensor().Float(0) != 2.5 || math.Abs(damping()-4e-6) > 1e-20 {
		t.Errorf("after a step that fails: %v, damping %v", p.Tensor(), damping())
	}
	for range 40 {
		run(t, program, nil)
	}
	if got := p.Tensor().Float(0); math.Abs(got-1) > 1e-6 {
		t.Errorf("it ends at %v", got)
	}
}
