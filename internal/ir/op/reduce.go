package op

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the reductions: one type for all kinds.

// Reduce combines the elements along axes, which it drops from the shape.
type Reduce struct {
	Kind ir.ReduceKind
	Axes []int // ascending and not negative
}

var reduceNames = [...]string{"Sum", "Prod", "Max", "Min", "All", "Any"}

// Name is the kind's, as in "Sum".
func (op Reduce) Name() string { return reduceNames[op.Kind] }

// Attrs prints the axes.
func (op Reduce) Attrs() string { return axesString(op.Axes...) }

// Reduces returns the kind and the axes.
func (op Reduce) Reduces() (ir.ReduceKind, []int) { return op.Kind, op.Axes }

// Infer is the shape rule: [d...] -> [d...] without the axes.
func (op Reduce) Infer(in []ir.Type) (ir.Type, error) {
	logical := op.Kind == ir.ReduceAll || op.Kind == ir.ReduceAny
	if logical != (in[0].DType == ir.Bool) {
		if logical {
			return ir.Type{}, ir.NewProblem("the operand is %v and should be bool", in[0].DType)
		}
		return ir.Type{}, ir.NewProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	shape := []int{}
	for a, d := range in[0].Shape {
		if !slices.Contains(op.Axes, a) {
			shape = append(shape, d)
		}
	}
	return ir.Type{DType: in[0].DType, Shape: shape}, nil
}

// Eval is the reference kernel. Floats are combined in float64.
func (op Reduce) Eval(out ir.Array, in []ir.Array) {
	if in[0].Size() == 0 { // compiled programs run this, and should not allocate
		for o := range out.Size() {
			ir.Identity(op.Kind, out, o)
		}
		return
	}
	x := in[0]
	if x.DType.Float() {
		sums := make([]float64, out.Size())
		for i := range sums {
			sums[i] = [...]float64{0, 1, math.Inf(-1), math.Inf(1)}[op.Kind]
		}
		for i := range x.Size() {
			o, v := op.target(i, x.Shape), x.Float(i)
			switch op.Kind {
			case ir.ReduceSum:
				sums[o] += v
			case ir.ReduceProd:
				sums[o] *= v
			case ir.ReduceMax:
				sums[o] = max(sums[o], v)
			case ir.ReduceMin:
				sums[o] = min(sums[o], v)
			}
		}
		for o, s := range sums {
			out.SetFloat(o, s)
		}
		return
	}
	for o := range out.Size() {
		ir.Identity(op.Kind, out, o)
	}
	for i := range x.Size() {
		o := op.target(i, x.Shape)
		s, v := out.Int(o), x.Int(i)
		switch op.Kind {
		case ir.ReduceSum:
			s += v
		case ir.ReduceProd:
			s *= v
		case ir.ReduceMax:
			s = max(s, v)
		case ir.ReduceMin:
			s = min(s, v)
		case ir.ReduceAll:
			s &= v
		case ir.ReduceAny:
			s |= v
		}
		out.SetInt(o, s)
	}
}

// target returns the element of the result that element i of an operand of a shape belongs to.
func (op Reduce) target(i int, shape []int) int {
	at, stride := 0, 1
	for a := len(shape) - 1; a >= 0; a-- {
		if !slices.Contains(op.Axes, a) {
			at += i % shape[a] * stride
			stride *= shape[a]
		}
		i /= shape[a]
	}
	return at
}
