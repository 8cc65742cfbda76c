package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// product is a matrix product with its operands. Elements between the rows, and one row before and after, hold guardWidth
// values that no kernel may touch or let into the result.
type product[T float32 | float64] struct {
	spec     GemmSpec
	a, b, c  []T
	a0, b0   int // where A and B begin
	c0       int
	fillC    []T
	absolute []float64 // |A|·|B| + |C|, what the rounding error is measured against
	want     []float64
}

func span(rows, cols int, l Layout) int {
	if rows == 0 || cols == 0 {
		return 0
	}
	return (rows-1)*l.RowStride + (cols-1)*l.ColStride + 1
}

const guardWidth = 64 // elements before and after

func newProduct[T float32 | float64](spec GemmSpec, seed uint64) *product[T] {
	return newRoundedProduct(spec, seed, func(x T) T { return x })
}

// newRoundedProduct makes a product whose reference rounds its operands.
func newRoundedProduct[T float32 | float64](spec GemmSpec, seed uint64, round func(T) T) *product[T] {
	r := rand.New(rand.NewPCG(seed, 1))
	spec.Float64 = unsafe.Sizeof(T(0)) == 8
	p := &product[T]{spec: spec, a0: guardWidth, b0: guardWidth, c0: guardWidth}
	fill := func(rows, cols int, l Layout) []T {
		s := make([]T, span(rows, cols, l)+2*guardWidth)
		for i := range s {
			s[i] = T(math.NaN())
		}
		for i := range rows {
			for j := range cols {
				s[guardWidth+i*l.RowStride+j*l.ColStride] = T(r.Float32()*2 - 1)
			}
		}
		return s
	}
	m, n, k := spec.M, spec.N, spec.K
	p.a, p.b = fill(m, k, spec.A), fill(k, n, spec.B)
	p.fillC = fill(m, n, Layout{spec.LDC, 1})
	if !spec.Accumulate {
		for i := range p.fillC {
			p.fillC[i] = T(math.NaN())
		}
	}
	p.c = make([]T, len(p.fillC))
	p.expect(round)
	return p
}

// expect computes the reference, with operands that round has rounded. Each element of C adds up its products in their order.
func (p *product[T]) expect(round func(T) T) {
	spec := &p.spec
	m, n, k := spec.M, spec.N, spec.K
	p.want, p.absolute = make([]float64, m*n), make([]float64, m*n)
	b := make([]float64, k*n) // row-major
	for x := range k {
		for j := range n {
			b[x*n+j] = float64(round(p.b[p.b0+x*spec.B.RowStride+j*spec.B.ColStride]))
		}
	}
	for i := range m {
		sum, abs := p.want[i*n:][:n], p.absolute[i*n:][:n]
		if spec.Accumulate {
			for j := range n {
				sum[j] = float64(p.fillC[p.c0+i*spec.LDC+j])
				abs[j] = math.Abs(sum[j])
			}
		}
		for x := range k {
			a := float64(round(p.a[p.a0+i*spec.A.RowStride+x*spec.A.ColStride]))
			for j, v := range b[x*n:][:n] {
				sum[j] += a * v
				abs[j] += math.Abs(a * v)
			}
		}
	}
}

// aligned returns scratch of the given number of bytes, aligned to a cache line and filled with a pattern that is a NaN.
func aligned(bytes int) unsafe.Pointer {
	if bytes == 0 {
		return nil
	}
	s := make([]byte, bytes+64)
	for i := range s {
		s[i] = 0xff
	}
	p := unsafe.Pointer(&s[0])
	return unsafe.Add(p, -int(uintptr(p))&63)
}

func at[T any](s []T, i int) unsafe.Pointer { return unsafe.Pointer(&s[i]) }

// planned is a Gemm or a GemmBF16.
type planned interface {
	Phases() int
	Tasks(phase int) int
	SharedScratch() int
	WorkerScratch() int
	Run(phase, task int, a, b, c, shared, worker unsafe.Pointer)
}

// run computes the product with the given number of goroutines; order permutes the tasks.
func (p *product[T]) run(g planned, workers int, order func(n int) []int) {
	copy(p.c, p.fillC)
	shared := aligned(g.SharedScratch())
	for phase := range g.Phases() {
		tasks := order(g.Tasks(phase))
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				worker := aligned(g.WorkerScratch())
				for {
					i := int(next.Add(1)) - 1
					if i >= len(tasks) {
						return
					}
					g.Run(phase, tasks[i], at(p.a, p.a0), at(p.b, p.b0), at(p.c, p.c0), shared, worker)
				}
			})
		}
		wg.Wait()
	}
}

