package tarn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

var _ = register(elementwise("func Substitute", func(v *tarn.Value) *tarn.Value {
	y := v.Sin().Mul(v)
	return tarn.Substitute([]*tarn.Value{y}, []*tarn.Value{v}, []*tarn.Value{v.Square().AddNum(1)})[0]
}, between(-2, 2)))

// TestSubstitute computes a loss with dropout, a checkpointed block and a rule of the user's own, and its gradient, at
// other weights, and compares with a graph that was built at those.
func TestSubstitute(t *testing.T) {
	build := func(g *tarn.Graph, x, w *tarn.Value) (loss, dx, dw *tarn.Value) {
		h := tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return in[0].Mul(in[1]).Tanh() }, x, w)
		h = tarn.WithGradient(h.Square(), []*tarn.Value{h}, func(dy *tarn.Value) []*tarn.Value {
			return []*tarn.Value{dy.Mul(h).Scale(3)}
		})
		keep := g.Bernoulli(tarn.Num(0.5), 4)
		loss = keep.Where(h, tarn.Num(0)).Sum().Add(x.Exp().Sum())
		d := tarn.Grad(loss, x, w)
		return loss, d[0], d[1]
	}
	param := func(values ...float64) *tarn.Param {
		p := tarn.NewParam(tarn.F64, nil, 4)
		copy(p.Tensor().F64(), values)
		return p
	}
	x, w := param(0.1, -0.2, 0.3, 0.4), param(1, 2, 3, 4)
	y, v := param(0.5, 0.6, -0.7, 0.8), param(-1, 0.5, 0.25, 2)

	g := tarn.NewGraph()
	loss, dx, dw := build(g, x.Value(g), w.Value(g))
	constant := g.Num(tarn.F64, 7)
	moved := tarn.Substitute([]*tarn.Value{loss, dx, dw, constant, x.Value(g)}, []*tarn.Param{x, w}, []*tarn.Value{y.Value(g), v.Value(g)})
	if moved[3] != constant || moved[4] != y.Value(g) {
		t.Error("a value that does not depend on the operands was copied, or an operand was not replaced")
	}
	if !strings.HasPrefix(moved[1].Place(), "in the gradient of") || !strings.Contains(moved[1].Place(), "substitute_test.go") {
		t.Errorf("the copy of a gradient is said to be made at %q", moved[1].Place())
	}
	got := results(t, g, tarn.Outputs{"loss": moved[0], "dx": moved[1], "dw": moved[2]})

	g = tarn.NewGraph()
	loss, dx, dw = build(g, y.Value(g), v.Value(g))
	want := results(t, g, tarn.Outputs{"loss": loss, "dx": dx, "dw": dw})
	for name, a := range want {
		for i, x := range a {
			if math.Abs(x-got[name][i]) > 1e-14 {
				t.Errorf("%s: got %v, want %v", name, got[name], a)
				break
			}
		}
	}
}

func results(t *testing.T, g *tarn.Graph, outputs tarn.Outputs) map[string][]float64 {
	t.Helper()
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Run()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float64{}
	for name, tensor := range out {
		all[name] = tensor.Floats()
	}
	return all
}

