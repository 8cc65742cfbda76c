package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the gradients of loops and branches. All results of one are differentiated together, once the gradients of all
// of them are known. The gradient rules run inside of the body, and their values depend on those of the forward pass; what
// they need is then moved into its own body, that of the reverse scan, or of a branch that computes both.

// applications lists the results of each control on the same operands, by the first of them in order.
func applications(order []*Value) map[*Value][]*Value {
	firsts := map[*control][]*Value{}
	found := map[*Value][]*Value{}
next:
	for _, v := range order {
		op, ok := v.op.(controlOp)
		if !ok {
			continue
		}
		for _, first := range firsts[op.control] {
			if sameOperands(first, v) {
				found[first] = append(found[first], v)
				continue next
			}
		}
		firsts[op.control] = append(firsts[op.control], v)
		found[v] = []*Value{v}
	}
	return found
}

func (op controlOp) grad(y, dy *Value) []*Value { return op.gradients([]*Value{y}, []*Value{dy}) }

// gradients returns the gradient with respect to each operand, given those of some results.
func (c *control) gradients(ys, dys []*Value) []*Value {
	switch c.kind {
	case ir.While:
		return []*Value{ys[0].graph.fail(ys[0].op, ys[0].in, newProblem("a While has no gradient").
			WithHint("use a Scan of a known number of steps, StopGradient of the result, or JVP"))}
	case ir.Branch:
		return c.branchGradients(ys, dys)
	}
	return c.scanGradients(ys, dys)
}

// mover moves values of a body into the body of the gradient.
type mover struct {
	from    *control
	in      []*Value // the operands of the application that is differentiated
	to      *Graph   // the body of the gradient
	start   int      // values of the old body with this id or a later one are of the gradient
	moved   map[*Value]*Value
	outside map[*Value]*Value                    // what has been computed outside, once for all steps
	keep    func(v *Value) *Value                // returns what a step of the forward pass has computed; nil if it is computed again
	steady  map[*Value]bool                      // what does not differ from step to step
	argue   func(v *Value, op argumentOp) *Value // the arguments

	inner, outer resultMover // loops in the body, moved into that of the gradient, and outside
}

func newMover(c *control, in []*Value, to *Graph, start int) *mover {
	return &mover{from: c, in: in, to: to, start: start, moved: map[*Value]*Value{}, outside: map[*Value]*Value{}, steady: map[*Value]bool{}, inner: resultMover{}, outer: resultMover{}}
}

// operand returns the outer value that a captured argument stands for.
func (m *mover) operand(op argumentOp) *Value {
	first := m.from.carries + m.from.slices
	if m.from.kind == ir.Branch {
		first = 1
	}
	if at := first + op.index; at < len(m.in) {
		return m.in[at]
	}
	// A gradient rule has captured it since.
	if p := op.outer.Param(); p != nil {
		return m.to.around.variable(p)
	}
	return op.outer
}

// isSteady reports whether v is computed from captured values and constants alone, so that it can be computed outside. In a branch
// it has to be one of them: the rest is to be computed only if the branch is taken.
func (m *mover) isSteady(v *Value) bool {
	if known, ok := m.steady[v]; ok {
		return known
	}
	op, argument := v.op.(argumentOp)
	steady := !argument || op.role == capturedArgument
	for _, in := range v.in {
		steady = steady && m.keep != nil && m.isSteady(in)
	}
	m.steady[v] = steady
	return steady
}

// out computes a steady value outside of the body.
func (m *mover) out(v *Value) *Value {
	if o := m.outside[v]; o != nil {
		return o
	}
	var o *Value
	around := m.to.around
	switch op := v.op.(type) {
	case argumentOp:
		o = m.operand(op)
	case constOp:
		o = around.leaf(op, v.typ)
		if v.Rank() == 0 {
			o = around.scalar(newTensor(op.Array))
		}
	default:
		operands := func() []*Value {
			in := make([]*Value, len(v.in))
			for i, x := range v.in {
				in[i] = m.out(x)
			}
			return in
		}
		if o = m.outer.move(v, around, operands); o == nil {
			o = around.insert(v.op, operands()...)
		}
		o.site, o.gradOf = v.site, v.gradOf
	}
	m.outside[v] = o
	return o
}

