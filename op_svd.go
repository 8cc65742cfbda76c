package tarn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the singular values and vectors of matrices, the pseudoinverse and least squares.

// svdOp returns one matrix of min(m, n) columns: the left vectors as m rows, the values as one, and the right vectors as n rows.
type svdOp struct{ matrices }

func (svdOp) Name() string  { return "SVD" }
func (svdOp) Attrs() string { return "" }

func (svdOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkMatrix(in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[0].DType, Shape: append([]int{}, in[0].Shape...)}
	last := len(t.Shape) - 1
	m, n := t.Shape[last-1], t.Shape[last]
	t.Shape[last-1], t.Shape[last] = m+1+n, min(m, n)
	return t, nil
}

// Eval is Run: the vectors have no sign by definition, and two methods need not agree in it.
func (op svdOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (svdOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorSVD} }

func (op svdOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (svdOp) Work(out ir.Type, in []ir.Type) int {
	m, n := matrixSizes(in[0])
	return matrixWork(out, in) + factor.SVDWork(m, n)
}

func (svdOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	m, n := matrixSizes(in[0].Type)
	k := min(m, n)
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		factor.SVD(y[:m*k], y[m*k:(m+1)*k], y[(m+1)*k:], x[0], m, n, work)
	})
}

func matrixSizes(t ir.Type) (m, n int) { return t.Shape[len(t.Shape)-2], t.Shape[len(t.Shape)-1] }

// For a = u diag(s) v': da = u ((F o skew(u'du)) diag(s) + diag(s) (F o skew(v'dv)) + diag(ds)) v', with F_ij = 1/(s_j^2 - s_i^2) and
// skew(x) = x - x'. If u is not square the part of du that is orthogonal to u adds (du - u u'du) diag(1/s) v', and v alike. (Townsend
// 2016, Differentiating the singular value decomposition.) Equal values have no F_ij, and it is NaN. It is not needed if only the values are used.
func (svdOp) grad(y, dy *Value) []*Value {
	m, n := matrixSizes(y.in[0].typ)
	u, s, v := singular(y, m)
	if pad, ok := dy.op.(padOp); ok && pad.Axis == dy.Rank()-2 && pad.Before == m && dy.in[0].Dim(-2) == 1 {
		return []*Value{u.Mul(dy.in[0]).MatMulT(v)}
	}
	du, ds, dv := singular(dy, m)
	column := s.Transpose(-2, -1)
	apart := s.Sub(column).Mul(s.Add(column))
	diagonal := y.graph.diagonalMask(y.Dim(-1), y.Dim(-1)).broadcastTo(apart.typ.Shape)
	equal := apart.Eq(Num(0))
	f := diagonal.branch(Num(0), equal.branch(Num(math.NaN()), equal.branch(Num(1), apart).Reciprocal()))
	skew := func(x, dx *Value) *Value {
		p := x.TMatMul(dx)
		return p.Sub(p.Transpose(-2, -1)).Mul(f)
	}
	inner := skew(u, du).Mul(s).Add(skew(v, dv).Mul(column))
	inner = diagonal.branch(ds.broadcastTo(inner.typ.Shape), inner)
	da := u.MatMul(inner).MatMulT(v)
	zero := s.Eq(Num(0))
	reciprocal := zero.branch(Num(math.NaN()), zero.branch(Num(1), s).Reciprocal())
	across := func(x, dx *Value) *Value { return dx.Sub(x.MatMul(x.TMatMul(dx))).Mul(reciprocal) }
	switch {
	case m > n:
		da = da.Add(across(u, du).MatMulT(v))
	case m < n:
		da = da.Add(u.MatMulT(across(v, dv)))
	}
	return []*Value{da}
}

// singular takes the left vectors, the values as a row, and the right vectors out of what the op gives for a matrix of m rows.
func singular(y *Value, m int) (u, s, v *Value) {
	return y.Slice(-2, 0, m), y.Slice(-2, m, m+1), y.Slice(-2, m+1, y.Dim(-2))
}

