// The loops of a matrix product around its kernels.

package cpu

import "unsafe"

// operands is where a multiplication reads A and B.
type operands struct {
	a, b   unsafe.Pointer
	la, lb Layout // in bytes
}

// multiply computes the tile t of C from the part k0 to k1 of K.
func (g *Gemm) multiply(t *gemmTile, k0, k1 int, o *operands, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
	c = unsafe.Add(c, t.row0*ldc)
	for k0 < k1 {
		k := min(k1-k0, g.kc)
		if g.dot {
			g.dotBlock(t, k0, k, o, c, ldc, add, worker)
		} else {
			g.tileBlock(t, k0, k, min(k1-k0-k, g.kc), o, c, ldc, add, worker)
		}
		k0 += k
		add = true
	}
}

// fetchStep is the number of calls in which the kernels fetch the next panel of B, a part in each.
const fetchStep = 4

// tileBlock adds one block of K to a task's tile with the tile kernels. following is the length of the block after it, or 0.
func (g *Gemm) tileBlock(t *gemmTile, k0, k, following int, o *operands, c unsafe.Pointer, ldc int, add bool, worker unsafe.Pointer) {
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
		var nextPanel unsafe.Pointer
		fetchRows := 0 // in each call
		switch {
		case !g.fetch:
		case j+g.panel < t.col1:
			nextPanel, fetchRows = unsafe.Add(bp, g.panel*g.size), k/fetchStep
		case following > 0:
			nextPanel, fetchRows = unsafe.Add(o.b, (k0+k)*o.lb.RowStride+t.col0*o.lb.ColStride), min(k, following)/fetchStep
		}
		ap, cp := a, unsafe.Add(c, j*g.size)
		for p := range panels {
			h := height
			if p < taller {
				h++
			}
			var next unsafe.Pointer
			if nextPanel != nil && p < fetchStep {
				next = unsafe.Add(nextPanel, p*fetchRows*bRow)
			}
			ks.tile[h][vectors](k, (*byte)(ap), aRow, aCol, (*byte)(bp), bRow, (*byte)(cp), ldc, lanes, add, 1, 0, 0, (*byte)(next))
			if p < panels-1 {
				ap, cp = unsafe.Add(ap, h*aRow), unsafe.Add(cp, h*ldc)
			}
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

// clear makes a tile of a product over an empty K: zeros, or what is there.
func (g *Gemm) clear(t *gemmTile, c unsafe.Pointer) {
	if g.accumulate {
		return
	}
	for i := t.row0; i < t.row1; i++ {
		clear(unsafe.Slice((*byte)(unsafe.Add(c, i*g.ldc+t.col0*g.size)), (t.col1-t.col0)*g.size))
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

// align rounds a number of bytes up to whole cache lines.
func align(bytes int) int { return (bytes + 63) &^ 63 }
