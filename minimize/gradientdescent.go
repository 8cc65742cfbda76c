package minimize

// This file holds gradient descent.

// GradientDescent goes down the gradient, as far as a strong-Wolfe search finds good:
//
//	x <- x - a g
//
// The first length tried is twice that of the quadratic through the last decrease (Nocedal and Wright 2006, (3.60)). It is the baseline for
// other methods: in a valley with the condition number c it takes about c steps for each digit.
type GradientDescent struct{}

func (*GradientDescent) search(r *run) Reason {
	if reason := r.start(); reason != Running {
		return reason
	}
	l := newLine(r, 1e-4, 0.5)
	d := make([]float64, r.n)
	first := firstLength(r)
	for {
		for i, g := range r.g {
			d[i] = -g
		}
		a := l.search(d, first, maxLength)
		if a == 0 {
			return r.stuck()
		}
		fell := l.f0 - r.f
		if reason := r.moved(a * norm2(d)); reason != Running {
			return reason
		}
		first = a
		if q := 2 * fell / dot(r.g, r.g); fell > 0 {
			first = min(2*q, 10*a)
		}
	}
}

// maxLength is the longest multiple of a direction that is tried.
const maxLength = 1e200

// firstLength is the first multiple of the gradient to try if nothing is known about the curvature: the whole gradient, but a
// step no longer than x itself, or than 1 if x is shorter.
func firstLength(r *run) float64 { return min(1, max(1, norm2(r.x))/norm2(r.g)) }
