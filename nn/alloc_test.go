package nn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/alloctest"
	"github.com/seed-49005b45/tarn/nn"
)

// TestImageStepAllocatesNothing runs a step of a small network with every kind of window, forward and backward.
func TestImageStepAllocatesNothing(t *testing.T) {
	conv, deep := nn.NewConv2d(2, 4, 3), nn.NewConv(4, 4, 4, 3, 3)
	conv.Padding, conv.Stride = []int{1}, []int{2}
	net := nn.NewSequential(conv, nn.NewBatchNorm(4), nn.ReLU{}, deep, nn.NewMaxPool(2), nn.NewConvTranspose2d(4, 3, 2), nn.NewAvgPool(2), nn.GlobalAvgPool{})
	if err := tarn.Init(net, 1); err != nil {
		t.Fatal(err)
	}
	params, err := tarn.Params(net)
	if err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	loss := net.Forward(g.Input("x", tarn.F32, 3, 16, 16, 2)).Square().Mean()
	var updates []tarn.Update
	for _, p := range params.All() {
		if p.Trainable() {
			updates = append(updates, tarn.Assign(p, p.Value(g).Sub(tarn.Grad(loss, p)[0])))
		}
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	x := random(tarn.F32, 1, 3, 16, 16, 2)
	results := tarn.Results{}
	if n := alloctest.PerRun(5, func() {
		if err := program.RunInto(t.Context(), results, x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a step allocates %v times", n)
	}
}
