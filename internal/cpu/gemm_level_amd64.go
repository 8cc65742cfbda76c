package cpu

// kernelsFor returns the kernels of a level and element type.
func kernelsFor(l Level, float64s bool) *gemmKernels {
	switch {
	case l == AVX512 && float64s:
		return &gemm64AVX512
	case l == AVX512:
		return &gemm32AVX512
	case l == AVX2 && float64s:
		return &gemm64AVX2
	case l == AVX2:
		return &gemm32AVX2
	case float64s:
		return goGemm64
	default:
		return goGemm32
	}
}
