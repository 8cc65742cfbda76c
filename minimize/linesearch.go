package minimize

import "math"

// This file holds the line search that the first-order methods share: along d from x it finds a length a that satisfies the
// strong Wolfe conditions, with phi(a) = f(x + a d),
//
//	phi(a) <= phi(0) + decrease a phi'(0)   and   |phi'(a)| <= curvature |phi'(0)|
//
// by the method of More and Thuente (1994, Line search algorithms with guaranteed sufficient decrease, ACM TOMS 20), which
// keeps an interval that holds such a length and picks trials in it by cubic and quadratic interpolation. Near a minimum,
// where rounding hides any decrease, it accepts what satisfies the approximate conditions of Hager and Zhang (2005, A new
// conjugate gradient method with guaranteed descent, SIAM J. Optim. 16), which look at slopes only. A trial where f is not
// finite is an upper bound to further ones.

const (
	lineTrials    = 40    // most trials in one search
	lineRounding  = 1e-12 // of |f|: how far f may rise under the approximate conditions
	lineExpansion = 4     // most growth of a trial, beyond the interval
)

// line is a line search with its work space.
type line struct {
	r                   *run
	decrease, curvature float64
	x0, g0              []float64 // where the search began: the last point, once it has ended
	f0                  float64
	bestX, bestG        []float64
	lo, hi              []float64 // bounds that rounding must not pass, or nil
}

func newLine(r *run, decrease, curvature float64) *line {
	return &line{r: r, decrease: decrease, curvature: curvature, x0: make([]float64, r.n), g0: make([]float64, r.n),
		bestX: make([]float64, r.n), bestG: make([]float64, r.n)}
}

// end is an end of the interval: a length, and phi and its slope there.
type end struct{ a, f, d float64 }

// search moves the run along d, first trying the length first, and going no further than longest. It reports the length, or
// 0 where none lowers f; the run then stands where it stood.
func (l *line) search(d []float64, first, longest float64) float64 {
	r := l.r
	slope := dot(r.g, d)
	if !(slope < 0) || !isFinite(first) || first <= 0 {
		return 0
	}
	l.x0, r.x = r.x, l.x0
	l.g0, r.g = r.g, l.g0
	l.f0 = r.f
	var (
		lo       = end{0, r.f, slope} // the best so far
		hi       = lo                 // the other end, once bracketed
		best     = 0.0                // the length whose point bestX, bestG hold
		bracket  = false
		stage1   = true
		a        = min(first, longest)
		width    = longest
		width2   = 2 * width
		loA, hiA = 0.0, a + lineExpansion*a // where the next trial may lie
		test     = l.decrease * slope
	)
	for range lineTrials {
		at := l.evaluate(d, a)
		if r.interrupted() != Running {
			break
		}
		if !isFinite(at.f) || !isFinite(at.d) {
			if math.IsInf(at.f, -1) {
				r.f = at.f
				return a
			}
			longest = lo.a + 0.95*(a-lo.a)
			width, width2 = math.Inf(1), math.Inf(1)
			a = lo.a + (a-lo.a)/10
			hiA = min(hiA, longest)
			if a <= lo.a {
				break
			}
			continue
		}
		limit := l.f0 + a*test
		switch {
		case at.f <= limit && math.Abs(at.d) <= l.curvature*-slope,
			at.f <= l.f0+lineRounding*math.Abs(l.f0) && at.d >= l.curvature*slope && at.d <= (2*l.decrease-1)*slope,
			a == longest && at.f <= limit && at.d <= test:
			return a
		}
		if at.f < lo.f {
			copy(l.bestX, r.x)
			copy(l.bestG, r.g)
			best = a
		}
		if stage1 && at.f <= limit && at.d >= min(l.decrease, l.curvature)*slope {
			stage1 = false
		}
		if stage1 && at.f <= lo.f && at.f > limit {
			// Until a point below the line of decrease with a rising slope is found, the auxiliary function is interpolated.
			m := func(e end) end { return end{e.a, e.f - e.a*test, e.d - test} }
			ml, mh := m(lo), m(hi)
			a, bracket = trial(&ml, &mh, m(at), bracket, loA, hiA)
			back := func(e end) end { return end{e.a, e.f + e.a*test, e.d + test} }
			lo, hi = back(ml), back(mh)
		} else {
			a, bracket = trial(&lo, &hi, at, bracket, loA, hiA)
		}
		if bracket {
			if math.Abs(hi.a-lo.a) >= 0.66*width2 {
				a = lo.a + (hi.a-lo.a)/2
			}
			width2, width = width, math.Abs(hi.a-lo.a)
			loA, hiA = min(lo.a, hi.a), max(lo.a, hi.a)
			if hiA-loA <= epsilon*hiA {
				break
			}
		} else {
			loA, hiA = a+1.1*(a-lo.a), a+lineExpansion*(a-lo.a)
		}
		if a = min(a, longest); bracket && (a <= loA || a >= hiA) {
			a = lo.a + (hi.a-lo.a)/2
		}
		if a <= 0 || a == lo.a {
			break
		}
	}
	// No length satisfies the conditions: the lowest point will do.
	if best == 0 || r.interrupted() == Cancelled {
		l.x0, r.x = r.x, l.x0
		l.g0, r.g = r.g, l.g0
		r.f = l.f0
		return 0
	}
	copy(r.x, l.bestX)
	copy(r.g, l.bestG)
	r.f = lo.f
	return best
}

