package factor

import (
	"fmt"
	"math/rand/v2"
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
