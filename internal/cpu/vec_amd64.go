package cpu

import "unsafe"

// The levels of amd64 that have assembly functions, and the side of the tiles of a transpose.
const (
	firstAssembly  = AVX2
	assemblyLevels = 2
	transposeBytes = 32
)

func fastTranspose(l Level, size int) TransposeFunc {
	switch {
	case l == Go:
	case size == 4:
		return func(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
			transposeTiles[uint32](vecTranspose4, dst, src, rows, cols, dstStride, srcStride)
		}
	case size == 8:
		return func(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
			transposeTiles[uint64](vecTranspose8, dst, src, rows, cols, dstStride, srcStride)
		}
	}
	return nil
}
