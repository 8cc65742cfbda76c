package onnx

import (
	"math"
	"sync"

	"github.com/seed-49005b45/tarn"
)

// This file holds the table of operators, and those that go element by element.

// operator adds nodes of one kind to a graph.
type operator struct {
	f        func(c *call) []*value
	own      bool  // it looks itself at what is known
	settings []int // operands that are settings and not data: no weights
	states   []int // operands that training does not change by gradients
}

// registered has the operators by domain and name, once registerAll has run.
var (
	registered  = map[string]operator{}
	registerAll sync.Once
)

// operators returns the operators by domain and name. They are registered when a first model asks for them, so that programs without one start sooner.
func operators() map[string]operator {
	registerAll.Do(func() {
		for _, register := range []func(){
			elementOperators, attentionOperators, controlOperators, hostOperators, lossOperators, networkOperators,
			quantizeOperators, reduceOperators, resizeOperators, recurrentOperators, shapeOperators, signalOperators,
		} {
			register()
		}
	})
	return registered
}

func register(name string, f func(c *call) []*value) { registered[":"+name] = operator{f: f} }

// registerOwn is for operators that need no graph for what is known.
func registerOwn(name string, f func(c *call) []*value) {
	registered[":"+name] = operator{f: f, own: true}
}

// registerSet is for operators some of whose operands are settings.
func registerSet(name string, settings []int, f func(c *call) []*value) {
	registered[":"+name] = operator{f: f, settings: settings}
}

func unary(name string, f func(x *tarn.Value) *tarn.Value) {
	register(name, func(c *call) []*value { return c.same(wrapped(c.elem(0), f(c.val(0)))) })
}

// scaled is for functions with one or two numbers as attributes.
func activation(name string, f func(c *call, x *tarn.Value) *tarn.Value) {
	register(name, func(c *call) []*value { return c.same(f(c, c.val(0))) })
}

func pairwise(name string, f func(c *call, a, b *tarn.Value) *tarn.Value) {
	register(name, func(c *call) []*value {
		ab := together(c.val(0), c.val(1))
		return c.same(wrapped(c.elem(0), f(c, ab[0], ab[1])))
	})
}

func comparison(name string, f func(a, b *tarn.Value) *tarn.Value) {
	register(name, func(c *call) []*value {
		if c.elem(0) == typeString {
			failf("strings are compared, which is not supported")
		}
		ab := together(c.val(0), c.val(1))
		if c.elem(0) == typeUint64 { // in the order of unsigned numbers
			for i, v := range ab {
				ab[i] = v.Xor(v.Graph().Const(tarn.Scalar(int64(math.MinInt64))))
			}
		}
		return c.of(typeBool, f(ab[0], ab[1]))
	})
}

// variadic folds any number of operands.
func variadic(name string, f func(a, b *tarn.Value) *tarn.Value, mean bool) {
	register(name, func(c *call) []*value {
		y := c.val(0)
		for i := 1; i < len(c.in); i++ {
			ab := together(y, c.val(i))
			y = f(ab[0], ab[1])
		}
		if mean {
			y = y.Scale(1 / float64(len(c.in)))
		}
		return c.same(wrapped(c.elem(0), y))
	})
}

