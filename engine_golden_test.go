package tarn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file checks what a few programs are compiled to against listings under testdata, so that a fusion that is lost, or
// won, shows where the change is reviewed. Write them anew by go test -run TestSteps -update.

func TestSteps(t *testing.T) {
	programs := []struct {
		name  string
		build func(t *testing.T, g *tarn.Graph) (tarn.Outputs, []tarn.Update)
	}{
		{"linear", func(t *testing.T, g *tarn.Graph) (tarn.Outputs, []tarn.Update) {
			m := nn.NewSequential(nn.NewLinear(784, 512), nn.ReLU{}, nn.NewLinear(512, 10))
			loss := nn.CrossEntropy(m.Forward(g.Input("x", tarn.F32, 128, 784)), g.Input("y", tarn.I32, 128))
			params, err := tarn.Params(m)
			if err != nil {
				t.Fatal(err)
			}
			updates, err := optim.NewAdam(1e-3).Update(loss, params)
			if err != nil {
				t.Fatal(err)
			}
			return tarn.Outputs{"loss": loss}, updates
		}},
		{"layernorm", func(t *testing.T, g *tarn.Graph) (tarn.Outputs, []tarn.Update) {
			m := nn.NewLayerNorm(256)
			if _, err := tarn.Params(m); err != nil {
				t.Fatal(err)
			}
			x, dy := g.Input("x", tarn.F32, 512, 256), g.Input("dy", tarn.F32, 512, 256)
			y := m.Forward(x)
			d := tarn.VJP[tarn.Operand](y, dy, x, m.Weight, m.Bias)
			return tarn.Outputs{"y": y, "dx": d[0], "dgain": d[1], "dbias": d[2]}, nil
		}},
		{"attention", func(t *testing.T, g *tarn.Graph) (tarn.Outputs, []tarn.Update) {
			split := func(name string) *tarn.Value {
				return g.Input(name, tarn.F32, 8, 64, 4, 16).Permute(0, 2, 1, 3)
			}
			q, k, v := split("q"), split("k"), split("v")
			y := q.MatMul(k.Permute(0, 1, 3, 2)).Scale(0.25).Softmax(-1).MatMul(v).Permute(0, 2, 1, 3).Reshape(8, 64, 64)
			d := tarn.VJP(y, g.Input("dy", tarn.F32, 8, 64, 64), q, k, v)
			return tarn.Outputs{"y": y, "dq": d[0], "dk": d[1], "dv": d[2]}, nil
		}},
	}
	for _, tt := range programs {
		t.Run(tt.name, func(t *testing.T) {
			g := tarn.NewGraph()
			outputs, updates := tt.build(t, g)
			got, err := tarn.StepsOf(mustCompile(t, g, outputs, updates...))
			if err != nil && instrumented() {
				t.Skipf("TARN_DEBUG is set: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "steps", tt.name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
				t.Errorf("the program is now\n%s\nand was\n%s\nIf that is meant, run go test -run TestSteps -update.", got, want)
			}
		})
	}
}