// evaluate moves the run to x0 + a d.
func (l *line) evaluate(d []float64, a float64) end {
	r := l.r
	addScaled(r.x, l.x0, a, d)
	for i, lo := range l.lo {
		r.x[i] = min(max(r.x[i], lo), l.hi[i])
	}
	r.f = r.valueGrad(r.g, r.x)
	if !isFinite(r.f) {
		return end{a, r.f, 0}
	}
	return end{a, r.f, dot(r.g, d)}
}

// trial is dcstep of MINPACK-2: it makes the interval smaller by the point at, and gives the next length to try.
func trial(lo, hi *end, at end, bracket bool, least, most float64) (float64, bool) {
	cubic := func(p, q end, spread bool) (float64, float64) { // theta and gamma of the cubic through two ends
		theta := 3*(p.f-q.f)/(q.a-p.a) + p.d + q.d
		s := max(math.Abs(theta), math.Abs(p.d), math.Abs(q.d))
		root := (theta/s)*(theta/s) - (p.d/s)*(q.d/s)
		if spread {
			root = max(0, root)
		}
		return theta, s * math.Sqrt(root)
	}
	var next float64
	opposite := at.d*(lo.d/math.Abs(lo.d)) < 0
	switch {
	case at.f > lo.f: // higher: the minimum is between
		theta, gamma := cubic(*lo, at, false)
		if at.a < lo.a {
			gamma = -gamma
		}
		p, q := (gamma-lo.d)+theta, ((gamma-lo.d)+gamma)+at.d
		c := lo.a + p/q*(at.a-lo.a)
		quad := lo.a + ((lo.d/((lo.f-at.f)/(at.a-lo.a)+lo.d))/2)*(at.a-lo.a)
		if math.Abs(c-lo.a) < math.Abs(quad-lo.a) {
			next = c
		} else {
			next = c + (quad-c)/2
		}
		bracket = true
	case opposite: // lower, and beyond the minimum
		theta, gamma := cubic(*lo, at, false)
		if at.a > lo.a {
			gamma = -gamma
		}
		p, q := (gamma-at.d)+theta, ((gamma-at.d)+gamma)+lo.d
		c := at.a + p/q*(lo.a-at.a)
		secant := at.a + at.d/(at.d-lo.d)*(lo.a-at.a)
		if math.Abs(c-at.a) > math.Abs(secant-at.a) {
			next = c
		} else {
			next = secant
		}
		bracket = true
	case math.Abs(at.d) < math.Abs(lo.d): // lower, and the slope gets smaller
		theta, gamma := cubic(*lo, at, true)
		if at.a > lo.a {
			gamma = -gamma
		}
		p, q := (gamma-at.d)+theta, (gamma+(lo.d-at.d))+gamma
		ratio := p / q
		var c float64
		switch {
		case ratio < 0 && gamma != 0:
			c = at.a + ratio*(lo.a-at.a)
		case at.a > lo.a:
			c = most
		default:
			c = least
		}
		secant := at.a + at.d/(at.d-lo.d)*(lo.a-at.a)
		if bracket {
			next = secant
			if math.Abs(c-at.a) < math.Abs(secant-at.a) {
				next = c
			}
			if at.a > lo.a {
				next = min(at.a+0.66*(hi.a-at.a), next)
			} else {
				next = max(at.a+0.66*(hi.a-at.a), next)
			}
		} else {
			next = secant
			if math.Abs(c-at.a) > math.Abs(secant-at.a) {
				next = c
			}
			next = max(least, min(most, next))
		}
	default: // lower, and the slope does not get smaller
		switch {
		case bracket:
			theta, gamma := cubic(*hi, at, false)
			if at.a > hi.a {
				gamma = -gamma
			}
			p, q := (gamma-at.d)+theta, ((gamma-at.d)+gamma)+hi.d
			next = at.a + p/q*(hi.a-at.a)
		case at.a > lo.a:
			next = most
		default:
			next = least
		}
	}
	if at.f > lo.f {
		*hi = at
	} else {
		if opposite {
			*hi = *lo
		}
		*lo = at
	}
	if !isFinite(next) {
		next = lo.a + (hi.a-lo.a)/2
	}
	return next, bracket
}
