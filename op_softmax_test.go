package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of softmax, its logarithm and log-sum-exp.

// along is the usual case of an op that goes along one axis and keeps the shape.
func along(op string, build func(v *tarn.Value, axis int) *tarn.Value, x operand) []opCase {
	over := func(form string, axis int, shapes ...[][]int) opCase {
		return elementwise(op, func(v *tarn.Value) *tarn.Value { return build(v, axis) }, x).as(form).with(shapes...)
	}
	return []opCase{
		over("last", -1, [][]int{{7}}, [][]int{{3, 5}}, [][]int{{2, 1}}, [][]int{{0, 3}}),
		over("first", 0, [][]int{{3, 5}}, [][]int{{1, 3}}, [][]int{{2, 0}}),
		over("middle", 1, [][]int{{2, 3, 4}}, [][]int{{3, 1, 2}}),
	}
}

func large(c opCase) opCase { return c.as("large " + c.form) }

var (
	_ = register(along("Softmax", (*tarn.Value).Softmax, between(-4, 4))...)
	_ = register(each(along("Softmax", (*tarn.Value).Softmax, between(-900, 900)), large)...)
	_ = register(along("LogSoftmax", (*tarn.Value).LogSoftmax, between(-4, 4))...)
	_ = register(each(along("LogSoftmax", (*tarn.Value).LogSoftmax, between(-900, 900)), large)...)
	_ = register(reduction("LogSumExp", (*tarn.Value).LogSumExp, between(-4, 4))...)
	_ = register(each(reduction("LogSumExp", (*tarn.Value).LogSumExp, between(-900, 900)), large)...)
	_ = register(elementwise("LogSumExp", overAll((*tarn.Value).LogSumExp), between(-4, 4)).as("of nothing").with(ofNothing...).withoutDerivative())
)

var _ = refuse(
	unaryRefusal("Softmax", func(v *tarn.Value) *tarn.Value { return v.Softmax(2) }, f32(2, 3), "axis 2 is not an axis"),
	unaryRefusal("Softmax", func(v *tarn.Value) *tarn.Value { return v.Softmax(1) }, i32(2, 3), "should be f32 or f64"),
	unaryRefusal("LogSoftmax", func(v *tarn.Value) *tarn.Value { return v.LogSoftmax(-3) }, f32(2, 3), "axis -3 is not an axis"),
	unaryRefusal("LogSumExp", func(v *tarn.Value) *tarn.Value { return v.LogSumExp(0, 2) }, f32(2, 3), "axis 2 is not an axis"),
	unaryRefusal("LogSumExp", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, i64(2, 3), "should be f32 or f64"),
)
