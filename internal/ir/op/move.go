package op

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the movements that are always views of a whole array: the result is the operand's memory, read with other
// strides.

// evalMove is the reference kernel of every movement: it copies element by element through the view.
func evalMove(op ir.Movement, out ir.Array, in []ir.Array) {
	v, ok := op.Move(ir.ViewOf(in[0].Shape))
	if !ok {
		panic("op: " + op.Name() + " of a whole array is always a view")
	}
	for i := range out.Size() {
		out.CopyElement(i, in[0], v.At(i))
	}
}

// Reshape changes the shape and keeps the elements in row-major order. One size of Shape may be -1: it follows from the others.
type Reshape struct{ Shape []int }

// Name is "Reshape".
func (Reshape) Name() string { return "Reshape" }

// Attrs prints the shape.
func (op Reshape) Attrs() string { return ir.ShapeString(op.Shape) }

// Infer is the shape rule: [d...] -> Shape, with as many elements.
func (op Reshape) Infer(in []ir.Type) (ir.Type, error) {
	shape, err := reshaped(in[0].Shape, op.Shape)
	return ir.Type{DType: in[0].DType, Shape: shape}, err
}

// reshaped works out the new shape, in which one size may be -1.
func reshaped(from, to []int) ([]int, error) {
	to = slices.Clone(to)
	if to == nil {
		to = []int{}
	}
	known, open, most := 1, -1, 1 // most is known with 1 in place of 0, so that it tells an overflow in any case
	for i, d := range to {
		switch {
		case d > 0 && most > math.MaxInt/8/d:
			return nil, ir.NewProblem("shape %s holds more elements than memory can", ir.ShapeString(to))
		case d >= 0:
			known, most = known*d, most*max(d, 1)
		case d == -1 && open < 0:
			open = i
		case d == -1:
			return nil, ir.NewProblem("only one size of %s may be -1", ir.ShapeString(to))
		default:
			return nil, ir.NewProblem("the size %d at axis %d is negative", d, i)
		}
	}
	n := ir.Size(from)
	if open >= 0 {
		if known == 0 || n%known != 0 {
			return nil, ir.NewProblem("%s has %d elements, which %s cannot hold whatever the -1 is", ir.ShapeString(from), n, ir.ShapeString(to))
		}
		to[open] = n / known
	} else if known != n {
		return nil, ir.NewProblem("%s has %d elements and %s holds %d", ir.ShapeString(from), n, ir.ShapeString(to), known)
	}
	return to, nil
}

// Eval is the reference kernel.
func (op Reshape) Eval(out ir.Array, in []ir.Array) { copy(out.Raw(), in[0].Raw()) }

// Move merges and splits axes of the view; it is false if a new axis would need two strides.
func (op Reshape) Move(v ir.View) (ir.View, bool) {
	shape, _ := reshaped(v.Shape, op.Shape)
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

// Permute reorders the axes: axis i of the result is axis Axes[i] of the operand.
type Permute struct{ Axes []int }

// Name is "Permute".
func (Permute) Name() string { return "Permute" }

// Attrs prints the axes.
func (op Permute) Attrs() string { return axesString(op.Axes...) }

// Infer is the shape rule: [d0 d1 ...] -> [d(Axes[0]) d(Axes[1]) ...].
func (op Permute) Infer(in []ir.Type) (ir.Type, error) {
	if len(op.Axes) != len(in[0].Shape) {
		return ir.Type{}, ir.NewProblem("%d axes are named for a value of rank %d", len(op.Axes), len(in[0].Shape))
	}
	shape := make([]int, len(op.Axes))
	for i, a := range op.Axes {
		shape[i] = in[0].Shape[a]
	}
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

// Eval is the reference kernel.
func (op Permute) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

// Move reorders sizes and strides.
func (op Permute) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: make([]int, len(op.Axes)), Strides: make([]int, len(op.Axes)), Offset: v.Offset}
	for i, a := range op.Axes {
		w.Shape[i], w.Strides[i] = v.Shape[a], v.Strides[a]
	}
	return w, true
}

// Flip reverses the order of the indices of axes.
type Flip struct{ Axes []int }

