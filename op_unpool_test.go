package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of pooling with indices and its reverse, of adaptive maximum pooling, and of Fold.

// spreadPool is the case of a pool that is singular where elements are equal.
func spreadPool(op, form string, f func(v *tarn.Value) *tarn.Value, shapes ...[][]int) opCase {
	c := pool(op, form, f, shapes...)
	c.spread = true
	return c
}

// placesOf returns a pool's indices.
func placesOf(f func(v *tarn.Value) (largest, indices *tarn.Value)) func(v *tarn.Value) *tarn.Value {
	return func(v *tarn.Value) *tarn.Value { _, indices := f(v); return indices }
}

func unpool(form string, indices operand, size []int, shapes ...[][]int) opCase {
	return opCase{op: "MaxUnpool", form: form, build: func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], size...) }, in: []operand{between(-2, 2), indices}, shapes: shapes}
}

func fold(form string, space, size []int, w tarn.Window, shapes ...[][]int) opCase {
	return pool("Fold", form, func(v *tarn.Value) *tarn.Value { return v.Fold(space, size, w) }, shapes...)
}

var _ = register(
	spreadPool("MaxPoolIndices", "", func(v *tarn.Value) *tarn.Value {
		largest, _ := v.MaxPoolIndices(ints(2), tarn.Window{})
		return largest
	}, [][]int{{2, 5, 3}}, [][]int{{2, 4, 6, 3}}),
	pool("MaxPoolIndices", "indices", placesOf(func(v *tarn.Value) (_, _ *tarn.Value) {
		return v.MaxPoolIndices(ints(3), tarn.Window{Stride: ints(1), Padding: ints(1)})
	}), [][]int{{2, 5, 3}}, [][]int{{2, 4, 6, 3}}, [][]int{{1, 3, 3, 4, 2}}, [][]int{{0, 4, 2}}).withoutDerivative(),
	spreadPool("AdaptiveMaxPool", "even", func(v *tarn.Value) *tarn.Value { return v.AdaptiveMaxPool(2) }, [][]int{{2, 4, 6, 3}}, [][]int{{0, 2, 2}}),
	spreadPool("AdaptiveMaxPool", "uneven", func(v *tarn.Value) *tarn.Value { return v.AdaptiveMaxPool(3, 2) }, [][]int{{2, 4, 5, 3}}, [][]int{{1, 2, 3, 1}}, [][]int{{1, 7, 1, 2}}),
	pool("AdaptiveMaxPoolIndices", "", placesOf(func(v *tarn.Value) (_, _ *tarn.Value) { return v.AdaptiveMaxPoolIndices(3) }), [][]int{{2, 4, 5, 3}}, [][]int{{1, 3, 2}}, [][]int{{1, 7, 3, 4, 2}}).withoutDerivative(),
	unpool("", whole(tarn.I64, 0, 6), ints(2, 3), [][]int{{2, 1, 2, 3}, {2, 1, 2, 3}}, [][]int{{1, 3, 3, 1}, {1, 3, 3, 1}}, [][]int{{0, 1, 2, 3}, {0, 1, 2, 3}}),
	unpool("1d", whole(tarn.I32, 0, 5), ints(5), [][]int{{2, 3, 2}, {2, 3, 2}}),
	fold("1d", ints(5), ints(2), tarn.Window{}, [][]int{{2, 4, 2, 3}}, [][]int{{0, 4, 2, 1}}),
	fold("2d", ints(4, 5), ints(2, 3), tarn.Window{Stride: ints(2, 1), Padding: ints(1), Dilation: ints(1, 2)}, [][]int{{1, 3, 3, 2, 3, 2}}),
	fold("uneven padding", ints(3), ints(2), tarn.Window{Padding: ints(0), PaddingAfter: ints(2), Stride: ints(2)}, [][]int{{1, 2, 2, 2}}),
)

