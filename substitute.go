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
	// In the order of the graph operands come first. What has been copied keeps its place in the user's program.
	results := resultMover{}
	changes := remember(func(v *Value) bool {
		return slices.ContainsFunc(v.in, func(in *Value) bool { return copied[in] != nil })
	})
	for _, v := range reachable(values) {
		if copied[v] != nil || !changes(v) {
			continue
		}
		operands := func() []*Value {
			in := slices.Clone(v.in)
			for i, operand := range in {
				if c := copied[operand]; c != nil {
					in[i] = c
				}
			}
			return in
		}
		c := results.move(v, g, operands)
		if c == nil {
			c = g.insert(v.op, operands()...)
		}
		c.site, c.gradOf = v.site, v.gradOf
		copied[v] = c
	}
	for i, v := range values {
		out[i] = v
		if c := copied[v]; c != nil {
			out[i] = c
		}
	}
	return out
}

// substituteOp names Substitute in reports.
type substituteOp struct{ failedOp }

func (substituteOp) Name() string { return "Substitute" }
