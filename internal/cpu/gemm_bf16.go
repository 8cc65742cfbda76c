package cpu

// Matrix products of bfloat16 numbers with float32 sums. Both operands, which are float32, are packed first, as pairs of numbers that follow each other
// along K: the first as rows of pairs, or if it runs along M as panels of up to 14 rows, pair by pair; the second as panels of columns, pair by
// pair. Without a unit for such numbers both are copied with their numbers rounded, and multiplied as float32. As with Gemm all of it follows from
// shape, strides, level and unit alone.

import "unsafe"

// GemmBF16 is a planned product of bfloat16 numbers. It is immutable, so any number of goroutines may run its tasks.
type GemmBF16 struct {
	m, n, k    int
	ldc        int // in bytes
	accumulate bool
	swap       bool  // the caller's operands are exchanged: C is one column, computed as the row Bᵀ·Aᵀ
	inner      *Gemm // of the rounded copies, if there is no unit

	a, b   packing
	kernel *gemmKernels
	pairs  int // of K
	kc     int // pairs of a block of K
	panel  int // columns of a panel
	height int // most rows of a panel of rows

	phases []gemmPhase
	tiles  []gemmTile // in panels of rows and panels of columns
	slices int
	sums   []gemmTile
	parts  int
	shared int
}

// packing is how an operand is packed: lines of it that follow each other along K or across, in tasks.
type packing struct {
	bytes     int    // that the packed operand takes
	offset    int    // in the shared scratch
	tasks     int    // that it is packed in; 0 if the caller has packed it
	lines     int    // what the tasks share: lines, or panels
	kept      bool   // the caller packs the operand, and gives Run what it is packed as
	layout    Layout // of the operand, in bytes, with lines along the columns
	across    bool   // the lines run across K
	to        int    // bytes from one line, or from one panel, to the next
	length    int    // of a line
	scattered bool   // there are no lines of numbers that follow each other
}

// NewGemmBF16 plans a product for the current level and unit. Elements are float32.
func NewGemmBF16(spec GemmSpec) *GemmBF16 { return newGemmBF16(spec, CurrentBF16()) }

func newGemmBF16(spec GemmSpec, unit BF16Unit) *GemmBF16 {
	g := &GemmBF16{m: spec.M, n: spec.N, k: spec.K, ldc: spec.LDC, accumulate: spec.Accumulate, slices: 1}
	if g.n == 1 && g.ldc == 1 && g.m > 1 {
		g.swap = true
		g.m, g.n = g.n, g.m
		spec.A, spec.B = Layout{spec.B.ColStride, spec.B.RowStride}, Layout{spec.A.ColStride, spec.A.RowStride}
		g.ldc = g.n
	}
	g.ldc *= 4
	if g.k == 0 || g.m == 0 || g.n == 0 {
		g.inner = NewGemm(GemmSpec{M: g.m, N: g.n, K: g.k, A: spec.A, B: spec.B, LDC: g.ldc / 4, Accumulate: g.accumulate})
		return g
	}
	switch unit {
	case NoBF16:
		g.planRounded(spec)
	case DotBF16:
		g.planPairs(spec, &bf16Dot)
	case TileBF16:
		g.planPairs(spec, &bf16Tiles)
	}
	return g
}

// planRounded plans the product of rounded copies.
func (g *GemmBF16) planRounded(spec GemmSpec) {
	var la, lb Layout
	g.a, la = roundedCopy(spec.A, g.m, g.k)
	g.b, lb = roundedCopy(spec.B, g.k, g.n)
	g.inner = NewGemm(GemmSpec{M: g.m, N: g.n, K: g.k, A: la, B: lb, LDC: g.ldc / 4, Accumulate: g.accumulate})
	g.shared = align(g.inner.SharedScratch())
	g.place()
}

