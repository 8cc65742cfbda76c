package tarn

import (
	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the QR factorization.

// qrOp returns both factors as one matrix: of a matrix with more columns than rows side by side, else the second below the first.
type qrOp struct{ matrices }

func (qrOp) Name() string  { return "QR" }
func (qrOp) Attrs() string { return "" }

func (qrOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkMatrix(in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[0].DType, Shape: append([]int{}, in[0].Shape...)}
	last := len(t.Shape) - 1
	if m, n := t.Shape[last-1], t.Shape[last]; m < n {
		t.Shape[last] += m
	} else {
		t.Shape[last-1] += n
	}
	return t, nil
}

// Eval is Run: the signs of the columns are any by definition, and two methods need not agree in them.
func (op qrOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (qrOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorQR} }

func (op qrOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (qrOp) Work(out ir.Type, in []ir.Type) int {
	shape := in[0].Shape
	m, n := shape[len(shape)-2], shape[len(shape)-1]
	work := matrixWork(out, in) + factor.QRWork(m, n)
	if m < n {
		work += m*m + m*n
	}
	return work
}

func (qrOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	shape := in[0].Shape
	m, n := shape[len(shape)-2], shape[len(shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		if m >= n {
			factor.QR(y[:m*n], y[m*n:], x[0], m, n, work)
			return
		}
		q, r := work[:m*m], work[m*m:m*(m+n)]
		factor.QR(q, r, x[0], m, n, work[m*(m+n):])
		for i := range m {
			copy(y[i*(m+n):], q[i*m:(i+1)*m])
			copy(y[i*(m+n)+m:], r[i*n:(i+1)*n])
		}
	})
}

// For a = q r with as many columns as rows or fewer, M = r dr' - dq' q, and C(M) the symmetric matrix with M on and below its
// diagonal: da = (dq + q C(M)) r^-T. Columns beyond are q' a in r, so that they add to dq: for a = [x y] and r = [u w], dq grows by
// y dw', and dy = q dw. (Roberts and Roberts 2020, QR and LQ decomposition matrix backpropagation algorithms for square, wide, and
// deep matrices.)
func (op qrOp) grad(y, dy *Value) []*Value {
	a := y.in[0]
	m, n := a.Dim(-2), a.Dim(-1)
	q, r := op.factors(y, m, n)
	dq, dr := op.factors(dy, m, n)
	var beyond *Value
	if m < n {
		dw := dr.Slice(-1, m, n)
		dq = dq.Add(a.Slice(-1, m, n).MatMulT(dw))
		r, dr = r.Slice(-1, 0, m), dr.Slice(-1, 0, m)
		beyond = q.MatMul(dw)
	}
	c := r.MatMulT(dr).Sub(dq.TMatMul(q))
	c = c.Tril(0).Add(c.Tril(-1).Transpose(-2, -1))
	da := r.SolveTriangular(dq.Add(q.MatMul(c)).Transpose(-2, -1), true, false).Transpose(-2, -1)
	if beyond != nil {
		da = Concat(-1, da, beyond)
	}
	return []*Value{da}
}

// factors takes q and r out of what the op gives for a matrix of m rows and n columns.
func (qrOp) factors(y *Value, m, n int) (q, r *Value) {
	if m < n {
		return y.Slice(-1, 0, m), y.Slice(-1, m, m+n)
	}
	return y.Slice(-2, 0, m), y.Slice(-2, m, m+n)
}

// QR factors each matrix of the last two axes as Q R: the columns of Q are orthonormal and R is upper triangular. The signs are
// those of Householder's reflections, as in LAPACK. A matrix that is not finite gives NaN. The gradient needs the first
// min(m, n) columns to be independent. Equal to torch.linalg.qr.
//
// Shapes: [... m n] -> [... m min(m,n)], [... min(m,n) n].
func (v *Value) QR() (q, r *Value) {
	v = v.orLost()
	op := qrOp{}
	y := v.graph.add(op, v)
	if y.failed {
		return y, y
	}
	return op.factors(y, v.Dim(-2), v.Dim(-1))
}
