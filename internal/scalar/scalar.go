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
	Exp2       // 2^a, exact for integers
	Log2       // logarithm to the base 2, exact for powers of 2
	Erfc       // 1 - erf(a), which keeps its digits where it is small
	ErfInv     // inverse of the error function
	Lgamma     // log|gamma(a)|
	Digamma    // derivative of log(gamma(a))
	Trigamma   // derivative of Digamma
	Erf        // error function
	Floor      // largest integer not above a
	Ceil       // smallest integer not below a
	Round      // nearest integer, halves to even
	ReLU       // a where a > 0, else 0; NaN stays NaN
	GELU       // a*Phi(a), Phi the normal distribution function
	GELUPrime  // Phi(a) + a*phi(a), the derivative of GELU
	IsFinite   // bool: neither infinite nor NaN
	Not        // bool of bool
	BitNot     // all bits of an integer negated

	// Two arguments.
	Add       // a + b
	Sub       // a - b
	Mul       // a * b
	Div       // a / b; integers truncate; an integer divided by zero is zero
	Pow       // a^b; of integers 0 for a negative b, unless a is 1 or -1
	Min       // the smaller; NaN if either is NaN
	Max       // the larger; NaN if either is NaN
	Atan2     // the angle of the point (b, a), as math.Atan2(a, b)
	ReLUGrad  // a where b > 0, else 0: gradient a passed through ReLU at b
	LeakyReLU // a where a > 0, else a*b
	Polygamma // derivative of order a of Digamma at b
	IGamma    // regularized lower incomplete gamma function P(a, b)
	IGammaC   // regularized upper incomplete gamma function Q(a, b) = 1 - P(a, b)
	GammaPDF  // b^(a-1) e^-b / gamma(a), the derivative of IGamma with respect to b
	Eq        // bool: a == b
	Ne        // bool: a != b
	Lt        // bool: a < b
	Le        // bool: a <= b
	Gt        // bool: a > b
	Ge        // bool: a >= b
	And       // bool of bools
	Or        // bool of bools
	Xor       // bool of bools
	BitAnd    // integers, bit by bit
	BitOr     // integers, bit by bit
	BitXor    // integers, bit by bit
	ShiftL    // a * 2^b of integers; 0 if b is negative or not below the number of bits
	ShiftR    // a / 2^b of integers, rounded down; the sign, 0 or -1, if b is negative or not below the number of bits

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
	integers               // i32 and i64 only, to the same dtype
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
	Exp2: {"Exp2", 1, floats}, Log2: {"Log2", 1, floats}, Erfc: {"Erfc", 1, floats}, ErfInv: {"ErfInv", 1, floats},
	Lgamma: {"Lgamma", 1, floats}, Digamma: {"Digamma", 1, floats}, Trigamma: {"Trigamma", 1, floats},
	Floor: {"Floor", 1, floats}, Ceil: {"Ceil", 1, floats}, Round: {"Round", 1, floats},
	ReLU: {"ReLU", 1, numbers}, GELU: {"GELU", 1, floats}, GELUPrime: {"GELUPrime", 1, floats},
	IsFinite: {"IsFinite", 1, finite}, Not: {"Not", 1, logic}, BitNot: {"BitNot", 1, integers},

	Add: {"Add", 2, numbers}, Sub: {"Sub", 2, numbers}, Mul: {"Mul", 2, numbers}, Div: {"Div", 2, numbers},
	Pow: {"Pow", 2, numbers}, Min: {"Min", 2, numbers}, Max: {"Max", 2, numbers}, Atan2: {"Atan2", 2, floats},
	ReLUGrad: {"ReLUGrad", 2, numbers}, LeakyReLU: {"LeakyReLU", 2, floats},
	Polygamma: {"Polygamma", 2, floats}, IGamma: {"IGamma", 2, floats}, IGammaC: {"IGammaC", 2, floats}, GammaPDF: {"GammaPDF", 2, floats},
	Eq: {"Eq", 2, compare}, Ne: {"Ne", 2, compare}, Lt: {"Lt", 2, compare}, Le: {"Le", 2, compare},
	Gt: {"Gt", 2, compare}, Ge: {"Ge", 2, compare},
	And: {"And", 2, logic}, Or: {"Or", 2, logic}, Xor: {"Xor", 2, logic},
	BitAnd: {"BitAnd", 2, integers}, BitOr: {"BitOr", 2, integers}, BitXor: {"BitXor", 2, integers},
	ShiftL: {"ShiftL", 2, integers}, ShiftR: {"ShiftR", 2, integers},

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

// IntOnly reports whether the function is defined for i32 and i64 alone.
func (f Func) IntOnly() bool { return infos[f].domain == integers }

// Logical reports whether the arguments are bools.
func (f Func) Logical() bool { return infos[f].domain == logic }

// GivesBool reports whether the result is bool.
func (f Func) GivesBool() bool {
	d := infos[f].domain
	return d == compare || d == logic || d == finite
}

// KeepsDenormals reports whether the function of floats leaves denormal numbers as they are, because it selects one of its arguments or works
// on the sign alone. For all others they count as zero.
func (f Func) KeepsDenormals() bool {
	switch f {
	case Neg, Abs, Min, Max, Clip, ReLU, Where:
		return true
	}
	return false
}