// roundedCopy plans the copy of a matrix along its lines, and returns the copy's layout in elements.
func roundedCopy(l Layout, rows, cols int) (packing, Layout) {
	along := l.ColStride == 1 || cols == 1 || l.RowStride != 1 && rows != 1
	if !along {
		rows, cols, l = cols, rows, Layout{l.ColStride, l.RowStride}
	}
	p := packing{lines: rows, length: cols, layout: Layout{l.RowStride * 4, l.ColStride * 4}, scattered: l.ColStride != 1 && cols > 1}
	p.to = align(cols*4)&^64 + 64 // an odd number of cache lines
	p.bytes = p.lines * p.to
	copied := Layout{p.to / 4, 1}
	if !along {
		copied = Layout{1, p.to / 4}
	}
	return p, copied
}

// Sizes of tasks that pack.
const (
	packTask  = 1 << 15 // bytes of float32 that are worth a task
	packTasks = 32      // most tasks of an operand
)

// place puts the packed operands into the shared scratch, and lists the phases.
func (g *GemmBF16) place() {
	for _, p := range []*packing{&g.a, &g.b} {
		p.tasks = min(max(p.lines*p.length*4/packTask, 1), packTasks, p.lines)
		p.offset = g.shared
		g.shared += align(p.bytes)
	}
	g.phases = []gemmPhase{copyPhase}
}

// planPairs plans the product of pairs.
func (g *GemmBF16) planPairs(spec GemmSpec, ks *gemmKernels) {
	g.kernel = ks
	g.pairs = (g.k + 1) / 2
	g.kc = g.pairs
	longest := blockK
	if ks.tiles {
		longest = tileBlockK
	}
	if blocks := (g.pairs + longest - 1) / longest; blocks > 1 {
		g.kc = ((g.pairs+blocks-1)/blocks + pairStep - 1) &^ (pairStep - 1)
	}
	g.panel, g.height = ks.across(g.m), ks.rows
	if g.m <= ks.wideRows {
		g.height = ks.wideRows
	}
	padded := (g.pairs + pairStep - 1) &^ (pairStep - 1)
	g.a = packing{lines: g.m, length: g.k, layout: Layout{spec.A.RowStride * 4, spec.A.ColStride * 4}}
	g.a.across = spec.A.RowStride == 1 && spec.A.ColStride != 1 && g.k > 1 && g.m > 1
	g.a.scattered = !g.a.across && spec.A.ColStride != 1 && g.k > 1
	switch {
	case ks.tiles:
		g.a.lines, g.a.length, g.a.to = (g.m+tileRow-1)/tileRow, g.k*tileRow, padded*tileRow*4
	case g.a.across:
		g.a.lines, g.a.length = g.rowPanels(), g.k*g.height
		g.a.to = padded * turnedRow
	default:
		g.a.to = align(padded*4)&^64 + 64
	}
	g.a.bytes = g.a.lines * g.a.to
	panels := (g.n + g.panel - 1) / g.panel
	g.b = packing{lines: panels, length: g.k * g.panel, layout: Layout{spec.B.RowStride * 4, spec.B.ColStride * 4}, to: padded * g.panel * 4, bytes: panels * padded * g.panel * 4}
	g.b.across = spec.B.ColStride == 1 || g.n == 1
	g.b.scattered = !g.b.across && spec.B.RowStride != 1 && g.k > 1
	g.place()
	g.phases = append(g.phases, multiplyPhase)
	g.cut()
	if g.slices > 1 {
		g.parts = g.shared
		g.shared += g.slices * g.m * g.n * 4
		g.phases = append(g.phases, sumPhase)
	}
}

const (
	pairStep  = 16 // pairs of which packed lines are a multiple: a cache line
	turnedRow = 64 // bytes of the pairs of a panel of rows
)

// rowPanels is the number of panels of rows, which have nearly equal heights, or of tiles the greatest height but for the last.
func (g *GemmBF16) rowPanels() int { return (g.m + g.height - 1) / g.height }

// row is the first row of a panel of rows.
func (g *GemmBF16) row(panel int) int {
	if g.kernel.tiles {
		return min(g.height*panel, g.m)
	}
	return g.m * panel / g.rowPanels()
}

