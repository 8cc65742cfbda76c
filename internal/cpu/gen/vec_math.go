package main

// The bodies of the vector functions. Coefficients of polynomials are near-minimax fits (interpolation at Chebyshev nodes with 60
// digits, rounded to float32) for the intervals that the comments state.

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
)

const log2e = 1.4426950408889634 // 1/ln 2

// ln2 is ln 2 in two parts, of which the first is cut so that its product with an exponent is exact.
func (m *machine) ln2() (high, low constant) {
	if m.f64 {
		return m.f(6.93147180369123816490e-01), m.f(1.90821492927058770002e-10)
	}
	return m.f(0.693145752), m.f(1.42860677e-06)
}

var (
	// (e^r - 1 - r)/r^2 for |r| <= ln(2)/2, error 2^-29 of e^r - 1.
	expCoefficients = []float64{0.5, 0.166666672, 0.0416664556, 0.00833331048, 0.00139345415, 0.000198919806}

	// The same for f64, error 2^-60.
	expCoefficients64 = []float64{0.5, 0.16666666666666671, 0.041666666666666671, 0.0083333333333258479, 0.0013888888888883544,
		0.00019841269875819578, 2.4801587326261104e-05, 2.7557254139316891e-06, 2.7557272742699346e-07, 2.5105739219586713e-08,
		2.0915059884917686e-09}

	// (log(1+f) - f + f^2/2)/f^3 for sqrt(1/2) <= 1+f <= sqrt(2), error 2^-28 of log(1+f).
	logCoefficients = []float64{0.333333313, -0.24999997, 0.200007156, -0.166678026, 0.142490581, -0.124256872, 0.116854198,
		-0.114797339, 0.0697161183}

	// (log(1+f) - 2*s)/s - f + 2*s for s = f/(2+f) as a polynomial of s^2 without its constant term, as in FreeBSD's
	// e_log.c, error 2^-58.
	logCoefficients64 = []float64{6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
		2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01}

	// (e^(-r/2) - 1)/r for |r| <= ln(2)/16, error 2^-28.7 of e^(-r/2); powers[i] is 2^(i/16).
	halfExpCoefficients = []float64{-0.5, 0.125003666, -0.020833699}
	powers              = []float64{1.0, 1.04427373, 1.09050775, 1.13878858, 1.18920708, 1.24185777, 1.29683959, 1.35425556, 1.41421354,
		1.47682619, 1.54221082, 1.61049032, 1.68179286, 1.75625217, 1.8340081, 1.91520655}

	// (sin(x) - x)/x^3 and (cos(x) - 1 + x^2/2)/x^4 as polynomials of x^2, for |x| <= pi/4, errors 2^-28 and 2^-30.
	sinCoefficients = []float64{-0.166666672, 0.00833333191, -0.00019840039, 2.72437819e-06}
	cosCoefficients = []float64{0.0416666642, -0.00138882792, 2.4542871e-05}
)

// halfPi is pi/2 in three parts.
var halfPi = [3]float64{1.57079637, -4.37113883e-08, -1.71512451e-15}

// expm1Reduced splits e^(x-low) = 2^n * (1 + q). low is a tiny correction of x, or nil.
func (m *machine) expm1Reduced(x, low Op) (n, q Op) {
	high, rest := m.ln2()
	n = m.round(m.mul(x, m.f(log2e)), toNearest)
	r := m.fnma(n, rest, m.fnma(n, high, x))
	if low != nil {
		r = m.sub(r, low)
	}
	c := expCoefficients
	if m.f64 {
		c = expCoefficients64
	}
	return n, m.fma(m.polynomial(r, c), m.mul(r, r), r)
}

// expBounds are where e^x has become zero and infinite.
func (m *machine) expBounds() (low, high constant) {
	if m.f64 {
		return m.f(-746), m.f(710)
	}
	return m.f(-105), m.f(89)
}

// exp is e^x. x is bounded such that NaN passes.
func (m *machine) exp(x Op) Op {
	_, high := m.expBounds()
	return m.expOfNegative(m.smaller(m.load(high), x))
}

