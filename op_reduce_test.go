package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the reductions.

// reduction is the usual cases of an op that takes axes: over every axis, the last, the first, one in the middle, and two.
func reduction(op string, build func(v *tarn.Value, axes ...int) *tarn.Value, x operand) []opCase {
	over := func(form string, axes []int, shapes ...[][]int) opCase {
		return opCase{op: op, form: form, in: []operand{x}, shapes: shapes,
			build: func(in ...*tarn.Value) *tarn.Value { return build(in[0], axes...) }}
	}
	return []opCase{
		over("all", nil, [][]int{{}}, [][]int{{1}}, [][]int{{7}}, [][]int{{3, 5}}),
		over("last", []int{-1}, [][]int{{7}}, [][]int{{3, 5}}, [][]int{{2, 3, 1}}, [][]int{{0, 3}}),
		over("first", []int{0}, [][]int{{3, 5}}, [][]int{{1, 3}}, [][]int{{3, 2, 2}}, [][]int{{2, 0}}),
		over("middle", []int{1}, [][]int{{2, 3, 4}}, [][]int{{3, 1, 2}}),
		over("outer", []int{2, 0}, [][]int{{2, 3, 4}}),
	}
}

func each(cases []opCase, change func(c opCase) opCase) []opCase {
	for i, c := range cases {
		cases[i] = change(c)
	}
	return cases
}

func ofNumbers(c opCase) opCase { return c.of(numbers...) }
func flat(c opCase) opCase      { return c.withoutDerivative() }

// overAll returns the shape of an op over all axes.
func overAll(f func(v *tarn.Value, axes ...int) *tarn.Value) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { return f(v) }
}

var ofNothing = [][][]int{{{0}}, {{3, 0}}}

var (
	_ = register(each(reduction("Sum", (*tarn.Value).Sum, between(-4, 4)), ofNumbers)...)
	_ = register(reduction("Mean", (*tarn.Value).Mean, between(-4, 4))...)
	_ = register(each(reduction("Prod", (*tarn.Value).Prod, between(-2, 2)), ofNumbers)...)
	_ = register(each(reduction("Max", (*tarn.Value).Max, between(-40, 40)), ofNumbers)...)
	_ = register(each(reduction("Min", (*tarn.Value).Min, between(-40, 40)), ofNumbers)...)
	_ = register(each(reduction("All", (*tarn.Value).All, bools()), flat)...)
	_ = register(each(reduction("Any", (*tarn.Value).Any, bools()), flat)...)
)

var _ = register(
	elementwise("Sum", overAll((*tarn.Value).Sum), between(-4, 4)).as("of nothing").of(numbers...).with(ofNothing...),
	elementwise("Prod", overAll((*tarn.Value).Prod), between(-4, 4)).as("of nothing").of(numbers...).with(ofNothing...),
	elementwise("Max", overAll((*tarn.Value).Max), between(-4, 4)).as("of nothing").with(ofNothing...).withoutDerivative(),
	elementwise("Min", overAll((*tarn.Value).Min), between(-4, 4)).as("of nothing").with(ofNothing...).withoutDerivative(),
	elementwise("Mean", overAll((*tarn.Value).Mean), between(-4, 4)).as("of nothing").with(ofNothing...).withoutDerivative(),
	elementwise("All", overAll((*tarn.Value).All), bools()).as("of nothing").with(ofNothing...).withoutDerivative(),
	elementwise("Any", overAll((*tarn.Value).Any), bools()).as("of nothing").with(ofNothing...).withoutDerivative(),
	// Factors of zero: one, two and three in a line, at which dividing the product by a factor would fail.
	elementwise("Prod", func(v *tarn.Value) *tarn.Value {
		mask := v.Graph().Const(tarn.Vector([]float64{1, 0, 1, 1, 1, 1, 0, 0, 1, 0})).Cast(v.DType()).Reshape(2, 5)
		return v.Mul(mask).Prod(1)
	}, between(0.5, 2)).as("with zeros").with([][]int{{2, 5}}),
)

var _ = refuse(
	unaryRefusal("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum(2) }, f32(2, 3), "axis 2 is not an axis of a value of rank 2"),
	unaryRefusal("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum(1, -1) }, f32(2, 3), "axis 1 is named twice"),
	unaryRefusal("Mean", overAll((*tarn.Value).Mean), i32(2, 3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("Max", overAll((*tarn.Value).Max), bool_(2, 3), "bool and should be a number"),
	unaryRefusal("All", overAll((*tarn.Value).All), i32(2, 3), "the operand is i32 and should be bool"),
	unaryRefusal("Any", overAll((*tarn.Value).Any), f32(2, 3), "the operand is f32 and should be bool"),
	unaryRefusal("Prod", func(v *tarn.Value) *tarn.Value { return v.Prod(-3) }, f32(2, 3), "axis -3 is not an axis"),
)
