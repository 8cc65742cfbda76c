package data

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/dense"
)

// ErrLimit is part of every error for a file that is larger than the MaxBytes of IDX, CSV or npy.Options.
var ErrLimit = dense.ErrLimit

// Array is a dense array as a file holds it: Data is a slice of uint8, int8, int16, int32, int64, float32, float64 or
// bool with the elements in row-major order. It has element types that a tarn.Tensor does not have, so that a data set of
// bytes can stay bytes in memory.
type Array struct {
	Shape []int
	Data  any
}

// length returns the number of elements that a.Data holds, and the size of one in bytes; size 0 means an unknown type.
func (a Array) length() (n, size int) {
	switch d := a.Data.(type) {
	case []uint8:
		return len(d), 1
	case []int8:
		return len(d), 1
	case []bool:
		return len(d), 1
	case []int16:
		return len(d), 2
	case []int32:
		return len(d), 4
	case []float32:
		return len(d), 4
	case []int64:
		return len(d), 8
	case []float64:
		return len(d), 8
	}
	return 0, 0
}

// Check returns an error unless Data is a slice of a known type with as many elements as Shape says.
func (a Array) Check() error {
	n, size := a.length()
	if size == 0 {
		return fmt.Errorf("elements of type %T: want []uint8, []int8, []int16, []int32, []int64, []float32, []float64 or []bool", a.Data)
	}
	want, err := dense.Count(a.Shape, size)
	if err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("shape %v needs %d elements, there are %d", a.Shape, want, n)
	}
	return nil
}

// FromTensor returns the array that shares the memory of t. BF16 and F16, which arrays do not have, become float32.
func FromTensor(t *tarn.Tensor) Array {
	a := Array{Shape: t.Shape()}
	switch t.DType() {
	case tarn.F32:
		a.Data = t.F32()
	case tarn.F64:
		a.Data = t.F64()
	case tarn.I32:
		a.Data = t.I32()
	case tarn.I64:
		a.Data = t.I64()
	case tarn.BF16, tarn.F16:
		a.Data = t.Cast(tarn.F32).F32()
	default:
		a.Data = t.Bools()
	}
	return a
}

// Tensor returns the array as a tensor. It shares the memory of the array, except for uint8, int8 and int16, which tensors do
// not have: these become I32.
func (a Array) Tensor() (*tarn.Tensor, error) {
	if err := a.Check(); err != nil {
		return nil, fmt.Errorf("data: Tensor: %w", err)
	}
	switch d := a.Data.(type) {
	case []float32:
		return tarn.FromSlice(d, a.Shape...)
	case []float64:
		return tarn.FromSlice(d, a.Shape...)
	case []int32:
		return tarn.FromSlice(d, a.Shape...)
	case []int64:
		return tarn.FromSlice(d, a.Shape...)
	case []uint8:
		return tarn.FromSlice(widen(d), a.Shape...)
	case []int8:
		return tarn.FromSlice(widen(d), a.Shape...)
	case []int16:
		return tarn.FromSlice(widen(d), a.Shape...)
	}
	return tarn.FromSlice(a.Data.([]bool), a.Shape...)
}

// widen converts small integers to int32.
func widen[T uint8 | int8 | int16](src []T) []int32 {
	dst := make([]int32, len(src))
	for i, v := range src {
		dst[i] = int32(v)
	}
	return dst
}
