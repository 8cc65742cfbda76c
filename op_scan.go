package tarn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the ops that go along one axis in order: the place of the largest element, and running sums.

// argOp returns the index of the largest or the smallest element along an axis.
type argOp struct {
	axis     int
	smallest bool
}

func (op argOp) Name() string {
	if op.smallest {
		return "ArgMin"
	}
	return "ArgMax"
}
func (op argOp) Attrs() string { return axesString([]int{op.axis}) }

func (op argOp) Infer(in []ir.Type) (ir.Type, error) {
	x := in[0]
	switch {
	case x.DType == ir.Bool:
		return ir.Type{}, newProblem("the operand is bool and should be a number").WithHint("Cast it")
	case x.Shape[op.axis] == 0:
		return ir.Type{}, newProblem("axis %d of %s has no elements to choose from", op.axis, ir.ShapeString(x.Shape))
	}
	return ir.Type{DType: ir.I64, Shape: slices.Delete(slices.Clone(x.Shape), op.axis, op.axis+1)}, nil
}

func (op argOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	eachLine(x.Shape, op.axis, func(line, start, stride, n int) {
		best := 0
		for i := 1; i < n; i++ {
			if op.beats(x, start+i*stride, start+best*stride) {
				best = i
			}
		}
		out.SetInt(line, int64(best))
	})
}

// beats reports whether element i of x is to be chosen over element j, which comes before it.
func (op argOp) beats(x ir.Array, i, j int) bool {
	if !x.DType.Float() {
		if op.smallest {
			return x.Int(i) < x.Int(j)
		}
		return x.Int(i) > x.Int(j)
	}
	a, b := x.Float(i), x.Float(j)
	switch {
	case math.IsNaN(b):
		return false
	case math.IsNaN(a):
		return true
	case op.smallest:
		return a < b
	}
	return a > b
}

// Chooses returns the axis and the order.
func (op argOp) Chooses() (axis int, smallest bool) { return op.axis, op.smallest }

// Run is the fast kernel: RunRows of all lines.
func (op argOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, out.Size()) }

// Rows lets each line be searched apart.
func (op argOp) Rows(out ir.Type, in []ir.Type) int { return out.Size() }

// RunRows searches the lines from first to before end.
func (op argOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	l := linesOf(in[0].Shape, op.axis, first, end)
	switch in[0].DType {
	case ir.F32:
		runArg[float32](op, out, in[0], l)
	case ir.F64:
		runArg[float64](op, out, in[0], l)
	case ir.I32:
		runArg[int32](op, out, in[0], l)
	default:
		runArg[int64](op, out, in[0], l)
	}
}

func runArg[T int32 | int64 | float32 | float64](op argOp, out, x ir.Array, l cpu.Lines) {
	if op.smallest {
		cpu.ArgMin(ir.Slice[int64](out), ir.Slice[T](x), l)
	} else {
		cpu.ArgMax(ir.Slice[int64](out), ir.Slice[T](x), l)
	}
}

// linesOf is the lines from first to before end along an axis.
func linesOf(shape []int, axis, first, end int) cpu.Lines {
	return cpu.Lines{First: first, End: end, N: shape[axis], Stride: ir.Size(shape[axis+1:])}
}

func (op argOp) grad(y, dy *Value) []*Value { return nil }

// eachLine calls f for every line along an axis: its number in row-major order of the other axes, the position of its
// first element, the distance between its elements, and how many there are.
func eachLine(shape []int, axis int, f func(line, start, stride, n int)) {
	n, stride := shape[axis], ir.Size(shape[axis+1:])
	for outer := range ir.Size(shape[:axis]) {
		for inner := range stride {
			f(outer*stride+inner, outer*n*stride+inner, stride, n)
		}
	}
}

// ArgMax is the index of the largest element along an axis, the first of several; a NaN counts as the largest. It has no
// gradient. Equal to torch.argmax.
//
// Shapes: [... d ...] -> [... ...], i64.
func (v *Value) ArgMax(axis int) *Value { return v.arg(axis, false) }

