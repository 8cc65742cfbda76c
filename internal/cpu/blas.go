package cpu

import (
	"fmt"
	"math"
	"unsafe"
)

// This file hands large matrix products to a library of the system, if the user asks for it. The bits are the library's then, and so is the promise
// that they do not depend on the number of threads.

// BLASVar is the environment variable that names the library for large products: accelerate, which macOS has.
const BLASVar = "TARN_BLAS"

// useBLAS says whether products that are large enough go to the library.
var useBLAS bool

// blasFromEnv reads a value of the environment variable.
func blasFromEnv(value string) (use bool, err error) {
	switch {
	case value == "":
		return false, nil
	case value != "accelerate":
		return false, fmt.Errorf("cpu: %s=%q is not a library: choose accelerate, or unset it for the kernels of Tarn", BLASVar, value)
	case blasMultiply == nil:
		return false, fmt.Errorf("cpu: %s=accelerate, but Accelerate is used on darwin/arm64 alone: unset it for the kernels of Tarn", BLASVar)
	}
	return true, nil
}

// blasProduct is a product C = A·B + beta·C as cblas_sgemm and cblas_dgemm take it, with matrices in rows. A transposed operand is stored as its transpose.
type blasProduct struct {
	float64s       bool
	transA, transB bool
	m, n, k        int
	lda, ldb, ldc  int
	accumulate     bool
}

// blasLeast is the number of multiplications from which a product is handed over: it makes up for packing and for the start of the library's threads.
const blasLeast = 1 << 21

// planBLAS returns the call for a product, or nil if the kernels of this package compute it.
func planBLAS(s *GemmSpec) *blasProduct {
	if !useBLAS || Current() == Go || max(s.M, s.N, s.K, s.LDC) > math.MaxInt32 || min(s.M, s.N, s.K) < 16 || s.M*s.N*s.K < blasLeast {
		return nil
	}
	b := &blasProduct{float64s: s.Float64, m: s.M, n: s.N, k: s.K, ldc: s.LDC, accumulate: s.Accumulate}
	var okA, okB bool
	b.transA, b.lda, okA = blasLayout(s.A, s.M, s.K)
	b.transB, b.ldb, okB = blasLayout(s.B, s.K, s.N)
	if !okA || !okB {
		return nil
	}
	return b
}

// blasLayout returns how a matrix is stored, if a library can be told.
func blasLayout(l Layout, rows, cols int) (trans bool, lead int, ok bool) {
	switch {
	case l.ColStride == 1 && l.RowStride >= cols && l.RowStride <= math.MaxInt32:
		return false, l.RowStride, true
	case l.RowStride == 1 && l.ColStride >= rows && l.ColStride <= math.MaxInt32:
		return true, l.ColStride, true
	}
	return false, 0, false
}

// multiply has the library compute the product.
func (b *blasProduct) multiply(x, y, z unsafe.Pointer) { blasMultiply(b, x, y, z) }
