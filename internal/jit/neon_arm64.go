//go:build linux || darwin

package jit

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file is the encoder for NEON: a mask is a vector, operands are registers alone, and a part of a vector is loaded and stored element by
// element. Arm Architecture Reference Manual for A-profile architecture, section C4.1: the encoding of A64.

// targets are the instruction sets that code can be made for.
var targets = []*target{{
	level: cpu.NEON, bytes: 16, vectors: vIndex, bases: []int{2, 3, 4, 5, 6, 7, 8, 9, 15, 19, 20, 21, 22, 23, 24, 25}, temporary: 12,
	held: true, literal: 16, encoder: newNEON,
}}

// General registers. R18 is the platform's, R26 keeps the mode of call, and those from R27 on are Go's.
const (
	rSlots  = 0
	rLeft   = 1  // elements left
	rOffset = 10 // of the vector that is computed, in bytes
	rBools  = 11 // offset of the bools that belong to the vector
	rFor    = 12 // the target's temporary
	rAt     = 13 // an address
	rByte   = 14
	rAll    = 16 // what head keeps: the elements left, and those of the head
	rHead   = 17
	rStack  = 31
)

// Vector registers that values do not take.
const (
	vIndex = 28 // the indices of bytes for lookUp
	vT     = 29 // for the moment; tables take it and the next one
	vU     = 30
)

// Vector instructions d = op(n, m) of four lanes of 32 bits; bit 22 makes them those of two lanes of 64 bits.
const (
	fADD, fSUB, fMUL, fDIV, fMIN, fMAX = 0x4E20D400, 0x4EA0D400, 0x6E20DC00, 0x6E20FC00, 0x4EA0F400, 0x4E20F400
	fMLA, fMLS                         = 0x4E20CC00, 0x4EA0CC00
	fCMEQ, fCMGE, fCMGT                = 0x4E20E400, 0x6E20E400, 0x6EA0E400
	fNEG, fSQRT                        = 0x6EA0F800, 0x6EA1F800
	fRINTN, fRINTM, fRINTP             = 0x4E218800, 0x4E219800, 0x4EA18800
	sCVTF, fCVTNS                      = 0x4E21D800, 0x4E21A800
	iADD, iMUL, iCMEQ, iCMGE, iCMGT    = 0x4EA08400, 0x4EA09C00, 0x6EA08C00, 0x4EA03C00, 0x4EA03400
	iCMTST                             = 0x4EA08C00

	vAND, vBIC, vORR, vEOR, vBSL, vBIT, vBIF = 0x4E201C00, 0x4E601C00, 0x4EA01C00, 0x6E201C00, 0x6E601C00, 0x6EA01C00, 0x6EE01C00 // of all bits
	vNOT, vMOVI0, vTBL2                      = 0x6E205800, 0x6F00E400, 0x4E002000
	fCVTL, fCVTL2                            = 0x0E617800, 0x4E617800
	uXTL8, uXTL16, uXTL32                    = 0x2F08A400, 0x2F10A400, 0x2F20A400
	xTN8, xTN16, xTN32                       = 0x0E212800, 0x0E612800, 0x0EA12800
)

type neon struct {
	*code
	g     *generator
	index int // the register of which vIndex has the indices, or -1
}

func newNEON(g *generator) encoder { return &neon{code: &g.c, g: g, index: -1} }

// vec writes a vector instruction that is the same for all lanes.
func (e *neon) vec(op uint32, d, n, m int) { e.put32(op | uint32(m)<<16 | uint32(n)<<5 | uint32(d)) }

// float writes a vector instruction on lanes of the run's float type.
func (e *neon) float(op uint32, d, n, m int) {
	if e.g.run.Double {
		op |= 1 << 22
	}
	e.vec(op, d, n, m)
}

// register returns b, or t with the constant that b names.
func (e *neon) register(b, t int) int {
	if b < 0 {
		e.constant(t, b)
		return t
	}
	return b
}

func (e *neon) move(d, a int) {
	if d != a {
		e.vec(vORR, d, a, a)
	}
}

// Flow.

