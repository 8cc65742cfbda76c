package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the matrix products: one op for all transposes, and the products of vectors. Einsum has a file of its own.

// matMulOp is a batched matrix product; a transposed operand has its last two axes swapped.
type matMulOp struct{ transA, transB bool }

func (op matMulOp) Name() string { return "MatMul" }
func (op matMulOp) Attrs() string {
	switch {
	case op.transA && op.transB:
		return "transposed both"
	case op.transA:
		return "transposed first"
	case op.transB:
		return "transposed second"
	}
	return ""
}
func (op matMulOp) Contracts() (bool, bool) { return op.transA, op.transB }

// sizes gives m, k of the first operand and k, n of the second, as they are multiplied.
func (op matMulOp) sizes(a, b []int) (m, ka, kb, n int) {
	m, ka = a[len(a)-2], a[len(a)-1]
	if op.transA {
		m, ka = ka, m
	}
	kb, n = b[len(b)-2], b[len(b)-1]
	if op.transB {
		kb, n = n, kb
	}
	return
}

func (op matMulOp) Infer(in []ir.Type) (ir.Type, error) {
	a, b := in[0].Shape, in[1].Shape
	for i, t := range in {
		if len(t.Shape) < 2 {
			return ir.Type{}, newProblem("operand %d is %s and needs at least two axes", i+1, ir.ShapeString(t.Shape)).
				WithHint("Unsqueeze makes a vector a matrix of one row or column")
		}
	}
	if in[0].DType != in[1].DType {
		return ir.Type{}, newProblem("operands are %v and %v", in[0].DType, in[1].DType).WithHint("Cast one of them")
	}
	if in[0].DType == ir.Bool {
		return ir.Type{}, newProblem("the operands are bool and should be numbers").WithHint("Cast them")
	}
	m, ka, kb, n := op.sizes(a, b)
	if ka != kb {
		p := newProblem("%s x %s: the inner sizes %d and %d differ (axis %d of the first, axis %d of the second)",
			ir.ShapeString(a), ir.ShapeString(b), ka, kb, len(a)-1-b2i(op.transA), len(b)-2+b2i(op.transB))
		if !op.transB && ka == n {
			p = p.WithHint("MatMulT multiplies by the transpose of the second operand")
		}
		return ir.Type{}, p
	}
	if !slices.Equal(a[:len(a)-2], b[:len(b)-2]) {
		return ir.Type{}, newProblem("%s x %s: the batch axes differ", ir.ShapeString(a), ir.ShapeString(b))
	}
	return ir.Type{DType: in[0].DType, Shape: append(slices.Clone(a[:len(a)-2]), m, n)}, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (op matMulOp) Eval(out ir.Array, in []ir.Array) {
	a, b := in[0], in[1]
	m, k, _, n := op.sizes(a.Shape, b.Shape)
	at := func(rows, cols, row, col int, transposed bool) int {
		if transposed {
			return col*rows + row
		}
		return row*cols + col
	}
	for batch := range ir.Size(out.Shape[:len(out.Shape)-2]) {
		for i := range m {
			for j := range n {
				var sum float64
				var whole int64
				for l := range k {
					x := batch*m*k + at(m, k, i, l, op.transA)
					y := batch*k*n + at(k, n, l, j, op.transB)
					if a.DType.Float() {
						sum += a.Float(x) * b.Float(y)
					} else {
						whole += a.Int(x) * b.Int(y)
					}
				}
				if a.DType.Float() {
					out.SetFloat((batch*m+i)*n+j, sum)
				} else {
					out.SetInt((batch*m+i)*n+j, whole)
				}
			}
		}
	}
}

// For C = A B: dA = dC Bᵀ and dB = Aᵀ dC; for transposed operands likewise, transposed.
func (op matMulOp) grad(y, dy *Value) []*Value {
	a, b, g := y.in[0], y.in[1], dy.graph
	var da, db *Value
	if op.transA {
		da = g.add(matMulOp{op.transB, true}, b, dy)
	} else {
		da = g.add(matMulOp{false, !op.transB}, dy, b)
	}
	if op.transB {
		db = g.add(matMulOp{true, op.transA}, dy, a)
	} else {
		db = g.add(matMulOp{!op.transA, false}, a, dy)
	}
	return []*Value{da, db}
}

// MatMul is the matrix product v o. Batch axes must be equal, or one operand has none: a matrix o multiplies every
// matrix of v, and a single matrix v multiplies every matrix of o. As in torch.matmul a vector stands for a row on the left
// and for a column on the right, which the result lacks: two vectors give their dot product.
//
// Shapes: [batch... m k], [batch... k n] -> [batch... m n]; [k], [batch... k n] -> [batch... n]; [batch... m k], [k] -> [batch... m];
// [k], [k] -> [].
func (v *Value) MatMul(o Operand) *Value {
	w := v.operand(o)
	if w == nil || v.failed || w.failed || v.Rank() > 1 && w.Rank() > 1 {
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
	w := v.operand(o)
	if w == nil || v.failed || w.failed {
		return v.graph.add(elementwiseOp{scalar.Mul}, v, w)
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
	w := v.operand(o)
	if w == nil || v.failed || w.failed {
		return v.graph.add(elementwiseOp{scalar.Mul}, v, w)
	}
	if v.Rank() != 1 || w.Rank() != 1 {
		return v.graph.failAs("Outer", []*Value{v, w}, newProblem("the operands have shapes %s and %s and should be vectors",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape)))
	}
	return v.Unsqueeze(1).Mul(w.Unsqueeze(0))
}

// Diagonal is the main diagonal of each matrix of the last two axes. It is a view: the elements n+1 apart in a matrix of n
// columns. Equal to torch.diagonal(dim1=-2, dim2=-1).
//
// Shapes: [... m n] -> [... min(m,n)].
func (v *Value) Diagonal() *Value {
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if v.Rank() < 2 {
		return v.graph.failAs("Diagonal", []*Value{v}, newProblem("the operand is %v and needs at least two axes", v.typ))
	}
	m, n := v.Dim(-2), v.Dim(-1)
	stop := 0
	if d := min(m, n); d > 0 {
		stop = (d-1)*(n+1) + 1
	}
	return v.Flatten(-2, -1).SliceStep(-1, 0, stop, n+1)
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

// MatMulT is the matrix product of v and the transpose of o, as in a linear layer whose weight is [out in].
//
// Shapes: [batch... m k], [batch... n k] -> [batch... m n].
func (v *Value) MatMulT(o Operand) *Value { return v.matMul(o, false, true) }

// TMatMul is the matrix product of the transpose of v and o.
//
// Shapes: [batch... k m], [batch... k n] -> [batch... m n].
func (v *Value) TMatMul(o Operand) *Value { return v.matMul(o, true, false) }

func (v *Value) matMul(o Operand, transA, transB bool) *Value {
	op, w := matMulOp{transA, transB}, v.operand(o)
	if w == nil || v.failed || w.failed || v.Rank() < 2 || w.Rank() < 2 || v.Rank() == w.Rank() {
		return v.graph.add(op, v, w)
	}
	// A bad inner size is reported on the operands as they are, before they are broadcast.
	m, ka, kb, n := op.sizes(v.typ.Shape, w.typ.Shape)
	if ka != kb || v.DType() != w.DType() {
		return v.graph.add(op, v, w)
	}
	switch {
	case w.Rank() == 2 && !transA:
		// One product of all rows.
		rows := v.Reshape(-1, ka)
		return v.graph.add(op, rows, w).Reshape(append(slices.Clone(v.typ.Shape[:v.Rank()-2]), m, n)...)
	case w.Rank() == 2:
		return v.graph.add(op, v, w.broadcastTo(append(slices.Clone(v.typ.Shape[:v.Rank()-2]), w.typ.Shape...)))
	case v.Rank() == 2:
		return v.graph.add(op, v.broadcastTo(append(slices.Clone(w.typ.Shape[:w.Rank()-2]), v.typ.Shape...)), w)
	}
	return v.graph.add(op, v, w)
}
