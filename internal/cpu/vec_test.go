package cpu

// Every vector function of every type at every level against the scalar definitions.

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

var sweepStride = flag.Int("sweep", 16381, "step of the sweep over float32 bit patterns; 1 tries all")

var allDTypes = []DType{Bool, I32, I64, F32, F64}

var blockSizes = []int{0, 1, 7, 8, 15, 16, 17, 31, 64, 100, 257}

// guard is the byte around blocks that a kernel must leave alone.
const guard = 0xA5

// guarded is a block of elements between guard bytes.
type guarded struct {
	bytes []byte
	size  int
}

const guardSize = 64

func newGuarded(dt DType, n int) guarded {
	g := guarded{make([]byte, n*dt.Size()+2*guardSize), n * dt.Size()}
	for i := range g.bytes {
		g.bytes[i] = guard
	}
	return g
}

func (g guarded) ptr() unsafe.Pointer { return unsafe.Pointer(&g.bytes[guardSize]) }

func (g guarded) check(t *testing.T, what string) {
	t.Helper()
	for i, b := range g.bytes {
		if (i < guardSize || i >= guardSize+g.size) && b != guard {
			t.Fatalf("%s: byte %d outside of the block was overwritten", what, i-guardSize)
		}
	}
}

// number reads element i as a float64; I64 values of the tests are small enough or compared as integers.
func (g guarded) number(dt DType, i int) float64 {
	p := unsafe.Add(g.ptr(), i*dt.Size())
	switch dt {
	case Bool:
		return float64(*(*uint8)(p))
	case I32:
		return float64(*(*int32)(p))
	case I64:
		return float64(*(*int64)(p))
	case F32:
		return float64(*(*float32)(p))
	case BF16:
		return float64(half.BF16(*(*uint16)(p)))
	case F16:
		return float64(half.F16(*(*uint16)(p)))
	}
	return *(*float64)(p)
}

func (g guarded) integer(dt DType, i int) int64 {
	p := unsafe.Add(g.ptr(), i*dt.Size())
	switch dt {
	case Bool:
		return int64(*(*uint8)(p))
	case I32:
		return int64(*(*int32)(p))
	}
	return *(*int64)(p)
}

var (
	specialFloats = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, math.Inf(1), math.Inf(-1), math.NaN(),
		0x1p-149, -0x1p-149, 0x1p-130, -0x1p-127, 0x1p-126, -0x1.8p-126, 0x1p-100, 0x1p-1074, -0x1p-1023, 0x1p-1022, 0x1.8p-1022, math.MaxFloat32, -math.MaxFloat32, 88.7, -88, -103.9, 10, -10, -13.2,
		1e-8, -1e-8, 0.999999, -0.999999, 3e9, -3e9, 8388609, 1e10}
	specialInts = []int64{0, 1, -1, 2, -2, 7, -7, math.MaxInt32, math.MinInt32, math.MinInt32 + 1}
)

// fill puts special and random values into a block.
func (g guarded) fill(dt DType, rng *rand.Rand) {
	for i := range g.size / dt.Size() {
		p := unsafe.Add(g.ptr(), i*dt.Size())
		special := rng.IntN(3) == 0
		switch dt {
		case Bool:
			*(*uint8)(p) = uint8(rng.IntN(2))
		case I32:
			*(*int32)(p) = int32(rng.IntN(21) - 10)
			if special {
				*(*int32)(p) = int32(specialInts[rng.IntN(len(specialInts))])
			}
		case I64:
			*(*int64)(p) = int64(rng.Uint64())
			if special {
				*(*int64)(p) = specialInts[rng.IntN(len(specialInts))]
			}
		case F32:
			*(*float32)(p) = float32(rng.NormFloat64() * 4)
			if special {
				*(*float32)(p) = float32(specialFloats[rng.IntN(len(specialFloats))])
			}
		case BF16, F16:
			*(*uint16)(p) = uint16(rng.Uint32())
		case F64:
			*(*float64)(p) = rng.NormFloat64() * 4
			if special {
				*(*float64)(p) = specialFloats[rng.IntN(len(specialFloats))]
			}
		}
	}
}

