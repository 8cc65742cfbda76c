package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the eigenvalues and eigenvectors of symmetric matrices.

// eigHOp returns a matrix of n+1 rows: the first holds the eigenvalues in ascending order, the others the eigenvectors as columns.
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

func (eigHOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorEigH} }

func (op eigHOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (eigHOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.EigHWork(out.Shape[len(out.Shape)-1])
}

func (eigHOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y[n:], x[0])
		symmetrize(y[n:], n)
		factor.EigH(y[:n], y[n:], n, work)
	})
}

// For a = v diag(w) v': da = v (diag(dw) + F o (v' dv)) v', of that the symmetric part, with F_ij = 1/(w_j - w_i). (Giles 2008, An extended
// collection of matrix derivative results, section 3.1.) Equal eigenvalues have no F_ij, and it is NaN. It is not needed if only the values are used.
func (op eigHOp) grad(y, dy *Value) []*Value {
	w, v := y.eigenvalues(), y.eigenvectors()
	if dw := dy.eigenvaluesAlone(); dw != nil {
		return []*Value{v.Mul(dw).MatMulT(v)}
	}
	dw, dv := dy.eigenvalues(), dy.eigenvectors()
	apart := w.Sub(w.Transpose(-2, -1))
	diagonal := y.graph.diagonalMask(w.Dim(-1), w.Dim(-1)).broadcastTo(apart.typ.Shape)
	equal := apart.Eq(Num(0))
	f := diagonal.branch(Num(0), equal.branch(Num(math.NaN()), equal.branch(Num(1), apart).Reciprocal()))
	inner := v.TMatMul(dv).Mul(f).symmetric()
	inner = diagonal.branch(dw.broadcastTo(inner.typ.Shape), inner)
	return []*Value{v.MatMul(inner).MatMulT(v)}
}

// eigenvaluesAlone is the gradient with respect to the eigenvalues if dy is one of these alone, and nil if it may have a part of the eigenvectors.
func (dy *Value) eigenvaluesAlone() *Value {
	if pad, ok := dy.op.(padOp); ok && pad.Axis == dy.Rank()-2 && pad.Before == 0 && dy.in[0].Dim(-2) == 1 {
		return dy.in[0]
	}
	return nil
}

// eigenvalues is the first row of what the op gives.
func (y *Value) eigenvalues() *Value { return y.Slice(-2, 0, 1) }

// eigenvectors are its other rows.
func (y *Value) eigenvectors() *Value { return y.Slice(-2, 1, y.Dim(-2)) }

// EigH returns the eigenvalues of each symmetric matrix of the last two axes in ascending order, and its eigenvectors, the columns of an
// orthogonal matrix V with v = V diag(values) V'. The sign of a vector is arbitrary, and so is the basis of a space of equal eigenvalues. If a
// matrix is not symmetric, its symmetric part is used, as in JAX and unlike PyTorch, which reads one triangle, and the gradient is symmetric.
// A matrix that is not finite returns NaN. The gradient of a function of the values alone is right everywhere. The gradient with respect to
// the vectors has a part for each pair of eigenvalues, which is divided by their difference: it is NaN if two are equal, as in PyTorch, and so
// are second derivatives, those of functions of the values included. Equal to torch.linalg.eigh.
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
