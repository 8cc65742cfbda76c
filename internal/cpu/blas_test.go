package cpu

import (
	"strings"
	"testing"
	"unsafe"
)

func TestBLASFromEnv(t *testing.T) {
	defer func(before func(b *blasProduct, x, y, z unsafe.Pointer)) { blasMultiply = before }(blasMultiply)
	library := func(*blasProduct, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer) {}
	for _, tt := range []struct {
		value   string
		library func(b *blasProduct, x, y, z unsafe.Pointer)
		use     bool
		err     string
	}{
		{"", nil, false, ""},
		{"", library, false, ""},
		{"accelerate", library, true, ""},
		{"accelerate", nil, false, "used on darwin/arm64 alone: unset it"},
		{"mkl", library, false, `TARN_BLAS="mkl" is not a library: choose accelerate, or unset it`},
		{"Accelerate", nil, false, "is not a library"},
	} {
		blasMultiply = tt.library
		use, err := blasFromEnv(tt.value)
		if use != tt.use || tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: %v, %v; want %v and an error with %q", tt.value, use, err, tt.use, tt.err)
		}
	}
}

// TestBLASProducts puts plain loops in the place of a library, and asserts which products are handed over, and that the arguments mean them.
func TestBLASProducts(t *testing.T) {
	if Detected() == Go {
		t.Skip("a library is not used at the plain level")
	}
	defer func(before func(b *blasProduct, x, y, z unsafe.Pointer), use bool, l Level) {
		blasMultiply, useBLAS = before, use
		Force(l)
	}(blasMultiply, useBLAS, Current())
	Force(Detected())
	calls := 0
	blasMultiply = func(b *blasProduct, x, y, z unsafe.Pointer) {
		calls++
		if b.float64s {
			blasLoops[float64](b, x, y, z)
		} else {
			blasLoops[float32](b, x, y, z)
		}
	}
	const m, n, k = 130, 140, 150
	for _, tt := range []struct {
		name    string
		m, n, k int
		a, b    Layout
		ldc     int
		over    bool
	}{
		{"NN", m, n, k, Layout{k, 1}, Layout{n, 1}, n, true},
		{"TN", m, n, k, Layout{1, m}, Layout{n, 1}, n, true},
		{"NT", m, n, k, Layout{k, 1}, Layout{1, k}, n, true},
		{"TT", m, n, k, Layout{1, m}, Layout{1, k}, n, true},
		{"parts of wider matrices", m, n, k, Layout{k + 3, 1}, Layout{1, k + 5}, n + 7, true},
		{"elements apart", m, n, k, Layout{2 * k, 2}, Layout{n, 1}, n, false},
		{"one row for all", m, n, k, Layout{0, 1}, Layout{n, 1}, n, false},
		{"small", 20, 20, 20, Layout{20, 1}, Layout{20, 1}, 20, false},
		{"few columns", 2000, 10, 2000, Layout{2000, 1}, Layout{10, 1}, 10, false},
	} {
		for _, float64s := range []bool{false, true} {
			for _, accumulate := range []bool{false, true} {
				spec := GemmSpec{M: tt.m, N: tt.n, K: tt.k, A: tt.a, B: tt.b, LDC: tt.ldc, Float64: float64s, Accumulate: accumulate}
				useBLAS, calls = true, 0
				with := blasResult(spec)
				if (calls > 0) != tt.over {
					t.Errorf("%s, float64 %v: %d calls", tt.name, float64s, calls)
				}
				useBLAS = false
				without := blasResult(spec)
				for i, x := range with {
					if x != without[i] {
						t.Fatalf("%s, float64 %v, accumulate %v: element %d is %v, want %v", tt.name, float64s, accumulate, i, x, without[i])
					}
				}
			}
		}
	}
}

// blasResult multiplies matrices of small integers, whose sums are exact.
func blasResult(s GemmSpec) []float64 {
	size := func(l Layout, rows, cols int) int { return (rows-1)*l.RowStride + (cols-1)*l.ColStride + 1 }
	na, nb, nc := size(s.A, s.M, s.K), size(s.B, s.K, s.N), (s.M-1)*s.LDC+s.N
	fill := func(n, step int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i*step%7 - 3)
		}
		return x
	}
	a, b, c := fill(na, 3), fill(nb, 5), fill(nc, 2)
	if s.Float64 {
		multiply(s, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]))
		return c
	}
	narrow := func(x []float64) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = float32(v)
		}
		return y
	}
	a32, b32, c32 := narrow(a), narrow(b), narrow(c)
	multiply(s, unsafe.Pointer(&a32[0]), unsafe.Pointer(&b32[0]), unsafe.Pointer(&c32[0]))
	for i, v := range c32 {
		c[i] = float64(v)
	}
	return c
}

// blasLoops does what cblas_sgemm and cblas_dgemm do.
func blasLoops[T float](b *blasProduct, x, y, z unsafe.Pointer) {
	at := func(p unsafe.Pointer, trans bool, lead, i, j int) T {
		if trans {
			i, j = j, i
		}
		return *(*T)(unsafe.Add(p, (i*lead+j)*int(unsafe.Sizeof(T(0)))))
	}
	for i := range b.m {
		for j := range b.n {
			to := (*T)(unsafe.Add(z, (i*b.ldc+j)*int(unsafe.Sizeof(T(0)))))
			sum := T(0)
			for l := range b.k {
				sum += at(x, b.transA, b.lda, i, l) * at(y, b.transB, b.ldb, l, j)
			}
			if b.accumulate {
				sum += *to
			}
			*to = sum
		}
	}
}
