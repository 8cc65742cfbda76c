package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the ops that put values together, and the slices that take them apart again.

// concatOp joins operands along an axis.
type concatOp struct{ irop.Concat }

func (op concatOp) grad(y, dy *Value) []*Value {
	ds := make([]*Value, len(y.in))
	at := 0
	for i, x := range y.in {
		d := x.typ.Shape[op.Axis]
		ds[i] = dy.Slice(op.Axis, at, at+d)
		at += d
	}
	return ds
}

// Concat joins values along an axis. The other axes have equal sizes. Equal to torch.cat.
//
// Shapes: [... d1 ...], [... d2 ...], ... -> [... d1+d2+... ...].
func Concat(axis int, values ...*Value) *Value {
	op := concatOp{}
	g := graphOf(values)
	if g == nil {
		return lose("there are no values").poison(op, values)
	}
	if !values[0].exists() || values[0].failed {
		return g.add(op, values...)
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(values[0].typ.Shape)); err != nil {
		return g.fail(op, values, err)
	}
	return g.add(op, values...)
}

// Stack puts values of one shape side by side along a new axis, which has this place in the result. Equal to torch.stack.
//
// Shapes: n of [d...] -> [d...] with n at the new axis.
func Stack(axis int, values ...*Value) *Value {
	wide := make([]*Value, len(values))
	for i, v := range values {
		if !v.exists() {
			continue
		}
		if v.failed {
			return v.graph.poison(concatOp{}, values)
		}
		if first := values[0]; first.exists() && first.graph == v.graph && !slices.Equal(first.typ.Shape, v.typ.Shape) {
			return v.graph.failAs("Stack", []*Value{first, v}, newProblem("operands 1 and %d have shapes %s and %s and should have one shape",
				i+1, ir.ShapeString(first.typ.Shape), ir.ShapeString(v.typ.Shape)))
		}
		wide[i] = v.Unsqueeze(axis)
		if wide[i].failed {
			return wide[i]
		}
	}
	return Concat(axis, wide...)
}

// sliceOp takes every step-th index from start to before stop along an axis; step is positive.
type sliceOp struct{ irop.Slice }

func (op sliceOp) grad(y, dy *Value) []*Value {
	d := y.in[0].typ.Shape[op.Axis]
	n := y.typ.Shape[op.Axis]
	used := 0
	if n > 0 {
		used = op.Start + (n-1)*op.Step + 1
	} else {
		used = op.Start
	}
	pad := padOp{irop.Pad{Axis: op.Axis, Before: op.Start, After: d - used, Step: op.Step}}
	return []*Value{dy.graph.add(pad, dy).selected(false, func() *Value {
		taken := slices.Repeat([]int{1}, dy.Rank())
		taken[op.Axis] = n
		return dy.graph.add(pad, dy.graph.Num(Bool, 1).broadcastTo(taken))
	})}
}

// Slice takes the indices from start to before stop along an axis. Negative bounds count from the end of the axis.
//
// Shapes: [... d ...] -> [... stop-start ...].
func (v *Value) Slice(axis, start, stop int) *Value { return v.SliceStep(axis, start, stop, 1) }

// SliceStep takes every step-th index from start to before stop along an axis. Negative bounds count from the end of the
// axis. A negative step goes backward from start to before stop, as in Python: all indices in reverse order are those from -1 to -d-1 with the
// step -1. PyTorch has no negative steps.
//
// Shapes: [... d ...] -> [... ceil((stop-start)/step) ...].
func (v *Value) SliceStep(axis, start, stop, step int) *Value {
	v = v.orLost()
	op := sliceOp{irop.Slice{Start: start, Stop: stop, Step: step}}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	d := v.typ.Shape[op.Axis]
	if start < 0 {
		op.Start += d
	}
	if stop < 0 {
		op.Stop += d
	}
	if op.Start == 0 && op.Stop == d && step == 1 {
		return v
	}
	if step >= 0 {
		return v.graph.add(op, v)
	}
	if op.Stop < -1 || op.Start < op.Stop || op.Start >= d {
		return v.graph.fail(op, []*Value{v}, newProblem("the range %d:%d does not go backward in axis %d of size %d", start, stop, op.Axis, d))
	}
	// The same indices, from the last to the first.
	first, n := op.Start, 0
	if op.Start > op.Stop {
		step = max(step, op.Stop-op.Start)
		n = (op.Start - op.Stop - 1) / -step
		first += n * step
		n++
	}
	if n == 0 {
		return v.Slice(op.Axis, 0, 0)
	}
	return v.SliceStep(op.Axis, first, op.Start+1, -step).Flip(op.Axis)
}

// Split cuts an axis into parts of the given sizes, which add up to the size of the axis. Equal to torch.split with a list.
//
// Shapes: [... d ...] -> [... d1 ...], [... d2 ...], ... with d1+d2+... = d.
func (v *Value) Split(axis int, sizes ...int) []*Value {
	a, d, err := v.splitAxis(axis)
	total := 0
	for i, size := range sizes {
		if size < 0 && err == nil {
			err = newProblem("size %d of part %d is negative", size, i+1)
		}
		total += size
	}
	if err == nil && total != d {
		err = newProblem("the parts %v add up to %d and axis %d has size %d", sizes, total, a, d)
	}
	return v.split(a, sizes, err)
}

