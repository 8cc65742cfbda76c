package onnx

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file converts between types. What has fewer bits than its carrier is rounded or wrapped where the contents are known; in a graph, float16 and bfloat16 are
// carried without rounding.

func (c *call) cast(to elemType) []*value {
	v := c.at(0)
	dtype, ok := to.carrier()
	switch {
	case to == typeString:
		return c.toStrings(v)
	case !ok:
		failf("the type %v is not supported", to)
	case v.elem == typeString:
		return c.fromStrings(v, to)
	case v.t != nil && (narrow(to) || v.elem == typeUint64 || to == typeUint64 || !to.float() && v.elem.float()):
		return host(to, c.castKnown(v, to, dtype))
	}
	x := c.val(0)
	if to.float8() || to == typeInt4 || to == typeUint4 || to == typeInt2 || to == typeUint2 {
		panic(failure{c.unknown(v, "a conversion to "+to.String())})
	}
	if to == typeBool && x.DType() != tarn.Bool {
		return c.of(to, x.Ne(tarn.Num(0)))
	}
	return c.of(to, wrapped(to, x.Cast(dtype)))
}

// narrow reports whether a type rounds or wraps.
func narrow(t elemType) bool {
	_, _, whole := t.integers()
	return whole || t.float() && t != typeFloat && t != typeDouble
}

func (c *call) castKnown(v *value, to elemType, dtype tarn.DType) *tarn.Tensor {
	out := c.zeros(dtype, v.t.Shape())
	lo, hi, ranged := to.integers()
	saturate := c.int("saturate", 1) != 0
	for i := range out.Size() {
		if !v.elem.float() { // integers and bools
			n := int64(v.t.Float(i))
			if v.t.DType() == tarn.I64 {
				n = v.t.I64()[i]
			}
			switch {
			case to == typeBool:
				out.Bools()[i] = n != 0
			case to.float() && v.elem == typeUint64:
				out.SetFloat(i, round(to, float64(uint64(n)), saturate))
			case to.float():
				out.SetFloat(i, round(to, float64(n), saturate))
			default:
				if ranged {
					n = lo + (n-lo)&(hi-lo)
				}
				setInt(out, i, n)
			}
			continue
		}
		x := v.t.Float(i)
		switch {
		case to == typeBool:
			out.Bools()[i] = x != 0
		case to == typeFloat8E8M0:
			out.SetFloat(i, roundPower(x, c.string("round_mode", "up"), saturate))
		case to.float():
			out.SetFloat(i, round(to, x, saturate))
		case to == typeUint64 && x >= math.MaxInt64:
			out.I64()[i] = int64(uint64(x))
		default:
			n := int64(x)
			if x != x {
				n = 0
			}
			if ranged {
				n = lo + (n-lo)&(hi-lo)
			}
			setInt(out, i, n)
		}
	}
	return out
}

// roundPower returns a power of two near a positive number.
func roundPower(x float64, mode string, saturate bool) float64 {
	if x != x || x < 0 {
		return math.NaN()
	}
	if math.IsInf(x, 1) {
		if saturate {
			return math.Ldexp(1, 127)
		}
		return math.NaN()
	}
	if x == 0 {
		return math.Ldexp(1, -127)
	}
	fraction, e := math.Frexp(x)
	e--
	if mode == "up" && fraction > 0.5 || mode == "nearest" && fraction >= 0.75 {
		e++
	}
	if e > 127 && !saturate {
		return math.NaN()
	}
	return math.Ldexp(1, max(-127, min(127, e)))
}

func setInt(t *tarn.Tensor, i int, n int64) {
	if t.DType() == tarn.I64 {
		t.I64()[i] = n
	} else {
		t.I32()[i] = int32(n)
	}
}

func (c *call) toStrings(v *value) []*value {
	if v.strings != nil {
		same := *v
		return []*value{&same}
	}
	t := c.known(0, "a conversion to strings")
	out := &value{elem: typeString, shape: t.Shape(), strings: make([]string, t.Size())}
	for i := range out.strings {
		switch {
		case v.elem == typeBool:
			out.strings[i] = strconv.FormatBool(t.Bools()[i])
		case v.elem == typeDouble:
			out.strings[i] = strconv.FormatFloat(t.Float(i), 'g', -1, 64)
		case v.elem.float():
			out.strings[i] = strings.ToUpper(strconv.FormatFloat(t.Float(i), 'g', 8, 32))
			if x := t.Float(i); x == x && !math.IsInf(x, 0) {
				out.strings[i] = strconv.FormatFloat(x, 'g', -1, 32)
			} else if x != x {
				out.strings[i] = "NaN"
			} else {
				out.strings[i] = strings.TrimPrefix(out.strings[i], "+")
			}
		case t.DType() == tarn.I64:
			out.strings[i] = strconv.FormatInt(t.I64()[i], 10)
		default:
			out.strings[i] = strconv.Itoa(int(t.Float(i)))
		}
	}
	return []*value{out}
}

func (c *call) fromStrings(v *value, to elemType) []*value {
	dtype, _ := to.carrier()
	t := c.zeros(dtype, v.shape)
	for i, s := range v.strings {
		if to.float() {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				failf("%q is no number", s)
			}
			t.SetFloat(i, round(to, x, true))
			continue
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			failf("%q is no integer", s)
		}
		setInt(t, i, n)
	}
	return host(to, t)
}

// bitCast reads the bits of elements as another type.
func (c *call) bitCast(to elemType) []*value {
	v := c.at(0)
	t := c.known(0, "a conversion of bits")
	dtype, ok := to.carrier()
	if !ok || v.elem.bits() != to.bits() || v.elem.float8() || to.float8() {
		failf("from %v to %v is not supported", v.elem, to)
	}
	raw := make([]byte, 0, t.Size()*8)
	for i := range t.Size() {
		switch v.elem {
		case typeFloat:
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(t.F32()[i]))
		case typeDouble:
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(t.F64()[i]))
		case typeFloat16, typeBfloat16:
			raw = binary.LittleEndian.AppendUint16(raw, encode(v.elem, t.Float(i)))
		case typeInt64, typeUint64:
			raw = binary.LittleEndian.AppendUint64(raw, uint64(t.I64()[i]))
		case typeUint32:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(t.I64()[i]))
		case typeInt32:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(t.I32()[i]))
		case typeBool:
			raw = append(raw, byte(t.Float(i)))
		default:
			if n := uint32(t.I32()[i]); v.elem.bits() == 16 {
				raw = binary.LittleEndian.AppendUint16(raw, uint16(n))
			} else {
				raw = append(raw, byte(n))
			}
		}
	}
	out := c.zeros(dtype, t.Shape())
	p := tensorProto{dtype: to}
	p.decode(out, raw, out.Size())
	return host(to, out)
}

// encode is the bits of a float of 16 bits.
func encode(t elemType, x float64) uint16 {
	f := formats[t]
	sign := uint16(0)
	if math.Signbit(x) {
		sign = 1 << 15
	}
	x = math.Abs(round(t, x, false))
	switch {
	case x != x:
		return sign | uint16(1<<f.exponent-1)<<f.mantissa | 1<<(f.mantissa-1)
	case math.IsInf(x, 0):
		return sign | uint16(1<<f.exponent-1)<<f.mantissa
	case x == 0:
		return sign
	}
	_, e := math.Frexp(x)
	e += f.bias - 1
	if e <= 0 {
		return sign | uint16(math.Ldexp(x, f.bias-1+f.mantissa))
	}
	return sign | uint16(e)<<f.mantissa | uint16(math.Ldexp(x, f.mantissa-e+f.bias))&(1<<f.mantissa-1)
}
