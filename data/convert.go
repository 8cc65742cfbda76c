package data

import "github.com/seed-49005b45/tarn"

// This file copies examples out of a field's values into a batch, converting them on the way.

// filler returns a function that writes the examples at the given rows to the front of t.
func (f *field) filler(t *tarn.Tensor) func(rows []int32) {
	switch f.dtype {
	case tarn.F32:
		return fillFloats(f, t.F32())
	case tarn.F64:
		return fillFloats(f, t.F64())
	case tarn.I32:
		return fillIntegers(f, t.I32())
	case tarn.I64:
		return fillIntegers(f, t.I64())
	}
	return copyRows(t.Bools(), f.data.([]bool), f.width)
}

func fillFloats[D float32 | float64](f *field, dst []D) func([]int32) {
	if same, ok := f.data.([]D); ok && len(f.norm.Mean) == 0 {
		return copyRows(dst, same, f.width)
	}
	switch src := f.data.(type) {
	case []uint8:
		if len(f.norm.Mean) <= 1 {
			return lookUpRows(dst, src, f)
		}
		return normalizeRows(dst, src, f)
	case []int32:
		return normalizeRows(dst, src, f)
	case []int64:
		return normalizeRows(dst, src, f)
	case []float32:
		return normalizeRows(dst, src, f)
	}
	return normalizeRows(dst, f.data.([]float64), f)
}

func fillIntegers[D int32 | int64](f *field, dst []D) func([]int32) {
	switch src := f.data.(type) {
	case []uint8:
		return convertRows(dst, src, f.width)
	case []int32:
		return convertRows(dst, src, f.width)
	}
	return convertRows(dst, f.data.([]int64), f.width)
}

// copyRows copies examples as they are.
func copyRows[T any](dst, src []T, width int) func([]int32) {
	return func(rows []int32) {
		for i, r := range rows {
			copy(dst[i*width:(i+1)*width], src[int(r)*width:])
		}
	}
}

// convertRows converts integers to integers.
func convertRows[D int32 | int64, S uint8 | int32 | int64](dst []D, src []S, width int) func([]int32) {
	return func(rows []int32) {
		for i, r := range rows {
			from := src[int(r)*width : (int(r)+1)*width]
			to := dst[i*width : (i+1)*width]
			for j, v := range from {
				to[j] = D(v)
			}
		}
	}
}

// lookUpRows converts bytes by a table of the 256 results.
func lookUpRows[D float32 | float64](dst []D, src []uint8, f *field) func([]int32) {
	var table [256]D
	for v := range table {
		table[v] = D(f.norm.apply(float64(v), 0))
	}
	width := f.width
	return func(rows []int32) {
		for i, r := range rows {
			from := src[int(r)*width : (int(r)+1)*width]
			to := dst[i*width : (i+1)*width]
			for j, v := range from {
				to[j] = table[v]
			}
		}
	}
}

// normalizeRows converts numbers to floats and normalizes them.
func normalizeRows[D float32 | float64, S uint8 | int32 | int64 | float32 | float64](dst []D, src []S, f *field) func([]int32) {
	width, norm := f.width, f.norm
	return func(rows []int32) {
		for i, r := range rows {
			from := src[int(r)*width : (int(r)+1)*width]
			to := dst[i*width : (i+1)*width]
			for j, v := range from {
				to[j] = D(norm.apply(float64(v), j))
			}
		}
	}
}
