package cpu

// Casts, reductions and data movement at every level against the plainest code that says what they do.

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/half"
)

// castInt is what a cast of the float x to an integer of the given bits gives.
func castInt(x float64, bits uint) int64 {
	least := int64(-1) << (bits - 1)
	limit := math.Ldexp(1, int(bits-1))
	if x = math.Trunc(x); x >= -limit && x < limit { // false for NaN
		return int64(x)
	}
	return least
}

func TestConvert(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, from := range append(allDTypes, BF16, F16) {
			for _, to := range append(allDTypes, BF16, F16) {
				v := Convert(from, to)
				if v == nil {
					t.Fatalf("%v to %v: no cast", from, to)
				}
				for _, n := range blockSizes {
					what := fmt.Sprintf("%v to %v n=%d", from, to, n)
					rng := rand.New(rand.NewPCG(uint64(n), 5))
					src, dst := newGuarded(from, n), newGuarded(to, n)
					src.fill(from, rng)
					v(dst.ptr(), src.ptr(), nil, nil, n)
					src.check(t, what)
					dst.check(t, what)
					for i := range n {
						ok := true
						x := src.number(from, i)
						switch {
						case to == Bool:
							nonzero := x != 0 && !(from.isFloat() && math.Abs(x) < smallestNormal(from))
							ok = dst.integer(to, i) == int64(bit(nonzero))
						case to == I32 && from == I64:
							ok = dst.integer(to, i) == int64(int32(src.integer(from, i)))
						case to == I32 && from.isFloat():
							ok = dst.integer(to, i) == castInt(x, 32)
						case to == I64 && from.isFloat():
							ok = dst.integer(to, i) == castInt(x, 64)
						case to == I32 || to == I64:
							ok = dst.integer(to, i) == src.integer(from, i)
						case to == F32 && from == I64:
							ok = dst.number(to, i) == float64(float32(src.integer(from, i)))
						case to == F32:
							ok = same(dst.number(to, i), float64(float32(x)))
						case to == F64:
							ok = same(dst.number(to, i), x)
						case to == BF16:
							ok = same(dst.number(to, i), float64(half.BF16(half.ToBF16(half.Odd(x)))))
						case to == F16:
							ok = same(dst.number(to, i), float64(half.F16(half.ToF16(half.Odd(x)))))
						}
						if !ok {
							t.Fatalf("%s: %v gives %v", what, x, dst.number(to, i))
						}
					}
					if from.Size() < to.Size() {
						continue
					}
					v(src.ptr(), src.ptr(), nil, nil, n)
					src.check(t, what+" in place")
					if string(src.bytes[guardSize:][:n*to.Size()]) != string(dst.bytes[guardSize:][:n*to.Size()]) {
						t.Fatalf("%s: in place the result differs", what)
					}
				}
			}
		}
	})
}

// same is equality of numbers, signs of zero and NaN.
func same(a, b float64) bool {
	return a == b && math.Signbit(a) == math.Signbit(b) || a != a && b != b
}

// reduceOne combines two elements in the reduction's own type.
func reduceOne(kind Reduce, dt DType, a, b float64) float64 {
	var r float64
	switch kind {
	case Sum:
		r = a + b
	case Prod:
		r = a * b
	case Max:
		r = max(a, b)
	case Min:
		r = min(a, b)
	case All:
		r = min(a, b)
	case Any:
		r = max(a, b)
	}
	if dt == F32 {
		r = float64(float32(r))
	}
	return r
}

// fillSmall puts integers so small into a block that sums and products of them are exact, and now and then a special value.
func (g guarded) fillSmall(dt DType, rng *rand.Rand, special float64) {
	for i := range g.size / dt.Size() {
		v := []float64{1, -1, 1, 2, 0.5, -0.5, 1, 1}[rng.IntN(8)]
		if rng.IntN(200) == 0 {
			v = special
		}
		g.set(dt, i, v)
	}
}

func (g guarded) set(dt DType, i int, v float64) {
	p := unsafe.Add(g.ptr(), i*dt.Size())
	switch dt {
	case Bool:
		*(*uint8)(p) = bit(v > 0.7)
	case I32:
		*(*int32)(p) = int32(v)
	case I64:
		*(*int64)(p) = int64(v)
	case F32:
		*(*float32)(p) = float32(v)
	case F64:
		*(*float64)(p) = v
	}
}

