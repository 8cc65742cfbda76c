// Package factor factors dense matrices of float64, which lie row by row. It is the one place that knows gonum's LAPACK. What
// cannot be factored becomes NaN, without a panic: the caller has many matrices, and one may be bad. Nothing is allocated: the scratch of a
// function is an argument, work, whose contents do not matter.
package factor

import (
	"math"
	"unsafe"

	"gonum.org/v1/gonum/blas"
	blasgonum "gonum.org/v1/gonum/blas/gonum"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
)

var (
	vectors blasgonum.Implementation
	solvers lapackgonum.Implementation
)

// lapackBlock is the number of columns that Cholesky, Inverse and Solve do at a time, as LAPACK does.
const lapackBlock = 64

// carve takes n numbers, or as much memory for values without pointers, off the front of work.
func carve[T any](work *[]float64, n int) []T {
	words := words[T](n)
	cut := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(*work))), n)
	*work = (*work)[words:]
	return cut
}

// words returns the number of float64 that take as much memory as n elements.
func words[T any](n int) int {
	var x T
	return ceil(n*int(unsafe.Sizeof(x)), 8)
}

// Cholesky overwrites the symmetric matrix a of n rows by its lower Cholesky factor, with zeros above the diagonal. Where a
// is not positive definite or not finite it is all NaN.
func Cholesky(a []float64, n int) {
	if n == 0 {
		return
	}
	if !finite(a) || !cholesky(a, n) {
		fail(a)
		return
	}
	for i := range n {
		clear(a[i*n+i+1 : (i+1)*n])
	}
}

// cholesky is LAPACK's dpotrf. It reports whether a is positive definite.
func cholesky(a []float64, n int) bool {
	if n <= lapackBlock {
		return solvers.Dpotf2(blas.Lower, n, a, n)
	}
	for j := 0; j < n; j += lapackBlock {
		size := min(lapackBlock, n-j)
		end := j + size
		vectors.Dsyrk(blas.Lower, blas.NoTrans, size, j, -1, a[j*n:], n, 1, a[j*n+j:], n)
		if !solvers.Dpotf2(blas.Lower, size, a[j*n+j:], n) {
			return false
		}
		if end < n {
			gemm(blas.NoTrans, blas.Trans, n-end, size, j, -1, a[end*n:], n, a[j*n:], n, 1, a[end*n+j:], n)
			vectors.Dtrsm(blas.Right, blas.Lower, blas.Trans, blas.NonUnit, n-end, size, 1, a[j*n+j:], n, a[end*n+j:], n)
		}
	}
	return true
}

// eliminate factors a, of m rows and n columns, as LAPACK's dgetrf does: the permutation that pivots describe, times a lower triangle
// with ones on the diagonal, times an upper one. It reports whether no pivot is 0. The number of pivots is min(m, n).
func eliminate(a []float64, m, n int, pivots []int) bool {
	k := min(m, n)
	if k <= lapackBlock {
		return solvers.Dgetf2(m, n, a, n, pivots)
	}
	regular := true
	for j := 0; j < k; j += lapackBlock {
		size := min(lapackBlock, k-j)
		end := j + size
		if !solvers.Dgetf2(m-j, size, a[j*n+j:], n, pivots[j:end]) {
			regular = false
		}
		for i := j; i < end; i++ {
			pivots[i] += j
		}
		solvers.Dlaswp(j, a, n, j, end-1, pivots[:end], 1)
		if end < n {
			solvers.Dlaswp(n-end, a[end:], n, j, end-1, pivots[:end], 1)
			vectors.Dtrsm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, size, n-end, 1, a[j*n+j:], n, a[j*n+end:], n)
			if end < m {
				gemm(blas.NoTrans, blas.NoTrans, m-end, n-end, size, -1, a[end*n+j:], n, a[j*n+end:], n, 1, a[end*n+end:], n)
			}
		}
	}
	return regular
}

// InverseWork is the length of the work that Inverse needs.
func InverseWork(n int) int { return words[int](n) + n*lapackBlock }