// move returns v in the body of the gradient. It takes operands first, without recursion: each value would record a stack as deep as its
// chain of operands is long.
func (m *mover) move(v *Value) *Value {
	todo := []*Value{v}
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		if m.moved[next] != nil {
			todo = todo[:len(todo)-1]
			continue
		}
		before := len(todo)
		for i, x := range next.in {
			if m.computes(next) && m.moved[x] == nil && !m.isTransposed(next, i) {
				todo = append(todo, x)
			}
		}
		if len(todo) == before {
			m.moved[next] = m.make(next)
		}
	}
	return m.moved[v]
}

// computes reports whether v is computed in the body of the gradient: it is neither an argument, nor the same in all steps, nor kept.
func (m *mover) computes(v *Value) bool {
	_, argument := v.op.(argumentOp)
	return !argument && !m.isSteady(v) && !m.isKept(v)
}

// isKept reports whether the forward pass stacks v for the gradient.
func (m *mover) isKept(v *Value) bool {
	_, view := v.op.(ir.Movement)
	if _, custom := v.op.(customGradOp); custom {
		view = false // its rule knows the values of the body that it stands in
	}
	return m.keep != nil && v.id < m.start && !view
}

// isTransposed reports whether v is a product that transposes operand i, a matrix that is the same in all steps.
func (m *mover) isTransposed(v *Value, i int) bool {
	product, ok := v.op.(matMulOp)
	x := v.in[i]
	return ok && m.isSteady(x) && x.Rank() >= 2 && (i == 0 && product.TransA || i == 1 && product.TransB)
}

// make makes v of operands that have been moved.
func (m *mover) make(v *Value) *Value {
	if op, ok := v.op.(argumentOp); ok && op.role != capturedArgument {
		return m.argue(v, op)
	}
	if m.isSteady(v) {
		return m.to.capture(m.out(v))
	}
	if m.isKept(v) {
		return m.keep(v)
	}
	op := v.op
	operands := func() []*Value {
		in := make([]*Value, len(v.in))
		for i, x := range v.in {
			if !m.isTransposed(v, i) {
				in[i] = m.moved[x]
				continue
			}
			// Transposed once, and not in every step.
			in[i] = m.to.capture(m.out(x).Transpose(-2, -1))
			product := op.(matMulOp)
			product.TransA, product.TransB = product.TransA && i != 0, product.TransB && i != 1
			op = product
		}
		return in
	}
	w := m.inner.move(v, m.to, operands)
	if w == nil {
		in := operands()
		w = m.to.insert(op, in...)
	}
	w.site, w.gradOf = v.site, v.gradOf
	return w
}

// scanGradients makes the reverse scan. Its carries are the gradients of the scan's carries, and sums over all steps; its slices are what
// the forward pass has computed, and the gradients of stacks.
func (c *control) scanGradients(ys, dys []*Value) []*Value {
	g, in, b := ys[0].graph, ys[0].in, c.bodies[0]
	start := len(b.values)
	defer b.enter()()
	given := c.givenGradients(ys, dys)
	cotangents, parts := c.stepGradients(in, given)
	if slices.ContainsFunc(parts, func(d *Value) bool { return d != nil && d.failed }) {
		return g.poisoned(ys[0].op, len(in))
	}

	s := c.newScanGradient(ys[0], given, start)
	grads := make([]func() *Value, len(in)) // to be called once the reverse scan is complete
	for i, d := range cotangents[:c.carries] {
		if d != nil {
			grads[i] = s.carryBack(d, given[i])
		}
	}
	m := 0
	for i, d := range cotangents[:c.carries] {
		if d != nil {
			s.next[m] = s.moveOrZero(parts[i], d)
			m++
		}
	}
	for i, d := range parts {
		switch {
		case d == nil || i < c.carries:
		case i < c.carries+c.slices:
			grads[i] = s.stackOf(s.move(d))
			if d.support != nil && d.support.whole != nil {
				grads[i] = masked(grads[i], s.stackOf(s.move(d.support.any.value())))
			}
		default:
			grads[i] = s.sum(d)
		}
	}
	s.complete()
	out := make([]*Value, len(in))
	for i, grad := range grads {
		if grad != nil {
			out[i] = grad()
		}
	}
	return out
}

