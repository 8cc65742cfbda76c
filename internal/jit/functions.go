package jit

import "math"

// This file writes the functions that take more than an instruction or two: the exponential and what is made of it. The
// formulas and coefficients are those of the vector functions in package cpu (see its generator, vec_math.go, which writes the
// coefficients here, too), so that both give results of the same quality.

// infinite is where e^x has become infinite.
func (g *generator) infinite() float64 {
	if g.run.Double {
		return 710
	}
	return 89
}

// expRange is where e^x has become zero and infinite. If the exponent of float32 is added to, it is where the result has become denormal, and the
// last x whose result is finite.
func (g *generator) expRange() (low, high float64) {
	switch {
	case g.run.Double:
		low = -746
	case g.addsExponent():
		return -88, lastExp
	default:
		low = -105
	}
	return low, g.infinite()
}

// lastExp is the largest float32 whose exponential is one, too.
const lastExp = 88.72283172607422

// addsExponent reports whether e^x = 2^n * y of float32 is made by adding n to the exponent of y: 1/sqrt(2) < y < sqrt(2), so that between the bounds of expRange it
// takes no more than a denormal result beside the normal ones.
func (g *generator) addsExponent() bool { return !g.t.scales && !g.run.Double }

// ln2 is ln 2 in two parts, of which the first is cut so that its product with an exponent is exact.
func (g *generator) ln2() (high, low float64) {
	if g.run.Double {
		return 6.93147180369123816490e-01, 1.90821492927058770002e-10
	}
	return 0.693145752, 1.42860677e-06
}

