// The loop over K of the tiles of AVX2, four steps a turn. With vectors of 32 bytes a step has so few multiply-adds that loads, prefetches and the
// counting of each step keep the front end and the load ports of many processors busy for longer than they take: see docs/intel.md.

package main

import (
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// turn is the number of steps of a turn of an unrolled loop. In each a row of the next panel of B is fetched.
const turn = fetchStep

// tileUnrolled emits the loop over K for full vectors. along says that A runs along K: a line of A then lasts for many steps, and the processor
// foresees the next.
func (k *gemmGen) tileUnrolled(prefix string, along bool, acc [][]VecVirtual, a *rowsOf, aCol, b, bRow, next, count GPVirtual) {
	done, block, loop, near, rest, step := prefix+"Done", prefix+"Block", prefix+"Loop", prefix+"Near", prefix+"Rest", prefix+"Step"
	k.Label(block)
	k.SUBQ(Imm(turn), count)
	k.JLT(LabelRef(rest))
	k.Label(loop)
	k.TESTQ(next, next)
	k.JZ(LabelRef(near))
	for d := 0; d < len(acc[0])*k.bytes(); d += 64 {
		k.PREFETCHT1(Mem{Base: next, Disp: d})
	}
	k.ADDQ(bRow, next)
	k.Label(near)
	for range turn {
		k.tileStep(along, acc, a, aCol, b, bRow)
	}
	k.SUBQ(Imm(turn), count)
	k.JGE(LabelRef(loop))
	k.Label(rest)
	k.ADDQ(Imm(turn), count)
	k.JZ(LabelRef(prefix + "Next"))
	k.Label(step)
	k.tileStep(along, acc, a, aCol, b, bRow)
	k.DECQ(count)
	k.JNZ(LabelRef(step))
	k.Label(prefix + "Next")
	k.DECQ(k.param("blocks"))
	k.JZ(LabelRef(done))
	k.ADDQ(k.param("aNext"), a.bases[0])
	k.ADDQ(k.param("bNext"), b)
	k.MOVQ(k.param("k"), count)
	k.JMP(LabelRef(block))
	k.Label(done)
}

// tileStep adds the product of one column of A and one row of B.
func (k *gemmGen) tileStep(along bool, acc [][]VecVirtual, a *rowsOf, aCol, b, bRow GPVirtual) {
	row := k.vectors(len(acc[0]))
	for j, v := range row {
		k.load(Mem{Base: b, Disp: j * k.bytes()}, v)
	}
	for d := 0; d < len(row)*k.bytes(); d += 64 {
		k.PREFETCHT0(Mem{Base: b, Index: bRow, Scale: ahead, Disp: d})
	}
	k.ADDQ(bRow, b)
	if !along {
		k.PREFETCHT0(Mem{Base: a.bases[0], Disp: 64})
	}
	for i := range acc {
		x := k.vector()
		k.broadcast(a.at(i), x)
		for j := range row {
			k.fma(x, row[j], acc[i][j])
		}
	}
	k.ADDQ(aCol, a.bases[0])
}
