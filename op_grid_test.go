package tarn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of sampling at grids.

func gridSample(o tarn.GridOptions) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].GridSample(in[1], o) }
}

func grid(o tarn.GridOptions, shapes ...[][]int) opCase {
	return opCase{op: "GridSample", form: fmt.Sprint(o), build: gridSample(o), in: []operand{between(-2, 2), between(-1.7, 1.7)}, shapes: shapes, loose: 100}
}

func init() {
	flat := [][]int{{2, 4, 3, 2}, {2, 2, 3, 2}}
	for padding := tarn.GridZeros; padding <= tarn.GridReflect; padding++ {
		for _, align := range []bool{false, true} {
			register(
				grid(tarn.GridOptions{Padding: padding, AlignCorners: align}, flat, [][]int{{1, 2, 3, 2, 1}, {1, 1, 2, 2, 3}}, [][]int{{0, 2, 2, 1}, {0, 3, 2, 2}}, [][]int{{1, 1, 2, 1}, {1, 2, 2, 2}}),
				grid(tarn.GridOptions{Mode: tarn.GridNearest, Padding: padding, AlignCorners: align}, flat, [][]int{{1, 2, 3, 2, 1}, {1, 1, 2, 2, 3}}),
				grid(tarn.GridOptions{Mode: tarn.GridCubic, Padding: padding, AlignCorners: align}, flat, [][]int{{1, 1, 2, 1}, {1, 2, 2, 2}}),
			)
		}
	}
}

var _ = register(
	elementwise("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(false, 3, 4) }, between(-2, 2)).within(10).with([][]int{{2, 2, 3}}, [][]int{{0, 2, 3}}),
	elementwise("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(true, 3, 1, 2) }, between(-2, 2)).within(10).as("corners").with([][]int{{2, 3, 4}}),
	elementwise("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(true, 3, 0) }, between(-2, 2)).as("none").with([][]int{{2, 2, 3}}),
)

var _ = refuse(
	refused("GridSample", gridSample(tarn.GridOptions{}), "the operand [1 4 2] and the grid [1 4 1] should be", f32(1, 4, 2), f32(1, 4, 1)),
	refused("GridSample", gridSample(tarn.GridOptions{}), "the operand [1 4 4 2] and the grid [2 4 4 2] should be", f32(1, 4, 4, 2), f32(2, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{}), "the operand [1 4 4 2] and the grid [1 4 4 3] should be", f32(1, 4, 4, 2), f32(1, 4, 4, 3)),
	refused("GridSample", gridSample(tarn.GridOptions{}), "the operand is f32 and the grid f64", f32(1, 4, 4, 2), f64(1, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{}), "the operand is i32", i32(1, 4, 4, 2), f32(1, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{}), "has no elements to sample", f32(1, 0, 4, 2), f32(1, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{Mode: 3}), "there is no mode 3", f32(1, 4, 4, 2), f32(1, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{Padding: -1}), "there is no padding -1", f32(1, 4, 4, 2), f32(1, 4, 4, 2)),
	refused("GridSample", gridSample(tarn.GridOptions{Mode: tarn.GridCubic}), "GridCubic samples two spatial axes", f32(1, 4, 4, 4, 2), f32(1, 4, 4, 4, 3)),
	refused("GridSample", func(in ...*tarn.Value) *tarn.Value { return in[0].GridSample(nil, tarn.GridOptions{}) }, "GridSample: operand 2 is nil", f32(1, 4, 4, 2)),
	unaryRefusal("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(false, 2) }, f32(1, 2, 3), "1 sizes [2] are given"),
	unaryRefusal("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(false, 2, 2) }, f32(1, 3, 4), "the operand is [1 3 4] and should be [n 2 3] for 2 sizes"),
	unaryRefusal("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(false, 2, -2) }, f32(1, 2, 3), "negative size -2"),
	unaryRefusal("AffineGrid", func(v *tarn.Value) *tarn.Value { return v.AffineGrid(false, 2, 2) }, i32(1, 2, 3), "the operand is i32"),
)

// TestGridAtExtremes checks that places that are infinite are outside, that NaN is NaN, and that an image's own NaN stays within reach.
func TestGridAtExtremes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	image := tarn.Vector([]float64{nan, 2, 3, 4, 5, 6})
	places := tarn.Vector([]float64{inf, 0, -inf, inf, nan, 0, 0.9, 1})
	for _, c := range []struct {
		o    tarn.GridOptions
		want []float64
	}{
		{tarn.GridOptions{AlignCorners: true}, []float64{0, 0, nan, 5.9}},
		{tarn.GridOptions{Padding: tarn.GridBorder, AlignCorners: true}, []float64{4.5, 4, nan, 5.9}},
		{tarn.GridOptions{Mode: tarn.GridNearest, Padding: tarn.GridBorder, AlignCorners: true}, []float64{3, 4, 0, 6}},
		{tarn.GridOptions{Mode: tarn.GridCubic, AlignCorners: true}, []float64{0, 0, nan, nan}},
	} {
		g := tarn.NewGraph()
		y := g.Const(image).Reshape(1, 2, 3, 1).GridSample(g.Const(places).Reshape(1, 4, 1, 2), c.o).Reshape(4)
		if diff := compare(t, g, tarn.Outputs{"y": y}, nil)["y"].Diff(tarn.Vector(c.want), 1e-12); diff != "" {
			t.Errorf("%v: %s", c.o, diff)
		}
	}
}
