package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of pooling and of the ops that change the size of images.

func pool(op, form string, f func(v *tarn.Value) *tarn.Value, shapes ...[][]int) opCase {
	c := elementwise(op, f, between(-2, 2)).as(form).with(shapes...).within(10)
	return c
}

func maxPool(form string, size []int, w tarn.Window, shapes ...[][]int) opCase {
	c := pool("MaxPool", form, func(v *tarn.Value) *tarn.Value { return v.MaxPool(size, w) }, shapes...)
	c.spread = true
	return c
}

func sumPool(form string, size []int, w tarn.Window, shapes ...[][]int) opCase {
	return pool("SumPool", form, func(v *tarn.Value) *tarn.Value { return v.SumPool(size, w) }, shapes...)
}

func avgPool(form string, size []int, w tarn.Window, count bool, shapes ...[][]int) opCase {
	return pool("AvgPool", form, func(v *tarn.Value) *tarn.Value { return v.AvgPool(size, w, count) }, shapes...)
}

func unfold(form string, size []int, w tarn.Window, shapes ...[][]int) opCase {
	return pool("Unfold", form, func(v *tarn.Value) *tarn.Value { return v.Unfold(size, w) }, shapes...)
}

func resize(op, form string, f func(v *tarn.Value) *tarn.Value, shapes ...[][]int) opCase {
	return pool(op, form, f, shapes...)
}

var _ = register(
	maxPool("1d", ints(2), tarn.Window{}, [][]int{{2, 5, 3}}, [][]int{{0, 4, 2}}, [][]int{{1, 4, 0}}, [][]int{{1, 2, 1}}),
	maxPool("2d", ints(2), tarn.Window{}, [][]int{{2, 4, 6, 3}}, [][]int{{1, 2, 3, 1}}),
	maxPool("3d", ints(2, 1, 2), tarn.Window{}, [][]int{{1, 2, 3, 4, 2}}),
	maxPool("overlapping", ints(3), tarn.Window{Stride: ints(1)}, [][]int{{1, 4, 5, 2}}),
	maxPool("padded", ints(3, 2), tarn.Window{Stride: ints(2), Padding: ints(1)}, [][]int{{1, 5, 4, 2}}, [][]int{{2, 3, 1, 1}}),
	maxPool("dilated", ints(2), tarn.Window{Stride: ints(1), Dilation: ints(2)}, [][]int{{1, 4, 5, 2}}),
	maxPool("ceil", ints(2), tarn.Window{Ceil: true}, [][]int{{1, 3, 5, 2}}),
	maxPool("same", ints(3), tarn.Window{Stride: ints(2), Same: true}, [][]int{{1, 4, 5, 2}}),
	maxPool("of a long row", ints(1, 2), tarn.Window{Stride: ints(1, 2)}, [][]int{{1, 1, 40, 61}}),

	sumPool("1d", ints(2), tarn.Window{}, [][]int{{2, 5, 3}}, [][]int{{0, 4, 2}}, [][]int{{1, 4, 0}}),
	sumPool("2d", ints(2, 3), tarn.Window{Stride: ints(1, 2), Padding: ints(0, 1)}, [][]int{{2, 4, 6, 3}}),
	sumPool("3d", ints(2), tarn.Window{Stride: ints(1), Dilation: ints(1, 1, 2)}, [][]int{{1, 2, 3, 4, 2}}),

	avgPool("2d", ints(2), tarn.Window{}, true, [][]int{{2, 4, 6, 3}}, [][]int{{0, 4, 2, 1}}),
	avgPool("padded", ints(3), tarn.Window{Stride: ints(2), Padding: ints(1)}, true, [][]int{{1, 5, 4, 2}}),
	avgPool("padded, not counted", ints(3), tarn.Window{Stride: ints(2), Padding: ints(1)}, false, [][]int{{1, 5, 4, 2}}),
	avgPool("ceil", ints(3), tarn.Window{Stride: ints(2), Padding: ints(1), Ceil: true}, true, [][]int{{1, 6, 4, 2}}),
	avgPool("ceil, not counted", ints(3), tarn.Window{Stride: ints(2), Padding: ints(1), Ceil: true}, false, [][]int{{1, 6, 4, 2}}),

	pool("LpPool", "2", func(v *tarn.Value) *tarn.Value { return v.LpPool(2, ints(2), tarn.Window{}) }, [][]int{{1, 4, 5, 2}}),
	pool("LpPool", "1", func(v *tarn.Value) *tarn.Value { return v.LpPool(1, ints(2), tarn.Window{Stride: ints(1)}) }, [][]int{{1, 4, 2}}),
	elementwise("LpPool", func(v *tarn.Value) *tarn.Value { return v.LpPool(3.5, ints(2), tarn.Window{}) }, between(0.5, 2)).as("3.5").with([][]int{{1, 4, 5, 2}}).within(10),

	unfold("1d", ints(2), tarn.Window{}, [][]int{{2, 4, 3}}, [][]int{{0, 4, 2}}),
	unfold("2d", ints(2, 3), tarn.Window{Stride: ints(2, 1), Padding: ints(1), Dilation: ints(1, 2)}, [][]int{{1, 4, 5, 2}}),
	pool("PixelShuffle", "", func(v *tarn.Value) *tarn.Value { return v.PixelShuffle(2) }, [][]int{{2, 2, 3, 8}}, [][]int{{0, 2, 3, 4}}),
	pool("PixelUnshuffle", "", func(v *tarn.Value) *tarn.Value { return v.PixelUnshuffle(2) }, [][]int{{2, 4, 6, 3}}, [][]int{{0, 2, 2, 4}}),

	resize("AdaptiveAvgPool", "even", func(v *tarn.Value) *tarn.Value { return v.AdaptiveAvgPool(2) }, [][]int{{2, 4, 6, 3}}),
	resize("AdaptiveAvgPool", "uneven", func(v *tarn.Value) *tarn.Value { return v.AdaptiveAvgPool(3, 2) }, [][]int{{2, 4, 5, 3}}, [][]int{{1, 2, 2, 1}}),
	resize("ResizeNearest", "", func(v *tarn.Value) *tarn.Value { return v.ResizeNearest(5) }, [][]int{{2, 2, 3}}, [][]int{{1, 5, 7, 2}}),
	resize("ResizeLinear", "", func(v *tarn.Value) *tarn.Value { return v.ResizeLinear(false, 5) }, [][]int{{2, 2, 3}}, [][]int{{1, 5, 7, 2}}, [][]int{{1, 1, 2}}),
	resize("ResizeCubic", "", func(v *tarn.Value) *tarn.Value { return v.ResizeCubic(false, 5) }, [][]int{{2, 2, 3}}, [][]int{{1, 4, 7, 2}}, [][]int{{1, 1, 2}}),
	resize("ResizeCubic", "corners", func(v *tarn.Value) *tarn.Value { return v.ResizeCubic(true, 5, 1) }, [][]int{{1, 2, 7, 2}}),
	resize("ResizeLinearAntialiased", "", func(v *tarn.Value) *tarn.Value { return v.ResizeLinearAntialiased(3) }, [][]int{{2, 2, 3}}, [][]int{{1, 4, 8, 2}}, [][]int{{1, 1, 2}}),
	resize("ResizeCubicAntialiased", "", func(v *tarn.Value) *tarn.Value { return v.ResizeCubicAntialiased(3) }, [][]int{{2, 2, 3}}, [][]int{{1, 4, 8, 2}}, [][]int{{1, 1, 2}}),
	resize("ResizeLinear", "corners", func(v *tarn.Value) *tarn.Value { return v.ResizeLinear(true, 5, 1) }, [][]int{{1, 2, 7, 2}}),
)

