package pass_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pass"
	"github.com/seed-49005b45/tarn/internal/scalar"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
)

// This file tests each pass on small graphs, all of them on random ones, and the verifier on broken ones.

// listing names nodes by their place, so that a listing does not depend on what has been dropped.
func listing(g *ir.Graph) string {
	for i, n := range g.Nodes {
		n.ID = i
	}
	return strings.TrimSpace(g.String())
}

func TestPasses(t *testing.T) {
	const f = ir.F32
	tests := []struct {
		pass, name string
		build      func(b *irtest.Builder, x *ir.Node) *ir.Node
		want       string
	}{
		{"prune", "what nothing needs", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			b.F(scalar.Exp, b.F(scalar.Neg, x))
			return b.F(scalar.Tanh, x)
		}, "%0 = Input{0} f32[2 3]\n%1 = Tanh(%0) f32[2 3]\noutput %1"},
		{"prune", "what a fence waits for stays", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Add(irop.Fence{}, x, b.F(scalar.Tanh, x))
		}, "%0 = Input{0} f32[2 3]\n%1 = Tanh(%0) f32[2 3]\n%2 = Fence(%0, %1) f32[2 3]\noutput %2"},
		{"identities", "times one", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Mul, x, b.Num(f, 1)) }, "output %0"},
		{"identities", "one times", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Mul, b.Num(f, 1), x) }, "output %0"},
		{"identities", "plus zero", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Add, x, b.Num(f, 0)) }, "output %0"},
		{"identities", "zero plus", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Add, b.Num(f, 0), x) }, "output %0"},
		{"identities", "minus zero", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Sub, x, b.Num(f, 0)) }, "output %0"},
		{"identities", "zero minus is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Sub, b.Num(f, 0), x) }, "output %3"},
		{"identities", "over one", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Div, x, b.Num(f, 1)) }, "output %0"},
		{"identities", "one over is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Div, b.Num(f, 1), x) }, "output %3"},
		{"identities", "to the power of one", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Pow, x, b.Num(f, 1)) }, "output %0"},
		{"identities", "one to the power of is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Pow, b.Num(f, 1), x) }, "output %3"},
		{"identities", "times two is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Mul, x, b.Num(f, 2)) }, "output %3"},
		{"identities", "twice negated", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Neg, b.F(scalar.Neg, x)) }, "output %0"},
		{"identities", "three times negated", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Neg, b.F(scalar.Neg, b.F(scalar.Neg, x)))
		}, "output %2"},
		{"identities", "the larger of one", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Max, x, x) }, "output %0"},
		{"identities", "a sum of one and itself is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.F(scalar.Add, x, x) }, "output %1"},
		{"identities", "a reshape to the same shape", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Reshape(x, 2, 3) }, "output %0"},
		{"identities", "a reshape to another", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Reshape(x, 3, 2) }, "output %1"},
		{"identities", "a whole slice", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Slice(x, 1, 0, 1, 3) }, "output %0"},
		{"identities", "a flip is none", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Flip(x, 1) }, "output %1"},
		{"identities", "a cast to the same dtype", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Add(irop.Cast{To: f}, x) }, "output %0"},
		{"identities", "a fence stays", func(b *irtest.Builder, x *ir.Node) *ir.Node { return b.Add(irop.Fence{}, x, x) }, "output %1"},
		{"identities", "times a fenced one", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			one := b.Num(f, 1)
			return b.F(scalar.Mul, x, b.Add(irop.Fence{}, one, one))
		}, "output %4"},
		{"fold", "functions of constants", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Mul, b.Num(f, 2), b.F(scalar.Add, b.Num(f, 3), b.Num(f, 4)))
		}, "%5 = Const{14} f32[]\noutput %5"},
		{"fold", "through movements", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Sum(b.Expand(b.Flip(b.Const(f, 1, 2), 0), 3, 2), 0, 1)
		}, "%4 = Const{9} f32[]\noutput %4"},
		{"fold", "nothing large", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Neg, b.Expand(b.Num(f, 1), 1<<12))
		}, "%3 = Neg(%2) f32[4096]\noutput %3"},
		{"fold", "no large product of small ones", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			var xs [64]float64
			c := b.Const(f, xs[:]...)
			return b.MatMul(b.Reshape(c, 64, 1), b.Reshape(c, 1, 64))
		}, "%4 = MatMul(%2, %3) f32[64 64]\noutput %4"},
		{"fold", "nothing behind a fence", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			one := b.Num(f, 1)
			return b.F(scalar.Neg, b.Add(irop.Fence{}, one, one))
		}, "%3 = Neg(%2) f32[]\noutput %3"},
		{"fold", "nothing that is wrong", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Add(irtest.Backwards{Bad: true}, b.Const(f, 5, 6))
		}, "%2 = Backwards(%1){true} f32[2]\noutput %2"},
		{"fold", "what is checked and right", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Add(irtest.Backwards{Bad: true}, b.Num(f, 1))
		}, "%2 = Const{1} f32[]\noutput %2"},
		{"merge", "equal ops", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Mul, b.F(scalar.Exp, x), b.F(scalar.Exp, x))
		}, "%1 = Exp(%0) f32[2 3]\n%2 = Mul(%1, %1) f32[2 3]\noutput %2"},
		{"merge", "sums in another order", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			y := b.F(scalar.Exp, x)
			return b.F(scalar.Div, b.F(scalar.Add, x, y), b.F(scalar.Add, y, x))
		}, "%2 = Add(%0, %1) f32[2 3]\n%3 = Div(%2, %2) f32[2 3]\noutput %3"},
		{"merge", "no differences in another order", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			y := b.F(scalar.Exp, x)
			return b.F(scalar.Div, b.F(scalar.Sub, x, y), b.F(scalar.Sub, y, x))
		}, "output %4"},
		{"scales", "a column by a number", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.MatMul(b.Reshape(x, 6, 1), b.Reshape(b.Sum(x, 0, 1), 1, 1))
		}, "%4 = Broadcast(%3){[6 1]} f32[6 1]\n%5 = Mul(%1, %4) f32[6 1]\noutput %5"},
		{"scales", "a number by a row that is a column transposed", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Add(irop.MatMul{TransA: true, TransB: true}, b.Reshape(b.Sum(x, 0, 1), 1, 1), b.Reshape(x, 6, 1))
		}, "%4 = Broadcast(%2){[1 6]} f32[1 6]\n%5 = Reshape(%3){[1 6]} f32[1 6]\n%6 = Mul(%4, %5) f32[1 6]\noutput %6"},
		{"scales", "numbers by numbers", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			y := b.Reshape(x, 6, 1, 1)
			return b.MatMul(y, y)
		}, "%1 = Reshape(%0){[6 1 1]} f32[6 1 1]\n%2 = Mul(%1, %1) f32[6 1 1]\noutput %2"},
		{"scales", "no column by a row", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.MatMul(b.Reshape(x, 6, 1), b.Reshape(x, 1, 6))
		}, "%3 = MatMul(%1, %2) f32[6 6]\noutput %3"},
		{"scales", "no sums", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.MatMul(b.Reshape(x, 1, 6), b.Reshape(x, 6, 1))
		}, "%3 = MatMul(%1, %2) f32[1 1]\noutput %3"},
		{"scales", "no rounded operands", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.Add(irop.MatMul{At: ir.PrecisionBF16}, b.Reshape(x, 6, 1), b.Reshape(b.Sum(x, 0, 1), 1, 1))
		}, "%4 = MatMul(%1, %3){bf16} f32[6 1]\noutput %4"},
		{"merge", "no two axes", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			y := b.F(scalar.Mul, x, x)
			return b.F(scalar.Sub, b.Expand(b.Sum(b.Sum(y, 0), 0), 2), b.Sum(y, 1))
		}, "output %6"},
		{"merge", "equal numbers of one dtype", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Add, b.Num(f, 3), b.Num(f, 3))
		}, "%1 = Const{3} f32[]\n%2 = Add(%1, %1) f32[]\noutput %2"},
		{"merge", "no zeros of another sign", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Div, b.Num(f, 0), b.Num(f, math.Copysign(0, -1)))
		}, "output %3"},
		{"merge", "no fences", func(b *irtest.Builder, x *ir.Node) *ir.Node {
			return b.F(scalar.Mul, b.F(scalar.Exp, x), b.F(scalar.Exp, b.Add(irop.Fence{}, x, x)))
		}, "output %4"},
	}
	for _, tt := range tests {
		t.Run(tt.pass+"/"+tt.name, func(t *testing.T) {
			b := irtest.New()
			b.Output(tt.build(b, b.Input(f, 2, 3)))
			before := irtest.Copy(b.Graph)
			for _, p := range pass.Passes {
				if p.Name == tt.pass {
					p.Run(b.Graph)
				}
			}
			if err := pass.Verify(b.Graph); err != nil {
				t.Fatal(err)
			}
			if got := listing(b.Graph); !strings.HasSuffix(got, tt.want) {
				t.Errorf("got\n%s\nwant the end to be\n%s", got, tt.want)
			}
			if err := same(before, b.Graph, rand.New(rand.NewPCG(1, 1))); err != nil && !strings.Contains(err.Error(), "first element") {
				t.Error(err)
			}
		})
	}
}

