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

	kernels *gemmKernels
	dot     bool // use the kernels that vectorise along K
	packB   bool // copy each panel of B before use, to the worker's scratch
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

// operandCopy is a copy of a matrix, made in a first phase in the shared scratch, whose lines do not alias. Lines are
// its contiguous rows or columns.
type operandCopy struct {
	lines, length int
	from          int    // bytes between lines of the operand
	to            int    // bytes between lines of the copy
	layout        Layout // of the copy, in bytes
	offset        int    // in the shared scratch
}

// copyTask copies the lines from line0 to line1.
type copyTask struct {
	*operandCopy
	line0, line1 int
	b            bool // of B, else of A
}

// gemmTile is a block of C.
type gemmTile struct{ row0, row1, col0, col1 int }

// gemmKernel computes a register tile of C: c = a·b, or c += a·b if add is set. The tile has as many rows and vectors
// of columns as the kernel's place in its table says; lanes of the last vector are used. Strides are in bytes; rows of
// b and c are contiguous.
type gemmKernel = func(k int, a *byte, aRow, aCol int, b *byte, bRow int, c *byte, cRow int, lanes int, add bool)

// dotKernel computes a small block of C from rows of a and columns of b that are both contiguous along k.
type dotKernel = func(k int, a *byte, aRow int, b *byte, bCol int, c *byte, cRow int, add bool)

const (
	maxTileRows    = 14
	maxTileVectors = 4
	maxDotRows     = 4
	maxDotCols     = 4
)

// gemmKernels is the set of kernels for one level and element type.
type gemmKernels struct {
	width    int                                             // elements of a vector
	rows     int                                             // most rows of a tile of two vectors
	wideRows int                                             // most rows of a tile of maxTileVectors vectors
	tile     [maxTileRows + 1][maxTileVectors + 1]gemmKernel // by rows and vectors
	dotRows  int                                             // most rows of a dot kernel, 0 if there are none
	dotCols  int
	dot      [maxDotRows + 1][maxDotCols + 1]dotKernel
	// transpose copies src, rows by cols with contiguous rows, to dst as cols by rows; nil if there is only plain Go.
	transpose func(dst *byte, dstRow int, src *byte, srcRow int, rows, cols int)
	// step is what rows and cols given to transpose are multiples of.
	step int
	// grain is the number of multiplications under which a product is not cut further: about two microseconds.
	grain int
	// aliasing is the distance of rows, in bytes, from whose multiples on a copy is faster than reading in place: the
	// rows fall into so few sets of the first-level cache that a panel evicts itself. Found by measurement.
	aliasing int
}

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

// blockK is the longest block of K: a panel of B of this length stays in the second-level cache while all rows pass.
const blockK = 512

// chooseKernel decides between tile and dot kernels, and what is copied.
func (g *Gemm) chooseKernel() {
	ks := g.kernels
	g.kc = g.k
	if blocks := (g.k + blockK - 1) / blockK; blocks > 1 {
		g.kc = (g.k + blocks - 1) / blocks
	}
	// Where both operands run along K, a dot product needs no transposing copy of B, which few rows of A would not
	// repay; and a C of few columns would leave most lanes of a tile idle.
	if ks.dotRows > 0 && g.a.ColStride == 1 && g.k >= 2*ks.width {
		narrow := g.n <= ks.dotCols && g.n*4 <= ks.width || g.n == 1
		if narrow || g.b.RowStride == 1 && g.b.ColStride != 1 && g.m <= 2*maxDotRows {
			g.dot = true
			g.packB = g.b.RowStride != 1
			g.panel = ks.dotCols
			return
		}
	}
	g.panel = 2 * ks.width
	if g.m <= ks.wideRows {
		g.panel = maxTileVectors * ks.width
	}
	g.packB = g.b.ColStride != 1
	if g.n >= copyMinCols {
		g.copyA = g.copyOf(g.a, g.m, g.k)
	}
	if !g.packB && g.m >= copyMinRows && g.n > g.panel {
		g.copyB = g.copyOf(g.b, g.k, g.n)
	}
}

// copyOf plans the copy of an operand, or gives nil if it is as well read in place.
func (g *Gemm) copyOf(l Layout, rows, cols int) *operandCopy {
	c := &operandCopy{lines: rows, length: cols, from: l.RowStride * g.size}
	if l.ColStride != 1 {
		*c = operandCopy{lines: cols, length: rows, from: l.ColStride * g.size}
		l = Layout{l.ColStride, l.RowStride}
	}
	if l.ColStride != 1 || c.from == 0 || c.from%g.kernels.aliasing != 0 || c.lines < copyMinLines || c.length < copyMinLength {
		return nil
	}
	c.to = align(c.length*g.size)&^64 + 64 // an odd number of cache lines
	c.layout = Layout{c.to, g.size}
	if c.lines != rows {
		c.layout = Layout{g.size, c.to}
	}
	return c
}

// Sizes from which copying an operand repays itself if its lines alias.
const (
	copyMinLines  = 16
	copyMinLength = 64
	copyMinCols   = 128 // columns of C that use the copy of A
	copyMinRows   = 48  // rows of C that use the copy of B
)