func inOrder(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func backwards(n int) []int {
	s := inOrder(n)
	for i := range s {
		s[i] = n - 1 - i
	}
	return s
}

// compare compares C with the reference, and everything around it with the guard values.
func (p *product[T]) compare() error {
	eps := 0x1p-24
	if p.spec.Float64 {
		eps = 0x1p-53
	}
	inside := make([]bool, len(p.c))
	for i := range p.spec.M {
		for j := range p.spec.N {
			at := p.c0 + i*p.spec.LDC + j
			inside[at] = true
			got, want := float64(p.c[at]), p.want[i*p.spec.N+j]
			// The error of a sum of K products in any order is below K roundings of the sum of their magnitudes.
			if limit := float64(p.spec.K+2) * eps * p.absolute[i*p.spec.N+j]; !(math.Abs(got-want) <= limit) {
				return fmt.Errorf("C[%d,%d] = %v, want %v within %g", i, j, got, want, limit)
			}
		}
	}
	for i, v := range p.c {
		if !inside[i] && v == v {
			return fmt.Errorf("wrote outside of C, at element %d", i-p.c0)
		}
	}
	return nil
}

// layouts returns strides for an m by n matrix: row-major, transposed, both with padded lines, and general ones.
func layouts(m, n int) map[string]Layout {
	return map[string]Layout{
		"N":  {max(n, 1), 1},
		"T":  {1, max(m, 1)},
		"Np": {n + 3, 1},
		"Tp": {1, m + 5},
		"G":  {2*n + 1, 2},
	}
}

// check runs the product at the current level and compares it.
func (p *product[T]) check(t *testing.T, name string) {
	t.Helper()
	p.run(NewGemm(p.spec), 1, inOrder)
	if err := p.compare(); err != nil {
		t.Errorf("%s %+v: %v", name, p.spec, err)
	}
}

func TestGemm(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 5, 7, 13, 14, 15, 16, 17, 31, 32, 33, 64, 65, 100, 127, 130, 257}
	atEachLevel(t, func(t *testing.T, l Level) {
		r := rand.New(rand.NewPCG(uint64(l), 2))
		seed := uint64(0)
		try := func(m, n, k int, every bool) {
			for an, a := range layouts(m, k) {
				for bn, b := range layouts(k, n) {
					if !every && r.IntN(12) != 0 {
						continue
					}
					seed++
					spec := GemmSpec{M: m, N: n, K: k, A: a, B: b, LDC: n + r.IntN(2)*r.IntN(9), Accumulate: r.IntN(2) == 0}
					spec.LDC = max(spec.LDC, 1)
					newProduct[float32](spec, seed).check(t, an+bn)
					newProduct[float64](spec, seed).check(t, an+bn)
				}
			}
		}
		// Each size on each axis with small and odd partners, then random triples.
		for _, s := range sizes {
			try(s, 7, 5, true)
			try(5, s, 17, true)
			try(14, 33, s, false)
			try(s, s, s, false)
			try(1, s, 40, true)
			try(s, 1, 40, true)
			try(s, 3, 70, false)
			try(3, s, 70, false)
		}
		pick := func() int { return sizes[r.IntN(len(sizes))] }
		for range 120 {
			try(pick(), pick(), pick(), false)
		}
	})
}

