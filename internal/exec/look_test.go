package exec

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// TestLooks adds to random graphs a second one that looks at what they compute: the main part has the same bits as alone, and the rest is right.
func TestLooks(t *testing.T) {
	three := pool.New(3)
	defer three.Close()
	for seed := range rounds(300) {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		g := irtest.Random(r, 3+r.IntN(40), []int{0, 7, 64, 257, 2050, 5000}[r.IntN(6)])
		addSums(g, r)
		if err := looked(g, three, r); err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, g)
		}
	}
}

// addSums adds sums of products to the outputs, whose bits depend on what else a loop computes more than others do.
func addSums(g *ir.Graph, r *rand.Rand) {
	b := irtest.Builder{Graph: g}
	for _, n := range slices.Clone(g.Nodes) {
		if n.Type.DType.Float() && len(n.Type.Shape) > 0 && n.Type.Size() >= 7 && r.IntN(3) == 0 {
			axes := []int{r.IntN(len(n.Type.Shape))}
			if r.IntN(3) == 0 {
				axes = nil
				for a := range n.Type.Shape {
					axes = append(axes, a)
				}
			}
			n = b.F(scalar.Tanh, n)
			b.Output(b.Sum(b.F(scalar.Add, b.F(scalar.Mul, n, n), n), axes...))
		}
	}
}

// looked runs a graph alone, and with looks at some of its nodes.
func looked(g *ir.Graph, workers *pool.Pool, r *rand.Rand) error {
	alone, main, rest := irtest.Copy(g), irtest.Copy(g), irtest.Copy(g)
	rest.Outputs, rest.Assigns = nil, nil
	all := *g
	for range 1 + r.IntN(4) {
		at := r.IntN(len(g.Nodes))
		rest.Outputs, all.Outputs = append(rest.Outputs, rest.Nodes[at]), append(all.Outputs[:len(all.Outputs):len(all.Outputs)], g.Nodes[at])
	}
	pass.Run(alone, nil)
	pass.Run(main, nil)
	pass.Run(rest, nil)
	pass.Join(main, rest)
	if err := pass.Verify(main); err != nil {
		return fmt.Errorf("%w\n%v", err, main)
	}
	inputs, variables := irtest.Fill(r, g.Inputs), irtest.Fill(r, g.Variables)
	mine, theirs := cloned(variables), cloned(variables)
	a, err := NewMachine(alone, theirs, workers)
	if err != nil {
		return err
	}
	m, err := NewMachine(main, mine, workers)
	if err != nil {
		return err
	}
	got, want, right := irtest.Outputs(main), irtest.Outputs(alone), irtest.Outputs(&all)
	for step := range int64(2) {
		reference := NewReference(&all, cloned(theirs))
		if err := reference.Run(Call{Inputs: inputs, Outputs: right, Step: step}); err != nil {
			return err
		}
		if err := a.Run(Call{Inputs: inputs, Outputs: want, Step: step}); err != nil {
			return err
		}
		if err := m.Run(Call{Inputs: inputs, Outputs: got, Step: step}); err != nil {
			return err
		}
		for i := range want {
			if !bytes.Equal(got[i].Raw(), want[i].Raw()) {
				return fmt.Errorf("step %d: output %d has other bits with looks\n%v\nand alone\n%v", step, i, m, a)
			}
		}
		for i := range mine {
			if !bytes.Equal(mine[i].Raw(), theirs[i].Raw()) {
				return fmt.Errorf("step %d: variable %d has other bits with looks\n%v\nand alone\n%v", step, i, m, a)
			}
		}
		for i := len(want); i < len(got); i++ {
			largest := 1.0 // of what may be a sum of thousands
			for k := range right[i].Size() {
				if x := math.Abs(right[i].Float(k)); x < math.Inf(1) {
					largest = max(largest, x)
				}
			}
			if d := difference(got[i], right[i], largest*tolerance(g)); d != "" {
				return fmt.Errorf("step %d: the look %d: %s\n%v", step, i, d, m)
			}
		}
	}
	return nil
}
