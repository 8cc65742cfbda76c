package tarn

import (
	"slices"
)

// This file holds diagonals, taken and embedded, the places of triangles, and the Kronecker product. A diagonal is a slice of the flat matrix,
// whose elements are one more than a row apart, and embedding one is the reverse.

// Diagonal is the main diagonal of each matrix of the last two axes. It is a view. Equal to torch.diagonal(dim1=-2, dim2=-1).
//
// Shapes: [... m n] -> [... min(m,n)].
func (v *Value) Diagonal() *Value { return v.diagonalAt("Diagonal", 0) }

// DiagonalAt is a diagonal of each matrix of the last two axes: the main one is 0, the one above it 1, the one below it -1. It has no elements if it
// lies outside. Equal to torch.diagonal(offset, dim1=-2, dim2=-1).
//
// Shapes: [... m n] -> [... min(m,n-offset)], or [... min(m+offset,n)] if the offset is negative.
func (v *Value) DiagonalAt(offset int) *Value { return v.diagonalAt("DiagonalAt", offset) }

func (v *Value) diagonalAt(name string, offset int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if v.Rank() < 2 {
		return v.graph.failAs(name, []*Value{v}, newProblem("the operand is %v and needs at least two axes", v.typ))
	}
	m, n := v.Dim(-2), v.Dim(-1)
	offset = min(max(offset, -m), n)
	start, count := offset, min(m, n-offset)
	if offset < 0 {
		start, count = -offset*n, min(m+offset, n)
	}
	if count == 0 {
		return v.Flatten(-2, -1).Slice(-1, 0, 0)
	}
	return v.Flatten(-2, -1).SliceStep(-1, start, start+(count-1)*(n+1)+1, n+1)
}

// DiagEmbed makes square matrices of zeros with the last axis of v on a diagonal: the main one is 0, the one above it 1, the one below it -1. It is the
// adjoint of DiagonalAt. Equal to torch.diag_embed.
//
// Shapes: [... n] -> [... n+|offset| n+|offset|].
func (v *Value) DiagEmbed(offset int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	away := max(offset, -offset)
	switch {
	case v.Rank() < 1:
		return v.graph.failAs("DiagEmbed", []*Value{v}, newProblem("the operand is a scalar and needs an axis"))
	case away < 0 || away > maxWindow:
		return v.graph.failAs("DiagEmbed", []*Value{v}, newProblem("the result is too large: diagonal %d", offset))
	}
	n := v.Dim(-1)
	size := n + away
	shape := append(v.Shape()[:v.Rank()-1], size, size)
	if err := checkShape(shape); err != nil {
		return v.graph.failAs("DiagEmbed", []*Value{v}, newProblem("the result is too large: %v", err))
	}
	before, used := max(offset, -offset*size), 0
	if n == 0 {
		before = 0
	} else {
		used = (n-1)*(size+1) + 1
	}
	return v.padSteps(v.Rank()-1, before, size*size-before-used, size+1).Reshape(shape...)
}

// Diag is, of a vector, the square matrix with it on a diagonal, as DiagEmbed, and of a matrix the diagonal, as DiagonalAt. Equal to torch.diag and to
// numpy.diag.
//
// Shapes: [n] -> [n+|offset| n+|offset|]; [m n] -> the size of the diagonal.
func (v *Value) Diag(offset int) *Value {
	v = v.orLost()
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case v.Rank() == 1:
		return v.DiagEmbed(offset)
	case v.Rank() == 2:
		return v.DiagonalAt(offset)
	}
	return v.graph.failAs("Diag", []*Value{v}, newProblem("the operand is %v and should be a vector or a matrix", v.typ).
		WithHint("DiagEmbed and DiagonalAt take values with more axes"))
}

// Trace is the sum of the main diagonal of each matrix of the last two axes. Equal to torch.trace.
//
// Shapes: [... m n] -> [...].
func (v *Value) Trace() *Value {
	d := v.Diagonal()
	if d.failed {
		return d
	}
	return d.Sum(-1)
}

// TrilIndices returns, as I64, the rows and the columns of the elements of a matrix on and below a diagonal, row by row: see TrilMask. Equal to
// torch.tril_indices.
//
// Shapes: [2 n].
func (g *Graph) TrilIndices(rows, cols, diagonal int) *Value {
	return g.triangleIndices("TrilIndices", rows, cols, func(row int) (first, end int) { return 0, row + min(max(diagonal, -rows), cols) + 1 })
}

// TriuIndices returns, as I64, the rows and the columns of the elements of a matrix on and above a diagonal, row by row: see TriuMask. Equal to
// torch.triu_indices.
//
// Shapes: [2 n].
func (g *Graph) TriuIndices(rows, cols, diagonal int) *Value {
	return g.triangleIndices("TriuIndices", rows, cols, func(row int) (first, end int) { return row + min(max(diagonal, -rows), cols), cols })
}

// triangleIndices lists the columns from first to before end of each row, as far as there are any.
func (g *Graph) triangleIndices(name string, rows, cols int, columns func(row int) (first, end int)) *Value {
	g = g.orLost()
	if err := checkShape([]int{2, rows, cols}); err != nil {
		return g.failAs(name, nil, err)
	}
	var at [2][]int64
	for row := range rows {
		first, end := columns(row)
		for column := max(first, 0); column < min(end, cols); column++ {
			at[0], at[1] = append(at[0], int64(row)), append(at[1], int64(column))
		}
	}
	index := Zeros(I64, 2, len(at[0]))
	copy(index.I64(), slices.Concat(at[0], at[1]))
	return g.Const(index)
}

// Kron is the Kronecker product: o in the place of each element of v, times that element. The operand of fewer axes gets axes of size 1 in front. Equal to
// torch.kron and to numpy.kron.
//
// Shapes: [a b...], [c d...] -> [a*c b*d...].
func (v *Value) Kron(o Operand) *Value {
	v = v.orLost()
	w := v.operand(o)
	if failed := v.unusable("Kron", v, w); failed != nil {
		return failed
	}
	rank := max(v.Rank(), w.Rank())
	a, b := ranked(v.typ.Shape, rank), ranked(w.typ.Shape, rank)
	var left, right, product []int
	for i := range rank {
		left, right, product = append(left, a[i], 1), append(right, 1, b[i]), append(product, a[i]*b[i])
	}
	return v.Reshape(left...).Mul(w.Reshape(right...)).Reshape(product...)
}

// ranked is a shape with axes of size 1 in front, so that there are so many.
func ranked(shape []int, rank int) []int {
	return slices.Concat(slices.Repeat([]int{1}, max(rank-len(shape), 0)), shape)
}
