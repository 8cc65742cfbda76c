package minimize

import (
	"context"
	"errors"
	"math"

	"github.com/seed-49005b45/tarn/curvature"
)

// This file holds the search for negative curvature.

var errInterrupted = errors.New("minimize: interrupted")

// leastCurvature estimates by the Lanczos method the least eigenvalue of the Hessian at the current point, from above, with a unit vector
// along which the curvature is that, and the largest magnitude of an eigenvalue. It starts from a fixed random vector, since the gradient of
// a function with a symmetry may have no part in the direction that is looked for.
func leastCurvature(r *run, steps int) (value float64, vector []float64, largest float64) {
	hessian := &curvature.Operator{Size: r.n, Product: func(_ context.Context, dst, v []float64) error {
		r.hessVec(dst, r.x, r.g, v)
		if r.interrupted() != Running {
			return errInterrupted
		}
		return nil
	}}
	e, err := curvature.Eigenvalues(context.Background(), hessian, curvature.Options{Smallest: 1, Products: steps, Basis: steps})
	if err != nil {
		return math.NaN(), nil, 0
	}
	return e.Smallest[0].Value, e.Smallest[0].Vector, e.Scale
}
