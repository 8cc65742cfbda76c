package ir

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// Op is an operation as the compiler sees it: its name and attributes, its shape rule and its reference kernel.
type Op interface {
	// Name is the op's name, as in "MatMul".
	Name() string
	// Attrs prints the op's attributes, as in "axes=[0 1]", or "". Two ops of one name with equal Attrs and equal
	// operands compute equal results; the compiler finds common subexpressions by this.
	Attrs() string
	// Infer is the shape rule: the type of the result, or an error that says which operand, which axis and why. A *Problem
	// may add what to do.
	Infer(in []Type) (Type, error)
	// Eval is the reference kernel: naive and obviously right. out is zeroed; no operand shares its memory.
	Eval(out Array, in []Array)
}

// Elementwise is an op that applies one scalar function to operands of one shape.
type Elementwise interface {
	Op
	Scalar() scalar.Func
}

// Conversion is an op that converts its operand, element by element, to the dtype of its result.
type Conversion interface {
	Op
	Converts()
}

// ReduceKind is how a reduction combines elements.
type ReduceKind uint8

// The reductions. Those of no elements are 0, 1, -Inf or the least integer, +Inf or the largest, true and false.
const (
	ReduceSum ReduceKind = iota
	ReduceProd
	ReduceMax // NaN if any element is NaN
	ReduceMin // NaN if any element is NaN
	ReduceAll
	ReduceAny
)

// Identity stores the reduction of no elements as element i of a.
func Identity(kind ReduceKind, a Array, i int) {
	switch kind {
	case ReduceProd, ReduceAll:
		a.SetInt(i, 1)
	case ReduceMax, ReduceMin:
		least, most := int64(math.MinInt64), int64(math.MaxInt64)
		if a.DType == I32 {
			least, most = math.MinInt32, math.MaxInt32
		}
		switch {
		case a.DType.Float() && kind == ReduceMax:
			a.SetFloat(i, math.Inf(-1))
		case a.DType.Float():
			a.SetFloat(i, math.Inf(1))
		case kind == ReduceMax:
			a.SetInt(i, least)
		default:
			a.SetInt(i, most)
		}
	default:
		a.SetInt(i, 0)
	}
}

// Reduction is an op that combines the elements along some axes, which it drops from the shape.
type Reduction interface {
	Op
	// Reduces returns the kind and the axes, ascending and not negative.
	Reduces() (ReduceKind, []int)
}

// Contraction is a batched matrix product: operands of shapes [batch..., m, k] and [batch..., k, n], where transposed
// operands have their last two axes swapped; the result has shape [batch..., m, n].
type Contraction interface {
	Op
	Contracts() (transposeA, transposeB bool)
}

// View describes elements of some memory: element (i0, i1, ...) of Shape lies at Offset + sum of i*Strides, in elements.
type View struct {
	Shape   []int
	Strides []int
	Offset  int
}

// ViewOf is the row-major view of a whole array.
func ViewOf(shape []int) View { return View{Shape: shape, Strides: Strides(shape)} }

// At returns the place in memory of element i of the view, counted in row-major order.
func (v View) At(i int) int {
	at := v.Offset
	for a := len(v.Shape) - 1; a >= 0; a-- {
		at += i % v.Shape[a] * v.Strides[a]
		i /= v.Shape[a]
	}
	return at
}

// Contiguous reports whether the view's elements lie in row-major order without gaps.
func (v View) Contiguous() bool {
	n := 1
	for i := len(v.Shape) - 1; i >= 0; i-- {
		if v.Shape[i] != 1 && v.Strides[i] != n {
			return Size(v.Shape) == 0
		}
		n *= v.Shape[i]
	}
	return true
}

// Movement is an op that rearranges elements of its first operand and computes nothing.
type Movement interface {
	Op
	// Move returns the result as a view of the same memory as the operand's view v, or false if the result needs a copy.
	// Operands after the first, if any, are only waited for.
	Move(v View) (View, bool)
}

// Lookup is an op that selects the parts of its first operand, the table, along an axis that its second, an index, names: the axes of
// the index replace that axis.
type Lookup interface {
	Op
	// LooksUp returns the axis.
	LooksUp() (axis int)
	// Adjoint is the LookupSum for a table of the given number of parts.
	Adjoint(size int) Op
}

// LookupSum is the adjoint of a Lookup: the parts of its second operand are added up where its first, the index, says.
type LookupSum interface {
	Op
	// AddsUp returns the axis.
	AddsUp() (axis int)
}

// Joint is an op that puts its operands, which are all of one dtype, one after the other along an axis.
type Joint interface {
	Op
	// Joins returns the axis.
	Joins() (axis int)
}

// Fence is implemented by ops that must not be merged with an equal node or folded: a fence protects work that is done
// twice on purpose.
type Fence interface {
	Op
	Fences()
}

// Once is implemented by ops that a run may compute only once, as they do more than compute. Two nodes with the same name and attributes are the same.
type Once interface {
	Op
	Once()
}

// Kernel is implemented by ops that no family covers and that have a faster kernel than Eval. It may rely on nothing
// that Eval may not, and computes the same bits, except in factorizations and Fourier transforms, whose algorithms
// round differently.
type Kernel interface {
	Op
	// Run computes out like Eval, but out holds arbitrary bytes at first.
	Run(out Array, in []Array)
}

// Splittable is a Kernel whose result falls into rows that can be computed apart, in any order and at the same time.
type Splittable interface {
	Kernel
	// Rows is the number of rows; a row is about the same number of elements for all.
	Rows(out Type, in []Type) int
	// RunRows computes the rows from first to before end. Run is RunRows of all.
	RunRows(out Array, in []Array, first, end int)
}

// Worker is a Kernel whose result falls into rows like that of a Splittable, and that needs memory while it computes them.
type Worker interface {
	Kernel
	// Rows is the number of rows, which are about the same number of elements for all.
	Rows(out Type, in []Type) int
	// Work is the number of float64 that RunRows needs.
	Work(out Type, in []Type) int
	// RunRows computes the rows from first to before end. The contents of work do not matter. It allocates nothing.
	RunRows(out Array, in []Array, first, end int, work []float64)
}

// Checked is implemented by ops that compute something safe and useless if the contents of their operands are wrong, such as
// an index that is out of range.
type Checked interface {
	Op
	// Checks is the number of the operand whose contents can be wrong.
	Checks() int
	// Check says what is wrong with the contents of that operand, given the types of all, or nil. It is cheap compared with Eval.
	Check(x Array, in []Type) error
}

// CheckOperands returns what a Checked op finds wrong with its operands' contents, or nil.
func CheckOperands(op Checked, in []Array) error {
	types := make([]Type, len(in))
	for i, a := range in {
		types[i] = a.Type
	}
	return op.Check(in[op.Checks()], types)
}
