package hlo

import "math"

// This file holds functions of square matrices.

// matrixExp is the exponential, by Padé's approximation of the matrix divided by a power of two, and as many squarings. The matrices of a batch that need fewer
// squarings than others wait for them.
func (b *text) matrixExp(a value) value {
	elem, n := a.elem, len(a.shape)
	a = b.convert(a, "f64")
	matrices := make([]int, n-2)
	for i := range matrices {
		matrices[i] = i
	}
	finite := b.fold("and", "true", b.isFinite(a), n-2, n-1)
	// The coefficients of degree 13, and the largest norm for which the approximation is exact up to rounding. (Higham 2005.)
	const degree, limit = 13, 5.371920351148152
	pade := [degree + 1]float64{degree: 1}
	for i := degree - 1.0; i >= 0; i-- {
		pade[int(i)] = pade[int(i)+1] * (i + 1) * (2*degree - i) / (degree - i)
	}
	sums := b.sum(b.op("multiply", b.op("abs", a), b.num(1/limit, a)), n-2)
	norm := b.fold("maximum", literal("f64", 0), sums, n-2)
	norm = b.op("minimum", norm, b.num(math.MaxFloat64, norm))
	large := b.compare("GT", norm, b.num(1, norm))
	exponent := b.op("add", b.op("floor", b.log2(b.choose(large, norm, b.num(1, norm)))), b.num(1, norm))
	squarings := b.choose(large, exponent, b.num(0, norm))
	half := b.op("floor", b.op("multiply", squarings, b.num(0.5, squarings))) // the power itself may be too small a number
	power := func(e value) value {
		return b.spread(b.op("power", b.num(2, e), b.op("negate", e)), a.shape, matrices...)
	}
	a = b.op("multiply", b.op("multiply", a, power(half)), power(b.op("subtract", squarings, half)))

	times := func(x, y value) value { return b.contract(false, false, x, y) }
	a2 := times(a, a)
	a4 := times(a2, a2)
	a6 := times(a4, a2)
	one := b.identity(a)
	combination := func(c6, c4, c2 float64) value {
		y := b.op("multiply", a6, b.num(c6, a))
		y = b.op("add", y, b.op("multiply", a4, b.num(c4, a)))
		return b.op("add", y, b.op("multiply", a2, b.num(c2, a)))
	}
	// The polynomial in a^2 with the coefficients of degrees first, first + 2, ..., first + 12.
	polynomial := func(first int) value {
		y := b.op("add", times(a6, combination(pade[first+12], pade[first+10], pade[first+8])), combination(pade[first+6], pade[first+4], pade[first+2]))
		return b.op("add", y, b.op("multiply", one, b.num(pade[first], a)))
	}
	odd, even := times(a, polynomial(1)), polynomial(0)
	y := b.solve(b.op("subtract", even, odd), b.op("add", even, odd))

	most := squarings
	if n > 2 {
		most = b.fold("maximum", literal("f64", 0), squarings, matrices...)
	}
	y = b.while([]value{b.num(0, most), y}, func(state []value) value { return b.compare("LT", state[0], most) }, func(state []value) []value {
		k, y := state[0], state[1]
		needed := b.compare("LT", b.spread(k, squarings.shape), squarings)
		return []value{b.op("add", k, b.num(1, k)), b.choose(b.spread(needed, y.shape, matrices...), times(y, y), y)}
	})[1]
	return b.convert(b.choose(b.spread(finite, y.shape, matrices...), y, b.missing(y)), elem)
}