func reductionDefined(kind Reduce, dt DType) bool {
	return (kind == All || kind == Any) == (dt == Bool)
}

var rowBlocks = []struct{ rows, cols int }{
	{0, 5}, {3, 0}, {1, 1}, {1, 257}, {5, 7}, {4, 16}, {3, 31}, {2, 64}, {7, 100}, {64, 3}, {9, 130},
}

func TestReductions(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for kind := Sum; kind <= Any; kind++ {
			for _, dt := range allDTypes {
				byRow, byColumn := RowReduction(kind, dt), ColumnReduction(kind, dt)
				if defined := reductionDefined(kind, dt); (byRow != nil) != defined || (byColumn != nil) != defined {
					t.Fatalf("%v of %v: defined %v by row and %v by column, want %v", kind, dt, byRow != nil, byColumn != nil, defined)
				}
				if byRow == nil {
					continue
				}
				wide := dt
				switch {
				case kind == Sum && dt.isFloat():
					wide = F64
				case kind == Sum:
					wide = I64
				}
				for _, special := range []float64{1, math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)} {
					if special != 1 && !dt.isFloat() {
						continue
					}
					for _, s := range rowBlocks {
						what := fmt.Sprintf("%v of %v, %d x %d, special %v", kind, dt, s.rows, s.cols, special)
						rng := rand.New(rand.NewPCG(uint64(s.rows), uint64(s.cols)))
						src := newGuarded(dt, s.rows*s.cols)
						src.fillSmall(dt, rng, special)
						for _, by := range []struct {
							name   string
							reduce Rows
							dt     DType
							n      int
							index  func(r, c int) int
						}{
							{"rows", byRow, wide, s.rows, func(r, c int) int { return r }},
							{"columns", byColumn, dt, s.cols, func(r, c int) int { return c }},
						} {
							dst := newGuarded(by.dt, by.n)
							dst.fillSmall(by.dt, rng, 1)
							want := make([]float64, by.n)
							for i := range want {
								want[i] = dst.number(by.dt, i)
							}
							for r := range s.rows {
								for c := range s.cols {
									w := &want[by.index(r, c)]
									*w = reduceOne(kind, by.dt, *w, src.number(dt, r*s.cols+c))
								}
							}
							by.reduce(dst.ptr(), src.ptr(), s.rows, s.cols)
							dst.check(t, what+" by "+by.name)
							for i, w := range want {
								got := dst.number(by.dt, i)
								if !(got == w || got != got && w != w) {
									t.Fatalf("%s by %s: [%d] = %v, want %v", what, by.name, i, got, w)
								}
							}
						}
					}
				}
			}
		}
	})
}

// TestRowSumIsWide asserts that the small terms of a long float32 sum are not lost.
func TestRowSumIsWide(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		x := make([]float32, 1001)
		x[0] = 1 << 30
		for i := range x[1:] {
			x[i+1] = 0.125
		}
		sum := 1.0
		RowReduction(Sum, F32)(unsafe.Pointer(&sum), unsafe.Pointer(&x[0]), 1, len(x))
		if want := 1<<30 + 1000*0.125 + 1; sum != want {
			t.Errorf("sum %v, want %v", sum, want)
		}
	})
}

// TestRowSquares asserts sums of squares of rows of every length, and that one element that is not finite shows wherever it stands.
func TestRowSquares(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for cols := range 150 {
			src32, src64 := newGuarded(F32, 2*cols), newGuarded(F64, 2*cols)
			x32, x64 := block[float32](src32.ptr(), 2*cols), block[float64](src64.ptr(), 2*cols)
			want := [2]float64{1, 2}
			for i := range x64 {
				v := float64(i%7) - 3
				x32[i], x64[i] = float32(v), v
				want[i/cols] += v * v
			}
			for dt, src := range map[DType]guarded{F32: src32, F64: src64} {
				got := [2]float64{1, 2}
				RowSquares(dt)(unsafe.Pointer(&got), src.ptr(), 2, cols)
				if got != want {
					t.Errorf("%v, %d columns: %v, want %v", dt, cols, got, want)
				}
			}
			for i := range cols {
				for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
					x32[i], x64[i] = float32(bad), bad
					for dt, src := range map[DType]guarded{F32: src32, F64: src64} {
						got := [2]float64{1, 2}
						RowSquares(dt)(unsafe.Pointer(&got), src.ptr(), 2, cols)
						if !math.IsNaN(got[0]) && !math.IsInf(got[0], 0) || got[1] != want[1] {
							t.Errorf("%v, %d columns, %v at %d: %v", dt, cols, bad, i, got)
						}
					}
				}
				x32[i], x64[i] = 0, 0
			}
		}
	})
}

