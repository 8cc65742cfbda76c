package minimize

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// This file holds L-BFGS-B: L-BFGS within bounds. (Byrd, Lu, Nocedal and Zhu 1995, A limited memory algorithm for bound
// constrained optimization, SIAM J. Sci. Comput. 16; Morales and Nocedal 2011, Remark on algorithm 778, ACM TOMS 38.)

// LBFGSB minimizes within Lower <= x <= Upper. A step first follows the projected gradient down the quadratic model
//
//	B = scale I - W M W',   W = [Y, scale S]
//
// of the last Memory pairs to the first minimum along that broken line, the generalized Cauchy point; then it minimizes the
// model over the variables that are not at a bound there, projects onto the bounds, and searches along the line to that point.
// The gradient that counts is the projected one: P(x - g) - x.
type LBFGSB struct {
	Memory       int       // pairs kept; 0 means 20
	Lower, Upper []float64 // bounds of each variable; nil means none, as do infinite elements
}

func (m *LBFGSB) check(p *Problem, n int) error {
	if err := checkMemory("LBFGSB", m.Memory, n); err != nil {
		return err
	}
	for _, b := range []struct {
		name   string
		bounds []float64
	}{{"Lower", m.Lower}, {"Upper", m.Upper}} {
		if b.bounds != nil && len(b.bounds) != n {
			return fmt.Errorf("minimize: LBFGSB: %s has %d elements and the start %d", b.name, len(b.bounds), n)
		}
	}
	for i := range n {
		if lo, hi := bound(m.Lower, i, -1), bound(m.Upper, i, 1); !(lo <= hi) || math.IsInf(lo, 1) || math.IsInf(hi, -1) {
			return fmt.Errorf("minimize: LBFGSB: variable %d has the bounds %v and %v: no number is between them", i, lo, hi)
		}
	}
	return nil
}

// boxed is a search within bounds.
type boxed struct {
	r      *run
	lo, hi []float64
	p      *pairs
	m      *mat.Dense // M of the model, 2 k by 2 k for k pairs

	cauchy []float64 // the way from x to the Cauchy point
	c      []float64 // W'cauchy
	free   []int     // the variables not at a bound at the Cauchy point
	fixed  []int     // the variables at a bound that the gradient points to, at x
}

func (m *LBFGSB) search(r *run) Reason {
	n := r.n
	b := &boxed{r: r, lo: make([]float64, n), hi: make([]float64, n), p: newPairs(memoryOr20(m.Memory), n), cauchy: make([]float64, n)}
	for i := range n {
		b.lo[i], b.hi[i] = bound(m.Lower, i, -1), bound(m.Upper, i, 1)
		r.x[i] = min(max(r.x[i], b.lo[i]), b.hi[i])
	}
	if m.Lower != nil || m.Upper != nil {
		r.box = box{b.lo, b.hi}
	}
	r.gradNorm = func() float64 {
		norm := 0.0
		for i, g := range r.g {
			if math.IsNaN(g) {
				return g
			}
			if g > 0 {
				g = min(g, r.x[i]-b.lo[i])
			} else {
				g = min(-g, b.hi[i]-r.x[i])
			}
			norm = max(norm, g)
		}
		return norm
	}
	if reason := r.start(); reason != Running {
		return reason
	}
	l := newLine(r, 1e-4, 0.9)
	l.lo, l.hi = b.lo, b.hi
	d := make([]float64, n)
	for {
		ok := b.inside(d)
		if !ok {
			if ok = b.model() && b.cauchyPoint(); ok {
				b.subspace(d)
			}
		}
		first, longest := 1.0, b.room(d)
		if b.p.n == 0 {
			first = min(1, firstLength(r)*norm2(r.g)/max(norm2(d), math.SmallestNonzeroFloat64))
		}
		a := 0.0
		if ok {
			a = l.search(d, first, longest)
		}
		if a == 0 {
			if b.p.n == 0 || r.interrupted() != Running {
				return r.stuck()
			}
			b.p.clear()
			continue
		}
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		b.p.add(r.x, l.x0, r.g, l.g0)
	}
}

