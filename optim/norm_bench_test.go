package optim_test

import (
	"fmt"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// BenchmarkNorms measures a step of AdamW, one with a limit of the norm, and one of LAMB, which has norms of every param.
func BenchmarkNorms(b *testing.B) {
	for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
		for _, n := range []int{1000, 100_000, 4_000_000} {
			for _, name := range []string{"adamw", "clip", "lamb"} {
				b.Run(fmt.Sprint(name, " ", dtype, " ", n), func(b *testing.B) {
					w := tarn.NewParam(dtype, nil, n/100, 100)
					adam := optim.NewAdamW(1e-3)
					var opt optim.Optimizer = adam
					switch name {
					case "clip":
						adam.ClipNorm = 1
					case "lamb":
						opt = optim.NewLAMB(1e-3)
					}
					g := tarn.NewGraph()
					x, y := g.Input("x", dtype, 8, 100), g.Input("y", dtype, 8, n/100)
					params, err := tarn.Params(map[string]*tarn.Param{"w": w})
					if err != nil {
						b.Fatal(err)
					}
					updates, err := opt.Update(x.MatMulT(w).Sub(y).Square().Mean(), params)
					if err != nil {
						b.Fatal(err)
					}
					p, err := tarn.Compile(g, nil, updates...)
					if err != nil {
						b.Fatal(err)
					}
					xs, ys := tarn.Vector(wave(800, 1)).Cast(dtype), tarn.Vector(wave(8*n/100, 2)).Cast(dtype)
					xs, _ = xs.Reshape(8, 100)
					ys, _ = ys.Reshape(8, n/100)
					for b.Loop() {
						if _, err := p.Run(xs, ys); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
