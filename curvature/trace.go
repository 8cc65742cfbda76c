package curvature

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// This file estimates the trace.

// TraceOptions say how much an estimate of the trace may cost. The zero value has useful defaults.
type TraceOptions struct {
	// Samples is the number of random vectors whose products are averaged; 0 means 30. From two on there is a standard error.
	Samples int
	// Sketch is the number of vectors that span the part of the matrix whose trace is taken exactly, at two products each. It pays
	// if few eigenvalues are much larger than the rest.
	Sketch int
	Seed   uint64
}

// TraceEstimate is what Trace finds.
type TraceEstimate struct {
	Value float64
	// Error is the standard error of Value: NaN for one sample.
	Error    float64
	Products int
}

// Trace estimates the sum of the eigenvalues as the mean of r'A r over vectors r of random signs. (Hutchinson 1990, A
// stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines.) With a Sketch the part of A in the space of Q, an
// orthonormal basis of A times random vectors, is taken exactly, and the mean over the rest: trace(Q'AQ) + mean of r'(I-QQ')A(I-QQ')r.
// (Meyer, Musco, Musco and Woodruff 2021, Hutch++: optimal stochastic trace estimation; there a third of the products goes to each part.)
func Trace(ctx context.Context, a *Operator, o TraceOptions) (*TraceEstimate, error) {
	of, err := a.use(ctx)
	if err != nil {
		return nil, err
	}
	if o.Samples == 0 {
		o.Samples = 30
	}
	if o.Samples < 0 || o.Sketch < 0 {
		return nil, fmt.Errorf("curvature: TraceOptions: Samples is %d and Sketch %d: they cannot be negative", o.Samples, o.Sketch)
	}
	random := rand.New(rand.NewPCG(o.Seed, 2))
	signs := func() []float64 {
		r := make([]float64, of.Size)
		for i := range r {
			r[i] = float64(int(random.Uint64()>>63)*2 - 1)
		}
		return r
	}
	t := &TraceEstimate{}
	b := &basis{of: of}
	for range min(o.Sketch, of.Size) {
		w, err := of.product(signs())
		if err != nil {
			return nil, err
		}
		before := floats.Norm(w, 2)
		b.orthogonalize(w)
		if b.rest, b.length = w, floats.Norm(w, 2); b.length <= 1e-10*before {
			continue // the space is spanned already
		}
		if err := b.grow(); err != nil {
			return nil, err
		}
		k := len(b.projected) - 1
		t.Value += b.projected[k][k]
	}
	if len(b.vectors) == of.Size {
		t.Products = of.products
		return t, nil
	}
	var sum, squares float64
	for i := range o.Samples {
		r := signs()
		b.orthogonalize(r)
		w, err := of.product(r)
		if err != nil {
			return nil, err
		}
		x := floats.Dot(r, w)
		d := x - sum // Welford's running mean and sum of squares
		sum += d / float64(i+1)
		squares += d * (x - sum)
	}
	n := float64(o.Samples)
	t.Value += sum
	t.Error = math.Sqrt(squares / (n - 1) / n)
	t.Products = of.products
	return t, nil
}
