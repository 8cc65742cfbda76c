package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestArgSort compares with a stable sort of all types, at lengths on both sides of each limit, whole and in part.
func TestArgSort(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 5, sortByPairs, sortByPairs + 1, 300, longRow, longRow + 77} {
		for _, descending := range []bool{false, true} {
			for _, kept := range []int{0, 1, n / 20, n / 2, n} {
				testArgSort(t, lineElements[float32](r, n), kept, descending)
				testArgSort(t, lineElements[float64](r, n), kept, descending)
				testArgSort(t, lineElements[int32](r, n), kept, descending)
				testArgSort(t, lineElements[int64](r, n), kept, descending)
				bools := make([]uint8, n)
				floats, wide := make([]float32, n), make([]int64, n)
				for i := range n {
					bools[i], floats[i], wide[i] = uint8(r.IntN(2)), r.Float32()-0.5, int64(r.Uint64())
				}
				testArgSort(t, bools, kept, descending)
				testArgSort(t, floats, kept, descending)
				testArgSort(t, wide, kept, descending)
			}
		}
	}
}

func testArgSort[T Element](t *testing.T, x []T, kept int, descending bool) {
	t.Helper()
	work := make([]float64, ArgSortWork(len(x), int(unsafe.Sizeof(x[0])))+1)
	for i := range work {
		work[i] = 1e300 // its contents do not matter
	}
	got := make([]int64, kept)
	ArgSort(got, x, descending, work[:len(work)-1])
	if work[len(work)-1] != 1e300 {
		t.Fatalf("%T of %d elements: it writes beyond its memory", x, len(x))
	}
	want := make([]int64, len(x))
	for i := range want {
		want[i] = int64(i)
	}
	slices.SortStableFunc(want, func(i, j int64) int {
		a, b := x[i], x[j]
		order := 0
		switch {
		case a < b || a == a && b != b:
			order = -1
		case a > b || a != a && b == b:
			order = 1
		}
		if descending {
			return -order
		}
		return order
	})
	if !slices.Equal(got, want[:kept]) {
		t.Fatalf("%T of %d elements, %d kept, descending %v: the order is wrong", x, len(x), kept, descending)
	}
}