func TestSubstituteMistakes(t *testing.T) {
	p, q := tarn.NewParam(tarn.F64, nil, 2), tarn.NewParam(tarn.F64, nil, 3)
	other := tarn.NewGraph()
	for _, test := range []struct {
		name string
		from []tarn.Operand
		to   func(g *tarn.Graph) []*tarn.Value
		want string
	}{
		{"count", []tarn.Operand{p}, func(g *tarn.Graph) []*tarn.Value { return nil }, "1 operands and 0 values"},
		{"nil", []tarn.Operand{p}, func(g *tarn.Graph) []*tarn.Value { return []*tarn.Value{nil} }, "operand 1 or the value for it is nil"},
		{"shape", []tarn.Operand{p}, func(g *tarn.Graph) []*tarn.Value { return []*tarn.Value{q.Value(g)} }, "operand 1 is f64[2] and the value for it f64[3]"},
		{"graph", []tarn.Operand{p}, func(g *tarn.Graph) []*tarn.Value { return []*tarn.Value{p.Value(other)} }, "belongs to another graph"},
		{"failed", []tarn.Operand{p}, func(g *tarn.Graph) []*tarn.Value { return []*tarn.Value{p.Value(g).Add(q)} }, "Add"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := tarn.NewGraph()
			out := tarn.Substitute([]*tarn.Value{p.Value(g).Sum()}, test.from, test.to(g))
			if len(out) != 1 || out[0] == nil {
				t.Fatalf("got %v", out)
			}
			if err := g.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if out := tarn.Substitute[*tarn.Value](nil, nil, nil); len(out) != 0 {
		t.Errorf("got %v", out)
	}
}

// TestSubstituteInLoop finds a root by Newton's method: the function and its slope, built outside, are taken at the carry of a loop.
func TestSubstituteInLoop(t *testing.T) {
	g := tarn.NewGraph()
	x, square := g.Input("x", tarn.F64), g.Input("square", tarn.F64)
	f := x.Square().Sub(square)
	slope := tarn.Grad(f, x)[0]
	var inside *tarn.Value
	root := tarn.While([]*tarn.Value{x, f}, func(at []*tarn.Value) *tarn.Value {
		return at[1].Abs().Gt(tarn.Num(1e-12))
	}, func(at []*tarn.Value) []*tarn.Value {
		there := tarn.Substitute([]*tarn.Value{f, slope, square}, []*tarn.Value{x}, at[:1])
		if there[2] != square {
			t.Error("what does not depend on the operand is copied")
		}
		inside = at[0].Sub(there[0].Div(there[1]))
		return append([]*tarn.Value{inside}, tarn.Substitute([]*tarn.Value{f}, []*tarn.Value{x}, []*tarn.Value{inside})...)
	})
	out := run(t, g, tarn.Outputs{"root": root[0]}, map[string]*tarn.Tensor{"x": tarn.Scalar(3.0), "square": tarn.Scalar(2.0)})
	if got := out["root"].Item(); math.Abs(got-math.Sqrt2) > 1e-12 {
		t.Errorf("the root is %v", got)
	}
	tarn.Substitute([]*tarn.Value{f}, []*tarn.Value{x}, []*tarn.Value{inside})
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "belongs to another graph") {
		t.Errorf("a value of a loop that has been built: %v", err)
	}
}

// TestGradientOfSubstitutes: what has been computed once more has the gradients of the same function at the other operands, those of rules of
// its own too, in first and second derivatives and in forward mode.
func TestGradientOfSubstitutes(t *testing.T) {
	at, other := tarn.Vector([]float64{1, 2, 3}), tarn.Vector([]float64{3, 0.5, 1})
	for name, f := range map[string]func(x *tarn.Value) *tarn.Value{
		"Softmax":  func(x *tarn.Value) *tarn.Value { return x.Softmax(0).Square().Sum() },
		"Std":      func(x *tarn.Value) *tarn.Value { return x.Std(1) },
		"Var":      func(x *tarn.Value) *tarn.Value { return x.Var(0).Square() },
		"Softsign": func(x *tarn.Value) *tarn.Value { return x.Softsign().Prod() },
		"a rule of one's own": func(x *tarn.Value) *tarn.Value {
			return tarn.WithGradient(x.Sum(), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{x.Square().Mul(dy)} }).Square()
		},
		"a selection": func(x *tarn.Value) *tarn.Value { return x.Gt(tarn.Num(2)).Where(x.Softmax(0).Log(), tarn.Num(0)).Sum() },
		"in a Scan": func(x *tarn.Value) *tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{x}, nil, tarn.ScanOptions{Steps: 3}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].Softmax(0).Exp()}, nil
			})
			return last[0].Square().Sum()
		},
	} {
		g := tarn.NewGraph()
		x, z := g.Input("x", tarn.F64, 3), g.Input("z", tarn.F64, 3)
		outputs := tarn.Outputs{}
		for kind, y := range map[string]*tarn.Value{"direct": f(z), "copied": tarn.Substitute([]*tarn.Value{f(x)}, []*tarn.Value{x}, []*tarn.Value{z})[0]} {
			outputs[kind+" gradient"] = tarn.Grad(y, z)[0]
			outputs[kind+" hessian"] = tarn.HVP(y, []*tarn.Value{z}, []*tarn.Value{x})[0]
			outputs[kind+" rate"] = tarn.JVP(y, []*tarn.Value{z}, []*tarn.Value{x})
		}
		p, err := tarn.Compile(g, outputs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := p.Run(at, other)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, kind := range []string{"gradient", "hessian", "rate"} {
			if diff := out["copied "+kind].Diff(out["direct "+kind], 1e-13); diff != "" {
				t.Errorf("%s: the %s: %s", name, kind, diff)
			}
		}
	}
}
