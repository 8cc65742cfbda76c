package hlo

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/rng"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds what needs a number of terms or attempts that differs by element: incomplete gamma functions, gamma and Poisson numbers, and the derivatives of
// gamma numbers; and the derivatives of the gamma function. A loop runs until the last element is finished. The methods are those of packages scalar and rng, in f64.

// mostTerms bounds the terms of a series or a fraction, as on the CPU.
const mostTerms = 1e5

// floats writes formulas of arrays of f64 of one shape.
type floats struct {
	*text
	t value // the type
}

// newFloats returns a writer for arrays with the shape of x.
func (b *text) newFloats(x value) floats { return floats{b, value{elem: "f64", shape: x.shape}} }

func (f floats) num(v float64) value           { return f.text.num(v, f.t) }
func (f floats) add(x, y value) value          { return f.op("add", x, y) }
func (f floats) sub(x, y value) value          { return f.op("subtract", x, y) }
func (f floats) mul(x, y value) value          { return f.op("multiply", x, y) }
func (f floats) div(x, y value) value          { return f.op("divide", x, y) }
func (f floats) plus(x value, v float64) value { return f.add(x, f.num(v)) }
func (f floats) times(x value, v float64) value {
	return f.mul(x, f.num(v))
}
func (f floats) exp(x value) value  { return f.op("exponential", x) }
func (f floats) log(x value) value  { return f.op("log", x) }
func (f floats) abs(x value) value  { return f.op("abs", x) }
func (f floats) neg(x value) value  { return f.op("negate", x) }
func (f floats) sqrt(x value) value { return f.op("sqrt", x) }
func (f floats) inverse(x value) value {
	return f.div(f.num(1), x)
}
func (f floats) is(x value, how string, v float64) value { return f.compare(how, x, f.num(v)) }
func (f floats) both(p, q value) value                   { return f.op("and", p, q) }
func (f floats) either(p, q value) value                 { return f.op("or", p, q) }
func (f floats) not(p value) value                       { return f.op("not", p) }

// where is v where p holds, and x elsewhere.
func (f floats) where(p value, v float64, x value) value { return f.choose(p, f.num(v), x) }

// until repeats a body, whose state begins with whether an element is finished, until all are. The body is given the number of the time, from 1. It computes finished
// elements again, and what it returns for them is dropped.
func (f floats) until(start []value, body func(n value, state []value) []value) []value {
	one := scalarOf("f64")
	return f.while(append([]value{f.text.num(1, one)}, start...), func(state []value) value {
		return f.op("and", f.op("not", f.all(state[1])), f.compare("LE", state[0], f.text.num(mostTerms, one)))
	}, func(state []value) []value {
		n, old := state[0], state[1:]
		next := body(f.spread(n, f.t.shape), old)
		for i := range next {
			next[i] = f.choose(old[0], old[i], next[i])
		}
		return append([]value{f.op("add", n, f.text.num(1, one))}, next...)
	})[1:]
}

// log1pmx is log(1+u) - u for |u| <= 1/2 or so.
func (f floats) log1pmx(u value) value {
	s := f.div(u, f.plus(u, 2))
	coefficients := make([]float64, 29)
	for i := range coefficients {
		coefficients[i] = 1 / float64(2*i+3)
	}
	z := f.mul(s, s)
	return f.sub(f.times(f.mul(f.mul(s, z), f.polynomial(z, coefficients)), 2), f.mul(u, s))
}

// lgamma1p is the logarithm of the gamma function of 1+a, with all digits of a small a.
func (f floats) lgamma1p(a value) value {
	lgamma, _, _ := scalar.GammaCoefficients()
	small := f.is(a, "LE", 0.5)
	s := f.choose(small, a, f.num(0))
	near := f.sub(f.mul(s, f.polynomial(s, lgamma)), f.op("log_plus_one", s))
	return f.choose(small, near, f.chlo("lgamma", f.plus(a, 1)))
}