// TestColumnReductionOrder asserts the order of the rows: all levels, and calls over parts of the rows, have the same bits.
func TestColumnReductionOrder(t *testing.T) {
	const rows, cols = 40, 77
	for _, dt := range []DType{F32, F64} {
		for kind := Sum; kind <= Min; kind++ {
			src := newGuarded(dt, rows*cols)
			rng := rand.New(rand.NewPCG(7, 7))
			for i := range rows * cols {
				src.set(dt, i, 1+rng.NormFloat64()/8)
			}
			want := newGuarded(dt, cols)
			for i := range cols {
				want.set(dt, i, 1)
			}
			start := string(want.bytes)
			for r := range rows {
				for c := range cols {
					x, y := want.number(dt, c), src.number(dt, r*cols+c)
					want.set(dt, c, reduceOne(kind, dt, x, y))
				}
			}
			atEachLevel(t, func(t *testing.T, l Level) {
				reduce := ColumnReduction(kind, dt)
				for _, part := range []int{rows, 8, 1} {
					dst := newGuarded(dt, cols)
					copy(dst.bytes, start)
					for r := 0; r < rows; r += part {
						reduce(dst.ptr(), unsafe.Add(src.ptr(), r*cols*dt.Size()), part, cols)
					}
					if string(dst.bytes) != string(want.bytes) {
						t.Errorf("%v of %v in parts of %d rows: bits differ from the sequential reduction", kind, dt, part)
					}
				}
			})
		}
	}
}

func TestSplatTileFill(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, dt := range allDTypes {
			for _, s := range rowBlocks {
				what := fmt.Sprintf("%v %d x %d", dt, s.rows, s.cols)
				rng := rand.New(rand.NewPCG(1, uint64(s.cols)))
				column, row := newGuarded(dt, s.rows), newGuarded(dt, s.cols)
				column.fill(dt, rng)
				row.fill(dt, rng)
				splat, tile, fill := newGuarded(dt, s.rows*s.cols), newGuarded(dt, s.rows*s.cols), newGuarded(dt, s.cols)
				Splat(dt)(splat.ptr(), column.ptr(), s.rows, s.cols)
				Tile(dt)(tile.ptr(), row.ptr(), s.rows, s.cols)
				splat.check(t, what+" splat")
				tile.check(t, what+" tile")
				for r := range s.rows {
					for c := range s.cols {
						if !same(splat.number(dt, r*s.cols+c), column.number(dt, r)) {
							t.Fatalf("%s: splat[%d,%d] is wrong", what, r, c)
						}
						if !same(tile.number(dt, r*s.cols+c), row.number(dt, c)) {
							t.Fatalf("%s: tile[%d,%d] is wrong", what, r, c)
						}
					}
				}
				if s.rows == 0 {
					continue
				}
				Fill(dt)(fill.ptr(), column.ptr(), s.cols)
				fill.check(t, what+" fill")
				for c := range s.cols {
					if !same(fill.number(dt, c), column.number(dt, 0)) {
						t.Fatalf("%s: fill[%d] is wrong", what, c)
					}
				}
			}
		}
	})
}

