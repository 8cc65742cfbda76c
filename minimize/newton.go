package minimize

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-49005b45/tarn/internal/factor"
)

// This file holds Newton's method with the whole Hessian, in a trust region.

// Newton minimizes, in each step exactly, the quadratic model of f over a ball of radius R:
//
//	min over |d| <= R of  g'd + 1/2 d'H d
//
// The eigenvalues of H determine the solution d = -(H + lambda I)^-1 g with the least lambda >= 0 that makes H + lambda I not
// negative and |d| <= R, also in the hard case, in which g has no part along the direction of most negative curvature. R grows if
// the model predicts the decrease of f well, and shrinks if it does not. (More and Sorensen 1983, Computing a trust region step,
// SIAM J. Sci. Stat. Comput. 4; Conn, Gould and Toint 2000, Trust-region methods, algorithm 6.1.1 and chapter 7.)
//
// A stationary point with negative curvature is left along it. The Hessian takes n*n numbers and its eigenvalues about
// 10 n^3 operations a step, so the method is for at most some hundred variables.
type Newton struct {
	Radius float64 // of the first trust region; 0 means max(1, |x0|)
}

func (m *Newton) check(p *Problem, n int) error {
	if err := checkRadius("Newton", m.Radius); err != nil {
		return err
	}
	return room("Newton", 4*float64(n)*float64(n), "NewtonCG")
}

func checkRadius(method string, radius float64) error {
	if !(radius >= 0) || math.IsInf(radius, 1) {
		return fmt.Errorf("minimize: %s: Radius is %v, want a positive number, or 0 for the default", method, radius)
	}
	return nil
}

// region is a trust region: its radius and how it changes, common to the methods that use one.
type region struct {
	r      *run
	radius float64
	x, g   []float64 // the trial
}

func newRegion(r *run, radius float64) *region {
	if radius == 0 {
		radius = max(1, norm2(r.x))
	}
	return &region{r: r, radius: radius, x: make([]float64, r.n), g: make([]float64, r.n)}
}

// try evaluates x + d, for which the model predicts the change of f, and moves there if f falls; it adapts the radius. It
// reports whether the run has moved.
func (t *region) try(d []float64, predicted float64) bool {
	r := t.r
	length := norm2(d)
	for i, x := range r.x {
		t.x[i] = x + d[i]
	}
	f := r.valueGrad(t.g, t.x)
	if !isFinite(f) || !allFinite(t.g) {
		if math.IsInf(f, -1) {
			copy(r.x, t.x)
			r.f = f
			return true
		}
		t.radius = length / 10
		return false
	}
	fell := r.f - f
	ratio := fell / -predicted
	rounding := 10 * epsilon * math.Abs(r.f)
	if math.Abs(fell) <= rounding && -predicted <= rounding {
		// Rounding hides the decrease: the gradient decides whether the step is good.
		ratio = 0
		if normInf(t.g) < r.gradNorm() {
			ratio = 1
		}
	}
	switch {
	case ratio < 0.25 || math.IsNaN(ratio):
		t.radius = length / 4
	case ratio > 0.75 && length > 0.99*t.radius:
		t.radius = 2 * t.radius
	}
	if !(ratio > 1e-4) {
		return false
	}
	copy(r.x, t.x)
	copy(r.g, t.g)
	r.f = f
	return true
}

// lost reports that the region has become too small to contain a number different from x.
func (t *region) lost() bool {
	return t.radius <= epsilon*max(norm2(t.r.x), math.SmallestNonzeroFloat64/epsilon)
}

func (m *Newton) search(r *run) Reason {
	reason := r.start()
	if reason != Running && !reason.Converged() {
		return reason
	}
	t := newRegion(r, m.Radius)
	d := make([]float64, r.n)
	for {
		q := quadratic{g: r.g, h: make([]float64, r.n*r.n)}
		r.hess(q.h, r.x, r.g)
		if r.interrupted() != Running {
			return r.interrupted()
		}
		if !allFinite(q.h) {
			return NotFinite
		}
		if reason.Converged() {
			if !q.decompose() {
				return reason
			}
			if r.curvature = q.values[0]; !(r.curvature < -saddleTolerance*math.Abs(q.values[r.n-1])) {
				return reason
			}
		}
		moved := false
		for !moved {
			predicted, ok := q.step(d, t.radius)
			if !ok {
				return r.stuck()
			}
			if moved = t.try(d, predicted); moved {
				break
			}
			if r.interrupted() != Running || t.lost() {
				if reason.Converged() && r.interrupted() == Running {
					return reason
				}
				if reason = r.stuck(); !reason.Converged() || r.curvature < 0 {
					return reason
				}
				break
			}
		}
		if !moved {
			continue // to see whether this is a saddle
		}
		r.curvature = math.NaN()
		if reason = r.moved(norm2(d)); reason != Running && !reason.Converged() {
			return reason
		}
	}
}

// quadratic is the model g'd + 1/2 d'H d.
type quadratic struct {
	g, h    []float64
	newton  []float64 // the unbounded minimum, if tried says that it has been looked for; nil if there is none
	tried   bool
	values  []float64 // eigenvalues in rising order, once decomposed
	vectors *mat.Dense
}

