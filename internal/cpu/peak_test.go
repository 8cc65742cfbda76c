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
