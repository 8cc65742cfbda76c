package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the elementwise family: one op type for all scalar functions, and a table with the gradient rule of
// each. The functions themselves are defined in internal/scalar.

// elementwiseOp applies a scalar function to operands of one shape.
type elementwiseOp struct{ irop.Elementwise }

func elementwise(f scalar.Func) elementwiseOp { return elementwiseOp{irop.Elementwise{F: f}} }

func (op elementwiseOp) grad(y, dy *Value) []*Value {
	rule := elementwiseGrads[op.F]
	if rule == nil {
		return nil
	}
	return rule(y, dy)
}

func (v *Value) unary(f scalar.Func) *Value { return v.home().add(elementwise(f), v) }

func (v *Value) binary(f scalar.Func, o Operand) *Value {
	v = v.orLost()
	return v.graph.broadcastAll(elementwise(f), v, v.operand(o))
}

// elementwiseGrads are the gradient rules; y.in are the operands. A function without a rule has the derivative 0 wherever
// it has one (Sign, Floor, comparisons) or is not a function of numbers.
var elementwiseGrads [256]func(y, dy *Value) []*Value

func init() { // not a literal: the rules call methods that refer to the table
	one := func(rule func(x, y, dy *Value) *Value) func(y, dy *Value) []*Value {
		return func(y, dy *Value) []*Value { return []*Value{rule(y.in[0], y, dy)} }
	}
	two := func(rule func(a, b, y, dy *Value) (da, db *Value)) func(y, dy *Value) []*Value {
		return func(y, dy *Value) []*Value {
			da, db := rule(y.in[0], y.in[1], y, dy)
			return []*Value{da, db}
		}
	}
	for f, rule := range map[scalar.Func]func(y, dy *Value) []*Value{
		scalar.Neg:        one(func(x, y, dy *Value) *Value { return dy.Neg() }),
		scalar.Abs:        one(func(x, y, dy *Value) *Value { return dy.Mul(x.Sign()) }),
		scalar.Square:     one(func(x, y, dy *Value) *Value { return dy.Mul(x.Scale(2)) }),
		scalar.Reciprocal: one(func(x, y, dy *Value) *Value { return dy.Mul(y.Square()).Neg() }),
		scalar.Sqrt:       one(func(x, y, dy *Value) *Value { return dy.Div(y.Scale(2)) }),
		scalar.Rsqrt:      one(func(x, y, dy *Value) *Value { return dy.Mul(y.Div(x)).Scale(-0.5) }),
		scalar.Exp:        one(func(x, y, dy *Value) *Value { return dy.Mul(y) }),
		scalar.Expm1:      one(func(x, y, dy *Value) *Value { return dy.Mul(x.Exp()) }), // y + 1 would lose the digits of a small one
		scalar.Log:        one(func(x, y, dy *Value) *Value { return dy.Div(x) }),
		scalar.Log1p:      one(func(x, y, dy *Value) *Value { return dy.Div(x.AddNum(1)) }),
		scalar.Sin:        one(func(x, y, dy *Value) *Value { return dy.Mul(x.Cos()) }),
		scalar.Cos:        one(func(x, y, dy *Value) *Value { return dy.Mul(x.Sin()).Neg() }),
		scalar.Tan:        one(func(x, y, dy *Value) *Value { return dy.Mul(y.Square().AddNum(1)) }),
		scalar.Asin:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.oneMinusSquare().Rsqrt()) }),
		scalar.Acos:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.oneMinusSquare().Rsqrt()).Neg() }),
		scalar.Atan:       one(func(x, y, dy *Value) *Value { return dy.Div(x.Square().AddNum(1)) }),
		scalar.Sinh:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.Cosh()) }),
		scalar.Cosh:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.Sinh()) }),
		scalar.Tanh:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.tanhSlope(y)) }),
		scalar.Sigmoid:    one(func(x, y, dy *Value) *Value { return dy.Mul(y.Mul(x.Neg().Sigmoid())) }), // 1 - y likewise
		scalar.Softplus:   one(func(x, y, dy *Value) *Value { return dy.Mul(x.Sigmoid()) }),
		scalar.Exp2:       one(func(x, y, dy *Value) *Value { return dy.Mul(y).Scale(math.Ln2) }),
		scalar.Log2:       one(func(x, y, dy *Value) *Value { return dy.Div(x).Scale(1 / math.Ln2) }),
		scalar.Erfc:       one(func(x, y, dy *Value) *Value { return dy.Mul(x.Square().Neg().Exp().Scale(-2 / math.SqrtPi)) }),
		scalar.ErfInv:     one(func(x, y, dy *Value) *Value { return dy.Mul(y.Square().Exp().Scale(math.SqrtPi / 2)) }),
		scalar.Lgamma:     one(func(x, y, dy *Value) *Value { return dy.Mul(x.Digamma()) }),
		scalar.Digamma:    one(func(x, y, dy *Value) *Value { return dy.Mul(x.Polygamma(1)) }),
		scalar.Trigamma:   one(func(x, y, dy *Value) *Value { return dy.Mul(x.Polygamma(2)) }),
		scalar.Erf:        one(func(x, y, dy *Value) *Value { return dy.Mul(x.Square().Neg().Exp().Scale(2 / math.SqrtPi)) }),
		// The result is positive where the operand is, and is there anyway: the operand need not be kept.
		scalar.ReLU: one(func(x, y, dy *Value) *Value { return dy.passed(y) }),
		scalar.GELU: one(func(x, y, dy *Value) *Value { return dy.Mul(x.unary(scalar.GELUPrime)) }),
		// (Phi + x phi)' = 2 phi - x^2 phi, with phi the normal density.
		scalar.GELUPrime: one(func(x, y, dy *Value) *Value {
			x2 := x.Square()
			phi := x2.Scale(-0.5).Exp().Scale(1 / math.Sqrt(2*math.Pi))
			return dy.Mul(phi.Mul(x2.Neg().AddNum(2)))
		}),

		scalar.Add: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy, dy }),
		scalar.Sub: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy, dy.Neg() }),
		scalar.Mul: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy.Mul(b), dy.Mul(a) }),
		scalar.Div: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy.Div(b), dy.Mul(y.Div(b)).Neg() }),
		// d/da a^b = b a^(b-1), 0 where b is 0; d/db = a^b log a, 0 where a is 0 and b not negative, as PyTorch.
		scalar.Pow: two(func(a, b, y, dy *Value) (*Value, *Value) {
			zero := dy.Num(0)
			da := b.Eq(Num(0)).Where(zero, dy.Mul(b.Mul(a.Pow(b.AddNum(-1)))))
			flat := a.Eq(Num(0)).And(b.Ge(Num(0)))
			db := flat.Where(zero, dy.Mul(y.Mul(flat.Where(a.Num(1), a).Log())))
			return da, db
		}),
		// Where the two are equal each gets half of the gradient, as PyTorch.
		scalar.Max: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy.shareBetween(a.Gt(b), a.Lt(b)) }),
		scalar.Min: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy.shareBetween(a.Lt(b), a.Gt(b)) }),
		// The derivatives b/(a^2+b^2) and -a/(a^2+b^2), of operands divided by the larger one, so that no square is too large or too small.
		scalar.Atan2: two(func(a, b, y, dy *Value) (*Value, *Value) {
			m := a.Abs().Maximum(b.Abs()).StopGradient()
			m = m.IsFinite().And(m.Ne(Num(0))).branch(m, Num(1))
			a, b = a.Div(m), b.Div(m)
			r2 := a.Square().Add(b.Square())
			return dy.Mul(b.Div(r2).Div(m)), dy.Mul(a.Div(r2).Div(m)).Neg()
		}),
		// ReLUGrad is linear in its first operand and flat in its second.
		scalar.ReLUGrad: two(func(a, b, y, dy *Value) (*Value, *Value) { return dy.passed(b), nil }),
		scalar.LeakyReLU: two(func(x, slope, y, dy *Value) (*Value, *Value) {
			positive, zero := x.Gt(Num(0)), dy.Num(0)
			return positive.Where(dy, dy.Mul(slope)), positive.Where(zero, dy.Mul(x))
		}),

		// The order is a constant, and the gradient with respect to a of the incomplete gamma functions ends at noGradientOp.
		scalar.Polygamma: two(func(n, x, y, dy *Value) (*Value, *Value) {
			return nil, dy.Mul(n.AddNum(1).binary(scalar.Polygamma, x))
		}),
		scalar.IGamma:  two(func(a, x, y, dy *Value) (*Value, *Value) { return dy, dy.Mul(a.binary(scalar.GammaPDF, x)) }),
		scalar.IGammaC: two(func(a, x, y, dy *Value) (*Value, *Value) { return dy, dy.Mul(a.binary(scalar.GammaPDF, x)).Neg() }),
		// (a-1) log x - x - lgamma(a), differentiated.
		scalar.GammaPDF: two(func(a, x, y, dy *Value) (*Value, *Value) {
			return dy.Mul(y.Mul(x.Log().Sub(a.Digamma()))), dy.Mul(y.Mul(a.AddNum(-1).Div(x).AddNum(-1)))
		}),

		scalar.Where: func(y, dy *Value) []*Value { return dy.branches(y.in[0], true) },
		// Inside the bounds the gradient goes to the operand, outside to the bound, to the upper one where they are crossed.
		// Where operand and bound are equal each gets half, and all goes to the operand between equal bounds, as PyTorch.
		scalar.Clip: func(y, dy *Value) []*Value {
			x, lo, hi, zero, half := y.in[0], y.in[1], y.in[2], dy.Num(0), dy.Scale(0.5)
			low, high, open := x.Lt(lo), x.Gt(hi), lo.Lt(hi)
			onLow, onHigh := open.And(x.Eq(lo)), open.And(x.Eq(hi))
			beyond, below, above := low.Or(high), low.And(lo.Le(hi)), high.Or(lo.Gt(hi))
			return []*Value{
				beyond.Where(zero, onLow.Or(onHigh).Where(half, dy)).selected(false, beyond.Not),
				below.Where(dy, onLow.Where(half, zero)).selected(false, func() *Value { return below.Or(onLow) }),
				above.Where(dy, onHigh.Where(half, zero)).selected(false, func() *Value { return above.Or(onHigh) }),
			}
		},
		scalar.MulAdd: func(y, dy *Value) []*Value {
			return []*Value{dy.Mul(y.in[1]), dy.Mul(y.in[0]), dy}
		},
	} {
		elementwiseGrads[f] = rule
	}
}

