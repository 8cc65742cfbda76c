package pass

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file joins a graph and one that looks at it, after each has been simplified without regard to the other.

// Join adds to g what only rest computes, beside g as the main part. Equal indexes of inputs and variables stand for the same ones in both.
func Join(g, rest *ir.Graph) {
	g.Nodes = slices.Concat(unused(g, g.Inputs), unused(g, g.Variables), g.Nodes)
	g.Main = &ir.Main{Nodes: len(g.Nodes), Outputs: len(g.Outputs), Assigns: len(g.Assigns)}
	j := joiner{first: map[string]*ir.Node{}, lists: resultLists{of: map[**ir.Node]*resultList{}, first: map[string]*resultList{}}, controls: map[*ir.Control]string{}}
	free := 0
	for _, n := range g.Nodes {
		free = max(free, n.ID+1)
		if k := j.key(n); j.first[k] == nil {
			j.first[k] = n
		}
	}
	rest.Nodes = slices.Concat(unused(rest, rest.Inputs), unused(rest, rest.Variables), rest.Nodes)
	for _, n := range rest.Nodes {
		n.ID += free
	}
	same := map[*ir.Node]*ir.Node{}
	rewrite(rest, func(n *ir.Node) *ir.Node {
		same[n] = n
		if m := j.first[j.key(n)]; m != nil {
			same[n] = m
		}
		return same[n]
	})
	prune(rest)
	g.Nodes = append(g.Nodes, rest.Nodes...)
	g.Inputs, g.Variables = joinLeaves(g.Inputs, rest.Inputs, same), joinLeaves(g.Variables, rest.Variables, same)
	g.Outputs = append(g.Outputs, rest.Outputs...)
	for _, a := range rest.Assigns {
		g.Assigns = append(g.Assigns, ir.Assign{Variable: same[a.Variable], Value: a.Value})
	}
}

// unused returns the leaves that are not among the nodes of g.
func unused(g *ir.Graph, leaves []*ir.Node) (found []*ir.Node) {
	used := map[*ir.Node]bool{}
	for _, n := range g.Nodes {
		used[n] = true
	}
	for _, n := range leaves {
		if !used[n] {
			found = append(found, n)
		}
	}
	return found
}

// joinLeaves returns the leaves of two graphs by index.
func joinLeaves(main, rest []*ir.Node, same map[*ir.Node]*ir.Node) []*ir.Node {
	all := slices.Clone(main)
	for _, n := range rest {
		if same[n] == n {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *ir.Node) int { return leafIndex(a) - leafIndex(b) })
	return all
}

func leafIndex(n *ir.Node) int {
	if op, ok := n.Op.(ir.Input); ok {
		return op.Index
	}
	return n.Op.(ir.Variable).Index
}

// joiner finds nodes of two graphs that compute the same.
type joiner struct {
	first    map[string]*ir.Node // of the main part
	lists    resultLists
	controls map[*ir.Control]string
}

// key returns a string that is equal for nodes that compute the same, also if they are of two graphs.
func (j *joiner) key(n *ir.Node) string {
	switch op := n.Op.(type) {
	case ir.Once:
		return fmt.Sprintf("once %s|%s", op.Name(), op.Attrs())
	case ir.Const:
		return constantKey(op)
	case ir.Nested:
		c, result := op.Nests()
		return fmt.Sprintf("list %d|result %d|%v|%s", j.lists.share(n), result, n.Type, j.control(c))
	}
	return key(n, &j.lists)
}

// constantKey identifies constants by their contents, except large ones, which no pass makes.
func constantKey(op ir.Const) string {
	if op.Array.Size() > mostFolded {
		return fmt.Sprintf("const %p", op.Array.Data)
	}
	return fmt.Sprintf("const %v %x", op.Array.Type, op.Array.Raw())
}

// control describes what a Control computes.
func (j *joiner) control(c *ir.Control) string {
	if s, ok := j.controls[c]; ok {
		return s
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %d %d %v", c.Kind, c.Carries, c.Slices, c.Steps, c.Reverse)
	for _, body := range c.Bodies {
		number := map[*ir.Node]int{}
		for i, n := range body.Nodes {
			number[n] = i
			switch op := n.Op.(type) {
			case ir.Const:
				b.WriteString(constantKey(op))
			case ir.Nested:
				inner, result := op.Nests()
				fmt.Fprintf(&b, "{%s} %d", j.control(inner), result)
			default:
				fmt.Fprintf(&b, "%s|%s|%v", op.Name(), op.Attrs(), n.Type)
			}
			for _, in := range n.In {
				fmt.Fprintf(&b, "|%d", number[in])
			}
			b.WriteByte(';')
		}
		for _, n := range body.Outputs {
			fmt.Fprintf(&b, "%d,", number[n])
		}
	}
	j.controls[c] = b.String()
	return b.String()
}
