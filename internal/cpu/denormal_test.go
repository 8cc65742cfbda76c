package cpu

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// TestDenormals asserts of kernels of all kinds that denormal numbers count as zero where the level says so, and that the mode in which they do
// ends with the kernel: Go code goes on with gradual underflow.
func TestDenormals(t *testing.T) {
	runtime.LockOSThread() // the mode is the thread's
	defer runtime.UnlockOSThread()
	atEachLevel(t, func(t *testing.T, l Level) {
		t.Run("f32", func(t *testing.T) { testDenormals(t, l, F32, float32(0x1p-126)) })
		t.Run("f64", func(t *testing.T) { testDenormals(t, l, F64, 0x1p-1022) })
	})
}

func testDenormals[T float](t *testing.T, l Level, dt DType, smallest T) {
	const n = 37 // whole vectors and a part of one at every level
	filled := func(x T) []T {
		s := make([]T, n*n)
		for i := range s {
			s[i] = x
		}
		return s
	}
	at := func(s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }
	small := T(math.Sqrt(float64(smallest)) / 4)
	for _, c := range []struct {
		what   string
		x, y   T
		always bool // at the plain level, too
	}{
		{"small numbers", small, small, true},
		{"small numbers of two signs", small, -small, true},
		{"the smallest normal number", smallest, 0.25, true},
		{"a denormal number by a large one", smallest / 2, 1 << 20, false},
		{"a large number by a denormal one", 1 << 20, -smallest / 4, false},
	} {
		if !c.always && l == Go {
			continue
		}
		x, y := filled(c.x), filled(c.y)
		for _, k := range []struct {
			name string
			run  func(out []T)
		}{
			{"product", func(out []T) { Function(scalar.Mul, dt)(at(out), at(x), at(y), nil, n) }},
			{"multiply-add", func(out []T) { Function(scalar.MulAdd, dt)(at(out), at(x), at(y), at(out), n) }},
			{"matrix product", func(out []T) {
				multiply(GemmSpec{M: n, N: n, K: 1, A: Layout{1, 1}, B: Layout{n, 1}, LDC: n, Float64: dt == F64}, at(x), at(y), at(out))
			}},
			{"transposed product", func(out []T) {
				multiply(GemmSpec{M: n, N: n, K: 1, A: Layout{1, n}, B: Layout{1, 1}, LDC: n, Float64: dt == F64}, at(x), at(y), at(out))
			}},
			{"column product", func(out []T) {
				copy(out[:n], y)
				ColumnReduction(Prod, dt)(at(out), at(x), 1, n)
			}},
			{"column sum", func(out []T) { ColumnReduction(Sum, dt)(at(out), at(filled(smallest/2)), n, n) }},
		} {
			out := make([]T, n*n)
			k.run(out)
			for i, v := range out[:n] {
				if v != 0 {
					t.Fatalf("%s, %s: element %d is %g, want 0", k.name, c.what, i, float64(v))
				}
			}
			gradual(t, k.name, smallest)
		}
	}

	// Comparisons and casts to bool see zero; selection and casts between numbers keep the number.
	tiny, zero := filled(smallest/2), filled(0)
	for f, want := range map[scalar.Func]uint8{scalar.Eq: 1, scalar.Ne: 0, scalar.Lt: 0, scalar.Le: 1, scalar.Gt: 0, scalar.Ge: 1} {
		for _, pair := range [][2][]T{{tiny, zero}, {zero, tiny}, {tiny, filled(-smallest / 4)}} {
			out := make([]uint8, n)
			Function(f, dt)(unsafe.Pointer(&out[0]), at(pair[0]), at(pair[1]), nil, n)
			for i, v := range out {
				if v != want {
					t.Fatalf("%v(%g, %g)[%d] = %d, want %d", f, float64(pair[0][0]), float64(pair[1][0]), i, v, want)
				}
			}
		}
		gradual(t, fmt.Sprint(f), smallest)
	}
	bools := make([]uint8, n)
	Convert(dt, Bool)(unsafe.Pointer(&bools[0]), at(tiny), nil, nil, n)
	if bools[0] != 0 || bools[n-1] != 0 {
		t.Errorf("a denormal number is true")
	}
	for _, f := range scalar.All() {
		if !f.KeepsDenormals() {
			continue
		}
		out, want := make([]T, n), smallest/2
		a, b := at(tiny), at(zero)
		switch f {
		case scalar.Neg:
			want = -want
		case scalar.Min:
			b = at(filled(1))
		case scalar.Where:
			a, b = unsafe.Pointer(&bools[0]), at(filled(1)) // all false
		}
		Function(f, dt)(at(out), a, b, at(tiny), n)
		for i, v := range out {
			if v != want {
				t.Errorf("%v[%d] = %g, want %g", f, i, float64(v), float64(want))
			}
		}
	}
	for _, kind := range []Reduce{Max, Min} {
		for name, r := range map[string]Rows{"row": RowReduction(kind, dt), "column": ColumnReduction(kind, dt)} {
			out, src := []T{smallest / 2}, []T{smallest / 2}
			r(at(out), at(src), 1, 1)
			if out[0] != smallest/2 {
				t.Errorf("%s %v of a denormal number is %g", name, kind, float64(out[0]))
			}
		}
	}
	places := make([]int64, 1)
	ordered := append(filled(-smallest / 2)[:n], 0, smallest/4, smallest/2, smallest/4)
	if ArgMax(places, ordered, Lines{0, 1, len(ordered), 1}); places[0] != n+2 {
		t.Errorf("the largest element is said to be at %d", places[0])
	}
	if dt == F32 {
		wide := make([]float64, n)
		Convert(F32, F64)(unsafe.Pointer(&wide[0]), at(tiny), nil, nil, n)
		back := make([]float32, n)
		Convert(F64, F32)(unsafe.Pointer(&back[0]), unsafe.Pointer(&wide[0]), nil, nil, n)
		if wide[0] != 0x1p-127 || wide[n-1] != 0x1p-127 || back[0] != 0x1p-127 || back[n-1] != 0x1p-127 {
			t.Errorf("casts make %g and %g of 2^-127", wide[0], back[0])
		}
	}
}

// multiply runs all tasks of a product.
func multiply(spec GemmSpec, a, b, c unsafe.Pointer) {
	g := NewGemm(spec)
	shared, worker := aligned(g.SharedScratch()), aligned(g.WorkerScratch())
	for phase := range g.Phases() {
		for task := range g.Tasks(phase) {
			g.Run(phase, task, a, b, c, shared, worker)
		}
	}
}

// gradual asserts that Go code still has denormal numbers.
func gradual[T float](t *testing.T, after string, smallest T) {
	t.Helper()
	if half := smallest * T(len(after)) / T(2*len(after)); half == 0 || half*2 != smallest {
		t.Fatalf("after %s half of the smallest normal number is %g: the mode outlived the kernel", after, float64(half))
	}
}