// inside stores in d the way to the minimum of the model over the variables that are not at a bound that the gradient points to, and
// reports whether that is within the bounds. Then it is the minimum with them too, if the others stay where they are. The two-loop recursion
// is more accurate than the model's matrix if the scaling is bad.
func (b *boxed) inside(d []float64) bool {
	b.fixed = b.fixed[:0]
	for i, g := range b.r.g {
		if x := b.r.x[i]; g > 0 && x <= b.lo[i] || g < 0 && x >= b.hi[i] {
			b.fixed = append(b.fixed, i)
		}
	}
	if b.p.n > 0 {
		if !b.p.within(d, b.r.g, b.fixed) {
			return false
		}
	} else {
		for i, g := range b.r.g {
			d[i] = -g
		}
		for _, i := range b.fixed {
			d[i] = 0
		}
	}
	for i, v := range d {
		if x := b.r.x[i]; !(v >= b.lo[i]-x && v <= b.hi[i]-x) {
			return false
		}
	}
	return true
}

// room returns how far d may be followed.
func (b *boxed) room(d []float64) float64 {
	room := maxLength
	for i, v := range d {
		switch x := b.r.x[i]; {
		case v > 0:
			room = min(room, (b.hi[i]-x)/v)
		case v < 0:
			room = min(room, (b.lo[i]-x)/v)
		}
	}
	return max(room, 1) // the model's minimum is within the bounds, but for rounding
}

// pair returns the k-th oldest pair.
func (b *boxed) pair(k int) (s, y []float64) {
	m := len(b.p.s)
	i := (b.p.next - b.p.n + k + m) % m
	return b.p.s[i], b.p.y[i]
}

// scale is the factor of the identity in the model.
func (b *boxed) scale() float64 {
	if b.p.n == 0 {
		return 1
	}
	return 1 / b.p.scale
}

// row stores row i of W in w.
func (b *boxed) row(w []float64, i int) []float64 {
	k := b.p.n
	for j := range k {
		s, y := b.pair(j)
		w[j], w[k+j] = y[i], b.scale()*s[i]
	}
	return w[:2*k]
}

// model computes M = [-D, L'; L, scale S'S]^-1.
func (b *boxed) model() bool {
	k := b.p.n
	if k == 0 {
		b.m = nil
		return true
	}
	a := mat.NewDense(2*k, 2*k, nil)
	for i := range k {
		si, yi := b.pair(i)
		a.Set(i, i, -dot(si, yi))
		for j := range k {
			sj, yj := b.pair(j)
			a.Set(k+i, k+j, b.scale()*dot(si, sj))
			if i > j {
				v := dot(si, yj)
				a.Set(k+i, j, v)
				a.Set(j, k+i, v)
			}
		}
	}
	var inverse mat.Dense
	if err := inverse.Inverse(a); err != nil {
		if _, poor := err.(mat.Condition); !poor || !allFinite(inverse.RawMatrix().Data) {
			return false
		}
	}
	b.m = &inverse
	return true
}

// form returns u'M v.
func (b *boxed) form(u, v []float64) float64 {
	if b.m == nil {
		return 0
	}
	s := 0.0
	for i, x := range u {
		s += x * dot(b.m.RawRowView(i), v)
	}
	return s
}

// cauchyPoint follows the projected gradient, algorithm CP of the paper.
func (b *boxed) cauchyPoint() bool {
	r, k := b.r, b.p.n
	d, times := make([]float64, r.n), make([]float64, r.n)
	var order []int
	for i, g := range r.g {
		times[i] = math.Inf(1)
		switch {
		case g < 0:
			times[i] = (r.x[i] - b.hi[i]) / g
		case g > 0:
			times[i] = (r.x[i] - b.lo[i]) / g
		}
		if times[i] > 0 {
			d[i] = -g
		}
		if times[i] > 0 && !math.IsInf(times[i], 1) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case times[i] < times[j]:
			return -1
		case times[i] > times[j]:
			return 1
		}
		return 0
	})
	clear(b.cauchy)
	p, w := make([]float64, 2*k), make([]float64, 2*k)
	b.c = make([]float64, 2*k)
	for j := range k {
		s, y := b.pair(j)
		p[j], p[k+j] = dot(y, d), b.scale()*dot(s, d)
	}
	slope := -dot(d, d)
	bend := b.scale()*-slope - b.form(p, p)
	least, now := -slope/bend, 0.0
	atBound := make([]bool, r.n)
	for i := range d {
		atBound[i] = times[i] <= 0
	}
	for _, i := range order {
		if slope >= 0 || least < times[i]-now || !(bend > 0) {
			break
		}
		dt := times[i] - now
		now = times[i]
		if d[i] > 0 {
			b.cauchy[i] = b.hi[i] - r.x[i]
		} else {
			b.cauchy[i] = b.lo[i] - r.x[i]
		}
		z, g := b.cauchy[i], r.g[i]
		for j := range b.c {
			b.c[j] += dt * p[j]
		}
		w := b.row(w, i)
		slope += dt*bend + g*g + b.scale()*g*z - g*b.form(w, b.c)
		bend += -b.scale()*g*g - 2*g*b.form(w, p) - g*g*b.form(w, w)
		bend = max(bend, epsilon*b.scale()*dot(r.g, r.g))
		for j := range p {
			p[j] += g * w[j]
		}
		d[i], atBound[i] = 0, true
		least = -slope / bend
	}
	least = max(least, 0)
	if !isFinite(least) {
		return false
	}
	for j := range b.c {
		b.c[j] += least * p[j]
	}
	b.free = b.free[:0]
	for i := range d {
		if d[i] != 0 {
			b.cauchy[i] = b.within(i, (now+least)*d[i])
		}
		if !atBound[i] && b.cauchy[i] > b.lo[i]-r.x[i] && b.cauchy[i] < b.hi[i]-r.x[i] {
			b.free = append(b.free, i)
		}
	}
	return true
}

