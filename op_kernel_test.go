package tarn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests what the compiler may use in place of reference kernels, over all ops of the table and their gradients.

func TestKernelsAndViews(t *testing.T) {
	kernels, views := 0, 0
	eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
		for _, dtype := range c.types() {
			g, data := tarn.NewGraph(), map[string]*tarn.Tensor{}
			var in []*tarn.Value
			for i, o := range c.in {
				name := fmt.Sprint(i)
				data[name] = o.draw(r, dtype, shapes[i])
				in = append(in, g.Input(name, data[name].DType(), shapes[i]...))
			}
			y := c.build(in...)
			values := []*tarn.Value{y}
			if y.DType().IsFloat() {
				values = append(values, tarn.Grad(y.Sum(), floats(in)...)...)
			}
			if err := g.Err(); err != nil {
				t.Fatal(err)
			}
			k, v, err := tarn.Strided(r, data, values...)
			if err != nil {
				t.Fatal(err)
			}
			kernels += k
			views += v
		}
	})
	if kernels == 0 || views == 0 {
		t.Errorf("%d kernels and %d views were compared", kernels, views)
	}
}

// TestReshapeView takes random views to random shapes: the result has the same elements, and there is one wherever there
// can be one.
func TestReshapeView(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		factors := make([]int, r.IntN(6))
		for i := range factors {
			factors[i] = []int{1, 1, 2, 2, 3, 5, 0}[r.IntN(7-min(1, r.IntN(8)))]
		}
		from, to := grouped(r, factors), grouped(r, factors)
		if slices.Contains(factors, 0) {
			to = slices.Concat(to, []int{r.IntN(3)}) // with no elements any sizes go together
		}
		if err := tarn.CheckReshape(tarn.RandomView(r, from, true), to); err != nil {
			t.Fatal(err)
		}
	}
}

// grouped multiplies runs of the factors into the sizes of a shape, and puts ones among them.
func grouped(r *rand.Rand, factors []int) []int {
	shape := []int{}
	for i := 0; i < len(factors); {
		size := 1
		for n := 1 + r.IntN(3); n > 0 && i < len(factors); n-- {
			size *= factors[i]
			i++
		}
		if r.IntN(4) == 0 {
			shape = append(shape, 1)
		}
		shape = append(shape, size)
	}
	if r.IntN(4) == 0 {
		shape = append(shape, 1)
	}
	return shape
}