// cut divides C among tasks and, if C has too few tiles for the work, K among slices.
func (g *GemmBF16) cut() {
	colPanels, rowPanels := g.b.lines, g.rowPanels()
	work := g.m * g.pairs * colPanels * g.panel
	grain := g.kernel.grain
	target := min(work/grain, someTasks)
	target = min(max(target, work/grain/largeTask, 1), mostTasks)
	rowCuts := 1
	if colPanels > 1 && g.m > tileRows*3/2 {
		rowCuts = (g.m + tileRows - 1) / tileRows
	}
	colCuts := min((target+rowCuts-1)/rowCuts, colPanels)
	if rowCuts*colCuts < target {
		rowCuts = min((target+colCuts-1)/colCuts, rowPanels)
	}
	for i := range rowCuts {
		for j := range colCuts {
			g.tiles = append(g.tiles, gemmTile{rowPanels * i / rowCuts, rowPanels * (i + 1) / rowCuts, colPanels * j / colCuts, colPanels * (j + 1) / colCuts})
		}
	}
	if short := target / len(g.tiles); short > 1 && g.m*g.n <= mostSums {
		if slices := min(short, g.pairs*2/leastK); slices > 1 {
			g.slices = slices
			rows := min(max(g.m*g.n*g.slices/leastSum, 1), g.m)
			for i := range rows {
				g.sums = append(g.sums, gemmTile{g.m * i / rows, g.m * (i + 1) / rows, 0, g.n})
			}
		}
	}
}

// slice is the first pair of a slice of K.
func (g *GemmBF16) slice(s int) int {
	if s == g.slices {
		return g.pairs
	}
	return g.pairs * s / g.slices &^ (pairStep - 1)
}

// Phases returns the number of phases. All tasks of a phase are done before the next begins.
func (g *GemmBF16) Phases() int {
	if g.inner != nil {
		return len(g.phases) + g.inner.Phases()
	}
	return len(g.phases)
}

// Tasks returns the number of tasks of a phase. They may run in any order and at the same time.
func (g *GemmBF16) Tasks(phase int) int {
	if g.inner != nil && phase >= len(g.phases) {
		return g.inner.Tasks(phase - len(g.phases))
	}
	switch g.phases[phase] {
	case copyPhase:
		return g.a.due() + g.b.due()
	case multiplyPhase:
		return len(g.tiles) * g.slices
	}
	return len(g.sums)
}

// SharedScratch returns the bytes of scratch that all tasks of one run share.
func (g *GemmBF16) SharedScratch() int {
	if g.inner != nil && len(g.phases) == 0 {
		return g.inner.SharedScratch()
	}
	return g.shared
}

// WorkerScratch returns the bytes of scratch that each worker needs for itself, from task to task.
func (g *GemmBF16) WorkerScratch() int {
	n := 0
	if g.inner != nil {
		n = g.inner.WorkerScratch()
	}
	return max(n, gatherBytes)
}

// gatherBytes is the scratch in which numbers that do not follow each other are gathered before they are packed.
const gatherBytes = 32 * 32 * 4

// due is the number of tasks of the copying phase that pack the operand.
func (p *packing) due() int {
	if p.kept {
		return 0
	}
	return p.tasks
}

// in is where the packed operand lies, x being what Run was given for it.
func (p *packing) in(x, shared unsafe.Pointer) unsafe.Pointer {
	if p.kept {
		return x
	}
	return unsafe.Add(shared, p.offset)
}

// Operand names an operand of a product.
type Operand uint8

// The operands of a product A·B.
const (
	OperandA Operand = iota
	OperandB
)

// packing returns that of an operand of the caller.
func (g *GemmBF16) packing(o Operand) *packing {
	if (o == OperandA) != g.swap {
		return &g.a
	}
	return &g.b
}

