package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the reductions.

// reductionShapes pairs with axes: every axis, the last, the first, two, one of size 1, one of size 0.
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

var (
	_ = register(each(reduction("Sum", (*tarn.Value).Sum, between(-4, 4)), ofNumbers)...)
	_ = register(reduction("Mean", (*tarn.Value).Mean, between(-4, 4))...)
	_ = register(elementwise("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum() }, between(-4, 4)).as("of nothing").of(numbers...).with([][]int{{0}}, [][]int{{3, 0}}))
)

var _ = refuse(
	unaryRefusal("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum(2) }, f32(2, 3), "axis 2 is not an axis of a value of rank 2"),
	unaryRefusal("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum(1, -1) }, f32(2, 3), "axis 1 is named twice"),
	unaryRefusal("Sum", func(v *tarn.Value) *tarn.Value { return v.Sum() }, bool_(2, 3), "bool and should be a number"),
)
