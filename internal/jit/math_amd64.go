//go:build linux && amd64

package jit

import "math"

// This file writes the functions that take more than an instruction or two: the exponential and what is made of it. The
// formulas and coefficients are those of the vector functions in package cpu (see its generator, vec_math.go, which writes the
// coefficients here, too), so that both give results of the same quality.

// expRange is where e^x has become zero and infinite.
func (g *generator) expRange() (low, high float64) {
	if g.run.Double {
		return -746, 710
	}
	return -105, 89
}

// ln2 is ln 2 in two parts, of which the first is cut so that its product with an exponent is exact.
func (g *generator) ln2() (high, low float64) {
	if g.run.Double {
		return 6.93147180369123816490e-01, 1.90821492927058770002e-10
	}
	return 0.693145752, 1.42860677e-06
}

// pooled is a constant in memory behind the code.
type pooled struct {
	at   int // where its distance stands in the code
	bits uint64
}

// pooledTable is a table in memory behind the code, at the beginning of a cache line.
type pooledTable struct {
	at      int
	numbers table
}

// with writes reg = op(vvvv, x), x a constant that is repeated from memory.
func (g *generator) with(o opcode, reg, vvvv int, x float64) {
	bits := math.Float64bits(x)
	if !g.run.Double {
		bits = uint64(math.Float32bits(float32(x)))
	}
	at := g.c.ripBroadcast(o, reg, vvvv)
	g.pool = append(g.pool, pooled{at, bits})
}

// placePool writes the constants behind the code and fills in the distances.
func (g *generator) placePool() {
	size := 4
	if g.run.Double {
		size = 8
	}
	place := map[uint64]int{}
	for len(g.c.b)%8 != 0 {
		g.c.put(0x90)
	}
	for _, p := range g.pool {
		if _, ok := place[p.bits]; !ok {
			place[p.bits] = len(g.c.b)
			for i := range size {
				g.c.put(byte(p.bits >> (8 * i)))
			}
		}
		g.c.aim(p.at, place[p.bits])
	}
	placed := map[table]int{}
	for _, t := range g.tables {
		if _, ok := placed[t.numbers]; !ok {
			for len(g.c.b)%64 != 0 {
				g.c.put(0x90)
			}
			placed[t.numbers] = len(g.c.b)
			for _, x := range t.numbers {
				g.c.put32(math.Float32bits(x))
			}
		}
		g.c.aim(t.at, placed[t.numbers])
	}
}

// Instructions of the float type in the 0F38 map, by their last byte.
const (
	opFMA213, opFNMA231, opScale, opBroadcast = 0xA8, 0xBC, 0x2C, 0x18
)

func (g *generator) op38(b byte) opcode { return opcode{1, 2, g.w(), b, 2} }

// polynomial evaluates c[0] + c[1]*x + ... by Horner's rule into d.
func (g *generator) polynomial(d, x int, c []float64) {
	g.with(opcode{1, 2, g.w(), opBroadcast + g.w(), 2}, d, 0, c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		g.with(g.op38(opFMA213), d, x, c[i])
	}
}

// reduced splits e^x = 2^n * (1 + q); x is a register of the caller's and is lost.
func (g *generator) reduced(n, q, x int) {
	none := masking{}
	high, low := g.ln2()
	g.with(g.op(opMul), n, x, math.Log2E)
	g.c.regs(opcode{1, 3, g.w(), 0x08 + g.w(), 2}, n, 0, n, none) // VRNDSCALE
	g.c.put(8)
	g.with(g.op38(opFNMA231), x, n, high)
	g.with(g.op38(opFNMA231), x, n, low)
	c := expCoefficients
	if g.run.Double {
		c = expCoefficients64
	}
	g.polynomial(q, x, c)
	square := g.vector()
	g.c.regs(g.op(opMul), square, x, x, none)
	g.c.regs(g.op38(opFMA213), q, square, x, none)
	g.free = append(g.free, square)
}

