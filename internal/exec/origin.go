package exec

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file finds where the first infinity or NaN of a run comes from. The graph is run again as it was traced, and stores nothing; next to
// each node stands whether its result is finite. From a result that is not finite a path leads back to a node whose operands all are, or to an
// input, a variable or a constant. In the body of a loop it leads back through the steps.

// Origin is where the first infinity or NaN of a run comes from.
type Origin struct {
	Node   *ir.Node   // an op whose operands are finite, or a leaf
	Result ir.Array   // of Node
	In     []ir.Array // its operands
	Loops  []LoopStep // the loops that it lies in, the outermost first
}

// LoopStep is a step of a loop, or a branch.
type LoopStep struct {
	Node *ir.Node
	Step int // -1 for a branch
}

// FindOrigin runs the graph and returns the origin of the first of its guards and assigned values that is not finite, or nil if all are.
func FindOrigin(g *ir.Graph, variables, inputs []ir.Array, step int64, workers *pool.Pool) (*Origin, error) {
	roots := slices.Clone(g.Guards)
	for _, a := range g.Assigns {
		roots = append(roots, a.Value)
	}
	s := &search{graph: g, variables: variables, inputs: inputs, step: step, pool: workers}
	return s.origin(roots)
}

// search looks for an origin in one graph, which may be the body of a loop.
type search struct {
	graph     *ir.Graph
	variables []ir.Array
	inputs    []ir.Array
	step      int64
	pool      *pool.Pool
}

// flags say of a result whether all elements are finite, and whether one is not a number.
type flags struct{ finite, nan bool }

// origin returns the origin of the first of the roots that is not finite.
func (s *search) origin(roots []*ir.Node) (*Origin, error) {
	found, err := s.flags(roots)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(roots, func(n *ir.Node) bool { f, ok := found[n]; return ok && !f.finite })
	if at < 0 {
		return nil, nil
	}
	n := s.back(roots[at], found, map[*ir.Node]bool{})
	if n == nil {
		n = roots[at]
	}
	o := &Origin{Node: n}
	results, err := s.run(append(slices.Clone(n.In), n))
	if err != nil {
		return nil, err
	}
	o.In, o.Result = results[:len(n.In)], results[len(n.In)]
	if op, ok := n.Op.(ir.Nested); ok {
		c, result := op.Nests()
		if inside, err := s.inside(n, c, result, o.In); err != nil || inside != nil {
			return inside, err
		}
	}
	return o, nil
}

// back goes from a node that is not finite to where that comes from. It follows NaN before infinity, and an infinity that comes from a constant,
// such as that of a mask, not at all: for such a node it returns nil.
func (s *search) back(n *ir.Node, found map[*ir.Node]flags, seen map[*ir.Node]bool) *ir.Node {
	seen[n] = true
	meant := false // an operand is infinite because a constant is
	for _, nan := range []bool{true, false} {
		for _, in := range n.In {
			f, ok := found[in]
			if !ok || f.finite || f.nan != nan || nan && !found[n].nan {
				continue
			}
			if !seen[in] {
				if from := s.back(in, found, seen); from != nil {
					return from
				}
			}
			meant = true
		}
	}
	if _, ok := n.Op.(ir.Const); ok || meant && !found[n].nan {
		return nil
	}
	return n
}

// flags runs what the roots need and returns the flags of all floats among it.
func (s *search) flags(roots []*ir.Node) (map[*ir.Node]flags, error) {
	nodes := needed(s.graph, roots)
	g := s.copy(nodes)
	add := func(op ir.Op, in ...*ir.Node) *ir.Node {
		n := &ir.Node{ID: len(s.graph.Nodes) + len(g.Nodes), Op: op, In: in}
		var types []ir.Type
		for _, m := range in {
			types = append(types, m.Type)
		}
		n.Type, _ = op.Infer(types)
		g.Nodes = append(g.Nodes, n)
		return n
	}
	all := func(n *ir.Node) {
		if r := len(n.Type.Shape); r > 0 {
			axes := make([]int, r)
			for i := range axes {
				axes[i] = i
			}
			n = add(irop.Reduce{Kind: ir.ReduceAll, Axes: axes}, n)
		}
		g.Outputs = append(g.Outputs, n)
	}
	found := map[*ir.Node]flags{}
	var asked []*ir.Node
	for _, n := range nodes {
		if !n.Type.DType.Float() {
			continue
		}
		if a, ok := s.leaf(n); ok {
			found[n] = flagsOf(a)
			continue
		}
		asked = append(asked, n)
		all(add(irop.Elementwise{F: scalar.IsFinite}, n))
		all(add(irop.Elementwise{F: scalar.Eq}, n, n))
	}
	results, err := s.results(g)
	if err != nil {
		return nil, err
	}
	for i, n := range asked {
		found[n] = flags{finite: results[2*i].Int(0) != 0, nan: results[2*i+1].Int(0) == 0}
	}
	return found, nil
}

func flagsOf(a ir.Array) flags {
	f := flags{finite: finite(a)}
	for i := 0; !f.finite && i < a.Size(); i++ {
		f.nan = f.nan || math.IsNaN(a.Float(i))
	}
	return f
}

// leaf returns the contents of an input, a variable or a constant.
func (s *search) leaf(n *ir.Node) (ir.Array, bool) {
	switch op := n.Op.(type) {
	case ir.Input:
		return s.inputs[op.Index], true
	case ir.Variable:
		return s.variables[op.Index], true
	case ir.Const:
		return op.Array, true
	}
	return ir.Array{}, false
}

