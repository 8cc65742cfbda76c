package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what reductions are made into: variance, standard deviation and norms, in forms that do not lose digits
// or overflow on the way, with gradients that are finite where the textbook's divide by zero.

// Var is the variance along the axes, or of all elements: the sum of squared distances from the mean divided by n -
// correction, n being the number of elements. A correction of 1 makes it unbiased, and is torch.var's default; 0 is the
// variance of the elements themselves, as normalization layers use it. If n does not exceed the correction it is NaN or
// infinite. It is exactly 0 if all elements are equal, and keeps its digits if the mean is large.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Var(correction int, axes ...int) *Value {
	d := v.orLost().centered(axes)
	square := d.Square().Sum(axes...)
	if square.failed || square.Size() == 0 {
		return square
	}
	weight := degrees(v, square, correction)
	// The distances add up to zero, so the gradient through the mean vanishes and is left out:
	// dx = dy 2 (x - mean) / (n - correction).
	return WithGradient(square.Scale(weight), []*Value{v}, func(dy *Value) []*Value {
		return []*Value{d.Mul(dy.Scale(2*weight).along(v, axes...))}
	})
}

// degrees is 1/(n - correction), n being the number of elements of v for each of the result.
func degrees(v, result *Value, correction int) float64 {
	return 1 / float64(max(v.Size()/result.Size()-correction, 0))
}

// centered is the distance of each element from the mean along the axes. The mean is rounded, and so is the product with 1/n that makes it: the mean
// of the distances from it, added to it, makes it the nearest number there is, which for equal elements is the elements themselves. The mean of
// the distances from that is the part of it that no number can hold.
func (v *Value) centered(axes []int) *Value {
	mean := v.Mean(axes...)
	if mean.failed || mean.Size() == 0 {
		return v.Sub(mean.along(v, axes...))
	}
	wide := func(mean *Value) *Value { return mean.along(v, axes...) }
	mean = mean.Add(v.Sub(wide(mean)).Mean(axes...))
	d := v.Sub(wide(mean))
	d = d.Sub(wide(d.Mean(axes...)))
	return WithGradient(d, []*Value{v}, func(dd *Value) []*Value { return []*Value{dd.Sub(wide(dd.Mean(axes...)))} })
}

// Std is the standard deviation along the axes, or of all elements: the square root of Var with that correction. Distances are divided by
// the largest on the way, so that no square overflows. The gradient is 0 if all elements are equal. Equal to torch.std.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Std(correction int, axes ...int) *Value {
	d := v.orLost().centered(axes)
	unit := d.unit(axes)
	square := d.Div(unit.along(v, axes...)).Square().Sum(axes...)
	if square.failed || square.Size() == 0 {
		return square
	}
	weight := degrees(v, square, correction)
	std := square.Scale(weight).Sqrt().Mul(unit)
	// dx = dy (x - mean) / ((n - correction) std).
	var y *Value
	y = WithGradient(std, []*Value{v}, func(dy *Value) []*Value {
		zero := y.Eq(Num(0))
		slope := zero.branch(Num(0), dy.Scale(weight)).Div(zero.branch(Num(1), y))
		return []*Value{d.Mul(slope.along(v, axes...))}
	})
	return y
}

// unit is the largest magnitude along the axes, a constant, or 1 if that is 0 or not finite.
func (v *Value) unit(axes []int) *Value {
	largest := v.Abs().Max(axes...).StopGradient()
	return largest.IsFinite().And(largest.Ne(Num(0))).branch(largest, Num(1))
}

// Norm is the p-norm along the axes, or of all elements: (sum |v|^p)^(1/p). A p of infinity means the largest magnitude, -Inf the
// smallest, and 0 the number of elements that are not 0. Elements are divided by the largest magnitude on the way, so
// that none overflows. The gradient with respect to an element that is 0 is 0, as is the gradient of a norm that is 0. Equal to
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
	unit := v.unit(axes)
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

// Cdist returns the distance of each row of v from each row of o: the p-norm of their difference, as Norm, for a p of 0 or more. The gradient
// of points that coincide is 0, and neither large nor small distances lose digits. With p infinite, coordinates that share the largest
// distance share the gradient evenly. Batch axes are aligned at the last of them, and each has equal sizes or a 1. Equal to torch.cdist, with
// compute_mode "donot_use_mm_for_euclid_dist", and to scipy.spatial.distance.cdist with the metric "minkowski".
//
// Shapes: [batch... m d], [batch... n d] -> [batch... m n].
func (v *Value) Cdist(o Operand, p float64) *Value {
	v = v.orLost()
	w := v.operand(o)
	if failed := v.unusable("Cdist", v, w); failed != nil {
		return failed
	}
	var err error
	switch {
	case !(p >= 0):
		err = newProblem("the power %v should be 0 or more", p)
	case !v.DType().IsFloat() || v.DType() != w.DType():
		err = newProblem("the operands are %v and %v and should both be f32 or both f64", v.DType(), w.DType()).WithHint("Cast them")
	case v.Rank() < 2 || w.Rank() < 2 || v.Dim(-1) != w.Dim(-1):
		err = newProblem("the operands are %s and %s and should be rows of one size", ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape))
	}
	if err != nil {
		return v.graph.failAs("Cdist", []*Value{v, w}, err)
	}
	rank := max(v.Rank(), w.Rank())
	difference := v.Reshape(ranked(v.typ.Shape, rank)...).Unsqueeze(-2).Sub(w.Reshape(ranked(w.typ.Shape, rank)...).Unsqueeze(-3))
	if v.Dim(-1) == 0 {
		return difference.Sum(-1)
	}
	return difference.Norm(p, -1)
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