// ulpBounds are the largest errors allowed in units in the last place; functions that are not listed are exact, which
// means rounded correctly.
var ulpBounds = map[scalar.Func]float64{
	scalar.Rsqrt: 2, scalar.Pow: 1, scalar.Exp: 2, scalar.Log: 2, scalar.MulAdd: 2,
	scalar.Expm1: 4, scalar.Log1p: 4, scalar.Sin: 4, scalar.Cos: 4, scalar.Tanh: 4, scalar.Sigmoid: 4, scalar.Softplus: 4,
	scalar.Erf: 4, scalar.GELU: 4, scalar.GELUPrime: 4,
	scalar.Exp2: 2, scalar.Log2: 4, scalar.Erfc: 8, scalar.ErfInv: 10, scalar.Lgamma: 8, scalar.Digamma: 12, scalar.Trigamma: 12,
	scalar.Tan: 2, scalar.Asin: 2, scalar.Acos: 2, scalar.Atan: 2, scalar.Atan2: 2, scalar.Sinh: 2, scalar.Cosh: 2,
}

// ulpBound is the bound for a type. In f64 the definitions themselves are off by about 1 ulp, which shows where a bound is small.
func ulpBound(f scalar.Func, dt DType) float64 {
	if b := ulpBounds[f]; dt == F64 && b == 2 {
		return 4
	}
	return ulpBounds[f]
}

// ulp is the distance of neighboring numbers of the type around x.
func ulp(dt DType, x float64) float64 {
	if dt == F64 {
		x = min(math.Abs(x), math.MaxFloat64)
		return max(math.Abs(math.Nextafter(x, 0)-x), math.SmallestNonzeroFloat64)
	}
	_, e := math.Frexp(min(math.Abs(x), math.MaxFloat32))
	return math.Ldexp(1, max(e-24, -149))
}

// smallestNormal is below which numbers of the type count as zero.
func smallestNormal(dt DType) float64 {
	switch dt {
	case F32, BF16:
		return 0x1p-126
	case F16:
		return 0 // by way of F32, in which all are normal
	}
	return 0x1p-1022
}

// define is f of operands of the type, among which the denormal ones are zero unless f keeps them. A denormal result is not yet flushed.
func define(f scalar.Func, dt DType, a, b, c float64) float64 {
	if dt == F32 && !f.KeepsDenormals() {
		a, b, c = float64(scalar.Flush(float32(a))), float64(scalar.Flush(float32(b))), float64(scalar.Flush(float32(c)))
	}
	return scalar.F64(f, a, b, c)
}

// floatError says by how many ulps got misses want, the value of f(a, b, c); NaN and infinities must be right, which gives 0 or infinity. A denormal
// result must be zero, and no result but that of a function that keeps one of its operands may be denormal.
func floatError(f scalar.Func, dt DType, got, want, a, b, c float64) float64 {
	if smallest := smallestNormal(dt); !f.KeepsDenormals() {
		switch {
		case got != 0 && math.Abs(got) < smallest && f != scalar.ReLUGrad:
			return math.Inf(1)
		case math.Abs(got) < smallest && math.Abs(want) < smallest*(1+ulpBound(f, dt)*0x1p-23):
			return 0
		}
	}
	rounded := want
	if dt == F32 {
		rounded = float64(float32(want))
	}
	switch {
	case want != want && got != got, got == rounded:
		return 0
	case want != want || got != got, math.IsInf(a, 0) && f.Arity() == 1:
		return math.Inf(1)
	}
	if dt == F32 && math.IsInf(got, 0) && math.Abs(want) > math.MaxFloat32/2 {
		got = math.Copysign(0x1p128, got) // the number that was too large to round to
	}
	if f == scalar.GELU && math.Abs(got-want) < smallestNormal(dt) {
		return 0 // the difference of two numbers, one of which may have been flushed
	}
	scale := math.Abs(want)
	switch f { // sums that cancel: count in units of the terms
	case scalar.MulAdd:
		scale = max(math.Abs(a*b), math.Abs(c))
	case scalar.Lgamma, scalar.Digamma: // of a negative number a difference, with zeros that no form keeps the digits of
		if a < 0 {
			scale = max(scale, math.Abs(scalar.F64(f, 1-a, 0, 0)))
		}
	case scalar.GELUPrime:
		phi := scalar.F64(scalar.GELU, a, 0, 0) / a // Phi(a)
		scale = max(scale, math.Abs(phi), math.Abs(want-phi))
	}
	return math.Abs(got-want) / ulp(dt, scale)
}

