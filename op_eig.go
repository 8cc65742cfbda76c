package tarn

import (
	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the eigenvalues and eigenvectors of symmetric matrices.

// eigHOp gives a matrix of n+1 rows: the first holds the eigenvalues in ascending order, the others the eigenvectors as columns.
type eigHOp struct{ matrices }

func (eigHOp) Name() string  { return "EigH" }
func (eigHOp) Attrs() string { return "" }

func (eigHOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkSquare(in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[0].DType, Shape: append([]int{}, in[0].Shape...)}
	t.Shape[len(t.Shape)-2]++
	return t, nil
}

// Eval is Run: the vectors have no sign by definition, and two methods need not agree in it.
func (op eigHOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (op eigHOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (eigHOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.EigHWork(out.Shape[len(out.Shape)-1])
}

func (eigHOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [2][]float64, work []float64) {
		copy(y[n:], x[0])
		symmetrize(y[n:], n)
		factor.EigH(y[:n], y[n:], n, work)
	})
}

// For a = v diag(w) v': da = v (diag(dw) + F o (v' dv)) v', of that the symmetric part, with F_ij = 1/(w_j - w_i), and 0 where that has no
// value. (Giles 2008, An extended collection of matrix derivative results, section 3.1.)
func (op eigHOp) grad(y, dy *Value) []*Value {
	w, v := y.eigenvalues(), y.eigenvectors()
	dw, dv := dy.eigenvalues(), dy.eigenvectors()
	apart := w.Sub(w.Transpose(-2, -1))
	equal := apart.Eq(Num(0))
	f := equal.branch(w.zero(), equal.branch(w.Num(1), apart).Reciprocal())
	inner := v.TMatMul(dv).Mul(f).symmetric()
	inner = y.graph.diagonalMask(w.Dim(-1), w.Dim(-1)).broadcastTo(inner.typ.Shape).branch(dw.broadcastTo(inner.typ.Shape), inner)
	return []*Value{v.MatMul(inner).MatMulT(v)}
}

// eigenvalues is the first row of what the op gives.
func (y *Value) eigenvalues() *Value { return y.Slice(-2, 0, 1) }

// eigenvectors are its other rows.
func (y *Value) eigenvectors() *Value { return y.Slice(-2, 1, y.Dim(-2)) }

// EigH gives the eigenvalues of each symmetric matrix of the last two axes in ascending order, and its eigenvectors, the columns
// of an orthogonal matrix V with v = V diag(values) V'. The sign of a vector is any, and so is the basis of a space of equal
// eigenvalues. Of a matrix that is not symmetric it takes the symmetric part, as JAX does and PyTorch does not, and the
// gradient is symmetric. A matrix that is not finite gives NaN. The gradient by the vectors has a part for each pair of eigenvalues, which
// is divided by their difference; the part of equal ones is left out, where PyTorch has NaN, so that functions of the values alone
// have the right gradient everywhere, and functions of the vectors where the eigenvalues differ.
// Equal to torch.linalg.eigh.
//
// Shapes: [... n n] -> [... n], [... n n].
func (v *Value) EigH() (values, vectors *Value) {
	v = v.orLost()
	y := v.graph.add(eigHOp{}, v)
	if y.failed {
		return y, y
	}
	return y.eigenvalues().Squeeze(-2), y.eigenvectors()
}