// gammaFactor is x^a e^-x / Gamma(a+1).
func (f floats) gammaFactor(a, x value) value {
	_, stirling, _ := scalar.GammaCoefficients()
	small := f.is(a, "LT", 10)
	direct := f.exp(f.sub(f.sub(f.mul(a, f.log(x)), x), f.lgamma1p(a)))
	c := f.where(small, 10, a)
	u := f.div(f.sub(x, c), c)
	far := f.is(f.abs(u), "GT", 0.5)
	exponent := f.choose(far, f.add(f.mul(c, f.log(f.div(x, c))), f.sub(c, x)), f.mul(c, f.log1pmx(f.where(far, 0, u))))
	tail := f.div(f.polynomial(f.inverse(f.mul(c, c)), stirling), c)
	return f.choose(small, direct, f.div(f.exp(f.sub(exponent, tail)), f.sqrt(f.times(c, 2*math.Pi))))
}

// digamma is the derivative of lgamma: -Inf at 0, +Inf at -0, and NaN at negative integers.
func (b *text) digamma(x value) value {
	if x.size() == 0 {
		return x
	}
	elem, f := x.elem, b.newFloats(x)
	x = b.convert(x, "f64")
	y := f.reflected(x, f.num(0), math.NaN(), func(x value) value { return f.chlo("digamma", x) })
	return b.convert(f.choose(f.is(x, "EQ", 0), f.neg(f.inverse(x)), y), elem)
}

// polygamma is the derivative of order n of digamma: see scalar.Polygamma.
func (b *text) polygamma(n, x value) value {
	if x.size() == 0 {
		return x
	}
	elem, f := x.elem, b.newFloats(x)
	n, x = b.convert(n, "f64"), b.convert(x, "f64")
	return b.convert(f.reflected(x, n, math.Inf(-1), func(x value) value { return f.chlo("polygamma", n, x) }), elem)
}

// reflected is the derivative psi of order n of digamma for all numbers, out of that for positive ones. Below 0 it is psi(u) - (-1)^n (psi(v) - psi(1-x)), with the
// distances u and v to the integers beneath and above: the terms of the sum over 1/(x+k)^(n+1) that have one sign are those of u, the others those from v up to 1-x. Even
// is the result at negative integers and 0 if n is even; that for odd orders is +Inf.
func (f floats) reflected(x, n value, even float64, psi func(x value) value) value {
	half := f.times(n, 0.5)
	isEven := f.compare("EQ", f.op("floor", half), half)
	negative := f.is(x, "LE", 0)
	u, v := f.sub(x, f.op("floor", x)), f.sub(f.op("ceil", x), x)
	signed := func(p, y value) value { return f.choose(p, f.neg(y), y) }
	above, end := psi(f.choose(negative, v, f.num(1))), psi(f.choose(negative, f.sub(f.num(1), x), f.num(1)))
	y := psi(f.choose(negative, u, x))
	both := f.add(y, signed(isEven, above)) // large numbers, of which little may be left
	both = f.where(f.both(isEven, f.compare("EQ", u, v)), 0, both)
	y = f.choose(negative, f.sub(both, signed(isEven, end)), y)
	return f.choose(f.both(negative, f.is(u, "EQ", 0)), f.choose(isEven, f.num(even), f.num(math.Inf(1))), y)
}

// gammaPDF is x^(a-1) e^-x / Gamma(a): see scalar.GammaPDF.
func (b *text) gammaPDF(a, x value) value {
	if x.size() == 0 {
		return x
	}
	elem, f := x.elem, b.newFloats(x)
	a, x = b.convert(a, "f64"), b.convert(x, "f64")
	wrong := f.either(f.not(f.is(a, "GT", 0)), f.either(f.is(a, "EQ", math.Inf(1)), f.compare("NE", x, x)))
	start := f.where(f.is(a, "EQ", 1), 1, f.where(f.is(a, "LT", 1), math.Inf(1), f.num(0)))
	edge := f.either(f.is(x, "LE", 0), f.is(x, "EQ", math.Inf(1)))
	y := f.choose(f.is(x, "EQ", 0), start, f.num(0))
	a, x = f.where(wrong, 1, a), f.where(f.either(wrong, edge), 1, x)
	y = f.choose(edge, y, f.mul(f.gammaFactor(a, x), f.div(a, x)))
	return b.convert(f.where(wrong, math.NaN(), y), elem)
}