// checkFloat reports a result outside of its bound.
func checkFloat(t *testing.T, f scalar.Func, dt DType, got, a, b, c float64) {
	t.Helper()
	want := define(f, dt, a, b, c)
	e := floatError(f, dt, got, want, a, b, c)
	if Current() == Go { // sums, products and quotients take denormal operands as they are
		switch f {
		case scalar.Add, scalar.Sub, scalar.Mul, scalar.Div, scalar.Square, scalar.MulAdd, scalar.LeakyReLU:
			e = min(e, floatError(f, dt, got, ieee(f, a, b, c), a, b, c))
		}
	}
	bound := ulpBound(f, dt)
	if dt == F32 && plainMath[f] != nil && fastFunction(Current(), kernel{f, dt}) == nil {
		bound = 0.51 // computed in float64 and rounded once
	}
	if e > bound {
		t.Fatalf("%v %v(%v, %v, %v) = %v, want %v (off by %.3g ulp, allowed %v)", dt, f, a, b, c, got, want, e, bound)
	}
}

// ieee is the arithmetic function f as the processor computes it.
func ieee(f scalar.Func, a, b, c float64) float64 {
	switch f {
	case scalar.Add:
		return a + b
	case scalar.Sub:
		return a - b
	case scalar.Mul:
		return a * b
	case scalar.Div:
		return a / b
	case scalar.Square:
		return a * a
	case scalar.MulAdd:
		return a*b + c
	}
	if a > 0 { // LeakyReLU
		return a
	}
	return a * b
}

// operandDType is the type of operand k of f on dt.
func operandDType(f scalar.Func, dt DType, k int) DType {
	if f == scalar.Where && k == 0 {
		return Bool
	}
	return dt
}

func resultDType(f scalar.Func, dt DType) DType {
	if f.GivesBool() {
		return Bool
	}
	return dt
}

// TestFunctionDefined asserts which pairs of function and type exist.
func TestFunctionDefined(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, f := range scalar.All() {
			for _, dt := range allDTypes {
				var want bool
				switch {
				case f.IntOnly():
					want = dt == I32 || dt == I64
				case dt == Bool:
					want = f.Logical() || f == scalar.Where || f == scalar.Eq || f == scalar.Ne
				case dt == I32 || dt == I64:
					want = !f.Logical() && !f.FloatOnly()
				default:
					want = !f.Logical()
				}
				if got := Function(f, dt) != nil; got != want {
					t.Errorf("Function(%v, %v) defined: %v, want %v", f, dt, got, want)
				}
			}
		}
	})
}

func TestFunction(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, f := range scalar.All() {
			for _, dt := range allDTypes {
				v := Function(f, dt)
				if v == nil {
					continue
				}
				for _, n := range blockSizes {
					testBlock(t, v, f, dt, n)
				}
			}
		}
	})
}

// testBlock checks one call of v, the same call in place of each operand, and the guards.
func testBlock(t *testing.T, v Vec, f scalar.Func, dt DType, n int) {
	t.Helper()
	what := fmt.Sprintf("%v %v n=%d", dt, f, n)
	rng := rand.New(rand.NewPCG(uint64(f), uint64(n)))
	var in [3]guarded
	var ptr [3]unsafe.Pointer
	for k := range f.Arity() {
		in[k] = newGuarded(operandDType(f, dt, k), n)
		in[k].fill(operandDType(f, dt, k), rng)
		ptr[k] = in[k].ptr()
	}
	out := resultDType(f, dt)
	dst := newGuarded(out, n)
	v(dst.ptr(), ptr[0], ptr[1], ptr[2], n)
	dst.check(t, what)
	for i := range n {
		if dt.isFloat() {
			var x [3]float64
			for k := range f.Arity() {
				x[k] = in[k].number(operandDType(f, dt, k), i)
			}
			checkFloat(t, f, dt, dst.number(out, i), x[0], x[1], x[2])
			continue
		}
		var x [3]int64
		for k := range f.Arity() {
			x[k] = in[k].integer(operandDType(f, dt, k), i)
		}
		var want int64
		switch dt {
		case Bool:
			want = int64(bit(scalar.Bool(f, x[0] != 0, x[1] != 0, x[2] != 0)))
		case I32:
			want = int64(scalar.I32(f, int32(x[0]), int32(x[1]), int32(x[2])))
		case I64:
			want = scalar.I64(f, x[0], x[1], x[2])
		}
		if got := dst.integer(out, i); got != want {
			t.Fatalf("%s: (%d, %d, %d) gives %d, want %d", what, x[0], x[1], x[2], got, want)
		}
	}
	for k := range f.Arity() {
		in[k].check(t, what)
		operand := operandDType(f, dt, k)
		if operand.Size() < out.Size() {
			continue
		}
		kept := append([]byte(nil), in[k].bytes...)
		v(ptr[k], ptr[0], ptr[1], ptr[2], n)
		in[k].check(t, what+" in place")
		got, want := in[k].bytes[guardSize:][:n*out.Size()], dst.bytes[guardSize:][:n*out.Size()]
		if string(got) != string(want) {
			t.Fatalf("%s: in place of operand %d the result differs", what, k)
		}
		copy(in[k].bytes, kept)
	}
}

