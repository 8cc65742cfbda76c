//go:build pjrt

package nn_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	_ "github.com/seed-49005b45/tarn/pjrt" // TARN_ENGINE=pjrt runs the tests of this package on a plugin
)

// TestLayersOnPlugin compares the results of all layers, and the derivatives with respect to input and params, with those of the CPU. TestLayerGradients does not end
// there: it runs thousands of programs on a few numbers each, and a plugin takes seconds to compile one.
func TestLayersOnPlugin(t *testing.T) {
	if os.Getenv("TARN_ENGINE") == "" {
		t.Skip("TARN_ENGINE names no engine")
	}
	const together = 10 // layers in a program, which saves time
	first := 0
	for cases := range slices.Chunk(layerTable, together) {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			g, outputs, data := tarn.NewGraph(), tarn.Outputs{}, map[string]*tarn.Tensor{}
			var states []*tarn.Param
			for i, c := range cases {
				l, params := build(t, c.name, c.make)
				name := fmt.Sprint(first+i, " ", c.name)
				data[name] = c.x
				x := g.Input(name, c.x.DType(), c.x.Shape()...)
				y := l.Forward(x)
				outputs[name] = y
				var names []string
				var wrt []tarn.Operand
				if c.x.DType().IsFloat() {
					names, wrt = append(names, "the input"), append(wrt, x)
				}
				for path, p := range params.Trainable().All() {
					names, wrt = append(names, path), append(wrt, p)
				}
				for k, d := range tarn.Grad(y.Sin().Sum(), wrt...) {
					outputs[name+", gradient of "+names[k]] = d
				}
				for _, p := range params.All() {
					if p.IsState() {
						states = append(states, p)
					}
				}
			}
			results := func(compile func(*tarn.Graph, tarn.Outputs, ...tarn.Update) (*tarn.Program, error)) tarn.Results {
				var before []*tarn.Tensor
				for _, p := range states {
					before = append(before, p.Tensor().Clone())
				}
				p, err := compile(g, outputs)
				if err != nil {
					t.Fatal(err)
				}
				var in []*tarn.Tensor
				for _, name := range p.Inputs() {
					in = append(in, data[name])
				}
				out, err := p.Run(in...)
				if err != nil {
					t.Fatal(err)
				}
				for i, p := range states {
					outcome := p.Tensor().Clone()
					out[fmt.Sprint("state ", i)] = outcome
					if err := p.Tensor().CopyFrom(before[i]); err != nil {
						t.Fatal(err)
					}
				}
				return out
			}
			want := results(func(g *tarn.Graph, o tarn.Outputs, u ...tarn.Update) (*tarn.Program, error) {
				return tarn.CompileOn(nil, g, o, u...)
			})
			for name, y := range results(tarn.Compile) {
				if diff := y.Diff(want[name], 1e-9); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
		first += len(cases)
	}
}