// incompleteGamma is P(a, x), or Q(a, x) = 1 - P: see scalar.IGamma.
func (b *text) incompleteGamma(a, x value, upper bool) value {
	if a.size() == 0 {
		return a
	}
	elem, f := a.elem, b.newFloats(a)
	a, x = b.convert(a, "f64"), b.convert(x, "f64")
	infinite := func(v value) value { return f.is(v, "EQ", math.Inf(1)) }
	wrong := f.either(f.not(f.both(f.is(a, "GE", 0), f.is(x, "GE", 0))), f.either(f.both(f.is(a, "EQ", 0), f.is(x, "EQ", 0)), f.both(infinite(a), infinite(x))))
	whole := f.either(f.is(a, "EQ", 0), infinite(x))
	nothing := f.either(f.is(x, "EQ", 0), infinite(a))
	edge := f.either(wrong, f.either(whole, nothing))
	a, x = f.where(edge, 1, a), f.where(edge, 1, x)
	uniform := f.both(f.is(a, "GE", scalar.TemmeFrom), f.compare("LT", f.abs(f.sub(x, a)), f.times(f.sqrt(a), 40)))
	above := f.compare("GT", x, f.op("maximum", a, f.num(1)))

	// The power series below.
	done := f.either(uniform, above)
	series := f.until([]value{done, f.num(1), f.num(1)}, func(n value, state []value) []value {
		term := f.mul(state[1], f.div(x, f.add(a, n)))
		sum := f.add(state[2], term)
		return []value{f.not(f.compare("GT", term, f.times(sum, 0x1p-60))), term, sum}
	})[2]
	// The fraction above, by Lentz's method as modified by Thompson and Barnett.
	nonzero := func(v value) value { return f.where(f.is(v, "EQ", 0), 1e-300, v) }
	first := nonzero(f.sub(f.plus(x, 1), a))
	start := []value{f.either(uniform, f.not(above)), first, first, f.num(0), f.sub(f.plus(x, 1), a)}
	fraction := f.until(start, func(k value, state []value) []value {
		an := f.mul(f.neg(k), f.sub(k, a))
		bn := f.plus(state[4], 2)
		d := f.inverse(nonzero(f.add(bn, f.mul(an, state[3]))))
		c := nonzero(f.add(bn, f.div(an, state[2])))
		step := f.mul(c, d)
		return []value{f.not(f.is(f.abs(f.plus(step, -1)), "GT", 0x1p-52)), f.mul(state[1], step), c, d, bn}
	})[1]
	factor := f.gammaFactor(a, x)
	p := f.mul(factor, series)
	q := f.div(f.mul(factor, a), fraction)

	// Q for a < 1 and x <= 1, where it may be small: 1 - x^a/Gamma(1+a) - x^a/Gamma(a) sum((-x)^n/(n! (a+n)), n >= 1).
	small := f.both(f.is(a, "LT", 1), f.is(x, "LE", 1))
	sum, term, z := f.num(0), f.num(1), f.choose(small, x, f.num(1))
	for n := 1.0; n < 22; n++ {
		term = f.mul(term, f.times(z, -1/n))
		sum = f.add(sum, f.div(term, f.plus(a, n)))
	}
	log := f.sub(f.mul(a, f.log(z)), f.lgamma1p(a))
	smallQ := f.sub(f.neg(f.op("exponential_minus_one", log)), f.mul(f.mul(a, f.exp(log)), sum))

	_, _, temme := scalar.GammaCoefficients()
	// The uniform expansion for a large a and x near it.
	c := f.choose(uniform, a, f.num(scalar.TemmeFrom))
	u := f.div(f.sub(f.choose(uniform, x, c), c), c)
	half := f.neg(f.log1pmx(u))
	root := f.sqrt(f.op("maximum", f.times(half, 2), f.num(0)))
	eta := f.choose(f.is(u, "LT", 0), f.neg(root), root)
	rest := f.num(0)
	for _, row := range slices.Backward(temme) {
		rest = f.add(f.div(rest, c), f.polynomial(eta, row[:]))
	}
	rest = f.div(f.mul(f.exp(f.neg(f.mul(c, half))), rest), f.sqrt(f.times(c, 2*math.Pi)))
	z = f.mul(eta, f.sqrt(f.times(c, 0.5)))

	var y value
	if upper {
		y = f.choose(f.both(small, f.is(p, "GT", 0.5)), smallQ, f.sub(f.num(1), p))
		y = f.choose(above, q, y)
		y = f.choose(uniform, f.add(f.times(f.chlo("erfc", z), 0.5), rest), y)
		y = f.where(whole, 0, f.where(nothing, 1, y))
	} else {
		y = f.choose(above, f.sub(f.num(1), q), p)
		y = f.choose(uniform, f.sub(f.times(f.chlo("erfc", f.neg(z)), 0.5), rest), y)
		y = f.where(whole, 1, f.where(nothing, 0, y))
	}
	return b.convert(f.where(wrong, math.NaN(), y), elem)
}