// givenGradients adds up the gradients of each result, which may occur twice.
func (c *control) givenGradients(ys, dys []*Value) []*Value {
	given := make([]*Value, len(c.outputs[0]))
	for i, y := range ys {
		if at := y.op.(controlOp).result; given[at] == nil {
			given[at] = dys[i]
		} else {
			given[at] = given[at].Add(dys[i])
		}
	}
	return given
}

// stepGradients differentiates the body of a scan. It returns by result the argument of the body that stands for the result's gradient,
// and by operand the gradient with respect to the argument that stands for the operand; nil if there is none.
func (c *control) stepGradients(in, given []*Value) (cotangents, parts []*Value) {
	b := c.bodies[0]
	cotangents, parts = make([]*Value, len(given)), make([]*Value, len(in))
	var results, seeds, ends []*Value
	for i, v := range c.outputs[0] {
		if i < c.carries && v.DType().IsFloat() || i >= c.carries && given[i] != nil {
			cotangents[i] = b.leaf(argumentOp{control: c, role: cotangentArgument, index: i}, v.typ)
			if i >= c.carries {
				cotangents[i].support = given[i].support.then(b.stepOf)
			}
			results, seeds = append(results, v), append(seeds, cotangents[i])
		}
	}
	var operands []int
	for i, v := range in {
		if v.DType().IsFloat() {
			ends, operands = append(ends, c.argumentFor(i, v)), append(operands, i)
		}
	}
	for k, d := range b.backward(results, seeds, ends, nil) {
		parts[operands[k]] = d
	}
	return cotangents, parts
}

// stepOf is, in the body of a scan, this step's part of the mask of a gradient outside.
func (b *Graph) stepOf(mask *Value) *Value {
	if mask.Dim(0) == 1 {
		shape := mask.Shape()
		shape[0] = b.control.steps
		mask = mask.broadcastTo(shape)
	}
	return b.leaf(argumentOp{control: b.control, role: cotangentArgument, outer: mask}, ir.Type{DType: ir.Bool, Shape: mask.Shape()[1:]})
}

// masked returns a gradient with its support.
func masked(grad, mask func() *Value) func() *Value {
	return func() *Value { return grad().selected(true, mask) }
}

// argumentFor returns the argument that stands for operand i, which is v, in the body of a scan.
func (c *control) argumentFor(i int, v *Value) *Value {
	b := c.bodies[0]
	switch k := i - c.carries - c.slices; {
	case i < c.carries:
		return b.carry(i, v.typ)
	case k < 0:
		return b.slice(i-c.carries, v.typ)
	default:
		return b.argument(argumentOp{control: c, role: capturedArgument, index: k, outer: c.captured[k]}, v.typ)
	}
}

// scanGradient makes the reverse scan.
type scanGradient struct {
	*mover
	reverse *control
	body    *Graph
	arrays  []*Value // outside: what the reverse scan slices
	begin   []*Value // the first contents of its carries
	next    []*Value // in its body: the carries of the next step
	stacked []*Value // in its body: what it stacks
	first   *Value   // the result that was taken first

	arrayAt, stackedAt map[*Value]int
}

