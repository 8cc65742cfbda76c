package minimize

import (
	"fmt"
	"math"
)

// This file holds Problem: what is minimized, and what is known about it.

// Problem is a function of a vector with those of its derivatives that are available. It has Func, or FuncGrad, or Residuals;
// the rest is optional. Functions must not change x, nor keep x or dst.
type Problem struct {
	Func     func(x []float64) float64      // f(x)
	Grad     func(dst, x []float64)         // the gradient of f
	FuncGrad func(dst, x []float64) float64 // both at once, if that is cheaper
	HessVec  func(dst, x, v []float64)      // the product of the Hessian of f at x with v
	Hess     func(dst, x []float64)         // the Hessian of f, all n*n elements

	// A sum of squares has m = Count residuals: f = 1/2 sum r_i(x)^2, as in SciPy's least_squares.
	Count     int
	Residuals func(dst, x []float64)    // r(x), m elements
	Jacobian  func(dst, x []float64)    // d r_i / d x_j, m*n elements, row by row
	GaussVec  func(dst, x, v []float64) // J'J v, if it is cheaper than the whole Jacobian

	// Err, if set, is called after each evaluation; an error ends the search.
	Err func() error
}

// Evaluations counts what a search has asked for. Functions that compute value and gradient at once count for both.
type Evaluations struct {
	Func, Grad int
	Hess       int // whole Hessians
	HessVec    int // products with a Hessian, or with J'J
	Residuals  int // vectors of residuals
	Jacobian   int
	NotFinite  int // evaluations of any kind that returned NaN or infinity
}

func (p *Problem) check(n int) error {
	switch {
	case n == 0:
		return fmt.Errorf("minimize: the start has no elements: there is nothing to vary")
	case p.Func == nil && p.FuncGrad == nil && p.Residuals == nil:
		return fmt.Errorf("minimize: the problem has neither Func nor FuncGrad nor Residuals")
	case p.Residuals != nil && p.Count <= 0:
		return fmt.Errorf("minimize: the problem has Residuals but Count is %d: set it to their number", p.Count)
	}
	return nil
}

// isSquares reports whether f itself is known only as a sum of squares.
func (p *Problem) isSquares() bool { return p.Residuals != nil && p.Func == nil && p.FuncGrad == nil }

// evaluator computes what methods ask for from what the problem has, and counts.
type evaluator struct {
	p *Problem
	n int
	box
	factor float64 // of the steps for differences; 0 means 1
	size   float64 // the largest length of x on the way: the unit of steps for differences
	count  Evaluations
	err    error

	r, jac []float64 // residuals and Jacobian, made when needed
	work   [3][]float64
}

func (e *evaluator) scratch(i, n int) []float64 {
	if len(e.work[i]) < n {
		e.work[i] = make([]float64, n)
	}
	return e.work[i][:n]
}

func (e *evaluator) after() {
	if e.p.Err != nil && e.err == nil {
		e.err = e.p.Err()
	}
}

func (e *evaluator) finite(xs ...float64) bool {
	if !allFinite(xs) {
		e.count.NotFinite++
		return false
	}
	return true
}

// value returns f(x).
func (e *evaluator) value(x []float64) float64 {
	var f float64
	switch {
	case e.p.isSquares():
		return halfSquares(e.residuals(x))
	case e.p.Func != nil:
		e.count.Func++
		f = e.p.Func(x)
	default:
		e.count.Func++
		e.count.Grad++
		f = e.p.FuncGrad(e.scratch(0, e.n), x)
	}
	e.after()
	e.finite(f)
	return f
}

// valueGrad returns f(x) and stores its gradient in g.
func (e *evaluator) valueGrad(g, x []float64) float64 {
	var f float64
	switch {
	case e.p.isSquares():
		f = halfSquares(e.residuals(x))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return f
		}
		e.gradOfSquares(g, x)
		return f
	case e.p.FuncGrad != nil:
		e.count.Func++
		e.count.Grad++
		f = e.p.FuncGrad(g, x)
		e.after()
	default:
		f = e.value(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return f
		}
		e.grad(g, x)
		return f
	}
	if e.finite(f) {
		e.finite(g...)
	}
	return f
}

