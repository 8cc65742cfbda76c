package tarn_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// guarded is a step of gradient descent on a small model, whose loss, gradient or new weights are not finite for some input.
type guarded struct {
	name  string
	dtype tarn.DType
	rate  float64
	w     []float64
	x     []float64 // [4 3]; nil for ones
	loss  func(x, w *tarn.Value) *tarn.Value
	want  []string // of the report
	fine  bool     // nothing is wrong
}

var zeros = make([]float64, 12)

func rowOf(bad float64) []float64 {
	x := slices.Repeat([]float64{1}, 12)
	x[7] = bad
	return x
}

var guardedSteps = []guarded{
	{name: "fine", rate: 0.1, w: []float64{1, 2, 3}, fine: true,
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Mean() }},
	{name: "gradient of a root of zero", rate: 0.1, w: []float64{1, 2, 3}, x: zeros,
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Sum(1).Sqrt().Mean() },
		want: []string{"in the gradient of Sqrt, nonfinite_test.go", "0"}},
	{name: "input", rate: 0.1, w: []float64{1, 2, 3}, x: rowOf(math.NaN()),
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Mean() },
		want: []string{`input "x" is NaN in row 2, column 1`}},
	{name: "infinite input", rate: 0.1, w: []float64{1, 2, 3}, x: rowOf(math.Inf(-1)),
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Tanh().Mean() },
		want: []string{`input "x" is -Inf in row 2, column 1`}},
	{name: "param", rate: 0.1, w: []float64{1, math.NaN(), 3},
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Mean() },
		want: []string{`param "w" was NaN in row 1 before the run`}},
	{name: "logarithm", rate: 0.1, w: []float64{1, -2, 3},
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Log().Mean() },
		want: []string{"NaN comes first from Log, nonfinite_test.go", `near parameter "w": Log(-2) at element [0 1] (and 3 other elements)`}},
	{name: "overflow of the loss", rate: 0.1, w: []float64{1, 200, 3},
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Exp().Mean() },
		want: []string{"+Inf comes first from Exp, nonfinite_test.go", "Exp(200) at element [0 1]"}},
	{name: "new weights", rate: 1e38, w: []float64{1, 2, 300},
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Mean() },
		want: []string{"comes first from Mul", "200"}},
	{name: "new weights in f64", dtype: tarn.F64, rate: 1e307, w: []float64{1, 2, 300},
		loss: func(x, w *tarn.Value) *tarn.Value { return x.Mul(w).Square().Mean() },
		want: []string{"comes first from Mul", "200"}},
	{name: "infinity of a mask", rate: 0.1, w: []float64{1, 2, 3}, fine: true,
		loss: func(x, w *tarn.Value) *tarn.Value {
			return x.Graph().Const(tarn.Vector([]float64{0, math.Inf(-1), 0}).Cast(x.DType())).Add(x.Mul(w)).Exp().Mean()
		}},
	{name: "row of a mask", rate: 0.1, w: []float64{1, 2, 3},
		loss: func(x, w *tarn.Value) *tarn.Value {
			masked := x.Graph().Const(tarn.Vector(slices.Repeat([]float64{math.Inf(-1)}, 3)).Cast(x.DType())).Add(x.Mul(w))
			return masked.Sub(masked.Max(1).Unsqueeze(1)).Exp().Mean()
		},
		want: []string{"NaN comes first from Sub, nonfinite_test.go", "Sub(-Inf, -Inf)"}},
	{name: "scan", rate: 0.1, w: []float64{1, 2, 3},
		loss: func(x, w *tarn.Value) *tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{w}, []*tarn.Value{x}, tarn.ScanOptions{}, func(carry, xs []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{carry[0].Sub(xs[0]).Log().Exp().Mul(tarn.Num(1))}, nil
			})
			return last[0].Mean()
		},
		want: []string{"NaN comes first from Log", "step 1 of Scan, nonfinite_test.go", "Log(-1) at element [0]"}},
	{name: "gradient of a scan", rate: 0.1, w: []float64{4, 4, 4},
		loss: func(x, w *tarn.Value) *tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{w}, []*tarn.Value{x}, tarn.ScanOptions{}, func(carry, xs []*tarn.Value) (next, ys []*tarn.Value) {
				left := carry[0].Sub(xs[0])
				return []*tarn.Value{left}, []*tarn.Value{left}
			})
			return last[0].Sqrt().Mean()
		},
		want: []string{"in the gradient of Sqrt, nonfinite_test.go"}},
	{name: "branch", rate: 0.1, w: []float64{1, -2, 3},
		loss: func(x, w *tarn.Value) *tarn.Value {
			return tarn.Cond(w.Sum().Gt(tarn.Num(0)), []*tarn.Value{x.Mul(w)},
				func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Sqrt().Mean()} },
				func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Mean()} })[0]
		},
		want: []string{"NaN comes first from Sqrt", "in a branch of Cond", "Sqrt(-2)"}},
	{name: "while", rate: 0.1, w: []float64{3, 4, 5},
		loss: func(x, w *tarn.Value) *tarn.Value {
			end := tarn.While([]*tarn.Value{x.Sum(0).StopGradient()}, func(in []*tarn.Value) *tarn.Value { return in[0].Max().Lt(tarn.Num(1e30)) },
				func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].AddNum(-3).Sqrt()} })
			return end[0].StopGradient().Mean().Add(w.Mean())
		},
		want: []string{"NaN comes first from Sqrt", "step 1 of While, nonfinite_test.go", "Sqrt(-2)"}},
}

