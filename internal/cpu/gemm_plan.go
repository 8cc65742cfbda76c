// The decisions of a matrix product: which kernels, what is copied, how C and K are cut. The constants were found by
// measurement on Zen 4 and Zen 5 processors.

package cpu

// The longest blocks of K. A panel of B of blockK stays in the second-level cache while all rows pass. The few columns of B that dot kernels read at once
// stay in the first-level cache even if they are longer, and the lanes of the sums are added up less often.
const (
	blockK    = 512
	dotBlockK = 1024
)

// chooseKernel decides between tile and dot kernels, and what is copied.
func (g *Gemm) chooseKernel() {
	ks := g.kernels
	// Where both operands run along K, a dot product needs no transposing copy of B, which few rows of A would not
	// repay; and a C of few columns would leave most lanes of a tile idle.
	if ks.dotRows > 0 && g.a.ColStride == 1 && g.k >= 2*ks.width {
		narrow := g.n <= ks.dotCols && g.n*4 <= ks.width || g.n == 1
		few := 2 * maxDotRows
		if g.k >= dotLong*ks.width {
			few = max(few, ks.few)
		}
		if narrow || g.b.RowStride == 1 && g.b.ColStride != 1 && g.m <= few {
			g.dot = true
			g.kc = blockOf(g.k, dotBlockK)
			g.packB = g.b.RowStride != 1
			g.panel = ks.dotCols
			return
		}
	}
	g.kc = blockOf(g.k, blockK)
	g.panel = ks.across(g.m)
	g.packB = g.b.ColStride != 1
	// Operands that the second-level cache holds need no fetching. The kernels of few rows read a panel before they could have fetched the next.
	g.fetch = !g.packB && g.m >= fetchStep*ks.rows && (g.m*g.k+g.k*g.n+g.m*g.n)*g.size > fetchFrom*secondLevel()
	copyCols, copyRows := copyMinCols, copyMinRows
	switch {
	case ks.low && g.b.RowStride*g.size%copyLowStride == 0:
		copyRows = copyMinRowsLow
	case ks.copyCols > 0 && firstLevel() >= manyWays*ks.aliasing:
		copyCols, copyRows = ks.copyCols, ks.copyRows
	}
	if g.n >= copyCols && !(ks.low && g.a.ColStride == 1) {
		g.copyA = g.copyOf(g.a, g.m, g.k)
	}
	if !g.packB && g.m >= copyRows && g.n > g.panel {
		g.copyB = g.copyOf(g.b, g.k, g.n)
	}
}

// blockOf returns the length of the blocks of K if none is longer than most: all are of nearly equal length.
func blockOf(k, most int) int {
	blocks := max((k+most-1)/most, 1)
	return (k + blocks - 1) / blocks
}

// dotLong is the number of vectors along K from which adding up their lanes at the end costs little.
const dotLong = 16

// fetchFrom is the size of a product, in second-level caches, from which the next panel of B is fetched.
const fetchFrom = 4

// Sizes of tasks.
const (
	largeTask   = 128     // grains in a task of a large product
	someTasks   = 16      // tasks of a product of moderate size
	mostTasks   = 256     // tasks that a large product is cut into
	tileRows    = 256     // most rows of a task's block of C, about: a block of its part of A takes a half or a quarter of the second-level cache
	shortK      = 32      // longest K with which C is most of what moves
	packedRows  = 512     // and where it packs B, which more rows repay
	packMinRows = 48      // rows that a task computes from a panel of B that it packs
	leastK      = 256     // shortest slice when K is split
	mostSums    = 1 << 16 // largest C that is computed in slices of K
	leastSum    = 1 << 15 // elements of the slices that are worth a task
	leastCopy   = 1 << 15 // bytes of a copy that are worth a task
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
	rowCuts := 1
	if colPanels > 1 {
		share := 2
		if !ks.low && g.size == 4 { // whose panels of B take more of the cache, and are passed over faster
			share = 4
		}
		height := min(tileRows, max(secondLevel()/(share*max(g.kc, 1)*g.size), 4*ks.rows))
		if g.packB {
			height = packedRows
		}
		if g.m > height*3/2 {
			rowCuts = (g.m + height - 1) / height
		}
	}
	if g.k <= shortK && !g.packB { // tasks that write whole rows of C touch fewer pages and share no lines
		rowCuts = max(rowCuts, min(target, rowPanels))
	}
	colCuts := min((target+rowCuts-1)/rowCuts, colPanels)
	if target >= someTasks { // tasks with one panel more than others would be waited for
		least := colPanels / colCuts
		colCuts = (colPanels + least - 1) / least
	}
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
