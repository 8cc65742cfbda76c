package cpu

// The plain Go level of the vector functions: tight loops for what is cheap, polynomials for the usual functions of f32, and the scalar definitions for the rest.

import (
	"math"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

type integer interface{ int32 | int64 }

type float interface{ float32 | float64 }

type number interface{ integer | float }

// Denormal numbers count as zero as in the assembly (see the generator's denormals.go), as far as that is cheap here: as results of arithmetic, and as
// operands of comparisons and of all functions but sums, products and quotients. There an operand that came from outside is taken as it is.

// flush is x, or a zero of its sign if x is denormal. Integers are as they are.
func flush[T uint8 | number](x T) T {
	if denormal(x) {
		return x * 0
	}
	return x
}

// denormal reports whether x is a float that counts as zero, or is zero.
func denormal[T uint8 | number](x T) bool {
	limit := 0x1p-126
	if unsafe.Sizeof(x) == 8 {
		limit = 0x1p-1022
	}
	return T(1)/T(2) != 0 && math.Abs(float64(x)) < limit // one comparison, which the sign does not make hard to predict
}

// plainFunction returns the plain Go vector function, or nil if f is not defined for dt.
func plainFunction(f scalar.Func, dt DType) Vec {
	switch dt {
	case Bool:
		return boolFunction(f)
	case I32:
		return integerFunction[int32](f)
	case I64:
		return integerFunction[int64](f)
	case F32:
		return floatFunction[float32](f)
	case F64:
		return floatFunction[float64](f)
	}
	return nil
}

// block is a block of n elements as a slice.
func block[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

// bit is 1 for true.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func boolFunction(f scalar.Func) Vec {
	switch f {
	case scalar.Not:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[uint8](dst, n), block[uint8](a, n)
			for i := range d {
				d[i] = x[i] ^ 1
			}
		}
	case scalar.And:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[uint8](a, n), block[uint8](b, n)
			for i := range d {
				d[i] = x[i] & y[i]
			}
		}
	case scalar.Or:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[uint8](a, n), block[uint8](b, n)
			for i := range d {
				d[i] = x[i] | y[i]
			}
		}
	case scalar.Xor, scalar.Ne:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[uint8](a, n), block[uint8](b, n)
			for i := range d {
				d[i] = x[i] ^ y[i]
			}
		}
	case scalar.Eq:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[uint8](a, n), block[uint8](b, n)
			for i := range d {
				d[i] = x[i] ^ y[i] ^ 1
			}
		}
	case scalar.Where:
		return where[uint8]
	}
	return nil
}

func integerFunction[T integer](f scalar.Func) Vec {
	switch f {
	case scalar.Abs:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				v := x[i]
				if v < 0 {
					v = -v
				}
				d[i] = v
			}
		}
	case scalar.BitNot:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = ^x[i]
			}
		}
	case scalar.BitAnd:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = x[i] & y[i]
			}
		}
	case scalar.BitOr:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = x[i] | y[i]
			}
		}
	case scalar.BitXor:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = x[i] ^ y[i]
			}
		}
	case scalar.Pow, scalar.ShiftL, scalar.ShiftR:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = scalar.Int(f, x[i], y[i], 0)
			}
		}
	case scalar.Div:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				if y[i] == 0 {
					d[i] = 0
				} else {
					d[i] = x[i] / y[i]
				}
			}
		}
	}
	return numberFunction[T](f)
}

// floatLoop is a loop that computes f itself, or nil if there is none.
func floatLoop[T float](f scalar.Func) Vec {
	switch f {
	case scalar.Abs:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(math.Abs(float64(x[i])))
			}
		}
	case scalar.Reciprocal:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = flush(1 / flush(x[i]))
			}
		}
	case scalar.Sqrt:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(math.Sqrt(float64(flush(x[i]))))
			}
		}
	case scalar.Rsqrt:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(1 / math.Sqrt(float64(flush(x[i]))))
			}
		}
	case scalar.Floor:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(math.Floor(float64(flush(x[i]))))
			}
		}
	case scalar.Ceil:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(math.Ceil(float64(flush(x[i]))))
			}
		}
	case scalar.Round:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = T(math.RoundToEven(float64(flush(x[i]))))
			}
		}
	case scalar.IsFinite:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[uint8](dst, n), block[T](a, n)
			for i := range d {
				d[i] = bit(x[i]-x[i] == 0) // infinity minus infinity is NaN
			}
		}
	case scalar.Div:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = flush(x[i] / y[i])
			}
		}
	case scalar.LeakyReLU:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				v := x[i]
				if !(v > 0) {
					v *= y[i]
				}
				d[i] = flush(v)
			}
		}
	}
	if unsafe.Sizeof(T(0)) == 4 {
		if v := plainMathLoop(f); v != nil {
			return v
		}
	}
	return numberFunction[T](f)
}