func (dt DType) isFloat() bool { return dt >= F32 }

// TestFunctionCut asserts that an element's bits do not depend on where its block begins and ends.
func TestFunctionCut(t *testing.T) {
	const n = 257
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, f := range scalar.All() {
			for _, dt := range allDTypes {
				v := Function(f, dt)
				if v == nil {
					continue
				}
				rng := rand.New(rand.NewPCG(uint64(f), 3))
				var in [3]guarded
				for k := range in {
					in[k] = newGuarded(operandDType(f, dt, k), n)
					in[k].fill(operandDType(f, dt, k), rng)
				}
				at := func(k, i int) unsafe.Pointer {
					return unsafe.Add(in[k].ptr(), i*operandDType(f, dt, k).Size())
				}
				out := resultDType(f, dt)
				whole, cut := newGuarded(out, n), newGuarded(out, n)
				v(whole.ptr(), at(0, 0), at(1, 0), at(2, 0), n)
				for i, step := 0, 1; i < n; i, step = i+step, step%37+5 {
					v(unsafe.Add(cut.ptr(), i*out.Size()), at(0, i), at(1, i), at(2, i), min(step, n-i))
					step = min(step, n-i)
				}
				if string(whole.bytes) != string(cut.bytes) {
					t.Errorf("%v %v: cutting the block changes the result", dt, f)
				}
			}
		}
	})
}

// TestFunctionSweep runs the one-argument functions over bit patterns from the whole range of floats, and as many numbers
// between -20 and 20.
func TestFunctionSweep(t *testing.T) {
	const n = 4096
	before := Current()
	defer Force(before)
	for _, dt := range []DType{F32, F64} {
		src, dst := newGuarded(dt, n), newGuarded(dt, n)
		want := make([]float64, n)
		for _, f := range scalar.All() {
			if f.Arity() != 1 || f.Logical() || f.IntOnly() {
				continue
			}
			out := resultDType(f, dt)
			t.Run(fmt.Sprintf("%v/%v", dt, f), func(t *testing.T) {
				var worst [len(levelNames)]struct{ err, at float64 }
				for start := 0; start < 1<<32; start += *sweepStride * n {
					for _, near := range []bool{false, true} {
						for i := range n {
							bits := uint64(start + i**sweepStride)
							x := float64(math.Float32frombits(uint32(bits)))
							switch {
							case near:
								x = (float64(bits)/(1<<31) - 1) * 20
							case dt == F64:
								x = math.Float64frombits(bits<<32 | bits)
							}
							src.set(dt, i, x)
							want[i] = define(f, dt, src.number(dt, i), 0, 0)
						}
						for _, l := range Levels() {
							if l > Go && fastFunction(l, kernel{f, dt}) == nil {
								continue
							}
							Force(l)
							Function(f, dt)(dst.ptr(), src.ptr(), nil, nil, n)
							for i, want := range want {
								x := src.number(dt, i)
								e := floatError(f, dt, dst.number(out, i), want, x, 0, 0)
								if f == scalar.Square && l == Go {
									e = min(e, floatError(f, dt, dst.number(out, i), x*x, x, 0, 0))
								}
								if e > worst[l].err {
									worst[l].err, worst[l].at = e, x
								}
							}
						}
					}
				}
				for _, l := range Levels() {
					t.Logf("%-8v largest error %.3f ulp at %g", l, worst[l].err, worst[l].at)
					if worst[l].err > ulpBound(f, dt) {
						t.Errorf("%v %v(%g) is off by %.3g ulp, allowed %v", l, f, worst[l].at, worst[l].err, ulpBound(f, dt))
					}
				}
			})
		}
	}
}

