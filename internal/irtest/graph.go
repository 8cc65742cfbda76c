package irtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds Builder, which makes graphs op by op, and Random, which makes them at random.

// Builder makes a graph. Its methods panic where operands do not fit: a test that is wrong should say so at once.
type Builder struct{ Graph *ir.Graph }

// New returns a builder of an empty graph.
func New() *Builder { return &Builder{&ir.Graph{}} }

func (b *Builder) leaf(op ir.Op, dtype ir.DType, shape []int) *ir.Node {
	n := &ir.Node{ID: len(b.Graph.Nodes), Op: op, Type: ir.Type{DType: dtype, Shape: append([]int{}, shape...)}}
	b.Graph.Nodes = append(b.Graph.Nodes, n)
	return n
}

// Input adds an input.
func (b *Builder) Input(dtype ir.DType, shape ...int) *ir.Node {
	n := b.leaf(ir.Input{Index: len(b.Graph.Inputs)}, dtype, shape)
	b.Graph.Inputs = append(b.Graph.Inputs, n)
	return n
}

// Variable adds a variable.
func (b *Builder) Variable(dtype ir.DType, shape ...int) *ir.Node {
	n := b.leaf(ir.Variable{Index: len(b.Graph.Variables)}, dtype, shape)
	b.Graph.Variables = append(b.Graph.Variables, n)
	return n
}

// Num adds a scalar constant.
func (b *Builder) Num(dtype ir.DType, x float64) *ir.Node {
	a := ir.NewArray(ir.Type{DType: dtype, Shape: []int{}})
	a.SetFloat(0, x)
	return b.leaf(ir.Const{Array: a}, dtype, nil)
}

// Const adds a constant of one axis.
func (b *Builder) Const(dtype ir.DType, xs ...float64) *ir.Node {
	a := ir.NewArray(ir.Type{DType: dtype, Shape: []int{len(xs)}})
	for i, x := range xs {
		a.SetFloat(i, x)
	}
	return b.leaf(ir.Const{Array: a}, dtype, a.Shape)
}

// Step adds the number of runs.
func (b *Builder) Step() *ir.Node { return b.leaf(ir.Step{}, ir.I64, nil) }

// Add adds an op.
func (b *Builder) Add(op ir.Op, in ...*ir.Node) *ir.Node {
	types := make([]ir.Type, len(in))
	for i, n := range in {
		types[i] = n.Type
	}
	t, err := op.Infer(types)
	if err != nil {
		panic(fmt.Sprintf("irtest: %s: %v", op.Name(), err))
	}
	n := b.leaf(op, t.DType, t.Shape)
	n.In = in
	return n
}

// F adds a scalar function; scalars are expanded to the shape of the first operand that is none.
func (b *Builder) F(f scalar.Func, in ...*ir.Node) *ir.Node {
	in = slices.Clone(in)
	shape := []int{}
	for _, n := range in {
		if len(n.Type.Shape) > len(shape) {
			shape = n.Type.Shape
		}
	}
	for i, n := range in {
		if !slices.Equal(n.Type.Shape, shape) {
			in[i] = b.Expand(n, shape...)
		}
	}
	return b.Add(irop.Elementwise{F: f}, in...)
}

// Sum, Max and the rest add the op that they name.
func (b *Builder) Sum(n *ir.Node, axes ...int) *ir.Node {
	return b.Add(irop.Reduce{Kind: ir.ReduceSum, Axes: axes}, n)
}

// Max adds a reduction to the largest.
func (b *Builder) Max(n *ir.Node, axes ...int) *ir.Node {
	return b.Add(irop.Reduce{Kind: ir.ReduceMax, Axes: axes}, n)
}

// MatMul adds a product.
func (b *Builder) MatMul(x, y *ir.Node) *ir.Node { return b.Add(irop.MatMul{}, x, y) }

// Expand adds a broadcast.
func (b *Builder) Expand(n *ir.Node, shape ...int) *ir.Node {
	return b.Add(irop.Broadcast{Shape: slices.Clone(shape)}, n)
}

// Reshape adds a change of shape.
func (b *Builder) Reshape(n *ir.Node, shape ...int) *ir.Node {
	return b.Add(irop.Reshape{Shape: slices.Clone(shape)}, n)
}

// Permute adds a change of the order of axes.
func (b *Builder) Permute(n *ir.Node, axes ...int) *ir.Node {
	return b.Add(irop.Permute{Axes: axes}, n)
}

