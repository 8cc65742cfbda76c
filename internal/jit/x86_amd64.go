//go:build darwin || freebsd || linux || windows

package jit

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file writes the few x86-64 instructions that runs are made of, as far as AVX2 and AVX-512 share them. Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2, chapter 2: EVEX and VEX encoding.

// targets are the instruction sets that code can be made for.
var targets = []*target{
	{
		level: cpu.AVX512, bytes: 64, vectors: 32, masks: []int{7, 6, 5, 4, 3, 2}, bases: bases, temporary: r15,
		held: true, scales: true, wide: true, encoder: newAVX512,
	},
	{
		level: cpu.AVX2, bytes: 32, vectors: 16, bases: bases, temporary: r15, literal: 32, encoder: newAVX2,
	},
}

// General registers, by their numbers in instructions.
const (
	rax = 0  // byte offset of the vector that is computed
	rcx = 1  // elements left; with AVX2 the address of the mask of those that part means
	rdi = 7  // the slots
	r13 = 13 // offset of the bytes of the bools that belong to the vector
	r15 = 15 // for the moment
)

// bases are the registers that hold the addresses of blocks. R13 and BP cannot be the base of an address without offset.
var bases = []int{2, 3, 6, 8, 9, 10, 11, 12, 14}

// The frame of call, above the return address: the number of elements that part means, what head keeps, and vectors.
const (
	framePart  = 8
	frameLeft  = 16
	frameHead  = 24
	frameSpill = 72
)

// opcode is a vector instruction.
type opcode struct {
	pp   byte // prefix: 0 none, 1 66, 2 F3, 3 F2
	mmap byte // 1 0F, 2 0F38, 3 0F3A
	w    byte
	op   byte
	len  byte // 0 for 128 bits, 1 for 256, 2 for 512
}

// masking is what an instruction writes: k names the mask register, zero clears what is masked out.
type masking struct {
	k    byte
	zero bool
}

// x86 is what both encoders share.
type x86 struct {
	*code
	g    *generator
	evex bool // AVX-512
	len  byte // of a whole vector
}

// prefix writes the EVEX or VEX prefix and the opcode for reg, vvvv and rm, which are register numbers; index is the index register
// where rm is memory.
func (e *x86) prefix(o opcode, reg, vvvv, rm int, memory bool, index int, m masking) {
	x := rm >> 4 // for a register, X extends rm
	if memory {
		x = index >> 3
	}
	bit := func(set bool, b byte) byte {
		if set {
			return b
		}
		return 0
	}
	p0 := o.mmap | bit(reg&8 == 0, 0x80) | bit(x&1 == 0, 0x40) | bit(rm&8 == 0, 0x20)
	p1 := o.w<<7 | byte(^vvvv&15)<<3 | o.pp
	if !e.evex {
		e.put(0xC4, p0, p1|o.len<<2, o.op)
		return
	}
	e.put(0x62, p0|bit(reg&16 == 0, 0x10), p1|4, o.len<<5|m.k|bit(vvvv&16 == 0, 8)|bit(m.zero, 0x80), o.op)
}

// regs writes an instruction on registers: reg = op(vvvv, rm).
func (e *x86) regs(o opcode, reg, vvvv, rm int) { e.masked(o, reg, vvvv, rm, masking{}) }

func (e *x86) masked(o opcode, reg, vvvv, rm int, m masking) {
	e.prefix(o, reg, vvvv, rm, false, 0, m)
	e.put(0xC0 | byte(reg&7)<<3 | byte(rm&7))
}

// indexed writes an instruction on registers and the memory at base + index.
func (e *x86) indexed(o opcode, reg, vvvv, base, index int, m masking) {
	e.prefix(o, reg, vvvv, base, true, index, m)
	e.put(byte(reg&7)<<3|4, byte(index&7)<<3|byte(base&7))
}

// based writes an instruction on registers and the memory at base.
func (e *x86) based(o opcode, reg, vvvv, base int) {
	e.prefix(o, reg, vvvv, base, true, 0, masking{})
	if base&7 == 4 {
		e.put(byte(reg&7)<<3|4, 0x24)
		return
	}
	e.put(byte(reg&7)<<3 | byte(base&7))
}

