// The kernels that a matrix product is made of, as tables of functions: one set for each level and element type.

package cpu

// gemmKernel computes a register tile of C: c = a·b, or c += a·b if add is set. The tile has as many rows and vectors
// of columns as the kernel's place in its table says; lanes of the last vector are used. Strides are in bytes; rows of
// b and c are contiguous. The sum runs over blocks, at least one, of k elements each; aNext and bNext are the bytes
// from where one block ends to where the next begins. next is nil, or where rows begin, as far apart as those of b, that a call after this one reads: a
// kernel may fetch a fetchStep-th of as many rows as b has into the cache.
type gemmKernel = func(k int, a *byte, aRow, aCol int, b *byte, bRow int, c *byte, cRow int, lanes int, add bool, blocks, aNext, bNext int, next *byte)

// dotKernel computes a small block of C from rows of a and columns of b that are both contiguous along k.
type dotKernel = func(k int, a *byte, aRow int, b *byte, bCol int, c *byte, cRow int, add bool)

const (
	maxTileRows    = 14
	maxTileVectors = 4
	maxDotRows     = 4
	maxDotCols     = 4
	wideStep       = 16
)

// gemmKernels is the set of kernels for one level and element type.
type gemmKernels struct {
	width    int                                             // elements of a vector
	rows     int                                             // most rows of a tile, or of two
	panel    int                                             // vectors of a tile of that many rows
	wideRows int                                             // most rows of a tile of maxTileVectors vectors
	tile     [maxTileRows + 1][maxTileVectors + 1]gemmKernel // by rows and vectors
	dotRows  int                                             // most rows of a dot kernel, 0 if there are none
	dotCols  int
	few      int // rows up to which dot products are faster than a transposing copy of B, if K is long; found by measurement
	dot      [maxDotRows + 1][maxDotCols + 1]dotKernel
	// transpose copies src, rows by cols with contiguous rows, to dst as cols by rows; nil if there is only plain Go.
	transpose func(dst *byte, dstRow int, src *byte, srcRow int, rows, cols int)
	// step is what rows and cols given to transpose are multiples of.
	step int
	// transposeWide is the same for multiples of wideStep, or nil.
	transposeWide func(dst *byte, dstRow int, src *byte, srcRow int, rows, cols int)
	// grain is the number of multiplications under which a product is not cut further: about two microseconds.
	grain int
	// aliasing is the distance of rows, in bytes, from whose multiples on a copy is faster than reading in place: the
	// rows fall into so few sets of the first-level cache that a panel evicts itself. Found by measurement.
	aliasing int
	// low says that tiles have few rows: as many of A as a set of the first-level cache has room for, so that they are read in place at any distance,
	// while even few rows of C pass over a panel of B several times.
	low bool
	// copyCols and copyRows take the place of copyMinCols and copyMinRows if the sets of the first-level cache have many ways; 0 if they do not. Found
	// by measurement.
	copyCols, copyRows int
	tiles              bool // they are the kernels of tiles, which have no table: see tileProduct
}

// across returns the columns of a panel of C of the given number of rows.
func (ks *gemmKernels) across(rows int) int {
	if rows <= ks.wideRows {
		return maxTileVectors * ks.width
	}
	return ks.panel * ks.width
}
