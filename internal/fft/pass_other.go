//go:build !amd64 && !arm64

package fft

// There are no kernels for other processors.

func pass4FirstVectors(y, x, roots []complex128) int { return 0 }

func passVectors(radix int, y, x, roots []complex128, m, run int) bool { return false }
