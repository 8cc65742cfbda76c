package cpu

import (
	"math"
	"unsafe"
)

// outside reports whether an index is out of range, or whether it does not know. There are whole groups of them.
func outside[I int32 | int64](at []I, size int) bool {
	p, wide := unsafe.Pointer(unsafe.SliceData(at)), unsafe.Sizeof(at[0]) == 8
	switch {
	case Current() == Go || !wide && size > math.MaxInt32:
		return true
	case wide:
		return vecOutsideI64NEON(p, len(at), size-1) != 0
	}
	return vecOutsideI32NEON(p, len(at), size-1) != 0
}
