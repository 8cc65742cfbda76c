package exec

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/pool"
)

// This file checks every node of a program against its reference kernel.

// Checker runs a graph like a Machine and checks the result of every node against the node's reference kernel, which is
// given the machine's own results as operands. It is slow, and finds the one kernel that is wrong.
type Checker struct {
	graph     *ir.Graph
	all       *ir.Graph // the same with every node as an output
	machine   *Machine
	variables []ir.Array
	before    []ir.Array            // the variables' contents before the run
	outputs   []ir.Array            // of the machine: first those of the graph, which differ from run to run
	results   map[*ir.Node]ir.Array // of the machine, by node
}

// NewChecker compiles g so that the result of every node can be seen. Like NewMachine it returns an error if there is not enough memory.
func NewChecker(g *ir.Graph, variables []ir.Array, workers *pool.Pool) (*Checker, error) {
	all := *g
	all.Main = nil // all that it computes is seen
	all.Outputs = append([]*ir.Node(nil), g.Outputs...)
	for _, n := range g.Nodes {
		if _, nested := n.Op.(ir.Nested); nested || len(n.In) > 0 {
			all.Outputs = append(all.Outputs, n)
		}
	}
	machine, err := NewMachine(&all, variables, workers)
	if err != nil {
		return nil, err
	}
	return newChecker(g, &all, machine, variables), nil
}

func newChecker(g, all *ir.Graph, machine *Machine, variables []ir.Array) *Checker {
	c := &Checker{graph: g, all: all, machine: machine, variables: variables, results: map[*ir.Node]ir.Array{}}
	c.outputs = make([]ir.Array, len(all.Outputs))
	for i, n := range all.Outputs[len(g.Outputs):] {
		c.results[n] = ir.NewArray(n.Type)
		c.outputs[len(g.Outputs)+i] = c.results[n]
	}
	for _, v := range variables {
		c.before = append(c.before, ir.NewArray(v.Type))
	}
	return c
}

// Clone returns a checker of the same graph and variables.
func (c *Checker) Clone() (Runner, error) {
	machine, err := c.machine.Clone()
	if err != nil {
		return nil, err
	}
	return newChecker(c.graph, c.all, machine.(*Machine), c.variables), nil
}

// Run takes one step and returns an error that names the first node, its place and the element that is wrong.
func (c *Checker) Run(call Call) error {
	defer func() { // the inputs and outputs are the caller's
		clear(c.outputs[:len(c.graph.Outputs)])
		for _, n := range c.graph.Inputs {
			delete(c.results, n)
		}
	}()
	for i, v := range c.variables {
		copy(c.before[i].Raw(), v.Raw())
	}
	copy(c.outputs, call.Outputs)
	call.Outputs = c.outputs
	if err := c.machine.Run(call); err != nil {
		return err
	}
	for _, n := range c.graph.Nodes {
		switch op := n.Op.(type) {
		case ir.Input:
			c.results[n] = call.Inputs[op.Index]
			continue
		case ir.Variable:
			c.results[n] = c.before[op.Index]
			continue
		case ir.Const:
			c.results[n] = op.Array
			continue
		case ir.Step:
			c.results[n] = ir.NewArray(n.Type)
			c.results[n].SetInt(0, call.Step)
			continue
		}
		in := make([]ir.Array, len(n.In))
		for i, m := range n.In {
			in[i] = c.results[m]
		}
		want, err := ir.Evaluate(n, in, nil)
		if err != nil {
			return err
		}
		if err := compare(c.results[n], want, in, precision(n)); err != nil {
			return fmt.Errorf("check: %s: %v: %w", n.Place(), n, err)
		}
	}
	return nil
}

// precision is the least precise float type that a node computes in: that of its result, or of a value in the bodies of a loop.
func precision(n *ir.Node) ir.DType {
	if n.Type.DType == ir.F32 {
		return ir.F32
	}
	if nested, ok := n.Op.(ir.Nested); ok {
		c, _ := nested.Nests()
		for _, body := range c.Bodies {
			for _, m := range body.Nodes {
				if precision(m) == ir.F32 {
					return ir.F32
				}
			}
		}
	}
	return ir.F64
}

// compare allows for the rounding, in the given float type, of sums as long as the operands.
func compare(got, want ir.Array, in []ir.Array, precision ir.DType) error {
	terms := 1
	scale := 1.0
	for _, a := range in {
		terms = max(terms, a.Size()/max(1, want.Size()))
		for i := range a.Size() {
			if x := math.Abs(a.Float(i)); x <= math.MaxFloat64 { // no NaN
				scale = math.Max(scale, x)
			}
		}
	}
	tolerance := 1e-13
	if precision == ir.F32 {
		tolerance = 1e-6
	}
	tolerance *= math.Sqrt(float64(terms)) * 8
	for i := range want.Size() {
		g, w := got.Float(i), want.Float(i)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !got.DType.Float() || !(math.Abs(g-w) <= tolerance*math.Max(scale, math.Abs(w))) {
			return fmt.Errorf("element %d is %v and should be %v", i, g, w)
		}
	}
	return nil
}
