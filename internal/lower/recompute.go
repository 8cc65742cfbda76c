package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file lets loops recompute what another loop would store for them, if that takes a few instructions and reads one array
// instead of the stored one: the other loop then writes one array less. So the normalized values of a batch norm are
// computed from its operand by each loop that needs them, in the backward pass too.

// worthBytes is the size from which results are recomputed; smaller ones stay in a cache. Tests change it.
var worthBytes = 1 << 18

const (
	worthOps   = 4  // instructions that it may take
	smallShare = 16 // operands this many times smaller than the array do not count
)

// repetition is a node that a loop recomputes.
type repetition struct {
	node *ir.Node
	loop *group
}

// cheap lists the functions that take less time than reading an array.
var cheap = []scalar.Func{scalar.Neg, scalar.Abs, scalar.Square, scalar.ReLU, scalar.Add, scalar.Sub, scalar.Mul, scalar.Min, scalar.Max, scalar.MulAdd}

// recompute takes results in the order in which they are computed, so that what is read has been decided on.
func (l *lowering) recompute(g *ir.Graph) {
	l.repeated, l.dropped = map[repetition]*ir.Node{}, map[*ir.Node][]value{}
	var nodes []*ir.Node
	readers := map[*ir.Node][]*ir.Node{}
	for n, operands := range l.operands {
		if n.Type.Bytes() >= worthBytes {
			nodes = append(nodes, n)
		}
		for _, o := range operands {
			if rs := readers[o.node]; o.node.Type.Bytes() >= worthBytes && (len(rs) == 0 || rs[len(rs)-1] != n) {
				readers[o.node] = append(rs, n)
			}
		}
	}
	slices.SortFunc(nodes, func(a, b *ir.Node) int { return l.order[a] - l.order[b] })
	kept := map[*ir.Node]bool{}
	for _, n := range g.Roots() {
		kept[l.values[n].node] = true
	}
	for _, n := range nodes {
		away := slices.DeleteFunc(slices.Clone(readers[n]), func(r *ir.Node) bool { return l.of[r] == l.of[n] })
		if kept[n] || len(away) == 0 {
			continue
		}
		chain, ok := l.chain(n)
		if !ok || slices.ContainsFunc(away, func(r *ir.Node) bool { return !l.canRepeat(chain, r) }) {
			continue
		}
		slices.SortFunc(away, func(a, b *ir.Node) int { return l.order[a] - l.order[b] })
		for _, r := range away {
			l.repeat(chain, r)
		}
		for _, m := range slices.Backward(chain) {
			reads := func(r *ir.Node) bool { return l.reads(r, m) }
			if !kept[m] && !slices.ContainsFunc(readers[m], reads) && !slices.ContainsFunc(l.of[m].nodes, reads) {
				l.drop(m)
			}
		}
	}
}

// reads reports whether r is computed, and m an operand of it.
func (l *lowering) reads(r, m *ir.Node) bool {
	return slices.ContainsFunc(l.operands[r], func(o value) bool { return o.node == m })
}

// drop removes a node that nothing reads from its loop, unless it is the only one.
func (l *lowering) drop(n *ir.Node) {
	if c := l.of[n]; len(c.nodes) > 1 {
		c.nodes = slices.DeleteFunc(c.nodes, func(m *ir.Node) bool { return m == n })
		l.dropped[n] = l.operands[n]
		delete(l.of, n)
		delete(l.operands, n)
	}
}

// chain returns the nodes that compute n from the results of other groups, n last, if that is cheap and reads one large array.
func (l *lowering) chain(n *ir.Node) (chain []*ir.Node, ok bool) {
	c := l.of[n]
	if !c.loop {
		return nil, false
	}
	var array *ir.Node
	var visit func(n *ir.Node) bool
	visit = func(n *ir.Node) bool {
		if slices.Contains(chain, n) {
			return true
		}
		op, elementwise := n.Op.(ir.Elementwise)
		if !elementwise || !slices.Contains(cheap, op.Scalar()) || c.extent[n] != Full {
			return false
		}
		for _, o := range l.operands[n] {
			_, variable := o.node.Op.(ir.Variable) // it may be overwritten before it is read again
			switch {
			case variable || len(o.after) > 0:
				return false
			case l.of[o.node] == c:
				if !o.view.Contiguous() || !visit(o.node) {
					return false
				}
			case o.node.Type.Size()*smallShare <= c.size:
			case !o.view.Contiguous() || array != nil && array != o.node:
				return false
			default:
				array = o.node
			}
		}
		chain = append(chain, n)
		return len(chain) <= worthOps
	}
	return chain, visit(n) && len(chain) > 0
}

// canRepeat reports whether the chain can be computed in the loop of a node that reads its last result.
func (l *lowering) canRepeat(chain []*ir.Node, reader *ir.Node) bool {
	c, n := l.of[reader], chain[len(chain)-1]
	if !c.loop || c.size != n.Type.Size() || len(c.nodes)+len(chain) > maxLoop {
		return false
	}
	for _, o := range l.operands[reader] {
		if o.node == n && (!o.view.Contiguous() || ir.Size(o.view.Shape) != c.size) {
			return false
		}
	}
	cols, ok := c.cols, true
	for _, m := range chain {
		for _, o := range l.operands[m] {
			if l.of[o.node] == l.of[n] {
				continue
			}
			if cols, ok = narrow(cols, rowLengths(o.view)); !ok {
				return false
			}
		}
	}
	return true
}

// repeat computes the chain in the loop of a reader, which then reads that.
func (l *lowering) repeat(chain []*ir.Node, reader *ir.Node) {
	c, n := l.of[reader], chain[len(chain)-1]
	same := map[*ir.Node]*ir.Node{}
	for _, m := range chain {
		if again := l.repeated[repetition{m, c}]; again != nil {
			same[m] = again
			continue
		}
		copied := *m
		again := &copied
		operands := slices.Clone(l.operands[m])
		for i, o := range operands {
			if s := same[o.node]; s != nil {
				operands[i].node = s
			}
		}
		same[m], l.repeated[repetition{m, c}] = again, again
		l.order[again] = l.order[m]
		cols, extent, ok := l.fit(c, again, operands)
		if !ok {
			panic("lower: " + m.String() + " does not fit a loop that reads it")
		}
		c.cols, c.extent[again] = cols, extent
		c.nodes = append(c.nodes, again)
		l.of[again], l.operands[again] = c, operands
		l.depend(c, l.needs(c, operands))
	}
	for i, o := range l.operands[reader] {
		if o.node == n {
			l.operands[reader][i].node = same[n]
		}
	}
}
