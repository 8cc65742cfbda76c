package minimize

import "math"

// This file holds BFGS with a dense matrix.

// BFGS keeps an approximation H to the inverse of the Hessian, n by n, and goes along -H g. With s the step, y the change of
// the gradient and rho = 1/s'y,
//
//	H <- (I - rho s y') H (I - rho y s') + rho s s'
//
// H starts as the identity, scaled by s'y/y'y after the first step. (Nocedal and Wright 2006, Numerical Optimization, (6.17)
// and (6.20).)
type BFGS struct{}

func (*BFGS) check(p *Problem, n int) error { return room("BFGS", float64(n)*float64(n), "LBFGS") }

func (*BFGS) search(r *run) Reason {
	if reason := r.start(); reason != Running {
		return reason
	}
	n := r.n
	l := newLine(r, 1e-4, 0.9)
	d, s, y, hy := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	h := make([]float64, n*n)
	fresh := true // h is the identity
	for {
		first := 1.0
		if fresh {
			for i, g := range r.g {
				d[i] = -g
			}
			first = firstLength(r)
		} else {
			for i := range d {
				d[i] = -dot(h[i*n:(i+1)*n], r.g)
			}
		}
		a := l.search(d, first, maxLength)
		if a == 0 {
			if fresh || r.interrupted() != Running {
				return r.stuck()
			}
			fresh = true
			continue
		}
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		for i := range s {
			s[i] = r.x[i] - l.x0[i]
			y[i] = r.g[i] - l.g0[i]
		}
		sy, yy := dot(s, y), dot(y, y)
		if !(sy > epsilon*norm2(s)*math.Sqrt(yy)) {
			continue // the curvature is not positive along s: it says nothing of a minimum
		}
		if fresh {
			clear(h)
			for i := range n {
				h[i*n+i] = sy / yy
			}
			fresh = false
		}
		for i := range hy {
			hy[i] = dot(h[i*n:(i+1)*n], y)
		}
		c := (1 + dot(y, hy)/sy) / sy
		for i := range n {
			row := h[i*n : (i+1)*n]
			axpy(c*s[i]-hy[i]/sy, s, row)
			axpy(-s[i]/sy, hy, row)
		}
	}
}
