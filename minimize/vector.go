package minimize

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// This file holds arithmetic on vectors.

func dot(x, y []float64) float64 { return floats.Dot(x, y) }

// axpy adds a x to y.
func axpy(a float64, x, y []float64) { floats.AddScaled(y, a, x) }

func norm2(x []float64) float64 { return floats.Norm(x, 2) }

// normInf is the largest magnitude, NaN where there is one.
func normInf(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		v = math.Abs(v)
		if v > m || math.IsNaN(v) {
			m = v
		}
		if math.IsNaN(m) {
			return m
		}
	}
	return m
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func allFinite(x []float64) bool { return isFinite(normInf(x)) }

func clone(x []float64) []float64 { return append([]float64(nil), x...) }
