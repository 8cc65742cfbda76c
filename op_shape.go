package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the ops that arrange elements anew and compute nothing. Most are views: the compiler reads the operand's
// memory with other strides.

// reshapeOp gives the elements, in row-major order, another shape.
type reshapeOp struct{ shape []int }

func (op reshapeOp) Name() string  { return "Reshape" }
func (op reshapeOp) Attrs() string { return ir.ShapeString(op.shape) }

func (op reshapeOp) Infer(in []ir.Type) (ir.Type, error) {
	shape, err := reshaped(in[0].Shape, op.shape)
	return ir.Type{DType: in[0].DType, Shape: shape}, err
}

// reshaped works out the new shape, in which one size may be -1.
func reshaped(from, to []int) ([]int, error) {
	to = slices.Clone(to)
	if to == nil {
		to = []int{}
	}
	known, open := 1, -1
	for i, d := range to {
		switch {
		case d >= 0:
			known *= d
		case d == -1 && open < 0:
			open = i
		case d == -1:
			return nil, newProblem("only one size of %s may be -1", ir.ShapeString(to))
		default:
			return nil, newProblem("the size %d at axis %d is negative", d, i)
		}
	}
	n := ir.Size(from)
	if open >= 0 {
		if known == 0 || n%known != 0 {
			return nil, newProblem("%s has %d elements, which %s cannot hold whatever the -1 is", ir.ShapeString(from), n, ir.ShapeString(to))
		}
		to[open] = n / known
	} else if known != n {
		return nil, newProblem("%s has %d elements and %s holds %d", ir.ShapeString(from), n, ir.ShapeString(to), known)
	}
	return to, nil
}

func (op reshapeOp) Eval(out ir.Array, in []ir.Array) { copy(out.Raw(), in[0].Raw()) }

// Move merges and splits axes of the view; it is false where a new axis would need two strides.
func (op reshapeOp) Move(v ir.View) (ir.View, bool) {
	shape, _ := reshaped(v.Shape, op.shape)
	if v.Contiguous() {
		return ir.View{Shape: shape, Strides: ir.Strides(shape), Offset: v.Offset}, true
	}
	// Walk both shapes, matching groups of axes of equal size. Within a group the old axes must be contiguous.
	strides := make([]int, len(shape))
	i, j := 0, 0
	for i < len(v.Shape) || j < len(shape) {
		from, to := 1, 1
		i0, j0 := i, j
		for i == i0 && j == j0 || from != to {
			if from <= to && i < len(v.Shape) && (from < to || i == i0) {
				from *= v.Shape[i]
				i++
			} else if j < len(shape) {
				to *= shape[j]
				j++
			} else {
				from *= v.Shape[i]
				i++
			}
		}
		stride := 0
		for a := i - 1; a >= i0; a-- {
			if v.Shape[a] == 1 {
				continue
			}
			stride = v.Strides[a]
			break
		}
		want := stride
		for a := i - 1; a >= i0; a-- {
			if v.Shape[a] == 1 {
				continue
			}
			if v.Strides[a] != want {
				return ir.View{}, false
			}
			want *= v.Shape[a]
		}
		for b := j - 1; b >= j0; b-- {
			strides[b] = stride
			stride *= shape[b]
		}
	}
	return ir.View{Shape: shape, Strides: strides, Offset: v.Offset}, true
}

func (op reshapeOp) grad(y, dy *Value) []*Value { return []*Value{dy.Reshape(y.in[0].typ.Shape...)} }

// Reshape gives the elements, in row-major order, another shape. One size may be -1: it is worked out from the rest.
//
// Shapes: [d...] -> shape, with as many elements.
func (v *Value) Reshape(shape ...int) *Value {
	if slices.Equal(shape, v.typ.Shape) {
		return v
	}
	return v.graph.add(reshapeOp{slices.Clone(shape)}, v)
}

// Unsqueeze adds axes of size 1 at the given places of the result; a negative place counts from the result's last axis.
//
// Shapes: [d...] -> [d...] with a 1 at each place.
func (v *Value) Unsqueeze(axes ...int) *Value {
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

// Squeeze removes axes of size 1, or every axis of size 1 where none is named. An axis of another size is an error, where
// torch.squeeze leaves it.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) Squeeze(axes ...int) *Value {
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
				withHint("Slice takes one index of an axis, Sum adds an axis up"))
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
type permuteOp struct{ axes []int }

func (op permuteOp) Name() string  { return "Permute" }
func (op permuteOp) Attrs() string { return axesString(op.axes) }

func (op permuteOp) Infer(in []ir.Type) (ir.Type, error) {
	if len(op.axes) != len(in[0].Shape) {
		return ir.Type{}, newProblem("%d axes are named for a value of rank %d", len(op.axes), len(in[0].Shape))
	}
	shape := make([]int, len(op.axes))
	for i, a := range op.axes {
		shape[i] = in[0].Shape[a]
	}
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

func (op permuteOp) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

func (op permuteOp) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: make([]int, len(op.axes)), Strides: make([]int, len(op.axes)), Offset: v.Offset}
	for i, a := range op.axes {
		w.Shape[i], w.Strides[i] = v.Shape[a], v.Strides[a]
	}
	return w, true
}

func (op permuteOp) grad(y, dy *Value) []*Value {
	inverse := make([]int, len(op.axes))
	for i, a := range op.axes {
		inverse[a] = i
	}
	return []*Value{dy.Permute(inverse...)}
}

// Permute reorders the axes: axis i of the result is axis axes[i] of v.
//
// Shapes: [d0 d1 ...] -> [d(axes[0]) d(axes[1]) ...].
func (v *Value) Permute(axes ...int) *Value {
	op := permuteOp{slices.Clone(axes)}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	if _, err := normalAxes(axes, len(v.typ.Shape)); err != nil && len(axes) > 0 {
		return v.graph.fail(op, []*Value{v}, err)
	}
	for i, a := range axes {
		op.axes[i], _ = normalAxis(a, len(v.typ.Shape))
	}
	return v.graph.add(op, v)
}

// Transpose exchanges two axes. Shapes: [... a ... b ...] -> [... b ... a ...].
func (v *Value) Transpose(a, b int) *Value {
	axes := make([]int, len(v.typ.Shape))
	for i := range axes {
		axes[i] = i
	}
	op := permuteOp{axes}
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
type flipOp struct{ axes []int }

func (op flipOp) Name() string                        { return "Flip" }
func (op flipOp) Attrs() string                       { return axesString(op.axes) }
func (op flipOp) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }
func (op flipOp) Eval(out ir.Array, in []ir.Array)    { evalMove(op, out, in) }

// Move starts at the last index of each axis and walks backwards.
func (op flipOp) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: v.Shape, Strides: slices.Clone(v.Strides), Offset: v.Offset}
	for _, a := range op.axes {
		w.Offset += max(v.Shape[a]-1, 0) * v.Strides[a]
		w.Strides[a] = -v.Strides[a]
	}
	return w, true
}

func (op flipOp) grad(y, dy *Value) []*Value { return []*Value{dy.Flip(op.axes...)} }

// Flip reverses the order of the indices of the axes, or of every axis where none is named. Equal to torch.flip.
//
// Shapes: [d...] -> [d...].
func (v *Value) Flip(axes ...int) *Value {
	op := flipOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.axes, err = normalAxes(axes, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	if len(op.axes) == 0 {
		return v
	}
	return v.graph.add(op, v)
}
