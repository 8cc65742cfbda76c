package cpu

import "unsafe"

// The level of arm64 that has assembly functions, and the side of the tiles of a transpose.
const (
	firstAssembly  = NEON
	assemblyLevels = 1
	transposeBytes = 16
)

func fastTranspose(l Level, size int) TransposeFunc {
	switch {
	case l == Go:
	case size == 4:
		return func(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
			transposeTiles[uint32](transpose4, dst, src, rows, cols, dstStride, srcStride)
		}
	case size == 8:
		return func(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
			transposeTiles[uint64](transpose8, dst, src, rows, cols, dstStride, srcStride)
		}
	}
	return nil
}

// transpose4 and transpose8 are the transposes of matrix products with strides that count elements.
func transpose4(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
	gemm32Transpose((*byte)(dst), 4*dstStride, (*byte)(src), 4*srcStride, rows, cols)
}

func transpose8(dst, src unsafe.Pointer, rows, cols, dstStride, srcStride int) {
	gemm64Transpose((*byte)(dst), 8*dstStride, (*byte)(src), 8*srcStride, rows, cols)
}