// shareBetween returns the gradients of two operands: all of dy for the first where first is true, all of it for the second where second is,
// and half for each elsewhere.
func (dy *Value) shareBetween(first, second *Value) (*Value, *Value) {
	zero, half := dy.Num(0), dy.Scale(0.5)
	return first.Where(dy, second.Where(zero, half)).selected(false, second.Not), second.Where(dy, first.Where(zero, half)).selected(false, first.Not)
}

// passed returns dy where v is positive and 0 elsewhere.
func (dy *Value) passed(v *Value) *Value {
	return dy.binary(scalar.ReLUGrad, v).selected(false, func() *Value { return v.Gt(Num(0)) })
}

// branches are the gradients of the operands of a selection.
func (dy *Value) branches(condition *Value, whole bool) []*Value {
	zero := dy.Num(0)
	yes := condition.Where(dy, zero).selected(whole, func() *Value { return condition })
	no := condition.Where(zero, dy).selected(whole, func() *Value { return condition.narrow(dy.Rank()).Not() })
	return []*Value{nil, yes, no}
}

// tanhSlope is 1 - y^2, the derivative of y = tanh(v), as (1 + |y|) (1 - |y|), in which 1 - |y| = 2 sigmoid(-2|v|) keeps its digits where |y|
// is near 1. Its own derivative is -2 y (1 - y^2), and has no kink at 0.
func (v *Value) tanhSlope(y *Value) *Value {
	slope := y.Abs().AddNum(1).Mul(v.Abs().Scale(-2).Sigmoid().Scale(2))
	return v.graph.add(tanhSlopeOp{}, slope, v, y)
}

