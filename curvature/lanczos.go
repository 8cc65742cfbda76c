package curvature

import (
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/seed-49005b45/tarn/internal/factor"
)

// This file holds the Lanczos method: an orthonormal basis that grows by products with the matrix, and the matrix projected on it.
// All vectors are kept and every new one is made orthogonal to all, twice, so that no eigenvalue appears more often than it should.
// (Lanczos 1950; Golub and Van Loan 2013, Matrix computations, chapter 10.)

// basis is some orthonormal vectors v and the matrix of all v'Av.
type basis struct {
	of        *counted
	vectors   [][]float64
	projected [][]float64 // row i has the elements 0 to i
	rest      []float64   // what the last product has outside of the basis, and its length
	length    float64
}

// orthogonalize subtracts from w its part in the basis and returns the coefficients of that part.
func (b *basis) orthogonalize(w []float64) []float64 {
	in := make([]float64, len(b.vectors))
	for range 2 {
		for i, v := range b.vectors {
			c := floats.Dot(v, w)
			in[i] += c
			floats.AddScaled(w, -c, v)
		}
	}
	return in
}

// begin makes a random vector the next direction. It reports false if the basis spans the whole space.
func (b *basis) begin(random *rand.Rand) bool {
	if len(b.vectors) >= b.of.Size {
		return false
	}
	b.rest = make([]float64, b.of.Size)
	for b.length = 0; b.length < 1e-8; { // a vector that happens to lie in the basis is drawn anew
		for i := range b.rest {
			b.rest[i] = random.NormFloat64()
		}
		floats.Scale(1/floats.Norm(b.rest, 2), b.rest)
		b.orthogonalize(b.rest)
		b.length = floats.Norm(b.rest, 2)
	}
	return true
}

// grow adds the next direction to the basis.
func (b *basis) grow() error {
	v := b.rest
	floats.Scale(1/b.length, v)
	w, err := b.of.product(v)
	if err != nil {
		return err
	}
	b.vectors = append(b.vectors, v)
	b.projected = append(b.projected, b.orthogonalize(w))
	b.rest, b.length = w, floats.Norm(w, 2)
	return nil
}

// exhausted reports whether the last product has nothing outside of the basis, up to rounding.
func (b *basis) exhausted(scale float64) bool { return b.length <= 1e-13*scale }

// ritz returns the eigenvalues of the projected matrix, from the least on, and its eigenvectors as columns.
func (b *basis) ritz() (values []float64, vectors *mat.Dense, err error) {
	k := len(b.vectors)
	t := make([]float64, k*k)
	for i, row := range b.projected {
		for j, x := range row {
			t[i*k+j], t[j*k+i] = x, x
		}
	}
	values = make([]float64, k)
	factor.EigH(values, t, k, make([]float64, factor.EigHWork(k)))
	if math.IsNaN(values[0]) {
		return nil, nil, errors.New("curvature: the eigenvalues of the projected matrix cannot be found")
	}
	return values, mat.NewDense(k, k, t), nil
}

// combine returns the vector of the space for a vector of the projected one.
func (b *basis) combine(vectors *mat.Dense, column int) []float64 {
	x := make([]float64, b.of.Size)
	for i, v := range b.vectors {
		floats.AddScaled(x, vectors.At(i, column), v)
	}
	return x
}

// keep replaces the basis by some of its Ritz vectors, on which the matrix is diagonal. The next direction remains.
func (b *basis) keep(values []float64, vectors *mat.Dense, columns []int) {
	k := len(b.vectors)
	row := make([]float64, k)
	for at := range b.of.Size { // in place, an element of all vectors at a time
		for i := range row {
			row[i] = b.vectors[i][at]
		}
		for j, c := range columns {
			sum := 0.0
			for i, x := range row {
				sum += x * vectors.At(i, c)
			}
			b.vectors[j][at] = sum
		}
	}
	b.vectors = b.vectors[:len(columns)]
	b.projected = nil
	for i, c := range columns {
		r := make([]float64, i+1)
		r[i] = values[c]
		b.projected = append(b.projected, r)
	}
}
