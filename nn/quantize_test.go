package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares FakeQuantize with PyTorch, whose numbers testdata/quantize.py writes, and tests what goes beyond.

var fakeQuantizeCases = map[string]func() *nn.FakeQuantize{
	"default":        func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{}) },
	"moving average": func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{Average: 0.2}) },
	"few bits":       func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{High: 15, Average: 0.5}) },
	"all positive":   func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{High: 15}) },
	"all negative":   func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{High: 15}) },
	"symmetric":      func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{Symmetric: true}) },
	"symmetric of few bits": func() *nn.FakeQuantize {
		return nn.NewFakeQuantize(nn.FakeQuantizeOptions{Low: -7, High: 7, Symmetric: true, Average: 0.3})
	},
	"symmetric from 0": func() *nn.FakeQuantize { return nn.NewFakeQuantize(nn.FakeQuantizeOptions{High: 255, Symmetric: true}) },
	"each row": func() *nn.FakeQuantize {
		return nn.NewFakeQuantize(nn.FakeQuantizeOptions{Symmetric: true, Channels: 4})
	},
	"each column": func() *nn.FakeQuantize {
		return nn.NewFakeQuantize(nn.FakeQuantizeOptions{High: 15, Channels: 5, Axis: -1, Average: 0.4})
	},
}

func TestFakeQuantizeGoldens(t *testing.T) {
	text, err := os.ReadFile("testdata/quantize.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name          string
		In, Out, Grad []array
		States        map[string]array
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != len(fakeQuantizeCases) {
		t.Fatalf("there are %d goldens for %d cases", len(cases), len(fakeQuantizeCases))
	}
	for _, c := range cases {
		f := fakeQuantizeCases[c.Name]()
		params, err := tarn.Params(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := tarn.Init(f, 1); err != nil {
			t.Fatal(err)
		}
		step := func(eval bool, x *tarn.Tensor) tarn.Results {
			g := tarn.NewGraph()
			if eval {
				g.Eval()
			}
			in := g.Input("x", tarn.F32, x.Shape()...)
			y := f.Forward(in)
			factors := tarn.Zeros(tarn.F32, y.Shape()...)
			for i := range factors.Size() {
				factors.SetFloat(i, math.Cos(float64(i)))
			}
			return run(t, c.Name, g, tarn.Outputs{"y": y, "grad": tarn.Grad(y.Mul(g.Const(factors)).Sum(), in)[0]}, map[string]*tarn.Tensor{"x": x})
		}
		for i := range c.In {
			got := step(false, c.In[i].tensor(tarn.F32))
			if diff := got["y"].Diff(c.Out[i].tensor(tarn.F32), 2e-6); diff != "" {
				t.Errorf("%s, batch %d: result: %s", c.Name, i, diff)
			}
			if diff := got["grad"].Diff(c.Grad[i].tensor(tarn.F32), 1e-6); diff != "" {
				t.Errorf("%s, batch %d: gradient: %s", c.Name, i, diff)
			}
		}
		last := c.In[len(c.In)-1].tensor(tarn.F32)
		if diff := step(true, last)["y"].Diff(c.Out[len(c.Out)-1].tensor(tarn.F32), 2e-6); diff != "" {
			t.Errorf("%s: evaluation after training: %s", c.Name, diff)
		}
		for name, want := range c.States {
			p := params.Lookup(name)
			if p == nil {
				t.Fatalf("%s: there is no state %q", c.Name, name)
			}
			if diff := p.Tensor().Cast(tarn.F32).Diff(want.tensor(tarn.F32), 1e-6); diff != "" {
				t.Errorf("%s: %s: %s", c.Name, name, diff)
			}
		}
		if n := f.NumBatches.Tensor().Float(0); n != 3 {
			t.Errorf("%s: %v batches are counted, want 3", c.Name, n)
		}
	}
}

// TestFakeQuantizeWeights trains a layer whose weights are rounded to three values: it computes with those, and the weights themselves move.
func TestFakeQuantizeWeights(t *testing.T) {
	l := nn.NewLinear(3, 2)
	l.Bias = nil
	l.Transform = nn.NewFakeQuantize(nn.FakeQuantizeOptions{Low: -1, High: 1, Symmetric: true, Channels: 2})
	if err := tarn.Init(l, 1); err != nil {
		t.Fatal(err)
	}
	if err := l.Weight.Set(tensorOf([]float64{0.9, 0.2, -0.6, 0.1, -0.4, 0.3}, 2, 3)); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	y := l.Forward(g.Input("x", tarn.F32, 3, 3))
	eye := tensorOf([]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3)
	got := run(t, "weights", g, tarn.Outputs{"y": y, "grad": tarn.Grad(y.Sum(), l.Weight)[0]}, map[string]*tarn.Tensor{"x": eye})
	if diff := got["y"].Diff(tensorOf([]float64{0.9, 0, 0, -0.4, -0.9, 0.4}, 3, 2), 1e-6); diff != "" {
		t.Errorf("the rounded weights: %s", diff)
	}
	if diff := got["grad"].Diff(tensorOf([]float64{1, 1, 1, 1, 1, 1}, 2, 3), 0); diff != "" {
		t.Errorf("the gradient: %s", diff)
	}
}
