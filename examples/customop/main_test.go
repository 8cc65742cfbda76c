package main

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/mnist"
	"github.com/seed-49005b45/tarn/examples/internal/output"
	"github.com/seed-49005b45/tarn/tarntest"
)

// A ninth of the examples, seen twice, is enough for nine of ten.
func TestLearns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a training of seconds")
	}
	output.Short(t)
	set, test, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Slice(0, 6400); err != nil {
		t.Fatal(err)
	}
	if test, err = test.Slice(0, 1000); err != nil {
		t.Fatal(err)
	}
	if accuracy, err := run(set, test, 2); err != nil || accuracy < 0.87 {
		t.Errorf("accuracy %v, error %v; want at least 0.87", accuracy, err)
	}
}

// The rule of Norm is the derivative of its value, of first and second order, forward and reverse.
func TestNorm(t *testing.T) {
	x, err := tarn.FromSlice([]float64{3, 4, -1, 0.5, 0.1, 0.2}, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value { return Norm(in[0]) }, x)
}

// At 0 the gradient of Norm is 0, that of Sign is the one that it is given between -1 and 1, and a map over examples has the same gradients.
func TestGradients(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Const(tarn.Vector([]float32{0, 0, 3, 4})).Reshape(2, 2)
	v := g.Const(tarn.Vector([]float32{-2, -1, -0.5, 0, 1, 1.5}))
	each := tarn.VMap(0, []*tarn.Value{x}, func(row []*tarn.Value) []*tarn.Value {
		return tarn.Grad(Norm(row[0]).Sum(), row[0])
	})
	p, err := tarn.Compile(g, tarn.Outputs{
		"norm": tarn.Grad(Norm(x).Sum(), x)[0], "mapped": each[0], "sign": Sign(v), "straight": tarn.Grad(Sign(v).Scale(3).Sum(), v)[0],
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{
		"norm": {0, 0, 0.6, 0.8}, "mapped": {0, 0, 0.6, 0.8}, "sign": {-1, -1, -1, 1, 1, 1}, "straight": {0, 3, 3, 3, 3, 0},
	} {
		for i, got := range out[name].F32() {
			if math.Abs(float64(got-want[i])) > 1e-6 {
				t.Errorf("%s: %v, want %v", name, out[name].F32(), want)
				break
			}
		}
	}
}
