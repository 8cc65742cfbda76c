package minimize

import "math"

// This file holds the rules by which a search has converged. None depends on the units of f or x. Besides the tolerance itself, the
// gradient is compared with the largest one on the way. If rounding hides every further decrease before the gradient is within the
// tolerance, as in functions of large units, the gradient is compared with its own changes nearby.

const (
	patience   = 20            // iterations without a lower f or a smaller gradient after which a search is stuck
	nearby     = 1e-3          // how far nearby is, as a part of each variable or of the distance it has traveled
	linear     = 1.3           // the least ratio of the gradient's changes over twice the distance and once: 2 if it is smooth, 1 at a kink
	atRounding = 1e-10         // a gradient that is this part of its change nearby is at the rounding of x
	hidden     = 100 * epsilon // a decrease of f that is this part of it cannot be seen
	smoothness = 8             // factor between the two steps of the test of differences
)

// progress is what the rules need to know about the past of a search.
type progress struct {
	origin   []float64 // x0
	largest  float64   // largest norm of the gradient
	first    float64   // f at the start
	last     float64   // f at the last iterate
	fell     float64   // the decrease of f to there from the iterate before; infinite at the start
	f, norm  float64   // the least so far
	idle     int       // iterations since either became less
	retry    float64   // the norm above which converged need not test again
	noisy    bool      // f and its gradient may rise and fall: never idle
	verified bool      // the gradient by differences at this iterate has passed the test
}

// note takes an iterate into account.
func (p *progress) note(f, norm float64) {
	if p.verified = false; math.IsNaN(p.first) {
		p.first, p.last = f, math.Inf(1)
	}
	p.fell, p.last = p.last-f, f
	if isFinite(norm) {
		p.largest = max(p.largest, norm)
	}
	p.idle++
	if f < p.f-4*epsilon*math.Abs(p.f) || norm < p.norm {
		p.idle = 0
	}
	p.f, p.norm = min(p.f, f), min(p.norm, norm)
}

// converged reports whether the gradient is within the tolerance. In a function of small units that is so everywhere. There the
// gradient has to be as small relative to the largest on the way too, and either relative to its change if each variable changes by its
// own size, or so small that the decrease of f it predicts is the square of the tolerance as a part of the whole decrease.
func (r *run) converged(norm float64) bool {
	switch {
	case !(norm <= r.o.Gradient*min(1, r.largest)):
		return false
	case norm == 0 || r.largest >= 1 && r.fell <= r.o.Gradient*r.o.Gradient*(r.first-r.f):
		return r.smooth()
	case norm > r.retry:
		return false
	}
	c := r.changes()
	if decrease := r.predicted(c); !r.relative(c, r.o.Gradient/nearby, 0) && !(decrease <= r.o.Gradient*r.o.Gradient*(r.first-r.f)) {
		r.retry = norm / 4
		return false
	}
	return r.smooth()
}

// stuck is the reason for ending if no step is found that lowers f.
func (r *run) stuck() Reason {
	if reason := r.interrupted(); reason != Running {
		return reason
	}
	norm := r.gradNorm()
	small := r.o.Gradient * min(1, r.largest)
	c := r.changes()
	reason := Stalled
	switch {
	case !isFinite(norm) || !r.smooth():
	case norm <= r.o.Gradient && (r.relative(c, r.o.Gradient/nearby, 0) || r.predicted(c) <= hidden*math.Abs(r.f)):
		reason = GradientSmall
	case r.relative(c, atRounding, small) || r.relative(c, r.o.Gradient, small) && r.predicted(c) <= hidden*math.Abs(r.f):
		reason = GradientRounding
	}
	if why := r.interrupted(); why != Running {
		return why
	}
	return reason
}

// changes is how the gradient changes nearby.
type changes struct {
	step        []float64 // against the gradient, in each variable; 0 if it cannot move or has no size
	blocked     []bool    // whether the variable is at a bound that the step points to, but for rounding
	once, twice []float64 // magnitudes of the gradient's changes at that step, and twice that; nil if they are not finite
}

// changes takes two gradients.
func (r *run) changes() changes {
	c := changes{step: make([]float64, r.n), blocked: make([]bool, r.n)}
	for i, g := range r.g {
		size := max(math.Abs(r.x[i]), math.Abs(r.x[i]-r.origin[i]))
		room, sign := r.high(i)-r.x[i], 1.0
		if g > 0 {
			room, sign = r.x[i]-r.low(i), -1
		}
		c.step[i] = sign * min(nearby*size, room/4)
		c.blocked[i] = room <= atRounding*size
	}
	x := make([]float64, r.n)
	e := r.evaluator
	e.r, e.jac = nil, nil // the run's own stay as they are
	defer func() { r.count, r.err = e.count, e.err }()
	var near [2][]float64
	for k := range near {
		near[k] = make([]float64, r.n)
		addScaled(x, r.x, float64(k+1), c.step)
		if e.grad(near[k], x); !allFinite(near[k]) {
			return c
		}
		for i, g := range r.g {
			near[k][i] = math.Abs(near[k][i] - g)
		}
	}
	c.once, c.twice = near[0], near[1]
	return c
}

// relative reports whether each element of the gradient is at most a part of its change nearby, and the gradient is continuous there.
// Elements up to small need no test, and neither do variables at a bound, nor those of no size that are within the tolerance.
func (r *run) relative(c changes, part, small float64) bool {
	if c.once == nil {
		return false
	}
	for i, g := range r.g {
		if g = math.Abs(g); g <= small || c.blocked[i] || c.step[i] == 0 && g <= r.o.Gradient {
			continue
		}
		if !(g <= part*c.once[i] && c.twice[i] >= linear*c.once[i]) {
			return false
		}
	}
	return true
}

// predicted is the decrease of f that the gradient and its changes predict if the variables were independent.
func (r *run) predicted(c changes) float64 {
	if c.once == nil {
		return math.Inf(1)
	}
	decrease := 0.0
	for i, g := range r.g {
		if g != 0 && c.step[i] != 0 && !c.blocked[i] {
			decrease += g * g * math.Abs(c.step[i]) / c.once[i] / 2
		}
	}
	return decrease
}

// smooth reports whether a gradient by differences can be believed at x. Central differences are 0 in the middle of a pole too; so
// the second differences have to become smaller with the step, unless they are within the tolerance or the rounding of f.
func (r *run) smooth() bool {
	if r.verified || r.p.Grad != nil || r.p.FuncGrad != nil || r.p.isSquares() {
		return true
	}
	y := clone(r.x)
	for i, x := range r.x {
		h := r.stepFor(i, x)
		if h.from != -1 {
			continue // at a bound the differences are to one side
		}
		second := func(h float64) float64 {
			y[i] = x + h
			above := r.value(y)
			y[i] = x - h
			below := r.value(y)
			y[i] = x
			return math.Abs((above - r.f) + (below - r.f))
		}
		wide, narrow := second(h.size), second(h.size/smoothness)
		rounding := 16 * epsilon * max(math.Abs(r.f), math.Abs(r.f)+wide)
		if !(narrow <= wide/2+rounding || narrow <= r.o.Gradient*h.size/smoothness) {
			return false
		}
	}
	r.verified = true
	return true
}
