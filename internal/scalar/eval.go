package scalar

// The definitions themselves, for float64, float32, integers and bools. They are written to be obviously right, not fast:
// stable forms where the textbook form loses digits, and the standard library for the rest. A function that is not defined
// for the dtype is NaN, zero or false.

import (
	"math"
	"unsafe"
)

// Flush returns x, or zero with the sign of x if x is denormal: nearer to zero than the smallest normal number of its type, 2^-126 or 2^-1022.
func Flush[T float32 | float64](x T) T {
	limit := 0x1p-126
	if unsafe.Sizeof(x) == 8 {
		limit = 0x1p-1022
	}
	if math.Abs(float64(x)) < limit {
		return T(math.Copysign(0, float64(x)))
	}
	return x
}

// F64 is f of up to three float64 arguments; arguments beyond the arity are ignored. Bools are 0 and 1, both as results
// (comparisons, IsFinite) and as arguments (the condition of Where, the logic functions), where anything but 0 is true.
// Denormal arguments and results are zero, unless f keeps them.
func F64(f Func, a, b, c float64) float64 {
	if f.KeepsDenormals() {
		return define(f, a, b, c)
	}
	return Flush(define(f, Flush(a), Flush(b), Flush(c)))
}

// F32 is f of float32 arguments: computed in float64 and rounded once. Denormal arguments and results are zero, unless f keeps them.
func F32(f Func, a, b, c float32) float32 {
	if f.KeepsDenormals() {
		return float32(define(f, float64(a), float64(b), float64(c)))
	}
	return Flush(float32(define(f, float64(Flush(a)), float64(Flush(b)), float64(Flush(c)))))
}

// define is f of numbers none of which counts as zero but zero.
func define(f Func, a, b, c float64) float64 {
	switch f {
	case Abs:
		return math.Abs(a)
	case Sign:
		switch {
		case a > 0:
			return 1
		case a < 0:
			return -1
		}
		return a
	case Reciprocal:
		return 1 / a
	case Sqrt:
		return math.Sqrt(a)
	case Rsqrt:
		return 1 / math.Sqrt(a)
	case Exp:
		return exp(a)
	case Expm1:
		return math.Expm1(a)
	case Log:
		return math.Log(a)
	case Log1p:
		return math.Log1p(a)
	case Sin:
		return math.Sin(a)
	case Cos:
		return math.Cos(a)
	case Tan: // the standard library's loses digits near its zeros
		return math.Sin(a) / math.Cos(a)
	case Asin: // of the point on the unit circle, as the standard library's loses digits near 1
		return math.Atan2(a, math.Sqrt((1-a)*(1+a)))
	case Acos:
		return 2 * math.Atan2(math.Sqrt(1-a), math.Sqrt(1+a))
	case Atan:
		return math.Atan(a)
	case Sinh:
		return sinh(a)
	case Cosh:
		return cosh(a)
	case Tanh:
		return math.Tanh(a)
	case Sigmoid:
		return sigmoid(a)
	case Softplus:
		return max(a, 0) + math.Log1p(math.Exp(-math.Abs(a)))
	case Exp2:
		return math.Exp2(a)
	case Log2:
		return log2(a)
	case Erfc:
		return math.Erfc(a)
	case ErfInv:
		return math.Erfinv(a)
	case Lgamma:
		return lgamma(a)
	case Digamma:
		return digamma(a)
	case Trigamma:
		return trigamma(a)
	case Erf:
		return math.Erf(a)
	case Floor:
		return math.Floor(a)
	case Ceil:
		return math.Ceil(a)
	case Round:
		return math.RoundToEven(a)
	case ReLU:
		if a > 0 || a != a {
			return a
		}
		return 0
	case GELU:
		return gelu(a)
	case GELUPrime:
		return geluPrime(a)
	case IsFinite:
		return number[float64](!math.IsInf(a, 0) && a == a)
	case Not:
		return number[float64](a == 0)
	case Div:
		return a / b
	case Pow:
		return math.Pow(a, b)
	case Atan2:
		return math.Atan2(a, b)
	case LeakyReLU:
		if a > 0 {
			return a
		}
		return a * b
	case Polygamma:
		return polygamma(a, b)
	case IGamma:
		p, _ := incompleteGamma(a, b)
		return p
	case IGammaC:
		_, q := incompleteGamma(a, b)
		return q
	case GammaPDF:
		return gammaPDF(a, b)
	case And:
		return number[float64](a != 0 && b != 0)
	case Or:
		return number[float64](a != 0 || b != 0)
	case Xor:
		return number[float64]((a != 0) != (b != 0))
	case MulAdd:
		return math.FMA(a, b, c)
	}
	if y, ok := common(f, a, b, c); ok {
		return y
	}
	return math.NaN()
}

// common is f where floats and integers share a definition, and whether they do.
func common[T int32 | int64 | float64](f Func, a, b, c T) (y T, ok bool) {
	switch f {
	case Neg:
		return -a, true
	case Square:
		return a * a, true
	case Add:
		return a + b, true
	case Sub:
		return a - b, true
	case Mul:
		return a * b, true
	case Min:
		return min(a, b), true
	case Max:
		return max(a, b), true
	case ReLUGrad:
		if b > 0 {
			return a, true
		}
		return 0, true
	case Eq:
		return number[T](a == b), true
	case Ne:
		return number[T](a != b), true
	case Lt:
		return number[T](a < b), true
	case Le:
		return number[T](a <= b), true
	case Gt:
		return number[T](a > b), true
	case Ge:
		return number[T](a >= b), true
	case Where:
		if a != 0 {
			return b, true
		}
		return c, true
	case Clip:
		return min(max(a, b), c), true
	}
	return 0, false
}

