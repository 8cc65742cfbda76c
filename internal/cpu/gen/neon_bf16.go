package main

// The rounding of float32 numbers to bfloat16 for NEON, in whose place products of such numbers are products of float32: see half.RoundBF16.

import . "github.com/mmcloughlin/avo/operand"

func init() {
	registerNEON("bf16_neon_arm64", func(f *neonFile) {
		neonMachine(f, false).neonFunction(vecKernel{name: "bf16Round", in: "x", out: element, body: (*machine).roundBF16})
	})
}

// roundBF16 adds half of the last place that stays, less one unless the number below is odd. NaN gets the bit that makes it quiet.
func (m *machine) roundBF16(in []Op) Op {
	const kept = constant(0xffff0000)
	x := in[0]
	odd := m.and(m.shiftDown(x, 16), constant(1))
	y := m.and(m.iadd(m.iadd(x, constant(0x7fff)), odd), kept)
	y = m.choose(m.compare(unordered, x, x), m.or(m.and(x, kept), constant(0x400000)), y)
	return m.choose(m.compare(equal, x, m.f(0)), m.and(x, m.signBit()), y) // denormal numbers equal zero
}
