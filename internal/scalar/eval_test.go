package scalar

import (
	"math"
	"testing"
)

var (
	inf     = math.Inf(1)
	nan     = math.NaN()
	negZero = math.Copysign(0, -1)
)

// TestF64 checks the definitions where a careless form goes wrong: tails, ties, signed zeros, infinities and NaN. The long
// constants were computed with 50 digits and cut to 30.
func TestF64(t *testing.T) {
	tests := []struct {
		f          Func
		a, b, c    float64
		want, ulps float64
	}{
		{f: Sign, a: negZero, want: negZero},
		{f: Sign, a: -inf, want: -1},
		{f: Sign, a: nan, want: nan},
		{f: Rsqrt, a: 0, want: inf},
		{f: Rsqrt, a: inf, want: 0},
		{f: Exp, a: -745.2, want: 0},
		{f: Exp, a: 709.75, want: 1.73983687326416055769825271168e308, ulps: 2},
		{f: Exp, a: 710, want: inf},
		{f: Cosh, a: -710.25, want: 1.43425303024951230303477956012e308, ulps: 2},
		{f: Sinh, a: -710.25, want: -1.43425303024951230303477956012e308, ulps: 2},
		{f: Sinh, a: nan, want: nan},
		{f: Log, a: 0x1p-1022, want: -708.396418532264106224411228130, ulps: 1},
		{f: Log, a: 5e-324, want: -inf}, // denormal numbers count as zero
		{f: Log, a: 0, want: -inf},
		{f: Log, a: -5e-324, want: -inf},
		{f: Reciprocal, a: -0x1p-1023, want: -inf},
		{f: Exp, a: -708.5, want: 0},
		{f: Mul, a: 0x1p-1000, b: -0x1p-23, want: negZero},
		{f: Mul, a: 0x1p-1023, b: 0x1p100, want: 0},
		{f: Add, a: 0x1p-1023, b: 0x1p-1023, want: 0},
		{f: Sign, a: -0x1p-1023, want: negZero},
		{f: Gt, a: 0x1p-1023, want: 0},
		{f: Eq, a: 0x1p-1023, b: -0x1p-1074, want: 1},
		{f: Max, a: 0x1p-1023, want: 0x1p-1023}, // selection keeps them
		{f: Neg, a: 0x1p-1023, want: -0x1p-1023},
		{f: Sigmoid, a: -1000, want: 0},
		{f: Sigmoid, a: 1000, want: 1},
		{f: Sigmoid, a: -100, want: 3.72007597602083596295969580386e-44, ulps: 2},
		{f: Sigmoid, a: nan, want: nan},
		{f: Softplus, a: inf, want: inf},
		{f: Softplus, a: -inf, want: 0},
		{f: Softplus, a: 800, want: 800},
		{f: Softplus, a: -100, want: 3.72007597602083596295969580386e-44, ulps: 2},
		{f: Softplus, a: nan, want: nan},
		{f: Round, a: 0.5, want: 0},
		{f: Round, a: 1.5, want: 2},
		{f: Round, a: 2.5, want: 2},
		{f: Round, a: -2.5, want: -2},
		{f: ReLU, a: negZero, want: 0},
		{f: ReLU, a: nan, want: nan},
		{f: GELU, a: 0, want: 0},
		{f: GELU, a: inf, want: inf},
		{f: GELU, a: -inf, want: negZero},
		{f: GELU, a: nan, want: nan},
		{f: GELU, a: 1, want: 0.841344746068542948585232545632, ulps: 2},
		{f: GELU, a: -10, want: -7.61985302416052606597334325160e-23, ulps: 60},
		{f: GELUPrime, a: 0, want: 0.5},
		{f: GELUPrime, a: inf, want: 1},
		{f: GELUPrime, a: -inf, want: negZero},
		{f: GELUPrime, a: nan, want: nan},
		{f: IsFinite, a: inf, want: 0},
		{f: IsFinite, a: nan, want: 0},
		{f: IsFinite, a: -math.MaxFloat64, want: 1},
		{f: Div, a: 1, b: 0, want: inf},
		{f: Min, a: nan, b: 1, want: nan},
		{f: Min, a: 1, b: nan, want: nan},
		{f: Min, a: 0, b: negZero, want: negZero},
		{f: Max, a: nan, b: 1, want: nan},
		{f: Max, a: 1, b: nan, want: nan},
		{f: Max, a: negZero, b: 0, want: 0},
		{f: ReLUGrad, a: 3, b: 0, want: 0},
		{f: ReLUGrad, a: 3, b: 1e-300, want: 3},
		{f: ReLUGrad, a: inf, b: -1, want: 0},
		{f: LeakyReLU, a: -2, b: 0.25, want: -0.5},
		{f: LeakyReLU, a: nan, b: 0.25, want: nan},
		{f: Eq, a: nan, b: nan, want: 0},
		{f: Ne, a: nan, b: nan, want: 1},
		{f: Le, a: 1, b: nan, want: 0},
		{f: Where, a: 1, b: 2, c: 3, want: 2},
		{f: Where, a: 0, b: 2, c: 3, want: 3},
		{f: Clip, a: 7, b: -1, c: 1, want: 1},
		{f: Clip, a: nan, b: -1, c: 1, want: nan},
		{f: MulAdd, a: 2, b: 3, c: 4, want: 10},
		{f: Atan2, a: 1, b: 0, want: math.Pi / 2},
		{f: Invalid, want: nan},
	}
	for _, tt := range tests {
		got := F64(tt.f, tt.a, tt.b, tt.c)
		tol := tt.ulps * 0x1p-52 * math.Abs(tt.want)
		switch {
		case got != got && tt.want != tt.want:
		case got == tt.want && math.Signbit(got) == math.Signbit(tt.want):
		case math.Abs(got-tt.want) <= tol:
		default:
			t.Errorf("F64(%v, %v, %v, %v) = %v, want %v", tt.f, tt.a, tt.b, tt.c, got, tt.want)
		}
	}
}