// Inverse overwrites a, of n rows, by its inverse. If a is singular or not finite it is all NaN.
func Inverse(a []float64, n int, work []float64) {
	if n == 0 {
		return
	}
	pivots := carve[int](&work, n)
	if !finite(a) || !eliminate(a, n, n, pivots) || !invert(a, n, pivots, work[:n*lapackBlock]) {
		fail(a)
	}
}

// invert makes the factors that eliminate gives the inverse, as LAPACK's dgetri does: the inverse of the upper triangle, of which the
// lower one is then solved for, a block of columns at a time.
func invert(a []float64, n int, pivots []int, work []float64) bool {
	if n <= lapackBlock {
		return solvers.Dgetri(n, a, n, pivots, work, len(work))
	}
	if !solvers.Dtrtri(blas.Upper, blas.NonUnit, n, a, n) {
		return false
	}
	for j := (n - 1) / lapackBlock * lapackBlock; j >= 0; j -= lapackBlock {
		size := min(lapackBlock, n-j)
		end := j + size
		for column := j; column < end; column++ {
			for i := column + 1; i < n; i++ {
				work[i*lapackBlock+column-j], a[i*n+column] = a[i*n+column], 0
			}
		}
		if end < n {
			gemm(blas.NoTrans, blas.NoTrans, n, size, n-end, -1, a[end:], n, work[end*lapackBlock:], lapackBlock, 1, a[j:], n)
		}
		vectors.Dtrsm(blas.Right, blas.Lower, blas.NoTrans, blas.Unit, n, size, 1, work[j*lapackBlock:], lapackBlock, a[j:], n)
	}
	for j := n - 2; j >= 0; j-- {
		if pivots[j] != j {
			vectors.Dswap(n, a[j:], n, a[pivots[j]:], n)
		}
	}
	return true
}

// SolveWork is the length of the work that Solve needs.
func SolveWork(n int) int { return words[int](n) }

// Solve overwrites b, of k columns, by the solution x of a x = b, or of a' x = b. a, of n rows, is overwritten. If a is
// singular or not finite all of x is NaN.
func Solve(a, b []float64, n, k int, transposed bool, work []float64) {
	if n == 0 || k == 0 {
		return
	}
	pivots := carve[int](&work, n)
	if !finite(a) || !eliminate(a, n, n, pivots) {
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
	subtract := func(first, end, from, to int) {
		if from == to {
			return
		}
		at := from*n + first
		if transposed {
			at = first*n + from
		}
		gemm(t, blas.NoTrans, to-from, k, end-first, -1, a[at:], n, b[first*k:], k, 1, b[from*k:], k)
	}
	solve := func(first, end int) {
		vectors.Dtrsm(blas.Left, triangle, t, blas.NonUnit, end-first, k, 1, a[first*n+first:], n, b[first*k:], k)
	}
	if upper == transposed {
		for first := 0; first < n; first += triangularBlock {
			end := min(n, first+triangularBlock)
			solve(first, end)
			subtract(first, end, end, n)
		}
		return
	}
	for end := n; end > 0; end -= triangularBlock {
		first := max(0, end-triangularBlock)
		solve(first, end)
		subtract(first, end, 0, first)
	}
}

func transposition(transposed bool) blas.Transpose {
	if transposed {
		return blas.Trans
	}
	return blas.NoTrans
}

// finite reports whether all elements are finite.
func finite(a []float64) bool {
	for _, x := range a {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// moderate divides a by a power of four if squares of its elements could vanish or overflow, and returns the exponent of two.
func moderate(a []float64) int {
	largest := 0.0
	for _, x := range a {
		largest = max(largest, math.Abs(x))
	}
	if largest >= 1e-20 && largest <= 1e20 || largest == 0 {
		return 0
	}
	_, exponent := math.Frexp(largest)
	exponent &^= 1
	shift(a, -exponent)
	return exponent
}

// shift multiplies a by two to the power of exponent.
func shift(a []float64, exponent int) {
	if exponent == 0 {
		return
	}
	for i, x := range a {
		a[i] = math.Ldexp(x, exponent)
	}
}

// fail makes all elements NaN.
func fail(a []float64) {
	for i := range a {
		a[i] = math.NaN()
	}
}
