package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds functions of square matrices, powers, exponential and square root, and Sylvester's equation, which the derivative of
// the root solves.

// MatrixPower returns the nth power of each matrix of the last two axes, of the inverse if n is negative, by squaring. The power 0 is the identity.
// Equal to torch.linalg.matrix_power.
//
// Shapes: [... n n] -> [... n n].
func (v *Value) MatrixPower(n int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if err := checkSquare(v.typ); err != nil {
		return v.graph.failAs("MatrixPower", []*Value{v}, err)
	}
	defer v.exactly()()
	left, square := uint(n), v
	if n < 0 {
		left, square = -left, v.Inverse()
	}
	var power *Value
	for ; left > 0; left /= 2 {
		switch {
		case left%2 == 0:
		case power == nil:
			power = square
		default:
			power = power.MatMul(square)
		}
		if left > 1 {
			square = square.MatMul(square)
		}
	}
	if power == nil {
		return v.graph.Eye(v.DType(), v.Dim(-1)).broadcastTo(v.typ.Shape)
	}
	return power
}

// matrixExpOp is the exponential of square matrices.
type matrixExpOp struct{ matrices }

func (matrixExpOp) Name() string  { return "MatrixExp" }
func (matrixExpOp) Attrs() string { return "" }

func (matrixExpOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], checkSquare(in[0]) }

// Eval sums Taylor's series of a part of the matrix that is a power of two smaller, and squares it as often.
func (matrixExpOp) Eval(out ir.Array, in []ir.Array) {
	n := out.Shape[len(out.Shape)-1]
	product := make([]float64, n*n)
	times := func(a, b []float64) { // a = a b
		clear(product)
		for i := range n {
			for k := range n {
				for j := range n {
					product[i*n+j] += a[i*n+k] * b[k*n+j]
				}
			}
		}
		copy(a, product)
	}
	term := make([]float64, n*n)
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		a, norm := x[0], 0.0
		for _, v := range a {
			norm += math.Abs(v)
		}
		squarings := 0
		for ; norm > 0.5 && norm <= math.MaxFloat64; norm /= 2 {
			squarings++
		}
		for i := range a {
			a[i] = math.Ldexp(a[i], -squarings)
		}
		clear(y)
		clear(term)
		for i := range n {
			y[i*n+i], term[i*n+i] = 1, 1
		}
		for k := 1; k <= 20; k++ {
			times(term, a)
			for i := range term {
				term[i] /= float64(k)
				y[i] += term[i]
			}
		}
		for range squarings {
			times(y, y)
		}
	})
}

func (matrixExpOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorExp} }

func (op matrixExpOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (matrixExpOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.ExpWork(out.Shape[len(out.Shape)-1])
}

func (matrixExpOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		factor.Exp(y, x[0], n, work)
	})
}

// The derivative along e is the upper right part of exp [a e; 0 a] (Mathias 1996, A chain rule for matrix functions and
// applications), and its adjoint that of a'. A large dy is scaled, as it would cost squarings.
func (matrixExpOp) grad(y, dy *Value) []*Value {
	n := dy.Dim(-1)
	if n == 0 {
		return []*Value{dy}
	}
	scale := dy.StopGradient().Abs().Max(-2, -1).Maximum(Num(1)).Unsqueeze(-1, -2)
	a := y.in[0].Transpose(-2, -1)
	above := Concat(-1, a, dy.Div(scale))
	below := Concat(-1, dy.zero().broadcastTo(dy.typ.Shape), a)
	return []*Value{Concat(-2, above, below).MatrixExp().Slice(-2, 0, n).Slice(-1, n, 2*n).Mul(scale)}
}

// MatrixExp returns the exponential of each matrix of the last two axes, the sum of v^k/k! over all k, by Padé's approximation of degree 13, scaling and
// squaring. A matrix that is not finite returns NaN. The gradient is the exponential of a matrix of twice the size. Equal to
// torch.linalg.matrix_exp and scipy.linalg.expm.
//
// Shapes: [... n n] -> [... n n].
func (v *Value) MatrixExp() *Value { return v.home().add(matrixExpOp{}, v) }

// matrixSqrtOp is the principal square root of square matrices.
type matrixSqrtOp struct{ matrices }

func (matrixSqrtOp) Name() string  { return "MatrixSqrt" }
func (matrixSqrtOp) Attrs() string { return "" }

func (matrixSqrtOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], checkSquare(in[0]) }

