package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/factor"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the factors of elimination with pivots, and determinants.

// luOp returns both triangular factors as one matrix, and beside it two columns: the permutation of the rows, and its parity in each row.
type luOp struct{ matrices }

func (luOp) Name() string  { return "LU" }
func (luOp) Attrs() string { return "" }

func (luOp) Infer(in []ir.Type) (ir.Type, error) {
	if err := checkMatrix(in[0]); err != nil {
		return ir.Type{}, err
	}
	t := ir.Type{DType: in[0].DType, Shape: append([]int{}, in[0].Shape...)}
	t.Shape[len(t.Shape)-1] += 2
	return t, nil
}

// Eval subtracts multiples of rows from those below, column by column, the row with the largest element first.
func (luOp) Eval(out ir.Array, in []ir.Array) {
	m, n := luSizes(out.Type)
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		a, width, parity := x[0], n+2, 1.0
		for i := range m {
			copy(y[i*width:], a[i*n:(i+1)*n])
			y[i*width+n] = float64(i)
		}
		for j := range min(m, n) {
			pivot := j
			for i := j; i < m; i++ {
				if math.Abs(y[i*width+j]) > math.Abs(y[pivot*width+j]) {
					pivot = i
				}
			}
			if pivot != j {
				parity = -parity
				for c := range width {
					y[j*width+c], y[pivot*width+c] = y[pivot*width+c], y[j*width+c]
				}
			}
			for i := j + 1; i < m && y[j*width+j] != 0; i++ {
				y[i*width+j] /= y[j*width+j]
				for c := j + 1; c < n; c++ {
					y[i*width+c] -= y[i*width+j] * y[j*width+c]
				}
			}
		}
		for i := range m {
			y[i*width+n+1] = parity
		}
	})
}

// luSizes are the numbers of rows and columns of the matrix whose factors have type t.
func luSizes(t ir.Type) (m, n int) { return t.Shape[len(t.Shape)-2], t.Shape[len(t.Shape)-1] - 2 }

func (luOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorLU} }

func (op luOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (luOp) Work(out ir.Type, in []ir.Type) int {
	m, n := luSizes(out)
	return matrixWork(out, in) + m + factor.LUWork(m, n)
}

func (luOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	m, n := luSizes(out.Type)
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		permutation := work[:m]
		parity := factor.LU(x[0], permutation, m, n, work[m:])
		for i, from := range permutation {
			row := y[i*(n+2) : (i+1)*(n+2)]
			copy(row, x[0][i*n:(i+1)*n])
			row[n], row[n+1] = from, parity
		}
	})
}

// For a square p a = l u: p da = l^-T (tril(l' dl, -1) + triu(du u')) u^-T. What more rows are is l2 = a2 u^-1, and what more columns are
// u2 = l^-1 a2: they add to the gradients of u and of l. (Seeger et al. 2017, Auto-differentiating linear algebra, for the triangular solves.)
func (luOp) grad(y, dy *Value) []*Value {
	m, n := luSizes(y.typ)
	k := min(m, n)
	l, u := luFactors(y)
	dl, du := dy.Slice(-1, 0, n).Tril(-1).Slice(-1, 0, k), dy.Slice(-1, 0, n).Triu(0).Slice(-2, 0, k)
	l1, u1, dl1, du1 := l.Slice(-2, 0, k), u.Slice(-1, 0, k), dl.Slice(-2, 0, k), du.Slice(-1, 0, k)
	var beyond *Value
	switch {
	case m < n:
		beyond = l1.SolveTriangular(du.Slice(-1, k, n), false, true)
		dl1 = dl1.Sub(beyond.MatMulT(u.Slice(-1, k, n)))
	case m > n:
		beyond = u1.SolveTriangular(dl.Slice(-2, k, m).Transpose(-2, -1), true, false).Transpose(-2, -1)
		du1 = du1.Sub(l.Slice(-2, k, m).TMatMul(beyond))
	}
	inner := l1.TMatMul(dl1).Tril(-1).Add(du1.MatMulT(u1).Triu(0))
	inner = l1.SolveTriangular(inner, false, true)
	da := u1.SolveTriangular(inner.Transpose(-2, -1), true, false).Transpose(-2, -1)
	switch {
	case m < n:
		da = Concat(-1, da, beyond)
	case m > n:
		da = Concat(-2, da, beyond)
	}
	back := luPermutation(y).ArgSort(-1, false).Unsqueeze(-1)
	return []*Value{da.Gather(-2, back.broadcastTo(da.typ.Shape))}
}

