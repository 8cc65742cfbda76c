package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds forward mode by itself, which walks from operands to results and takes the rate of change along. JVP needs it only where
// reverse mode, applied twice, cannot go: through a While, whose steps nothing bounds. The loop then carries the rates along with its carries.

// differentiable reports whether rates of change pass through v at all.
func (v *Value) differentiable() bool {
	_, stop := v.op.(stopGradientOp)
	return !stop && v.DType().IsFloat()
}

// changing says which carries of a While change with the operands for which on is true.
func (c *control) changing(in []*Value, on map[*Value]bool) []bool {
	carries := make([]bool, c.carries) // at first from outside
	for k, v := range in[:c.carries] {
		carries[k] = on[v] && v.DType().IsFloat()
	}
	order := reachable(c.outputs[1])
	for again := true; again; {
		again = false
		inside := map[*Value]bool{}
		between := remember(func(v *Value) bool { return slices.ContainsFunc(v.in, func(x *Value) bool { return inside[x] }) })
		for _, v := range order {
			op, argument := v.op.(argumentOp)
			switch {
			case argument && op.role == carriedArgument:
				inside[v] = carries[op.index]
			case argument && op.role == capturedArgument:
				at := c.carries + op.index
				inside[v] = at < len(in) && on[in[at]]
			default:
				inside[v] = v.differentiable() && between(v)
			}
		}
		for k, v := range c.outputs[1] {
			if inside[v] && !carries[k] {
				carries[k], again = true, true
			}
		}
	}
	return carries
}

// dependents says which of the values, in order, change with ends.
func dependents(order, ends []*Value) map[*Value]bool {
	on := map[*Value]bool{}
	for _, end := range ends {
		on[end] = true
	}
	between := remember(func(v *Value) bool { return slices.ContainsFunc(v.in, func(in *Value) bool { return on[in] }) })
	carries := map[**Value][]bool{} // of each While, by its operands
	for _, v := range order {
		if on[v] || !v.differentiable() || !between(v) {
			continue
		}
		op, ok := v.op.(controlOp)
		if !ok || op.kind != ir.While {
			on[v] = true
			continue
		}
		at := &v.in[0]
		if carries[at] == nil {
			carries[at] = op.changing(v.in, on)
		}
		on[v] = carries[at][op.result]
	}
	return on
}

// passesWhile reports whether a While lies between ends and y, bodies of loops included.
func passesWhile(y *Value, ends []*Value) bool {
	order := reachable([]*Value{y})
	on := dependents(order, ends)
	known := map[*control]bool{}
	return slices.ContainsFunc(order, func(v *Value) bool {
		op, ok := v.op.(controlOp)
		return ok && on[v] && op.hasWhile(known)
	})
}

// hasWhile reports whether c is a While or one is in its bodies; known holds what has been found.
func (c *control) hasWhile(known map[*control]bool) bool {
	found, ok := known[c]
	if ok {
		return found
	}
	found = c.kind == ir.While || slices.ContainsFunc(c.outputs, func(outputs []*Value) bool {
		return slices.ContainsFunc(reachable(outputs), func(v *Value) bool {
			op, ok := v.op.(controlOp)
			return ok && op.hasWhile(known)
		})
	})
	known[c] = found
	return found
}

// forward returns the rates at which ys change, given those of some values; nil for a value that does not change.
func (g *Graph) forward(ys []*Value, rates map[*Value]*Value) []*Value {
	var ends []*Value
	for v := range rates {
		ends = append(ends, v)
	}
	order := reachable(ys)
	on := dependents(order, ends)
	nested := applications(order)
	defer func(before *Value) { g.gradOf = before }(g.gradOf)
	given := g.root().precision
	defer g.at(given)()
	for _, v := range order {
		g.root().precision = rulePrecision(v.op, given)
		if rates[v] != nil || !on[v] && nested[v] == nil {
			continue
		}
		if op, ok := v.op.(controlOp); ok {
			if together := nested[v]; slices.ContainsFunc(together, func(y *Value) bool { return on[y] }) {
				g.gradOf = v
				changes := op.forward(v, rates)
				for _, y := range together {
					if d := changes[y.op.(controlOp).result]; d != nil && on[y] {
						rates[y] = d
					}
				}
			}
			continue
		}
		// The rule is linear in the gradient of v, and its own gradient with respect to that is the rate of v.
		g.gradOf = v
		seed := g.placeholder(v.typ)
		total := g.Num(v.DType(), 0)
		for i, d := range v.op.grad(v, seed) {
			if rate := rates[v.in[i]]; d != nil && rate != nil {
				total = total.Add(d.Mul(rate).Sum().Cast(v.DType()))
			}
		}
		if d := g.backward([]*Value{total}, []*Value{total.Num(1)}, []*Value{seed}, nil)[0]; d != nil {
			rates[v] = d
		}
	}
	out := make([]*Value, len(ys))
	for i, y := range ys {
		out[i] = rates[y]
	}
	return out
}

