// The kernels of largest-element pooling for AVX-512. One place of the window is done at a time, for all its channels: the elements
// that meet are at given distances from the first.

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	register("pool_avx512_amd64", func(c *Context) {
		p := &poolGen{c}
		p.largest()
		p.spread()
	})
}

type poolGen struct{ *Context }

func (p *poolGen) arg(name string) GPVirtual { return p.Load(p.Param(name), p.GP64()).(GPVirtual) }

// begin starts the loop over vectors of channels and makes the mask of the lanes that are left.
func (p *poolGen) begin(n GPVirtual) Op {
	p.Label("vectors")
	bits, all, mask := p.GP64(), p.GP64(), p.K()
	p.MOVQ(n, RCX)
	p.MOVQ(U32(1), bits)
	p.SHLQ(CL, bits)
	p.DECQ(bits)
	p.MOVQ(U32(0xffff), all)
	p.CMPQ(n, Imm(16))
	p.CMOVQGE(all, bits)
	p.KMOVW(bits.As32(), mask)
	return mask
}

// scan finds the largest element of each lane, NaN before all, and calls better with the mask of the lanes in which tap t is
// better than those before.
func (p *poolGen) scan(x, offsets, taps GPVirtual, mask Op, better func(t GPVirtual, k Op)) (best VecVirtual) {
	best = p.ZMM()
	t, off := p.GP64(), p.GP64()
	p.MOVQ(Mem{Base: offsets}, off)
	p.VMOVUPS_Z(Mem{Base: x, Index: off, Scale: 1}, mask, best)
	p.MOVQ(U32(1), t)
	p.Label("scan")
	p.CMPQ(t, taps)
	p.JGE(LabelRef("scanned"))
	p.MOVQ(Mem{Base: offsets, Index: t, Scale: 8}, off)
	v, above, sound := p.ZMM(), p.K(), p.K()
	p.VMOVUPS_Z(Mem{Base: x, Index: off, Scale: 1}, mask, v)
	p.VCMPPS(notLessEqual, best, v, above)
	p.VCMPPS(U8(0x07), best, best, sound) // neither is NaN
	p.KANDW(above, sound, above)
	p.VMOVAPS(v, above, best)
	if better != nil {
		better(t, above)
	}
	p.INCQ(t)
	p.JMP(LabelRef("scan"))
	p.Label("scanned")
	return best
}

// largest emits the kernel that writes the largest elements.
func (p *poolGen) largest() {
	p.Function("poolLargest32AVX512")
	keeping["poolLargest32AVX512"] = true
	p.Attributes(NOSPLIT)
	p.Pragma("noescape")
	p.SignatureExpr("func(y *byte, x *byte, offsets *int, taps int, n int)")
	p.Doc("poolLargest32AVX512 gives y[i] = the largest of x[i] at all offsets, which count bytes, or the first NaN.")
	y, x, offsets, taps, n := p.arg("y"), p.arg("x"), p.arg("offsets"), p.arg("taps"), p.arg("n")
	mask := p.begin(n)
	best := p.scan(x, offsets, taps, mask, nil)
	p.VMOVUPS(best, mask, Mem{Base: y})
	p.next(n, x, y)
}

// next goes on to the next vector, or returns.
func (p *poolGen) next(n GPVirtual, pointers ...GPVirtual) {
	for _, x := range pointers {
		p.ADDQ(Imm(64), x)
	}
	p.SUBQ(Imm(16), n)
	p.JG(LabelRef("vectors"))
	p.VZEROUPPER()
	p.RET()
}

// spread emits the kernel that adds where elements are largest.
func (p *poolGen) spread() {
	p.Function("poolSpread32AVX512")
	p.Attributes(NOSPLIT)
	p.Pragma("noescape")
	p.SignatureExpr("func(dx *byte, x *byte, offsets *int, taps int, dy *byte, n int)")
	p.Doc("poolSpread32AVX512 adds dy[i] to dx[i] at the first offset at which x[i] is largest, or NaN.")
	dx, x, offsets, taps, dy, n := p.arg("dx"), p.arg("x"), p.arg("offsets"), p.arg("taps"), p.arg("dy"), p.arg("n")
	mask := p.begin(n)
	which := p.ZMM()
	p.VPXORD(which, which, which)
	p.scan(x, offsets, taps, mask, func(t GPVirtual, k Op) { p.VPBROADCASTD(t.As32(), k, which) })
	d, t, off := p.ZMM(), p.GP64(), p.GP64()
	p.VMOVUPS_Z(Mem{Base: dy}, mask, d)
	p.XORQ(t, t)
	p.Label("spread")
	tap, v, hit := p.ZMM(), p.ZMM(), p.K()
	p.VPBROADCASTD(t.As32(), tap)
	p.VPCMPEQD(which, tap, mask, hit)
	p.MOVQ(Mem{Base: offsets, Index: t, Scale: 8}, off)
	to := Mem{Base: dx, Index: off, Scale: 1}
	p.VMOVUPS_Z(to, hit, v)
	p.VADDPS(d, v, v)
	p.VMOVUPS(v, hit, to)
	p.INCQ(t)
	p.CMPQ(t, taps)
	p.JLT(LabelRef("spread"))
	p.next(n, x, dx, dy)
}
