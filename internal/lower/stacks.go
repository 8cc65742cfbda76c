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
	if c.Kind != ir.Scan {
		return nil
	}
	outputs := c.Main().Outputs
	stacks := stacksOf(c)
	taken := map[int]bool{}
	for i := range c.Carries {
		if _, ok := outputs[i].Op.(ir.Input); ok {
			continue
		}
		after, before := stacks.after[outputs[i]], stacks.before[i]
		if len(after) > 0 && len(before) > 0 && !taken[after[0]] {
			taken[after[0]] = true
			found = append(found, twice{i, after[0], before[0]})
		}
	}
	return found
}

// stacks are the results of a scan that are stacks, in order: by what is stacked, and by carry those that stack it before each step.
type stacks struct {
	after  map[*ir.Node][]int
	before map[int][]int
}

func stacksOf(c *ir.Control) stacks {
	s := stacks{map[*ir.Node][]int{}, map[int][]int{}}
	outputs := c.Main().Outputs
	for r := c.Carries; r < len(outputs); r++ {
		s.after[outputs[r]] = append(s.after[outputs[r]], r)
		if in, ok := outputs[r].Op.(ir.Input); ok && in.Index >= 1 && in.Index <= c.Carries {
			s.before[in.Index-1] = append(s.before[in.Index-1], r)
		}
	}
	return s
}

// bothStacks returns the array that holds result r of the group together with another, and the view of r in it; nil if r has its own array.
func (l *lowering) bothStacks(g *group, r int) (n *ir.Node, v ir.View) {
	c, _ := g.nodes[0].Op.(ir.Nested).Nests()
	if l.twice[c] == nil {
		l.twice[c] = map[int]twice{}
		for _, t := range twices(c) {
			l.twice[c][t.after], l.twice[c][t.before] = t, t
		}
	}
	if t, ok := l.twice[c][r]; ok {
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
	free := func(r int) bool { return !taken[r] && w.Out[r] != nil }
	stacks := stacksOf(c)
	for i := range c.Carries {
		if c.Kind != ir.Scan || w.Both[i] {
			continue
		}
		after, before := stacks.after[outputs[i]], stacks.before[i]
		if at := slices.IndexFunc(after, free); at >= 0 {
			r := after[at]
			w.Shared[i], taken[r], dropped[i] = r, true, true
		} else if at := slices.IndexFunc(before, free); at >= 0 {
			r := before[at]
			w.Before[i], taken[r], dropped[r] = r, true, true
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