var _ = refuse(
	unaryRefusal("MaxPoolIndices", placesOf(func(v *tarn.Value) (_, _ *tarn.Value) { return v.MaxPoolIndices(ints(9), tarn.Window{}) }), f32(2, 4, 1), "MaxPoolIndices: the window reaches over 9"),
	unaryRefusal("AdaptiveMaxPool", func(v *tarn.Value) *tarn.Value { return v.AdaptiveMaxPool(2, 2, 2) }, f32(2, 4, 5, 6), "AdaptiveMaxPool: 3 sizes [2 2 2] are given for the 2 spatial axes"),
	unaryRefusal("AdaptiveMaxPool", func(v *tarn.Value) *tarn.Value { return v.AdaptiveMaxPool(2) }, f32(2, 0, 6), "spatial axis 0 has size 0 and should get size 2"),
	unaryRefusal("AdaptiveMaxPoolIndices", placesOf(func(v *tarn.Value) (_, _ *tarn.Value) { return v.AdaptiveMaxPoolIndices(0) }), f32(2, 4, 6), "should get size 0"),
	refused("MaxUnpool", func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], 4) }, "the operand [1 2 2] and the indices [1 2 1] should have one shape", f32(1, 2, 2), i32(1, 2, 1)),
	refused("MaxUnpool", func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], 4, 4) }, "2 sizes [4 4] are given for the 1 spatial axes", f32(1, 2, 2), i32(1, 2, 2)),
	refused("MaxUnpool", func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], -4) }, "negative size -4", f32(1, 2, 2), i32(1, 2, 2)),
	refused("MaxUnpool", func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(in[1], 4) }, "the index is f32", f32(1, 2, 2), f32(1, 2, 2)),
	refused("MaxUnpool", func(in ...*tarn.Value) *tarn.Value { return in[0].MaxUnpool(nil, 4) }, "MaxUnpool: operand 2 is nil", f32(1, 2, 2)),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(ints(5), ints(2), tarn.Window{}) }, f32(2, 3, 2, 1), "the operand is [2 3 2 1] and should be [n 4 2 c]"),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(ints(5), ints(9), tarn.Window{}) }, f32(2, 3, 2, 1), "the window reaches over 9"),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(nil, ints(2), tarn.Window{}) }, f32(2, 1), "should be those of one to three"),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(ints(5), ints(2), tarn.Window{}) }, i32(2, 4, 2, 1), "the operand is i32"),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(ints(-5), ints(2), tarn.Window{}) }, f32(2, 4, 2, 1), "negative size -5"),
	unaryRefusal("Fold", func(v *tarn.Value) *tarn.Value { return v.Fold(ints(5), ints(2), tarn.Window{Ceil: true}) }, f32(2, 4, 2, 1), "Ceil is an option of pooling"),
)

// TestPlacesOfMaxPool checks the places of equal elements and of NaN, of both kinds of floats, and that unpooling brings the elements back.
func TestPlacesOfMaxPool(t *testing.T) {
	nan, low := math.NaN(), math.Inf(-1)
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		g := tarn.NewGraph()
		x := g.Input("x", dtype, 8).Reshape(1, 8, 1)
		largest, places := x.MaxPoolIndices(ints(2), tarn.Window{})
		_, adaptive := x.AdaptiveMaxPoolIndices(3)
		got := compare(t, g, tarn.Outputs{"places": places.Reshape(4), "adaptive": adaptive.Reshape(3), "back": largest.MaxUnpool(places, 8).Reshape(8).Cast(tarn.F64)},
			map[string]*tarn.Tensor{"x": tarn.Vector([]float64{5, 5, low, low, nan, nan, 1, 2}).Cast(dtype)})
		for name, want := range map[string]*tarn.Tensor{
			"places": tarn.Vector([]int64{0, 2, 4, 7}), "adaptive": tarn.Vector([]int64{0, 4, 5}), "back": tarn.Vector([]float64{5, 0, low, 0, nan, 0, 0, 2}),
		} {
			if diff := got[name].Diff(want, 0); diff != "" {
				t.Errorf("of %v, %s: %s", dtype, name, diff)
			}
		}
	}
}

// TestPlacesBeyondExactF32 finds a place that no f32 counts to.
func TestPlacesBeyondExactF32(t *testing.T) {
	if testing.Short() { // it takes a few hundred megabytes
		return
	}
	const n, at = 1<<24 + 6, 1<<24 + 3
	x := tarn.Zeros(tarn.F32, 1, n, 1)
	x.SetFloat(at, 1)
	g := tarn.NewGraph()
	_, places := g.Input("x", tarn.F32, 1, n, 1).MaxPoolIndices(ints(6), tarn.Window{Stride: ints(1 << 23)})
	p, err := tarn.Compile(g, tarn.Outputs{"places": places})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	if got := out["places"].Float(2); got != at {
		t.Errorf("the place is %v and should be %d", got, at)
	}
}
