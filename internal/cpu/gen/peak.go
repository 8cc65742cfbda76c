// The loop that measures what the arithmetic units of a core can do: fused multiply-adds between registers alone, in more chains than their
// latency has steps.

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// peakChains is the number of sums in registers, each of which waits for its own last result only.
const peakChains = 12

func init() {
	register("peak_amd64", func(c *Context) {
		for _, t := range gemmTargets {
			if !t.double {
				(&gemmGen{c, t}).peak()
			}
		}
	})
	registerNEON("peak_neon_arm64", func(f *neonFile) {
		f.peak("peakNEON", "fused multiply-adds", "fmla")
		f.peak("peakBF16NEON", "additions of two products of bfloat16 numbers to each lane", "bfdot")
	})
}

func (f *neonFile) peak(name, what, op string) {
	const chains = 24 // more than four units with a latency of five cycles need
	at := f.begin(name, fmt.Sprintf("%s does %d %s of vectors in each of a number of loops, at least one.", name, chains, what), []string{"loops int"})
	f.line("MOVD %s, R4", at["loops"])
	f.flush()
	for v := range chains + 2 {
		f.word("movi0", false, v, 0, 0, 0)
	}
	f.while(1, func() {
		for v := range chains {
			f.word(op, false, v, chains, chains+1, 0)
		}
	})
	f.end(true)
}

func (k *gemmGen) peak() {
	name := "peak" + k.name
	replaced[name] = k.pairs
	k.Function(name)
	k.Attributes(NOSPLIT)
	k.SignatureExpr("func(loops int)")
	k.Doc(fmt.Sprintf("%s does %d fused multiply-adds of vectors in each of a number of loops, at least one.", name, peakChains))
	loops := k.arg("loops")
	sums, x, y := k.vectors(peakChains), k.vector(), k.vector()
	for _, v := range append(sums, x, y) {
		k.zero(v)
	}
	k.Label("loop")
	for _, v := range sums {
		k.fma(x, y, v)
	}
	k.DECQ(loops)
	k.JNZ(LabelRef("loop"))
	k.VZEROUPPER()
	k.RET()
}
