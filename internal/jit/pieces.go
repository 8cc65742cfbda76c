package jit

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file writes the functions of float32 that are made of pieces of polynomials: GELU, its derivative, erf and tanh. What GELU
// and its derivative of one value have in common is computed once.

// table is what lookUp picks from: 16 numbers, or 8.
type table []float32

// pieces is a function in 16 pieces, or 8; the first table holds their beginnings, the others the coefficients.
type pieces struct {
	unit         float64
	wide, narrow []table
}

// lookUp writes d = the numbers of t that the low bits of index name.
func (g *generator) lookUp(d, index int, t table) {
	g.e.lookUp(d, index, g.literal(literal{numbers: t}))
}

// piecewise writes y = p(a).
func (g *generator) piecewise(y, a int, p pieces) {
	index, r, c := g.vector(), g.vector(), g.vector()
	if p.unit == 1 {
		g.arith(opAdd, index, a, g.number(1))
	} else {
		g.e.constant(index, g.number(1/p.unit))
		g.arith(opMulAddBy, index, a, g.number(1))
	}
	tables, bits := p.narrow, 22
	if g.t.wide {
		tables, bits = p.wide, 21
	}
	g.e.shift(index, index, -bits)
	g.lookUp(c, index, tables[0])
	g.arith(opSub, r, a, c)
	last := len(tables) - 1
	g.lookUp(y, index, tables[last])
	for i := last - 1; i > 0; i-- {
		g.lookUp(c, index, tables[i])
		g.arith(opMulAddBy, y, r, c)
	}
	g.release(index, r, c)
}

// The ends of functions that become 1 there.
const (
	erfEnd  = 3.95
	tanhEnd = 9.136156
)

// oddPieces writes d = x*p(|x|), which has become 1 or -1 at the end.
func (g *generator) oddPieces(d, x int, end float64, p pieces) {
	a, y := g.vector(), g.vector()
	g.arith(opAnd, y, x, g.otherBits())
	g.arith(opMin, a, g.constant(end), y)
	g.piecewise(y, a, p)
	g.arith(opMul, y, y, a)
	g.arith(opMin, a, g.constant(1), y)
	g.arith(opAnd, y, x, g.signBit())
	g.arith(opOr, d, a, y)
	g.release(a, y)
}

// normalEnd is where the normal density has become zero.
const normalEnd = 14.75

// normal returns registers of a = |x|, bounded, e and n with e^(-a^2/2) = e * 2^n, and t = Phi(-a) * e^(a^2/2). The square is kept
// with its rounding error, which the exponential would enlarge.
func (g *generator) normal(x int) (a, e, n, t int) {
	a, e, n, t = g.vector(), g.vector(), g.vector(), g.vector()
	r, low := g.vector(), g.vector()
	g.arith(opAnd, e, x, g.otherBits())
	g.arith(opMin, a, g.constant(normalEnd), e)
	g.arith(opMul, r, a, a)
	g.e.apply(opMove, low, a)
	g.arith(opMulSubBy, low, a, r)
	if g.t.wide && g.t.scales {
		g.sixteenths(e, n, r, low)
	} else {
		g.halfSquare(e, n, r, low)
	}
	g.release(r, low)
	g.piecewise(t, a, tailPieces)
	return a, e, n, t
}

// sixteenths writes e * 2^n = e^(-(r+low)/2), n in sixteenths, whose power of two is looked up in a table; r and low are lost.
func (g *generator) sixteenths(e, n, r, low int) {
	const (
		sixteenths = 3 << 18            // the sum of it and a small number has sixteenths as its last bits
		twiceLn2   = 1.3862943649291992 // rounded to float32
	)
	g.e.constant(e, g.number(-math.Log2E/2))
	g.arith(opMulAddBy, e, r, g.number(sixteenths))
	g.arith(opSub, n, e, g.number(sixteenths))
	g.arith(opAddMul, low, n, g.number(2*math.Ln2-twiceLn2))
	g.arith(opAddMul, r, n, g.number(twiceLn2))
	g.arith(opAdd, r, r, low)
	g.lookUp(low, e, powers)
	g.polynomial(e, r, halfExpCoefficients)
	g.arith(opMul, e, e, r)
	g.arith(opMulAddBy, e, low, low)
}

// halfSquare writes e * 2^n = e^(-(r+low)/2), n an integer; r and low are lost.
func (g *generator) halfSquare(e, n, r, low int) {
	high, rest := g.ln2()
	g.arith(opMul, r, r, g.number(-0.5))
	g.arith(opMul, low, low, g.number(0.5))
	g.arith(opMul, n, r, g.number(math.Log2E))
	g.e.apply(opRound, n, n)
	g.arith(opSubMul, r, n, g.number(high))
	g.arith(opSubMul, r, n, g.number(rest))
	g.arith(opSub, r, r, low)
	g.expPolynomial(e, r)
	g.arith(opAdd, e, e, g.number(1))
}

// gelu writes the register value = GELU of x, and slope = its derivative; of the two one may be -1.
func (g *generator) gelu(value, slope, x int) {
	a, e, n, t := g.normal(x)
	if value >= 0 {
		y := g.vector()
		g.arith(opMul, y, a, t)
		g.arith(opMul, y, y, e)
		g.scaleDown(y, y, n)
		g.arith(opMax, value, g.constant(0), x)
		g.arith(opSub, value, value, y)
		g.release(y)
	}
	if slope >= 0 {
		g.arith(opSubMul, t, a, g.number(0.3989422804014327))
		g.arith(opMul, t, t, e)
		g.scaleDown(t, t, n)
		g.arith(opSub, a, g.constant(1), t)
		k := g.mask()
		g.e.compare(k, x, g.constant(0), less)
		g.e.blend(slope, k, a, t)
		g.releaseMask(k)
	}
	g.release(a, e, n, t)
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
