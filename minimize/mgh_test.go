package minimize_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/internal/mgh"
)

var ctx = context.Background()

// TestMGH runs the methods on the test problems: a problem is solved where the gradient is at most 1e-6 or the published minimum reached.
func TestMGH(t *testing.T) {
	for _, c := range []struct {
		name   string
		m      minimize.Method
		solved int // of 28
	}{
		{"LBFGS", &minimize.LBFGS{}, 28},
		{"LBFGS with 5 pairs", &minimize.LBFGS{Memory: 5}, 27},
		{"BFGS", &minimize.BFGS{}, 28},
		{"LBFGSB", &minimize.LBFGSB{}, 28},
		{"ConjugateGradient", &minimize.ConjugateGradient{}, 27},
		{"ConjugateGradient PR+", &minimize.ConjugateGradient{PolakRibiere: true}, 27},
		{"Newton", &minimize.Newton{}, 27},
		{"NewtonCG", &minimize.NewtonCG{}, 28},
	} {
		solved := 0
		for _, p := range mgh.Problems {
			res, err := minimize.Run(ctx, minimize.Problem{Func: p.F.Func, Grad: p.F.Grad}, p.Start, c.m, minimize.Options{Iterations: 3000})
			if err != nil {
				t.Fatal(err)
			}
			g := make([]float64, len(p.Start))
			p.F.Grad(g, res.X)
			if res.Converged() != (largest(g) <= 1e-6) || res.GradNorm != largest(g) || res.F != p.F.Func(res.X) {
				t.Errorf("%s on %s: %v, but the gradient is %v", c.name, p.Name, res, g)
			}
			if res.Converged() || slices.ContainsFunc(p.Minima, func(f float64) bool { return math.Abs(res.F-f) <= 1e-8*max(1e-3, math.Abs(f)) }) {
				solved++
			} else {
				t.Logf("%s on %s: %v", c.name, p.Name, res)
			}
		}
		t.Logf("%s solves %d of %d", c.name, solved, len(mgh.Problems))
		if solved < c.solved {
			t.Errorf("%s solves %d of %d, want %d", c.name, solved, len(mgh.Problems), c.solved)
		}
	}
}

// TestActiveBound bounds one variable of badly scaled functions such that the minimum is at the bound: that is the minimum of the function of
// the other variables, which L-BFGS finds as well.
func TestActiveBound(t *testing.T) {
	i := slices.IndexFunc(mgh.Problems, func(p mgh.Problem) bool { return p.Name == "Watson12" })
	f, n := mgh.Problems[i].F, len(mgh.Problems[i].Start)
	for _, c := range []struct {
		variable int
		at       float64
		upper    bool
	}{{0, 1, false}, {0, -1, true}, {0, 0.1, false}, {1, 0, true}, {1, 0.9, true}, {1, 1.1, false}, {1, 2, false}, {3, -1, true}} {
		lower, upper := slices.Repeat([]float64{math.Inf(-1)}, n), slices.Repeat([]float64{math.Inf(1)}, n)
		if c.upper {
			upper[c.variable] = c.at
		} else {
			lower[c.variable] = c.at
		}
		res, err := minimize.Run(ctx, minimize.Problem{Func: f.Func, Grad: f.Grad}, make([]float64, n), &minimize.LBFGSB{Lower: lower, Upper: upper}, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		others := slices.Delete(slices.Clone(res.Gradient), c.variable, c.variable+1)
		if !res.Converged() || res.Iterations > 1000 || res.X[c.variable] != c.at || largest(others) > 1e-3 || res.Gradient[c.variable] > 0 == c.upper {
			t.Errorf("%+v: %v, at %v with the gradient %v", c, res, res.X, res.Gradient)
		}
	}
}

// TestLineRounding minimizes functions whose last differences rounding hides, of f and of x: the line search goes on by the slopes.
func TestLineRounding(t *testing.T) {
	for _, c := range []struct {
		problem     string
		m           minimize.Method
		evaluations int // at most
	}{
		{"BrownAndDennis", &minimize.ConjugateGradient{}, 130},
		{"BrownAndDennis", &minimize.ConjugateGradient{PolakRibiere: true}, 100},
		{"BrownBadlyScaled", &minimize.ConjugateGradient{}, 150},
		{"BrownBadlyScaled", &minimize.ConjugateGradient{PolakRibiere: true}, 150},
	} {
		p := mgh.Problems[slices.IndexFunc(mgh.Problems, func(p mgh.Problem) bool { return p.Name == c.problem })]
		res, err := minimize.Run(ctx, minimize.Problem{Func: p.F.Func, Grad: p.F.Grad}, p.Start, c.m, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !res.Converged() || res.Evaluations.Func > c.evaluations || math.Abs(res.F-p.Minima[0]) > 1e-8*max(1e-3, p.Minima[0]) {
			t.Errorf("%T%+v on %s: %v", c.m, c.m, c.problem, res)
		}
	}
}

func largest(g []float64) (m float64) {
	for _, v := range g {
		m = max(m, math.Abs(v))
	}
	return m
}

// TestEvaluations compares L-BFGS with others', problem by problem: the median of the ratios of evaluations is below 1.
func TestEvaluations(t *testing.T) {
	data, err := os.ReadFile("testdata/counts.json")
	if err != nil {
		t.Fatal(err)
	}
	var counts struct {
		Problems map[string]struct{ Gonum, SciPy int }
	}
	if err := json.Unmarshal(data, &counts); err != nil {
		t.Fatal(err)
	}
	for _, m := range []minimize.Method{&minimize.LBFGS{}, &minimize.LBFGS{Memory: 10}, &minimize.LBFGSB{}} {
		var gonum, scipy []float64
		for _, p := range mgh.Problems {
			res, err := minimize.Run(ctx, minimize.Problem{Func: p.F.Func, Grad: p.F.Grad}, p.Start, m, minimize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			c, n := counts.Problems[p.Name], float64(res.Evaluations.Func)
			if !res.Converged() || c.Gonum == 0 || c.SciPy == 0 {
				t.Fatalf("%s: %v; others took %v", p.Name, res, c)
			}
			gonum, scipy = append(gonum, n/float64(c.Gonum)), append(scipy, n/float64(c.SciPy))
		}
		t.Logf("%+v: evaluations as a part of gonum's %.3f, of SciPy's %.3f in the median", m, median(gonum), median(scipy))
		if median(gonum) >= 1 || median(scipy) >= 1 {
			t.Errorf("%+v: median of the ratios to gonum's evaluations %v, to SciPy's %v; want less than 1", m, median(gonum), median(scipy))
		}
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}
