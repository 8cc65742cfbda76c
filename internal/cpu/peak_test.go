package cpu

import "testing"

// TestPeak asserts that each level counts its operations: as many for each loop, and none for no loop.
func TestPeak(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		one := Peak(1)
		if one <= 0 || Peak(1000) != 1000*one || Peak(0) != 0 || Peak(-1) != 0 {
			t.Errorf("a loop is %d operations, 1000 are %d, none %d and %d", one, Peak(1000), Peak(0), Peak(-1))
		}
	})
}

// TestPeakBF16 asserts the same of the units for bfloat16.
func TestPeakBF16(t *testing.T) {
	for _, u := range append(levelUnits(), 99) {
		one := PeakBF16(u, 1)
		if (one > 0) != has(unitLevel, u) && u != NoBF16 || PeakBF16(u, 1000) != 1000*one || PeakBF16(u, 0) != 0 {
			t.Errorf("%d: a loop is %d operations, 1000 are %d", u, one, PeakBF16(u, 1000))
		}
	}
}
