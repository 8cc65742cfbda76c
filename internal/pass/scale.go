package pass

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file makes elementwise multiplications of products that only scale, as those of a model of one weight: they then take part in loops.

// scales replaces the products of a matrix of one row or column by a matrix of one number. A result that is -0 was 0 as a sum.
func scales(g *ir.Graph) {
	l := lookupPass{}
	for _, n := range g.Nodes {
		l.last = max(l.last, n.ID)
	}
	for _, n := range g.Nodes {
		if op, ok := n.Op.(ir.Contraction); ok && n.Type.DType.Float() && n.Precision() == ir.PrecisionF32 && scalesOnly(op, n) {
			for i, in := range n.In {
				if in.Type.Size() == n.Type.Size() {
					n.In[i] = l.shaped(in, n.Type.Shape)
				} else {
					n.In[i] = l.add(n, irop.Broadcast{Shape: n.Type.Shape}, n.Type.Shape, in)
				}
			}
			n.Op = irop.Elementwise{F: scalar.Mul}
		}
		l.nodes = append(l.nodes, n)
	}
	g.Nodes = l.nodes
}

// scalesOnly reports whether each element of a product is the product of two numbers, and each operand has as many elements or one.
func scalesOnly(op ir.Contraction, n *ir.Node) bool {
	transA, _ := op.Contracts()
	a := n.In[0].Type.Shape
	inner := a[len(a)-1]
	if transA {
		inner = a[len(a)-2]
	}
	return inner == 1 && !slices.ContainsFunc(n.In, func(in *ir.Node) bool { return in.Type.Size() != 1 && in.Type.Size() != n.Type.Size() })
}
