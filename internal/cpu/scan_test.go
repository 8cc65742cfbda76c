package cpu

// Running sums and the places of extremes against their definitions, at every level.

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// lineElements fills a slice with special and random values.
func lineElements[T number](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.IntN(9) - 4)
		if v, ok := any(&x[i]).(*float32); ok && r.IntN(40) == 0 {
			*v = [...]float32{float32(math.NaN()), float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1))}[r.IntN(4)]
		}
		if v, ok := any(&x[i]).(*float64); ok && r.IntN(40) == 0 {
			*v = [...]float64{math.NaN(), math.Copysign(0, -1), math.Inf(1), math.Inf(-1)}[r.IntN(4)]
		}
	}
	return x
}

func TestLines(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		testLines[float32](t)
		testLines[float64](t)
		testLines[int32](t)
		testLines[int64](t)
	})
}

func testLines[T number](t *testing.T) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 3, 5, 8, 33, 100} {
		for _, stride := range []int{1, 2, 63, 64, 130} {
			const outer = 3
			x := lineElements[T](r, outer*n*stride)
			l := Lines{First: r.IntN(2), End: outer*stride - r.IntN(2), N: n, Stride: stride}
			what := fmt.Sprintf("%T %+v", x, l)
			sums, back := make([]T, len(x)), make([]T, len(x))
			most, least := make([]int64, outer*stride), make([]int64, outer*stride)
			CumSum(sums, x, l, false)
			CumSum(back, x, l, true)
			ArgMax(most, x, l)
			ArgMin(least, x, l)
			for line := l.First; line < l.End; line++ {
				at := func(i int) int { return line/stride*n*stride + line%stride + i*stride }
				var up, down float64
				max, min := 0, 0
				for i := range n {
					up += float64(x[at(i)])
					down += float64(x[at(n-1-i)])
					if !equalOrNaN(float64(sums[at(i)]), up) || !equalOrNaN(float64(back[at(n-1-i)]), down) {
						t.Fatalf("%s: the sums of line %d are %v and %v at %d, want %v and %v", what, line, sums[at(i)], back[at(n-1-i)], i, up, down)
					}
					v, high, low := x[at(i)], x[at(max)], x[at(min)]
					if v > high || v != v && high == high {
						max = i
					}
					if v < low || v != v && low == low {
						min = i
					}
				}
				if most[line] != int64(max) || least[line] != int64(min) {
					t.Fatalf("%s: the extremes of line %d are at %d and %d, want %d and %d", what, line, most[line], least[line], max, min)
				}
			}
		}
	}
}

// equalOrNaN reports whether two numbers are equal, or both NaN.
func equalOrNaN(a, b float64) bool { return a == b || a != a && b != b }