// polynomial evaluates c[0] + c[1]*x + ... by Horner's rule into d.
func (g *generator) polynomial(d, x int, c []float64) {
	g.e.constant(d, g.number(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		g.arith(opMulAddBy, d, x, g.number(c[i]))
	}
}

// reduced splits e^x = 2^n * (1 + q); x is a register of the caller's and is lost.
func (g *generator) reduced(n, q, x int) {
	high, low := g.ln2()
	g.arith(opMul, n, x, g.number(math.Log2E))
	g.e.apply(opRound, n, n)
	g.arith(opSubMul, x, n, g.number(high))
	g.arith(opSubMul, x, n, g.number(low))
	g.expPolynomial(q, x)
}

// expPolynomial writes q = e^x - 1 for |x| <= ln(2)/2.
func (g *generator) expPolynomial(q, x int) {
	c := expCoefficients
	if g.run.Double {
		c = expCoefficients64
	}
	g.polynomial(q, x, c)
	square := g.vector()
	g.arith(opMul, square, x, x)
	g.arith(opMulAddBy, q, square, x)
	g.release(square)
}

// scale writes d = y * 2^n for an n in float form, which may lie beyond the range of the exponent; n is lost.
func (g *generator) scale(d, y, n int) {
	if g.t.scales {
		g.arith(opScale, d, y, n)
		return
	}
	half, s := g.vector(), g.vector()
	g.arith(opMul, half, n, g.number(0.5))
	g.e.apply(opFloor, half, half)
	g.arith(opSub, n, n, half)
	g.powerOfTwo(s, half, 1)
	g.arith(opMul, d, y, s)
	g.powerOfTwo(s, n, 1)
	g.arith(opMul, d, d, s)
	g.release(half, s)
}

// scaleDown writes d = y * 2^n for -160 <= n <= 0, y not below 2^-30; d may be y, and n remains.
func (g *generator) scaleDown(d, y, n int) {
	if g.t.scales {
		g.arith(opScale, d, y, n)
		return
	}
	s := g.vector()
	g.powerOfTwo(s, n, 0x1p64)
	g.arith(opMul, d, y, s)
	g.arith(opMul, d, d, g.number(0x1p-64))
	g.release(s)
}

// powerOfTwo writes d = unit * 2^n within the range of the exponent, n a small integer in float form and unit a power of two.
func (g *generator) powerOfTwo(d, n int, unit float64) {
	switch {
	case g.t.scales:
		g.arith(opScale, d, g.constant(unit), n)
		return
	case g.run.Double: // the sum with 3*2^51 has n in its low bits
		g.arith(opAdd, d, n, g.number(3<<51))
		g.e.shift(d, d, 52)
	default:
		g.e.apply(opToInt, d, n)
		g.e.shift(d, d, 23)
	}
	g.arith(opAddBits, d, d, g.number(unit))
}

// exp writes d = e^x. NaN passes the bounds, as the instructions give their second operand then.
func (g *generator) exp(d, x int) {
	low, high := g.expRange()
	a, t := g.vector(), g.vector()
	g.arith(opMin, t, g.constant(high), x)
	g.arith(opMax, a, g.constant(low), t)
	g.expBounded(d, a)
	if g.addsExponent() { // beyond the last x the factor is not 1, but at least 8; and the product flushes a denormal result
		const steep = 1 << 20
		g.e.constant(t, g.number(-steep*lastExp))
		g.e.constant(a, g.number(steep))
		g.arith(opAddMul, t, x, a)
		g.arith(opMax, a, g.number(1), t)
		g.arith(opMul, d, d, a)
	}
	g.release(a, t)
}

// expBounded writes d = e^a for a within the range; a is lost. A result may be denormal.
func (g *generator) expBounded(d, a int) {
	n := g.vector()
	g.reduced(n, d, a)
	g.arith(opAdd, d, d, g.number(1))
	if g.addsExponent() {
		g.e.apply(opToInt, n, n)
		g.e.shift(n, n, 23)
		g.arith(opAddBits, d, d, n)
	} else {
		g.scale(d, d, n)
	}
	g.release(n)
}

// sigmoid writes d = 1/(1+e^-x) for x >= 0 and e^x/(1+e^x) for x < 0.
func (g *generator) sigmoid(d, x int) {
	low, _ := g.expRange()
	a, e := g.vector(), g.vector()
	g.arith(opOr, e, x, g.signBit())
	g.arith(opMax, a, g.constant(low), e)
	g.expBounded(e, a)
	k := g.mask()
	g.e.compare(k, x, g.constant(0), less)
	one := g.constant(1)
	if one < 0 {
		g.e.constant(d, one)
		one = d
	}
	g.e.blend(a, k, one, e)
	g.arith(opAdd, e, e, g.number(1))
	g.arith(opDiv, d, a, e)
	g.release(a, e)
	g.releaseMask(k)
}

// tanh writes d in pieces for float32, and for float64 d = e/(e+2), e = e^(2|x|) - 1, with the sign of x. With s = 2^(n-1), e = 2*(q*s + (s - 1/2)), which is exact
// for n = 0.
func (g *generator) tanh(d, x int) {
	if !g.run.Double {
		g.oddPieces(d, x, tanhEnd, tanhPieces)
		return
	}
	a, n, q, s := g.vector(), g.vector(), g.vector(), g.vector()
	g.arith(opAnd, n, x, g.otherBits())
	g.arith(opAdd, n, n, n)
	g.arith(opMin, a, g.constant(40), n)
	g.reduced(n, q, a)
	g.powerOfTwo(s, n, 0.5)
	g.arith(opSub, a, s, g.number(0.5))
	g.arith(opMulAddBy, q, s, a)
	g.arith(opAdd, q, q, q)
	g.arith(opAdd, a, q, g.number(2))
	g.arith(opDiv, q, q, a)
	g.arith(opAnd, s, x, g.signBit())
	g.arith(opOr, d, q, s)
	g.release(a, n, q, s)
}

// expm1 writes d = e^x - 1 = 2*(q*s + (s - 1/2)) with s = 2^(n-1). From -40 on it is -1.
func (g *generator) expm1(d, x int) {
	a, n, q, s := g.vector(), g.vector(), g.vector(), g.vector()
	g.arith(opMax, s, g.constant(-40), x)
	g.arith(opMin, a, g.constant(g.infinite()), s)
	g.reduced(n, q, a)
	g.powerOfTwo(s, n, 0.5)
	g.arith(opSub, n, s, g.number(0.5))
	g.arith(opMulAddBy, q, s, n)
	g.arith(opAdd, q, q, q)
	k := g.mask()
	g.e.compare(k, q, g.constant(0), equal) // the half of the smallest normal number is flushed; n is 0 then and a is x
	g.e.keep(s, k, a)
	g.arith(opAdd, d, q, s)
	g.release(a, n, q, s)
	g.releaseMask(k)
}