func TestGather(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, dt := range allDTypes {
			for _, n := range blockSizes {
				for _, stride := range []int{1, 2, 5, 0, -3} {
					span := max(1, (n-1)*max(stride, -stride)+1)
					src, dst := newGuarded(dt, span), newGuarded(dt, n)
					src.fill(dt, rand.New(rand.NewPCG(4, uint64(n))))
					first := 0
					if stride < 0 {
						first = span - 1
					}
					Gather(dt)(dst.ptr(), unsafe.Add(src.ptr(), first*dt.Size()), n, stride)
					dst.check(t, "gather")
					for i := range n {
						if !same(dst.number(dt, i), src.number(dt, first+i*stride)) {
							t.Fatalf("%v n=%d stride %d: element %d is wrong", dt, n, stride, i)
						}
					}
				}
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, dt := range []DType{Bool, I32, F64} {
			for _, s := range []struct{ rows, cols, dstExtra, srcExtra int }{
				{0, 3, 0, 0}, {3, 0, 0, 0}, {1, 1, 0, 0}, {8, 8, 0, 0}, {16, 8, 3, 1}, {7, 9, 0, 2}, {17, 33, 5, 0}, {40, 40, 1, 1}, {1, 70, 0, 0}, {70, 1, 2, 0}, {72, 136, 0, 3}, {130, 67, 1, 0},
			} {
				what := fmt.Sprintf("%v %+v", dt, s)
				dstStride, srcStride := s.rows+s.dstExtra, s.cols+s.srcExtra
				src := newGuarded(dt, s.rows*srcStride)
				src.fill(dt, rand.New(rand.NewPCG(4, 5)))
				dst := newGuarded(dt, max(0, s.cols*dstStride-s.dstExtra))
				for i := range dst.size {
					dst.bytes[guardSize+i] = guard
				}
				Transpose(dt.Size())(dst.ptr(), src.ptr(), s.rows, s.cols, dstStride, srcStride)
				dst.check(t, what)
				for c := range s.cols {
					for r := range s.rows {
						if !same(dst.number(dt, c*dstStride+r), src.number(dt, r*srcStride+c)) {
							t.Fatalf("%s: [%d,%d] is wrong", what, c, r)
						}
					}
					for r := s.rows; r < dstStride && c < s.cols-1; r++ {
						for b := range dt.Size() {
							if dst.bytes[guardSize+(c*dstStride+r)*dt.Size()+b] != guard {
								t.Fatalf("%s: the gap after row %d was overwritten", what, c)
							}
						}
					}
				}
			}
		}
	})
	if Transpose(3) != nil {
		t.Error("a transpose for elements of 3 bytes")
	}
}

func BenchmarkBlock(b *testing.B) {
	const rows, cols = 8, 256
	before := Current()
	defer Force(before)
	src, dst := newGuarded(F64, rows*cols), newGuarded(F64, rows*cols)
	for i := range src.bytes {
		src.bytes[i] = 0
	}
	copy(dst.bytes, src.bytes)
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(rows*cols*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elem/ns")
		})
	}
	for _, l := range Levels() {
		Force(l)
		for _, dt := range []DType{F32, F64} {
			for kind := Sum; kind <= Min; kind++ {
				if r := RowReduction(kind, dt); l == Go || fastRowReduction(l, reduction{kind, dt}) != nil {
					run(fmt.Sprintf("row_%v/%v/%v", kind, dt, l), func() { r(dst.ptr(), src.ptr(), rows, cols) })
				}
				r := ColumnReduction(kind, dt)
				run(fmt.Sprintf("column_%v/%v/%v", kind, dt, l), func() { r(dst.ptr(), src.ptr(), rows, cols) })
			}
			splat, tile := Splat(dt), Tile(dt)
			run(fmt.Sprintf("splat/%v/%v", dt, l), func() { splat(dst.ptr(), src.ptr(), rows, cols) })
			run(fmt.Sprintf("tile/%v/%v", dt, l), func() { tile(dst.ptr(), src.ptr(), rows, cols) })
			transpose := Transpose(dt.Size())
			run(fmt.Sprintf("transpose_32x64/%v/%v", dt, l), func() { transpose(dst.ptr(), src.ptr(), 32, 64, 32, 64) })
		}
		for _, to := range allDTypes {
			for _, from := range allDTypes {
				if v := Convert(from, to); l == Go || fastConvert(l, conversion{from, to}) != nil {
					run(fmt.Sprintf("convert/%v_%v/%v", from, to, l), func() { v(dst.ptr(), src.ptr(), nil, nil, rows*cols) })
				}
			}
		}
	}
}
