package minimize

import "math"

// This file holds the line search that the first-order methods share: along d from x it finds a length a that satisfies the
// strong Wolfe conditions, with phi(a) = f(x + a d),
//
//	phi(a) <= phi(0) + decrease a phi'(0)   and   |phi'(a)| <= curvature |phi'(0)|
//
// by the method of More and Thuente (1994, Line search algorithms with guaranteed sufficient decrease, ACM TOMS 20), which
// keeps an interval that contains such a length and picks trials in it by cubic and quadratic interpolation. Near a minimum,
// if rounding hides any decrease, it accepts what satisfies the approximate conditions of Hager and Zhang (2005, A new
// conjugate gradient method with guaranteed descent, SIAM J. Optim. 16), which use slopes only. A trial at which f is not
// finite bounds all later ones. A trial that differs from the best one by less than rounding shows is placed by the slopes.
//
// Steps of unknown scale are found in few trials: if trials grow again and again, each grows by the square of the last factor, and an
// interval that spans orders of magnitude is cut at its geometric mean.

const (
	lineTrials    = 40    // most trials in one search
	lineRounding  = 1e-12 // of |f|: how far f may rise under the approximate conditions
	lineExpansion = 4     // most growth of a trial outside the interval, in the first trials
	lineGrowth    = 3     // trials that grow by at most lineExpansion; after them the factor is squared each time
	lineSpan      = 1e3   // ratio of the ends of an interval from which on the geometric mean cuts it
)

// line is a line search with its work space.
type line struct {
	r                   *run
	decrease, curvature float64
	x0, g0              []float64 // the start of the search: the last point, once it has ended
	f0                  float64
	unseen              float64 // of f: the most that the rounding of x hides
	best                float64 // the length of the lowest trial, 0 if none is lower than the start
	bestF               float64
	bestX, bestG        []float64
	lo, hi              []float64 // bounds that rounding must not pass, or nil
}

func newLine(r *run, decrease, curvature float64) *line {
	return &line{r: r, decrease: decrease, curvature: curvature, x0: make([]float64, r.n), g0: make([]float64, r.n),
		bestX: make([]float64, r.n), bestG: make([]float64, r.n)}
}

// end is an end of the interval: a length, and phi and its slope there.
type end struct{ a, f, d float64 }

// interval is what a search knows of the lengths that satisfy the conditions.
type interval struct {
	lo, hi        end     // the best end so far; the other end, once bracketed
	bracket       bool    // lo and hi enclose a length that satisfies the conditions
	auxiliary     bool    // the first stage: phi minus the line of sufficient decrease is interpolated
	least, most   float64 // where the next trial may be
	longest       float64
	width, width2 float64 // of the interval now, and before the last trial
	expansion     float64
	grown         int // trials in a row that grew
}

// search moves the run along d, first trying the length first, and going no further than longest. It returns the length, or
// 0 if none lowers f; the run is then at the point where it was.
func (l *line) search(d []float64, first, longest float64) float64 {
	r := l.r
	slope := dot(r.g, d)
	if !(slope < 0) || !isFinite(first) || first <= 0 {
		return 0
	}
	l.x0, r.x = r.x, l.x0
	l.g0, r.g = r.g, l.g0
	l.f0, l.bestF, l.best = r.f, r.f, 0
	l.unseen = 0
	for i, g := range l.g0 {
		l.unseen += epsilon * math.Abs(g*l.x0[i])
	}
	if !isFinite(l.unseen) {
		l.unseen = 0
	}
	a := min(first, longest)
	v := interval{lo: end{0, r.f, slope}, hi: end{0, r.f, slope}, auxiliary: true, most: a + lineExpansion*a, longest: longest,
		width: longest, width2: 2 * longest, expansion: lineExpansion}
	for range lineTrials {
		at := l.evaluate(d, a)
		if r.interrupted() != Running {
			break
		}
		switch {
		case at.f < -bottomless:
			return a
		case !isFinite(at.f) || !isFinite(at.d):
			a = v.back(a)
		case l.accepts(at, slope, v.longest):
			return a
		default:
			if at.f < l.bestF {
				copy(l.bestX, r.x)
				copy(l.bestG, r.g)
				l.best, l.bestF = a, at.f
			}
			a = v.next(l.bySlopes(at, v.lo), l, slope)
		}
		if a <= 0 {
			break
		}
	}
	// No length satisfies the conditions: the lowest point will do.
	if l.best == 0 || r.interrupted() == Cancelled {
		l.x0, r.x = r.x, l.x0
		l.g0, r.g = r.g, l.g0
		r.f = l.f0
		return 0
	}
	copy(r.x, l.bestX)
	copy(r.g, l.bestG)
	r.f = l.bestF
	return l.best
}