func refusedPool(size []int, w tarn.Window, x tensorType, want string) refusal {
	return unaryRefusal("MaxPool", func(v *tarn.Value) *tarn.Value { return v.MaxPool(size, w) }, x, want)
}

var _ = refuse(
	refusedPool(ints(2), tarn.Window{}, f32(2, 3), "should have a batch axis, one to three spatial axes"),
	refusedPool(ints(2), tarn.Window{}, i32(2, 3, 3), "the operand is i32 and should be f32 or f64"),
	refusedPool(ints(2, 2, 2), tarn.Window{}, f32(2, 4, 4, 1), "the window [2 2 2] has 3 axes and the operand 2 spatial axes"),
	refusedPool(ints(5), tarn.Window{}, f32(2, 4, 4, 1), "reaches over 5 elements of spatial axis 0, which has 4"),
	refusedPool(ints(2), tarn.Window{Padding: ints(2)}, f32(2, 4, 4, 1), "the padding 2 of spatial axis 0 should be at most half"),
	refusedPool(ints(2), tarn.Window{Padding: ints(0), PaddingAfter: ints(2)}, f32(2, 4, 4, 1), "place 2 of the window on spatial axis 0, of size 4, holds nothing but padding, of 0 before and 2 after"),
	refusedPool(ints(2), tarn.Window{Padding: ints(2), Dilation: ints(4), Stride: ints(1)}, f32(2, 1, 1), "place 0 of the window on spatial axis 0, of size 1, holds nothing but padding"),
	refusedPool(ints(2), tarn.Window{PaddingAfter: ints(9), Stride: ints(3)}, f32(2, 4, 1), "place 2 of the window on spatial axis 0"),
	refusedPool(ints(1), tarn.Window{PaddingAfter: ints(3), Stride: ints(1)}, f32(2, 4, 1), "place 4 of the window on spatial axis 0"),
	refusedPool(ints(0), tarn.Window{}, f32(2, 4, 4, 1), "the window [0 0] has size 0 at axis 0"),
	unaryRefusal("SumPool", func(v *tarn.Value) *tarn.Value { return v.SumPool(ints(9), tarn.Window{}) }, f32(2, 4, 1), "SumPool: the window reaches over 9"),
	unaryRefusal("AvgPool", func(v *tarn.Value) *tarn.Value { return v.AvgPool(ints(9), tarn.Window{}, true) }, f32(2, 4, 1), "AvgPool: the window reaches over 9"),
	unaryRefusal("LpPool", func(v *tarn.Value) *tarn.Value { return v.LpPool(-1, ints(2), tarn.Window{}) }, f32(2, 4, 1), "the power -1 should be positive"),
	unaryRefusal("Unfold", func(v *tarn.Value) *tarn.Value { return v.Unfold(ints(9), tarn.Window{}) }, f32(2, 4, 1), "Unfold: the window reaches over 9"),
	unaryRefusal("PixelShuffle", func(v *tarn.Value) *tarn.Value { return v.PixelShuffle(2) }, f32(2, 4, 4, 6), "should be a multiple of r*r for r = 2"),
	unaryRefusal("PixelShuffle", func(v *tarn.Value) *tarn.Value { return v.PixelShuffle(2) }, f32(2, 4, 8), "should be [n h w c*r*r]"),
	unaryRefusal("PixelUnshuffle", func(v *tarn.Value) *tarn.Value { return v.PixelUnshuffle(2) }, f32(2, 4, 5, 6), "should be multiples of 2"),
	unaryRefusal("AdaptiveAvgPool", func(v *tarn.Value) *tarn.Value { return v.AdaptiveAvgPool(2, 2, 2) }, f32(2, 4, 5, 6), "3 sizes [2 2 2] are given for the 2 spatial axes"),
	unaryRefusal("ResizeNearest", func(v *tarn.Value) *tarn.Value { return v.ResizeNearest(0) }, f32(2, 4, 6), "should get size 0"),
	unaryRefusal("ResizeCubic", func(v *tarn.Value) *tarn.Value { return v.ResizeCubic(true, 3, -3) }, f32(2, 4, 4, 6), "ResizeCubic: spatial axis 1 has size 4 and should get size -3"),
	unaryRefusal("ResizeLinearAntialiased", func(v *tarn.Value) *tarn.Value { return v.ResizeLinearAntialiased(3) }, i32(2, 4, 6), "the operand is i32"),
	unaryRefusal("ResizeCubicAntialiased", func(v *tarn.Value) *tarn.Value { return v.ResizeCubicAntialiased() }, f32(2, 4, 6), "0 sizes [] are given"),
	unaryRefusal("ResizeLinear", func(v *tarn.Value) *tarn.Value { return v.ResizeLinear(true, 3) }, f32(2, 6), "should have a batch axis"),
)

