package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds what makes a Graph the body of a loop or a branch: the graph around it, and the arguments that stand in it
// for the step's number, the carries, the slices and the captured values.

// body is the part of a Graph that only the body of a loop or a branch has.
type body struct {
	around    *Graph // the graph that the loop is in; nil for a graph that is not a body
	control   *control
	arguments map[argument]*Value
	open      bool // values are being added to it
}

// newBody makes the graph of a body in the graph around.
func (c *control) newBody(around *Graph) *Graph {
	b := &Graph{eval: around.eval, gradOf: around.gradOf, body: body{around: around, control: c, arguments: map[argument]*Value{}, open: true}}
	c.bodies = append(c.bodies, b)
	return b
}

func (g *Graph) carry(i int, t ir.Type) *Value {
	return g.argument(argumentOp{control: g.control, role: carriedArgument, index: i}, t)
}

// slice is the part of an array of the graph around that belongs to this step.
func (g *Graph) slice(i int, whole ir.Type) *Value {
	return g.argument(argumentOp{control: g.control, role: slicedArgument, index: i}, ir.Type{DType: whole.DType, Shape: slices.Clone(whole.Shape[1:])})
}

func (g *Graph) stepNumber() *Value {
	return g.argument(argumentOp{control: g.control, role: numberArgument}, ir.Type{DType: ir.I64, Shape: []int{}})
}

// trace calls a function that adds values to the body and returns its outputs, as values of the body; false if one of them is missing or
// has failed.
func (b *Graph) trace(f func() []*Value) (outputs []*Value, ok bool) {
	defer b.enter()()
	given := f()
	outputs, ok = slices.Clone(given), true
	for i, v := range given {
		if !v.exists() || v.failed || !b.within(v.graph) {
			ok = false
			continue
		}
		outputs[i] = b.capture(v)
	}
	return outputs, ok
}

// enter opens a body for more values, and makes it the one in which loops begin until the function that it returns is called.
func (b *Graph) enter() (leave func()) {
	root := b.root()
	before := root.tracing
	root.tracing, b.open = b, true
	return func() { root.tracing, b.open = before, false }
}

// root returns the outermost graph.
func (g *Graph) root() *Graph {
	for g.around != nil {
		g = g.around
	}
	return g
}

// within reports whether g is h or lies in it.
func (g *Graph) within(h *Graph) bool {
	for ; g != nil; g = g.around {
		if g == h {
			return true
		}
	}
	return false
}

// meet returns the innermost of the graphs that the values belong to, and the values as values of it.
func (g *Graph) meet(in []*Value) (*Graph, []*Value) {
	if g.lost {
		if real := graphOf(in); real != nil {
			g = real
		}
	}
	for _, v := range in {
		if v.exists() && v.graph != g && v.graph.open && v.graph.within(g) {
			g = v.graph
		}
	}
	if g.around == nil {
		return g, in
	}
	met := slices.Clone(in)
	for i, v := range in {
		if v.exists() && v.graph != g && g.within(v.graph) {
			met[i] = g.capture(v)
		}
	}
	return g, met
}

// capture returns a value of a graph around g as a value of g.
func (g *Graph) capture(v *Value) *Value {
	switch {
	case v.graph == g:
		return v
	case v.failed:
		return g.poison(v.op, nil)
	case v.graph != g.around:
		v = g.around.capture(v)
	}
	// A number is a constant in the body too. Other constants are captured: one may differentiate with respect to them.
	if c, ok := v.op.(constOp); ok && v.Rank() == 0 && v == v.graph.scalar(newTensor(c.Array)) {
		return g.scalar(newTensor(c.Array))
	}
	c := g.control
	k, known := c.capturedAt[v]
	if !known {
		k = len(c.captured)
		c.captured = append(c.captured, v)
		put(&c.capturedAt, v, k)
	}
	return g.argument(argumentOp{control: c, role: capturedArgument, index: k, outer: v}, v.typ)
}

// argument returns the value of the body that stands for an input of it.
func (g *Graph) argument(op argumentOp, t ir.Type) *Value {
	at := argument{op.role, op.index}
	v := g.arguments[at]
	if v == nil {
		v = g.leaf(op, t)
		if op.outer != nil {
			v.label = op.outer.label
		}
		g.arguments[at] = v
	}
	return v
}

// role says what an input of a body stands for.
type role uint8

const (
	numberArgument    role = iota // the number of the step
	carriedArgument               // a carry
	slicedArgument                // the slice of this step
	capturedArgument              // a value of the graph around
	cotangentArgument             // a gradient with respect to a result, while the gradient of the body is made
)

type argument struct {
	role  role
	index int
}

// argumentOp is an input of a body.
type argumentOp struct {
	failedOp
	control *control
	role    role
	index   int
	outer   *Value // what is captured
}

func (op argumentOp) Name() string {
	return [...]string{"StepNumber", "Carry", "Slice", "Captured", "Cotangent"}[op.role]
}

func (op argumentOp) Attrs() string {
	if op.role == numberArgument {
		return ""
	}
	return fmt.Sprint(op.index)
}

// input returns the index among the inputs of the bodies.
func (op argumentOp) input() int {
	c := op.control
	switch op.role {
	case carriedArgument:
		return 1 + op.index
	case slicedArgument:
		return 1 + c.carries + op.index
	case capturedArgument:
		return 1 + c.carries + c.slices + op.index
	}
	return 0
}

// spread is an odd number near 2^53 divided by the golden ratio: multiples of it, modulo 2^64, lie far apart.
const spread = 0x13C6EF372FE94F

// inWhile reports whether g is the body of a While or lies in one.
func (g *Graph) inWhile() bool {
	for ; g.around != nil; g = g.around {
		if g.control.kind == ir.While {
			return true
		}
	}
	return false
}

// drawStep returns what random ops in g use as the step: in a loop a different number in each step.
func (g *Graph) drawStep() *Value {
	if g.around == nil {
		if g.draws != nil {
			return g.draws
		}
		return g.Runs()
	}
	around := g.around.drawStep()
	switch g.control.kind {
	case ir.Branch:
		return g.capture(around)
	case ir.While:
		if g.around.inWhile() { // which has taken the upper half
			around = around.Mul(Num(spread))
		} else {
			around = around.Mul(Num(1 << 32))
		}
	default:
		around = around.Mul(Num(max(1, g.control.steps)))
	}
	return g.add(elementwise(scalar.Add), g.capture(around), g.stepNumber())
}
