package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds what loops and branches have in common. Their bodies are graphs of their own, traced once, inside of the
// graph that the loop stands in. What a body uses of the graphs around it, params and values, it captures: they become operands of
// the loop. Each result of a loop is a value of its own on the same operands; the compiler computes all of them together.

// control is a loop or a branch.
type control struct {
	kind     ir.ControlKind
	number   int // among the loops and branches of the whole graph
	bodies   []*Graph
	outputs  [][]*Value // by body; the gradient of a scan adds to them
	carries  int
	slices   int
	steps    int
	reverse  bool
	captured []*Value // what the bodies use of the graph around them
}

func (g *Graph) newControl(kind ir.ControlKind) *control {
	root := g.root()
	root.controls++
	return &control{kind: kind, number: root.controls}
}

// root is the graph that no other is around.
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

// meet gives the innermost of the graphs that the values belong to, and the values as values of it.
func (g *Graph) meet(in []*Value) (*Graph, []*Value) {
	for _, v := range in {
		if v != nil && v.graph != g && v.graph.open && v.graph.within(g) {
			g = v.graph
		}
	}
	if g.around == nil {
		return g, in
	}
	met := slices.Clone(in)
	for i, v := range in {
		if v != nil && v.graph != g && g.within(v.graph) {
			met[i] = g.capture(v)
		}
	}
	return g, met
}

// capture gives a value of a graph around g as a value of g.
func (g *Graph) capture(v *Value) *Value {
	switch {
	case v.graph == g:
		return v
	case v.failed:
		return g.poison(v.op, nil)
	case v.graph != g.around:
		v = g.around.capture(v)
	}
	// A number is one in the body too. Other constants are captured: one may differentiate by them.
	if c, ok := v.op.(constOp); ok && v.Rank() == 0 && v == v.graph.scalar(&Tensor{c.Array}) {
		return g.scalar(&Tensor{c.Array})
	}
	c := g.control
	k := slices.Index(c.captured, v)
	if k < 0 {
		k = len(c.captured)
		c.captured = append(c.captured, v)
	}
	return g.argument(argumentOp{control: c, role: capturedArgument, index: k, outer: v}, v.typ)
}

// argument gives the value of the body that stands for an input of it.
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

// role is what an input of a body is.
type role uint8

const (
	numberArgument    role = iota // the number of the step
	carriedArgument               // a carry
	slicedArgument                // the slice of this step
	capturedArgument              // a value of the graph around
	cotangentArgument             // a gradient by a result, while the gradient of the body is made
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

// input is the place among the inputs of the bodies.
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

// newBody makes the graph of a body in the graph around.
func (c *control) newBody(around *Graph) *Graph {
	b := NewGraph()
	b.around, b.control, b.eval, b.gradOf = around, c, around.eval, around.gradOf
	b.arguments = map[argument]*Value{}
	b.open = true
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

// close ends the tracing of a body and gives its outputs; false where one of them is missing or has failed.
func (b *Graph) close(outputs []*Value) (kept []*Value, ok bool) {
	kept, ok = slices.Clone(outputs), true
	for i, v := range outputs {
		if v == nil || v.failed || !b.within(v.graph) {
			ok = false
			continue
		}
		kept[i] = b.capture(v)
	}
	b.open = false
	return kept, ok
}

// controlOp is one result of a loop or a branch. Its operands are the predicate of a branch, the first contents of the carries, the
// arrays whose slices are read, and what is captured.
type controlOp struct {
	*control
	result int
}

func (op controlOp) Name() string { return [...]string{"Scan", "While", "Cond"}[op.kind] }

func (op controlOp) Attrs() string {
	if op.kind == ir.Scan {
		return fmt.Sprintf("number=%d steps=%d result=%d", op.number, op.steps, op.result)
	}
	return fmt.Sprintf("number=%d result=%d", op.number, op.result)
}

// Infer gives the type of the result. What is wrong with the operands has been reported when the body was traced.
func (op controlOp) Infer(in []ir.Type) (ir.Type, error) {
	t := op.outputs[len(op.outputs)-1][op.result].typ
	if op.kind == ir.Scan && op.result >= op.carries {
		t.Shape = append([]int{op.steps}, t.Shape...)
	}
	return t, nil
}

func (op controlOp) Eval(out ir.Array, in []ir.Array) {
	ir.Result{Control: op.translate(), Index: op.result}.Eval(out, in)
}

// translate copies the bodies into the compiler's form.
func (c *control) translate() *ir.Control {
	t := &ir.Control{Kind: c.kind, Carries: c.carries, Slices: c.slices, Steps: c.steps, Reverse: c.reverse}
	for i := range c.bodies {
		body := &ir.Graph{}
		nodes := translateNodes(reachable(c.outputs[i]), func(v *Value, n *ir.Node) {
			n.Op = ir.Input{Index: v.op.(argumentOp).input()}
			body.Inputs = append(body.Inputs, n)
		}, body)
		for _, v := range c.outputs[i] {
			body.Outputs = append(body.Outputs, nodes[v])
		}
		t.Bodies = append(t.Bodies, body)
	}
	return t
}

// translateNodes adds values to a graph in the compiler's form; leaf makes the ops of the leaves that depend on where they stand.
func translateNodes(values []*Value, leaf func(v *Value, n *ir.Node), g *ir.Graph) map[*Value]*ir.Node {
	nodes := map[*Value]*ir.Node{}
	controls := map[*control]*ir.Control{}
	for _, v := range values {
		n := &ir.Node{ID: len(g.Nodes), Op: v.op, Type: v.typ, Label: v.label, Where: v.Place}
		switch op := v.op.(type) {
		case inputOp, variableOp, argumentOp:
			leaf(v, n)
		case constOp:
			n.Op = op.Const
		case stepOp:
			n.Op = op.Step
		case controlOp:
			if controls[op.control] == nil {
				controls[op.control] = op.translate()
			}
			n.Op = ir.Result{Control: controls[op.control], Index: op.result, Title: op.Name()}
		}
		for _, in := range v.in {
			n.In = append(n.In, nodes[in])
		}
		nodes[v] = n
		g.Nodes = append(g.Nodes, n)
	}
	return nodes
}

// results adds the results from first on of a control to g.
func (g *Graph) results(c *control, in []*Value) []*Value {
	out := make([]*Value, len(c.outputs[len(c.outputs)-1]))
	for i := range out {
		out[i] = g.add(controlOp{c, i}, in...)
	}
	return out
}

// poisoned gives n values that have failed.
func (g *Graph) poisoned(op op, n int) []*Value {
	out := make([]*Value, n)
	for i := range out {
		out[i] = g.poison(op, nil)
	}
	return out
}

// drawStep is what random ops in g take for the step: in a loop another number in each of its steps.
func (g *Graph) drawStep() *Value {
	if g.around == nil {
		return g.Runs()
	}
	around := g.around.drawStep()
	switch g.control.kind {
	case ir.Branch:
		return g.capture(around)
	case ir.While:
		around = around.Mul(Num(1 << 32))
	default:
		around = around.Mul(Num(max(1, g.control.steps)))
	}
	return g.add(elementwise(scalar.Add), g.capture(around), g.stepNumber())
}
