package tarn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
)

// The cases of attention, and its kernels at sizes of several blocks.

func attentionCase(form string, o tarn.AttentionOptions, shapes ...[][]int) opCase {
	return opCase{op: "Attention", form: form, in: []operand{between(-2, 2), between(-2, 2), between(-2, 2)}, shapes: shapes,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Attention(in[1], in[2], o) }}.within(10)
}

func maskedAttentionCase(form string, mask operand, o tarn.AttentionOptions, shapes ...[][]int) opCase {
	return opCase{op: "Attention", form: form, in: []operand{between(-2, 2), between(-2, 2), between(-2, 2), mask}, shapes: shapes,
		build: func(in ...*tarn.Value) *tarn.Value {
			o := o
			o.Mask = in[3]
			return in[0].Attention(in[1], in[2], o)
		}}.within(10)
}

func selfAttentionCase(form string, heads, groups int, o tarn.AttentionOptions, shapes ...[][]int) opCase {
	return opCase{op: "SelfAttention", form: form, in: []operand{between(-2, 2)}, shapes: shapes,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].SelfAttention(heads, groups, o) }}.within(10)
}

var _ = register(
	attentionCase("", tarn.AttentionOptions{},
		[][]int{{1, 1, 3, 2}, {1, 1, 4, 2}, {1, 1, 4, 3}}, [][]int{{2, 2, 2, 3}, {2, 2, 3, 3}, {2, 2, 3, 2}},
		[][]int{{3, 2}, {4, 2}, {4, 3}}, [][]int{{2, 3, 2}, {2, 2, 2}, {2, 2, 1}}, [][]int{{2, 1, 1, 2, 2}, {2, 1, 1, 3, 2}, {2, 1, 1, 3, 1}},
		[][]int{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}, [][]int{{0, 2, 3, 2}, {0, 2, 3, 2}, {0, 2, 3, 2}},
		[][]int{{1, 2, 0, 2}, {1, 2, 3, 2}, {1, 2, 3, 2}}, [][]int{{1, 2, 3, 2}, {1, 2, 0, 2}, {1, 2, 0, 2}},
		[][]int{{1, 2, 3, 0}, {1, 2, 2, 0}, {1, 2, 2, 2}}, [][]int{{1, 2, 3, 2}, {1, 2, 2, 2}, {1, 2, 2, 0}}),
	attentionCase("causal", tarn.AttentionOptions{Causal: true}, [][]int{{1, 2, 4, 2}, {1, 2, 4, 2}, {1, 2, 4, 3}},
		[][]int{{1, 1, 2, 2}, {1, 1, 4, 2}, {1, 1, 4, 2}}, [][]int{{1, 1, 5, 2}, {1, 1, 2, 2}, {1, 1, 2, 2}}),
	attentionCase("scaled", tarn.AttentionOptions{Scale: 0.3}, [][]int{{1, 2, 3, 2}, {1, 2, 3, 2}, {1, 2, 3, 2}}),
	attentionCase("grouped", tarn.AttentionOptions{Causal: true}, [][]int{{2, 4, 3, 2}, {2, 2, 3, 2}, {2, 2, 3, 2}}, [][]int{{1, 3, 2, 2}, {1, 1, 2, 2}, {1, 1, 2, 3}}),
	maskedAttentionCase("bool mask", bools(), tarn.AttentionOptions{}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {3, 4}},
		[][]int{{2, 2, 3, 2}, {2, 1, 4, 2}, {2, 1, 4, 2}, {2, 1, 1, 4}}, [][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}, {2, 2, 3, 4}},
		[][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}, {1, 1, 3, 1}}, [][]int{{3, 2}, {4, 2}, {4, 3}, {}}),
	maskedAttentionCase("added mask", between(-2, 2), tarn.AttentionOptions{Causal: true}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {3, 4}},
		[][]int{{2, 2, 3, 2}, {2, 1, 4, 2}, {2, 1, 4, 2}, {2, 1, 1, 4}}, [][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}, {2, 2, 3, 4}},
		[][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}, {1, 2, 3, 1}}, [][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}, {2, 1, 4}}),
	attentionCase("dropped", tarn.AttentionOptions{Dropout: 0.4}, [][]int{{2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 3}}, [][]int{{2, 4, 3, 2}, {2, 2, 3, 2}, {2, 2, 3, 2}},
		[][]int{{3, 2}, {4, 2}, {4, 3}}, [][]int{{0, 2, 3, 2}, {0, 2, 3, 2}, {0, 2, 3, 2}}),
	attentionCase("dropped altogether", tarn.AttentionOptions{Dropout: 1}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 3}}),
	attentionCase("window", tarn.AttentionOptions{Window: 2}, [][]int{{2, 2, 4, 2}, {2, 2, 5, 2}, {2, 2, 5, 3}}, [][]int{{3, 2}, {4, 2}, {4, 3}}, [][]int{{5, 2}, {2, 2}, {2, 2}}),
	attentionCase("window before", tarn.AttentionOptions{Window: 3, Causal: true, Dropout: 0.2}, [][]int{{1, 2, 5, 2}, {1, 1, 5, 2}, {1, 1, 5, 2}}),
	attentionCase("window of all", tarn.AttentionOptions{Window: math.MaxInt}, [][]int{{1, 2, 5, 2}, {1, 1, 5, 2}, {1, 1, 5, 2}}),
	maskedAttentionCase("window and bool mask", bools(), tarn.AttentionOptions{Window: 2}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {4}}),
	maskedAttentionCase("window and added mask", between(-2, 2), tarn.AttentionOptions{Window: 2, Causal: true}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {2, 1, 4}}),
	selfAttentionCase("window", 2, 1, tarn.AttentionOptions{Window: 2}, [][]int{{2, 4, 8}}),
	attentionWeightsCase("", tarn.AttentionOptions{}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}}, [][]int{{2, 4, 3, 2}, {2, 2, 3, 2}}, [][]int{{3, 2}, {4, 2}}, [][]int{{2, 1, 1, 2, 2}, {2, 1, 1, 3, 2}},
		[][]int{{0, 2, 3, 2}, {0, 2, 3, 2}}, [][]int{{1, 2, 0, 2}, {1, 2, 3, 2}}),
	attentionWeightsCase("with all options", tarn.AttentionOptions{Causal: true, Window: 2, Scale: 0.3, Dropout: 0.3}, [][]int{{1, 2, 4, 2}, {1, 1, 3, 2}}),
	opCase{op: "AttentionWeights", form: "masked", in: []operand{between(-2, 2), between(-2, 2), bools()}, shapes: [][][]int{{{2, 1, 3, 2}, {2, 1, 4, 2}, {3, 4}}},
		build: func(in ...*tarn.Value) *tarn.Value {
			return in[0].AttentionWeights(in[1], tarn.AttentionOptions{Mask: in[2]})
		}}.within(10),
	maskedAttentionCase("masked and dropped", between(-2, 2), tarn.AttentionOptions{Causal: true, Dropout: 0.3}, [][]int{{1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {3, 4}}),
	opCase{op: "Attention", form: "of one value", in: []operand{between(-2, 2)}, shapes: [][][]int{{{1, 2, 3, 2}}, {{3, 2}}},
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Attention(in[0], in[0], tarn.AttentionOptions{}) }}.within(10),
	opCase{op: "Attention", form: "of turned operands", in: []operand{between(-2, 2), between(-2, 2), between(-2, 2)},
		shapes: [][][]int{{{2, 3, 2, 3}, {2, 4, 2, 3}, {2, 2, 2, 4}}},
		build: func(in ...*tarn.Value) *tarn.Value {
			return in[0].Transpose(1, 2).Attention(in[1].Transpose(1, 2), in[2].Transpose(2, 3), tarn.AttentionOptions{}).Transpose(1, 2)
		}}.within(10),
	selfAttentionCase("", 2, 2, tarn.AttentionOptions{Causal: true}, [][]int{{2, 3, 12}}, [][]int{{3, 6}}, [][]int{{1, 2, 2, 6}}, [][]int{{2, 0, 6}}, [][]int{{0, 2, 6}}, [][]int{{1, 2, 0}}),
	selfAttentionCase("grouped", 4, 2, tarn.AttentionOptions{Scale: 0.5}, [][]int{{2, 3, 16}}),
	selfAttentionCase("dropped", 2, 1, tarn.AttentionOptions{Causal: true, Dropout: 0.4}, [][]int{{2, 4, 8}}, [][]int{{1, 2, 3, 8}}),
	opCase{op: "SelfAttention", form: "masked", in: []operand{between(-2, 2), between(-2, 2)}, shapes: [][][]int{{{2, 3, 12}, {1, 2, 1, 3}}},
		build: func(in ...*tarn.Value) *tarn.Value {
			return in[0].SelfAttention(2, 2, tarn.AttentionOptions{Mask: in[1]})
		}}.within(10),
)

