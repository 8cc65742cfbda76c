package pass

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file simplifies loops and branches. Of each it keeps the results that are needed, the carries that
// those depend on, and the operands that the bodies then still read, and it runs all passes on the bodies.

// bodies replaces the Control of every application by a copy that has only what is needed.
func bodies(g *ir.Graph) {
	nested := applications(g)
	needed, lists := map[*ir.Node]bool{}, ir.Lists{}
	for _, n := range g.Roots() {
		needed[n] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if _, ok := n.Op.(ir.Nested); ok {
			// The first of the results comes last: by then it is known which of them are needed.
			if results := nested[n]; slices.ContainsFunc(results, func(r *ir.Node) bool { return needed[r] }) {
				trim(results, needed)
				for _, r := range results {
					if needed[r] && lists.First(r) {
						for _, in := range r.In {
							needed[in] = true
						}
					}
				}
			}
			continue
		}
		if needed[n] {
			for _, in := range n.In {
				needed[in] = true
			}
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *ir.Node) bool { return !needed[n] })
}

// applications lists the results of each Control on the same operands by the first of them.
func applications(g *ir.Graph) map[*ir.Node][]*ir.Node {
	found := map[*ir.Node][]*ir.Node{}
	firsts := map[*ir.Control][]*ir.Node{}
next:
	for _, n := range g.Nodes {
		op, ok := n.Op.(ir.Nested)
		if !ok {
			continue
		}
		c, _ := op.Nests()
		for _, first := range firsts[c] {
			if ir.SameOperands(first, n) {
				found[first] = append(found[first], n)
				continue next
			}
		}
		firsts[c] = append(firsts[c], n)
		found[n] = []*ir.Node{n}
	}
	return found
}

// trim replaces the Control of the results by one without what none of them needs.
func trim(results []*ir.Node, needed map[*ir.Node]bool) {
	w := ir.Watch{Node: results[0]}
	defer w.Report()
	c, _ := results[0].Op.(ir.Nested).Nests()
	keep := make([]bool, len(c.Main().Outputs)) // by result
	for _, n := range results {
		_, i := n.Op.(ir.Nested).Nests()
		keep[i] = keep[i] || needed[n]
	}
	reads := growCarries(c, keep)

	// New numbers of inputs and of results; what is dropped has none.
	inputs, outputs := make([]int, len(reads)), make([]int, len(keep))
	t := &ir.Control{Kind: c.Kind, Steps: c.Steps, Reverse: c.Reverse}
	var operands []*ir.Node
	for i := range inputs {
		if i > 0 && !reads[i] {
			continue
		}
		if i > c.Carries+c.Slices && isConst(results[0].In[c.Operand(i)]) { // it becomes a part of the body
			continue
		}
		inputs[i] = 0
		if i > 0 {
			inputs[i] = len(operands) + 1 - b2i(c.Kind == ir.Branch)
		}
		if at := c.Operand(i); at >= 0 {
			operands = append(operands, results[0].In[at])
		}
		if at := c.Operand(i); c.Kind != ir.Branch && at >= 0 {
			t.Carries += b2i(at < c.Carries)
			t.Slices += b2i(at >= c.Carries && at < c.Carries+c.Slices)
		}
	}
	kept := 0
	for i, k := range keep {
		outputs[i] = kept
		kept += b2i(k)
	}
	for b, body := range c.Bodies {
		var roots []*ir.Node
		for i, n := range body.Outputs {
			if c.Kind == ir.While && b == 0 || keep[i] {
				roots = append(roots, n)
			}
		}
		t.Bodies = append(t.Bodies, copyBody(body, roots, func(i int) ir.Op {
			if i > c.Carries+c.Slices && isConst(results[0].In[c.Operand(i)]) {
				return results[0].In[c.Operand(i)].Op
			}
			return ir.Input{Index: inputs[i]}
		}))
	}
	if c.Kind == ir.Scan {
		operands = lookUpInside(t, operands)
	}
	for _, body := range t.Bodies {
		Run(body, nil)
	}
	same := shareStacks(t)
	for _, n := range results {
		if _, i := n.Op.(ir.Nested).Nests(); keep[i] {
			n.Op, n.In = ir.Result{Control: t, Index: same[outputs[i]], Title: n.Op.Name()}, operands
		}
	}
}

