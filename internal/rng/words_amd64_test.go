package rng

import "testing"

// TestWords checks the assembly against the words one by one, around the ends of its groups of blocks and where the block's
// number outgrows 32 bits.
func TestWords(t *testing.T) {
	before := [2]bool{hasAVX2, hasAVX512}
	defer func() { hasAVX2, hasAVX512 = before[0], before[1] }()
	key := Key{0x0123456789abcdef, 0xfedcba9876543210}
	for _, level := range [][2]bool{{false, false}, {true, false}, {true, true}} {
		if level[0] && !before[0] || level[1] && !before[1] {
			continue
		}
		hasAVX2, hasAVX512 = level[0], level[1]
		for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 65, 67, 200, 1000} {
			for _, first := range []uint64{0, 1, 4, 7, 1<<34 - 100, 1<<62 + 3} {
				dst := make([]uint32, n+1)
				fillWords(dst[:n], key, first)
				for j, w := range dst[:n] {
					if want := word(key, first+uint64(j)); w != want {
						t.Fatalf("AVX2, AVX-512 %v: word %d+%d of %d is %#x, want %#x", level, first, j, n, w, want)
					}
				}
				if dst[n] != 0 {
					t.Fatalf("AVX2, AVX-512 %v: %d words from %d on: one too many was written", level, n, first)
				}
			}
		}
	}
}
