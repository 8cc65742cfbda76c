package pjrt_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/nightly"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/pjrt"
)

// This file runs random graphs of the compiler's ops, loops and branches on a plugin, and compares them with the reference. XLA takes about half a
// second to compile one, so several are joined to one program.

// TestRandomGraphs runs a hundred graphs.
func TestRandomGraphs(t *testing.T) {
	e := engine(t)
	const programs, graphs = 10, 10
	for seed := range programs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomGraphs(t, e, uint64(seed), graphs) })
	}
}

// TestNightlyGraphs is TestRandomGraphs with different graphs.
func TestNightlyGraphs(t *testing.T) {
	for seed := range nightly.Seeds(t) {
		randomGraphs(t, engine(t), seed, 1)
	}
}

// randomGraphs makes graphs, joins them to one program, and runs that.
func randomGraphs(t *testing.T, e *pjrt.Engine, seed uint64, graphs int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	g := &ir.Graph{}
	for range graphs {
		join(g, irtest.Random(r, 3+r.IntN(20), []int{0, 7, 64, 257}[r.IntN(4)]))
	}
	lowerable(g)
	if err := onPlugin(e, g, r); err != nil {
		t.Error(err)
	}
}

// join adds the nodes of h to g.
func join(g, h *ir.Graph) {
	for _, n := range h.Nodes {
		n.ID = len(g.Nodes)
		switch op := n.Op.(type) {
		case ir.Input:
			n.Op = ir.Input{Index: len(g.Inputs) + op.Index}
		case ir.Variable:
			n.Op = ir.Variable{Index: len(g.Variables) + op.Index}
		}
		g.Nodes = append(g.Nodes, n)
	}
	g.Inputs, g.Variables = append(g.Inputs, h.Inputs...), append(g.Variables, h.Variables...)
	g.Outputs, g.Assigns = append(g.Outputs, h.Outputs...), append(g.Assigns, h.Assigns...)
}

// lowerable puts flips of all axes in the place of the op that only the reference has, which does the same.
func lowerable(g *ir.Graph) {
	for _, n := range g.Nodes {
		switch op := n.Op.(type) {
		case irtest.Backwards:
			axes := make([]int, len(n.Type.Shape))
			for a := range axes {
				axes[a] = a
			}
			n.Op = irop.Flip{Axes: axes}
		case ir.Nested:
			if c, result := op.Nests(); result == 0 {
				for _, body := range c.Bodies {
					lowerable(body)
				}
			}
		}
	}
}

// onPlugin runs a graph twice on the plugin and by the reference, and returns the first difference above what rounding may amount to in graphs whose values are
// about 1 in size: 1e-10, and 2e-4 if there is an f32 in the graph. What is not a float must be equal.
func onPlugin(e *pjrt.Engine, g *ir.Graph, r *rand.Rand) error {
	inputs, variables := irtest.Fill(r, g.Inputs), irtest.Fill(r, g.Variables)
	tolerance := 1e-10
	if slices.ContainsFunc(g.Nodes, func(n *ir.Node) bool { return n.Type.DType == ir.F32 }) {
		tolerance = 2e-4
	}
	stored := func(arrays []ir.Array) (all []*exec.Storage) {
		for _, a := range arrays {
			s := &exec.Storage{}
			s.Init(ir.NewArray(a.Type))
			copy(s.Host().Raw(), a.Raw())
			all = append(all, s)
		}
		return all
	}
	differ := func(got []*exec.Storage, want []ir.Array) error {
		for i, s := range got {
			if err := s.Write(); err != nil {
				return err
			}
			for k := range want[i].Size() {
				x, y, most := s.Host().Float(k), want[i].Float(k), 0.0
				if want[i].DType.Float() {
					most = tolerance
				}
				if !(x == y || math.Abs(x-y) <= most || x != x && y != y) {
					return fmt.Errorf("number %d, element %d of %v is %v and should be %v", i, k, want[i].Type, x, y)
				}
			}
		}
		return nil
	}
	reference, want := exec.NewReference(g, variables), irtest.Outputs(g)
	mine, from, to := stored(variables), stored(inputs), stored(want)
	optimized := irtest.Copy(g)
	pass.Run(optimized, nil)
	m, err := e.Load(optimized, mine)
	if err != nil {
		return err
	}
	for step := range int64(2) {
		if err := reference.Run(exec.Call{Inputs: inputs, Outputs: want, Step: step}); err != nil {
			return err
		}
		if err := m.Run(exec.Call{Inputs: inputs, Outputs: irtest.Outputs(g), Step: step, From: from, To: to}); err != nil {
			return err
		}
		if err := differ(to, want); err != nil {
			return fmt.Errorf("step %d, outputs: %w\n%v", step, err, g)
		}
		if err := differ(mine, variables); err != nil {
			return fmt.Errorf("step %d, variables: %w\n%v", step, err, g)
		}
		for i, s := range mine { // so that differences do not grow
			copy(s.Host().Raw(), variables[i].Raw())
		}
	}
	return nil
}
