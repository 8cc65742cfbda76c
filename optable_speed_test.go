package tarn_test

import (
	"math/rand/v2"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/cpu"
)

// oneByOne are the ops that are computed element by element, by the reference kernel or by the definition of a scalar function, at the levels AVX2 and AVX-512: each
// with the reason why that is good enough.
var oneByOne = map[string]string{
	"Erf f64":       wide,
	"GELU f64":      wide,
	"GELUPrime f64": wide,
	"Pow f64":       wide,
	"MatMul i32":    onIntegers,
	"MatMul i64":    onIntegers,
	"Pow i32":       onIntegers,
	"Pow i64":       onIntegers,
	"Polygamma f32": series,
	"Polygamma f64": series,
	"IGamma f32":    series,
	"IGamma f64":    series,
	"GammaPDF f32":  series,
	"GammaPDF f64":  series,
	"IGammaC f32":   series,
	"IGammaC f64":   series,
}

// The reasons.
const (
	wide       = "f32, in which networks are trained, has a vector function"
	onIntegers = "on integers it works out indices and masks, which are few"
	series     = "a special function with several regions, or with a series whose length differs from element to element"
)

// TestOneByOne finds the ops of the table, and of their first derivatives, that are computed element by element, and compares with the list of those
// that may be.
func TestOneByOne(t *testing.T) {
	if cpu.Detected() == cpu.Go {
		t.Skip("plain Go computes most functions one by one")
	}
	before := cpu.Current()
	defer cpu.Force(before)
	found := map[string]bool{}
	for _, l := range cpu.Levels()[1:] {
		if err := cpu.Force(l); err != nil {
			t.Fatal(err)
		}
		for _, c := range opCases {
			for _, dtype := range c.types() {
				g := tarn.NewGraph()
				var in []*tarn.Value
				for i, o := range c.in {
					in = append(in, g.Const(o.draw(rand.New(rand.NewPCG(1, 1)), dtype, c.shapes[0][i])))
				}
				y := c.build(in...)
				values := []*tarn.Value{y}
				if y.DType().IsFloat() {
					values = append(values, tarn.Grad(y.Sum(), floats(in)...)...)
				}
				for _, name := range tarn.OneByOne(values...) {
					if oneByOne[name] == "" && !found[name] {
						t.Errorf("%s (%v): %s is computed element by element at level %v; write a kernel, or a reason into the list", c.op, dtype, name, l)
					}
					found[name] = true
				}
			}
		}
	}
	for name := range oneByOne {
		if !found[name] {
			t.Errorf("%s is in the list, and is not computed element by element in any case of the table", name)
		}
	}
}
