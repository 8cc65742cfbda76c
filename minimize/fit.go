package minimize

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/mathext"
)

// This file holds least squares that are linear, and the uncertainty of the result of a fit.

// Fit is a least-squares fit with its statistics.
type Fit struct {
	X          []float64
	Residuals  []float64 // model minus data
	SumSquares float64
	Deviation  float64 // residual standard deviation: sqrt(SumSquares / degrees of freedom); NaN without any
	Errors     []float64
	Covariance []float64 // n*n elements: Deviation^2 (J'J)^-1
	Rank       int       // of the Jacobian; if it is less than n, Errors are infinite for what the data do not determine
}

// LinearLeastSquares finds the x that minimizes |a x - y|, for a matrix of len(y) rows and n columns given row by row. It decomposes a, with
// its columns scaled to length 1, into QR by Householder reflections, and then improves x and the residuals together until they no longer
// change, with remainders computed in twice the precision. (Bjorck 1996, Numerical methods for least squares problems, sections 2.4
// and 2.9.) A matrix without full column rank is an error: its solution is not unique.
func LinearLeastSquares(a []float64, n int, y []float64) (*Fit, error) {
	m := len(y)
	switch {
	case n <= 0 || len(a) != m*n:
		return nil, fmt.Errorf("minimize: LinearLeastSquares: a matrix of %d rows and %d columns has %d elements, not %d", m, n, m*n, len(a))
	case m < n:
		return nil, fmt.Errorf("minimize: LinearLeastSquares: %d rows do not fix %d unknowns", m, n)
	case !allFinite(a) || !allFinite(y):
		return nil, fmt.Errorf("minimize: LinearLeastSquares: the matrix or the right side is not finite")
	}
	scale := make([]float64, n)
	for i := range m {
		for k := range n {
			scale[k] = math.Hypot(scale[k], a[i*n+k])
		}
	}
	s := mat.NewDense(m, n, nil)
	for k, v := range scale {
		if v == 0 {
			return nil, fmt.Errorf("minimize: LinearLeastSquares: column %d is zero: its unknown has no effect", k)
		}
		// A power of two scales without rounding.
		scale[k] = math.Exp2(math.Round(math.Log2(v)))
		for i := range m {
			s.Set(i, k, a[i*n+k]/scale[k])
		}
	}
	q := newReflections(s)
	r := q.a
	for k := range n {
		if math.Abs(r.At(k, k)) <= epsilon*float64(m)*math.Abs(r.At(0, 0)) {
			return nil, fmt.Errorf("minimize: LinearLeastSquares: column %d is a combination of those before it, to rounding: leave it out", k)
		}
	}
	t := mat.NewTriDense(n, mat.Upper, nil)
	for i := range n {
		for k := i; k < n; k++ {
			t.SetTri(i, k, r.At(i, k))
		}
	}
	x, residual := improve(s, q, t, y)
	fit := &Fit{X: x, Residuals: residual, Rank: n}
	for i := range x {
		x[i] /= scale[i]
	}
	for i := range residual {
		residual[i] = -residual[i]
	}
	var inverse mat.TriDense
	if err := inverse.InverseTri(t); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil, fmt.Errorf("minimize: LinearLeastSquares: %w", err)
		}
	}
	var c mat.Dense
	c.Mul(&inverse, inverse.T())
	fit.certainty(func(i, j int) float64 { return c.At(i, j) / scale[i] / scale[j] })
	return fit, nil
}

// improve solves the least squares by a = QR and refines x and r in
//
//	r + a x = y,   a'r = 0
//
// by corrections from the same factors.
func improve(a *mat.Dense, q *reflections, t *mat.TriDense, y []float64) (x, r []float64) {
	m, n := a.Dims()
	x, r = make([]float64, n), make([]float64, m)
	last := math.Inf(1)
	for range 20 {
		f, g := make([]float64, m), make([]float64, n) // what is missing in the two equations
		for i := range m {
			s := double{y[i], 0}
			s.add(-r[i])
			for k, v := range a.RawRowView(i) {
				s.addProduct(-v, x[k])
			}
			f[i] = s.hi + s.lo
		}
		for k := range n {
			var s double
			for i := range m {
				s.addProduct(-a.At(i, k), r[i])
			}
			g[k] = s.hi + s.lo
		}
		// With Q'f = (d, e) and R'z = g: dx = R^-1 (d - z), dr = Q (z, e).
		q.multiply(blas.Trans, f)
		z := mat.NewVecDense(n, nil)
		z.SolveVec(t.T(), mat.NewVecDense(n, g)) // R was found regular; a poor condition is no obstacle
		rhs := mat.NewVecDense(n, nil)
		for k := range n {
			rhs.SetVec(k, f[k]-z.AtVec(k))
			f[k] = z.AtVec(k)
		}
		dx := mat.NewVecDense(n, nil)
		dx.SolveVec(t, rhs)
		q.multiply(blas.NoTrans, f)
		change := mat.Norm(dx, 2)
		if !(change < last/2) && !math.IsInf(last, 1) {
			break
		}
		last = change
		axpy(1, dx.RawVector().Data, x)
		axpy(1, f, r)
		if change <= epsilon/4*norm2(x) {
			break
		}
	}
	return x, r
}

// reflections is the QR factorization of a tall matrix: R lies in the upper triangle of a, and below it the vectors of the reflections whose product is
// Q, which would have the square of the rows as elements.
type reflections struct {
	a         *mat.Dense
	tau, work []float64
}