// TestGemmLarge covers what only large shapes reach: blocks of K, copies because of aliasing strides, slices of K.
func TestGemmLarge(t *testing.T) {
	tests := []struct {
		name    string
		m, n, k int
		a, b    Layout
	}{
		{"blocks of K", 30, 70, 1100, Layout{1100, 1}, Layout{70, 1}},
		{"blocks of K, both along it", 30, 70, 1100, Layout{1100, 1}, Layout{1, 1100}},
		{"blocks of K, packed B", 130, 70, 1100, Layout{1100, 1}, Layout{1, 1100}},
		{"aliasing rows", 60, 140, 520, Layout{1024, 1}, Layout{1024, 1}},
		{"aliasing rows, few of A", 20, 140, 522, Layout{1024, 1}, Layout{1024, 1}},
		{"aliasing columns of A", 60, 140, 520, Layout{1, 512}, Layout{512, 1}},
		{"aliasing, transposed", 60, 140, 520, Layout{1, 512}, Layout{1, 512}},
		{"aliasing in general", 60, 140, 520, Layout{2 * 1024, 2}, Layout{1024, 2}},
		{"copy of A and slices of K", 16, 128, 4096, Layout{4096, 1}, Layout{128, 1}},
		{"slices of K", 10, 30, 5000, Layout{1, 10}, Layout{30, 1}},
		{"slices of K, dot", 30, 1, 30000, Layout{30000, 1}, Layout{1, 1}},
		{"slices of K, swapped", 30, 1, 30000, Layout{1, 30}, Layout{1, 1}},
		{"one row", 1, 700, 900, Layout{900, 1}, Layout{700, 1}},
		{"one row, transposed", 1, 700, 900, Layout{900, 1}, Layout{1, 900}},
		{"one column", 700, 1, 900, Layout{900, 1}, Layout{3, 1}},
		{"more than the second-level cache holds", 30, 1200, 1101, Layout{1101, 1}, Layout{1200, 1}},
		{"more than that, transposed A", 30, 1200, 1101, Layout{1, 30}, Layout{1200, 1}},
		{"several rows of tasks", 600, 40, 64, Layout{64, 1}, Layout{40, 1}},
		{"short K, many rows of tasks", 300, 500, 30, Layout{1, 300}, Layout{500, 1}},
		{"aliasing, large", 200, 520, 70, Layout{1024, 1}, Layout{1024, 1}},
		{"aliasing columns of A, large", 200, 520, 70, Layout{1, 1024}, Layout{520, 1}},
		{"packed B, blocks of each size and more", 130, 58, 90, Layout{90, 1}, Layout{1, 90}},
	}
	for i, tt := range tests {
		spec := GemmSpec{M: tt.m, N: tt.n, K: tt.k, A: tt.a, B: tt.b, LDC: tt.n, Accumulate: i%2 == 0}
		single, double := newProduct[float32](spec, uint64(i)), newProduct[float64](spec, uint64(i))
		atEachLevel(t, func(t *testing.T, l Level) {
			single.check(t, tt.name)
			double.check(t, tt.name)
		})
	}
}

// TestGemmSameBits asserts that the order of the tasks and the number of workers change no bit.
func TestGemmSameBits(t *testing.T) {
	tests := []GemmSpec{
		{M: 128, N: 200, K: 300, A: Layout{300, 1}, B: Layout{200, 1}, LDC: 200},
		{M: 128, N: 512, K: 512, A: Layout{512, 1}, B: Layout{1, 512}, LDC: 512},
		{M: 10, N: 30, K: 5000, A: Layout{1, 10}, B: Layout{30, 1}, LDC: 30, Accumulate: true},
		{M: 900, N: 1, K: 900, A: Layout{1, 900}, B: Layout{1, 1}, LDC: 1},
	}
	atEachLevel(t, func(t *testing.T, l Level) {
		for i, spec := range tests {
			p := newProduct[float32](spec, uint64(i))
			g := NewGemm(p.spec)
			if g.Tasks(0) < 2 {
				t.Errorf("%+v: %d tasks, want several", spec, g.Tasks(0))
			}
			p.run(g, 1, inOrder)
			want := append([]float32(nil), p.c...)
			for _, workers := range []int{1, 2, 4} {
				p.run(g, workers, backwards)
				for j := range want {
					if math.Float32bits(want[j]) != math.Float32bits(p.c[j]) {
						t.Fatalf("%+v: %d workers, other order: element %d is %v, was %v", spec, workers, j, p.c[j], want[j])
					}
				}
			}
		}
	})
}

