package tarn

import "testing"

// ruleless hides the batching rule of an op, and all else but what every op has.
type ruleless struct{ op }

// TestVMapWithoutRule computes ops that have no batching rule, with examples in one operand and in both.
func TestVMapWithoutRule(t *testing.T) {
	g := NewGraph()
	x, y := g.Input("x", F64, 3, 2, 2), g.Input("y", F64, 2, 2)
	outputs := Outputs{
		"sum":      VMap(0, []*Value{x}, func(in []*Value) []*Value { return []*Value{g.add(ruleless{cumSumOp{axis: 0}}, in[0])} })[0],
		"sums":     x.CumSum(1),
		"right":    VMap(0, []*Value{x}, func(in []*Value) []*Value { return []*Value{g.add(ruleless{matMul(false, false, 0)}, y, in[0])} })[0],
		"rights":   y.MatMul(x),
		"squares":  VMap(0, []*Value{x}, func(in []*Value) []*Value { return []*Value{g.add(ruleless{matMul(false, false, 0)}, in[0], in[0])} })[0],
		"squaress": x.MatMul(x),
	}
	p, err := Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	a, b := Zeros(F64, 3, 2, 2), Zeros(F64, 2, 2)
	NewRandom(1, "a").Normal(a, 0, 1)
	NewRandom(1, "b").Normal(b, 0, 1)
	out, err := p.Run(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sum", "right", "squares"} {
		if diff := out[name].Diff(out[name+"s"], 1e-12); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
