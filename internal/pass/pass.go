// Package pass simplifies a graph before it is lowered. Each pass is a function from a graph to a smaller one that computes
// the same; they run in the order of a table, and a verifier can look at what each has left.
package pass

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// rewrite replaces nodes: by is called for each node, whose operands have been replaced already, and returns the node to use
// in its place, which may be itself.
func rewrite(g *ir.Graph, by func(n *ir.Node) *ir.Node) {
	var w ir.Watch
	defer w.Report()
	replaced := make(map[*ir.Node]*ir.Node, len(g.Nodes))
	kept, lists := g.Nodes[:0], ir.Lists{}
	for _, n := range g.Nodes {
		w.Node = n
		if lists.First(n) {
			for i, in := range n.In {
				n.In[i] = replaced[in]
			}
		}
		m := by(n)
		replaced[n] = m
		if m == n {
			kept = append(kept, n)
		} else if m.Label == "" {
			m.Label = n.Label
		}
	}
	g.Nodes = kept
	for i, n := range g.Outputs {
		g.Outputs[i] = replaced[n]
	}
	for i, n := range g.Guards {
		g.Guards[i] = replaced[n]
	}
	for i, a := range g.Assigns {
		g.Assigns[i].Value = replaced[a.Value]
	}
}

// prune drops what no output and no assignment needs.
func prune(g *ir.Graph) {
	needed, lists := map[*ir.Node]bool{}, ir.Lists{}
	for _, n := range g.Roots() {
		needed[n] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if needed[n] && lists.First(n) {
			for _, in := range n.In {
				needed[in] = true
			}
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *ir.Node) bool { return !needed[n] })
}

// identities drops ops that return an operand: movements that move nothing, x*1, x/1, x+0, x-0, --x and the like.
// x+0 counts as x although it turns -0 into 0.
func identities(g *ir.Graph) {
	rewrite(g, func(n *ir.Node) *ir.Node {
		switch op := n.Op.(type) {
		case ir.Fence:
		case ir.Movement:
			if moved, ok := op.Move(ir.ViewOf(n.In[0].Type.Shape)); ok && n.Type.Equal(n.In[0].Type) && moved.Offset == 0 && slices.Equal(moved.Strides, ir.Strides(n.Type.Shape)) {
				return n.In[0]
			}
		case ir.Conversion:
			if n.Type.Equal(n.In[0].Type) {
				return n.In[0]
			}
		case ir.Elementwise:
			return identity(n, op.Scalar())
		}
		return n
	})
}

// identity returns the operand that n is equal to, or n.
func identity(n *ir.Node, f scalar.Func) *ir.Node {
	a, b := n.In[0], n.In[len(n.In)-1]
	switch f {
	case scalar.Mul:
		if isNumber(b, 1) {
			return a
		}
		if isNumber(a, 1) {
			return b
		}
	case scalar.Add:
		if isNumber(b, 0) {
			return a
		}
		if isNumber(a, 0) {
			return b
		}
	case scalar.Sub:
		if isNumber(b, 0) {
			return a
		}
	case scalar.Div, scalar.Pow:
		if isNumber(b, 1) {
			return a
		}
	case scalar.Neg, scalar.Not: // twice is none
		if inner, ok := a.Op.(ir.Elementwise); ok && inner.Scalar() == f {
			return a.In[0]
		}
	case scalar.And, scalar.Or, scalar.Max, scalar.Min:
		if a == b {
			return a
		}
	}
	return n
}

// isNumber reports whether every element of n is the number x, known before the program runs.
func isNumber(n *ir.Node, x float64) bool {
	for {
		switch op := n.Op.(type) {
		case ir.Const:
			return op.Array.Size() == 1 && op.Array.Float(0) == x
		case ir.Fence:
			return false
		case ir.Movement:
			n = n.In[0]
		default:
			return false
		}
	}
}

// mostFolded bounds the elements of a constant that folding makes, so that programs do not grow by it.
const mostFolded = 1024

// fold computes what depends on constants alone. Movements are left alone, as they cost nothing.
func fold(g *ir.Graph) {
	rewrite(g, func(n *ir.Node) *ir.Node {
		if len(n.In) == 0 || n.Type.Size() > mostFolded {
			return n
		}
		switch n.Op.(type) {
		case ir.Movement, ir.Nested:
			return n
		}
		in := make([]ir.Array, len(n.In))
		for i, m := range n.In {
			op, ok := constant(m)
			if !ok {
				return n
			}
			in[i] = op
		}
		if op, ok := n.Op.(ir.Checked); ok && ir.CheckOperands(op, in) != nil {
			return n // the run reports it
		}
		out := ir.NewArray(n.Type)
		n.Op.Eval(out, in)
		return replaceBy(n, ir.Const{Array: out})
	})
}

