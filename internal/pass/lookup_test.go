package pass_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file tests where products with looked-up rows go. The numbers are small and whole, so that sums in any order are equal.

func TestLookups(t *testing.T) {
	const rows, width, wide = 5, 16, 20
	type nodes struct{ index, table, weight, y *ir.Node }
	tests := []struct {
		name  string
		build func(b *irtest.Builder, n nodes) *ir.Node
		steps int // elements that the products multiply, over rows, width and wide; 12 where they are left alone
	}{
		{"a product", func(b *irtest.Builder, n nodes) *ir.Node {
			return b.MatMul(b.Reshape(b.Add(irop.Take{}, n.table, n.index), 12, width), n.weight)
		}, rows},
		{"its gradient by the weight", func(b *irtest.Builder, n nodes) *ir.Node {
			return b.Add(irop.MatMul{TransA: true}, b.Reshape(b.Add(irop.Take{}, n.table, n.index), 12, width), n.y)
		}, rows},
		{"that, the other way round", func(b *irtest.Builder, n nodes) *ir.Node {
			return b.Add(irop.MatMul{TransA: true}, n.y, b.Reshape(b.Add(irop.Take{}, n.table, n.index), 12, width))
		}, rows},
		{"its gradient by the table", func(b *irtest.Builder, n nodes) *ir.Node {
			return b.Add(irop.IndexAdd{Size: rows}, n.index, b.Reshape(b.Add(irop.MatMul{TransB: true}, n.y, n.weight), 3, 4, width))
		}, rows},
		{"a product that is needed besides", func(b *irtest.Builder, n nodes) *ir.Node {
			x := b.Add(irop.MatMul{TransB: true}, n.y, n.weight)
			b.Output(x)
			return b.Add(irop.IndexAdd{Size: rows}, n.index, b.Reshape(x, 3, 4, width))
		}, 12},
		{"rows in another order", func(b *irtest.Builder, n nodes) *ir.Node {
			return b.MatMul(b.Flip(b.Reshape(b.Add(irop.Take{}, n.table, n.index), 12, width), 0), n.weight)
		}, 12},
		{"a fence", func(b *irtest.Builder, n nodes) *ir.Node {
			x := b.Reshape(b.Add(irop.Take{}, n.table, n.index), 12, width)
			return b.MatMul(b.Add(irop.Fence{}, x, x), n.weight)
		}, 12},
		{"a table that is larger", func(b *irtest.Builder, n nodes) *ir.Node {
			few := b.Slice(b.Reshape(n.index, 12), 0, 0, 1, 6)
			return b.MatMul(b.Add(irop.Take{}, n.table, few), n.weight)
		}, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := irtest.New()
			n := nodes{b.Input(ir.I32, 3, 4), b.Input(ir.F32, rows, width), b.Input(ir.F32, width, wide), b.Input(ir.F32, 12, wide)}
			b.Output(tt.build(b, n))
			before := irtest.Copy(b.Graph)
			pass.Run(b.Graph, func(name string, g *ir.Graph) {
				if err := pass.Verify(g); err != nil {
					t.Fatalf("after %s: %v", name, err)
				}
			})
			var inputs []ir.Array
			for i, leaf := range before.Inputs {
				a := ir.NewArray(leaf.Type)
				for k := range a.Size() {
					a.SetInt(k, int64((k*k+7*k/3+i)%rows))
				}
				inputs = append(inputs, a)
			}
			check := func(what string) {
				want, got := exec.NewReference(before, nil), exec.NewReference(b.Graph, nil)
				wanted, given := irtest.Outputs(before), irtest.Outputs(b.Graph)
				if err := want.Run(exec.Call{Inputs: inputs, Outputs: wanted}); err != nil {
					t.Fatal(err)
				}
				if err := got.Run(exec.Call{Inputs: inputs, Outputs: given}); err != nil {
					t.Fatal(err)
				}
				for i := range before.Outputs {
					if !equal(given[i], wanted[i]) {
						t.Errorf("%s: output %d is another\n%v\n%v", what, i, before, b.Graph)
					}
				}
			}
			check("finite")
			index, table, weight := inputs[0], inputs[1], inputs[2]
			for k := range index.Size() { // the last two rows of the table are looked up no more
				index.SetInt(k, index.Int(k)%(rows-2))
			}
			table.SetFloat((rows-2)*width+3, math.NaN())
			table.SetFloat((rows-1)*width, math.Inf(1))
			check("rows that are not looked up are not finite")
			weight.SetFloat(2*wide+1, math.Inf(-1))
			check("and the matrix is not")
			for _, n := range b.Graph.Nodes {
				op, ok := n.Op.(ir.Contraction)
				if !ok {
					continue
				}
				inner := n.In[0].Type.Shape[1]
				if a, _ := op.Contracts(); a {
					inner = n.In[0].Type.Shape[0]
				}
				if multiplied := inner * n.Type.Size(); multiplied != tt.steps*width*wide {
					t.Errorf("%v multiplies %d times, want %d\n%v", n, multiplied, tt.steps*width*wide, b.Graph)
				}
			}
			if !strings.Contains(b.Graph.String(), "MatMul") {
				t.Errorf("there is no product\n%v", b.Graph)
			}
		})
	}
}

