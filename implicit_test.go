package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// fixedPoint is the x with x = tanh(w x)/2 + b, found by a While, whose body has no gradient.
func fixedPoint(in ...*tarn.Value) *tarn.Value {
	w, b := in[0], in[1]
	f := func(x *tarn.Value) *tarn.Value { return w.MatMul(x).Tanh().Scale(0.5).Add(b) }
	found := tarn.While([]*tarn.Value{b, w.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[1].Lt(tarn.Num(200)) },
		func(c []*tarn.Value) []*tarn.Value { return []*tarn.Value{f(c[0]), c[1].AddNum(1)} })
	return tarn.Implicit(found[0], func(x *tarn.Value) *tarn.Value { return x.Sub(f(x)) }, tarn.ImplicitOptions{})
}

// innerMinimum is the x that minimizes sum(x^4)/4 + |x|^2/2 + |a x - b|^2/2, found by Newton's method.
func innerMinimum(in ...*tarn.Value) *tarn.Value {
	a, b := in[0], in[1]
	slope := func(x *tarn.Value) *tarn.Value {
		loss := x.Square().Square().Sum().Scale(0.25).Add(x.Square().Sum().Scale(0.5)).Add(a.MatMul(x).Sub(b).Square().Sum().Scale(0.5))
		return tarn.Grad(loss, x)[0]
	}
	start := b.Scale(0)
	found, _ := tarn.Scan([]*tarn.Value{start}, nil, tarn.ScanOptions{Steps: 12}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
		d := slope(c[0])
		return []*tarn.Value{c[0].Sub(tarn.Jacobian(d, c[0]).Solve(d.Unsqueeze(1)).Squeeze(1))}, nil
	})
	return tarn.Implicit(found[0], slope, tarn.ImplicitOptions{Symmetric: true})
}

var _ = register(
	opCase{op: "func Implicit", form: "fixed point", build: fixedPoint, in: []operand{between(-0.4, 0.4), between(-1, 1)},
		shapes: [][][]int{{{3, 3}, {3}}, {{1, 1}, {1}}}},
	opCase{op: "func Implicit", form: "minimum", build: innerMinimum, in: []operand{between(-1, 1), between(-1, 1)},
		shapes: [][][]int{{{3, 3}, {3}}, {{1, 1}, {1}}}, loose: 10},
)

var _ = refuse(
	unaryRefusal("func Implicit", func(v *tarn.Value) *tarn.Value { return tarn.Implicit(v, nil, tarn.ImplicitOptions{}) }, f32(3), "the residual is nil"),
	unaryRefusal("func Implicit", func(v *tarn.Value) *tarn.Value {
		return tarn.Implicit(v, func(x *tarn.Value) *tarn.Value { return x }, tarn.ImplicitOptions{})
	}, i32(3), "should be f32 or f64"),
	unaryRefusal("func Implicit", func(v *tarn.Value) *tarn.Value {
		return tarn.Implicit(v, func(x *tarn.Value) *tarn.Value { return x.Sum() }, tarn.ImplicitOptions{})
	}, f32(3), "the residual is f32[] and should be f32[3]"),
	unaryRefusal("func Implicit", func(v *tarn.Value) *tarn.Value {
		return tarn.Implicit(v, func(x *tarn.Value) *tarn.Value { return nil }, tarn.ImplicitOptions{})
	}, f32(3), "the residual returned nil"),
	unaryRefusal("func Implicit", func(v *tarn.Value) *tarn.Value {
		return tarn.Implicit(v, func(x *tarn.Value) *tarn.Value { return x }, tarn.ImplicitOptions{Tolerance: -1})
	}, f32(3), "should not be negative"),
)

// TestImplicitInLoops takes the gradient of a fixed point within the body of a scan, and for each of several examples.
func TestImplicitInLoops(t *testing.T) {
	w, b := normalTensor("w", 3, 3), normalTensor("b", 4, 3)
	for i := range w.Size() {
		w.SetFloat(i, w.Floats()[i]/5)
	}
	g := tarn.NewGraph()
	wv, bv := g.Input("w", w.DType(), 3, 3), g.Input("b", b.DType(), 4, 3)
	one := func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{fixedPoint(wv, xs[0])} }
	mapped := tarn.VMap(0, []*tarn.Value{bv}, one)[0]
	_, scanned := tarn.Scan(nil, []*tarn.Value{bv}, tarn.ScanOptions{}, func(_, xs []*tarn.Value) (next, ys []*tarn.Value) { return nil, one(xs) })
	outputs := tarn.Outputs{}
	for name, y := range map[string]*tarn.Value{"VMap": mapped, "Scan": scanned[0]} {
		outputs[name] = y
		for i, d := range tarn.Grad(y.Square().Sum(), wv, bv) {
			outputs[name+[]string{" w", " b"}[i]] = d
		}
	}
	out := compiledResults(t, g, outputs, map[string]*tarn.Tensor{"w": w, "b": b})
	for _, name := range []string{"", " w", " b"} {
		if diff := out["VMap"+name].Diff(out["Scan"+name], 1e-8); diff != "" {
			t.Errorf("VMap and Scan%s: %s", name, diff)
		}
	}
}