// framed writes an instruction on a register and a vector of the frame.
func (e *x86) framed(o opcode, reg, n int) {
	const rsp = 4
	e.prefix(o, reg, 0, rsp, true, 0, masking{})
	e.put(0x80|byte(reg&7)<<3|4, 0x24)
	e.put32(uint32(frameSpill + 64*n))
}

// pooled writes an instruction on registers and the constant b, before which the code ends after more bytes. An EVEX instruction repeats one
// element, unless whole is set.
func (e *x86) pooled(o opcode, reg, vvvv, b, more int, whole bool) {
	e.prefix(o, reg, vvvv, 5, true, 0, masking{})
	if e.evex && !whole {
		e.b[len(e.b)-2] |= 0x10
	}
	e.put(byte(reg&7)<<3 | 5)
	e.g.refer(len(e.b), b)
	e.put32(uint32(-more))
}

// operand writes an instruction on registers, of which the last may be a constant, and more bytes.
func (e *x86) operand(o opcode, reg, vvvv, rm int, more ...byte) {
	if rm < 0 {
		e.pooled(o, reg, vvvv, rm, len(more), false)
	} else {
		e.regs(o, reg, vvvv, rm)
	}
	e.put(more...)
}

// w is the bit of instructions that tells double from single precision.
func (e *x86) w() byte {
	if e.g.run.Double {
		return 1
	}
	return 0
}

// w1 is the bit of instructions that have it with EVEX and not with VEX.
func (e *x86) w1(w byte) byte {
	if e.evex {
		return w
	}
	return 0
}

// op is an arithmetic instruction of the float type in the 0F map.
func (e *x86) op(b byte) opcode { return opcode{e.w(), 1, e.w(), b, e.len} }

// Flow.

func (e *x86) begin() {
	e.put(0x31, 0xC0) // XOR eax, eax
	if e.g.bools {
		e.put(0x4D, 0x31, 0xED) // XOR r13, r13
	}
}

func (e *x86) lanes() byte { return byte(e.g.t.lanes(e.g.run.Double)) }

func (e *x86) fewer() int {
	e.put(0x48, 0x83, 0xF9, e.lanes()) // CMP rcx, lanes
	return e.jump(below)
}

func (e *x86) none() int {
	e.put(0x48, 0x85, 0xC9) // TEST rcx, rcx
	return e.jump(zero)
}

func (e *x86) advance() {
	e.put(0x48, 0x83, 0xC0, byte(e.g.t.bytes)) // ADD rax, bytes
	if e.g.bools {
		e.put(0x49, 0x83, 0xC5, e.lanes()) // ADD r13, lanes
	}
	e.put(0x48, 0x83, 0xE9, e.lanes()) // SUB rcx, lanes
}

func (e *x86) settled() int {
	e.put(0xA9) // TEST eax, the bits that count vectors up to flushEvery
	e.put32(uint32((flushEvery - 1) * e.g.t.bytes))
	return e.jump(notZero)
}

func (e *x86) again(loop int) {
	e.put(0x48, 0x83, 0xF9, e.lanes()) // CMP rcx, lanes
	e.aim(e.jump(notBelow), loop)
}

// shiftOf is the power of two that is the size of an element.
func (e *x86) shiftOf() byte { return 2 + e.w() }

func (e *x86) head(slot int) []int {
	e.loadSlot(r15, slot)
	e.put(0x49, 0xF7, 0xDF)                      // NEG r15
	e.put(0x49, 0x83, 0xE7, byte(e.g.t.bytes-1)) // AND r15, bytes-1
	e.put(0x49, 0xC1, 0xEF, e.shiftOf())         // SHR r15, shift
	aligned := e.jump(zero)                      //
	e.put(0x4C, 0x39, 0xF9)                      // CMP rcx, r15
	short := e.jump(below)                       //
	e.put(0x48, 0x89, 0x4C, 0x24, frameLeft)     // MOV [rsp+frameLeft], rcx
	e.put(0x4C, 0x89, 0x7C, 0x24, frameHead)     // MOV [rsp+frameHead], r15
	e.put(0x4C, 0x89, 0xF9)                      // MOV rcx, r15
	e.g.e.partial()
	return []int{aligned, short}
}