// luFactors takes the triangular factors out of what the op gives.
func luFactors(y *Value) (l, u *Value) {
	m, n := luSizes(y.typ)
	k := min(m, n)
	both := y.Slice(-1, 0, n)
	diagonal := y.graph.diagonalMask(m, k).broadcastTo(append(append([]int{}, y.typ.Shape[:y.Rank()-2]...), m, k))
	return diagonal.branch(Num(1), both.Slice(-1, 0, k).Tril(-1)), both.Slice(-2, 0, k).Triu(0)
}

func luPermutation(y *Value) *Value {
	n := y.Dim(-1) - 2
	return y.Slice(-1, n, n+1).Squeeze(-1).Cast(I64)
}

// LU factors each matrix of the last two axes, with the pivots of Gaussian elimination: row i of L U is row permutation[i] of v. L has ones on its
// diagonal and zeros above it, U zeros below it, and of equal pivots the first is taken, as in LAPACK. A singular matrix has zeros on the
// diagonal of U. A matrix that is not finite returns NaN. The gradient needs the first min(m, n) columns to be independent. Equal to jax.lax.linalg.lu,
// which has L and U in one matrix, and to torch.linalg.lu, whose P is the transpose of the permutation's OneHot: v = P L U.
//
// Shapes: [... m n] -> I64 [... m], [... m min(m,n)], [... min(m,n) n].
func (v *Value) LU() (permutation, l, u *Value) {
	v = v.orLost()
	y := v.graph.add(luOp{}, v)
	if y.failed {
		return y, y, y
	}
	l, u = luFactors(y)
	return luPermutation(y), l, u
}

// Det returns the determinant of each matrix of the last two axes, the product of the pivots of LU. The gradient is right for singular matrices
// too, where PyTorch's is rounded; second derivatives need an invertible matrix. Of a large matrix take SlogDet: the product may be too large or
// too small for the dtype. Equal to torch.linalg.det.
//
// Shapes: [... n n] -> [...].
func (v *Value) Det() *Value {
	v = v.orLost()
	sign, pivots, ok := v.pivots("Det")
	if !ok {
		return sign
	}
	return v.graph.add(determinantOp{}, sign.Mul(pivots.Prod(-1)), v)
}

// determinantOp is its first operand, which has been computed from the second, a matrix, as its determinant or the logarithm of that: LU has no
// derivative at a singular matrix, and its gradient costs more.
type determinantOp struct {
	irop.Pass
	log bool
}

func (op determinantOp) Name() string {
	if op.log {
		return "SlogDet"
	}
	return "Det"
}

func (op determinantOp) grad(y, dy *Value) []*Value {
	a, dy := y.in[1], dy.Unsqueeze(-1, -2)
	if op.log {
		return []*Value{nil, a.Inverse().Transpose(-2, -1).Mul(dy)}
	}
	return []*Value{nil, y.graph.add(cofactorsOp{}, a).Mul(dy)}
}

// SlogDet returns the sign of the determinant of each matrix of the last two axes, and the logarithm of its absolute value: 0 and -Inf if the
// matrix is singular. The gradient of the logarithm is the inverse, transposed, and NaN if there is none. Equal to torch.linalg.slogdet.
//
// Shapes: [... n n] -> [...], [...].
func (v *Value) SlogDet() (sign, logAbs *Value) {
	v = v.orLost()
	sign, pivots, ok := v.pivots("SlogDet")
	if !ok {
		return sign, sign
	}
	logAbs = v.graph.add(determinantOp{log: true}, pivots.Abs().Log().Sum(-1), v)
	return sign.Mul(pivots.Sign().Prod(-1)).StopGradient(), logAbs
}

