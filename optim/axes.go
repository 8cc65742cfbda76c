package optim

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds what Shampoo and SOAP do with each axis of a gradient: a matrix is kept for it, or for each block of it.

// folded is v as [before size after] around an axis.
func folded(v *tarn.Value, axis int) *tarn.Value {
	before := 1
	for a := range axis {
		before *= v.Dim(a)
	}
	size := v.Dim(axis)
	return v.Reshape(before, size, v.Size()/max(1, before*size))
}

// gram is the matrix of the products of v's slices along an axis: v v' for the rows of a matrix, and v' v for its columns.
func gram(v *tarn.Value, axis int) *tarn.Value {
	switch f := folded(v, axis); {
	case f.Dim(0) == 1:
		f = f.Squeeze(0)
		return f.MatMulT(f)
	case f.Dim(2) == 1:
		f = f.Squeeze(2)
		return f.TMatMul(f)
	default:
		f = f.Transpose(0, 1).Flatten(1, 2)
		return f.MatMulT(f)
	}
}

// along multiplies v by the transpose of a square matrix along an axis: m' v for the rows of a matrix, and v m for its columns.
func along(v *tarn.Value, axis int, m *tarn.Value) *tarn.Value {
	f := folded(v, axis)
	if f.Dim(2) == 1 {
		return f.Squeeze(2).MatMul(m).Reshape(v.Shape()...)
	}
	return m.TMatMul(f).Reshape(v.Shape()...)
}

// cut returns the bounds of the blocks, of at most the given number of elements, that an axis is cut into.
func cut(size, most int) []int {
	bounds := []int{0}
	for at := most; at < size; at += most {
		bounds = append(bounds, at)
	}
	return append(bounds, size)
}

// axisState is a square matrix that is kept for block b of an axis under a name.
func (s *Slot) axisState(name string, axis, b, size int) *tarn.Param {
	name = fmt.Sprint(name, axis)
	if b > 0 {
		name = fmt.Sprint(name, ".", b)
	}
	return s.StateOf(name, 0, size, size)
}