func attentionWeightsCase(form string, o tarn.AttentionOptions, shapes ...[][]int) opCase {
	return opCase{op: "AttentionWeights", form: form, in: []operand{between(-2, 2), between(-2, 2)}, shapes: shapes,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].AttentionWeights(in[1], o) }}.within(10)
}

func refusedWeights(o tarn.AttentionOptions, want string, in ...tensorType) refusal {
	return refused("AttentionWeights", func(in ...*tarn.Value) *tarn.Value {
		if len(in) == 3 {
			o.Mask = in[2]
		}
		return in[0].AttentionWeights(in[1], o)
	}, want, in...)
}

func refusedAttention(o tarn.AttentionOptions, want string, in ...tensorType) refusal {
	return refused("Attention", func(in ...*tarn.Value) *tarn.Value {
		if len(in) == 4 {
			o.Mask = in[3]
		}
		return in[0].Attention(in[1], in[2], o)
	}, want, in...)
}

func refusedSelfAttention(heads, groups int, want string, in tensorType) refusal {
	return unaryRefusal("SelfAttention", func(v *tarn.Value) *tarn.Value { return v.SelfAttention(heads, groups, tarn.AttentionOptions{}) }, in, want)
}

var _ = refuse(
	refusedAttention(tarn.AttentionOptions{}, "queries have the size 3 and keys the size 4", f32(2, 3), f32(5, 4), f32(5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "there are 5 keys and 6 values", f32(2, 4), f32(5, 4), f32(6, 4)),
	refusedAttention(tarn.AttentionOptions{}, "the 3 heads of queries should be a multiple of the 2", f32(3, 2, 4), f32(2, 5, 4), f32(2, 5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "there are 1 heads of keys and 2 of values", f32(2, 2, 4), f32(1, 5, 4), f32(2, 5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "the axes before the heads differ", f32(1, 2, 2, 4), f32(3, 2, 5, 4), f32(3, 2, 5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "the same number of axes, at least two", f32(4), f32(5, 4), f32(5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "should all be f32, or all f64", f32(2, 4), f64(5, 4), f32(5, 4)),
	refusedAttention(tarn.AttentionOptions{}, "the mask is i32 and should be bool, or f32", f32(2, 4), f32(5, 4), f32(5, 4), i32(2, 5)),
	refusedAttention(tarn.AttentionOptions{}, "the mask has shape [1 5 2] and should broadcast to [1 2 5]", f32(2, 4), f32(5, 4), f32(5, 4), bool_(5, 2)),
	refusedAttention(tarn.AttentionOptions{Dropout: 1.5}, "Dropout is 1.5 and should be from 0 to 1", f32(2, 4), f32(5, 4), f32(5, 4)),
	refusedAttention(tarn.AttentionOptions{Window: -1}, "Window is -1 and should be at least 1", f32(2, 4), f32(5, 4), f32(5, 4)),
	refusedWeights(tarn.AttentionOptions{}, "queries have the size 4 and keys the size 3", f32(2, 4), f32(5, 3)),
	refusedWeights(tarn.AttentionOptions{Dropout: 2}, "Dropout is 2", f32(2, 4), f32(5, 4)),
	refusedWeights(tarn.AttentionOptions{}, "the mask has shape [1 5 2]", f32(2, 4), f32(5, 4), bool_(5, 2)),
	refused("SelfAttention", func(in ...*tarn.Value) *tarn.Value {
		return in[0].SelfAttention(1, 1, tarn.AttentionOptions{Dropout: math.NaN()})
	}, "Dropout is NaN", f32(2, 3)),
	refusedSelfAttention(4, 3, "the first should be a multiple of the second", f32(2, 3, 10)),
	refusedSelfAttention(2, 2, "the last axis has size 10", f32(2, 3, 10)),
	refusedSelfAttention(1, 1, "the operand is i32", i32(2, 3, 9)),
	refusedSelfAttention(1, 1, "needs an axis of places", f32(9)),
)

// TestAttentionInBlocks compares attention over several blocks, and its gradients, with the reference.
func TestAttentionInBlocks(t *testing.T) {
	tests := []struct {
		name    string
		q, k, v []int
		options tarn.AttentionOptions
		mask    func(g *tarn.Graph) *tarn.Value
		spread  float64 // of the queries: large ones make the maxima of later blocks exceed those of the first
	}{
		{name: "causal", q: []int{2, 2, 150, 5}, k: []int{2, 2, 150, 5}, v: []int{2, 2, 150, 7}, options: tarn.AttentionOptions{Causal: true}, spread: 1},
		{name: "peaked", q: []int{1, 2, 70, 8}, k: []int{1, 2, 300, 8}, v: []int{1, 2, 300, 3}, spread: 30},
		{name: "grouped and cut", q: []int{1, 4, 65, 16}, k: []int{1, 2, 520, 16}, v: []int{1, 2, 520, 16}, options: tarn.AttentionOptions{Scale: 0.4}, spread: 1},
		{name: "causal and cut", q: []int{1, 1, 400, 4}, k: []int{1, 1, 400, 4}, v: []int{1, 1, 400, 4}, options: tarn.AttentionOptions{Causal: true}, spread: 2},
		{name: "more keys than queries", q: []int{3, 1, 66, 4}, k: []int{3, 1, 200, 4}, v: []int{3, 1, 200, 1}, options: tarn.AttentionOptions{Causal: true}, spread: 1},
		{name: "window", q: []int{1, 2, 200, 6}, k: []int{1, 2, 200, 6}, v: []int{1, 2, 200, 6}, spread: 3, mask: func(g *tarn.Graph) *tarn.Value {
			return g.TrilMask(200, 200, 0).And(g.TriuMask(200, 200, -20)) // for late queries the first blocks have no key that counts
		}},
		{name: "some without keys", q: []int{2, 1, 100, 6}, k: []int{2, 1, 90, 6}, v: []int{2, 1, 90, 6}, spread: 1, mask: func(g *tarn.Graph) *tarn.Value {
			return g.TrilMask(100, 90, -80)
		}},
		{name: "dropped", q: []int{2, 4, 70, 6}, k: []int{2, 2, 130, 6}, v: []int{2, 2, 130, 6}, options: tarn.AttentionOptions{Dropout: 0.2}, spread: 1},
		{name: "padding", q: []int{2, 2, 70, 6}, k: []int{2, 2, 80, 6}, v: []int{2, 2, 80, 6}, spread: 1, mask: func(g *tarn.Graph) *tarn.Value {
			return g.TrilMask(2, 80, 40).Reshape(2, 1, 1, 80)
		}},
	}
	for i, tt := range tests {
		for which, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
			if testing.Short() && which != i%2 {
				continue
			}
			t.Run(fmt.Sprint(tt.name, " ", dtype), func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				g := tarn.NewGraph()
				data := map[string]*tarn.Tensor{}
				input := func(name string, spread float64, shape []int) *tarn.Value {
					data[name] = between(-spread, spread).draw(r, dtype, shape)
					return g.Input(name, dtype, shape...)
				}
				q, k, v := input("q", tt.spread, tt.q), input("k", 1, tt.k), input("v", 1, tt.v)
				if tt.mask != nil {
					tt.options.Mask = tt.mask(g)
				}
				y := q.Attention(k, v, tt.options)
				d := tarn.VJP(y, input("dy", 1, y.Shape()), q, k, v)
				compare(t, g, tarn.Outputs{"y": y, "dq": d[0], "dk": d[1], "dv": d[2]}, data)
			})
		}
	}
}

// TestAttentionLikeTheComposition checks the op against softmax and products, for a head of one query too.
func TestAttentionLikeTheComposition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, queries := range []int{1, 77} {
		g := tarn.NewGraph()
		data := map[string]*tarn.Tensor{}
		input := func(name string, shape ...int) *tarn.Value {
			data[name] = between(-2, 2).draw(r, tarn.F64, shape)
			return g.Input(name, tarn.F64, shape...)
		}
		q, k, v := input("q", 2, 3, queries, 8), input("k", 2, 3, 77, 8), input("v", 2, 3, 77, 8)
		y := q.Attention(k, v, tarn.AttentionOptions{})
		z := q.MatMulT(k).Scale(1 / math.Sqrt(8)).Softmax(-1).MatMul(v)
		outputs := tarn.Outputs{"y": y, "z": z}
		for i, d := range tarn.Grad(y.Square().Sum(), q, k, v) {
			outputs[fmt.Sprint("dy", i)] = d
		}
		for i, d := range tarn.Grad(z.Square().Sum(), q, k, v) {
			outputs[fmt.Sprint("dz", i)] = d
		}
		out := compare(t, g, outputs, data)
		for _, name := range []string{"", "0", "1", "2"} {
			a, b := "dy"+name, "dz"+name
			if name == "" {
				a, b = "y", "z"
			}
			if diff := out[a].Diff(out[b], 1e-12); diff != "" {
				t.Errorf("%d queries: %s and %s: %s", queries, a, b, diff)
			}
		}
	}
}

// TestAttentionDropout checks what is dropped: in each step other weights, about as many as asked for, the others larger, and the
// same in the gradient.
func TestAttentionDropout(t *testing.T) {
	const places, p = 100, 0.3
	g := tarn.NewGraph()
	data := map[string]*tarn.Tensor{"q": tarn.Zeros(tarn.F64, places, 4), "k": tarn.Zeros(tarn.F64, places, 4), "v": tarn.Zeros(tarn.F64, places, places)}
	for i := range places {
		data["v"].SetFloat(i*places+i, 1)
	}
	q, k, v := g.Input("q", tarn.F64, places, 4), g.Input("k", tarn.F64, places, 4), g.Input("v", tarn.F64, places, places)
	// All keys match alike and the values are unit vectors, so the result is the matrix of weights.
	w := q.Attention(k, v, tarn.AttentionOptions{Dropout: p})
	program, err := tarn.Compile(g, tarn.Outputs{"w": w, "dv": tarn.VJP(w, g.Num(tarn.F64, 1).Expand(places, places), v)[0]})
	if err != nil {
		t.Fatal(err)
	}
	var last *tarn.Tensor
	for step := range 3 {
		program.SetRuns(int64(step))
		out, err := program.Run(data["q"], data["k"], data["v"])
		if err != nil {
			t.Fatal(err)
		}
		weights, dropped := out["w"].Clone(), 0
		for j := range places {
			sum := 0.0
			for i := range places {
				x := weights.Float(i*places + j)
				sum += x
				if x == 0 {
					dropped++
				} else if math.Abs(x-1/(1-p)/places) > 1e-15 {
					t.Fatalf("step %d: weight %d of query %d is %v", step, j, i, x)
				}
			}
			if dv := out["dv"].Float(j * places); math.Abs(dv-sum) > 1e-12 {
				t.Fatalf("step %d: the gradient by value %d is %v, the sum of its weights %v", step, j, dv, sum)
			}
		}
		if share := float64(dropped) / places / places; math.Abs(share-p) > 0.02 {
			t.Errorf("step %d: a share of %v is dropped", step, share)
		}
		if last != nil && weights.Equal(last, 0) {
			t.Errorf("step %d drops the same as the one before", step)
		}
		last = weights
	}
}

// TestAttentionAllocatesNothing runs attention and its gradient, masked and cut among workers.
func TestAttentionAllocatesNothing(t *testing.T) {
	g := tarn.NewGraph()
	x, dy := g.Input("x", tarn.F32, 1, 300, 24), g.Input("dy", tarn.F32, 1, 300, 8)
	y := x.SelfAttention(2, 2, tarn.AttentionOptions{Causal: true, Mask: g.TriuMask(300, 300, -50), Dropout: 0.1}).Slice(-1, 0, 8)
	program, err := tarn.Compile(g, tarn.Outputs{"y": y, "dx": tarn.VJP(y, dy, x)[0]})
	if err != nil {
		t.Fatal(err)
	}
	in := []*tarn.Tensor{tarn.Zeros(tarn.F32, 1, 300, 24), tarn.Zeros(tarn.F32, 1, 300, 8)}
	results := tarn.Results{}
	if n := alloctest.PerRun(5, func() {
		if err := program.RunInto(t.Context(), results, in...); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
}