func elementOperators() {
	type V = *tarn.Value
	for name, f := range map[string]func(V) V{
		"Abs": V.Abs, "Acos": V.Acos, "Acosh": V.Acosh, "Asin": V.Asin, "Asinh": V.Asinh, "Atan": V.Atan, "Atanh": V.Atanh, "Cos": V.Cos, "Cosh": V.Cosh,
		"Erf": V.Erf, "Exp": V.Exp, "Log": V.Log, "Neg": V.Neg, "Reciprocal": V.Reciprocal, "Relu": V.ReLU, "Sigmoid": V.Sigmoid, "Sign": V.Sign, "Sin": V.Sin,
		"Sinh": V.Sinh, "Softplus": V.Softplus, "Softsign": V.Softsign, "Sqrt": V.Sqrt, "Tan": V.Tan, "Tanh": V.Tanh, "Mish": V.Mish, "HardSwish": V.HardSwish,
		"Floor": V.Floor, "Ceil": V.Ceil, "Round": V.Round, "Not": V.Not, "Det": V.Det,
	} {
		unary(name, f)
	}
	register("BitwiseNot", func(c *call) []*value { return c.same(wrapped(c.elem(0), c.val(0).Neg().AddNum(-1))) })
	registerOwn("Identity", func(c *call) []*value { v := *c.at(0); return []*value{&v} })
	register("IsNaN", func(c *call) []*value { return c.of(typeBool, c.val(0).IsNaN()) })
	register("IsInf", func(c *call) []*value {
		x := c.val(0)
		y := x.IsInf()
		if c.int("detect_positive", 1) == 0 {
			y = y.And(x.Lt(tarn.Num(0)))
		}
		if c.int("detect_negative", 1) == 0 {
			y = y.And(x.Gt(tarn.Num(0)))
		}
		return c.of(typeBool, y)
	})
	activation("Elu", func(c *call, x V) V { return x.ELU(c.float("alpha", 1)) })
	activation("Celu", func(c *call, x V) V { return x.CELU(c.float("alpha", 1)) })
	activation("LeakyRelu", func(c *call, x V) V { return x.LeakyReLU(c.float("alpha", 0.01)) })
	activation("Selu", func(c *call, x V) V {
		alpha, gamma := c.float("alpha", 1.67326319217681884765625), c.float("gamma", 1.05070102214813232421875)
		return x.ELU(alpha).Scale(gamma)
	})
	activation("HardSigmoid", func(c *call, x V) V {
		return x.Scale(c.float("alpha", 0.2)).AddNum(c.float("beta", 0.5)).Clip(tarn.Num(0), tarn.Num(1))
	})
	activation("ThresholdedRelu", func(c *call, x V) V { return x.Gt(tarn.Num(c.float("alpha", 1))).Where(x, x.Num(0)) })
	activation("Shrink", func(c *call, x V) V {
		lambda, bias := c.float("lambd", 0.5), c.float("bias", 0)
		zero := x.Num(0)
		return x.Lt(tarn.Num(-lambda)).Where(x.AddNum(bias), x.Gt(tarn.Num(lambda)).Where(x.AddNum(-bias), zero))
	})
	activation("Gelu", func(c *call, x V) V {
		if c.string("approximate", "none") == "tanh" {
			return x.GELUTanh()
		}
		return x.GELU()
	})
	activation("Swish", func(c *call, x V) V { return x.Mul(x.Scale(c.float("alpha", 1)).Sigmoid()) })
	pairwise("PRelu", func(c *call, a, b V) V { return a.Lt(tarn.Num(0)).Where(a.Mul(b), a) })

	pairwise("Add", func(c *call, a, b V) V { return a.Add(b) })
	pairwise("Sub", func(c *call, a, b V) V { return a.Sub(b) })
	pairwise("Mul", func(c *call, a, b V) V { return a.Mul(b) })
	pairwise("Div", func(c *call, a, b V) V { return a.Div(b) })
	pairwise("Mod", func(c *call, a, b V) V {
		if c.int("fmod", 0) == 1 || !c.elem(0).float() && c.elem(0) >= typeUint8 && (c.elem(0) == typeUint8 || c.elem(0) == typeUint16 || c.elem(0) == typeUint32) {
			return remainder(a, b)
		}
		r := remainder(a, b) // with the sign of the divisor
		turned := r.Ne(tarn.Num(0)).And(r.Lt(tarn.Num(0)).Xor(b.Lt(tarn.Num(0))))
		return turned.Where(r.Add(b), r)
	})
	register("Pow", func(c *call) []*value {
		a, b := c.val(0), c.val(1)
		if b.DType() != a.DType() {
			if !a.DType().IsFloat() && b.DType().IsFloat() {
				ab := together(a.Cast(tarn.F64), b.Cast(tarn.F64))
				return c.same(ab[0].Pow(ab[1]).Cast(a.DType()))
			}
			b = b.Cast(a.DType())
		}
		ab := together(a, b)
		if !a.DType().IsFloat() {
			return c.same(ab[0].Cast(tarn.F64).Pow(ab[1].Cast(tarn.F64)).Round().Cast(a.DType()))
		}
		return c.same(ab[0].Pow(ab[1]))
	})
	variadic("Sum", func(a, b V) V { return a.Add(b) }, false)
	variadic("Mean", func(a, b V) V { return a.Add(b) }, true)
	variadic("Max", func(a, b V) V { return a.Maximum(b) }, false)
	variadic("Min", func(a, b V) V { return a.Minimum(b) }, false)
	for _, prefix := range []string{"", "Bitwise"} {
		pairwise(prefix+"And", func(c *call, a, b V) V { return a.And(b) })
		pairwise(prefix+"Or", func(c *call, a, b V) V { return a.Or(b) })
		pairwise(prefix+"Xor", func(c *call, a, b V) V { return a.Xor(b) })
	}
	pairwise("BitShift", func(c *call, a, b V) V {
		if c.string("direction", "") == "LEFT" {
			return a.ShiftLeft(b)
		}
		if c.elem(0) == typeUint64 { // no sign comes in from the left
			shifted := a.ShiftRight(b)
			ones := a.Num(-1).ShiftLeft(a.Num(63).Sub(b)).ShiftLeft(a.Num(1))
			return shifted.And(b.Gt(tarn.Num(0)).Where(ones.Neg().AddNum(-1), a.Num(-1)))
		}
		return a.ShiftRight(b)
	})
	comparison("Equal", func(a, b V) V {
		if a.DType() == tarn.Bool {
			return a.Xor(b).Not()
		}
		return a.Eq(b)
	})
	comparison("Greater", func(a, b V) V { return a.Gt(b) })
	comparison("GreaterOrEqual", func(a, b V) V { return a.Ge(b) })
	comparison("Less", func(a, b V) V { return a.Lt(b) })
	comparison("LessOrEqual", func(a, b V) V { return a.Le(b) })
	register("Where", func(c *call) []*value {
		all := together(c.val(0), c.val(1), c.val(2))
		return c.of(c.elem(1), all[0].Where(all[1], all[2]))
	})
	registerSet("Clip", []int{1, 2}, func(c *call) []*value {
		x := c.val(0)
		lo, hi := math.Inf(-1), math.Inf(1)
		if c.version < 11 {
			lo, hi = c.float("min", lo), c.float("max", hi)
		}
		y := x
		switch {
		case c.has(1) && c.has(2):
			return c.same(x.Clip(c.val(1), c.val(2)))
		case c.has(1):
			y = y.Maximum(c.val(1))
		case !math.IsInf(lo, 0):
			y = y.Maximum(tarn.Num(lo))
		}
		switch {
		case c.has(2):
			y = y.Minimum(c.val(2))
		case !math.IsInf(hi, 0):
			y = y.Minimum(tarn.Num(hi))
		}
		return c.same(y)
	})
	registerOwn("Constant", func(c *call) []*value {
		switch {
		case c.attr("value") != nil && c.attr("value").t != nil:
			v := *c.model.weights[c.attr("value").t]
			return []*value{&v}
		case c.attr("value_float") != nil:
			return host(typeFloat, tarn.Scalar(c.attr("value_float").f))
		case c.attr("value_floats") != nil:
			return host(typeFloat, tarn.Vector(append([]float32{}, c.attr("value_floats").floats...)))
		case c.attr("value_int") != nil:
			return host(typeInt64, tarn.Scalar(c.attr("value_int").i))
		case c.attr("value_ints") != nil:
			return host(typeInt64, tarn.Vector(append([]int64{}, c.attr("value_ints").ints...)))
		case c.attr("value_string") != nil:
			return []*value{{elem: typeString, shape: []int{}, strings: []string{c.string("value_string", "")}}}
		case c.attr("value_strings") != nil:
			words := c.words("value_strings")
			return []*value{{elem: typeString, shape: []int{len(words)}, strings: words}}
		}
		failf("it has no value that is supported")
		return nil
	})
	registerOwn("ConstantOfShape", func(c *call) []*value {
		shape := c.ints(0, "the shape")
		elem, fill := elemType(typeFloat), 0.0
		if a := c.attr("value"); a != nil && a.t != nil {
			v := c.model.weights[a.t]
			if v.t == nil || v.t.Size() != 1 {
				failf("its value must be one number")
			}
			elem, fill = v.elem, v.t.Float(0)
		}
		dtype, _ := elem.carrier()
		t := c.zeros(dtype, shape)
		if fill != 0 {
			for i := range t.Size() {
				t.SetFloat(i, fill)
			}
		}
		return host(elem, t)
	})
	register("Cast", func(c *call) []*value { return c.cast(elemType(c.int("to", 0))) })
	register("CastLike", func(c *call) []*value { return c.cast(c.elem(1)) })
	register("BitCast", func(c *call) []*value { return c.bitCast(elemType(c.int("to", 0))) })
}

// remainder is what remains of a division that rounds toward zero.
func remainder(a, b *tarn.Value) *tarn.Value {
	q := a.Div(b)
	if !a.DType().IsFloat() {
		return a.Sub(q.Mul(b))
	}
	return b.IsInf().And(a.IsFinite()).Where(a, a.Sub(q.Trunc().Mul(b)))
}

// zeros is a tensor for contents that are known.
func (c *call) zeros(dtype tarn.DType, shape []int) *tarn.Tensor {
	size := 1
	for _, d := range shape {
		if d < 0 || d > 0 && size > 1<<34/d {
			failf("the shape %v makes no sense", shape)
		}
		size *= d
	}
	t, err := zeros(dtype, shape)
	if err != nil {
		panic(failure{err})
	}
	return t
}
