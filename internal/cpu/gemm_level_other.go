//go:build !amd64 && !arm64

package cpu

// kernelsFor returns the kernels of a level: plain Go on this processor.
func kernelsFor(_ Level, float64s bool) *gemmKernels {
	if float64s {
		return goGemm64
	}
	return goGemm32
}
