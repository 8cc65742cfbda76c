package minimize

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
)

// This file holds L-BFGS.

// LBFGS is BFGS with the matrix replaced by the last Memory pairs of steps s and changes y of the gradient, from which the
// two-loop recursion computes -H g in 4 n Memory multiplications. (Liu and Nocedal 1989, On the limited memory BFGS method for
// large scale optimization, Math. Programming 45; Nocedal and Wright 2006, algorithm 7.4.)
type LBFGS struct {
	Memory int // pairs kept; 0 means 20
}

func (m *LBFGS) check(p *Problem, n int) error { return checkMemory("LBFGS", m.Memory, n) }

func checkMemory(method string, memory, n int) error {
	if memory < 0 || memory > 10000 {
		return fmt.Errorf("minimize: %s: Memory is %d, want 1 to 10000, or 0 for 20", method, memory)
	}
	return room(method, 2*float64(memoryOr20(memory))*float64(n), "a smaller Memory, or ConjugateGradient")
}

func memoryOr20(memory int) int {
	if memory == 0 {
		return 20
	}
	return memory
}

// history is the past steps that L-BFGS keeps.
type history interface {
	count() int // pairs
	clear()
	add(x, x0, g, g0 []float64) bool
	direction(d, g []float64) // d = -H g; must be called for every g that is the g0 of an add, except the first
}

// newHistory returns a factored one if vectors are so long that passes over them dominate the time.
func newHistory(memory, n int) history {
	if n < 16*memory {
		return newPairs(memory, n)
	}
	return newFactored(memory, n)
}

// pairs are the last steps s and changes y of the gradient, in a ring. They are the rows of one matrix: s, y, s, y and so on.
type pairs struct {
	s, y   [][]float64
	rows   blas64.General
	sy     []float64 // s'y of each pair
	alpha  []float64
	next   int     // where the next pair goes
	n      int     // pairs there are
	filled int     // places that have been written
	yy     float64 // y'y of the last pair
	scale  float64 // s'y/y'y of it
}

func newPairs(memory, n int) *pairs {
	p := &pairs{
		rows: blas64.General{Rows: 2 * memory, Cols: n, Stride: n, Data: make([]float64, 2*memory*n)},
		sy:   make([]float64, memory), alpha: make([]float64, memory),
	}
	for all := p.rows.Data; len(all) > 0; all = all[2*n:] {
		p.s, p.y = append(p.s, all[:n]), append(p.y, all[n:2*n])
	}
	return p
}

// count is the number of pairs.
func (p *pairs) count() int { return p.n }

// clear forgets all pairs.
func (p *pairs) clear() { p.n, p.next, p.filled = 0, 0, 0 }

// place is where the pair k steps before the last one lies.
func (p *pairs) place(k int) int { return (p.next - 1 - k + len(p.s)) % len(p.s) }

// add takes the pair x - x0, g - g0, if the curvature along it is positive. The oldest pair makes way in either case.
func (p *pairs) add(x, x0, g, g0 []float64) bool {
	s, y := p.s[p.next], p.y[p.next]
	addScaled(s, x, -1, x0)
	addScaled(y, g, -1, g0)
	sy, yy := dot(s, y), dot(y, y)
	p.filled = max(p.filled, p.next+1)
	if !(sy > epsilon*norm2(s)*math.Sqrt(yy)) {
		p.n = min(p.n, len(p.s)-1)
		return false
	}
	p.sy[p.next], p.yy, p.scale = sy, yy, sy/yy
	p.next = (p.next + 1) % len(p.s)
	p.n = min(p.n+1, len(p.s))
	return true
}

// direction stores -H g in d, by the two-loop recursion.
func (p *pairs) direction(d, g []float64) { p.recur(d, g, nil) }

// within is direction for the function of the other variables than the fixed ones, whose d is 0. It reports whether the pairs are those of
// that function: none has moved a fixed variable.
func (p *pairs) within(d, g []float64, fixed []int) bool {
	for k := range p.n {
		s := p.s[p.place(k)]
		if slices.ContainsFunc(fixed, func(i int) bool { return s[i] != 0 }) {
			return false
		}
	}
	p.recur(d, g, fixed)
	return true
}

// recur is direction, with fixed variables that no pair has moved.
func (p *pairs) recur(d, g []float64, fixed []int) {
	for i, v := range g {
		d[i] = -v
	}
	for k := range p.n {
		i := p.place(k)
		p.alpha[i] = dot(p.s[i], d) / p.sy[i]
		axpy(-p.alpha[i], p.y[i], d)
	}
	scale := p.scale
	if len(fixed) > 0 {
		y := clone(p.y[p.place(0)])
		for _, i := range fixed {
			d[i], y[i] = 0, 0
		}
		scale = p.sy[p.place(0)] / dot(y, y)
	}
	for i := range d {
		d[i] *= scale
	}
	for k := p.n - 1; k >= 0; k-- {
		i := p.place(k)
		axpy(p.alpha[i]-dot(p.y[i], d)/p.sy[i], p.s[i], d)
	}
}

func (m *LBFGS) search(r *run) Reason {
	memory := memoryOr20(m.Memory)
	if reason := r.start(); reason != Running {
		return reason
	}
	l := newLine(r, 1e-4, 0.9)
	d := make([]float64, r.n)
	p := newHistory(memory, r.n)
	for {
		first := 1.0
		if p.count() == 0 {
			for i, g := range r.g {
				d[i] = -g
			}
			first = firstLength(r)
		} else {
			p.direction(d, r.g)
		}
		a := l.search(d, first, maxLength)
		if a == 0 {
			if p.count() == 0 || r.interrupted() != Running {
				return r.stuck()
			}
			p.clear() // forget, and go down the gradient
			continue
		}
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		p.add(r.x, l.x0, r.g, l.g0)
	}
}
