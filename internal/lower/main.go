package lower

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file lowers what is beside the main part of a graph, such that the steps of the main part are those that it has alone. What one loop computes decides
// which products are rounded and in which order sums are taken, so the loops of the main part compute and store nothing more. The rest reads what they store in any
// case, and computes again what they keep to themselves.

// settle ends the main part: no other node joins its loops.
func (l *lowering) settle() {
	l.again, l.joined = map[*ir.Node]*ir.Node{}, map[*ir.Node]bool{}
	for _, c := range l.groups {
		c.settled = true
	}
	for n, operands := range l.operands {
		if _, ok := n.Op.(ir.Joint); ok {
			for _, o := range operands {
				l.joined[o.node] = true
			}
		}
	}
}

// valueOf returns where the result of a node that has been lowered is.
func (l *lowering) valueOf(n *ir.Node) value {
	v := l.values[n]
	if l.again != nil {
		v.node = l.stored(v.node)
	}
	return v
}

// stored returns n, or if it is a result that a loop of the main part keeps to itself a node that computes the same again.
func (l *lowering) stored(n *ir.Node) *ir.Node {
	operands, hidden := l.dropped[n]
	if c := l.of[n]; c != nil {
		operands, hidden = l.operands[n], c.settled && c.loop && (c.extent[n] == Full || c.extent[n] == Row) && (!l.needed[n] || l.joined[n])
	}
	if !hidden {
		return n
	}
	if again := l.again[n]; again != nil {
		return again
	}
	operands = slices.Clone(operands)
	for i := range operands {
		operands[i].node = l.stored(operands[i].node)
	}
	copied := *n
	again := &copied
	l.again[n] = again
	l.order[again] = len(l.order)
	l.place(again, operands)
	return again
}
