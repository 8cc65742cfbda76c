package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

var _ = register(
	elementwise("Param.Next", func(v *tarn.Value) *tarn.Value {
		return tarn.NewState(v.DType(), nil).Next(v.Graph()).Add(v)
	}, between(-1, 1)).with([][]int{{}}),
)

// TestAttach checks that an update goes with the value that it is attached to, and that the later of two starts from the earlier.
func TestAttach(t *testing.T) {
	for _, c := range []struct {
		name   string
		output func(a, b *tarn.Value) *tarn.Value
		want   []float64
	}{
		{"the first", func(a, b *tarn.Value) *tarn.Value { return a }, []float64{1, 2, 3}},
		{"the second", func(a, b *tarn.Value) *tarn.Value { return b }, []float64{11, 22, 33}},
		{"both", func(a, b *tarn.Value) *tarn.Value { return a.Add(b) }, []float64{11, 22, 33}},
		{"neither", func(a, b *tarn.Value) *tarn.Value { return a.Graph().Num(tarn.F64, 1) }, []float64{0, 0, 0}},
	} {
		g := tarn.NewGraph()
		state := tarn.NewState(tarn.F64, nil)
		x := g.Input("x", tarn.F64)
		a, b := x.Scale(2), x.Scale(3)
		g.Attach(a, state, state.Next(g).AddNum(1))
		g.Attach(b, state, state.Next(g).AddNum(10))
		p, err := tarn.Compile(g, tarn.Outputs{"y": c.output(a, b)})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.want {
			if _, err := p.Run([]*tarn.Tensor{tarn.Zeros(tarn.F64)}[:len(p.Inputs())]...); err != nil {
				t.Fatal(err)
			}
			if got := state.Tensor().Item(); got != want {
				t.Errorf("%s: after %d runs the state is %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}

// TestTakeAttached takes the updates of a layer out of a graph, and draws by an input.
func TestTakeAttached(t *testing.T) {
	g := tarn.NewGraph()
	p := tarn.NewState(tarn.F32, nil)
	shard := g.Input("shard", tarn.I64)
	g.DrawBy(g.Runs().Mul(tarn.Num(10)).Add(shard))
	x := g.Uniform(tarn.F32, 0, 1)
	g.Attach(x, p, p.Value(g).AddNum(1))
	taken := g.TakeAttached(tarn.Outputs{"x": x})
	if len(taken) != 1 || taken[0].Param() != p || len(g.TakeAttached(tarn.Outputs{"x": x})) != 0 {
		t.Fatalf("taken: %v", taken)
	}
	step, err := tarn.Compile(g, tarn.Outputs{"x": x, "next": taken[0].Value()})
	if err != nil {
		t.Fatal(err)
	}
	draw := func(runs, shard int64) float64 {
		step.SetRuns(runs)
		in := tarn.Zeros(tarn.I64)
		in.I64()[0] = shard
		out, err := step.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		if out["next"].Item() != 1 || p.Tensor().Item() != 0 {
			t.Errorf("the state is stored: %v", p.Tensor().Item())
		}
		return out["x"].Item()
	}
	if draw(0, 1) == draw(0, 2) || draw(1, 2) == draw(0, 2) || draw(1, 2) != draw(0, 12) {
		t.Error("the draws do not follow the input")
	}
	for _, bad := range []*tarn.Value{nil, x, g.Num(tarn.F64, 1)} {
		g := tarn.NewGraph()
		if g.DrawBy(bad); g.Err() == nil {
			t.Errorf("drawing by %v is no error", bad)
		}
	}
}
