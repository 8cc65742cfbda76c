package fft

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file hands passes of radix 4 to assembly, which rounds products and sums of them once.

// pass4FirstVectors does whole vectors of pass4First, and returns the number of groups that it has done.
func pass4FirstVectors(y, x, roots []complex128) int {
	at := func(z []complex128) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(z)) }
	m := len(x) / 4
	switch level := cpu.Current(); {
	case level >= cpu.AVX512 && m >= 4:
		pass4FirstAVX512(at(y), at(x), at(roots), m, m/4)
		return m / 4 * 4
	case level >= cpu.AVX2 && m >= 2:
		pass4FirstAVX2(at(y), at(x), at(roots), m, m/2)
		return m / 2 * 2
	}
	return 0
}

// pass4Vectors is pass4 if there are kernels for it, and reports whether there are. A run is a power of four.
func pass4Vectors(y, x, roots []complex128, m, run int) bool {
	at := func(z []complex128) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(z)) }
	switch cpu.Current() {
	case cpu.AVX512:
		pass4AVX512(at(y), at(x), at(roots), m, run)
		return true
	case cpu.AVX2:
		pass4AVX2(at(y), at(x), at(roots), m, run)
		return true
	}
	return false
}