// constant returns the contents of a constant, or of a small movement of one.
func constant(n *ir.Node) (ir.Array, bool) {
	switch op := n.Op.(type) {
	case ir.Const:
		return op.Array, true
	case ir.Fence:
	case ir.Movement:
		if a, ok := constant(n.In[0]); ok && n.Type.Size() <= mostFolded && len(n.In) == 1 {
			out := ir.NewArray(n.Type)
			n.Op.Eval(out, []ir.Array{a})
			return out, true
		}
	}
	return ir.Array{}, false
}

// replaceBy turns n into a leaf.
func replaceBy(n *ir.Node, op ir.Op) *ir.Node {
	n.Op, n.In = op, nil
	return n
}

// merge finds equal ops on equal operands and keeps the first of each.
func merge(g *ir.Graph) {
	first := map[string]*ir.Node{}
	lists := resultLists{of: map[**ir.Node]*resultList{}, first: map[string]*resultList{}}
	rewrite(g, func(n *ir.Node) *ir.Node {
		if _, ok := n.Op.(ir.Fence); ok {
			return n
		}
		k := key(n, &lists)
		if m := first[k]; m != nil {
			return m
		}
		first[k] = n
		return n
	})
}

// resultLists numbers the operand lists of results of loops, equal ones alike, and has results with equal lists share one.
type resultLists struct {
	of    map[**ir.Node]*resultList // by the first place in the list
	first map[string]*resultList    // by the operands
}

type resultList struct {
	number int
	in     []*ir.Node
}

// share makes n use the shared list, and returns the number of the list.
func (l *resultLists) share(n *ir.Node) int {
	if len(n.In) == 0 {
		return -1
	}
	at := &n.In[0]
	list := l.of[at]
	if list == nil {
		var b strings.Builder
		for _, in := range n.In {
			b.WriteString(strconv.Itoa(in.ID))
			b.WriteByte('|')
		}
		if list = l.first[b.String()]; list == nil {
			list = &resultList{len(l.first), n.In}
			l.first[b.String()] = list
		}
		l.of[at] = list
	}
	n.In = list.in
	return list.number
}

// key returns a string that is equal for nodes that compute the same.
func key(n *ir.Node, lists *resultLists) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%s|%v", n.Op.Name(), n.Op.Attrs(), n.Type)
	if _, ok := n.Op.(ir.Nested); ok {
		fmt.Fprintf(&b, "|list %d", lists.share(n))
		return b.String()
	}
	ids := make([]int, len(n.In))
	for i, in := range n.In {
		ids[i] = in.ID
	}
	if op, ok := n.Op.(ir.Elementwise); ok && commutes(op.Scalar()) {
		slices.Sort(ids)
	}
	for _, id := range ids {
		b.WriteByte('|')
		b.WriteString(strconv.Itoa(id))
	}
	return b.String()
}

func commutes(f scalar.Func) bool {
	switch f {
	case scalar.Add, scalar.Mul, scalar.Max, scalar.Min, scalar.Eq, scalar.Ne, scalar.And, scalar.Or, scalar.Xor:
		return true
	}
	return false
}

// Verify returns what is wrong with a graph: operands after their users, types that contradict the shape rules, roots that
// are missing.
func Verify(g *ir.Graph) error {
	seen := map[*ir.Node]bool{}
	for _, n := range g.Nodes {
		types := make([]ir.Type, len(n.In))
		for i, in := range n.In {
			if !seen[in] {
				return fmt.Errorf("pass: %v stands before its operand %d", n, i+1)
			}
			types[i] = in.Type
		}
		if seen[n] {
			return fmt.Errorf("pass: %v stands there twice", n)
		}
		seen[n] = true
		if len(n.In) == 0 {
			continue
		}
		t, err := n.Op.Infer(types)
		if err != nil {
			return fmt.Errorf("pass: %v: %w", n, err)
		}
		if !t.Equal(n.Type) {
			return fmt.Errorf("pass: %v should have type %v", n, t)
		}
	}
	for _, n := range g.Roots() {
		if !seen[n] {
			return fmt.Errorf("pass: the root %v is missing", n)
		}
	}
	return nil
}
