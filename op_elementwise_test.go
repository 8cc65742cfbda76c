package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The functions of one number.
var _ = register(
	elementwise("Neg", (*tarn.Value).Neg, between(-4, 4)).of(numbers...),
	elementwise("Abs", (*tarn.Value).Abs, between(-4, 4, 0)).of(numbers...),
	elementwise("Sign", (*tarn.Value).Sign, between(-4, 4, 0)).of(numbers...).withoutDerivative(),
	elementwise("Square", (*tarn.Value).Square, between(-4, 4)).of(numbers...),
	elementwise("Reciprocal", (*tarn.Value).Reciprocal, between(0.5, 4)),
	elementwise("Sqrt", (*tarn.Value).Sqrt, between(0.5, 4)),
	elementwise("Rsqrt", (*tarn.Value).Rsqrt, between(0.5, 4)),
	elementwise("Exp", (*tarn.Value).Exp, between(-3, 2)),
	elementwise("Expm1", (*tarn.Value).Expm1, between(-3, 2)),
	elementwise("Expm1", (*tarn.Value).Expm1, between(-1e-6, 1e-6)).as("near 0"),
	elementwise("Log", (*tarn.Value).Log, between(0.5, 4)),
	elementwise("Log1p", (*tarn.Value).Log1p, between(-0.5, 4)),
	elementwise("Log1p", (*tarn.Value).Log1p, between(-1e-6, 1e-6)).as("near 0"),
	elementwise("Sin", (*tarn.Value).Sin, between(-7, 7)),
	elementwise("Cos", (*tarn.Value).Cos, between(-7, 7)),
	elementwise("Tan", (*tarn.Value).Tan, between(-1, 1)),
	elementwise("Asin", (*tarn.Value).Asin, between(-0.9, 0.9)),
	elementwise("Acos", (*tarn.Value).Acos, between(-0.9, 0.9)),
	elementwise("Atan", (*tarn.Value).Atan, between(-4, 4)),
	elementwise("Sinh", (*tarn.Value).Sinh, between(-3, 3)),
	elementwise("Cosh", (*tarn.Value).Cosh, between(-3, 3)),
	elementwise("Tanh", (*tarn.Value).Tanh, between(-4, 4)),
	elementwise("Sigmoid", (*tarn.Value).Sigmoid, between(-6, 6)),
	elementwise("Softplus", (*tarn.Value).Softplus, between(-6, 6)),
	elementwise("Erf", (*tarn.Value).Erf, between(-3, 3)),
	elementwise("Floor", (*tarn.Value).Floor, between(-4, 4)).withoutDerivative(),
	elementwise("Ceil", (*tarn.Value).Ceil, between(-4, 4)).withoutDerivative(),
	elementwise("Round", (*tarn.Value).Round, between(-4, 4)).withoutDerivative(),
	elementwise("IsFinite", (*tarn.Value).IsFinite, between(-4, 4)).withoutDerivative(),
	elementwise("Not", (*tarn.Value).Not, bools()).withoutDerivative(),
	elementwise("Scale", func(v *tarn.Value) *tarn.Value { return v.Scale(-3) }, between(-4, 4)).of(numbers...),
	elementwise("AddNum", func(v *tarn.Value) *tarn.Value { return v.AddNum(-3) }, between(-4, 4)).of(numbers...),
	elementwise("Num", func(v *tarn.Value) *tarn.Value { return v.Num(3).Mul(v) }, between(-4, 4)).of(numbers...),
	elementwise("Named", func(v *tarn.Value) *tarn.Value { return v.Square().Named("squared") }, between(-4, 4)).of(numbers...),
	elementwise("Cast", func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.F64) }, between(-40, 40)).as("to f64").of(allTypes...),
	elementwise("Cast", func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.F32) }, between(-40, 40)).as("to f32").of(allTypes...).withoutDerivative(),
	elementwise("Cast", func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.I32) }, between(-40, 40)).as("to i32").of(allTypes...).withoutDerivative(),
	elementwise("Cast", func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.I64) }, between(-40, 40)).as("to i64").of(allTypes...).withoutDerivative(),
	elementwise("Cast", func(v *tarn.Value) *tarn.Value { return v.Cast(tarn.Bool) }, between(-2, 2)).as("to bool").of(allTypes...).withoutDerivative(),
)

