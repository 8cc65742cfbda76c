package cpu

// Plain Go functions of f32, computed in float64 by polynomials that are just as long as f32 needs: a result is off by little more than the half
// unit of its rounding, and numbers that f32 cannot hold are in range on the way. The polynomials are near-minimax fits (interpolation at
// Chebyshev nodes with 40 digits), whose errors the comments state.

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// plainMath are the functions of one argument.
var plainMath = map[scalar.Func]func(x float64) float64{
	scalar.Exp:       exp32,
	scalar.Exp2:      func(x float64) float64 { s, q := reduced32(bounded(x, 200)); return s + s*q },
	scalar.Expm1:     expm132,
	scalar.Log:       log32,
	scalar.Log2:      log232,
	scalar.Log1p:     log1p32,
	scalar.Sigmoid:   sigmoid32,
	scalar.Softplus:  func(x float64) float64 { return max(x, 0) + log1p32(exp32(-math.Abs(x))) },
	scalar.Tanh:      func(x float64) float64 { e := expm132(2 * math.Abs(x)); return math.Copysign(e/(e+2), x) },
	scalar.Sinh:      func(x float64) float64 { e := expm132(math.Abs(x)); return math.Copysign((e+e/(e+1))/2, x) },
	scalar.Cosh:      func(x float64) float64 { e := exp32(math.Abs(x)); return (e + 1/e) / 2 },
	scalar.Erf:       erf32,
	scalar.Erfc:      erfc32,
	scalar.GELU:      gelu32,
	scalar.GELUPrime: geluPrime32,
	scalar.Sin:       func(x float64) float64 { return angle32(scalar.Sin, x) },
	scalar.Cos:       func(x float64) float64 { return angle32(scalar.Cos, x) },
	scalar.Tan:       func(x float64) float64 { return angle32(scalar.Tan, x) },
}

// plainMathLoop is the loop of one of plainMath, or nil.
func plainMathLoop(f scalar.Func) Vec {
	of := plainMath[f]
	if of == nil {
		return nil
	}
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := block[float32](dst, n), block[float32](a, n)
		for i := range d {
			d[i] = flush(float32(of(float64(flush(x[i])))))
		}
	}
}

// bounded is x within limit of zero; NaN stays.
func bounded(x, limit float64) float64 {
	if x > limit {
		return limit
	}
	if x < -limit {
		return -limit
	}
	return x
}

// integral is a number whose sum with another, up to 2^51, has that rounded to an integer in its low bits.
const integral = 3 << 51

// reduced32 splits e^(x ln 2) = s * (1 + q) with a power of two s, |x| <= 1000. Its error is 2^-32 of q.
func reduced32(x float64) (s, q float64) {
	t := x + integral
	r := (x - (t - integral)) * math.Ln2
	z := r * r
	p := (0.5000000013457727 + r*0.16666666681614256) + z*((0.04166646500604005+r*0.008333310934448869)+z*(0.0013933641031986701+r*0.00019890980869750327))
	return math.Float64frombits(math.Float64bits(t)<<52 + math.Float64bits(1)), r + z*p
}

// expReach is where e^x and e^-x have left the numbers of f32.
const expReach = 120

func exp32(x float64) float64 {
	s, q := reduced32(bounded(x, expReach) * math.Log2E)
	return s + s*q
}

func expm132(x float64) float64 {
	s, q := reduced32(bounded(x, 2*expReach) * math.Log2E)
	return s*q + (s - 1)
}

// log32 is k*ln 2 + log(m) of x = m * 2^k, sqrt(1/2) <= m < sqrt(2): with s = (m-1)/(m+1), log(m) = 2*s + s^3*P(s^2), whose error is 2^-43 of s.
func log32(x float64) float64 {
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log(x)
	}
	k, y := log1(x)
	return k*math.Ln2 + y
}

func log232(x float64) float64 {
	if !(x > 0 && x <= math.MaxFloat64) {
		return math.Log(x)
	}
	k, y := log1(x)
	return k + y*math.Log2E
}

