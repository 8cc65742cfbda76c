package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the scatters that do not add.

func scatter(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].Scatter(axis, in[1], in[2]) }
}

func scatterMax(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].ScatterMax(axis, in[1], in[2]) }
}

func scatterMin(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].ScatterMin(axis, in[1], in[2]) }
}

func scatterMul(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].ScatterMul(axis, in[1], in[2]) }
}

func indexCopy(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].IndexCopy(axis, in[1], in[2]) }
}

// factors is the case of a product, whose operands are not large.
func factors(form string, axis int, index operand, shapes ...[][]int) opCase {
	c := adding("ScatterMul", scatterMul(axis), index, shapes...).as(form).within(10)
	c.in[0], c.in[2] = between(-2, 2), between(-2, 2)
	return c
}

var (
	alongFirst = [][][]int{{{3}, {5}, {5}}, {{3, 2}, {4, 2}, {4, 2}}, {{3}, {0}, {0}}, {{3, 0}, {2, 0}, {2, 0}}}
	alongMid   = [][][]int{{{2, 3, 2}, {2, 4, 2}, {2, 4, 2}}, {{0, 3, 2}, {0, 1, 2}, {0, 1, 2}}}
)

var _ = register(
	adding("Scatter", scatter(0), whole(tarn.I32, 0, 3), alongFirst...).of(allTypes...),
	adding("Scatter", scatter(1), whole(tarn.I64, 0, 3), alongMid...).of(allTypes...).as("middle"),
	adding("ScatterMax", scatterMax(0), whole(tarn.I32, 0, 3), alongFirst...),
	adding("ScatterMax", scatterMax(1), whole(tarn.I64, 0, 3), alongMid...).as("middle"),
	adding("ScatterMin", scatterMin(0), whole(tarn.I64, 0, 3), alongFirst...),
	adding("ScatterMin", scatterMin(-2), whole(tarn.I32, 0, 3), alongMid...).as("middle"),
	factors("", 0, whole(tarn.I32, 0, 3), alongFirst...),
	factors("middle", 1, whole(tarn.I64, 0, 3), alongMid...),
	adding("IndexCopy", indexCopy(0), whole(tarn.I32, 0, 3), [][]int{{3}, {5}, {5}}, [][]int{{3, 2}, {4}, {4, 2}}, [][]int{{3, 2}, {}, {2}}, [][]int{{3}, {0}, {0}}).of(allTypes...),
	adding("IndexCopy", indexCopy(-2), whole(tarn.I64, 0, 3), [][]int{{2, 3, 2}, {2, 2}, {2, 2, 2, 2}}).of(allTypes...).as("middle"),
)

var _ = refuse(
	refused("Scatter", scatter(0), "Scatter: the index [2] and the source [3] should have one shape", f32(4), i32(2), f32(3)),
	refused("Scatter", scatter(0), "may differ at axis 0 only", f32(4, 2), i32(2, 3), f32(2, 3)),
	refused("Scatter", scatter(0), "the operand is f32 and the source f64", f32(4), i32(2), f64(2)),
	refused("Scatter", scatter(0), "the index is f32 and should be i32 or i64", f32(4), f32(2), f32(2)),
	refused("Scatter", scatter(1), "axis 1 is not an axis", f32(4), i32(2), f32(2)),
	refused("Scatter", func(in ...*tarn.Value) *tarn.Value { return in[0].Scatter(0, in[1], nil) }, "Scatter: operand 3 is nil", f32(3), i32(3)),
	refused("ScatterMax", scatterMax(0), "ScatterMax: the operand is bool and should be a number", bool_(4), i32(2), bool_(2)),
	refused("ScatterMin", scatterMin(0), "ScatterMin: the index [2] and the source [3]", f32(4), i32(2), f32(3)),
	refused("ScatterMul", scatterMul(0), "ScatterMul: the operand [4] and the index [2 1] have ranks 1 and 2", f32(4), i32(2, 1), f32(2, 1)),
	refused("IndexCopy", indexCopy(1), "the source is [4 2] and should be [4 3]", f32(4, 2), i32(3), f32(4, 2)),
	refused("IndexCopy", indexCopy(0), "the index is f64", f32(4, 2), f64(3), f32(3, 2)),
	refused("IndexCopy", indexCopy(0), "the operand is f32 and the source f64", f32(4, 2), i32(3), f64(3, 2)),
	refused("IndexCopy", indexCopy(2), "axis 2 is not an axis", f32(4, 2), i32(3), f32(4, 2)),
	refused("IndexCopy", func(in ...*tarn.Value) *tarn.Value { return in[0].IndexCopy(0, nil, in[0]) }, "IndexCopy: operand 2 is nil", f32(3)),
)