// Slice adds a part of an axis: count indices from one on, a step apart.
func (b *Builder) Slice(n *ir.Node, axis, from, step, count int) *ir.Node {
	return b.Add(irop.Slice{Axis: axis, Start: from, Stop: from + max(0, (count-1)*step+1), Step: step}, n)
}

// Flip adds the reverse of an axis.
func (b *Builder) Flip(n *ir.Node, axis int) *ir.Node {
	return b.Add(irop.Flip{Axes: []int{axis}}, n)
}

// Output makes nodes outputs.
func (b *Builder) Output(nodes ...*ir.Node) { b.Graph.Outputs = append(b.Graph.Outputs, nodes...) }

// Assign stores a value into a variable.
func (b *Builder) Assign(variable, value *ir.Node) {
	b.Graph.Assigns = append(b.Graph.Assigns, ir.Assign{Variable: variable, Value: value})
}

// Copy is the same graph in nodes of its own, for passes change the nodes that they are given.
func Copy(g *ir.Graph) *ir.Graph {
	c := &ir.Graph{}
	to := map[*ir.Node]*ir.Node{}
	all := func(nodes []*ir.Node) (copies []*ir.Node) {
		for _, n := range nodes {
			copies = append(copies, to[n])
		}
		return copies
	}
	for _, n := range g.Nodes {
		m := *n
		m.In = all(n.In)
		to[n] = &m
		c.Nodes = append(c.Nodes, &m)
	}
	c.Outputs, c.Inputs, c.Variables = all(g.Outputs), all(g.Inputs), all(g.Variables)
	for _, a := range g.Assigns {
		c.Assigns = append(c.Assigns, ir.Assign{Variable: to[a.Variable], Value: to[a.Value]})
	}
	return c
}

// Outputs returns memory for the outputs of a graph.
func Outputs(g *ir.Graph) []ir.Array {
	var arrays []ir.Array
	for _, n := range g.Outputs {
		arrays = append(arrays, ir.NewArray(n.Type))
	}
	return arrays
}

// Fill fills the leaves with values between -1 and 1; integers are -3 to 3.
func Fill(r *rand.Rand, leaves []*ir.Node) []ir.Array {
	var arrays []ir.Array
	for _, n := range leaves {
		a := ir.NewArray(n.Type)
		for i := range a.Size() {
			switch {
			case n.Type.DType.Float():
				a.SetFloat(i, 2*r.Float64()-1)
			case n.Type.DType == ir.Bool:
				a.SetInt(i, int64(r.IntN(2)))
			default:
				a.SetInt(i, int64(r.IntN(7)-3))
			}
		}
		arrays = append(arrays, a)
	}
	return arrays
}

// Random makes a graph of about the given number of ops, loops and branches among them. Sizes are drawn from a few, so that shapes meet; large is a size
// that may come up once in a shape. Values stay between -1 and 1 or are small integers, so that a compiled program can be
// compared with a reference.
func Random(r *rand.Rand, ops, large int) *ir.Graph {
	m := &maker{r: r, Builder: New(), large: large}
	for range 2 + r.IntN(3) {
		m.pool = append(m.pool, m.Input(m.dtype(), m.shape()...))
	}
	var variables []*ir.Node
	for range 1 + r.IntN(4) {
		variables = append(variables, m.Variable(m.dtype(), m.shape()...))
	}
	m.pool = append(m.pool, variables...)
	m.pool = append(m.pool, m.Num(m.float(), r.Float64()), m.Cast(ir.I32, m.Step()))
	for range ops {
		m.grow()
	}
	for _, n := range m.pool {
		if r.IntN(4) == 0 {
			m.Output(n)
		}
	}
	for _, v := range variables {
		if r.IntN(4) > 0 {
			m.assign(v)
		}
	}
	if len(m.Graph.Roots()) == 0 {
		m.Output(m.pool[len(m.pool)-1])
	}
	return m.Graph
}

type maker struct {
	r *rand.Rand
	*Builder
	pool  []*ir.Node
	large int
	main  ir.DType
	depth int // of the loops and branches around
}

// float is mostly the one float type of the graph.
func (m *maker) float() ir.DType {
	if m.main == ir.Bool {
		m.main = []ir.DType{ir.F32, ir.F64}[m.r.IntN(2)]
	}
	if m.r.IntN(8) == 0 {
		return []ir.DType{ir.F32, ir.F64}[m.r.IntN(2)]
	}
	return m.main
}

func (m *maker) dtype() ir.DType {
	if m.r.IntN(6) == 0 {
		return []ir.DType{ir.I32, ir.I64, ir.Bool}[m.r.IntN(3)]
	}
	return m.float()
}