// gammaSlope is the derivative of gamma numbers' logarithms y with respect to the concentrations a: see rng.LogGammaSlope.
func (b *text) gammaSlope(a, y value) value {
	if y.size() == 0 {
		return y
	}
	elem, f := y.elem, b.newFloats(y)
	a, y = b.convert(a, "f64"), b.convert(y, "f64")
	z := f.exp(y)
	finite := f.both(b.isFinite(a), b.isFinite(z))
	right := f.both(finite, f.both(f.is(a, "GT", 0), f.compare("EQ", y, y)))
	a, y, z = f.choose(right, a, f.num(1)), f.choose(right, y, f.num(0)), f.choose(right, z, f.num(1))
	large := f.is(a, "GT", 1e6)
	below := f.compare("LT", z, f.plus(a, 1))

	// z is a w^3 with w = 1 - 1/(9 a) + x/(3 sqrt(a)) and a normal x, up to 1/a.
	w := f.exp(f.times(f.sub(y, f.log(a)), 1.0/3))
	x := f.mul(f.add(f.plus(w, -1), f.inverse(f.times(a, 9))), f.times(f.sqrt(a), 3))
	inner := f.sub(f.inverse(f.times(f.mul(a, a), 9)), f.div(x, f.times(f.mul(a, f.sqrt(a)), 6)))
	wide := f.add(f.inverse(a), f.mul(f.div(f.num(3), w), inner))

	psi := f.chlo("digamma", f.plus(a, 1))
	done := f.either(large, f.not(below))
	first := f.mul(f.inverse(a), f.sub(y, psi))
	series := f.until([]value{done, psi, f.inverse(a), first}, func(n value, state []value) []value {
		psi := f.add(state[1], f.inverse(f.add(a, n)))
		term := f.mul(state[2], f.div(z, f.add(a, n)))
		part := f.mul(term, f.sub(y, psi))
		sum := f.add(state[3], part)
		more := f.either(f.compare("GT", f.abs(part), f.times(f.abs(sum), 1e-17)), f.compare("LE", n, f.sub(z, a)))
		return []value{f.not(more), psi, term, sum}
	})[3]

	// h is the continued fraction of 1 - P, and dh its derivative. The first c is infinite.
	b0 := f.sub(f.plus(z, 1), a)
	d0 := f.inverse(b0)
	start := []value{f.either(large, below), b0, f.num(0), f.num(0), d0, f.mul(d0, d0), d0, f.mul(d0, d0)}
	out := f.until(start, func(n value, state []value) []value {
		bn, c, dc, d, dd, h, dh := state[1], state[2], state[3], state[4], state[5], state[6], state[7]
		an := f.mul(n, f.sub(a, n))
		bn = f.plus(bn, 2)
		under := f.add(f.mul(an, d), bn)
		dunder := f.plus(f.add(f.mul(n, d), f.mul(an, dd)), -1)
		one := f.is(n, "EQ", 1)
		old := f.where(one, 1, c)
		share := f.div(an, old)
		dc = f.where(one, -1, f.sub(f.plus(f.div(n, old), -1), f.div(f.mul(share, dc), old)))
		c = f.choose(one, bn, f.add(bn, share))
		d = f.inverse(under)
		dd = f.mul(f.neg(dunder), f.mul(d, d))
		factor := f.mul(c, d)
		change := f.add(f.mul(dc, d), f.mul(c, dd))
		dh = f.add(f.mul(dh, factor), f.mul(h, change))
		h = f.mul(h, factor)
		more := f.either(f.is(f.abs(f.plus(factor, -1)), "GT", 0x1p-52), f.compare("GT", f.abs(change), f.times(f.abs(f.div(dh, h)), 0x1p-52)))
		return []value{f.not(more), bn, c, dc, d, dd, h, dh}
	})
	h, dh := out[6], out[7]
	fraction := f.add(f.mul(h, f.add(f.sub(y, psi), f.inverse(a))), dh)
	slope := f.choose(large, wide, f.choose(below, f.neg(series), fraction))
	return b.convert(f.where(f.not(right), math.NaN(), slope), elem)
}

