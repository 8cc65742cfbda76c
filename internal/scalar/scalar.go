// Package scalar names the scalar functions that elementwise ops are made of and gives each one an obviously right
// definition. Every vector kernel of every CPU level is tested against these definitions, the compiler folds constants
// with them, and they are what runs where no kernel exists.
package scalar

import "fmt"

// Func is one scalar function of one, two or three arguments.
type Func uint8

// The functions. Unless said otherwise, arguments and result are numbers of one dtype.
const (
	Invalid Func = iota

	// One argument.
	Neg        // -a
	Abs        // |a|
	Sign       // -1, 0 or 1; NaN stays NaN, -0 stays -0
	Square     // a*a
	Reciprocal // 1/a
	Sqrt       // square root
	Rsqrt      // 1/sqrt(a)
	Exp        // e^a
	Expm1      // e^a - 1
	Log        // natural logarithm
	Log1p      // log(1+a)
	Sin        // sine
	Cos        // cosine
	Tan        // tangent
	Asin       // arc sine
	Acos       // arc cosine
	Atan       // arc tangent
	Sinh       // hyperbolic sine
	Cosh       // hyperbolic cosine
	Tanh       // hyperbolic tangent
	Sigmoid    // 1/(1+e^-a)
	Softplus   // log(1+e^a), stable
	Erf        // error function
	Floor      // largest integer not above a
	Ceil       // smallest integer not below a
	Round      // nearest integer, halves to even
	ReLU       // a where a > 0, else 0; NaN stays NaN
	GELU       // a*Phi(a), Phi the normal distribution function
	GELUPrime  // Phi(a) + a*phi(a), the derivative of GELU
	IsFinite   // bool: neither infinite nor NaN
	Not        // bool of bool

	// Two arguments.
	Add       // a + b
	Sub       // a - b
	Mul       // a * b
	Div       // a / b; integers truncate; an integer divided by zero is zero
	Pow       // a^b
	Min       // the smaller; NaN if either is NaN
	Max       // the larger; NaN if either is NaN
	Atan2     // the angle of the point (b, a), as math.Atan2(a, b)
	ReLUGrad  // a where b > 0, else 0: gradient a passed through ReLU at b
	LeakyReLU // a where a > 0, else a*b
	Eq        // bool: a == b
	Ne        // bool: a != b
	Lt        // bool: a < b
	Le        // bool: a <= b
	Gt        // bool: a > b
	Ge        // bool: a >= b
	And       // bool of bools
	Or        // bool of bools
	Xor       // bool of bools

	// Three arguments.
	Where  // b where the bool a is true, else c
	Clip   // min(max(a, b), c)
	MulAdd // a*b + c, rounded once or twice, depending on the level

	count
)

type info struct {
	name   string
	arity  uint8
	domain domain
}

// domain says which dtypes a function is defined for and the dtype of its result.
type domain uint8

const (
	numbers  domain = iota // every number dtype, to the same dtype
	floats                 // f32 and f64 only, to the same dtype
	compare                // numbers (and, for Eq and Ne, bools) to bool
	logic                  // bools to bool
	finite                 // floats to bool
	selector               // a bool and two of one dtype, to that dtype
)

var infos = [count]info{
	Neg: {"Neg", 1, numbers}, Abs: {"Abs", 1, numbers}, Sign: {"Sign", 1, numbers}, Square: {"Square", 1, numbers},
	Reciprocal: {"Reciprocal", 1, floats}, Sqrt: {"Sqrt", 1, floats}, Rsqrt: {"Rsqrt", 1, floats},
	Exp: {"Exp", 1, floats}, Expm1: {"Expm1", 1, floats}, Log: {"Log", 1, floats}, Log1p: {"Log1p", 1, floats},
	Sin: {"Sin", 1, floats}, Cos: {"Cos", 1, floats}, Tan: {"Tan", 1, floats},
	Asin: {"Asin", 1, floats}, Acos: {"Acos", 1, floats}, Atan: {"Atan", 1, floats},
	Sinh: {"Sinh", 1, floats}, Cosh: {"Cosh", 1, floats}, Tanh: {"Tanh", 1, floats},
	Sigmoid: {"Sigmoid", 1, floats}, Softplus: {"Softplus", 1, floats}, Erf: {"Erf", 1, floats},
	Floor: {"Floor", 1, floats}, Ceil: {"Ceil", 1, floats}, Round: {"Round", 1, floats},
	ReLU: {"ReLU", 1, numbers}, GELU: {"GELU", 1, floats}, GELUPrime: {"GELUPrime", 1, floats},
	IsFinite: {"IsFinite", 1, finite}, Not: {"Not", 1, logic},

	Add: {"Add", 2, numbers}, Sub: {"Sub", 2, numbers}, Mul: {"Mul", 2, numbers}, Div: {"Div", 2, numbers},
	Pow: {"Pow", 2, floats}, Min: {"Min", 2, numbers}, Max: {"Max", 2, numbers}, Atan2: {"Atan2", 2, floats},
	ReLUGrad: {"ReLUGrad", 2, numbers}, LeakyReLU: {"LeakyReLU", 2, floats},
	Eq: {"Eq", 2, compare}, Ne: {"Ne", 2, compare}, Lt: {"Lt", 2, compare}, Le: {"Le", 2, compare},
	Gt: {"Gt", 2, compare}, Ge: {"Ge", 2, compare},
	And: {"And", 2, logic}, Or: {"Or", 2, logic}, Xor: {"Xor", 2, logic},

	Where: {"Where", 3, selector}, Clip: {"Clip", 3, numbers}, MulAdd: {"MulAdd", 3, numbers},
}

// All returns every function, in order.
func All() []Func {
	all := make([]Func, 0, count-1)
	for f := Invalid + 1; f < count; f++ {
		all = append(all, f)
	}
	return all
}

// Arity is the number of arguments, 1 to 3.
func (f Func) Arity() int { return int(infos[f].arity) }

// String is the function's name, as in "Exp": the name of the op that applies it.
func (f Func) String() string {
	if f == Invalid || f >= count {
		return fmt.Sprintf("scalar.Func(%d)", uint8(f))
	}
	return infos[f].name
}

// FloatOnly reports whether the function is defined for f32 and f64 alone.
func (f Func) FloatOnly() bool { return infos[f].domain == floats || infos[f].domain == finite }

// Logical reports whether the arguments are bools.
func (f Func) Logical() bool { return infos[f].domain == logic }

// GivesBool reports whether the result is bool.
func (f Func) GivesBool() bool {
	d := infos[f].domain
	return d == compare || d == logic || d == finite
}
