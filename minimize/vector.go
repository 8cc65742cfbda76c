package minimize

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// This file holds arithmetic on vectors.

func dot(x, y []float64) float64 { return floats.Dot(x, y) }

// axpy adds a x to y.
func axpy(a float64, x, y []float64) { floats.AddScaled(y, a, x) }

// addScaled stores x + a y in dst.
func addScaled(dst, x []float64, a float64, y []float64) { floats.AddScaledTo(dst, x, a, y) }

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Inc: 1, Data: x} }

// norm2 is the length of x.
func norm2(x []float64) float64 {
	if s := dot(x, x); s > 1e-280 && s < 1e280 {
		return math.Sqrt(s)
	}
	return floats.Norm(x, 2) // which scales, as the squares are too large or too small
}

// normInf is the largest magnitude, NaN if there is one. Without their sign bit, floats are in the order of their bits,
// with NaN behind infinity; four maxima at a time keep a processor busy.
func normInf(x []float64) float64 {
	const magnitude = 1<<63 - 1
	var m [4]uint64
	for ; len(x) >= 4; x = x[4:] {
		m[0] = max(m[0], math.Float64bits(x[0])&magnitude)
		m[1] = max(m[1], math.Float64bits(x[1])&magnitude)
		m[2] = max(m[2], math.Float64bits(x[2])&magnitude)
		m[3] = max(m[3], math.Float64bits(x[3])&magnitude)
	}
	for _, v := range x {
		m[0] = max(m[0], math.Float64bits(v)&magnitude)
	}
	return math.Float64frombits(max(m[0], m[1], m[2], m[3]))
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// allFinite reports whether all of x are finite; if the sum of their squares is, they are.
func allFinite(x []float64) bool { return isFinite(dot(x, x)) || isFinite(normInf(x)) }

func clone(x []float64) []float64 { return append([]float64(nil), x...) }
