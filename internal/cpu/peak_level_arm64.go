package cpu

// peakChains is the number of vectors that a loop of the kernel multiplies and adds: more than four units with a latency of four cycles need.
const peakChains = 24

// peakVectors runs the loops with vectors, and returns 0 if the current level has none.
func peakVectors(loops int) (flop int) {
	if Current() != NEON {
		return 0
	}
	peakNEON(loops)
	return 2 * peakChains * gemm32NEON.width * loops
}
