package hlo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds loops and branches. Whether operands' contents are right is a flag that a loop carries along, and that ends it.

// nest is a control whose results have been written.
type nest struct {
	node    *ir.Node
	control *ir.Control
	results []value
}

// nested is one result of a control. All results of one control on the same operands are written together.
func (b *text) nested(s *scope, n *ir.Node, in []value) value {
	c, result := n.Op.(ir.Nested).Nests()
	for _, written := range s.nests {
		if written.control == c && ir.SameOperands(written.node, n) {
			return written.results[result]
		}
	}
	var results []value
	switch c.Kind {
	case ir.Branch:
		results = b.branch(c, in)
	case ir.While:
		results = b.condition(c, in)
	default:
		results = b.scan(c, in)
	}
	s.nests = append(s.nests, nest{n, c, results})
	return results[result]
}

// checks reports whether an op in g, or in the body of one, checks the contents of operands.
func checks(g *ir.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *ir.Node) bool {
		switch op := n.Op.(type) {
		case ir.Ranged:
			return true
		case ir.Nested:
			c, _ := op.Nests()
			return slices.ContainsFunc(c.Bodies, checks)
		}
		return false
	})
}

// body writes what a body computes from its inputs, and whether it found all contents right, if it can tell.
func (b *text) body(g *ir.Graph, inputs []value) (out []value, fine []value) {
	outside := b.fine
	b.fine = nil
	s := &scope{known: map[*ir.Node]value{}}
	for _, n := range g.Nodes {
		if op, ok := n.Op.(ir.Input); ok {
			s.known[n] = inputs[op.Index]
		}
	}
	b.nodes(g, s)
	for _, n := range g.Outputs {
		out = append(out, s.known[n])
	}
	fine, b.fine = b.fine, outside
	return out, fine
}

// and is whether all of some scalars are true.
func (b *text) and(all []value) value {
	if len(all) == 0 {
		return b.lit("true", scalarOf("i1"))
	}
	y := all[0]
	for _, x := range all[1:] {
		y = b.op("and", y, x)
	}
	return y
}

// while writes a loop that runs while more says so.
func (b *text) while(start []value, more func(state []value) value, body func(state []value) []value) []value {
	name := b.name()
	state := named("%s"+name[2:], start)
	var heads []string
	for i, v := range start {
		heads = append(heads, state[i].name+" = "+v.name)
	}
	fmt.Fprintf(b, "  %s:%d = stablehlo.while(%s) : %s\n  cond {\n", name, len(start), strings.Join(heads, ", "), types(start))
	p := more(state)
	fmt.Fprintf(b, "  stablehlo.return %s : tensor<i1>\n  } do {\n", p)
	next := body(state)
	fmt.Fprintf(b, "  stablehlo.return %s : %s\n  }\n", names(next), types(next))
	return numbered(name, start)
}

// scan runs a body a known number of times. The state is the count, the carries, the stacks, and the flag.
func (b *text) scan(c *ir.Control, in []value) []value {
	main := c.Main()
	checked := checks(main)
	carries, rest := in[:c.Carries], in[c.Carries+c.Slices:]
	start := append([]value{b.num(0, scalarOf("i64"))}, carries...)
	stacks := len(main.Outputs) - c.Carries
	for i := range stacks {
		start = append(start, b.num(0, typeOf(c.ResultType(c.Carries+i))))
	}
	if checked {
		start = append(start, b.lit("true", scalarOf("i1")))
	}
	if c.Steps == 0 {
		return start[1 : 1+c.Carries+stacks]
	}
	out := b.loop(start, float64(c.Steps), func(k value, state []value) []value {
		at := k
		if c.Reverse {
			at = b.op("subtract", b.num(float64(c.Steps-1), k), k)
		}
		inputs := append([]value{at}, state[:c.Carries]...)
		for _, x := range in[c.Carries : c.Carries+c.Slices] {
			inputs = append(inputs, b.part(x, at))
		}
		results, fine := b.body(main, append(inputs, rest...))
		next := results[:c.Carries:c.Carries]
		for i, y := range results[c.Carries:] {
			next = append(next, b.store(state[c.Carries+i], y, at))
		}
		if checked {
			next = append(next, b.and(append(fine, state[len(state)-1])))
		}
		return next
	})
	if checked {
		b.fine = append(b.fine, out[len(out)-1])
	}
	return out[:c.Carries+stacks]
}