// add and subtract write d = n + imm and d = n - imm.
func (e *neon) add(d, n, imm int) { e.put32(0x91000000 | uint32(imm)<<10 | uint32(n)<<5 | uint32(d)) }
func (e *neon) subtract(d, n, imm int) {
	e.put32(0xD1000000 | uint32(imm)<<10 | uint32(n)<<5 | uint32(d))
}

// addTo writes d = n + m<<shift.
func (e *neon) addTo(d, n, m, shift int) {
	e.put32(0x8B000000 | uint32(m)<<16 | uint32(shift)<<10 | uint32(n)<<5 | uint32(d))
}

func (e *neon) moveGeneral(d, a int) { e.put32(0xAA0003E0 | uint32(a)<<16 | uint32(d)) }

func (e *neon) lanes() int { return e.g.t.lanes(e.g.run.Double) }

// jump writes a branch whose distance is to be filled in, and returns where it stands.
func (e *neon) jump(op uint32) int {
	e.put32(op)
	return len(e.b) - 4
}

// Branches: B, B on conditions of unsigned numbers, and on a register or a bit of it.
const (
	always   = 0x14000000
	ifLower  = 0x54000003
	ifHigher = 0x54000002 // or the same
	ifNot    = 0x54000001
	ifZero   = 0xB4000000
	ifClear  = 0x36000000
)

func (e *neon) ifBitClear(bit int) int { return e.jump(ifClear | uint32(bit)<<19 | rLeft) }

func (e *neon) aim(at, to int) {
	b := e.b[at : at+4]
	w := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	first, bits := 5, 19 // of the distance in other branches, and in LDR of what lies behind the code
	switch {
	case w>>26 == always>>26:
		first, bits = 0, 26
	case w&0x7E000000 == ifClear:
		bits = 14
	}
	field := uint32(1)<<bits - 1
	distance := (w>>first + uint32((to-at)/4)) & field // added to what stands there
	w = w&^(field<<first) | distance<<first
	b[0], b[1], b[2], b[3] = byte(w), byte(w>>8), byte(w>>16), byte(w>>24)
}

func (e *neon) begin() {
	e.put32(0xD2800000 | rOffset) // MOVZ
	e.put32(0xD2800000 | rBools)
}

func (e *neon) compareLeft() { e.put32(0xF100001F | uint32(e.lanes())<<10 | rLeft<<5) } // CMP

func (e *neon) fewer() int {
	e.compareLeft()
	return e.jump(ifLower)
}

func (e *neon) none() int { return e.jump(ifZero | rLeft) }

func (e *neon) partial() {} // what is left says how many

func (e *neon) advance() {
	e.add(rOffset, rOffset, e.g.t.bytes)
	e.add(rBools, rBools, e.lanes())
	e.subtract(rLeft, rLeft, e.lanes())
}

func (e *neon) settled() int {
	e.put32(0xF27C101F | rOffset<<5) // TST of the bits that count vectors up to flushEvery
	return e.jump(ifNot)
}

func (e *neon) again(loop int) {
	e.compareLeft()
	e.aim(e.jump(ifHigher), loop)
}

func (e *neon) shiftOf() int {
	if e.g.run.Double {
		return 3
	}
	return 2
}

func (e *neon) head(slot int) []int {
	e.loadSlot(rHead, slot)
	e.put32(0xCB0003E0 | rHead<<16 | rHead)                          // NEG
	e.put32(0x92400C00 | rHead<<5 | rHead)                           // AND with 15
	e.put32(0xD340FC00 | uint32(e.shiftOf())<<16 | rHead<<5 | rHead) // LSR
	aligned := e.jump(ifZero | rHead)
	e.put32(0xEB00001F | rHead<<16 | rLeft<<5) // CMP
	short := e.jump(ifLower)
	e.moveGeneral(rAll, rLeft)
	e.moveGeneral(rLeft, rHead)
	return []int{aligned, short}
}

func (e *neon) headDone() {
	e.put32(0xCB000000 | rHead<<16 | rAll<<5 | rLeft) // SUB
	e.addTo(rBools, rBools, rHead, 0)
	e.addTo(rOffset, rOffset, rHead, e.shiftOf())
}

func (e *neon) end() { e.put32(0xD65F03C0) } // RET