// ArgMin is the index of the smallest element along an axis, the first of several; a NaN counts as the smallest. It has no
// gradient. Equal to torch.argmin.
//
// Shapes: [... d ...] -> [... ...], i64.
func (v *Value) ArgMin(axis int) *Value { return v.arg(axis, true) }

func (v *Value) arg(axis int, smallest bool) *Value {
	v = v.orLost()
	op := argOp{smallest: smallest}
	return v.withAxis(op, axis, func(axis int) *Value {
		op.axis = axis
		return v.graph.add(op, v)
	})
}

// withAxis calls f with the axis counted from the first, or reports that there is no such axis.
func (v *Value) withAxis(op op, axis int, f func(axis int) *Value) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(op, []*Value{v})
	}
	a, err := normalAxis(axis, v.Rank())
	if err != nil {
		return v.graph.fail(op, []*Value{v}, err)
	}
	return f(a)
}

// cumSumOp adds up the elements along an axis from its start, or from its end, up to each.
type cumSumOp struct {
	axis    int
	reverse bool
}

func (op cumSumOp) Name() string { return "CumSum" }
func (op cumSumOp) Attrs() string {
	if op.reverse {
		return fmt.Sprintf("axis=%d reverse", op.axis)
	}
	return fmt.Sprintf("axis=%d", op.axis)
}

func (op cumSumOp) Infer(in []ir.Type) (ir.Type, error) {
	if in[0].DType == ir.Bool {
		return ir.Type{}, newProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	return in[0], nil
}

func (op cumSumOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	eachLine(x.Shape, op.axis, func(_, start, stride, n int) {
		if op.reverse {
			start, stride = start+(n-1)*stride, -stride
		}
		var sum float64
		var whole int64
		for i := range n {
			at := start + i*stride
			if x.DType.Float() {
				sum += x.Float(at)
				out.SetFloat(at, sum)
			} else {
				whole += x.Int(at)
				out.SetInt(at, whole)
			}
		}
	})
}

// Accumulates returns a sum along the axis.
func (op cumSumOp) Accumulates() (ir.AccumulateKind, int, bool) {
	return ir.AccumulateSum, op.axis, op.reverse
}

// Run is the fast kernel: RunRows of all lines.
func (op cumSumOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each line be added up apart.
func (op cumSumOp) Rows(out ir.Type, in []ir.Type) int {
	return ir.Size(out.Shape[:op.axis]) * ir.Size(out.Shape[op.axis+1:])
}

// RunRows adds up the lines from first to before end.
func (op cumSumOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	l := linesOf(out.Shape, op.axis, first, end)
	switch out.DType {
	case ir.F32:
		cpu.CumSum(ir.Slice[float32](out), ir.Slice[float32](in[0]), l, op.reverse)
	case ir.F64:
		cpu.CumSum(ir.Slice[float64](out), ir.Slice[float64](in[0]), l, op.reverse)
	case ir.I32:
		cpu.CumSum(ir.Slice[int32](out), ir.Slice[int32](in[0]), l, op.reverse)
	default:
		cpu.CumSum(ir.Slice[int64](out), ir.Slice[int64](in[0]), l, op.reverse)
	}
}

// Element i is part of every sum from i on, so its gradient is the sum of theirs.
func (op cumSumOp) grad(y, dy *Value) []*Value {
	return []*Value{dy.graph.add(cumSumOp{op.axis, !op.reverse}, dy)}
}

// CumSum is the running sum along an axis: element i is the sum of the elements 0 to i. Bools are counted, as I64. Equal to torch.cumsum.
//
// Shapes: any with the axis -> same.
func (v *Value) CumSum(axis int) *Value {
	v = v.orLost().counted()
	return v.withAxis(cumSumOp{}, axis, func(axis int) *Value { return v.graph.add(cumSumOp{axis: axis}, v) })
}
