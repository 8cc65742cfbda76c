package minimize_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/internal/mgh"
)

// These tests hold the rules of convergence to functions in all units, to functions without a minimum, and to kinks and poles.

// scaled is a bowl with its minimum at (3u, 2u), in units of s for f and u for x.
func scaled(s, u, constant float64, hessian bool) minimize.Problem {
	p := minimize.Problem{
		Func: func(x []float64) float64 {
			a, b := x[0]/u-3, x[1]/u+x[0]/u-5
			return s * (a*a + b*b*b*b + b*b + constant)
		},
		Grad: func(g, x []float64) {
			a, b := x[0]/u-3, x[1]/u+x[0]/u-5
			g[0] = s * (2*a + 4*b*b*b + 2*b) / u
			g[1] = s * (4*b*b*b + 2*b) / u
		},
	}
	if hessian {
		p.Hess = func(h, x []float64) {
			b := x[1]/u + x[0]/u - 5
			c := s * (12*b*b + 2) / u / u
			h[0], h[1], h[2], h[3] = 2*s/u/u+c, c, c, c
		}
	}
	return p
}

func TestScales(t *testing.T) {
	for name, m := range methods {
		if name == "Adam" {
			continue // its rate is a length in units of x
		}
		for _, from := range []float64{0, 1, -7, 2.9999} {
			for fs := -12; fs <= 12; fs += 4 {
				for xs := -12; xs <= 12; xs += 4 {
					s, u := math.Pow(10, float64(fs)), math.Pow(10, float64(xs))
					problems := map[string]minimize.Problem{
						"gradient": scaled(s, u, 0, false), "Hessian": scaled(s, u, 0, true), "a constant": scaled(s, u, 1, false),
					}
					if from != 0 { // differences at 0 cannot know the unit
						problems["differences"] = minimize.Problem{Func: scaled(s, u, 0, false).Func}
					}
					for what, p := range problems {
						res, err := minimize.Run(ctx, p, []float64{from * u, from * u}, m, minimize.Options{})
						if err != nil {
							t.Fatal(err)
						}
						most := 400
						if what == "differences" {
							most = 8000 // the gradient is rounding before it is small
						}
						right := math.Abs(res.X[0]/u-3) < 1e-3 && math.Abs(res.X[1]/u-2) < 1e-3
						if !right || !res.Converged() || res.Evaluations.Func > most {
							t.Errorf("%s, %s, f in 1e%d, x in 1e%d from %v: %v at %v", name, what, fs, xs, from, res, res.X)
						}
					}
				}
			}
		}
	}
}

// TestUnitsWithinBounds lets a bound be active, and differences be taken next to it.
func TestUnitsWithinBounds(t *testing.T) {
	for fs := -12; fs <= 12; fs += 4 {
		for xs := -12; xs <= 12; xs += 4 {
			s, u := math.Pow(10, float64(fs)), math.Pow(10, float64(xs))
			lower, upper := []float64{-u, 0.5 * u}, []float64{2 * u, 9 * u}
			exact := scaled(s, u, 0, false)
			guarded := func(x []float64) float64 {
				for i, v := range x {
					if v < lower[i] || v > upper[i] {
						t.Fatalf("x in 1e%d: %v is evaluated, which is not within %v and %v", xs, x, lower, upper)
					}
				}
				return exact.Func(x)
			}
			for _, p := range []minimize.Problem{{Func: guarded, Grad: exact.Grad}, {Func: guarded}} {
				for _, m := range []minimize.Method{
					&minimize.LBFGSB{Lower: lower, Upper: upper},
					&minimize.MultiStart{Method: &minimize.LBFGSB{Lower: lower, Upper: upper}, Lower: lower, Upper: upper, Starts: 3},
					&minimize.BasinHopping{Method: &minimize.LBFGSB{Lower: lower, Upper: upper}, Hops: 3, Step: u},
				} {
					for _, start := range [][]float64{{u, u}, {2 * u, 9 * u}, {-u, 0.5 * u}, {-5 * u, 20 * u}} {
						res, err := minimize.Run(ctx, p, start, m, minimize.Options{})
						if err != nil {
							t.Fatal(err)
						}
						if !res.Converged() || math.Abs(res.X[0]/u-2) > 1e-4 || math.Abs(res.X[1]/u-3) > 2e-3 {
							t.Errorf("%T, f in 1e%d, x in 1e%d from %v, gradient %v: %v at %v", m, fs, xs, start, p.Grad != nil, res, res.X)
						}
					}
				}
			}
		}
	}
}