func (e *neon) loadSlot(r, slot int) { e.put32(0xF9400000 | uint32(slot)<<10 | rSlots<<5 | uint32(r)) } // LDR

// ahead is how far in front of the loop the code asks for memory, in bytes: about a page.
const ahead = 4096

func (e *neon) prefetch(base int, write bool) {
	kind := uint32(0)
	if write {
		kind = 16
	}
	e.addTo(rAt, base, rOffset, 0)
	e.put32(0xF9800000 | ahead/8<<10 | rAt<<5 | kind) // PRFM
}

// Memory.

// Loads and stores of vectors, and of a part of one: d, of 64 bits; s, of 32; and the third lane of 32 bits.
const (
	ldrQ, strQ   = 0x3CE06800, 0x3CA06800 // at the sum of two registers
	ldrD, strD   = 0xFD400000, 0xFD000000
	ldrS, strS   = 0xBD400000, 0xBD000000
	ld1S2, st1S2 = 0x4D408000, 0x4D008000
	ldrB, strB   = 0x39400000, 0x39000000
	ldrH, strH   = 0x79400000, 0x79000000
	wOfS, sOfW   = 0x1E260000, 0x1E270000 // FMOV
)

// at writes a load or store of r at an address in n.
func (e *neon) at(op uint32, r, n int) { e.put32(op | uint32(n)<<5 | uint32(r)) }

// inParts writes what two elements need, what the third needs in addition, and what a single one needs, of which rLeft chooses.
func (e *neon) inParts(two, third, one func()) {
	single := e.ifBitClear(1)
	two()
	done := []int{e.ifBitClear(0)}
	third()
	done = append(done, e.jump(always))
	e.g.land(single)
	one()
	e.g.land(done...)
}

func (e *neon) load(d, base int, part bool) {
	if !part {
		e.put32(ldrQ | rOffset<<16 | uint32(base)<<5 | uint32(d))
		return
	}
	e.moveVector(d, base, ldrD, ldrS, ld1S2)
}

func (e *neon) store(r, base int, part, _ bool) {
	if !part {
		e.put32(strQ | rOffset<<16 | uint32(base)<<5 | uint32(r))
		return
	}
	e.moveVector(r, base, strD, strS, st1S2)
}

// moveVector loads or stores a part of a vector.
func (e *neon) moveVector(r, base int, two, one, third uint32) {
	e.addTo(rAt, base, rOffset, 0)
	if e.g.run.Double {
		e.at(two, r, rAt)
		return
	}
	e.inParts(
		func() { e.at(two, r, rAt) },
		func() { e.add(rAt, rAt, 8); e.at(third, r, rAt) },
		func() { e.at(one, r, rAt) })
}

func (e *neon) loadBools(k, base int, part bool) {
	e.addTo(rAt, base, rBools, 0)
	switch {
	case !part && !e.g.run.Double:
		e.at(ldrS, k, rAt)
	case !part:
		e.at(ldrH, rByte, rAt)
	case e.g.run.Double:
		e.at(ldrB, rByte, rAt)
	default:
		e.inParts(
			func() { e.at(ldrH, rByte, rAt) },
			func() {
				e.at(ldrB|2<<10, rAt, rAt)
				e.put32(0x2A000000 | rAt<<16 | 16<<10 | rByte<<5 | rByte) // ORR with rAt<<16
			},
			func() { e.at(ldrB, rByte, rAt) })
	}
	if part || e.g.run.Double {
		e.at(sOfW, k, rByte)
	}
	e.vec(uXTL8, k, k, 0)
	e.vec(uXTL16, k, k, 0)
	if e.g.run.Double {
		e.vec(uXTL32, k, k, 0)
	}
	e.float(iCMTST, k, k, k)
}

func (e *neon) storeBools(k, base int, part bool) {
	e.addTo(rAt, base, rBools, 0)
	e.shift(vT, k, 1-8*size(e.g.run.Double))
	if e.g.run.Double {
		e.vec(xTN32, vT, vT, 0)
	}
	e.vec(xTN16, vT, vT, 0)
	e.vec(xTN8, vT, vT, 0)
	if !part && !e.g.run.Double {
		e.at(strS, vT, rAt)
		return
	}
	e.at(wOfS, rByte, vT)
	switch {
	case !part:
		e.at(strH, rByte, rAt)
	case e.g.run.Double:
		e.at(strB, rByte, rAt)
	default:
		e.inParts(
			func() { e.at(strH, rByte, rAt) },
			func() {
				e.put32(0x53107C00 | rByte<<5 | rByte) // LSR by 16
				e.at(strB|2<<10, rByte, rAt)
			},
			func() { e.at(strB, rByte, rAt) })
	}
}

