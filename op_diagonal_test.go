package tarn_test

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// The cases of diagonals, the places of triangles and the Kronecker product.

func diagonalAt(offset int) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { return v.DiagonalAt(offset) }
}

func diagEmbed(offset int) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { return v.DiagEmbed(offset) }
}

var _ = register(
	elementwise("Diagonal", (*tarn.Value).Diagonal, between(-2, 2)).of(allTypes...).with([][]int{{3, 3}}, [][]int{{2, 3, 2}}, [][]int{{2, 4}}, [][]int{{0, 2}}, [][]int{{1, 1}}),
	elementwise("DiagonalAt", diagonalAt(1), between(-2, 2)).of(allTypes...).with([][]int{{3, 3}}, [][]int{{2, 3, 2}}, [][]int{{2, 4}}, [][]int{{0, 2}}, [][]int{{1, 1}}),
	elementwise("DiagonalAt", diagonalAt(-2), between(-2, 2)).of(allTypes...).as("below").with([][]int{{3, 3}}, [][]int{{4, 2}}, [][]int{{2, 3, 2}}, [][]int{{2, 0}}),
	elementwise("DiagonalAt", diagonalAt(math.MinInt), between(-2, 2)).of(allTypes...).as("outside").with([][]int{{3, 3}}),
	elementwise("DiagEmbed", diagEmbed(0), between(-2, 2)).of(allTypes...).with([][]int{{3}}, [][]int{{2, 1}}, [][]int{{2, 0}}, [][]int{{0, 3}}),
	elementwise("DiagEmbed", diagEmbed(2), between(-2, 2)).of(allTypes...).as("above").with([][]int{{3}}, [][]int{{2, 2}}, [][]int{{0}}),
	elementwise("DiagEmbed", diagEmbed(-1), between(-2, 2)).of(allTypes...).as("below").with([][]int{{3}}, [][]int{{2, 2, 2}}, [][]int{{0}}),
	elementwise("Diag", func(v *tarn.Value) *tarn.Value { return v.Diag(1) }, between(-2, 2)).of(allTypes...).with([][]int{{3}}, [][]int{{2, 3}}, [][]int{{1, 1}}),
	elementwise("Trace", (*tarn.Value).Trace, between(-2, 2)).of(numbers...).within(10).with([][]int{{3, 3}}, [][]int{{2, 3, 2}}, [][]int{{0, 2}}),
	elementwise("Graph.TrilIndices", func(v *tarn.Value) *tarn.Value { return v.Graph().TrilIndices(3, 4, 1) }, between(-2, 2)).withoutDerivative(),
	elementwise("Graph.TriuIndices", func(v *tarn.Value) *tarn.Value { return v.Graph().TriuIndices(3, 4, math.MaxInt) }, between(-2, 2)).withoutDerivative(),
	pairwise("Kron", (*tarn.Value).Kron, between(-2, 2), between(-2, 2)).of(numbers...).with([][]int{{2, 3}, {3, 2}}, [][]int{{2}, {3}}, [][]int{{2}, {2, 2, 3}}, [][]int{{2, 3}, {}}, [][]int{{0, 2}, {2, 2}}),
)

var _ = refuse(
	unaryRefusal("Diagonal", (*tarn.Value).Diagonal, f32(3), "Diagonal: the operand is f32[3] and needs at least two axes"),
	unaryRefusal("DiagonalAt", diagonalAt(1), f32(3), "DiagonalAt: the operand is f32[3] and needs at least two axes"),
	unaryRefusal("Trace", (*tarn.Value).Trace, f32(3), "needs at least two axes"),
	unaryRefusal("DiagEmbed", diagEmbed(0), f32(), "the operand is a scalar and needs an axis"),
	unaryRefusal("DiagEmbed", diagEmbed(math.MinInt), f32(3), "the result is too large"),
	unaryRefusal("DiagEmbed", diagEmbed(1<<30), f32(1<<16, 3), "the result is too large"),
	unaryRefusal("Diag", func(v *tarn.Value) *tarn.Value { return v.Diag(0) }, f32(2, 3, 3), "the operand is f32[2 3 3] and should be a vector or a matrix"),
	unaryRefusal("Graph.TrilIndices", func(v *tarn.Value) *tarn.Value { return v.Graph().TrilIndices(-1, 3, 0) }, f32(), "negative size -1"),
	unaryRefusal("Graph.TriuIndices", func(v *tarn.Value) *tarn.Value { return v.Graph().TriuIndices(1, -3, 0) }, f32(), "negative size -3"),
	unaryRefusal("Kron", func(v *tarn.Value) *tarn.Value { return v.Kron(nil) }, f32(3), "Kron: operand 2 is nil"),
	binaryRefusal("Kron", (*tarn.Value).Kron, f32(2, 3), i32(2, 3), "f32 and i32"),
)
