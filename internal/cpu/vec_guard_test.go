//go:build linux

package cpu

import (
	"fmt"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// fenced is memory between two pages that may not be touched.
type fenced struct{ inside []byte }

func newFenced(t *testing.T, bytes int) fenced {
	page := syscall.Getpagesize()
	m, err := syscall.Mmap(-1, 0, (bytes+page-1)/page*page+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(m) })
	for _, edge := range [][]byte{m[:page], m[len(m)-page:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return fenced{m[page : len(m)-page]}
}

// block returns a number of bytes that end at the upper fence, or begin at the lower one.
func (f fenced) block(bytes int, atEnd bool) unsafe.Pointer {
	if atEnd {
		return unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.inside)), len(f.inside)-bytes)
	}
	return unsafe.Pointer(unsafe.SliceData(f.inside))
}

// TestVectorsTouchNothingElse runs the functions, casts, reductions, splats and transposes of each level on blocks of many lengths at the edges of memory.
func TestVectorsTouchNothingElse(t *testing.T) {
	const most = 70
	memory := [4]fenced{}
	for i := range memory {
		memory[i] = newFenced(t, most*most*8)
	}
	lengths := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 18, 19, 23, 31, 33, 35, 63, 64, 65, 67}
	at := func(i, n int, dt DType, end bool) unsafe.Pointer { return memory[i].block(n*dt.Size(), end) }
	try := func(t *testing.T, what string, f func()) {
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("%s: %v", what, r)
			}
		}()
		f()
	}
	atEachLevel(t, func(t *testing.T, l Level) {
		debug.SetPanicOnFault(true) // of this goroutine
		for _, end := range []bool{false, true} {
			for _, n := range lengths {
				for _, dt := range allDTypes {
					for _, f := range scalar.All() {
						v := Function(f, dt)
						if v == nil {
							continue
						}
						try(t, fmt.Sprintf("%v %v of %d, at the end %v", f, dt, n, end), func() {
							v(at(3, n, resultDType(f, dt), end), at(0, n, operandDType(f, dt, 0), end), at(1, n, operandDType(f, dt, 1), end), at(2, n, operandDType(f, dt, 2), end), n)
						})
					}
					for _, to := range allDTypes {
						try(t, fmt.Sprintf("cast of %d %v to %v, at the end %v", n, dt, to, end), func() {
							Convert(dt, to)(at(3, n, to, end), at(0, n, dt, end), nil, nil, n)
						})
					}
					for _, rows := range []int{1, 3} {
						what := fmt.Sprintf("%d x %d %v, at the end %v", rows, n, dt, end)
						for kind := Sum; kind <= Any; kind++ {
							acc := dt
							switch {
							case kind == Sum && (dt == F32 || dt == F64):
								acc = F64
							case kind == Sum:
								acc = I64
							}
							if r := RowReduction(kind, dt); r != nil {
								try(t, "rows "+kind.String()+" of "+what, func() { r(at(3, rows, acc, end), at(0, rows*n, dt, end), rows, n) })
							}
							if r := ColumnReduction(kind, dt); r != nil {
								try(t, "columns "+kind.String()+" of "+what, func() { r(at(3, n, dt, end), at(0, rows*n, dt, end), rows, n) })
							}
						}
						if dt == F32 || dt == F64 {
							try(t, "squares of "+what, func() { RowSquares(dt)(at(3, rows, F64, end), at(0, rows*n, dt, end), rows, n) })
						}
						try(t, "splat to "+what, func() { Splat(dt)(at(3, rows*n, dt, end), at(0, rows, dt, end), rows, n) })
					}
					for _, rows := range []int{1, 4, 9, 33} {
						try(t, fmt.Sprintf("transpose of %d x %d %v, at the end %v", rows, n, dt, end), func() {
							Transpose(dt.Size())(at(3, rows*n, dt, end), at(0, rows*n, dt, end), rows, n, rows, n)
						})
					}
				}
			}
		}
	})
}
