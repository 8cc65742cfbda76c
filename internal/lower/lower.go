package lower

import (
	"container/heap"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the walk over the graph: it turns movements into views, cuts reductions into ones over neighboring
// axes, puts every node that computes something into a group, and makes the steps of the groups.

// Lower turns a graph into a program.
func Lower(g *ir.Graph) *Program {
	w := ir.Watch{Stage: "lowering"}
	defer w.Report()
	l := &lowering{
		grouping: grouping{of: map[*ir.Node]*group{}, operands: map[*ir.Node][]value{}, readers: map[*ir.Node][]*group{}, noted: map[read]bool{}},
		graph:    g,
		values:   map[*ir.Node]value{},
		order:    map[*ir.Node]int{},
		copies:   map[*ir.Node][]copied{},
		buffers:  map[*ir.Node]*Buffer{},
		needed:   map[*ir.Node]bool{},
		both:     map[*group]map[int]*ir.Node{},
		nests:    map[*ir.Control][]*group{},
		twice:    map[*ir.Control]map[int]twice{},
		program:  &Program{},
	}
	main := g.MainPart()
	l.lowerNodes(main.Nodes, &w)
	l.recompute(main)
	guard := newWatch(main)
	l.findNeeded(main, guard)
	l.allotOutputs(main)
	if main != g {
		l.settle()
		l.lowerNodes(g.Nodes[len(main.Nodes):], &w)
		guard = newWatch(g)
		l.findNeeded(g, guard)
		l.allotOutputs(g)
	}
	for _, c := range l.sorted() {
		w.Node = c.nodes[0]
		l.program.Steps = append(l.program.Steps, l.step(c))
	}
	w.Node = nil
	l.finish(guard)
	joinInPlace(l.program)
	if g.ShortActivations {
		shortenActivations(l.program)
	}
	return l.program
}

// lowerNodes lowers nodes, in their order.
func (l *lowering) lowerNodes(nodes []*ir.Node, w *ir.Watch) {
	for _, n := range nodes {
		w.Node = n
		l.values[n] = l.lower(n)
	}
	w.Node = nil
}

type lowering struct {
	grouping
	graph   *ir.Graph
	values  map[*ir.Node]value
	order   map[*ir.Node]int // the order in which nodes were grouped
	copies  map[*ir.Node][]copied
	buffers map[*ir.Node]*Buffer
	needed  map[*ir.Node]bool           // results that must be in memory
	both    map[*group]map[int]*ir.Node // by scan and carry: what stands for two stacks that lie in one array
	nests   map[*ir.Control][]*group
	twice   map[*ir.Control]map[int]twice // by result, what it is one of
	program *Program

	repeated map[repetition]*ir.Node // what loops recompute
	dropped  map[*ir.Node][]value    // the operands of what no loop computes anymore

	// While what is beside the main part is lowered:
	again  map[*ir.Node]*ir.Node // what computes a result of the main part again
	joined map[*ir.Node]bool     // results of the main part that may be stored within a joint array
}

// copied is a view that has been written out in row-major order.
type copied struct {
	view ir.View
	node *ir.Node
}

// lower says where the result of n lies, and groups n if it computes something.
func (l *lowering) lower(n *ir.Node) value {
	switch op := n.Op.(type) {
	case ir.Input, ir.Variable, ir.Const, ir.Step:
		return whole(n)
	case ir.Movement:
		return l.move(n, op)
	case ir.Contraction:
		if n.Type.DType.Float() {
			l.order[n] = len(l.order)
			l.newGroup(n, l.operandsOf(n))
			return whole(n)
		}
	case ir.Attention:
		return l.attention(n, op)
	case ir.Nested:
		return l.nested(n, op)
	case ir.Elementwise, ir.Conversion:
		operands := l.readableOperands(n) // before n, as it may add nodes to the loop
		l.order[n] = len(l.order)
		l.place(n, operands)
		return whole(n)
	case ir.Reduction:
		if n.In[0].Type.Size() > 0 {
			return l.reduce(n, op)
		}
	}
	operands := l.operandsOf(n)
	for i, o := range operands {
		if !o.view.Contiguous() {
			operands[i] = l.copyOf(o, n)
		}
	}
	if op, ok := n.Op.(ir.Checked); ok {
		c := &ir.Node{ID: n.ID, Op: checkOp{op, n}, Where: n.Where}
		l.order[c] = len(l.order)
		l.newGroup(c, []value{operands[op.Checks()]})
	}
	l.order[n] = len(l.order)
	l.newGroup(n, operands)
	return whole(n)
}

// checkOp marks a node that looks at an operand's contents on behalf of another.
type checkOp struct {
	ir.Checked
	node *ir.Node
}

func whole(n *ir.Node) value { return value{node: n, view: ir.ViewOf(n.Type.Shape)} }

func (l *lowering) operandsOf(n *ir.Node) []value {
	operands := make([]value, len(n.In))
	for i, in := range n.In {
		operands[i] = l.valueOf(in)
	}
	return operands
}

// readableOperands are the operands of n, those that no loop can read written out in order.
func (l *lowering) readableOperands(n *ir.Node) []value {
	operands := l.operandsOf(n)
	for i, o := range operands {
		if r := rowLengths(o.view); !r.any && len(r.some) == 0 {
			operands[i] = l.copyOf(o, n)
		}
	}
	return operands
}

// move turns a movement into a view.
func (l *lowering) move(n *ir.Node, op ir.Movement) value {
	from := l.valueOf(n.In[0])
	view, ok := op.Move(from.view)
	if !ok {
		from = l.copyOf(from, n)
		view, _ = op.Move(from.view)
	}
	after := from.after
	for _, in := range n.In[1:] {
		v := l.valueOf(in)
		after = append(append(slices.Clone(after), v.node), v.after...)
	}
	return value{node: from.node, view: view, after: after}
}

// copyOf writes a view out in row-major order; n is what needs it.
func (l *lowering) copyOf(v value, n *ir.Node) value {
	for _, c := range l.copies[v.node] {
		if slices.Equal(c.view.Shape, v.view.Shape) && slices.Equal(c.view.Strides, v.view.Strides) && c.view.Offset == v.view.Offset {
			return value{node: c.node, view: ir.ViewOf(v.view.Shape), after: v.after}
		}
	}
	c := &ir.Node{ID: n.ID, Op: copyOp{n.Op}, Type: ir.Type{DType: v.node.Type.DType, Shape: v.view.Shape}, Where: n.Where, Backward: n.Backward}
	l.order[c] = len(l.order)
	l.newGroup(c, []value{v})
	l.copies[v.node] = append(l.copies[v.node], copied{v.view, c})
	return value{node: c, view: ir.ViewOf(v.view.Shape), after: v.after}
}

// copyOp marks a node that writes its operand out in row-major order, on behalf of another op.
type copyOp struct{ ir.Op }

func (copyOp) Name() string  { return "Copy" }
func (copyOp) Attrs() string { return "" }

// reduction is a reduction over neighboring axes, on behalf of the op that it was cut from.
type reduction struct {
	ir.Op
	kind ir.ReduceKind
	axes []int
}

func (r reduction) Reduces() (ir.ReduceKind, []int) { return r.kind, r.axes }

// reduce cuts a reduction into ones over runs of neighboring axes, the last run first.
func (l *lowering) reduce(n *ir.Node, op ir.Reduction) value {
	kind, axes := op.Reduces()
	v := l.valueOf(n.In[0])
	var reduced []bool // for the axes that are not of size 1
	for a, d := range v.view.Shape {
		if d != 1 {
			reduced = append(reduced, slices.Contains(axes, a))
		}
	}
	v.view = squeeze(v.view)
	for end := len(reduced); end > 0; end-- {
		if !reduced[end-1] {
			continue
		}
		first := end - 1
		for first > 0 && reduced[first-1] {
			first--
		}
		v = l.reduceRun(n, op, kind, v, first, end)
		end = first + 1
	}
	if v.view.Contiguous() {
		v.view = ir.View{Shape: n.Type.Shape, Strides: ir.Strides(n.Type.Shape), Offset: v.view.Offset}
		return v
	}
	// No axis longer than 1 was reduced: the elements themselves are the result.
	w := ir.View{Shape: n.Type.Shape, Strides: make([]int, len(n.Type.Shape)), Offset: v.view.Offset}
	at := 0
	for a, d := range n.Type.Shape {
		if d != 1 {
			w.Strides[a] = v.view.Strides[at]
			at++
		}
	}
	v.view = w
	return v
}

func (l *lowering) reduceRun(n *ir.Node, op ir.Op, kind ir.ReduceKind, v value, first, end int) value {
	if r := rowLengths(v.view); !r.any && len(r.some) == 0 {
		v = l.copyOf(v, n)
	}
	r := reduction{Op: op, kind: kind}
	for a := first; a < end; a++ {
		r.axes = append(r.axes, a)
	}
	// A view that no row length of this reduction fits is written out as well.
	if inner := ir.Size(v.view.Shape[end:]); inner != 1 || first > 0 {
		if inner == 1 {
			inner = ir.Size(v.view.Shape[first:])
		}
		if lens := rowLengths(v.view); !lens.any && !slices.Contains(lens.some, inner) {
			v = l.copyOf(v, n)
		}
	}
	shape := append(slices.Clone(v.view.Shape[:first]), v.view.Shape[end:]...)
	m := &ir.Node{ID: n.ID, Op: r, Type: ir.Type{DType: n.Type.DType, Shape: shape}, Label: n.Label, Where: n.Where, Backward: n.Backward}
	l.order[m] = len(l.order)
	l.place(m, []value{v})
	return whole(m)
}

// findNeeded marks the results that another group, an output, a guard or an assignment reads.
func (l *lowering) findNeeded(g *ir.Graph, guard *watch) {
	for _, n := range append(g.Roots(), guard.roots()...) { // before the others, as this may add nodes
		l.needed[l.valueOf(n).node] = true
	}
	for n, operands := range l.operands {
		for _, o := range operands {
			if c := l.of[o.node]; c != nil && c != l.of[n] {
				l.needed[o.node] = true
			}
		}
	}
}

// allotOutputs lets each output be computed in its place, if it is a whole result that no other output has taken.
func (l *lowering) allotOutputs(g *ir.Graph) {
	for i := len(l.program.Outputs); i < len(g.Outputs); i++ {
		n := g.Outputs[i]
		out := l.newBuffer(Output, i, n.Type)
		l.program.Outputs = append(l.program.Outputs, out)
		v := l.valueOf(n)
		if l.of[v.node] != nil && l.buffers[v.node] == nil && v.view.Contiguous() && ir.Size(v.view.Shape) == v.node.Type.Size() {
			l.buffers[v.node] = out
		}
	}
}

func (l *lowering) newBuffer(s Storage, index int, t ir.Type) *Buffer {
	b := &Buffer{ID: len(l.program.Buffers), Storage: s, Index: index, DType: t.DType, Size: t.Size()}
	l.program.Buffers = append(l.program.Buffers, b)
	return b
}

// buffer is where the result of n lies.
func (l *lowering) buffer(n *ir.Node) *Buffer {
	b := l.buffers[n]
	if b != nil {
		return b
	}
	switch op := n.Op.(type) {
	case ir.Input:
		b = l.newBuffer(Input, op.Index, n.Type)
	case ir.Variable:
		b = l.newBuffer(Variable, op.Index, n.Type)
	case ir.Step:
		b = l.newBuffer(Counter, 0, n.Type)
	case ir.Const:
		b = l.newBuffer(Constant, 0, n.Type)
		b.Array = op.Array
	default:
		b = l.newBuffer(Temporary, 0, n.Type)
	}
	l.buffers[n] = b
	return b
}

func (l *lowering) ref(v value) Ref { return Ref{l.buffer(v.node), v.view} }

// sorted returns the groups in an order in which each stands after what it needs. If several could be next, it takes the one whose last
// node came first in the graph.
func (l *lowering) sorted() []*group {
	last := func(c *group) int {
		at := 0
		for _, n := range c.nodes {
			at = max(at, l.order[n])
		}
		return at
	}
	left := map[*group]int{} // groups that a group still waits for
	users := map[*group][]*group{}
	var ready ranking
	for _, c := range l.groups {
		if c.into != nil {
			continue
		}
		before := l.before(c)
		left[c] = len(before)
		for _, other := range before {
			users[other] = append(users[other], c)
		}
		if len(before) == 0 {
			ready = append(ready, ranked{c, last(c)})
		}
	}
	heap.Init(&ready)
	var sorted []*group
	for len(ready) > 0 {
		c := heap.Pop(&ready).(ranked).group
		sorted = append(sorted, c)
		for _, user := range users[c] {
			if left[user]--; left[user] == 0 {
				heap.Push(&ready, ranked{user, last(user)})
			}
		}
	}
	if len(sorted) < len(left) {
		panic("lower: the groups depend on each other in a circle")
	}
	return sorted
}

// ranking is a heap of groups, that with the lowest rank first.
type ranking []ranked

type ranked struct {
	group *group
	rank  int
}

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return r[i].rank < r[j].rank }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranking) Push(x any)        { *r = append(*r, x.(ranked)) }
func (r *ranking) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	*r = (*r)[:last]
	return x
}