func (m *maker) shape() []int {
	shape := []int{}
	big := m.r.IntN(2) == 0
	for range m.r.IntN(4) {
		d := []int{1, 2, 3, 3, 4, 5}[m.r.IntN(6)]
		if big && m.large > 0 && m.r.IntN(2) == 0 {
			d, big = m.large, false
		}
		shape = append(shape, d)
	}
	return shape
}

// pick returns a node of the pool, one of the last ones more often.
func (m *maker) pick() *ir.Node {
	n := len(m.pool)
	if m.r.IntN(2) == 0 {
		return m.pool[n-1-m.r.IntN(min(n, 5))]
	}
	return m.pool[m.r.IntN(n)]
}

// Cast adds a conversion.
func (m *maker) Cast(to ir.DType, n *ir.Node) *ir.Node { return m.Add(irop.Cast{To: to}, n) }

// like returns a node of the type of n: one of the pool, or one brought to it.
func (m *maker) like(n *ir.Node) *ir.Node { return m.fit(m.pick(), n.Type) }

// fit brings n to a type, by way of whatever movements that takes.
func (m *maker) fit(n *ir.Node, t ir.Type) *ir.Node {
	if n.Type.DType != t.DType {
		if n.Type.DType.Float() && !t.DType.Float() {
			n = m.Num(t.DType, float64(m.r.IntN(2))) // rounding would turn a difference of the last digit into one of 1
		} else {
			n = m.Cast(t.DType, n)
			if t.DType.Float() {
				n = m.F(scalar.Tanh, n)
			}
		}
	}
	if slices.Equal(n.Type.Shape, t.Shape) {
		return n
	}
	if len(n.Type.Shape) < len(t.Shape) || len(n.Type.Shape) == len(t.Shape) && m.r.IntN(2) == 0 {
		fits := true
		for i := 1; i <= len(n.Type.Shape); i++ {
			d := n.Type.Shape[len(n.Type.Shape)-i]
			fits = fits && (d == 1 || d == t.Shape[len(t.Shape)-i])
		}
		if fits {
			return m.Expand(n, t.Shape...)
		}
	}
	want, have := ir.Size(t.Shape), n.Type.Size()
	if want == have {
		return m.Reshape(n, t.Shape...)
	}
	// Each row of the result is the same number, or each column.
	if len(t.Shape) > 0 && m.r.IntN(2) == 0 {
		keep := slices.Clone(t.Shape)
		a := m.r.IntN(len(keep))
		keep[a] = 1
		return m.Expand(m.fit(n, ir.Type{DType: t.DType, Shape: keep}), t.Shape...)
	}
	flat := m.Reshape(n, have)
	if want > have {
		flat = m.Reshape(m.Expand(flat, (want+have-1)/have, have), (want+have-1)/have*have)
	}
	return m.Reshape(m.Slice(flat, 0, 0, 1, want), t.Shape...)
}

func (m *maker) grow() {
	n := m.pick()
	rank := len(n.Type.Shape)
	switch k := m.r.IntN(21); {
	case k < 6:
		n = m.binary(n)
	case k < 9:
		n = m.unary(n)
	case k < 12 && rank > 0:
		n = m.reduce(n)
	case k < 13 && rank > 0:
		// A reduction that goes back over what it was taken of, as in a softmax.
		axis := m.r.IntN(rank)
		keep := slices.Clone(n.Type.Shape)
		keep[axis] = 1
		s := m.reduceBy(n, []int{axis})
		n = m.combine(n, m.Expand(m.Reshape(s, keep...), n.Type.Shape...))
	case k < 17 && rank > 0:
		n = m.move(n)
	case k < 18 && n.Type.DType.Float():
		n = m.product(n)
	case k < 19:
		n = m.Add(Backwards{}, n)
	case k < 20 && m.depth < 2:
		results := m.control()
		m.pool = append(m.pool, results[1:]...)
		n = results[0]
	default:
		n = m.Add(irop.Fence{}, n, m.pick())
	}
	m.pool = append(m.pool, n)
}

func (m *maker) binary(n *ir.Node) *ir.Node { return m.combine(n, m.like(n)) }

