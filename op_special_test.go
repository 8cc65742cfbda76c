package tarn_test

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// The cases of the special functions and of the functions of integers.

func polygamma(order int) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { return v.Polygamma(order) }
}

var _ = register(
	elementwise("Asinh", (*tarn.Value).Asinh, between(-4, 4)),
	elementwise("Acosh", (*tarn.Value).Acosh, between(1.1, 5)),
	elementwise("Atanh", (*tarn.Value).Atanh, between(-0.9, 0.9)),
	elementwise("Exp2", (*tarn.Value).Exp2, between(-4, 4)),
	elementwise("Log2", (*tarn.Value).Log2, between(0.3, 5)),
	elementwise("Log10", (*tarn.Value).Log10, between(0.3, 5)),
	elementwise("Logit", (*tarn.Value).Logit, between(0.05, 0.95)),
	elementwise("Erfc", (*tarn.Value).Erfc, between(-3, 3)),
	elementwise("ErfInv", (*tarn.Value).ErfInv, between(-0.9, 0.9)),
	elementwise("Lgamma", (*tarn.Value).Lgamma, between(0.3, 12)),
	elementwise("Lgamma", (*tarn.Value).Lgamma, between(-2.8, -2.2)).as("negative"),
	elementwise("Digamma", (*tarn.Value).Digamma, between(0.3, 12)),
	elementwise("Digamma", (*tarn.Value).Digamma, between(-2.8, -2.2)).as("negative"),
	elementwise("Polygamma", polygamma(0), between(0.5, 12)).as("0"),
	elementwise("Polygamma", polygamma(1), between(0.5, 12)).as("1"),
	elementwise("Polygamma", polygamma(2), between(0.5, 12)).as("2").within(4),
	elementwise("Polygamma", polygamma(3), between(-2.7, -2.3)).as("3 negative").within(40),
	elementwise("IGamma", func(v *tarn.Value) *tarn.Value { return v.Num(2.5).IGamma(v) }, between(0.5, 6)),
	elementwise("IGammaC", func(v *tarn.Value) *tarn.Value { return v.Num(0.7).IGammaC(v) }, between(0.2, 3)),
	pairwise("IGamma", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.StopGradient().IGamma(o) }, between(0.2, 5), between(0.2, 5)).as("pairs").withoutDerivative().within(4),
	pairwise("IGammaC", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.StopGradient().IGammaC(o) }, between(0.2, 5), between(0.2, 5)).as("pairs").withoutDerivative().within(4),
	elementwise("Sinc", (*tarn.Value).Sinc, between(-3, 3, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5)),
	pairwise("Xlogy", (*tarn.Value).Xlogy, between(-4, 4), between(0.3, 5)),
	pairwise("Xlog1py", (*tarn.Value).Xlog1py, between(-4, 4), between(-0.7, 5)),
	elementwise("Entr", (*tarn.Value).Entr, between(0.2, 4)),
	pairwise("Logaddexp", (*tarn.Value).Logaddexp, between(-4, 4), between(-4, 4)),
	pairwise("Logaddexp2", (*tarn.Value).Logaddexp2, between(-4, 4), between(-4, 4)),
	opCase{op: "Hypot", build: func(in ...*tarn.Value) *tarn.Value { return in[0].Hypot(in[1]) },
		in: []operand{between(0.5, 2), between(-4, -2.1)}, shapes: pairShapes()},
	elementwise("IsNaN", (*tarn.Value).IsNaN, between(-4, 4)).withoutDerivative(),
	elementwise("IsInf", (*tarn.Value).IsInf, between(-4, 4)).withoutDerivative(),
	elementwise("NanToNum", func(v *tarn.Value) *tarn.Value { return v.NanToNum(0, 1, -1) }, between(-4, 4)),
	pairwise("Fmax", (*tarn.Value).Fmax, between(-4, 4), between(-4, 4)),
	pairwise("Fmin", (*tarn.Value).Fmin, between(-4, 4), between(-4, 4)),
	pairwise("Heaviside", (*tarn.Value).Heaviside, between(-4, 4, 0), between(-4, 4)).withoutDerivative(),
	elementwise("Ndtr", (*tarn.Value).Ndtr, between(-4, 4)),
	elementwise("Trunc", (*tarn.Value).Trunc, between(-4, 4)).withoutDerivative(),
	elementwise("Frac", (*tarn.Value).Frac, between(-4, 4, -3, -2, -1, 0, 1, 2, 3)),
	pairwise("CopySign", (*tarn.Value).CopySign, between(-4, 4, 0), between(-4, 4, 0)),
	elementwise("Deg2Rad", (*tarn.Value).Deg2Rad, between(-180, 180)),
	elementwise("Rad2Deg", (*tarn.Value).Rad2Deg, between(-3, 3)),
	opCase{op: "Lerp", build: func(in ...*tarn.Value) *tarn.Value { return in[0].Lerp(in[1], in[2]) },
		in: []operand{between(-4, 4), between(-4, 4), between(0, 1)}, shapes: [][][]int{{{}, {}, {}}, {{7}, {7}, {7}}, {{4, 3}, {3}, {}}, {{}, {2, 3}, {3}}, {{0}, {0}, {}}}},

	pairwise("Pow", (*tarn.Value).Pow, between(-5, 6), between(-2, 5)).as("of integers").of(integers...),
	elementwise("Not", (*tarn.Value).Not, between(-90, 90)).as("bits").of(integers...),
	pairwise("And", (*tarn.Value).And, between(-90, 90), between(-90, 90)).as("bits").of(integers...),
	pairwise("Or", (*tarn.Value).Or, between(-90, 90), between(-90, 90)).as("bits").of(integers...),
	pairwise("Xor", (*tarn.Value).Xor, between(-90, 90), between(-90, 90)).as("bits").of(integers...),
	pairwise("ShiftLeft", (*tarn.Value).ShiftLeft, between(-90, 90), between(-2, 20)).of(integers...),
	pairwise("ShiftRight", (*tarn.Value).ShiftRight, between(-90, 90), between(-2, 9)).of(integers...),
)