func (e *x86) headDone() {
	e.put(0x4C, 0x8B, 0x7C, 0x24, frameHead) // MOV r15, [rsp+frameHead]
	e.put(0x48, 0x8B, 0x4C, 0x24, frameLeft) // MOV rcx, [rsp+frameLeft]
	e.put(0x4C, 0x29, 0xF9)                  // SUB rcx, r15
	if e.g.bools {
		e.put(0x4D, 0x01, 0xFD) // ADD r13, r15
	}
	e.put(0x49, 0xC1, 0xE7, e.shiftOf()) // SHL r15, shift
	e.put(0x4C, 0x01, 0xF8)              // ADD rax, r15
}

func (e *x86) end() { e.put(0xC3) } // RET

// jump writes a conditional jump (0F 80+cc) with a 32-bit distance to be filled in, and returns where that stands.
func (e *x86) jump(cc byte) int {
	e.put(0x0F, 0x80|cc)
	e.put32(0)
	return len(e.b) - 4
}

// Conditions of jumps.
const (
	below    = 2
	notBelow = 3
	zero     = 4
	notZero  = 5
	notAbove = 6
)

// aim adds the distance to what stands there: minus the bytes that follow it.
func (e *x86) aim(at, to int) {
	b := e.b[at : at+4]
	d := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	d += uint32(to - at - 4)
	b[0], b[1], b[2], b[3] = byte(d), byte(d>>8), byte(d>>16), byte(d>>24)
}

// loadSlot writes MOV r, [rdi + 8*slot].
func (e *x86) loadSlot(r, slot int) {
	e.put(0x48|byte(r>>3)<<2, 0x8B, 0x80|byte(r&7)<<3|rdi)
	e.put32(uint32(8 * slot))
}

// ahead is how far in front of the loop the code asks for memory, in bytes: about a page, as the hardware looks ahead within a
// page by itself.
const ahead = 4096

// prefetch writes PREFETCHT0 or PREFETCHW of what lies ahead of base + rax.
func (e *x86) prefetch(base int, write bool) {
	if base >= 8 {
		e.put(0x41)
	}
	op := byte(0x18)
	if write {
		op = 0x0D
	}
	e.put(0x0F, op, 0x80|1<<3|4, byte(base&7))
	e.put32(ahead)
}

// Memory.

func (e *x86) repeat(d, base int) { // VBROADCASTSS or SD
	e.based(opcode{1, 2, e.w1(e.w()), 0x18 + e.w(), e.len}, d, 0, base)
}

func (e *x86) spill(r, n int)  { e.framed(opcode{0, 1, 0, 0x11, e.len}, r, n) }
func (e *x86) reload(r, n int) { e.framed(opcode{0, 1, 0, 0x10, e.len}, r, n) }

// Arithmetic.

// arithmetic are the instructions: those of the 0F map have the prefix of the float type, the others 66.
var arithmetic = [...]struct{ mmap, op byte }{
	opAdd: {1, 0x58}, opSub: {1, 0x5C}, opMul: {1, 0x59}, opDiv: {1, 0x5E}, opMin: {1, 0x5D}, opMax: {1, 0x5F},
	opAnd: {1, 0x54}, opOr: {1, 0x56}, opXor: {1, 0x57},
	opMulAddBy: {2, 0xA8}, opAddMul: {2, 0xB8}, opSubMul: {2, 0xBC}, opMulSubBy: {2, 0xAA}, opMulSub: {2, 0xBA}, opScale: {2, 0x2C},
}

func (e *x86) arith(o operation, d, a, b int) {
	if o == opAddBits { // VPADDD or VPADDQ
		op := byte(0xFE)
		if e.g.run.Double {
			op = 0xD4
		}
		e.operand(opcode{1, 1, e.w1(e.w()), op, e.len}, d, a, b)
		return
	}
	i := arithmetic[o]
	if i.mmap == 1 {
		e.operand(e.op(i.op), d, a, b)
		return
	}
	e.operand(opcode{1, i.mmap, e.w(), i.op, e.len}, d, a, b)
}

func (e *x86) apply(f function, d, a int) {
	round := func(how byte) { // VRNDSCALE or VROUND
		e.operand(opcode{1, 3, e.w(), 0x08 + e.w(), e.len}, d, 0, a, how)
	}
	switch f {
	case opMove:
		if d != a {
			e.regs(e.op(0x28), d, 0, a)
		}
	case opSqrt:
		e.regs(e.op(0x51), d, 0, a)
	case opRound:
		round(8)
	case opFloor:
		round(9)
	case opCeil:
		round(10)
	case opFromInt:
		e.regs(opcode{0, 1, 0, 0x5B, e.len}, d, 0, a)
	case opToInt:
		e.regs(opcode{1, 1, 0, 0x5B, e.len}, d, 0, a)
	}
}