// step stores in d the minimum over |d| <= radius and returns its value: the unbounded minimum if it is within.
func (q *quadratic) step(d []float64, radius float64) (predicted float64, ok bool) {
	if !q.tried {
		q.newton, q.tried = interior(q.g, q.h), true
	}
	if q.newton != nil && norm2(q.newton) <= radius {
		copy(d, q.newton)
		return dot(q.g, d) / 2, true
	}
	if !q.decompose() {
		return 0, false
	}
	return ball(d, q.g, q.values, q.vectors, radius), true
}

// decompose computes the eigenvalues and their vectors. It reports whether it could.
func (q *quadratic) decompose() bool {
	if q.values == nil {
		n := len(q.g)
		basis := clone(q.h)
		q.values = make([]float64, n)
		factor.EigH(q.values, basis, n, make([]float64, factor.EigHWork(n)))
		q.vectors = mat.NewDense(n, n, basis)
	}
	return !math.IsNaN(q.values[0])
}

// interior returns -H^-1 g, nil if H is not positive definite. It factorizes C H C with C = diag(H)^(-1/2), so that it is as accurate
// in badly scaled variables as in others, which an eigenvalue decomposition of H is not. (Higham 2002, Accuracy and stability of
// numerical algorithms, section 10.1.)
func interior(g, h []float64) []float64 {
	n := len(g)
	c := make([]float64, n)
	for i := range c {
		// A power of two scales without rounding.
		if c[i] = math.Exp2(-math.Round(math.Log2(h[i*n+i]) / 2)); !(h[i*n+i] > 0) || !isFinite(c[i]) {
			return nil
		}
	}
	scaled := mat.NewSymDense(n, nil)
	right := mat.NewVecDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			scaled.SetSym(i, j, c[i]*h[i*n+j]*c[j])
		}
		right.SetVec(i, -c[i]*g[i])
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(scaled) {
		return nil
	}
	d := mat.NewVecDense(n, nil)
	if err := cholesky.SolveVecTo(d, right); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil
		}
	}
	step := d.RawVector().Data
	for i := range step {
		step[i] *= c[i]
	}
	if !allFinite(step) || !(dot(step, g) < 0) {
		return nil
	}
	return step
}

// saddleTolerance is how negative an eigenvalue must be, as a part of the largest, to make a stationary point a saddle.
const saddleTolerance = 1e-8

// ball stores in d the minimum of g'd + 1/2 d'H d over |d| <= radius, given the eigenvalues of H in rising order with their
// vectors, and returns its value.
func ball(d, g, values []float64, vectors *mat.Dense, radius float64) float64 {
	n := len(g)
	b := make([]float64, n) // g in the basis of eigenvectors
	for i := range n {
		for j := range n {
			b[j] += vectors.At(i, j) * g[i]
		}
	}
	z := make([]float64, n)
	length := func(lambda float64) float64 { // stores the solution for lambda in z
		for i, v := range values {
			switch {
			case b[i] == 0:
				z[i] = 0
			case v+lambda <= 0:
				z[i] = math.Inf(1)
			default:
				z[i] = -b[i] / (v + lambda)
			}
		}
		return norm2(z)
	}
	largest := max(math.Abs(values[0]), math.Abs(values[n-1]))
	least := max(0, -values[0])
	switch {
	case values[0] > epsilon*largest && length(0) <= radius: // inside
	default:
		lo := least
		floor := lo + epsilon*max(largest, math.SmallestNonzeroFloat64/epsilon)
		if length(floor) < radius && values[0] <= epsilon*largest {
			// The hard case: what is missing to the radius goes along the direction of least curvature.
			missing := math.Sqrt(max(0, radius*radius-math.Pow(norm2(z), 2)))
			z[0] += math.Copysign(missing, -b[0])
			break
		}
		hi := lo + norm2(b)/radius + largest*epsilon
		lambda := max(floor, (lo+hi)/2)
		for range 100 { // Newton's method on 1/|z| - 1/radius, kept within [lo, hi]
			l := length(lambda)
			if math.Abs(l-radius) <= 1e-10*radius {
				break
			}
			if l > radius {
				lo = lambda
			} else {
				hi = lambda
			}
			s := 0.0
			for i, v := range values {
				if b[i] != 0 {
					s += z[i] * z[i] / (v + lambda)
				}
			}
			next := lambda + (l*l/s)*(l-radius)/radius
			if !(next > lo && next < hi) {
				next = (lo + hi) / 2
			}
			if next == lambda {
				break
			}
			lambda = next
		}
		if l := norm2(z); l > radius {
			for i := range z {
				z[i] *= radius / l
			}
		}
	}
	predicted := 0.0
	for i, v := range values {
		predicted += b[i]*z[i] + v*z[i]*z[i]/2
	}
	clear(d)
	for i := range n {
		for j := range n {
			d[i] += vectors.At(i, j) * z[j]
		}
	}
	return predicted
}
