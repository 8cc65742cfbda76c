package hlo

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the scalar functions and conversions. Where StableHLO and Tarn differ in a corner, as in division by 0, selects put
// Tarn's result there.

// same are the functions that StableHLO has under some name, with the same results.
var same = map[scalar.Func]string{
	scalar.Neg: "negate", scalar.Abs: "abs", scalar.Sign: "sign", scalar.Sqrt: "sqrt", scalar.Rsqrt: "rsqrt", scalar.Exp: "exponential",
	scalar.Expm1: "exponential_minus_one", scalar.Log: "log", scalar.Log1p: "log_plus_one", scalar.Sin: "sine", scalar.Cos: "cosine",
	scalar.Tan: "tan", scalar.Tanh: "tanh", scalar.Sigmoid: "logistic", scalar.Floor: "floor", scalar.Ceil: "ceil",
	scalar.Round: "round_nearest_even", scalar.Not: "not", scalar.BitNot: "not", scalar.Add: "add", scalar.Sub: "subtract",
	scalar.Mul: "multiply", scalar.Pow: "power", scalar.Min: "minimum", scalar.Max: "maximum", scalar.Atan2: "atan2", scalar.And: "and",
	scalar.Or: "or", scalar.Xor: "xor", scalar.BitAnd: "and", scalar.BitOr: "or", scalar.BitXor: "xor", scalar.ShiftL: "shift_left",
	scalar.ShiftR: "shift_right_arithmetic",
}

// composed are those that the dialect of compositions has.
var composed = map[scalar.Func]string{
	scalar.Asin: "asin", scalar.Acos: "acos", scalar.Atan: "atan", scalar.Sinh: "sinh", scalar.Cosh: "cosh", scalar.Erf: "erf",
	scalar.Erfc: "erfc", scalar.Lgamma: "lgamma",
}

// elementwise applies a function; false if there is no way to.
func (b *text) elementwise(f scalar.Func, in []value) (y value, ok bool) {
	x := in[0]
	zero := func() value { return b.num(0, x) }
	if name := same[f]; name != "" {
		return b.op(name, in...), true
	}
	if name := composed[f]; name != "" {
		return b.chlo(name, in...), true
	}
	switch f {
	case scalar.Square:
		return b.op("multiply", x, x), true
	case scalar.Reciprocal:
		return b.op("divide", b.num(1, x), x), true
	case scalar.Exp2:
		return b.op("power", b.num(2, x), x), true
	case scalar.Log2:
		return b.log2(x), true
	case scalar.ErfInv:
		return b.erfInv(x), true
	case scalar.Digamma:
		return b.digamma(x), true
	case scalar.Trigamma:
		return b.polygamma(b.num(1, x), x), true
	case scalar.Polygamma:
		return b.polygamma(x, in[1]), true
	case scalar.GammaPDF:
		return b.gammaPDF(x, in[1]), true
	case scalar.IGamma, scalar.IGammaC:
		return b.incompleteGamma(x, in[1], f == scalar.IGammaC), true
	case scalar.Softplus: // max(x, 0) + log1p(e^-|x|)
		e := b.op("exponential", b.op("negate", b.op("abs", x)))
		return b.op("add", b.op("maximum", x, zero()), b.op("log_plus_one", e)), true
	case scalar.ReLU:
		return b.op("maximum", x, zero()), true
	case scalar.GELU, scalar.GELUPrime:
		return b.gelu(x, f == scalar.GELUPrime), true
	case scalar.IsFinite:
		return b.isFinite(x), true
	case scalar.Div:
		if x.float() {
			return b.op("divide", in...), true
		}
		none := b.compare("EQ", in[1], zero())
		return b.choose(none, zero(), b.op("divide", x, b.choose(none, b.num(1, x), in[1]))), true
	case scalar.ReLUGrad:
		return b.choose(b.compare("GT", in[1], zero()), x, zero()), true
	case scalar.LeakyReLU:
		return b.choose(b.compare("GT", x, zero()), x, b.op("multiply", x, in[1])), true
	case scalar.Eq, scalar.Ne, scalar.Lt, scalar.Le, scalar.Gt, scalar.Ge:
		return b.compare(strings.ToUpper(f.String()), x, in[1]), true
	case scalar.Where:
		return b.choose(x, in[1], in[2]), true
	case scalar.Clip:
		return b.op("minimum", b.op("maximum", x, in[1]), in[2]), true
	case scalar.MulAdd:
		return b.op("add", b.op("multiply", x, in[1]), in[2]), true
	}
	return value{}, false
}

