package minimize

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// This file holds the method of Levenberg and Marquardt.

// LevenbergMarquardt minimizes a sum of squares. Each step minimizes |r + J d| within |D d| <= R, where D holds the largest
// norm that each column of J has had, as in MINPACK: so the units of the variables do not matter. With the singular values of
// J D^-1 the solution
//
//	d = -(J'J + lambda D^2)^-1 J'r
//
// is exact for each lambda, and a step for another R costs no further factorization. R grows if the linear model predicts the decrease of f
// well and shrinks if it does not. (More 1978, The Levenberg-Marquardt algorithm: implementation and theory.)
//
// Half the second derivative of the residuals along d is taken into account, geodesic acceleration, from one more evaluation of the
// residuals: in narrow curved valleys steps become longer. (Transtrum and Sethna 2012, Improvements to the Levenberg-Marquardt algorithm for
// nonlinear least-squares minimization, arXiv 1201.5885.)
//
// It continues as long as steps lower f by more than rounding does, whatever Options.Gradient, and then judges the gradient: it is
// small if all its elements are, or all cosines of angles between the residuals and the columns of J.
type LevenbergMarquardt struct {
	Factor float64 // first R as a multiple of |D x0|, or R itself if that is 0; 0 means 0.1
	Plain  bool    // without acceleration
}

func (m *LevenbergMarquardt) check(p *Problem, n int) error {
	if err := checkSquares("LevenbergMarquardt", p, n); err != nil {
		return err
	}
	return checkRadius("LevenbergMarquardt", m.Factor)
}

func (m *LevenbergMarquardt) search(r *run) Reason {
	s := newSquares(r)
	r.retry = -1 // settled judges, whatever report says
	reason := s.start()
	if reason == GradientSmall {
		reason = Running
	}
	factor := m.Factor
	if factor == 0 {
		factor = 0.1
	}
	d, z := make([]float64, r.n), []float64(nil)
	radius := 0.0
	for i, x := range r.x {
		radius = math.Hypot(radius, x*s.D(i))
	}
	radius *= factor
	if radius == 0 {
		radius = factor
	}
	lambda := 0.0
	for reason == Running {
		values, v, ur, ok := s.svd()
		if !ok {
			return NotFinite
		}
		z = append(z[:0], ur...)
		for moved := false; !moved; {
			lambda = damped(z, values, ur, radius, lambda)
			s.back(d, v, z)
			predicted := 0.0 // of half the sum of squares
			for i, sv := range values {
				after := ur[i] + sv*z[i]
				predicted += (ur[i]*ur[i] - after*after) / 2
			}
			length := norm2(z)
			if !m.Plain {
				s.geodesic(d, v, z, values, lambda)
			}
			ratio, fell, f := s.try(d, predicted)
			if r.interrupted() != Running {
				return r.interrupted()
			}
			switch {
			case !(ratio > 0.25):
				shrink := 0.5
				if !isFinite(f) || f > 100*r.f {
					shrink = 0.1
				}
				radius = shrink * min(radius, 10*length)
			case lambda == 0 || ratio > 0.75:
				radius = 2 * length
			}
			if ratio > 1e-4 {
				copy(r.x, s.x)
				copy(s.res, r.r)
				r.f = f
				s.differentiate()
				moved = true
			}
			small := math.Abs(fell) <= 4*epsilon*(r.f+math.Abs(fell)) && predicted <= 4*epsilon*r.f
			if small || radius <= epsilon*s.length() || r.f == 0 {
				if moved {
					if reason = r.moved(norm2(d)); reason != Running && reason != GradientSmall {
						return reason
					}
				}
				return s.settled()
			}
		}
		if reason = r.moved(norm2(d)); reason == GradientSmall && (r.o.Iterations < 0 || r.iteration < r.o.Iterations) {
			reason = Running
		}
	}
	return reason
}

// length is |D x|.
func (s *squares) length() float64 {
	l := 0.0
	for k, x := range s.r.x {
		l = math.Hypot(l, x*s.D(k))
	}
	return l
}

// try evaluates the residuals at x + d: the ratio of the decrease of f to the predicted one, the decrease, and f. The point stays
// in s.x and its residuals in r.r.
func (s *squares) try(d []float64, predicted float64) (ratio, fell, f float64) {
	r := s.r
	for i, x := range r.x {
		s.x[i] = x + d[i]
	}
	f = halfSquares(r.residuals(s.x))
	if !isFinite(f) {
		return 0, math.Inf(-1), f
	}
	// The difference of the sums of squares, without the cancellation that occurs if both are large.
	for i, after := range r.r {
		before := s.res[i]
		fell += (before - after) * (before + after) / 2
	}
	return fell / predicted, fell, f
}

// damped stores in z the minimum of |u + S z| within |z| <= radius, and returns the lambda that does so; the search for it
// starts at the last one.
func damped(z, values, ur []float64, radius, last float64) float64 {
	step := func(lambda float64) (length, slope float64) {
		for i, s := range values {
			if z[i] = -s * ur[i] / (s*s + lambda); ur[i] == 0 || s == 0 {
				z[i] = 0
			}
			slope += z[i] * z[i] / (s*s + lambda)
		}
		length = norm2(z)
		return length, slope / length
	}
	if values[len(values)-1] > 1e-15*values[0] {
		if l, _ := step(0); l <= radius {
			return 0
		}
	}
	g := 0.0
	for i, s := range values {
		g = math.Hypot(g, s*ur[i])
	}
	if g == 0 {
		clear(z)
		return 0
	}
	lo, hi := 0.0, g/radius
	lambda := last
	if !(lambda > lo && lambda < hi) {
		lambda = max(1e-3*hi, math.Sqrt(lo*hi))
	}
	for range 60 {
		l, slope := step(lambda)
		if math.Abs(l-radius) <= 0.01*radius {
			break
		}
		if l > radius {
			lo = lambda
		} else {
			hi = lambda
		}
		next := lambda + (l-radius)/radius*l/slope
		if !(next > lo && next < hi) {
			next = max(1e-3*hi, math.Sqrt(lo*hi))
		}
		if next == lambda {
			break
		}
		lambda = next
	}
	return lambda
}

// geodesic adds to d half the acceleration that keeps the residuals on their course: the step a that solves the same damped
// equations for the second derivative of r along d, if it is at most 3/4 as long as d.
func (s *squares) geodesic(d []float64, v *mat.Dense, z, values []float64, lambda float64) {
	const h = 0.1
	r := s.r
	for i, x := range r.x {
		s.x[i] = x + h*d[i]
	}
	bent := clone(r.residuals(s.x))
	if !allFinite(bent) {
		return
	}
	for i := range bent {
		bent[i] = 2 / h * ((bent[i]-s.res[i])/h - dot(s.jac[i*r.n:(i+1)*r.n], d))
	}
	// J'bent in the basis V of the scaled variables.
	jb := make([]float64, r.n)
	for i, b := range bent {
		axpy(b, s.jac[i*r.n:(i+1)*r.n], jb)
	}
	acceleration := make([]float64, len(z))
	for k := range jb {
		axpy(jb[k]/s.D(k), v.RawRowView(k)[:len(z)], acceleration)
	}
	for i, sv := range values {
		if acceleration[i] /= -2 * (sv*sv + lambda); sv*sv+lambda == 0 {
			acceleration[i] = 0
		}
	}
	if !(2*norm2(acceleration) <= 0.75*norm2(z)) {
		return
	}
	a := make([]float64, r.n)
	s.back(a, v, acceleration)
	axpy(1, a, d)
}
