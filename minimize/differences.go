package minimize

import "math"

// This file holds derivatives by differences, for problems without derivatives. Central differences with the step
// cbrt(eps) |x| have an error of about eps^(2/3), so they do not resolve a gradient much below 1e-10 of f's scale. Next to a bound,
// if one of their points would be outside, three points on the inner side have an error of the same order.
// (Nocedal and Wright 2006, Numerical Optimization, section 8.1.)

const epsilon = 0x1p-52

// box is the bounds that no evaluation may leave; nil means none.
type box struct{ lower, upper []float64 }

func (b *box) low(i int) float64 { return bound(b.lower, i, -1) }

func (b *box) high(i int) float64 { return bound(b.upper, i, 1) }

func bound(b []float64, i, sign int) float64 {
	if b == nil {
		return math.Inf(sign)
	}
	return b[i]
}

// step is how the difference in a variable is taken: points at x + from*size and x + to*size, and for from = 0 a third at x + to/2*size.
type step struct {
	size, from, to float64
}

// unit is 1, or less if all x are small: the least that a variable is taken to change by.
func (e *evaluator) unit() float64 {
	if e.size == 0 {
		return 1
	}
	return min(1, e.size)
}

// stepFor returns the step for variable i at x, with a size such that x + size - x is the size. The size is 0 if the bounds leave no room.
func (e *evaluator) stepFor(i int, x float64) step {
	h := math.Cbrt(epsilon) * max(math.Abs(x), e.unit())
	if e.factor != 0 {
		h *= e.factor
	}
	h = (x + h) - x
	below, above := x-e.low(i), e.high(i)-x
	switch {
	case h <= below && h <= above:
		return step{h, -1, 1}
	case below > above:
		return step{min(h, below/2), 0, -2}
	}
	return step{min(h, above/2), 0, 2}
}

// difference stores the derivative with respect to variable i at x in dst. at computes a value with a number of elements; here is
// the value at x, which is only needed for steps to one side.
func (e *evaluator) difference(dst []float64, i int, x, here []float64, at func(dst, x []float64)) {
	h := e.stepFor(i, x[i])
	if h.size <= 0 {
		clear(dst)
		return
	}
	old := x[i]
	far := make([]float64, len(dst))
	x[i] = old + h.to*h.size
	at(far, x)
	if h.from == -1 {
		x[i] = old - h.size
		at(dst, x)
		for k := range dst {
			dst[k] = (far[k] - dst[k]) / (2 * h.size)
		}
	} else {
		x[i] = old + h.to/2*h.size
		at(dst, x)
		for k := range dst {
			dst[k] = (4*(dst[k]-here[k]) - (far[k] - here[k])) / (h.to * h.size)
		}
	}
	x[i] = old
}

// gradByDifferences takes two values of f for each element, and if a bound is near the value f at x.
func (e *evaluator) gradByDifferences(g, x []float64) {
	y, here := clone(x), []float64(nil)
	for i := range y {
		if here == nil && e.stepFor(i, x[i]).from == 0 {
			here = []float64{e.value(x)}
		}
		e.difference(g[i:i+1], i, y, here, func(dst, x []float64) { dst[0] = e.value(x) })
	}
}

// jacobianByDifferences takes two vectors of residuals for each column, and leaves those of x in place.
func (e *evaluator) jacobianByDifferences(x []float64) {
	here, column := clone(e.r), make([]float64, e.p.Count)
	y := clone(x)
	for k := range y {
		e.difference(column, k, y, here, func(dst, x []float64) { copy(dst, e.residuals(x)) })
		for i, d := range column {
			e.jac[i*e.n+k] = d
		}
	}
	copy(e.r, here)
}

// measuredJacobian makes the Jacobian at x again with care, and returns the norm of the error of each column. Differences with one step and
// twice that disagree by three times the error of the first from its truncation, and by more than its rounding. For variables less than 1,
// steps relative to them are tried too, and the better ones taken.
func (e *evaluator) measuredJacobian(x []float64) (off []float64) {
	here, y := clone(e.residuals(x)), clone(x)
	off = make([]float64, e.n)
	for k := range y {
		off[k] = math.Inf(1)
		factors := []float64{1}
		if v := math.Abs(x[k]); v > 0 && v < 1 {
			factors = append(factors, v)
		}
		for _, factor := range factors {
			var columns [2][]float64
			for i := range columns {
				columns[i] = make([]float64, e.p.Count)
				e.factor = factor * float64(i+1)
				e.difference(columns[i], k, y, here, func(dst, x []float64) { copy(dst, e.residuals(x)) })
			}
			axpy(-1, columns[0], columns[1])
			if d := norm2(columns[1]); d < off[k] {
				off[k] = d
				for i, v := range columns[0] {
					e.jac[i*e.n+k] = v
				}
			}
		}
	}
	e.factor = 0
	copy(e.r, here)
	return off
}

// hessVecByDifferences takes two gradients, a step before and behind x along v.
func (e *evaluator) hessVecByDifferences(dst, x, v []float64) {
	length := norm2(v)
	if length == 0 {
		clear(dst)
		return
	}
	h := math.Cbrt(epsilon) * (e.unit() + norm2(x)) / length
	y, other := make([]float64, e.n), make([]float64, e.n)
	copy(y, x)
	axpy(h, v, y)
	e.grad(dst, y)
	copy(y, x)
	axpy(-h, v, y)
	e.grad(other, y)
	for i := range dst {
		dst[i] = (dst[i] - other[i]) / (2 * h)
	}
}
