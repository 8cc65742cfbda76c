package minimize_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/minimize"
)

// rosenbrock is the chained function of Rosenbrock, of any dimension.
func rosenbrock() minimize.Problem {
	return minimize.Problem{
		FuncGrad: func(g, x []float64) (f float64) {
			clear(g)
			for i := range len(x) - 1 {
				a, b := x[i+1]-x[i]*x[i], 1-x[i]
				f += 100*a*a + b*b
				g[i+1] += 200 * a
				g[i] -= 400*x[i]*a + 2*b
			}
			return f
		},
		HessVec: func(dst, x, v []float64) {
			clear(dst)
			for i := range len(x) - 1 {
				dst[i] += (1200*x[i]*x[i]-400*x[i+1]+2)*v[i] - 400*x[i]*v[i+1]
				dst[i+1] += 200*v[i+1] - 400*x[i]*v[i]
			}
		},
	}
}

func chained(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = []float64{-1.2, 1}[i%2]
	}
	return x
}

// methods are all methods for functions with gradients.
var methods = map[string]minimize.Method{
	"GradientDescent": &minimize.GradientDescent{}, "ConjugateGradient": &minimize.ConjugateGradient{}, "BFGS": &minimize.BFGS{},
	"LBFGS": &minimize.LBFGS{}, "LBFGSB": &minimize.LBFGSB{}, "Newton": &minimize.Newton{}, "NewtonCG": &minimize.NewtonCG{},
	"Adam": &minimize.Adam{Rate: 0.1},
}

func TestLargeRosenbrock(t *testing.T) {
	for _, c := range []struct {
		m      minimize.Method
		n, max int // dimensions, most evaluations
	}{
		{&minimize.LBFGS{}, 1000, 8000}, {&minimize.LBFGSB{}, 100, 1000}, {&minimize.NewtonCG{AnyStation: true}, 100, 1000}, {&minimize.Newton{}, 20, 100},
	} {
		res, err := minimize.Run(ctx, rosenbrock(), chained(c.n), c.m, minimize.Options{Gradient: 1e-6})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%T, %d dimensions: %v", c.m, c.n, res)
		if !res.Converged() || res.Evaluations.Func > c.max || res.Evaluations.Grad != res.Evaluations.Func {
			t.Errorf("%T, %d dimensions: %v", c.m, c.n, res)
		}
	}
}

