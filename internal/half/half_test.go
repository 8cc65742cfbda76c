package half

import (
	"math"
	"testing"
)

// The tests compare all numbers of 16 bits with their definitions, and go through all points at which rounding changes.

// TestF16 compares every half float with its definition.
func TestF16(t *testing.T) {
	for bits := range 1 << 16 {
		sign, exponent, fraction := float64(1-bits>>15<<1), bits>>10&0x1f, float64(bits&0x3ff)
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Copysign(math.Ldexp(fraction, -24), sign)
		case exponent == 0x1f && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 0x1f:
			want = math.NaN()
		}
		got := float64(F16(uint16(bits)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (bits>>15 == 1) {
			t.Fatalf("%04x is %v, want %v", bits, got, want)
		}
	}
}

// TestNarrow converts every 16-bit number to float32 and back, the points halfway between neighbors, and their neighbors.
func TestNarrow(t *testing.T) {
	for _, c := range []struct {
		name     string
		widen    func(uint16) float32
		narrow   func(float32) uint16
		infinity uint16
	}{{"binary16", F16, ToF16, 0x7c00}, {"bfloat16", BF16, ToBF16, 0x7f80}} {
		for i := range 1 << 16 {
			h := uint16(i)
			f := c.widen(h)
			got := c.narrow(f)
			if math.IsNaN(float64(f)) {
				if !math.IsNaN(float64(c.widen(got))) || got>>15 != h>>15 {
					t.Fatalf("%s: the NaN %#x becomes %#x", c.name, h, got)
				}
				continue
			}
			if got != h {
				t.Fatalf("%s: %#x is %v and becomes %#x", c.name, h, f, got)
			}
			if h&0x7fff >= c.infinity {
				continue
			}
			next := float64(c.widen(h + 1))
			if math.IsInf(next, 0) { // the place that the next number would have
				next = 2*float64(f) - float64(c.widen(h-1))
			}
			half := float32((float64(f) + next) / 2)
			away := float32(math.Inf(int(1 - 2*int(h>>15))))
			for _, x := range []struct {
				f    float32
				want uint16
			}{{half, h + h&1}, {math.Nextafter32(half, away), h + 1}, {math.Nextafter32(half, 0), h}} {
				if got := c.narrow(x.f); got != x.want {
					t.Fatalf("%s: %v becomes %#x, want %#x", c.name, x.f, got, x.want)
				}
			}
		}
		for _, f := range []float32{math.MaxFloat32, -math.MaxFloat32} {
			if got := c.narrow(f); got&0x7fff != c.infinity || (got>>15 == 1) != (f < 0) {
				t.Errorf("%s: %v becomes %#x", c.name, f, got)
			}
		}
	}
}

// TestOdd rounds numbers of 64 bits beside the points halfway between two short ones.
func TestOdd(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want uint16
	}{
		{1 + 1.0/2048, 0x3c00}, {1 + 1.0/2048 + 1e-15, 0x3c01}, {1 + 3.0/2048, 0x3c02}, {1 + 3.0/2048 - 1e-15, 0x3c01}, {-1 - 1.0/2048 - 1e-15, 0xbc01},
		{65520, 0x7c00}, {65520 - 1e-9, 0x7bff}, {1e300, 0x7c00}, {math.Inf(-1), 0xfc00}, {1e-300, 0}, {1.0 / (1 << 25), 0}, {1.0/(1<<25) + 1e-20, 1}, {math.Copysign(0, -1), 0x8000},
	} {
		if got := ToF16(Odd(c.x)); got != c.want {
			t.Errorf("%v becomes %#x, want %#x", c.x, got, c.want)
		}
	}
	if got := Odd(math.NaN()); got == got {
		t.Errorf("NaN becomes %v", got)
	}
}

// TestRoundBF16 goes through the numbers of 16 bits and their neighbors as products round them.
func TestRoundBF16(t *testing.T) {
	for i := range 1 << 16 {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			f := math.Float32frombits(uint32(i)<<16 | low)
			got, want := RoundBF16(f), BF16(ToBF16(f))
			if math.Abs(float64(f)) < 0x1p-126 {
				want = float32(math.Copysign(0, float64(f)))
			}
			if math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("%v becomes %v, want %v", f, got, want)
			}
		}
	}
}
