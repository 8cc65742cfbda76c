package expr

import (
	"maps"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the functions and constants, each with how it is computed and how it is differentiated.

var constants = map[string]float64{"pi": math.Pi, "e": math.E}

// function is a function of the language.
type function struct {
	arity int
	// build computes it element by element, or reduces a vector; nil for functions that change shapes.
	build func(a []*tarn.Value) *tarn.Value
	// partial is the derivative with respect to argument i, as a formula of the arguments a and the result y. For a reduction it is the gradient.
	partial func(i int, a []*node, y *node) *node
	reduces bool // it reduces vectors to a number
}

// Functions lists the names of all functions.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

// functions is filled in by init, since rules call Parse.
var functions map[string]function

// template is a formula of a, b and y, of which rules are made.
func template(text string) *node {
	e, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return e.root
}

// rule makes a rule of a formula of the arguments a and b and the result y for each argument.
func rule(texts ...string) func(int, []*node, *node) *node {
	return func(i int, args []*node, y *node) *node {
		replace := map[string]*node{"a": args[0], "y": y}
		if len(args) > 1 {
			replace["b"] = args[1]
		}
		return template(texts[i]).substitute(replace)
	}
}

// substitute replaces variables by formulas.
func (n *node) substitute(by map[string]*node) *node {
	if n.kind == variable {
		if r := by[n.name]; r != nil {
			return r
		}
	}
	c := *n
	c.args = make([]*node, len(n.args))
	for i, a := range n.args {
		c.args[i] = a.substitute(by)
	}
	return &c
}

func one(f func(*tarn.Value) *tarn.Value, derivative string) function {
	return function{arity: 1, build: func(a []*tarn.Value) *tarn.Value { return f(a[0]) }, partial: rule(derivative)}
}

func two(f func(*tarn.Value, tarn.Operand) *tarn.Value, byA, byB string) function {
	return function{arity: 2, build: func(a []*tarn.Value) *tarn.Value { return f(a[0], a[1]) }, partial: rule(byA, byB)}
}

func init() {
	functions = map[string]function{
		"exp":     one((*tarn.Value).Exp, "y"),
		"expm1":   one((*tarn.Value).Expm1, "exp(a)"),
		"log":     one((*tarn.Value).Log, "1/a"),
		"log1p":   one((*tarn.Value).Log1p, "1/(1+a)"),
		"sqrt":    one((*tarn.Value).Sqrt, "1/(2*y)"),
		"abs":     one((*tarn.Value).Abs, "sign(a)"),
		"sign":    one((*tarn.Value).Sign, "0"),
		"sin":     one((*tarn.Value).Sin, "cos(a)"),
		"cos":     one((*tarn.Value).Cos, "-sin(a)"),
		"tan":     one((*tarn.Value).Tan, "1+y^2"),
		"asin":    one((*tarn.Value).Asin, "1/sqrt(1-a^2)"),
		"acos":    one((*tarn.Value).Acos, "-1/sqrt(1-a^2)"),
		"atan":    one((*tarn.Value).Atan, "1/(1+a^2)"),
		"sinh":    one((*tarn.Value).Sinh, "cosh(a)"),
		"cosh":    one((*tarn.Value).Cosh, "sinh(a)"),
		"tanh":    one((*tarn.Value).Tanh, "1-y^2"),
		"erf":     one((*tarn.Value).Erf, "2/sqrt(pi)*exp(-a^2)"),
		"sigmoid": one((*tarn.Value).Sigmoid, "y*(1-y)"),
		"relu":    one((*tarn.Value).ReLU, "sign(y)"),
		"atan2":   two((*tarn.Value).Atan2, "b/(a^2+b^2)", "-a/(a^2+b^2)"),
		"min":     two((*tarn.Value).Minimum, "(1-sign(a-b))/2", "(1+sign(a-b))/2"),
		"max":     two((*tarn.Value).Maximum, "(1+sign(a-b))/2", "(1-sign(a-b))/2"),

		"sum":  {arity: 1, reduces: true, build: func(a []*tarn.Value) *tarn.Value { return a[0].Sum() }, partial: rule("1")},
		"prod": {arity: 1, reduces: true, build: func(a []*tarn.Value) *tarn.Value { return a[0].Prod() }, partial: rule("y/a")},
		"norm": {arity: 1, reduces: true, build: func(a []*tarn.Value) *tarn.Value { return norm(a[0]) }, partial: rule("a/y")},
		"dot": {arity: 2, reduces: true, build: func(a []*tarn.Value) *tarn.Value { return a[0].Mul(a[1]).Sum() },
			partial: rule("b", "a")},
		"mean": {arity: 1, reduces: true, build: func(a []*tarn.Value) *tarn.Value { return a[0].Mean() }}, // its rule needs a length

		"pad":  {arity: 3},
		"fill": {arity: 2},
	}
}

// norm is the length of a vector.
func norm(v *tarn.Value) *tarn.Value { return zeroAtZero(v.Square().Sum(), (*tarn.Value).Sqrt) }