// accepts reports whether a trial satisfies the conditions, the approximate ones, or at the longest length that of decrease alone.
func (l *line) accepts(at end, slope, longest float64) bool {
	limit := l.f0 + at.a*l.decrease*slope
	switch {
	case at.f <= limit && math.Abs(at.d) <= l.curvature*-slope:
		return true
	case at.f <= l.f0+lineRounding*math.Abs(l.f0)+l.unseen && at.d >= l.curvature*slope && at.d <= (2*l.decrease-1)*slope:
		return true
	}
	return at.a == longest && at.f <= limit && at.d <= l.decrease*slope
}

// bySlopes is a trial whose f follows from the slopes, if rounding hides the difference to the f of another.
func (l *line) bySlopes(at, from end) end {
	if math.Abs(at.f-from.f) <= hidden*math.Abs(l.f0)+l.unseen {
		at.f = from.f + (at.a-from.a)*(at.d+from.d)/2
	}
	return at
}

// back returns the trial after one at a that was not finite, or 0 if there is none.
func (v *interval) back(a float64) float64 {
	v.longest = v.lo.a + 0.95*(a-v.lo.a)
	v.width, v.width2 = math.Inf(1), math.Inf(1)
	v.most = min(v.most, v.longest)
	next := v.lo.a + (a-v.lo.a)/10
	if v.lo.a > 0 && a > lineSpan*v.lo.a {
		next = math.Sqrt(v.lo.a) * math.Sqrt(a)
	}
	v.expansion, v.grown = lineExpansion, 0
	if next <= v.lo.a {
		return 0
	}
	return next
}

// next narrows the interval by a trial and returns the next one, or 0 if there is none.
func (v *interval) next(at end, l *line, slope float64) float64 {
	test := l.decrease * slope
	limit := l.f0 + at.a*test
	if v.auxiliary && at.f <= limit && at.d >= min(l.decrease, l.curvature)*slope {
		v.auxiliary = false
	}
	var a float64
	if v.auxiliary && at.f <= v.lo.f && at.f > limit {
		// Until a point below the line of decrease with a rising slope is found, the auxiliary function is interpolated.
		shift := func(e end, by float64) end { return end{e.a, e.f - e.a*by, e.d - by} }
		v.lo, v.hi = shift(v.lo, test), shift(v.hi, test)
		a = v.trial(shift(at, test))
		v.lo, v.hi = shift(v.lo, -test), shift(v.hi, -test)
	} else {
		a = v.trial(at)
	}
	if !v.bracket {
		if v.grown++; v.grown > lineGrowth {
			v.expansion = min(v.expansion*v.expansion, 1e20)
		}
		v.least, v.most = a+1.1*(a-v.lo.a), a+v.expansion*(a-v.lo.a)
		if a = min(a, v.longest); a <= 0 || a == v.lo.a {
			return 0
		}
		return a
	}
	if math.Abs(v.hi.a-v.lo.a) >= 0.66*v.width2 {
		a = v.middle()
	}
	v.width2, v.width = v.width, math.Abs(v.hi.a-v.lo.a)
	v.least, v.most = min(v.lo.a, v.hi.a), max(v.lo.a, v.hi.a)
	if v.most-v.least <= epsilon*v.most {
		return 0
	}
	if a = min(a, v.longest); a <= v.least || a >= v.most {
		a = v.middle()
	}
	if a <= 0 || a == v.lo.a {
		return 0
	}
	return a
}

