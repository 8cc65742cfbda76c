package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the ops that go along an axis in order.

func notEmpty(c opCase) opCase {
	var kept [][][]int
	for _, shapes := range c.shapes {
		if c.form != "last" || shapes[0][len(shapes[0])-1] != 0 {
			kept = append(kept, shapes)
		}
	}
	return c.with(kept...)
}

var (
	_ = register(each(along("CumSum", (*tarn.Value).CumSum, between(-4, 4)), ofNumbers)...)
	_ = register(each(each(each(along("ArgMax", (*tarn.Value).ArgMax, between(-9, 9)), ofNumbers), flat), notEmpty)...)
	_ = register(each(each(each(along("ArgMin", (*tarn.Value).ArgMin, between(-9, 9)), ofNumbers), flat), notEmpty)...)
)

var _ = refuse(
	unaryRefusal("ArgMax", func(v *tarn.Value) *tarn.Value { return v.ArgMax(0) }, f32(0, 3), "axis 0 of [0 3] has no elements to choose from"),
	unaryRefusal("ArgMin", func(v *tarn.Value) *tarn.Value { return v.ArgMin(0) }, bool_(3), "bool and should be a number"),
	unaryRefusal("ArgMax", func(v *tarn.Value) *tarn.Value { return v.ArgMax(1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("CumSum", func(v *tarn.Value) *tarn.Value { return v.CumSum(1) }, f32(3), "axis 1 is not an axis"),
)

// TestArgOfTies checks that the first of equal elements is found, and that NaN is before everything.
func TestArgOfTies(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		x        []float64
		max, min float64
	}{
		{[]float64{1, 2, 2, 1}, 1, 0},
		{[]float64{1, nan, inf, nan}, 1, 1},
		{[]float64{-inf, inf, -inf, inf}, 1, 0},
		{[]float64{0, math.Copysign(0, -1)}, 0, 0},
	} {
		x := []*tarn.Tensor{tarn.Vector(test.x)}
		max := evaluate(t, func(in ...*tarn.Value) *tarn.Value { return in[0].ArgMax(0) }, x).Item()
		min := evaluate(t, func(in ...*tarn.Value) *tarn.Value { return in[0].ArgMin(0) }, x).Item()
		if max != test.max || min != test.min {
			t.Errorf("%v: largest at %v, smallest at %v, want %v and %v", test.x, max, min, test.max, test.min)
		}
	}
}