// open64s is element i of the stream with the second half of the key at i, in the open interval (0, 1), for each i.
func (f floats) open64s(key uint64, second value) value {
	i := f.iota(second.of(second.size()), 0)
	c := f.philox(f.op("shift_right_logical", i, f.unsigned(1, i)), second, key)
	even := f.compare("EQ", f.op("and", i, f.unsigned(1, i)), f.unsigned(0, i))
	w := f.choose(even, f.joined(c[0], c[1]), f.joined(c[2], c[3]))
	x := f.convert(f.op("shift_right_logical", w, f.unsigned(12, w)), "f64")
	return f.times(f.plus(x, 0.5), 0x1p-52)
}

// mixed is the second half of the key of another stream: see rng.
func (f floats) mixed(x value) value {
	shifted := func(x value, by uint64) value {
		return f.op("xor", x, f.op("shift_right_logical", x, f.unsigned(by, x)))
	}
	x = f.op("add", x, f.unsigned(rng.MixAdd, x))
	x = f.op("multiply", shifted(x, 30), f.unsigned(rng.MixFirst, x))
	return shifted(f.op("multiply", shifted(x, 27), f.unsigned(rng.MixSecond, x)), 31)
}

// rejected draws gamma or Poisson numbers: element i of the parameter makes that of element i of the stream. Each attempt takes other streams.
func (b *text) rejected(form ir.DrawForm, step, parameter, out value) value {
	n := out.size()
	p := parameter
	if len(p.shape) == 0 {
		p = b.spread(p, out.shape)
	}
	p = b.convert(b.reshape(p, []int{n}), "f64")
	f := b.newFloats(p)
	key := rng.Step(form.Seed, form.Number, 0)[0]
	second := b.spread(b.convert(step, "ui64"), p.shape)
	draw := f.logGamma
	if form.Kind == ir.DrawPoisson {
		draw = f.poisson
	}
	y := draw(key, second, p)
	return b.reshape(b.convert(y, out.elem), out.shape)
}