// tanhSlopeOp is its first operand, which is the derivative of its third, the hyperbolic tangent of its second.
type tanhSlopeOp struct{ irop.Pass }

func (tanhSlopeOp) Name() string { return "TanhSlope" }

func (tanhSlopeOp) grad(slope, dy *Value) []*Value {
	return []*Value{nil, dy.Mul(slope.in[2].Mul(slope)).Scale(-2)}
}

// oneMinusSquare is (1-v)(1+v), which keeps its digits near -1 and 1.
func (v *Value) oneMinusSquare() *Value { return v.Neg().AddNum(1).Mul(v.AddNum(1)) }

// Num is a number as a scalar value of v's graph and dtype.
//
// Shapes: [].
func (v *Value) Num(x float64) *Value { return v.operand(Num(x)) }

// Neg is -v. Shapes: any -> same.
func (v *Value) Neg() *Value { return v.unary(scalar.Neg) }

// Abs is |v|; its derivative at 0 is 0, as in torch.abs. Shapes: any -> same.
func (v *Value) Abs() *Value { return v.unary(scalar.Abs) }

// Sign is -1, 0 or 1; its derivative is 0. Shapes: any -> same.
func (v *Value) Sign() *Value { return v.unary(scalar.Sign) }

// Square is v*v. Shapes: any -> same.
func (v *Value) Square() *Value { return v.unary(scalar.Square) }

