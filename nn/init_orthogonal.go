package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the orthogonal initializer and the orthogonalization that it needs.

// Orthogonal draws a matrix with orthonormal rows or columns, whichever are fewer, uniformly among all such matrices, and
// scales it by gain. A weight of more axes is taken as a matrix of its first axis by all others. Equal in distribution to
// torch.nn.init.orthogonal_.
// Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear networks, ICLR 2014.
func Orthogonal(gain float64) tarn.Initializer {
	if !scale(gain) {
		return broken(badGain, "Orthogonal", gain)
	}
	return inRange(2*gain, func(t *tarn.Tensor, r *tarn.Random) {
		if t.Size() == 0 {
			return
		}
		rows := 1
		if t.Rank() > 0 {
			rows = t.Shape()[0]
		}
		cols := t.Size() / rows
		n, m := min(rows, cols), max(rows, cols) // n orthonormal vectors of length m
		normal := tarn.Zeros(tarn.F64, n, m)
		r.Normal(normal, 0, 1)
		q := normal.F64()
		orthonormalize(q, n, m)
		for i := range rows {
			for j := range cols {
				at := i*m + j
				if rows > cols {
					at = j*m + i
				}
				t.SetFloat(i*cols+j, gain*q[at])
			}
		}
	}, "Orthogonal with the gain %v", gain)
}

// orthonormalize makes the n rows of length m orthonormal by modified Gram-Schmidt, each row cleared twice of its part along
// the rows before, so that rounding leaves none ("twice is enough": Giraud et al., 2005). The factor R has a positive
// diagonal by construction, which makes the result of a normal matrix uniform with no fix of signs: Mezzadri, How to
// generate random matrices from the classical compact groups, 2007.
func orthonormalize(q []float64, n, m int) {
	row := func(i int) []float64 { return q[i*m : (i+1)*m] }
	for i := range n {
		v := row(i)
		for range 2 {
			for j := range i {
				subtract(v, dot(row(j), v), row(j))
			}
		}
		if norm := math.Sqrt(dot(v, v)); norm > 0 {
			for k := range v {
				v[k] /= norm
			}
		}
	}
}

// subtract takes c*u from v.
func subtract(v []float64, c float64, u []float64) {
	u = u[:len(v)]
	for i := range v {
		v[i] -= c * u[i]
	}
}

// dot is the inner product, in four sums that the machine can add side by side.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