func (e *x86) shift(d, a, left int) { // VPSLL or VPSRL of D or Q
	how, n := 6, left
	if left < 0 {
		how, n = 2, -left
	}
	e.operand(opcode{1, 1, e.w1(e.w()), 0x72 + e.w(), e.len}, how, d, a, byte(n))
}

func (e *x86) lookUp(d, index, t int) { // VPERMPS
	e.pooled(opcode{1, 2, 0, 0x16, e.len}, d, index, t, 0, true)
}

// predicates are the last byte of VCMP.
var predicates = [...]byte{equal: 0, differs: 4, less: 0x11, lessEqual: 0x12, greater: 0x1E, greaterEqual: 0x1D, unordered: 3}

func (e *x86) compare(k, a, b int, how comparison) { e.operand(e.op(0xC2), k, a, b, predicates[how]) }

// Reductions.

func (e *x86) clear(r int) { // VPXORD or VPXOR
	e.regs(opcode{1, 1, 0, 0xEF, e.len}, r, r, r)
}

// half writes VEXTRACT of the upper half of src: of 512 bits if length is 2, of 256 if it is 1.
func (e *x86) half(dst, src int, length byte) {
	if length == 2 {
		e.regs(opcode{1, 3, 1, 0x1B, 2}, src, 0, dst) // VEXTRACTF64X4
	} else {
		e.regs(opcode{1, 3, e.w1(1), 0x19, 1}, src, 0, dst) // VEXTRACTF64X2 or VEXTRACTF128
	}
	e.put(1)
}

func (e *x86) widen(d, a int, upper bool) {
	if upper {
		e.half(d, a, e.len)
		a = d
	}
	e.regs(opcode{0, 1, 0, 0x5A, e.len}, d, 0, a) // VCVTPS2PD
}

func (e *x86) addWide(d, a, b int) { e.regs(opcode{1, 1, 1, 0x58, e.len}, d, a, b) } // VADDPD

// fold combines the lanes of r in pairs of halves, until one of 64 bits, or of 32 if deep, has them all.
func (e *x86) fold(r, t int, deep bool, combine func(length byte)) {
	for length := e.len; length > 0; length-- {
		e.half(t, r, length)
		combine(length - 1)
	}
	e.regs(opcode{1, 3, e.w1(1), 0x05, 0}, t, 0, r) // VPERMILPD
	e.put(1)
	combine(0)
	if deep {
		e.regs(opcode{1, 3, 0, 0x04, 0}, t, 0, r) // VPERMILPS
		e.put(1)
		combine(0)
	}
}

func (e *x86) storeSum(r, t, base int, total bool) {
	e.fold(r, t, false, func(length byte) { e.regs(opcode{1, 1, 1, 0x58, length}, r, r, t) })
	switch {
	case total:
		e.based(opcode{3, 1, 1, 0x58, 0}, r, r, base) // VADDSD
		e.based(opcode{3, 1, 1, 0x11, 0}, r, 0, base) // VMOVSD
	case e.g.run.Double:
		e.based(opcode{3, 1, 1, 0x11, 0}, r, 0, base)
	default:
		e.regs(opcode{3, 1, 1, 0x5A, 0}, r, r, r)     // VCVTSD2SS
		e.based(opcode{2, 1, 0, 0x11, 0}, r, 0, base) // VMOVSS
	}
}

// storeExtreme stores the extreme of the lanes of r at a slot, or NaN unless a jump that anyNaN has written was taken.
func (e *x86) storeExtreme(r, t, slot int, o operation, anyNaN func() int) {
	e.fold(r, t, !e.g.run.Double, func(length byte) {
		e.regs(opcode{e.w(), 1, e.w(), arithmetic[o].op, length}, r, r, t)
	})
	none := anyNaN()
	e.g.e.constant(r, e.g.number(math.NaN()))
	e.aim(none, len(e.b))
	e.loadSlot(r15, slot)
	e.based(opcode{2 + e.w(), 1, e.w(), 0x11, 0}, r, 0, r15) // VMOVSS or SD
}
