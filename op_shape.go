package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the ops that arrange elements anew and compute nothing. Most are views: the compiler reads the operand's
// memory with other strides.

// reshapeOp arranges the elements, in row-major order, in another shape.
type reshapeOp struct{ irop.Reshape }

func (op reshapeOp) grad(y, dy *Value) []*Value { return []*Value{dy.Reshape(y.in[0].typ.Shape...)} }

// Reshape returns the elements, in row-major order, in another shape. One size may be -1: it is computed from the others.
//
// Shapes: [d...] -> shape, with as many elements.
func (v *Value) Reshape(shape ...int) *Value {
	v = v.orLost()
	if slices.Equal(shape, v.typ.Shape) {
		return v
	}
	return v.graph.add(reshapeOp{irop.Reshape{Shape: slices.Clone(shape)}}, v)
}

// Unsqueeze adds axes of size 1 at the given places of the result; a negative place counts from the result's last axis.
//
// Shapes: [d...] -> [d...] with a 1 at each place.
func (v *Value) Unsqueeze(axes ...int) *Value {
	v = v.orLost()
	op := reshapeOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	if len(axes) == 0 {
		return v
	}
	at, err := normalAxes(axes, len(v.typ.Shape)+len(axes))
	if err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	shape := slices.Clone(v.typ.Shape)
	for _, a := range at {
		shape = slices.Insert(shape, a, 1)
	}
	return v.Reshape(shape...)
}

// Squeeze removes axes of size 1, or every axis of size 1 if none is named. An axis of another size is an error;
// torch.squeeze leaves it.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Squeeze(axes ...int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	at, err := normalAxes(axes, len(v.typ.Shape))
	if err != nil {
		return v.graph.failAs("Squeeze", []*Value{v}, err)
	}
	shape := []int{}
	for a, d := range v.typ.Shape {
		switch {
		case !slices.Contains(at, a):
			shape = append(shape, d)
		case d != 1 && len(axes) > 0:
			return v.graph.failAs("Squeeze", []*Value{v}, newProblem("axis %d of %s has size %d and should have 1", a, ir.ShapeString(v.typ.Shape), d).
				WithHint("Slice takes one index of an axis, Sum adds an axis up"))
		case d != 1:
			shape = append(shape, d)
		}
	}
	return v.Reshape(shape...)
}

// Flatten makes one axis of the axes from first to last, both included. Flatten(1, -1) keeps the batch axis and makes rows
// of the rest. Equal to torch.flatten.
//
// Shapes: [... d1 ... dn ...] -> [... d1*...*dn ...].
func (v *Value) Flatten(first, last int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	if len(v.typ.Shape) == 0 { // as in PyTorch a scalar becomes a vector of one
		return v.Reshape(1)
	}
	a, err := normalAxis(first, len(v.typ.Shape))
	if err != nil {
		return v.graph.failAs("Flatten", []*Value{v}, err)
	}
	b, err := normalAxis(last, len(v.typ.Shape))
	if err != nil {
		return v.graph.failAs("Flatten", []*Value{v}, err)
	}
	if a > b {
		return v.graph.failAs("Flatten", []*Value{v}, newProblem("the first axis %d comes after the last axis %d", a, b))
	}
	shape := slices.Clone(v.typ.Shape)
	return v.Reshape(slices.Replace(shape, a, b+1, ir.Size(shape[a:b+1]))...)
}

// permuteOp reorders the axes.
type permuteOp struct{ irop.Permute }

func (op permuteOp) grad(y, dy *Value) []*Value {
	inverse := make([]int, len(op.Axes))
	for i, a := range op.Axes {
		inverse[a] = i
	}
	return []*Value{dy.Permute(inverse...)}
}

// Permute reorders the axes: axis i of the result is axis axes[i] of v.
//
// Shapes: [d0 d1 ...] -> [d(axes[0]) d(axes[1]) ...].
func (v *Value) Permute(axes ...int) *Value {
	v = v.orLost()
	op := permuteOp{irop.Permute{Axes: slices.Clone(axes)}}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	if _, err := normalAxes(axes, len(v.typ.Shape)); err != nil && len(axes) > 0 {
		return v.graph.fail(op, []*Value{v}, err)
	}
	for i, a := range axes {
		op.Axes[i], _ = normalAxis(a, len(v.typ.Shape))
	}
	return v.graph.add(op, v)
}

// Transpose exchanges two axes. Shapes: [... a ... b ...] -> [... b ... a ...].
func (v *Value) Transpose(a, b int) *Value {
	v = v.orLost()
	axes := make([]int, len(v.typ.Shape))
	for i := range axes {
		axes[i] = i
	}
	op := permuteOp{irop.Permute{Axes: axes}}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	i, err := normalAxis(a, len(axes))
	if err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	j, err := normalAxis(b, len(axes))
	if err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	axes[i], axes[j] = j, i
	return v.graph.add(op, v)
}

// T exchanges the last two axes. Shapes: [... m n] -> [... n m].
func (v *Value) T() *Value { return v.Transpose(-2, -1) }

// flipOp turns axes round.
type flipOp struct{ irop.Flip }

func (op flipOp) grad(y, dy *Value) []*Value { return []*Value{dy.Flip(op.Axes...)} }

// Flip reverses the order of the indices of the axes, or of every axis if none is named. Equal to torch.flip.
//
// Shapes: [d...] -> [d...].
func (v *Value) Flip(axes ...int) *Value {
	v = v.orLost()
	op := flipOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.Axes, err = normalAxes(axes, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	if len(op.Axes) == 0 {
		return v
	}
	return v.graph.add(op, v)
}
