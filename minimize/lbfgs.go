package minimize

import "fmt"

// This file holds L-BFGS.

// LBFGS is BFGS with the matrix replaced by the last Memory pairs of steps s and changes y of the gradient, from which the
// two-loop recursion computes -H g in 4 n Memory multiplications. (Liu and Nocedal 1989, On the limited memory BFGS method for
// large scale optimization, Math. Programming 45; Nocedal and Wright 2006, algorithm 7.4.)
type LBFGS struct {
	Memory int // pairs kept; 0 means 20
}

func (m *LBFGS) check(p *Problem, n int) error { return checkMemory("LBFGS", m.Memory) }

func checkMemory(method string, memory int) error {
	if memory < 0 || memory > 10000 {
		return fmt.Errorf("minimize: %s: Memory is %d, want 1 to 10000, or 0 for 20", method, memory)
	}
	return nil
}

func memoryOr20(memory int) int {
	if memory == 0 {
		return 20
	}
	return memory
}

// pairs are the last steps and changes of the gradient, in a ring.
type pairs struct {
	s, y  [][]float64
	rho   []float64 // 1/s'y
	alpha []float64
	next  int     // where the next pair goes
	n     int     // pairs there are
	scale float64 // s'y/y'y of the last pair
}

func newPairs(memory, n int) *pairs {
	p := &pairs{rho: make([]float64, memory), alpha: make([]float64, memory)}
	all := make([]float64, 2*memory*n)
	for i := range memory {
		p.s = append(p.s, all[2*i*n:(2*i+1)*n])
		p.y = append(p.y, all[(2*i+1)*n:(2*i+2)*n])
	}
	return p
}

// add takes the pair x - x0, g - g0, if the curvature along it is positive.
func (p *pairs) add(x, x0, g, g0 []float64) bool {
	s, y := p.s[p.next], p.y[p.next]
	for i := range s {
		s[i] = x[i] - x0[i]
		y[i] = g[i] - g0[i]
	}
	sy, yy := dot(s, y), dot(y, y)
	if !(sy > epsilon*yy) {
		return false
	}
	p.rho[p.next], p.scale = 1/sy, sy/yy
	p.next = (p.next + 1) % len(p.s)
	p.n = min(p.n+1, len(p.s))
	return true
}

// direction stores -H g in d.
func (p *pairs) direction(d, g []float64) {
	for i, v := range g {
		d[i] = -v
	}
	m := len(p.s)
	for k := range p.n {
		i := (p.next - 1 - k + m) % m
		p.alpha[i] = p.rho[i] * dot(p.s[i], d)
		axpy(-p.alpha[i], p.y[i], d)
	}
	for i := range d {
		d[i] *= p.scale
	}
	for k := range p.n {
		i := (p.next - p.n + k + m) % m
		axpy(p.alpha[i]-p.rho[i]*dot(p.y[i], d), p.s[i], d)
	}
}

func (m *LBFGS) search(r *run) Reason {
	memory := memoryOr20(m.Memory)
	if reason := r.start(); reason != Running {
		return reason
	}
	l := newLine(r, 1e-4, 0.9)
	d := make([]float64, r.n)
	p := newPairs(memory, r.n)
	for {
		first := 1.0
		if p.n == 0 {
			for i, g := range r.g {
				d[i] = -g
			}
			first = firstLength(r)
		} else {
			p.direction(d, r.g)
		}
		a := l.search(d, first, maxLength)
		if a == 0 {
			if p.n == 0 || r.interrupted() != Running {
				return r.stuck()
			}
			p.n, p.next = 0, 0 // forget, and go down the gradient
			continue
		}
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		p.add(r.x, l.x0, r.g, l.g0)
	}
}