// expOfNegative is e^x for x <= 0, or not above the upper bound.
func (m *machine) expOfNegative(x Op) Op {
	low, _ := m.expBounds()
	return m.expBounded(m.larger(m.load(low), x))
}

func (m *machine) expBounded(x Op) Op {
	n, q := m.expm1Reduced(x, nil)
	return m.scale(m.add(q, m.f(1)), n)
}

// scale is y * 2^n for an n in float form.
func (m *machine) scale(y, n Op) Op {
	if m.wide() {
		return m.op2("VSCALEF", y, n)
	}
	// 2^n may lie beyond the range of the exponent: in two halves.
	half := m.round(m.mul(n, m.f(0.5)), down)
	return m.mul(m.mul(y, m.powerOfTwo(half, 1)), m.powerOfTwo(m.sub(n, half), 1))
}

// powerOfTwo is unit * 2^n, n a small integer in float form and unit a power of two, by adding to the exponent of unit.
func (m *machine) powerOfTwo(n Op, unit float64) Op {
	if !m.f64 {
		return m.iadd(m.shiftLeft(m.toInt(n), 23), m.f(unit))
	}
	// There is no conversion to i64 in AVX2, but the sum with 3*2^51 has n in its low bits.
	return m.iadd(m.shiftLeft(m.add(n, m.f(3<<51)), 52), m.f(unit))
}

// expm1 is e^x - 1 = 2*(q*s + (s - 1/2)) with s = 2^(n-1), which is exact for n = 0 and does not overflow early. From -40 on
// the result is -1.
func (m *machine) expm1(x Op) Op {
	_, high := m.expBounds()
	x = m.smaller(m.load(high), m.larger(m.load(m.f(-40)), x))
	n, q := m.expm1Reduced(x, nil)
	s := m.powerOfTwo(n, 0.5)
	y := m.fma(q, s, m.sub(s, m.f(0.5)))
	y = m.add(y, y)
	return m.add(y, m.keep(m.compare(equal, y, m.f(0)), x)) // the half of the smallest normal number is flushed
}

// tanh is x times a function in pieces for f32, and e/(e+2) with e = e^(2|x|) - 1 and the sign of x for f64.
func (m *machine) tanh(x Op) Op {
	if !m.f64 {
		return m.oddPieces(x, 9.136156, tanhPieces)
	}
	a := m.absolute(x)
	e := m.expm1(m.smaller(m.load(m.f(40)), m.add(a, a)))
	return m.withSign(m.div(e, m.add(e, m.f(2))), x)
}

// sigmoid is 1/(1+e^-x) for x >= 0 and e^x/(1+e^x) for x < 0.
func (m *machine) sigmoid(x Op) Op {
	e := m.expOfNegative(m.or(x, m.signBit()))
	top := m.choose(m.compare(less, x, m.f(0)), e, m.f(1))
	return m.div(top, m.add(e, m.f(1)))
}

// logOf is log((1+f) * 2^k), sqrt(1/2) <= 1+f <= sqrt(2): f - f^2/2 + f^3*P(f) + k*ln 2, the small terms first.
func (m *machine) logOf(f, k Op) Op {
	high, low := m.ln2()
	square, y := m.logRest(f)
	y = m.fma(k, low, y)
	y = m.fma(square, m.f(-0.5), y)
	return m.fma(k, high, m.add(f, y))
}

// logRest is f^2 and log(1+f) - f + f^2/2.
func (m *machine) logRest(f Op) (square, y Op) {
	square = m.mul(f, f)
	if m.f64 {
		// With s = f/(2+f), log(1+f) = f - f^2/2 + s*(f^2/2 + R(s^2)).
		s := m.div(f, m.add(f, m.f(2)))
		z := m.mul(s, s)
		y = m.mul(s, m.fma(m.polynomial(z, logCoefficients64), z, m.mul(square, m.f(0.5))))
	} else {
		y = m.mul(m.mul(m.polynomial(f, logCoefficients), square), f)
	}
	return square, y
}

