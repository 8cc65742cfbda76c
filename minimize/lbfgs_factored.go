package minimize

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// This file holds the two-loop recursion for long vectors. Every vector in the recursion is a sum of multiples of -g, the s and the y,
// so it can run on the factors of that sum. It then needs the products of the pairs with each other and with g: one product of a
// matrix and a vector before it, and one after it, each of which reads the pairs once, in place of 4 passes over vectors for each
// pair, of which one waits for the other. (Chen, Wang and Zhou 2014, Large-scale L-BFGS using MapReduce, NIPS 27.) Of the products
// of the pairs, those with a new y are differences of those with the gradients. (Byrd, Nocedal and Schnabel 1994,
// Representations of quasi-Newton matrices and their use in limited memory methods, Math. Programming 63, section 3.)
//
// Short vectors do without: there it is no faster, and in a function of ill condition a little less exact.

// factored is pairs with their products.
type factored struct {
	*pairs
	sy, yy    []float64 // s_i'y_j if pair j is the later one, and y_i'y_j, at i * memory + j
	now, last []float64 // the products of the rows with g, and with the g before
	order     []int     // the places of the pairs, the newest first
	alpha     []float64 // in that order
	factor    []float64 // of the rows
	added     bool      // a pair has been added since the last direction
}

func newFactored(memory, n int) *factored {
	return &factored{
		pairs: newPairs(memory, n),
		sy:    make([]float64, memory*memory), yy: make([]float64, memory*memory),
		now: make([]float64, 2*memory), last: make([]float64, 2*memory),
		order: make([]int, memory), alpha: make([]float64, memory), factor: make([]float64, 2*memory),
	}
}

func (f *factored) add(x, x0, g, g0 []float64) bool {
	f.added = f.pairs.add(x, x0, g, g0)
	return f.added
}

func (f *factored) direction(d, g []float64) {
	m, order, rows := len(f.s), f.order[:f.n], f.rows
	for k := range order {
		order[k] = f.place(k)
	}
	rows.Rows = 2 * f.filled
	f.now, f.last = f.last, f.now
	blas64.Gemv(blas.NoTrans, 1, rows, vector(g), 0, vector(f.now[:rows.Rows]))
	if f.added {
		f.multiply(order)
	}
	factor := f.factor[:rows.Rows]
	clear(factor)
	for k, i := range order { // from new to old: alpha = s'q/s'y, q -= alpha y
		sq, sy := -f.now[2*i], f.sy[i*m:(i+1)*m]
		for l, j := range order[:k] {
			sq -= f.alpha[l] * sy[j]
		}
		f.alpha[k] = sq / sy[i]
		factor[2*i+1] = -f.scale * f.alpha[k]
	}
	for k := len(order) - 1; k >= 0; k-- { // q *= scale; from old to new: q += (alpha - y'q/s'y) s
		i := order[k]
		yq, yy := -f.scale*f.now[2*i+1], f.yy[i*m:(i+1)*m]
		for _, j := range order {
			yq += factor[2*j+1] * yy[j]
		}
		for _, j := range order[k+1:] {
			yq += factor[2*j] * f.sy[j*m+i]
		}
		factor[2*i] = f.alpha[k] - yq/f.sy[i*m+i]
	}
	copy(d, g)
	blas64.Gemv(blas.Trans, 1, rows, vector(factor), -f.scale, vector(d))
}

// multiply fills in the products with the newest pair.
func (f *factored) multiply(order []int) {
	m, k := len(f.s), order[0]
	for _, i := range order[1:] {
		f.sy[i*m+k] = f.now[2*i] - f.last[2*i]
		yy := f.now[2*i+1] - f.last[2*i+1]
		f.yy[i*m+k], f.yy[k*m+i] = yy, yy
	}
	f.sy[k*m+k], f.yy[k*m+k] = f.pairs.sy[k], f.pairs.yy
	f.added = false
}