// Reciprocal is 1/v. Shapes: any -> same.
func (v *Value) Reciprocal() *Value { return v.unary(scalar.Reciprocal) }

// Sqrt is the square root; its derivative at 0 is +Inf, as in torch.sqrt. Shapes: any -> same.
func (v *Value) Sqrt() *Value { return v.unary(scalar.Sqrt) }

// Rsqrt is 1/sqrt(v). Shapes: any -> same.
func (v *Value) Rsqrt() *Value { return v.unary(scalar.Rsqrt) }

// Exp is e^v. Shapes: any -> same.
func (v *Value) Exp() *Value { return v.unary(scalar.Exp) }

// Expm1 is e^v - 1, exact near 0. Shapes: any -> same.
func (v *Value) Expm1() *Value { return v.unary(scalar.Expm1) }

// Log is the natural logarithm. Shapes: any -> same.
func (v *Value) Log() *Value { return v.unary(scalar.Log) }

// Log1p is log(1+v), exact near 0. Shapes: any -> same.
func (v *Value) Log1p() *Value { return v.unary(scalar.Log1p) }

// Sin is the sine. Shapes: any -> same.
func (v *Value) Sin() *Value { return v.unary(scalar.Sin) }

// Cos is the cosine. Shapes: any -> same.
func (v *Value) Cos() *Value { return v.unary(scalar.Cos) }

// Tan is the tangent. Shapes: any -> same.
func (v *Value) Tan() *Value { return v.unary(scalar.Tan) }

// Asin is the arc sine. Shapes: any -> same.
func (v *Value) Asin() *Value { return v.unary(scalar.Asin) }

// Acos is the arc cosine. Shapes: any -> same.
func (v *Value) Acos() *Value { return v.unary(scalar.Acos) }

// Atan is the arc tangent. Shapes: any -> same.
func (v *Value) Atan() *Value { return v.unary(scalar.Atan) }

// Sinh is the hyperbolic sine. Shapes: any -> same.
func (v *Value) Sinh() *Value { return v.unary(scalar.Sinh) }

// Cosh is the hyperbolic cosine. Shapes: any -> same.
func (v *Value) Cosh() *Value { return v.unary(scalar.Cosh) }

// Tanh is the hyperbolic tangent. Shapes: any -> same.
func (v *Value) Tanh() *Value { return v.unary(scalar.Tanh) }

// Sigmoid is 1/(1+e^-v). Shapes: any -> same.
func (v *Value) Sigmoid() *Value { return v.unary(scalar.Sigmoid) }

// Softplus is log(1+e^v), in a form that neither overflows nor loses small results. Shapes: any -> same.
func (v *Value) Softplus() *Value { return v.unary(scalar.Softplus) }

// Erf is the error function. Shapes: any -> same.
func (v *Value) Erf() *Value { return v.unary(scalar.Erf) }

// Floor is the largest integer not above v; its derivative is 0. Shapes: any -> same.
func (v *Value) Floor() *Value { return v.unary(scalar.Floor) }

// Ceil is the smallest integer not below v; its derivative is 0. Shapes: any -> same.
func (v *Value) Ceil() *Value { return v.unary(scalar.Ceil) }

