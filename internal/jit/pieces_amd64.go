//go:build linux && amd64

package jit

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file writes the functions of float32 that are made of pieces of polynomials: GELU, its derivative, erf and tanh. What GELU
// and its derivative of one value have in common is computed once.

// table is what VPERMPS picks from.
type table [16]float32

// pieces is a function in 16 pieces; the first table holds their beginnings, the others the coefficients.
type pieces struct {
	unit   float64
	tables []table
}

// lookUp writes d = the numbers of t that the low bits of index name.
func (g *generator) lookUp(d, index int, t table) {
	g.tables = append(g.tables, pooledTable{g.c.rip(opcode{1, 2, 0, 0x16, 2}, d, index), t})
}

// piecewise writes y = p(a).
func (g *generator) piecewise(y, a int, p pieces) {
	none := masking{}
	index, r, c := g.vector(), g.vector(), g.vector()
	if p.unit == 1 {
		g.with(g.op(opAdd), index, a, 1)
	} else {
		g.with(opcode{1, 2, 0, opBroadcast, 2}, index, 0, 1/p.unit)
		g.with(g.op38(opFMA213), index, a, 1)
	}
	g.c.regs(opcode{1, 1, 0, 0x72, 2}, 2, index, index, none) // VPSRLD index, index, 21
	g.c.put(21)
	g.lookUp(r, index, p.tables[0])
	g.c.regs(g.op(opSub), r, a, r, none)
	last := len(p.tables) - 1
	g.lookUp(y, index, p.tables[last])
	for i := last - 1; i > 0; i-- {
		g.lookUp(c, index, p.tables[i])
		g.c.regs(g.op38(opFMA213), y, r, c, none)
	}
	g.free = append(g.free, index, r, c)
}

// The ends of functions that become 1 there.
const (
	erfEnd  = 3.95
	tanhEnd = 9.136156
)

// oddPieces writes d = x*p(|x|), which has become 1 or -1 at the end.
func (g *generator) oddPieces(d, x int, end float64, p pieces) {
	none := masking{}
	a, y := g.vector(), g.vector()
	g.c.regs(g.op(opAnd), a, x, g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF), none)
	g.c.regs(g.op(opMin), a, g.constantOf(end), a, none)
	g.piecewise(y, a, p)
	g.c.regs(g.op(opMul), y, y, a, none)
	g.c.regs(g.op(opMin), y, g.constantOf(1), y, none)
	g.c.regs(g.op(opAnd), a, x, g.constantOf(math.Copysign(0, -1)), none)
	g.c.regs(g.op(opOr), d, y, a, none)
	g.free = append(g.free, a, y)
}

// normalEnd is where the normal density has become zero.
const normalEnd = 14.75

// normal returns registers of a = |x|, bounded, e and n with e^(-a^2/2) = e * 2^n, and t = Phi(-a) * e^(a^2/2).
func (g *generator) normal(x int) (a, e, n, t int) {
	const (
		sixteenths = 3 << 18            // the sum of it and a small number has sixteenths as its last bits
		twiceLn2   = 1.3862943649291992 // rounded to float32
		fms213     = 0xAA
		fma231     = 0xB8
	)
	none := masking{}
	a, e, n, t = g.vector(), g.vector(), g.vector(), g.vector()
	r, low := g.vector(), g.vector()
	g.c.regs(g.op(opAnd), a, x, g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF), none)
	g.c.regs(g.op(opMin), a, g.constantOf(normalEnd), a, none)
	g.c.regs(g.op(opMul), r, a, a, none)
	g.c.regs(opcode{0, 1, 0, 0x28, 2}, low, 0, a, none) // VMOVAPS
	g.c.regs(g.op38(fms213), low, a, r, none)
	g.with(opcode{1, 2, 0, opBroadcast, 2}, e, 0, -math.Log2E/2)
	g.with(g.op38(opFMA213), e, r, sixteenths)
	g.with(g.op(opSub), n, e, sixteenths)
	g.with(g.op38(fma231), low, n, 2*math.Ln2-twiceLn2)
	g.with(g.op38(fma231), r, n, twiceLn2)
	g.c.regs(g.op(opAdd), r, r, low, none)
	g.lookUp(low, e, powers)
	g.polynomial(e, r, halfExpCoefficients)
	g.c.regs(g.op(opMul), e, e, r, none)
	g.c.regs(g.op38(opFMA213), e, low, low, none)
	g.free = append(g.free, r, low)
	g.piecewise(t, a, tailPieces)
	return a, e, n, t
}

// gelu writes the register value = GELU of x, and slope = its derivative; of the two one may be -1.
func (g *generator) gelu(value, slope, x int) {
	none := masking{}
	a, e, n, t := g.normal(x)
	if value >= 0 {
		y := g.vector()
		g.c.regs(g.op(opMul), y, a, t, none)
		g.c.regs(g.op(opMul), y, y, e, none)
		g.c.regs(g.op38(opScale), y, y, n, none)
		g.c.regs(g.op(opMax), value, g.constantOf(0), x, none)
		g.c.regs(g.op(opSub), value, value, y, none)
		g.free = append(g.free, y)
	}
	if slope >= 0 {
		k := g.mask()
		g.with(g.op38(opFNMA231), t, a, 0.3989422804014327)
		g.c.regs(g.op(opMul), t, t, e, none)
		g.c.regs(g.op38(opScale), t, t, n, none)
		g.c.regs(g.op(opSub), a, g.constantOf(1), t, none)
		g.compare(k, x, g.constantOf(0), 0x11)
		g.blend(slope, k, a, t)
		g.freeMask = append(g.freeMask, k)
	}
	g.free = append(g.free, a, e, n, t)
}

// pair is the instruction that takes GELU, or its derivative, of the value of which instruction i takes the other; or -1.
func (g *generator) pair(i int) int {
	other := map[scalar.Func]scalar.Func{scalar.GELU: scalar.GELUPrime, scalar.GELUPrime: scalar.GELU}
	f, ok := other[g.instrs[i].Func]
	if !ok || g.instrs[i].Convert {
		return -1
	}
	return slices.IndexFunc(g.instrs, func(in fused) bool {
		return in.Func == f && !in.Convert && !in.gone && in.Args[0] == g.instrs[i].Args[0]
	})
}
