package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestOutside puts one index out of range at each place of lists of several lengths, or none.
func TestOutside(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		testOutside[int32](t, math.MaxInt32, math.MinInt32)
		testOutside[int64](t, math.MaxInt64, math.MinInt64)
	})
}

func testOutside[I int32 | int64](t *testing.T, most, least I) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 7, math.MaxInt32} {
		for _, n := range []int{0, 1, 63, 64, 65, 128, 200} {
			at := make([]I, n)
			for i := range at {
				at[i] = I(r.IntN(size))
			}
			if got := Outside(at, size); got != -1 {
				t.Fatalf("%T of %d, size %d: index %d is said to be out of range", at, n, size, got)
			}
			for i := range at {
				for _, wrong := range []I{-1, I(size), least, most} {
					if uint64(wrong) < uint64(size) {
						continue
					}
					before := at[i]
					at[i] = wrong
					if got := Outside(at, size); got != i {
						t.Fatalf("%T of %d, size %d: %d at %d: got %d", at, n, size, wrong, i, got)
					}
					at[i] = before
				}
			}
		}
	}
}
