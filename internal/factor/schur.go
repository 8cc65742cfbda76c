package factor

import "math"

// This file holds the real Schur form of a matrix, by QR steps with two shifts at once. (Francis 1961; Golub and Van Loan, Matrix
// Computations, section 7.5; the tests for negligible elements and the exceptional shifts are those of LAPACK's dlahqr, which in gonum allocates.)

// schurWork is the length of the work that schur needs.
func schurWork(n int) int { return n + max(n, reflectionsWork(n, n)) }

// schur overwrites a, of n rows, by t, upper triangular but for blocks of two rows on the diagonal, one for each pair of complex
// eigenvalues, and stores the orthogonal q with a = q t q'. It reports whether it has converged.
func schur(a, q []float64, n int, work []float64) bool {
	identity(q, n, n)
	if n == 1 {
		return true
	}
	exponent := moderate(a)
	defer func() { shift(a, exponent) }()
	tau := carve[float64](&work, n)[:n-1]
	solvers.Dgehd2(n, 0, n-1, a, n, tau, work[:n])
	all := newReflections(a[n:], n, n-1, tau, n, work)
	all.applyAll(q[n:], n, n, false)
	for i := 2; i < n; i++ {
		clear(a[i*n : i*n+i-1])
	}
	s := francis{a, q, n}
	for last, steps := n-1, 0; last >= 1; {
		first := s.split(last)
		switch {
		case first == last:
			last, steps = last-1, 0
		case first == last-1:
			s.standardize(first)
			last, steps = last-2, 0
		case steps > 30*max(10, n):
			return false
		default:
			steps++
			s.step(first, last, steps)
		}
	}
	return true
}

// francis is a matrix with zeros below its first subdiagonal on its way to the Schur form, and the product of what it has been turned by.
type francis struct {
	h, q []float64
	n    int
}

// split looks for the first row of the block that ends with row last and has no negligible element below its diagonal.
func (s francis) split(last int) int {
	h, n := s.h, s.n
	for k := last; k > 0; k-- {
		below, above := math.Abs(h[k*n+k-1]), math.Abs(h[(k-1)*n+k])
		here, before := h[k*n+k], h[(k-1)*n+k-1]
		size := math.Abs(before) + math.Abs(here)
		if size == 0 && k > 1 {
			size += math.Abs(h[(k-1)*n+k-2])
		}
		if size == 0 && k+1 < n {
			size += math.Abs(h[(k+1)*n+k])
		}
		negligible := below <= 0x1p-1022*float64(n)/epsilon
		if !negligible && below <= 2*epsilon*size { // (Ahues and Tisseur 1997)
			large, small := max(math.Abs(here), math.Abs(before-here)), min(math.Abs(here), math.Abs(before-here))
			sum := large + max(below, above)
			negligible = min(below, above)*(max(below, above)/sum) <= 2*epsilon*(small*(large/sum))
		}
		if negligible {
			h[k*n+k-1] = 0
			return k
		}
	}
	return 0
}

