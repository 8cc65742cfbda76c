package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the matrix products: one op for all transposes, and the products of vectors. Einsum has its own file.

// matMulOp is a batched matrix product; a transposed operand has its last two axes swapped.
type matMulOp struct{ irop.MatMul }

func matMul(transA, transB bool, at ir.Precision) matMulOp {
	return matMulOp{irop.MatMul{TransA: transA, TransB: transB, At: at}}
}

// For C = A B: dA = dC Bᵀ and dB = Aᵀ dC; for transposed operands likewise, transposed.
func (op matMulOp) grad(y, dy *Value) []*Value {
	a, b, g := y.in[0], y.in[1], dy.graph
	var da, db *Value
	if op.TransA {
		da = g.add(matMul(op.TransB, true, op.At), b, dy)
	} else {
		da = g.add(matMul(false, !op.TransB, op.At), dy, b)
	}
	if op.TransB {
		db = g.add(matMul(true, op.TransA, op.At), dy, a)
	} else {
		db = g.add(matMul(!op.TransA, false, op.At), a, dy)
	}
	return []*Value{da, db}
}

// MatMul is the matrix product v o. Batch axes are aligned at the last of them, and each has equal sizes or a 1, or is lacking in one operand: a
// matrix o multiplies every matrix of v, and a single matrix v multiplies every matrix of o. A vector stands for a row on the left
// and for a column on the right, which the result lacks: two vectors give their dot product. Equal to torch.matmul.
//
// Shapes: [batch... m k], [batch... k n] -> [batch... m n]; [k], [batch... k n] -> [batch... n]; [batch... m k], [k] -> [batch... m];
// [k], [k] -> [].
func (v *Value) MatMul(o Operand) *Value {
	v = v.orLost()
	w := v.operand(o)
	if !w.exists() || v.failed || w.failed || v.Rank() > 1 && w.Rank() > 1 {
		return v.matMul(o, false, false)
	}
	in := []*Value{v, w}
	if v.Rank() == 0 || w.Rank() == 0 {
		return v.graph.fail(matMulOp{}, in, newProblem("%s x %s: a scalar has no axis to sum over", ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape)).
			WithHint("Mul or Scale multiplies by a scalar"))
	}
	if a, b := v.Dim(-1), w.Dim(max(w.Rank()-2, 0)); a != b {
		return v.graph.fail(matMulOp{}, in, newProblem("%s x %s: the inner sizes %d and %d differ (axis %d of the first, axis %d of the second)",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape), a, b, v.Rank()-1, max(w.Rank()-2, 0)))
	}
	row, column := v.Rank() == 1, w.Rank() == 1
	switch {
	case row && column:
		return v.Dot(w)
	case row:
		return v.Unsqueeze(0).matMul(w, false, false).Squeeze(-2)
	}
	return v.matMul(w.Unsqueeze(1), false, false).Squeeze(-1)
}

// Dot is the sum of the products of the elements of two vectors. Equal to torch.dot.
//
// Shapes: [k], [k] -> [].
func (v *Value) Dot(o Operand) *Value {
	v = v.orLost()
	w := v.operand(o)
	if !w.exists() || v.failed || w.failed {
		return v.graph.add(elementwise(scalar.Mul), v, w)
	}
	if v.Rank() != 1 || w.Rank() != 1 || v.Size() != w.Size() {
		return v.graph.failAs("Dot", []*Value{v, w}, newProblem("the operands have shapes %s and %s and should be vectors of one size",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape)))
	}
	return v.Mul(w).Sum()
}

// Outer is the product of each element of v with each element of o. Equal to torch.outer.
//
// Shapes: [m], [n] -> [m n].
func (v *Value) Outer(o Operand) *Value {
	v = v.orLost()
	w := v.operand(o)
	if !w.exists() || v.failed || w.failed {
		return v.graph.add(elementwise(scalar.Mul), v, w)
	}
	if v.Rank() != 1 || w.Rank() != 1 {
		return v.graph.failAs("Outer", []*Value{v, w}, newProblem("the operands have shapes %s and %s and should be vectors",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape)))
	}
	return v.Unsqueeze(1).Mul(w.Unsqueeze(0))
}

// MatMulT is the matrix product of v and the transpose of o, as in a linear layer whose weight is [out in].
//
// Shapes: [batch... m k], [batch... n k] -> [batch... m n].
func (v *Value) MatMulT(o Operand) *Value { return v.matMul(o, false, true) }

// TMatMul is the matrix product of the transpose of v and o.
//
// Shapes: [batch... k m], [batch... k n] -> [batch... m n].
func (v *Value) TMatMul(o Operand) *Value { return v.matMul(o, true, false) }

func (v *Value) matMul(o Operand, transA, transB bool) *Value {
	v = v.orLost()
	op, w := matMul(transA, transB, v.precision()), v.operand(o)
	if !w.exists() || v.failed || w.failed || v.Rank() < 2 || w.Rank() < 2 {
		return v.graph.add(op, v, w)
	}
	a, b := v.typ.Shape[:v.Rank()-2], w.typ.Shape[:w.Rank()-2]
	// A bad inner size is reported on the operands as they are, before they are broadcast.
	m, ka, kb, n := op.Sizes(v.typ.Shape, w.typ.Shape)
	if slices.Equal(a, b) || ka != kb || v.DType() != w.DType() {
		return v.graph.add(op, v, w)
	}
	batch, err := broadcastShape(ranked(a, len(b)), ranked(b, len(a)))
	if err != nil {
		return v.graph.fail(op, []*Value{v, w}, newProblem("the batch axes %s and %s of %s x %s do not go together",
			ir.ShapeString(a), ir.ShapeString(b), ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape)))
	}
	if ir.Size(b) == 1 && !transA && len(a) >= len(b) {
		// One product of all rows.
		return v.graph.add(op, v.Reshape(ir.Size(a)*m, ka), w.Reshape(w.typ.Shape[len(b):]...)).Reshape(append(slices.Clone(batch), m, n)...)
	}
	wide := func(x *Value) *Value { return x.broadcastTo(append(slices.Clone(batch), x.typ.Shape[x.Rank()-2:]...)) }
	return v.graph.add(op, wide(v), wide(w))
}
