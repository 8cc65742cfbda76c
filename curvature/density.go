package curvature

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
)

// This file estimates the density of the eigenvalues by stochastic Lanczos quadrature.

// DensityOptions say how fine an estimate of the spectral density is. The zero value has useful defaults.
type DensityOptions struct {
	Steps  int // Lanczos steps, and so nodes, for each random vector; that many vectors are held. 0 means 60
	Probes int // random vectors; 0 means 4
	Seed   uint64
}

// Spectrum is an estimate of the density of eigenvalues: a weighted sum of points.
type Spectrum struct {
	Size     int       // rows of the matrix
	Values   []float64 // the points, of one random vector after the other, each in order
	Weights  []float64 // their shares of all eigenvalues, which add up to 1
	Products int
}

// Density estimates how the eigenvalues are distributed. For a random unit vector v the numbers v'f(A)v have the mean of f over all eigenvalues as
// their mean, and the Lanczos method from v yields the nodes and weights of a Gauss quadrature for them: the eigenvalues of the projected matrix and the
// squares of their vectors' first elements, exact for polynomials of a degree below twice the number of steps. The probes are averaged.
// (Golub and Welsch 1969, Calculation of Gauss quadrature rules; Ghorbani, Krishnan and Xiao 2019, An investigation into neural net
// optimization via Hessian eigenvalue density.)
func Density(ctx context.Context, a *Operator, o DensityOptions) (*Spectrum, error) {
	of, err := a.use(ctx)
	if err != nil {
		return nil, err
	}
	if o.Steps < 0 || o.Probes < 0 {
		return nil, fmt.Errorf("curvature: DensityOptions: Steps is %d and Probes %d: they cannot be negative", o.Steps, o.Probes)
	}
	if o.Steps == 0 {
		o.Steps = 60
	}
	if o.Probes == 0 {
		o.Probes = 4
	}
	s := &Spectrum{Size: of.Size}
	for probe := range o.Probes {
		b := &basis{of: of}
		b.begin(rand.New(rand.NewPCG(o.Seed, 3+uint64(probe))))
		scale := 0.0
		for range min(o.Steps, of.Size) {
			if err := b.grow(); err != nil {
				return nil, err
			}
			k := len(b.projected) - 1
			scale = max(scale, math.Abs(b.projected[k][k]), b.length)
			if b.exhausted(scale) {
				break // the quadrature is exact for every function
			}
		}
		values, vectors, err := b.ritz()
		if err != nil {
			return nil, err
		}
		for i, x := range values {
			first := vectors.At(0, i)
			s.Values, s.Weights = append(s.Values, x), append(s.Weights, first*first/float64(o.Probes))
		}
	}
	s.Products = of.products
	return s, nil
}

// Moment is the mean of the k-th power of the eigenvalues.
func (s *Spectrum) Moment(k int) float64 {
	sum := 0.0
	for i, x := range s.Values {
		sum += s.Weights[i] * math.Pow(x, float64(k))
	}
	return sum
}

// Trace is the sum of the eigenvalues.
func (s *Spectrum) Trace() float64 { return float64(s.Size) * s.Moment(1) }

// Range is the least and the largest point.
func (s *Spectrum) Range() (least, largest float64) {
	least, largest = math.Inf(1), math.Inf(-1)
	for _, x := range s.Values {
		least, largest = min(least, x), max(largest, x)
	}
	return least, largest
}

// Share is the part of the eigenvalues that lies from low to high.
func (s *Spectrum) Share(low, high float64) float64 {
	sum := 0.0
	for i, x := range s.Values {
		if x >= low && x <= high {
			sum += s.Weights[i]
		}
	}
	return sum
}

// Smooth is the density at each of some places, with each point drawn as a normal distribution of the given deviation, which
// should be positive: there is no density otherwise, and all is NaN.
func (s *Spectrum) Smooth(at []float64, deviation float64) []float64 {
	out := make([]float64, len(at))
	if !(deviation > 0) {
		for k := range out {
			out[k] = math.NaN()
		}
		return out
	}
	for i, x := range s.Values {
		for k, y := range at {
			z := (y - x) / deviation
			out[k] += s.Weights[i] * math.Exp(-z*z/2) / (deviation * math.Sqrt(2*math.Pi))
		}
	}
	return out
}
