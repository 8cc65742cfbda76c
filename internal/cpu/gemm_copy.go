// The copies that a matrix product makes of its operands: a whole operand whose lines fall into the same few sets of the
// caches is copied once to lines that do not; a panel of a B that runs along K is transposed by the task that uses it.

package cpu

import "unsafe"

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
	manyWays      = 12  // lines of a set of the first-level cache from which the kernels' own numbers of columns and rows hold

	// With low tiles, if all lines of a panel fall into one set of the first-level cache.
	copyMinRowsLow = 16
	copyLowStride  = 4096
)

// packPanel transposes k rows of cols columns of B, which are not contiguous, to rows at dst: in blocks that are as large as can be, the largest first.
func (g *Gemm) packPanel(dst, b unsafe.Pointer, l Layout, k, cols int) {
	if ks := g.kernels; l.RowStride == g.size && ks.transpose != nil {
		g.packBlocks(dst, b, l, k, cols, ks.transposeWide != nil)
	} else {
		copyBlock(dst, g.panel*g.size, b, l.RowStride, l.ColStride, k, cols, g.size)
	}
}

// packBlocks transposes blocks of the kernels, wide ones or others, and what is left over in smaller ones.
func (g *Gemm) packBlocks(dst, b unsafe.Pointer, l Layout, k, cols int, wide bool) {
	row := g.panel * g.size
	ks := g.kernels
	transpose, step := ks.transpose, ks.step
	if wide {
		transpose, step = ks.transposeWide, wideStep
	}
	kt, ct := k-k%step, cols-cols%step
	if kt > 0 && ct > 0 {
		transpose((*byte)(dst), row, (*byte)(b), l.ColStride, ct, kt)
	} else {
		kt, ct = 0, 0
	}
	rest := func(i, j, k, cols int) {
		if k == 0 || cols == 0 { // where an address would be beyond the arrays
			return
		}
		to, from := unsafe.Add(dst, i*row+j*g.size), unsafe.Add(b, i*l.RowStride+j*l.ColStride)
		if wide {
			g.packBlocks(to, from, l, k, cols, false)
		} else {
			copyBlock(to, row, from, l.RowStride, l.ColStride, k, cols, g.size)
		}
	}
	rest(kt, 0, k-kt, ct)
	rest(0, ct, k, cols-ct)
}

// copyRows copies rows of the given number of bytes from one distance to another.
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
