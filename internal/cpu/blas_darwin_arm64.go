package cpu

import (
	"runtime"
	"unsafe"
)

// This file calls Accelerate, which every Mac has, without cgo: the linker writes a load command for the framework, as it does for the C library, and
// the dynamic loader resolves the functions.

//go:cgo_import_dynamic tarn_cblas_sgemm cblas_sgemm "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate"
//go:cgo_import_dynamic tarn_cblas_dgemm cblas_dgemm "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate"

// The addresses of the C functions in blas_darwin_arm64.s, each of which takes a pointer to blasArguments.
var sgemmAddress, dgemmAddress uintptr

// rawSyscall calls a C function on the thread's own stack, as package golang.org/x/sys/unix does. The scheduler is not told: a garbage collection
// waits for the call, as it does for kernels in assembly.
//
//go:linkname rawSyscall syscall.rawSyscall
func rawSyscall(fn, a1, a2, a3 uintptr) (r1, r2, err uintptr)

// blasArguments are the arguments but the first, which says that matrices are in rows. Its layout is known to the assembly.
type blasArguments struct {
	a, b, c                                unsafe.Pointer
	alpha64, beta64                        float64
	alpha32, beta32                        float32
	transA, transB, m, n, k, lda, ldb, ldc int32
}

// blasMultiply computes C = A·B, or adds it to C.
var blasMultiply = func(b *blasProduct, x, y, z unsafe.Pointer) {
	trans := func(t bool) int32 { // CblasTrans and CblasNoTrans
		if t {
			return 112
		}
		return 111
	}
	beta := 0.0
	if b.accumulate {
		beta = 1
	}
	args := blasArguments{
		a: x, b: y, c: z, alpha64: 1, beta64: beta, alpha32: 1, beta32: float32(beta), transA: trans(b.transA), transB: trans(b.transB),
		m: int32(b.m), n: int32(b.n), k: int32(b.k), lda: int32(b.lda), ldb: int32(b.ldb), ldc: int32(b.ldc),
	}
	address := sgemmAddress
	if b.float64s {
		address = dgemmAddress
	}
	rawSyscall(address, uintptr(unsafe.Pointer(&args)), 0, 0)
	runtime.KeepAlive(&args)
}