// The functions of two and three numbers.
var _ = register(
	pairwise("Add", (*tarn.Value).Add, between(-4, 4), between(-4, 4)).of(numbers...),
	pairwise("Sub", (*tarn.Value).Sub, between(-4, 4), between(-4, 4)).of(numbers...),
	pairwise("Mul", (*tarn.Value).Mul, between(-4, 4), between(-4, 4)).of(numbers...),
	pairwise("Div", (*tarn.Value).Div, between(-9, 9), between(0.5, 4)),
	pairwise("Div", (*tarn.Value).Div, between(-90, 90), between(-9, 9, 0)).as("of integers").of(tarn.F64, tarn.I32, tarn.I64).withoutDerivative(),
	pairwise("Pow", (*tarn.Value).Pow, between(0.5, 3), between(-2, 2)).within(4),
	elementwise("Pow", func(v *tarn.Value) *tarn.Value { return v.Pow(tarn.Num(3)) }, between(-3, 3)).as("a cube"),
	pairwise("Minimum", (*tarn.Value).Minimum, between(-4, 4), between(-4, 4)).of(numbers...),
	pairwise("Maximum", (*tarn.Value).Maximum, between(-4, 4), between(-4, 4)).of(numbers...),
	pairwise("Atan2", (*tarn.Value).Atan2, between(0.5, 4), between(-4, 4)),
	pairwise("Eq", (*tarn.Value).Eq, between(0, 2), between(0, 2)).of(allTypes...).withoutDerivative(),
	pairwise("Ne", (*tarn.Value).Ne, between(0, 2), between(0, 2)).of(allTypes...).withoutDerivative(),
	pairwise("Lt", (*tarn.Value).Lt, between(0, 3), between(0, 3)).of(numbers...).withoutDerivative(),
	pairwise("Le", (*tarn.Value).Le, between(0, 3), between(0, 3)).of(numbers...).withoutDerivative(),
	pairwise("Gt", (*tarn.Value).Gt, between(0, 3), between(0, 3)).of(numbers...).withoutDerivative(),
	pairwise("Ge", (*tarn.Value).Ge, between(0, 3), between(0, 3)).of(numbers...).withoutDerivative(),
	pairwise("And", (*tarn.Value).And, bools(), bools()).withoutDerivative(),
	pairwise("Or", (*tarn.Value).Or, bools(), bools()).withoutDerivative(),
	pairwise("Xor", (*tarn.Value).Xor, bools(), bools()).withoutDerivative(),
	opCase{
		op:    "Where",
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Where(in[1], in[2]) },
		in:    []operand{bools(), between(-4, 4), between(-4, 4)},
		shapes: [][][]int{
			{{}, {}, {}}, {{0}, {0}, {0}}, {{5}, {5}, {5}}, {{2, 3}, {3}, {}}, {{}, {2, 3}, {2, 3}}, {{2, 1}, {1, 3}, {3}},
		},
		dtypes: allTypes,
	},
	elementwise("Where", func(v *tarn.Value) *tarn.Value { return v.Gt(tarn.Num(0)).Where(v.Square(), tarn.Num(2)) }, between(-4, 4, 0)).as("a number").of(numbers...),
	elementwise("Clip", func(v *tarn.Value) *tarn.Value { return v.Clip(tarn.Num(-2), tarn.Num(1)) }, between(-4, 4, -2, 1)).as("numbers").of(numbers...),
	opCase{
		op:    "Clip",
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Clip(in[1], in[2]) },
		in:    []operand{between(-4, 4, -2, -1, 1, 2), between(-1.99, -1.01), between(1.01, 1.99)},
		shapes: [][][]int{
			{{}, {}, {}}, {{0}, {}, {}}, {{7}, {7}, {7}}, {{4, 3}, {3}, {}}, {{1, 3}, {2, 1}, {2, 3}},
		},
		dtypes: numbers,
	},
)

