//go:build darwin || freebsd || linux || windows

package jit

import "math"

// This file is the encoder for AVX2: a mask is a vector, constants lie in memory as whole vectors, and a part of a vector is loaded
// and stored by the mask that rcx points at.

type avx2 struct{ x86 }

func newAVX2(g *generator) encoder { return &avx2{x86{code: &g.c, g: g, len: 1}} }

// parts are ones and zeros: those from element 8-n on are the mask of n elements.
var parts = func() table {
	t := make(table, 16)
	for i := range 8 {
		t[i] = math.Float32frombits(math.MaxUint32)
	}
	return t
}()

func (e *avx2) partial() {
	if e.g.bools {
		e.put(0x48, 0x89, 0x4C, 0x24, framePart) // MOV [rsp+framePart], rcx
	}
	e.put(0x48, 0xC1, 0xE1, e.shiftOf()) // SHL rcx, shift
	e.put(0x48, 0xF7, 0xD9)              // NEG rcx
	e.put(0x4C, 0x8D, 0x3D)              // LEA r15, parts
	e.g.refer(len(e.b), e.g.literal(literal{numbers: parts}))
	e.put32(0)
	e.put(0x49, 0x8D, 0x4C, 0x0F, 32) // LEA rcx, [r15+rcx+32]
}

// Memory.

func (e *avx2) load(d, base int, part bool) {
	if part {
		e.partMask(d)
		e.indexed(opcode{1, 2, 0, 0x2C + e.w(), 1}, d, d, base, rax, masking{}) // VMASKMOVPS or PD
		return
	}
	e.indexed(e.op(0x10), d, 0, base, rax, masking{}) // VMOVUPS
}

func (e *avx2) store(r, base int, part, away bool) {
	switch {
	case part:
		t := e.g.vector()
		e.partMask(t)
		e.indexed(opcode{1, 2, 0, 0x2E + e.w(), 1}, r, t, base, rax, masking{}) // VMASKMOVPS or PD
		e.g.release(t)
	case away:
		e.indexed(e.op(0x2B), r, 0, base, rax, masking{}) // VMOVNTPS
	default:
		e.indexed(e.op(0x11), r, 0, base, rax, masking{}) // VMOVUPS
	}
}

// eachByte writes an instruction for each byte but the last that a vector has, of which none from the number that part means on is done.
func (e *avx2) eachByte(write func(i byte)) {
	var done []int
	for i := range e.lanes() - 1 {
		if i > 0 {
			e.put(0x48, 0x83, 0x7C, 0x24, framePart, i) // CMP [rsp+framePart], i
			done = append(done, e.jump(notAbove))
		}
		write(i)
	}
	e.g.land(done...)
}

// byteAt writes VPINSRB or VPEXTRB of byte i of r and of the bytes at base.
func (e *avx2) byteAt(op byte, r, base int, i byte) {
	vvvv := r
	if op == extractByte {
		vvvv = 0
	}
	e.prefix(opcode{1, 3, 0, op, 0}, r, vvvv, base, true, r13, masking{})
	e.put(0x40|byte(r&7)<<3|4, byte(r13&7)<<3|byte(base&7), i, i) // at base + r13 + i
}

const (
	extractByte = 0x14
	insertByte  = 0x20
)

func (e *avx2) loadBools(k, base int, part bool) {
	widen := opcode{1, 2, 0, 0x31 + e.w(), 1} // VPMOVZXBD or BQ
	if part {
		e.regs(opcode{1, 1, 0, 0xEF, 0}, k, k, k) // VPXOR
		e.eachByte(func(i byte) { e.byteAt(insertByte, k, base, i) })
		e.regs(widen, k, 0, k)
	} else {
		e.indexed(widen, k, 0, base, r13, masking{})
	}
	e.positive(k)
}

func (e *avx2) repeatBool(k, base int) {
	e.based(opcode{1, 2, 0, 0x78, 1}, k, 0, base) // VPBROADCASTB
	e.positive(k)
}

// positive turns integers into a mask.
func (e *avx2) positive(k int) {
	if e.g.run.Double {
		e.operand(opcode{1, 2, 0, 0x37, 1}, k, k, e.g.number(0)) // VPCMPGTQ
	} else {
		e.operand(opcode{1, 1, 0, 0x66, 1}, k, k, e.g.number(0)) // VPCMPGTD
	}
}

func (e *avx2) storeBools(k, base int, part bool) {
	t, u := e.g.vector(), e.g.vector()
	e.x86.shift(t, k, 1-8*size(e.g.run.Double))
	e.half(u, t, 1)
	pack := func(op byte, b int) { e.regs(opcode{1, 1, 0, op, 0}, t, t, b) }
	pack(0x6B, u)       // VPACKSSDW
	if e.g.run.Double { // each 1 is in the lower half of a pair of words still
		pack(0x6B, t)
	}
	pack(0x63, t) // VPACKSSWB
	switch {
	case part:
		e.eachByte(func(i byte) { e.byteAt(extractByte, t, base, i) })
	case e.g.run.Double:
		e.indexed(opcode{1, 1, 0, 0x7E, 0}, t, 0, base, r13, masking{}) // VMOVD
	default:
		e.indexed(opcode{1, 1, 0, 0xD6, 0}, t, 0, base, r13, masking{}) // VMOVQ
	}
	e.g.release(t, u)
}

func (e *avx2) constant(d, b int) { e.pooled(opcode{0, 1, 0, 0x10, 1}, d, 0, b, 0, true) } // VMOVUPS

func (e *avx2) storeExtreme(r, t, nan, slot int, o operation) {
	e.x86.storeExtreme(r, t, slot, o, func() int {
		e.regs(opcode{e.w(), 1, 0, 0x50, 1}, r15, 0, nan) // VMOVMSKPS or PD
		e.put(0x45, 0x85, 0xFF)                           // TEST r15d, r15d
		return e.jump(zero)
	})
}

// Masks.

func (e *avx2) compareInts(k, a, b int, how comparison) {
	switch how {
	case equal, differs:
		e.regs(opcode{1, 1, 0, 0x76, 1}, k, a, b) // VPCMPEQD
	case greater, lessEqual:
		e.regs(opcode{1, 1, 0, 0x66, 1}, k, a, b) // VPCMPGTD
	default:
		e.regs(opcode{1, 1, 0, 0x66, 1}, k, b, a)
	}
	if how == differs || how == lessEqual || how == greaterEqual {
		e.not(k, k)
	}
}

func (e *avx2) blend(d, k, no, yes int) { // VBLENDVPS or PD
	e.operand(opcode{1, 3, 0, 0x4A + e.w(), 1}, d, no, yes, byte(k)<<4)
}

func (e *avx2) keep(d, k, a int) { e.arith(opAnd, d, k, a) }

func (e *avx2) logic(o logic, k, a, b int) { // VANDPS, VORPS, VXORPS, VANDNPS
	e.regs(e.op([...]byte{maskAnd: 0x54, maskOr: 0x56, maskXor: 0x57, maskAndNot: 0x55}[o]), k, a, b)
}

func (e *avx2) not(k, a int) { e.arith(opXor, k, a, e.g.literal(literal{bits: math.MaxUint64})) }

func (e *avx2) clearMask(k int) { e.clear(k) }

func (e *avx2) partMask(k int) { e.based(opcode{0, 1, 0, 0x10, 1}, k, 0, rcx) } // VMOVUPS
