package cpu

// Reductions over the rows and the columns of a block, in plain Go.

import (
	"bytes"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

func plainRowReduction(kind Reduce, dt DType) Rows {
	switch dt {
	case Bool:
		return boolRows(kind)
	case I32:
		if kind == Sum {
			return rowSum[int32, int64]
		}
		return rowReduction[int32](kind)
	case I64:
		if kind == Sum {
			return rowSum[int64, int64]
		}
		return rowReduction[int64](kind)
	case F32:
		if kind == Sum {
			return rowSum[float32, float64]
		}
		return rowReduction[float32](kind)
	case F64:
		if kind == Sum {
			return rowSum[float64, float64]
		}
		return rowReduction[float64](kind)
	}
	return nil
}

// rowSum adds up each row in four interleaved partial sums of the wider type, which keep the adder busy.
func rowSum[T, W number](dst, src unsafe.Pointer, rows, cols int) {
	d, s := block[W](dst, rows), block[T](src, rows*cols)
	for r := range d {
		x := s[r*cols : (r+1)*cols]
		var s0, s1, s2, s3 W
		for len(x) >= 4 {
			s0 += W(x[0])
			s1 += W(x[1])
			s2 += W(x[2])
			s3 += W(x[3])
			x = x[4:]
		}
		for _, v := range x {
			s0 += W(v)
		}
		d[r] += (s0 + s1) + (s2 + s3)
	}
}

// rowSquares adds up the squares of each row in four interleaved partial sums.
func rowSquares[T float32 | float64](dst, src unsafe.Pointer, rows, cols int) {
	d, s := block[float64](dst, rows), block[T](src, rows*cols)
	for r := range d {
		x := s[r*cols : (r+1)*cols]
		var s0, s1, s2, s3 T
		for len(x) >= 4 {
			s0 += x[0] * x[0]
			s1 += x[1] * x[1]
			s2 += x[2] * x[2]
			s3 += x[3] * x[3]
			x = x[4:]
		}
		for _, v := range x {
			s0 += v * v
		}
		d[r] += float64((s0 + s1) + (s2 + s3))
	}
}

func rowReduction[T number](kind Reduce) Rows {
	switch kind {
	case Prod:
		return func(dst, src unsafe.Pointer, rows, cols int) {
			d, s := block[T](dst, rows), block[T](src, rows*cols)
			for r := range d {
				p := T(1)
				for _, v := range s[r*cols : (r+1)*cols] {
					p *= v
				}
				d[r] = flush(d[r] * p)
			}
		}
	case Max:
		return func(dst, src unsafe.Pointer, rows, cols int) {
			d, s := block[T](dst, rows), block[T](src, rows*cols)
			for r := range d {
				m := d[r]
				for _, v := range s[r*cols : (r+1)*cols] {
					m = max(m, v)
				}
				d[r] = m
			}
		}
	case Min:
		return func(dst, src unsafe.Pointer, rows, cols int) {
			d, s := block[T](dst, rows), block[T](src, rows*cols)
			for r := range d {
				m := d[r]
				for _, v := range s[r*cols : (r+1)*cols] {
					m = min(m, v)
				}
				d[r] = m
			}
		}
	}
	return nil
}

// boolRows returns All and Any. A row whose result is settled is not read on.
func boolRows(kind Reduce) Rows {
	if kind != All && kind != Any {
		return nil
	}
	settled := bit(kind == Any)
	return func(dst, src unsafe.Pointer, rows, cols int) {
		d, s := block[uint8](dst, rows), block[uint8](src, rows*cols)
		for r := range d {
			if bytes.IndexByte(s[r*cols:(r+1)*cols], settled) >= 0 {
				d[r] = settled
			}
		}
	}
}

// combiner returns the two-argument function that a reduction repeats, or Invalid where it is not defined for dt.
func combiner(kind Reduce, dt DType) scalar.Func {
	switch {
	case dt == Bool && kind == All:
		return scalar.And
	case dt == Bool && kind == Any:
		return scalar.Or
	case dt == Bool:
		return scalar.Invalid
	case kind == Sum:
		return scalar.Add
	case kind == Prod:
		return scalar.Mul
	case kind == Max:
		return scalar.Max
	case kind == Min:
		return scalar.Min
	}
	return scalar.Invalid
}

// columnsByRows reduces columns by combining dst with one row after the other.
func columnsByRows(kind Reduce, dt DType) Rows {
	f := combiner(kind, dt)
	if f == scalar.Invalid {
		return nil
	}
	combine, size := Function(f, dt), dt.Size()
	return func(dst, src unsafe.Pointer, rows, cols int) {
		for r := range rows {
			combine(dst, dst, unsafe.Add(src, r*cols*size), nil, cols)
		}
	}
}
