package cpu

// scoreKernelsFor returns the kernels of a level and element type, nil if it has none.
func scoreKernelsFor(l Level, float64s bool) *scoreKernels {
	switch {
	case l == AVX512 && float64s:
		return &scoreF64AVX512
	case l == AVX512:
		return &scoreF32AVX512
	case l == AVX2 && float64s:
		return &scoreF64AVX2
	case l == AVX2:
		return &scoreF32AVX2
	}
	return nil
}

// pairScores are the kernels of the unit for pairs.
var pairScores = pairKernels{scoreExpPairsBF16, scoreExpRowsBF16, scoreGradientBF16}
