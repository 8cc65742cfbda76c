package tarn

import "math"

// This file holds the reductions that leave out NaN. The derivative with respect to an element that is NaN is 0.

// notNaN returns v with another number in the place of NaN, and which elements are none.
func (v *Value) notNaN(name string, number float64) (clean, valid *Value) {
	v = v.float(name)
	valid = v.Eq(v)
	return valid.Where(v, Num(number)), valid
}

// NanSum adds the elements along the axes, or all of them, NaN left out. Equal to torch.nansum.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanSum(axes ...int) *Value {
	clean, _ := v.notNaN("NanSum", 0)
	return clean.Sum(axes...)
}

// NanMean averages the elements along the axes, or all of them, NaN left out; of no elements it is NaN. Equal to torch.nanmean.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanMean(axes ...int) *Value {
	clean, valid := v.notNaN("NanMean", 0)
	sum := clean.Sum(axes...)
	if sum.failed {
		return sum
	}
	return sum.Div(valid.Sum(axes...).Cast(clean.DType()))
}

// NanMax returns the largest element along the axes, or of all, NaN left out; of no elements it is NaN. Elements that share the largest value
// share the gradient evenly. Equal to numpy.nanmax.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanMax(axes ...int) *Value {
	clean, valid := v.notNaN("NanMax", math.Inf(-1))
	return clean.Max(axes...).unlessNone(valid, axes)
}

// NanMin returns the smallest element along the axes, or of all, NaN left out; of no elements it is NaN. Elements that share the smallest value
// share the gradient evenly. Equal to numpy.nanmin.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanMin(axes ...int) *Value {
	clean, valid := v.notNaN("NanMin", math.Inf(1))
	return clean.Min(axes...).unlessNone(valid, axes)
}

// unlessNone is v, or NaN where no element along the axes is valid.
func (v *Value) unlessNone(valid *Value, axes []int) *Value {
	if v.failed {
		return v
	}
	return valid.Any(axes...).Where(v, Num(math.NaN()))
}

// NanQuantile is Quantile with NaN left out; of no elements it is NaN. Equal to torch.nanquantile.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanQuantile(q float64, axes ...int) *Value {
	s := v.ordered("NanQuantile", q, axes)
	if s.failed {
		return s
	}
	n := s.Eq(s).Sum(-1).Unsqueeze(-1)
	at := n.AddNum(-1).Maximum(Num(0)).Cast(F64).Scale(q)
	low := at.Floor()
	i := low.Cast(I64)
	above := s.Gather(-1, i.AddNum(1).Minimum(n.AddNum(-1).Maximum(Num(0))))
	return s.Gather(-1, i).Lerp(above, at.Sub(low).Cast(s.DType())).Squeeze(-1)
}

// NanMedian is Median with NaN left out; of no elements it is NaN. Equal to torch.nanmedian.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) NanMedian(axes ...int) *Value {
	s := v.ordered("NanMedian", 0.5, axes)
	if s.failed {
		return s
	}
	n := s.Eq(s).Sum(-1).Unsqueeze(-1)
	return s.Gather(-1, n.AddNum(-1).Maximum(Num(0)).Div(Num(2))).Squeeze(-1)
}
