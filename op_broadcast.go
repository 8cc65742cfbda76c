package tarn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds broadcasting: how operands of different shapes are combined. Two shapes are compatible if they have equal ranks
// and each axis has equal sizes or a 1, if one is a scalar, or if one is a suffix of the other. Ranks never grow
// silently in any other way: [N 1] with [N] is an error, not an [N N].

// broadcastOp repeats its operand to a larger shape, aligned at the last axes.
type broadcastOp struct{ irop.Broadcast }

func (op broadcastOp) grad(y, dy *Value) []*Value { return []*Value{dy.sumTo(y.in[0].typ.Shape)} }

// Expand repeats axes of size 1, and adds axes in front, until the shape is the one given; -1 keeps an axis as it is.
// It computes nothing: equal to torch.Tensor.expand.
//
// Shapes: [d...] with each d equal to the new size or 1 -> shape.
func (v *Value) Expand(shape ...int) *Value {
	v = v.orLost()
	shape = slices.Clone(shape)
	lead := len(shape) - len(v.typ.Shape)
	for i, d := range shape {
		if d == -1 && i >= lead && lead >= 0 {
			shape[i] = v.typ.Shape[i-lead]
		}
	}
	return v.broadcastTo(shape)
}

// Tile repeats the whole value reps[i] times along axis i. Additional numbers in front make new axes. Equal to torch.tile, except that
// torch.tile also accepts fewer numbers than axes.
//
// Shapes: [d...] -> [d*rep...].
func (v *Value) Tile(reps ...int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	lead := len(reps) - len(v.typ.Shape)
	if lead < 0 {
		return v.graph.failAs("Tile", []*Value{v}, newProblem("%d numbers are given for a value of rank %d", len(reps), len(v.typ.Shape)).
			WithHint("give a 1 for each axis that is not repeated"))
	}
	// Each axis d becomes the two axes rep and d, which are then one.
	var split, wide, tiled []int
	for i, rep := range reps {
		if rep < 0 {
			return v.graph.failAs("Tile", []*Value{v}, newProblem("the number %d for axis %d is negative", rep, i))
		}
		d := 1
		if i >= lead {
			d = v.typ.Shape[i-lead]
		}
		split, wide, tiled = append(split, 1, d), append(wide, rep, d), append(tiled, rep*d)
	}
	if err := checkShape(wide); err != nil {
		return v.graph.failAs("Tile", []*Value{v}, newProblem("the result is too large: %v", err))
	}
	return v.Reshape(split...).broadcastTo(wide).Reshape(tiled...)
}

func (v *Value) broadcastTo(shape []int) *Value {
	v = v.orLost()
	if slices.Equal(v.typ.Shape, shape) && !v.failed {
		return v
	}
	return v.graph.add(broadcastOp{irop.Broadcast{Shape: shape}}, v)
}

// sumTo is the reverse of broadcastTo: it sums over the axes that were repeated.
func (v *Value) sumTo(shape []int) *Value {
	v = v.orLost()
	if slices.Equal(v.typ.Shape, shape) {
		return v
	}
	lead := len(v.typ.Shape) - len(shape)
	var axes []int
	for i, d := range v.typ.Shape {
		if i < lead || shape[i-lead] == 1 && d != 1 {
			axes = append(axes, i)
		}
	}
	return v.Sum(axes...).Reshape(shape...)
}

// broadcastShape is the shape in which operands of shapes a and b meet.
func broadcastShape(a, b []int) ([]int, error) {
	if len(a) != len(b) {
		long, short := a, b
		if len(a) < len(b) {
			long, short = b, a
		}
		if slices.Equal(long[len(long)-len(short):], short) {
			return long, nil
		}
		p := newProblem("shapes %s and %s do not go together: broadcasting takes equal ranks, a scalar, or a suffix", ir.ShapeString(a), ir.ShapeString(b))
		if axis, shape, ok := unsqueezed(long, short); ok {
			which := "second"
			if len(a) < len(b) {
				which = "first"
			}
			return nil, p.WithHint("Unsqueeze(%d) makes the %s %s", axis, which, ir.ShapeString(shape))
		}
		return nil, p
	}
	out := slices.Clone(a)
	for i := range a {
		switch {
		case a[i] == b[i] || b[i] == 1:
		case a[i] == 1:
			out[i] = b[i]
		default:
			return nil, newProblem("shapes %s and %s differ at axis %d: %d and %d", ir.ShapeString(a), ir.ShapeString(b), i, a[i], b[i])
		}
	}
	return out, nil
}