// same runs two graphs by the reference and compares all that they leave, bit by bit.
func same(before, after *ir.Graph, r *rand.Rand) error {
	inputs, variables := irtest.Fill(r, before.Inputs), irtest.Fill(r, before.Variables)
	var kept []ir.Array
	for _, v := range variables {
		c := ir.NewArray(v.Type)
		copy(c.Raw(), v.Raw())
		kept = append(kept, c)
	}
	want, got := exec.NewReference(before, variables), exec.NewReference(after, kept)
	wanted, found := irtest.Outputs(before), irtest.Outputs(after)
	if err := want.Run(exec.Call{Inputs: inputs, Outputs: wanted, Step: 3}); err != nil {
		return err
	}
	if err := got.Run(exec.Call{Inputs: inputs, Outputs: found, Step: 3}); err != nil {
		return err
	}
	for i := range before.Outputs {
		if a, b := found[i], wanted[i]; !a.Type.Equal(b.Type) || !equal(a, b) {
			return fmt.Errorf("output %d is another\n%v\n%v", i, before, after)
		}
	}
	for i := range variables {
		if !equal(kept[i], variables[i]) {
			return fmt.Errorf("variable %d is another\n%v\n%v", i, before, after)
		}
	}
	return nil
}

// equal takes 0 and -0 as equal, which adding 0 may exchange.
func equal(a, b ir.Array) bool {
	if bytes.Equal(a.Raw(), b.Raw()) {
		return true
	}
	for i := range a.Size() {
		if x, y := a.Float(i), b.Float(i); x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
			return false
		}
	}
	return true
}