// Name is "Flip".
func (Flip) Name() string { return "Flip" }

// Attrs prints the axes.
func (op Flip) Attrs() string { return axesString(op.Axes...) }

// Infer is the shape rule: any -> same.
func (op Flip) Infer(in []ir.Type) (ir.Type, error) { return in[0], nil }

// Eval is the reference kernel.
func (op Flip) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

// Move starts at the last index of each axis and walks backwards.
func (op Flip) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: v.Shape, Strides: slices.Clone(v.Strides), Offset: v.Offset}
	for _, a := range op.Axes {
		w.Offset += max(v.Shape[a]-1, 0) * v.Strides[a]
		w.Strides[a] = -v.Strides[a]
	}
	return w, true
}

// Broadcast repeats its operand to a larger shape, aligned at the last axes.
type Broadcast struct{ Shape []int }

// Name is "Broadcast".
func (Broadcast) Name() string { return "Broadcast" }

// Attrs prints the shape.
func (op Broadcast) Attrs() string { return ir.ShapeString(op.Shape) }

// Infer is the shape rule: [d...] with each d equal to the new size or 1 -> Shape.
func (op Broadcast) Infer(in []ir.Type) (ir.Type, error) {
	from := in[0].Shape
	lead := len(op.Shape) - len(from)
	if lead < 0 {
		return ir.Type{}, ir.NewProblem("cannot broadcast %s to %s, which has fewer axes", ir.ShapeString(from), ir.ShapeString(op.Shape))
	}
	for i, d := range from {
		if d != 1 && d != op.Shape[lead+i] {
			return ir.Type{}, ir.NewProblem("cannot broadcast %s to %s: axis %d has size %d and should have 1 or %d",
				ir.ShapeString(from), ir.ShapeString(op.Shape), i, d, op.Shape[lead+i])
		}
	}
	return ir.Type{DType: in[0].DType, Shape: op.Shape}, nil
}

// Eval is the reference kernel.
func (op Broadcast) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

// Move sets the strides of repeated axes to 0.
func (op Broadcast) Move(v ir.View) (ir.View, bool) {
	lead := len(op.Shape) - len(v.Shape)
	strides := make([]int, len(op.Shape))
	for i, d := range v.Shape {
		if d == op.Shape[lead+i] {
			strides[lead+i] = v.Strides[i]
		}
	}
	return ir.View{Shape: op.Shape, Strides: strides, Offset: v.Offset}, true
}

// Slice takes every Step-th index from Start to before Stop along an axis; Step is positive.
type Slice struct{ Axis, Start, Stop, Step int }

// Name is "Slice".
func (Slice) Name() string { return "Slice" }

// Attrs prints the axis and the range.
func (op Slice) Attrs() string {
	return fmt.Sprintf("axis=%d %d:%d:%d", op.Axis, op.Start, op.Stop, op.Step)
}

// Infer is the shape rule: [... d ...] -> [... ceil((Stop-Start)/Step) ...].
func (op Slice) Infer(in []ir.Type) (ir.Type, error) {
	d := in[0].Shape[op.Axis]
	if op.Step < 1 {
		return ir.Type{}, ir.NewProblem("the step %d should be at least 1", op.Step).WithHint("Flip turns an axis round")
	}
	if op.Start < 0 || op.Stop < op.Start || op.Stop > d {
		return ir.Type{}, ir.NewProblem("the range %d:%d does not lie in axis %d of size %d", op.Start, op.Stop, op.Axis, d)
	}
	shape := slices.Clone(in[0].Shape)
	shape[op.Axis] = op.size()
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

// size is the number of indices taken.
func (op Slice) size() int {
	if op.Stop == op.Start {
		return 0
	}
	return (op.Stop-op.Start-1)/op.Step + 1
}

// Eval is the reference kernel.
func (op Slice) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

// Move starts at the first index and widens the stride.
func (op Slice) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: slices.Clone(v.Shape), Strides: slices.Clone(v.Strides), Offset: v.Offset + op.Start*v.Strides[op.Axis]}
	w.Shape[op.Axis] = op.size()
	w.Strides[op.Axis] *= op.Step
	return w, true
}