// TestGemmTiles asserts that the tasks of the last phase cover C exactly once.
func TestGemmTiles(t *testing.T) {
	atEachLevel(t, func(t *testing.T, l Level) {
		for _, s := range [][3]int{{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {600, 200, 0}, {128, 784, 512}, {784, 65, 512}, {2000, 10, 100}, {10, 10, 9000}, {900, 1, 800}} {
			for name, a := range layouts(s[0], s[2]) {
				spec := GemmSpec{M: s[0], N: s[1], K: s[2], A: a, B: Layout{max(s[1], 1), 1}, LDC: max(s[1], 1)}
				g := NewGemm(spec)
				count := make([]int, s[0]*s[1])
				for task := range g.Tasks(g.Phases() - 1) {
					r0, r1, c0, c1 := g.Tile(task)
					for i := r0; i < r1; i++ {
						for j := c0; j < c1; j++ {
							count[i*s[1]+j]++
						}
					}
				}
				for i, n := range count {
					if n != 1 {
						t.Fatalf("%s %v: element %d of C is in %d tasks", name, s, i, n)
					}
				}
			}
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	atEachUnit(t, func(t *testing.T) {
		p := newProduct[float32](GemmSpec{M: 60, N: 70, K: 600, A: Layout{600, 1}, B: Layout{1, 600}, LDC: 70}, 1)
		for _, g := range []planned{NewGemm(p.spec), NewGemmBF16(p.spec)} {
			shared, worker := aligned(g.SharedScratch()), aligned(g.WorkerScratch())
			if n := alloctest.PerRun(10, func() {
				for phase := range g.Phases() {
					g.Run(phase, 0, at(p.a, p.a0), at(p.b, p.b0), at(p.c, p.c0), shared, worker)
				}
			}); n != 0 {
				t.Errorf("%v allocations a run", n)
			}
		}
	})
}

func BenchmarkGemm(b *testing.B) {
	type shape struct{ m, n, k int }
	kinds := map[string]func(s shape) (a, b Layout){
		"NN": func(s shape) (a, b Layout) { return Layout{s.k, 1}, Layout{s.n, 1} },
		"NT": func(s shape) (a, b Layout) { return Layout{s.k, 1}, Layout{1, s.k} },
		"TN": func(s shape) (a, b Layout) { return Layout{1, s.m}, Layout{s.n, 1} },
	}
	runs := []struct {
		kind string
		shape
	}{
		{"NN", shape{64, 64, 64}}, {"NN", shape{128, 128, 128}}, {"NN", shape{256, 256, 256}},
		{"NN", shape{512, 512, 512}}, {"NN", shape{1000, 1000, 1000}}, {"NN", shape{1024, 1024, 1024}},
		{"NT", shape{1024, 1024, 1024}}, {"TN", shape{1024, 1024, 1024}},
		{"NN", shape{128, 512, 784}}, {"NN", shape{128, 512, 512}}, {"NN", shape{128, 10, 512}},
		{"TN", shape{784, 512, 128}}, {"TN", shape{512, 512, 128}}, {"TN", shape{512, 10, 128}},
		{"NT", shape{128, 512, 512}}, {"NT", shape{128, 512, 10}},
		{"NN", shape{1, 512, 512}}, {"NT", shape{1, 512, 512}}, {"NN", shape{512, 1, 512}}, {"TN", shape{512, 1, 512}},
		{"NN", shape{4, 4, 4}}, {"NN", shape{16, 16, 16}}, {"NN", shape{128, 65, 65}},
	}
	before := Current()
	defer Force(before)
	for _, l := range slices.Backward(Levels()) {
		for _, bytes := range []int{4, 8} {
			for _, r := range runs {
				b.Run(fmt.Sprintf("%s/f%d/%s/%dx%dx%d", l, bytes*8, r.kind, r.m, r.n, r.k), func(b *testing.B) {
					if err := Force(l); err != nil {
						b.Fatal(err)
					}
					la, lb := kinds[r.kind](r.shape)
					g := NewGemm(GemmSpec{M: r.m, N: r.n, K: r.k, A: la, B: lb, LDC: r.n, Float64: bytes == 8})
					x, y, z := zeroed(r.m*r.k*bytes), zeroed(r.k*r.n*bytes), zeroed(r.m*r.n*bytes)
					shared, worker := aligned(g.SharedScratch()), aligned(g.WorkerScratch())
					for b.Loop() {
						for phase := range g.Phases() {
							for task := range g.Tasks(phase) {
								g.Run(phase, task, x, y, z, shared, worker)
							}
						}
					}
					flops := 2 * float64(r.m) * float64(r.n) * float64(r.k)
					b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
					runtime.KeepAlive(x)
				})
			}
		}
	}
}

// zeroed returns aligned memory of zeros.
func zeroed(bytes int) unsafe.Pointer {
	p := aligned(bytes)
	clear(unsafe.Slice((*byte)(p), bytes))
	return p
}
