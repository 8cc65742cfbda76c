package tarn_test

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

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
	elementwise("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 3, 0, -2) }, between(-4, 4)).as("backward").of(allTypes...).with([][]int{{5, 2}}, [][]int{{4}}),
	elementwise("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(-1, -1, -4, -1) }, between(-4, 4)).as("reversed").of(allTypes...).with([][]int{{2, 3}}, [][]int{{4}}),
	elementwise("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 1, 1, -3) }, between(-4, 4)).as("none").of(allTypes...).with([][]int{{2, 3}}, [][]int{{4}}),
	elementwise("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 2, 0, math.MinInt) }, between(-4, 4)).as("far back").of(allTypes...).with([][]int{{3, 3}}),
	elementwise("RollAxes", func(v *tarn.Value) *tarn.Value { return v.RollAxes(ints(0, -1), ints(1, -2)) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 2}}, [][]int{{7}}, [][]int{{2, 0, 3}}),
	elementwise("Pad", func(v *tarn.Value) *tarn.Value { return v.Pad(0, 2, 1) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 2}}, [][]int{{0, 2}}, [][]int{{1}}),
	opCase{
		op:     "func Concat",
		build:  func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(-1, in...) },
		in:     []operand{between(-4, 4), between(-4, 4), between(-4, 4)},
		shapes: [][][]int{{{2, 1}, {2, 3}, {2, 2}}, {{0}, {2}, {0}}},
		dtypes: allTypes,
	},
)

var _ = register(
	elementwise("Squeeze", func(v *tarn.Value) *tarn.Value { return v.Squeeze() }, between(-4, 4)).as("all").of(allTypes...),
	elementwise("Squeeze", func(v *tarn.Value) *tarn.Value { return v.Squeeze(-1, 0) }, between(-4, 4)).of(allTypes...).with([][]int{{1, 3, 1}}, [][]int{{1, 1}}, [][]int{{1, 0, 1}}),
	elementwise("Flatten", func(v *tarn.Value) *tarn.Value { return v.Flatten(1, -1) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 3, 2}}, [][]int{{2, 3}}, [][]int{{0, 2, 2}}, [][]int{{}}),
	elementwise("Flip", func(v *tarn.Value) *tarn.Value { return v.Flip() }, between(-4, 4)).as("all").of(allTypes...),
	elementwise("Flip", func(v *tarn.Value) *tarn.Value { return v.Flip(-1, 0) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 3, 4}}, [][]int{{3, 1}}, [][]int{{0, 3}}),
	elementwise("Tile", func(v *tarn.Value) *tarn.Value { return v.Tile(2, 1, 3) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 3}}, [][]int{{2, 1, 2}}, [][]int{{}}, [][]int{{3, 0}}),
	elementwise("Roll", func(v *tarn.Value) *tarn.Value { return v.Roll(-1, 2) }, between(-4, 4)).of(allTypes...).with([][]int{{2, 5}}, [][]int{{1}}, [][]int{{2, 2}}, [][]int{{3, 0}}),
	elementwise("Roll", func(v *tarn.Value) *tarn.Value { return v.Roll(0, -4) }, between(-4, 4)).as("back").of(allTypes...).with([][]int{{3, 2}}, [][]int{{7}}),
	elementwise("PadValue", func(v *tarn.Value) *tarn.Value { return v.PadValue(0, 2, 1, 3) }, between(-4, 4)).of(numbers...).with([][]int{{3, 2}}, [][]int{{0, 2}}, [][]int{{1}}),
	elementwise("PadValue", func(v *tarn.Value) *tarn.Value { return v.PadValue(-1, 0, 2, -1) }, between(-4, 4)).as("after").of(numbers...).with([][]int{{3, 2}}),
	elementwise("Split", func(v *tarn.Value) *tarn.Value {
		parts := v.Split(-1, 2, 0, 3)
		return parts[0].Sum(-1).Mul(parts[2].Sum(-1))
	}, between(-2, 2)).
		of(numbers...).within(10).with([][]int{{2, 5}}, [][]int{{0, 5}}),
	elementwise("Chunk", func(v *tarn.Value) *tarn.Value { parts := v.Chunk(0, 3); return parts[2].Mul(parts[0]) }, between(-2, 2)).
		of(numbers...).with([][]int{{6, 2}}, [][]int{{3}}, [][]int{{0, 1}}),
	opCase{
		op:     "func Stack",
		build:  func(in ...*tarn.Value) *tarn.Value { return tarn.Stack(-1, in...) },
		in:     []operand{between(-4, 4), between(-4, 4)},
		shapes: [][][]int{{{2, 3}, {2, 3}}, {{}, {}}, {{0}, {0}}},
		dtypes: allTypes,
	},
)

