package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the batching rules of loops and branches. The loop is traced again, with a body that computes a step for all examples.

// loop returns the results, for all examples, of the loop or branch that v is a result of.
func (m *mapping) loop(v *Value, c *control, in []mapped) []mapped {
	switch c.kind {
	case ir.Scan:
		return m.scan(c, in)
	case ir.While:
		return m.while(c, in)
	}
	return m.branch(c, in)
}

// inBody is a mapping of values of a body of c, whose arguments are states and parts, and what the operands of c are.
func (m *mapping) inBody(c *control, b *Graph, in, states, parts []mapped) *mapping {
	first := c.carries + c.slices
	if c.kind == ir.Branch {
		first = 1
	}
	s := newMapping(b, m.n)
	s.draws = m.draws
	s.leaf = func(v *Value) mapped {
		op, ok := v.op.(argumentOp)
		if !ok {
			if number, ok := v.op.(constOp); ok && v.Rank() == 0 {
				return mapped{v: b.scalar(newTensor(number.Array))}
			}
			return mapped{v: b.leaf(v.op, v.typ)}
		}
		switch op.role {
		case numberArgument:
			return mapped{v: b.stepNumber()}
		case carriedArgument:
			return states[op.index]
		case slicedArgument:
			return parts[op.index]
		}
		var x mapped
		if at := first + op.index; at < len(in) {
			x = in[at]
		} else { // a gradient rule has captured it since
			x = m.copy([]*Value{op.outer})[0]
		}
		return mapped{b.capture(x.v), x.wide}
	}
	return s
}

// widens says which carries of a loop differ between examples, and whether the condition of a While does.
func (m *mapping) widens(c *control, in []mapped) (carries []bool, condition bool) {
	carries = make([]bool, c.carries)
	for i := range carries {
		carries[i] = in[i].wide
	}
	last := len(c.outputs) - 1
	for again := true; again; {
		again = false
		outputs := c.widened(m, in, carries, last)
		if c.kind == ir.While {
			condition = c.widened(m, in, carries, 0)[0]
		}
		for i := range carries {
			if !carries[i] && (outputs[i] || condition) {
				carries[i], again = true, true
			}
		}
	}
	return carries, condition
}

// widened says which outputs of a body differ between examples, if these carries do.
func (c *control) widened(m *mapping, in []mapped, carries []bool, body int) []bool {
	wide := map[*Value]bool{}
	for _, v := range reachable(c.outputs[body]) {
		if op, ok := v.op.(argumentOp); ok {
			at := c.carries + op.index
			switch op.role {
			case carriedArgument:
				wide[v] = carries[op.index]
			case slicedArgument:
				wide[v] = in[at].wide
			case capturedArgument:
				if at += c.slices; at < len(in) {
					wide[v] = in[at].wide
				} else {
					wide[v] = m.copy([]*Value{op.outer})[0].wide
				}
			}
			continue
		}
		wide[v] = m.draws && v.isRandom() || slices.ContainsFunc(v.in, func(x *Value) bool { return wide[x] })
	}
	out := make([]bool, len(c.outputs[body]))
	for i, v := range c.outputs[body] {
		out[i] = wide[v]
	}
	return out
}

// scan makes the steps of a Scan axis 0 again, in front of the examples.
func (m *mapping) scan(c *control, in []mapped) []mapped {
	wide, _ := m.widens(c, in)
	var carries, xs []*Value
	for i, x := range in[:c.carries] {
		if wide[i] {
			carries = append(carries, m.wide(x))
		} else {
			carries = append(carries, x.v)
		}
	}
	slice := in[c.carries : c.carries+c.slices]
	for _, x := range slice {
		if x.wide {
			x.v = x.v.Transpose(0, 1)
		}
		xs = append(xs, x.v)
	}
	var stacked []bool
	last, stacks := Scan(carries, xs, ScanOptions{Reverse: c.reverse, Steps: c.steps}, func(states, parts []*Value) (next, ys []*Value) {
		b := graphOf(slices.Concat(states, parts))
		s := m.inBody(c, b, in, flagged(states, wide), flagged(parts, wideness(slice)))
		for i, y := range s.copy(c.outputs[0]) {
			switch {
			case i < c.carries && wide[i]:
				next = append(next, s.wide(y))
			case i < c.carries:
				next = append(next, y.v)
			default:
				ys, stacked = append(ys, y.v), append(stacked, y.wide)
			}
		}
		return next, ys
	})
	out := flagged(last, wide)
	for i, y := range stacks {
		if stacked[i] {
			y = y.Transpose(0, 1)
		}
		out = append(out, mapped{y, stacked[i]})
	}
	return out
}

// while runs until the condition holds for no example; one for which it does not hold any more keeps its carries.
func (m *mapping) while(c *control, in []mapped) []mapped {
	wide, differs := m.widens(c, in)
	carries := make([]*Value, c.carries)
	for i, x := range in[:c.carries] {
		if carries[i] = x.v; wide[i] {
			carries[i] = m.wide(x)
		}
	}
	holds := func(states []*Value) *Value {
		s := m.inBody(c, states[0].graph, in, flagged(states, wide), nil)
		more := s.copy(c.outputs[0])[0]
		if differs {
			return s.wide(more)
		}
		return more.v
	}
	last := While(carries, func(states []*Value) *Value {
		if more := holds(states); differs {
			return more.Any()
		} else {
			return more
		}
	}, func(states []*Value) []*Value {
		s := m.inBody(c, states[0].graph, in, flagged(states, wide), nil)
		next := make([]*Value, len(states))
		for i, y := range s.copy(c.outputs[1]) {
			if next[i] = y.v; wide[i] {
				next[i] = s.wide(y)
			}
		}
		if differs {
			more := holds(states)
			for i, y := range next {
				next[i] = more.forEach(y).Where(y, states[i])
			}
		}
		return next
	})
	return flagged(last, wide)
}

// branch computes both functions and chooses, if the predicate differs between examples.
func (m *mapping) branch(c *control, in []mapped) []mapped {
	if in[0].wide {
		var out []mapped
		then, otherwise := m.inBody(c, m.to, in, nil, nil).copy(c.outputs[0]), m.inBody(c, m.to, in, nil, nil).copy(c.outputs[1])
		for i, a := range then {
			x, y := m.wide(a), m.wide(otherwise[i])
			out = append(out, mapped{in[0].v.forEach(x).Where(x, y), true})
		}
		return out
	}
	predicate := []*Value{in[0].v}
	branch := func(n int) func([]*Value) []*Value {
		return func(states []*Value) []*Value {
			s := m.inBody(c, states[0].graph, in, nil, nil)
			var ys []*Value
			for _, y := range s.copy(c.outputs[n]) {
				ys = append(ys, s.wide(y))
			}
			return ys
		}
	}
	// The predicate is an operand too, so that each function learns which graph it is in.
	ys := Cond(in[0].v, predicate, branch(0), branch(1))
	return flagged(ys, slices.Repeat([]bool{true}, len(ys)))
}

// forEach brings a bool for each example to the shape of v.
func (b *Value) forEach(v *Value) *Value {
	return b.Reshape(append([]int{b.Dim(0)}, slices.Repeat([]int{1}, v.Rank()-1)...)...).broadcastTo(v.typ.Shape)
}

func flagged(values []*Value, wide []bool) []mapped {
	out := make([]mapped, len(values))
	for i, v := range values {
		out[i] = mapped{v, wide[i]}
	}
	return out
}

func wideness(in []mapped) []bool {
	out := make([]bool, len(in))
	for i, x := range in {
		out[i] = x.wide
	}
	return out
}
