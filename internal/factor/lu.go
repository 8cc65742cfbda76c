package factor

import "math"

// This file holds the factors of Gaussian elimination, and the cofactors of a matrix by them.

// LUWork is the length of the work that LU needs.
func LUWork(m, n int) int { return words[int](min(m, n)) }

// LU overwrites a, of m rows and n columns, by its triangular factors: u on and above the diagonal, and l, whose diagonal is 1, below it. Row i
// of l u is row permutation[i] of a. parity is 1, or -1 if the permutation is odd. If a is not finite all are NaN.
func LU(a, permutation []float64, m, n int, work []float64) (parity float64) {
	for i := range permutation {
		permutation[i] = float64(i)
	}
	parity = 1
	if m == 0 || n == 0 {
		return parity
	}
	if !finite(a) {
		fail(a)
		fail(permutation)
		return math.NaN()
	}
	pivots := carve[int](&work, min(m, n))
	eliminate(a, m, n, pivots)
	for i, p := range pivots {
		if p != i {
			permutation[i], permutation[p] = permutation[p], permutation[i]
			parity = -parity
		}
	}
	return parity
}

// CofactorsWork is the length of the work that Cofactors needs.
func CofactorsWork(n int) int { return 2*n*n + words[int](2*n) }

// Cofactors overwrites a, of n rows, by its cofactors, the derivatives of the determinant with respect to the elements. The cofactors of a
// product are the product of the cofactors, and those of an invertible x are det(x) x^-T. With pivots from all that is left,
// a = P l u Q, and all zeros on the diagonal of u come last. What u = [v w; 0 t] has is det(v) [t v^-T, 0; -w'v^-T, 1], right also if t is 0; and
// nothing but zeros if v is singular. If a is not finite all are NaN.
func Cofactors(a []float64, n int, work []float64) {
	if n == 0 {
		return
	}
	if !finite(a) {
		fail(a)
		return
	}
	lu, c := carve[float64](&work, n*n), carve[float64](&work, n*n)
	rows, columns := carve[int](&work, n), carve[int](&work, n)
	copy(lu, a)
	det := eliminateAll(lu, n, rows, columns) // that of v, with the signs of P and Q
	clear(c)
	if det != 0 {
		// c = det(v) [t v^-T, 0; -w'v^-T, 1], row by row of the transpose: column j of v^-1 by substitution.
		last, t := n-1, lu[n*n-1]
		c[n*n-1] = det
		for j := range last {
			x := c[j:] // x[i*n] is element i of row j of v^-T, put below the diagonal of column j
			for i := j; i < last; i++ {
				sum := 0.0
				if i == j {
					sum = 1
				}
				for k := j; k < i; k++ {
					sum -= lu[k*n+i] * x[k*n]
				}
				x[i*n] = sum / lu[i*n+i]
			}
			sum := 0.0
			for i := j; i < last; i++ {
				sum += lu[i*n+last] * x[i*n]
			}
			x[last*n] = -sum * det
			for i := j; i < last; i++ {
				x[i*n] *= det * t
			}
		}
		// l^-T c, from the last row up.
		for i := n - 1; i >= 0; i-- {
			for k := i + 1; k < n; k++ {
				times := lu[k*n+i]
				for j := range n {
					c[i*n+j] -= times * c[k*n+j]
				}
			}
		}
	}
	for i, row := range rows {
		for j, column := range columns {
			a[row*n+column] = c[i*n+j]
		}
	}
}

// eliminateAll factors a with pivots from all rows and columns that are left. Row i of l u is row rows[i] of a, and so with the columns. It
// returns the product of all pivots but the last, with the sign of both permutations.
func eliminateAll(a []float64, n int, rows, columns []int) float64 {
	for i := range n {
		rows[i], columns[i] = i, i
	}
	det := 1.0
	for p := range n {
		row, column := p, p
		for i := p; i < n; i++ {
			for j := p; j < n; j++ {
				if math.Abs(a[i*n+j]) > math.Abs(a[row*n+column]) {
					row, column = i, j
				}
			}
		}
		if row != p {
			for j := range n {
				a[p*n+j], a[row*n+j] = a[row*n+j], a[p*n+j]
			}
			rows[p], rows[row] = rows[row], rows[p]
			det = -det
		}
		if column != p {
			for i := range n {
				a[i*n+p], a[i*n+column] = a[i*n+column], a[i*n+p]
			}
			columns[p], columns[column] = columns[column], columns[p]
			det = -det
		}
		if p == n-1 {
			break
		}
		pivot := a[p*n+p]
		det *= pivot
		if pivot == 0 {
			return 0
		}
		for i := p + 1; i < n; i++ {
			times := a[i*n+p] / pivot
			a[i*n+p] = times
			for j := p + 1; j < n; j++ {
				a[i*n+j] -= times * a[p*n+j]
			}
		}
	}
	return det
}
