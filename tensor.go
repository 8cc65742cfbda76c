package tarn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file holds Tensor, the data that goes into a program and comes out of it.

// DType is the type of a tensor's elements.
type DType uint8

// The element types.
const (
	Bool DType = DType(ir.Bool)
	I32  DType = DType(ir.I32)
	I64  DType = DType(ir.I64)
	F32  DType = DType(ir.F32)
	F64  DType = DType(ir.F64)

	// BF16 and F16 store numbers in two bytes: Cast, inputs, params and outputs have them, and other ops refuse them. BF16 has the range of F32
	// and 8 significant bits, F16 (IEEE 754 binary16) has 11 and reaches from 6e-8 to 65504. Their typed memory is Raw.
	BF16 DType = DType(ir.BF16)
	F16  DType = DType(ir.F16)
)

// String is the short name, as in "f32".
func (d DType) String() string { return ir.DType(d).String() }

// Size is the number of bytes of one element; 0 if d is none of the element types.
func (d DType) Size() int {
	if d > F16 {
		return 0
	}
	return ir.DType(d).Size()
}

// IsFloat reports whether d is F32 or F64: the types that have gradients.
func (d DType) IsFloat() bool { return ir.DType(d).Float() }

// Element lists the Go types that tensors hold.
type Element interface {
	bool | int32 | int64 | float32 | float64
}

// dtypeOf is the DType of a Go element type.
func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case bool:
		return Bool
	case int32:
		return I32
	case int64:
		return I64
	case float32:
		return F32
	default:
		return F64
	}
}

// Tensor is an n-dimensional array in row-major order. A tensor without axes is a scalar. The zero Tensor is not useful;
// make tensors with Zeros, FromSlice, Vector or Scalar.
//
// The elements of a param or a result are where they were last written: an engine for an accelerator leaves them on the device, and the methods of Tensor
// fetch them. A slice that F32, F64, I32, I64, Bools or Raw returns shares the memory of the tensor until the next run of a program that assigns it: after that, ask for the slice again.
type Tensor struct {
	array   ir.Array
	storage *exec.Storage // of array's memory; nil for the zero Tensor
}

// newTensor returns a tensor whose memory is that of a.
func newTensor(a ir.Array) *Tensor {
	t := &struct {
		Tensor
		storage exec.Storage
	}{}
	t.storage.Init(a)
	t.Tensor = Tensor{a, &t.storage}
	return &t.Tensor
}

// read makes the elements in memory current, which may be on an accelerator.
func (t *Tensor) read() ir.Array {
	if err := t.storage.Read(); err != nil {
		panic(lost(err))
	}
	return t.array
}

// write is read for a caller who may change the elements.
func (t *Tensor) write() ir.Array {
	if err := t.storage.Write(); err != nil {
		panic(lost(err))
	}
	return t.array
}

// lost is what an accessor panics with if a device has failed.
func lost(err error) string {
	return "tarn: the elements of a tensor cannot be read from the device: " + err.Error()
}

// Fetch waits for the elements of a tensor that is on an accelerator and copies them to memory; of others it does nothing. All methods do that by themselves, and
// panic if the device has failed in the meantime. Fetch returns the error.
func (t *Tensor) Fetch() error {
	if t == nil {
		return nil
	}
	return t.storage.Read()
}

// exists reports whether t is a tensor that a constructor has made.
func (t *Tensor) exists() bool { return t != nil && (t.array.Data != nil || t.array.Size() == 0) }

// NewTensor returns a tensor of zeros whose shape is not known to be right or small, such as one that comes from outside. It is an error if a size is
// negative, the dtype is none, or the process may not have as much memory: the package comment says what it may have.
func NewTensor(dtype DType, shape ...int) (*Tensor, error) {
	t, err := zeros(ir.Type{DType: ir.DType(dtype), Shape: shape})
	if err != nil {
		return nil, fmt.Errorf("tarn: NewTensor: %w", err)
	}
	return t, nil
}

// Zeros returns a tensor of zeros. Like make, it panics where NewTensor returns an error.
func Zeros(dtype DType, shape ...int) *Tensor {
	t, err := zeros(ir.Type{DType: ir.DType(dtype), Shape: shape})
	if err != nil {
		panic("tarn.Zeros: " + err.Error())
	}
	return t
}

func zeros(t ir.Type) (*Tensor, error) {
	if err := checkType(t); err != nil {
		return nil, err
	}
	if err := limit.Check(t.Bytes()); err != nil {
		return nil, newProblem("%v is too large: %v; %s", t, err, limit.Hint)
	}
	t.Shape = slices.Clone(t.Shape)
	return newTensor(ir.NewArray(t)), nil
}

