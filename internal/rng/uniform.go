package rng

// This file turns the words of a stream into uniform and Bernoulli numbers. The fill functions draw words into a small
// buffer on the stack first, so that one loop knows about blocks of four and the conversions stay simple.

// Float is an element type that the fill functions can draw.
type Float interface{ float32 | float64 }

// chunk is the number of words that the fill functions draw at a time (1 KiB).
const chunk = 256

// Uniform32 is element i of the stream as a float32 in [0, 1): a multiple of 2^-24.
func Uniform32(key Key, i uint64) float32 { return uniform32(word(key, i)) }

// Uniform64 is element i of the stream as a float64 in [0, 1): a multiple of 2^-53.
func Uniform64(key Key, i uint64) float64 { return uniform64(word64(key, i)) }

// Bernoulli is element i of the stream as a draw that is true with probability p.
func Bernoulli(key Key, i uint64, p float64) bool { return uint64(word(key, i)) < threshold(p) }

func uniform32(w uint32) float32 { return float32(w>>8) * 0x1p-24 }

func uniform64(w uint64) float64 { return float64(w>>11) * 0x1p-53 }

// threshold is the number of 32-bit words that mean true: p is taken to the nearest lower multiple of 2^-32, 0 means
// never and 1 always. NaN means never.
func threshold(p float64) uint64 {
	switch {
	case p >= 1:
		return 1 << 32
	case p > 0:
		return uint64(p * 0x1p32)
	}
	return 0
}

// FillUniform sets dst[j] to element offset+j of the stream, uniform in [0, 1).
func FillUniform[F Float](dst []F, key Key, offset int) {
	switch dst := any(dst).(type) {
	case []float32:
		var buf [chunk]uint32
		for i := uint64(offset); len(dst) > 0; i += chunk {
			n := min(len(dst), chunk)
			fillWords(buf[:n], key, i)
			for j, w := range buf[:n] {
				dst[j] = uniform32(w)
			}
			dst = dst[n:]
		}
	case []float64:
		var buf [chunk]uint32
		for i := uint64(offset); len(dst) > 0; i += chunk / 2 {
			n := min(len(dst), chunk/2)
			fillWords(buf[:2*n], key, 2*i)
			for j := range dst[:n] {
				dst[j] = uniform64(uint64(buf[2*j+1])<<32 | uint64(buf[2*j]))
			}
			dst = dst[n:]
		}
	}
}

// FillBernoulli sets dst[j] to element offset+j of the stream, true with probability p.
func FillBernoulli(dst []bool, key Key, offset int, p float64) {
	t := threshold(p)
	var buf [chunk]uint32
	for i := uint64(offset); len(dst) > 0; i += chunk {
		n := min(len(dst), chunk)
		fillWords(buf[:n], key, i)
		for j, w := range buf[:n] {
			dst[j] = uint64(w) < t
		}
		dst = dst[n:]
	}
}
