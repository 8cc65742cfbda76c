package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/seed-49005b45/tarn"
)

// This file turns the tensors of a file into tensors of tarn. Types that tarn does not have are carried by a wider one that holds all their values.

// carrier is the type that holds elements of a type of ONNX.
func (t elemType) carrier() (tarn.DType, bool) {
	switch t {
	case typeFloat, typeFloat16, typeBfloat16, typeFloat8E4M3FN, typeFloat8E4M3FNUZ, typeFloat8E5M2, typeFloat8E5M2FNUZ, typeFloat4E2M1, typeFloat8E8M0:
		return tarn.F32, true
	case typeDouble:
		return tarn.F64, true
	case typeBool:
		return tarn.Bool, true
	case typeInt8, typeInt16, typeInt32, typeUint8, typeUint16, typeInt4, typeUint4, typeInt2, typeUint2:
		return tarn.I32, true
	case typeInt64, typeUint32, typeUint64:
		return tarn.I64, true
	}
	return 0, false
}

func (t elemType) float() bool {
	switch t {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
		return true
	}
	return t.float8()
}

func (t elemType) float8() bool {
	return t >= typeFloat8E4M3FN && t <= typeFloat8E5M2FNUZ || t == typeFloat4E2M1 || t == typeFloat8E8M0
}

// bits is the number of bits of an element in a file; 0 if it has none of its own.
func (t elemType) bits() int {
	switch t {
	case typeFloat, typeInt32, typeUint32:
		return 32
	case typeDouble, typeInt64, typeUint64:
		return 64
	case typeFloat16, typeBfloat16, typeInt16, typeUint16:
		return 16
	case typeInt8, typeUint8, typeBool, typeFloat8E4M3FN, typeFloat8E4M3FNUZ, typeFloat8E5M2, typeFloat8E5M2FNUZ, typeFloat8E8M0:
		return 8
	case typeInt4, typeUint4, typeFloat4E2M1:
		return 4
	case typeInt2, typeUint2:
		return 2
	}
	return 0
}

// integers returns the range of an integer type; ok is false for those whose range is that of their carrier, and for other types.
func (t elemType) integers() (lo, hi int64, ok bool) {
	switch t {
	case typeInt8:
		return math.MinInt8, math.MaxInt8, true
	case typeInt16:
		return math.MinInt16, math.MaxInt16, true
	case typeUint8:
		return 0, math.MaxUint8, true
	case typeUint16:
		return 0, math.MaxUint16, true
	case typeUint32:
		return 0, math.MaxUint32, true
	case typeInt4:
		return -8, 7, true
	case typeUint4:
		return 0, 15, true
	case typeInt2:
		return -2, 1, true
	case typeUint2:
		return 0, 3, true
	}
	return 0, 0, false
}

// shape checks the sizes of a tensor and returns them.
func (t *tensorProto) shape() ([]int, int, error) {
	n := 1
	shape := make([]int, len(t.dims))
	if len(t.dims) > 64 {
		return nil, 0, fmt.Errorf("it has %d axes", len(t.dims))
	}
	for i, d := range t.dims {
		if d < 0 || d > math.MaxInt32 || d > 0 && int64(n) > (1<<40)/d {
			return nil, 0, fmt.Errorf("its sizes %v make no sense", t.dims)
		}
		shape[i] = int(d)
		n *= int(d)
	}
	return shape, n, nil
}

// read returns the tensor as a value. Bytes outside of the file are looked for in dir; "" means that there is no such place.
func (t *tensorProto) read(dir string) (*value, error) {
	v, err := t.contents(dir)
	if err != nil {
		return nil, fmt.Errorf("the tensor %q: %w", t.name, err)
	}
	return v, nil
}

func (t *tensorProto) contents(dir string) (*value, error) {
	shape, n, err := t.shape()
	if err != nil {
		return nil, err
	}
	if t.dtype == typeString {
		if len(t.strings) != n {
			return nil, fmt.Errorf("it has %d strings and the shape %v", len(t.strings), shape)
		}
		v := &value{elem: typeString, shape: shape, strings: make([]string, n)}
		for i, s := range t.strings {
			v.strings[i] = string(s)
		}
		return v, nil
	}
	dtype, ok := t.dtype.carrier()
	if !ok {
		return nil, fmt.Errorf("elements of the type %v are not supported", t.dtype)
	}
	raw := t.raw
	if t.external != nil {
		if raw, err = t.outside(dir, (n*t.dtype.bits()+7)/8); err != nil {
			return nil, err
		}
	}
	given := len(raw)*8/t.dtype.bits() >= n && len(raw) == (n*t.dtype.bits()+7)/8
	if len(raw) == 0 && t.external == nil {
		given = t.listed(n)
	}
	if !given {
		return nil, fmt.Errorf("its contents do not fit its type %v and shape %v", t.dtype, shape)
	}
	out, err := zeros(dtype, shape)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 {
		t.decode(out, raw, n)
	} else {
		t.copyList(out, n)
	}
	return constant(t.dtype, out), nil
}