// grad stores the gradient of f at x in g.
func (e *evaluator) grad(g, x []float64) {
	switch {
	case e.p.isSquares():
		e.residuals(x)
		e.gradOfSquares(g, x)
		return
	case e.p.Grad != nil:
		e.count.Grad++
		e.p.Grad(g, x)
	case e.p.FuncGrad != nil:
		e.count.Func++
		e.count.Grad++
		e.p.FuncGrad(g, x)
	default:
		e.gradByDifferences(g, x)
	}
	e.after()
	e.finite(g...)
}

// residuals returns r(x), in memory that the next call overwrites.
func (e *evaluator) residuals(x []float64) []float64 {
	if e.r == nil {
		e.r = make([]float64, e.p.Count)
	}
	e.count.Residuals++
	e.p.Residuals(e.r, x)
	e.after()
	e.finite(e.r...)
	return e.r
}

// jacobian returns the Jacobian at x, in memory that the next call overwrites.
func (e *evaluator) jacobian(x []float64) []float64 {
	if e.jac == nil {
		e.jac = make([]float64, e.p.Count*e.n)
	}
	if e.p.Jacobian == nil {
		e.jacobianByDifferences(x)
	} else {
		e.count.Jacobian++
		e.p.Jacobian(e.jac, x)
	}
	e.after()
	e.finite(e.jac...)
	return e.jac
}

// gradOfSquares stores J'r in g, of the residuals computed last.
func (e *evaluator) gradOfSquares(g, x []float64) {
	j := e.jacobian(x)
	clear(g)
	for i, r := range e.r {
		for k, d := range j[i*e.n : (i+1)*e.n] {
			g[k] += r * d
		}
	}
}

// hessVec stores the product of the Hessian at x with v in dst. g is the gradient at x.
func (e *evaluator) hessVec(dst, x, g, v []float64) {
	switch {
	case e.p.HessVec != nil:
		e.count.HessVec++
		e.p.HessVec(dst, x, v)
	case e.p.Hess != nil:
		h := e.scratch(1, e.n*e.n)
		e.hess(h, x, g)
		for i := range dst {
			dst[i] = dot(h[i*e.n:(i+1)*e.n], v)
		}
		return
	default:
		e.hessVecByDifferences(dst, x, v)
		return
	}
	e.after()
	e.finite(dst...)
}

// gaussVec stores J'J v in dst.
func (e *evaluator) gaussVec(dst, x, v []float64) {
	if e.p.GaussVec != nil {
		e.count.HessVec++
		e.p.GaussVec(dst, x, v)
		e.after()
		e.finite(dst...)
		return
	}
	j := e.jacobian(x)
	clear(dst)
	for i := range e.p.Count {
		row := j[i*e.n : (i+1)*e.n]
		axpy(dot(row, v), row, dst)
	}
}

// hess stores the Hessian at x in dst, made symmetric. g is the gradient at x.
func (e *evaluator) hess(dst, x, g []float64) {
	n := e.n
	if e.p.Hess != nil {
		e.count.Hess++
		e.p.Hess(dst, x)
		e.after()
		e.finite(dst...)
	} else {
		v := e.scratch(2, n)
		clear(v)
		for i := range n {
			v[i] = 1
			e.hessVec(dst[i*n:(i+1)*n], x, g, v)
			v[i] = 0
		}
	}
	for i := range n {
		for j := range i {
			m := (dst[i*n+j] + dst[j*n+i]) / 2
			dst[i*n+j], dst[j*n+i] = m, m
		}
	}
}

func halfSquares(r []float64) float64 {
	s := 0.0
	for _, x := range r {
		s += x * x
	}
	return s / 2
}