// Keep makes packing an operand the business of the caller, who can then multiply by it many times: Run is given what Pack has made of the operand in
// its place. It returns how many bytes that takes, aligned to 64; 0 if nothing is packed. It belongs to the planning, before the first Run.
func (g *GemmBF16) Keep(o Operand) (bytes int) {
	if len(g.phases) == 0 {
		return 0
	}
	p := g.packing(o)
	p.kept = true
	return align(p.bytes)
}

// PackTasks returns the number of tasks that pack an operand, which may run in any order and at the same time.
func (g *GemmBF16) PackTasks(o Operand) int { return g.packing(o).tasks }

// Pack does one task of packing the operand x, with the worker's scratch.
func (g *GemmBF16) Pack(o Operand, task int, x, packed, worker unsafe.Pointer) {
	if p := g.packing(o); p == &g.a {
		g.packA(task, x, packed, worker)
	} else {
		g.packB(task, x, packed, worker)
	}
}

// Run does one task of a phase. The scratch areas are as large as SharedScratch and WorkerScratch say and aligned to 64 bytes.
func (g *GemmBF16) Run(phase, task int, a, b, c, shared, worker unsafe.Pointer) {
	if g.swap {
		a, b = b, a
	}
	if g.inner != nil && phase >= len(g.phases) {
		if len(g.phases) > 0 {
			a, b = g.a.in(a, shared), g.b.in(b, shared)
		}
		g.inner.Run(phase-len(g.phases), task, a, b, c, shared, worker)
		return
	}
	switch g.phases[phase] {
	case copyPhase:
		if task < g.a.due() {
			g.packA(task, a, unsafe.Add(shared, g.a.offset), worker)
		} else {
			g.packB(task-g.a.due(), b, unsafe.Add(shared, g.b.offset), worker)
		}
	case multiplyPhase:
		s, tile := task/len(g.tiles), task%len(g.tiles)
		ldc, add := g.ldc, g.accumulate
		if g.slices > 1 {
			c, ldc, add = unsafe.Add(shared, g.parts+s*g.m*g.n*4), g.n*4, false
		}
		multiply := g.multiply
		if g.kernel.tiles {
			multiply = g.multiplyTiles
		}
		multiply(&g.tiles[tile], g.slice(s), g.slice(s+1), g.a.in(a, shared), g.b.in(b, shared), c, ldc, add)
	case sumPhase:
		sum := Gemm{m: g.m, n: g.n, ldc: g.ldc, size: 4, slices: g.slices, accumulate: g.accumulate}
		addSlices[float32](&sum, &g.sums[task], c, unsafe.Add(shared, g.parts))
	}
}

// packA packs the lines of a task of the first operand.
func (g *GemmBF16) packA(task int, a, to, worker unsafe.Pointer) {
	p := &g.a
	first, end := p.lines*task/p.tasks, p.lines*(task+1)/p.tasks
	if g.inner != nil {
		p.round(first, end, a, to, worker)
		return
	}
	if g.kernel.tiles {
		for i := first; i < end; i++ {
			p.packTiles(min(tileRow, g.m-i*tileRow), g.k, unsafe.Add(a, i*tileRow*p.layout.RowStride), unsafe.Add(to, i*p.to), worker)
		}
		return
	}
	if !p.across {
		from, dst := unsafe.Add(a, first*p.layout.RowStride), unsafe.Add(to, first*p.to)
		if p.scattered {
			p.gather(first, end, from, to, worker)
		} else {
			packRowsBF16(dst, p.to, from, p.layout.RowStride, end-first, p.length)
		}
		return
	}
	for i := first; i < end; i++ {
		row := g.row(i)
		packPairsBF16(unsafe.Add(to, i*p.to), turnedRow, unsafe.Add(a, row*4), p.layout.ColStride, g.k, g.row(i+1)-row)
	}
}