// FromSlice returns a tensor that uses data as its memory, in row-major order. It is an error if the shape does
// not have len(data) elements.
func FromSlice[T Element](data []T, shape ...int) (*Tensor, error) {
	if err := checkShape(shape); err != nil {
		return nil, fmt.Errorf("tarn: FromSlice: %w", err)
	}
	if n := ir.Size(shape); n != len(data) {
		return nil, fmt.Errorf("tarn: FromSlice: shape %s holds %d elements, the slice has %d", ir.ShapeString(shape), n, len(data))
	}
	return wrap(data, slices.Clone(shape)), nil
}

// Vector returns a tensor of one axis that uses data as its memory.
func Vector[T Element](data []T) *Tensor { return wrap(data, []int{len(data)}) }

// Scalar returns a tensor without axes that holds v.
func Scalar[T Element](v T) *Tensor { return wrap([]T{v}, []int{}) }

func wrap[T Element](data []T, shape []int) *Tensor {
	if len(data) == 0 {
		return Zeros(dtypeOf[T](), shape...)
	}
	t := ir.Type{DType: ir.DType(dtypeOf[T]()), Shape: shape}
	return newTensor(ir.Array{Type: t, Data: unsafe.Pointer(unsafe.SliceData(data))})
}

// checkShape refuses negative sizes and shapes whose element count overflows.
func checkShape(shape []int) error {
	n := 1
	for i, d := range shape {
		if d < 0 {
			return fmt.Errorf("shape %s has the negative size %d at axis %d", ir.ShapeString(shape), d, i)
		}
		if d > 0 && n > math.MaxInt/8/d {
			return fmt.Errorf("shape %s holds more elements than memory can", ir.ShapeString(shape))
		}
		n *= max(d, 1) // an axis of size 0 makes no other one smaller
	}
	return nil
}

// Shape returns the sizes of the axes. The slice is the caller's to keep.
func (t *Tensor) Shape() []int { return slices.Clone(t.array.Shape) }

// DType returns the type of the elements.
func (t *Tensor) DType() DType { return DType(t.array.DType) }

// Rank returns the number of axes.
func (t *Tensor) Rank() int { return len(t.array.Shape) }

// Size returns the number of elements.
func (t *Tensor) Size() int { return t.array.Size() }

// F32 returns the elements, sharing the tensor's memory. Like every typed accessor it panics if the dtype is different.
func (t *Tensor) F32() []float32 { return elements[float32](t) }

// F64 returns the elements of an F64 tensor, sharing its memory.
func (t *Tensor) F64() []float64 { return elements[float64](t) }

// I32 returns the elements of an I32 tensor, sharing its memory.
func (t *Tensor) I32() []int32 { return elements[int32](t) }

// I64 returns the elements of an I64 tensor, sharing its memory.
func (t *Tensor) I64() []int64 { return elements[int64](t) }

// Bools returns the elements of a Bool tensor, sharing its memory.
func (t *Tensor) Bools() []bool { return elements[bool](t) }

func elements[T Element](t *Tensor) []T {
	if want := dtypeOf[T](); t.DType() != want {
		panic(fmt.Sprintf("tarn: the tensor's elements are %v, not %v; convert it with Cast", t.DType(), want))
	}
	return ir.Slice[T](t.write())
}

// Float returns element i, counted in row-major order, as a float64; a bool is 0 or 1.
func (t *Tensor) Float(i int) float64 {
	t.checkIndex(i)
	return t.read().Float(i)
}

// SetFloat stores v, rounded to the dtype, as element i, counted in row-major order.
func (t *Tensor) SetFloat(i int, v float64) {
	t.checkIndex(i)
	t.write().SetFloat(i, v)
}

func (t *Tensor) checkIndex(i int) {
	if i < 0 || i >= t.Size() {
		panic(fmt.Sprintf("tarn: element %d of a tensor of %d elements", i, t.Size()))
	}
}

// Item returns the only element of a tensor of size 1, as a float64. Like every accessor it panics on misuse.
func (t *Tensor) Item() float64 {
	if t.Size() != 1 {
		panic(fmt.Sprintf("tarn: Item of a tensor of shape %s, which does not hold exactly one element", ir.ShapeString(t.array.Shape)))
	}
	return t.read().Float(0)
}

// Floats returns all elements as float64, in a new slice.
func (t *Tensor) Floats() []float64 {
	out := make([]float64, t.Size())
	a := t.read()
	for i := range out {
		out[i] = a.Float(i)
	}
	return out
}

// Clone returns a copy with its own memory.
func (t *Tensor) Clone() *Tensor {
	c := Zeros(t.DType(), t.array.Shape...)
	copy(c.array.Raw(), t.read().Raw())
	return c
}

