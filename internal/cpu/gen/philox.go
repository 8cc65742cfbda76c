package main

// The words of Philox4x32-10 (see package rng) on vectors: each lane of 64 bits holds one of the four words of a block in its
// lower half. Products of two lower halves are what VPMULUDQ gives, and what stands in the upper halves does not matter.

import (
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func init() {
	for _, l := range levels {
		register("../rng/philox_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, f64: true, constants: map[string]Mem{}}
			m.philox()
		})
	}
}

// together is the number of vectors whose rounds are interleaved, so that their latencies overlap.
const together = 2

// philox assembles a function that writes the words of n groups of blocks from the given one on.
func (m *machine) philox() {
	m.Function("philox" + m.level.String())
	signature(m.Context, []string{"dst", "key"}, []string{"block", "n"})
	dst, key, block, n := m.argument("dst"), m.argument("key"), m.argument("block"), m.argument("n")
	loop, done := m.label("loop"), m.label("done")
	m.TESTQ(n, n)
	m.JZ(LabelRef(done))

	// The lanes take the blocks in the order in which unpacking puts them one after the other.
	lanes := m.width()
	var order []Constant
	for i := range lanes {
		order = append(order, U64(i/2+i%2*lanes/2))
	}
	counter, start, upper := m.vector(), m.vector(), m.vector()
	m.emit("VMOVQ", block, counter.AsX())
	m.emit("VPBROADCASTQ", counter.AsX(), counter)
	m.emit("VPADDQ", m.data("philox_order", order...), counter, counter)
	m.emit("VPBROADCASTQ", Mem{Base: key}, start)
	m.emit("VPBROADCASTQ", Mem{Base: key, Disp: 8}, upper)
	xor, and, or := "VPXOR", "VPAND", "VPOR"
	if m.wide() {
		xor, and, or = "VPXORQ", "VPANDQ", "VPORQ"
	}
	op := func(name string, a, b Op) Op { d := m.vector(); m.emit(name, a, b, d); return d }
	shift := func(name string, a Op) Op { d := m.vector(); m.emit(name, U8(32), a, d); return d }

	m.Label(loop)
	var c [together][4]Op
	for v := range c {
		c[v] = [4]Op{m.copyOf(counter), shift("VPSRLQ", counter), m.copyOf(upper), shift("VPSRLQ", upper)}
		m.emit("VPADDQ", constant(lanes), counter, counter)
	}
	k0, k1 := m.copyOf(start), shift("VPSRLQ", start)
	for round := range 10 {
		if round > 0 {
			k0, k1 = op("VPADDQ", constant(0x9E3779B9), k0), op("VPADDQ", constant(0xBB67AE85), k1)
		}
		for v := range c {
			p0, p1 := op("VPMULUDQ", constant(0xD2511F53), c[v][0]), op("VPMULUDQ", constant(0xCD9E8D57), c[v][2])
			c[v] = [4]Op{
				op(xor, op(xor, shift("VPSRLQ", p1), c[v][1]), k0), p1,
				op(xor, op(xor, shift("VPSRLQ", p0), c[v][3]), k1), p0,
			}
		}
	}
	for v := range c {
		var pair [2]Op
		for i := range pair {
			pair[i] = op(or, op(and, constant(0xffffffff), c[v][2*i]), shift("VPSLLQ", c[v][2*i+1]))
		}
		at := Mem{Base: dst, Disp: v * 2 * lanes * 8}
		m.emit("VMOVUPD", op("VPUNPCKLQDQ", pair[1], pair[0]), at)
		m.emit("VMOVUPD", op("VPUNPCKHQDQ", pair[1], pair[0]), at.Offset(lanes*8))
	}
	m.ADDQ(I32(together*2*lanes*8), dst)
	m.DECQ(n)
	m.JNZ(LabelRef(loop))
	m.Label(done)
	m.VZEROUPPER()
	m.RET()
}
