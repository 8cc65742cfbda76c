package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what loops and branches have in common. Their bodies are separate graphs, traced once, inside of the
// graph that the loop is in. A body captures the params and values that it uses of the graphs around it: they become operands of
// the loop. Each result of a loop is a value on the same operands; the compiler computes all of them together.

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

	capturedAt, outputAt map[*Value]int // the places in captured, and among the outputs of a scan that are stacked
}

func (g *Graph) newControl(kind ir.ControlKind) *control {
	root := g.root()
	root.controls++
	return &control{kind: kind, number: root.controls}
}

// controlOp is one result of a loop or a branch. Its operands are the predicate of a branch, the first contents of the carries, the
// arrays whose slices are read, and what is captured. All results share the list of operands: if each had its own, a loop with many of
// both would take memory and time that grow as the square.
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

// Infer returns the type of the result. Mistakes in the operands were reported when the body was traced.
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
	shared := map[**Value][]*ir.Node{}
	controls := map[*control]*ir.Control{}
	for _, v := range values {
		n := &ir.Node{ID: len(g.Nodes), Op: v.op, Type: v.typ, Label: v.label, Where: v.origin().String, Backward: v.gradOf != nil}
		switch op := v.op.(type) {
		case inputOp, variableOp, argumentOp:
			leaf(v, n)
		case constOp:
			n.Op = op.Const
		case stepOp:
			n.Op = op.Step
		case customGradOp:
			n.Op = customGradOp{} // the rule may hold any values
		case controlOp:
			if controls[op.control] == nil {
				controls[op.control] = op.translate()
			}
			n.Op = ir.Result{Control: controls[op.control], Index: op.result, Title: op.Name()}
		}
		if _, ok := v.op.(controlOp); ok {
			n.In = shared[&v.in[0]]
		}
		if n.In == nil {
			for _, in := range v.in {
				n.In = append(n.In, nodes[in])
			}
			if _, ok := v.op.(controlOp); ok {
				shared[&v.in[0]] = n.In
			}
		}
		nodes[v] = n
		g.Nodes = append(g.Nodes, n)
	}
	return nodes
}

// results adds the results of a control that began in g: there, or around g if neither the operands nor what the functions have captured
// need g.
func (g *Graph) results(c *control, in []*Value) []*Value {
	for c.canLeave(g, in) {
		c.leave(g)
		g = g.around
	}
	in = slices.Concat(in, c.captured)
	out := make([]*Value, len(c.outputs[len(c.outputs)-1]))
	for i := range out {
		if i == 0 {
			out[0] = g.add(controlOp{c, 0}, in...)
		} else {
			out[i] = out[0].result(controlOp{c, i})
		}
	}
	return out
}

// result returns another result of the loop or the branch that v is one of, or that of an equal one on the same operands.
func (v *Value) result(op controlOp) *Value {
	g := v.graph
	if v.failed {
		return g.poison(op, nil)
	}
	t, err := op.Infer(nil)
	if err == nil {
		err = checkType(t)
	}
	if err != nil {
		return g.fail(op, v.in, err)
	}
	w := g.leaf(op, t)
	w.in = v.in
	return w
}

// resultMover applies results of loops and branches to other operands, all results of one to the same list.
type resultMover map[**Value]*Value // the first of them by the list of its former operands

// move returns what the result v of a loop or a branch is of the operands that the function returns, or nil if v is no such result.
func (m resultMover) move(v *Value, g *Graph, operands func() []*Value) *Value {
	op, ok := v.op.(controlOp)
	if !ok {
		return nil
	}
	if first := m[&v.in[0]]; first != nil {
		return first.result(op)
	}
	w := g.insert(op, operands()...)
	m[&v.in[0]] = w
	return w
}

// operandLists remembers the operand lists that results of loops and branches share. A walk over all operands takes each list once.
type operandLists map[**Value]bool

// first reports whether the operands of v have not been seen as those of another result.
func (l operandLists) first(v *Value) bool {
	if _, ok := v.op.(controlOp); !ok || len(v.in) == 0 {
		return true
	}
	seen := l[&v.in[0]]
	l[&v.in[0]] = true
	return !seen
}

// sameOperands reports whether two results have the same operands.
func sameOperands(a, b *Value) bool {
	return len(a.in) == len(b.in) && (len(a.in) == 0 || &a.in[0] == &b.in[0] || slices.Equal(a.in, b.in))
}

// canLeave reports whether a control that began in g can be moved to the surrounding graph, which computes it once and not in every step. It
// stays in a branch, which may not be taken.
func (c *control) canLeave(g *Graph, in []*Value) bool {
	return g.around != nil && g.control.kind != ir.Branch &&
		!slices.ContainsFunc(in, func(v *Value) bool { return v.graph == g }) &&
		!slices.ContainsFunc(c.captured, func(v *Value) bool { return v.outside() == nil })
}

// leave moves a control that began in g to the graph around.
func (c *control) leave(g *Graph) {
	for k, v := range c.captured {
		c.captured[k] = v.outside()
	}
	c.capturedAt = places(c.captured)
	for _, b := range c.bodies {
		b.around = g.around
		for at, v := range b.arguments {
			if at.role == capturedArgument {
				op := v.op.(argumentOp)
				op.outer = c.captured[at.index]
				v.op = op
			}
		}
	}
}

// poisoned returns n values that have failed.
func (g *Graph) poisoned(op op, n int) []*Value {
	out := make([]*Value, n)
	for i := range out {
		out[i] = g.poison(op, nil)
	}
	return out
}

// places returns the place of each value in a list, the first if it is there several times.
func places(values []*Value) map[*Value]int {
	at := make(map[*Value]int, len(values))
	for i, v := range slices.Backward(values) {
		at[v] = i
	}
	return at
}
