package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of slices whose start is a value.

func dynamicSlice(axis, size int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].DynamicSlice(axis, in[1], size) }
}

func dynamicUpdate(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].DynamicUpdate(axis, in[1], in[2]) }
}

var _ = register(
	by("DynamicSlice", dynamicSlice(0, 2), whole(tarn.I32, 0, 2), [][]int{{3}, {}}, [][]int{{3, 2}, {}}, [][]int{{5, 0}, {}}),
	by("DynamicSlice", dynamicSlice(-1, 3), whole(tarn.I64, 0, 1), [][]int{{2, 3}, {}}, [][]int{{2, 2, 4}, {}}).as("last"),
	by("DynamicSlice", dynamicSlice(0, 0), whole(tarn.I64, 0, 3), [][]int{{2, 3}, {}}).as("none"),
	adding("DynamicUpdate", dynamicUpdate(0), whole(tarn.I32, 0, 2), [][]int{{3}, {}, {2}}, [][]int{{3, 2}, {}, {2, 2}}, [][]int{{3, 2}, {}, {1, 2}}, [][]int{{3, 2}, {}, {0, 2}}).of(allTypes...),
	adding("DynamicUpdate", dynamicUpdate(-2), whole(tarn.I64, 0, 1), [][]int{{2, 3, 2}, {}, {2, 3, 2}}, [][]int{{2, 3, 2}, {}, {2, 1, 2}}, [][]int{{0, 3, 2}, {}, {0, 2, 2}}).of(allTypes...).as("middle"),
)

var _ = refuse(
	refused("DynamicSlice", dynamicSlice(0, 4), "4 indices are asked for of axis 0 of size 3", f32(3), i32()),
	refused("DynamicSlice", dynamicSlice(0, -1), "-1 indices are asked for", f32(3), i32()),
	refused("DynamicSlice", dynamicSlice(1, 1), "axis 1 is not an axis", f32(3), i32()),
	refused("DynamicSlice", dynamicSlice(0, 1), "the start is i32[1] and should be a scalar", f32(3), i32(1)),
	refused("DynamicSlice", dynamicSlice(0, 1), "the index is f32", f32(3), f32()),
	refused("DynamicSlice", func(in ...*tarn.Value) *tarn.Value { return in[0].DynamicSlice(0, nil, 1) }, "DynamicSlice: operand 2 is nil", f32(3)),
	refused("DynamicUpdate", dynamicUpdate(0), "the operand [3] and the update [4] may differ at axis 0 only, where the update is not longer", f32(3), i32(), f32(4)),
	refused("DynamicUpdate", dynamicUpdate(0), "the operand [3 2] and the update [2 3] may differ", f32(3, 2), i32(), f32(2, 3)),
	refused("DynamicUpdate", dynamicUpdate(0), "the operand [3 2] and the update [3] may differ", f32(3, 2), i32(), f32(3)),
	refused("DynamicUpdate", dynamicUpdate(0), "the operand is f32 and the update f64", f32(3), i32(), f64(3)),
	refused("DynamicUpdate", dynamicUpdate(0), "the index is bool", f32(3), bool_(), f32(3)),
	refused("DynamicUpdate", func(in ...*tarn.Value) *tarn.Value { return in[0].DynamicUpdate(0, in[1], nil) }, "DynamicUpdate: operand 3 is nil", f32(3), i32()),
)
