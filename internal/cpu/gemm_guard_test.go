//go:build linux

// Reads and writes outside the operands, by masked lanes too, are caught by placing each operand against a page that
// may not be touched.

package cpu

import (
	"fmt"
	"math"
	"syscall"
	"testing"
	"unsafe"
)

// pageEdge returns memory that ends, or begins, at an inaccessible page.
func pageEdge(t *testing.T, bytes int, atEnd bool) unsafe.Pointer {
	page := syscall.Getpagesize()
	pages := (bytes+page-1)/page + 2
	m, err := syscall.Mmap(-1, 0, pages*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(m) })
	for _, edge := range [][]byte{m[:page], m[len(m)-page:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	base := unsafe.Pointer(&m[0])
	if atEnd {
		return unsafe.Add(base, len(m)-page-bytes)
	}
	return unsafe.Add(base, page)
}

func TestGemmTouchesNothingElse(t *testing.T) {
	kinds := []struct {
		name string
		lay  func(m, n, k int) (a, b Layout)
	}{
		{"NN", func(m, n, k int) (a, b Layout) { return Layout{k, 1}, Layout{n, 1} }},
		{"NT", func(m, n, k int) (a, b Layout) { return Layout{k, 1}, Layout{1, k} }},
		{"TN", func(m, n, k int) (a, b Layout) { return Layout{1, m}, Layout{n, 1} }},
		{"TT", func(m, n, k int) (a, b Layout) { return Layout{1, m}, Layout{1, k} }},
	}
	shapes := [][3]int{{1, 1, 1}, {1, 5, 3}, {5, 1, 37}, {1, 70, 37}, {3, 10, 9}, {7, 17, 33}, {14, 33, 5}, {20, 65, 40}, {15, 48, 130}, {13, 3, 100}, {60, 136, 1024}}
	atEachUnit(t, func(t *testing.T) {
		for _, kind := range kinds {
			for _, s := range shapes {
				for _, bytes := range []int{4, 8, 2} {
					for _, atEnd := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s/%v/f%d/%v", kind.name, s, bytes*8, atEnd), func(t *testing.T) {
							m, n, k := s[0], s[1], s[2]
							la, lb := kind.lay(m, n, k)
							spec := GemmSpec{M: m, N: n, K: k, A: la, B: lb, LDC: n, Float64: bytes == 8, Accumulate: true}
							var g planned = NewGemm(spec)
							if bytes == 2 { // float32 operands of a product in bfloat16
								g, bytes = NewGemmBF16(spec), 4
							}
							a, b := pageEdge(t, m*k*bytes, atEnd), pageEdge(t, k*n*bytes, atEnd)
							c := pageEdge(t, m*n*bytes, atEnd)
							shared := pageEdge(t, align(g.SharedScratch()), atEnd)
							worker := pageEdge(t, align(g.WorkerScratch()), atEnd)
							put := func(p unsafe.Pointer, i int, v float64) {
								if bytes == 8 {
									*(*float64)(unsafe.Add(p, i*8)) = v
								} else {
									*(*float32)(unsafe.Add(p, i*4)) = float32(v)
								}
							}
							for i := range m * k {
								put(a, i, 1)
							}
							for i := range k * n {
								put(b, i, 1)
							}
							for phase := range g.Phases() {
								for task := range g.Tasks(phase) {
									g.Run(phase, task, a, b, c, shared, worker)
								}
							}
							for i := range m * n {
								got := float64(*(*float32)(unsafe.Add(c, i*bytes)))
								if bytes == 8 {
									got = math.Float64frombits(*(*uint64)(unsafe.Add(c, i*8)))
								}
								if got != float64(k) {
									t.Fatalf("element %d is %v, want %d", i, got, k)
								}
							}
						})
					}
				}
			}
		}
	})
}
