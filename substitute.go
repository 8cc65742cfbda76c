package tarn

import "slices"

// This file holds Substitute, which computes values again from different operands: a function evaluated at a second point.

// Substitute returns the values with from[i] replaced by to[i]. What depends on
// none of from is shared with the original. The rest is copied, random ops with their draws, so a gradient or a loss
// can be computed again at different weights, for the same batch and the same dropout. In the body of a loop the values of to may be
// the body's, and then the copies are too: a line search, for example, computes a loss in every step, and what does not depend on the
// point once. It is used like torch.func.functional_call.
//
// Shapes: any..., and for each operand a value of its dtype and shape -> the shapes of values.
func Substitute[T Operand](values []*Value, from []T, to []*Value) []*Value {
	return substitute(values, operands(from), to)
}

func substitute(values []*Value, from []Operand, to []*Value) []*Value {
	out := make([]*Value, len(values))
	if len(values) == 0 {
		return out
	}
	first := values[0].orLost()
	g := first.graph
	poisoned := func() []*Value {
		for i := range out {
			out[i] = g.poison(substituteOp{}, nil)
		}
		return out
	}
	if len(from) != len(to) {
		g.fail(substituteOp{}, nil, newProblem("%d operands and %d values for them", len(from), len(to)))
		return poisoned()
	}
	copied := map[*Value]*Value{}
	for i, o := range from {
		old, v := first.operand(o), first.operand(to[i])
		switch {
		case !old.exists() || !v.exists():
			g.fail(substituteOp{}, nil, newProblem("operand %d or the value for it is nil", i+1))
			return poisoned()
		case old.failed || v.failed:
			g.adopt(old)
			g.adopt(v)
			return poisoned()
		case old.graph != g || !v.graph.within(g) || v.graph != g && !v.graph.open:
			g.fail(substituteOp{}, nil, newProblem("operand %d or the value for it belongs to another graph", i+1))
			return poisoned()
		case !old.typ.Equal(v.typ):
			g.fail(substituteOp{}, []*Value{old, v}, newProblem("operand %d is %v and the value for it %v", i+1, old.typ, v.typ))
			return poisoned()
		}
		copied[old] = v
	}
	for _, v := range values {
		if !v.exists() {
			g.fail(substituteOp{}, nil, newProblem("a value to compute again is nil"))
			return poisoned()
		}
		if v.failed {
			g.adopt(v)
			return poisoned()
		}
	}
	return newCopier(g, copied, nil).copy(values)
}

// copier computes values once more from other operands.
type copier struct {
	to      *Graph
	copied  map[*Value]*Value
	leaf    func(v *Value) *Value // what stands for a leaf; nil to share what does not change
	results resultMover
}

func newCopier(to *Graph, copied map[*Value]*Value, leaf func(v *Value) *Value) *copier {
	return &copier{to: to, copied: copied, leaf: leaf, results: resultMover{}}
}

// copy returns the copies of values, or values themselves that are shared. A nil stays nil.
func (c *copier) copy(values []*Value) []*Value {
	changes := remember(func(v *Value) bool {
		return c.leaf != nil || slices.ContainsFunc(v.in, func(in *Value) bool { return c.copied[in] != nil })
	})
	// In the order of the graph operands come first. What has been copied keeps its place in the user's program.
	for _, v := range reachable(values) {
		switch {
		case c.copied[v] != nil:
		case c.leaf != nil && len(v.in) == 0:
			c.copied[v] = c.leaf(v)
		case changes(v):
			w := c.results.move(v, c.to, func() []*Value { return c.operands(v) })
			if w == nil {
				op := v.op
				if custom, ok := op.(customGradOp); ok {
					op = c.rule(v, custom)
				}
				w = c.to.insert(op, c.operands(v)...)
			}
			w.site, w.gradOf = v.site, v.gradOf
			c.copied[v] = w
		}
	}
	out := make([]*Value, len(values))
	for i, v := range values {
		out[i] = v
		if w := c.copied[v]; w != nil {
			out[i] = w
		}
	}
	return out
}

func (c *copier) operands(v *Value) []*Value {
	in := slices.Clone(v.in)
	for i, operand := range in {
		if w := c.copied[operand]; w != nil {
			in[i] = w
		}
	}
	return in
}

// rule is a gradient rule for the copy of v. The rule of v knows values that v has been computed with, so what it gives is copied as well.
func (c *copier) rule(v *Value, op customGradOp) customGradOp {
	return customGradOp{rule: func(dy *Value) []*Value {
		from := v.graph
		if from.around != nil && !from.open {
			defer from.enter()()
		}
		defer func(before *Value) { from.gradOf = before }(from.gradOf)
		from.gradOf = v
		seed := from.placeholder(v.typ)
		if dy.graph == from {
			seed.support = dy.support
		}
		ds := op.rule(seed)
		c.copied[seed] = dy
		out := c.copy(ds)
		for i, d := range ds {
			if d.exists() && d != seed && d.support != nil && out[i] != d {
				out[i].support = d.support.then(func(mask *Value) *Value { return c.copy([]*Value{mask})[0] })
			}
		}
		return out
	}}
}

// substituteOp names Substitute in reports.
type substituteOp struct{ failedOp }

func (substituteOp) Name() string { return "Substitute" }
