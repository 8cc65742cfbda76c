package tarn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestLook adds outputs and updates that look, and holds the mistakes that Compile refuses.
func TestLook(t *testing.T) {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F32, 3)
	w, mean := tarn.NewParam(tarn.F32, nil, 3), tarn.NewState(tarn.F32, nil)
	y := x.Add(w)
	next := tarn.Assign(w, y.Square())
	for _, c := range []struct {
		name    string
		updates []tarn.Update
		err     string
	}{
		{"good", []tarn.Update{next, tarn.Look(tarn.Outputs{"a": y.Exp()}), tarn.Look(nil, tarn.Assign(mean, y.Mean()))}, ""},
		{"of nothing", []tarn.Update{next, tarn.Look(nil)}, ""},
		{"alone", []tarn.Update{tarn.Look(tarn.Outputs{"a": y})}, ""},
		{"the same name", []tarn.Update{tarn.Look(tarn.Outputs{"y": y})}, `output "y" is also that of a Look`},
		{"the same name twice", []tarn.Update{tarn.Look(tarn.Outputs{"a": y}), tarn.Look(tarn.Outputs{"a": x})}, `two Looks have the output "a"`},
		{"a guard within", []tarn.Update{tarn.Look(nil, tarn.Guard(y))}, "the updates of a Look are made by Assign"},
		{"a look within", []tarn.Update{tarn.Look(nil, tarn.Look(nil))}, "the updates of a Look are made by Assign"},
		{"assigned twice", []tarn.Update{next, tarn.Look(nil, tarn.Assign(w, x))}, "is assigned twice"},
		{"nil", []tarn.Update{tarn.Look(tarn.Outputs{"a": nil})}, `output "a" is nil`},
	} {
		p, err := tarn.Compile(g, tarn.Outputs{"y": y}, c.updates...)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: the error is %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		copy(w.Tensor().F32(), []float32{0, 0, 0})
		out, err := p.Run(tarn.Vector([]float32{1, 2, 3}))
		if err != nil || fmt.Sprint(out["y"].F32()) != "[1 2 3]" {
			t.Errorf("%s: the outputs are %v (%v)", c.name, out, err)
		}
		if c.name == "good" && (mean.Tensor().Item() != 2 || len(out) != 2 || out["a"].F32()[0] < 2.71 || fmt.Sprint(w.Tensor().F32()) != "[1 4 9]") {
			t.Errorf("the outputs are %v, the params %v and %v", out, w.Tensor().F32(), mean.Tensor().Item())
		}
	}
}
