// Package ir is the compiler's view of a graph: typed nodes in topological order and the small interfaces by which
// passes and lowering see an op. It stands below the root package, whose ops implement these interfaces, so that no
// import runs upward and nothing below asks for an op by its name.
package ir

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/pages"
)

// DType is the type of an array's elements.
type DType uint8

// The element types.
const (
	Bool DType = iota // one byte, 0 or 1
	I32
	I64
	F32
	F64
	BF16 // the upper half of an F32; like F16 it is a type of storage, which only conversions read
	F16  // IEEE 754 binary16
)

// String is the short name, as in "f32".
func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

var dtypeNames = [...]string{"bool", "i32", "i64", "f32", "f64", "bf16", "f16"}

// Size is the number of bytes of one element.
func (d DType) Size() int { return [...]int{1, 4, 8, 4, 8, 2, 2}[d] }

// Float reports whether d is a floating-point type that is computed in.
func (d DType) Float() bool { return d == F32 || d == F64 }

// Storage reports whether d only stores numbers: conversions read and write it, and nothing computes in it.
func (d DType) Storage() bool { return d == BF16 || d == F16 }

// Type is the element type and the shape of an array.
type Type struct {
	DType DType
	Shape []int
}

// Size returns the number of elements.
func (t Type) Size() int { return Size(t.Shape) }

// Bytes is the number of bytes that the elements take.
func (t Type) Bytes() int { return t.Size() * t.DType.Size() }

// Equal reports whether both types have the same dtype and shape.
func (t Type) Equal(u Type) bool { return t.DType == u.DType && slices.Equal(t.Shape, u.Shape) }

// String prints the type as in "f32[128 784]".
func (t Type) String() string { return t.DType.String() + ShapeString(t.Shape) }

// Size is the number of elements of a shape: the product of its sizes, 1 for a scalar.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// ShapeString prints a shape as in "[128 784]".
func ShapeString(shape []int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range shape {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, d)
	}
	b.WriteByte(']')
	return b.String()
}

// Strides are the row-major strides of a shape, in elements.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// Unravel turns a row-major position into an index for each axis.
func Unravel(i int, shape []int) []int {
	index := make([]int, len(shape))
	unravelInto(index, i, shape)
	return index
}

// Array is a typed view of memory that holds the elements in row-major order. Reference kernels read and write it
// through Float, Int and their setters; fast paths take the typed slices.
type Array struct {
	Type
	Data unsafe.Pointer
}

// NewArray returns a zeroed array.
func NewArray(t Type) Array {
	// Allocated as 8-byte words so that every element type is aligned.
	words := make([]uint64, (t.Bytes()+7)/8+1)
	pages.Touch(unsafe.Pointer(unsafe.SliceData(words)), 8*len(words))
	return Array{t, unsafe.Pointer(unsafe.SliceData(words))}
}

// Slice returns the elements of a as a slice of T, which must have the size of a's dtype. It is nil if a has no memory.
func Slice[T any](a Array) []T {
	if a.Data == nil {
		return nil
	}
	return unsafe.Slice((*T)(a.Data), a.Size())
}

// Float is element i as a float64; a bool is 0 or 1.
func (a Array) Float(i int) float64 {
	switch a.DType {
	case F32:
		return float64(Slice[float32](a)[i])
	case F64:
		return Slice[float64](a)[i]
	case BF16:
		return float64(half.BF16(Slice[uint16](a)[i]))
	case F16:
		return float64(half.F16(Slice[uint16](a)[i]))
	}
	return float64(a.Int(i))
}

// Int is element i as an int64; floats are truncated.
func (a Array) Int(i int) int64 {
	switch a.DType {
	case Bool:
		return int64(Slice[uint8](a)[i])
	case I32:
		return int64(Slice[int32](a)[i])
	case I64:
		return Slice[int64](a)[i]
	}
	return int64(a.Float(i))
}

// SetFloat stores v as element i, rounded to the dtype; a bool stores v != 0. An integer is truncated; if v is NaN or
// out of its range the result is the least integer, on every machine.
func (a Array) SetFloat(i int, v float64) {
	switch a.DType {
	case F32:
		Slice[float32](a)[i] = float32(v)
	case F64:
		Slice[float64](a)[i] = v
	case BF16:
		Slice[uint16](a)[i] = half.ToBF16(half.Odd(v))
	case F16:
		Slice[uint16](a)[i] = half.ToF16(half.Odd(v))
	case Bool:
		a.SetBool(i, v != 0)
	case I32:
		n := int32(math.MinInt32)
		if v > math.MinInt32-1 && v < math.MaxInt32+1 {
			n = int32(v)
		}
		Slice[int32](a)[i] = n
	case I64:
		n := int64(math.MinInt64)
		if v >= math.MinInt64 && v < 1<<63 {
			n = int64(v)
		}
		Slice[int64](a)[i] = n
	}
}

// SetInt stores v as element i; a bool stores v != 0.
func (a Array) SetInt(i int, v int64) {
	switch a.DType {
	case Bool:
		a.SetBool(i, v != 0)
	case I32:
		Slice[int32](a)[i] = int32(v)
	case I64:
		Slice[int64](a)[i] = v
	case F32:
		Slice[float32](a)[i] = float32(v) // rounded once, not by way of float64
	default:
		a.SetFloat(i, float64(v))
	}
}

// SetBool stores 1 or 0 as element i of any dtype.
func (a Array) SetBool(i int, v bool) {
	n := int64(0)
	if v {
		n = 1
	}
	if a.DType == Bool {
		Slice[uint8](a)[i] = uint8(n)
		return
	}
	a.SetInt(i, n)
}

// Raw returns the memory of the elements.
func (a Array) Raw() []byte { return unsafe.Slice((*byte)(a.Data), a.Bytes()) }

// CopyElement copies element j of src to element i of a; both have one dtype.
func (a Array) CopyElement(i int, src Array, j int) {
	switch a.DType.Size() {
	case 1:
		Slice[uint8](a)[i] = Slice[uint8](src)[j]
	case 2:
		Slice[uint16](a)[i] = Slice[uint16](src)[j]
	case 4:
		Slice[uint32](a)[i] = Slice[uint32](src)[j]
	default:
		Slice[uint64](a)[i] = Slice[uint64](src)[j]
	}
}