var _ = refuse(
	unaryRefusal("Exp", (*tarn.Value).Exp, i32(3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("Neg", (*tarn.Value).Neg, bool_(3), "the operand is bool and should be a number"),
	unaryRefusal("Not", (*tarn.Value).Not, f32(3), "the operand is f32 and should be bool"),
	unaryRefusal("IsFinite", (*tarn.Value).IsFinite, i64(3), "should be f32 or f64"),
	unaryRefusal("Num", func(v *tarn.Value) *tarn.Value { return v.AddNum(0.5) }, i64(3), "the number 0.5 is no i64"),
	binaryRefusal("Add", (*tarn.Value).Add, f32(3), f64(3), "operands are f32 and f64"),
	binaryRefusal("Add", (*tarn.Value).Add, f32(2, 3), f32(2, 4), "differ at axis 1: 3 and 4"),
	binaryRefusal("Add", (*tarn.Value).Add, f32(2, 1), f32(2), "Unsqueeze(1) makes the second [2 1]"),
	binaryRefusal("Add", (*tarn.Value).Add, f32(4, 2, 3), f32(1, 3), "broadcasting takes equal ranks, a scalar, or a suffix"),
	binaryRefusal("Lt", (*tarn.Value).Lt, bool_(3), bool_(3), "the operand is bool and should be a number"),
	refused("Where", func(in ...*tarn.Value) *tarn.Value { return in[0].Where(in[1], in[2]) }, "the condition is f32 and should be bool", f32(3), f32(3), f32(3)),
	refused("Where", func(in ...*tarn.Value) *tarn.Value { return in[0].Where(in[1], in[2]) }, "operands are f32 and f64", bool_(3), f32(3), f64(3)),
	refused("Where", func(in ...*tarn.Value) *tarn.Value { return in[0].Where(nil, in[1]) }, "operand 2 is nil", bool_(3), f32(3)),
	refused("Clip", func(in ...*tarn.Value) *tarn.Value { return in[0].Clip(in[1], in[2]) }, "differ at axis 0: 3 and 2", f32(3), f32(3), f32(2)),
	binaryRefusal("Add", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Add(nil) }, f32(3), f32(3), "operand 2 is nil"),
)

// TestCastOutOfRange checks that casts of what the dtype cannot hold are the same on every machine and in every engine.
func TestCastOutOfRange(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	const (
		least32 = math.MinInt32
		least64 = math.MinInt64
	)
	for _, test := range []struct {
		x, want *tarn.Tensor
	}{
		{tarn.Vector([]float64{nan, inf, -inf, 1e20, -1e20, 1 << 31, 1<<31 - 0.5, -1<<31 - 0.5, -1<<31 - 1, -0.9}),
			tarn.Vector([]int32{least32, least32, least32, least32, least32, least32, 1<<31 - 1, least32, least32, 0})},
		{tarn.Vector([]float64{nan, inf, -inf, 1e20, -1e20, 1 << 63, 1<<63 - 1024, -1 << 63, 1 << 31}),
			tarn.Vector([]int64{least64, least64, least64, least64, least64, least64, 1<<63 - 1024, least64, 1 << 31})},
		{tarn.Vector([]float32{float32(nan), float32(inf), 1 << 31, 1<<31 - 128, -1 << 31}),
			tarn.Vector([]int32{least32, least32, least32, 1<<31 - 128, least32})},
		{tarn.Vector([]float32{float32(nan), float32(-inf), 1 << 63, 1 << 62}), tarn.Vector([]int64{least64, least64, least64, 1 << 62})},
		{tarn.Vector([]float64{nan, inf, 1e300, -1e300, 1e-300}), tarn.Vector([]float32{float32(nan), float32(inf), float32(inf), float32(-inf), 0})},
		{tarn.Vector([]float64{nan, 0, math.Copysign(0, -1), 0.1}), tarn.Vector([]bool{true, false, false, true})},
		{tarn.Vector([]int64{1<<32 + 5, -1<<31 - 1, least64}), tarn.Vector([]int32{5, 1<<31 - 1, 0})},
		// Rounded by way of float64 this would be 2^60.
		{tarn.Vector([]int64{1<<60 + 1<<36 + 1}), tarn.Vector([]float32{1<<60 + 1<<37})},
	} {
		got := evaluate(t, func(in ...*tarn.Value) *tarn.Value { return in[0].Cast(test.want.DType()) }, []*tarn.Tensor{test.x})
		if diff := got.Diff(test.want, 0); diff != "" {
			t.Errorf("%v to %v: %s\n%v", test.x, test.want.DType(), diff, got)
		}
		if diff := test.x.Cast(test.want.DType()).Diff(test.want, 0); diff != "" {
			t.Errorf("Tensor.Cast of %v to %v: %s", test.x, test.want.DType(), diff)
		}
	}
}