// unsqueezed finds the one axis of size 1 with which the shorter shape goes together with the longer. Where several would
// do, only one that makes the two equal is certain to be meant.
func unsqueezed(long, short []int) (axis int, shape []int, ok bool) {
	if len(long) != len(short)+1 {
		return 0, nil, false
	}
	found := 0
	for at := range long {
		s := slices.Insert(slices.Clone(short), at, 1)
		if slices.Equal(s, long) {
			return at, s, true
		}
		if _, err := broadcastShape(long, s); err == nil {
			axis, shape = at, s
			found++
		}
	}
	return axis, shape, found == 1
}

// operand turns an Operand into a value of v's graph; a Num takes v's dtype.
func (v *Value) operand(o Operand) *Value {
	v = v.orLost()
	switch o := o.(type) {
	case nil:
		return nil
	case *Value:
		if !o.exists() {
			return nil
		}
		if o.graph != v.graph && v.graph.within(o.graph) {
			return v.graph.capture(o)
		}
		return o
	case Num:
		if !representable(float64(o), v.DType()) {
			return v.graph.failAs("Num", []*Value{v}, newProblem("the number %v is no %v", float64(o), v.DType()))
		}
		return v.graph.Num(v.DType(), float64(o))
	}
	return o.value(v.graph)
}

// representable reports whether a number is one of dtype, rounded where that is a float.
func representable(x float64, dtype DType) bool {
	switch dtype {
	case Bool:
		return x == 0 || x == 1
	case I32:
		return x >= math.MinInt32 && x <= math.MaxInt32 && x == math.Trunc(x)
	case I64:
		return x >= math.MinInt64 && x < math.MaxInt64 && x == math.Trunc(x)
	case F32:
		return math.IsInf(x, 0) || !math.IsInf(float64(float32(x)), 0)
	}
	return true
}

// broadcastAll brings operands to their common shape before op is added, so that the op itself sees equal shapes.
func (g *Graph) broadcastAll(op op, in ...*Value) *Value {
	g, in = g.meet(in)
	shape := []int{}
	for _, v := range in {
		if !v.exists() || v.failed || v.graph != g {
			return g.add(op, in...)
		}
		s, err := broadcastShape(shape, v.typ.Shape)
		if err != nil {
			return g.fail(op, in, err)
		}
		shape = s
	}
	// A dtype mistake is reported on the operands as the user wrote them, not on their broadcasts.
	types := make([]ir.Type, len(in))
	for i, v := range in {
		types[i] = ir.Type{DType: v.typ.DType, Shape: shape}
	}
	if _, err := op.Infer(types); err != nil {
		return g.fail(op, in, err)
	}
	wide := make([]*Value, len(in))
	for i, v := range in {
		wide[i] = v.broadcastTo(shape)
	}
	return g.add(op, wide...)
}

// normalAxis turns an axis that may count from the last into one that counts from the first.
func normalAxis(axis, rank int) (int, error) {
	a := axis
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, newProblem("axis %d is not an axis of a value of rank %d", axis, rank)
	}
	return a, nil
}

// normalAxes does so for several axes, sorts them and refuses one that comes twice. No axes at all means every axis.
func normalAxes(axes []int, rank int) ([]int, error) {
	out := make([]int, 0, rank)
	if len(axes) == 0 {
		for a := range rank {
			out = append(out, a)
		}
		return out, nil
	}
	for _, axis := range axes {
		a, err := normalAxis(axis, rank)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if out[i] == out[i-1] {
			return nil, newProblem("axis %d is named twice", out[i])
		}
	}
	return out, nil
}

func axesString(axes []int) string { return fmt.Sprintf("axes=%v", axes) }
