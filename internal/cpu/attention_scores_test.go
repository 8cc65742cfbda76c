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

// TestPairKernels compares the kernels that pack what they compute with those that do not and functions that pack.
func TestPairKernels(t *testing.T) {
	if !has(AVX512, DotBF16) {
		t.Skip("this processor has no unit for pairs")
	}
	const n = blockQueries
	passes := newAttention(AttentionSpec{Queries: n, Keys: blockKeys, Size: 4, ValueSize: 4}).passes
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range []int{1, 2, 3, 31, 64} {
		fill := func(k int) unsafe.Pointer {
			p := aligned(4 * k)
			for i, x := 0, block[float32](p, k); i < k; i++ {
				x[i] = 4*r.Float32() - 2
			}
			return p
		}
		clone := func(p unsafe.Pointer, k int) unsafe.Pointer {
			c := aligned(4 * k)
			copy(block[float32](c, k), block[float32](p, k))
			return c
		}
		expect := func(what string, got, want unsafe.Pointer, k int, tolerance float64) {
			g, w := block[uint16](got, k), block[uint16](want, k)
			for i := range g {
				x, y := math.Float32frombits(uint32(g[i])<<16), math.Float32frombits(uint32(w[i])<<16)
				if !(math.Abs(float64(x-y)) <= tolerance*max(math.Abs(float64(y)), 1e-3)) {
					t.Fatalf("%d keys: %s %d is %v, want %v", m, what, i, x, y)
				}
			}
		}
		s, by, ds, scale, sums := fill(m*n), fill(n), fill(m*n), constantOf[float32](0.25, n), fill(n)
		pairs := (m + 1) / 2 * n
		room := func() (rows, two unsafe.Pointer) { return aligned(m * scoreRow), aligned(4 * pairs) }
		gotRows, gotPairs := room()
		rows, two := room()

		weights, total := clone(s, m*n), clone(sums, n)
		passes.exp(weights, by, total, m, n)
		packPairsBF16(two, scorePair, weights, n*4, m, n)
		packRowsBF16(rows, scoreRow, weights, n*4, m, n)
		gotSums := clone(sums, n)
		pairScores.expPairs(gotPairs, s, by, gotSums, m)
		expect("pair", gotPairs, two, 2*pairs, 0)
		for i, x := range block[float32](gotSums, n) {
			if y := block[float32](total, n)[i]; math.Abs(float64(x-y)) > 1e-5*math.Abs(float64(y)) {
				t.Fatalf("%d keys: sum %d is %v, want %v", m, i, x, y)
			}
		}
		kept := clone(s, m*n)
		pairScores.expRows(gotRows, kept, by, m)
		expect("row", gotRows, rows, m*n, 0)
		for i, x := range block[float32](kept, m*n) {
			if y := block[float32](weights, m*n)[i]; x != y {
				t.Fatalf("%d keys: weight %d is %v, want %v", m, i, x, y)
			}
		}

		pairScores.gradient(gotRows, gotPairs, ds, weights, by, scale, m)
		for j := range block[float32](ds, m*n) {
			block[float32](ds, m*n)[j] *= 0.25
		}
		passes.gradient(ds, weights, by, m, n)
		packPairsBF16(two, scorePair, ds, n*4, m, n)
		packRowsBF16(rows, scoreRow, ds, n*4, m, n)
		expect("pair of gradients", gotPairs, two, 2*pairs, 1./64)
		expect("row of gradients", gotRows, rows, m*n, 1./64)
	}
}
