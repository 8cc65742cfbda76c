package minimize

// This file holds the method of Gauss and Newton.

// GaussNewton linearizes the residuals: each step d minimizes |r + J d|, by the singular values of J, so that d is the shortest
// such step if J is rank deficient; then a strong-Wolfe search looks along d. Close to a minimum with small
// residuals it converges as fast as Newton's method. LevenbergMarquardt is safer far from one. (Nocedal and Wright 2006, section 10.3.)
type GaussNewton struct{}

func (*GaussNewton) check(p *Problem, n int) error { return checkSquares("GaussNewton", p, n) }

func (*GaussNewton) search(r *run) Reason {
	s := newSquares(r)
	reason := s.start()
	l := newLine(r, 1e-4, 0.9)
	d := make([]float64, r.n)
	for reason == Running {
		values, v, ur, ok := s.svd()
		if !ok {
			return NotFinite
		}
		least := 1e-13 * values[0] // a singular value that is rounding
		if r.p.Jacobian == nil {
			least = 1e-10 * values[0]
		}
		for i := range ur {
			if values[i] > least {
				ur[i] /= -values[i]
			} else {
				ur[i] = 0
			}
		}
		s.back(d, v, ur)
		a := l.search(d, 1, maxLength)
		if a == 0 {
			return s.settled()
		}
		copy(s.res, r.residuals(r.x))
		s.differentiate()
		reason = r.moved(a * norm2(d))
	}
	return reason
}
