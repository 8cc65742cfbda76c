// Package factor factors dense matrices of float64, which lie row by row. It is the one place that knows gonum's LAPACK. What
// cannot be factored gives NaN and no panic: the caller has many matrices, of which one may be bad.
package factor

import (
	"math"

	"gonum.org/v1/gonum/blas"
	blasgonum "gonum.org/v1/gonum/blas/gonum"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
)

var (
	vectors blasgonum.Implementation
	solvers lapackgonum.Implementation
)

// Cholesky overwrites the symmetric matrix a of n rows by its lower Cholesky factor, with zeros above the diagonal. Where a
// is not positive definite or not finite it is all NaN.
func Cholesky(a []float64, n int) {
	if n == 0 {
		return
	}
	if !finite(a) || !solvers.Dpotrf(blas.Lower, n, a, n) {
		fail(a)
		return
	}
	for i := range n {
		clear(a[i*n+i+1 : (i+1)*n])
	}
}

// Inverse overwrites a, of n rows, by its inverse. Where a is singular or not finite it is all NaN.
func Inverse(a []float64, n int) {
	if n == 0 {
		return
	}
	pivots := make([]int, n)
	if !finite(a) || !solvers.Dgetrf(n, n, a, n, pivots) {
		fail(a)
		return
	}
	query := make([]float64, 1)
	solvers.Dgetri(n, a, n, pivots, query, -1)
	work := make([]float64, int(query[0]))
	if !solvers.Dgetri(n, a, n, pivots, work, len(work)) {
		fail(a)
	}
}

// Solve overwrites b, of k columns, by the solution x of a x = b, or of a' x = b. a, of n rows, is overwritten. Where a is
// singular or not finite all of x is NaN.
func Solve(a, b []float64, n, k int, transposed bool) {
	if n == 0 || k == 0 {
		return
	}
	pivots := make([]int, n)
	if !finite(a) || !solvers.Dgetrf(n, n, a, n, pivots) {
		fail(b)
		return
	}
	solvers.Dgetrs(transposition(transposed), n, k, a, n, pivots, b, k)
}

// triangularBlock is the number of rows that SolveTriangular solves for before it takes them out of the others as a product.
const triangularBlock = 64

// SolveTriangular overwrites b, of k columns, by the solution x of t x = b, or of t' x = b, where t is the upper or the lower
// triangle of a, of n rows. A zero on the diagonal gives infinities and NaN.
func SolveTriangular(a, b []float64, n, k int, upper, transposed bool) {
	if n == 0 || k == 0 {
		return
	}
	triangle := blas.Lower
	if upper {
		triangle = blas.Upper
	}
	t := transposition(transposed)
	// Rows from first to before end are known: rows from to before to are rid of them.
	eliminate := func(first, end, from, to int) {
		if from == to {
			return
		}
		at := from*n + first
		if transposed {
			at = first*n + from
		}
		vectors.Dgemm(t, blas.NoTrans, to-from, k, end-first, -1, a[at:], n, b[first*k:], k, 1, b[from*k:], k)
	}
	solve := func(first, end int) {
		vectors.Dtrsm(blas.Left, triangle, t, blas.NonUnit, end-first, k, 1, a[first*n+first:], n, b[first*k:], k)
	}
	if upper == transposed {
		for first := 0; first < n; first += triangularBlock {
			end := min(n, first+triangularBlock)
			solve(first, end)
			eliminate(first, end, end, n)
		}
		return
	}
	for end := n; end > 0; end -= triangularBlock {
		first := max(0, end-triangularBlock)
		solve(first, end)
		eliminate(first, end, 0, first)
	}
}

func transposition(transposed bool) blas.Transpose {
	if transposed {
		return blas.Trans
	}
	return blas.NoTrans
}

// finite reports whether no element is infinite or NaN.
func finite(a []float64) bool {
	for _, x := range a {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// fail makes all elements NaN.
func fail(a []float64) {
	for i := range a {
		a[i] = math.NaN()
	}
}