// part is the elements of x whose index on the first axis is at.
func (b *text) part(x, at value) value {
	t := x.of(x.shape[1:]...)
	if t.size() == 0 {
		return b.num(0, t)
	}
	places, sizes := b.first(x, at)
	s := x.of(sizes...)
	return b.reshape(b.emit(s, "stablehlo.dynamic_slice %s, %s, sizes = %s : (%s, %s) -> %s", x, names(places), ints(sizes), x.typ(), types(places), s.typ()), t.shape)
}

// store puts y at index at of the first axis of a stack.
func (b *text) store(stack, y, at value) value {
	if stack.size() == 0 {
		return stack
	}
	places, sizes := b.first(stack, at)
	y = b.reshape(y, sizes)
	return b.emit(stack, "stablehlo.dynamic_update_slice %s, %s, %s : (%s, %s, %s) -> %s", stack, y, names(places), stack.typ(), y.typ(), types(places), stack.typ())
}

// first is where the part at an index begins, and the sizes of it.
func (b *text) first(x, at value) (places []value, sizes []int) {
	places, sizes = []value{at}, slices.Clone(x.shape)
	sizes[0] = 1
	for range x.shape[1:] {
		places = append(places, b.num(0, at))
	}
	return places, sizes
}

// condition runs a body while a condition holds. The condition is computed before the loop and at the end of each step, so that what it
// checks can be carried out of it. The state is the count, whether to go on, the carries, and the flag.
func (b *text) condition(c *ir.Control, in []value) []value {
	carries, rest := in[:c.Carries], in[c.Carries:]
	ask := func(k value, carries []value) (more value, fine []value) {
		out, fine := b.body(c.Bodies[0], slices.Concat([]value{k}, carries, rest))
		return out[0], fine
	}
	k := b.num(0, scalarOf("i64"))
	more, fine := ask(k, carries)
	start := append([]value{k, more}, carries...)
	checked := checks(c.Bodies[0]) || checks(c.Bodies[1])
	if checked {
		start = append(start, b.and(fine))
	}
	out := b.while(start, func(state []value) value {
		if checked {
			return b.op("and", state[1], state[len(state)-1])
		}
		return state[1]
	}, func(state []value) []value {
		results, fine := b.body(c.Bodies[1], slices.Concat(state[:1], state[2:2+c.Carries], rest))
		k := b.op("add", state[0], b.num(1, state[0]))
		more, fineToo := ask(k, results)
		next := append([]value{k, more}, results...)
		if checked {
			next = append(next, b.and(slices.Concat(fine, fineToo, state[len(state)-1:])))
		}
		return next
	})
	if checked {
		b.fine = append(b.fine, out[len(out)-1])
	}
	return out[2 : 2+c.Carries]
}

// branch runs one of two bodies.
func (b *text) branch(c *ir.Control, in []value) []value {
	checked := checks(c.Bodies[0]) || checks(c.Bodies[1])
	var out []value
	for i := range c.Bodies[0].Outputs {
		out = append(out, typeOf(c.ResultType(i)))
	}
	n := len(out)
	if checked {
		out = append(out, scalarOf("i1"))
	}
	name := b.name()
	fmt.Fprintf(b, "  %s:%d = \"stablehlo.if\"(%s) ({\n", name, len(out), in[0])
	for i, g := range c.Bodies {
		results, fine := b.body(g, in)
		if checked {
			results = append(results, b.and(fine))
		}
		fmt.Fprintf(b, "  stablehlo.return %s : %s\n", names(results), types(results))
		if i == 0 {
			b.WriteString("  }, {\n")
		}
	}
	fmt.Fprintf(b, "  }) : (tensor<i1>) -> (%s)\n", types(out))
	results := numbered(name, out)
	if checked {
		b.fine = append(b.fine, results[n])
	}
	return results[:n]
}
