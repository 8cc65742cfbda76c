package cpu

import (
	"math"
	"unsafe"
)

// outside reports whether an index is out of range, or whether it does not know. There are whole groups of them.
func outside[I int32 | int64](at []I, size int) bool {
	p, l := unsafe.Pointer(unsafe.SliceData(at)), Current()
	switch wide := unsafe.Sizeof(at[0]) == 8; {
	case l == Go || !wide && size > math.MaxInt32:
		return true
	case wide && l == AVX2:
		return vecOutsideI64AVX2(p, len(at), size-1) != 0
	case wide:
		return vecOutsideI64AVX512(p, len(at), size-1) != 0
	case l == AVX2:
		return vecOutsideI32AVX2(p, len(at), size-1) != 0
	}
	return vecOutsideI32AVX512(p, len(at), size-1) != 0
}
