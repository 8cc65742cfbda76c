// Package jit makes machine code for runs of simple elementwise functions when a program is compiled. A run such as an
// optimizer's update is then one pass over its arrays, with everything between in vector registers, and not one pass a
// function. It knows AVX-512, AVX2 and NEON; where there is none of them, or no executable memory, the vector functions of package cpu do the
// function. It knows AVX-512, AVX2 and NEON; where there is none of them, or no executable memory, the vector functions of package cpu do the
package jit

import (
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// Type is the type of a value in a run: the run's float type, or bool.
type Type uint8

// The types.
const (
	Float Type = iota
	Bool       // a byte, 0 or 1, in memory; a bit of a mask register in between
	Int        // int32, in runs whose float type is float32
)

// Input is an operand of a run.
type Input struct {
	Slot   int // where the address of its block stands among the slots
	Type   Type
	Single bool // one number for all elements
	Far    bool // not expected in the cache: the code asks for what comes next ahead of time
}

// Instr applies a function to values: numbers below len(Inputs) are inputs, the others results of earlier instructions.
type Instr struct {
	Func    scalar.Func
	Convert bool // instead of a function: from bool or Int to Float
	Args    [3]int
}

// arity is the number of arguments.
func (in *Instr) arity() int {
	if in.Convert {
		return 1
	}
	return in.Func.Arity()
}

// Output is a value that is stored.
type Output struct {
	Slot  int
	Value int
	Far   bool // as of an Input
	Away  bool // stored past the caches, as nobody will read it soon; all such blocks begin at one distance from a cache line
}

// Reduction combines all elements of a value. Sums are taken in float64.
type Reduction struct {
	Kind  Kind
	Value int
	Slot  int
}

// Kind is what a reduction does.
type Kind uint8

// The kinds. A sum, maximum or minimum of a row is stored; a total is added to the float64 that lies there.
const (
	RowSum  Kind = iota
	RowMax       // NaN if any element is
	RowMin       // NaN if any element is
	Total        // added to a float64
	Columns      // not combined at all: each element is added to the one at its place in the slot's block
)

// Run is a straight run of instructions over blocks of one length.
type Run struct {
	Double  bool // the float type is float64, else float32
	Inputs  []Input
	Instrs  []Instr
	Outputs []Output

	Reductions []Reduction
}

// Memory holds machine code. The Funcs in it may be called as long as it is reachable.
type Memory struct{ bytes []byte }

// Func is the machine code of a run.
type Func struct {
	code uintptr
	size int
}

// Region returns where the code is, for profilers.
func (f Func) Region() (start uintptr, size int) { return f.code, f.size }

// Call computes n elements; slots holds the addresses of the blocks, which the caller keeps alive. Outputs may lie over inputs, element by element.
func (f Func) Call(slots []uintptr, n int) {
	if n > 0 {
		call(f.code, unsafe.SliceData(slots), n)
	}
}

// simple are the functions that any run may hold. Results that are bool are comparisons and logic.
var simple = []scalar.Func{
	scalar.Neg, scalar.Abs, scalar.Square, scalar.Reciprocal, scalar.Sqrt, scalar.Rsqrt, scalar.Floor, scalar.Ceil, scalar.Round,
	scalar.ReLU, scalar.Not, scalar.Add, scalar.Sub, scalar.Mul, scalar.Div, scalar.Min, scalar.Max, scalar.ReLUGrad, scalar.LeakyReLU,
	scalar.Eq, scalar.Ne, scalar.Lt, scalar.Le, scalar.Gt, scalar.Ge, scalar.And, scalar.Or, scalar.Xor,
	scalar.Where, scalar.MulAdd, scalar.Exp, scalar.Expm1, scalar.Sigmoid, scalar.Tanh,
}

// simple32 are those that a run of float32 may hold.
var simple32 = append([]scalar.Func{scalar.Erf, scalar.GELU, scalar.GELUPrime}, simple...)

// Simple reports whether a run may hold f of bools or of floats, float64 if double.
func Simple(f scalar.Func, double bool) bool {
	if double {
		return slices.Contains(simple, f)
	}
	return slices.Contains(simple32, f)
}

// SimpleInt reports whether a run may hold f of Ints: only comparisons.
func SimpleInt(f scalar.Func) bool { return f >= scalar.Eq && f <= scalar.Ge }

// contract turns a product and the sum that needs it into a multiply-add, which rounds once. Whether it does depends on the two alone,
// and not on what else needs the product: so the bits of a sum are the same if more is computed from its operands. A product
// that nothing else needs is gone.
func (r *Run) contract() []fused {
	uses := make([]int, len(r.Inputs)+len(r.Instrs))
	for _, in := range r.Instrs {
		for a := range in.arity() {
			uses[in.Args[a]]++
		}
	}
	for _, o := range r.Outputs {
		uses[o.Value]++
	}
	for _, d := range r.Reductions {
		uses[d.Value]++
	}
	out := make([]fused, len(r.Instrs))
	for i, in := range r.Instrs {
		out[i] = fused{Instr: in}
		if in.Convert || in.Func != scalar.Add && in.Func != scalar.Sub {
			continue
		}
		for side := range 2 {
			at := in.Args[side] - len(r.Inputs)
			if at < 0 || in.Args[0] == in.Args[1] || r.Instrs[at].Convert || r.Instrs[at].Func != scalar.Mul && r.Instrs[at].Func != scalar.Square {
				continue
			}
			p := r.Instrs[at].Args
			if r.Instrs[at].Func == scalar.Square {
				p[1] = p[0]
			}
			out[i] = fused{
				Instr:    Instr{Func: scalar.MulAdd, Args: [3]int{p[0], p[1], in.Args[1-side]}},
				subtract: in.Func == scalar.Sub && side == 0,
				negate:   in.Func == scalar.Sub && side == 1,
			}
			uses[in.Args[side]]--
			out[at].gone = uses[in.Args[side]] == 0
			break
		}
	}
	return out
}

// fused is an instruction after contraction.
type fused struct {
	Instr
	gone     bool // part of a later multiply-add
	subtract bool // a*b - c
	negate   bool // c - a*b
}
