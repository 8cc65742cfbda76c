package optim_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// TestPrivate compares PrivateLoss with PyTorch, example by example, and PrivacySpent with Opacus: see testdata/private.py.
func TestPrivate(t *testing.T) {
	var golden struct {
		Spent           [][5]float64
		X, W, B, DW, DB []float64
		Y               []int32
		Bound, Loss     float64
		Norms           []float64
	}
	raw, err := os.ReadFile("testdata/private.json")
	if err == nil {
		err = json.Unmarshal(raw, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
			t.Errorf("%s is %v and should be %v", what, got, want)
		}
	}
	for _, c := range golden.Spent {
		epsilon, err := optim.PrivacySpent(c[0], c[1], int(c[2]), c[3])
		if err != nil {
			t.Fatal(err)
		}
		near("epsilon", epsilon, c[4])
	}

	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, 5, 3), g.Input("y", tarn.I32, 5)
	w, b := tarn.NewParam(tarn.F64, nil, 3, 4), tarn.NewParam(tarn.F64, nil, 4)
	copy(w.Tensor().F64(), golden.W)
	copy(b.Tensor().F64(), golden.B)
	loss, norms := optim.PrivateLoss(golden.Bound, []*tarn.Param{w, b}, []*tarn.Value{x, y}, func(in []*tarn.Value) *tarn.Value {
		return nn.CrossEntropy(in[0].Unsqueeze(0).MatMul(w).Add(b.Value(g)).Tanh().Scale(2), in[1].Unsqueeze(0))
	})
	d := tarn.Grad(loss.Scale(2), w, b)
	p, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "norms": norms, "dw": d[0].Scale(0.5), "db": d[1].Scale(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	xs, err := tarn.FromSlice(golden.X, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(xs, tarn.Vector(golden.Y))
	if err != nil {
		t.Fatal(err)
	}
	near("the loss", out["loss"].Item(), golden.Loss)
	for name, want := range map[string][]float64{"norms": golden.Norms, "dw": golden.DW, "db": golden.DB} {
		for i, v := range out[name].Floats() {
			near(name, v, want[i])
		}
	}
}

// TestPrivateNoise compares the deviation of the noise with its definition.
func TestPrivateNoise(t *testing.T) {
	g := tarn.NewGraph()
	w := tarn.NewParam(tarn.F32, nil, 200, 100)
	model := struct{ W *tarn.Param }{w}
	params, err := tarn.Params(model)
	if err != nil {
		t.Fatal(err)
	}
	o := optim.NewSGD(1)
	o.Before = []optim.Transform{optim.PrivateNoise{Noise: 2, Bound: 3, Batch: 4}}
	loss := w.Value(g).Sum().Scale(0.25)
	updates, err := o.Update(loss, params)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var mean, square float64
	for _, v := range w.Tensor().Floats() {
		mean += -v / 20000
		square += (v + 0.25) * (v + 0.25) / 20000
	}
	if math.Abs(mean-0.25) > 5*1.5/math.Sqrt(20000) || math.Abs(math.Sqrt(square)/1.5-1) > 0.03 {
		t.Errorf("the updates have mean %v and deviation %v, should be 0.25 and 1.5", mean, math.Sqrt(square))
	}
}

// TestPrivateMistakes gives what makes no sense.
func TestPrivateMistakes(t *testing.T) {
	for _, c := range []struct {
		noise, rate float64
		steps       int
		delta       float64
		want        string
	}{
		{-1, 0.1, 1, 0.1, "the noise is -1"}, {1, 1.1, 1, 0.1, "the rate is 1.1"}, {1, 0.1, -1, 0.1, "cannot be -1 steps"},
		{1, 0.1, 1, 0, "delta is 0"}, {math.NaN(), 0.1, 1, 0.1, "the noise is NaN"},
	} {
		if _, err := optim.PrivacySpent(c.noise, c.rate, c.steps, c.delta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got the error %v, should have %q in it", err, c.want)
		}
	}
	for _, c := range []struct{ noise, want float64 }{{0, math.Inf(1)}, {math.Inf(1), 0}} {
		// Infinite noise leaves what the conversion costs.
		if got, err := optim.PrivacySpent(c.noise, 0.1, 10, 0.1); err != nil || math.Abs(got-c.want) > 0.1 {
			t.Errorf("noise %v: epsilon is %v, should be %v; %v", c.noise, got, c.want, err)
		}
	}
	w := tarn.NewParam(tarn.F64, nil, 2)
	square := func(in []*tarn.Value) *tarn.Value { return in[0].Mul(w.Value(in[0].Graph())).Square().Sum() }
	for _, c := range []struct {
		bound  float64
		params []*tarn.Param
		loss   func(in []*tarn.Value) *tarn.Value
		want   string
	}{
		{0, []*tarn.Param{w}, square, "the bound is 0"}, {1, nil, square, "there are no params"}, {1, []*tarn.Param{w}, nil, "the loss is nil"},
		{1, []*tarn.Param{w}, func(in []*tarn.Value) *tarn.Value { return in[0] }, "should be a scalar"},
		{1, []*tarn.Param{w}, func(in []*tarn.Value) *tarn.Value { return nil }, "nil"},
	} {
		g := tarn.NewGraph()
		optim.PrivateLoss(c.bound, c.params, []*tarn.Value{g.Input("x", tarn.F64, 3, 2)}, c.loss)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got the error %v, should have %q in it", err, c.want)
		}
	}
	optim.PrivateLoss(1, []*tarn.Param{w}, nil, square)
}
