package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file makes random graphs of the ops in the table, and of loops and branches, and compares them, compiled, with the reference.

// TestRandomGraphs runs graphs of a dozen ops with the gradients of all their inputs. Bodies of loops and branches are such graphs
// too, and take gradients inside.
func TestRandomGraphs(t *testing.T) {
	const graphs = 150
	for seed := range graphs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomGraph(t, uint64(seed), tarn.Compile, nil) })
	}
}

// compiler is tarn.Compile or its like.
type compiler func(g *tarn.Graph, outputs tarn.Outputs, updates ...tarn.Update) (*tarn.Program, error)

// randomGraph makes one graph without the cases that are left out, compiles it and runs it.
func randomGraph(t *testing.T, seed uint64, compile compiler, leftOut map[string]bool) {
	t.Helper()
	m := &graphMaker{r: rand.New(rand.NewPCG(seed, 3)), g: tarn.NewGraph(), data: map[string]*tarn.Tensor{}, dtype: tarn.F64, leftOut: leftOut}
	if seed%3 == 2 {
		m.dtype = tarn.F32
	}
	for range 3 {
		m.pool = append(m.pool, m.input(between(-1, 1), []int{1 + m.r.IntN(4), 1 + m.r.IntN(7)}))
	}
	wrt := []*tarn.Value{m.pool[0], m.pool[1], m.pool[2]}
	for range 12 {
		m.grow()
	}
	total := m.g.Num(tarn.F64, 0)
	outputs := tarn.Outputs{}
	for i, v := range m.pool {
		// Bounded, so that values that have grown large do not drown the others.
		total = total.Add(v.Tanh().Cast(tarn.F64).Sum())
		if i%3 == 0 {
			outputs[fmt.Sprint("v", i)] = v
		}
	}
	outputs["total"] = total.Cast(m.dtype) // which says how exact it can be
	for i, d := range tarn.Grad(total, wrt...) {
		outputs[fmt.Sprint("d", i)] = d
	}
	if err := m.g.Err(); err != nil {
		t.Fatal(err)
	}
	p, err := compile(m.g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	compareProgram(t, p, m.g, outputs, m.data, manyOps)
}

// graphMaker grows a graph op by op. Its pool holds the float values that later ops may use.
type graphMaker struct {
	r     *rand.Rand
	g     *tarn.Graph
	dtype tarn.DType
	data  map[string]*tarn.Tensor
	pool  []*tarn.Value
	depth int // of the loops and branches around

	leftOut map[string]bool // cases by name, and if there are any, operands without elements, whose mean is NaN, which not every engine's transforms spread alike
}

func (m *graphMaker) input(o operand, shape []int) *tarn.Value {
	name := fmt.Sprint("x", len(m.data))
	m.data[name] = o.draw(m.r, m.dtype, shape)
	return m.g.Input(name, m.data[name].DType(), shape...)
}

// grow adds one op of the table. An op with jumps is given fresh inputs, for a difference in the last digit of an operand
// would show as a difference of the result, and so is one that is singular where elements are equal.
func (m *graphMaker) grow() {
	if m.depth < 2 && m.r.IntN(8) == 0 {
		m.pool = append(m.pool, m.control()...)
		return
	}
	c := opCases[m.r.IntN(len(opCases))]
	shapes := c.shapes[m.r.IntN(len(c.shapes))]
	if m.leftOut != nil && slices.ContainsFunc(shapes, func(shape []int) bool { return slices.Contains(shape, 0) }) {
		return
	}
	if !c.has(m.dtype) || m.leftOut[c.name()] || c.op == "Graph.Lookup" { // whose names would come twice
		return
	}
	in := make([]*tarn.Value, len(c.in))
	for i, o := range c.in {
		if c.flat || c.spread || o.fixed {
			in[i] = m.input(o, shapes[i])
		} else {
			in[i] = m.adapt(m.pick(), o, shapes[i])
		}
	}
	y := c.build(in...)
	if !y.DType().IsFloat() {
		y = y.Cast(m.dtype)
	}
	if y.DType() == m.dtype && y.Size() > 0 {
		m.pool = append(m.pool, y)
	}
}

// control adds a loop or a branch, and gives its results.
func (m *graphMaker) control() []*tarn.Value {
	shape := []int{1 + m.r.IntN(3), 1 + m.r.IntN(3)}
	steps := 1 + m.r.IntN(3)
	state := func(in *graphMaker) *tarn.Value { // a value of the pool as a bounded matrix
		return in.adapt(in.pick(), between(-1, 1), shape)
	}
	body := func(values ...*tarn.Value) *graphMaker {
		in := &graphMaker{r: m.r, g: m.g, dtype: m.dtype, data: m.data, pool: values, depth: m.depth + 1, leftOut: m.leftOut}
		if m.r.IntN(2) == 0 {
			in.pool = append(in.pool, m.pick())
		}
		for range 1 + m.r.IntN(3) {
			in.grow()
		}
		if m.r.IntN(2) == 0 { // a gradient inside of the body
			x := values[m.r.IntN(len(values))]
			loss := in.pick().Tanh().Sum().Add(x.Square().Mean())
			in.pool = append(in.pool, tarn.Grad(loss, x)...)
		}
		return in
	}
	switch m.r.IntN(3) {
	case 0:
		xs := m.adapt(m.pick(), between(-1, 1), append([]int{steps}, shape...))
		last, stacks := tarn.Scan([]*tarn.Value{state(m)}, []*tarn.Value{xs}, tarn.ScanOptions{Reverse: m.r.IntN(2) == 0}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
			in := body(carries[0], xs[0])
			return []*tarn.Value{state(in)}, []*tarn.Value{state(in)}
		})
		return append(last, stacks...)
	case 1:
		// It has no gradient: what goes in and comes out is taken as constant.
		count := m.g.Num(tarn.I32, 0)
		last := tarn.While([]*tarn.Value{count, state(m).StopGradient()}, func(carries []*tarn.Value) *tarn.Value {
			return carries[0].Lt(tarn.Num(steps))
		}, func(carries []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{carries[0].AddNum(1), state(body(carries[1]))}
		})
		return []*tarn.Value{last[1].StopGradient()}
	}
	// The predicate comes from fresh data, so that a difference in the last digit does not choose.
	p := m.input(between(-1, 1), []int{1}).Sum().Gt(tarn.Num(0))
	branch := func(operands []*tarn.Value) []*tarn.Value { return []*tarn.Value{state(body(operands...))} }
	return tarn.Cond(p, []*tarn.Value{state(m), m.pick()}, branch, branch)
}

func (m *graphMaker) pick() *tarn.Value { return m.pool[m.r.IntN(len(m.pool))] }

// adapt moves the elements of v into the operand's range, smoothly, and brings them to its shape. Near a kink the
// derivative jumps: there fresh data is used, which keeps away from it, and so it is where the range is so wide that it
// would stretch small differences.
func (m *graphMaker) adapt(v *tarn.Value, o operand, shape []int) *tarn.Value {
	if len(o.avoid) > 0 && m.r.IntN(2) == 0 || o.hi-o.lo > 100 {
		return m.input(o, shape)
	}
	size := 1
	for _, d := range shape {
		size *= d
	}
	v = v.Reshape(-1)
	if n := v.Size(); size > n {
		times := (size + n - 1) / n
		v = v.Expand(times, n).Reshape(-1)
	}
	v = v.Slice(0, 0, size).Reshape(shape...)
	margin := 0.01 * (o.hi - o.lo)
	return v.Sigmoid().Scale(o.hi - o.lo - 2*margin).AddNum(o.lo + margin)
}
