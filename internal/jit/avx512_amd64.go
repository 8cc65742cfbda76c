//go:build darwin || freebsd || linux || windows

package jit

// This file is the encoder for AVX-512: masks have registers of their own, of which the first holds the elements that part means, and
// instructions repeat a constant from memory by themselves.

type avx512 struct{ x86 }

func newAVX512(g *generator) encoder { return &avx512{x86{code: &g.c, g: g, evex: true, len: 2}} }

// partRegister is the mask register of the elements that part means. Bytes are always loaded and stored by it, as they fill no vector.
const partRegister = 1

func (e *avx512) begin() {
	e.x86.begin()
	e.allLanes()
}

func (e *avx512) headDone() {
	e.x86.headDone()
	e.allLanes()
}

// allLanes lets bytes be loaded and stored for all lanes.
func (e *avx512) allLanes() {
	if !e.g.bools {
		return
	}
	e.put(0x41, 0xBF) // MOV r15d, all lanes
	e.put32(1<<e.lanes() - 1)
	e.put(0xC4, 0xC1, 0x78, 0x92, 0xC0|partRegister<<3|r15&7) // KMOVW k1, r15d
}

func (e *avx512) partial() {
	e.put(0x41, 0xBF, 1, 0, 0, 0)                             // MOV r15d, 1
	e.put(0x41, 0xD3, 0xE7)                                   // SHL r15d, cl
	e.put(0x41, 0xFF, 0xCF)                                   // DEC r15d
	e.put(0xC4, 0xC1, 0x78, 0x92, 0xC0|partRegister<<3|r15&7) // KMOVW k1, r15d
}

// Memory.

func (e *avx512) load(d, base int, part bool) {
	m := masking{}
	if part {
		m = masking{partRegister, true}
	}
	e.indexed(e.op(0x10), d, 0, base, rax, m) // VMOVUPS
}

func (e *avx512) store(r, base int, part, away bool) {
	op, m := byte(0x11), masking{}
	if part {
		m.k = partRegister
	} else if away {
		op = 0x2B // VMOVNTPS
	}
	e.indexed(e.op(op), r, 0, base, rax, m)
}

func (e *avx512) loadBools(k, base int, part bool) {
	t := e.g.vector()
	e.indexed(opcode{3, 1, 0, 0x6F, 0}, t, 0, base, r13, masking{partRegister, true}) // VMOVDQU8
	e.test(k, t)
}

func (e *avx512) repeatBool(k, base int) {
	t := e.g.vector()
	e.based(opcode{1, 2, 0, 0x78, 0}, t, 0, base) // VPBROADCASTB
	e.test(k, t)
}

// test turns bytes into a mask.
func (e *avx512) test(k, t int) {
	e.masked(opcode{1, 2, 0, 0x26, 0}, k, t, t, masking{k: partRegister}) // VPTESTMB
	e.g.release(t)
}

func (e *avx512) storeBools(k, base int, part bool) {
	t := e.g.vector()
	e.masked(opcode{3, 1, 0, 0x6F, 0}, t, 0, e.g.byteOnes(), masking{byte(k), true}) // VMOVDQU8
	e.indexed(opcode{3, 1, 0, 0x7F, 0}, t, 0, base, r13, masking{k: partRegister})   // VMOVDQU8
	e.g.release(t)
}

func (e *avx512) constant(d, b int) { // VBROADCASTSS or SD
	e.pooled(opcode{1, 2, e.w(), 0x18 + e.w(), 2}, d, 0, b, 0, true)
}

func (e *avx512) storeExtreme(r, t, nan, slot int, o operation) {
	e.x86.storeExtreme(r, t, slot, o, func() int {
		e.put(0xC5, 0xF8, 0x98, 0xC0|byte(nan)<<3|byte(nan)) // KORTESTW
		return e.jump(zero)
	})
}

// Masks.

// onMasks writes an instruction on mask registers; l is 1 for those with two operands.
func (e *avx512) onMasks(l, op byte, reg, vvvv, rm int) {
	e.put(0xC5, 0x80|byte(^vvvv&15)<<3|l<<2, op, 0xC0|byte(reg)<<3|byte(rm))
}

func (e *avx512) compareInts(k, a, b int, how comparison) { // VPCMPD
	e.operand(opcode{1, 3, 0, 0x1F, 2}, k, a, b, [...]byte{equal: 0, differs: 4, less: 1, lessEqual: 2, greater: 6, greaterEqual: 5}[how])
}

func (e *avx512) blend(d, k, no, yes int) { // VBLENDMPS
	e.masked(opcode{1, 2, e.w(), 0x65, 2}, d, no, yes, masking{k: byte(k)})
}

func (e *avx512) keep(d, k, a int) { // VMOVAPS
	e.masked(e.op(0x28), d, 0, a, masking{byte(k), true})
}

func (e *avx512) logic(o logic, k, a, b int) { // KANDW, KORW, KXORW, KANDNW
	e.onMasks(1, [...]byte{maskAnd: 0x41, maskOr: 0x45, maskXor: 0x47, maskAndNot: 0x42}[o], k, a, b)
}

func (e *avx512) not(k, a int)    { e.onMasks(0, 0x44, k, 0, a) }            // KNOTW
func (e *avx512) clearMask(k int) { e.onMasks(1, 0x47, k, k, k) }            // KXORW
func (e *avx512) partMask(k int)  { e.onMasks(0, 0x90, k, 0, partRegister) } // KMOVW
