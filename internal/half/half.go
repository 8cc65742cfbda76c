// Package half converts between float32 and the two float types of 16 bits: IEEE 754 binary16 and bfloat16.
package half

import "math"

// F16 returns the value of an IEEE 754 binary16 number: 1 sign bit, 5 of exponent with bias 15, 10 of fraction.
func F16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction * 2^-24
		f := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// ToF16 returns the binary16 number that is nearest to f, of two the one with an even fraction. Numbers from 65520 on become infinity.
func ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, exponent, fraction := uint16(b>>16&0x8000), int(b>>23&0xff)-127+15, b&0x7fffff
	switch {
	case b&0x7fffffff > 0xff<<23: // NaN stays one, with the bits of its fraction that there is room for
		return sign | 0x7e00 | uint16(fraction>>13)
	case exponent >= 0x1f:
		return sign | 0x7c00
	case exponent < -10:
		return sign
	case exponent <= 0: // subnormal: the hidden bit is written out
		return sign | uint16(roundShift(fraction|1<<23, uint(14-exponent)))
	}
	return sign + uint16(roundShift(uint32(exponent)<<23|fraction, 13)) // a carry of the fraction goes into the exponent
}

// BF16 returns the value of a bfloat16 number: the upper half of a float32.
func BF16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBF16 returns the bfloat16 number that is nearest to f, of two the one with an even fraction.
func ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0xff<<23 {
		return uint16(b>>16) | 0x40 // NaN stays one
	}
	return uint16(roundShift(b, 16))
}

// roundShift is x >> n, rounded to the nearest number, of two to the even one.
func roundShift(x uint32, n uint) uint32 {
	return uint32((uint64(x) + 1<<(n-1) - 1 + uint64(x>>n&1)) >> n)
}

// Odd returns x as a float32 whose last bit is set if it is not exact. Rounded to a shorter type, it becomes what x itself would have become.
func Odd(x float64) float32 {
	f := float32(x)
	if float64(f) == x || x != x {
		return f
	}
	if math.Abs(float64(f)) > math.Abs(x) {
		f = math.Nextafter32(f, 0)
	}
	return math.Float32frombits(math.Float32bits(f) | 1)
}

// RoundBF16 returns f rounded to bfloat16 as units that multiply such numbers round their operands: to the nearest, of two the even one, with
// denormal numbers as zero. A NaN stays one.
func RoundBF16(f float32) float32 {
	b := math.Float32bits(f)
	if b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return BF16(ToBF16(f))
}