// newScanGradient begins the reverse scan of an application, of which y is a result, given the gradients of its results. Values of the old body with id
// start or later belong to the gradient.
func (c *control) newScanGradient(y *Value, given []*Value, start int) *scanGradient {
	g, in := y.graph, y.in
	r := g.newControl(ir.Scan)
	r.steps, r.reverse = c.steps, !c.reverse
	s := &scanGradient{reverse: r, body: r.newBody(g)}
	s.mover = newMover(c, in, s.body, start)
	s.keep = func(v *Value) *Value { return s.sliceOf(c.stack(v, y)) }
	s.argue = func(v *Value, op argumentOp) *Value {
		switch op.role {
		case numberArgument:
			return s.body.stepNumber()
		case slicedArgument:
			return s.sliceOf(in[c.carries+op.index])
		case carriedArgument:
			return s.sliceOf(c.stack(v, y))
		}
		if op.outer != nil {
			return s.sliceOf(op.outer) // a mask of the gradient of a stack
		}
		return s.sliceOf(given[op.index]) // the gradient of a stack; those of carries are known
	}
	return s
}

// carryBack makes the gradient of a carry, for which d stands in the old body, a carry of the reverse scan. It begins as the gradient
// given for the last contents, or as 0. The function returns its last contents once the reverse scan is complete.
func (s *scanGradient) carryBack(d, given *Value) func() *Value {
	if given == nil {
		given = s.body.around.Num(d.DType(), 0).broadcastTo(d.typ.Shape)
	}
	m := s.carry(given)
	s.moved[d] = s.body.carry(m, d.typ)
	return func() *Value { return s.result(m) }
}

// moveOrZero returns v in the body of the reverse scan, or 0 of the type of like if v is nil.
func (s *scanGradient) moveOrZero(v, like *Value) *Value {
	if v == nil {
		return s.body.Num(like.DType(), 0).broadcastTo(like.typ.Shape)
	}
	return s.move(v)
}

// complete closes the reverse scan: from here on its results can be taken.
func (s *scanGradient) complete() {
	s.reverse.carries, s.reverse.slices = len(s.next), len(s.arrays)
	s.reverse.outputs = [][]*Value{slices.Concat(s.next, s.stacked)}
	s.body.open = false
}

// carry adds a carry to the reverse scan, with its first contents.
func (s *scanGradient) carry(init *Value) int {
	s.begin, s.next = append(s.begin, init), append(s.next, nil)
	return len(s.next) - 1
}

// sliceOf returns this step's slice of an array outside.
func (s *scanGradient) sliceOf(whole *Value) *Value {
	i, known := s.arrayAt[whole]
	if !known {
		i = len(s.arrays)
		s.arrays = append(s.arrays, whole)
		put(&s.arrayAt, whole, i)
	}
	return s.body.slice(i, whole.typ)
}

// stackOf makes the reverse scan stack a value of its body. The function returns the stack once the reverse scan is complete.
func (s *scanGradient) stackOf(v *Value) func() *Value {
	i, known := s.stackedAt[v]
	if !known {
		i = len(s.stacked)
		s.stacked = append(s.stacked, v)
		put(&s.stackedAt, v, i)
	}
	return func() *Value { return s.result(len(s.next) + i) }
}

// result returns a result of the reverse scan, once that is complete.
func (s *scanGradient) result(i int) *Value {
	op := controlOp{s.reverse, i}
	if s.first != nil {
		return s.first.result(op)
	}
	s.first = s.body.around.add(op, slices.Concat(s.begin, s.arrays, s.reverse.captured)...)
	return s.first
}

// whole returns a value of the old body stacked over all steps, once the reverse scan is complete.
func (s *scanGradient) whole(v *Value) func() *Value {
	w := s.move(v)
	if op, ok := w.op.(argumentOp); ok && op.role == slicedArgument {
		return func() *Value { return s.arrays[op.index] }
	}
	return s.stackOf(w)
}