func (e *neon) repeat(d, base int) { // LD1R
	op := uint32(0x4D40C800)
	if e.g.run.Double {
		op = 0x4D40CC00
	}
	e.at(op, d, base)
}

func (e *neon) repeatBool(k, base int) {
	e.at(ldrB, rByte, base)
	if e.g.run.Double {
		e.at(0x4E080C00, k, rByte) // DUP
	} else {
		e.at(0x4E040C00, k, rByte)
	}
	e.float(iCMTST, k, k, k)
}

func (e *neon) constant(d, b int) { // LDR
	e.g.refer(e.jump(0x9C000000|uint32(d)), b)
}

// The frame of call has the return address first.
func (e *neon) spill(r, n int)  { e.put32(0x3D800000 | uint32(n+1)<<10 | rStack<<5 | uint32(r)) }
func (e *neon) reload(r, n int) { e.put32(0x3DC00000 | uint32(n+1)<<10 | rStack<<5 | uint32(r)) }

// Arithmetic.

func (e *neon) arith(o operation, d, a, b int) {
	b = e.register(b, vU)
	switch o {
	case opAnd:
		e.vec(vAND, d, a, b)
	case opOr:
		e.vec(vORR, d, a, b)
	case opXor:
		e.vec(vEOR, d, a, b)
	case opMulAddBy:
		e.move(vT, b)
		e.float(fMLA, vT, a, d)
		e.move(d, vT)
	case opAddMul:
		e.float(fMLA, d, a, b)
	case opSubMul:
		e.float(fMLS, d, a, b)
	case opMulSubBy:
		e.float(fNEG, vT, b, 0)
		e.float(fMLA, vT, a, d)
		e.move(d, vT)
	case opMulSub:
		e.float(fNEG, d, d, 0)
		e.float(fMLA, d, a, b)
	default:
		e.float(map[operation]uint32{opAdd: fADD, opSub: fSUB, opMul: fMUL, opDiv: fDIV, opMin: fMIN, opMax: fMAX, opAddBits: iADD}[o], d, a, b)
	}
}

func (e *neon) apply(f function, d, a int) {
	if f == opMove {
		e.move(d, a)
		return
	}
	e.float(map[function]uint32{opSqrt: fSQRT, opFloor: fRINTM, opCeil: fRINTP, opRound: fRINTN, opFromInt: sCVTF, opToInt: fCVTNS}[f], d, a, 0)
}

func (e *neon) shift(d, a, left int) { // SHL or USHR
	e.index = -1
	bits := 8 * size(e.g.run.Double)
	if left >= 0 {
		e.put32(0x4F005400 | uint32(bits+left)<<16 | uint32(a)<<5 | uint32(d))
	} else {
		e.put32(0x6F000400 | uint32(2*bits+left)<<16 | uint32(a)<<5 | uint32(d))
	}
}

// lookUp takes the bytes of a number from two registers. The indices of the bytes are made of that of the number once for all tables, which are
// looked up one after the other: only a shift makes an index.
func (e *neon) lookUp(d, index, t int) {
	if e.index != index {
		e.index = index
		for _, step := range []struct {
			op   uint32
			bits uint32
		}{{vAND, 7}, {iMUL, 0x04040404}, {iADD, 0x03020100}} {
			e.constant(vT, e.g.literal(literal{bits: uint64(step.bits)}))
			e.vec(step.op, vIndex, index, vT)
			index = vIndex
		}
	}
	e.constant(vT, t)
	e.g.refer(e.jump(0x9C000000|16/4<<5|vU), t) // 16 bytes further on
	e.vec(vTBL2, d, vT, vIndex)
}

