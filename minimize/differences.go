package minimize

import "math"

// This file holds derivatives by differences, for problems that come without. Central differences with the step
// cbrt(eps) |x| have an error of about eps^(2/3), so no gradient can be brought much below 1e-10 of f's scale with them.
// (Nocedal and Wright 2006, Numerical Optimization, section 8.1.)

const epsilon = 0x1p-52

// stepFor is the step of a difference at x, exact in that x + step - x is the step.
func stepFor(x float64) float64 {
	h := math.Cbrt(epsilon) * max(math.Abs(x), 1)
	return (x + h) - x
}

// gradByDifferences takes two values of f for each element.
func (e *evaluator) gradByDifferences(g, x []float64) {
	y := e.scratch(0, e.n)
	copy(y, x)
	for i := range y {
		h := stepFor(x[i])
		y[i] = x[i] + h
		above := e.value(y)
		y[i] = x[i] - h
		g[i] = (above - e.value(y)) / (2 * h)
		y[i] = x[i]
	}
}

// jacobianByDifferences takes two vectors of residuals for each column, and leaves those of x in place.
func (e *evaluator) jacobianByDifferences(x []float64) {
	y, here := e.scratch(0, e.n), append([]float64{}, e.r...)
	above := e.scratch(1, e.p.Count)
	copy(y, x)
	for k := range y {
		h := stepFor(x[k])
		y[k] = x[k] + h
		copy(above, e.residuals(y))
		y[k] = x[k] - h
		for i, r := range e.residuals(y) {
			e.jac[i*e.n+k] = (above[i] - r) / (2 * h)
		}
		y[k] = x[k]
	}
	copy(e.r, here)
}

// hessVecByDifferences takes two gradients, a step before and behind x along v.
func (e *evaluator) hessVecByDifferences(dst, x, v []float64) {
	length := norm2(v)
	if length == 0 {
		clear(dst)
		return
	}
	h := math.Cbrt(epsilon) * (1 + norm2(x)) / length
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
