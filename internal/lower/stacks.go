package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file finds stacks of a scan in which carries can live, so that no step copies them there.

// twice is a carry that is stacked both after each step and before it: one array holds both stacks, a step apart.
type twice struct{ carry, after, before int }

// twices finds such carries of a scan.
func twices(c *ir.Control) (found []twice) {
	outputs := c.Main().Outputs
	for i := range c.Carries {
		if _, ok := outputs[i].Op.(ir.Input); ok || c.Kind != ir.Scan {
			continue
		}
		t := twice{carry: i}
		for r := len(outputs) - 1; r >= c.Carries; r-- {
			if outputs[r] == outputs[i] {
				t.after = r
			}
			if in, ok := outputs[r].Op.(ir.Input); ok && in.Index == 1+i {
				t.before = r
			}
		}
		if t.after > 0 && t.before > 0 && !slices.ContainsFunc(found, func(other twice) bool { return other.after == t.after }) {
			found = append(found, t)
		}
	}
	return found
}

// bothStacks gives the array in which result r of the group lies with another, or nil where it lies alone. The view is what it is of that.
func (l *lowering) bothStacks(g *group, r int) (n *ir.Node, v ir.View) {
	c, _ := g.nodes[0].Op.(ir.Nested).Nests()
	for _, t := range twices(c) {
		if r != t.after && r != t.before {
			continue
		}
		if l.both[g] == nil {
			l.both[g] = map[int]*ir.Node{}
		}
		one, first := c.Main().Outputs[t.after].Type, g.nodes[0]
		if n = l.both[g][t.carry]; n == nil {
			n = &ir.Node{ID: first.ID, Op: first.Op, Type: ir.Type{DType: one.DType, Shape: append([]int{c.Steps + 1}, one.Shape...)}, Where: first.Where}
			l.both[g][t.carry], l.of[n] = n, g
		}
		v = ir.ViewOf(append([]int{c.Steps}, one.Shape...))
		if (r == t.after) != c.Reverse {
			v.Offset = one.Size()
		}
		return n, v
	}
	return nil, v
}

// share finds the stacks in which carries can live.
func (w *Nest) share() {
	c, outputs := w.Control, w.Control.Main().Outputs
	w.Shared, w.Before = slices.Repeat([]int{-1}, c.Carries), slices.Repeat([]int{-1}, c.Carries)
	taken := make([]bool, len(outputs))
	dropped := make([]bool, len(outputs)) // no output of the program
	for _, t := range twices(c) {
		if w.Both[t.carry] {
			w.Shared[t.carry], taken[t.after], taken[t.before] = t.after, true, true
			dropped[t.carry], dropped[t.before] = true, true
		}
	}
	for i := range c.Carries {
		if c.Kind != ir.Scan || w.Both[i] {
			continue
		}
		for r := c.Carries; r < len(outputs); r++ {
			if outputs[r] == outputs[i] && !taken[r] && w.Out[r] != nil {
				w.Shared[i], taken[r], dropped[i] = r, true, true
				break
			}
		}
		if w.Shared[i] >= 0 {
			continue
		}
		for r := c.Carries; r < len(outputs); r++ {
			if in, ok := outputs[r].Op.(ir.Input); ok && in.Index == 1+i && !taken[r] && w.Out[r] != nil {
				w.Before[i], taken[r], dropped[r] = r, true, true
				break
			}
		}
	}
	next := 0
	w.Targets = make([]int, len(outputs))
	for r := range outputs {
		if dropped[r] {
			w.Targets[r] = -1
			continue
		}
		w.Targets[r] = next
		next++
	}
}
