package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/examples/internal/output"
	"github.com/seed-49005b45/tarn/nn"
)

func TestLearnsTheSpiral(t *testing.T) {
	output.Short(t)
	lines := strings.Split(strings.TrimSpace(output.Of(t, main)), "\n")
	var step int
	var loss float64
	last := lines[len(lines)-1]
	if n, _ := fmt.Sscanf(last, "step %d loss %f", &step, &loss); n != 2 {
		t.Fatalf("last line %q", last)
	}
	if step != 1000 || loss > 0.01 {
		t.Errorf("step %d, loss %v; want step 1000, loss below 0.01", step, loss)
	}
}

// The adjoint gradient is that of the steps, up to the error of the method.
func TestAdjointIsTheGradientOfTheSteps(t *testing.T) {
	f := &Field{nn.NewLinear(2, 8), nn.NewLinear(8, 2)}
	if err := tarn.Init(f, 1); err != nil {
		t.Fatal(err)
	}
	weights := []*tarn.Param{f.Hidden.Weight, f.Hidden.Bias, f.Out.Weight, f.Out.Bias}
	g := tarn.NewGraph()
	y := g.Uniform(tarn.F32, -1, 1, 5, 2)
	adjoint := f.Flow(y, 0.05, 20)
	steps := solve(func(s state) state { return state{f.At(s[0])} }, state{y}, 0.05, 20)[0]
	outputs := tarn.Outputs{}
	for i, w := range append([]tarn.Operand{y}, weights[0], weights[1], weights[2], weights[3]) {
		outputs[fmt.Sprint("adjoint ", i)] = tarn.Grad(adjoint.Square().Sum(), w)[0]
		outputs[fmt.Sprint("steps ", i)] = tarn.Grad(steps.Square().Sum(), w)[0]
	}
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if diff := out[fmt.Sprint("adjoint ", i)].Diff(out[fmt.Sprint("steps ", i)], 1e-4); diff != "" {
			t.Errorf("gradient %d: %s", i, diff)
		}
	}
}
