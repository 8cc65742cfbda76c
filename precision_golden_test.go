package tarn_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares products of bfloat16 operands with torch.autocast, as testdata/autocast.py has recorded it.

// autocast are the products by the names that the record uses, with the shapes of their operands.
var autocast = map[string]struct {
	build  func(in ...*tarn.Value) *tarn.Value
	seeds  []float64
	shapes [][]int
}{
	"linear": {func(in ...*tarn.Value) *tarn.Value { return in[0].MatMulT(in[1]) }, []float64{1, 2}, [][]int{{5, 24}, {7, 24}}},
	"conv": {func(in ...*tarn.Value) *tarn.Value {
		return in[0].Conv(in[1].KernelFromTorch(), tarn.ConvOptions{Window: tarn.Window{Padding: []int{1, 1}}})
	}, []float64{3, 4}, [][]int{{2, 5, 6, 4}, {3, 4, 3, 3}}},
	"attention": {func(in ...*tarn.Value) *tarn.Value {
		return in[0].Attention(in[1], in[2], tarn.AttentionOptions{Causal: true})
	}, []float64{5, 6, 7}, [][]int{{2, 3, 9, 16}, {2, 3, 9, 16}, {2, 3, 9, 16}}},
}

// wave is the tensor that the record uses.
func wave(seed float64, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F32, shape...)
	for i := range t.Size() {
		t.SetFloat(i, math.Sin(0.7*float64(i)+seed))
	}
	return t
}

// TestAutocast allows for what PyTorch rounds besides operands: results, and what stands between the parts of attention.
func TestAutocast(t *testing.T) {
	text, err := os.ReadFile("testdata/autocast.json")
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Cases map[string]struct {
			Y         []float64
			Gradients [][]float64
		}
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	for name, c := range autocast {
		want, ok := record.Cases[name]
		if !ok || len(want.Gradients) != len(c.shapes) {
			t.Fatalf("%s: no record", name)
		}
		g := tarn.NewGraph()
		g.SetPrecision(tarn.PrecisionBF16)
		var in []*tarn.Value
		for i, shape := range c.shapes {
			in = append(in, g.Const(wave(c.seeds[i], shape...)))
		}
		y := c.build(in...)
		outputs := tarn.Outputs{"y": y}
		for i, d := range tarn.VJP(y, g.Const(wave(9, y.Shape()...)), in...) {
			outputs[string(rune('0'+i))] = d
		}
		out := mustRun(t, mustCompile(t, g, outputs))
		compare := func(what string, got *tarn.Tensor, want []float64) {
			if got.Size() != len(want) {
				t.Fatalf("%s: %s has %d elements, want %d", name, what, got.Size(), len(want))
			}
			largest := 0.0
			for _, x := range want {
				largest = max(largest, math.Abs(x))
			}
			for i, x := range want {
				if d := math.Abs(got.Float(i) - x); !(d <= 0.015*largest) {
					t.Errorf("%s: %s: element %d is %v, want %v", name, what, i, got.Float(i), x)
					return
				}
			}
		}
		compare("the result", out["y"], want.Y)
		for i, w := range want.Gradients {
			compare("gradient "+string(rune('0'+i)), out[string(rune('0'+i))], w)
		}
	}
}