// step makes the step of a group.
func (l *lowering) step(c *group) *Step {
	slices.SortFunc(c.nodes, func(a, b *ir.Node) int { return l.order[a] - l.order[b] })
	s := &Step{Nodes: c.nodes}
	if c.loop {
		l.loopStep(s, c)
		return s
	}
	n := c.nodes[0]
	operands := l.operands[n]
	if op, ok := n.Op.(checkOp); ok {
		return l.check(op, operands[0])
	}
	if op, ok := n.Op.(ir.Nested); ok {
		l.nestStep(s, c, op)
		return s
	}
	out := l.buffer(n)
	s.Writes = []*Buffer{out}
	for _, o := range operands {
		s.addRead(l.buffer(o.node))
	}
	if _, ok := n.Op.(copyOp); ok {
		s.Work = &Copy{From: l.ref(operands[0]), To: out}
		return s
	}
	if op, ok := n.Op.(ir.Contraction); ok && n.Type.DType.Float() {
		p := product(op, l.ref(operands[0]), l.ref(operands[1]), out)
		p.Precision = n.Precision()
		s.Work = p
		return s
	}
	if op, ok := n.Op.(ir.Attention); ok {
		a := &Attention{Form: op.Attends(), Out: out}
		for _, o := range operands {
			a.In = append(a.In, l.ref(o))
		}
		s.Work = a
		return s
	}
	if op, ok := n.Op.(ir.Convolution); ok {
		s.Work = convolution(n, op, l.ref(operands[0]), l.ref(operands[1]), out)
		return s
	}
	if op, ok := n.Op.(ir.Pooling); ok {
		var in []Ref
		for _, o := range operands {
			in = append(in, l.ref(o))
		}
		s.Work = pooling(n, op, in, out)
		return s
	}
	k := &Kernel{Op: n.Op, Out: out, Type: n.Type}
	for i, o := range operands {
		k.In = append(k.In, l.ref(o))
		k.Types = append(k.Types, n.In[i].Type)
	}
	s.Work = k
	return s
}