// run returns the results of nodes.
func (s *search) run(nodes []*ir.Node) ([]ir.Array, error) {
	g := s.copy(needed(s.graph, nodes))
	g.Outputs = nodes
	return s.results(g)
}

// results runs g, which is part of the graph, and returns its outputs.
func (s *search) results(g *ir.Graph) ([]ir.Array, error) {
	m, err := NewMachine(g, s.variables, s.pool)
	if err != nil {
		return nil, err
	}
	return outputs(m, g, Call{Inputs: s.inputs, Step: s.step})
}

// outputs runs m, which was made of g, and returns its outputs.
func outputs(m *Machine, g *ir.Graph, c Call) ([]ir.Array, error) {
	var types []ir.Type
	for _, n := range g.Outputs {
		types = append(types, n.Type)
	}
	c.Outputs = NewArrays(types...)
	return c.Outputs, m.Run(c)
}

// copy is a graph of some of the nodes, without outputs.
func (s *search) copy(nodes []*ir.Node) *ir.Graph {
	return &ir.Graph{Nodes: nodes, Inputs: s.graph.Inputs, Variables: s.graph.Variables}
}

// needed lists the nodes of g that roots are computed from.
func needed(g *ir.Graph, roots []*ir.Node) (nodes []*ir.Node) {
	need := map[*ir.Node]bool{}
	for _, n := range roots {
		need[n] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if need[n] {
			nodes = append(nodes, n)
			for _, in := range n.In {
				need[in] = true
			}
		}
	}
	slices.Reverse(nodes)
	return nodes
}

// mostKept bounds the bytes of carries that are kept of a loop's steps.
const mostKept = 1 << 28

// inside returns the origin in a loop or a branch whose result is not finite. It is nil if none is found.
func (s *search) inside(n *ir.Node, c *ir.Control, result int, in []ir.Array) (*Origin, error) {
	if c.Kind == ir.Branch {
		body := c.Bodies[0]
		if in[0].Int(0) == 0 {
			body = c.Bodies[1]
		}
		o, err := s.body(body, in).origin(body.Outputs[result : result+1])
		return o.within(n, -1), err
	}
	steps, err := s.unroll(c, in)
	if err != nil || steps == nil {
		return nil, err
	}
	// first is the first step, before the given one, from which on an output was not finite up to there.
	first := func(before, output int) int {
		k := before
		for k > 0 && !finite(steps[k-1].outputs[output]) {
			k--
		}
		return k
	}
	at := len(steps)
	if result < c.Carries {
		at = first(at, result)
	} else if at = slices.IndexFunc(steps, func(t unrolled) bool { return !finite(t.outputs[result]) }); at < 0 {
		return nil, nil
	}
	for at < len(steps) {
		body := c.Main()
		o, err := s.body(body, steps[at].inputs).origin(body.Outputs[result : result+1])
		if o == nil || err != nil {
			return nil, err
		}
		input, ok := o.Node.Op.(ir.Input)
		if !ok || len(o.Loops) > 0 {
			return o.within(n, steps[at].number), nil
		}
		// A carry that was not finite before the step, or an operand of the loop.
		carry := input.Index - 1
		if carry < 0 || carry >= c.Carries || first(at, carry) == at {
			return nil, nil
		}
		at, result = first(at, carry), carry
	}
	return nil, nil
}

// within puts a loop around the origin.
func (o *Origin) within(n *ir.Node, step int) *Origin {
	if o != nil {
		o.Loops = slices.Insert(o.Loops, 0, LoopStep{n, step})
	}
	return o
}

func (s *search) body(g *ir.Graph, inputs []ir.Array) *search {
	return &search{graph: g, inputs: inputs, pool: s.pool}
}

// unrolled is what a step of a loop reads and gives.
type unrolled struct {
	number          int
	inputs, outputs []ir.Array
}

// unroll runs a loop step by step. It is nil if that takes too much memory.
func (s *search) unroll(c *ir.Control, in []ir.Array) (steps []unrolled, err error) {
	body := s.body(c.Main(), nil)
	m, err := body.machine(c.Main())
	if err != nil {
		return nil, err
	}
	var condition *Machine
	if c.Kind == ir.While {
		if condition, err = body.machine(c.Bodies[0]); err != nil {
			return nil, err
		}
	}
	carries := in[:c.Carries]
	kept := 0
	for k := 0; c.Kind == ir.While || k < c.Steps; k++ {
		at := k
		if c.Reverse {
			at = c.Steps - 1 - k
		}
		index := ir.NewArray(ir.Type{DType: ir.I64, Shape: []int{}})
		index.SetInt(0, int64(at))
		inputs := append([]ir.Array{index}, carries...)
		for _, a := range in[c.Carries : c.Carries+c.Slices] {
			inputs = append(inputs, a.Part(at))
		}
		inputs = append(inputs, in[c.Carries+c.Slices:]...)
		if condition != nil {
			more, err := outputs(condition, c.Bodies[0], Call{Inputs: inputs})
			if err != nil {
				return nil, err
			}
			if more[0].Int(0) == 0 {
				break
			}
		}
		t := unrolled{number: at, inputs: inputs}
		if t.outputs, err = outputs(m, c.Main(), Call{Inputs: inputs}); err != nil {
			return nil, err
		}
		for _, a := range t.outputs {
			kept += a.Bytes()
		}
		if kept > mostKept {
			return nil, nil
		}
		steps = append(steps, t)
		carries = t.outputs[:c.Carries]
	}
	return steps, nil
}

func (s *search) machine(g *ir.Graph) (*Machine, error) {
	all := s.body(g, nil).copy(needed(g, g.Outputs))
	all.Outputs = g.Outputs
	return NewMachine(all, nil, s.pool)
}
