package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the reductions: one op type for all kinds, and the compositions made of them. A reduction drops its
// axes from the shape; Unsqueeze with the same axes brings them back as size 1. No axes at all means every axis.

// reduceOp combines the elements along some axes.
type reduceOp struct{ irop.Reduce }

func (op reduceOp) grad(y, dy *Value) []*Value {
	x := y.in[0]
	back := func(v *Value) *Value { return v.along(x, op.Axes...).broadcastTo(x.typ.Shape) }
	switch op.Kind {
	case ir.ReduceSum:
		return []*Value{back(dy)}
	case ir.ReduceProd:
		// Dividing the product by each factor fails where one is zero. The product as a tree of products of two has a
		// gradient that is right for any factors, and so have its derivatives.
		return dy.graph.backward([]*Value{x.productTree(op.Axes)}, []*Value{dy}, []*Value{x}, []*Value{x})
	case ir.ReduceMax, ir.ReduceMin:
		// Elements that share the extreme value share the gradient evenly, as torch.amax.
		hit := x.Eq(back(y))
		share := hit.Cast(x.DType())
		return []*Value{share.Mul(back(dy.Div(share.Sum(op.Axes...)))).selected(false, func() *Value { return hit })}
	}
	return nil
}

func (v *Value) reduce(kind ir.ReduceKind, axes []int) *Value {
	v = v.orLost()
	op := reduceOp{irop.Reduce{Kind: kind}}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.Axes, err = normalAxes(axes, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	return v.graph.add(op, v)
}

// Sum adds the elements along the axes, or all of them. Of bools it is the number of those that are true, as I64. Equal to torch.sum.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Sum(axes ...int) *Value { return v.orLost().counted().reduce(ir.ReduceSum, axes) }

// counted is v, but bools as I64.
func (v *Value) counted() *Value {
	if !v.failed && v.DType() == Bool {
		return v.Cast(I64)
	}
	return v
}

// CountNonzero is the number of elements along the axes, or of all, that are not 0, as I64. NaN is not 0. Equal to torch.count_nonzero.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) CountNonzero(axes ...int) *Value {
	v = v.orLost()
	if v.failed || v.DType() == Bool {
		return v.Sum(axes...)
	}
	return v.Ne(Num(0)).Sum(axes...)
}

// KeepDims is a reduction of v over the axes, or over all, that keeps the axes with size 1, so that the result broadcasts with v:
//
//	x.Sub(x.KeepDims((*tarn.Value).Mean, -1))
//
// Equal to keepdim=True in PyTorch.
//
// Shapes: [d...] -> [d...] with 1 at the axes.
func (v *Value) KeepDims(reduce func(v *Value, axes ...int) *Value, axes ...int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	all, err := normalAxes(axes, v.Rank())
	if err == nil && reduce == nil {
		err = newProblem("the reduction is nil")
	}
	if err != nil {
		return v.graph.failAs("KeepDims", []*Value{v}, err)
	}
	y := reduce(v, axes...)
	want := []int{}
	for a, d := range v.typ.Shape {
		if !slices.Contains(all, a) {
			want = append(want, d)
		}
	}
	switch {
	case !y.exists():
		return v.graph.failAs("KeepDims", []*Value{v}, newProblem("the reduction returned nil"))
	case !y.failed && !slices.Equal(y.typ.Shape, want):
		return v.graph.failAs("KeepDims", []*Value{v}, newProblem("the reduction returned %s and should return %s", ir.ShapeString(y.typ.Shape), ir.ShapeString(want)))
	}
	return y.along(v, axes...)
}

// along returns v, which is x reduced over the axes, with these axes restored at size 1, so that it broadcasts with x.
func (v *Value) along(x *Value, axes ...int) *Value {
	v = v.orLost()
	if v.failed || x.failed {
		return v
	}
	all, err := normalAxes(axes, x.Rank())
	if err != nil {
		return v.graph.fail(reshapeOp{}, []*Value{v, x}, err)
	}
	return v.Unsqueeze(all...)
}

// productTree is the product over the axes by halving: element i times element i + n/2.
func (v *Value) productTree(axes []int) *Value {
	v = v.orLost()
	shape, order := []int{}, []int{}
	n := 1
	for a, d := range v.typ.Shape {
		if slices.Contains(axes, a) {
			n *= d
		} else {
			shape, order = append(shape, d), append(order, a)
		}
	}
	t := v.Permute(append(order, axes...)...).Reshape(append(slices.Clone(shape), n)...)
	if n == 0 {
		return t.Sum(-1) // nothing to differentiate
	}
	var odd *Value // the product of the elements that found no partner
	for n > 1 {
		if n%2 == 1 {
			if last := t.Slice(-1, n-1, n); odd == nil {
				odd = last
			} else {
				odd = odd.Mul(last)
			}
		}
		n /= 2
		t = t.Slice(-1, 0, n).Mul(t.Slice(-1, n, 2*n))
	}
	if odd != nil {
		t = t.Mul(odd)
	}
	return t.Reshape(shape...)
}

// Prod multiplies the elements along the axes, or all of them; the product of no elements is 1. Its gradient is right if elements
// are zero. Equal to torch.prod.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Prod(axes ...int) *Value { return v.reduce(ir.ReduceProd, axes) }

// Max returns the largest element along the axes, or of all, and NaN if one is NaN; of no elements it is -Inf or the least integer.
// Elements that share the largest value share the gradient evenly. Equal to torch.amax.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Max(axes ...int) *Value { return v.reduce(ir.ReduceMax, axes) }

// Min returns the smallest element along the axes, or of all, and NaN if one is NaN; of no elements it is +Inf or the largest
// integer. Elements that share the smallest value share the gradient evenly. Equal to torch.amin.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Min(axes ...int) *Value { return v.reduce(ir.ReduceMin, axes) }

// All returns whether all bools along the axes, or all there are, are true; of no elements it is true. Equal to torch.all.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) All(axes ...int) *Value { return v.reduce(ir.ReduceAll, axes) }

// Any returns whether one of the bools along the axes, or of all, is true; of no elements it is false. Equal to torch.any.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Any(axes ...int) *Value { return v.reduce(ir.ReduceAny, axes) }

// Mean averages the elements along the axes, or all of them; of no elements it is NaN. Equal to torch.mean.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Mean(axes ...int) *Value {
	v = v.orLost()
	s := v.Sum(axes...)
	if s.failed || s.Size() == 0 {
		return s
	}
	if !v.DType().IsFloat() {
		return v.graph.fail(meanOp{}, []*Value{v}, newProblem("the operand is %v and should be f32 or f64", v.DType()).WithHint("Cast it"))
	}
	return s.Scale(float64(s.Size()) / float64(v.Size()))
}

// meanOp names Mean in reports.
type meanOp struct{ failedOp }

func (meanOp) Name() string { return "Mean" }
