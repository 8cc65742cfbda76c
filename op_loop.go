package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the loops and the branch: Scan, While and Cond.

// ScanOptions say how a Scan goes.
type ScanOptions struct {
	Reverse bool // from the last slice to the first; stacks are in the order of the slices all the same
	Steps   int  // how often the body runs; may be 0 where there are slices, which say it
}

// Scan is a loop of a known number of steps inside of the program: its body is part of the graph once, however many steps there
// are. The body is a function of the carries and of this step's slices: of each array of xs the part at the step's index on
// axis 0. It returns the carries of the next step, of the same types, and values to be stacked. Scan returns the last carries, and
// each of those values of all steps stacked along a new axis 0. Params and values from outside that the body uses are the same in every
// step. At least one carry or sliced array is required.
//
// The gradient is a scan in the other direction. What it needs of the steps is stacked by the forward scan: each result inside
// of the body that the gradient rules read, but for views, which are taken again. The gradient of a matrix that the body multiplies by
// is taken of all steps at once, as one product of what is stacked; other gradients with respect to what comes from outside are added up step by
// step. A matrix that is multiplied by transposed is best transposed outside of the body, once. Random ops draw different numbers in each step.
// Equal to jax.lax.scan.
//
// Shapes: carries of any..., xs of [steps d...]... -> carries of the same..., [steps e...]... for values of [e...].
func Scan(carries, xs []*Value, o ScanOptions, body func(carries, xs []*Value) (next, ys []*Value)) (last, stacks []*Value) {
	if body == nil {
		return graphOf(slices.Concat(carries, xs)).failAs("Scan", slices.Concat(carries, xs), newProblem("the body is nil")).graph.poisoned(failedOp{}, len(carries)), nil
	}
	in := slices.Concat(carries, xs)
	c := &control{kind: ir.Scan, carries: len(carries), slices: len(xs), steps: o.Steps, reverse: o.Reverse}
	g, in, ok := c.start(in)
	if !ok {
		_, ys := body(g.poisoned(controlOp{control: c}, len(carries)), g.poisoned(controlOp{control: c}, len(xs)))
		return g.poisoned(controlOp{control: c}, len(carries)), g.poisoned(controlOp{control: c}, len(ys))
	}
	b := c.newBody(g)
	var states, parts []*Value
	for i, v := range in[:c.carries] {
		states = append(states, b.carry(i, v.typ))
	}
	for i, v := range in[c.carries:] {
		parts = append(parts, b.slice(i, v.typ))
	}
	var next, ys, outputs []*Value
	outputs, ok = b.trace(func() []*Value {
		next, ys = body(states, parts)
		return slices.Concat(next, ys)
	})
	c.outputs = [][]*Value{outputs}
	switch {
	case len(next) != c.carries:
		g.fail(controlOp{control: c}, in, newProblem("the body gives %d carries and is given %d", len(next), c.carries))
		ok = false
	case !ok:
		g.failBody(c, slices.Concat(next, ys))
	}
	for i := range c.carries {
		if ok && !outputs[i].typ.Equal(in[i].typ) {
			g.fail(controlOp{control: c}, []*Value{in[i], outputs[i]}, newProblem("carry %d begins as %v and is %v after a step", i+1, in[i].typ, outputs[i].typ).
				WithHint("Cast or Reshape one of them: a carry keeps its type"))
			ok = false
		}
	}
	if !ok {
		return g.poisoned(controlOp{control: c}, len(carries)), g.poisoned(controlOp{control: c}, len(ys))
	}
	all := g.results(c, in)
	return all[:c.carries], all[c.carries:]
}

// start checks the operands of a loop or a branch and works out the number of steps. It returns the graph in which the loop begins: the
// innermost that is being traced, as the functions of the loop may use what is in it. Operands may belong to graphs around that one.
func (c *control) start(in []*Value) (g *Graph, operands []*Value, ok bool) {
	if g = graphOf(in); g == nil {
		g = lose("there is no value to begin with, neither a carry nor an array")
	}
	g, operands = g.meet(in)
	root := g.root()
	if b := root.tracing; b != nil && b.within(g) {
		g = b
	}
	root.controls++
	c.number = root.controls
	var err error
	for i, v := range operands {
		switch {
		case err != nil:
		case !v.exists():
			err = newProblem("operand %d is nil", i+1)
		case v.graph.lost && g.adopt(v):
			return g, nil, false
		case !g.within(v.graph):
			err = newProblem("operand %d belongs to another graph", i+1)
		case v.failed:
			g.adopt(v)
			return g, nil, false
		case i < len(in)-c.slices:
		case v.Rank() == 0:
			err = newProblem("operand %d is a scalar, which has no slices", i+1)
		case c.steps != 0 && v.Dim(0) != c.steps:
			err = newProblem("operand %d is %v and should have %d slices along axis 0", i+1, v.typ, c.steps)
		default:
			c.steps = v.Dim(0)
		}
	}
	if err == nil && c.steps < 0 {
		err = newProblem("there cannot be %d steps", c.steps)
	}
	if err != nil {
		g.fail(controlOp{control: c}, in, err)
	}
	return g, operands, err == nil
}