// zeros makes a tensor, or returns an error if that takes more memory than there is.
func zeros(dtype tarn.DType, shape []int) (t *tarn.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return tarn.Zeros(dtype, shape...), nil
}

// listed reports whether the lists of numbers hold n elements.
func (t *tensorProto) listed(n int) bool {
	switch t.dtype {
	case typeFloat:
		return len(t.floats) == n
	case typeDouble:
		return len(t.doubles) == n
	case typeInt64:
		return len(t.int64s) == n
	case typeUint32, typeUint64:
		return len(t.uint64s) == n
	case typeInt4, typeUint4, typeFloat4E2M1:
		return len(t.int32s) == (n+1)/2
	case typeInt2, typeUint2:
		return len(t.int32s) == (n+3)/4
	}
	return len(t.int32s) == n
}

func (t *tensorProto) copyList(out *tarn.Tensor, n int) {
	switch t.dtype {
	case typeFloat:
		copy(out.F32(), t.floats)
	case typeDouble:
		copy(out.F64(), t.doubles)
	case typeInt64:
		copy(out.I64(), t.int64s)
	case typeUint32, typeUint64:
		for i, v := range t.uint64s {
			out.I64()[i] = int64(v)
		}
	default:
		raw := make([]byte, 0, len(t.int32s)*4)
		for _, v := range t.int32s {
			switch t.dtype.bits() {
			case 16:
				raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
			case 32:
				raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
			default:
				raw = append(raw, byte(v))
			}
		}
		t.decode(out, raw, n)
	}
}

