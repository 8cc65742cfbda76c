package fft

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file hands passes to assembly, which rounds products and sums of them once.

// kernels are the passes of radices 2 to 5.
var kernels = [6]func(y, x, roots unsafe.Pointer, m, run int){2: pass2NEON, 3: pass3NEON, 4: pass4NEON, 5: pass5NEON}

// at is where z begins.
func at(z []complex128) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(z)) }

// pass4FirstVectors does all of pass4First, if there are vectors, and returns the number of groups that it has done.
func pass4FirstVectors(y, x, roots []complex128) int {
	if cpu.Current() == cpu.Go {
		return 0
	}
	m := len(x) / 4
	pass4FirstNEON(at(y), at(x), at(roots), m, m)
	return m
}

// passVectors does the pass of a radix if there is a kernel for it, and reports whether it has.
func passVectors(radix int, y, x, roots []complex128, m, run int) bool {
	if radix > 5 || cpu.Current() == cpu.Go {
		return false
	}
	kernels[radix](at(y), at(x), at(roots), m, run)
	return true
}
