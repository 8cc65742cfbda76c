package cpu

// kernelsFor returns the kernels of a level and element type.
func kernelsFor(l Level, float64s bool) *gemmKernels {
	if float64s {
		return goGemm64
	}
	return goGemm32
}
