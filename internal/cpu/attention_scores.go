package cpu

// The passes of attention over a block of scores, m keys by n queries: the maximum of each query, the exponentials with their sums, and the
// gradient of the scores. A whole block of queries has kernels of its own, which make one pass; others take vector functions.

import (
	"math"
	"unsafe"
)

// scoreKernels are the passes over a block whose rows are blockQueries scores.
type scoreKernels struct {
	top      func(dst, s unsafe.Pointer, rows int)
	exp      func(s, by, sums unsafe.Pointer, rows int)
	gradient func(ds, s, by unsafe.Pointer, rows int)
}

// scorePasses are the passes at the level of an attention.
type scorePasses struct {
	kernels      *scoreKernels // nil if there are none
	size         int
	maxima, sums Rows
	exponential  Vec
	mul, add     Vec
}

// top writes the maximum of each query. If a score is NaN it may be that of the others.
func (p *scorePasses) top(dst, s unsafe.Pointer, m, n int) {
	if p.kernels != nil && n == blockQueries {
		p.kernels.top(dst, s, m)
		return
	}
	if p.size == 8 {
		fillOf(block[float64](dst, n), math.Inf(-1))
	} else {
		fillOf(block[float32](dst, n), float32(math.Inf(-1)))
	}
	p.maxima(dst, s, m, n)
}

func fillOf[T any](s []T, x T) {
	for i := range s {
		s[i] = x
	}
}

// exp replaces each score s by e^(s + by), by being a number for each query, and adds the results to the sums of the queries.
func (p *scorePasses) exp(s, by, sums unsafe.Pointer, m, n int) {
	if p.kernels != nil && n == blockQueries {
		p.kernels.exp(s, by, sums, m)
		return
	}
	p.raise(s, by, m, n)
	p.exponential(s, s, nil, nil, m*n)
	p.sums(sums, s, m, n)
}

// gradient replaces ds by s * (ds + by), by being a number for each query.
func (p *scorePasses) gradient(ds, s, by unsafe.Pointer, m, n int) {
	if p.kernels != nil && n == blockQueries {
		p.kernels.gradient(ds, s, by, m)
		return
	}
	p.raise(ds, by, m, n)
	p.mul(ds, ds, s, nil, m*n)
}

// raise adds a number a query to m keys of scores.
func (p *scorePasses) raise(s, by unsafe.Pointer, m, n int) {
	for j := range m {
		row := unsafe.Add(s, j*n*p.size)
		p.add(row, row, by, nil, n)
	}
}