// forward returns the rates of all results of the loop or branch that v is a result of, or nil for one that does not change.
func (c *control) forward(v *Value, rates map[*Value]*Value) []*Value {
	in := v.in
	var carries, slice []*Value // the operands of the new loop: those of the old one, and rates
	carried, sliced := map[int]int{}, map[int]int{}
	first := 0
	if c.kind == ir.Branch {
		first = 1
	} else {
		carries = slices.Clone(in[:c.carries])
		for i, x := range in[:c.carries] {
			if x.DType().IsFloat() {
				rate := rates[x]
				if rate == nil {
					rate = x.Num(0).broadcastTo(x.typ.Shape)
				}
				carried[i] = len(carries)
				carries = append(carries, rate)
			}
		}
		slice = slices.Clone(in[c.carries : c.carries+c.slices])
		for i, x := range in[c.carries : c.carries+c.slices] {
			if rate := rates[x]; rate != nil {
				sliced[i] = len(slice)
				slice = append(slice, rate)
			}
		}
		first = c.carries + c.slices
	}
	// body computes the outputs of a body of c in the body of the new loop, and their rates.
	body := func(n int, b *Graph, states, parts []*Value) (outputs, changes []*Value) {
		known := map[*Value]*Value{}
		outputs = newCopier(b, map[*Value]*Value{}, func(old *Value) (w *Value) {
			op, ok := old.op.(argumentOp)
			if !ok {
				return b.leaf(old.op, old.typ)
			}
			switch op.role {
			case numberArgument:
				w = b.stepNumber()
			case carriedArgument:
				w = states[op.index]
				if at, ok := carried[op.index]; ok {
					known[w] = states[at]
				}
			case slicedArgument:
				w = parts[op.index]
				if at, ok := sliced[op.index]; ok {
					known[w] = parts[at]
				}
			default:
				outer := op.outer
				if at := first + op.index; at < len(in) {
					outer = in[at]
				}
				w = b.capture(outer)
				if rate := rates[outer]; rate != nil {
					known[w] = b.capture(rate)
				}
			}
			return w
		}).copy(c.outputs[n])
		return outputs, b.forward(outputs, known)
	}
	// whole has a 0 in place of a rate that is nil.
	whole := func(outputs, changes []*Value, i int) *Value {
		if d := changes[i]; d != nil {
			return d
		}
		return outputs[i].Num(0).broadcastTo(outputs[i].typ.Shape)
	}
	out := make([]*Value, len(c.outputs[len(c.outputs)-1]))
	switch c.kind {
	case ir.While:
		last := While(carries, func(states []*Value) *Value {
			more, _ := body(0, states[0].graph, states, nil)
			return more[0]
		}, func(states []*Value) []*Value {
			outputs, changes := body(1, states[0].graph, states, nil)
			for i := range c.carries {
				if _, ok := carried[i]; ok {
					outputs = append(outputs, whole(outputs, changes, i))
				}
			}
			return outputs
		})
		for i, at := range carried {
			out[i] = last[at]
		}
	case ir.Scan:
		floats := map[int]int{} // the stacks with a rate
		last, stacks := Scan(carries, slice, ScanOptions{Reverse: c.reverse, Steps: c.steps}, func(states, parts []*Value) (next, ys []*Value) {
			outputs, changes := body(0, graphOf(slices.Concat(states, parts)), states, parts)
			next, ys = slices.Clone(outputs[:c.carries]), slices.Clone(outputs[c.carries:])
			for i, v := range outputs {
				_, carry := carried[i]
				switch {
				case carry && i < c.carries:
					next = append(next, whole(outputs, changes, i))
				case i >= c.carries && v.DType().IsFloat():
					floats[i] = len(ys)
					ys = append(ys, whole(outputs, changes, i))
				}
			}
			return next, ys
		})
		for i, at := range carried {
			out[i] = last[at]
		}
		for i, at := range floats {
			out[i] = stacks[at]
		}
	default:
		var floats []int
		for i, v := range c.outputs[0] {
			if v.DType().IsFloat() {
				floats = append(floats, i)
			}
		}
		branch := func(n int) func([]*Value) []*Value {
			return func(states []*Value) []*Value {
				outputs, changes := body(n, states[0].graph, states, nil)
				var ds []*Value
				for _, i := range floats {
					ds = append(ds, whole(outputs, changes, i))
				}
				return ds
			}
		}
		// The predicate is an operand too, so that each function learns which graph it is in.
		for k, d := range Cond(in[0], in[:1], branch(0), branch(1)) {
			out[floats[k]] = d
		}
	}
	return out
}