// log2 is log x / log 2, and exact for the powers of 2, of which the rounded quotient is one.
func (b *text) log2(x value) value {
	y := b.op("divide", b.op("log", x), b.num(math.Ln2, x))
	whole := b.op("round_nearest_even", y)
	return b.choose(b.compare("EQ", b.op("power", b.num(2, x), whole), x), whole, y)
}

// erfInv is the inverse of erf. In f64 a step of Newton's method finds the last digits.
func (b *text) erfInv(x value) value {
	y := b.chlo("erf_inv", x)
	if x.elem != "f64" || x.size() == 0 {
		return y
	}
	f := b.newFloats(x)
	p, z := f.abs(x), f.abs(y)
	over := f.choose(f.is(p, "LT", 0.5), f.sub(f.chlo("erf", z), p), f.sub(f.sub(f.num(1), p), f.chlo("erfc", z))) // by which erf z is above p
	step := f.times(f.mul(over, f.exp(f.mul(z, z))), math.Sqrt(math.Pi)/2)
	right := f.both(b.isFinite(step), f.is(step, "NE", 0))
	return f.choose(right, f.mul(f.op("sign", y), f.sub(z, step)), y)
}

func (b *text) isFinite(x value) value {
	t := x.as("i1")
	return b.emit(t, "stablehlo.is_finite %s : (%s) -> %s", x, x.typ(), t.typ())
}

// gelu is x Phi(x), or its derivative Phi(x) + x phi(x).
func (b *text) gelu(x value, derivative bool) value {
	phi := b.op("multiply", b.chlo("erfc", b.op("multiply", x, b.num(-math.Sqrt2/2, x))), b.num(0.5, x))
	if !derivative {
		return b.op("multiply", x, phi)
	}
	density := b.op("exponential", b.op("multiply", b.op("multiply", x, x), b.num(-0.5, x)))
	return b.op("add", phi, b.op("multiply", b.op("multiply", x, density), b.num(1/math.Sqrt(2*math.Pi), x)))
}

// cast converts. A NaN or a float out of the integer's range becomes the least integer.
func (b *text) cast(x value, to string) value {
	switch {
	case to == "i1" && x.elem != "i1":
		return b.compare("NE", x, b.num(0, x))
	case x.float() && (to == "i32" || to == "i64"):
		bits := 31
		if to == "i64" {
			bits = 63
		}
		below := b.compare("LT", x, b.num(math.Ldexp(1, bits), x))
		return b.choose(below, b.convert(x, to), b.lit(fmt.Sprint(int64(-1)<<bits), x.as(to)))
	}
	return b.convert(x, to)
}

// reduce combines along axes.
func (b *text) reduce(kind ir.ReduceKind, axes []int, x value, dtype ir.DType) value {
	if len(axes) == 0 {
		return x
	}
	start := ir.NewArray(ir.Type{DType: dtype, Shape: []int{}})
	ir.Identity(kind, start, 0)
	literal := literal(x.elem, start.Float(0))
	if dtype == ir.I32 || dtype == ir.I64 {
		literal = fmt.Sprint(start.Int(0))
	}
	name := [...]string{"add", "multiply", "maximum", "minimum", "and", "or"}[kind]
	return b.fold(name, literal, x, axes...)
}