// TestIndexOutOfRange checks that Run reports an index that is out of range, that nothing is assigned then, and that the
// kernels stay within their memory and keep to their rule.
func TestIndexOutOfRange(t *testing.T) {
	nan := float32(math.NaN())
	tests := []struct {
		name  string
		index []int64
		build func(x, index *tarn.Value) *tarn.Value
		want  string
		value []float32
	}{
		{"Gather", []int64{2, 3}, func(x, index *tarn.Value) *tarn.Value { return x.Gather(0, index) }, "Gather: the index 3 at [1] is out of range for axis 0 of size 3", []float32{3, nan}},
		{"Gather negative", []int64{-1, 0}, func(x, index *tarn.Value) *tarn.Value { return x.Gather(0, index) }, "Gather: the index -1 at [0]", []float32{nan, 1}},
		{"Take", []int64{1, 1 << 40}, func(x, index *tarn.Value) *tarn.Value { return x.Take(0, index) }, "Take: the index 1099511627776 at [1]", []float32{2, nan}},
		{"Take rows", []int64{4, 0}, func(x, index *tarn.Value) *tarn.Value {
			return x.Unsqueeze(1).Expand(-1, 2).Take(0, index).Slice(1, 0, 1).Squeeze(1)
		}, "Take: the index 4 at [0]", []float32{nan, 1}},
		{"Take integers", []int64{4, 0}, func(x, index *tarn.Value) *tarn.Value {
			return x.Cast(tarn.I32).Take(0, index).Cast(tarn.F32)
		}, "Take: the index 4 at [0]", []float32{0, 1}},
		{"Within", []int64{1, 3}, func(x, index *tarn.Value) *tarn.Value { return index.Within("the place of", 0, 2).Cast(tarn.F32) }, "Within: the place of 1 is 3 and should be from 0 to 2", []float32{1, 3}},
		{"Within negative", []int64{-1, 1 << 40}, func(x, index *tarn.Value) *tarn.Value { return index.Within("the place of", 0, 2).Cast(tarn.F32) }, "the place of 0 is -1", []float32{-1, 1 << 40}},
		{"ScatterAdd", []int64{2, -5}, func(x, index *tarn.Value) *tarn.Value { return x.ScatterAdd(0, index, x.Slice(0, 0, 2)) }, "ScatterAdd: the index -5 at [1]", []float32{1, 2, 4}},
		{"IndexAdd", []int64{3, 1}, func(x, index *tarn.Value) *tarn.Value { return x.IndexAdd(0, index, x.Slice(0, 0, 2)) }, "IndexAdd: the index 3 at [0]", []float32{1, 4, 3}},
		{"Scatter", []int64{2, -5}, func(x, index *tarn.Value) *tarn.Value { return x.Scatter(0, index, x.Slice(0, 0, 2)) }, "Scatter: the index -5 at [1] is out of range for axis 0 of size 3", []float32{1, 2, 1}},
		{"ScatterMax", []int64{3, 0}, func(x, index *tarn.Value) *tarn.Value { return x.ScatterMax(0, index, x.Slice(0, 0, 2)) }, "ScatterMax: the index 3 at [0]", []float32{2, 2, 3}},
		{"ScatterMul", []int64{1, -1}, func(x, index *tarn.Value) *tarn.Value { return x.ScatterMul(0, index, x.Slice(0, 1, 3)) }, "ScatterMul: the index -1 at [1]", []float32{1, 4, 3}},
		{"IndexCopy", []int64{3, 1}, func(x, index *tarn.Value) *tarn.Value { return x.IndexCopy(0, index, x.Slice(0, 0, 2)) }, "LastAt: the index 3 at [0]", []float32{1, 2, 3}},
		{"MaxUnpool", []int64{3, 1}, func(x, index *tarn.Value) *tarn.Value {
			return x.Slice(0, 0, 2).Reshape(1, 2, 1).MaxUnpool(index.Reshape(1, 2, 1), 3).Reshape(3)
		}, "Scatter: the index 3 at [0 0 0]", []float32{0, 2, 0}},
		{"BinCount", []int64{1, 3}, func(x, index *tarn.Value) *tarn.Value { return index.BinCount(3).Cast(tarn.F32) }, "IndexAdd: the index 3 at [1] is out of range", []float32{0, 1, 0}},
		{"DynamicSlice", []int64{2, 1}, func(x, index *tarn.Value) *tarn.Value {
			return x.DynamicSlice(0, index.Slice(0, 0, 1).Squeeze(), 2)
		}, "Within: the start of a slice of 2 along axis 0 is 2 and should be from 0 to 1", []float32{3, nan}},
		{"DynamicUpdate", []int64{-1, 1}, func(x, index *tarn.Value) *tarn.Value {
			return x.DynamicUpdate(0, index.Slice(0, 0, 1).Squeeze(), x.Slice(0, 1, 3))
		}, "Within: the start of an update of 2 along axis 0 is -1 and should be from 0 to 1", []float32{3, 2, 3}},
		{"OneHot", []int64{3, 1}, func(x, index *tarn.Value) *tarn.Value { return index.OneHot(3, tarn.F32).Sum(0) }, "", []float32{0, 1, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tarn.NewGraph()
			x, index := g.Input("x", tarn.F32, 3), g.Input("index", tarn.I64, 2)
			data := map[string]*tarn.Tensor{"x": tarn.Vector([]float32{1, 2, 3}), "index": tarn.Vector(tt.index)}
			y := tt.build(x, index)
			p := tarn.NewParam(tarn.F32, nil)
			program, err := tarn.Compile(g, tarn.Outputs{"y": y}, tarn.Assign(p, g.Num(tarn.F32, 1)))
			if err != nil {
				t.Fatal(err)
			}
			in := map[int][]*tarn.Tensor{1: {data["index"]}, 2: {data["x"], data["index"]}}[len(program.Inputs())]
			_, err = program.Run(in...)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && err == nil:
				t.Fatal("Run reports nothing")
			case tt.want != "" && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "op_kernel_test.go:")):
				t.Fatalf("Run reports %q and should report %q with its place", err, tt.want)
			case tt.want != "" && p.Tensor().Item() != 0:
				t.Fatal("a param was assigned although Run failed")
			}
			if _, _, err := tarn.Strided(rand.New(rand.NewPCG(1, 1)), data, y); err != nil {
				t.Fatal(err)
			}
			if diff := tarn.Evaluate(y, data).Diff(tarn.Vector(tt.value), 0); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSortOrder checks ties, NaN and signed zeros, in both directions and for every count.
func TestSortOrder(t *testing.T) {
	nan := float32(math.NaN())
	x := tarn.Vector([]float32{2, nan, -1, 2, 0, nan, float32(math.Copysign(0, -1)), 5, -1})
	up, down := []int64{2, 8, 4, 6, 0, 3, 7, 1, 5}, []int64{1, 5, 7, 0, 3, 4, 6, 2, 8}
	g := tarn.NewGraph()
	v, data := g.Input("x", tarn.F32, x.Size()), map[string]*tarn.Tensor{"x": x}
	check := func(got *tarn.Value, want []int64) {
		t.Helper()
		if _, _, err := tarn.Strided(rand.New(rand.NewPCG(1, 1)), data, got); err != nil {
			t.Fatal(err)
		}
		if diff := tarn.Evaluate(got, data).Diff(tarn.Vector(want), 0); diff != "" {
			t.Error(diff)
		}
	}
	check(v.ArgSort(0, false), up)
	check(v.ArgSort(0, true), down)
	for k := range len(down) + 1 {
		_, indices := v.TopK(0, k)
		check(indices, down[:k])
	}
}

// BenchmarkPickedLoss is the cross-entropy of labels and its gradient: with the gradient of Gather as a comparison it is
// one loop over the scores.
func BenchmarkPickedLoss(b *testing.B) {
	for _, size := range [][2]int{{128, 10}, {8192, 1000}} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			g := tarn.NewGraph()
			scores, labels := g.Input("scores", tarn.F32, size[0], size[1]), g.Input("labels", tarn.I32, size[0])
			loss := scores.LogSoftmax(-1).Gather(-1, labels.Unsqueeze(-1)).Mean().Neg()
			program, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "d": tarn.Grad(loss, scores)[0]})
			if err != nil {
				b.Fatal(err)
			}
			x, y := tarn.Zeros(tarn.F32, size[0], size[1]), tarn.Zeros(tarn.I32, size[0])
			b.ReportAllocs()
			for b.Loop() {
				if _, err := program.Run(x, y); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