// mantissaBits is the number of bits below the exponent.
func (m *machine) mantissaBits() int {
	if m.f64 {
		return 52
	}
	return 23
}

// sqrtHalf is the bits of sqrt(1/2), at which a new exponent is taken to begin.
func (m *machine) sqrtHalf() constant { return m.f(math.Sqrt(0.5)) }

// exponent is the signed number in the exponent's place of i, in float form.
func (m *machine) exponent(i Op) Op {
	if !m.f64 || m.neon() {
		return m.fromInt(m.shiftRight(i, m.mantissaBits()))
	}
	// AVX2 can neither shift i64 keeping the sign nor convert them: made positive, moved under the exponent of 2^52.
	d := m.shiftDown(m.iadd(i, constant(1<<62)), 52)
	return m.sub(m.or(d, m.f(1<<52)), m.f(1<<52+1<<10))
}

func (m *machine) log(x Op) Op {
	f, k := m.splitLog(x)
	return m.logEdges(m.logOf(f, k), x, m.f(0))
}

// splitLog splits off the exponent, x = (1+f) * 2^k.
func (m *machine) splitLog(x Op) (f, k Op) {
	i := m.isub(x, m.sqrtHalf())
	k = m.exponent(i)
	return m.sub(m.iadd(m.and(i, constant(1)<<m.mantissaBits()-1), m.sqrtHalf()), m.f(1)), k
}

// logEdges puts y = log(x - zero) right where it is no number: NaN below zero, -infinity at zero, infinity and NaN as they
// are.
func (m *machine) logEdges(y, x, zero Op) Op {
	y = m.choose(m.compare(unordered, x, x), x, y)
	y = m.choose(m.compare(equal, x, m.f(math.Inf(1))), x, y)
	y = m.choose(m.compare(equal, x, zero), m.f(math.Inf(-1)), y)
	return m.choose(m.compare(less, x, zero), m.f(math.NaN()), y)
}

// log1p splits 1+x = (1+f) * 2^k with f = x*2^-k + (2^-k - 1), which does not round 1+x. Numbers from 2^100 on, to which 1
// adds nothing, are made smaller so that 2^-k is not denormal.
func (m *machine) log1p(x Op) Op {
	large := m.compare(greater, x, m.f(0x1p100))
	scaled := m.choose(large, m.mul(x, m.f(0x1p-40)), x)
	f, k := m.splitOnePlus(scaled)
	k = m.add(k, m.keep(large, m.f(40)))
	return m.logEdges(m.logOf(f, k), x, m.f(-1))
}

func (m *machine) splitOnePlus(x Op) (f, k Op) {
	i := m.isub(m.add(x, m.f(1)), m.sqrtHalf())
	k = m.exponent(i)
	s := m.isub(m.f(1), m.and(i, m.exponentMask()))
	return m.fma(x, s, m.sub(s, m.f(1))), k
}

// exponentMask is the bits of the sign and the exponent.
func (m *machine) exponentMask() constant {
	if m.f64 {
		return 0xfff << 52
	}
	return 0x1ff << 23
}

// softplus is max(x, 0) + log(1 + e^-|x|).
func (m *machine) softplus(x Op) Op {
	f, k := m.splitOnePlus(m.expOfNegative(m.or(x, m.signBit())))
	return m.add(m.logOf(f, k), m.larger(m.in(m.f(0)), x))
}