var _ = refuse(
	unaryRefusal("Asinh", (*tarn.Value).Asinh, i32(3), "Asinh: the operand is i32 and should be f32 or f64"),
	unaryRefusal("Acosh", (*tarn.Value).Acosh, i32(3), "Acosh: the operand is i32"),
	unaryRefusal("Atanh", (*tarn.Value).Atanh, bool_(3), "Atanh: the operand is bool"),
	unaryRefusal("Log10", (*tarn.Value).Log10, i32(3), "Log10: the operand is i32"),
	unaryRefusal("Exp2", (*tarn.Value).Exp2, i32(3), "Exp2: the operand is i32"),
	unaryRefusal("Lgamma", (*tarn.Value).Lgamma, i32(3), "Lgamma: the operand is i32"),
	unaryRefusal("Polygamma", polygamma(2), i32(3), "Polygamma: the operand is i32"),
	unaryRefusal("Polygamma", polygamma(-1), f32(3), "Polygamma: the order -1 should be from 0 to 140"),
	unaryRefusal("Polygamma", polygamma(141), f32(3), "the order 141"),
	unaryRefusal("Sinc", (*tarn.Value).Sinc, i64(3), "Sinc: the operand is i64"),
	binaryRefusal("Xlogy", (*tarn.Value).Xlogy, f32(3), f32(4), "Xlogy: shapes [3] and [4] differ at axis 0"),
	binaryRefusal("Logaddexp", (*tarn.Value).Logaddexp, f32(3), f64(3), "Logaddexp: operands are f32 and f64"),
	binaryRefusal("Hypot", (*tarn.Value).Hypot, i32(3), i32(3), "Hypot: the operand is i32"),
	binaryRefusal("Hypot", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Hypot(nil) }, f32(3), f32(3), "Hypot: operand 2 is nil"),
	binaryRefusal("IGamma", (*tarn.Value).IGamma, f32(2, 3), f32(2), "IGamma: shapes [2 3] and [2]"),
	binaryRefusal("IGamma", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return tarn.Grad(v.IGamma(o).Sum(), v)[0] }, f32(3), f32(3), "there is no gradient with respect to the first operand"),
	unaryRefusal("IsNaN", (*tarn.Value).IsNaN, i32(3), "IsNaN: the operand is i32"),
	unaryRefusal("NanToNum", func(v *tarn.Value) *tarn.Value { return v.NanToNum(0, 0, 0) }, i32(3), "NanToNum: the operand is i32"),
	binaryRefusal("And", (*tarn.Value).And, f32(3), f32(3), "the operand is f32 and should be bool, i32 or i64"),
	binaryRefusal("And", (*tarn.Value).And, i32(3), i64(3), "operands are i32 and i64"),
	binaryRefusal("ShiftLeft", (*tarn.Value).ShiftLeft, f32(3), f32(3), "the operand is f32 and should be i32 or i64"),
	binaryRefusal("ShiftRight", (*tarn.Value).ShiftRight, bool_(3), bool_(3), "the operand is bool and should be i32 or i64"),
	binaryRefusal("Pow", (*tarn.Value).Pow, bool_(3), bool_(3), "the operand is bool and should be a number"),
)

