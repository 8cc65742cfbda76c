package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the values that depend on positions alone: Iota, and the identity, the triangular masks and one-hot
// rows, which compare one Iota with another. None of them is a primitive: an Iota is a constant as long as its axis, and
// the rest is broadcast and compared while it is used, so that no matrix is stored.

// Iota counts 0, 1, 2, ... along an axis and repeats that along all others. Equal to torch.arange, and to jax.lax.broadcasted_iota.
//
// Shapes: shape, of any dtype but Bool.
func (g *Graph) Iota(dtype DType, axis int, shape ...int) *Value {
	g = g.orLost()
	if dtype == Bool {
		return g.failAs("Iota", nil, newProblem("a bool cannot count").WithHint("take an I32 and compare it"))
	}
	if err := checkType(ir.Type{DType: ir.DType(dtype), Shape: shape}); err != nil {
		return g.failAs("Iota", nil, err)
	}
	a, err := normalAxis(axis, len(shape))
	if err != nil {
		return g.failAs("Iota", nil, err)
	}
	n := shape[a]
	column := make([]int, len(shape)-a) // the shape of the count itself, with a 1 for each axis after it
	for i := range column {
		column[i] = 1
	}
	column[0] = n
	return g.count(dtype, n).Reshape(column...).broadcastTo(slices.Clone(shape))
}

// count is the constant 0, 1, ..., n-1, one for all that ask for it.
func (g *Graph) count(dtype DType, n int) *Value {
	key := fmt.Sprintf("count %v %d", dtype, n)
	v := g.consts[key]
	if v == nil {
		a := ir.NewArray(ir.Type{DType: ir.DType(dtype), Shape: []int{n}})
		for i := range n {
			a.SetInt(i, int64(i))
		}
		v = g.leaf(constOp{ir.Const{Array: a}}, a.Type)
		put(&g.consts, key, v)
	}
	return v
}

// Eye is the identity matrix of n rows. Equal to torch.eye.
//
// Shapes: [n n].
func (g *Graph) Eye(dtype DType, n int) *Value { return g.diagonalMask(n, n).Cast(dtype) }

// diagonalMask is true on the main diagonal.
func (g *Graph) diagonalMask(rows, cols int) *Value {
	return g.Iota(I32, 0, rows, cols).Eq(g.Iota(I32, 1, rows, cols))
}

// TrilMask is true on and below a diagonal: where column - row <= diagonal. The main diagonal is 0, the one above it 1, the
// one below it -1. With diagonal 0 it is the causal mask of attention: row i sees the columns up to i.
//
// Shapes: [rows cols], bool.
func (g *Graph) TrilMask(rows, cols, diagonal int) *Value {
	return g.Iota(I32, 1, rows, cols).Le(g.diagonal(rows, cols, diagonal))
}

// TriuMask is true on and above a diagonal: where column - row >= diagonal.
//
// Shapes: [rows cols], bool.
func (g *Graph) TriuMask(rows, cols, diagonal int) *Value {
	return g.Iota(I32, 1, rows, cols).Ge(g.diagonal(rows, cols, diagonal))
}

// diagonal is, everywhere in a row, the column in which the diagonal crosses it.
func (g *Graph) diagonal(rows, cols, diagonal int) *Value {
	within := min(max(diagonal, -rows), cols) // one farther out changes no mask, and might not be an I32
	return g.Iota(I32, 0, rows, cols).AddNum(float64(within))
}

// Tril is each matrix of the last two axes on and below a diagonal, and 0 above it: see Graph.TrilMask. Equal to torch.tril.
//
// Shapes: [... m n] -> [... m n].
func (v *Value) Tril(diagonal int) *Value { return v.triangle("Tril", (*Graph).TrilMask, diagonal) }

// Triu is each matrix of the last two axes on and above a diagonal, and 0 below it. Equal to torch.triu.
//
// Shapes: [... m n] -> [... m n].
func (v *Value) Triu(diagonal int) *Value { return v.triangle("Triu", (*Graph).TriuMask, diagonal) }

func (v *Value) triangle(name string, mask func(g *Graph, rows, cols, diagonal int) *Value, diagonal int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if v.Rank() < 2 {
		return v.graph.failAs(name, []*Value{v}, newProblem("the operand is %v and needs at least two axes", v.typ))
	}
	return mask(v.graph, v.Dim(-2), v.Dim(-1), diagonal).broadcastTo(v.typ.Shape).branch(v, v.zero())
}

// zero is the scalar 0 or false of v's dtype.
func (v *Value) zero() *Value { return v.home().scalar(Zeros(v.DType())) }

// OneHot returns, for each index, a row of depth elements that is 1 at the index and 0 elsewhere; all 0 if the index is out of
// range. Equal to torch.nn.functional.one_hot, in the dtype given.
//
// Shapes: [d...], I32 or I64 -> [d... depth].
func (v *Value) OneHot(depth int, dtype DType) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if err := irop.CheckIndexType(v.typ); err != nil {
		return v.graph.failAs("OneHot", []*Value{v}, err)
	}
	if depth < 0 {
		return v.graph.failAs("OneHot", []*Value{v}, newProblem("the depth %d is negative", depth))
	}
	shape := append(slices.Clone(v.typ.Shape), depth)
	if err := checkShape(shape); err != nil {
		return v.graph.failAs("OneHot", []*Value{v}, err)
	}
	return v.Unsqueeze(-1).broadcastTo(shape).Eq(v.graph.count(v.DType(), depth).broadcastTo(shape)).Cast(dtype)
}
