package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestDepends asks whether gradients can flow, and compares with the gradients.
func TestDepends(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(g *tarn.Graph, w *tarn.Value) *tarn.Value
		want bool
	}{
		{"itself", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return w }, true},
		{"an op", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return w.Square() }, true},
		{"a constant", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return g.Num(tarn.F64, 1) }, false},
		{"StopGradient", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return w.StopGradient().Square() }, false},
		{"beside StopGradient", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return w.StopGradient().Mul(w) }, true},
		{"an integer", func(g *tarn.Graph, w *tarn.Value) *tarn.Value { return w.Cast(tarn.I64).Cast(tarn.F64) }, false},
		{"a comparison", func(g *tarn.Graph, w *tarn.Value) *tarn.Value {
			return w.Gt(tarn.Num(0)).Where(g.Num(tarn.F64, 1), tarn.Num(2))
		}, false},
		{"a capture of a loop", func(g *tarn.Graph, w *tarn.Value) *tarn.Value {
			carries, _ := tarn.Scan([]*tarn.Value{g.Num(tarn.F64, 1)}, nil, tarn.ScanOptions{Steps: 3}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{c[0].Mul(w)}, nil
			})
			return carries[0]
		}, true},
		{"a gradient of its own", func(g *tarn.Graph, w *tarn.Value) *tarn.Value {
			return tarn.WithGradient(w.StopGradient(), []*tarn.Value{w}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy} })
		}, true},
	} {
		g := tarn.NewGraph()
		w := tarn.NewParam(tarn.F64, nil)
		w.Tensor().F64()[0] = 2
		y := test.f(g, w.Value(g))
		if got := tarn.Depends(y, w); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
		p, err := tarn.Compile(g, tarn.Outputs{"d": tarn.Grad(y, w)[0]})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run()
		if err != nil {
			t.Fatal(err)
		}
		if flows := out["d"].Item() != 0; flows != test.want {
			t.Errorf("%s: the gradient is %v", test.name, out["d"].Item())
		}
	}
}