// subspace minimizes the model over the free variables, from the Cauchy point, and stores in d the way from x to the minimum,
// projected onto the bounds; if that is not a descent direction, cut off at the first bound.
func (b *boxed) subspace(d []float64) {
	r, k := b.r, b.p.n
	step := b.newton(k)
	copy(d, b.cauchy)
	for j, i := range b.free {
		d[i] = b.within(i, b.cauchy[i]+step[j])
	}
	if dot(d, r.g) < 0 {
		return
	}
	share := 1.0
	for j, i := range b.free {
		switch s := step[j]; {
		case s > 0:
			share = min(share, (b.hi[i]-r.x[i]-b.cauchy[i])/s)
		case s < 0:
			share = min(share, (b.lo[i]-r.x[i]-b.cauchy[i])/s)
		}
	}
	copy(d, b.cauchy)
	for j, i := range b.free {
		d[i] += share * step[j]
	}
}

// within cuts a step in variable i off at its bounds.
func (b *boxed) within(i int, step float64) float64 {
	return min(max(step, b.lo[i]-b.r.x[i]), b.hi[i]-b.r.x[i])
}

// newton is the unbounded minimum of the model over the free variables as a step from the Cauchy point: with the reduced
// gradient u, by the formula of Sherman, Morrison and Woodbury,
//
//	-(1/scale) (u + (1/scale) Z'W (I - M W'ZZ'W / scale)^-1 M W'Z u)
func (b *boxed) newton(k int) []float64 {
	r := b.r
	theta := b.scale()
	step := make([]float64, len(b.free))
	w := make([]float64, 2*k)
	mc := make([]float64, 2*k)
	for i := range mc {
		mc[i] = dot(b.m.RawRowView(i), b.c)
	}
	u := make([]float64, len(b.free))
	for j, i := range b.free {
		u[j] = r.g[i] + theta*b.cauchy[i]
		if k > 0 {
			u[j] -= dot(b.row(w, i), mc)
		}
		step[j] = -u[j] / theta
	}
	if k == 0 || len(b.free) == 0 {
		return step
	}
	wu := make([]float64, 2*k)
	ww := mat.NewDense(2*k, 2*k, nil)
	for j, i := range b.free {
		row := b.row(w, i)
		axpy(u[j], row, wu)
		for p, x := range row {
			axpy(x, row, ww.RawRowView(p))
		}
	}
	var n, v mat.Dense
	n.Mul(b.m, ww)
	n.Scale(-1/theta, &n)
	for i := range 2 * k {
		n.Set(i, i, n.At(i, i)+1)
	}
	mv := mat.NewDense(2*k, 1, nil)
	for i := range 2 * k {
		mv.Set(i, 0, dot(b.m.RawRowView(i), wu))
	}
	if err := v.Solve(&n, mv); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return step
		}
	}
	vs := v.RawMatrix().Data
	for j, i := range b.free {
		if s := step[j] - dot(b.row(w, i), vs)/(theta*theta); isFinite(s) {
			step[j] = s
		}
	}
	return step
}
