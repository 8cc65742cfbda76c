//go:build !arm64

package tarn_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// TestPrecisionOnPlugin computes products, convolutions and attention at each precision, and compares with f32 on the CPU: XLA's compiler for CPUs knows no
// TF32 and computes with f32 instead.
func TestPrecisionOnPlugin(t *testing.T) {
	e := plugin(t)
	build := func(precision tarn.Precision) (*tarn.Graph, tarn.Outputs) {
		g := tarn.NewGraph()
		g.SetPrecision(precision)
		x, w := g.Input("x", tarn.F32, 8, 40), g.Input("w", tarn.F32, 40, 24)
		image, kernel := g.Input("image", tarn.F32, 2, 9, 8, 6), g.Input("kernel", tarn.F32, 3, 3, 3, 8)
		q := g.Input("q", tarn.F32, 2, 7, 4, 16)
		q = q.Permute(0, 2, 1, 3)
		convolved := image.Conv(kernel, tarn.ConvOptions{Window: tarn.Window{Stride: []int{2, 1}, Same: true}, Groups: 2})
		scores := q.MatMul(q.Permute(0, 1, 3, 2)).Scale(0.25).Softmax(-1).MatMul(q)
		loss := x.MatMul(w).Square().Mean().Add(convolved.Square().Mean()).Add(scores.Square().Mean())
		outputs := tarn.Outputs{"product": x.MatMul(w), "convolution": convolved, "attention": scores}
		for i, d := range tarn.Grad(loss, x, w, image, kernel, q) {
			outputs["gradient with respect to "+[]string{"x", "w", "image", "kernel", "q"}[i]] = d
		}
		return g, outputs
	}
	g, outputs := build(tarn.PrecisionF32)
	exact := mustCompile(t, g, outputs)
	r := rand.New(rand.NewPCG(1, 2))
	in := tarn.ZerosFor(exact)
	for _, x := range in {
		for i := range x.Size() {
			x.SetFloat(i, 2*r.Float64()-1)
		}
	}
	want := mustRun(t, exact, in...)
	for precision, tolerance := range map[tarn.Precision]float64{tarn.PrecisionF32: 1e-5, tarn.PrecisionTF32: 1e-5, tarn.PrecisionBF16: 3e-2} {
		t.Run(precision.String(), func(t *testing.T) {
			g, outputs := build(precision)
			p, err := tarn.CompileOn(e, g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			got := mustRun(t, p, in...)
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if diff := got[name].Diff(want[name], tolerance); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			if precision == tarn.PrecisionBF16 && got["product"].Diff(want["product"], 1e-6) == "" {
				t.Error("the product is that of f32")
			}
		})
	}
}
