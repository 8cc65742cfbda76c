package minimize

import (
	"gonum.org/v1/gonum/mat"

	"github.com/seed-49005b45/tarn/internal/factor"
)

// BallStep is the step of Newton for a given gradient and Hessian.
func BallStep(g, h []float64, radius float64) (d []float64, value float64) {
	n := len(g)
	values, vectors := make([]float64, n), clone(h)
	factor.EigH(values, vectors, n, make([]float64, factor.EigHWork(n)))
	d = make([]float64, n)
	return d, ball(d, g, values, mat.NewDense(n, n, vectors), radius)
}