// The cases of running products and extremes, quantiles, and reductions that leave out NaN.

func diffs(f func(v *tarn.Value, axis, n int) *tarn.Value, n int) func(v *tarn.Value, axis int) *tarn.Value {
	return func(v *tarn.Value, axis int) *tarn.Value { return f(v, axis, n) }
}

func valuesOf(f func(v *tarn.Value, axis int) (a, b *tarn.Value)) func(v *tarn.Value, axis int) *tarn.Value {
	return func(v *tarn.Value, axis int) *tarn.Value { a, _ := f(v, axis); return a }
}

// withHoles makes a NaN of each fourth element, and 0 of the NaN of lines that have nothing else.
func withHoles(f func(v *tarn.Value, axes ...int) *tarn.Value) func(v *tarn.Value, axes ...int) *tarn.Value {
	return func(v *tarn.Value, axes ...int) *tarn.Value {
		place := v.Graph().Iota(tarn.I32, 0, v.Size()).And(tarn.Num(3)).Reshape(v.Shape()...)
		y := f(place.Eq(tarn.Num(3)).Where(tarn.Num(math.NaN()), v), axes...)
		return y.IsNaN().Where(tarn.Num(0), y)
	}
}

func quantileAt(f func(v *tarn.Value, q float64, axes ...int) *tarn.Value, q float64) func(v *tarn.Value, axes ...int) *tarn.Value {
	return func(v *tarn.Value, axes ...int) *tarn.Value { return f(v, q, axes...) }
}

func smallest(v *tarn.Value, axis int) (value, index *tarn.Value) { return v.KthValue(axis, 1) }

// nonempty leaves out shapes that have no elements.
func nonempty(c opCase) opCase {
	var kept [][][]int
	for _, shapes := range c.shapes {
		size := 1
		for _, d := range shapes[0] {
			size *= d
		}
		if size > 0 {
			kept = append(kept, shapes)
		}
	}
	return c.with(kept...)
}

var (
	_ = register(each(along("CumProd", (*tarn.Value).CumProd, between(0.5, 2)), ofNumbers)...)
	_ = register(along("LogCumSumExp", (*tarn.Value).LogCumSumExp, between(-4, 4))...)
	_ = register(each(along("CumMax", valuesOf((*tarn.Value).CumMax), between(-40, 40)), ofNumbers)...)
	_ = register(each(along("CumMin", valuesOf((*tarn.Value).CumMin), between(-40, 40)), ofNumbers)...)
	_ = register(each(along("Diff", diffs((*tarn.Value).Diff, 2), between(-4, 4)), ofNumbers)...)
	_ = register(each(each(along("Mode", valuesOf((*tarn.Value).Mode), between(-40, 40)), ofNumbers), notEmpty)...)
	_ = register(each(each(along("KthValue", valuesOf(smallest), between(-40, 40)), ofNumbers), notEmpty)...)
	_ = register(each(reduction("Quantile", quantileAt((*tarn.Value).Quantile, 0.3), between(-4, 4)), nonempty)...)
	_ = register(each(reduction("Median", (*tarn.Value).Median, between(-40, 40)), nonempty)...)
	_ = register(reduction("NanSum", withHoles((*tarn.Value).NanSum), between(-4, 4))...)
	_ = register(reduction("NanMean", withHoles((*tarn.Value).NanMean), between(-4, 4))...)
	_ = register(reduction("NanMax", withHoles((*tarn.Value).NanMax), between(-40, 40))...)
	_ = register(reduction("NanMin", withHoles((*tarn.Value).NanMin), between(-40, 40))...)
	_ = register(each(reduction("NanQuantile", withHoles(quantileAt((*tarn.Value).NanQuantile, 0.3)), between(-4, 4)), nonempty)...)
	_ = register(each(reduction("NanMedian", withHoles((*tarn.Value).NanMedian), between(-40, 40)), nonempty)...)
	_ = register(each(each(reduction("CountNonzero", (*tarn.Value).CountNonzero, between(-2, 2)), flat), func(c opCase) opCase { return c.of(allTypes...) })...)
	_ = register(each(reduction("KeepDims", func(v *tarn.Value, axes ...int) *tarn.Value {
		return v.Sub(v.KeepDims((*tarn.Value).Max, axes...))
	}, between(-40, 40)), nonempty)...)
	_ = register(elementwise("Sum", overAll((*tarn.Value).Sum), bools()).as("of bools").withoutDerivative(),
		elementwise("CumSum", func(v *tarn.Value) *tarn.Value { return v.CumSum(-1) }, bools()).as("of bools").with([][]int{{7}}, [][]int{{2, 3}}).withoutDerivative())
)

