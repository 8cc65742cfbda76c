package factor

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/lapack"
)

// This file holds the eigenvalues and eigenvectors of symmetric matrices. gonum makes the matrix tridiagonal; the vectors of that come from
// dividing and conquering, which is products of matrices for the most part, where gonum turns all vectors by one rotation after the
// other. (Cuppen 1981; the form in which it is stable: Gu and Eisenstat 1995, A divide-and-conquer algorithm for the symmetric
// tridiagonal eigenproblem; LAPACK's dlaed1 to dlaed4.)

// EigHWork is the length of the work that EigH needs.
func EigHWork(n int) int {
	return 2*n*rowStride(n) + 2*n + n*tridiagonalBlock + max(3*n*n+words[column](4*n)+3*n+words[int](n), reflectionsWork(n, n))
}

// tridiagonalBlock is the number of columns that LAPACK's dsytrd does at a time.
const tridiagonalBlock = 32

// rowStride is the distance between rows: columns are walked along, and rows a multiple of the page apart would fall onto one
// another in the cache.
func rowStride(n int) int {
	const line = 8
	return (n+line-1)/line*line | line
}

// EigH returns the eigenvalues of the symmetric matrix a of n rows in ascending order, and overwrites a by the eigenvectors, its
// columns. If a is not finite, or if the iteration does not converge, all are NaN.
func EigH(values, a []float64, n int, work []float64) {
	if n == 0 {
		return
	}
	if !finite(a) || !eigh(values, a, n, work) {
		fail(values)
		fail(a)
	}
}

func eigh(values, a []float64, n int, work []float64) bool {
	stride := rowStride(n)
	largest := 0.0
	for _, x := range a {
		largest = max(largest, math.Abs(x))
	}
	exponent := 0
	if largest < 1e-20 || largest > 1e20 { // squares should neither vanish nor overflow
		_, exponent = math.Frexp(largest)
	}
	reduced := carve[float64](&work, n*stride)
	for i := range n {
		for j, x := range a[i*n : (i+1)*n] {
			if exponent != 0 {
				x = math.Ldexp(x, -exponent)
			}
			reduced[i*stride+j] = x
		}
	}
	off, reflectors := carve[float64](&work, n)[:n-1], carve[float64](&work, n)[:n-1]
	t := tridiagonal{vectors: carve[float64](&work, n*stride), stride: stride, nothing: 1e-100 * math.Ldexp(largest, -exponent)}
	t.work = carve[float64](&work, n*tridiagonalBlock)
	solvers.Dsytrd(blas.Lower, n, reduced, stride, values, off, reflectors, t.work, len(t.work))
	clear(t.vectors)
	rest := work
	t.left, t.right, t.product = carve[float64](&rest, n*n), carve[float64](&rest, n*n), carve[float64](&rest, n*n)
	t.columns, t.numbers, t.order = carve[column](&rest, 4*n), carve[float64](&rest, 3*n), carve[int](&rest, n)
	if !t.divide(values, off, 0) {
		return false
	}
	if n > 1 {
		all := newReflections(reduced[stride:], stride, n-1, reflectors, n, work)
		all.applyAll(t.vectors[stride:], n, stride, false)
	}
	for i := range n {
		copy(a[i*n:(i+1)*n], t.vectors[i*stride:])
		if exponent != 0 {
			values[i] = math.Ldexp(values[i], exponent)
		}
	}
	return true
}

// tridiagonal is the memory of a tridiagonal problem.
type tridiagonal struct {
	vectors              []float64 // the columns
	stride               int
	work                 []float64
	nothing              float64 // smaller numbers count as 0 relative to the largest element
	left, right, product []float64
	columns              []column // of conquer and secular: the input, what is kept, what is finished and what is found
	numbers              []float64
	order                []int
}

// leaf is the size that is not divided.
const leaf = 32

const epsilon = 0x1p-53

// divide overwrites the diagonal d of the matrix with off-diagonal e by its eigenvalues in ascending order, and stores the
// eigenvectors in the block of t.vectors that begins at the diagonal element first.
//
//	T = [T1 0; 0 T2] + |r| v v'       r: the element of e between the two; v: 1 at the end of T1, the sign of r at the beginning of T2
func (t *tridiagonal) divide(d, e []float64, first int) bool {
	n := len(d)
	if n <= leaf {
		// gonum scales a block that is that small as a whole, and then all blocks behind it.
		for i, x := range e {
			if math.Abs(x) < t.nothing {
				e[i] = 0
			}
		}
		return solvers.Dsteqr(lapack.EVTridiag, n, d, e, t.vectors[first*t.stride+first:], t.stride, t.work)
	}
	m := n / 2
	r := e[m-1]
	d[m-1] -= math.Abs(r)
	d[m] -= math.Abs(r)
	if !t.divide(d[:m], e[:m-1], first) || !t.divide(d[m:], e[m:], first+m) {
		return false
	}
	t.conquer(d, r, m, first)
	return true
}

