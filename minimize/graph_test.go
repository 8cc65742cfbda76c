package minimize_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/nn"
)

// network is a small one that is to learn a sine.
type network struct{ Hidden, Out *nn.Linear }

func sine(t *testing.T) (residuals *tarn.Value, params []*tarn.Param, inputs minimize.Inputs) {
	t.Helper()
	m := &network{nn.NewLinear(1, 8), nn.NewLinear(8, 1)}
	if err := tarn.Cast(m, tarn.F64); err != nil {
		t.Fatal(err)
	}
	if err := tarn.Init(m, 3); err != nil {
		t.Fatal(err)
	}
	xs, ys := tarn.Zeros(tarn.F64, 40, 1), tarn.Zeros(tarn.F64, 40, 1)
	for i := range 40 {
		xs.SetFloat(i, float64(i)/8-2.5)
		ys.SetFloat(i, math.Sin(xs.Float(i)))
	}
	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, 40, 1), g.Input("y", tarn.F64, 40, 1)
	all, err := tarn.Params(m)
	if err != nil {
		t.Fatal(err)
	}
	return m.Out.Forward(m.Hidden.Forward(x).Tanh()).Sub(y), all.List(), minimize.Inputs{"x": xs, "y": ys}
}

// Derivatives from the graph agree with differences of values from the graph.
func TestGraphDerivatives(t *testing.T) {
	r, params, inputs := sine(t)
	graph, err := minimize.FromResiduals(r, params, inputs)
	if err != nil {
		t.Fatal(err)
	}
	p, x := graph.Problem(), graph.X()
	n, m := len(x), p.Count
	if n != 25 || m != 40 {
		t.Fatalf("%d params and %d residuals", n, m)
	}
	g, jac, hv, gv, v := make([]float64, n), make([]float64, m*n), make([]float64, n), make([]float64, n), make([]float64, n)
	f := p.FuncGrad(g, x)
	p.Jacobian(jac, x)
	for i := range v {
		v[i] = math.Sin(float64(3 * i))
	}
	p.HessVec(hv, x, v)
	p.GaussVec(gv, x, v)
	const h = 1e-5
	above, below := make([]float64, m), make([]float64, m)
	at := func(i int, by float64) []float64 {
		y := append([]float64{}, x...)
		y[i] += by
		return y
	}
	p.Residuals(above, x)
	if want := norm(above) * norm(above) / 2; math.Abs(f-want) > 1e-12 {
		t.Errorf("f is %v, half the squares %v", f, want)
	}
	jv := make([]float64, m)
	for k := range n {
		p.Residuals(above, at(k, h))
		p.Residuals(below, at(k, -h))
		sum := 0.0
		for i := range m {
			d := (above[i] - below[i]) / (2 * h)
			if math.Abs(d-jac[i*n+k]) > 1e-8 {
				t.Fatalf("d r%d / d x%d is %v, by differences %v", i, k, jac[i*n+k], d)
			}
			jv[i] += jac[i*n+k] * v[k]
			sum += (above[i] - below[i]) * (above[i] + below[i]) / 2
		}
		if d := sum / (2 * h); math.Abs(d-g[k]) > 1e-8 {
			t.Errorf("d f / d x%d is %v, by differences %v", k, g[k], d)
		}
	}
	far, near := append([]float64{}, x...), append([]float64{}, x...)
	for i := range v {
		far[i] += h * v[i]
		near[i] -= h * v[i]
	}
	g1, g2 := make([]float64, n), make([]float64, n)
	p.FuncGrad(g1, far)
	p.FuncGrad(g2, near)
	for k := range n {
		if d := (g1[k] - g2[k]) / (2 * h); math.Abs(d-hv[k]) > 1e-7 {
			t.Errorf("element %d of the Hessian product is %v, by differences %v", k, hv[k], d)
		}
		jj := 0.0
		for i := range m {
			jj += jac[i*n+k] * jv[i]
		}
		if math.Abs(jj-gv[k]) > 1e-10 {
			t.Errorf("element %d of J'J v is %v, want %v", k, gv[k], jj)
		}
	}
}