// gather packs rows whose numbers do not follow each other, a few numbers at a time.
func (p *packing) gather(first, end int, from, to, worker unsafe.Pointer) {
	const most = gatherBytes / 4
	for i := first; i < end; i++ {
		for j := 0; j < p.length; j += most {
			n := min(most, p.length-j)
			copyBlockOf[uint32](worker, 0, unsafe.Add(from, (i-first)*p.layout.RowStride+j*p.layout.ColStride), 0, p.layout.ColStride, 1, n)
			packRowsBF16(unsafe.Add(to, i*p.to+j*2), 0, worker, 0, 1, n)
		}
	}
}

// round copies lines with their numbers rounded.
func (p *packing) round(first, end int, from, to, worker unsafe.Pointer) {
	const most = gatherBytes / 4
	for i := first; i < end; i++ {
		src, dst := unsafe.Add(from, i*p.layout.RowStride), unsafe.Add(to, i*p.to)
		if !p.scattered {
			RoundBF16(dst, src, p.length)
			continue
		}
		for j := 0; j < p.length; j += most {
			n := min(most, p.length-j)
			copyBlockOf[uint32](worker, 0, unsafe.Add(src, j*p.layout.ColStride), 0, p.layout.ColStride, 1, n)
			RoundBF16(unsafe.Add(dst, j*4), worker, n)
		}
	}
}

// packB packs the panels of a task of the second operand.
func (g *GemmBF16) packB(task int, b, to, worker unsafe.Pointer) {
	p := &g.b
	first, end := p.lines*task/p.tasks, p.lines*(task+1)/p.tasks
	if g.inner != nil {
		p.round(first, end, b, to, worker)
		return
	}
	row, most := g.panel*4, min(g.panel, 32)
	for i := first; i < end; i++ {
		col, dst := i*g.panel, unsafe.Add(to, i*p.to)
		for v := 0; v < g.panel && col+v < g.n; {
			cols := min(g.n-col-v, most)
			src := unsafe.Add(b, (col+v)*p.layout.ColStride)
			if p.across {
				packPairsBF16(unsafe.Add(dst, v*4), row, src, p.layout.RowStride, g.k, cols)
				v += most
				continue
			}
			cols = min(cols, 16)
			for k := 0; k < g.k; k += 32 {
				n, from, stride := min(32, g.k-k), unsafe.Add(src, k*p.layout.RowStride), p.layout.ColStride
				if p.scattered {
					copyBlockOf[uint32](worker, 128, from, p.layout.ColStride, p.layout.RowStride, cols, n)
					from, stride = worker, 128
				}
				packTurnedBF16(unsafe.Add(dst, k/2*row+v*4), row, from, stride, cols, n)
			}
			v += 16
		}
		if g.kernel.tiles { // of which each reads a whole step of K
			clear(unsafe.Slice((*byte)(unsafe.Add(dst, g.pairs*row)), p.to-g.pairs*row))
		}
	}
}

// multiply computes a tile of C from the pairs k0 to k1.
func (g *GemmBF16) multiply(t *gemmTile, k0, k1 int, a, b, c unsafe.Pointer, ldc int, add bool) {
	ks, bRow := g.kernel, g.panel*4
	aRow, aCol := g.a.to, 4
	if g.a.across {
		aRow, aCol = 4, turnedRow
	}
	for ; k0 < k1; k0 += g.kc {
		k := min(g.kc, k1-k0)
		for j := t.col0; j < t.col1; j++ {
			cols := min(g.panel, g.n-j*g.panel)
			vectors := (cols + ks.width - 1) / ks.width
			lanes := cols - (vectors-1)*ks.width
			panel := unsafe.Add(b, j*g.b.to+k0*bRow)
			for i := t.row0; i < t.row1; i++ {
				row := g.row(i)
				at := row
				if g.a.across {
					at = i
				}
				rows := unsafe.Add(a, at*g.a.to+k0*aCol)
				ks.tile[g.row(i+1)-row][vectors](k, (*byte)(rows), aRow, aCol, (*byte)(panel), bRow, (*byte)(unsafe.Add(c, row*ldc+j*g.panel*4)), ldc, lanes, add, 1, 0, 0, nil)
			}
		}
		add = true
	}
}