func (m *maker) combine(n, other *ir.Node) *ir.Node {
	switch n.Type.DType {
	case ir.Bool:
		return m.F([]scalar.Func{scalar.And, scalar.Or, scalar.Xor}[m.r.IntN(3)], n, other)
	case ir.I32, ir.I64:
		if m.r.IntN(4) == 0 {
			return m.F([]scalar.Func{scalar.Lt, scalar.Eq}[m.r.IntN(2)], n, other)
		}
		return m.F([]scalar.Func{scalar.Sub, scalar.Max, scalar.Min}[m.r.IntN(3)], n, other)
	}
	if m.r.IntN(4) == 0 {
		return m.F(scalar.Where, m.fit(m.pick(), ir.Type{DType: ir.Bool, Shape: n.Type.Shape}), n, other)
	}
	f := []scalar.Func{scalar.Add, scalar.Sub, scalar.Mul, scalar.Mul, scalar.Max, scalar.Min}[m.r.IntN(6)]
	y := m.F(f, n, other)
	if f == scalar.Add || f == scalar.Sub {
		y = m.F(scalar.Mul, y, m.Num(y.Type.DType, 0.5))
	}
	return y
}

func (m *maker) unary(n *ir.Node) *ir.Node {
	switch n.Type.DType {
	case ir.Bool:
		if m.r.IntN(2) == 0 {
			return m.F(scalar.Not, n)
		}
		return m.Cast([]ir.DType{ir.I32, ir.I64, ir.F32, ir.F64}[m.r.IntN(4)], n)
	case ir.I32, ir.I64:
		return m.F([]scalar.Func{scalar.Neg, scalar.Abs, scalar.Sign}[m.r.IntN(3)], n)
	}
	if m.r.IntN(6) == 0 {
		return m.Cast(m.float(), n)
	}
	return m.F([]scalar.Func{scalar.Neg, scalar.Tanh, scalar.ReLU, scalar.Square, scalar.Sin, scalar.Abs}[m.r.IntN(6)], n)
}

func (m *maker) reduce(n *ir.Node) *ir.Node {
	var axes []int
	for a := range n.Type.Shape {
		if m.r.IntN(2) == 0 {
			axes = append(axes, a)
		}
	}
	if axes == nil {
		axes = []int{m.r.IntN(len(n.Type.Shape))}
	}
	return m.reduceBy(n, axes)
}

func (m *maker) reduceBy(n *ir.Node, axes []int) *ir.Node {
	if n.Type.DType == ir.Bool {
		return m.Add(irop.Reduce{Kind: []ir.ReduceKind{ir.ReduceAll, ir.ReduceAny}[m.r.IntN(2)], Axes: axes}, n)
	}
	if m.r.IntN(3) == 0 || !n.Type.DType.Float() {
		return m.Add(irop.Reduce{Kind: []ir.ReduceKind{ir.ReduceMax, ir.ReduceMin}[m.r.IntN(2)], Axes: axes}, n)
	}
	return m.F(scalar.Tanh, m.Sum(n, axes...))
}

func (m *maker) move(n *ir.Node) *ir.Node {
	shape := n.Type.Shape
	a := m.r.IntN(len(shape))
	switch m.r.IntN(6) {
	case 0:
		return m.Permute(n, m.r.Perm(len(shape))...)
	case 1:
		return m.Flip(n, a)
	case 2:
		step := 1 + m.r.IntN(2)
		from := m.r.IntN(shape[a])
		return m.Slice(n, a, from, step, (shape[a]-from+step-1)/step)
	case 3:
		if n.Type.Size() > 4096 {
			return m.Reshape(n, n.Type.Size())
		}
		return m.Expand(n, append([]int{1 + m.r.IntN(3)}, shape...)...)
	case 4:
		var other []int // some neighbors joined, and ones put in
		for i := 0; i < len(shape); i++ {
			d := shape[i]
			if i+1 < len(shape) && m.r.IntN(2) == 0 {
				i++
				d *= shape[i]
			}
			other = append(other, d)
			if m.r.IntN(4) == 0 {
				other = append(other, 1)
			}
		}
		return m.Reshape(n, other...)
	}
	i := m.r.IntN(shape[a])
	return m.Slice(n, a, i, 1, 1)
}

func (m *maker) product(n *ir.Node) *ir.Node {
	shape := n.Type.Shape
	for len(shape) < 2 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) > len(n.Type.Shape) {
		n = m.Reshape(n, shape...)
	}
	r := len(shape)
	op := irop.MatMul{TransA: m.r.IntN(2) == 0, TransB: m.r.IntN(2) == 0}
	k := shape[r-1]
	if op.TransA {
		k = shape[r-2]
	}
	other := append(slices.Clone(shape[:r-2]), k, 1+m.r.IntN(5))
	if op.TransB {
		other[r-2], other[r-1] = other[r-1], other[r-2]
	}
	b := m.fit(m.pick(), ir.Type{DType: n.Type.DType, Shape: other})
	return m.F(scalar.Tanh, m.Add(op, n, b))
}