// SVD factors each matrix of the last two axes as U diag(s) V', with the k = min(m, n) singular values s in descending order. The columns of U are
// orthonormal, and so are the rows of vt, V'. The signs of a pair of vectors are arbitrary, and so is the basis of a space of equal values. A matrix that is
// not finite returns NaN. The gradient of a function of the values alone is right everywhere. The gradient with respect to the vectors is
// that of functions for which the signs do not matter. It has a part for each pair of values, which is divided by the difference of their squares, and if
// the matrix is not square one divided by the values: it is NaN if two values are equal or, if the matrix is not square, one is 0, as in PyTorch, and
// so are second derivatives, those of functions of the values included. Equal to torch.linalg.svd with full_matrices=False.
//
// Shapes: [... m n] -> [... m k], [... k], [... k n].
func (v *Value) SVD() (u, s, vt *Value) {
	v = v.orLost()
	y := v.graph.add(svdOp{}, v)
	if y.failed {
		return y, y, y
	}
	u, s, right := singular(y, v.Dim(-2))
	return u, s.Squeeze(-2), right.Transpose(-2, -1)
}

// rtolOf checks a tolerance relative to the largest singular value. 0 stands for max(m, n) times the distance from 1 to the next
// number of the dtype.
func rtolOf(rtol float64, t ir.Type) (float64, error) {
	switch {
	case !(rtol >= 0 && rtol < 1):
		return 0, newProblem("the tolerance is %v and should be at least 0 and below 1", rtol)
	case rtol > 0:
		return rtol, nil
	}
	unit := 0x1p-52
	if t.DType == ir.F32 {
		unit = 0x1p-23
	}
	return unit * float64(max(matrixSizes(t))), nil
}

// pseudoinverseOp is the pseudoinverse.
type pseudoinverseOp struct {
	matrices
	rtol float64
}

func (pseudoinverseOp) Name() string     { return "Pinv" }
func (op pseudoinverseOp) Attrs() string { return fmt.Sprintf("rtol=%g", op.rtol) }

func (op pseudoinverseOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkMatrix(in[0]); err != nil {
		return ir.Type{}, err
	}
	if _, err := rtolOf(op.rtol, in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[0].DType, Shape: append([]int{}, in[0].Shape...)}
	last := len(t.Shape) - 1
	t.Shape[last-1], t.Shape[last] = t.Shape[last], t.Shape[last-1]
	return t, nil
}

// Eval is Run: which values count as 0 is up to rounding, and two methods need not agree in it.
func (op pseudoinverseOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (op pseudoinverseOp) Factors() ir.FactorForm {
	return ir.FactorForm{Kind: ir.FactorPseudoinverse, RTol: op.rtol}
}

func (op pseudoinverseOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (pseudoinverseOp) Work(out ir.Type, in []ir.Type) int {
	m, n := matrixSizes(in[0])
	return matrixWork(out, in) + factor.PseudoinverseWork(m, n, 0)
}

func (op pseudoinverseOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	m, n := matrixSizes(in[0].Type)
	rtol, _ := rtolOf(op.rtol, in[0].Type)
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		factor.Pseudoinverse(y, x[0], m, n, rtol, work)
	})
}

// For y = a^+ of constant rank: da = -y'dy y' + (1 - a y) dy' y y' + y'y dy' (1 - y a). (Golub and Pereyra 1973.) The products are
// ordered such that none is larger than a.
func (pseudoinverseOp) grad(y, dy *Value) []*Value {
	a := y.in[0]
	m, n := matrixSizes(a.typ)
	da := y.TMatMul(dy).MatMulT(y).Neg()
	if m >= n {
		rows := dy.TMatMul(y.MatMulT(y)) // m by n, of n by n
		columns := y.TMatMul(y.MatMulT(dy))
		return []*Value{da.Add(rows.Sub(a.MatMul(y.MatMul(rows)))).Add(columns.Sub(columns.MatMul(y.MatMul(a))))}
	}
	rows := dy.TMatMul(y).MatMulT(y)
	columns := y.TMatMul(y).MatMulT(dy)
	return []*Value{da.Add(rows.Sub(a.MatMul(y).MatMul(rows))).Add(columns.Sub(columns.MatMul(y).MatMul(a)))}
}