// log2 is k + log2(f) of a = f*2^k with sqrt(1/2) <= f < sqrt(2): exact for powers of two, and with all digits near 1, where math.Log2 has lost some.
func log2(a float64) float64 {
	if !(a > 0) || math.IsInf(a, 1) {
		return math.Log(a)
	}
	f, k := math.Frexp(a)
	if f < math.Sqrt2/2 {
		f, k = f*2, k-1
	}
	return float64(k) + math.Log(f)*(1/math.Ln2)
}

// expBound is where the standard library's exponential begins to overflow on amd64, 0.3 before it should, and with it the
// hyperbolic functions, which should last 1 longer. Beyond it the functions are made of e^(a/2).
const expBound = 709

func exp(a float64) float64 {
	if a > expBound {
		h := math.Exp(a / 2)
		return h * h
	}
	return math.Exp(a)
}

func cosh(a float64) float64 {
	if math.Abs(a) > expBound {
		h := math.Exp(math.Abs(a) / 2)
		return 0.5 * h * h
	}
	return math.Cosh(a)
}

func sinh(a float64) float64 {
	if math.Abs(a) > expBound {
		return math.Copysign(cosh(a), a)
	}
	return math.Sinh(a)
}

// sigmoid is 1/(1+e^-a), with the exponential taken of a negative number only, so that it cannot overflow.
func sigmoid(a float64) float64 {
	if a >= 0 {
		return 1 / (1 + math.Exp(-a))
	}
	e := math.Exp(a)
	return e / (1 + e)
}

// geluBound is where Phi(-a) and a*phi(a) have long underflowed to zero in float64 (e^(-40*40/2) is about 10^-348); outside
// it the products below would be infinity times zero.
const geluBound = 40

// gelu is a*Phi(a), Phi(a) = erfc(-a/sqrt(2))/2. The complement keeps all digits of the negative tail, where
// 1+erf(a/sqrt(2)) would cancel to nothing.
func gelu(a float64) float64 {
	switch {
	case a > geluBound:
		return a
	case a < -geluBound:
		return math.Copysign(0, -1)
	}
	return a * 0.5 * math.Erfc(-a/math.Sqrt2)
}

// geluPrime is Phi(a) + a*phi(a) with phi(a) = e^(-a*a/2)/sqrt(2 pi).
func geluPrime(a float64) float64 {
	switch {
	case a > geluBound:
		return 1
	case a < -geluBound:
		return math.Copysign(0, -1)
	}
	const invSqrt2Pi = 0.39894228040143267793994605993438
	return 0.5*math.Erfc(-a/math.Sqrt2) + a*invSqrt2Pi*math.Exp(-0.5*a*a)
}

// I32 is f of int32 arguments; see Int.
func I32(f Func, a, b, c int32) int32 { return Int(f, a, b, c) }

// I64 is f of int64 arguments; see Int.
func I64(f Func, a, b, c int64) int64 { return Int(f, a, b, c) }

// Int is f of integers. Overflow wraps around: -MinInt and |MinInt| are MinInt, and so is MinInt / -1; a division by zero
// is zero. Comparisons are 0 or 1, and any condition but 0 is true. Functions that are defined for floats only are zero.
func Int[T int32 | int64](f Func, a, b, c T) T {
	switch f {
	case Abs:
		if a < 0 {
			return -a
		}
		return a
	case Sign:
		return number[T](a > 0) - number[T](a < 0)
	case ReLU:
		return max(a, 0)
	case Div:
		if b == 0 {
			return 0
		}
		return a / b
	case Pow:
		return power(a, b)
	case BitNot:
		return ^a
	case BitAnd:
		return a & b
	case BitOr:
		return a | b
	case BitXor:
		return a ^ b
	case ShiftL:
		if b < 0 {
			return 0
		}
		return a << b
	case ShiftR:
		if b < 0 {
			return min(max(a, -1), 0)
		}
		return a >> b
	case MulAdd:
		return a*b + c
	}
	y, _ := common(f, a, b, c)
	return y
}

// power is a^b by squaring. 1/a^-b for a negative b is 0, but 1 or -1 if a is.
func power[T int32 | int64](a, b T) T {
	if b < 0 {
		if a != 1 && a != -1 {
			return 0
		}
		b &= 1
	}
	y := T(1)
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			y *= a
		}
		a *= a
	}
	return y
}

// Bool is f of bools: the logic functions, Eq, Ne and Where. All others are false.
func Bool(f Func, a, b, c bool) bool {
	switch f {
	case Not:
		return !a
	case And:
		return a && b
	case Or:
		return a || b
	case Xor, Ne:
		return a != b
	case Eq:
		return a == b
	case Where:
		if a {
			return b
		}
		return c
	}
	return false
}

// number is 1 for true and 0 for false.
func number[T int32 | int64 | float64](b bool) T {
	if b {
		return 1
	}
	return 0
}