// TestRandomGraphs checks after every pass that the graph is sound and computes what it did.
func TestRandomGraphs(t *testing.T) {
	dropped := 0
	for seed := range 400 {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		g := irtest.Random(r, 3+r.IntN(60), 0)
		before, nodes := irtest.Copy(g), len(g.Nodes)
		pass.Run(g, func(name string, g *ir.Graph) {
			if err := pass.Verify(g); err != nil {
				t.Fatalf("seed %d, after %s: %v\n%v", seed, name, err, g)
			}
			if err := same(before, g, rand.New(rand.NewPCG(uint64(seed), 4))); err != nil {
				t.Fatalf("seed %d, after %s: %v", seed, name, err)
			}
		})
		dropped += nodes - len(g.Nodes)
		if err := alive(g); err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, g)
		}
	}
	if dropped == 0 {
		t.Error("the passes drop nothing")
	}
}

// alive checks that every node is needed by an output or an assignment, in bodies too.
func alive(g *ir.Graph) error {
	needed := map[*ir.Node]bool{}
	for _, n := range g.Roots() {
		needed[n] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if !needed[n] {
			return fmt.Errorf("nothing needs %v", n)
		}
		for _, in := range n.In {
			needed[in] = true
		}
		if op, ok := n.Op.(ir.Nested); ok {
			c, _ := op.Nests()
			for _, body := range c.Bodies {
				if err := alive(body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// TestRunTells checks that every pass is announced, after it has run.
func TestRunTells(t *testing.T) {
	b := irtest.New()
	b.Output(b.F(scalar.Exp, b.Input(ir.F32, 2)))
	var names []string
	pass.Run(b.Graph, func(name string, _ *ir.Graph) { names = append(names, name) })
	want := []string{"traced"}
	for _, p := range pass.Passes {
		want = append(want, p.Name)
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name   string
		damage func(g *ir.Graph)
		want   string
	}{
		{"nothing", func(g *ir.Graph) {}, ""},
		{"a user before its operand", func(g *ir.Graph) { g.Nodes[1], g.Nodes[2] = g.Nodes[2], g.Nodes[1] }, "stands before its operand 1"},
		{"an operand that is not there", func(g *ir.Graph) { g.Nodes = append(g.Nodes[:1:1], g.Nodes[2:]...) }, "stands before its operand 1"},
		{"a node twice", func(g *ir.Graph) { g.Nodes = append(g.Nodes, g.Nodes[2]) }, "stands there twice"},
		{"a wrong shape", func(g *ir.Graph) { g.Nodes[2].Type.Shape = []int{3} }, "should have type f32[2]"},
		{"a wrong dtype", func(g *ir.Graph) { g.Nodes[1].Type.DType = ir.F64 }, "should have type f32[2 3]"},
		{"too few operands", func(g *ir.Graph) { g.Nodes[3].In = g.Nodes[3].In[:1] }, "1 operands"},
		{"an output that is not there", func(g *ir.Graph) { g.Nodes = g.Nodes[:3] }, "the root"},
		{"an assigned value that is not there", func(g *ir.Graph) {
			g.Outputs, g.Assigns = nil, []ir.Assign{{Variable: g.Nodes[0], Value: g.Nodes[3]}}
			g.Nodes = g.Nodes[:3]
		}, "the root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := irtest.New()
			x := b.Input(ir.F32, 2, 3)
			s := b.Sum(b.F(scalar.Exp, x), 1)
			b.Output(b.Add(irop.Elementwise{F: scalar.Add}, s, s))
			tt.damage(b.Graph)
			err := pass.Verify(b.Graph)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
