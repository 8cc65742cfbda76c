//go:build linux

package cpu

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestConvTouchesNothingElse places every array against a page that may not be touched.
func TestConvTouchesNothingElse(t *testing.T) {
	atEachUnit(t, func(t *testing.T) {
		for _, atEnd := range []bool{false, true} {
			r := rand.New(rand.NewPCG(5, 0))
			for range 30 {
				s := randomConv(r)
				s.Float64, s.BF16 = false, r.IntN(2) == 0
				checkConv[float32](t, s, func(bytes int) unsafe.Pointer { return pageEdge(t, (bytes+3)&^3, atEnd) })
			}
		}
	})
}
