package tarn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests the types of two bytes, which ops refuse and conversions read and write.

var short = []tarn.DType{tarn.BF16, tarn.F16}

// TestShortRefused gives each op of the table each of its float operands in each of the types of two bytes.
func TestShortRefused(t *testing.T) {
	for _, c := range opCases {
		if strings.HasSuffix(c.op, "Cast") {
			continue
		}
		t.Run(c.name(), func(t *testing.T) {
			for at, o := range c.in {
				if o.fixed {
					continue
				}
				for _, dtype := range short {
					g := tarn.NewGraph()
					var in []*tarn.Value
					for i, o := range c.in {
						x := o.draw(rand.New(rand.NewPCG(1, 1)), c.types()[0], c.shapes[0][i])
						if i == at {
							x = x.Cast(dtype)
						}
						in = append(in, g.Input(fmt.Sprint(i), x.DType(), x.Shape()...))
					}
					y := c.build(in...)
					err := g.Err()
					if err == nil && (y == in[at] || !reads(t, y, fmt.Sprint(at))) { // the op does nothing
						continue
					}
					if err == nil || !tarn.Failed(y) || !strings.Contains(err.Error(), "Cast it to f32") && !strings.Contains(err.Error(), "should be") {
						t.Fatalf("operand %d in %v: %v", at, dtype, err)
					}
				}
			}
		})
	}
}

// reads reports whether a program that computes y needs an input.
func reads(t *testing.T, y *tarn.Value, input string) bool {
	t.Helper()
	p, err := tarn.Compile(y.Graph(), tarn.Outputs{"y": y})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(p.Inputs(), input)
}

// TestShortStored sends numbers through inputs, params, updates and outputs of two bytes.
func TestShortStored(t *testing.T) {
	x := tarn.Zeros(tarn.F64, 3, 37)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x.Size() {
		x.SetFloat(i, r.NormFloat64()*100)
	}
	for _, dtype := range short {
		for _, other := range append(allTypes, short...) {
			g := tarn.NewGraph()
			given, stored := x.Cast(other), x.Cast(dtype)
			a, b := g.Input("a", other, 3, 37), g.Input("b", dtype, 3, 37)
			p := tarn.NewParam(dtype, nil, 3, 37)
			outputs := tarn.Outputs{"narrow": a.Cast(dtype), "wide": b.Cast(other), "same": b, "old": p.Value(g)}
			program, err := tarn.Compile(g, outputs, tarn.Assign(p, a.Cast(dtype)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := program.Run(given, stored)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]*tarn.Tensor{"narrow": given.Cast(dtype), "wide": stored.Cast(other), "same": stored, "old": tarn.Zeros(dtype, 3, 37)}
			for name, w := range want {
				if diff := out[name].Diff(w, 0); diff != "" {
					t.Errorf("%v and %v: %s: %s", dtype, other, name, diff)
				}
			}
			if diff := p.Tensor().Diff(given.Cast(dtype), 0); diff != "" {
				t.Errorf("%v and %v: the param: %s", dtype, other, diff)
			}
		}
	}
}
