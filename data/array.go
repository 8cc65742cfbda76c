package data

import (
	"fmt"

	"github.com/seed-49005b45/tarn/internal/dense"
)

// Array is a dense array as a file holds it: Data is a slice of uint8, int8, int16, int32, int64, float32, float64 or
// bool with the elements in row-major order. It has element types that a tarn.Tensor has not, so that a data set of
// bytes can stay bytes in memory.
type Array struct {
	Shape []int
	Data  any
}

// length is the number of elements that a.Data holds, and the size of one in bytes; size 0 means an unknown type.
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