func TestF32RoundsOnce(t *testing.T) {
	// 3 * 1/3 rounded to float32 after each step is 1; the float64 product of the float32 third is not.
	third := float32(1) / 3
	if got, want := F32(MulAdd, 3, third, -1), float32(3*float64(third)-1); got != want {
		t.Errorf("F32(MulAdd, 3, 1/3, -1) = %v, want %v", got, want)
	}
}

func TestInt(t *testing.T) {
	const least = math.MinInt32
	tests := []struct {
		f       Func
		a, b, c int32
		want    int32
	}{
		{f: Neg, a: least, want: least},
		{f: Abs, a: least, want: least},
		{f: Abs, a: -4, want: 4},
		{f: Sign, a: -9, want: -1},
		{f: Sign, a: 9, want: 1},
		{f: Square, a: 1 << 16, want: 0},
		{f: Add, a: math.MaxInt32, b: 1, want: least},
		{f: Div, a: 7, b: 0, want: 0},
		{f: Div, a: -7, b: 2, want: -3},
		{f: Div, a: least, b: -1, want: least},
		{f: ReLU, a: -3, want: 0},
		{f: ReLUGrad, a: 5, b: 1, want: 5},
		{f: ReLUGrad, a: 5, b: 0, want: 0},
		{f: Ge, a: 2, b: 2, want: 1},
		{f: Where, a: 2, b: 3, c: 4, want: 3},
		{f: Clip, a: 9, b: 0, c: 5, want: 5},
		{f: MulAdd, a: 2, b: 3, c: 4, want: 10},
		{f: Exp, a: 1, want: 0},
		{f: Pow, a: 3, b: 5, want: 243},
		{f: Pow, a: -3, b: 3, want: -27},
		{f: Pow, a: 0, b: 0, want: 1},
		{f: Pow, a: 2, b: 32, want: 0},
		{f: Pow, a: 7, b: -1, want: 0},
		{f: Pow, a: 0, b: -1, want: 0},
		{f: Pow, a: -1, b: -3, want: -1},
		{f: Pow, a: -1, b: least, want: 1},
		{f: BitNot, a: 5, want: -6},
		{f: BitAnd, a: -2, b: 7, want: 6},
		{f: BitOr, a: 8, b: 3, want: 11},
		{f: BitXor, a: 12, b: 10, want: 6},
		{f: ShiftL, a: 3, b: 4, want: 48},
		{f: ShiftL, a: 3, b: 32, want: 0},
		{f: ShiftL, a: 3, b: -1, want: 0},
		{f: ShiftR, a: -5, b: 1, want: -3},
		{f: ShiftR, a: -5, b: 40, want: -1},
		{f: ShiftR, a: 5, b: -1, want: 0},
		{f: ShiftR, a: -5, b: -1, want: -1},
	}
	for _, tt := range tests {
		if got := I32(tt.f, tt.a, tt.b, tt.c); got != tt.want {
			t.Errorf("I32(%v, %d, %d, %d) = %d, want %d", tt.f, tt.a, tt.b, tt.c, got, tt.want)
		}
	}
	if got := I64(Div, math.MinInt64, -1, 0); got != math.MinInt64 {
		t.Errorf("I64(Div, MinInt64, -1) = %d, want MinInt64", got)
	}
}

func TestBool(t *testing.T) {
	for _, a := range []bool{false, true} {
		if Bool(Not, a, false, false) == a {
			t.Errorf("Bool(Not, %v) = %v", a, a)
		}
		for _, b := range []bool{false, true} {
			for f, want := range map[Func]bool{And: a && b, Or: a || b, Xor: a != b, Ne: a != b, Eq: a == b} {
				if got := Bool(f, a, b, false); got != want {
					t.Errorf("Bool(%v, %v, %v) = %v, want %v", f, a, b, got, want)
				}
			}
			if got := Bool(Where, a, b, !b); got != (b == a) {
				t.Errorf("Bool(Where, %v, %v, %v) = %v", a, b, !b, got)
			}
		}
	}
}

// TestAllDefined makes sure that no function of the list lacks its definition.
func TestAllDefined(t *testing.T) {
	for _, f := range All() {
		if f.Logical() || f.IntOnly() {
			continue
		}
		a := 0.5
		if f == Polygamma {
			a = 2 // an order is whole
		}
		if got := F64(f, a, 0.75, 0.875); got != got {
			t.Errorf("F64(%v, %v, 0.75, 0.875) = NaN: is it defined?", f, a)
		}
	}
}
