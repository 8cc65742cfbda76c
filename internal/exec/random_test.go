package exec

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/pool"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// This file checks random graphs, compiled, against the reference. Set TARN_LONG=1 for many more of them.

// rounds is n, many times as many in a long test, and fewer in a short one.
func rounds(n int) int {
	if testing.Short() {
		return n / 3
	}
	if os.Getenv("TARN_LONG") != "" {
		return n * 20
	}
	return n
}

// cloned copies arrays with their contents.
func cloned(arrays []ir.Array) []ir.Array {
	var copies []ir.Array
	for _, a := range arrays {
		c := ir.NewArray(a.Type)
		copy(c.Raw(), a.Raw())
		copies = append(copies, c)
	}
	return copies
}

// tolerance is what rounding may amount to in a graph whose values are about 1 in size.
func tolerance(g *ir.Graph) float64 {
	if slices.ContainsFunc(g.Nodes, func(n *ir.Node) bool { return n.Precision() == ir.PrecisionBF16 }) {
		return 0.02 // numbers that differ in their last bits may be rounded to neighbors that differ by 2^-8
	}
	if slices.ContainsFunc(g.Nodes, func(n *ir.Node) bool { return n.Type.DType == ir.F32 }) {
		return 2e-4
	}
	return 1e-10
}

// difference is where got differs from want by more than the tolerance, or "". Only floats may differ at all.
func difference(got, want ir.Array, tolerance float64) string {
	if !want.DType.Float() {
		tolerance = 0
	}
	for i := range want.Size() {
		g, w := got.Float(i), want.Float(i)
		if !(g == w || g-w <= tolerance && w-g <= tolerance || g != g && w != w) {
			return fmt.Sprintf("element %d of %v is %v and should be %v", i, want.Type, g, w)
		}
	}
	return ""
}

func TestRandomGraphs(t *testing.T) {
	three := pool.New(3)
	defer three.Close()
	for seed := range rounds(100) {
		randomGraph(t, rand.New(rand.NewPCG(uint64(seed), 1)), three)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// randomGraph makes one graph and runs it.
func randomGraph(t *testing.T, r *rand.Rand, workers *pool.Pool) {
	t.Helper()
	large := []int{0, 0, 7, 64, 257, 2050, 5000}[r.IntN(7)]
	ops := 3 + r.IntN(40)
	if large > 300 {
		ops = min(ops, 12)
	}
	if err := against(irtest.Random(r, ops, large), workers, r); err != nil {
		t.Error(err)
	}
}

// against runs a graph twice by the reference and compiled, with and without passes.
func against(g *ir.Graph, workers *pool.Pool, r *rand.Rand) error {
	if err := pass.Verify(g); err != nil {
		return err
	}
	inputs, variables := irtest.Fill(r, g.Inputs), irtest.Fill(r, g.Variables)
	for _, optimized := range []bool{false, true} {
		mine, theirs := cloned(variables), cloned(variables)
		reference, c := NewReference(g, theirs), irtest.Copy(g)
		if optimized {
			pass.Run(c, nil)
			if err := pass.Verify(c); err != nil {
				return fmt.Errorf("%w\n%v", err, g)
			}
		}
		m, err := NewMachine(c, mine, workers)
		if err != nil {
			return err
		}
		got, want := irtest.Outputs(g), irtest.Outputs(g)
		for step := range int64(2) {
			if err := reference.Run(Call{Inputs: inputs, Outputs: want, Step: step}); err != nil {
				return err
			}
			if err := m.Run(Call{Inputs: inputs, Outputs: got, Step: step}); err != nil {
				return err
			}
			for i := range g.Outputs {
				if d := difference(got[i], want[i], tolerance(g)); d != "" {
					return fmt.Errorf("passes %v, step %d, output %d: %s\n%v\n%v", optimized, step, i, d, g, m)
				}
			}
			for i := range variables {
				if d := difference(mine[i], theirs[i], tolerance(g)); d != "" {
					return fmt.Errorf("passes %v, step %d, variable %d: %s\n%v\n%v", optimized, step, i, d, g, m)
				}
				copy(mine[i].Raw(), theirs[i].Raw())
			}
		}
	}
	return nil
}