// normal returns what GELU and its derivative are made of: a = |x| bounded to where the density is zero, e^(-a^2/2) = e * 2^n,
// and t = Phi(-a) * e^(a^2/2). The square is kept with its rounding error, which the exponential would enlarge; the factor
// 2^n comes last, so that no other factor is flushed to zero before.
func (m *machine) normal(x Op) (a, e, n, t Op) {
	a = m.smaller(m.load(m.f(14.75)), m.absolute(x))
	square := m.mul(a, a)
	low := m.fms(a, a, square)
	if !m.wide() {
		half := m.f(-0.5)
		n, q := m.expm1Reduced(m.mul(square, half), m.mul(low, m.f(0.5)))
		return a, m.add(q, m.f(1)), n, m.piecewise(a, tailPieces)
	}
	// In n, the last four bits of sum, are sixteenths: their power of two is in a table, and VSCALEF takes the whole part.
	const (
		sixteenths = 3 << 18
		twiceLn2   = 1.3862943649291992 // rounded to float32
	)
	sum := m.fma(square, m.load(m.f(-log2e/2)), m.f(sixteenths))
	n = m.sub(sum, m.f(sixteenths))
	low = m.fma(n, m.f(2*math.Ln2-twiceLn2), low)
	r := m.add(m.fma(n, m.f(twiceLn2), square), low)
	power := m.lookUp(sum, "powers", powers)
	e = m.fma(m.mul(m.polynomial(r, halfExpCoefficients), r), power, power)
	return a, e, n, m.piecewise(a, tailPieces)
}

// scaleDown is y * 2^n for -160 <= n <= 0, y not below 2^-30.
func (m *machine) scaleDown(y, n Op) Op {
	if m.wide() {
		return m.op2("VSCALEF", y, n)
	}
	return m.mul(m.mul(y, m.powerOfTwo(n, 0x1p64)), m.f(0x1p-64))
}

// gelu is x*Phi(x): with y = |x|*Phi(-|x|), it is -y for x < 0 and x - y else.
func (m *machine) gelu(x Op) Op {
	a, e, n, t := m.normal(x)
	y := m.scaleDown(m.mul(m.mul(a, t), e), n)
	return m.sub(m.larger(m.in(m.f(0)), x), y)
}

// geluPrime is Phi(x) + x*phi(x), phi(x) = e^(-x^2/2)/sqrt(2 pi): with y = Phi(-|x|) - |x|*phi(x), it is y for x < 0 and
// 1 - y else.
func (m *machine) geluPrime(x Op) Op {
	a, e, n, t := m.normal(x)
	y := m.scaleDown(m.mul(m.fnma(a, m.f(0.3989422804014327), t), e), n)
	return m.choose(m.compare(less, x, m.f(0)), y, m.sub(m.f(1), y))
}

// erf is x times a function in pieces, and from 3.95 on 1 with the sign of x.
func (m *machine) erf(x Op) Op { return m.oddPieces(x, 3.95, erfPieces) }

// oddPieces is x*p(|x|), which has become 1 or -1 at the end; the end is one at which its rounding errors give just that.
func (m *machine) oddPieces(x Op, end float64, p pieces) Op {
	a := m.smaller(m.load(m.f(end)), m.absolute(x))
	y := m.mul(m.piecewise(a, p), a)
	return m.withSign(m.smaller(m.load(m.f(1)), y), x)
}

// sinReach is how far the reduction of the argument by three parts of pi/2 holds.
const sinReach = 100000

func (m *machine) beyondSin(x Op) Op { return m.compare(greater, m.absolute(x), m.f(sinReach)) }

// sinCos is sin(x + quarter*pi/2) = the sine or cosine of x reduced to |r| <= pi/4, with a sign.
func (m *machine) sinCos(x Op, quarter uint64) Op {
	n, r := m.reduceAngle(x)
	square := m.mul(r, r)
	sin := m.fma(m.mul(m.polynomial(square, m.pick64(sinCoefficients, sinCoefficients64)), square), r, r)
	cos := m.fma(m.mul(m.polynomial(square, m.pick64(cosCoefficients, cosCoefficients64)), square), square, m.fma(square, m.f(-0.5), m.in(m.f(1))))
	var i Op
	if m.f64 {
		i = m.add(n, m.f(3<<51)) // which has n in its low bits
	} else {
		i = m.toInt(n)
	}
	if quarter != 0 {
		i = m.iadd(i, constant(quarter))
	}
	bits := m.size() * 8
	y := m.choose(m.signMask(m.shiftLeft(i, bits-1)), cos, sin)
	return m.xor(y, m.and(m.shiftLeft(i, bits-2), m.signBit()))
}