// log1 returns k and log(m) for a positive x that is finite and no denormal number of float64.
func log1(x float64) (k, y float64) {
	half := math.Float64bits(math.Sqrt2 / 2)
	i := math.Float64bits(x) - half
	m := math.Float64frombits(i&(1<<52-1) + half)
	s := (m - 1) / (m + 1)
	z := s * s
	p := 0.6666666666737509 + z*(0.3999999879733759+z*(0.2857175453591449+z*(0.22191400830308503+z*0.19362653714202008)))
	return float64(int64(i) >> 52), 2*s + s*z*p
}

// log1p32 adds to log(u), u = 1 + x rounded, what the rounding has lost.
func log1p32(x float64) float64 {
	u := 1 + x
	if u == 0 || !(u <= math.MaxFloat64) {
		return log32(u)
	}
	return log32(u) + (x-(u-1))/u
}

func sigmoid32(x float64) float64 { return 1 / (1 + exp32(-x)) }

// tail32 is Phi(-a) * e^(a^2/2) for 0 <= a <= tailReach: a polynomial of (a-3.5)/(a+3.5), divided by a + 3.5. Its relative error is 2^-32.
func tail32(a float64) float64 {
	r := 1 / (a + 3.5)
	y := 1 - 7*r
	z := y * y
	p := 0.7444160754556263 + z*(0.31542496821373484+z*(0.017407843699441858+z*(-0.0031888713762813067+z*(0.0004739513106216484-z*6.598413790899993e-05))))
	return r * (p + y*(-0.565561815830362+z*(-0.11605094893202658+z*(0.006476577354289918+z*(-0.0004472658176194759+z*(7.239703325670622e-05-z*2.096073137836131e-05))))))
}

// tailReach is where e^(-a^2/2) has left the numbers of f32.
const tailReach = 14.75

func gelu32(x float64) float64 {
	a := bounded(math.Abs(x), tailReach)
	return max(x, 0) - a*tail32(a)*exp32(-a*a/2)
}

func geluPrime32(x float64) float64 {
	a := bounded(math.Abs(x), tailReach)
	y := (tail32(a) - a*0.39894228040143267794) * exp32(-a*a/2)
	return 0.5 + math.Copysign(0.5, x) - math.Copysign(1, x)*y // y if x is negative, and else 1-y, without a jump that is hard to predict
}

// erfc32 is 2 Phi(-x sqrt(2)).
func erfc32(x float64) float64 {
	a := bounded(math.Abs(x)*math.Sqrt2, tailReach)
	return 1 - math.Copysign(1, x) + math.Copysign(2, x)*tail32(a)*exp32(-a*a/2)
}

// erf32 is x times a polynomial of x^2, whose relative error is 2^-34, up to 1.
func erf32(x float64) float64 {
	if math.Abs(x) > 1 {
		return 1 - erfc32(x)
	}
	z := x * x
	return x * (1.1283791670615435 + z*(-0.3761263846802871+z*(0.11283782495236845+z*(-0.026865430727670243+
		z*(0.005221031807858023+z*(-0.0008484080405535107+z*(0.00011265959025606609-z*9.667044571486996e-06)))))))
}

// angleReach is how far the reduction of an angle by two parts of pi/2 is good.
const angleReach = 1 << 20

// angle32 is the sine, cosine or tangent of x: of r = x - n*pi/2, |r| <= pi/4, whose sine and cosine have errors of 2^-45 and 2^-40.
func angle32(f scalar.Func, x float64) float64 {
	if !(math.Abs(x) <= angleReach) {
		return scalar.F64(f, x, 0, 0)
	}
	const high, low = 1.57079632673412561417, 6.07710050650619224932e-11 // of pi/2: 33 bits, and the rest
	t := x*(2/math.Pi) + integral
	n := t - integral
	r := x - n*high - n*low
	z := r * r
	sin := r + r*z*(-0.16666666666663885+z*(0.008333333331079223+z*(-0.00019841266916985966+z*(2.755599092956532e-06-z*2.4805636241834762e-08))))
	cos := 1 - z/2 + z*z*(0.0416666666643212+z*(-0.001388888767201679+z*(2.480060037715673e-05-z*2.730095920390147e-07)))
	quarter := int(math.Float64bits(t) & 3)
	if f == scalar.Tan {
		if quarter&1 != 0 {
			return -cos / sin
		}
		return sin / cos
	}
	if f == scalar.Cos {
		quarter++
	}
	if quarter&1 != 0 {
		sin = cos
	}
	if quarter&2 != 0 {
		return -sin
	}
	return sin
}