// middle cuts the interval in two.
func (v *interval) middle() float64 {
	if least, most := min(v.lo.a, v.hi.a), max(v.lo.a, v.hi.a); least > 0 && most > lineSpan*least {
		return math.Sqrt(least) * math.Sqrt(most)
	}
	return v.lo.a + (v.hi.a-v.lo.a)/2
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

// trial is dcstep of MINPACK-2: it makes the interval smaller by the point at, and returns the next length to try.
func (v *interval) trial(at end) float64 {
	opposite := at.d*(v.lo.d/math.Abs(v.lo.d)) < 0
	var next float64
	switch {
	case at.f > v.lo.f: // higher: the minimum is between
		next = v.below(at)
		v.bracket = true
	case opposite: // lower, and beyond the minimum
		next = v.beyond(at)
		v.bracket = true
	case math.Abs(at.d) < math.Abs(v.lo.d): // lower, and the slope gets smaller
		next = v.flatter(at)
	default: // lower, and the slope does not get smaller
		next = v.steeper(at)
	}
	if at.f > v.lo.f {
		v.hi = at
	} else {
		if opposite {
			v.hi = v.lo
		}
		v.lo = at
	}
	if !isFinite(next) {
		next = v.lo.a + (v.hi.a-v.lo.a)/2
	}
	return next
}

// cubic returns theta and gamma of the cubic through two ends. For a cubic without a minimum gamma is 0 if that is allowed, otherwise NaN.
func cubic(p, q end, allowed bool) (theta, gamma float64) {
	theta = 3*(p.f-q.f)/(q.a-p.a) + p.d + q.d
	s := max(math.Abs(theta), math.Abs(p.d), math.Abs(q.d))
	root := (theta/s)*(theta/s) - (p.d/s)*(q.d/s)
	if allowed {
		root = max(0, root)
	}
	return theta, s * math.Sqrt(root)
}

// below is the minimum of the cubic if that is closer to lo than the minimum of the quadratic, and otherwise their mean.
func (v *interval) below(at end) float64 {
	lo := v.lo
	theta, gamma := cubic(lo, at, false)
	if at.a < lo.a {
		gamma = -gamma
	}
	p, q := (gamma-lo.d)+theta, ((gamma-lo.d)+gamma)+at.d
	c := lo.a + p/q*(at.a-lo.a)
	quad := lo.a + ((lo.d/((lo.f-at.f)/(at.a-lo.a)+lo.d))/2)*(at.a-lo.a)
	if math.Abs(c-lo.a) < math.Abs(quad-lo.a) {
		return c
	}
	return c + (quad-c)/2
}

// beyond is the minimum of the cubic or the zero of the secant of the slopes, whichever is farther from at.
func (v *interval) beyond(at end) float64 {
	lo := v.lo
	theta, gamma := cubic(lo, at, false)
	if at.a > lo.a {
		gamma = -gamma
	}
	p, q := (gamma-at.d)+theta, ((gamma-at.d)+gamma)+lo.d
	c := at.a + p/q*(lo.a-at.a)
	secant := at.a + at.d/(at.d-lo.d)*(lo.a-at.a)
	if math.Abs(c-at.a) > math.Abs(secant-at.a) {
		return c
	}
	return secant
}

// flatter is the minimum of the cubic, if it has one beyond at, or the zero of the secant: in a bracket whichever is closer to at, and
// otherwise the farther one.
func (v *interval) flatter(at end) float64 {
	lo := v.lo
	theta, gamma := cubic(lo, at, true)
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
		c = v.most
	default:
		c = v.least
	}
	next := at.a + at.d/(at.d-lo.d)*(lo.a-at.a)
	closer := math.Abs(c-at.a) < math.Abs(next-at.a)
	if !v.bracket {
		if !closer {
			next = c
		}
		return max(v.least, min(v.most, next))
	}
	if closer {
		next = c
	}
	if at.a > lo.a {
		return min(at.a+0.66*(v.hi.a-at.a), next)
	}
	return max(at.a+0.66*(v.hi.a-at.a), next)
}

// steeper is the minimum of the cubic through at and hi, or without a bracket as far as the trial may go.
func (v *interval) steeper(at end) float64 {
	switch {
	case v.bracket:
		hi := v.hi
		theta, gamma := cubic(hi, at, false)
		if at.a > hi.a {
			gamma = -gamma
		}
		p, q := (gamma-at.d)+theta, ((gamma-at.d)+gamma)+hi.d
		return at.a + p/q*(hi.a-at.a)
	case at.a > v.lo.a:
		return v.most
	}
	return v.least
}