// Eval is Run: which eigenvalues count as 0 is up to rounding, and two methods need not agree in it.
func (op matrixSqrtOp) Eval(out ir.Array, in []ir.Array) { op.Run(out, in) }

func (op matrixSqrtOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (matrixSqrtOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.SqrtWork(out.Shape[len(out.Shape)-1])
}

func (matrixSqrtOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[0])
		factor.Sqrt(y, n, work)
	})
}

// For y y = a: y' da + da y' = dy.
func (matrixSqrtOp) grad(y, dy *Value) []*Value {
	t := y.Transpose(-2, -1)
	return []*Value{t.SolveSylvester(t, dy)}
}

// MatrixSqrt returns the principal square root of each matrix of the last two axes: the X with X X = v whose eigenvalues have positive real parts. A
// symmetric positive definite matrix has a symmetric root. A negative eigenvalue that may be a rounded 0 counts as 0; a matrix with another one has no
// real root and returns NaN, where SciPy's is complex. Singular matrices have a root if 0 is as often an eigenvalue as it has
// eigenvectors, and no derivative there. Equal to scipy.linalg.sqrtm.
//
// Shapes: [... n n] -> [... n n].
func (v *Value) MatrixSqrt() *Value { return v.home().add(matrixSqrtOp{}, v) }

// sylvesterOp solves a x + x b = c.
type sylvesterOp struct{ matrices }

func (sylvesterOp) Name() string  { return "SolveSylvester" }
func (sylvesterOp) Attrs() string { return "" }

func (sylvesterOp) Infer(in []ir.Type) (ir.Type, error) {
	a, b, c := in[0], in[1], in[2]
	if err := checkSquare(a); err != nil {
		return ir.Type{}, err
	}
	if err := checkSquare(b); err != nil {
		return ir.Type{}, err
	}
	if err := checkSides(a, c); err != nil {
		return ir.Type{}, err
	}
	last := len(c.Shape) - 1
	switch {
	case b.DType != c.DType || len(b.Shape) != len(c.Shape) || !slices.Equal(b.Shape[:last-1], c.Shape[:last-1]):
		return ir.Type{}, newProblem("the second matrix is %v and the right side %v: dtype and batch axes differ", b, c)
	case b.Shape[last] != c.Shape[last]:
		return ir.Type{}, newProblem("the second matrix %s and the right side %s have %d and %d columns", ir.ShapeString(b.Shape), ir.ShapeString(c.Shape),
			b.Shape[last], c.Shape[last])
	}
	return c, nil
}

// Eval solves for all elements of x together.
func (sylvesterOp) Eval(out ir.Array, in []ir.Array) {
	m, n := matrixSizes(out.Type)
	equations := make([]float64, m*n*m*n)
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		clear(equations)
		for i := range m {
			for j := range n {
				row := equations[(i*n+j)*m*n:]
				for k := range m {
					row[k*n+j] += x[0][i*m+k]
				}
				for k := range n {
					row[i*n+k] += x[1][k*n+j]
				}
			}
		}
		copy(y, x[2])
		eliminate(equations, y, m*n, 1)
	})
}

func (op sylvesterOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (sylvesterOp) Work(out ir.Type, in []ir.Type) int {
	m, n := matrixSizes(out)
	return matrixWork(out, in) + factor.SylvesterWork(m, n)
}

func (sylvesterOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	m, n := matrixSizes(out.Type)
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[2])
		factor.Sylvester(x[0], x[1], y, m, n, work)
	})
}

// For a x + x b = c: a' dc + dc b' = dx, da = -dc x' and db = -x' dc.
func (sylvesterOp) grad(x, dx *Value) []*Value {
	dc := x.in[0].Transpose(-2, -1).SolveSylvester(x.in[1].Transpose(-2, -1), dx)
	return []*Value{dc.MatMulT(x).Neg(), x.TMatMul(dc).Neg(), dc}
}

// SolveSylvester returns the solution X of v X + X b = c, for each matrix of the last two axes. If an eigenvalue of v is one of -b there is none, or
// many, and the result is NaN. Equal to scipy.linalg.solve_sylvester(v, b, c).
//
// Shapes: [... m m], [... n n], [... m n] -> [... m n].
func (v *Value) SolveSylvester(b, c Operand) *Value {
	v = v.orLost()
	return v.graph.add(sylvesterOp{}, v, v.operand(b), v.operand(c))
}
