package cpu

// poolKernelsFor returns the kernels of pooling of a level, for float32.
func poolKernelsFor(l Level) poolKernels {
	if l == AVX512 {
		return poolKernels{poolLargest32AVX512, poolSpread32AVX512}
	}
	return poolKernels{}
}