func newReflections(of *mat.Dense) *reflections {
	m, n := of.Dims()
	q := &reflections{mat.DenseCopyOf(of), make([]float64, n), make([]float64, 1)}
	lapack64.Geqrf(q.a.RawMatrix(), q.tau, q.work, -1)
	size := int(q.work[0])
	lapack64.Ormqr(blas.Left, blas.Trans, q.a.RawMatrix(), q.tau, blas64.General{Rows: m, Cols: 1, Stride: 1}, q.work, -1)
	q.work = make([]float64, max(size, int(q.work[0])))
	lapack64.Geqrf(q.a.RawMatrix(), q.tau, q.work, len(q.work))
	return q
}

// multiply replaces x by Q x or Q'x.
func (q *reflections) multiply(trans blas.Transpose, x []float64) {
	lapack64.Ormqr(blas.Left, trans, q.a.RawMatrix(), q.tau, blas64.General{Rows: len(x), Cols: 1, Stride: 1, Data: x}, q.work, len(q.work))
}

// double is a number of twice the precision, hi + lo. (Dekker 1971; Ogita, Rump and Oishi 2005, Accurate sum and dot product, SIAM
// J. Sci. Comput. 26.)
type double struct{ hi, lo float64 }

func (s *double) add(x float64) {
	sum := s.hi + x
	b := sum - s.hi
	s.lo += (s.hi - (sum - b)) + (x - b)
	s.hi = sum
}

func (s *double) addProduct(x, y float64) {
	p := float64(x * y)
	s.add(p)
	s.lo += math.FMA(x, y, -p)
}

// certainty fills in what follows from the residuals and the inverse of J'J.
func (f *Fit) certainty(inverse func(i, j int) float64) {
	n := len(f.X)
	var s double
	for _, r := range f.Residuals {
		s.addProduct(r, r)
	}
	f.SumSquares = s.hi + s.lo
	variance := math.NaN()
	if free := len(f.Residuals) - n; free > 0 {
		variance = f.SumSquares / float64(free)
	}
	f.Deviation = math.Sqrt(variance)
	f.Covariance, f.Errors = make([]float64, n*n), make([]float64, n)
	for i := range n {
		for j := range n {
			f.Covariance[i*n+j] = variance * inverse(i, j)
		}
		f.Errors[i] = f.Deviation * math.Sqrt(inverse(i, i))
	}
}

// Margin is how far a quantity that was computed from the fitted X may be off at a level of confidence such as 0.95: half the
// width of its confidence interval, from the quantity's gradient with respect to X, by the delta method:
//
//	t sqrt(gradient' Covariance gradient)
//
// with t the quantile of Student's distribution with the fit's degrees of freedom. It assumes that the quantity is linear in X within that distance. Without degrees of freedom it is NaN, and it is infinite if the quantity depends on what the data do not determine.
func (f *Fit) Margin(gradient []float64, level float64) (float64, error) {
	n := len(f.X)
	if len(gradient) != n {
		return 0, fmt.Errorf("minimize: Margin: the gradient has %d elements, and %d were fitted", len(gradient), n)
	}
	if !(level > 0 && level < 1) {
		return 0, fmt.Errorf("minimize: Margin: the level is %v and should be between 0 and 1", level)
	}
	free := float64(len(f.Residuals) - n)
	if free <= 0 {
		return math.NaN(), nil
	}
	variance := 0.0
	for i, gi := range gradient {
		for j, gj := range gradient {
			if gi == 0 || gj == 0 {
				continue // times an infinite variance too
			}
			variance += gi * gj * f.Covariance[i*n+j]
		}
	}
	if math.IsNaN(variance) { // of infinities
		return math.Inf(1), nil
	}
	return quantile(level, free) * math.Sqrt(max(0, variance)), nil
}

// quantile is the t that a number of Student's distribution with that many degrees of freedom stays within with probability p,
// on both sides of 0.
func quantile(p, free float64) float64 {
	return math.Sqrt(free/mathext.InvRegIncBeta(free/2, 0.5, 1-p) - free)
}

// NewFit returns the statistics of a nonlinear fit at its minimum x, taking the residuals as linear there: those of SciPy's curve_fit.
func NewFit(p Problem, x []float64) (*Fit, error) {
	if err := p.check(len(x)); err != nil {
		return nil, err
	}
	if err := checkSquares("NewFit", &p, len(x)); err != nil {
		return nil, err
	}
	e := evaluator{p: &p, n: len(x)}
	fit := &Fit{X: clone(x), Residuals: clone(e.residuals(x))}
	s := &squares{r: &run{evaluator: e, x: fit.X, g: make([]float64, len(x))}, m: p.Count, res: fit.Residuals, scale: make([]float64, len(x))}
	s.differentiate()
	off := 0.0 // the norm of the error of J D^-1, which changes no singular value by more
	if p.Jacobian == nil {
		for k, v := range s.r.measuredJacobian(fit.X) {
			off = math.Hypot(off, v/s.D(k))
		}
	}
	if s.r.err != nil {
		return nil, fmt.Errorf("minimize: NewFit: %w", s.r.err)
	}
	values, v, _, ok := s.svd()
	if !ok {
		return nil, fmt.Errorf("minimize: NewFit: the residuals or their derivatives are not finite at %v", x)
	}
	least := max(1e-13*values[0], off) // a singular value that may be 0
	for _, sv := range values {
		if sv > least {
			fit.Rank++
		}
	}
	fit.certainty(func(i, j int) float64 {
		sum := 0.0
		for k := range fit.Rank {
			sum += v.At(i, k) * v.At(j, k) / values[k] / values[k]
		}
		for k := fit.Rank; k < len(x); k++ {
			if i == j && (k >= len(values) || math.Abs(v.At(i, k)) > 1e-8) {
				sum = math.Inf(1)
			}
		}
		return sum / s.D(i) / s.D(j)
	})
	return fit, nil
}
