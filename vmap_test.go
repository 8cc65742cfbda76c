package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of VMap itself, over two axes, with a value from outside, gradients within, and VMap in VMap.
var _ = register(
	opCase{op: "func VMap", form: "axis 1", build: func(in ...*tarn.Value) *tarn.Value {
		return tarn.VMap(1, in[:1], func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{xs[0].Softmax(0).Mul(in[1].Sum())} })[0]
	}, in: []operand{between(-2, 2), between(-2, 2)}, shapes: [][][]int{{{3, 4}, {2}}, {{1, 2, 2}, {}}, {{3, 0}, {1}}}},
	opCase{op: "func VMap", form: "gradient", build: func(in ...*tarn.Value) *tarn.Value {
		d := tarn.VMap(0, in[:1], func(xs []*tarn.Value) []*tarn.Value {
			return tarn.Grad(xs[0].Unsqueeze(0).MatMul(in[1]).Tanh().Square().Sum(), xs[0], in[1])
		})
		return d[0].Sum(-1).Add(d[1].Sum(1, 2))
	}, in: []operand{between(-2, 2), between(-2, 2)}, shapes: [][][]int{{{3, 4}, {4, 2}}, {{1, 2}, {2, 3}}}},
	opCase{op: "func VMap", form: "nested", build: func(in ...*tarn.Value) *tarn.Value {
		return tarn.VMap(0, in[:1], func(xs []*tarn.Value) []*tarn.Value {
			return tarn.VMap(-1, []*tarn.Value{in[1]}, func(ys []*tarn.Value) []*tarn.Value { return []*tarn.Value{xs[0].Dot(ys[0]).Sin()} })
		})[0]
	}, in: []operand{between(-2, 2), between(-2, 2)}, shapes: [][][]int{{{3, 4}, {4, 2}}, {{1, 2}, {2, 3}}}},
)

// one is a VMap that squares each example of operands along an axis.
func one(axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value {
		return tarn.VMap(axis, in, func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{xs[0].Square()} })[0]
	}
}

var _ = refuse(
	refused("func VMap", one(0), "axis 0 is not an axis", f32()),
	refused("func VMap", one(2), "axis 2 is not an axis", f32(3, 2)),
	refused("func VMap", one(0), "operands 1 and 2 have 3 and 2 examples along axis 0", f32(3), f32(2)),
	refused("func VMap", func(in ...*tarn.Value) *tarn.Value {
		return tarn.VMap(0, in, func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{nil} })[0]
	}, "result 1 of the function is nil", f32(3)),
	refused("func VMap", func(in ...*tarn.Value) *tarn.Value {
		tarn.VMap(0, in, nil)
		return tarn.VMap(0, in, func(xs []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Add(in[0].Sum(3))} })[0]
	}, "the function is nil", f32(3)),
	refused("func VMap", func(in ...*tarn.Value) *tarn.Value {
		state := tarn.NewState(tarn.F32, nil)
		return tarn.VMap(0, in, func(xs []*tarn.Value) []*tarn.Value {
			y := xs[0].Square()
			y.Graph().Attach(y, state, y)
			return []*tarn.Value{y}
		})[0]
	}, "a layer changes its state for one example", f32(3)),
)

// TestVMapLeaks takes a value of one example out of its function.
func TestVMapLeaks(t *testing.T) {
	g := tarn.NewGraph()
	var leaked *tarn.Value
	tarn.VMap(0, []*tarn.Value{g.Input("x", tarn.F32, 3)}, func(xs []*tarn.Value) []*tarn.Value {
		leaked = xs[0].Square()
		return xs
	})
	_, err := tarn.Compile(g, tarn.Outputs{"y": leaked.Exp()})
	if err == nil || !strings.Contains(err.Error(), "a value of one example of VMap, used at vmap_test.go:") {
		t.Fatalf("got the error %v", err)
	}
}

// TestVMapIsTheLoop compares VMap of every op of the table, with examples in each of its operands and in all, with a loop over
// the examples: values, the gradients of each example, and the gradient through VMap.
func TestVMapIsTheLoop(t *testing.T) {
	const n = 3
	for _, c := range opCases {
		if c.op == "Graph.Lookup" { // a loop would use the name several times
			continue
		}
		t.Run(c.name(), func(t *testing.T) {
			dtype := tarn.F64
			if !c.has(dtype) {
				dtype = c.dtypes[0]
			}
			for k, shapes := range c.shapes {
				if k >= 2 && elements(shapes) > 500 || k >= 1 && (testing.Short() || elements(shapes) > 5000) {
					break
				}
				for which := range len(c.in) + 1 { // the operand with examples, or all
					if which == 0 && len(c.in) == 1 {
						continue
					}
					compareWithLoop(t, c, dtype, shapes, n, func(i int) bool { return which == len(c.in) || i == which }, rand.New(rand.NewPCG(5, uint64(k))))
					if t.Failed() {
						t.Fatalf("with operands of shapes %v, examples in operand %d", shapes, which)
					}
				}
			}
		})
	}
}