// sign is x where it is zero or NaN, else 1 with the sign of x.
func (m *machine) sign(x Op) Op {
	one := m.or(m.and(x, m.signBit()), m.f(1))
	return m.choose(m.compare(differs, x, m.f(0)), one, m.add(x, x)) // zero, with the sign of a denormal number, or NaN
}

func (m *machine) relu(x Op) Op { return m.keep(m.compare(notLessEqual, x, m.f(0)), x) }

// floatKernels are those for both element types.
func floatKernels(f64 bool) []vecKernel {
	biggest := math.MaxFloat32
	if f64 {
		biggest = math.MaxFloat64
	}
	unary := func(name string, body func(m *machine, x Op) Op) vecKernel {
		return vecKernel{name: name, f64: f64, in: "x", out: element, body: func(m *machine, x []Op) Op { return body(m, x[0]) }}
	}
	binary := func(name string, body func(m *machine, x, y Op) Op) vecKernel {
		return vecKernel{name: name, f64: f64, in: "xx", out: element, body: func(m *machine, x []Op) Op { return body(m, x[0], x[1]) }}
	}
	compare := func(name string, how U8) vecKernel {
		return vecKernel{name: name, f64: f64, in: "xx", out: boolean, body: func(m *machine, x []Op) Op { return m.compare(how, x[0], x[1]) }}
	}
	selection := func(k vecKernel) vecKernel {
		k.keeps = true
		return k
	}
	return []vecKernel{
		unary("Neg", (*machine).negative),
		unary("Abs", (*machine).absolute),
		unary("Sign", (*machine).sign),
		unary("Square", func(m *machine, x Op) Op { return m.mul(x, x) }),
		unary("Reciprocal", func(m *machine, x Op) Op { return m.div(m.f(1), x) }),
		unary("Sqrt", (*machine).sqrt),
		unary("Rsqrt", func(m *machine, x Op) Op { return m.div(m.f(1), m.sqrt(x)) }),
		unary("Floor", func(m *machine, x Op) Op { return m.round(x, down) }),
		unary("Ceil", func(m *machine, x Op) Op { return m.round(x, up) }),
		unary("Round", func(m *machine, x Op) Op { return m.round(x, toNearest) }),
		selection(unary("ReLU", (*machine).relu)),
		{name: "IsFinite", f64: f64, in: "x", out: boolean, body: func(m *machine, x []Op) Op {
			return m.compare(lessEqual, m.absolute(x[0]), m.f(biggest))
		}},
		binary("Add", (*machine).add),
		binary("Sub", (*machine).sub),
		binary("Mul", (*machine).mul),
		binary("Div", (*machine).div),
		selection(binary("Min", (*machine).minimum)),
		selection(binary("Max", (*machine).maximum)),
		binary("ReLUGrad", func(m *machine, x, y Op) Op { return m.keep(m.compare(greater, y, m.f(0)), x) }),
		binary("LeakyReLU", func(m *machine, x, y Op) Op {
			return m.choose(m.compare(greater, x, m.f(0)), x, m.mul(x, y))
		}),
		compare("Eq", equal), compare("Ne", notEqual), compare("Lt", less), compare("Le", lessEqual),
		compare("Gt", greater), compare("Ge", greaterEqual),
		{name: "Where", f64: f64, in: "bxx", out: element, body: func(m *machine, x []Op) Op { return m.choose(x[0], x[1], x[2]) }},
		{name: "Clip", f64: f64, in: "xxx", out: element, keeps: true, body: func(m *machine, x []Op) Op {
			return m.minimum(m.maximum(x[0], x[1]), x[2])
		}},
		{name: "MulAdd", f64: f64, in: "xxx", out: element, body: func(m *machine, x []Op) Op { return m.fma(x[0], x[1], x[2]) }},
	}
}

// holds is how many constants and tables the transcendental functions keep in registers.
const holds = 19

