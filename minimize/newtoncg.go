package minimize

import "math"

// This file holds Newton's method without the Hessian, from products with it.

// NewtonCG minimizes the quadratic model of f in a trust region by conjugate gradients, which need one product with the
// Hessian each and stop at the boundary, at a direction of negative curvature, which they follow to the boundary, or when
//
//	|r| <= min(0.5, sqrt(|g|)) |g|
//
// with r the gradient of the model, and in functions of small units with |g| under the root relative to the largest on the way: far away a rough step is enough, close to the minimum convergence is faster than linear.
// (Steihaug 1983, The conjugate gradient method and trust regions in large scale optimization, SIAM J. Numer. Anal. 20.)
//
// A stationary point is examined by the Lanczos method for negative curvature, and left along it: see Result.Curvature.
// With GaussNewton, on a sum of squares, the products are those with J'J, which need no second derivatives and know no negative
// curvature.
type NewtonCG struct {
	Radius     float64 // of the first trust region; 0 means max(1, |x0|)
	Products   int     // most products with the Hessian in a step; 0 means 10 n, and at least 20
	AnyStation bool    // accept a stationary point as a minimum without checking its curvature

	GaussNewton bool // use J'J in place of the Hessian
}

func (m *NewtonCG) check(p *Problem, n int) error {
	if m.GaussNewton {
		if err := hasSquares("NewtonCG with GaussNewton", p); err != nil {
			return err
		}
	}
	return checkRadius("NewtonCG", m.Radius)
}

func (m *NewtonCG) search(r *run) Reason {
	reason := r.start()
	t := newRegion(r, m.Radius)
	products := m.Products
	if products <= 0 {
		products = max(20, 10*r.n)
	}
	c := steihaug{r: r, gauss: m.GaussNewton, d: make([]float64, r.n), p: make([]float64, r.n), hp: make([]float64, r.n), res: make([]float64, r.n)}
	for {
		if reason.Converged() && !m.AnyStation && !m.GaussNewton {
			left, why := leaveSaddle(r, t, c.d)
			if !left {
				return why
			}
			reason = r.moved(norm2(c.d))
			continue
		}
		if reason != Running {
			return reason
		}
		for {
			predicted := c.solve(t.radius, products)
			if t.try(c.d, predicted) {
				break
			}
			if r.interrupted() != Running || t.lost() {
				return r.stuck()
			}
		}
		reason = r.moved(norm2(c.d))
	}
}

// steihaug is the truncated conjugate gradient method with its work space.
type steihaug struct {
	r             *run
	gauss         bool // products with J'J
	d, p, hp, res []float64
}

// solve stores the step in d and returns the model's change.
func (c *steihaug) solve(radius float64, products int) (predicted float64) {
	r := c.r
	clear(c.d)
	// Until the end all is in units of |g|, whose powers could overflow.
	norm := norm2(r.g)
	for i, g := range r.g {
		c.res[i] = g / norm
		c.p[i] = -c.res[i]
	}
	defer func() {
		for i := range c.d {
			c.d[i] *= norm
		}
		predicted *= norm * norm
	}()
	radius /= norm
	rr := dot(c.res, c.res)
	tolerance := min(0.5, math.Sqrt(norm/min(1, r.largest)))
	boundary := func() float64 { // how far along p it is to the boundary
		dd, dp, pp := dot(c.d, c.d), dot(c.d, c.p), dot(c.p, c.p)
		return (-dp + math.Sqrt(max(0, dp*dp+pp*(radius*radius-dd)))) / pp
	}
	for range products {
		if c.gauss {
			r.gaussVec(c.hp, r.x, c.p)
		} else {
			r.hessVec(c.hp, r.x, r.g, c.p)
		}
		if r.interrupted() != Running {
			break
		}
		curvature, slope := dot(c.p, c.hp), dot(c.res, c.p)
		alpha := rr / curvature
		if !(curvature > 0) || norm2Of(c.d, alpha, c.p) >= radius {
			a := boundary()
			if !isFinite(curvature) || !isFinite(a) {
				break
			}
			axpy(a, c.p, c.d)
			return predicted + a*slope + a*a*curvature/2
		}
		axpy(alpha, c.p, c.d)
		axpy(alpha, c.hp, c.res)
		predicted += alpha*slope + alpha*alpha*curvature/2
		next := dot(c.res, c.res)
		if math.Sqrt(next) <= tolerance {
			break
		}
		beta := next / rr
		for i, v := range c.res {
			c.p[i] = beta*c.p[i] - v
		}
		rr = next
	}
	return predicted
}

// norm2Of is |d + a p|.
func norm2Of(d []float64, a float64, p []float64) float64 {
	s := 0.0
	for i := range d {
		v := d[i] + a*p[i]
		s += v * v
	}
	return math.Sqrt(s)
}

// leaveSaddle looks for negative curvature at a stationary point and follows it downhill, by the step d. If there is none the point is a minimum.
func leaveSaddle(r *run, t *region, d []float64) (left bool, why Reason) {
	value, v, largest := leastCurvature(r, min(r.n, 30)+1) // the last one measures
	if r.interrupted() != Running {
		return false, r.interrupted()
	}
	r.curvature = value
	if !(value < -saddleTolerance*largest) {
		return false, GradientSmall
	}
	sign := 1.0
	if dot(r.g, v) > 0 {
		sign = -1
	}
	for try := range 60 {
		a := sign * t.radius
		for i := range d {
			d[i] = a * v[i]
		}
		if t.try(d, a*dot(r.g, v)+a*a*value/2) {
			return true, Running
		}
		if r.interrupted() != Running {
			return false, r.interrupted()
		}
		if try%2 == 0 {
			sign = -sign
		}
	}
	return false, GradientSmall
}
