package tarn

import "slices"

// This file holds the updates that are attached to values of a graph: states that change if a layer is computed, such as the running
// mean of a batch norm.

// attached is an update that goes with a value.
type attached struct {
	with, next *Value
}

// Attach makes every run of a program that computes v store next in p: Compile adds the update to those that it is
// given. A layer whose state changes in training attaches the change to its result. If a layer is used more than once, the
// later update starts from the earlier one, see Next, and replaces it.
func (g *Graph) Attach(v *Value, p *Param, next *Value) {
	g = g.orLost()
	if !v.exists() || !next.exists() || p == nil || p.tensor == nil {
		g.failAs("Attach", []*Value{v, next}, newProblem("the value, the param or what it is to hold is nil"))
		return
	}
	if v.failed || next.failed {
		return
	}
	if g.around != nil {
		g.failAs("Attach", []*Value{v}, newProblem("a body of a loop or a branch cannot change a param").WithHint("carry what changes, or use the layer as in evaluation"))
		return
	}
	put(&g.states, p, append(g.states[p], attached{v, next}))
}

// Next returns what the param will hold after the run, by the updates attached in g so far, or the param's value if there is
// none.
//
// Shapes: the shape of the param.
func (p *Param) Next(g *Graph) *Value {
	g = g.orLost()
	if all := g.states[p]; len(all) > 0 && g.around == nil {
		return all[len(all)-1].next
	}
	return p.Value(g)
}

// TakeAttached removes all updates that are attached in g, and returns those that Compile would have added to a program with these outputs. It
// is for a caller who stores the states by other means.
func (g *Graph) TakeAttached(outputs Outputs) []Update {
	g = g.orLost()
	updates := g.withAttached(outputs, nil)
	g.states = nil
	return updates
}

// withAttached adds the updates that go with what the outputs and updates need. A later one of a param replaces an earlier one.
func (g *Graph) withAttached(outputs Outputs, updates []Update) []Update {
	if len(g.states) == 0 {
		return updates
	}
	var params []*Param // in the order in which they were first read
	for _, v := range g.values {
		if p := v.Param(); p != nil && g.states[p] != nil {
			params = append(params, p)
		}
	}
	var roots []*Value
	for _, v := range outputs {
		roots = append(roots, v)
	}
	for _, u := range updates {
		roots = append(roots, u.value)
	}
	brings := map[*Value][]*Param{} // the params that an update attached to the value changes
	for _, p := range params {
		for _, a := range g.states[p] {
			brings[a.with] = append(brings[a.with], p)
		}
	}
	// An update may itself need what brings along others.
	last := map[*Param]*Value{}
	needed, lists := map[*Value]bool{}, operandLists{}
	for len(roots) > 0 {
		changed := map[*Param]bool{}
		for len(roots) > 0 {
			v := roots[len(roots)-1]
			roots = roots[:len(roots)-1]
			if v == nil || needed[v] {
				continue
			}
			needed[v] = true
			for _, p := range brings[v] {
				changed[p] = true
			}
			if lists.first(v) {
				roots = append(roots, v.in...)
			}
		}
		for p := range changed {
			for _, a := range g.states[p] {
				if needed[a.with] {
					last[p] = a.next
				}
			}
			roots = append(roots, last[p])
		}
	}
	updates = slices.Clone(updates)
	for _, p := range params {
		if last[p] != nil {
			updates = append(updates, Assign(p, last[p]))
		}
	}
	return updates
}