// TestLookupsInside checks that a scan takes the index and the table where the looked-up rows are many, in both directions.
func TestLookupsInside(t *testing.T) {
	const steps, n, width, rows = 64, 32, 256, 5
	for _, tt := range []struct {
		name    string
		steps   int
		reverse bool
		inside  bool
	}{{"forward", steps, false, true}, {"backward", steps, true, true}, {"few", 2, false, false}} {
		t.Run(tt.name, func(t *testing.T) {
			// carry' = carry + slice, and every carry is stacked.
			body := irtest.New()
			body.Input(ir.I64)
			carry, slice := body.Input(ir.F32, n, width), body.Input(ir.F32, n, width)
			next := body.F(scalar.Add, carry, slice)
			body.Output(next, next)
			c := &ir.Control{Kind: ir.Scan, Bodies: []*ir.Graph{body.Graph}, Carries: 1, Slices: 1, Steps: tt.steps, Reverse: tt.reverse}

			b := irtest.New()
			begin, table, index := b.Input(ir.F32, n, width), b.Input(ir.F32, rows, width), b.Input(ir.I32, tt.steps, n)
			flat := b.Add(irop.Take{}, table, b.Reshape(index, tt.steps*n))
			found := b.Add(irop.Take{}, table, index)
			for _, x := range []*ir.Node{found, b.Reshape(flat, tt.steps, n, width)} {
				for i := range 2 {
					b.Output(b.Add(ir.Result{Control: c, Index: i, Title: "Scan"}, begin, x))
				}
			}
			before := irtest.Copy(b.Graph)
			pass.Run(b.Graph, func(name string, g *ir.Graph) {
				if err := pass.Verify(g); err != nil {
					t.Fatalf("after %s: %v", name, err)
				}
			})
			inputs := []ir.Array{ir.NewArray(begin.Type), ir.NewArray(table.Type), ir.NewArray(index.Type)}
			for _, a := range inputs {
				for k := range a.Size() {
					a.SetInt(k, int64((k*k+7*k/3)%rows))
				}
			}
			want, got := exec.NewReference(before, nil), exec.NewReference(b.Graph, nil)
			wanted, given := irtest.Outputs(before), irtest.Outputs(b.Graph)
			if err := want.Run(exec.Call{Inputs: inputs, Outputs: wanted}); err != nil {
				t.Fatal(err)
			}
			if err := got.Run(exec.Call{Inputs: inputs, Outputs: given}); err != nil {
				t.Fatal(err)
			}
			for i := range before.Outputs {
				if !equal(given[i], wanted[i]) {
					t.Errorf("output %d is another\n%v\n%v", i, before, b.Graph)
				}
			}
			inside := 0
			for _, n := range b.Graph.Nodes {
				if op, ok := n.Op.(ir.Nested); ok && n.In[1].Type.DType == ir.I32 {
					if c, _ := op.Nests(); len(n.In) == 3 && strings.Contains(c.Main().String(), "Take") {
						inside++
					}
				}
			}
			if want := map[bool]int{true: 2}[tt.inside]; inside != want { // not the flat index, which has no step for each slice
				t.Errorf("%d of the results look up inside of the scan, want %d\n%v", inside, want, b.Graph)
			}
		})
	}
}