// TestScatterAtOnePlace checks what comes of elements that share a place: values, and the gradients of the sum of the values times 1, 2, 4.
func TestScatterAtOnePlace(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	type scatter = func(in ...*tarn.Value) *tarn.Value
	for _, c := range []struct {
		name           string
		op             scatter
		x              []float64
		index          []int64
		src            []float64
		y, dx, dsource []float64
	}{
		{"the last is set", scatter(func(in ...*tarn.Value) *tarn.Value { return in[0].Scatter(0, in[1], in[2]) }),
			[]float64{1, 2, 3}, []int64{1, 2, 1, 1}, []float64{7, 8, nan, 9}, []float64{1, 9, 8}, []float64{1, 0, 0}, []float64{0, 4, 0, 2}},
		{"rows", indexCopy(0), []float64{1, nan, 3}, []int64{1, 2, 1, 1}, []float64{7, 8, inf, 9}, []float64{1, 9, 8}, []float64{1, 0, 0}, []float64{0, 4, 0, 2}},
		{"the largest share", scatterMax(0), []float64{1, 2, 3}, []int64{0, 0, 0, 2}, []float64{5, 4, 5, 3}, []float64{5, 2, 3}, []float64{0, 2, 2}, []float64{0.5, 0, 0.5, 2}},
		{"the smallest share", scatterMin(0), []float64{1, 2, -inf}, []int64{1, 1, 0, 2}, []float64{-5, 4, 1, 3}, []float64{1, -5, -inf}, []float64{0.5, 0, 4}, []float64{2, 0, 0.5, 0}},
		{"products of zeros", scatterMul(0), []float64{3, 0, 2}, []int64{0, 1, 2, 2}, []float64{0, 0, 0, 5}, []float64{0, 0, 0}, []float64{0, 0, 0}, []float64{3, 0, 40, 0}},
	} {
		g := tarn.NewGraph()
		x, index, src := g.Input("x", tarn.F64, len(c.x)), g.Input("index", tarn.I64, len(c.index)), g.Input("src", tarn.F64, len(c.src))
		y := c.op(x, index, src)
		d := tarn.Grad(y.Mul(g.Const(tarn.Vector([]float64{1, 2, 4}))).Sum(), x, src)
		got := compare(t, g, tarn.Outputs{"y": y, "dx": d[0], "dsource": d[1]}, map[string]*tarn.Tensor{"x": tarn.Vector(c.x), "index": tarn.Vector(c.index), "src": tarn.Vector(c.src)})
		for name, want := range map[string][]float64{"y": c.y, "dx": c.dx, "dsource": c.dsource} {
			if diff := got[name].Diff(tarn.Vector(want), 0); diff != "" {
				t.Errorf("%s, %s: %s", c.name, name, diff)
			}
		}
	}
	for name, op := range map[string]scatter{"max": scatterMax(0), "min": scatterMin(0), "mul": scatterMul(0)} {
		g := tarn.NewGraph()
		y := op(g.Const(tarn.Vector([]float64{1, nan, 3})), g.Const(tarn.Vector([]int64{0, 0, 1})), g.Const(tarn.Vector([]float64{nan, 2, 2})))
		if diff := compare(t, g, tarn.Outputs{"y": y}, nil)["y"].Diff(tarn.Vector([]float64{nan, nan, 3}), 0); diff != "" {
			t.Errorf("NaN, %s: %s", name, diff)
		}
	}
}

// TestSecondDerivativeOfScatteredZeros checks the mixed second derivative of a product of which two factors are zero.
func TestSecondDerivativeOfScatteredZeros(t *testing.T) {
	g := tarn.NewGraph()
	x, src := g.Input("x", tarn.F64, 1), g.Input("src", tarn.F64, 3)
	y := x.ScatterMul(0, g.Const(tarn.Vector([]int32{0, 0, 0})), src).Sum()
	h := tarn.Hessian(y, src)
	got := compare(t, g, tarn.Outputs{"h": h}, map[string]*tarn.Tensor{"x": tarn.Vector([]float64{3}), "src": tarn.Vector([]float64{0, 5, 0})})
	want, err := tarn.FromSlice([]float64{0, 0, 15, 0, 0, 0, 15, 0, 0}, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := got["h"].Diff(want, 0); diff != "" {
		t.Error(diff)
	}
}
