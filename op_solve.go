package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the inverse of general matrices and the solution of linear systems, by elimination with pivots.

// inverseOp is the inverse.
type inverseOp struct{ matrices }

func (inverseOp) Name() string  { return "Inverse" }
func (inverseOp) Attrs() string { return "" }

func (inverseOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], checkSquare(in[0]) }

func (op inverseOp) Eval(out ir.Array, in []ir.Array) {
	n := out.Shape[len(out.Shape)-1]
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		clear(y)
		for i := range n {
			y[i*n+i] = 1
		}
		eliminate(x[0], y, n, n)
	})
}

// eliminate makes the matrix a, of n rows, the identity by adding rows to one another, the row with the largest element in a
// column first, and does the same to b, of k columns.
func eliminate(a, b []float64, n, k int) {
	for j := range n {
		pivot := j
		for i := j; i < n; i++ {
			if math.Abs(a[i*n+j]) > math.Abs(a[pivot*n+j]) {
				pivot = i
			}
		}
		scale := 1 / a[pivot*n+j]
		if a[pivot*n+j] == 0 {
			scale = math.NaN()
		}
		swap := func(x []float64, columns int) {
			top := x[j*columns : (j+1)*columns]
			for c, v := range x[pivot*columns : (pivot+1)*columns] {
				top[c], x[pivot*columns+c] = v, top[c]
			}
		}
		swap(a, n)
		swap(b, k)
		for i := range n {
			if i == j {
				continue
			}
			times := a[i*n+j] * scale
			for c := range n {
				a[i*n+c] -= times * a[j*n+c]
			}
			for c := range k {
				b[i*k+c] -= times * b[j*k+c]
			}
		}
		for c := range n {
			a[j*n+c] *= scale
		}
		for c := range k {
			b[j*k+c] *= scale
		}
	}
}

func (inverseOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorInverse} }

func (op inverseOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (inverseOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.InverseWork(out.Shape[len(out.Shape)-1])
}

func (inverseOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[0])
		factor.Inverse(y, n, work)
	})
}

// For y = a^-1: da = -y' dy y'.
func (inverseOp) grad(y, dy *Value) []*Value { return []*Value{y.TMatMul(dy).MatMulT(y).Neg()} }

// Inverse is the inverse of each matrix of the last two axes. A singular matrix gives NaN. To multiply by an inverse Solve
// is quicker and more exact. Equal to torch.linalg.inv.
//
// Shapes: [... n n] -> [... n n].
func (v *Value) Inverse() *Value { return v.home().add(inverseOp{}, v) }

// solveOp solves a x = b, or a' x = b.
type solveOp struct {
	matrices
	transposed bool
}

func (solveOp) Name() string { return "Solve" }
func (op solveOp) Attrs() string {
	if op.transposed {
		return "transposed"
	}
	return ""
}

func (solveOp) Infer(in []ir.Type) (ir.Type, error) { return checkSystem(in) }

func (op solveOp) Eval(out ir.Array, in []ir.Array) {
	n, k := out.Shape[len(out.Shape)-2], out.Shape[len(out.Shape)-1]
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		a := x[0]
		if op.transposed {
			for i := range n {
				for j := range i {
					a[i*n+j], a[j*n+i] = a[j*n+i], a[i*n+j]
				}
			}
		}
		copy(y, x[1])
		eliminate(a, y, n, k)
	})
}

func (op solveOp) Factors() ir.FactorForm {
	return ir.FactorForm{Kind: ir.FactorSolve, Transposed: op.transposed}
}

func (op solveOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (solveOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.SolveWork(out.Shape[len(out.Shape)-2])
}

func (op solveOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n, k := out.Shape[len(out.Shape)-2], out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[1])
		factor.Solve(x[0], y, n, k, op.transposed, work)
	})
}

// For a x = b: db = a^-T dx and da = -db x'.
func (op solveOp) grad(x, dx *Value) []*Value {
	db := x.graph.add(solveOp{transposed: !op.transposed}, x.in[0], dx)
	if op.transposed {
		return []*Value{x.MatMulT(db).Neg(), db}
	}
	return []*Value{db.MatMulT(x).Neg(), db}
}

// Solve is the solution X of v X = o, of each matrix of the last two axes. A singular matrix gives NaN. A symmetric positive
// definite one is solved in half the time by Cholesky and CholeskySolve. Equal to torch.linalg.solve.
//
// Shapes: [... n n], [... n k] -> [... n k].
func (v *Value) Solve(o Operand) *Value { return v.home().add(solveOp{}, v, v.operand(o)) }