// Every method says why it stopped, and is right.
func TestReasons(t *testing.T) {
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	bowl := minimize.Problem{Func: func(x []float64) float64 { return x[0]*x[0] + 3*x[1]*x[1] + 1 }}
	valley := rosenbrock()
	valley.FuncGrad(make([]float64, 2), []float64{0, 0})
	step := func(x float64) float64 { return math.Floor(x * 1e3) }
	for name, m := range methods {
		for _, c := range []struct {
			what  string
			p     minimize.Problem
			ctx   context.Context
			start []float64
			o     minimize.Options
			want  []minimize.Reason
		}{
			{"a bowl", bowl, ctx, []float64{3, -2}, minimize.Options{}, []minimize.Reason{minimize.GradientSmall}},
			{"a bowl from its bottom", bowl, ctx, []float64{0, 0}, minimize.Options{}, []minimize.Reason{minimize.GradientSmall}},
			{"few iterations", valley, ctx, []float64{-1.2, 1}, minimize.Options{Iterations: 3}, []minimize.Reason{minimize.IterationLimit}},
			{"few evaluations", valley, ctx, []float64{-1.2, 1}, minimize.Options{Evaluations: 5}, []minimize.Reason{minimize.EvaluationLimit}},
			{"a target", bowl, ctx, []float64{3, -2}, minimize.Options{UseTarget: true, Target: 10}, []minimize.Reason{minimize.FuncReached}},
			{"canceled", bowl, canceled, []float64{3, -2}, minimize.Options{}, []minimize.Reason{minimize.Cancelled}},
			{"NaN at the start", minimize.Problem{Func: func(x []float64) float64 { return math.NaN() }}, ctx, []float64{1}, minimize.Options{},
				[]minimize.Reason{minimize.NotFinite}},
			{"NaN in the gradient", minimize.Problem{Func: func(x []float64) float64 { return x[0] }, Grad: func(dst, x []float64) { dst[0] = math.NaN() }},
				ctx, []float64{1}, minimize.Options{}, []minimize.Reason{minimize.NotFinite}},
			{"unbounded", minimize.Problem{Func: func(x []float64) float64 { return -math.Exp(x[0]) }, Grad: func(dst, x []float64) { dst[0] = -math.Exp(x[0]) }},
				ctx, []float64{1}, minimize.Options{Iterations: 20000}, []minimize.Reason{minimize.Unbounded}},
			{"a gradient that lies", minimize.Problem{Func: func(x []float64) float64 { return x[0] * x[0] }, Grad: func(dst, x []float64) { dst[0] = -1 - x[0] }},
				ctx, []float64{1}, minimize.Options{Iterations: 500}, []minimize.Reason{minimize.Stalled, minimize.IterationLimit}},
			{"stairs", minimize.Problem{Func: func(x []float64) float64 { return step(x[0]) * step(x[0]) }, Grad: func(dst, x []float64) { dst[0] = 1 + x[0]*x[0] }},
				ctx, []float64{1}, minimize.Options{Iterations: 500}, []minimize.Reason{minimize.Stalled, minimize.IterationLimit}},
		} {
			res, err := minimize.Run(c.ctx, c.p, c.start, m, c.o)
			if c.ctx == canceled {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s, %s: error %v", name, c.what, err)
				}
			} else if err != nil {
				t.Errorf("%s, %s: %v", name, c.what, err)
				continue
			}
			found := false
			for _, want := range c.want {
				found = found || res.Reason == want
			}
			if name == "Adam" && c.what == "unbounded" {
				found = true // its steps have a length of their own
			}
			if !found {
				t.Errorf("%s, %s: %v, want %v", name, c.what, res, c.want)
			}
			if res.Converged() && !(res.GradNorm <= 1e-6) {
				t.Errorf("%s, %s: success with the gradient %v", name, c.what, res.GradNorm)
			}
		}
	}
}

