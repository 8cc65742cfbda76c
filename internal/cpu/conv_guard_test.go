//go:build linux

package cpu

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestConvTouchesNothingElse places every array against a page that may not be touched.
func TestConvTouchesNothingElse(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, atEnd := range []bool{false, true} {
			r := rand.New(rand.NewPCG(5, uint64(l)))
			for range 30 {
				s := randomConv(r)
				s.Float64 = false
				checkConv[float32](t, s, func(bytes int) unsafe.Pointer { return pageEdge(t, (bytes+3)&^3, atEnd) })
			}
		}
	})
}