// pivots returns the sign of the permutation and the pivots of each square matrix. If the operand is no such thing, sign is the failed value.
func (v *Value) pivots(name string) (sign, pivots *Value, ok bool) {
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v}), nil, false
	}
	if err := checkSquare(v.typ); err != nil {
		return v.graph.failAs(name, []*Value{v}, err), nil, false
	}
	n := v.Dim(-1)
	y := v.graph.add(luOp{}, v)
	if y.failed {
		return y, nil, false
	}
	if n == 0 {
		sign = v.Num(1).broadcastTo(v.typ.Shape[:v.Rank()-2])
	} else {
		sign = y.Slice(-2, 0, 1).Slice(-1, n+1, n+2).Squeeze(-2, -1)
	}
	return sign, y.Slice(-1, 0, n).Diagonal(), true
}

// cofactorsOp is the gradient of the determinant.
type cofactorsOp struct{ matrices }

func (cofactorsOp) Name() string  { return "Cofactors" }
func (cofactorsOp) Attrs() string { return "" }

func (cofactorsOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], checkSquare(in[0]) }

// Eval is the definition: the determinant without row i and column j, negative if i + j is odd.
func (cofactorsOp) Eval(out ir.Array, in []ir.Array) {
	n := out.Shape[len(out.Shape)-1]
	minor := make([]float64, n*n)
	eachMatrix(out, in, func(y []float64, x [3][]float64) {
		for i := range n {
			for j := range n {
				minor := minor[:0]
				for k, v := range x[0] {
					if k/n != i && k%n != j {
						minor = append(minor, v)
					}
				}
				y[i*n+j] = determinant(minor, n-1)
				if (i+j)%2 == 1 {
					y[i*n+j] *= -1
				}
			}
		}
	})
}

// determinant overwrites a, of n rows, as it eliminates with pivots.
func determinant(a []float64, n int) float64 {
	det := 1.0
	for j := range n {
		pivot := j
		for i := j; i < n; i++ {
			if math.Abs(a[i*n+j]) > math.Abs(a[pivot*n+j]) {
				pivot = i
			}
		}
		if a[pivot*n+j] == 0 {
			return 0
		}
		if pivot != j {
			det = -det
			for c := range n {
				a[j*n+c], a[pivot*n+c] = a[pivot*n+c], a[j*n+c]
			}
		}
		det *= a[j*n+j]
		for i := j + 1; i < n; i++ {
			times := a[i*n+j] / a[j*n+j]
			for c := j; c < n; c++ {
				a[i*n+c] -= times * a[j*n+c]
			}
		}
	}
	return det
}

func (cofactorsOp) Factors() ir.FactorForm { return ir.FactorForm{Kind: ir.FactorCofactors} }

func (op cofactorsOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

func (cofactorsOp) Work(out ir.Type, in []ir.Type) int {
	return matrixWork(out, in) + factor.CofactorsWork(out.Shape[len(out.Shape)-1])
}

func (cofactorsOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	n := out.Shape[len(out.Shape)-1]
	inEach(out, in, first, end, work, func(y []float64, x [3][]float64, work []float64) {
		copy(y, x[0])
		factor.Cofactors(y, n, work)
	})
}

// For c = det(a) a^-T: da = (sum(c dc) c - c dc' c) / det(a).
func (cofactorsOp) grad(c, dc *Value) []*Value {
	whole := c.Mul(dc).Sum(-2, -1).Unsqueeze(-1, -2).Mul(c)
	return []*Value{whole.Sub(c.MatMulT(dc).MatMul(c)).Div(c.in[0].Det().Unsqueeze(-1, -2))}
}