// decode stores n elements, which lie in raw in the order of a file.
func (t *tensorProto) decode(out *tarn.Tensor, raw []byte, n int) {
	le := binary.LittleEndian
	switch t.dtype {
	case typeFloat:
		for i := range out.F32() {
			out.F32()[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case typeDouble:
		for i := range out.F64() {
			out.F64()[i] = math.Float64frombits(le.Uint64(raw[8*i:]))
		}
	case typeInt64, typeUint64:
		for i := range out.I64() {
			out.I64()[i] = int64(le.Uint64(raw[8*i:]))
		}
	case typeUint32:
		for i := range out.I64() {
			out.I64()[i] = int64(le.Uint32(raw[4*i:]))
		}
	case typeBool:
		for i := range out.Bools() {
			out.Bools()[i] = raw[i] != 0
		}
	case typeInt32:
		for i := range out.I32() {
			out.I32()[i] = int32(le.Uint32(raw[4*i:]))
		}
	case typeInt16:
		for i := range out.I32() {
			out.I32()[i] = int32(int16(le.Uint16(raw[2*i:])))
		}
	case typeUint16:
		for i := range out.I32() {
			out.I32()[i] = int32(le.Uint16(raw[2*i:]))
		}
	case typeInt8:
		for i := range out.I32() {
			out.I32()[i] = int32(int8(raw[i]))
		}
	case typeUint8:
		for i := range out.I32() {
			out.I32()[i] = int32(raw[i])
		}
	case typeFloat16, typeBfloat16:
		for i := range out.F32() {
			out.F32()[i] = small(t.dtype, uint32(le.Uint16(raw[2*i:])))
		}
	case typeInt4, typeUint4, typeFloat4E2M1, typeInt2, typeUint2:
		bits := t.dtype.bits()
		for i := range n {
			v := int32(raw[i*bits/8]>>(i*bits%8)) & (1<<bits - 1)
			switch {
			case t.dtype == typeFloat4E2M1:
				out.F32()[i] = small(t.dtype, uint32(v))
			case (t.dtype == typeInt4 || t.dtype == typeInt2) && v >= 1<<(bits-1):
				out.I32()[i] = v - 1<<bits
			default:
				out.I32()[i] = v
			}
		}
	default: // floats of 8 bits
		for i := range out.F32() {
			out.F32()[i] = small(t.dtype, uint32(raw[i]))
		}
	}
}

// outside reads the bytes of a tensor that lie in another file, which must be in dir.
func (t *tensorProto) outside(dir string, size int) ([]byte, error) {
	name := t.external["location"]
	if dir == "" {
		return nil, fmt.Errorf("its contents lie in the file %q, and a model that is not read from a path has no other files", name)
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("its contents lie in the file %q, which is not beside the model", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at := int64(0)
	if s, ok := t.external["offset"]; ok {
		if at, err = strconv.ParseInt(s, 10, 64); err != nil || at < 0 {
			return nil, fmt.Errorf("its contents lie at the offset %q", s)
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < at || info.Size()-at < int64(size) {
		return nil, fmt.Errorf("the file %q ends before its contents do: it has %d bytes, and %d are needed from %d on", name, info.Size(), size, at)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, at, int64(size)), raw); err != nil {
		return nil, errors.New("the file is shorter than it was")
	}
	return raw, nil
}

// format describes a float type of few bits.
type format struct {
	exponent, mantissa, bias int
	infinite                 bool // the largest exponent means infinity and NaN, as in IEEE 754
	unsignedZero             bool // the bits of -0 mean NaN, which has no others
}

var formats = map[elemType]format{
	typeFloat16:        {5, 10, 15, true, false},
	typeBfloat16:       {8, 7, 127, true, false},
	typeFloat8E4M3FN:   {4, 3, 7, false, false},
	typeFloat8E4M3FNUZ: {4, 3, 8, false, true},
	typeFloat8E5M2:     {5, 2, 15, true, false},
	typeFloat8E5M2FNUZ: {5, 2, 16, false, true},
	typeFloat4E2M1:     {2, 1, 1, false, false},
}

// small returns the number that the bits of a small float mean.
func small(t elemType, bits uint32) float32 {
	if t == typeFloat8E8M0 { // an exponent alone
		if bits == 255 {
			return float32(math.NaN())
		}
		return float32(math.Ldexp(1, int(bits)-127))
	}
	f := formats[t]
	sign := 1.0
	if bits>>(f.exponent+f.mantissa)&1 == 1 {
		sign = -1
	}
	e, m := int(bits>>f.mantissa)&(1<<f.exponent-1), int(bits)&(1<<f.mantissa-1)
	switch {
	case f.unsignedZero && bits == 1<<(f.exponent+f.mantissa):
		return float32(math.NaN())
	case f.infinite && e == 1<<f.exponent-1 && m != 0:
		return float32(math.NaN())
	case f.infinite && e == 1<<f.exponent-1:
		return float32(math.Inf(int(sign)))
	case t == typeFloat8E4M3FN && e == 15 && m == 7:
		return float32(math.NaN())
	case e == 0:
		return float32(sign * math.Ldexp(float64(m), 1-f.bias-f.mantissa))
	}
	return float32(sign * math.Ldexp(float64(m+1<<f.mantissa), e-f.bias-f.mantissa))
}

// largest is the largest finite number of a small float type.
func (f format) largest(t elemType) float64 {
	e, m := 1<<f.exponent-1, 1<<f.mantissa-1
	switch {
	case f.infinite:
		e--
	case t == typeFloat8E4M3FN:
		m--
	}
	return math.Ldexp(float64(m+1<<f.mantissa), e-f.bias-f.mantissa)
}

// round returns the number of a small float type that is nearest to x, the even one of two. What is too large becomes the largest number if saturate
// is true, and else infinity, or NaN if the type has none.
func round(t elemType, x float64, saturate bool) float64 {
	if t == typeFloat8E8M0 {
		if x != x {
			return x
		}
		return math.Ldexp(1, max(-127, min(127, int(math.RoundToEven(math.Log2(math.Abs(x)))))))
	}
	f, ok := formats[t]
	if t == typeFloat4E2M1 && x != x { // which it does not have
		return math.Copysign(0, -1)
	}
	if !ok || x == 0 || x != x {
		if f.unsignedZero && x == 0 {
			return 0
		}
		return x
	}
	most := f.largest(t)
	if !math.IsInf(x, 0) {
		_, e := math.Frexp(x)
		step := math.Ldexp(1, max(e-1, 1-f.bias)-f.mantissa)
		x = math.RoundToEven(x/step) * step
		if x == 0 && f.unsignedZero {
			return 0
		}
	}
	if math.Abs(x) <= most {
		return x
	}
	switch {
	case saturate || t == typeFloat4E2M1:
		return math.Copysign(most, x)
	case f.infinite:
		return math.Inf(int(math.Copysign(1, x)))
	}
	return math.NaN()
}