// TestGuard asserts that a run that is not finite changes nothing, and that its origin is found; the same for TARN_DEBUG=nan and for the
// reference.
func TestGuard(t *testing.T) {
	for _, debug := range []string{"", "nan", "reference", "check"} {
		t.Setenv("TARN_DEBUG", debug)
		for _, c := range guardedSteps {
			t.Run(c.name+" "+debug, func(t *testing.T) { c.run(t, debug) })
		}
	}
}

func (c guarded) run(t *testing.T, debug string) {
	w, state := tarn.NewParam(c.dtypeOr(), nil, 3), tarn.NewState(c.dtypeOr(), nil, 3)
	count, odd := tarn.NewState(tarn.I64, nil), tarn.NewState(tarn.Bool, nil)
	params := &tarn.ParamSet{}
	if err := errors.Join(params.Add("w", w), params.Add("state", state), params.Add("count", count), params.Add("odd", odd), w.Set(tarn.Vector(c.w).Cast(c.dtypeOr()))); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Input("x", c.dtypeOr(), 4, 3)
	loss := c.loss(x, w.Value(g))
	d := tarn.Grad(loss, w)[0]
	updates := []tarn.Update{tarn.Assign(w, w.Value(g).Sub(d.Scale(c.rate))), tarn.Assign(state, state.Value(g).AddNum(1)),
		tarn.Assign(count, count.Value(g).AddNum(1)), tarn.Assign(odd, odd.Value(g).Not())}
	if debug != "nan" {
		updates = append(updates, tarn.Guard(loss))
	}
	p, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	rows := c.x
	if rows == nil {
		rows = slices.Repeat([]float64{1}, 12)
	}
	input, err := tarn.Vector(rows).Cast(c.dtypeOr()).Reshape(4, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(input)
	if c.fine {
		if err != nil || p.Runs() != 1 || state.Tensor().Float(0) != 1 || count.Tensor().Float(0) != 1 || odd.Tensor().Float(0) != 1 {
			t.Errorf("%v, %d runs, states %v, %v, %v", err, p.Runs(), state.Tensor(), count.Tensor(), odd.Tensor())
		}
		return
	}
	var found *tarn.NonFiniteError
	if !errors.As(err, &found) {
		t.Fatalf("the error is %v", err)
	}
	if p.Runs() != 0 || !slices.EqualFunc(w.Tensor().Floats(), c.w, sameNumber) || state.Tensor().Float(0) != 0 || count.Tensor().Float(0) != 0 || odd.Tensor().Float(0) != 0 {
		t.Errorf("%d runs, w %v, states %v, %v, %v", p.Runs(), w.Tensor(), state.Tensor(), count.Tensor(), odd.Tensor())
	}
	origin := found.Origin
	if debug != "nan" {
		if origin, err = p.Origin(input); err != nil {
			t.Fatal(err)
		}
	}
	if origin == nil {
		t.Fatal("no origin")
	}
	for _, want := range c.want {
		if !strings.Contains(origin.String(), want) {
			t.Errorf("%s\nshould have %s", origin, want)
		}
	}
}

func (c guarded) dtypeOr() tarn.DType {
	if c.dtype == tarn.F64 {
		return tarn.F64
	}
	return tarn.F32
}

func sameNumber(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// growths are updates of a param that overflow after some runs, although the loss, the gradients and the rates are healthy all the time.
var growths = []struct {
	name string
	next func(w, x *tarn.Value) *tarn.Value
}{
	{"decay with a rate above 2", func(w, x *tarn.Value) *tarn.Value { return w.Scale(-2).Add(x) }},
	{"slow", func(w, x *tarn.Value) *tarn.Value { return w.Scale(1.25) }},
	{"fast", func(w, x *tarn.Value) *tarn.Value { return w.Scale(-1000).Sub(x) }},
	{"square", func(w, x *tarn.Value) *tarn.Value { return w.Square() }},
	{"product", func(w, x *tarn.Value) *tarn.Value { return w.Mul(w.AddNum(0.5)).Mul(x) }},
	{"from run 300 on", func(w, x *tarn.Value) *tarn.Value {
		late := w.Graph().Runs().Ge(tarn.Num(300))
		return w.Mul(late.Where(w.Num(4), w.Num(-1)))
	}},
	{"a rate that grows", func(w, x *tarn.Value) *tarn.Value {
		return w.Mul(w.Graph().Runs().Cast(w.DType()).Scale(0.01).AddNum(0.5))
	}},
}

// TestGuardOfGrowth asserts that a guard stops params that grow from run to run by themselves before they are infinite.
func TestGuardOfGrowth(t *testing.T) {
	for _, c := range growths {
		for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
			w, count := tarn.NewParam(dtype, nil, 3), tarn.NewState(tarn.I64, nil)
			if err := w.Set(tarn.Vector([]float64{1.5, 2, -3}).Cast(dtype)); err != nil {
				t.Fatal(err)
			}
			g := tarn.NewGraph()
			x := g.Input("x", dtype, 3)
			loss := w.Value(g).Tanh().Mul(x).Sum()
			p, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, tarn.Assign(w, c.next(w.Value(g), x)),
				tarn.Assign(count, count.Value(g).AddNum(1)), tarn.Guard(loss))
			if err != nil {
				t.Fatal(err)
			}
			ones := tarn.Vector([]float64{1, 1, 1}).Cast(dtype)
			for err == nil && p.Runs() < 10000 {
				_, err = p.Run(ones)
			}
			var found *tarn.NonFiniteError
			if !errors.As(err, &found) || count.Tensor().Float(0) != float64(p.Runs()) {
				t.Errorf("%s %v: after %d runs %v, of which %v are counted", c.name, dtype, p.Runs(), err, count.Tensor())
			}
			for _, x := range w.Tensor().Floats() {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Errorf("%s %v: the param is %v", c.name, dtype, w.Tensor())
					break
				}
			}
		}
	}
}