// column is an eigenvector of one of the halves, or of the whole.
type column struct {
	value, z    float64
	at          int  // the column of t.vectors
	top, bottom bool // where it is not zero
	root        int  // the number of the root that it is from, or -1
}

// conquer makes the eigenvalues and eigenvectors of the halves, in d and t.vectors, those of the whole. With z = v in the basis of the
// eigenvectors it has to find those of diag(d) + |r| z z'. A d_i whose z_i is nearly zero is an eigenvalue already, and so is one of two
// that are equal, once their vectors have been turned so that its z_i is 0.
func (t *tridiagonal) conquer(d []float64, r float64, m, first int) {
	n := len(d)
	q := t.vectors[first*t.stride+first:]
	size := len(t.order)
	columns := t.columns[:n]
	largest := 0.0
	for i := range columns {
		z := q[(m-1)*t.stride+i]
		if i >= m {
			z = math.Copysign(1, r) * q[m*t.stride+i]
		}
		z /= math.Sqrt2
		columns[i] = column{d[i], z, i, i < m, i >= m, -1}
		largest = max(largest, math.Abs(d[i]), 2*math.Abs(r*z))
	}
	r = 2 * math.Abs(r)
	byValue := func(a, b column) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return a.at - b.at
	}
	slices.SortFunc(columns, byValue)
	small := 8 * epsilon * largest
	kept, done := t.columns[size:size:2*size], t.columns[2*size:2*size:3*size]
	for _, c := range columns {
		if r*math.Abs(c.z) <= small {
			done = append(done, c)
			continue
		}
		if len(kept) > 0 {
			last := &kept[len(kept)-1]
			length := math.Hypot(c.z, last.z)
			cos, sin := c.z/length, last.z/length
			if gap := c.value - last.value; math.Abs(gap*cos*sin) <= small {
				for i := range n {
					row := q[i*t.stride:]
					row[last.at], row[c.at] = cos*row[last.at]-sin*row[c.at], cos*row[c.at]+sin*row[last.at]
				}
				last.value, c.value = last.value*cos*cos+c.value*sin*sin, last.value*sin*sin+c.value*cos*cos
				c.z, c.top, c.bottom = length, c.top || last.top, c.bottom || last.bottom
				done = append(done, *last)
				*last = c
				continue
			}
		}
		kept = append(kept, c)
	}
	k := len(kept)
	if k > 0 {
		done = append(done, t.secular(kept, r, m, n, q)...)
	}
	slices.SortFunc(done, byValue)
	old := t.left[:n*n]
	for i := range n {
		copy(old[i*n:(i+1)*n], q[i*t.stride:])
	}
	for j, c := range done {
		d[j] = c.value
		for i := range n {
			if c.root < 0 {
				q[i*t.stride+j] = old[i*n+c.at]
			} else {
				q[i*t.stride+j] = t.product[i*k+c.root]
			}
		}
	}
}

