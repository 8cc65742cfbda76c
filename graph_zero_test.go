package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestZeroGraph checks that a Graph needs no constructor.
func TestZeroGraph(t *testing.T) {
	var g tarn.Graph
	p, kept := tarn.NewParam(tarn.F64, nil, 3), tarn.NewState(tarn.F64, nil, 3)
	x := g.Input("x", tarn.F64, 3)
	y := x.Mul(p).AddNum(2).Add(g.Iota(tarn.F64, 0, 3))
	g.Attach(y, kept, y)
	out := run(t, &g, tarn.Outputs{"y": y, "d": tarn.Grad(y.Sum(), p)[0], "runs": g.Runs()}, map[string]*tarn.Tensor{"x": tarn.Vector([]float64{1, 2, 3})})
	if !out["y"].Equal(tarn.Vector([]float64{2, 3, 4}), 0) || !out["d"].Equal(tarn.Vector([]float64{1, 2, 3}), 0) || out["runs"].Item() != 1 { // run runs twice
		t.Errorf("a zero graph computes %v", out)
	}
}
