package fft

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/internal/cpu"
)

// lengths have every radix, more than one of each, and large primes alone and as factors.
var lengths = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 19, 20, 24, 25, 27, 30, 31, 32, 35, 37, 45, 49, 60, 62, 64, 74, 77, 81, 96, 100,
	101, 120, 121, 125, 127, 128, 210, 243, 256, 333, 341, 360, 499, 512, 600, 961, 1000, 1009, 1024, 1155, 2018, 2048, 2187, 4093}

func random(n int) []complex128 {
	r, x := rand.New(rand.NewPCG(1, uint64(n))), make([]complex128, n)
	for i := range x {
		x[i] = complex(r.NormFloat64(), r.NormFloat64())
	}
	return x
}

// definition is the transform of x by its sums.
func definition(x []complex128) []complex128 {
	n := len(x)
	roots, y := make([]complex128, n), make([]complex128, n)
	for k := range roots {
		roots[k] = cmplx.Exp(complex(0, -2*math.Pi*float64(k)/float64(n)))
	}
	for j := range y {
		for k, v := range x {
			y[j] += v * roots[j*k%n]
		}
	}
	return y
}

// garbage is scratch whose contents would show in a result.
func garbage(n int) []complex128 {
	work := make([]complex128, n)
	for i := range work {
		work[i] = cmplx.NaN()
	}
	return work
}

// difference is the root of the mean of the squares of the differences.
func difference(a, b []complex128) float64 {
	sum := 0.0
	for i, v := range a {
		d := cmplx.Abs(v - b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

// TestTransform compares transforms with their definition at each level of kernels.
func TestTransform(t *testing.T) {
	for _, level := range cpu.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Current())
			if err := cpu.Force(level); err != nil {
				t.Fatal(err)
			}
			testTransform(t)
		})
	}
}

func testTransform(t *testing.T) {
	for _, n := range lengths {
		x := random(n)
		table, real_ := make([]complex128, TableSize(n)), make([]complex128, RealTableSize(n))
		Fill(table, n)
		FillReal(real_, n)
		want := definition(x)
		limit := 1e-14 * math.Sqrt(float64(n)) * math.Log2(float64(n)+1)

		re, im, yre, yim, back, beside := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		for i, v := range x {
			re[i], im[i] = real(v), imag(v)
		}
		join := func(re, im []float64) []complex128 {
			z := make([]complex128, len(re))
			for i := range z {
				z[i] = complex(re[i], im[i])
			}
			return z
		}
		Complex(yre, yim, re, im, false, 1, garbage(n+WorkSize(n)), table)
		if d := difference(join(yre, yim), want); !(d < limit) {
			t.Errorf("length %d: the transform differs by %.2g", n, d)
		}
		Complex(back, beside, yre, yim, true, 1/float64(n), garbage(n+WorkSize(n)), table)
		if d := difference(join(back, beside), x); !(d < 1e-14*math.Log2(float64(n)+1)) {
			t.Errorf("length %d: the inverse differs by %.2g", n, d)
		}

		for i := range x {
			x[i] = complex(re[i], 0)
		}
		want = definition(x)[:n/2+1]
		yre, yim = yre[:n/2+1], yim[:n/2+1]
		Real(yre, yim, re, 2, garbage(RealWorkSize(n)), real_)
		for i := range want {
			want[i] *= 2
		}
		if d := difference(join(yre, yim), want); !(d < 2*limit) {
			t.Errorf("length %d: the real transform differs by %.2g", n, d)
		}
		yim[0] = 7 // does not matter, and neither does the last of an even length
		if n%2 == 0 {
			yim[n/2] = 9
		}
		RealInverse(back, yre, yim, 0.5/float64(n), garbage(RealWorkSize(n)), real_)
		if d := difference(join(back, im), join(re, im)); !(d < 1e-14*math.Log2(float64(n)+1)) {
			t.Errorf("length %d: the real inverse differs by %.2g", n, d)
		}
		if a := alloctest.PerRun(3, func() {
			Complex(back, beside, re, im, false, 1, garbage0[:n+WorkSize(n)], table)
			Real(yre, yim, re, 1, garbage0[:RealWorkSize(n)], real_)
		}); a != 0 {
			t.Errorf("length %d: a transform allocates %v times", n, a)
		}
	}
}

var garbage0 = garbage(1 << 16)

// TestRoots compares roots with exponentials, and expects those of a quarter to be exact.
func TestRoots(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 12, 1000} {
		for k := range 3 * n {
			want := cmplx.Exp(complex(0, -2*math.Pi*float64(k%n)/float64(n)))
			if got := root(k, n); cmplx.Abs(got-want) > 2e-15 {
				t.Errorf("root %d of %d is %v and should be %v", k, n, got, want)
			}
		}
	}
	for k, want := range []complex128{1, -1i, -1, 1i} {
		if got := root(k, 4); got != want {
			t.Errorf("root %d of 4 is %v and should be %v", k, got, want)
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	for _, n := range []int{256, 1000, 1024, 1009, 2048, 4096, 65536, 1 << 20} {
		x, work, table := random(n), make([]complex128, WorkSize(n)), make([]complex128, TableSize(n))
		Fill(table, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Transform(x, work, table)
				clear(x)
			}
		})
	}
}