// Round is the nearest integer, halves to the even one; its derivative is 0. Shapes: any -> same.
func (v *Value) Round() *Value { return v.unary(scalar.Round) }

// IsFinite is true where v is neither infinite nor NaN. Shapes: any -> same, bool.
func (v *Value) IsFinite() *Value { return v.unary(scalar.IsFinite) }

// Not is the logical negation of a bool value, or an integer with all its bits negated. Equal to torch.bitwise_not. Shapes: any -> same.
func (v *Value) Not() *Value { return v.unary(v.orLost().bitwise(scalar.Not, scalar.BitNot)) }

// Add is v + o. Shapes: two that broadcast -> their common shape.
func (v *Value) Add(o Operand) *Value { return v.binary(scalar.Add, o) }

// Sub is v - o. Shapes: two that broadcast -> their common shape.
func (v *Value) Sub(o Operand) *Value { return v.binary(scalar.Sub, o) }

// Mul is v * o, element by element. Shapes: two that broadcast -> their common shape.
func (v *Value) Mul(o Operand) *Value { return v.binary(scalar.Mul, o) }

// Div is v / o; integers truncate, and an integer divided by zero gives 0. Shapes: two that broadcast -> their common shape.
func (v *Value) Div(o Operand) *Value { return v.binary(scalar.Div, o) }

// Pow is v^o. Of integers it wraps around, and is 0 if o is negative, unless v is 1 or -1. Its derivative with respect to v is 0 if o is 0. Its derivative with respect to o is 0 if v is 0 and o is not negative, as in PyTorch.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Pow(o Operand) *Value { return v.binary(scalar.Pow, o) }

// Minimum returns the smaller of v and o, and NaN if either is NaN. If they are equal, each gets half of the gradient, as in
// torch.minimum. Shapes: two that broadcast -> their common shape.
func (v *Value) Minimum(o Operand) *Value { return v.binary(scalar.Min, o) }

// Maximum returns the larger of v and o, and NaN if either is NaN. If they are equal, each gets half of the gradient, as in
// torch.maximum. Shapes: two that broadcast -> their common shape.
func (v *Value) Maximum(o Operand) *Value { return v.binary(scalar.Max, o) }

// Atan2 is the angle of the point with ordinate v and abscissa o. Shapes: two that broadcast -> their common shape.
func (v *Value) Atan2(o Operand) *Value { return v.binary(scalar.Atan2, o) }

// Eq is v == o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Eq(o Operand) *Value { return v.binary(scalar.Eq, o) }

// Ne is v != o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Ne(o Operand) *Value { return v.binary(scalar.Ne, o) }

// Lt is v < o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Lt(o Operand) *Value { return v.binary(scalar.Lt, o) }

// Le is v <= o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Le(o Operand) *Value { return v.binary(scalar.Le, o) }

// Gt is v > o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Gt(o Operand) *Value { return v.binary(scalar.Gt, o) }

// Ge is v >= o. Shapes: two that broadcast -> their common shape, bool.
func (v *Value) Ge(o Operand) *Value { return v.binary(scalar.Ge, o) }

// And is true where both bools are, or the bits that both integers have. Equal to torch.bitwise_and.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) And(o Operand) *Value {
	return v.binary(v.orLost().bitwise(scalar.And, scalar.BitAnd), o)
}

// Or is true where one of the bools is, or the bits that one of the integers has. Equal to torch.bitwise_or.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Or(o Operand) *Value {
	return v.binary(v.orLost().bitwise(scalar.Or, scalar.BitOr), o)
}

// Xor is true where exactly one of the bools is, or the bits that exactly one of the integers has. Equal to torch.bitwise_xor.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Xor(o Operand) *Value {
	return v.binary(v.orLost().bitwise(scalar.Xor, scalar.BitXor), o)
}

// bitwise is the function of integers if v is one, and else that of bools.
func (v *Value) bitwise(logic, bits scalar.Func) scalar.Func {
	if t := v.DType(); t == I32 || t == I64 {
		return bits
	}
	return logic
}

// ShiftLeft is v * 2^o of integers. If o is negative or not below the number of bits it is 0. Equal to torch.bitwise_left_shift.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) ShiftLeft(o Operand) *Value { return v.binary(scalar.ShiftL, o) }