var _ = refuse(
	unaryRefusal("Squeeze", func(v *tarn.Value) *tarn.Value { return v.Squeeze(1) }, f32(1, 3), "axis 1 of [1 3] has size 3 and should have 1"),
	unaryRefusal("Squeeze", func(v *tarn.Value) *tarn.Value { return v.Squeeze(2) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("Flatten", func(v *tarn.Value) *tarn.Value { return v.Flatten(-1, 0) }, f32(1, 3), "the first axis 1 comes after the last axis 0"),
	unaryRefusal("Flatten", func(v *tarn.Value) *tarn.Value { return v.Flatten(0, 2) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("Flip", func(v *tarn.Value) *tarn.Value { return v.Flip(0, -2) }, f32(1, 3), "axis 0 is named twice"),
	unaryRefusal("Tile", func(v *tarn.Value) *tarn.Value { return v.Tile(2) }, f32(1, 3), "1 numbers are given for a value of rank 2"),
	unaryRefusal("Tile", func(v *tarn.Value) *tarn.Value { return v.Tile(2, -1) }, f32(1, 3), "the number -1 for axis 1 is negative"),
	unaryRefusal("Tile", func(v *tarn.Value) *tarn.Value { return v.Tile(1<<40, 1<<40) }, f32(1, 3), "too large"),
	unaryRefusal("Roll", func(v *tarn.Value) *tarn.Value { return v.Roll(2, 1) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("PadValue", func(v *tarn.Value) *tarn.Value { return v.PadValue(0, -1, 2, 1) }, f32(1, 3), "should not be negative"),
	unaryRefusal("PadValue", func(v *tarn.Value) *tarn.Value { return v.PadValue(0, 1, 2, 0.5) }, i32(1, 3), "the number 0.5 is no i32"),
	unaryRefusal("Split", func(v *tarn.Value) *tarn.Value { return v.Split(1, 1, 1)[1] }, f32(1, 3), "the parts [1 1] add up to 2 and axis 1 has size 3"),
	unaryRefusal("Split", func(v *tarn.Value) *tarn.Value { return v.Split(1, -1, 4)[1] }, f32(1, 3), "size -1 of part 1 is negative"),
	unaryRefusal("Chunk", func(v *tarn.Value) *tarn.Value { return v.Chunk(1, 2)[1] }, f32(1, 3), "axis 1 of size 3 cannot be cut into 2 equal parts"),
	unaryRefusal("Chunk", func(v *tarn.Value) *tarn.Value {
		if parts := v.Chunk(0, 0); len(parts) > 0 {
			return parts[0]
		}
		return v.Chunk(2, 1)[0]
	}, f32(1, 3), "0 parts are asked for"),
	unaryRefusal("Pad", func(v *tarn.Value) *tarn.Value { return v.Pad(2, 1, 1) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("PadValue", func(v *tarn.Value) *tarn.Value { return v.PadValue(2, 1, 1, 1) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("Flatten", func(v *tarn.Value) *tarn.Value { return v.Flatten(-3, 0) }, f32(1, 3), "axis -3 is not an axis"),
	unaryRefusal("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 0, 2, 0) }, f32(3), "the step 0 should be at least 1"),
	unaryRefusal("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 0, 2, -1) }, f32(3), "the range 0:2 does not go backward in axis 0 of size 3"),
	unaryRefusal("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, 3, 0, -1) }, f32(3), "the range 3:0 does not go backward in axis 0 of size 3"),
	unaryRefusal("SliceStep", func(v *tarn.Value) *tarn.Value { return v.SliceStep(0, -1, -5, -1) }, f32(3), "the range -1:-5 does not go backward in axis 0 of size 3"),
	unaryRefusal("RollAxes", func(v *tarn.Value) *tarn.Value { return v.RollAxes(ints(0, 2), ints(1, 1)) }, f32(1, 3), "axis 2 is not an axis"),
	unaryRefusal("RollAxes", func(v *tarn.Value) *tarn.Value { return v.RollAxes(ints(0), ints(1, 1)) }, f32(1, 3), "1 axes and 2 shifts are given"),
	unaryRefusal("Slice", func(v *tarn.Value) *tarn.Value { return v.Slice(0, 2, 4) }, f32(3), "the range 2:4 does not lie in axis 0 of size 3"),
	unaryRefusal("Pad", func(v *tarn.Value) *tarn.Value { return v.Pad(0, 1, -1) }, f32(3), "should not be negative"),
	unaryRefusal("Reshape", func(v *tarn.Value) *tarn.Value { return v.Reshape(2, -1) }, f32(3), "[3] has 3 elements, which [2 -1] cannot hold"),
	unaryRefusal("Reshape", func(v *tarn.Value) *tarn.Value { return v.Reshape(-1, -1) }, f32(4), "only one size of [-1 -1] may be -1"),
	unaryRefusal("Reshape", func(v *tarn.Value) *tarn.Value { return v.Reshape(2, -2) }, f32(4), "the size -2 at axis 1 is negative"),
	unaryRefusal("Unsqueeze", func(v *tarn.Value) *tarn.Value { return v.Unsqueeze(3) }, f32(1, 3), "axis 3 is not an axis"),
	unaryRefusal("Permute", func(v *tarn.Value) *tarn.Value { return v.Permute(0, 0) }, f32(1, 3), "axis 0 is named twice"),
	unaryRefusal("Permute", func(v *tarn.Value) *tarn.Value { return v.Permute(0) }, f32(1, 3), "1 axes are named for a value of rank 2"),
	unaryRefusal("T", (*tarn.Value).T, f32(3), "axis -2 is not an axis of a value of rank 1"),
	unaryRefusal("Expand", func(v *tarn.Value) *tarn.Value { return v.Expand(4, 3) }, f32(2, 3), "axis 0 has size 2 and should have 1 or 4"),
	unaryRefusal("Expand", func(v *tarn.Value) *tarn.Value { return v.Expand(3) }, f32(2, 3), "which has fewer axes"),
	refused("func Concat", func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(0, in...) }, "operands 1 and 2 have sizes 3 and 4 at axis 1", f32(2, 3), f32(2, 4)),
	refused("func Concat", func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(0, in...) }, "operands 1 and 2 have ranks 2 and 1", f32(2, 3), f32(3)),
	refused("func Concat", func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(0, in...) }, "operands 1 and 2 are f32 and f64", f32(3), f64(3)),
	refused("func Concat", func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(1, in...) }, "axis 1 is not an axis", f32(3), f32(3)),
	refused("func Concat", func(in ...*tarn.Value) *tarn.Value { return tarn.Concat(0, in[0], nil) }, "operand 2 is nil", f32(3)),
	refused("func Stack", func(in ...*tarn.Value) *tarn.Value { return tarn.Stack(0, in...) }, "operands 1 and 2 have shapes [3] and [4]", f32(3), f32(4)),
	refused("func Stack", func(in ...*tarn.Value) *tarn.Value { return tarn.Stack(2, in...) }, "axis 2 is not an axis", f32(3), f32(3)),
	refused("func Stack", func(in ...*tarn.Value) *tarn.Value { return tarn.Stack(0, in[0], nil) }, "operand 2 is nil", f32(3)),
)
