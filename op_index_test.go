package tarn_test

import "github.com/seed-49005b45/tarn"

// The cases of the ops that look up and add up by index, of sorting, and of what depends on positions alone.

// by is the case of an op of a value and an index.
func by(op string, build func(in ...*tarn.Value) *tarn.Value, index operand, shapes ...[][]int) opCase {
	return opCase{op: op, build: build, in: []operand{between(-4, 4), index}, shapes: shapes, dtypes: allTypes}
}

// adding is the case of an op of a value, an index and a source.
func adding(op string, build func(in ...*tarn.Value) *tarn.Value, index operand, shapes ...[][]int) opCase {
	return opCase{op: op, build: build, in: []operand{between(-4, 4), index, between(-4, 4)}, shapes: shapes, dtypes: numbers}
}

func gather(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].Gather(axis, in[1]) }
}

func take(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].Take(axis, in[1]) }
}

func scatterAdd(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].ScatterAdd(axis, in[1], in[2]) }
}

func indexAdd(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].IndexAdd(axis, in[1], in[2]) }
}

func embedding(in ...*tarn.Value) *tarn.Value { return tarn.Embedding(in[0], in[1]) }

var _ = register(
	opCase{op: "Within", build: func(in ...*tarn.Value) *tarn.Value { return in[0].Within("index", 0, 2) }, in: []operand{whole(tarn.I32, 0, 3)}, shapes: [][][]int{{{2, 3}}, {{}}, {{0}}}}.of(tarn.I32).withoutDerivative(),
	by("Gather", gather(-1), whole(tarn.I32, 0, 3), [][]int{{2, 3}, {2, 5}}, [][]int{{3}, {1}}, [][]int{{0, 3}, {0, 2}}, [][]int{{2, 3}, {2, 0}}),
	by("Gather", gather(1), whole(tarn.I64, 0, 3), [][]int{{2, 3, 4}, {2, 2, 4}}, [][]int{{1, 3, 0}, {1, 7, 0}}).as("middle"),
	by("Take", take(0), whole(tarn.I32, 0, 3), [][]int{{3, 4}, {5}}, [][]int{{3}, {2, 3}}, [][]int{{3, 2}, {}}, [][]int{{3, 0}, {2}}, [][]int{{3, 2}, {0}}),
	by("Take", take(-2), whole(tarn.I64, 0, 3), [][]int{{2, 3, 4}, {2, 2}}, [][]int{{3, 1}, {7}}).as("middle"),
	by("func Embedding", embedding, whole(tarn.I32, 0, 3), [][]int{{3, 4}, {2, 5}}, [][]int{{3, 0}, {2}}),
	adding("ScatterAdd", scatterAdd(0), whole(tarn.I32, 0, 3), [][]int{{3}, {5}, {5}}, [][]int{{3, 2}, {4, 2}, {4, 2}}, [][]int{{3}, {0}, {0}}),
	adding("ScatterAdd", scatterAdd(1), whole(tarn.I64, 0, 3), [][]int{{2, 3, 2}, {2, 4, 2}, {2, 4, 2}}).as("middle"),
	adding("IndexAdd", indexAdd(0), whole(tarn.I32, 0, 3), [][]int{{3}, {5}, {5}}, [][]int{{3, 2}, {4}, {4, 2}}, [][]int{{3, 2}, {}, {2}}, [][]int{{3}, {0}, {0}}),
	adding("IndexAdd", indexAdd(-2), whole(tarn.I64, 0, 3), [][]int{{2, 3, 2}, {2, 2}, {2, 2, 2, 2}}).as("middle"),
	adding("IndexAdd", indexAdd(1), whole(tarn.I32, 0, 3), [][]int{{2, 3, 37}, {5}, {2, 5, 37}}).as("long rows"),
	adding("IndexAdd", indexAdd(0), whole(tarn.I32, 0, 40), [][]int{{40, 16}, {9}, {9, 16}}, [][]int{{40, 300}, {50}, {50, 300}}).as("shares"),
	elementwise("OneHot", func(v *tarn.Value) *tarn.Value { return v.OneHot(3, tarn.F32) }, whole(tarn.I32, -1, 4)).withoutDerivative().of(tarn.I32),
	elementwise("OneHot", func(v *tarn.Value) *tarn.Value { return v.OneHot(0, tarn.Bool) }, whole(tarn.I64, 0, 4)).as("none").withoutDerivative().of(tarn.I64),
	elementwise("ArgSort", func(v *tarn.Value) *tarn.Value { return v.ArgSort(-1, false) }, between(-4, 4)).of(allTypes...).withoutDerivative().
		with([][]int{{7}}, [][]int{{2, 5}}, [][]int{{3, 1}}, [][]int{{3, 0}}, [][]int{{0, 3}}),
	elementwise("ArgSort", func(v *tarn.Value) *tarn.Value { return v.ArgSort(0, true) }, between(-4, 4)).as("descending").of(allTypes...).withoutDerivative().
		with([][]int{{33}}, [][]int{{5, 2}}, [][]int{{1, 3}}),
	elementwise("Sort", func(v *tarn.Value) *tarn.Value { sorted, _ := v.Sort(-1, false); return sorted }, between(-4, 4)).of(allTypes...).
		with([][]int{{3}}, [][]int{{2, 5}}, [][]int{{3, 0}}),
	elementwise("Sort", func(v *tarn.Value) *tarn.Value { sorted, _ := v.Sort(0, true); return sorted }, between(-4, 4)).as("descending").of(allTypes...).
		with([][]int{{7}}, [][]int{{5, 2}}),
	elementwise("TopK", func(v *tarn.Value) *tarn.Value { largest, _ := v.TopK(-1, 3); return largest }, between(-4, 4)).of(allTypes...).
		with([][]int{{7}}, [][]int{{2, 5}}, [][]int{{2, 3}}, [][]int{{0, 4}}, [][]int{{50}}),
	elementwise("TopK", func(v *tarn.Value) *tarn.Value { _, indices := v.TopK(0, 1); return indices }, between(-4, 4)).as("indices").of(allTypes...).withoutDerivative().
		with([][]int{{7}}, [][]int{{5, 2}}),
	elementwise("Tril", func(v *tarn.Value) *tarn.Value { return v.Tril(0) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 3}}, [][]int{{2, 3, 2}}, [][]int{{0, 2}}),
	elementwise("Triu", func(v *tarn.Value) *tarn.Value { return v.Triu(1) }, between(-4, 4)).of(allTypes...).with([][]int{{3, 3}}, [][]int{{2, 3, 2}}, [][]int{{1, 1}}),
	elementwise("Tril", func(v *tarn.Value) *tarn.Value { return v.Tril(1 << 40).Add(v.Tril(-1 << 40)) }, between(-4, 4)).as("far out").of(numbers...).with([][]int{{2, 3}}),
	elementwise("Graph.TrilMask", func(v *tarn.Value) *tarn.Value { return v.Graph().TrilMask(3, 3, -1).Where(v, v.Num(1)) }, between(-4, 4)).of(numbers...).with([][]int{{3, 3}}),
	elementwise("Graph.TriuMask", func(v *tarn.Value) *tarn.Value { return v.Graph().TriuMask(2, 3, 1).Where(v, v.Num(1)) }, between(-4, 4)).of(numbers...).with([][]int{{2, 3}}),
	elementwise("Graph.Iota", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Iota(v.DType(), -2, 2, 3, 4)) }, between(-4, 4)).of(numbers...).with([][]int{{2, 3, 4}}, [][]int{{4}}),
	elementwise("Graph.Eye", func(v *tarn.Value) *tarn.Value { return v.Mul(v.Graph().Eye(v.DType(), 3)) }, between(-4, 4)).of(numbers...).with([][]int{{3, 3}}, [][]int{{2, 3, 3}}),
)

