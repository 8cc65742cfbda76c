package main

// The bodies of the functions of angles, their inverses, the hyperbolic sine and cosine, and powers of f32. Coefficients are fits as in
// vec_math.go.

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
)

// Of a function f, these are (f(x)/x - 1)/x^2 as a polynomial of x^2.
var (
	// atan for |x| <= 1, errors 2^-25.3 and 2^-55.3.
	atanCoefficients = []float64{-0.333333313, 0.199997395, -0.142785683, 0.110337645, -0.0865688026, 0.0625016913, -0.0358715393, 0.0135077713,
		-0.00238699722}
	atanCoefficients64 = []float64{-0.3333333333333333, 0.1999999999999992, -0.14285714285701234, 0.11111111110268297, -0.0909090906193528,
		0.07692307078827029, -0.06666657934573768, 0.05882264416776449, -0.052624922290256754, 0.04758080083637821, -0.043306538430670664,
		0.03938687540798632, -0.035271331066871296, 0.030330719265790507, -0.024191345810140718, 0.01718398172211335, -0.010412153260359241,
		0.005140912856746939, -0.0019612554271685326, 0.0005376839297396244, -9.371186345052626e-05, 7.767624330289919e-06}

	// asin for |x| <= 1/2, errors 2^-28.5 and 2^-57.4.
	asinCoefficients   = []float64{0.166666657, 0.0750009418, 0.0445994027, 0.0311006624, 0.0171492379, 0.0336908475}
	asinCoefficients64 = []float64{0.16666666666666669, 0.07499999999998433, 0.04464285714635543, 0.030381944138531247, 0.02237217294214989,
		0.017352392720869973, 0.013971212973552933, 0.011479177415184906, 0.01032281435018578, 0.005457506718640358, 0.01740087944269402,
		-0.014851887071247204, 0.028757851367421566}

	// tan for |x| <= pi/4, errors 2^-27 and 2^-55.9.
	tanCoefficients   = []float64{0.333333343, 0.133332312, 0.0539945439, 0.0216205008, 0.00996434409, 0.00118181284, 0.00384522136}
	tanCoefficients64 = []float64{0.3333333333333333, 0.13333333333332997, 0.05396825396865855, 0.021869488516937374, 0.00886323600664605,
		0.0035921209370639844, 0.0014559031255650982, 0.0005895732823233594, 0.00024123606172015612, 8.995670803040854e-05,
		5.564639366461707e-05, -1.1096041314339477e-05, 3.65919244902137e-05, -1.835625324776606e-05, 8.49319640409123e-06}

	// sinh for |x| <= 1, errors 2^-27.9 and 2^-56.8.
	sinhCoefficients   = []float64{0.166666672, 0.00833333936, 0.000198381022, 2.80628024e-06}
	sinhCoefficients64 = []float64{0.16666666666666666, 0.008333333333333333, 0.00019841269841269773, 2.755731922404034e-06, 2.505210836405804e-08,
		1.6059048396350562e-10, 7.646625361656657e-13, 2.8445264169895285e-15}

	// sin and cos for f64 as in FreeBSD's k_sin.c and k_cos.c, in the form of those for f32.
	sinCoefficients64 = []float64{-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
		-2.50507602534068634195e-08, 1.58969099521155010221e-10}
	cosCoefficients64 = []float64{4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05, -2.75573143513906633035e-07,
		2.08757232129817482790e-09, -1.13596475577881948265e-11}

	// For pow of f32, in f64: (e^r - 1 - r)/r^2 for |r| <= ln(2)/2, error 2^-32, and that of log as logCoefficients64, error 2^-35.8.
	powExpCoefficients = []float64{0.5000000013457727, 0.16666666681614256, 0.04166646500604005, 0.008333310934448869, 0.0013933641031986701,
		0.00019890980869750327}
	powLogCoefficients = []float64{0.6666666655449709, 0.40000121839806124, 0.28550820815960665, 0.23330467216303835}
)

// halfPi64 is pi/2 in three parts for f64.
var halfPi64 = [3]float64{1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33}

// tanParts and tanParts64 are pi/2 in four parts, of which the second is so short that its products with n are exact.
var (
	tanParts   = [4]float64{1.57079637, -4.3772161e-08, 6.07710063e-11, -1.21770519e-18}
	tanParts64 = [4]float64{1.5707963267948966, 6.12323399409214e-17, 1.6446256936324258e-26, 2.0670321098263988e-43}
)

