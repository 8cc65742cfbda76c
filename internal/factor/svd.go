package factor

import "gonum.org/v1/gonum/blas"

// This file holds the singular values and vectors, and what is solved with them. Reflections from both sides make the matrix bidiagonal, and
// rotations make that diagonal (Golub and Kahan 1965; LAPACK's dgebd2 and dbdsqr). Both sets of vectors are kept as rows, along which
// the rotations run.

// SVDWork is the length of the work that SVD needs.
func SVDWork(m, n int) int {
	m, n = max(m, n), min(m, n)
	return 2*m*n + 2*n*n + 3*n + max(m+n, 4*n, reflectionsWork(m, n))
}

// SVD factors a, of m rows and n columns, as u diag(s) v' with k = min(m, n): the k columns of u, and of v, are orthonormal, and s descends and
// is not negative. If a is not finite, or if the iteration does not converge, all are NaN.
func SVD(u, s, v, a []float64, m, n int, work []float64) {
	k := min(m, n)
	if k == 0 {
		return
	}
	tall := carve[float64](&work, m*n)
	left, right := u, v // of the matrix that is at least as high as wide
	rows := m
	if m < n {
		transpose(tall, a, m, n)
		left, right = v, u
		rows = n
	} else {
		copy(tall, a)
	}
	if !finite(a) || !svd(left, s, right, tall, rows, k, work) {
		fail(u)
		fail(s)
		fail(v)
	}
}

// svd factors a matrix that has at least as many rows as columns, and overwrites it.
func svd(u, s, v, a []float64, m, n int, work []float64) bool {
	exponent := moderate(a)
	ut, vt, upper := carve[float64](&work, m*n), carve[float64](&work, n*n), carve[float64](&work, n*n)
	off, left, right := carve[float64](&work, n), carve[float64](&work, n), carve[float64](&work, n)
	solvers.Dgebd2(m, n, a, n, s, off[:n-1], left, right, work[:m+n])
	identity(u, m, n)
	all := newReflections(a, n, m, left, n, work)
	all.applyAll(u, n, n, true)
	transpose(ut, u, m, n)
	identity(v, n, n)
	if n > 1 {
		transpose(upper, a[:n*n], n, n)
		all = newReflections(upper[n:], n, n-1, right[:n-1], n, work)
		all.applyAll(v[n:], n, n, false)
	}
	transpose(vt, v, n, n)
	if !solvers.Dbdsqr(blas.Upper, n, n, 0, m, s, off[:n-1], vt, n, nil, 1, ut, m, work[:4*n]) {
		return false
	}
	transpose(u, ut, n, m)
	transpose(v, vt, n, n)
	shift(s, exponent)
	return true
}

// identity makes a the first columns of the identity.
func identity(a []float64, rows, columns int) {
	clear(a)
	for i := range min(rows, columns) {
		a[i*columns+i] = 1
	}
}

// transpose stores the transpose of a, of m rows and n columns.
func transpose(t, a []float64, m, n int) {
	for i := range m {
		for j, x := range a[i*n : (i+1)*n] {
			t[j*m+i] = x
		}
	}
}

// PseudoinverseWork is the length of the work that Pseudoinverse and LeastSquares need.
func PseudoinverseWork(m, n, columns int) int {
	k := min(m, n)
	return k*(m+n+1+columns) + SVDWork(m, n)
}

// Pseudoinverse stores in y, of n rows, the pseudoinverse of a, of m rows. Singular values up to rtol times the largest count as 0. If a is not
// finite all is NaN.
func Pseudoinverse(y, a []float64, m, n int, rtol float64, work []float64) {
	k := min(m, n)
	if k == 0 {
		return
	}
	u, s, v := carve[float64](&work, m*k), carve[float64](&work, k), carve[float64](&work, n*k)
	SVD(u, s, v, a, m, n, work)
	reciprocals(s, rtol)
	scaleColumns(v, s, n, k)
	gemm(blas.NoTrans, blas.Trans, n, m, k, 1, v, k, u, k, 0, y, m)
}

// LeastSquares stores in x the shortest of those that make a x - b shortest, for each of the columns of b. Singular values up to rtol times the
// largest count as 0. If a is not finite all is NaN.
func LeastSquares(x, a, b []float64, m, n, columns int, rtol float64, work []float64) {
	k := min(m, n)
	clear(x)
	if k == 0 || columns == 0 {
		return
	}
	u, s, v := carve[float64](&work, m*k), carve[float64](&work, k), carve[float64](&work, n*k)
	along := carve[float64](&work, k*columns)
	SVD(u, s, v, a, m, n, work)
	reciprocals(s, rtol)
	gemm(blas.Trans, blas.NoTrans, k, columns, m, 1, u, k, b, columns, 0, along, columns)
	for i, scale := range s {
		for j := range columns {
			along[i*columns+j] *= scale
		}
	}
	gemm(blas.NoTrans, blas.NoTrans, n, columns, k, 1, v, k, along, columns, 0, x, columns)
}

// reciprocals replaces descending singular values by their reciprocals, and those up to rtol times the largest by 0.
func reciprocals(s []float64, rtol float64) {
	limit := rtol * s[0]
	for i, x := range s {
		if x > limit || x != x {
			s[i] = 1 / x
		} else {
			s[i] = 0
		}
	}
}

// scaleColumns multiplies each column of a by a number.
func scaleColumns(a, by []float64, rows, columns int) {
	for i := range rows {
		row := a[i*columns : (i+1)*columns]
		for j, x := range by {
			row[j] *= x
		}
	}
}
