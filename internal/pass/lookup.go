package pass

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file moves products from looked-up rows to the table, if that is the smaller of the two, as an embedding of few characters
// is next to the text. With L the matrix that looks up, which has a single one in each row:
//
//	(L E) W  = L (E W)      the result is looked up
//	(L E)ᵀ Y = Eᵀ (Lᵀ Y)    as in the gradient with respect to W; Lᵀ adds up rows
//	Lᵀ (Y W) = (Lᵀ Y) W     as in the gradient with respect to E
//
// The first has the same bits, except where the inner axis is so long that a product is cut along it. The others add up in another order, and
// where products round their operands they round sums of rows and not the rows.
// A row of the table that no index names would count times 0 in the second, which is NaN if the row is not finite, and its gradient in
// the third would be 0 times W; so it is set to 0 in both. Rows that a loop reads slice by slice are looked up in its steps.

// leastWidth is the length of the rows from which a product with them costs more than adding them up.
const leastWidth = 16

// lookups makes the three replacements.
func lookups(g *ir.Graph) {
	var w ir.Watch
	defer w.Report()
	l := lookupPass{}
	uses, lists := map[*ir.Node]int{}, ir.Lists{}
	for _, n := range g.Nodes {
		l.last = max(l.last, n.ID)
		if lists.First(n) {
			for _, in := range n.In {
				uses[in]++
			}
		}
	}
	for _, n := range g.Roots() {
		uses[n]++
	}
	for _, n := range g.Nodes {
		w.Node = n
		switch op := n.Op.(type) {
		case ir.Contraction:
			l.product(n, op)
		case ir.LookupSum:
			l.sum(n, op, uses)
		}
		l.nodes = append(l.nodes, n)
	}
	g.Nodes = l.nodes
}

// lookupPass collects the nodes of the new graph.
type lookupPass struct {
	nodes []*ir.Node
	last  int // largest ID so far
}

// add puts in a node, of the dtype and place of another.
func (l *lookupPass) add(like *ir.Node, op ir.Op, shape []int, in ...*ir.Node) *ir.Node {
	l.last++
	n := &ir.Node{ID: l.last, Op: op, In: in, Type: ir.Type{DType: like.Type.DType, Shape: shape}, Where: like.Where}
	l.nodes = append(l.nodes, n)
	return n
}

// shaped returns n with another shape.
func (l *lookupPass) shaped(n *ir.Node, shape []int) *ir.Node {
	for m := n; ; m = m.In[0] {
		if slices.Equal(m.Type.Shape, shape) {
			return m
		}
		if !keepsOrder(m) {
			return l.add(n, irop.Reshape{Shape: shape}, shape, n)
		}
	}
}

// keepsOrder reports whether n is its operand in another shape.
func keepsOrder(n *ir.Node) bool {
	if _, ok := n.Op.(ir.Fence); ok || len(n.In) != 1 {
		return false
	}
	op, ok := n.Op.(ir.Movement)
	if !ok || n.Type.Size() != n.In[0].Type.Size() {
		return false
	}
	v, ok := op.Move(ir.ViewOf(n.In[0].Type.Shape))
	return ok && v.Offset == 0 && v.Contiguous()
}

// source returns the node of which n is a change of shape.
func source(n *ir.Node) *ir.Node {
	for keepsOrder(n) {
		n = n.In[0]
	}
	return n
}

// rowsOf returns the lookup that n, a matrix, has the rows of, or nil if the table is not a matrix or about as large.
func rowsOf(n *ir.Node) *ir.Node {
	s := source(n)
	op, ok := s.Op.(ir.Lookup)
	if !ok || op.LooksUp() != 0 {
		return nil
	}
	table := s.In[0].Type.Shape
	if len(table) != 2 || n.Type.Shape[1] != table[1] || table[1] < leastWidth || 2*table[0] > n.Type.Shape[0] {
		return nil
	}
	return s
}

// product replaces the product n in place.
func (l *lookupPass) product(n *ir.Node, op ir.Contraction) {
	if len(n.Type.Shape) != 2 {
		return
	}
	transA, transB := op.Contracts()
	if !transA {
		if s := rowsOf(n.In[0]); s != nil {
			index, width := s.In[1], n.Type.Shape[1]
			table := l.add(n, n.Op, []int{s.In[0].Type.Shape[0], width}, s.In[0], n.In[1])
			found := l.add(s, s.Op, append(slices.Clone(index.Type.Shape), width), table, index)
			n.Op, n.In = irop.Reshape{Shape: n.Type.Shape}, []*ir.Node{found}
		}
		return
	}
	if transB {
		return
	}
	for side, x := range n.In {
		s := rowsOf(x)
		if s == nil {
			continue
		}
		index, y := s.In[1], n.In[1-side]
		size := s.In[0].Type.Shape[0]
		adjoint := s.Op.(ir.Lookup).Adjoint(size)
		sum := l.addUp(n, adjoint, size, index, y)
		in := []*ir.Node{l.named(index, s.In[0], adjoint), sum}
		if side == 1 {
			slices.Reverse(in)
		}
		n.In = in
		return
	}
}

