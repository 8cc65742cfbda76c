package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the Cholesky factorization, what is solved with it, and the solution of triangular systems.

// choleskyOp is the lower triangular l of a symmetric positive definite a = l l'.
type choleskyOp struct{ matrices }

func (choleskyOp) Name() string  { return "Cholesky" }
func (choleskyOp) Attrs() string { return "" }

func (choleskyOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], checkSquare(in[0]) }

// Eval goes by the definition, column by column: a_ij = sum over k <= j of l_ik l_jk.
func (choleskyOp) Eval(out ir.Array, in []ir.Array) {
	n := out.Shape[len(out.Shape)-1]
	eachMatrix(out, in, func(l []float64, x [3][]float64) {
		a := x[0]
		symmetrize(a, n)
		clear(l)
		for j := range n {
			for i := j; i < n; i++ {
				sum := a[i*n+j]
				for k := range j {
					sum -= l[i*n+k] * l[j*n+k]
				}
				switch {
				case i > j:
					l[i*n+j] = sum / l[j*n+j]
				case sum > 0 && !math.IsInf(sum, 1):
					l[j*n+j] = math.Sqrt(sum)
				default:
					for k := range l {
						l[k] = math.NaN()
					}
					return
				}
			}
		}
	})
}

func (choleskyOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorCholesky} }

func (op choleskyOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (choleskyOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(l []float64, x [3][]float64, work []float64) {
		copy(l, x[0])
		symmetrize(l, n)
		factor.Cholesky(l, n)
	})
}

// With P = l' dl on and below the diagonal, halved on it, da is the symmetric part of l^-T P l^-1. (Murray 2016,
// Differentiation of the Cholesky decomposition.)
func (choleskyOp) grad(l, dl *Value) []*Value {
	p := l.TMatMul(dl)
	p = p.Tril(0).Add(p.Tril(-1)).Scale(0.5).symmetric()
	half := l.SolveTriangular(p, false, true)
	return []*Value{l.SolveTriangular(half.Transpose(-2, -1), false, true)}
}

// Cholesky is the lower triangular L with L L' = v, of each symmetric positive definite matrix of the last two axes. A matrix
// that is not positive definite gives NaN. If a matrix is not symmetric, its symmetric part is used, as in JAX and unlike
// PyTorch, which reads one triangle, and the gradient is symmetric. Equal to torch.linalg.cholesky.
//
// Shapes: [... n n] -> [... n n].
func (v *Value) Cholesky() *Value { return v.home().add(choleskyOp{}, v) }

// CholeskySolve returns the solution X of A X = o if v is the Cholesky factor of A. Only the lower triangle of v is read. Equal to
// torch.cholesky_solve(o, v).
//
// Shapes: [... n n], [... n k] -> [... n k].
func (v *Value) CholeskySolve(o Operand) *Value {
	return v.SolveTriangular(v.SolveTriangular(o, false, false), false, true)
}

// LogDet returns the logarithm of the determinant of each symmetric positive definite matrix of the last two axes, by its Cholesky factor:
// twice the sum of the logarithms of the diagonal. It is NaN where Cholesky is, and also if the matrix is not symmetric: if two elements that should
// be equal differ by more than a thousandth of the largest. Equal to torch.logdet of symmetric positive definite matrices.
//
// Shapes: [... n n] -> [...].
func (v *Value) LogDet() *Value {
	d := v.Cholesky().Diagonal()
	if d.failed {
		return d
	}
	lopsided := v.Sub(v.Transpose(-2, -1)).Abs().Max(-2, -1).Gt(v.Abs().Max(-2, -1).Scale(symmetryTolerance))
	return lopsided.branch(Num(math.NaN()), d.Log().Sum(-1).Scale(2))
}

// symmetryTolerance is the difference, relative to the largest element, above which a matrix is not taken for symmetric up to rounding.
const symmetryTolerance = 1e-3

// triangularOp solves t x = b or t' x = b, where t is one triangle of the first operand.
type triangularOp struct {
	matrices
	upper, transposed bool
}

func (triangularOp) Name() string { return "SolveTriangular" }
func (op triangularOp) Attrs() string {
	name := "lower"
	if op.upper {
		name = "upper"
	}
	if op.transposed {
		name += " transposed"
	}
	return name
}

func (triangularOp) Infer(in []ir.Type) (ir.Type, error) { return checkSystem(in) }

// Eval substitutes one row after the other, from the one that has a single unknown.
func (op triangularOp) Eval(out ir.Array, in []ir.Array) {
	n, k := out.Shape[len(out.Shape)-2], out.Shape[len(out.Shape)-1]
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		a, b := x[0], x[1]
		t := func(i, j int) float64 {
			if op.transposed {
				i, j = j, i
			}
			return a[i*n+j]
		}
		for c := range k {
			for step := range n {
				i, known := step, 0 // the rows from known to before known + step have been solved for
				if op.upper != op.transposed {
					i = n - 1 - step
					known = i + 1
				}
				sum := b[i*k+c]
				for j := known; j < known+step; j++ {
					sum -= t(i, j) * y[j*k+c]
				}
				y[i*k+c] = sum / t(i, i)
			}
		}
	})
}

func (op triangularOp) Factors() ir.FactorForm {
	return ir.FactorForm{Kind: ir.FactorTriangular, Upper: op.upper, Transposed: op.transposed}
}

func (op triangularOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (op triangularOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n, k := out.Shape[len(out.Shape)-2], out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[1])
		factor.SolveTriangular(x[0], y, n, k, op.upper, op.transposed)
	})
}

// For t x = b: db = t^-T dx and dt = -db x', of which only the triangle counts.
func (op triangularOp) grad(x, dx *Value) []*Value {
	a := x.in[0]
	db := a.SolveTriangular(dx, op.upper, !op.transposed)
	da := db.MatMulT(x)
	if op.transposed {
		da = x.MatMulT(db)
	}
	if op.upper {
		da = da.Triu(0)
	} else {
		da = da.Tril(0)
	}
	return []*Value{da.Neg(), db}
}

// SolveTriangular is the solution X of T X = o, or of T' X = o if transposed is true. T is the upper or the lower triangle of v
// with its diagonal; the other triangle is not read. A zero on the diagonal gives infinities or NaN. Equal to
// torch.linalg.solve_triangular(v, o, upper=upper), and of v.mT with the other triangle where transposed.
//
// Shapes: [... n n], [... n k] -> [... n k].
func (v *Value) SolveTriangular(o Operand, upper, transposed bool) *Value {
	v = v.orLost()
	return v.graph.add(triangularOp{upper: upper, transposed: transposed}, v, v.operand(o))
}
