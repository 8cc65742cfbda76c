package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests, over all ops of the table, that running a compiled program allocates nothing.

func TestOpsAllocateNothing(t *testing.T) {
	if os.Getenv("TARN_DEBUG") != "" {
		t.Skip("checking a program allocates")
	}
	eachCase(t, func(t *testing.T, c opCase, shapes [][]int, r *rand.Rand) {
		for _, dtype := range c.types() {
			g := tarn.NewGraph()
			var in []*tarn.Value
			var data []*tarn.Tensor
			for i, o := range c.in {
				data = append(data, o.draw(r, dtype, shapes[i]))
				in = append(in, g.Input(fmt.Sprint(i), data[i].DType(), shapes[i]...))
			}
			outputs := tarn.Outputs{"y": c.build(in...)}
			if outputs["y"].DType().IsFloat() {
				for i, d := range tarn.Grad(outputs["y"].Sum(), floats(in)...) {
					outputs[fmt.Sprint("d", i)] = d
				}
			}
			for i, v := range in { // all of them, so that each is an input of the program
				outputs[fmt.Sprint("x", i)] = v
			}
			program, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(2, func() {
				if _, err := program.Run(data...); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("in %v a run allocates %v times", dtype, n)
			}
		}
	})
}
