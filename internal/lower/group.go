package lower

import (
	"cmp"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds fusion: which nodes one loop computes together. Nodes are taken in topological order. Each
// elementwise op and each reduction joins the loop of one of its operands, or one that reads the same array, where the
// loop's space fits and no work outside the loop would have to run in the middle of it.

// group is a piece of work in the making.
type group struct {
	id    int
	nodes []*ir.Node
	loop  bool // a row loop, which other nodes may join unless it is settled

	size   int   // elements of the loop's space
	cols   []int // possible row lengths of the space, ascending; nil while any will do
	extent map[*ir.Node]Extent

	settled bool // of the main part, and the rest is being lowered

	depender
}

// maxLoop bounds the number of instructions of one loop, so that its blocks stay in the cache.
const maxLoop = 64

// value is the place of a node's result: a view of the result of another node.
type value struct {
	node  *ir.Node
	view  ir.View
	after []*ir.Node // waited for, not read
}

// grouping assigns nodes to groups.
type grouping struct {
	dependence
	groups   []*group // by id, those too that have been merged into another
	of       map[*ir.Node]*group
	operands map[*ir.Node][]value  // of the nodes that are in groups
	readers  map[*ir.Node][]*group // loops that read a node's result, in row-major order
	noted    map[read]bool         // the contents of readers
}

// read is a node's result and a loop that reads it.
type read struct {
	node *ir.Node
	loop *group
}

// place puts a node that computes something into a group.
func (g *grouping) place(n *ir.Node, operands []value) {
	for _, c := range g.candidates(operands) {
		if c.into != nil {
			continue // merged away while trying
		}
		if g.join(c, n, operands) {
			return
		}
	}
	c := g.newGroup(n, operands)
	c.loop, c.extent = true, map[*ir.Node]Extent{}
	c.size = n.Type.Size()
	if _, ok := n.Op.(ir.Reduction); ok {
		c.size = ir.Size(operands[0].view.Shape)
	}
	cols, extent, ok := g.fit(c, n, operands)
	if !ok {
		panic("lower: " + n.String() + " does not fit a loop of its own")
	}
	c.cols, c.extent[n] = cols, extent
	g.noteReads(c, operands)
}

// newGroup makes a group of one node.
func (g *grouping) newGroup(n *ir.Node, operands []value) *group {
	c := &group{id: len(g.groups), nodes: []*ir.Node{n}}
	g.groups = append(g.groups, c)
	g.of[n], g.operands[n] = c, operands
	g.append(c, g.needs(c, operands))
	return c
}

// candidates are the loops that a node with these operands could join, the best first.
func (g *grouping) candidates(operands []value) []*group {
	var found []*group
	add := func(c *group) {
		if c != nil && c.loop && !c.settled && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	for _, o := range operands {
		add(g.of[o.node])
	}
	// The largest first: what is one number per row for it is best computed there.
	slices.SortStableFunc(found, func(a, b *group) int { return cmp.Or(b.size-a.size, b.id-a.id) })
	for _, o := range operands {
		rs := g.readers[o.node]
		for _, c := range rs[max(0, len(rs)-4):] {
			add(c.find())
		}
	}
	return found
}

// join adds n to the loop c if it fits there.
func (g *grouping) join(c *group, n *ir.Node, operands []value) bool {
	if len(c.nodes) >= maxLoop || c.size == 1 && !g.sameNeeds(c, operands) {
		return false
	}
	for _, o := range operands {
		if other := g.of[o.node]; other != nil && other != c && other.loop && !other.settled && c.size > 1 {
			g.merge(c, other)
		}
	}
	for _, o := range operands {
		for _, m := range o.after {
			if m != o.node && g.of[m] == c {
				return false
			}
		}
	}
	cols, extent, ok := g.fit(c, n, operands)
	if !ok || !g.depend(c, g.needs(c, operands)) {
		return false
	}
	c.cols, c.extent[n] = cols, extent
	c.nodes = append(c.nodes, n)
	g.of[n], g.operands[n] = c, operands
	g.noteReads(c, operands)
	return true
}

// needs returns the groups other than c that must run before a node with these operands.
func (g *grouping) needs(c *group, operands []value) (needed []*group) {
	g.newSearch()
	add := func(n *ir.Node) {
		if other := g.of[n]; other != nil && other != c && g.visit(other) {
			needed = append(needed, other)
		}
	}
	for _, o := range operands {
		add(o.node)
		for _, n := range o.after {
			add(n)
		}
	}
	return needed
}

// sameNeeds reports whether a node with these operands can run as soon as c can, and not sooner. Loops over a single number
// save nothing by waiting for each other, and what waits for them may be large.
func (g *grouping) sameNeeds(c *group, operands []value) bool {
	needed := g.needs(c, operands)
	if !g.reach([]*group{c}, needed) {
		return false
	}
	// A node that reads c waits for all that c does.
	return slices.ContainsFunc(operands, func(o value) bool { return g.of[o.node] == c }) || g.reach(needed, g.before(c))
}

func (g *grouping) noteReads(c *group, operands []value) {
	for _, o := range operands {
		if o.view.Contiguous() && ir.Size(o.view.Shape) == c.size && g.of[o.node] != c && !g.noted[read{o.node, c}] {
			g.noted[read{o.node, c}] = true
			g.readers[o.node] = append(g.readers[o.node], c)
		}
	}
}

// fit says whether n can be computed in the loop c, which row lengths that leaves, and the extent of n.
func (g *grouping) fit(c *group, n *ir.Node, operands []value) (cols []int, extent Extent, ok bool) {
	if r, isReduction := n.Op.(ir.Reduction); isReduction {
		return g.fitReduction(c, r, operands[0])
	}
	if n.Type.Size() != c.size {
		return c.cols, Row, g.fitRow(c, n, operands)
	}
	cols = c.cols
	for _, o := range operands {
		if cols, ok = g.fitOperand(c, cols, o); !ok {
			return nil, 0, false
		}
	}
	return cols, Full, true
}

// fitOperand narrows the row lengths to those at which a Full instruction can read o.
func (g *grouping) fitOperand(c *group, cols []int, o value) ([]int, bool) {
	if g.of[o.node] != c {
		return narrow(cols, rowLengths(o.view))
	}
	switch c.extent[o.node] {
	case Full:
		return cols, o.view.Contiguous() && ir.Size(o.view.Shape) == c.size
	case Row:
		n := spreadLength(o.view, o.node.Type.Size())
		if n == 0 {
			return nil, false
		}
		return narrow(cols, lengths{some: []int{n}})
	}
	return nil, false
}

// fitRow says whether n has one number for each row of c and is computed from such numbers, some of them of c.
func (g *grouping) fitRow(c *group, n *ir.Node, operands []value) bool {
	if len(c.cols) != 1 || c.cols[0] == 0 || n.Type.Size() != c.size/c.cols[0] {
		return false
	}
	inside := false
	for _, o := range operands {
		if g.of[o.node] == c {
			if c.extent[o.node] != Row || !o.view.Contiguous() || o.view.Offset != 0 {
				return false
			}
			inside = true
		} else if !o.view.Contiguous() && !single(o.view) {
			return false
		}
	}
	return inside
}

// wideVector is the length from which a vector is reduced in parts, by several workers, and not as one row.
const wideVector = 4096

func (g *grouping) fitReduction(c *group, r ir.Reduction, o value) (cols []int, extent Extent, ok bool) {
	_, axes := r.Reduces()
	first, last := axes[0], axes[len(axes)-1]+1
	shape := o.view.Shape
	whole := ir.Size(shape[:first]) == 1 && ir.Size(shape[last:]) == 1
	if g.of[o.node] == c && c.extent[o.node] == Row {
		return c.cols, Total, whole && o.view.Contiguous() && ir.Size(shape) == o.node.Type.Size()
	}
	if ir.Size(shape) != c.size {
		return nil, 0, false
	}
	if cols, ok = g.fitOperand(c, c.cols, o); !ok {
		return nil, 0, false
	}
	switch {
	case whole && (last-first > 1 || ir.Size(shape) >= wideVector):
		return cols, Total, true
	case ir.Size(shape[last:]) == 1:
		extent, last = Row, first
	default:
		extent = Column
	}
	cols, ok = narrow(cols, lengths{some: []int{ir.Size(shape[last:])}})
	return cols, extent, ok
}

// lengths are possible row lengths: any, or some.
type lengths struct {
	any  bool
	some []int
}

// narrow keeps the row lengths that both allow; nil means any.
func narrow(cols []int, l lengths) ([]int, bool) {
	if l.any {
		return cols, true
	}
	if cols == nil {
		return l.some, len(l.some) > 0
	}
	var both []int
	for _, n := range cols {
		if slices.Contains(l.some, n) {
			both = append(both, n)
		}
	}
	return both, len(both) > 0
}

// squeeze drops the axes of size 1.
func squeeze(v ir.View) ir.View {
	w := ir.View{Offset: v.Offset}
	for i, d := range v.Shape {
		if d != 1 {
			w.Shape = append(w.Shape, d)
			w.Strides = append(w.Strides, v.Strides[i])
		}
	}
	return w
}

// single reports whether all elements of a view are one.
func single(v ir.View) bool {
	for i, d := range v.Shape {
		if d > 1 && v.Strides[i] != 0 {
			return false
		}
	}
	return true
}

// rowLengths are the row lengths at which a row of the view is either contiguous or one number repeated.
func rowLengths(v ir.View) lengths {
	if v.Contiguous() || single(v) {
		return lengths{any: true}
	}
	v = squeeze(v)
	var l lengths
	n := 1
	for p := len(v.Shape) - 1; p >= 0; p-- {
		n *= v.Shape[p]
		row := ir.View{Shape: v.Shape[p:], Strides: v.Strides[p:]}
		if row.Contiguous() || single(row) {
			l.some = append(l.some, n)
		}
	}
	return l
}

// spreadLength is the row length at which the view spreads n numbers, one per row, over the rows; 0 if it does not.
func spreadLength(v ir.View, n int) int {
	if v.Offset != 0 || n == 0 || ir.Size(v.Shape)%n != 0 {
		return 0
	}
	cols := ir.Size(v.Shape) / n
	w := squeeze(v)
	p, size := len(w.Shape), 1
	for p > 0 && w.Strides[p-1] == 0 && size < cols {
		p--
		size *= w.Shape[p]
	}
	if size != cols || !(ir.View{Shape: w.Shape[:p], Strides: w.Strides[:p]}).Contiguous() {
		return 0
	}
	return cols
}

// fitTogether reports whether two loops can be one, provided that nothing runs between them: their spaces agree, and what one reads of
// the other can be read within a loop.
func (g *grouping) fitTogether(a, b *group) bool {
	if a.size != b.size || len(a.nodes)+len(b.nodes) > maxLoop {
		return false
	}
	if cols, ok := a.cols, true; b.cols != nil {
		if _, ok = narrow(cols, lengths{some: b.cols}); !ok {
			return false
		}
	}
	return g.readable(a, b) && g.readable(b, a)
}

// readable reports whether every read of a's results in b could be one inside a loop.
func (g *grouping) readable(a, b *group) bool {
	for _, n := range b.nodes {
		for _, o := range g.operands[n] {
			for _, m := range o.after {
				if g.of[m] == a {
					return false
				}
			}
			if g.of[o.node] != a {
				continue
			}
			switch a.extent[o.node] {
			case Full:
				if !o.view.Contiguous() || ir.Size(o.view.Shape) != a.size {
					return false
				}
			case Row:
				_, reduces := n.Op.(ir.Reduction)
				spread := ir.Size(o.view.Shape) == a.size && spreadLength(o.view, o.node.Type.Size()) != 0
				if !spread && (reduces || b.extent[n] == Full || !o.view.Contiguous()) {
					return false
				}
			default:
				return false
			}
		}
	}
	return true
}

// merge makes b part of a if the two can be one loop.
func (g *grouping) merge(a, b *group) {
	if !g.fitTogether(a, b) || !g.unite(a, b) {
		return
	}
	if b.cols != nil {
		a.cols, _ = narrow(a.cols, lengths{some: b.cols})
	}
	a.nodes = append(a.nodes, b.nodes...)
	for _, n := range b.nodes {
		g.of[n] = a
		a.extent[n] = b.extent[n]
	}
}
