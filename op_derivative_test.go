package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file compares the derivatives of all scalar functions and activations with formulas in float64 that lose no digits, over their ranges:
// a derivative must not vanish or overflow before its value does.

// derivative is a function with its derivative.
type derivative struct {
	name string
	f    func(x *tarn.Value) *tarn.Value
	want func(x float64) float64
	at   []float64
	ulps float64 // the relative error that is allowed, in units of the dtype's precision
}

func sigmoidOf(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

// logistic is the derivative of the sigmoid.
func logistic(x float64) float64 { return sigmoidOf(x) * sigmoidOf(-x) }

func sech2(x float64) float64 { return 4 * logistic(2*x) }

func density(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

var (
	wholeRange = []float64{-60, -30, -20, -10, -8, -5, -3, -2, -1, -0.5, -0.1, -1e-3, -1e-10, 0, 1e-10, 1e-3, 0.1, 0.5, 1, 2, 3, 5, 8, 10, 20, 30, 60}
	abovezero  = []float64{1e-35, 1e-30, 1e-20, 1e-10, 1e-3, 0.1, 0.5, 1, 2, 10, 1e3, 1e10, 1e20, 1e30}
	anySize    = []float64{-1e30, -1e15, -1e8, -1e4, -10, -1, -1e-3, -1e-8, -1e-15, -1e-30, 1e-30, 1e-15, 1e-8, 1e-3, 1, 10, 1e4, 1e8, 1e15, 1e30}
	insideOne  = []float64{-1 + 0x1p-23, -0.999, -0.5, -1e-8, 0, 1e-8, 0.5, 0.999, 1 - 0x1p-23}
)

var derivatives = []derivative{
	{"Square", (*tarn.Value).Square, func(x float64) float64 { return 2 * x }, anySize, 4},
	{"Abs", (*tarn.Value).Abs, func(x float64) float64 { return math.Copysign(1, x) }, anySize, 0},
	{"Neg", (*tarn.Value).Neg, func(x float64) float64 { return -1 }, anySize, 0},
	{"Sqrt", (*tarn.Value).Sqrt, func(x float64) float64 { return 0.5 / math.Sqrt(x) }, abovezero, 4},
	{"Rsqrt", (*tarn.Value).Rsqrt, func(x float64) float64 { return -0.5 / math.Sqrt(x) / x }, []float64{1e-20, 1e-10, 1e-3, 0.5, 1, 2, 10, 1e10, 1e20}, 8},
	{"Reciprocal", func(x *tarn.Value) *tarn.Value { return x.Num(1).Div(x) }, func(x float64) float64 { return -1 / x / x }, []float64{-1e15, -10, -1e-15, 1e-15, 1e-3, 1, 1e15}, 8},
	{"Exp", (*tarn.Value).Exp, math.Exp, wholeRange, 8},
	{"Expm1", (*tarn.Value).Expm1, math.Exp, wholeRange, 8},
	{"Log", (*tarn.Value).Log, func(x float64) float64 { return 1 / x }, abovezero, 4},
	{"Log1p", (*tarn.Value).Log1p, func(x float64) float64 { return 1 / (1 + x) }, []float64{-1 + 0x1p-23, -0.99, -0.5, -1e-8, 0, 1e-8, 1, 1e10}, 4},
	{"Exp2", (*tarn.Value).Exp2, func(x float64) float64 { return math.Ln2 * math.Exp2(x) }, wholeRange, 8},
	{"Log2", (*tarn.Value).Log2, func(x float64) float64 { return 1 / (x * math.Ln2) }, abovezero, 8},
	{"Log10", (*tarn.Value).Log10, func(x float64) float64 { return 1 / (x * math.Ln10) }, abovezero, 8},
	{"Asinh", (*tarn.Value).Asinh, func(x float64) float64 { return 1 / math.Hypot(1, x) }, anySize, 8},
	{"Acosh", (*tarn.Value).Acosh, func(x float64) float64 { return 1 / math.Sqrt(x-1) / math.Sqrt(x+1) }, []float64{1 + 0x1p-23, 1.5, 3, 1e4, 1e15, 1e30}, 8},
	{"Atanh", (*tarn.Value).Atanh, func(x float64) float64 { return 1 / ((1 - x) * (1 + x)) }, insideOne, 8},
	{"Erfc", (*tarn.Value).Erfc, func(x float64) float64 { return -2 / math.SqrtPi * math.Exp(-x*x) }, []float64{-9, -5, -1, -1e-8, 0, 1e-8, 1, 5, 9}, 200},
	{"ErfInv", (*tarn.Value).ErfInv, func(x float64) float64 { y := math.Erfinv(x); return math.SqrtPi / 2 * math.Exp(y*y) }, insideOne, 64},
	{"Hypot", func(x *tarn.Value) *tarn.Value { return x.Hypot(x.Scale(0.75).StopGradient()) }, func(x float64) float64 { return math.Copysign(0.8, x) }, anySize, 16},
	{"Logaddexp", func(x *tarn.Value) *tarn.Value { return x.Logaddexp(tarn.Num(0)) }, sigmoidOf, wholeRange, 16},
	{"Sin", (*tarn.Value).Sin, math.Cos, []float64{-3, -1, -1e-8, 0, 1e-8, 1, 1.5, 3}, 16},
	{"Cos", (*tarn.Value).Cos, func(x float64) float64 { return -math.Sin(x) }, []float64{-3, -1, -1e-8, -1e-30, 1e-30, 1e-8, 1, 1.5, 3}, 16},
	{"Tan", (*tarn.Value).Tan, func(x float64) float64 { return 1 / (math.Cos(x) * math.Cos(x)) }, []float64{-1.5, -1, -1e-8, 0, 1e-8, 1, 1.5}, 64},
	{"Asin", (*tarn.Value).Asin, func(x float64) float64 { return 1 / math.Sqrt((1-x)*(1+x)) }, insideOne, 8},
	{"Acos", (*tarn.Value).Acos, func(x float64) float64 { return -1 / math.Sqrt((1-x)*(1+x)) }, insideOne, 8},
	{"Atan", (*tarn.Value).Atan, func(x float64) float64 { return 1 / (1 + x*x) }, []float64{-1e15, -1e4, -1, -1e-8, 0, 1e-8, 1, 1e4, 1e15}, 8},
	{"Sinh", (*tarn.Value).Sinh, math.Cosh, wholeRange, 16},
	{"Cosh", (*tarn.Value).Cosh, math.Sinh, wholeRange, 16},
	{"Tanh", (*tarn.Value).Tanh, sech2, wholeRange, 32},
	{"Sigmoid", (*tarn.Value).Sigmoid, logistic, wholeRange, 16},
	{"Softplus", (*tarn.Value).Softplus, sigmoidOf, wholeRange, 8},
	{"LogSigmoid", (*tarn.Value).LogSigmoid, func(x float64) float64 { return sigmoidOf(-x) }, wholeRange, 8},
	{"Erf", (*tarn.Value).Erf, func(x float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) }, []float64{-8, -5, -3, -1, -1e-3, 0, 1e-3, 1, 3, 5, 8}, 200},
	{"ReLU", (*tarn.Value).ReLU, func(x float64) float64 { return math.Max(0, math.Copysign(1, x)) }, anySize, 0},
	{"LeakyReLU", func(x *tarn.Value) *tarn.Value { return x.LeakyReLU(0.01) }, func(x float64) float64 { return map[bool]float64{true: 1, false: 0.01}[x > 0] }, anySize, 2},
	{"ELU", func(x *tarn.Value) *tarn.Value { return x.ELU(1.5) }, func(x float64) float64 { return map[bool]float64{true: 1, false: 1.5 * math.Exp(x)}[x > 0] }, wholeRange, 8},
	{"SELU", (*tarn.Value).SELU, func(x float64) float64 {
		if x > 0 {
			return 1.0507009873554804934193349852946
		}
		return 1.6732632423543772848170429916717 * 1.0507009873554804934193349852946 * math.Exp(x)
	}, wholeRange, 8},
	{"CELU", func(x *tarn.Value) *tarn.Value { return x.CELU(2) }, func(x float64) float64 { return math.Exp(math.Min(x, 0) / 2) }, wholeRange, 16},
	{"GELU", (*tarn.Value).GELU, func(x float64) float64 { return math.Erfc(-x/math.Sqrt2)/2 + x*density(x) }, []float64{-12, -10, -8, -5, -3, -2, -1, -0.5, -1e-3, 0, 1e-3, 0.5, 1, 3, 10, 60}, 400},
	{"GELUTanh", (*tarn.Value).GELUTanh, func(x float64) float64 {
		c := math.Sqrt(2 / math.Pi)
		z, dz := c*(x+0.044715*x*x*x), c*(1+3*0.044715*x*x)
		return sigmoidOf(2*z) + x*2*dz*logistic(2*z)
	}, []float64{-8, -5, -3, -2, -1, -0.5, -1e-3, 0, 1e-3, 0.5, 1, 3, 10, 60}, 400},
	{"SiLU", (*tarn.Value).SiLU, func(x float64) float64 { return sigmoidOf(x) * (1 + x*sigmoidOf(-x)) }, wholeRange, 64},
	{"Mish", (*tarn.Value).Mish, func(x float64) float64 {
		sp := math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		return math.Tanh(sp) + x*sech2(sp)*sigmoidOf(x)
	}, wholeRange, 64},
	{"Softsign", (*tarn.Value).Softsign, func(x float64) float64 { return 1 / (1 + math.Abs(x)) / (1 + math.Abs(x)) }, []float64{-1e15, -1e8, -1e4, -1, -1e-8, 0, 1e-8, 1, 1e4, 1e8, 1e15}, 8},
	{"HardSigmoid", (*tarn.Value).HardSigmoid, func(x float64) float64 { return map[bool]float64{true: 1.0 / 6}[math.Abs(x) < 3] }, []float64{-1e30, -2.9, -1, 0, 2.9, 1e30}, 2},
	{"HardSwish", (*tarn.Value).HardSwish, func(x float64) float64 {
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return (2*x + 3) / 6
	}, []float64{-1e30, -2.9, -1, 0, 2.9, 1e30}, 8},
	{"HardTanh", func(x *tarn.Value) *tarn.Value { return x.HardTanh(-2, 2) }, func(x float64) float64 { return map[bool]float64{true: 1}[math.Abs(x) < 2] }, anySize, 0},
	{"Pow", func(x *tarn.Value) *tarn.Value { return x.Pow(tarn.Num(-0.5)) }, func(x float64) float64 { return -0.5 * math.Pow(x, -1.5) }, []float64{1e-20, 1e-5, 0.5, 1, 2, 1e5, 1e20}, 64},
	{"exponent", func(x *tarn.Value) *tarn.Value { return x.Num(3).Pow(x) }, func(x float64) float64 { return math.Log(3) * math.Pow(3, x) }, []float64{-60, -10, -1, 0, 1e-8, 1, 10, 60}, 200},
	{"Div", func(x *tarn.Value) *tarn.Value { return x.Num(3).Div(x) }, func(x float64) float64 { return -3 / x / x }, []float64{-1e15, -10, -1e-15, 1e-15, 1e-3, 1, 1e15}, 8},
	{"Atan2 by the ordinate", func(x *tarn.Value) *tarn.Value { return x.Atan2(x.StopGradient()) }, func(x float64) float64 { return 0.5 / x }, anySize, 8},
	{"Atan2 by the abscissa", func(x *tarn.Value) *tarn.Value { return x.StopGradient().Atan2(x) }, func(x float64) float64 { return -0.5 / x }, anySize, 8},
	{"Norm", func(x *tarn.Value) *tarn.Value {
		return tarn.Stack(0, x, x.Scale(0.75).StopGradient()).Norm(2, 0)
	}, func(x float64) float64 { return math.Copysign(0.8, x) }, anySize, 16},
	{"LogSumExp", func(x *tarn.Value) *tarn.Value { return tarn.Stack(0, x, x.Num(0).Expand(x.Shape()...)).LogSumExp(0) }, sigmoidOf, wholeRange, 16},
}

// smoothless are the functions that have no derivative other than 0 and 1, or are covered by another name.
var smoothless = map[string]bool{"Sign": true, "Floor": true, "Ceil": true, "Round": true, "IsFinite": true, "Not": true, "GELUPrime": true,
	"Add": true, "Sub": true, "Mul": true, "MulAdd": true, "Min": true, "Max": true, "ReLUGrad": true, "Where": true, "Clip": true,
	"Atan2": true, "Eq": true, "Ne": true, "Lt": true, "Le": true, "Gt": true, "Ge": true, "And": true, "Or": true, "Xor": true,
	"BitNot": true, "BitAnd": true, "BitOr": true, "BitXor": true, "ShiftL": true, "ShiftR": true,
	// Compared with mpmath in op_special_golden_test.go.
	"Lgamma": true, "Digamma": true, "Trigamma": true, "Polygamma": true, "IGamma": true, "IGammaC": true, "GammaPDF": true}

func TestDerivatives(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range derivatives {
		covered[c.name] = true
		for dtype, epsilon := range map[tarn.DType]float64{tarn.F32: 0x1p-23, tarn.F64: 0x1p-52} {
			g := tarn.NewGraph()
			x := g.Input("x", dtype, len(c.at))
			y := c.f(x)
			p, err := tarn.Compile(g, tarn.Outputs{"y": y, "d": tarn.Grad(y.Sum(), x)[0]})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			at := tarn.Vector(c.at).Cast(dtype)
			out, err := p.Run(at)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for i := range c.at {
				got, want := out["d"].Float(i), c.want(at.Float(i))
				if dtype == tarn.F32 && math.Abs(want) < 0x1p-126 {
					continue // kernels take denormal numbers for 0
				}
				if !(math.Abs(got-want) <= (c.ulps+1)*epsilon*math.Abs(want)) {
					t.Errorf("%s %v: the derivative at %v is %v, want %v (%.0f units off)", c.name, dtype, c.at[i], got, want, math.Abs(got-want)/math.Abs(want)/epsilon)
				}
			}
		}
	}
	for _, f := range scalar.All() {
		if !covered[f.String()] && !smoothless[f.String()] {
			t.Errorf("the derivative of %v is not tested", f)
		}
	}
}