// Chunk cuts an axis into n equal parts; n divides the size of the axis, where torch.chunk would make the last part smaller.
//
// Shapes: [... d ...] -> n of [... d/n ...].
func (v *Value) Chunk(axis, n int) []*Value {
	a, d, err := v.splitAxis(axis)
	switch {
	case n < 1 || n > maxChunks:
		v.split(a, nil, newProblem("%d parts are asked for", n))
		return nil
	case err == nil && d%n != 0:
		err = newProblem("axis %d of size %d cannot be cut into %d equal parts", a, d, n).WithHint("Split takes the sizes of the parts")
	}
	return v.split(a, slices.Repeat([]int{d / n}, n), err)
}

// maxChunks keeps a mistaken number of parts from taking all memory.
const maxChunks = 1 << 20

// splitAxis returns the axis and its size, 0 and 0 of a failed value.
func (v *Value) splitAxis(axis int) (a, d int, err error) {
	v = v.orLost()
	if v.failed {
		return 0, 0, nil
	}
	if a, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return 0, 0, err
	}
	return a, v.typ.Shape[a], nil
}

// split cuts the axis, or returns as many poisoned values if there is an error.
func (v *Value) split(axis int, sizes []int, err error) []*Value {
	v = v.orLost()
	var failed *Value
	if v.failed {
		failed = v.graph.poison(failedOp{}, []*Value{v})
	} else if err != nil {
		failed = v.graph.failAs("Split", []*Value{v}, err)
	}
	parts := make([]*Value, len(sizes))
	at := 0
	for i, size := range sizes {
		if failed != nil {
			parts[i] = failed
			continue
		}
		parts[i] = v.Slice(axis, at, at+size)
		at += size
	}
	return parts
}

// Roll shifts the indices of an axis: index i goes to i + shift, and what leaves at one end comes in at the other. Equal to
// torch.roll.
//
// Shapes: [... d ...] -> [... d ...].
func (v *Value) Roll(axis, shift int) *Value {
	v = v.orLost()
	a, d, err := v.splitAxis(axis)
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case err != nil:
		return v.graph.failAs("Roll", []*Value{v}, err)
	case d == 0:
		return v
	}
	if shift = (shift%d + d) % d; shift == 0 {
		return v
	}
	return Concat(a, v.Slice(a, d-shift, d), v.Slice(a, 0, d-shift))
}

// RollAxes is Roll along several axes, with a shift for each. Equal to torch.roll with tuples.
//
// Shapes: [d...] -> [d...].
func (v *Value) RollAxes(axes, shifts []int) *Value {
	v = v.orLost()
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case len(axes) != len(shifts):
		return v.graph.failAs("RollAxes", []*Value{v}, newProblem("%d axes and %d shifts are given", len(axes), len(shifts)))
	}
	for i, axis := range axes {
		v = v.Roll(axis, shifts[i])
	}
	return v
}

// padOp puts zeros before, after and between the indices of an axis: index i goes to before + i*step. It is the reverse
// of a slice.
type padOp struct{ irop.Pad }

func (op padOp) grad(y, dy *Value) []*Value {
	d := y.in[0].typ.Shape[op.Axis]
	stop := op.Before
	if d > 0 {
		stop += (d-1)*op.Step + 1
	}
	return []*Value{dy.SliceStep(op.Axis, op.Before, stop, op.Step)}
}

// padSteps puts zeros before, after and between the indices of an axis, which come to lie step apart.
func (v *Value) padSteps(axis, before, after, step int) *Value {
	return v.graph.add(padOp{irop.Pad{Axis: axis, Before: before, After: after, Step: step}}, v)
}

// Pad puts zeros before and after the indices of an axis. Equal to torch.nn.functional.pad, axis by axis.
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) Pad(axis, before, after int) *Value {
	v = v.orLost()
	op := padOp{irop.Pad{Before: before, After: after, Step: 1}}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	if before == 0 && after == 0 {
		return v
	}
	return v.graph.add(op, v)
}

// PadValue puts a number before and after the indices of an axis: -Inf for a maximum, say. Equal to
// torch.nn.functional.pad with a value, axis by axis.
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) PadValue(axis, before, after int, number float64) *Value {
	v = v.orLost()
	a, _, err := v.splitAxis(axis)
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case err != nil:
		return v.graph.failAs("PadValue", []*Value{v}, err)
	case before < 0 || after < 0:
		return v.graph.failAs("PadValue", []*Value{v}, newProblem("the padding %d before and %d after should not be negative", before, after).WithHint("Slice takes away"))
	}
	x := v.Num(number)
	if x.failed {
		return x
	}
	parts := []*Value{v}
	edge := slices.Clone(v.typ.Shape)
	if before > 0 {
		edge[a] = before
		parts = slices.Insert(parts, 0, x.broadcastTo(slices.Clone(edge)))
	}
	if after > 0 {
		edge[a] = after
		parts = append(parts, x.broadcastTo(slices.Clone(edge)))
	}
	if len(parts) == 1 {
		return v
	}
	return Concat(a, parts...)
}
