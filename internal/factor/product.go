package factor

import (
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
)

// This file holds products of matrices. gonum's Dgemm allocates for each block of a larger product, so here it gets the blocks one by
// one, cut as it would cut them itself: the bits are the same, and nothing is allocated.

// productBlock is the number of rows and columns of a block, and leastBlocks the number of blocks from which Dgemm would share them out.
const (
	productBlock = 64
	leastBlocks  = 4
)

// product is a large product, c += alpha a b, whose blocks several goroutines share.
type product struct {
	ta, tb        blas.Transpose
	m, n, k       int
	alpha         float64
	a, b, c       []float64
	lda, ldb, ldc int

	next    atomic.Int64 // the next block
	helpers sync.WaitGroup
	help    func() // what a helper does; made once, as a go statement with arguments allocates
}

// idle holds products that are not in use.
var idle = make(chan *product, 64)

// gemm stores alpha a b + beta c in c, of m rows and n columns, where k is the inner size, ta and tb say what is transposed, and
// lda, ldb and ldc are the distances between rows.
func gemm(ta, tb blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	blocks := ceil(m, productBlock) * ceil(n, productBlock)
	if blocks < leastBlocks {
		vectors.Dgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		switch beta {
		case 0:
			clear(row)
		case 1:
		default:
			for j := range row {
				row[j] *= beta
			}
		}
	}
	var p *product
	select {
	case p = <-idle:
	default:
		p = &product{}
		p.help = func() {
			defer p.helpers.Done()
			p.work()
		}
	}
	p.ta, p.tb, p.m, p.n, p.k, p.alpha = ta, tb, m, n, k, alpha
	p.a, p.b, p.c, p.lda, p.ldb, p.ldc = a, b, c, lda, ldb, ldc
	p.next.Store(0)
	helpers := min(runtime.GOMAXPROCS(0), blocks) - 1
	p.helpers.Add(helpers)
	for range helpers {
		go p.help()
	}
	p.work()
	p.helpers.Wait()
	p.a, p.b, p.c = nil, nil, nil
	select {
	case idle <- p:
	default:
	}
}

// work does blocks until none is left.
func (p *product) work() {
	across := ceil(p.n, productBlock)
	for blocks := int64(ceil(p.m, productBlock) * across); ; {
		i := p.next.Add(1) - 1
		if i >= blocks {
			return
		}
		p.block(int(i)/across*productBlock, int(i)%across*productBlock)
	}
}

// block computes the block of c that begins at a row and a column.
func (p *product) block(row, col int) {
	rows, cols := min(productBlock, p.m-row), min(productBlock, p.n-col)
	c := part(p.c, p.ldc, row, col, rows, cols)
	for inner := 0; inner < p.k; inner += productBlock {
		size := min(productBlock, p.k-inner)
		a := operand(p.ta, p.a, p.lda, row, inner, rows, size)
		b := operand(p.tb, p.b, p.ldb, inner, col, size, cols)
		vectors.Dgemm(p.ta, p.tb, rows, cols, size, p.alpha, a, p.lda, b, p.ldb, 1, c, p.ldc)
	}
}

// operand is the part of an operand, which may lie transposed, that begins at row i and column j.
func operand(t blas.Transpose, a []float64, stride, i, j, rows, cols int) []float64 {
	if t == blas.Trans {
		i, j, rows, cols = j, i, cols, rows
	}
	return part(a, stride, i, j, rows, cols)
}

// part is the part of a matrix that begins at row i and column j.
func part(a []float64, stride, i, j, rows, cols int) []float64 {
	return a[i*stride+j : (i+rows-1)*stride+j+cols]
}

func ceil(a, b int) int { return (a + b - 1) / b }
