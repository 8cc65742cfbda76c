package minimize

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// This file holds what the methods for sums of squares share.

// squares is a search on a sum of squares: the run's point with its residuals, Jacobian and the scale of each variable.
type squares struct {
	r     *run
	m     int
	res   []float64 // residuals at r.x
	jac   []float64
	scale []float64 // largest norm that each column of the Jacobian has had
	x     []float64 // a trial
}

// checkSquares returns an error if p is no sum of squares, or its Jacobian for n variables is too large.
func checkSquares(method string, p *Problem, n int) error {
	if err := hasSquares(method, p); err != nil {
		return err
	}
	return room(method, 4*float64(p.Count)*float64(n), "NewtonCG with GaussNewton")
}

func hasSquares(method string, p *Problem) error {
	if p.Residuals == nil {
		return fmt.Errorf("minimize: %s needs a sum of squares: give the problem Residuals and Count", method)
	}
	return nil
}

func newSquares(r *run) *squares {
	return &squares{r: r, m: r.p.Count, res: make([]float64, r.p.Count), scale: make([]float64, r.n), x: make([]float64, r.n)}
}

// start evaluates the first point.
func (s *squares) start() Reason {
	copy(s.res, s.r.residuals(s.r.x))
	s.r.f = halfSquares(s.res)
	if !isFinite(s.r.f) {
		return s.r.report()
	}
	s.differentiate()
	return s.r.report()
}

// differentiate computes the Jacobian and the gradient at the current point, whose residuals are in res.
func (s *squares) differentiate() {
	r := s.r
	if r.r == nil {
		r.r = make([]float64, s.m)
	}
	copy(r.r, s.res)
	s.jac = r.jacobian(r.x)
	clear(r.g)
	for k := range r.n {
		norm := 0.0
		for i, v := range s.res {
			j := s.jac[i*r.n+k]
			r.g[k] += v * j
			norm = math.Hypot(norm, j)
		}
		s.scale[k] = max(s.scale[k], norm)
	}
}

// orthogonal is the largest cosine of the angle between the residuals and a column of the Jacobian: a measure of the gradient that no
// scaling of residuals or variables changes. It is 0 if the residuals are.
func (s *squares) orthogonal() float64 {
	r, length := s.r, math.Sqrt(2*s.r.f)
	if length == 0 {
		return 0
	}
	worst := 0.0
	for k := range r.n {
		norm := 0.0
		for i := range s.m {
			norm = math.Hypot(norm, s.jac[i*r.n+k])
		}
		if norm > 0 {
			worst = max(worst, math.Abs(r.g[k])/norm/length)
		}
	}
	return worst
}

// settled says whether a search that lowers f no further has found a minimum: the gradient is within the tolerance as it is or, since
// it is meaningless without the scales of residuals and variables, as a cosine.
func (s *squares) settled() Reason {
	if reason := s.r.interrupted(); reason != Running {
		return reason
	}
	switch {
	case s.r.gradNorm() <= s.r.o.Gradient:
		return GradientSmall
	case s.orthogonal() <= s.r.o.Gradient:
		return ResidualsOrthogonal
	}
	return Stalled
}

// D is the scale of variable k, 1 if its column has always been zero.
func (s *squares) D(k int) float64 {
	if s.scale[k] == 0 {
		return 1
	}
	return s.scale[k]
}

// svd decomposes J D^-1 = U S V'. It returns the singular values, V, and U'r.
func (s *squares) svd() (values []float64, v *mat.Dense, ur []float64, ok bool) {
	a := mat.NewDense(s.m, s.r.n, nil)
	for i := range s.m {
		for k := range s.r.n {
			a.Set(i, k, s.jac[i*s.r.n+k]/s.D(k))
		}
	}
	var f mat.SVD
	if !allFinite(s.jac) || !f.Factorize(a, mat.SVDThin) {
		return nil, nil, nil, false
	}
	values = f.Values(nil)
	var u mat.Dense
	v = &mat.Dense{}
	f.UTo(&u)
	f.VTo(v)
	ur = make([]float64, len(values))
	for i := range s.m {
		axpy(s.res[i], u.RawRowView(i)[:len(ur)], ur)
	}
	return values, v, ur, true
}

// back stores the step in d that is z in the basis V of the scaled variables.
func (s *squares) back(d []float64, v *mat.Dense, z []float64) {
	for k := range d {
		d[k] = dot(v.RawRowView(k)[:len(z)], z) / s.D(k)
	}
}
