package main

// Kernels for bfloat16 numbers on NEON. As on amd64 a pair of numbers that follow each other along K is an element of 32 bits, and a product of pairs has
// the tiles of the float32 product, with BFDOT, which adds both products of a pair, in place of the multiply-add. Processors without it
// multiply as float32 what bf16Round rounds: see half.RoundBF16.

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/operand"
)

// neonPairs are tiles of 6 rows by 16 columns, because 16 columns of pairs are what is packed at a time.
var neonPairs = neonTarget{pairs: true}

func init() {
	registerNEON("bf16_neon_arm64", func(f *neonFile) {
		neonMachine(f, false).neonFunction(vecKernel{name: "bf16Round", in: "x", out: element, body: (*machine).roundBF16})
		f.neonPackRows()
		f.neonPackPairs()
		for rows := 1; rows <= neonWideRows; rows++ {
			for vectors := 1; vectors <= neonVectorsOf(rows); vectors++ {
				neonPairs.tile(f, rows, vectors)
			}
		}
	})
	registerGo("bf16_table_arm64", func() string {
		var s strings.Builder
		s.WriteString("package cpu\n\n")
		neonPairs.tileTable(&s, "bf16Dot", neonWideRows, 4)
		fmt.Fprintf(&s, "\tgrain: %d, aliasing: 16384,\n}\n", 1<<19/neonPairs.size())
		return s.String()
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

// neonPackRows converts rows of numbers that follow each other.
func (f *neonFile) neonPackRows() {
	at := f.begin("bf16PackRowsNEON", "bf16PackRowsNEON converts rows of n float32 numbers to bfloat16, and adds a zero to those of an odd number; rows are at least one, and strides in bytes.",
		[]string{"dst unsafe.Pointer", "dstRow int", "src unsafe.Pointer", "srcRow", "rows", "n int"})
	for i, p := range []string{"dst", "dstRow", "src", "srcRow"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	f.line("MOVD %s, R5", at["rows"])
	f.line("MOVD %s, R6", at["n"])
	f.flush()
	row, next := f.newLabel("row"), f.newLabel("next")
	f.label(row)
	f.line("MOVD R0, R7")
	f.line("MOVD R2, R8")
	f.line("MOVD R6, R4")
	f.while(8, func() {
		f.line("VLD1.P 32(R8), [V0.S4, V1.S4]")
		f.word("bfcvtn", false, 2, 0, 0, 0)
		f.word("bfcvtn2", false, 2, 1, 0, 0)
		f.line("FMOVQ.P F2, 16(R7)")
	})
	f.while(1, func() {
		f.line("FMOVS.P 4(R8), F0")
		f.word("bfcvtn", false, 2, 0, 0, 0)
		f.line("VST1.P V2.H[0], 2(R7)")
	})
	f.line("TBZ $0, R6, %s", next)
	f.line("MOVH ZR, (R7)")
	f.label(next)
	f.line("ADD R1, R0")
	f.line("ADD R3, R2")
	f.line("SUBS $1, R5")
	f.line("BNE %s", row)
	f.end(true)
}

// neonPackPairs makes rows of pairs of two rows.
func (f *neonFile) neonPackPairs() {
	at := f.begin("bf16PackPairsNEON", "bf16PackPairsNEON makes pairs of the n numbers of a row low and a row high, in a number of rows, at least one; strides are in bytes, srcRow both from one row low, and from one row high, to the next.",
		[]string{"dst unsafe.Pointer", "dstRow int", "low", "high unsafe.Pointer", "srcRow", "rows", "n int"})
	for i, p := range []string{"dst", "dstRow", "low", "high"} {
		f.line("MOVD %s, R%d", at[p], i)
	}
	f.line("MOVD %s, R5", at["rows"])
	f.line("MOVD %s, R6", at["n"])
	f.line("MOVD %s, R7", at["srcRow"])
	f.flush()
	row := f.newLabel("row")
	f.label(row)
	for i := range 3 {
		f.line("MOVD R%d, R%d", []int{0, 2, 3}[i], 11+i)
	}
	f.line("MOVD R6, R4")
	f.while(8, func() {
		f.line("VLD1.P 32(R12), [V0.S4, V1.S4]")
		f.line("VLD1.P 32(R13), [V2.S4, V3.S4]")
		for i, from := range []int{0, 2} {
			f.word("bfcvtn", false, 4+i, from, 0, 0)
			f.word("bfcvtn2", false, 4+i, from+1, 0, 0)
		}
		f.word("zip1h", false, 6, 4, 5, 0)
		f.word("zip2h", false, 7, 4, 5, 0)
		f.line("VST1.P [V6.S4, V7.S4], 32(R11)")
	})
	f.while(1, func() {
		f.line("FMOVS.P 4(R12), F0")
		f.line("FMOVS.P 4(R13), F2")
		f.word("bfcvtn", false, 4, 0, 0, 0)
		f.word("bfcvtn", false, 5, 2, 0, 0)
		f.word("zip1h", false, 6, 4, 5, 0)
		f.line("FMOVS.P F6, 4(R11)")
	})
	f.line("ADD R1, R0")
	f.line("ADD R7, R2")
	f.line("ADD R7, R3")
	f.line("SUBS $1, R5")
	f.line("BNE %s", row)
	f.end(true)
}