func (e *neon) compare(k, a, b int, how comparison) {
	b = e.register(b, vU)
	switch how {
	case equal, differs:
		e.float(fCMEQ, k, a, b)
	case less:
		e.float(fCMGT, k, b, a)
	case lessEqual:
		e.float(fCMGE, k, b, a)
	case greater:
		e.float(fCMGT, k, a, b)
	case greaterEqual:
		e.float(fCMGE, k, a, b)
	case unordered:
		e.float(fCMEQ, vT, a, a)
		if b == a {
			e.move(k, vT)
		} else {
			e.float(fCMEQ, k, b, b)
			e.vec(vAND, k, k, vT)
		}
	}
	if how == differs || how == unordered {
		e.not(k, k)
	}
}

func (e *neon) compareInts(k, a, b int, how comparison) {
	switch how {
	case equal, differs:
		e.vec(iCMEQ, k, a, b)
	case less:
		e.vec(iCMGT, k, b, a)
	case lessEqual:
		e.vec(iCMGE, k, b, a)
	case greater:
		e.vec(iCMGT, k, a, b)
	case greaterEqual:
		e.vec(iCMGE, k, a, b)
	}
	if how == differs {
		e.not(k, k)
	}
}

func (e *neon) blend(d, k, no, yes int) {
	switch d {
	case no:
		e.vec(vBIT, d, yes, k)
	case yes:
		e.vec(vBIF, d, no, k)
	default:
		e.move(d, k)
		e.vec(vBSL, d, yes, no)
	}
}

func (e *neon) keep(d, k, a int) { e.vec(vAND, d, k, e.register(a, vU)) }

func (e *neon) logic(o logic, k, a, b int) {
	if o == maskAndNot {
		a, b = b, a
	}
	e.vec([...]uint32{maskAnd: vAND, maskOr: vORR, maskXor: vEOR, maskAndNot: vBIC}[o], k, a, b)
}

func (e *neon) not(k, a int) { e.vec(vNOT, k, a, 0) }

func (e *neon) clearMask(k int) { e.clear(k) }

// numbered are the numbers of the lanes, of 32 and of 64 bits.
var numbered = [2]table{laneNumbers(0, 1, 2, 3), laneNumbers(0, 0, 1, 0)}

func laneNumbers(words ...uint32) table {
	var t table
	for _, w := range words {
		t = append(t, math.Float32frombits(w))
	}
	return t
}

func (e *neon) partMask(k int) {
	dup, lanes := uint32(0x4E040C00), numbered[0]
	if e.g.run.Double {
		dup, lanes = 0x4E080C00, numbered[1]
	}
	e.at(dup, vT, rLeft)
	e.constant(vU, e.g.literal(literal{numbers: lanes}))
	e.float(iCMGT, k, vT, vU)
}

// Reductions.

func (e *neon) clear(r int) { e.put32(vMOVI0 | uint32(r)) }

func (e *neon) widen(d, a int, upper bool) {
	op := uint32(fCVTL)
	if upper {
		op = fCVTL2
	}
	e.vec(op, d, a, 0)
}

func (e *neon) addWide(d, a, b int) { e.vec(fADD|1<<22, d, a, b) }

func (e *neon) storeSum(r, t, base int, total bool) {
	e.vec(0x7E70D800, r, r, 0) // FADDP of both lanes
	switch {
	case total:
		e.at(ldrD, t, base)
		e.vec(0x1E602800, r, r, t) // FADD
		e.at(strD, r, base)
	case e.g.run.Double:
		e.at(strD, r, base)
	default:
		e.vec(0x1E624000, r, r, 0) // FCVT
		e.at(strS, r, base)
	}
}

// storeExtreme needs no mask: NaN passes from either operand of FMIN and FMAX.
func (e *neon) storeExtreme(r, _, _, slot int, o operation) {
	e.loadSlot(rAt, slot)
	op := [2]uint32{0x6E30F800, 0x7E70F800} // FMAXV, FMAXP
	if o == opMin {
		op = [2]uint32{0x6EB0F800, 0x7EF0F800}
	}
	if e.g.run.Double {
		e.vec(op[1], r, r, 0)
		e.at(strD, r, rAt)
	} else {
		e.vec(op[0], r, r, 0)
		e.at(strS, r, rAt)
	}
}
