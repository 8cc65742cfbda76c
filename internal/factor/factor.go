// Package factor factors dense matrices of float64, which lie row by row. It is the one place that knows gonum's LAPACK. What
// cannot be factored gives NaN and no panic: the caller has many matrices, of which one may be bad.
package factor

import (
	"math"

	"gonum.org/v1/gonum/blas"
	blasgonum "gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/lapack"
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

// QR factors a, of m rows and n columns, as q r with k = min(m, n): the k columns of q are orthonormal and r is upper
// triangular. a is overwritten. Where a is not finite both are NaN.
func QR(q, r, a []float64, m, n int) {
	k := min(m, n)
	if k == 0 {
		return
	}
	if !finite(a) {
		fail(q)
		fail(r)
		return
	}
	reflectors := make([]float64, k)
	query := make([]float64, 1)
	solvers.Dgeqrf(m, n, a, n, reflectors, query, -1)
	size := query[0]
	solvers.Dorgqr(m, k, k, q, k, reflectors, query, -1)
	work := make([]float64, int(max(size, query[0])))
	solvers.Dgeqrf(m, n, a, n, reflectors, work, len(work))
	for i := range k {
		clear(r[i*n : i*n+i])
		copy(r[i*n+i:(i+1)*n], a[i*n+i:(i+1)*n])
	}
	for i := range m {
		copy(q[i*k:(i+1)*k], a[i*n:i*n+k])
	}
	solvers.Dorgqr(m, k, k, q, k, reflectors, work, len(work))
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

// EigH gives the eigenvalues of the symmetric matrix a of n rows in ascending order, and overwrites a by the eigenvectors, its
// columns. Where a is not finite, or in the unheard-of case that the iteration does not converge, all are NaN.
func EigH(values, a []float64, n int) {
	if n == 0 {
		return
	}
	if !finite(a) {
		fail(values)
		fail(a)
		return
	}
	// Columns are walked along, and rows a multiple of the page apart would fall onto one another in the cache.
	const line = 8
	stride := (n+line-1)/line*line | line
	padded := make([]float64, n*stride)
	for i := range n {
		copy(padded[i*stride:], a[i*n:(i+1)*n])
	}
	query := make([]float64, 1)
	solvers.Dsyev(lapack.EVCompute, blas.Lower, n, padded, stride, values, query, -1)
	work := make([]float64, int(query[0]))
	if !solvers.Dsyev(lapack.EVCompute, blas.Lower, n, padded, stride, values, work, len(work)) {
		fail(values)
		fail(a)
		return
	}
	for i := range n {
		copy(a[i*n:(i+1)*n], padded[i*stride:])
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