// failBody reports what a body should have given and has not, unless the mistake was made inside of it.
func (g *Graph) failBody(c *control, outputs []*Value) {
	for i, v := range outputs {
		switch {
		case !v.exists():
			g.fail(controlOp{control: c}, nil, newProblem("result %d of the body is nil", i+1))
		case v.failed:
			g.adopt(v)
		case !g.within(v.graph) && v.graph.control != c:
			g.fail(controlOp{control: c}, nil, newProblem("result %d of the body belongs to another graph", i+1))
		}
	}
}

// While runs its body as long as a condition holds: both are functions of the carries, whose first contents are given. The condition
// returns a bool scalar and is evaluated before each step; the body returns the carries of the next step, of the same types. The last carries
// are the result. If the condition always holds, a run ends only when it is canceled: see Program.RunContext. While has no gradient, as
// nothing bounds what the steps would have to keep for it: a differentiable loop is a Scan of a number of steps that is known. Equal to
// jax.lax.while_loop.
//
// Shapes: any... -> same.
func While(carries []*Value, condition func(carries []*Value) *Value, body func(carries []*Value) (next []*Value)) []*Value {
	if condition == nil || body == nil {
		return graphOf(carries).failAs("While", carries, newProblem("the condition or the body is nil")).graph.poisoned(failedOp{}, len(carries))
	}
	c := &control{kind: ir.While, carries: len(carries)}
	op := controlOp{control: c}
	g, in, ok := c.start(carries)
	if !ok {
		return g.poisoned(op, len(carries))
	}
	trace := func(f func(carries []*Value) []*Value) bool {
		b := c.newBody(g)
		var states, given []*Value
		for i, v := range in {
			states = append(states, b.carry(i, v.typ))
		}
		outputs, ok := b.trace(func() []*Value {
			given = f(states)
			return given
		})
		if !ok {
			g.failBody(c, given)
		}
		c.outputs = append(c.outputs, outputs)
		return ok
	}
	ok = trace(func(states []*Value) []*Value { return []*Value{condition(states)} })
	if ok = trace(body) && ok; !ok {
		return g.poisoned(op, len(carries))
	}
	if more := c.outputs[0][0]; more.DType() != Bool || more.Rank() != 0 {
		g.fail(op, in, newProblem("the condition is %v and should be a bool scalar", more.typ))
		return g.poisoned(op, len(carries))
	}
	if n := len(c.outputs[1]); n != len(in) {
		g.fail(op, in, newProblem("the body gives %d carries and is given %d", n, len(in)))
		return g.poisoned(op, len(carries))
	}
	for i, v := range c.outputs[1] {
		if !v.typ.Equal(in[i].typ) {
			g.fail(op, []*Value{in[i], v}, newProblem("carry %d begins as %v and is %v after a step", i+1, in[i].typ, v.typ).
				WithHint("Cast or Reshape one of them: a carry keeps its type"))
			return g.poisoned(op, len(carries))
		}
	}
	return g.results(c, in)
}

// Cond computes one of two functions of the operands: then if the predicate, a bool scalar, is true when the program runs, and
// otherwise if not. Both return values of the same types. Only the chosen function runs; what does not depend on its arguments may run in any case.
// In the backward pass the function chosen is computed again, and its gradient. Equal to jax.lax.cond; where
// both values are there anyway, Where chooses between them element by element.
//
// Shapes: [] of bool, any... -> those of the functions.
func Cond(predicate *Value, operands []*Value, then, otherwise func(operands []*Value) []*Value) []*Value {
	if then == nil || otherwise == nil {
		in := append([]*Value{predicate}, operands...)
		graphOf(in).failAs("Cond", in, newProblem("one of the functions is nil"))
		return nil
	}
	c := &control{kind: ir.Branch}
	op := controlOp{control: c}
	g, in, ok := c.start(append([]*Value{predicate}, operands...))
	if !ok {
		return g.poisoned(op, len(then(g.poisoned(op, len(operands)))))
	}
	predicate, operands = in[0], in[1:]
	bad := false
	if predicate.DType() != Bool || predicate.Rank() != 0 {
		g.fail(op, in[:1], newProblem("the predicate is %v and should be a bool scalar", predicate.typ))
		bad = true
	}
	for _, f := range []func(operands []*Value) []*Value{then, otherwise} {
		b := c.newBody(g)
		var in, given []*Value
		for _, v := range operands {
			in = append(in, b.capture(v))
		}
		outputs, ok := b.trace(func() []*Value {
			given = f(in)
			return given
		})
		if !ok {
			g.failBody(c, given)
		}
		bad = bad || !ok
		c.outputs = append(c.outputs, outputs)
	}
	n := len(c.outputs[0])
	if !bad && len(c.outputs[1]) != n {
		g.fail(op, []*Value{predicate}, newProblem("one function gives %d values and the other %d", n, len(c.outputs[1])))
		bad = true
	}
	for i := 0; i < n && !bad; i++ {
		if a, b := c.outputs[0][i], c.outputs[1][i]; !a.typ.Equal(b.typ) {
			g.fail(op, []*Value{a, b}, newProblem("value %d is %v from one function and %v from the other", i+1, a.typ, b.typ))
			bad = true
		}
	}
	if bad {
		return g.poisoned(op, n)
	}
	return g.results(c, []*Value{predicate})
}