// exp writes d = e^x. NaN passes the bounds, as the instructions give their second operand then.
func (g *generator) exp(d, x int) {
	low, high := g.expRange()
	a := g.vector()
	g.c.regs(g.op(opMin), a, g.constantOf(high), x, masking{})
	g.c.regs(g.op(opMax), a, g.constantOf(low), a, masking{})
	g.expBounded(d, a)
	g.free = append(g.free, a)
}

// expBounded writes d = e^a for a within the range; a is lost.
func (g *generator) expBounded(d, a int) {
	n := g.vector()
	g.reduced(n, d, a)
	g.with(g.op(opAdd), d, d, 1)
	g.c.regs(g.op38(opScale), d, d, n, masking{})
	g.free = append(g.free, n)
}

// sigmoid writes d = 1/(1+e^-x) for x >= 0 and e^x/(1+e^x) for x < 0.
func (g *generator) sigmoid(d, x int) {
	none := masking{}
	low, _ := g.expRange()
	a, e, k := g.vector(), g.vector(), g.mask()
	g.c.regs(g.op(opOr), a, x, g.constantOf(math.Copysign(0, -1)), none)
	g.c.regs(g.op(opMax), a, g.constantOf(low), a, none)
	g.expBounded(e, a)
	g.compare(k, x, g.constantOf(0), 0x11)
	g.blend(a, k, g.constantOf(1), e)
	g.with(g.op(opAdd), e, e, 1)
	g.c.regs(g.op(opDiv), d, a, e, none)
	g.free = append(g.free, a, e)
	g.freeMask = append(g.freeMask, k)
}

// tanh writes d in pieces for float32, and for float64 d = e/(e+2), e = e^(2|x|) - 1, with the sign of x. With s = 2^(n-1), e = 2*(q*s + (s - 1/2)), which is exact
// for n = 0.
func (g *generator) tanh(d, x int) {
	if !g.run.Double {
		g.oddPieces(d, x, tanhEnd, tanhPieces)
		return
	}
	none := masking{}
	a, n, q, s := g.vector(), g.vector(), g.vector(), g.vector()
	g.c.regs(g.op(opAnd), a, x, g.bits(0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF), none)
	g.c.regs(g.op(opAdd), a, a, a, none)
	g.c.regs(g.op(opMin), a, g.constantOf(40), a, none)
	g.reduced(n, q, a)
	g.c.regs(g.op38(opScale), s, g.constantOf(0.5), n, none)
	g.with(g.op(opSub), a, s, 0.5)
	g.c.regs(g.op38(opFMA213), q, s, a, none)
	g.c.regs(g.op(opAdd), q, q, q, none)
	g.with(g.op(opAdd), a, q, 2)
	g.c.regs(g.op(opDiv), q, q, a, none)
	g.c.regs(g.op(opAnd), s, x, g.constantOf(math.Copysign(0, -1)), none)
	g.c.regs(g.op(opOr), d, q, s, none)
	g.free = append(g.free, a, n, q, s)
}

// expm1 writes d = e^x - 1 = 2*(q*s + (s - 1/2)) with s = 2^(n-1). From -40 on it is -1.
func (g *generator) expm1(d, x int) {
	none := masking{}
	_, high := g.expRange()
	a, n, q, k := g.vector(), g.vector(), g.vector(), g.mask()
	g.c.regs(g.op(opMax), a, g.constantOf(-40), x, none)
	g.c.regs(g.op(opMin), a, g.constantOf(high), a, none)
	g.reduced(n, q, a)
	g.c.regs(g.op38(opScale), n, g.constantOf(0.5), n, none)
	g.with(g.op(opSub), d, n, 0.5)
	g.c.regs(g.op38(opFMA213), q, n, d, none)
	g.c.regs(g.op(opAdd), d, q, q, none)
	g.compare(k, d, g.constantOf(0), 0)
	g.c.regs(g.op(opAdd), d, d, a, masking{k: byte(k)}) // the half of the smallest normal number is flushed
	g.free = append(g.free, a, n, q)
	g.freeMask = append(g.freeMask, k)
}
