package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the pads that repeat elements.

// padding is the case of a pad, of whatever dtype.
func padding(op, form string, f func(v *tarn.Value) *tarn.Value, shapes ...[][]int) opCase {
	return elementwise(op, f, between(-4, 4)).as(form).of(allTypes...).with(shapes...)
}

var _ = register(
	padding("PadReflect", "", func(v *tarn.Value) *tarn.Value { return v.PadReflect(0, 2, 1) }, [][]int{{3, 2}}, [][]int{{4}}, [][]int{{3, 0}}),
	padding("PadReflect", "before", func(v *tarn.Value) *tarn.Value { return v.PadReflect(-1, 1, 0) }, [][]int{{3, 2}}, [][]int{{0, 2}}),
	padding("PadReflect", "none", func(v *tarn.Value) *tarn.Value { return v.PadReflect(0, 0, 0) }, [][]int{{0, 2}}, [][]int{{1}}),
	padding("PadReplicate", "", func(v *tarn.Value) *tarn.Value { return v.PadReplicate(0, 2, 3) }, [][]int{{3, 2}}, [][]int{{1}}, [][]int{{1, 0}}),
	padding("PadReplicate", "after", func(v *tarn.Value) *tarn.Value { return v.PadReplicate(-1, 0, 2) }, [][]int{{3, 2}}, [][]int{{0, 2}}),
	padding("PadCircular", "", func(v *tarn.Value) *tarn.Value { return v.PadCircular(0, 2, 1) }, [][]int{{3, 2}}, [][]int{{2}}, [][]int{{2, 0}}),
	padding("PadCircular", "after", func(v *tarn.Value) *tarn.Value { return v.PadCircular(-2, 0, 1) }, [][]int{{3, 2}}, [][]int{{1, 1}}),
)

var _ = refuse(
	unaryRefusal("PadReflect", func(v *tarn.Value) *tarn.Value { return v.PadReflect(0, 3, 0) }, f32(3), "PadReflect: the padding 3 before and 0 after should be at most 2 for axis 0 of size 3"),
	unaryRefusal("PadReflect", func(v *tarn.Value) *tarn.Value { return v.PadReflect(0, 0, 1) }, f32(0), "should be at most 0"),
	unaryRefusal("PadReflect", func(v *tarn.Value) *tarn.Value { return v.PadReflect(0, -1, 1) }, f32(3), "should not be negative"),
	unaryRefusal("PadReflect", func(v *tarn.Value) *tarn.Value { return v.PadReflect(1, 1, 1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("PadReplicate", func(v *tarn.Value) *tarn.Value { return v.PadReplicate(0, 0, 1) }, f32(0), "PadReplicate: the padding 0 before and 1 after should be at most 0 for axis 0 of size 0"),
	unaryRefusal("PadReplicate", func(v *tarn.Value) *tarn.Value { return v.PadReplicate(0, 1<<40, 1) }, f32(2), "should be at most"),
	unaryRefusal("PadCircular", func(v *tarn.Value) *tarn.Value { return v.PadCircular(0, 1, 4) }, f32(3), "PadCircular: the padding 1 before and 4 after should be at most 3"),
)