// shareStacks drops stacks of what is stacked already, and returns the new number of each result.
func shareStacks(c *ir.Control) (number []int) {
	for i := range c.Main().Outputs {
		number = append(number, i)
	}
	if c.Kind != ir.Scan {
		return number
	}
	body := c.Main()
	kept := body.Outputs[:c.Carries:c.Carries]
	stacks := map[*ir.Node]int{}
	for i, n := range body.Outputs[c.Carries:] {
		at, known := stacks[n]
		if !known {
			at = len(kept)
			kept = append(kept, n)
			stacks[n] = at
		}
		number[c.Carries+i] = at
	}
	body.Outputs = kept
	return number
}

func isConst(n *ir.Node) bool {
	_, ok := n.Op.(ir.Const)
	return ok
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// growCarries adds to the results those carries that the others depend on, and returns the inputs that are then read. A carry
// that nothing reads is kept if it is a result.
func growCarries(c *ir.Control, keep []bool) (reads []bool) {
	reads = make([]bool, inputCount(c))
	reads[0] = true
	var todo []*ir.Node
	result := func(i int) {
		for b, body := range c.Bodies {
			if c.Kind != ir.While || b > 0 {
				todo = append(todo, body.Outputs[i])
			}
		}
		if i < c.Carries {
			reads[1+i] = true
		}
	}
	if c.Kind == ir.While {
		todo = append(todo, c.Bodies[0].Outputs...)
	}
	for i, k := range keep {
		if k {
			result(i)
		}
	}
	seen, lists := map[*ir.Node]bool{}, ir.Lists{}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		if in, ok := n.Op.(ir.Input); ok {
			reads[in.Index] = true
			if i := in.Index - 1; i >= 0 && i < c.Carries && !keep[i] {
				keep[i] = true
				result(i)
			}
		}
		if lists.First(n) {
			todo = append(todo, n.In...)
		}
	}
	return reads
}

// inputCount is the number of inputs that the bodies could read.
func inputCount(c *ir.Control) int {
	n := 1 + c.Carries + c.Slices
	for _, body := range c.Bodies {
		for _, in := range body.Nodes {
			if op, ok := in.Op.(ir.Input); ok {
				n = max(n, op.Index+1)
			}
		}
	}
	return n
}

// copyBody copies what the roots need; leaf returns the op that replaces an input.
func copyBody(g *ir.Graph, roots []*ir.Node, leaf func(i int) ir.Op) *ir.Graph {
	needed, lists := map[*ir.Node]bool{}, ir.Lists{}
	for _, n := range roots {
		needed[n] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if needed[n] && lists.First(n) {
			for _, in := range n.In {
				needed[in] = true
			}
		}
	}
	copied := map[*ir.Node]*ir.Node{}
	shared := map[**ir.Node][]*ir.Node{} // the operands of results, by their former place
	out := &ir.Graph{}
	for _, n := range g.Nodes {
		if !needed[n] {
			continue
		}
		c := *n
		_, nested := n.Op.(ir.Nested)
		nested = nested && len(n.In) > 0
		if nested {
			c.In = shared[&n.In[0]]
		}
		if !nested || c.In == nil {
			c.In = slices.Clone(n.In)
			for i, in := range c.In {
				c.In[i] = copied[in]
			}
			if nested {
				shared[&n.In[0]] = c.In
			}
		}
		if op, ok := c.Op.(ir.Input); ok {
			c.Op = leaf(op.Index)
		}
		copied[n] = &c
		out.Nodes = append(out.Nodes, &c)
	}
	for _, n := range roots {
		out.Outputs = append(out.Outputs, copied[n])
	}
	return out
}
