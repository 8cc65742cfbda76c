package optim_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests in which precision updates multiply.

// TestPrecision counts the products of rounded numbers in updates of a matrix in a graph whose products are rounded: those of loss and gradient, and
// those of the update only if the optimizer asks for it. The steps of such an optimizer stay near the exact ones.
func TestPrecision(t *testing.T) {
	muon := func(p tarn.Precision) optim.Optimizer {
		o := optim.NewMuon(0.02)
		o.Momentum.Precision = p
		return o
	}
	soap := func(p tarn.Precision) optim.Optimizer {
		o := optim.NewSOAP(0.01)
		o.Every, o.Precision = 2, p
		return o
	}
	const gradient = 2 // products of the loss and of its gradient
	for _, c := range []struct {
		name string
		opt  optim.Optimizer
		more bool
		near optim.Optimizer // the exact one
	}{
		{"adamw", optim.NewAdamW(0.01), false, nil},
		{"shampoo", optim.NewShampoo(0.01), false, nil},
		{"muon", muon(tarn.PrecisionF32), false, nil},
		{"muon in bf16", muon(tarn.PrecisionBF16), true, muon(tarn.PrecisionF32)},
		{"soap", soap(tarn.PrecisionF32), false, nil},
		{"soap in bf16", soap(tarn.PrecisionBF16), true, soap(tarn.PrecisionF32)},
	} {
		w, loss, program := trainMatrix(t, c.opt, tarn.PrecisionBF16)
		if got := strings.Count(program, " bf16}"); got < gradient || (got > gradient) != c.more {
			t.Errorf("%s: %d products of rounded numbers\n%s", c.name, got, program)
		}
		if !(loss < 0.9) {
			t.Errorf("%s: the loss ends at %v", c.name, loss)
		}
		if c.near != nil {
			exact, _, _ := trainMatrix(t, c.near, tarn.PrecisionBF16)
			distance, length := 0.0, 0.0
			for i := range w.Size() {
				distance, length = distance+math.Pow(w.Float(i)-exact.Float(i), 2), length+math.Pow(exact.Float(i), 2)
			}
			if r := math.Sqrt(distance / length); r == 0 || r > 0.2 {
				t.Errorf("%s: the weights differ from the exact ones by %v of their length", c.name, r)
			}
		}
	}
}

// trainMatrix fits a matrix by least squares, and returns it, the last loss over the first, and the update as text.
func trainMatrix(t *testing.T, o optim.Optimizer, p tarn.Precision) (w *tarn.Tensor, loss float64, program string) {
	t.Helper()
	param := tarn.NewParam(tarn.F32, func(t *tarn.Tensor, r *tarn.Random) { r.Normal(t, 0, 0.1) }, 12, 8)
	set := named(param)
	if err := tarn.Init(set, 1); err != nil {
		t.Fatal(err)
	}
	r := tarn.NewRandom(2, "data")
	x, y := tarn.Zeros(tarn.F32, 32, 8), tarn.Zeros(tarn.F32, 32, 12)
	r.Normal(x, 0, 1)
	r.Normal(y, 0, 1)
	g := tarn.NewGraph()
	g.SetPrecision(p)
	l := g.Const(x).MatMulT(param).Sub(g.Const(y)).Square().Mean()
	updates, err := o.Update(l, set)
	if err != nil {
		t.Fatal(err)
	}
	if g.Precision() != p {
		t.Errorf("the update has left the precision at %v", g.Precision())
	}
	values := []*tarn.Value{l}
	for _, u := range updates {
		values = append(values, u.Value())
	}
	step, err := tarn.Compile(g, tarn.Outputs{"loss": l}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	first := 0.0
	for i := range 30 {
		out, err := step.Run()
		if err != nil {
			t.Fatal(err)
		}
		if loss = out["loss"].Item(); i == 0 {
			first = loss
		}
	}
	return param.Tensor(), loss / first, tarn.Sprint(values...)
}
