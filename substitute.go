package tarn

import "slices"

// This file holds Substitute, which computes values once more from other operands: a function evaluated at a second point.

// Substitute gives the values as they would be if each operand of from had the value of to at its place. What depends on
// none of from is shared with the original, and the rest is copied, random ops with their draws: so a gradient, or a loss,
// can be computed again at other weights, for the same batch and the same dropout. In the body of a loop the values of to may be
// the body's, and the copies are then too: a search along a line, say, computes a loss anew in every step, and what does not depend on the
// place once. Equal in its use to torch.func.functional_call.
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
