package exec

import "github.com/seed-49005b45/tarn/internal/ir"

// This file runs graphs node by node, as a reference.

// Reference runs a graph node by node with the ops' reference kernels, each result in separate memory. It is slow and
// obviously right: the oracle that compiled programs are compared with.
type Reference struct {
	graph     *ir.Graph
	variables []ir.Array
}

// NewReference prepares g to be run on the memory of its variables.
func NewReference(g *ir.Graph, variables []ir.Array) *Reference { return &Reference{g, variables} }

// Clone returns r, which keeps nothing from run to run.
func (r *Reference) Clone() (Runner, error) { return r, nil }

// Run computes outputs and assignments from the inputs.
func (r *Reference) Run(c Call) error {
	values := map[*ir.Node]ir.Array{}
	for _, n := range r.graph.Nodes {
		var err error
		if values[n], err = r.eval(n, values, c); err != nil {
			return err
		}
	}
	if err := r.guard(values); err != nil {
		return err
	}
	for i, n := range r.graph.Outputs {
		copy(c.Outputs[i].Raw(), values[n].Raw())
	}
	// Every value is computed by now, so an assignment cannot disturb a read; but one may store another's old contents.
	stored := make([]ir.Array, len(r.graph.Assigns))
	for i, a := range r.graph.Assigns {
		stored[i] = ir.NewArray(a.Value.Type)
		copy(stored[i].Raw(), values[a.Value].Raw())
	}
	for i, a := range r.graph.Assigns {
		copy(r.variables[a.Variable.Op.(ir.Variable).Index].Raw(), stored[i].Raw())
	}
	return nil
}

// guard holds the guards, and what is to be assigned if there are any, to be finite.
func (r *Reference) guard(values map[*ir.Node]ir.Array) error {
	for _, n := range r.graph.Guards {
		if !finite(values[n]) {
			return &ir.NonFinite{Node: n}
		}
	}
	for _, a := range r.graph.Assigns {
		old, now := r.variables[a.Variable.Op.(ir.Variable).Index], values[a.Value]
		for i := 0; len(r.graph.Guards) > 0 && now.DType.Float() && i < now.Size(); i++ {
			if isFinite(old.Float(i)) && !isFinite(now.Float(i)) {
				return &ir.NonFinite{Node: a.Value}
			}
		}
	}
	return nil
}

func (r *Reference) eval(n *ir.Node, values map[*ir.Node]ir.Array, c Call) (ir.Array, error) {
	switch op := n.Op.(type) {
	case ir.Input:
		return c.Inputs[op.Index], nil
	case ir.Variable:
		return r.variables[op.Index], nil
	case ir.Const:
		return op.Array, nil
	case ir.Step:
		a := ir.NewArray(n.Type)
		a.SetInt(0, c.Step)
		return a, nil
	}
	in := make([]ir.Array, len(n.In))
	for i, m := range n.In {
		in[i] = values[m]
	}
	return ir.Evaluate(n, in, c.canceled)
}