// A function that is not finite everywhere is backed away from.
func TestNotFinite(t *testing.T) {
	barrier := minimize.Problem{
		Func: func(x []float64) float64 { return x[0] - math.Log(x[0]) + 1e3*x[1]*x[1] - math.Log(1-x[1]) },
		Grad: func(dst, x []float64) { dst[0], dst[1] = 1-1/x[0], 2e3*x[1]+1/(1-x[1]) },
	}
	for name, m := range methods {
		if name == "GradientDescent" {
			continue // takes thousands of steps here
		}
		res, err := minimize.Run(ctx, barrier, []float64{30, 0.9}, m, minimize.Options{Iterations: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if !(res.GradNorm <= 1e-4) || math.Abs(res.X[0]-1) > 1e-3 {
			t.Errorf("%s: %v at %v", name, res, res.X)
		}
	}
	steep := minimize.Problem{
		Func: func(x []float64) float64 { return x[0] - 1e-3*math.Log(x[0]) },
		Grad: func(dst, x []float64) { dst[0] = 1 - 1e-3/x[0] },
	}
	res, err := minimize.Run(ctx, steep, []float64{0.5}, &minimize.LBFGS{}, minimize.Options{})
	if err != nil || !res.Converged() || res.Evaluations.NotFinite == 0 {
		t.Errorf("%v, %v: want evaluations that were not finite, and success", res, err)
	}
}

// All methods leave x0 alone and return the same result again.
func TestRepeats(t *testing.T) {
	for name, m := range methods {
		x := []float64{-1.2, 1, 0.5}
		a, err := minimize.Run(ctx, rosenbrock(), x, m, minimize.Options{Iterations: 50})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := minimize.Run(ctx, rosenbrock(), x, m, minimize.Options{Iterations: 50})
		if x[0] != -1.2 || x[2] != 0.5 || a.F != b.F || a.Evaluations != b.Evaluations {
			t.Errorf("%s: %v and %v, start %v", name, a, b, x)
		}
	}
}

func TestSteps(t *testing.T) {
	for name, m := range methods {
		var fs []float64
		var last minimize.Iterate
		for s, err := range minimize.Iterates(ctx, rosenbrock(), []float64{-1.2, 1}, m, minimize.Options{Iterations: 200}) {
			if err != nil {
				t.Fatal(err)
			}
			if last = s; s.Reason == minimize.Running {
				if s.Iteration != len(fs) {
					t.Errorf("%s: iteration %d after %d", name, s.Iteration, len(fs))
				}
				fs = append(fs, s.F)
			}
		}
		res, err := minimize.Run(ctx, rosenbrock(), []float64{-1.2, 1}, m, minimize.Options{Iterations: 200})
		if err != nil {
			t.Fatal(err)
		}
		if last.Reason != res.Reason || last.F != res.F || len(fs) != res.Iterations+1 || last.Evaluations != res.Evaluations {
			t.Errorf("%s: the last step is %+v, the result %v", name, last, res)
		}
		for i := range fs[1:] {
			if name != "Adam" && fs[i+1] > fs[i]*(1+1e-11) {
				t.Errorf("%s: f rises from %v to %v", name, fs[i], fs[i+1])
			}
		}
		n := 0
		for range minimize.Iterates(ctx, rosenbrock(), []float64{-1.2, 1}, m, minimize.Options{}) {
			if n++; n == 3 {
				break
			}
		}
	}
}

// NewtonCG and Newton leave saddles, even from a point whose gradient shows no way out.
func TestSaddles(t *testing.T) {
	saddle := minimize.Problem{
		Func: func(x []float64) float64 { return x[0]*x[0] - x[1]*x[1] + math.Pow(x[1], 4)/4 },
		Grad: func(dst, x []float64) { dst[0], dst[1] = 2*x[0], -2*x[1]+math.Pow(x[1], 3) },
	}
	for _, m := range []minimize.Method{&minimize.Newton{}, &minimize.NewtonCG{}} {
		for _, start := range [][]float64{{0, 0}, {1, 0}, {-3, 0}, {0.5, 1e-9}} {
			res, err := minimize.Run(ctx, saddle, start, m, minimize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !res.Converged() || math.Abs(math.Abs(res.X[1])-math.Sqrt2) > 1e-5 || math.Abs(res.F+1) > 1e-9 || math.Abs(res.Curvature-2) > 1e-3 {
				t.Errorf("%T from %v: %v at %v, curvature %v", m, start, res, res.X, res.Curvature)
			}
		}
	}
	res, err := minimize.Run(ctx, saddle, []float64{1, 0}, &minimize.NewtonCG{AnyStation: true}, minimize.Options{})
	if err != nil || res.X[1] != 0 || !res.Converged() {
		t.Errorf("with AnyStation: %v, %v", res, err)
	}
}

// The trust-region step is exact: no point of the ball is lower, in the hard case neither.
func TestNewtonStep(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for trial := range 300 {
		n := 1 + trial%4
		h, g := make([]float64, n*n), make([]float64, n)
		for i := range n {
			g[i] = random.NormFloat64() * float64(trial%3) // zero every third time
			for j := range i + 1 {
				v := random.NormFloat64()
				h[i*n+j], h[j*n+i] = v, v
			}
			if trial%5 == 0 { // g has no part along some eigenvectors
				for j := range n {
					if j != i {
						h[i*n+j], h[j*n+i] = 0, 0
					}
				}
				g[i] *= float64(i % 2)
			}
		}
		radius := math.Exp(random.NormFloat64())
		model := func(d []float64) (f float64) {
			for i := range n {
				f += g[i] * d[i]
				for j := range n {
					f += d[i] * h[i*n+j] * d[j] / 2
				}
			}
			return f
		}
		d, value := minimize.BallStep(g, h, radius)
		if norm(d) > radius*(1+1e-9) || math.Abs(value-model(d)) > 1e-8*(1+math.Abs(value)) {
			t.Fatalf("|d| is %v within %v, the value %v and the model %v", norm(d), radius, value, model(d))
		}
		for range 300 {
			e := make([]float64, n)
			for i := range e {
				e[i] = random.NormFloat64()
			}
			scale := radius * math.Pow(random.Float64(), 0.2) / norm(e)
			for i := range e {
				e[i] *= scale
			}
			if model(e) < value-1e-7*(1+math.Abs(value)) {
				t.Fatalf("trial %d, n %d: %v is lower than the step %v: %v and %v", trial, n, e, d, model(e), value)
			}
		}
	}
}

// TestNewtonWhereItIsNearlyFlat minimizes a quadratic function that two of its variables are next to nothing in.
func TestNewtonWhereItIsNearlyFlat(t *testing.T) {
	h := []float64{
		2e-200, 1e-200, 0, 0,
		1e-200, 2e-200, 0, 0,
		0, 0, 6, 1,
		0, 0, 1, 4,
	}
	p := minimize.Problem{
		FuncGrad: func(g, x []float64) (f float64) {
			for i := range 4 {
				g[i] = 0
				for j := range 4 {
					g[i] += h[i*4+j] * x[j]
				}
				f += g[i] * x[i] / 2
			}
			return f
		},
		Hess: func(dst, x []float64) { copy(dst, h) },
	}
	res, err := minimize.Run(ctx, p, []float64{3, 1, -1, 2}, &minimize.Newton{}, minimize.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Converged() || math.Abs(res.X[2])+math.Abs(res.X[3]) > 1e-9 {
		t.Errorf("%v at %v after %d steps", res.Reason, res.X, res.Iterations)
	}
}

func TestBounds(t *testing.T) {
	inf := math.Inf(1)
	random := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		lower, upper, start, want []float64
	}{
		{nil, nil, []float64{-1.2, 1}, []float64{1, 1}},
		{[]float64{-2, -2}, []float64{0.5, 2}, []float64{-1.2, 1}, []float64{0.5, 0.25}},
		{[]float64{1.5, -inf}, nil, []float64{-1.2, 1}, []float64{1.5, 2.25}},
		{[]float64{-2, 1.5}, []float64{2, 3}, []float64{0, 2}, []float64{1.2247385, 1.5}},
		{[]float64{2, 2}, []float64{2, 2}, []float64{0, 0}, []float64{2, 2}},
		{nil, []float64{inf, 0.5}, []float64{-1.2, -1}, []float64{0.7083, 0.5}},
	} {
		res, err := minimize.Run(ctx, rosenbrock(), c.start, &minimize.LBFGSB{Lower: c.lower, Upper: c.upper}, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !res.Converged() || math.Abs(res.X[0]-c.want[0]) > 2e-3 || math.Abs(res.X[1]-c.want[1]) > 2e-3 {
			t.Errorf("%v to %v: %v at %v, want %v", c.lower, c.upper, res, res.X, c.want)
		}
	}
	// Convex quadratics in a box: the result satisfies the conditions of Karush, Kuhn and Tucker, and all points are within.
	for range 30 {
		n := 1 + random.IntN(30)
		a, b := make([]float64, n*n), make([]float64, n)
		lower, upper, start := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range a {
			a[i] = random.NormFloat64()
		}
		for i := range n {
			b[i], start[i] = 3*random.NormFloat64(), random.NormFloat64()
			lower[i] = random.NormFloat64() - 1
			upper[i] = lower[i] + 2*random.Float64()
		}
		p := minimize.Problem{Count: 2 * n, Residuals: func(dst, x []float64) { // |a x - b|^2 + 0.01 |x|^2
			for i := range n {
				dst[i] = -b[i]
				for j := range n {
					dst[i] += a[i*n+j] * x[j]
				}
				dst[n+i] = 0.1 * x[i]
			}
			for i, v := range x {
				if v < lower[i] || v > upper[i] {
					t.Fatalf("%v is evaluated, out of [%v, %v]", v, lower[i], upper[i])
				}
			}
		}, Jacobian: func(dst, x []float64) {
			clear(dst)
			copy(dst, a)
			for i := range n {
				dst[(n+i)*n+i] = 0.1
			}
		}}
		res, err := minimize.Run(ctx, p, start, &minimize.LBFGSB{Lower: lower, Upper: upper}, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !res.Converged() {
			t.Errorf("n %d: %v", n, res)
		}
		for i, g := range res.Gradient {
			atLower, atUpper := res.X[i] == lower[i], res.X[i] == upper[i]
			if !(math.Abs(g) < 1e-5 || atLower && g > 0 || atUpper && g < 0 || res.X[i]-lower[i] < 1e-6 && g > 0 || upper[i]-res.X[i] < 1e-6 && g < 0) {
				t.Errorf("n %d: x[%d] = %v in [%v, %v] with the gradient %v", n, i, res.X[i], lower[i], upper[i], g)
			}
		}
	}
}

// GaussNewton and LevenbergMarquardt on problems of More, Garbow and Hillstrom that are sums of squares.
func TestSquares(t *testing.T) {
	freudenstein := minimize.Problem{Count: 2, Residuals: func(dst, x []float64) {
		dst[0] = -13 + x[0] + ((5-x[1])*x[1]-2)*x[1]
		dst[1] = -29 + x[0] + ((x[1]+1)*x[1]-14)*x[1]
	}}
	helical := minimize.Problem{Count: 3, Residuals: func(dst, x []float64) {
		turn := math.Atan(x[1]/x[0]) / (2 * math.Pi)
		if x[0] < 0 {
			turn += 0.5
		}
		dst[0] = 10 * (x[2] - 10*turn)
		dst[1] = 10 * (math.Hypot(x[0], x[1]) - 1)
		dst[2] = x[2]
	}}
	singular := minimize.Problem{Count: 4, Residuals: func(dst, x []float64) {
		dst[0], dst[1] = x[0]+10*x[1], math.Sqrt(5)*(x[2]-x[3])
		dst[2], dst[3] = (x[1]-2*x[2])*(x[1]-2*x[2]), math.Sqrt(10)*(x[0]-x[3])*(x[0]-x[3])
	}}
	flat := minimize.Problem{Count: 2, Residuals: func(dst, x []float64) { dst[0], dst[1] = x[0]+x[1]-2, 2*(x[0]+x[1]-2) }} // rank 1
	under := minimize.Problem{Count: 1, Residuals: func(dst, x []float64) { dst[0] = x[0]*x[1] - 6 }}                       // fewer residuals than unknowns
	lbfgs := &minimize.LBFGS{}                                                                                              // comes to another minimum than methods that know of squares
	for _, c := range []struct {
		what  string
		p     minimize.Problem
		start []float64
		f     float64
	}{
		{"Freudenstein and Roth", freudenstein, []float64{6, 5}, 0},
		{"Freudenstein and Roth, the other minimum", freudenstein, []float64{0.5, -2}, 48.9842536792 / 2},
		{"helical valley", helical, []float64{-1, 0, 0}, 0},
		{"Powell's singular function", singular, []float64{3, -1, 0, 1}, 0},
		{"rank 1", flat, []float64{5, -7}, 0},
		{"one residual", under, []float64{1, 1}, 0},
	} {
		for _, m := range []minimize.Method{&minimize.LevenbergMarquardt{}, &minimize.LevenbergMarquardt{Plain: true, Factor: 100}, &minimize.GaussNewton{},
			&minimize.NewtonCG{GaussNewton: true}, lbfgs} {
			res, err := minimize.Run(ctx, c.p, c.start, m, minimize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			other := m == minimize.Method(lbfgs) && math.Abs(res.F-48.9842536792/2) < 1e-7
			if math.Abs(res.F-c.f) > 1e-7 && !other || !res.Converged() {
				t.Errorf("%T on %s: %v at %v, want %v", m, c.what, res, res.X, c.f)
			}
		}
	}
}

// Adam finds its way through noise that no line search bears.
func TestAdamInNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	noisy := minimize.Problem{FuncGrad: func(g, x []float64) (f float64) {
		for i := range x {
			d := x[i] - float64(i)
			f += d*d + random.NormFloat64()
			g[i] = 2*d + random.NormFloat64()
		}
		return f
	}}
	res, err := minimize.Run(ctx, noisy, []float64{5, 5, 5, 5}, &minimize.Adam{Rate: 0.1}, minimize.Options{Iterations: 3000})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range res.X {
		if math.Abs(x-float64(i)) > 0.15 {
			t.Errorf("x is %v", res.X)
		}
	}
	if res.Reason != minimize.IterationLimit {
		t.Errorf("reason %v", res.Reason)
	}
}

// rastrigin has a minimum at every point of a lattice and the lowest at 0.
func rastrigin(x []float64) float64 {
	f := 0.0
	for _, v := range x {
		f += v*v + 10 - 10*math.Cos(2*math.Pi*v)
	}
	return f
}

func TestManyMinima(t *testing.T) {
	p := minimize.Problem{Func: rastrigin, Grad: func(dst, x []float64) {
		for i, v := range x {
			dst[i] = 2*v + 20*math.Pi*math.Sin(2*math.Pi*v)
		}
	}}
	start := []float64{3.1, -4.2}
	box := []float64{-5.12, -5.12}
	for _, m := range []minimize.Method{
		&minimize.MultiStart{Starts: 300, Lower: box, Upper: []float64{5.12, 5.12}},
		&minimize.MultiStart{Starts: 300, Lower: box, Upper: []float64{5.12, 5.12}, Method: &minimize.LBFGSB{Lower: box}},
		&minimize.BasinHopping{Hops: 200, Step: 1, Temperature: 2},
		&minimize.BasinHopping{Hops: 200, Step: 1, Temperature: 2, Method: &minimize.BFGS{}},
	} {
		res, err := minimize.Run(ctx, p, start, m, minimize.Options{UseTarget: true, Target: 1e-9})
		if err != nil {
			t.Fatal(err)
		}
		if !(res.F < 1e-9) || res.Reason != minimize.FuncReached && res.Reason != minimize.GradientSmall {
			t.Errorf("%T: %v at %v", m, res, res.X)
		}
		n := 0
		last := math.Inf(1)
		for s, err := range minimize.Iterates(ctx, p, start, m, minimize.Options{}) {
			if err != nil || s.F > last {
				t.Fatalf("%T: f rises from %v to %v, %v", m, last, s.F, err)
			}
			last = s.F
			n++
		}
		if n < 200 {
			t.Errorf("%T: %d steps", m, n)
		}
	}
}

func TestMistakes(t *testing.T) {
	f := minimize.Problem{Func: func(x []float64) float64 { return x[0] }}
	nan, long := math.NaN(), make([]float64, 1<<24)
	for _, c := range []struct {
		want string
		p    minimize.Problem
		x    []float64
		m    minimize.Method
		o    minimize.Options
	}{
		{"the start has no elements", f, nil, &minimize.LBFGS{}, minimize.Options{}},
		{"neither Func nor", minimize.Problem{}, []float64{1}, &minimize.LBFGS{}, minimize.Options{}},
		{"Count is 0", minimize.Problem{Residuals: func(dst, x []float64) {}}, []float64{1}, &minimize.LBFGS{}, minimize.Options{}},
		{"element 1 of the start is NaN", f, []float64{1, nan}, &minimize.LBFGS{}, minimize.Options{}},
		{"the method is nil", f, []float64{1}, nil, minimize.Options{}},
		{"the method is nil", f, []float64{1}, (*minimize.Newton)(nil), minimize.Options{}},
		{"is a nil pointer", f, []float64{1}, &minimize.BasinHopping{Method: (*minimize.LBFGS)(nil)}, minimize.Options{}},
		{"BFGS: the matrices are too large", f, long, &minimize.BFGS{}, minimize.Options{}},
		{"use NewtonCG", f, long, &minimize.Newton{}, minimize.Options{}},
		{"use a smaller Memory", f, long, &minimize.LBFGS{Memory: 10000}, minimize.Options{}},
		{"use NewtonCG with GaussNewton", minimize.Problem{Residuals: func(dst, x []float64) {}, Count: 1 << 50}, []float64{1}, &minimize.LevenbergMarquardt{}, minimize.Options{}},
		{"the tolerance is -1", f, []float64{1}, &minimize.LBFGS{}, minimize.Options{Gradient: -1}},
		{"the target NaN", f, []float64{1}, &minimize.LBFGS{}, minimize.Options{Target: nan}},
		{"Memory is -1", f, []float64{1}, &minimize.LBFGS{Memory: -1}, minimize.Options{}},
		{"Lower has 2 elements", f, []float64{1}, &minimize.LBFGSB{Lower: []float64{1, 2}}, minimize.Options{}},
		{"no number is between", f, []float64{1}, &minimize.LBFGSB{Lower: []float64{1}, Upper: []float64{0}}, minimize.Options{}},
		{"no number is between", f, []float64{1}, &minimize.LBFGSB{Lower: []float64{nan}}, minimize.Options{}},
		{"Radius is -1", f, []float64{1}, &minimize.Newton{Radius: -1}, minimize.Options{}},
		{"needs a sum of squares", f, []float64{1}, &minimize.LevenbergMarquardt{}, minimize.Options{}},
		{"needs a sum of squares", f, []float64{1}, &minimize.GaussNewton{}, minimize.Options{}},
		{"needs a sum of squares", f, []float64{1}, &minimize.NewtonCG{GaussNewton: true}, minimize.Options{}},
		{"betas below 1", f, []float64{1}, &minimize.Adam{Beta1: 1}, minimize.Options{}},
		{"say where to look", f, []float64{1}, &minimize.MultiStart{}, minimize.Options{}},
		{"finite ones in order", f, []float64{1}, &minimize.MultiStart{Lower: []float64{0}, Upper: []float64{math.Inf(1)}}, minimize.Options{}},
		{"itself a search", f, []float64{1}, &minimize.BasinHopping{Method: &minimize.BasinHopping{}}, minimize.Options{}},
		{"needs a sum of squares", f, []float64{1}, &minimize.BasinHopping{Method: &minimize.GaussNewton{}}, minimize.Options{}},
		{"Hops is -1", f, []float64{1}, &minimize.BasinHopping{Hops: -1}, minimize.Options{}},
	} {
		_, err := minimize.Run(ctx, c.p, c.x, c.m, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "minimize: ") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := minimize.Run(nil, f, []float64{1}, &minimize.LBFGS{}, minimize.Options{Iterations: 1}); err != nil { //lint:ignore SA1012 as elsewhere, nil is a context that is never canceled
		t.Errorf("without a context: %v", err)
	}
	broken := f
	broken.Err = func() error { return errors.New("no data") }
	res, err := minimize.Run(ctx, broken, []float64{1}, &minimize.LBFGS{}, minimize.Options{})
	if err == nil || !strings.Contains(err.Error(), "no data") || res.Reason != minimize.Failed {
		t.Errorf("%v, %v", res, err)
	}
	for _, c := range []struct {
		want string
		a    []float64
		n    int
		y    []float64
	}{
		{"has 4 elements, not 3", []float64{1, 2, 3}, 2, []float64{1, 2}},
		{"do not fix", []float64{1, 2}, 2, []float64{1}},
		{"not finite", []float64{nan, 2}, 1, []float64{1, 2}},
		{"column 1 is zero", []float64{1, 0, 2, 0}, 2, []float64{1, 2}},
		{"column 1 is a combination", []float64{1, 2, 3, 6, 5, 10}, 2, []float64{1, 2, 3}},
	} {
		if _, err := minimize.LinearLeastSquares(c.a, c.n, c.y); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