// check makes the step that looks at the operand o.
func (l *lowering) check(op checkOp, o value) *Step {
	w := &Check{Op: op.Checked, In: l.ref(o), Type: op.node.In[op.Checks()].Type}
	for _, in := range op.node.In {
		w.Types = append(w.Types, in.Type)
	}
	return &Step{Work: w, Nodes: []*ir.Node{op.node}, Reads: []*Buffer{w.In.Buffer}}
}

func product(op ir.Contraction, a, b Ref, out *Buffer) *Product {
	transA, transB := op.Contracts()
	a.View, b.View = transposed(a.View, transA), transposed(b.View, transB)
	r := len(a.View.Shape)
	return &Product{M: a.View.Shape[r-2], K: a.View.Shape[r-1], N: b.View.Shape[r-1], A: a, B: b, C: out}
}

func transposed(v ir.View, yes bool) ir.View {
	if !yes {
		return v
	}
	v.Shape, v.Strides = slices.Clone(v.Shape), slices.Clone(v.Strides)
	r := len(v.Shape)
	v.Shape[r-2], v.Shape[r-1] = v.Shape[r-1], v.Shape[r-2]
	v.Strides[r-2], v.Strides[r-1] = v.Strides[r-1], v.Strides[r-2]
	return v
}

// finish adds the copies to outputs that lie elsewhere, then the guard, and then the assignments.
func (l *lowering) finish(guard *watch) {
	for i, n := range l.graph.Outputs {
		if v := l.valueOf(n); l.buffers[v.node] != l.program.Outputs[i] {
			l.addCopy(n, l.ref(v), l.program.Outputs[i], false)
		}
	}
	if guard != nil {
		l.program.Steps = append(l.program.Steps, l.guard(guard))
	}
	assigned := map[*Buffer]bool{}
	for _, a := range l.graph.Assigns {
		assigned[l.buffer(a.Variable)] = true
	}
	// What one assignment stores must not be the old contents that another has overwritten by then.
	from := make([]Ref, len(l.graph.Assigns))
	for i, a := range l.graph.Assigns {
		from[i] = l.ref(l.valueOf(a.Value))
		if assigned[from[i].Buffer] {
			kept := l.newBuffer(Temporary, 0, a.Value.Type)
			l.addCopy(a.Value, from[i], kept, false)
			from[i] = Ref{kept, ir.ViewOf(a.Value.Type.Shape)}
		}
	}
	stored := map[*Buffer][]*Buffer{}
	for i, a := range l.graph.Assigns {
		to := l.buffer(a.Variable)
		stored[from[i].Buffer] = append(stored[from[i].Buffer], to)
		l.addCopy(a.Value, from[i], to, true)
	}
	for _, s := range l.program.Steps {
		if loop, ok := s.Work.(*Loop); ok {
			for i := range loop.Instrs {
				if in := &loop.Instrs[i]; in.Store != nil {
					in.Assigned = stored[in.Store]
				}
			}
		}
	}
}

func (l *lowering) addCopy(n *ir.Node, from Ref, to *Buffer, assign bool) {
	l.program.Steps = append(l.program.Steps, &Step{
		Work: &Copy{From: from, To: to}, Nodes: []*ir.Node{n}, Reads: []*Buffer{from.Buffer}, Writes: []*Buffer{to}, Assign: assign,
	})
}