var _ = refuse(
	unaryRefusal("CumProd", func(v *tarn.Value) *tarn.Value { return v.CumProd(1) }, f32(3), "CumProd: axis 1 is not an axis"),
	unaryRefusal("CumProd", func(v *tarn.Value) *tarn.Value { return v.CumProd(0) }, bool_(3), "bool and should be a number"),
	unaryRefusal("CumMax", func(v *tarn.Value) *tarn.Value { y, _ := v.CumMax(2); return y }, f32(3), "CumMax: axis 2 is not an axis"),
	unaryRefusal("CumMin", func(v *tarn.Value) *tarn.Value { y, _ := v.CumMin(0); return y }, bool_(3), "CumMin: the operand is bool"),
	unaryRefusal("LogCumSumExp", func(v *tarn.Value) *tarn.Value { return v.LogCumSumExp(0) }, i32(3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("Diff", func(v *tarn.Value) *tarn.Value { return v.Diff(0, -1) }, f32(3), "Diff: the number of differences is -1"),
	unaryRefusal("Diff", func(v *tarn.Value) *tarn.Value { return v.Diff(1, 1) }, f32(3), "Diff: axis 1 is not an axis"),
	unaryRefusal("Quantile", func(v *tarn.Value) *tarn.Value { return v.Quantile(1.5) }, f32(3), "Quantile: the quantile 1.5 should be from 0 to 1"),
	unaryRefusal("Quantile", func(v *tarn.Value) *tarn.Value { return v.Quantile(0.5) }, f32(0, 3), "Quantile: [0 3] has no elements"),
	unaryRefusal("Quantile", func(v *tarn.Value) *tarn.Value { return v.Quantile(0.5) }, i32(3), "Quantile: the operand is i32"),
	unaryRefusal("KthValue", func(v *tarn.Value) *tarn.Value { y, _ := v.KthValue(0, 4); return y }, f32(3), "KthValue: element 4 is asked for of axis 0 of size 3"),
	binaryRefusal("Fmax", (*tarn.Value).Fmax, i32(3), i32(3), "Fmax: the operand is i32"),
	unaryRefusal("Ndtr", (*tarn.Value).Ndtr, i32(3), "Ndtr: the operand is i32"),
	unaryRefusal("Median", func(v *tarn.Value) *tarn.Value { return v.Median(1) }, f32(3), "Median: axis 1 is not an axis"),
	unaryRefusal("Mode", func(v *tarn.Value) *tarn.Value { y, _ := v.Mode(1); return y }, f32(3, 0), "Mode: axis 1 of [3 0] has no elements"),
	unaryRefusal("NanSum", overAll((*tarn.Value).NanSum), i32(3), "NanSum: the operand is i32"),
	unaryRefusal("NanMean", func(v *tarn.Value) *tarn.Value { return v.NanMean(3) }, f32(3), "axis 3 is not an axis"),
	unaryRefusal("CountNonzero", func(v *tarn.Value) *tarn.Value { return v.CountNonzero(3) }, f32(3), "axis 3 is not an axis"),
	unaryRefusal("KeepDims", func(v *tarn.Value) *tarn.Value { return v.KeepDims((*tarn.Value).Sum, 2) }, f32(3), "KeepDims: axis 2 is not an axis"),
	unaryRefusal("KeepDims", func(v *tarn.Value) *tarn.Value { return v.KeepDims(nil, 0) }, f32(3), "KeepDims: the reduction is nil"),
	unaryRefusal("KeepDims", func(v *tarn.Value) *tarn.Value {
		return v.KeepDims(func(v *tarn.Value, axes ...int) *tarn.Value { return v }, 0)
	}, f32(3), "KeepDims: the reduction returned [3] and should return []"),
)
