package factor

import (
	"gonum.org/v1/gonum/blas"
)

// This file holds Householder's reflections, many at a time. The reflections 1 - tau v v' of the columns v of V together are 1 - V T V',
// so that to apply them is three products. (Schreiber and Van Loan 1989.) gonum's own, Dlarft, is wrong where the second of
// the vectors ends in zeros and the first does not, as those of a matrix of low rank may.

// reflectionBlock is the number of reflections that are applied together.
const reflectionBlock = 32

// reflections are those that LAPACK leaves below the diagonal of a matrix: vector i is 1 at row i, 0 above it, and below it what is in
// column i.
type reflections struct {
	a            []float64
	stride, rows int
	tau          []float64

	v, gram, t, product []float64
}

// reflectionsWork is the length of the work that reflections need.
func reflectionsWork(rows, columns int) int {
	const b = reflectionBlock
	return rows*b + 2*b*b + 2*b*columns
}

func newReflections(a []float64, stride, rows int, tau []float64, columns int, work []float64) reflections {
	const b = reflectionBlock
	return reflections{a: a, stride: stride, rows: rows, tau: tau, v: carve[float64](&work, rows*b),
		gram: carve[float64](&work, b*b), t: carve[float64](&work, b*b), product: carve[float64](&work, 2*b*columns)}
}

// apply multiplies c, of n columns, from the left by the reflections from first on, a block of them, or by their transpose. Row 0 of c
// is row first of the matrix.
func (r *reflections) apply(first int, c []float64, n, stride int, transposed bool) {
	k, rows := min(reflectionBlock, len(r.tau)-first), r.rows-first
	v, gram, t, product := r.v[:rows*k], r.gram[:k*k], r.t[:k*k], r.product[:k*n]
	for i := range rows {
		row := v[i*k : (i+1)*k]
		clear(row)
		copy(row[:min(i, k)], r.a[(first+i)*r.stride+first:])
		if i < k {
			row[i] = 1
		}
	}
	gemm(blas.Trans, blas.NoTrans, k, k, rows, 1, v, k, v, k, 0, gram, k)
	// T of one more reflection has the further column -tau T V'v, tau.
	clear(t)
	for j := range k {
		tau := r.tau[first+j]
		t[j*k+j] = tau
		for i := range j {
			sum := 0.0
			for l := i; l < j; l++ {
				sum += t[i*k+l] * gram[l*k+j]
			}
			t[i*k+j] = -tau * sum
		}
	}
	turned := r.product[k*n : 2*k*n]
	gemm(blas.Trans, blas.NoTrans, k, n, rows, 1, v, k, c, stride, 0, product, n)
	gemm(transposition(transposed), blas.NoTrans, k, n, k, 1, t, k, product, n, 0, turned, n)
	gemm(blas.NoTrans, blas.NoTrans, rows, n, k, -1, v, k, turned, n, 1, c, stride)
}

// applyAll multiplies c, of n columns, by all reflections from the left, the last of them first. The columns of c before the
// first that a block of reflections changes are left out where c begins as the identity.
func (r *reflections) applyAll(c []float64, n, stride int, identity bool) {
	for first := (len(r.tau) - 1) / reflectionBlock * reflectionBlock; first >= 0; first -= reflectionBlock {
		left := 0
		if identity {
			left = first
		}
		r.apply(first, c[first*stride+left:], n-left, stride, false)
	}
}

// QRWork is the length of the work that QR needs.
func QRWork(m, n int) int { return min(m, n) + reflectionBlock + reflectionsWork(m, n) }

// QR factors a, of m rows and n columns, as q r with k = min(m, n): the k columns of q are orthonormal and r is upper
// triangular. a is overwritten. If a is not finite both are NaN.
func QR(q, r, a []float64, m, n int, work []float64) {
	k := min(m, n)
	if k == 0 {
		return
	}
	if !finite(a) {
		fail(q)
		fail(r)
		return
	}
	tau, column := carve[float64](&work, k), carve[float64](&work, reflectionBlock)
	all := newReflections(a, n, m, tau, n, work)
	for first := 0; first < k; first += reflectionBlock {
		end := min(k, first+reflectionBlock)
		solvers.Dgeqr2(m-first, end-first, a[first*n+first:], n, tau[first:end], column)
		if end < n {
			all.apply(first, a[first*n+end:], n-end, n, true)
		}
	}
	for i := range k {
		clear(r[i*n : i*n+i])
		copy(r[i*n+i:(i+1)*n], a[i*n+i:(i+1)*n])
	}
	clear(q)
	for i := range k {
		q[i*k+i] = 1
	}
	all.applyAll(q, k, k, true)
}
