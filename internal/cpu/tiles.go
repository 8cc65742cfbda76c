package cpu

// Products of bfloat16 numbers in AMX tiles. A tile has up to 16 rows of 64 bytes: of A 16 rows of 16 pairs, of B 16 pairs of the numbers of 16 columns, of C
// 16 by 16 sums. A panel is two tiles high or wide, so that a kernel adds to four tiles of C at a time. Sums run along K in steps of up to 16 pairs.
// Within a step the products of even places and those of odd ones are summed apart, as the processor does it, and so bits differ from those of VDPBF16PS.

import "unsafe"

const (
	tileRow    = 16                   // rows of a tile, and pairs or sums of its rows
	tilePanel  = 2 * tileRow          // rows or columns of a panel
	tileBytes  = tileRow * 64         // of a whole tile
	tileFlop   = 4 * 16 * 16 * 32 * 2 // operations of four products of whole tiles
	tileBlockK = 256                  // pairs of the longest block of K: a panel of B of this length stays in the first-level cache while all rows pass
)

// tileMost is the most products of panels that are done in one call, which Go does not interrupt: some tens of microseconds.
const tileMost = 1024

var bf16Tiles = gemmKernels{tiles: true, width: tileRow, rows: tilePanel, panel: 2, grain: 1 << 19, aliasing: 4096}

// tileConfig says how many rows of how many bytes each tile has, as LDTILECFG reads it.
type tileConfig struct {
	palette, startRow uint8
	_                 [14]uint8
	bytes             [16]uint16
	rows              [16]uint8
}

// newTileConfig returns what a panel of up to 32 rows and columns of C takes, with steps of so many pairs.
func newTileConfig(rows, cols, pairs int) tileConfig {
	c := tileConfig{palette: 1}
	for i := range 2 {
		r, n := min(rows-i*tileRow, tileRow), min(cols-i*tileRow, tileRow)
		if r > 0 {
			c.rows[4+i], c.bytes[4+i] = uint8(r), uint16(pairs*4)
		}
		if n > 0 {
			c.rows[6+i], c.bytes[6+i] = uint8(pairs), uint16(n*4)
		}
		for j := range 2 {
			if n := min(cols-j*tileRow, tileRow); r > 0 && n > 0 {
				c.rows[2*i+j], c.bytes[2*i+j] = uint8(r), uint16(n*4)
			}
		}
	}
	return c
}

// tileProduct is a product of pairs: C, m by n, is or gets added A·B. K is made of blocks of equally many steps.
type tileProduct struct {
	m, n  int
	pairs int // of a step
	amxCall
}

// tileSteps divides a block of K: into steps of equally many pairs, and a rest that is shorter.
func tileSteps(k int) (pairs, steps, rest int) {
	steps = (k + tileRow - 1) / tileRow
	if k%steps == 0 {
		return k / steps, steps, 0
	}
	return tileRow, k / tileRow, k % tileRow
}

// sum computes the product over blocks of k pairs, which begin aBlock and bBlock bytes from each other. Rows of A run along K, or are packed as whole tiles.
func (p *tileProduct) sum(k int, packed bool, aBlock, bBlock int) {
	pairs, steps, rest := tileSteps(k)
	p.sumSteps(pairs, steps, rest, packed, aBlock, bBlock)
}

// sumSteps is sum in a number of steps of so many pairs and a rest that is shorter.
func (p *tileProduct) sumSteps(pairs, steps, rest int, packed bool, aBlock, bBlock int) {
	p.pairs, p.steps, p.aStep, p.bStep = pairs, steps, pairs*4, pairs*p.bRow
	if packed {
		p.aStep = tileBytes
	}
	p.aNext, p.bNext = aBlock-steps*p.aStep, bBlock-steps*p.bStep
	if steps > 0 {
		p.run()
	}
	if rest > 0 {
		p.a, p.b = unsafe.Add(p.a, steps*p.aStep), unsafe.Add(p.b, steps*p.bStep)
		p.pairs, p.steps = rest, 1
		if steps > 0 {
			p.add = 1
		}
		p.aNext, p.bNext = aBlock-p.aStep, bBlock-p.bStep
		p.run()
	}
}

// packTiles packs up to 16 rows of an operand, k numbers of each, as tiles one after the other, the last filled up with zeros.
func (p *packing) packTiles(rows, k int, from, to, worker unsafe.Pointer) {
	l := &p.layout
	if !p.across && !p.scattered {
		packTileRowsBF16(to, from, l.RowStride, rows, k)
		return
	}
	for i := 0; i < k; i += 32 {
		n, src, dst := min(32, k-i), unsafe.Add(from, i*l.ColStride), unsafe.Add(to, i/32*tileBytes)
		if p.across {
			packAcrossBF16(dst, src, l.ColStride, n, rows)
			continue
		}
		copyBlockOf[uint32](worker, 128, src, l.RowStride, l.ColStride, rows, n)
		packTileRowsBF16(dst, worker, 128, rows, n)
	}
}

// multiplyTiles is multiply in tiles.
func (g *GemmBF16) multiplyTiles(t *gemmTile, k0, k1 int, a, b, c unsafe.Pointer, ldc int, add bool) {
	row, col := g.row(t.row0), t.col0*g.panel
	bRow := g.panel * 4
	p := tileProduct{m: g.row(t.row1) - row, n: min(t.col1*g.panel, g.n) - col, pairs: tileRow}
	p.aRow, p.aLower, p.aStep, p.aPanel = 64, g.a.to, tileBytes, 2*g.a.to
	p.bRow, p.bStep, p.bPanel = bRow, tileRow*bRow, g.b.to
	p.c, p.cRow, p.blocks = unsafe.Add(c, row*ldc+col*4), ldc, 1
	for ; k0 < k1; k0 += g.kc {
		p.steps = (min(g.kc, k1-k0) + tileRow - 1) / tileRow
		p.a = unsafe.Add(a, row/tileRow*g.a.to+k0*64)
		p.b = unsafe.Add(b, t.col0*g.b.to+k0*bRow)
		p.add = 0
		if add {
			p.add = 1
		}
		p.run()
		add = true
	}
}
