package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the ops that rearrange, join and cut.

var _ = register(
	elementwise("Reshape", func(v *tarn.Value) *tarn.Value { return v.Reshape(3, -1) }, between(-4, 4)).of(allTypes...).with([][]int{{6}}, [][]int{{3, 1}}, [][]int{{2, 3, 2}}, [][]int{{0}}),
	elementwise("Unsqueeze", func(v *tarn.Value) *tarn.Value { return v.Unsqueeze(0, -1) }, between(-4, 4)).of(allTypes...),
	elementwise("Permute", func(v *tarn.Value) *tarn.Value { return v.Permute(2, 0, -2) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 3, 4}}, [][]int{{1, 0, 2}}),
	elementwise("Transpose", func(v *tarn.Value) *tarn.Value { return v.Transpose(0, -1) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 3, 4}}, [][]int{{3}}, [][]int{{0, 2}}),
	elementwise("T", (*tarn.Value).T, between(-4, 4)).of(allTypes...).with([][]int{{2, 3, 4}}, [][]int{{1, 3}}, [][]int{{0, 2}}),
	elementwise("Expand", func(v *tarn.Value) *tarn.Value { return v.Expand(2, 3, -1) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 4}}, [][]int{{1, 1}}, [][]int{{1, 0}}, [][]int{{2, 1, 3}}),
)

var _ = register(
	elementwise("Slice", func(v *tarn.Value) *tarn.Value { return v.Slice(-1, 1, -1) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 5}}, [][]int{{2}}, [][]int{{3, 4}}),
	elementwise("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 1, 4, 2) }, between(-4, 4)).of(allTypes...).with([][]int{{5, 2}}, [][]int{{4}}, [][]int{{7, 1}}),
	elementwise("Pad", func(v *tarn.Value) *tarn.Value { return v.Pad(0, 2, 1) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 2}}, [][]int{{0, 2}}, [][]int{{1}}),
	opCase{
		op:     "func Concat",
		build:  func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(-1, in...) },
		in:     []operand{between(-4, 4), between(-4, 4), between(-4, 4)},
		shapes: [][][]int{{{2, 1}, {2, 3}, {2, 2}}, {{0}, {2}, {0}}},
		dtypes: allTypes,
	},
)
