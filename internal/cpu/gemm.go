// Matrix products. A Gemm is the plan of one product C = A·B: which micro-kernel computes a register tile of C, how C
// is cut into tasks, how K is blocked, and what is copied before it is read. All of it follows from the shape, the
// strides and the level alone, never from the number of workers, so a product has the same bits however it is run.
// Blocking after K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, with the
// difference that operands are read in place wherever that is as fast as a packed copy.

package cpu

import "unsafe"

// Layout says where the elements of a matrix lie: element (i, j) is at i*RowStride + j*ColStride, in elements.
type Layout struct{ RowStride, ColStride int }

// GemmSpec describes a product of A, M by K, and B, K by N, into C, M by N, whose rows are LDC elements apart.
// Strides are not negative, and C overlaps neither operand.
type GemmSpec struct {
	M, N, K    int
	A, B       Layout
	LDC        int
	Float64    bool // elements are float64, else float32
	Accumulate bool // C += A·B, else C = A·B
}

// Gemm is a planned matrix product. It is immutable, so any number of goroutines may run its tasks.
type Gemm struct {
	m, n, k    int
	a, b       Layout // in bytes
	ldc        int    // in bytes
	size       int    // bytes of an element
	accumulate bool
	swap       bool // the caller's operands are exchanged: C is one column, computed as the row Bᵀ·Aᵀ

	blas    *blasProduct // a library computes it all, or nil
	kernels *gemmKernels
	dot     bool // use the kernels that vectorize along K
	packB   bool // copy each panel of B before use, to the worker's scratch
	fetch   bool // fetch the next panel of B during the passes over this one
	panel   int  // columns of a panel of B
	kc      int  // length of a block of K

	phases []gemmPhase
	tiles  []gemmTile // what a task multiplies, for each slice of K
	slices int        // parts that K is split into, each summed apart; 1 means no split
	sums   []gemmTile // what a task adds up, if K is split
	copyA  *operandCopy
	copyB  *operandCopy
	copies []copyTask
	parts  int // offset of the slices of C in the shared scratch
	shared int // bytes of the shared scratch
	worker int // bytes of the worker's scratch
}

// gemmPhase is what the tasks of a phase do.
type gemmPhase uint8

const (
	copyPhase     gemmPhase = iota // copy A, B or both
	multiplyPhase                  // multiply tiles
	sumPhase                       // add up the slices of K
)

// gemmTile is a block of C.
type gemmTile struct{ row0, row1, col0, col1 int }

// NewGemm plans a product for the current level.
func NewGemm(spec GemmSpec) *Gemm {
	kernels := kernelsFor(Current(), spec.Float64)
	g := &Gemm{
		m: spec.M, n: spec.N, k: spec.K, a: spec.A, b: spec.B, ldc: spec.LDC,
		size: 4, accumulate: spec.Accumulate, kernels: kernels, slices: 1,
	}
	if spec.Float64 {
		g.size = 8
	}
	if g.blas = planBLAS(&spec); g.blas != nil {
		g.tiles, g.phases = []gemmTile{{0, g.m, 0, g.n}}, []gemmPhase{multiplyPhase}
		return g
	}
	// One contiguous column C = A·b, with A contiguous down its columns, is the row Cᵀ = bᵀ·Aᵀ: full vectors.
	if g.n == 1 && g.ldc == 1 && g.m > 1 && g.a.RowStride == 1 {
		g.swap = true
		g.m, g.n = g.n, g.m
		g.a, g.b = Layout{g.b.ColStride, g.b.RowStride}, Layout{g.a.ColStride, g.a.RowStride}
		g.ldc = g.n
	}
	// The stride of an axis of length 1 means nothing: choose the one that suits the kernels.
	if g.n == 1 {
		g.b.ColStride = 1
	}
	if g.k == 1 {
		g.a.ColStride = 1
	}
	g.chooseKernel()
	g.cut()
	for _, s := range []*int{&g.a.RowStride, &g.a.ColStride, &g.b.RowStride, &g.b.ColStride, &g.ldc} {
		*s *= g.size
	}
	g.layScratch()
	return g
}

// Phases returns the number of phases: 1 for most products, at most 3. All tasks of a phase are done before the next
// begins.
func (g *Gemm) Phases() int { return len(g.phases) }

// Tasks returns the number of tasks of a phase. They may run in any order and at the same time.
func (g *Gemm) Tasks(phase int) int {
	switch g.phases[phase] {
	case copyPhase:
		return len(g.copies)
	case multiplyPhase:
		return len(g.tiles) * g.slices
	default:
		return len(g.sums)
	}
}

// SharedScratch returns the bytes of scratch that all tasks of one run share.
func (g *Gemm) SharedScratch() int { return g.shared }

// WorkerScratch returns the bytes of scratch that each worker needs for itself, from task to task.
func (g *Gemm) WorkerScratch() int { return g.worker }

// Tile returns the block of C that a task of the last phase finishes: rows row0 to row1 and columns col0 to col1,
// without the ends.
func (g *Gemm) Tile(task int) (row0, row1, col0, col1 int) {
	tiles := g.tiles
	if g.slices > 1 {
		tiles = g.sums
	}
	t := &tiles[task]
	if g.swap {
		return t.col0, t.col1, t.row0, t.row1
	}
	return t.row0, t.row1, t.col0, t.col1
}

// Run does one task of a phase. The scratch areas are as large as SharedScratch and WorkerScratch say and aligned to 64
// bytes; an area of size 0 may be nil.
func (g *Gemm) Run(phase, task int, a, b, c, shared, worker unsafe.Pointer) {
	if g.blas != nil {
		g.blas.multiply(a, b, c)
		return
	}
	if g.k == 0 {
		g.clear(&g.tiles[task], c)
		return
	}
	if g.swap {
		a, b = b, a
	}
	switch g.phases[phase] {
	case copyPhase:
		t := &g.copies[task]
		src := a
		if t.b {
			src = b
		}
		copyRows(unsafe.Add(shared, t.offset+t.line0*t.to), t.to, unsafe.Add(src, t.line0*t.from), t.from, t.line1-t.line0, t.length*g.size)
	case multiplyPhase:
		o := operands{a, b, g.a, g.b}
		if g.copyA != nil {
			o.a, o.la = unsafe.Add(shared, g.copyA.offset), g.copyA.layout
		}
		if g.copyB != nil {
			o.b, o.lb = unsafe.Add(shared, g.copyB.offset), g.copyB.layout
		}
		if g.slices == 1 {
			g.multiply(&g.tiles[task], 0, g.k, &o, c, g.ldc, g.accumulate, worker)
			return
		}
		s, tile := task/len(g.tiles), task%len(g.tiles)
		part := unsafe.Add(shared, g.parts+s*g.m*g.n*g.size)
		g.multiply(&g.tiles[tile], g.k*s/g.slices, g.k*(s+1)/g.slices, &o, part, g.n*g.size, false, worker)
	case sumPhase:
		if g.size == 8 {
			addSlices[float64](g, &g.sums[task], c, unsafe.Add(shared, g.parts))
		} else {
			addSlices[float32](g, &g.sums[task], c, unsafe.Add(shared, g.parts))
		}
	}
}