// secular finds the eigenvalues of diag(d) + r z z' of the columns kept, in ascending order, and stores the vectors as the columns
// of t.product. The vector of the value x has the elements z_i / (d_i - x). To be orthogonal they have to be those of a
// problem of which the values found are the exact ones: z_i^2 = product over j of (d_i - x_j) / product over j != i of (d_i - d_j).
func (t *tridiagonal) secular(kept []column, r float64, m, n int, q []float64) []column {
	k := len(kept)
	size := len(t.order)
	d, z, exact := t.numbers[:k], t.numbers[size:size+k], t.numbers[2*size:2*size+k]
	for i, c := range kept {
		d[i], z[i] = c.value, c.z
	}
	roots := t.columns[3*size : 3*size+k]
	gaps := t.product[:k*k] // row j holds d_i - x_j
	for i := range exact {
		exact[i] = -1
	}
	for j := range k {
		row := gaps[j*k : (j+1)*k]
		roots[j] = column{value: secularRoot(d, z, r, j, row), at: n + j, root: j}
		for i, gap := range row {
			if i != j {
				gap /= d[i] - d[j]
			}
			exact[i] *= gap
		}
	}
	for i := range exact {
		exact[i] = math.Copysign(math.Sqrt(max(0, exact[i])), z[i])
	}
	// The rows of the vectors in the order of where the columns are not zero: only above, above and below, only below.
	order := t.order[:0]
	above, below := 0, 0
	for _, where := range [][2]bool{{true, false}, {true, true}, {false, true}} {
		for i, c := range kept {
			if c.top != where[0] || c.bottom != where[1] {
				continue
			}
			order = append(order, i)
			if c.top {
				above++
			}
			if c.bottom {
				below++
			}
		}
	}
	basis := t.right[:k*k]
	for j := range k {
		row, sum := gaps[j*k:(j+1)*k], 0.0
		for i, gap := range row {
			row[i] = exact[i] / gap
			sum += row[i] * row[i]
		}
		scale := 1 / math.Sqrt(sum)
		for p, i := range order {
			basis[p*k+j] = row[i] * scale
		}
	}
	multiply := func(from, to, first, size int) {
		rows := t.left[:(to-from)*size]
		for i := from; i < to; i++ {
			for p, c := range order[first : first+size] {
				rows[(i-from)*size+p] = q[i*t.stride+kept[c].at]
			}
		}
		if size > 0 {
			gemm(blas.NoTrans, blas.NoTrans, to-from, k, size, 1, rows, size, basis[first*k:], k, 0, t.product[from*k:], k)
		} else {
			clear(t.product[from*k : to*k])
		}
	}
	multiply(0, m, 0, above)
	multiply(m, n, k-below, below)
	return roots
}

// secularRoot finds the root of 1 + r sum z_i^2 / (d_i - x) between d_j and d_(j+1), or above the last d, and stores all d_i - x in gaps.
// It counts x from the nearer of the two, so that the differences are exact. f rises from one to the other; it is replaced by a
// function c + a / (d_j - x) + b / (d_(j+1) - x) with its value and its slopes on both sides, and by halves where that leads out of the
// bounds. (Li 1994, Solving secular equations stably and efficiently: the middle way.)
func secularRoot(d, z []float64, r float64, j int, gaps []float64) float64 {
	k := len(d)
	if k == 1 {
		gaps[0] = -r * z[0] * z[0]
		return d[0] - gaps[0]
	}
	origin, low, high := d[j], 0.0, 0.0
	left := j // the last of the terms on the left
	if j < k-1 {
		half := (d[j+1] - d[j]) / 2
		f := 1.0
		for i := range d {
			f += r * z[i] * z[i] / (d[i] - d[j] - half)
		}
		if f >= 0 {
			high = half
		} else {
			origin, low = d[j+1], -half
		}
	} else {
		left = k - 2
		for _, x := range z {
			high += r * x * x
		}
		high *= 1 + 4*epsilon
	}
	x := (low + high) / 2
	for range 200 {
		f, size := 1.0, 1.0
		var slopes [2]float64
		for i := range d {
			gap := d[i] - origin - x
			quotient := z[i] / gap
			term, slope := r*z[i]*quotient, r*quotient*quotient
			f += term
			size += math.Abs(term)
			if i <= left {
				slopes[0] += slope
			} else {
				slopes[1] += slope
			}
		}
		if math.Abs(f) <= 4*epsilon*size {
			break
		}
		if f < 0 {
			low = x
		} else {
			high = x
		}
		next := between(low, high)
		a, b := d[left]-origin-x, d[left+1]-origin-x
		c := f - slopes[0]*a - slopes[1]*b
		linear, constant := (a+b)*f-a*b*(slopes[0]+slopes[1]), a*b*f
		if root := linear*linear - 4*c*constant; root >= 0 {
			half := (linear + math.Copysign(math.Sqrt(root), linear)) / 2
			for _, step := range [2]float64{half / c, constant / half} {
				if to := x + step; to > low && to < high {
					next = to
				}
			}
		}
		if next <= low || next >= high {
			break
		}
		x = next
	}
	for i := range d {
		gaps[i] = d[i] - origin - x
	}
	return origin + x
}

// between is a number between two bounds, one of which may be 0: their mean where they are of one size, and else that of their exponents.
func between(low, high float64) float64 {
	switch {
	case low == 0:
		return high / 64
	case high == 0:
		return low / 64
	case low/high > 4 || high/low > 4:
		return math.Copysign(math.Sqrt(math.Abs(low))*math.Sqrt(math.Abs(high)), high)
	}
	return (low + high) / 2
}
