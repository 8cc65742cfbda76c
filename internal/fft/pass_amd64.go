package fft

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file hands passes to assembly, which rounds products and sums of them once.

// kernel is a pass whose runs are whole vectors.
type kernel func(y, x, roots unsafe.Pointer, m, run int)

// kernels are those of radices 2 to 5.
var kernels = [...][6]kernel{
	cpu.Go:     {},
	cpu.AVX2:   {2: pass2AVX2, 3: pass3AVX2, 4: pass4AVX2, 5: pass5AVX2},
	cpu.AVX512: {2: pass2AVX512, 3: pass3AVX512, 4: pass4AVX512, 5: pass5AVX512},
}

// at is where z begins.
func at(z []complex128) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(z)) }

// pass4FirstVectors does whole vectors of pass4First, and returns the number of groups that it has done.
func pass4FirstVectors(y, x, roots []complex128) int {
	m := len(x) / 4
	switch level := cpu.Current(); {
	case level == cpu.AVX512 && m >= 4:
		pass4FirstAVX512(at(y), at(x), at(roots), m, m/4)
		return m / 4 * 4
	case level >= cpu.AVX2 && m >= 2:
		pass4FirstAVX2(at(y), at(x), at(roots), m, m/2)
		return m / 2 * 2
	}
	return 0
}

// passVectors does the pass of a radix if there is a kernel for it and a run is whole vectors, and reports whether it has.
func passVectors(radix int, y, x, roots []complex128, m, run int) bool {
	if radix > 5 || run%4 != 0 {
		return false
	}
	k := kernels[cpu.Current()][radix]
	if k == nil {
		return false
	}
	k(at(y), at(x), at(roots), m, run)
	return true
}