// floatFunction is the loop of f, or applies the definition of f to one element after the other.
func floatFunction[T float](f scalar.Func) Vec {
	if v := floatLoop[T](f); v != nil {
		return v
	}
	if !f.FloatOnly() && f != scalar.Pow {
		return nil
	}
	if f.Arity() == 2 {
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = flush(T(scalar.F64(f, float64(flush(x[i])), float64(flush(y[i])), 0)))
			}
		}
	}
	return func(dst, a, _, _ unsafe.Pointer, n int) {
		d, x := block[T](dst, n), block[T](a, n)
		for i := range d {
			d[i] = flush(T(scalar.F64(f, float64(flush(x[i])), 0, 0)))
		}
	}
}

// numberFunction returns the functions that read the same for integers and floats.
func numberFunction[T number](f scalar.Func) Vec {
	switch f {
	case scalar.Neg:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = -x[i]
			}
		}
	case scalar.Sign:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				switch v := flush(x[i]); {
				case v > 0:
					d[i] = 1
				case v < 0:
					d[i] = -1
				default:
					d[i] = v
				}
			}
		}
	case scalar.Square:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = flush(x[i] * x[i])
			}
		}
	case scalar.ReLU:
		return func(dst, a, _, _ unsafe.Pointer, n int) {
			d, x := block[T](dst, n), block[T](a, n)
			for i := range d {
				d[i] = max(x[i], 0)
			}
		}
	case scalar.Add:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = flush(x[i] + y[i])
			}
		}
	case scalar.Sub:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = flush(x[i] - y[i])
			}
		}
	case scalar.Mul:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = flush(x[i] * y[i])
			}
		}
	case scalar.Min:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = min(x[i], y[i])
			}
		}
	case scalar.Max:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = max(x[i], y[i])
			}
		}
	case scalar.ReLUGrad:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[T](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				if flush(y[i]) > 0 {
					d[i] = x[i]
				} else {
					d[i] = 0
				}
			}
		}
	case scalar.Eq:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] == y[i] || denormal(x[i]) && denormal(y[i]))
			}
		}
	case scalar.Ne:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] != y[i] && !(denormal(x[i]) && denormal(y[i])))
			}
		}
	case scalar.Lt:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] < y[i] && !(denormal(x[i]) && denormal(y[i])))
			}
		}
	case scalar.Le:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] <= y[i] || denormal(x[i]) && denormal(y[i]))
			}
		}
	case scalar.Gt:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] > y[i] && !(denormal(x[i]) && denormal(y[i])))
			}
		}
	case scalar.Ge:
		return func(dst, a, b, _ unsafe.Pointer, n int) {
			d, x, y := block[uint8](dst, n), block[T](a, n), block[T](b, n)
			for i := range d {
				d[i] = bit(x[i] >= y[i] || denormal(x[i]) && denormal(y[i]))
			}
		}
	case scalar.Where:
		return where[T]
	case scalar.Clip:
		return func(dst, a, b, c unsafe.Pointer, n int) {
			d, x, y, z := block[T](dst, n), block[T](a, n), block[T](b, n), block[T](c, n)
			for i := range d {
				d[i] = min(max(x[i], y[i]), z[i])
			}
		}
	case scalar.MulAdd:
		return func(dst, a, b, c unsafe.Pointer, n int) {
			d, x, y, z := block[T](dst, n), block[T](a, n), block[T](b, n), block[T](c, n)
			for i := range d {
				d[i] = flush(x[i]*y[i] + z[i])
			}
		}
	}
	return nil
}

// where selects elements of b where the bool a is true, and of c elsewhere.
func where[T any](dst, a, b, c unsafe.Pointer, n int) {
	d, x, y, z := block[T](dst, n), block[uint8](a, n), block[T](b, n), block[T](c, n)
	for i := range d {
		if x[i] != 0 {
			d[i] = y[i]
		} else {
			d[i] = z[i]
		}
	}
}