func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		m    minimize.Method
		most float64 // half the sum of squares that it comes to in 200 iterations
	}{
		{&minimize.LBFGS{}, 1e-3}, {&minimize.BFGS{}, 1e-3}, {&minimize.NewtonCG{}, 1e-4}, {&minimize.NewtonCG{GaussNewton: true}, 1e-4}, {&minimize.Newton{}, 1e-4},
		{&minimize.LevenbergMarquardt{}, 1e-6}, {&minimize.ConjugateGradient{}, 1e-2},
	} {
		r, params, inputs := sine(t)
		g, err := minimize.FromResiduals(r, params, inputs)
		if err != nil {
			t.Fatal(err)
		}
		res, err := minimize.Run(ctx, g.Problem(), g.X(), c.m, minimize.Options{Iterations: 200})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%T: %v", c.m, res)
		if !(res.F < c.most) {
			t.Errorf("%T: %v", c.m, res)
		}
		if err := g.Set(res.X); err != nil {
			t.Fatal(err)
		}
		if got := g.X(); got[7] != res.X[7] {
			t.Errorf("the params hold %v, the result %v", got, res.X)
		}
	}
}

// A loss with random numbers in it is one function: every evaluation draws the same.
func TestRandomInTheGraph(t *testing.T) {
	g := tarn.NewGraph()
	p := tarn.NewParam(tarn.F64, nil, 10)
	loss := p.Value(g).Sub(g.Normal(tarn.F64, 0, 1, 10)).Square().Sum()
	graph, err := minimize.FromGraph(loss, []*tarn.Param{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := minimize.Run(ctx, graph.Problem(), graph.X(), &minimize.LBFGS{}, minimize.Options{})
	if err != nil || !res.Converged() || res.F > 1e-10 {
		t.Errorf("%v, %v", res, err)
	}
}

func TestGraphMistakes(t *testing.T) {
	g := tarn.NewGraph()
	p, q := tarn.NewParam(tarn.F64, nil, 2), tarn.NewParam(tarn.F32, nil, 2)
	x := g.Input("x", tarn.F64, 2)
	loss := p.Value(g).Mul(x).Sum()
	for _, c := range []struct {
		want   string
		loss   *tarn.Value
		params []*tarn.Param
		inputs minimize.Inputs
	}{
		{"is nil", nil, nil, nil},
		{"see tarn.Cast", q.Value(g).Sum(), []*tarn.Param{q}, nil},
		{"see tarn.Cast", loss, []*tarn.Param{q}, nil},
		{"param 0 is nil", loss, []*tarn.Param{nil}, nil},
		{"is listed twice", loss, []*tarn.Param{p, p}, nil},
		{"have no elements", loss, nil, nil},
		{`the input "x"`, loss, []*tarn.Param{p}, nil},
	} {
		if _, err := minimize.FromGraph(c.loss, c.params, c.inputs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	graph, err := minimize.FromGraph(loss, []*tarn.Param{p}, minimize.Inputs{"x": tarn.Zeros(tarn.F64, 3)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := minimize.Run(ctx, graph.Problem(), graph.X(), &minimize.LBFGS{}, minimize.Options{}); err == nil || !strings.Contains(err.Error(), `input "x"`) {
		t.Errorf("an input of another shape: %v", err)
	}
	if err := graph.Set([]float64{1}); err == nil {
		t.Error("Set takes a vector of another length")
	}
	if _, err := minimize.FromGraph(p.Value(g).Mul(x), []*tarn.Param{p}, nil); err == nil || !strings.Contains(err.Error(), "scalar") {
		t.Errorf("a loss that is no scalar: %v", err)
	}
}

func ExampleRun() {
	p := minimize.Problem{
		Func: func(x []float64) float64 { return (1-x[0])*(1-x[0]) + 100*(x[1]-x[0]*x[0])*(x[1]-x[0]*x[0]) },
		Grad: func(dst, x []float64) {
			dst[1] = 200 * (x[1] - x[0]*x[0])
			dst[0] = -2*(1-x[0]) - 2*x[0]*dst[1]
		},
	}
	res, err := minimize.Run(ctx, p, []float64{-1.2, 1}, &minimize.LBFGS{}, minimize.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.5f, %v\n", res.X, res.Reason)
	// Output: [1.00000 1.00000], the gradient is within the tolerance
}

func ExampleFromGraph() {
	g := tarn.NewGraph()
	w := tarn.NewParam(tarn.F64, nil, 3)
	loss := w.Value(g).Sub(g.Const(tarn.Vector([]float64{1, 2, 3}))).Square().Sum()
	graph, err := minimize.FromGraph(loss, []*tarn.Param{w}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := minimize.Run(ctx, graph.Problem(), graph.X(), &minimize.NewtonCG{}, minimize.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.4f\n", res.X)
	// Output: [1.0000 2.0000 3.0000]
}