// addUp adds up the rows of a matrix y where the index says.
func (l *lookupPass) addUp(like *ir.Node, adjoint ir.Op, size int, index, y *ir.Node) *ir.Node {
	width := y.Type.Shape[1]
	return l.add(like, adjoint, []int{size, width}, index, l.shaped(y, append(slices.Clone(index.Type.Shape), width)))
}

// sum replaces the sum n of rows of a product in place, where nothing else needs the product.
func (l *lookupPass) sum(n *ir.Node, op ir.LookupSum, uses map[*ir.Node]int) {
	index, rows := n.In[0], n.In[1]
	if op.AddsUp() != 0 || len(n.Type.Shape) != 2 || 2*n.Type.Shape[0] > index.Type.Size() || n.Type.Shape[1] < leastWidth {
		return
	}
	for uses[rows] == 1 && keepsOrder(rows) {
		rows = rows.In[0]
	}
	product, ok := rows.Op.(ir.Contraction)
	if !ok || uses[rows] != 1 || len(rows.Type.Shape) != 2 || rows.Type.Shape[1] != n.Type.Shape[1] {
		return
	}
	if transA, _ := product.Contracts(); transA {
		return
	}
	sums := l.addUp(n, n.Op, n.Type.Shape[0], index, rows.In[0])
	l.setNamed(n, index, l.add(n, product, n.Type.Shape, sums, rows.In[1]), op)
}

// named returns a table with zeros in the rows that the index does not name; adjoint adds up rows of such a table.
func (l *lookupPass) named(index, table *ir.Node, adjoint ir.Op) *ir.Node {
	n := *table
	n.Label = ""
	l.setNamed(&n, index, table, adjoint)
	l.last++
	n.ID = l.last
	l.nodes = append(l.nodes, &n)
	return &n
}

// setNamed turns n, which has the type of the table, into what named returns.
func (l *lookupPass) setNamed(n, index, table *ir.Node, adjoint ir.Op) {
	size := table.Type.Shape[0]
	one, zero := l.number(table, 1), l.number(table, 0)
	spread := func(x *ir.Node, shape ...int) *ir.Node { return l.add(x, irop.Broadcast{Shape: shape}, shape, x) }
	count := l.add(table, adjoint, []int{size, 1}, index, spread(one, append(slices.Clone(index.Type.Shape), 1)...))
	found := l.add(table, irop.Elementwise{F: scalar.Ne}, []int{size, 1}, count, spread(zero, size, 1))
	found.Type.DType = ir.Bool
	n.Op = irop.Elementwise{F: scalar.Where}
	n.In = []*ir.Node{spread(found, table.Type.Shape...), table, spread(zero, table.Type.Shape...)}
}

// number is a scalar constant of the dtype of another node.
func (l *lookupPass) number(like *ir.Node, x float64) *ir.Node {
	a := ir.NewArray(ir.Type{DType: like.Type.DType, Shape: []int{}})
	a.SetFloat(0, x)
	return l.add(like, ir.Const{Array: a}, a.Shape)
}

// leastSlices is the size from which an array whose slices a loop reads is not expected to stay in the cache.
const leastSlices = 1 << 20

// lookUpInside makes a scan slice an index and look up in the whole table, instead of slicing what was looked up: all that its
// steps then read is in the cache. It changes the scan and returns its operands.
func lookUpInside(c *ir.Control, operands []*ir.Node) []*ir.Node {
	body := c.Main()
	for i := range c.Slices {
		whole := operands[c.Carries+i]
		s := source(whole)
		op, ok := s.Op.(ir.Lookup)
		if !ok || op.LooksUp() != 0 || !slices.Equal(s.Type.Shape, whole.Type.Shape) || whole.Type.Bytes() < leastSlices {
			continue
		}
		table, index := s.In[0], s.In[1]
		if len(index.Type.Shape) == 0 || index.Type.Shape[0] != c.Steps || 2*table.Type.Size() > whole.Type.Size() {
			continue
		}
		at := slices.IndexFunc(body.Nodes, func(n *ir.Node) bool {
			in, ok := n.Op.(ir.Input)
			return ok && in.Index == 1+c.Carries+i
		})
		if at < 0 {
			continue
		}
		operands[c.Carries+i] = index
		operands = append(operands, table)
		last := 0
		for _, n := range body.Nodes {
			last = max(last, n.ID)
		}
		slice := body.Nodes[at]
		found := *slice
		*slice = ir.Node{ID: last + 1, Op: slice.Op, Type: ir.Type{DType: index.Type.DType, Shape: index.Type.Shape[1:]}, Where: s.Where}
		whole = &ir.Node{ID: last + 2, Op: ir.Input{Index: len(operands)}, Type: table.Type, Label: table.Label, Where: table.Where}
		found.Op, found.In, found.Where = op, []*ir.Node{whole, slice}, s.Where
		replaceNode(body, slice, &found)
		body.Nodes = slices.Insert(body.Nodes, at+1, whole, &found)
	}
	return operands
}

// replaceNode makes every user of n read another node.
func replaceNode(g *ir.Graph, n, by *ir.Node) {
	replace := func(list []*ir.Node) {
		for i, in := range list {
			if in == n {
				list[i] = by
			}
		}
	}
	replace(g.Outputs)
	for _, m := range g.Nodes {
		replace(m.In)
	}
}
