package tarn

import (
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the special functions that are scalar functions of their own, since no composition keeps their digits: those around the error
// function and the gamma function, and exponential and logarithm to the base 2, which are exact where the result is a whole number.

// Exp2 is 2^v. Equal to torch.exp2. Shapes: any -> same.
func (v *Value) Exp2() *Value { return v.unary(scalar.Exp2) }

// Log2 is the logarithm to the base 2. Equal to torch.log2. Shapes: any -> same.
func (v *Value) Log2() *Value { return v.unary(scalar.Log2) }

// Erfc is 1 - Erf(v), which keeps its digits where it is small. Equal to torch.special.erfc. Shapes: any -> same.
func (v *Value) Erfc() *Value { return v.unary(scalar.Erfc) }

// ErfInv is the inverse of Erf: infinite at -1 and 1, and NaN beyond. Equal to torch.erfinv. Shapes: any -> same.
func (v *Value) ErfInv() *Value { return v.unary(scalar.ErfInv) }

// Lgamma is the logarithm of the magnitude of the gamma function, +Inf at 0 and at negative integers. Equal to torch.lgamma. Shapes: any -> same.
func (v *Value) Lgamma() *Value { return v.unary(scalar.Lgamma) }

// Digamma is the derivative of Lgamma: -Inf at 0, +Inf at -0, and NaN at negative integers. Equal to torch.digamma. Shapes: any -> same.
func (v *Value) Digamma() *Value { return v.unary(scalar.Digamma) }

// maxPolygamma is the largest order of Polygamma: the values of larger ones are beyond f64 for most operands.
const maxPolygamma = 140

// Polygamma is the derivative of Digamma of an order from 0, which is Digamma itself, to 140. At 0 and at negative integers it is +Inf if the
// order is odd and -Inf if it is even and not 0. Equal to torch.polygamma and, at negative numbers, to scipy.special.polygamma.
//
// Shapes: any -> same.
func (v *Value) Polygamma(order int) *Value {
	switch {
	case order == 0:
		return v.Digamma()
	case order == 1:
		return v.unary(scalar.Trigamma)
	case order < 0 || order > maxPolygamma:
		v = v.orLost()
		return v.graph.failAs("Polygamma", []*Value{v}, newProblem("the order %d should be from 0 to %d", order, maxPolygamma))
	}
	v = v.float("Polygamma")
	return v.Num(float64(order)).binary(scalar.Polygamma, v)
}

// IGamma is the regularized lower incomplete gamma function P(v, x) of v and x >= 0: the integral of t^(v-1) e^-t from 0 to x over Gamma(v). It has no
// gradient with respect to v; asking for one is an error, as in PyTorch. Equal to torch.special.gammainc.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) IGamma(x Operand) *Value {
	return v.home().add(noGradientOp{}, v).binary(scalar.IGamma, x)
}

// IGammaC is the regularized upper incomplete gamma function Q(v, x) = 1 - IGamma(v, x), which keeps its digits where it is small. It has no
// gradient with respect to v; asking for one is an error, as in PyTorch. Equal to torch.special.gammaincc.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) IGammaC(x Operand) *Value {
	return v.home().add(noGradientOp{}, v).binary(scalar.IGammaC, x)
}

// noGradientOp is its operand, through which no gradient can be asked for.
type noGradientOp struct{ irop.Pass }

func (noGradientOp) Name() string { return "IGamma" }

func (op noGradientOp) grad(y, dy *Value) []*Value {
	return []*Value{y.graph.fail(op, y.in, newProblem("there is no gradient with respect to the first operand, the parameter of the incomplete gamma function").
		WithHint("StopGradient makes it a constant"))}
}