// CopyFrom copies the elements of src, which must have the dtype and shape of t.
func (t *Tensor) CopyFrom(src *Tensor) error {
	if src == nil {
		return fmt.Errorf("tarn: CopyFrom: the tensor to copy into %v is nil", t.array.Type)
	}
	if !t.array.Type.Equal(src.array.Type) {
		return fmt.Errorf("tarn: CopyFrom: cannot copy %v into %v", src.array.Type, t.array.Type)
	}
	from := src.read()
	t.storage.Drop()
	copy(t.array.Raw(), from.Raw())
	return nil
}

// Reshape returns a tensor of another shape that shares the memory of t. One size may be -1: it is computed from the others.
func (t *Tensor) Reshape(shape ...int) (*Tensor, error) {
	reshaped, err := irop.Reshape{Shape: shape}.Infer([]ir.Type{t.array.Type})
	if err != nil {
		return nil, fmt.Errorf("tarn: Reshape: %w", err)
	}
	return &Tensor{ir.Array{Type: reshaped, Data: t.array.Data}, t.storage}, nil
}

// Cast returns a copy with elements converted to dtype: floats are truncated to integers, rounded to the nearest number of a shorter float type, of
// two the even one, and any number but 0 is true. What is beyond the range of F16 becomes infinite.
func (t *Tensor) Cast(dtype DType) *Tensor {
	c := Zeros(dtype, t.array.Shape...)
	c.fill(t)
	return c
}

// fill stores the elements of src, which has as many, converted to the dtype of t.
func (t *Tensor) fill(src *Tensor) {
	irop.Cast{To: t.array.DType}.Eval(t.write(), []ir.Array{src.read()})
}

// Raw returns the memory of the elements, in the machine's byte order, sharing it.
func (t *Tensor) Raw() []byte { return t.write().Raw() }

// Equal reports whether t and u have one dtype, one shape and elements that differ by at most
// tolerance + tolerance*|u|. A NaN equals a NaN, and an infinity only itself.
func (t *Tensor) Equal(u *Tensor, tolerance float64) bool { return t.Diff(u, tolerance) == "" }

// Diff describes where t and u differ by more than Equal allows: the first such element and how many there are. It returns "" if they are equal.
func (t *Tensor) Diff(u *Tensor, tolerance float64) string {
	if !t.array.Type.Equal(u.array.Type) {
		return fmt.Sprintf("types differ: %v and %v", t.array.Type, u.array.Type)
	}
	first, count := -1, 0
	t.read()
	u.read()
	for i := range t.Size() {
		if !t.elementEqual(u, i, tolerance) {
			if first < 0 {
				first = i
			}
			count++
		}
	}
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d elements differ, the first at %v: %v and %v", count, t.Size(),
		ir.Unravel(first, t.array.Shape), t.array.Float(first), u.array.Float(first))
}

func (t *Tensor) elementEqual(u *Tensor, i int, tolerance float64) bool {
	if !t.array.DType.Float() && !t.array.DType.Storage() {
		return t.array.Int(i) == u.array.Int(i)
	}
	a, b := t.array.Float(i), u.array.Float(i)
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return true
	}
	return !math.IsInf(a, 0) && !math.IsInf(b, 0) && math.Abs(a-b) <= tolerance+tolerance*math.Abs(b)
}

// String prints dtype, shape and elements; long axes are cut to their first and last three. Nil and the zero Tensor are "no tensor".
func (t *Tensor) String() string {
	if !t.exists() {
		return "no tensor"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v ", t.array.Type)
	if t.Size() == 0 {
		b.WriteString("[]")
		return b.String()
	}
	t.read()
	t.print(&b, 0, 0, 1)
	return b.String()
}

const printEdge = 3 // elements printed at each end of a long axis

func (t *Tensor) print(b *strings.Builder, axis, offset, indent int) {
	shape := t.array.Shape
	if axis == len(shape) {
		t.printElement(b, offset)
		return
	}
	stride := ir.Size(shape[axis+1:])
	last := axis == len(shape)-1
	b.WriteByte('[')
	for i := 0; i < shape[axis]; i++ {
		if i > 0 && last {
			b.WriteByte(' ')
		} else if i > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent))
		}
		if shape[axis] > 2*printEdge+1 && i == printEdge {
			b.WriteString("...")
			i = shape[axis] - printEdge - 1
			continue
		}
		t.print(b, axis+1, offset+i*stride, indent+1)
	}
	b.WriteByte(']')
}

func (t *Tensor) printElement(b *strings.Builder, i int) {
	switch t.DType() {
	case Bool:
		fmt.Fprint(b, t.array.Int(i) != 0)
	case I32, I64:
		fmt.Fprint(b, t.array.Int(i))
	case F32:
		fmt.Fprintf(b, "%.6g", float32(t.array.Float(i)))
	case BF16:
		fmt.Fprintf(b, "%.3g", t.array.Float(i))
	case F16:
		fmt.Fprintf(b, "%.4g", t.array.Float(i))
	default:
		fmt.Fprintf(b, "%.6g", t.array.Float(i))
	}
}
