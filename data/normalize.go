package data

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file computes the mean and deviation of a field over a data set, and lets batches be normalized with them.

// Moments are the mean and the standard deviation of a field: one of each for all elements, or one of each for every
// element of an example. Compute them on the training set and normalize every set with them.
type Moments struct {
	Mean, Std []float64
}

// UnitBytes returns the moments that scale bytes to the range from 0 to 1.
func UnitBytes() Moments { return Moments{Mean: []float64{0}, Std: []float64{255}} }

// Moments computes the mean and the standard deviation (the population's, divided by N) of a field as batches hold it:
// over everything, or for each element of an example if perElement is true (the columns of a table, say). A deviation
// of 0 is returned as 1, so that a constant normalizes to 0.
func (s *Set) Moments(name string, perElement bool) (Moments, error) {
	i, err := s.find(name)
	if err != nil {
		return Moments{}, err
	}
	f := s.fields[i]
	if f.dtype == tarn.Bool {
		return Moments{}, fmt.Errorf("data: Moments: field %q holds bools", name)
	}
	if s.n == 0 || f.width == 0 {
		return Moments{}, fmt.Errorf("data: Moments: field %q has no values", name)
	}
	n := 1
	if perElement {
		n = f.width
	}
	m := Moments{make([]float64, n), make([]float64, n)}
	count := float64(s.n) * float64(f.width/n)

	// Three passes, with the sums taken a block of examples at a time: the sum of a block is small against the whole, which keeps its digits.
	// The mean is rounded; the second pass adds to it the mean distance from it, which makes the mean of a constant the constant itself. The third
	// squares distances that a power of two brings near 1, so that none overflows.
	f.dtype = tarn.F64
	if _, ok := f.data.(mixed); ok {
		return Moments{}, fmt.Errorf("data: Moments: field %q holds mixed labels", name)
	}
	block := max(1, 4096/f.width)
	values := tarn.Zeros(tarn.F64, block, f.width)
	fill, rows, part := s.plain(&f, values), s.order(nil), make([]float64, n)
	var failed error
	each := func(add func(sum []float64, element int, x float64), total []float64) {
		for lo := 0; lo < len(rows) && failed == nil; lo += block {
			hi := min(lo+block, len(rows))
			failed = fill(rows[lo:hi])
			clear(part)
			for j, x := range values.F64()[:(hi-lo)*f.width] {
				add(part, j%n, x)
			}
			for j, x := range part {
				total[j] += x
			}
		}
		for j := range total {
			total[j] /= count
		}
	}
	each(func(sum []float64, j int, x float64) { sum[j] += x }, m.Mean)
	rest, largest, scale := make([]float64, n), make([]float64, n), make([]float64, n)
	each(func(sum []float64, j int, x float64) {
		sum[j] += x - m.Mean[j]
		largest[j] = max(largest[j], math.Abs(x-m.Mean[j]))
	}, rest)
	for j := range n {
		m.Mean[j] += rest[j]
		_, exponent := math.Frexp(largest[j])
		scale[j] = math.Ldexp(1, exponent)
	}
	each(func(sum []float64, j int, x float64) {
		d := (x - m.Mean[j]) / scale[j]
		sum[j] += d * d
	}, m.Std)
	for j := range n {
		if m.Std[j] = math.Sqrt(m.Std[j]) * scale[j]; m.Std[j] == 0 {
			m.Std[j] = 1
		}
	}
	if failed != nil {
		return Moments{}, failed
	}
	return m, nil
}

// Normalize returns the set in which a field is (x - mean) / std, where x is its value before. Integers become F32;
// call Cast before or after it to get F64.
func (s *Set) Normalize(name string, m Moments) (*Set, error) {
	i, err := s.find(name)
	if err != nil {
		return nil, err
	}
	f := s.fields[i]
	if f.dtype == tarn.Bool {
		return nil, fmt.Errorf("data: Normalize: field %q holds bools", name)
	}
	if _, ok := f.data.(mixed); ok {
		return nil, fmt.Errorf("data: Normalize: field %q holds mixed labels", name)
	}
	if len(m.Mean) != len(m.Std) || len(m.Mean) != 1 && len(m.Mean) != f.width {
		return nil, fmt.Errorf("data: Normalize: field %q has %d elements an example, the moments hold %d means and %d deviations: want one of each, or one for every element",
			name, f.width, len(m.Mean), len(m.Std))
	}
	for j, sd := range m.Std {
		if !(sd > 0) || math.IsInf(sd, 0) || math.IsNaN(m.Mean[j]) || math.IsInf(m.Mean[j], 0) {
			return nil, fmt.Errorf("data: Normalize: field %q: mean %v and deviation %v: want finite numbers, the deviation above 0", name, m.Mean[j], sd)
		}
	}
	return s.with(i, func(f *field) {
		f.norm = f.norm.then(m)
		if !f.dtype.IsFloat() {
			f.dtype = tarn.F32
		}
	}), nil
}

// apply normalizes x, element j of an example.
func (m Moments) apply(x float64, j int) float64 {
	switch len(m.Mean) {
	case 0:
		return x
	case 1:
		j = 0
	}
	return (x - m.Mean[j]) / m.Std[j]
}

// then returns m followed by next, as one step: ((x-a)/s - b)/t = (x - (a + s b))/(s t).
func (m Moments) then(next Moments) Moments {
	if len(m.Mean) == 0 {
		m = Moments{[]float64{0}, []float64{1}}
	}
	n := max(len(m.Mean), len(next.Mean))
	both := Moments{make([]float64, n), make([]float64, n)}
	for j := range n {
		i, k := min(j, len(m.Mean)-1), min(j, len(next.Mean)-1)
		both.Mean[j] = m.Mean[i] + m.Std[i]*next.Mean[k]
		both.Std[j] = m.Std[i] * next.Std[k]
	}
	return both
}