// TestBoundAtZero lets the minimum be at a bound where the variable has no size of its own.
func TestBoundAtZero(t *testing.T) {
	for fs := -12; fs <= 12; fs += 4 {
		s := math.Pow(10, float64(fs))
		p := minimize.Problem{FuncGrad: func(g, x []float64) float64 {
			g[0], g[1] = 2*s*(x[0]+1), 2*s*(x[1]-2+x[0])
			g[0] += g[1]
			return s * ((x[0]+1)*(x[0]+1) + (x[1]-2+x[0])*(x[1]-2+x[0]))
		}}
		for _, start := range [][]float64{{1, 1}, {0, 0}, {-5, 7}, {1e-30, 2.1}} {
			m := &minimize.LBFGSB{Lower: []float64{0, -3}, Upper: []float64{9, 9}}
			res, err := minimize.Run(ctx, p, start, m, minimize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !res.Converged() || res.X[0] > 1e-9 || math.Abs(res.X[1]-2) > 1e-4 || res.Evaluations.Func > 100 {
				t.Errorf("f in 1e%d from %v: %v at %v", fs, start, res, res.X)
			}
		}
	}
}

// TestDifferencesAtBounds takes gradients in boxes with less room than a step.
func TestDifferencesAtBounds(t *testing.T) {
	for _, room := range []float64{0, 1e-300, 1e-16, 1e-9, 1e-6, 1e-3, 1} {
		lower, upper := []float64{1, -room}, []float64{1 + room, 0}
		p := minimize.Problem{Func: func(x []float64) float64 {
			if x[0] < lower[0] || x[0] > upper[0] || x[1] < lower[1] || x[1] > upper[1] {
				t.Fatalf("room %v: %v is evaluated", room, x)
			}
			return math.Exp(x[0]) - x[1]
		}}
		res, err := minimize.Run(ctx, p, []float64{1 + room/3, -room / 3}, &minimize.LBFGSB{Lower: lower, Upper: upper}, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !res.Converged() || math.Abs(res.X[0]-1) > 1e-6 || math.Abs(res.X[1]) > 1e-6 {
			t.Errorf("room %v: %v at %v", room, res, res.X)
		}
	}
}

// TestOneVariable says of functions of one variable what the methods may and may not claim.
func TestOneVariable(t *testing.T) {
	const anywhere = 12345
	for _, c := range []struct {
		name   string
		f, d   func(x float64) float64
		start  float64
		at     float64          // the minimum
		fails  bool             // there is none that a search could claim
		reason *minimize.Reason // if not nil, the only one that is right
	}{
		{"-x", func(x float64) float64 { return -x }, func(float64) float64 { return -1 }, 1, anywhere, true, reason(minimize.Unbounded)},
		{"-1e-12 x", func(x float64) float64 { return -1e-12 * x }, func(float64) float64 { return -1e-12 }, 0, anywhere, true, reason(minimize.Unbounded)},
		{"1e12 x", func(x float64) float64 { return 1e12 * x }, func(float64) float64 { return 1e12 }, 5, anywhere, true, reason(minimize.Unbounded)},
		{"x^3", func(x float64) float64 { return x * x * x }, func(x float64) float64 { return 3 * x * x }, -1, anywhere, true, reason(minimize.Unbounded)},
		{"-x^2", func(x float64) float64 { return -x * x }, func(x float64) float64 { return -2 * x }, 1, anywhere, true, reason(minimize.Unbounded)},
		{"log|x|", func(x float64) float64 { return math.Log(math.Abs(x)) }, func(x float64) float64 { return 1 / x }, 1, anywhere, true, nil},
		{"log|x|, from 0.3", func(x float64) float64 { return math.Log(math.Abs(x)) }, func(x float64) float64 { return 1 / x }, 0.3, anywhere, true, nil},
		{"1e-9 log|x-2|", func(x float64) float64 { return 1e-9 * math.Log(math.Abs(x-2)) }, func(x float64) float64 { return 1e-9 / (x - 2) }, 5.1, anywhere, true, nil},
		{"-1/|x|", func(x float64) float64 { return -1 / math.Abs(x) }, func(x float64) float64 { return 1 / x / math.Abs(x) }, 0.7, anywhere, true, nil},
		{"1e-9 (x-3)^2", func(x float64) float64 { return 1e-9 * (x - 3) * (x - 3) }, func(x float64) float64 { return 2e-9 * (x - 3) }, 0, 3, false, nil},
		{"1e9 (x-3)^2", func(x float64) float64 { return 1e9 * (x - 3) * (x - 3) }, func(x float64) float64 { return 2e9 * (x - 3) }, 0, 3, false, nil},
		{"1e-30 (x-3)^2", func(x float64) float64 { return 1e-30 * (x - 3) * (x - 3) }, func(x float64) float64 { return 2e-30 * (x - 3) }, 0, 3, false, nil},
		{"1 + 1e-9 (x-3)^2", func(x float64) float64 { return 1 + 1e-9*(x-3)*(x-3) }, func(x float64) float64 { return 2e-9 * (x - 3) }, 0, 3, false, nil},
		{"cosh", math.Cosh, math.Sinh, 300, 0, false, nil},
	} {
		for name, m := range methods {
			for _, p := range []minimize.Problem{
				{Func: func(x []float64) float64 { return c.f(x[0]) }, Grad: func(g, x []float64) { g[0] = c.d(x[0]) }},
				{Func: func(x []float64) float64 { return c.f(x[0]) }},
			} {
				if name == "Adam" || p.Grad == nil && c.name == "1 + 1e-9 (x-3)^2" { // whose differences are rounding
					continue
				}
				what := fmt.Sprintf("%s on %s, gradient %v", name, c.name, p.Grad != nil)
				res, err := minimize.Run(ctx, p, []float64{c.start}, m, minimize.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if res.Converged() == c.fails || c.reason != nil && res.Reason != *c.reason {
					t.Errorf("%s: %v at %v", what, res, res.X)
				}
				if !c.fails && !(math.Abs(res.X[0]-c.at) < 1e-4) {
					t.Errorf("%s: the minimum is said to be at %v", what, res.X)
				}
			}
		}
	}
}

func reason(r minimize.Reason) *minimize.Reason { return &r }

// TestStuckAtKinks lets a steep wall precede a kink: a gradient that has become much smaller is not small.
func TestStuckAtKinks(t *testing.T) {
	p := minimize.Problem{
		Func: func(x []float64) float64 { return math.Abs(x[0]-0.7) + math.Exp(30*x[0]-30) },
		Grad: func(g, x []float64) { g[0] = math.Copysign(1, x[0]-0.7) + 30*math.Exp(30*x[0]-30) },
	}
	for name, m := range methods {
		res, err := minimize.Run(ctx, p, []float64{2}, m, minimize.Options{Iterations: 2000})
		if err != nil {
			t.Fatal(err)
		}
		if res.Converged() {
			t.Errorf("%s: %v with the gradient %v", name, res.Reason, res.Gradient)
		}
	}
}

// meyer is Meyer's function, of sixteen residuals.
func meyer() minimize.Problem {
	y := []float64{34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872}
	each := func(x []float64, use func(r, e, q float64)) {
		for i, y := range y {
			q := 50 + 5*float64(i) + x[2]
			e := math.Exp(x[1] / q)
			use(x[0]*e-y, e, q)
		}
	}
	return minimize.Problem{
		FuncGrad: func(g, x []float64) (f float64) {
			clear(g)
			each(x, func(r, e, q float64) {
				f += r * r
				for k, j := range []float64{e, x[0] * e / q, -x[0] * e * x[1] / q / q} {
					g[k] += 2 * r * j
				}
			})
			return f
		},
		Hess: func(h, x []float64) {
			clear(h)
			each(x, func(r, e, q float64) {
				a, b := x[0], x[1]
				j := []float64{e, a * e / q, -a * e * b / q / q}
				second := []float64{
					0, e / q, -e * b / q / q,
					e / q, a * e / q / q, -a * e / q / q * (1 + b/q),
					-e * b / q / q, -a * e / q / q * (1 + b/q), a * e * b / q / q / q * (2 + b/q),
				}
				for i := range 3 {
					for k := range 3 {
						h[i*3+k] += 2*j[i]*j[k] + 2*r*second[i*3+k]
					}
				}
			})
		},
	}
}

// TestBadScaling bounds the iterations on functions whose variables differ by orders of magnitude. The bounds are a little above what the
// methods take, so that a change for the worse shows.
func TestBadScaling(t *testing.T) {
	start := map[string][]float64{}
	powell := minimize.Problem{}
	for _, p := range mgh.Problems {
		if start[p.Name] = p.Start; p.Name == "PowellBadlyScaled" {
			powell.Func, powell.Grad = p.F.Func, p.F.Grad
		}
	}
	powell.Hess = func(h, x []float64) {
		a, b, e0, e1 := 1e4*x[0]*x[1]-1, math.Exp(-x[0])+math.Exp(-x[1])-1.0001, math.Exp(-x[0]), math.Exp(-x[1])
		h[0], h[3] = 2e8*x[1]*x[1]+2*e0*e0+2*b*e0, 2e8*x[0]*x[0]+2*e1*e1+2*b*e1
		h[1] = 2e8*x[0]*x[1] + 2e4*a + 2*e0*e1
		h[2] = h[1]
	}
	for _, c := range []struct {
		name  string
		p     minimize.Problem
		start []float64
		f     float64
		m     minimize.Method
		most  int
	}{
		{"Powell", powell, start["PowellBadlyScaled"], 0, &minimize.Newton{}, 130},
		{"Powell", powell, start["PowellBadlyScaled"], 0, &minimize.LBFGSB{}, 200},
		{"Powell", powell, start["PowellBadlyScaled"], 0, &minimize.LBFGSB{Memory: 5}, 200},
		{"Powell", powell, start["PowellBadlyScaled"], 0, &minimize.LBFGSB{Memory: 50}, 200},
		{"Powell", powell, start["PowellBadlyScaled"], 0, &minimize.LBFGSB{Lower: []float64{-1, -1}, Upper: []float64{20, 20}}, 200},
		{"Meyer", meyer(), []float64{0.02, 4000, 250}, 87.9458551, &minimize.Newton{}, 270},
		{"Meyer", meyer(), []float64{0.02, 4000, 250}, 87.9458551, &minimize.LBFGSB{}, 600},
		{"Meyer", meyer(), []float64{0.02, 4000, 250}, 87.9458551, &minimize.LBFGS{}, 600},
	} {
		res, err := minimize.Run(ctx, c.p, c.start, c.m, minimize.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, %T: %v", c.name, c.m, res)
		if !res.Converged() || math.Abs(res.F-c.f) > 1e-6 || res.Iterations > c.most {
			t.Errorf("%s, %T %+v: %v, want at most %d iterations", c.name, c.m, c.m, res, c.most)
		}
	}
}
