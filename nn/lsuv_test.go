package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

func TestLSUV(t *testing.T) {
	inner := nn.NewSequential(nn.NewLinear(40, 50), nn.ReLU{})
	s := nn.NewSequential(nn.NewLinear(20, 40), nn.Tanh{}, inner, nn.NewLinear(50, 10))
	if err := tarn.Init(s, 1); err != nil {
		t.Fatal(err)
	}
	x := tarn.Zeros(tarn.F32, 200, 20)
	tarn.NewRandom(2, "x").Normal(x, 3, 5)
	if err := nn.LSUV(s, x); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	in := g.Input("x", tarn.F32, 200, 20)
	a := s.Layers[0].Forward(in)
	b := inner.Layers[0].Forward(a.Tanh())
	c := s.Layers[3].Forward(b.ReLU())
	p, err := tarn.Compile(g, tarn.Outputs{"0": a.Reshape(-1).Var(0, 0), "2.0": b.Reshape(-1).Var(0, 0), "3": c.Reshape(-1).Var(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range out {
		if math.Abs(v.Item()-1) > 0.02 {
			t.Errorf("layer %s has variance %v, want 1", name, v.Item())
		}
	}
}

func TestLSUVRefuses(t *testing.T) {
	zero := nn.NewSequential(nn.NewLinear(3, 4))
	x := tarn.Zeros(tarn.F32, 5, 3)
	for _, c := range []struct {
		s    *nn.Sequential
		x    *tarn.Tensor
		want string
	}{
		{zero, x, "layer 0: the variance of the result is 0"},
		{nn.NewSequential(nn.NewSequential(nn.NewLinear(2, 4))), x, "layer 0.0: "},
		{nn.NewSequential(nn.ReLU{}), x, "holds no *tarn.Param"},
	} {
		if err := nn.LSUV(c.s, c.x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q in it", err, c.want)
		}
	}
}
