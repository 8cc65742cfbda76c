package minimize

import "gonum.org/v1/gonum/mat"

// BallStep is the step of Newton for a given gradient and Hessian.
func BallStep(g, h []float64, radius float64) (d []float64, value float64) {
	n := len(g)
	var e mat.EigenSym
	e.Factorize(mat.NewSymDense(n, clone(h)), true)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	d = make([]float64, n)
	return d, ball(d, g, e.Values(nil), &vectors, radius)
}