// logGamma is the logarithms of gamma numbers: see rng.LogGamma.
func (f floats) logGamma(key uint64, second, alpha value) value {
	right := f.both(f.is(alpha, "GT", 0), f.isFinite(alpha))
	a := f.choose(right, alpha, f.num(1))
	small := f.is(a, "LT", 1)
	boost := f.choose(small, f.div(f.log(f.open64s(key, second)), a), f.num(0))
	second = f.choose(small, f.mixed(second), second)
	a = f.choose(small, f.plus(a, 1), a)
	d := f.plus(a, -1.0/3)
	c := f.inverse(f.sqrt(f.times(d, 9)))
	v := f.until([]value{f.not(right), second, f.num(1)}, func(_ value, state []value) []value {
		x := f.quantile(f.open64s(key, state[1]))
		next := f.mixed(state[1])
		u := f.open64s(key, next)
		v := f.plus(f.mul(c, x), 1)
		positive := f.is(v, "GT", 0)
		v = f.where(f.not(positive), 1, f.mul(v, f.mul(v, v)))
		limit := f.add(f.times(f.mul(x, x), 0.5), f.mul(d, f.add(f.sub(f.num(1), v), f.log(v))))
		return []value{f.both(positive, f.compare("LT", f.log(u), limit)), f.mixed(next), v}
	})[2]
	y := f.add(f.add(f.log(d), f.log(v)), boost)
	y = f.where(f.is(alpha, "EQ", 0), math.Inf(-1), f.where(f.is(alpha, "EQ", math.Inf(1)), math.Inf(1), y))
	return f.where(f.not(f.is(alpha, "GE", 0)), math.NaN(), y)
}

// poisson is Poisson numbers: see rng.Poisson.
func (f floats) poisson(key uint64, second, rate value) value {
	right := f.both(f.is(rate, "GE", 0), f.isFinite(rate))
	large := f.is(rate, "GE", 10)

	// The number of exponential steps that fit.
	end := f.exp(f.neg(f.where(large, 1, rate)))
	first := f.open64s(key, second)
	start := []value{f.either(f.either(large, f.not(right)), f.compare("LE", first, end)), f.mixed(second), first, f.num(0)}
	few := f.until(start, func(_ value, state []value) []value {
		product := f.mul(state[2], f.open64s(key, state[1]))
		return []value{f.compare("LE", product, end), f.mixed(state[1]), product, f.plus(state[3], 1)}
	})[3]

	r := f.choose(f.both(large, right), rate, f.num(10))
	bb := f.plus(f.times(f.sqrt(r), 2.53), 0.931)
	a := f.plus(f.times(bb, 0.02483), -0.059)
	squeeze := f.sub(f.num(0.9277), f.div(f.num(3.6224), f.plus(bb, -2)))
	density := f.plus(f.div(f.num(1.1328), f.plus(bb, -3.4)), 1.1239)
	many := f.until([]value{f.not(f.both(large, right)), second, f.num(0)}, func(_ value, state []value) []value {
		u := f.plus(f.open64s(key, state[1]), -0.5)
		next := f.mixed(state[1])
		v := f.open64s(key, next)
		us := f.sub(f.num(0.5), f.abs(u))
		k := f.op("floor", f.plus(f.add(f.mul(f.add(f.div(f.times(a, 2), us), bb), u), r), 0.43))
		quick := f.both(f.is(us, "GE", 0.07), f.compare("LE", v, squeeze))
		refused := f.either(f.is(k, "LT", 0), f.both(f.is(us, "LT", 0.013), f.compare("GT", v, us)))
		left := f.log(f.div(f.mul(v, density), f.add(f.div(a, f.mul(us, us)), bb)))
		fits := f.compare("LE", left, f.sub(f.sub(f.mul(k, f.log(r)), r), f.chlo("lgamma", f.plus(k, 1))))
		return []value{f.either(quick, f.both(f.not(refused), fits)), f.mixed(next), k}
	})[2]
	y := f.choose(large, many, few)
	return f.where(f.is(rate, "EQ", math.Inf(1)), math.Inf(1), f.where(f.not(f.is(rate, "GE", 0)), math.NaN(), y))
}