// sum returns the sum of a value of the old body over all steps, once the reverse scan is complete. The sum of products is one product of
// what is stacked: the sum of the products is the product of the blocks side by side. Everything else is added up in a carry.
func (s *scanGradient) sum(d *Value) func() *Value {
	g := s.body.around
	switch op := d.op.(type) {
	case elementwiseOp:
		if op.F == scalar.Add && d.id >= s.start {
			a, b := s.sum(d.in[0]), s.sum(d.in[1])
			return func() *Value { return g.insert(op, a(), b()) }
		}
	case permuteOp, reshapeOp:
		if d.id >= s.start {
			a := s.sum(d.in[0])
			return func() *Value { return g.add(op, a()) }
		}
	case matMulOp:
		a, b := d.in[0], d.in[1]
		if d.id >= s.start && d.Rank() == 2 && !s.isSteady(a) && !s.isSteady(b) && a.Size()+b.Size() <= 4*d.Size() {
			wholeA, wholeB := s.whole(a), s.whole(b)
			return func() *Value {
				// [steps k m] and [steps k n], as they are summed over the first two axes.
				x, y := wholeA(), wholeB()
				if !op.TransA {
					x = x.Transpose(-2, -1)
				}
				if op.TransB {
					y = y.Transpose(-2, -1)
				}
				return g.add(matMul(true, false, op.At), x.Flatten(0, 1), y.Flatten(0, 1))
			}
		}
	}
	m := s.carry(g.Num(d.DType(), 0).broadcastTo(d.typ.Shape))
	s.next[m] = s.body.carry(m, d.typ).Add(s.move(d))
	return func() *Value { return s.result(m) }
}

// stack makes a scan stack a value of its body as well, and returns the stack of the application that y is a result of.
func (c *control) stack(v, y *Value) *Value {
	if c.outputAt == nil {
		c.outputAt = places(c.outputs[0][c.carries:])
	}
	i, known := c.outputAt[v]
	if !known {
		i = len(c.outputs[0]) - c.carries
		c.outputs[0] = append(c.outputs[0], v)
		c.outputAt[v] = i
	}
	return y.result(controlOp{c, c.carries + i})
}

func (c *control) branchGradients(ys, dys []*Value) []*Value {
	g, in := ys[0].graph, ys[0].in
	r := g.newControl(ir.Branch)
	var operands []int // those with a gradient
	for i, v := range in[1:] {
		if v.DType().IsFloat() {
			operands = append(operands, 1+i)
		}
	}
	for n, b := range c.bodies {
		start := len(b.values)
		leave := b.enter()
		var results, seeds, ends []*Value
		body := r.newBody(g)
		m := newMover(c, in, body, start)
		for i, y := range ys {
			v := c.outputs[n][y.op.(controlOp).result]
			d := b.leaf(argumentOp{control: c, role: cotangentArgument, index: i}, v.typ)
			d.support = dys[i].support.then(b.capture)
			results, seeds = append(results, v), append(seeds, d)
			m.moved[d] = body.capture(dys[i])
		}
		for _, at := range operands {
			ends = append(ends, b.argument(argumentOp{control: c, role: capturedArgument, index: at - 1, outer: c.captured[at-1]}, in[at].typ))
		}
		var outputs []*Value
		for i, d := range b.backward(results, seeds, ends, nil) {
			if d == nil {
				outputs = append(outputs, body.Num(ends[i].DType(), 0).broadcastTo(ends[i].typ.Shape))
				continue
			}
			outputs = append(outputs, m.move(d))
		}
		leave()
		body.open = false
		if slices.ContainsFunc(outputs, func(d *Value) bool { return d.failed }) {
			return g.poisoned(ys[0].op, len(in))
		}
		r.outputs = append(r.outputs, outputs)
	}
	grads := make([]*Value, len(in))
	var first *Value
	for i, at := range operands {
		if op := (controlOp{r, i}); first == nil {
			first = g.add(op, append([]*Value{in[0]}, r.captured...)...)
			grads[at] = first
		} else {
			grads[at] = first.result(op)
		}
	}
	return grads
}
