package cpu

// peakChains is the number of vectors that a loop of the kernels multiplies and adds.
const peakChains = 12

// peakVectors runs the loops with vectors, and returns 0 if the current level has none.
func peakVectors(loops int) (flop int) {
	switch Current() {
	case AVX512:
		peakAVX512(loops)
	case AVX2:
		peakAVX2(loops)
	default:
		return 0
	}
	return 2 * peakChains * kernelsFor(Current(), false).width * loops
}
