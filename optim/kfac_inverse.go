package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds the inverse of large symmetric positive definite matrices. A factorization goes through a matrix element by
// element; in blocks, nearly all of the work is matrix products.

// invertWhole is the number of rows from which on a matrix is cut into blocks.
const invertWhole = 64

// inverse is the inverse of each symmetric positive definite matrix of the last two axes: by its Cholesky factor, or of
//
//	p  q'            p^-1 + x' s^-1 x   -x' s^-1
//	q  r     the     -s^-1 x            s^-1        with x = q p^-1 and s = r - x q'
//
// which is the Cholesky factorization in blocks. (Golub and Van Loan 2013, Matrix computations, sections 3.2 and 4.2.) NaN
// where a matrix is not positive definite in its precision.
func inverse(a *tarn.Value) *tarn.Value {
	n, rank := a.Dim(-1), a.Rank()
	if n < invertWhole {
		one := a.Graph().Eye(a.DType(), n)
		if rank > 2 {
			one = one.Expand(a.Shape()...)
		}
		return a.Cholesky().CholeskySolve(one)
	}
	k := (n/2 + 15) / 16 * 16 // blocks of whole vectors
	upper, lower := a.Slice(-2, 0, k), a.Slice(-2, k, n)
	p, q, r := upper.Slice(-1, 0, k), lower.Slice(-1, 0, k), lower.Slice(-1, k, n)
	pInverse := inverse(p)
	x := q.MatMul(pInverse)
	sInverse := inverse(r.Sub(x.MatMulT(q)))
	corner := sInverse.MatMul(x).Neg()
	return tarn.Concat(-2,
		tarn.Concat(-1, pInverse.Sub(x.TMatMul(corner)), corner.T()),
		tarn.Concat(-1, corner, sInverse))
}