const (
	largeTask   = 128 // grains in a task of a large product
	someTasks   = 16  // tasks of a product of moderate size
	mostTasks   = 256
	tileRows    = 256     // most rows of a task's block of C, so that its part of A stays in the second-level cache
	leastK      = 256     // shortest slice when K is split
	packMinRows = 48      // rows that a task computes from a panel of B that it packs
	mostSums    = 1 << 16 // largest C that is computed in slices of K
)

// cut divides C among tasks and, where C has too few tiles for the work, K among slices.
func (g *Gemm) cut() {
	if g.m == 0 || g.n == 0 {
		return
	}
	ks := g.kernels
	work := g.m * g.k * ((g.n + ks.width - 1) / ks.width * ks.width) // idle lanes take time too
	target := min(work/ks.grain, someTasks)
	target = min(max(target, work/ks.grain/largeTask, 1), mostTasks)

	maxRows := ks.rows
	if g.dot {
		maxRows = ks.dotRows
	}
	if g.packB {
		maxRows = packMinRows
	}
	rowPanels, colPanels := (g.m+maxRows-1)/maxRows, (g.n+g.panel-1)/g.panel
	rowCuts := (g.m + tileRows - 1) / tileRows
	colCuts := min((target+rowCuts-1)/rowCuts, colPanels)
	if rowCuts*colCuts < target {
		rowCuts = min((target+colCuts-1)/colCuts, rowPanels)
	}
	for i := range rowCuts {
		for j := range colCuts {
			g.tiles = append(g.tiles, gemmTile{
				g.m * i / rowCuts, g.m * (i + 1) / rowCuts,
				min(colPanels*j/colCuts*g.panel, g.n), min(colPanels*(j+1)/colCuts*g.panel, g.n),
			})
		}
	}
	if short := target / len(g.tiles); short > 1 && g.m*g.n <= mostSums {
		if g.slices = min(short, g.k/leastK); g.slices > 1 {
			rows := min(max(g.m*g.n*g.slices/leastSum, 1), g.m)
			for i := range rows {
				g.sums = append(g.sums, gemmTile{g.m * i / rows, g.m * (i + 1) / rows, 0, g.n})
			}
		} else {
			g.slices = 1
		}
	}
}

// layScratch places the copies in the scratch areas and lists the phases.
func (g *Gemm) layScratch() {
	if g.packB {
		g.worker = align(g.kc * g.panel * g.size)
	}
	for i, c := range []*operandCopy{g.copyA, g.copyB} {
		if c == nil {
			continue
		}
		bytes := c.lines * c.to
		c.offset = g.shared
		g.shared += bytes
		tasks := min(max(bytes/leastCopy, 1), someTasks, c.lines)
		for t := range tasks {
			g.copies = append(g.copies, copyTask{c, c.lines * t / tasks, c.lines * (t + 1) / tasks, i == 1})
		}
	}
	if len(g.copies) > 0 {
		g.phases = append(g.phases, copyPhase)
	}
	g.phases = append(g.phases, multiplyPhase)
	if g.slices > 1 {
		g.parts = g.shared
		g.shared += g.slices * g.m * g.n * g.size
		g.phases = append(g.phases, sumPhase)
	}
}

// leastSum is the elements of the slices of C that are worth a task.
const leastSum = 1 << 15

// leastCopy is the bytes of a copy that are worth a task.
const leastCopy = 1 << 15

// align rounds a number of bytes up to whole cache lines.
func align(bytes int) int { return (bytes + 63) &^ 63 }

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

// operands is where a multiplication reads A and B.
type operands struct {
	a, b   unsafe.Pointer
	la, lb Layout // in bytes
}

// clear makes a tile of a product over an empty K: zeros, or what is there.
func (g *Gemm) clear(t *gemmTile, c unsafe.Pointer) {
	if g.accumulate {
		return
	}
	for i := t.row0; i < t.row1; i++ {
		clear(unsafe.Slice((*byte)(unsafe.Add(c, i*g.ldc+t.col0*g.size)), (t.col1-t.col0)*g.size))
	}
}

// multiply computes the tile t of C from the part k0 to k1 of K.
func (g *Gemm) multiply(t *gemmTile, k0, k1 int, o *operands, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
	c = unsafe.Add(c, t.row0*ldc)
	for k0 < k1 {
		k := min(k1-k0, g.kc)
		if g.dot {
			g.dotBlock(t, k0, k, o, c, ldc, add, worker)
		} else {
			g.tileBlock(t, k0, k, o, c, ldc, add, worker)
		}
		k0 += k
		add = true
	}
}

