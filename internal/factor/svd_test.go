package factor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// This file tests singular values and the Schur form of matrices that are hard for them.

// kinds are matrices of m rows and n columns: of low rank, with equal singular values or eigenvalues, defective, and at the ends of the range of
// numbers.
var kinds = map[string]func(m, n int) []float64{
	"random": random,
	"zero":   func(m, n int) []float64 { return make([]float64, m*n) },
	"identity": func(m, n int) []float64 {
		a := make([]float64, m*n)
		identity(a, m, n)
		return a
	},
	"rank one": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return float64((i%5 - 2) * (j%7 - 3)) })
	},
	"orthogonal": func(m, n int) []float64 {
		k := max(m, n)
		q := make([]float64, k*k)
		QR(q, make([]float64, k*k), random(k, k), k, k, garbage(QRWork(k, k)))
		return filled(m, n, func(i, j int) float64 { return q[i*k+j] })
	},
	"shift": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return float64(b2i(j == i+1)) })
	},
	"cycle": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return float64(b2i(j == (i+1)%n)) })
	},
	"jordan": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return float64(b2i(j == i+1 || j == i)) })
	},
	"companion": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return float64(b2i(j == i-1)) + float64(j*b2i(i == 0)) })
	},
	"graded": func(m, n int) []float64 {
		r := rand.New(rand.NewPCG(1, 2))
		return filled(m, n, func(i, j int) float64 { return r.NormFloat64() * math.Pow(10, -0.2*float64(i+j)) })
	},
	"huge": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return 1e300 * float64((i*7+j*j)%11-5) })
	},
	"tiny": func(m, n int) []float64 {
		return filled(m, n, func(i, j int) float64 { return 1e-300 * float64((i*7+j*j)%11-5) })
	},
}

func filled(m, n int, f func(i, j int) float64) []float64 {
	a := make([]float64, m*n)
	for i := range m {
		for j := range n {
			a[i*n+j] = f(i, j)
		}
	}
	return a
}

// slant is the largest element of q'q - 1 for the columns of q.
func slant(q []float64, rows, columns int) float64 {
	worst := 0.0
	for i := range columns {
		for j := range columns {
			dot := -float64(b2i(i == j))
			for k := range rows {
				dot += q[k*columns+i] * q[k*columns+j]
			}
			if !(math.Abs(dot) <= worst) {
				worst = math.Abs(dot)
			}
		}
	}
	return worst
}

// apart is the largest difference of a and the product of left, of k columns, scaled, and right transposed, relative to the largest element of a.
func apart(a, left, middle, right []float64, m, k, n int) float64 {
	largest := 0.0
	for _, x := range a {
		largest = max(largest, math.Abs(x))
	}
	scale := 1.0
	if largest > 0 {
		scale = 1 / largest
	}
	worst := 0.0
	for i := range m {
		for j := range n {
			sum := -scale * a[i*n+j]
			for p := range k {
				for q := range k {
					if x := middle[p*k+q]; x != 0 {
						sum += left[i*k+p] * (scale * x) * right[j*k+q]
					}
				}
			}
			if !(math.Abs(sum) <= worst) {
				worst = math.Abs(sum)
			}
		}
	}
	return worst
}

func TestSVD(t *testing.T) {
	for name, kind := range kinds {
		for _, size := range [][2]int{{1, 1}, {1, 4}, {2, 2}, {5, 3}, {3, 5}, {33, 33}, {40, 70}, {90, 50}} {
			m, n := size[0], size[1]
			k := min(m, n)
			a := kind(m, n)
			u, s, v := make([]float64, m*k), make([]float64, k), make([]float64, n*k)
			SVD(u, s, v, slices.Clone(a), m, n, garbage(SVDWork(m, n)))
			middle := make([]float64, k*k)
			for i, x := range s {
				middle[i*k+i] = x
				if i > 0 && !(x <= s[i-1]) || !(x >= 0) {
					t.Errorf("%s of %v: the values are not in order: %v", name, size, s)
					break
				}
			}
			if d, du, dv := apart(a, u, middle, v, m, k, n), slant(u, m, k), slant(v, n, k); !(max(d, du, dv) < 1e-14*float64(m+n+10)) {
				t.Errorf("%s of %v: U s V' - A is %.2g of the largest element, U'U - 1 is %.2g, V'V - 1 is %.2g", name, size, d, du, dv)
			}
		}
	}
}

func TestSchur(t *testing.T) {
	for name, kind := range kinds {
		for _, n := range []int{1, 2, 3, 4, 10, 33, 60} {
			a := kind(n, n)
			form, q := slices.Clone(a), make([]float64, n*n)
			if !schur(form, q, n, garbage(schurWork(n))) {
				t.Errorf("%s of %d: no convergence", name, n)
				continue
			}
			for i := range n {
				for j := range i {
					if x := form[i*n+j]; x != 0 && (j < i-1 || i > 1 && form[j*n+j-1] != 0 || form[i*n+i] != form[j*n+j]) {
						t.Errorf("%s of %d: element %d, %d is %g", name, n, i, j, x)
					}
				}
			}
			if d, dq := apart(a, q, form, q, n, n, n), slant(q, n, n); !(max(d, dq) < 1e-14*float64(2*n+10)) {
				t.Errorf("%s of %d: Q T Q' - A is %.2g of the largest element, Q'Q - 1 is %.2g", name, n, d, dq)
			}
		}
	}
}

// TestSqrtOfHugeAndTiny takes the root of squares at the ends of the range of numbers.
func TestSqrtOfHugeAndTiny(t *testing.T) {
	for _, scale := range []float64{1e-300, 1e-80, 1, 1e80, 1e300} {
		for name, root := range map[string][]float64{"real": {2, 1, 0, 3}, "complex": {1, 2, -2, 1}, "nearly imaginary": {1e-3, 1, -1, 1e-3}} {
			a := make([]float64, 4)
			for i := range 2 {
				for j := range 2 {
					a[i*2+j] = scale * (root[i*2]*root[j] + root[i*2+1]*root[2+j])
				}
			}
			Sqrt(a, 2, garbage(SqrtWork(2)))
			for i, x := range a {
				if want := root[i] * math.Sqrt(scale); !(math.Abs(x-want) < 1e-12*math.Sqrt(scale)) {
					t.Errorf("%s times %g: element %d is %g and should be %g", name, scale, i, x, want)
				}
			}
		}
	}
}