// Pinv returns the pseudoinverse of each matrix of the last two axes, by its singular values. Those up to rtol times the largest count as 0; an rtol
// of 0 means max(m, n) times the distance from 1 to the next number of the dtype. A matrix that is not finite returns NaN. The gradient, of any order,
// is right as long as the rank does not change nearby. Equal to torch.linalg.pinv(v, rtol=rtol).
//
// Shapes: [... m n] -> [... n m].
func (v *Value) Pinv(rtol float64) *Value { return v.home().add(pseudoinverseOp{rtol: rtol}, v) }

// leastSquaresOp is the pseudoinverse of the first operand times the second, without forming the pseudoinverse.
type leastSquaresOp struct {
	matrices
	rtol float64
}

func (leastSquaresOp) Name() string     { return "LstSq" }
func (op leastSquaresOp) Attrs() string { return fmt.Sprintf("rtol=%g", op.rtol) }

func (op leastSquaresOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkMatrix(in[0]); err != nil {
		return ir.Type{}, err
	}
	if err := checkSides(in[0], in[1]); err != nil {
		return ir.Type{}, err
	}
	if _, err := rtolOf(op.rtol, in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[1].DType, Shape: append([]int{}, in[1].Shape...)}
	t.Shape[len(t.Shape)-2] = in[0].Shape[len(t.Shape)-1]
	return t, nil
}

// Eval is Run, as for the pseudoinverse.
func (op leastSquaresOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (op leastSquaresOp) Factors() ir.FactorForm {
	return ir.FactorForm{Kind: ir.FactorPseudoinverse, RTol: op.rtol}
}

func (op leastSquaresOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (leastSquaresOp) Work(out ir.Type, in []ir.Type) int {
	m, n := matrixSizes(in[0])
	return matrixWork(out, in) + factor.PseudoinverseWork(m, n, out.Shape[len(out.Shape)-1])
}

func (op leastSquaresOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	m, n := matrixSizes(in[0].Type)
	columns := out.Shape[len(out.Shape)-1]
	rtol, _ := rtolOf(op.rtol, in[0].Type)
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		factor.LeastSquares(y, x[0], x[1], m, n, columns, rtol, work)
	})
}

// For x = p b with the pseudoinverse p of a: db = p'dx, and da is that of p for the gradient dx b', of which only products with few columns are
// formed: da = -db x' + (b - a x)(p db)' + (p'x)(dx - a'db)'.
func (op leastSquaresOp) grad(x, dx *Value) []*Value {
	a, b := x.in[0], x.in[1]
	p := a.Pinv(op.rtol)
	db := p.TMatMul(dx)
	da := b.Sub(a.MatMul(x)).MatMulT(p.MatMul(db)).Sub(db.MatMulT(x))
	return []*Value{da.Add(p.TMatMul(x).MatMulT(dx.Sub(a.TMatMul(db)))), db}
}

// LstSq returns the X that makes v X - o shortest, for each matrix of the last two axes and each column of o, and of several the shortest. It is
// found by the singular values of v, of which those up to rtol times the largest count as 0, as in Pinv; v may have more columns than rows, and any
// rank. A matrix that is not finite returns NaN. The gradient, of any order, is right as long as the rank does not change nearby. Equal to the
// solution of torch.linalg.lstsq(v, o, rcond=rtol, driver="gelsd").
//
// Shapes: [... m n], [... m k] -> [... n k].
func (v *Value) LstSq(o Operand, rtol float64) *Value {
	return v.home().add(leastSquaresOp{rtol: rtol}, v, v.operand(o))
}
