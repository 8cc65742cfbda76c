package cpu

// kernelsFor returns the kernels of a level and element type.
func kernelsFor(l Level, float64s bool) *gemmKernels {
	switch {
	case l == NEON && float64s:
		return &gemm64NEON
	case l == NEON:
		return &gemm32NEON
	case float64s:
		return goGemm64
	default:
		return goGemm32
	}
}
