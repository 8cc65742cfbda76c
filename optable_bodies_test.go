package tarn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestOpsAcrossBodies builds every op of several operands in the body of a loop, with one operand from the body and the others from
// outside of the loop and the other way round: the result belongs to the body.
func TestOpsAcrossBodies(t *testing.T) {
	for _, c := range opCases {
		dtype := tarn.F64
		if !c.has(dtype) {
			dtype = c.dtypes[0]
		}
		shapes := c.shapes[0]
		if len(c.in) < 2 {
			continue
		}
		for at := range c.in {
			for _, inside := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/%v", c.name(), at, inside), func(t *testing.T) {
					g := tarn.NewGraph()
					in := make([]*tarn.Value, len(c.in))
					parts := make([]*tarn.Value, len(c.in))
					for i, o := range c.in {
						of := dtype
						if o.fixed {
							of = o.dtype
						}
						in[i] = g.Input(fmt.Sprint("x", i), of, shapes[i]...)
						parts[i] = in[i].Unsqueeze(0)
					}
					outside := c.build(in...)
					_, stacks := tarn.Scan(nil, parts, tarn.ScanOptions{}, func(_, xs []*tarn.Value) (next, ys []*tarn.Value) {
						mixed := make([]*tarn.Value, len(in))
						for i := range in {
							mixed[i] = in[i]
							if (i == at) == inside {
								mixed[i] = xs[i]
							}
						}
						return nil, []*tarn.Value{c.build(mixed...)}
					})
					if err := g.Err(); err != nil {
						t.Fatal(err)
					}
					if got := stacks[0].Squeeze(0); got.DType() != outside.DType() || !slices.Equal(got.Shape(), outside.Shape()) {
						t.Errorf("the body gives %v and should give %v", got, outside)
					}
				})
			}
		}
	}
}