// tileBlock adds one block of K to a task's tile with the tile kernels.
func (g *Gemm) tileBlock(t *gemmTile, k0, k int, o *operands, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
	ks := g.kernels
	rows := t.row1 - t.row0
	a := unsafe.Add(o.a, t.row0*o.la.RowStride+k0*o.la.ColStride)
	aRow, aCol := o.la.RowStride, o.la.ColStride
	// Panels of nearly equal height: no panel of one or two rows is left over.
	panels := (rows + ks.rows - 1) / ks.rows
	height, taller := rows/panels, rows%panels
	for j := t.col0; j < t.col1; j += g.panel {
		cols := min(g.panel, t.col1-j)
		vectors := (cols + ks.width - 1) / ks.width
		lanes := cols - (vectors-1)*ks.width
		bp, bRow := unsafe.Add(o.b, k0*o.lb.RowStride+j*o.lb.ColStride), o.lb.RowStride
		if g.packB {
			bRow = g.panel * g.size
			g.packPanel(worker, bp, o.lb, k, cols)
			bp = worker
		}
		ap, cp := a, unsafe.Add(c, j*g.size)
		for p := range panels {
			h := height
			if p < taller {
				h++
			}
			if p > 0 {
				up := height
				if p <= taller {
					up++
				}
				ap, cp = unsafe.Add(ap, up*aRow), unsafe.Add(cp, up*ldc)
			}
			ks.tile[h][vectors](k, (*byte)(ap), aRow, aCol, (*byte)(bp), bRow, (*byte)(cp), ldc, lanes, add)
		}
	}
}

// dotBlock adds one block of K to a task's tile with the dot kernels.
func (g *Gemm) dotBlock(t *gemmTile, k0, k int, o *operands, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
	ks := g.kernels
	a := unsafe.Add(o.a, t.row0*o.la.RowStride+k0*o.la.ColStride)
	for j := t.col0; j < t.col1; j += ks.dotCols {
		cols := min(ks.dotCols, t.col1-j)
		bp, bCol := unsafe.Add(o.b, k0*o.lb.RowStride+j*o.lb.ColStride), o.lb.ColStride
		if g.packB {
			bCol = g.kc * g.size
			copyBlock(worker, bCol, bp, o.lb.ColStride, o.lb.RowStride, cols, k, g.size)
			bp = worker
		}
		for i := 0; i < t.row1-t.row0; i += ks.dotRows {
			rows := min(ks.dotRows, t.row1-t.row0-i)
			ks.dot[rows][cols](k, (*byte)(unsafe.Add(a, i*o.la.RowStride)), o.la.RowStride, (*byte)(bp), bCol,
				(*byte)(unsafe.Add(c, i*ldc+j*g.size)), ldc, add)
		}
	}
}

// packPanel transposes k rows of cols columns of B, which are not contiguous, to rows at dst.
func (g *Gemm) packPanel(dst, b unsafe.Pointer, l Layout, k, cols int) {
	row := g.panel * g.size
	ks, kt, ct := g.kernels, 0, 0
	if l.RowStride == g.size && ks.transpose != nil {
		kt, ct = k-k%ks.step, cols-cols%ks.step
		if kt > 0 && ct > 0 {
			ks.transpose((*byte)(dst), row, (*byte)(b), l.ColStride, ct, kt)
		} else {
			kt, ct = 0, 0
		}
	}
	if kt < k {
		copyBlock(unsafe.Add(dst, kt*row), row, unsafe.Add(b, kt*l.RowStride), l.RowStride, l.ColStride, k-kt, ct, g.size)
	}
	if ct < cols {
		copyBlock(unsafe.Add(dst, ct*g.size), row, unsafe.Add(b, ct*l.ColStride), l.RowStride, l.ColStride, k, cols-ct, g.size)
	}
}

// copyRows copies rows of so many bytes from one distance to another.
func copyRows(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, rows, bytes int) {
	for i := range rows {
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, i*dstRow)), bytes), unsafe.Slice((*byte)(unsafe.Add(src, i*srcRow)), bytes))
	}
}

// copyBlock copies rows by cols elements of any strides to contiguous rows.
func copyBlock(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, srcCol, rows, cols, size int) {
	if size == 8 {
		copyBlockOf[uint64](dst, dstRow, src, srcRow, srcCol, rows, cols)
	} else {
		copyBlockOf[uint32](dst, dstRow, src, srcRow, srcCol, rows, cols)
	}
}

func copyBlockOf[T uint32 | uint64](dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow, srcCol, rows, cols int) {
	if cols == 0 {
		return
	}
	for i := range rows {
		out := unsafe.Slice((*T)(unsafe.Add(dst, i*dstRow)), cols)
		row := unsafe.Add(src, i*srcRow)
		for j := range out {
			out[j] = *(*T)(unsafe.Add(row, j*srcCol))
		}
	}
}

// addSlices adds the slices of K, first to last, into a tile of C.
func addSlices[T float32 | float64](g *Gemm, t *gemmTile, c, shared unsafe.Pointer) {
	for i := t.row0; i < t.row1; i++ {
		out := unsafe.Slice((*T)(unsafe.Add(c, i*g.ldc)), g.n)
		if !g.accumulate {
			clear(out)
		}
		for s := range g.slices {
			part := unsafe.Slice((*T)(unsafe.Add(shared, (s*g.m+i)*g.n*g.size)), g.n)
			for j, v := range part {
				out[j] += v
			}
		}
	}
}