// TestTwoArguments tries all pairs of special values, and random ones of all magnitudes, on the functions whose special cases
// are pairs.
func TestTwoArguments(t *testing.T) {
	edges := append([]float64{2, 3, -3, 4, -4, 7.5, -7.5, 1 << 24, 1<<24 - 1, -(1<<24 - 1), 0x1p25}, specialFloats...)
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, dt := range []DType{F32, F64} {
			for _, f := range []scalar.Func{scalar.Pow, scalar.Min, scalar.Max, scalar.Atan2, scalar.ReLUGrad, scalar.LeakyReLU} {
				n := len(edges) * len(edges) * 4
				rng := rand.New(rand.NewPCG(1, uint64(f)))
				a, b, dst := newGuarded(dt, n), newGuarded(dt, n), newGuarded(dt, n)
				for i := range n {
					x, y := rng.NormFloat64(), rng.NormFloat64()
					if i < n/4 {
						x, y = edges[i%len(edges)], edges[i/len(edges)]
					} else if i < n/2 {
						x, y = math.Exp(60*x), y*2
					}
					a.set(dt, i, x)
					b.set(dt, i, y)
				}
				Function(f, dt)(dst.ptr(), a.ptr(), b.ptr(), nil, n)
				for i := range n {
					checkFloat(t, f, dt, dst.number(dt, i), a.number(dt, i), b.number(dt, i), 0)
				}
			}
		}
	})
}

// benchmarkBlock is the size of a block in a row loop.
const benchmarkBlock = 256

func BenchmarkFunction(b *testing.B) {
	before := Current()
	defer Force(before)
	for _, dt := range allDTypes {
		for _, f := range scalar.All() {
			for _, l := range Levels() {
				Force(l)
				v := Function(f, dt)
				if v == nil || l > Go && fastFunction(l, kernel{f, dt}) == nil {
					continue
				}
				var in [3]guarded
				rng := rand.New(rand.NewPCG(1, 2))
				for k := range in {
					in[k] = newGuarded(operandDType(f, dt, k), benchmarkBlock)
					for i := range benchmarkBlock {
						p := unsafe.Add(in[k].ptr(), i*operandDType(f, dt, k).Size())
						switch operandDType(f, dt, k) {
						case F32:
							*(*float32)(p) = float32(rng.NormFloat64())
						case F64:
							*(*float64)(p) = rng.NormFloat64()
						default:
							*(*uint8)(p) = 1
						}
					}
				}
				dst := newGuarded(F64, benchmarkBlock)
				b.Run(fmt.Sprintf("%v/%v/%v", dt, f, l), func(b *testing.B) {
					for b.Loop() {
						v(dst.ptr(), in[0].ptr(), in[1].ptr(), in[2].ptr(), benchmarkBlock)
					}
					b.ReportMetric(benchmarkBlock*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
				})
			}
		}
	}
}

// TestVectorFunctionsAllocateNothing covers the functions with Go code around their assembly, too.
func TestVectorFunctionsAllocateNothing(t *testing.T) {
	x, y := make([]float32, 70*70), make([]float32, 70*70)
	for i := range x {
		x[i] = float32(i) * 100 // beyond the reach of the sine kernel, too
	}
	px, py := unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0])
	atEachLevel(t, func(t *testing.T, l Level) {
		sin, gelu, sum := Function(scalar.Sin, F32), Function(scalar.GELU, F32), ColumnReduction(Sum, F32)
		splat, transpose := Splat(F32), Transpose(4)
		if n := alloctest.PerRun(5, func() {
			sin(py, px, nil, nil, len(x))
			gelu(py, px, nil, nil, len(x))
			sum(py, px, 70, 70)
			splat(py, px, 70, 70)
			transpose(py, px, 70, 70, 70, 70)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
