package factor

import (
	"math"

	"gonum.org/v1/gonum/blas"
)

// This file holds functions of square matrices: the exponential by a rational approximation and squaring, and the square root, and the
// solution of Sylvester's equation, from the Schur form, which is block triangular.

// ExpWork is the length of the work that Exp needs.
func ExpWork(n int) int { return 5*n*n + words[int](n) }

// pade are the coefficients of Padé's approximation of degree 13 of the exponential: p(x) / p(-x) with p(x) = sum of pade[i] x^i.
var pade = [14]float64{64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
	670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}

// padeLimit is the largest norm of a matrix for which the approximation is exact up to rounding.
const padeLimit = 5.371920351148152

// Exp stores in y the exponential of a, of n rows, and overwrites a. It divides a by a power of two, so that the approximation
// holds, and squares the result as often. (Higham 2005, The scaling and squaring method for the matrix exponential revisited.) If a is not finite
// all is NaN.
func Exp(y, a []float64, n int, work []float64) {
	if n == 0 {
		return
	}
	if !finite(a) {
		fail(y)
		return
	}
	norm := 0.0 // the largest sum of a column
	for j := range n {
		sum := 0.0
		for i := range n {
			sum += math.Abs(a[i*n+j]) / padeLimit
		}
		norm = max(norm, sum)
	}
	squarings := 0
	if norm > 1 {
		_, squarings = math.Frexp(min(norm, math.MaxFloat64))
		for i, x := range a {
			a[i] = math.Ldexp(x, -squarings)
		}
	}
	a2, a4, a6 := carve[float64](&work, n*n), carve[float64](&work, n*n), carve[float64](&work, n*n)
	odd, even := carve[float64](&work, n*n), carve[float64](&work, n*n)
	pivots := carve[int](&work, n)
	times := func(c, a, b []float64, beta float64) {
		gemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, a, n, b, n, beta, c, n)
	}
	times(a2, a, a, 0)
	times(a4, a2, a2, 0)
	times(a6, a4, a2, 0)
	// The polynomial in a^2 with the coefficients of degrees first, first + 2, ..., first + 12.
	polynomial := func(p, scratch []float64, first int) {
		for i := range p {
			scratch[i] = pade[first+12]*a6[i] + pade[first+10]*a4[i] + pade[first+8]*a2[i]
			p[i] = pade[first+6]*a6[i] + pade[first+4]*a4[i] + pade[first+2]*a2[i]
		}
		for i := range n {
			p[i*n+i] += pade[first]
		}
		times(p, a6, scratch, 1)
	}
	polynomial(odd, y, 1)
	times(even, a, odd, 0)
	odd, even = even, odd
	polynomial(even, y, 0)
	for i := range y {
		y[i], even[i] = even[i]+odd[i], even[i]-odd[i]
	}
	if !eliminate(even, n, n, pivots) {
		fail(y)
		return
	}
	solvers.Dgetrs(blas.NoTrans, n, n, even, n, pivots, y, n)
	for range squarings {
		times(a2, y, y, 0)
		copy(y, a2)
	}
}

// blockAt is the size of the block of t that begins at row i.
func blockAt(t []float64, n, i int) int {
	if i+1 < n && t[(i+1)*n+i] != 0 {
		return 2
	}
	return 1
}

// SqrtWork is the length of the work that Sqrt needs.
func SqrtWork(n int) int { return 3*n*n + schurWork(n) }

// Sqrt overwrites a, of n rows, by its principal square root, whose eigenvalues have no negative real parts. It is that of the Schur form,
// column by column of blocks. (Higham 1987, Computing real square roots of a real matrix.) Negative eigenvalues that may be rounded zeros count
// as 0. If a has other negative eigenvalues, or is not finite, all is NaN.
func Sqrt(a []float64, n int, work []float64) {
	if n == 0 {
		return
	}
	t, q, r := carve[float64](&work, n*n), carve[float64](&work, n*n), carve[float64](&work, n*n)
	copy(t, a)
	exponent := moderate(t)
	if !finite(a) || !schur(t, q, n, work) || !sqrtOfSchur(r, t, n) {
		fail(a)
		return
	}
	shift(r, exponent/2)
	gemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, q, n, r, n, 0, t, n)
	gemm(blas.NoTrans, blas.Trans, n, n, n, 1, t, n, q, n, 0, a, n)
}

// sqrtOfSchur stores in r the square root of t. It reports whether there is one.
func sqrtOfSchur(r, t []float64, n int) bool {
	largest := 0.0
	for _, x := range t {
		largest = max(largest, math.Abs(x))
	}
	nothing := 2 * epsilon * float64(n) * largest
	clear(r)
	for j := 0; j < n; {
		across := blockAt(t, n, j)
		if !sqrtOfBlock(r[j*n+j:], t[j*n+j:], n, across, nothing) {
			return false
		}
		for i := j; i > 0; {
			down := 1
			if i > 1 && t[(i-1)*n+i-2] != 0 {
				down = 2
			}
			i -= down
			var b [4]float64
			size := 0.0
			for p := range down {
				for c := range across {
					sum := t[(i+p)*n+j+c]
					for k := i + down; k < j; k++ {
						sum -= r[(i+p)*n+k] * r[k*n+j+c]
					}
					b[p*across+c] = sum
					size = max(size, math.Abs(sum))
				}
			}
			if down == 1 && across == 1 && r[i*n+i]+r[j*n+j] == 0 && size <= nothing {
				continue // both eigenvalues are 0, and what is between them too
			}
			if !sylvesterOfBlocks(b[:down*across], r[i*n+i:], n, down, r[j*n+j:], n, across) {
				return false
			}
			for p := range down {
				copy(r[(i+p)*n+j:(i+p)*n+j+across], b[p*across:])
			}
		}
		j += across
	}
	return true
}

