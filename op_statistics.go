package tarn

import "math"

// This file holds what reductions are made into: variance, standard deviation and norms, in forms that do not lose digits
// or overflow on the way, with gradients that are finite where the textbook's divide by zero.

// Var is the variance along the axes, or of all elements: the sum of squared distances from the mean divided by n -
// correction, n being the number of elements. A correction of 1 makes it unbiased, and is torch.var's default; 0 is the
// variance of the elements themselves, as normalization layers use it. Where n does not exceed the correction it is NaN or
// infinite. The mean is taken first and the distances in a second pass, which keeps digits where the mean is large.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Var(correction int, axes ...int) *Value {
	mean := v.Mean(axes...)
	d := v.Sub(mean.along(v, axes...))
	square := d.Square().Sum(axes...)
	if square.failed || square.Size() == 0 {
		return square
	}
	n := v.Size() / square.Size()
	weight := 1 / float64(max(n-correction, 0))
	// The distances add up to zero, so the gradient through the mean vanishes and is left out:
	// dx = dy 2 (x - mean) / (n - correction).
	return WithGradient(square.Scale(weight), []*Value{v}, func(dy *Value) []*Value {
		return []*Value{d.Mul(dy.Scale(2*weight).along(v, axes...))}
	})
}

// Std is the standard deviation along the axes, or of all elements: the square root of Var with that correction. Its
// gradient is 0 where all elements are equal. Equal to torch.std.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Std(correction int, axes ...int) *Value {
	return v.Var(correction, axes...).safeRoot(0.5)
}

// Norm is the p-norm along the axes, or of all elements: (sum |v|^p)^(1/p). Infinity gives the largest magnitude, -Inf the
// smallest, and 0 the number of elements that are not 0. Elements are divided by the largest magnitude on the way, so
// that none overflows. The gradient by an element that is 0 is 0, as is the gradient of a norm that is 0. Equal to
// torch.linalg.vector_norm.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Norm(p float64, axes ...int) *Value {
	size := v.Abs()
	switch {
	case math.IsInf(p, 1):
		return size.Max(axes...)
	case math.IsInf(p, -1):
		return size.Min(axes...)
	case p == 0:
		return v.Ne(Num(0)).Cast(v.DType()).Sum(axes...)
	case p == 1:
		return size.Sum(axes...)
	}
	largest := size.Max(axes...).StopGradient()
	unit := largest.IsFinite().And(largest.Ne(Num(0))).branch(largest, Num(1))
	scaled := v.Div(unit.along(v, axes...))
	if p == 2 {
		return scaled.Square().Sum(axes...).safeRoot(0.5).Mul(unit)
	}
	zero := scaled.Eq(Num(0))
	power := zero.branch(Num(1), scaled).Abs().Pow(Num(p))
	if p > 0 {
		power = zero.branch(Num(0), power)
	} else {
		power = zero.branch(Num(math.Inf(1)), power)
	}
	return power.Sum(axes...).safeRoot(1 / p).Mul(unit)
}

// safeRoot is v^exponent, with the gradient 0 where v is 0.
func (v *Value) safeRoot(exponent float64) *Value {
	zero := v.Eq(Num(0))
	safe := zero.branch(Num(1), v)
	if exponent == 0.5 {
		return zero.branch(Num(0), safe.Sqrt())
	}
	return zero.branch(Num(0), safe.Pow(Num(exponent)))
}