var _ = refuse(
	refused("Gather", gather(0), "the index is f32 and should be i32 or i64", f32(3), f32(3)),
	refused("Gather", gather(1), "axis 1 is not an axis", f32(3), i32(3)),
	refused("Gather", gather(0), "have ranks 2 and 1", f32(3, 2), i32(3)),
	refused("Gather", gather(0), "have sizes 2 and 1 at axis 1", f32(3, 2), i32(3, 1)),
	refused("Gather", func(in ...*tarn.Value) *tarn.Value { return in[0].Gather(0, nil) }, "operand 2 is nil", f32(3)),
	refused("Within", func(in ...*tarn.Value) *tarn.Value { return in[0].Within("index", 0, 2) }, "the operand is f32 and should be i32 or i64", f32(3)),
	refused("Take", take(0), "the index is bool", f32(3), bool_(3)),
	refused("Take", take(-2), "axis -2 is not an axis", f32(3), i32(3)),
	refused("func Embedding", embedding, "axis 0 is not an axis of a value of rank 0", f32(), i32(3)),
	refused("func Embedding", func(in ...*tarn.Value) *tarn.Value { return tarn.Embedding((*tarn.Param)(nil), in[0]) }, "the *Param is nil", i32(3)),
	refused("ScatterAdd", scatterAdd(0), "the index [2] and the source [3] should have one shape", f32(4), i32(2), f32(3)),
	refused("ScatterAdd", scatterAdd(0), "may differ at axis 0 only", f32(4, 2), i32(2, 3), f32(2, 3)),
	refused("ScatterAdd", scatterAdd(0), "the source is bool", bool_(4), i32(2), bool_(2)),
	refused("ScatterAdd", func(in ...*tarn.Value) *tarn.Value { return in[0].ScatterAdd(0, in[1], nil) }, "operand 2 is nil", f32(3), i32(3)),
	refused("IndexAdd", indexAdd(1), "the source is [4 2] and should be [4 3]", f32(4, 2), i32(3), f32(4, 2)),
	refused("IndexAdd", indexAdd(0), "the source is bool", bool_(4, 2), i32(3), bool_(3, 2)),
	refused("IndexAdd", func(in ...*tarn.Value) *tarn.Value { return in[0].IndexAdd(0, nil, in[0]) }, "operand 2 is nil", f32(3)),
	refused("ScatterAdd", scatterAdd(1), "axis 1 is not an axis", f32(4), i32(2), f32(2)),
	refused("ScatterAdd", scatterAdd(0), "the index is bool", f32(4), bool_(2), f32(2)),
	refused("IndexAdd", indexAdd(2), "axis 2 is not an axis", f32(4, 2), i32(3), f32(4, 2)),
	refused("IndexAdd", indexAdd(0), "the index is f64", f32(4, 2), f64(3), f32(3, 2)),
	unaryRefusal("OneHot", func(v *tarn.Value) *tarn.Value { return v.OneHot(3, tarn.F32) }, f32(3), "the index is f32"),
	unaryRefusal("OneHot", func(v *tarn.Value) *tarn.Value { return v.OneHot(-3, tarn.F32) }, i32(3), "the depth -3 is negative"),
	unaryRefusal("ArgSort", func(v *tarn.Value) *tarn.Value { return v.ArgSort(0, false) }, f32(), "axis 0 is not an axis"),
	unaryRefusal("Sort", func(v *tarn.Value) *tarn.Value { sorted, _ := v.Sort(1, false); return sorted }, f32(3), "Sort: axis 1 is not an axis"),
	unaryRefusal("TopK", func(v *tarn.Value) *tarn.Value { largest, _ := v.TopK(0, 4); return largest }, f32(3), "TopK: 4 elements are asked for of axis 0 of size 3"),
	unaryRefusal("TopK", func(v *tarn.Value) *tarn.Value { largest, _ := v.TopK(0, -1); return largest }, f32(3), "-1 elements are asked for"),
	unaryRefusal("Tril", func(v *tarn.Value) *tarn.Value { return v.Tril(0) }, f32(3), "needs at least two axes"),
	unaryRefusal("Graph.Iota", func(v *tarn.Value) *tarn.Value { return v.Graph().Iota(tarn.Bool, 0, 3) }, f32(), "a bool cannot count"),
	unaryRefusal("Graph.Iota", func(v *tarn.Value) *tarn.Value { return v.Graph().Iota(tarn.I32, 1, 3) }, f32(), "axis 1 is not an axis"),
	unaryRefusal("Graph.Iota", func(v *tarn.Value) *tarn.Value { return v.Graph().Iota(tarn.I32, 0, -3) }, f32(), "negative size -3"),
	unaryRefusal("Graph.Eye", func(v *tarn.Value) *tarn.Value { return v.Graph().Eye(tarn.F32, -3) }, f32(), "negative size -3"),
)

// Numbers that the dtype of the other operand cannot hold.
var _ = refuse(
	unaryRefusal("Add", func(v *tarn.Value) *tarn.Value { return v.AddNum(0.5) }, i64(3), "the number 0.5 is no i64"),
	unaryRefusal("Add", func(v *tarn.Value) *tarn.Value { return v.AddNum(1 << 31) }, i32(3), "is no i32"),
	unaryRefusal("Add", func(v *tarn.Value) *tarn.Value { return v.AddNum(1 << 63) }, i64(3), "is no i64"),
	unaryRefusal("Add", func(v *tarn.Value) *tarn.Value { return v.AddNum(1e39) }, f32(3), "the number 1e+39 is no f32"),
	unaryRefusal("Eq", func(v *tarn.Value) *tarn.Value { return v.Eq(tarn.Num(2)) }, bool_(3), "the number 2 is no bool"),
)