// sqrtOfBlock stores in r the square root of a block of t on the diagonal. One of two rows has equal elements on its diagonal, which are the
// real part x of its eigenvalues x ± iy: its root is a + (t - x)/2a with a the real part of the root of x + iy.
func sqrtOfBlock(r, t []float64, stride, size int, nothing float64) bool {
	x := t[0]
	if size == 1 {
		if x < 0 && x >= -nothing {
			x = 0
		}
		r[0] = math.Sqrt(x)
		return x >= 0
	}
	y := math.Sqrt(math.Abs(t[1])) * math.Sqrt(math.Abs(t[stride]))
	a := math.Sqrt((math.Hypot(x, y) + math.Abs(x)) / 2)
	if x < 0 {
		a = y / (2 * a)
	}
	r[0], r[1] = a, t[1]/(2*a)
	r[stride], r[stride+1] = t[stride]/(2*a), a
	return true
}

// SylvesterWork is the length of the work that Sylvester needs.
func SylvesterWork(m, n int) int { return m*m + n*n + m*n + max(schurWork(m), schurWork(n)) }

// Sylvester overwrites c, of m rows and n columns, by the solution x of a x + x b = c. It overwrites a and b. (Bartels and Stewart
// 1972.) If an eigenvalue of a is that of -b, or something is not finite, all is NaN.
func Sylvester(a, b, c []float64, m, n int, work []float64) {
	if m == 0 || n == 0 {
		return
	}
	q, p, half := carve[float64](&work, m*m), carve[float64](&work, n*n), carve[float64](&work, m*n)
	if !finite(a) || !finite(b) || !schur(a, q, m, work) || !schur(b, p, n, work) {
		fail(c)
		return
	}
	gemm(blas.Trans, blas.NoTrans, m, n, m, 1, q, m, c, n, 0, half, n)
	gemm(blas.NoTrans, blas.NoTrans, m, n, n, 1, half, n, p, n, 0, c, n)
	if !sylvesterOfSchur(a, b, c, m, n) {
		fail(c)
		return
	}
	gemm(blas.NoTrans, blas.NoTrans, m, n, m, 1, q, m, c, n, 0, half, n)
	gemm(blas.NoTrans, blas.Trans, m, n, n, 1, half, n, p, n, 0, c, n)
}

// sylvesterOfSchur is Sylvester of Schur forms: blocks of rows from the last up, blocks of columns from the first on.
func sylvesterOfSchur(t, u, c []float64, m, n int) bool {
	for end := m; end > 0; {
		down := 1
		if end > 1 && t[(end-1)*m+end-2] != 0 {
			down = 2
		}
		i := end - down
		for j := 0; j < n; {
			across := blockAt(u, n, j)
			var b [4]float64
			for p := range down {
				for q := range across {
					sum := c[(i+p)*n+j+q]
					for k := range j {
						sum -= c[(i+p)*n+k] * u[k*n+j+q]
					}
					b[p*across+q] = sum
				}
			}
			if !sylvesterOfBlocks(b[:down*across], t[i*m+i:], m, down, u[j*n+j:], n, across) {
				return false
			}
			for p := range down {
				copy(c[(i+p)*n+j:(i+p)*n+j+across], b[p*across:])
			}
			j += across
		}
		for k := range i { // the rows above are rid of those found
			for p := range down {
				times := t[k*m+i+p]
				for j, x := range c[(i+p)*n : (i+p+1)*n] {
					c[k*n+j] -= times * x
				}
			}
		}
		end = i
	}
	return true
}

// sylvesterOfBlocks overwrites x, of down rows, at most two, and across columns, at most two, by the solution of t x + x u = x. It solves up to
// four equations, one for each element. It reports whether they have one solution.
func sylvesterOfBlocks(x, t []float64, tStride, down int, u []float64, uStride, across int) bool {
	size := down * across
	var a [4][4]float64
	for p := range down {
		for q := range across {
			for k := range down {
				a[p*across+q][k*across+q] += t[p*tStride+k]
			}
			for k := range across {
				a[p*across+q][p*across+k] += u[k*uStride+q]
			}
		}
	}
	for j := range size {
		pivot := j
		for i := j; i < size; i++ {
			if math.Abs(a[i][j]) > math.Abs(a[pivot][j]) {
				pivot = i
			}
		}
		if a[pivot][j] == 0 {
			return false
		}
		a[j], a[pivot] = a[pivot], a[j]
		x[j], x[pivot] = x[pivot], x[j]
		for i := j + 1; i < size; i++ {
			times := a[i][j] / a[j][j]
			for k := j; k < size; k++ {
				a[i][k] -= times * a[j][k]
			}
			x[i] -= times * x[j]
		}
	}
	for i := size - 1; i >= 0; i-- {
		for k := i + 1; k < size; k++ {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	return true
}
