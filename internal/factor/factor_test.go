package factor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// positive is a random positive definite matrix.
func positive(n int) []float64 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b, a := make([]float64, n*n), make([]float64, n*n)
	for i := range b {
		b[i] = r.NormFloat64()
	}
	for i := range n {
		for j := range i + 1 {
			for k := range n {
				a[i*n+j] += b[i*n+k] * b[j*n+k]
			}
			a[j*n+i] = a[i*n+j]
		}
		a[i*n+i] += 1
	}
	return a
}

// TestEigH takes matrices with eigenvalues of all kinds: all different, equal, in groups that rounding alone tells apart, over many orders
// of magnitude, none that the halves of the matrix would share, and of the ends of the range of numbers.
func TestEigH(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	turned := func(n int, value func(i int) float64) []float64 {
		q, x, a := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		QR(q, make([]float64, n*n), x, n, n)
		for i := range n {
			for j := range i + 1 {
				for k := range n {
					a[i*n+j] += q[i*n+k] * value(k) * q[j*n+k]
				}
				a[j*n+i] = a[i*n+j]
			}
		}
		return a
	}
	tridiagonal := func(n int, d, e func(i int) float64) []float64 {
		a := make([]float64, n*n)
		for i := range n {
			a[i*n+i] = d(i)
			if i > 0 {
				a[i*n+i-1], a[(i-1)*n+i] = e(i), e(i)
			}
		}
		return a
	}
	constant := func(x float64) func(int) float64 { return func(int) float64 { return x } }
	for name, makeMatrix := range map[string]func(n int) []float64{
		"positive": positive,
		"zero":     func(n int) []float64 { return make([]float64, n*n) },
		"identity": func(n int) []float64 { return tridiagonal(n, constant(1), constant(0)) },
		"diagonal": func(n int) []float64 {
			return tridiagonal(n, func(i int) float64 { return float64(i * 7 % n) }, constant(0))
		},
		"laplacian": func(n int) []float64 { return tridiagonal(n, constant(2), constant(-1)) },
		"glued": func(n int) []float64 {
			return tridiagonal(n, func(i int) float64 { return math.Abs(float64(i%21 - 10)) }, func(i int) float64 {
				if i%21 == 0 {
					return 1e-9
				}
				return 1
			})
		},
		"rank one": func(n int) []float64 { return turned(n, func(i int) float64 { return float64(b2i(i == 0)) }) },
		"two":      func(n int) []float64 { return turned(n, func(i int) float64 { return float64(1 + i%2) }) },
		"clusters": func(n int) []float64 {
			return turned(n, func(i int) float64 { return float64(i%4) + 1e-14*r.Float64() })
		},
		"geometric": func(n int) []float64 { return turned(n, func(i int) float64 { return math.Pow(10, -0.3*float64(i)) }) },
		"tiny blocks": func(n int) []float64 {
			return tridiagonal(n, func(i int) float64 { return float64(i % 5 / 3) }, func(i int) float64 { return math.Pow(10, -float64([]int{0, 200, 400, 20, 160}[i%5])) })
		},
		"huge": func(n int) []float64 { return turned(n, func(i int) float64 { return 1e300 * float64(i-3) }) },
		"tiny": func(n int) []float64 { return turned(n, func(i int) float64 { return 1e-300 * float64(i-3) }) },
	} {
		for _, n := range []int{1, 2, 5, 32, 33, 64, 100, 131, 200} {
			a := makeMatrix(n)
			largest := 0.0
			for _, x := range a {
				largest = max(largest, math.Abs(x))
			}
			values, v := make([]float64, n), append([]float64{}, a...)
			EigH(values, v, n)
			if !slices.IsSorted(values) {
				t.Errorf("%s of %d: the values are not in order", name, n)
			}
			scale := 1.0
			if largest > 0 {
				scale = 1 / largest
			}
			residual, slant := 0.0, 0.0
			for i := range n {
				for j := range n {
					var product, dot float64
					for k := range n {
						product += scale * a[i*n+k] * v[k*n+j]
						dot += v[k*n+i] * v[k*n+j]
					}
					residual = max(residual, math.Abs(product-scale*values[j]*v[i*n+j]))
					slant = max(slant, math.Abs(dot-float64(b2i(i == j))))
				}
			}
			if limit := 1e-14 * float64(n+10); !(residual < limit && slant < limit) {
				t.Errorf("%s of %d: A v - w v is %.2g of the largest element, V'V - 1 is %.2g", name, n, residual, slant)
			}
		}
	}
}

// TestQR takes matrices whose second reflection is shorter than the first, beside random ones.
func TestQR(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for _, shape := range [][2]int{{1, 1}, {40, 33}, {33, 40}, {150, 150}, {200, 70}, {70, 200}} {
		for _, short := range []bool{false, true} {
			m, n := shape[0], shape[1]
			k := min(m, n)
			a := make([]float64, m*n)
			for i := range m {
				for j := range n {
					a[i*n+j] = r.NormFloat64()
				}
				if short && n > 1 {
					a[i*n], a[i*n+1] = float64(b2i(i > m/2)), float64(i%7*b2i(i > 0 && i <= m/2))
				}
			}
			q, upper := make([]float64, m*k), make([]float64, k*n)
			QR(q, upper, append([]float64{}, a...), m, n)
			residual, slant := 0.0, 0.0
			for i := range m {
				for j := range n {
					sum := -a[i*n+j]
					for l := range k {
						sum += q[i*k+l] * upper[l*n+j]
					}
					residual = max(residual, math.Abs(sum))
				}
			}
			for i := range k {
				for j := range k {
					dot := -float64(b2i(i == j))
					for l := range m {
						dot += q[l*k+i] * q[l*k+j]
					}
					slant = max(slant, math.Abs(dot))
					if j < i && upper[i*n+j] != 0 {
						t.Errorf("r of %v has %v below its diagonal", shape, upper[i*n+j])
					}
				}
			}
			if !(residual < 1e-12 && slant < 1e-13) {
				t.Errorf("%v, short %v: Q R - A is %.2g, Q'Q - 1 is %.2g", shape, short, residual, slant)
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func BenchmarkFactor(b *testing.B) {
	for _, n := range []int{128, 512, 784} {
		a := positive(n)
		x, y, q := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Cholesky", func() { Cholesky(x, n) }},
			{"EigH", func() { EigH(y[:n], x, n) }},
			{"QR", func() { QR(q, y, x, n, n) }},
			{"Inverse", func() { Inverse(x, n) }},
			{"SolveTriangular", func() { copy(y, a); SolveTriangular(x, y, n, n, false, true) }},
		} {
			b.Run(fmt.Sprint(f.name, "/", n), func(b *testing.B) {
				for b.Loop() {
					copy(x, a)
					f.run()
				}
			})
		}
	}
}

// TestSameBits factors with one worker and with several.
func TestSameBits(t *testing.T) {
	const n = 300
	all := func(workers int) []float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
		l, v, inverse := positive(n), positive(n), positive(n)
		values, q, r := make([]float64, n), make([]float64, n*n), make([]float64, n*n)
		Cholesky(l, n)
		EigH(values, v, n)
		Inverse(inverse, n)
		QR(q, r, positive(n), n, n)
		SolveTriangular(l, inverse, n, n, false, true)
		return slices.Concat(l, values, v, inverse, q, r)
	}
	if !slices.Equal(all(1), all(4)) {
		t.Error("the bits depend on the number of workers")
	}
}
