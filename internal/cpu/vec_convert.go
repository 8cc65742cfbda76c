package cpu

// Casts between all pairs of element types, in plain Go.

import (
	"math"
	"unsafe"
)

func plainConvert(from, to DType) Vec {
	switch from {
	case Bool:
		return convertFrom[uint8](from, to)
	case I32:
		return convertFrom[int32](from, to)
	case I64:
		return convertFrom[int64](from, to)
	case F32:
		return convertFloat[float32](from, to)
	case F64:
		return convertFloat[float64](from, to)
	}
	return nil
}

// convertFrom casts from an integer type, or to any type that no float overflows.
func convertFrom[S uint8 | number](from, to DType) Vec {
	if from == to {
		return func(dst, a, _, _ unsafe.Pointer, n int) { copy(block[S](dst, n), block[S](a, n)) }
	}
	switch to {
	case Bool:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[uint8](dst, n), block[S](a, n)
			for i := range d {
				d[i] = bit(flush(x[i]) != 0)
			}
		}
	case I32:
		return convertTo[int32, S]
	case I64:
		return convertTo[int64, S]
	case F32:
		return convertTo[float32, S]
	case F64:
		return convertTo[float64, S]
	}
	return nil
}

func convertTo[D number, S uint8 | number](dst, a, _, _ unsafe.Pointer, n int) {
	d, x := block[D](dst, n), block[S](a, n)
	for i := range d {
		d[i] = D(x[i])
	}
}

// convertFloat adds the range check that Go leaves to the processor: a float outside of the integer's range, or NaN, gives
// the smallest integer.
func convertFloat[S float](from, to DType) Vec {
	switch to {
	case I32:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[int32](dst, n), block[S](a, n)
			for i := range d {
				v := int32(math.MinInt32)
				if x := float64(x[i]); x > -0x1p31-1 && x < 0x1p31 {
					v = int32(x)
				}
				d[i] = v
			}
		}
	case I64:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[int64](dst, n), block[S](a, n)
			for i := range d {
				v := int64(math.MinInt64)
				if x := x[i]; x >= -0x1p63 && x < 0x1p63 {
					v = int64(x)
				}
				d[i] = v
			}
		}
	}
	return convertFrom[S](from, to)
}