// pick64 returns the coefficients for the element type.
func (m *machine) pick64(f32, f64 []float64) []float64 {
	if m.f64 {
		return f64
	}
	return f32
}

func (m *machine) halfPiParts() [3]float64 {
	if m.f64 {
		return halfPi64
	}
	return halfPi
}

// halfPi is pi/2 in two parts, twice of which are pi.
func (m *machine) halfPi() (high, low float64) { return m.halfPiParts()[0], m.halfPiParts()[1] }

// odd is t*t^2*P(t^2), what an odd function has beyond t.
func (m *machine) odd(t Op, f32, f64 []float64) Op {
	z := m.mul(t, t)
	return m.mul(m.mul(m.polynomial(z, m.pick64(f32, f64)), z), t)
}

// atan is that of |x| <= 1, or pi/2 + atan(-1/|x|), with the sign of x.
func (m *machine) atan(x Op) Op {
	high, low := m.halfPi()
	a := m.absolute(x)
	large := m.compare(greater, a, m.f(1))
	t := m.choose(large, m.div(m.f(-1), a), a)
	y := m.add(t, m.add(m.odd(t, atanCoefficients, atanCoefficients64), m.keep(large, m.f(low))))
	return m.withSign(m.add(y, m.keep(large, m.f(high))), x)
}

// atan2 is the angle of the point (x, y): c + atan(t) or c - atan(t) with t the smaller of the coordinates' sizes over the larger one, and c a
// multiple of pi/2, with the sign of y.
func (m *machine) atan2(y, x Op) Op {
	high, low := m.halfPi()
	above, left := m.absolute(y), m.absolute(x)
	swap := m.compare(greater, above, left)
	small, large := m.smaller(above, left), m.larger(above, left)
	t := m.div(small, large)
	// Two zeros are on the axis, two infinities on the diagonal.
	t = m.choose(m.compare(equal, small, large), m.keep(m.compare(notEqual, large, m.f(0)), m.f(1)), t)
	flip := m.xor(m.and(x, m.signBit()), m.keep(swap, m.signBit()))
	t = m.xor(t, flip)
	negative := m.signMask(x)
	multiple := func(half float64) Op {
		return m.choose(swap, m.load(m.f(half)), m.choose(negative, m.load(m.f(2*half)), m.f(0)))
	}
	angle := m.add(t, m.add(m.odd(t, atanCoefficients, atanCoefficients64), multiple(low)))
	angle = m.withSign(m.absolute(m.add(angle, multiple(high))), y)
	return m.choose(m.compare(unordered, y, x), m.add(y, x), angle)
}

// asinParts splits asin(|x|) = s + r for |x| <= 1/2, and pi/2 - asin(|x|) = s + r, with doubled s and r, beyond: there asin(|x|) is
// pi/2 - 2 asin(sqrt((1-|x|)/2)). The larger part comes first.
func (m *machine) asinParts(x Op) (large, s, r Op) {
	a := m.absolute(x)
	half := m.f(0.5)
	large = m.compare(greater, a, half)
	z := m.choose(large, m.fnma(a, half, m.in(half)), m.mul(a, a))
	s = m.choose(large, m.sqrt(z), a)
	r = m.mul(m.mul(m.polynomial(z, m.pick64(asinCoefficients, asinCoefficients64)), z), s)
	return large, m.add(s, m.keep(large, s)), m.add(r, m.keep(large, r))
}

func (m *machine) asin(x Op) Op {
	high, low := m.halfPi()
	large, s, r := m.asinParts(x)
	y := m.choose(large, m.add(m.sub(m.f(high), s), m.sub(m.f(low), r)), m.add(s, r))
	return m.withSign(y, x)
}

// acos is pi/2 - asin(x), or for large |x| s + r or pi - (s + r).
func (m *machine) acos(x Op) Op {
	high, low := m.halfPi()
	large, s, r := m.asinParts(x)
	flip := m.xor(m.and(x, m.signBit()), m.keep(large, m.signBit()))
	negative := m.signMask(x)
	from := func(half float64) Op {
		return m.choose(large, m.choose(negative, m.load(m.f(2*half)), m.f(0)), m.f(half))
	}
	return m.sub(from(high), m.add(m.xor(s, flip), m.sub(m.xor(r, flip), from(low))))
}

