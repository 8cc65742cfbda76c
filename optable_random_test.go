package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file makes random graphs of the ops in the table and compares them, compiled, with the reference.

// TestRandomGraphs runs graphs of a dozen ops with the gradients of all their inputs.
func TestRandomGraphs(t *testing.T) {
	const graphs = 150
	for seed := range graphs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &graphMaker{r: rand.New(rand.NewPCG(uint64(seed), 3)), g: tarn.NewGraph(), data: map[string]*tarn.Tensor{}, dtype: tarn.F64}
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
			compareWithin(t, m.g, outputs, m.data, manyOps)
		})
	}
}

// graphMaker grows a graph op by op. Its pool holds the float values that later ops may use.
type graphMaker struct {
	r     *rand.Rand
	g     *tarn.Graph
	dtype tarn.DType
	data  map[string]*tarn.Tensor
	pool  []*tarn.Value
}

func (m *graphMaker) input(o operand, shape []int) *tarn.Value {
	name := fmt.Sprint("x", len(m.data))
	m.data[name] = o.draw(m.r, m.dtype, shape)
	return m.g.Input(name, m.data[name].DType(), shape...)
}

// grow adds one op of the table. An op with jumps is given fresh inputs, for a difference in the last digit of an operand
// would show as a difference of the result, and so is one that is singular where elements are equal.
func (m *graphMaker) grow() {
	c := opCases[m.r.IntN(len(opCases))]
	shapes := c.shapes[m.r.IntN(len(c.shapes))]
	if !c.has(m.dtype) {
		return
	}
	in := make([]*tarn.Value, len(c.in))
	for i, o := range c.in {
		if c.flat || c.spread || o.fixed {
			in[i] = m.input(o, shapes[i])
		} else {
			in[i] = m.adapt(m.pool[m.r.IntN(len(m.pool))], o, shapes[i])
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