// TestMaxPoolTies checks that the first of equal elements takes the gradient, where windows overlap and have padding too, and
// what NaN and -Inf do, as in PyTorch.
func TestMaxPoolTies(t *testing.T) {
	nan, low := math.NaN(), math.Inf(-1)
	for _, c := range []struct{ x, y, dx []float64 }{
		{[]float64{1, 1, 1, 1}, []float64{1, 1, 1}, []float64{1, 2, 4, 0}},
		{[]float64{0, 2, 2, 1}, []float64{2, 2, 2}, []float64{0, 3, 4, 0}},
		{[]float64{1, nan, 3, 4}, []float64{nan, nan, 4}, []float64{0, 3, 0, 4}},
		{[]float64{low, low, 3, low}, []float64{low, 3, 3}, []float64{1, 0, 6, 0}},
		{[]float64{low, low, 3, 4}, []float64{low, low, 3, 4, 4}, []float64{3, 0, 4, 24}}, // padded
		{[]float64{low, low, low, low}, []float64{low, low, low, low, low}, []float64{3, 4, 8, 16}},
	} {
		places := len(c.y)
		w := tarn.Window{Stride: ints(1), Padding: ints((places - 3) / 2)}
		for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
			g := tarn.NewGraph()
			x := g.Input("x", dtype, 4)
			y := x.Reshape(1, 4, 1).MaxPool(ints(2), w).Reshape(places)
			weights := g.Const(tarn.Vector([]float64{1, 2, 4, 8, 16}[:places])).Cast(dtype)
			got := compare(t, g, tarn.Outputs{"y": y, "dx": tarn.Grad(y.Mul(weights).Sum(), x)[0]}, map[string]*tarn.Tensor{"x": tarn.Vector(c.x).Cast(dtype)})
			for name, want := range map[string][]float64{"y": c.y, "dx": c.dx} {
				if diff := got[name].Cast(tarn.F64).Diff(tarn.Vector(want), 0); diff != "" {
					t.Errorf("of %v %v, %s: %s", dtype, c.x, name, diff)
				}
			}
		}
	}
}
