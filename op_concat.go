package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
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
			return ir.Type{}, newProblem("operands 1 and %d are %v and %v", i+2, in[0].DType, t.DType).WithHint("Cast one of them")
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
	outer, size, inner := around(out.Shape, op.axis)
	at := 0
	for _, x := range in {
		d := x.Shape[op.axis]
		for o := range outer {
			for i := range d * inner {
				out.CopyElement((o*size+at)*inner+i, x, o*d*inner+i)
			}
		}
		at += d
	}
}

// Joins gives the axis.
func (op concatOp) Joins() int { return op.axis }

func (op concatOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each index of the axes before the joined one be done apart.
func (op concatOp) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:op.axis]) }

func (op concatOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	inner := ir.Size(out.Shape[op.axis+1:]) * out.DType.Size()
	row := out.Shape[op.axis] * inner
	at := 0
	dst := out.Raw()
	for _, x := range in {
		src := x.Raw()
		n := x.Shape[op.axis] * inner
		for o := first; o < end; o++ {
			copy(dst[o*row+at:], src[o*n:(o+1)*n])
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

// Concat joins values along an axis. The other axes have equal sizes. Equal to torch.cat. It panics where there is not one
// value, as there is then no graph to record the mistake in.
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

// Stack puts values of one shape side by side along a new axis, which has this place in the result. Equal to torch.stack. Like
// Concat it panics where there is not one value.
//
// Shapes: n of [d...] -> [d...] with n at the new axis.
func Stack(axis int, values ...*Value) *Value {
	wide := make([]*Value, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		if v.failed {
			return v.graph.poison(concatOp{}, values)
		}
		if first := values[0]; first != nil && first.graph == v.graph && !slices.Equal(first.typ.Shape, v.typ.Shape) {
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
	return []*Value{dy.graph.add(padOp{axis: op.Axis, before: op.Start, after: d - used, step: op.Step}, dy)}
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
	return v.graph.add(op, v)
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

// splitAxis gives the axis and its size, 0 and 0 of a failed value.
func (v *Value) splitAxis(axis int) (a, d int, err error) {
	if v.failed {
		return 0, 0, nil
	}
	if a, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return 0, 0, err
	}
	return a, v.typ.Shape[a], nil
}

// split cuts the axis, or gives as many poisoned values where there is an error.
func (v *Value) split(axis int, sizes []int, err error) []*Value {
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

// padOp puts zeros before, after and between the indices of an axis: index i goes to before + i*step. It is the reverse
// of a slice.
type padOp struct{ axis, before, after, step int }

func (op padOp) Name() string { return "Pad" }
func (op padOp) Attrs() string {
	return fmt.Sprintf("axis=%d before=%d after=%d step=%d", op.axis, op.before, op.after, op.step)
}

func (op padOp) Infer(in []ir.Type) (ir.Type, error) {
	if op.before < 0 || op.after < 0 || op.step < 1 {
		return ir.Type{}, newProblem("the padding %d before and %d after should not be negative", op.before, op.after).WithHint("Slice takes away")
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

func (op padOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each index of the axes before the padded one be done apart.
func (op padOp) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:op.axis]) }

func (op padOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	dst, src := out.Raw(), in[0].Raw()
	_, d, inner := around(in[0].Shape, op.axis)
	row := inner * out.DType.Size()
	clear(dst[first*out.Shape[op.axis]*row : end*out.Shape[op.axis]*row])
	for o := first; o < end; o++ {
		to := dst[(o*out.Shape[op.axis]+op.before)*row:]
		from := src[o*d*row : (o+1)*d*row]
		if op.step == 1 {
			copy(to, from)
			continue
		}
		for i := range d {
			copy(to[i*op.step*row:][:row], from[i*row:])
		}
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

// Pad puts zeros before and after the indices of an axis. Equal to torch.nn.functional.pad, axis by axis.
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

// PadValue puts a number before and after the indices of an axis: -Inf for a maximum, say. Equal to
// torch.nn.functional.pad with a value, axis by axis.
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) PadValue(axis, before, after int, number float64) *Value {
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
