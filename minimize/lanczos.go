package minimize

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// This file holds the search for negative curvature.

// leastCurvature estimates by the Lanczos method, with all vectors kept orthogonal, the least eigenvalue of the Hessian where the
// run stands, from above, with a unit vector along which the curvature is that, and the largest magnitude of an eigenvalue.
// It starts from a fixed random vector, since the gradient of a function with a symmetry may have no part in the direction
// that is looked for. (Golub and Van Loan 2013, Matrix computations, chapter 10.)
func leastCurvature(r *run, steps int) (value float64, vector []float64, largest float64) {
	random := rand.New(rand.NewPCG(1, 2))
	v := make([]float64, r.n)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	var basis [][]float64
	var diagonal, beside []float64
	length := norm2(v)
	for range steps {
		for i := range v {
			v[i] /= length
		}
		basis = append(basis, clone(v))
		w := make([]float64, r.n)
		r.hessVec(w, r.x, r.g, v)
		if r.interrupted() != Running || !allFinite(w) {
			return math.NaN(), nil, 0
		}
		diagonal = append(diagonal, dot(v, w))
		for range 2 {
			for _, b := range basis {
				axpy(-dot(b, w), b, w)
			}
		}
		largest = max(largest, math.Abs(diagonal[len(diagonal)-1]))
		length = norm2(w)
		if length <= 1e-12*max(largest, 1e-300) {
			break
		}
		beside = append(beside, length)
		v = w
	}
	k := len(basis)
	t := mat.NewSymDense(k, nil)
	for i := range k {
		t.SetSym(i, i, diagonal[i])
		if i+1 < k {
			t.SetSym(i, i+1, beside[i])
		}
	}
	var e mat.EigenSym
	if !e.Factorize(t, true) {
		return math.NaN(), nil, 0
	}
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	vector = make([]float64, r.n)
	for i, b := range basis {
		axpy(vectors.At(i, 0), b, vector)
	}
	return values[0], vector, max(math.Abs(values[0]), math.Abs(values[k-1]))
}