// step takes a QR step of the block from row first to row last, the steps-th since the last eigenvalue was found. The shifts are the eigenvalues
// of the last two rows. The first column of (h - shift 1)(h - shift 2) makes a bulge, which reflections of three rows chase down.
func (s francis) step(first, last, steps int) {
	h, n := s.h, s.n
	a, b, c, d := h[(last-1)*n+last-1], h[(last-1)*n+last], h[last*n+last-1], h[last*n+last]
	if steps%10 == 0 { // an exceptional shift
		size := math.Abs(c) + math.Abs(h[(last-1)*n+last-2])
		a, b, c, d = 0.75*size+d, -0.4375*size, size, 0.75*size+d
	}
	var re1, re2, im float64 // the shifts
	if unit := math.Abs(a) + math.Abs(b) + math.Abs(c) + math.Abs(d); unit > 0 {
		a, b, c, d = a/unit, b/unit, c/unit, d/unit
		mean, half := (a+d)/2, (a-d)/2
		root := math.Sqrt(math.Abs(half*half + b*c))
		if half*half+b*c < 0 {
			re1, re2, im = mean*unit, mean*unit, root*unit
		} else { // of real eigenvalues the nearer to d, twice
			near := (mean - math.Copysign(root, half)) * unit
			re1, re2 = near, near
		}
	}
	here, right, below := h[first*n+first], h[first*n+first+1], h[(first+1)*n+first]
	unit := math.Abs(here-re2) + im + math.Abs(below)
	x := below/unit*right + (here-re1)*((here-re2)/unit) + im*(im/unit)
	y := below / unit * (here + h[(first+1)*n+first+1] - re1 - re2)
	z := below / unit * h[(first+2)*n+first+1]
	for k := first; k < last; k++ {
		size := min(3, last-k+1)
		if k > first {
			x, y, z = h[k*n+k-1], h[(k+1)*n+k-1], 0
			if size == 3 {
				z = h[(k+2)*n+k-1]
			}
		}
		// The reflection 1 - tau v v' with v = (1, v1, v2) takes (x, y, z) to (length, 0, 0).
		scale := math.Abs(x) + math.Abs(y) + math.Abs(z)
		if scale == 0 {
			continue
		}
		x, y, z = x/scale, y/scale, z/scale
		length := -math.Copysign(math.Sqrt(x*x+y*y+z*z), x)
		tau, v1, v2 := (length-x)/length, y/(x-length), z/(x-length)
		if k > first {
			h[k*n+k-1], h[(k+1)*n+k-1] = length*scale, 0
			if size == 3 {
				h[(k+2)*n+k-1] = 0
			}
		}
		if size == 2 {
			for j := k; j < n; j++ {
				sum := tau * (h[k*n+j] + v1*h[(k+1)*n+j])
				h[k*n+j] -= sum
				h[(k+1)*n+j] -= sum * v1
			}
			turnColumns2(h[k:], n, last+1, tau, v1)
			turnColumns2(s.q[k:], n, n, tau, v1)
			continue
		}
		top, middle, bottom := h[k*n:(k+1)*n], h[(k+1)*n:(k+2)*n], h[(k+2)*n:(k+3)*n]
		for j := k; j < n; j++ {
			sum := tau * (top[j] + v1*middle[j] + v2*bottom[j])
			top[j] -= sum
			middle[j] -= sum * v1
			bottom[j] -= sum * v2
		}
		turnColumns3(h[k:], n, min(k+4, last+1), tau, v1, v2)
		turnColumns3(s.q[k:], n, n, tau, v1, v2)
	}
}

// turnColumns3 multiplies the first three columns of a by a reflection from the right.
func turnColumns3(a []float64, stride, rows int, tau, v1, v2 float64) {
	for i := range rows {
		row := a[i*stride : i*stride+3]
		sum := tau * (row[0] + v1*row[1] + v2*row[2])
		row[0] -= sum
		row[1] -= sum * v1
		row[2] -= sum * v2
	}
}

// turnColumns2 multiplies the first two columns of a by a reflection from the right.
func turnColumns2(a []float64, stride, rows int, tau, v1 float64) {
	for i := range rows {
		row := a[i*stride : i*stride+2]
		sum := tau * (row[0] + v1*row[1])
		row[0] -= sum
		row[1] -= sum * v1
	}
}

// standardize turns the block of two rows that begins at row i: it becomes triangular if its eigenvalues are real, and else gets equal elements
// on the diagonal.
func (s francis) standardize(i int) {
	h, n := s.h, s.n
	a, b, c, d, _, _, _, _, cos, sin := solvers.Dlanv2(h[i*n+i], h[i*n+i+1], h[(i+1)*n+i], h[(i+1)*n+i+1])
	for j := i + 2; j < n; j++ {
		x, y := h[i*n+j], h[(i+1)*n+j]
		h[i*n+j], h[(i+1)*n+j] = cos*x+sin*y, cos*y-sin*x
	}
	for _, m := range [2][]float64{h[:i*n], s.q} {
		for at := i; at < len(m); at += n {
			x, y := m[at], m[at+1]
			m[at], m[at+1] = cos*x+sin*y, cos*y-sin*x
		}
	}
	h[i*n+i], h[i*n+i+1], h[(i+1)*n+i], h[(i+1)*n+i+1] = a, b, c, d
}
