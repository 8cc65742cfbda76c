package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds quantiles, medians and the most frequent element: compositions of a sort. NaN counts as larger than every number, so that the
// last element of a sorted line tells whether there is one.

// ordered returns the elements along the axes, or all of them, in ascending order along a new last axis, the others before it, for the quantile q.
func (v *Value) ordered(name string, q float64, axes []int) *Value {
	v = v.float(name)
	if v.failed {
		return v
	}
	all, err := normalAxes(axes, v.Rank())
	var kept, shape []int
	n := 1
	for a, d := range v.typ.Shape {
		if slices.Contains(all, a) {
			n *= d
		} else {
			kept, shape = append(kept, a), append(shape, d)
		}
	}
	switch {
	case err != nil:
	case !(q >= 0 && q <= 1):
		err = newProblem("the quantile %v should be from 0 to 1", q)
	case n == 0:
		err = newProblem("%s has no elements along the axes to choose from", ir.ShapeString(v.typ.Shape))
	}
	if err != nil {
		return v.graph.failAs(name, []*Value{v}, err)
	}
	line, _ := v.Permute(append(kept, all...)...).Reshape(append(shape, n)...).Sort(-1, false)
	return line
}

// at is element i of the last axis, which it drops.
func (v *Value) at(i int) *Value { return v.Slice(-1, i, i+1).Squeeze(-1) }

// orNaN is v, or NaN where the last of the sorted elements s is NaN.
func (v *Value) orNaN(s *Value) *Value {
	last := s.at(s.typ.Shape[s.Rank()-1] - 1)
	return last.Eq(last).Where(v, Num(math.NaN()))
}

// Quantile is the number below which the fraction q of the elements along the axes, or of all, lies, from 0 to 1. Between two elements it is
// interpolated. It is NaN if one is NaN. The gradient goes to the one or two elements. Equal to torch.quantile with one q.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Quantile(q float64, axes ...int) *Value {
	s := v.ordered("Quantile", q, axes)
	if s.failed {
		return s
	}
	at := q * float64(s.typ.Shape[s.Rank()-1]-1)
	i := int(at)
	y := s.at(i)
	if part := at - float64(i); part > 0 {
		y = y.Lerp(s.at(i+1), Num(part))
	}
	return y.orNaN(s)
}

// Median is the element in the middle of those along the axes, or of all, in ascending order, of two the smaller: Quantile with q = 0.5 averages
// them. It is NaN if one is NaN. The gradient goes to the element; of equal ones to one of them. Equal to the values of torch.median.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Median(axes ...int) *Value {
	s := v.ordered("Median", 0.5, axes)
	if s.failed {
		return s
	}
	return s.at((s.typ.Shape[s.Rank()-1] - 1) / 2).orNaN(s)
}

// KthValue returns the k-th smallest element along an axis, counted from 1, and its index as I64. Of equal elements the first comes first, and NaN
// counts as larger than every number. The gradient goes to the element. Equal to torch.kthvalue.
//
// Shapes: [... d ...] -> [... ...], [... ...] with 1 <= k <= d.
func (v *Value) KthValue(axis, k int) (value, indices *Value) {
	a, d, err := v.splitAxis(axis)
	if v = v.orLost(); err == nil && !v.failed && (k < 1 || k > d) {
		err = newProblem("element %d is asked for of axis %d of size %d", k, a, d).WithHint("k counts from 1")
	}
	if err != nil {
		v = v.graph.failAs("KthValue", []*Value{v}, err)
	}
	if v.failed {
		return v, v
	}
	at := v.ArgSort(a, false).Slice(a, k-1, k)
	return v.Gather(a, at).Squeeze(a), at.Squeeze(a)
}

// Mode returns the most frequent element along an axis, the smallest of several, and the index of the last of its occurrences as I64. NaN differs
// from NaN. The gradient goes to the element that the index names. Equal to torch.mode.
//
// Shapes: [... d ...] -> [... ...], [... ...] with d > 0.
func (v *Value) Mode(axis int) (mode, indices *Value) {
	a, d, err := v.splitAxis(axis)
	if v = v.orLost(); err == nil && !v.failed && d == 0 {
		err = newProblem("axis %d of %s has no elements to choose from", a, ir.ShapeString(v.typ.Shape))
	}
	if err != nil {
		v = v.graph.failAs("Mode", []*Value{v}, err)
	}
	if v.failed {
		return v, v
	}
	order := v.ArgSort(a, false)
	s := v.Gather(a, order).StopGradient()
	// The length of a run of equal elements up to each: its place less that of the run's first element.
	place := v.graph.Iota(I64, a, v.typ.Shape...)
	length := place
	if d > 1 {
		first := s.Slice(a, 1, d).Ne(s.Slice(a, 0, d-1)).Where(place.Slice(a, 1, d), Num(0))
		begin, _ := Concat(a, place.Slice(a, 0, 1), first).CumMax(a)
		length = place.Sub(begin)
	}
	at := order.Gather(a, length.ArgMax(a).Unsqueeze(a))
	return v.Gather(a, at).Squeeze(a), at.Squeeze(a)
}
