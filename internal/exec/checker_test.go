package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file tests how exactly the checker compares.

// TestCheckerPrecision checks loops whose results are f64: they are as exact as what their bodies compute in.
func TestCheckerPrecision(t *testing.T) {
	const steps, n = 50, 40
	// scan is a loop, carry' = carry + exp(carry sin(carry)) / 100, of which the function is computed in a float type.
	scan := func(in ir.DType) *ir.Control {
		body := irtest.New()
		body.Input(ir.I64)
		carry := body.Input(ir.F64, n)
		x := body.Add(irop.Cast{To: in}, carry)
		y := body.Add(irop.Cast{To: ir.F64}, body.F(scalar.Exp, body.F(scalar.Mul, x, body.F(scalar.Sin, x))))
		next := body.F(scalar.Add, carry, body.F(scalar.Mul, y, body.Expand(body.Num(ir.F64, 0.01), n)))
		body.Output(next, next)
		return &ir.Control{Kind: ir.Scan, Bodies: []*ir.Graph{body.Graph}, Carries: 1, Steps: steps}
	}
	// within is a loop with that loop in its body.
	within := func(c *ir.Control) *ir.Control {
		body := irtest.New()
		body.Input(ir.I64)
		body.Output(body.Add(ir.Result{Control: c, Title: "Scan"}, body.Input(ir.F64, n)))
		return &ir.Control{Kind: ir.Scan, Bodies: []*ir.Graph{body.Graph}, Carries: 1, Steps: 2}
	}
	workers := pool.New(1)
	defer workers.Close()
	for _, tt := range []struct {
		name    string
		control *ir.Control
		want    ir.DType
	}{
		{"in f64", scan(ir.F64), ir.F64},
		{"in f32", scan(ir.F32), ir.F32},
		{"a loop in f64", within(scan(ir.F64)), ir.F64},
		{"a loop in f32", within(scan(ir.F32)), ir.F32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := irtest.New()
			begin := b.Input(ir.F64, n)
			for i := range tt.control.Main().Outputs {
				b.Output(b.Add(ir.Result{Control: tt.control, Index: i, Title: "Scan"}, begin))
			}
			for _, result := range b.Graph.Outputs {
				if got := precision(result); got != tt.want {
					t.Errorf("%v is compared as %v, want %v", result, got, tt.want)
				}
			}
			c, err := NewChecker(b.Graph, nil, workers)
			if err != nil {
				t.Fatal(err)
			}
			inputs := irtest.Fill(rand.New(rand.NewPCG(1, 1)), b.Graph.Inputs)
			if err := c.Run(Call{Inputs: inputs, Outputs: irtest.Outputs(b.Graph)}); err != nil {
				t.Error(err)
			}
		})
	}
}