// tan is tan(r) or -1/tan(r) of x reduced to |r| <= pi/4.
func (m *machine) tan(x Op) Op {
	n := m.round(m.mul(x, m.f(2/math.Pi)), toNearest)
	parts := tanParts
	if m.f64 {
		parts = tanParts64
	}
	first := m.fnma(n, m.f(parts[0]), x) // exact
	second := m.fnma(n, m.f(parts[1]), first)
	low := m.fnma(n, m.f(parts[3]), m.fnma(n, m.f(parts[1]), m.sub(first, second))) // what second has lost
	r := m.fnma(n, m.f(parts[2]), second)
	low = m.fma(low, m.mul(r, r), low)
	rest := m.add(m.odd(r, tanCoefficients, tanCoefficients64), low)
	t := m.add(r, rest)
	q := m.div(m.f(-1), t)
	// A step of Newton's method towards -1/t, with what the sum has lost.
	lost := m.sub(rest, m.sub(t, r))
	q = m.fma(q, m.fma(q, lost, m.fma(q, t, m.f(1))), q)
	half := m.mul(n, m.f(0.5))
	return m.choose(m.compare(notEqual, half, m.round(half, down)), q, t)
}

// reduceAngle is x = n*pi/2 + r.
func (m *machine) reduceAngle(x Op) (n, r Op) {
	n = m.round(m.mul(x, m.f(2/math.Pi)), toNearest)
	r = x
	for _, part := range m.halfPiParts() {
		r = m.fnma(n, m.f(part), r)
	}
	return n, r
}

// halfExp is e^a/2 for a >= 0, which does not overflow before the hyperbolic functions do.
func (m *machine) halfExp(a Op) Op {
	high := 90.0
	if m.f64 {
		high = 712
	}
	n, q := m.expm1Reduced(m.smaller(m.load(m.f(high)), a), nil)
	return m.scale(m.add(q, m.f(1)), m.sub(n, m.f(1)))
}

func (m *machine) sinh(x Op) Op {
	a := m.absolute(x)
	e := m.halfExp(a)
	y := m.sub(e, m.div(m.f(0.25), e))
	y = m.choose(m.compare(less, a, m.f(1)), m.add(a, m.odd(a, sinhCoefficients, sinhCoefficients64)), y)
	return m.withSign(y, x)
}

func (m *machine) cosh(x Op) Op {
	e := m.halfExp(m.absolute(x))
	return m.add(e, m.div(m.f(0.25), e))
}

// pow32 is a^b of f32, computed in f64 to the digits that f32 needs, for positive a and finite a and b. If there are others in the vector, pow
// does it.
func (m *machine) pow32(a, b Op) Op {
	infinity := m.f(math.Inf(1))
	i := m.isub(a, m.sqrtHalf())
	k := m.exponent(i)
	f := m.sub(m.iadd(m.and(i, constant(1)<<52-1), m.sqrtHalf()), m.f(1))
	s := m.div(f, m.add(f, m.f(2)))
	z := m.mul(s, s)
	log := m.fma(m.mul(m.polynomial(z, powLogCoefficients), z), s, m.add(s, s))
	log = m.fma(k, m.f(math.Ln2), log)
	x := m.smaller(m.larger(m.mul(b, log), m.f(-160)), m.f(160))
	n := m.round(m.mul(x, m.f(log2e)), toNearest)
	r := m.fnma(n, m.f(math.Ln2), x)
	y := m.add(m.fma(m.polynomial(r, powExpCoefficients), m.mul(r, r), r), m.f(1))
	y = m.iadd(y, m.shiftLeft(m.add(n, m.f(3<<51)), 52))

	positive, bounded, finite := m.compareVector(greater, a, m.f(0)), m.compareVector(less, a, infinity), m.compareVector(less, m.absolute(b), infinity)
	all := m.and(m.and(positive, bounded), finite)
	m.unlessAll(all, func() { m.into(y, m.pow(a, b)) })
	return y
}

// unlessAll assembles what is done unless all elements of a mask, in a vector register, are set.
func (m *machine) unlessAll(mask Op, rest func()) {
	if m.neon() {
		label := m.out.newLabel("easy")
		m.armJump("jumpAll", mask, label)
		rest()
		m.body.code = append(m.body.code, instruction{op: "label", label: label})
		return
	}
	easy, bits := m.label("easy"), m.GP32()
	if m.wide() {
		m.KMOVW(m.signMask(mask), bits)
		m.CMPL(bits, I32(0xff))
	} else {
		m.VMOVMSKPD(mask, bits)
		m.CMPL(bits, I32(0xf))
	}
	m.JEQ(LabelRef(easy))
	rest()
	m.Label(easy)
}
