//go:build linux && amd64

package jit

// This file writes the few x86-64 instructions that runs are made of. Intel 64 and IA-32 Architectures Software
// Developer's Manual, volume 2, chapter 2: EVEX and VEX encoding.

// General registers, by their numbers in instructions.
const (
	rax = 0  // byte offset of the vector that is computed
	rcx = 1  // elements left
	rdi = 7  // the slots
	r13 = 13 // offset of the bytes of the bools that belong to the vector
	r15 = 15 // for the moment
)

// bases are the registers that hold the addresses of blocks. R13 and BP cannot be the base of an address without offset.
var bases = []int{2, 3, 6, 8, 9, 10, 11, 12, 14}

// code is machine code in the making.
type code struct{ b []byte }

func (c *code) put(b ...byte) { c.b = append(c.b, b...) }

func (c *code) put32(x uint32) { c.put(byte(x), byte(x>>8), byte(x>>16), byte(x>>24)) }

// opcode is a vector instruction.
type opcode struct {
	pp   byte // prefix: 0 none, 1 66, 2 F3, 3 F2
	mmap byte // 1 0F, 2 0F38, 3 0F3A
	w    byte
	op   byte
	len  byte // 0 for 128 bits, 1 for 256, 2 for 512
}

// masking is what an instruction writes: aaa names the mask register, z clears what is masked out.
type masking struct {
	k    byte
	zero bool
}

// evex writes the EVEX prefix and opcode for reg, vvvv and rm, which are register numbers up to 31; x is the extension bit
// of the index register where rm is memory.
func (c *code) evex(o opcode, reg, vvvv, rm int, memory bool, index int, m masking) {
	p0 := o.mmap
	if reg&8 == 0 {
		p0 |= 0x80
	}
	if reg&16 == 0 {
		p0 |= 0x10
	}
	if rm&8 == 0 {
		p0 |= 0x20
	}
	x := rm >> 4 // for a register, X extends rm
	if memory {
		x = index >> 3
	}
	if x&1 == 0 {
		p0 |= 0x40
	}
	p1 := o.w<<7 | byte(^vvvv&15)<<3 | 4 | o.pp
	p2 := o.len<<5 | m.k
	if vvvv&16 == 0 {
		p2 |= 8
	}
	if m.zero {
		p2 |= 0x80
	}
	c.put(0x62, p0, p1, p2, o.op)
}

// regs writes an instruction on registers: reg = op(vvvv, rm).
func (c *code) regs(o opcode, reg, vvvv, rm int, m masking) {
	c.evex(o, reg, vvvv, rm, false, 0, m)
	c.put(0xC0 | byte(reg&7)<<3 | byte(rm&7))
}

// indexed writes an instruction on a register and the memory at base + index.
func (c *code) indexed(o opcode, reg, base, index int, m masking) {
	c.evex(o, reg, 0, base, true, index, m)
	c.put(byte(reg&7)<<3|4, byte(index&7)<<3|byte(base&7))
}

// atR15 writes an instruction on a register and the memory at r15.
func (c *code) atR15(o opcode, reg int) { c.atR15With(o, reg, 0) }

// atR15With is atR15 for an instruction with another operand.
func (c *code) atR15With(o opcode, reg, vvvv int) {
	c.evex(o, reg, vvvv, r15, true, 0, masking{})
	c.put(byte(reg&7)<<3 | r15&7)
}

// ripBroadcast writes an instruction on registers and a number in memory that is repeated for every lane. It gives where the
// distance to that memory stands, which is to be filled in.
func (c *code) ripBroadcast(o opcode, reg, vvvv int) int {
	at := c.rip(o, reg, vvvv)
	if !(o.mmap == 2 && o.op>>1 == opBroadcast>>1) { // VBROADCAST repeats by itself
		c.b[at-3] |= 0x10
	}
	return at
}

// rip is ripBroadcast for a whole vector in memory.
func (c *code) rip(o opcode, reg, vvvv int) int {
	c.evex(o, reg, vvvv, 5, true, 0, masking{})
	c.put(byte(reg&7)<<3 | 5)
	c.put32(0)
	return len(c.b) - 4
}

// ahead is how far in front of the loop the code asks for memory, in bytes: about a page, as the hardware looks ahead within a
// page by itself.
const ahead = 4096

// prefetch writes PREFETCHT0 or PREFETCHW of what lies ahead of base + rax.
func (c *code) prefetch(base int, write bool) {
	if base >= 8 {
		c.put(0x41)
	}
	op := byte(0x18)
	if write {
		op = 0x0D
	}
	c.put(0x0F, op, 0x80|1<<3|4, byte(base&7))
	c.put32(ahead)
}

// loadSlot writes MOV reg, [rdi + 8*slot].
func (c *code) loadSlot(reg, slot int) {
	c.put(0x48|byte(reg>>3)<<2, 0x8B, 0x80|byte(reg&7)<<3|rdi)
	c.put32(uint32(8 * slot))
}

// vexMask writes an instruction on mask registers.
func (c *code) vexMask(l, op byte, reg, vvvv, rm int) {
	c.put(0xC5, 0x80|byte(^vvvv&15)<<3|l<<2, op, 0xC0|byte(reg)<<3|byte(rm))
}

// jump writes a conditional jump (0F 80+cc) with a 32-bit distance to be filled in, and gives where that stands.
func (c *code) jump(cc byte) int {
	c.put(0x0F, 0x80|cc)
	c.put32(0)
	return len(c.b) - 4
}

// Conditions of jumps.
const (
	below    = 2
	notBelow = 3
	zero     = 4
	notZero  = 5
)

// land fills in the distance of a jump, to here.
func (c *code) land(at int) { c.aim(at, len(c.b)) }

func (c *code) aim(at, to int) {
	d := uint32(to - at - 4)
	c.b[at], c.b[at+1], c.b[at+2], c.b[at+3] = byte(d), byte(d>>8), byte(d>>16), byte(d>>24)
}
