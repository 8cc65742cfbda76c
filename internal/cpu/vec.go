package cpu

// Vector functions: the instructions of fused row loops. A loop pushes blocks of about 1 KB, which stay in the first-level
// cache, through a table of functions that all have one signature. No function allocates; the assembly ones use no stack.

import (
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// DType is the type of the elements of a block.
type DType uint8

// The element types. A Bool is one byte, 0 or 1.
const (
	Bool DType = iota
	I32
	I64
	F32
	F64
	BF16 // like F16 for conversions only
	F16
)

var dtypes = [...]struct {
	name string
	size int
}{Bool: {"bool", 1}, I32: {"i32", 4}, I64: {"i64", 8}, F32: {"f32", 4}, F64: {"f64", 8}, BF16: {"bf16", 2}, F16: {"f16", 2}}

// String is the short name, as in "f32".
func (dt DType) String() string { return dtypes[dt].name }

// Size is the size of an element in bytes.
func (dt DType) Size() int { return dtypes[dt].size }

// Vec computes n elements of dst from up to three operand blocks; unused ones are nil. dst may be the very block of an
// operand whose elements are at least as large as those of dst. Otherwise blocks do not overlap. Each element of the result
// depends on its operands alone, not on its place in the block or on n: cutting a long array differently changes no bit.
type Vec func(dst, a, b, c unsafe.Pointer, n int)

// kernel names one vector function.
type kernel struct {
	f  scalar.Func
	dt DType
}

// Function returns the vector function of f that is best at the current level, or nil if f is not defined for dt. dt is the
// type of the operands, also where the result is Bool; for Where it is the type of the two values, and the condition is
// Bool. Denormal operands count as zero and denormal results are zero, unless f keeps them; at the plain level sums, products and quotients take
// denormal operands as they are.
func Function(f scalar.Func, dt DType) Vec {
	if v := fastFunction(Current(), kernel{f, dt}); v != nil {
		return v
	}
	v := plainFunction(f, dt)
	if v != nil {
		chosePlain("function", f, dt)
	}
	return v
}

// ByDefinition reports whether the function that Function returns applies the definition of f to one element after the other, which is slow.
func ByDefinition(f scalar.Func, dt DType) bool {
	if fastFunction(Current(), kernel{f, dt}) != nil {
		return false
	}
	switch dt {
	case F32:
		return floatLoop[float32](f) == nil
	case F64:
		return floatLoop[float64](f) == nil
	}
	return f == scalar.Pow || f == scalar.ShiftL || f == scalar.ShiftR
}

// conversion names one cast.
type conversion struct{ from, to DType }

// Convert returns the cast between two types. Floats are truncated towards zero to integers; NaN and what does not fit gives
// the smallest integer, which is what x86 does and PyTorch shows there. I64 is cut to the low bits for I32. To Bool, anything but
// zero is true, NaN too; a denormal number counts as zero. A cast to the same type copies, and casts between float types keep denormal numbers. BF16
// and F16 are rounded to once, to the nearest, of two the even one.
func Convert(from, to DType) Vec {
	if v := fastConvert(Current(), conversion{from, to}); v != nil {
		return v
	}
	if v := fastShort(Current(), conversion{from, to}); v != nil {
		return v
	}
	chosePlain("cast to", to, from)
	return plainConvert(from, to)
}

// Reduce is a kind of reduction.
type Reduce uint8

// The reductions. All and Any are for Bool, the others for numbers. Max and Min are NaN if any element is.
const (
	Sum Reduce = iota
	Prod
	Max
	Min
	All
	Any
)

var reduceNames = [...]string{Sum: "sum", Prod: "prod", Max: "max", Min: "min", All: "all", Any: "any"}

// String is the name of the reduction, as in "sum".
func (k Reduce) String() string { return reduceNames[k] }

// Rows works on a contiguous block of rows x cols elements.
type Rows func(dst, src unsafe.Pointer, rows, cols int)

// reduction names one reduction of rows or columns.
type reduction struct {
	kind Reduce
	dt   DType
}

// RowReduction returns the function that sets dst[r] = combine(dst[r], reduction of row r), or nil if kind is not defined for dt. A sum is taken in
// the wider type and combined with a dst of it: F64 for floats, I64 for integers. All other reductions have the dst of dt.
// The result is a function of the elements, rows and cols alone, at one level; which of two zeros is the larger is open.
func RowReduction(kind Reduce, dt DType) Rows {
	if r := fastRowReduction(Current(), reduction{kind, dt}); r != nil {
		return r
	}
	r := plainRowReduction(kind, dt)
	if r != nil {
		chosePlain("rows", kind, dt)
	}
	return r
}

// RowSquares returns the function that sets the F64 dst[r] = dst[r] + sum of the squares of row r, for F32 and F64. The squares of F32 are added
// up in F32: the sum says whether all elements are finite, and how large they are. It is not finite if an element is not, or if it overflows.
func RowSquares(dt DType) Rows {
	if r := fastRowSquares(Current(), dt); r != nil {
		return r
	}
	if dt == F32 {
		return rowSquares[float32]
	}
	return rowSquares[float64]
}

// ColumnReduction returns the function that sets dst[c] = combine(dst[c], src[0,c], src[1,c], ...), or nil if kind is not defined for dt. It works
// in dt itself, strictly in the order of the rows, so that a reduction in several calls over consecutive blocks of rows has
// the bits of one call, at every level.
func ColumnReduction(kind Reduce, dt DType) Rows {
	if r := fastColumnReduction(Current(), reduction{kind, dt}); r != nil {
		return r
	}
	return columnsByRows(kind, dt)
}