// mathKernels are the transcendental functions; the last ones have coefficients for f32 only.
func mathKernels(f64 bool) []vecKernel {
	unary := func(name string, body func(m *machine, x Op) Op) vecKernel {
		return vecKernel{name: name, f64: f64, in: "x", out: element, hold: holds, body: func(m *machine, x []Op) Op { return body(m, x[0]) }}
	}
	kernels := []vecKernel{
		unary("Exp", (*machine).exp),
		unary("Expm1", (*machine).expm1),
		unary("Log", (*machine).log),
		unary("Log1p", (*machine).log1p),
		unary("Tanh", (*machine).tanh),
		unary("Sigmoid", (*machine).sigmoid),
		unary("Softplus", (*machine).softplus),
		unary("Atan", (*machine).atan),
		unary("Asin", (*machine).asin),
		unary("Acos", (*machine).acos),
		unary("Sinh", (*machine).sinh),
		unary("Cosh", (*machine).cosh),
		{name: "Atan2", f64: f64, in: "xx", out: element, hold: holds, body: func(m *machine, x []Op) Op { return m.atan2(x[0], x[1]) }},
	}
	if f64 {
		return kernels
	}
	return append(kernels,
		unary("Erf", (*machine).erf),
		unary("GELU", (*machine).gelu),
		unary("GELUPrime", (*machine).geluPrime),
		vecKernel{name: "Pow", as: "F32", f64: true, in: "hh", out: narrower, body: func(m *machine, x []Op) Op {
			return m.pow32(x[0], x[1])
		}})
}

// pow is a^b by e^(b*log|a|). It computes f32 in f64, whose digits the exponential's enlargement of errors does not use up.
// The special cases are those of C and of math.Pow.
func (m *machine) pow(a, b Op) Op {
	one := m.f(1)
	size := m.absolute(a)
	y := m.exp(m.mul(b, m.log(size)))
	// Of a negative a, an odd power is negative and that to a fraction is none; infinities count as even integers.
	half := m.mul(b, m.f(0.5))
	odd := m.and(m.compareVector(notEqual, half, m.round(half, down)), m.compareVector(equal, b, m.round(b, down)))
	y = m.or(y, m.and(m.and(a, odd), m.signBit()))
	fraction := m.and(m.compareVector(less, a, m.f(0)), m.compareVector(notEqual, b, m.round(b, down)))
	fraction = m.and(fraction, m.compareVector(greater, a, m.f(math.Inf(-1))))
	y = m.or(y, fraction) // all bits set are NaN
	// 1^b and a^0 are 1, and so is (-1)^infinity, even where an operand is NaN.
	unit := m.or(m.compareVector(equal, b, m.f(0)), m.compareVector(equal, a, one))
	minus := m.and(m.compareVector(equal, size, one), m.compareVector(equal, m.absolute(b), m.f(math.Inf(1))))
	return m.choose(m.signMask(m.or(unit, minus)), one, y)
}

// compareVector returns the mask in a vector register.
func (m *machine) compareVector(how U8, x, y Op) Op {
	mask := m.compare(how, x, y)
	if !m.wide() {
		return mask
	}
	d := m.vector()
	m.emit(m.pick("VPMOVM2D", "VPMOVM2Q"), mask, d)
	return d
}

// partialKernels are those that leave some elements to plain Go.
func partialKernels() []vecKernel {
	beyond := func(m *machine, x []Op) Op { return m.beyondSin(x[0]) }
	var all []vecKernel
	for _, f64 := range []bool{false, true} {
		for _, k := range []struct {
			name string
			body func(m *machine, x Op) Op
		}{
			{"Sin", func(m *machine, x Op) Op { return m.sinCos(x, 0) }},
			{"Cos", func(m *machine, x Op) Op { return m.sinCos(x, 1) }},
			{"Tan", (*machine).tan},
		} {
			all = append(all, vecKernel{name: k.name, f64: f64, in: "x", out: element, beyond: beyond, hold: holds,
				body: func(m *machine, x []Op) Op { return k.body(m, x[0]) }})
		}
	}
	return all
}
