package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the ops that put values together, and the slices that take them apart again.

// concatOp joins operands along an axis.
type concatOp struct{ axis int }

func (op concatOp) Name() string  { return "Concat" }
func (op concatOp) Attrs() string { return axesString([]int{op.axis}) }

func (op concatOp) Infer(in []ir.Type) (ir.Type, error) {
	shape := slices.Clone(in[0].Shape)
	for i, t := range in[1:] {
		if t.DType != in[0].DType {
			return ir.Type{}, newProblem("operands 1 and %d are %v and %v", i+2, in[0].DType, t.DType).withHint("Cast one of them")
		}
		if len(t.Shape) != len(shape) {
			return ir.Type{}, newProblem("operands 1 and %d have ranks %d and %d", i+2, len(shape), len(t.Shape))
		}
		for a, d := range t.Shape {
			if a == op.axis {
				shape[a] += d
			} else if d != shape[a] {
				return ir.Type{}, newProblem("operands 1 and %d have sizes %d and %d at axis %d", i+2, shape[a], d, a)
			}
		}
	}
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

func (op concatOp) Eval(out ir.Array, in []ir.Array) {
	inner := ir.Size(out.Shape[op.axis+1:]) * out.DType.Size()
	row := out.Shape[op.axis] * inner
	at := 0
	for _, x := range in {
		n := x.Shape[op.axis] * inner
		for o := range ir.Size(out.Shape[:op.axis]) {
			copy(out.Raw()[o*row+at:], x.Raw()[o*n:(o+1)*n])
		}
		at += n
	}
}

func (op concatOp) grad(y, dy *Value) []*Value {
	ds := make([]*Value, len(y.in))
	at := 0
	for i, x := range y.in {
		d := x.typ.Shape[op.axis]
		ds[i] = dy.Slice(op.axis, at, at+d)
		at += d
	}
	return ds
}

// Concat joins values along an axis. The other axes have equal sizes. Equal to torch.cat.
//
// Shapes: [... d1 ...], [... d2 ...], ... -> [... d1+d2+... ...].
func Concat(axis int, values ...*Value) *Value {
	op := concatOp{}
	first := slices.IndexFunc(values, func(v *Value) bool { return v != nil })
	if first < 0 {
		panic("tarn: Concat of no values: there is no graph to record the mistake in")
	}
	g := values[first].graph
	if first > 0 || values[0].failed {
		return g.add(op, values...)
	}
	var err error
	if op.axis, err = normalAxis(axis, len(values[0].typ.Shape)); err != nil {
		return g.fail(op, values, err)
	}
	return g.add(op, values...)
}

// sliceOp takes every step-th index from start to before stop along an axis; step is positive.
type sliceOp struct{ axis, start, stop, step int }

func (op sliceOp) Name() string { return "Slice" }
func (op sliceOp) Attrs() string {
	return fmt.Sprintf("axis=%d %d:%d:%d", op.axis, op.start, op.stop, op.step)
}

func (op sliceOp) Infer(in []ir.Type) (ir.Type, error) {
	d := in[0].Shape[op.axis]
	if op.step < 1 {
		return ir.Type{}, newProblem("the step %d should be at least 1", op.step).withHint("Flip turns an axis round")
	}
	if op.start < 0 || op.stop < op.start || op.stop > d {
		return ir.Type{}, newProblem("the range %d:%d does not lie in axis %d of size %d", op.start, op.stop, op.axis, d)
	}
	shape := slices.Clone(in[0].Shape)
	shape[op.axis] = (op.stop - op.start + op.step - 1) / op.step
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

func (op sliceOp) Eval(out ir.Array, in []ir.Array) { evalMove(op, out, in) }

func (op sliceOp) Move(v ir.View) (ir.View, bool) {
	w := ir.View{Shape: slices.Clone(v.Shape), Strides: slices.Clone(v.Strides), Offset: v.Offset + op.start*v.Strides[op.axis]}
	w.Shape[op.axis] = (op.stop - op.start + op.step - 1) / op.step
	w.Strides[op.axis] *= op.step
	return w, true
}

func (op sliceOp) grad(y, dy *Value) []*Value {
	d := y.in[0].typ.Shape[op.axis]
	n := y.typ.Shape[op.axis]
	used := 0
	if n > 0 {
		used = op.start + (n-1)*op.step + 1
	} else {
		used = op.start
	}
	return []*Value{dy.graph.add(padOp{axis: op.axis, before: op.start, after: d - used, step: op.step}, dy)}
}

// Slice takes the indices from start to before stop along an axis. Negative bounds count from the end of the axis.
//
// Shapes: [... d ...] -> [... stop-start ...].
func (v *Value) Slice(axis, start, stop int) *Value { return v.SliceStep(axis, start, stop, 1) }

// SliceStep takes every step-th index from start to before stop along an axis. Negative bounds count from the end of the
// axis; the step is positive.
//
// Shapes: [... d ...] -> [... ceil((stop-start)/step) ...].
func (v *Value) SliceStep(axis, start, stop, step int) *Value {
	op := sliceOp{start: start, stop: stop, step: step}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	d := v.typ.Shape[op.axis]
	if start < 0 {
		op.start += d
	}
	if stop < 0 {
		op.stop += d
	}
	if op.start == 0 && op.stop == d && step == 1 {
		return v
	}
	return v.graph.add(op, v)
}

// padOp puts zeros before, after and between the indices of an axis: index i goes to before + i*step. It is the reverse
// of a slice.
type padOp struct{ axis, before, after, step int }

func (op padOp) Name() string { return "Pad" }
func (op padOp) Attrs() string {
	return fmt.Sprintf("axis=%d before=%d after=%d step=%d", op.axis, op.before, op.after, op.step)
}

func (op padOp) Infer(in []ir.Type) (ir.Type, error) {
	if op.before < 0 || op.after < 0 || op.step < 1 {
		return ir.Type{}, newProblem("the padding %d before and %d after should not be negative", op.before, op.after).withHint("Slice takes away")
	}
	shape := slices.Clone(in[0].Shape)
	n := 0
	if d := shape[op.axis]; d > 0 {
		n = (d-1)*op.step + 1
	}
	shape[op.axis] = op.before + n + op.after
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

func (op padOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	d, inner := x.Shape[op.axis], ir.Size(x.Shape[op.axis+1:])
	for i := range x.Size() {
		outer, index, rest := i/(d*inner), i/inner%d, i%inner
		out.CopyElement((outer*out.Shape[op.axis]+op.before+index*op.step)*inner+rest, x, i)
	}
}

func (op padOp) grad(y, dy *Value) []*Value {
	d := y.in[0].typ.Shape[op.axis]
	stop := op.before
	if d > 0 {
		stop += (d-1)*op.step + 1
	}
	return []*Value{dy.SliceStep(op.axis, op.before, stop, op.step)}
}

// Pad puts zeros before and after the indices of an axis.
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) Pad(axis, before, after int) *Value {
	op := padOp{before: before, after: after, step: 1}
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	if before == 0 && after == 0 {
		return v
	}
	return v.graph.add(op, v)
}
