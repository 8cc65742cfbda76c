package minimize

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// This file holds searches for the lowest of many minima, by many searches for one.

// MultiStart searches from x0 and from points drawn uniformly from a box, and returns the lowest minimum. Each local search is one iteration.
// It may leave the box, unless Method is an LBFGSB with the same bounds.
type MultiStart struct {
	Method       Method    // of the local searches; nil means LBFGS
	Starts       int       // local searches; 0 means 20
	Lower, Upper []float64 // the box
	Seed         uint64
}

func (m *MultiStart) check(p *Problem, n int) error {
	if len(m.Lower) != n || len(m.Upper) != n {
		return fmt.Errorf("minimize: MultiStart: Lower and Upper have %d and %d elements and the start %d: they say where to look", len(m.Lower), len(m.Upper), n)
	}
	for i, lo := range m.Lower {
		if hi := m.Upper[i]; !(lo <= hi) || !isFinite(hi-lo) {
			return fmt.Errorf("minimize: MultiStart: variable %d has the bounds %v and %v, want finite ones in order", i, lo, hi)
		}
	}
	if m.Starts < 0 {
		return fmt.Errorf("minimize: MultiStart: Starts is %d", m.Starts)
	}
	return checkInner("MultiStart", m.Method, p, n)
}

func checkInner(name string, inner Method, p *Problem, n int) error {
	if inner != nil && isNil(inner) {
		return fmt.Errorf("minimize: %s: the method of its local searches is a nil pointer", name)
	}
	switch inner.(type) {
	case *MultiStart, *BasinHopping:
		return fmt.Errorf("minimize: %s: the method of its local searches is itself a search of many minima", name)
	}
	if c, ok := inner.(interface{ check(p *Problem, n int) error }); ok {
		return c.check(p, n)
	}
	return nil
}

// local is a local search from x, which shares the counts with r.
func (r *run) local(m Method, x []float64) (*run, Reason) {
	if m == nil {
		m = &LBFGS{}
	}
	sub := begin(r.ctx, r.o, r.evaluator, clone(x))
	reason := m.search(sub)
	r.evaluator = sub.evaluator
	return sub, reason
}

// take makes the end of a local search the current point of r.
func (r *run) take(sub *run) {
	copy(r.x, sub.x)
	copy(r.g, sub.g)
	r.f, r.curvature = sub.f, sub.curvature
	norm := sub.gradNorm()
	r.gradNorm = func() float64 { return norm }
}

// round reports a local search as an iteration, and says whether the search of minima must end.
func (r *run) round(length float64) Reason {
	r.iteration++
	r.length = length
	if r.yield != nil && !r.yield(r.state(r.gradNorm())) {
		r.left = true
		return Cancelled
	}
	if reason := r.interrupted(); reason != Running {
		return reason
	}
	if r.o.UseTarget && r.f <= r.o.Target {
		return FuncReached
	}
	return Running
}

func (m *MultiStart) search(r *run) Reason {
	starts := m.Starts
	if starts == 0 {
		starts = 20
	}
	random := rand.New(rand.NewPCG(m.Seed, 0))
	best := Running
	x := clone(r.x)
	for k := range starts {
		sub, reason := r.local(m.Method, x)
		if k == 0 || lower(sub, reason, r, best) {
			r.take(sub)
			best = reason
		}
		if reason := r.round(0); reason != Running {
			return reason
		}
		for i, lo := range m.Lower {
			x[i] = lo + random.Float64()*(m.Upper[i]-lo)
		}
	}
	return best
}

// lower reports that the end of a local search is better than the current point of r, which a search that ended for the reason best reached.
func lower(sub *run, reason Reason, r *run, best Reason) bool {
	if !isFinite(sub.f) {
		return math.IsInf(sub.f, -1) && reason == Unbounded
	}
	return sub.f < r.f || !isFinite(r.f) && !math.IsInf(r.f, -1) || sub.f == r.f && reason.Converged() && !best.Converged()
}

// BasinHopping goes from minimum to minimum: it shakes x, searches for a minimum from there, and moves to it if it is lower, or with
// the probability exp(-rise/Temperature) if it is higher. Every 10 hops it adapts the shaking so that about half the hops succeed. It
// returns the lowest minimum found. (Wales and Doye 1997, Global optimization by basin-hopping, J. Phys. Chem. A 101.)
// It is the method of scipy.optimize.basinhopping.
type BasinHopping struct {
	Method      Method  // of the local searches; nil means LBFGS
	Hops        int     // 0 means 100
	Step        float64 // the most that an element is shaken by, at first; 0 means 0.5
	Temperature float64 // about the differences between neighboring minima; 0 means 1, and a negative number 0: only lower minima are accepted
	Seed        uint64
}

func (m *BasinHopping) check(p *Problem, n int) error {
	if m.Hops < 0 || !(m.Step >= 0) || math.IsNaN(m.Temperature) || math.IsInf(m.Step, 1) {
		return fmt.Errorf("minimize: BasinHopping: Hops is %d, Step %v, Temperature %v: want positive numbers", m.Hops, m.Step, m.Temperature)
	}
	return checkInner("BasinHopping", m.Method, p, n)
}

func (m *BasinHopping) search(r *run) Reason {
	hops, step, temperature := m.Hops, m.Step, m.Temperature
	if hops == 0 {
		hops = 100
	}
	if step == 0 {
		step = 0.5
	}
	if temperature == 0 {
		temperature = 1
	}
	temperature = max(0, temperature)
	random := rand.New(rand.NewPCG(m.Seed, 1))
	at, best := r.local(m.Method, r.x)
	r.take(at)
	reason := r.round(0)
	accepted := 0
	for hop := 1; hop <= hops && reason == Running; hop++ {
		x := clone(at.x)
		for i := range x {
			x[i] += step * (2*random.Float64() - 1)
		}
		to, why := r.local(m.Method, x)
		if lower(to, why, r, best) {
			r.take(to)
			best = why
		}
		if isFinite(to.f) && (to.f <= at.f || !isFinite(at.f) || random.Float64() < math.Exp((at.f-to.f)/temperature)) {
			at = to
			accepted++
		}
		if hop%10 == 0 {
			if accepted > 5 {
				step /= 0.9
			} else {
				step *= 0.9
			}
			accepted = 0
		}
		reason = r.round(0)
	}
	if reason != Running {
		return reason
	}
	return best
}
