package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestScorePasses compares the kernels of whole blocks of queries with the vector functions that take any: the same bits, but for sums, whose
// order differs.
func TestScorePasses(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		scorePassesOf[float32](t, 1e-6)
		scorePassesOf[float64](t, 1e-14)
	})
}

func scorePassesOf[T float32 | float64](t *testing.T, close float64) {
	double := unsafe.Sizeof(T(0)) == 8
	fast := newAttention(AttentionSpec{Queries: blockQueries, Keys: blockKeys, Size: 4, ValueSize: 4, Float64: double}).passes
	plain := fast
	plain.kernels = nil
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(n int) []T {
		s := make([]T, n)
		for i := range s {
			s[i] = T(10*r.Float32() - 5)
		}
		return s
	}
	const n = blockQueries
	for _, m := range []int{1, 2, 3, 31, 64} {
		s, ds, by := fill(m*n), fill(m*n), fill(n)
		for i := range n * m / 4 {
			s[4*i+i%4] = T(math.Inf(-1)) // as behind a mask
		}
		type result struct{ s, ds, top, sums []T }
		run := func(p scorePasses) (out result) {
			out = result{append([]T{}, s...), append([]T{}, ds...), fill(n), make([]T, n)}
			for i := range out.sums {
				out.sums[i] = T(i)
			}
			p.top(at(out.top, 0), at(out.s, 0), m, n)
			p.exp(at(out.s, 0), at(by, 0), at(out.sums, 0), m, n)
			p.gradient(at(out.ds, 0), at(out.s, 0), at(by, 0), m, n)
			return out
		}
		got, want := run(fast), run(plain)
		same := func(name string, got, want []T) {
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%d keys, %T: %s %d is %v, want %v", m, got[i], name, i, got[i], want[i])
				}
			}
		}
		same("top", got.top, want.top)
		same("exponential", got.s, want.s)
		same("gradient", got.ds, want.ds)
		for i := range n {
			if math.Abs(float64(got.sums[i]-want.sums[i])) > close*float64(want.sums[i]) {
				t.Fatalf("%d keys, %T: sum %d is %v, want %v", m, got.sums[i], i, got.sums[i], want.sums[i])
			}
		}
	}
}
