package factor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"

	"github.com/seed-49005b45/tarn/internal/alloctest"
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

// random is a random matrix.
func random(rows, cols int) []float64 {
	r, a := rand.New(rand.NewPCG(uint64(rows), uint64(cols))), make([]float64, rows*cols)
	for i := range a {
		a[i] = r.NormFloat64()
	}
	return a
}

// garbage is work whose contents would show in a result.
func garbage(n int) []float64 {
	work := make([]float64, n)
	fail(work)
	return work
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
		QR(q, make([]float64, n*n), x, n, n, garbage(QRWork(n, n)))
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
			EigH(values, v, n, garbage(EigHWork(n)))
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

// TestQR takes matrices whose second reflection is shorter than the first, and random ones.
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
			QR(q, upper, append([]float64{}, a...), m, n, garbage(QRWork(m, n)))
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
		x, y, q, z := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
		work := garbage(max(EigHWork(n), QRWork(n, n), InverseWork(n), SVDWork(n, n), ExpWork(n), SqrtWork(n)))
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Cholesky", func() { Cholesky(x, n) }},
			{"EigH", func() { EigH(y[:n], x, n, work) }},
			{"QR", func() { QR(q, y, x, n, n, work) }},
			{"Inverse", func() { Inverse(x, n, work) }},
			{"SolveTriangular", func() { copy(y, a); SolveTriangular(x, y, n, n, false, true) }},
			{"SVD", func() { SVD(q, y[:n], z, x, n, n, work) }},
			{"Exp", func() { Exp(y, x, n, work) }},
			{"Sqrt", func() { Sqrt(x, n, work) }},
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
		EigH(values, v, n, garbage(EigHWork(n)))
		Inverse(inverse, n, garbage(InverseWork(n)))
		QR(q, r, positive(n), n, n, garbage(QRWork(n, n)))
		SolveTriangular(l, inverse, n, n, false, true)
		lu, u, s, vt := random(n, n), make([]float64, n*n), make([]float64, n), make([]float64, n*n)
		LU(lu, make([]float64, n), n, n, garbage(LUWork(n, n)))
		SVD(u, s, vt, random(n, n), n, n, garbage(SVDWork(n, n)))
		exp, root := make([]float64, n*n), positive(n)
		Exp(exp, random(n, n), n, garbage(ExpWork(n)))
		Sqrt(root, n, garbage(SqrtWork(n)))
		return slices.Concat(l, values, v, inverse, q, r, lu, u, s, vt, exp, root)
	}
	if !slices.Equal(all(1), all(4)) {
		t.Error("the bits depend on the number of workers")
	}
}

// TestGemm expects the bits of gonum's product, of which every block is a copy.
func TestGemm(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 1}, {64, 64, 64}, {129, 70, 1}, {200, 130, 90}, {65, 300, 200}, {130, 130, 0}} {
		for _, ta := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			for _, tb := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				for _, beta := range []float64{0, 1, -0.5} {
					m, n, k := size[0], size[1], size[2]
					lda, ldb, ldc := k+3, n+2, n+1
					if ta == blas.Trans {
						lda = m + 3
					}
					if tb == blas.Trans {
						ldb = k + 2
					}
					a, b, got := random(max(m, k), lda), random(max(n, k), ldb), random(m, ldc)
					want := slices.Clone(got)
					gemm(ta, tb, m, n, k, 1.5, a, lda, b, ldb, beta, got, ldc)
					vectors.Dgemm(ta, tb, m, n, k, 1.5, a, lda, b, ldb, beta, want, ldc)
					if !slices.Equal(got, want) {
						t.Errorf("%v, %c %c, beta %v: other bits than gonum's", size, ta, tb, beta)
					}
				}
			}
		}
	}
}

// TestEqualsLAPACK expects the bits of the routines of gonum that are written anew here because its own allocate.
func TestEqualsLAPACK(t *testing.T) {
	for _, n := range []int{1, 2, 33, 64, 65, 128, 200, 331} {
		check := func(name string, got, want []float64) {
			if !slices.Equal(got, want) {
				t.Errorf("%s of %d rows: other bits than LAPACK's", name, n)
			}
		}
		got, want := positive(n), positive(n)
		Cholesky(got, n)
		if !solvers.Dpotrf(blas.Lower, n, want, n) {
			t.Errorf("a matrix of %d rows is not positive definite", n)
		}
		for i := range n {
			clear(want[i*n+i+1 : (i+1)*n])
		}
		check("Cholesky", got, want)

		got, want = random(n, n), random(n, n)
		pivots, work := make([]int, n), make([]float64, n*lapackBlock)
		Inverse(got, n, garbage(InverseWork(n)))
		factors := slices.Clone(want)
		if !solvers.Dgetrf(n, n, factors, n, pivots) {
			t.Errorf("a matrix of %d rows is singular", n)
		}
		inverse := slices.Clone(factors)
		solvers.Dgetri(n, inverse, n, pivots, work, len(work))
		check("Inverse", got, inverse)

		for _, transposed := range []bool{false, true} {
			x, y := random(n, 7), random(n, 7)
			Solve(slices.Clone(want), x, n, 7, transposed, garbage(SolveWork(n)))
			solvers.Dgetrs(transposition(transposed), n, 7, factors, n, pivots, y, 7)
			check("Solve", x, y)
		}
	}
}

// TestNoAllocation factors matrices of one block and of many.
func TestNoAllocation(t *testing.T) {
	for _, n := range []int{1, 20, 70, 130} {
		a, x, y, q, z := positive(n), make([]float64, n*n), make([]float64, n*n), make([]float64, n*n), make([]float64, n)
		work := garbage(max(EigHWork(n), QRWork(n, n), InverseWork(n), SolveWork(n), LUWork(n, n), CofactorsWork(n), SVDWork(n, n),
			PseudoinverseWork(n, n, n), ExpWork(n), SqrtWork(n), SylvesterWork(n, n)))
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Cholesky", func() { Cholesky(x, n) }},
			{"EigH", func() { EigH(y[:n], x, n, work) }},
			{"QR", func() { QR(q, y, x, n, n, work) }},
			{"Inverse", func() { Inverse(x, n, work) }},
			{"Solve", func() { copy(y, a); Solve(x, y, n, n, true, work) }},
			{"SolveTriangular", func() { copy(y, a); SolveTriangular(x, y, n, n, false, true) }},
			{"LU", func() { LU(x, y[:n], n, n, work) }},
			{"Cofactors", func() { Cofactors(x, n, work) }},
			{"SVD", func() { SVD(q, z[:n], y, x, n, n, work) }},
			{"Pseudoinverse", func() { Pseudoinverse(y, x, n, n, 0, work) }},
			{"LeastSquares", func() { LeastSquares(y, x, a, n, n, n, 0, work) }},
			{"Exp", func() { Exp(y, x, n, work) }},
			{"Sqrt", func() { Sqrt(x, n, work) }},
			{"Sylvester", func() { copy(y, a); copy(q, a); Sylvester(x, y, q, n, n, work) }},
		} {
			if allocations := alloctest.PerRun(5, func() { copy(x, a); f.run() }); allocations != 0 {
				t.Errorf("%s of %d rows allocates %v times", f.name, n, allocations)
			}
		}
	}
}