// ShiftRight is v / 2^o of integers, rounded down. If o is negative or not below the number of bits it is 0, or -1 if v is negative. Equal to
// torch.bitwise_right_shift. Shapes: two that broadcast -> their common shape.
func (v *Value) ShiftRight(o Operand) *Value { return v.binary(scalar.ShiftR, o) }

// Where is a where the bool v is true and b elsewhere. The operand that is not taken gets the gradient 0, and so does everything that it has
// been computed from, even if derivatives on the way are infinite or NaN: the gradient of x.Gt(Num(0)).Where(x.Sqrt(), Num(0)) at 0 is 0, where
// that of PyTorch and JAX is NaN.
//
// Shapes: three that broadcast -> their common shape.
func (v *Value) Where(a, b Operand) *Value {
	v = v.orLost()
	if v.graph.gradOf != nil { // a gradient rule has its reasons, and its products are guarded
		return v.branch(a, b)
	}
	return v.choose(elementwise(scalar.Where), a, b)
}

// branch is Where for cases of one function. Those that are not taken are healthy data, at which only a derivative may be infinite.
func (v *Value) branch(a, b Operand) *Value {
	return v.choose(branchOp{elementwise(scalar.Where)}, a, b)
}

// branchOp is the op of branch.
type branchOp struct{ elementwiseOp }

func (op branchOp) grad(y, dy *Value) []*Value { return dy.branches(y.in[0], false) }

func (v *Value) choose(op op, a, b Operand) *Value {
	v = v.orLost()
	// A Num takes the dtype of the other choice, not of the condition.
	if _, number := a.(Num); !number {
		x := v.operand(a)
		if !x.exists() {
			return v.graph.add(op, v, nil, nil)
		}
		return v.graph.broadcastAll(op, v, x, x.operand(b))
	}
	y := v.operand(b)
	if n, number := b.(Num); number {
		y = v.graph.Num(F32, float64(n))
	}
	if !y.exists() {
		return v.graph.add(op, v, nil, nil)
	}
	return v.graph.broadcastAll(op, v, y.operand(a), y)
}

// Clip is v limited to [lo, hi]. With two numbers for bounds the gradient passes inside them and is 0 on them, as in
// torch.clamp. With values it goes to v inside the bounds and to the bound outside, and where v is on a bound each gets
// half.
//
// Shapes: three that broadcast -> their common shape.
func (v *Value) Clip(lo, hi Operand) *Value {
	v = v.orLost()
	var op op = elementwise(scalar.Clip)
	_, low := lo.(Num)
	if _, high := hi.(Num); low && high {
		op = clipOp{elementwise(scalar.Clip)}
	}
	return v.graph.broadcastAll(op, v, v.operand(lo), v.operand(hi))
}

// clipOp is a Clip whose bounds are numbers.
type clipOp struct{ elementwiseOp }

func (op clipOp) grad(y, dy *Value) []*Value {
	x, lo, hi := y.in[0], y.in[1], y.in[2]
	inside := x.Gt(lo).And(x.Lt(hi))
	return []*Value{inside.Where(dy, dy.Num(0)).selected(false, func() *Value { return inside })}
}

// Scale is v times a number. Shapes: any -> same.
func (v *Value) Scale(x float64) *Value { return v.Mul(Num(x)) }

// AddNum is v plus a number. Shapes: any -> same.
func (v *Value) AddNum(x float64) *Value { return v.Add(Num(x)) }

// castOp converts to another dtype.
type castOp struct{ irop.Cast }

func (op castOp) grad(y, dy *Value) []*Value {
	if !y.in[0].DType().IsFloat() || !y.DType().IsFloat() {
		return nil
	}
	return []*Value{dy.Cast(y.in[0].DType())}
}

// Cast converts to another dtype: floats are truncated to integers, and any number but 0 is true. A NaN or a float out of
// the integer's range becomes the least integer, on every machine; an i64 out of the range of i32 wraps around. The
// gradient passes between float types only. Shapes: any -> same.
func (v *Value) Cast(dtype DType) *Value {
	v = v.orLost()
	if v.DType() == dtype {
		return v
	}
	return v.graph.add(castOp{irop.Cast{To: ir.DType(dtype)}}, v)
}
