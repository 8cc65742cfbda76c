package rng

import (
	"math"
	"testing"
)

// vectorSets lists the vectors that this processor has, from none on.
func vectorSets() []vectorSet {
	all := []vectorSet{plain}
	if vectors == avx512 {
		all = append(all, avx2)
	}
	if vectors != plain {
		all = append(all, vectors)
	}
	return all
}

// TestWords checks the assembly against the words one by one, around the ends of its groups of blocks and where the block's
// number outgrows 32 bits.
func TestWords(t *testing.T) {
	defer func(before vectorSet) { vectors = before }(vectors)
	key := Key{0x0123456789abcdef, 0xfedcba9876543210}
	for _, set := range vectorSets() {
		vectors = set
		for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 67, 200, 1000} {
			for _, first := range []uint64{0, 1, 4, 7, 1<<34 - 100, 1<<62 + 3} {
				dst := make([]uint32, n+1)
				fillWords(dst[:n], key, first)
				for j, w := range dst[:n] {
					if want := word(key, first+uint64(j)); w != want {
						t.Fatalf("vectors %d: word %d+%d of %d is %#x, want %#x", set, first, j, n, w, want)
					}
				}
				if dst[n] != 0 {
					t.Fatalf("vectors %d: %d words from %d on: one too many was written", set, n, first)
				}
			}
		}
	}
}

// TestQuantiles checks the vector functions bit for bit against the quantiles one by one: random numbers, the ends of the parts and
// their neighbors, and the ends of the interval.
func TestQuantiles(t *testing.T) {
	defer func(before vectorSet) { vectors = before }(vectors)
	var p []float64
	for _, x := range []float64{0x1p-53, 0x1p-40, math.Exp(-25), 1e-11, 2e-11, 0x1p-33, 0.0749, 0.075, 0.0751, 0.25, 0.5, 0.7, 0.9249, 0.925, 0.9251, 1 - 0x1p-33, 1 - 0x1p-52} {
		p = append(p, math.Nextafter(x, 0), x, math.Nextafter(x, 1))
	}
	for i := range 20000 {
		w := word64(Key{1, 2}, uint64(i))
		p = append(p, open64(w), math.Ldexp(open64(w), -int(w%40)))
	}
	for _, set := range vectorSets()[1:] {
		vectors = set
		for first, n := 0, 1; first < len(p); first, n = first+n, n%chunk+1 {
			n = min(n, len(p)-first)
			var got [chunk]float64
			copy(got[:n], p[first:])
			quantiles(got[:n])
			for i, x := range got[:n] {
				if want := quantile(p[first+i]); x != want {
					t.Fatalf("vectors %d: the quantile of %v is %v, want %v", set, p[first+i], x, want)
				}
			}
		}
		words := []uint32{0, 1, math.MaxUint32, 0x13333331, 0x13333332, 0x13333333, 0x13333334, 0xECCCCCCB, 0xECCCCCCC, 0xECCCCCCD, 1 << 31}
		for i := range 20000 {
			words = append(words, word(Key{3, 4}, uint64(i)))
		}
		for first, n := 0, 1; first < len(words); first, n = first+n, n%chunk+1 {
			n = min(n, len(words)-first)
			var got [chunk]float32
			quantiles32(got[:n], words[first:first+n])
			for i, x := range got[:n] {
				if want := float32(quantile(open32(words[first+i]))); x != want {
					t.Fatalf("vectors %d: the quantile of word %#x is %v, want %v", set, words[first+i], x, want)
				}
			}
		}
	}
}
