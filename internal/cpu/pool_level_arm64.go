package cpu

// poolKernelsFor returns the kernels of pooling of a level, for float32.
func poolKernelsFor(l Level) poolKernels {
	if l == NEON {
		return poolKernels{poolLargest32NEON, poolSpread32NEON}
	}
	return poolKernels{}
}
