package minimize

import "math"

// This file holds nonlinear conjugate gradients.

// ConjugateGradient keeps one direction besides the gradient:
//
//	d <- -g + beta d
//
// With y = g - (the last g), beta is by Hager and Zhang (2005, A new conjugate gradient method with guaranteed descent, SIAM J.
// Optim. 16)
//
//	beta = max((y - 2 d y'y/d'y)'g / d'y, -1 / (|d| min(0.01, |last g|)))
//
// or with PolakRibiere max(0, g'y / last g'g). It needs memory for a few vectors only.
type ConjugateGradient struct {
	PolakRibiere bool // beta by Polak and Ribiere, not negative (PR+)
}

func (m *ConjugateGradient) search(r *run) Reason {
	if reason := r.start(); reason != Running {
		return reason
	}
	l := newLine(r, 1e-4, 0.1)
	d, y := make([]float64, r.n), make([]float64, r.n)
	steepest := func() {
		for i, g := range r.g {
			d[i] = -g
		}
	}
	steepest()
	first, restarted := firstLength(r), true
	for {
		slope := dot(r.g, d)
		a := l.search(d, first, maxLength)
		if a == 0 {
			if restarted || r.interrupted() != Running {
				return r.stuck()
			}
			steepest()
			first, restarted = firstLength(r), true
			continue
		}
		restarted = false
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		for i, g := range r.g {
			y[i] = g - l.g0[i]
		}
		beta := m.beta(r.g, l.g0, y, d)
		for i, g := range r.g {
			d[i] = beta*d[i] - g
		}
		if next := dot(r.g, d); next < 0 && isFinite(next) {
			first = a * slope / next // the same decrease to first order
			first = min(first, 10*a)
		} else {
			steepest()
			first, restarted = firstLength(r), true
		}
	}
}

func (m *ConjugateGradient) beta(g, last, y, d []float64) float64 {
	if m.PolakRibiere {
		return max(0, dot(g, y)/dot(last, last))
	}
	dy := dot(d, y)
	if dy == 0 {
		return 0
	}
	beta := (dot(y, g) - 2*dot(y, y)/dy*dot(d, g)) / dy
	return max(beta, -1/(norm2(d)*math.Min(0.01, norm2(last))))
}
