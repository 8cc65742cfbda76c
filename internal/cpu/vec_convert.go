package cpu

// Casts between all pairs of element types, in plain Go.

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/half"
)

func plainConvert(from, to DType) Vec {
	if short(from) || short(to) {
		return convertShort(from, to)
	}
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

// short reports whether dt is a float type of two bytes.
func short(dt DType) bool { return dt == BF16 || dt == F16 }

// convertShort casts from or to a type of two bytes, by way of F32, or of F64 where that type is longer than F32.
func convertShort(from, to DType) Vec {
	switch {
	case from == to:
		return func(dst, a, _, _ unsafe.Pointer, n int) { copy(block[uint16](dst, n), block[uint16](a, n)) }
	case short(from) && to == F32:
		return widen[float32](from)
	case short(from) && to == F64:
		return widen[float64](from)
	case short(from):
		return through(from, to, F32)
	case from == F32:
		return narrow[float32](to)
	case from == F64:
		return narrow[float64](to)
	}
	return through(from, to, F64)
}

func widen[D float](from DType) Vec {
	value := half.BF16
	if from == F16 {
		value = half.F16
	}
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := block[D](dst, n), block[uint16](a, n)
		for i := range d {
			d[i] = D(value(x[i]))
		}
	}
}

func narrow[S float](to DType) Vec {
	round := half.ToBF16
	if to == F16 {
		round = half.ToF16
	}
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := block[uint16](dst, n), block[S](a, n)
		for i := range d {
			d[i] = round(half.Odd(float64(x[i])))
		}
	}
}

// through casts by way of a third type, a few elements at a time.
func through(from, to, by DType) Vec {
	first, second := Convert(from, by), Convert(by, to)
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		var buffer [64]float64
		for i := 0; i < n; i += len(buffer) {
			m := min(len(buffer), n-i)
			first(unsafe.Pointer(&buffer), unsafe.Add(a, i*from.Size()), nil, nil, m)
			second(unsafe.Add(dst, i*to.Size()), unsafe.Pointer(&buffer), nil, nil, m)
		}
	}
}