// mostInLoops bounds the operands of loops, whose bodies the reference computes over and over.
const mostInLoops = 300

// some returns a node of the pool that is not too large for a loop.
func (m *maker) some() *ir.Node {
	for range 10 {
		if n := m.pick(); n.Type.Size() <= mostInLoops {
			return n
		}
	}
	return m.Num(m.float(), m.r.Float64())
}

// control adds a loop or a branch with bodies made at random, and returns all of its results.
func (m *maker) control() []*ir.Node {
	c := &ir.Control{Kind: []ir.ControlKind{ir.Scan, ir.While, ir.Branch}[m.r.IntN(3)]}
	inputs := []ir.Type{{DType: ir.I64, Shape: []int{}}}
	var operands []*ir.Node
	add := func(n *ir.Node) {
		operands, inputs = append(operands, n), append(inputs, n.Type)
	}
	if c.Kind == ir.Branch {
		inputs = nil
		add(m.fit(m.some(), ir.Type{DType: ir.Bool, Shape: []int{}}))
	} else {
		c.Carries = 1 + m.r.IntN(2)
		for range c.Carries {
			add(m.some())
		}
	}
	if c.Kind == ir.Scan {
		c.Steps, c.Reverse, c.Slices = 1+m.r.IntN(4), m.r.IntN(2) == 0, m.r.IntN(3)
		for range c.Slices {
			t := m.some().Type
			operands = append(operands, m.fit(m.some(), ir.Type{DType: t.DType, Shape: append([]int{c.Steps}, t.Shape...)}))
			inputs = append(inputs, t)
		}
	}
	for range m.r.IntN(3) {
		add(m.some())
	}
	body := func(outputs func(b *maker) []*ir.Node) {
		b := &maker{r: m.r, Builder: New(), main: m.main, depth: m.depth + 1}
		for _, t := range inputs {
			b.pool = append(b.pool, b.Input(t.DType, t.Shape...))
		}
		for range 1 + m.r.IntN(8) {
			b.grow()
		}
		b.Output(outputs(b)...)
		c.Bodies = append(c.Bodies, b.Graph)
	}
	carries := func(b *maker) (next []*ir.Node) {
		for _, n := range operands[:c.Carries] {
			next = append(next, b.fit(b.pick(), n.Type))
		}
		return next
	}
	switch c.Kind {
	case ir.Scan:
		body(func(b *maker) []*ir.Node {
			outputs := carries(b)
			for range m.r.IntN(3) {
				outputs = append(outputs, b.some())
			}
			return outputs
		})
	case ir.While:
		body(func(b *maker) []*ir.Node {
			more := b.F(scalar.Lt, b.Graph.Inputs[0], b.Num(ir.I64, float64(m.r.IntN(4))))
			if m.r.IntN(2) == 0 {
				more = b.F(scalar.And, more, b.fit(b.pick(), more.Type))
			}
			return []*ir.Node{more}
		})
		body(carries)
	case ir.Branch:
		var types []ir.Type
		body(func(b *maker) (outputs []*ir.Node) {
			for range 1 + m.r.IntN(2) {
				n := b.some()
				outputs, types = append(outputs, n), append(types, n.Type)
			}
			return outputs
		})
		body(func(b *maker) (outputs []*ir.Node) {
			for _, t := range types {
				outputs = append(outputs, b.fit(b.pick(), t))
			}
			return outputs
		})
	}
	var results []*ir.Node
	title := [...]string{ir.Scan: "Scan", ir.While: "While", ir.Branch: "Cond"}[c.Kind]
	for i := range c.Main().Outputs {
		results = append(results, m.Add(ir.Result{Control: c, Index: i, Title: title}, operands...))
	}
	return results
}

// assign stores something into a variable: a step of descent, which can be done in place, another variable's old
// contents, or anything.
func (m *maker) assign(v *ir.Node) {
	switch m.r.IntN(3) {
	case 0:
		m.Assign(v, m.fit(m.combine(v, m.like(v)), v.Type))
	case 1:
		other := m.Graph.Variables[m.r.IntN(len(m.Graph.Variables))]
		m.Assign(v, m.fit(other, v.Type))
	default:
		m.Assign(v, m.like(v))
	}
}
