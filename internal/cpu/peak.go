// The register peak: what a core could do if all numbers were in registers already. It is what products are measured against.

package cpu

// Peak does float32 multiply-adds between registers at the current level, in a number of loops, and returns how many operations these were:
// two for each multiply-add of each lane.
func Peak(loops int) (flop int) {
	if loops < 1 {
		return 0
	}
	if flop := peakVectors(loops); flop > 0 {
		return flop
	}
	peakPlain(loops, 1, 2, 3, 4, 5, 6)
	return 2 * 8 * loops
}

// peakPlain does 8 multiply-adds a loop in plain Go. Its factors are arguments, so that the compiler does not know them.
//
//go:noinline
func peakPlain(loops int, x, y, u, v, s, t float32) float32 {
	var a, b, c, d, e, f, g, h float32
	for range loops {
		a += x * s
		b += y * s
		c += u * s
		d += v * s
		e += x * t
		f += y * t
		g += u * t
		h += v * t
	}
	return a + b + c + d + e + f + g + h
}