func elements(shapes [][]int) int {
	n := 0
	for _, shape := range shapes {
		size := 1
		for _, d := range shape {
			size *= d
		}
		n += size
	}
	return n
}

// compareWithLoop compares VMap of a case with a loop.
func compareWithLoop(t *testing.T, c opCase, dtype tarn.DType, shapes [][]int, n int, mapped func(i int) bool, r *rand.Rand) {
	t.Helper()
	g := tarn.NewGraph()
	in := make([]*tarn.Value, len(c.in))
	data := map[string]*tarn.Tensor{}
	var xs, ends []*tarn.Value
	for i, o := range c.in {
		shape := shapes[i]
		if mapped(i) {
			shape = append([]int{n}, shape...)
		}
		x := o.draw(r, dtype, shape)
		name := fmt.Sprint(i)
		data[name] = x
		in[i] = g.Input(name, x.DType(), shape...)
		if mapped(i) {
			xs = append(xs, in[i])
		}
		if in[i].DType().IsFloat() {
			ends = append(ends, in[i])
		}
	}
	// one builds the case, and the gradients with respect to the floats among its operands, from the mapped operands of one example.
	one := func(parts []*tarn.Value) []*tarn.Value {
		operands := slices.Clone(in)
		k := 0
		for i := range operands {
			if mapped(i) {
				operands[i] = parts[k]
				k++
			}
		}
		y := c.build(operands...)
		if fs := floats(operands); y.DType().IsFloat() && len(fs) > 0 {
			return append([]*tarn.Value{y}, tarn.Grad(y.Square().Sum(), fs...)...)
		}
		return []*tarn.Value{y}
	}
	start := tarn.Randoms(g)
	all := tarn.VMap(0, xs, one)
	random := tarn.Randoms(g) > start
	loop := make([][]*tarn.Value, len(all))
	for e := range n {
		parts := make([]*tarn.Value, len(xs))
		for i, x := range xs {
			parts[i] = x.Slice(0, e, e+1).Squeeze(0)
		}
		if random { // only the first example draws the numbers of the function by itself
			if e > 0 {
				break
			}
			tarn.SetRandoms(g, start)
		}
		for i, y := range one(parts) {
			loop[i] = append(loop[i], y)
		}
	}
	outputs := tarn.Outputs{}
	want := tarn.Outputs{}
	for i := range all {
		y := all[i]
		if random {
			y = y.Slice(0, 0, 1)
		}
		outputs[fmt.Sprint(i)], want[fmt.Sprint(i)] = y, tarn.Stack(0, loop[i]...)
	}
	if y := outputs["0"]; y.DType().IsFloat() && len(ends) > 0 && !random {
		for i, d := range tarn.Grad(y.Square().Sum(), ends...) {
			outputs[fmt.Sprint("through ", i)] = d
		}
		for i, d := range tarn.Grad(want["0"].Square().Sum(), ends...) {
			want[fmt.Sprint("through ", i)] = d
		}
	}
	got, expected := compiledResults(t, g, outputs, data), compiledResults(t, g, want, data)
	for name, x := range got {
		tolerance := 0.0
		switch x.DType() {
		case tarn.F64:
			tolerance = 1e-9
		case tarn.F32:
			tolerance = 1e-4
		}
		if diff := x.Diff(expected[name], tolerance); diff != "" {
			t.Errorf("VMap and the loop, output %s: %s", name, diff)
		}
	}
}

func compiledResults(t *testing.T, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor) tarn.Results {
	t.Helper()
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	var in []*tarn.Tensor
	for _, name := range p.Inputs() {
		in = append(in, data[name])
	}
	out, err := p.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVMapHasRules builds the cases of the table and lists the ops that VMap would compute in a Scan over the examples: there are none.
func TestVMapHasRules(t *testing.T) {
	missing := map[string]bool{}
	for _, c := range opCases {
		g := tarn.NewGraph()
		var in []*tarn.Value
		for i, o := range c.in {
			in = append(in, g.Const(o.draw(rand.New(rand.NewPCG(1, 1)), c.types()[0], c.shapes[0][i])))
		}
		y := c.build(in...)
		if y.DType().IsFloat() {
			for _, d := range tarn.Grad(y.Square().Sum(), floats(in)...) {
				tarn.Grad(d.Square().Sum(), floats(in)...)
			}
		}
		for _, name := range tarn.WithoutBatch(g) {
			missing[name] = true
		}
	}
	for name := range missing {
		t.Errorf("the op type %s has no batching rule", name)
	}
}
