package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of searching and counting.

func searchSorted(form string, right bool, shapes ...[][]int) opCase {
	return opCase{op: "SearchSorted", form: form, build: func(in ...*tarn.Value) *tarn.Value {
		sorted, _ := in[0].Sort(-1, false)
		return sorted.SearchSorted(in[1], right)
	}, in: []operand{between(-4, 4), between(-5, 5)}, shapes: shapes, dtypes: numbers, flat: true}
}

var _ = register(
	searchSorted("", false, [][]int{{5}, {2, 3}}, [][]int{{0}, {3}}, [][]int{{4}, {}}, [][]int{{4}, {0}}, [][]int{{2, 5}, {2, 7}}, [][]int{{1}, {700}}),
	searchSorted("right", true, [][]int{{5}, {2, 3}}, [][]int{{2, 1, 5}, {2, 1, 7}}, [][]int{{2, 0}, {2, 3}}, [][]int{{0, 2}, {0, 3}}, [][]int{{3, 4}, {3, 200}}),
	opCase{op: "Bucketize", build: func(in ...*tarn.Value) *tarn.Value {
		boundaries, _ := in[1].Sort(0, false)
		return in[0].Bucketize(boundaries, false)
	}, in: []operand{between(-4, 4), between(-4, 4)}, shapes: [][][]int{{{2, 3}, {4}}, {{0}, {2}}, {{}, {1}}}, dtypes: numbers, flat: true},
	elementwise("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(5, -2, 3) }, between(-4, 4)).withoutDerivative().with([][]int{{50}}, [][]int{{0}}, [][]int{{3, 4}}, [][]int{{}}),
	elementwise("BinCount", func(v *tarn.Value) *tarn.Value { return v.BinCount(4) }, whole(tarn.I32, 0, 4)).of(tarn.I32).withoutDerivative().with([][]int{{50}}, [][]int{{0}}, [][]int{{3, 4}}),
	elementwise("BinCount", func(v *tarn.Value) *tarn.Value { return v.BinCount(9) }, whole(tarn.I64, 0, 4)).as("wide").of(tarn.I64).withoutDerivative().with([][]int{{5}}, [][]int{{}}),
)

var _ = refuse(
	binaryRefusal("SearchSorted", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.SearchSorted(o.(*tarn.Value), false) }, f32(), f32(2), "the sorted operand is f32[] and needs an axis"),
	binaryRefusal("SearchSorted", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.SearchSorted(o.(*tarn.Value), false) }, f32(3), i32(2), "the sorted operand is f32 and the elements to find are i32"),
	binaryRefusal("SearchSorted", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.SearchSorted(o.(*tarn.Value), false) }, bool_(3), bool_(2), "the operands are bool"),
	binaryRefusal("SearchSorted", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.SearchSorted(o.(*tarn.Value), false) }, f32(2, 3), f32(3, 3), "[2 3] and the elements to find [3 3] may differ at the last axis only"),
	unaryRefusal("SearchSorted", func(v *tarn.Value) *tarn.Value { return v.SearchSorted(nil, false) }, f32(3), "SearchSorted: operand 2 is nil"),
	binaryRefusal("Bucketize", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Bucketize(o.(*tarn.Value), false) }, f32(3), f32(2, 2), "the boundaries are f32[2 2] and should have one axis"),
	unaryRefusal("Bucketize", func(v *tarn.Value) *tarn.Value { return v.Bucketize(nil, false) }, f32(3), "Bucketize: operand 2 is nil"),
	unaryRefusal("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(0, 0, 1) }, f32(3), "0 bins are asked for"),
	unaryRefusal("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(3, 1, 1) }, f32(3), "the range from 1 to 1 should be"),
	unaryRefusal("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(3, 0, math.NaN()) }, f32(3), "the range from 0 to NaN should be"),
	unaryRefusal("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(3, 0, 1e39) }, f32(3), "the range from 0 to 1e+39 should be"),
	unaryRefusal("Histogram", func(v *tarn.Value) *tarn.Value { return v.Histogram(3, 0, 1) }, i32(3), "the operand is i32"),
	unaryRefusal("BinCount", func(v *tarn.Value) *tarn.Value { return v.BinCount(3) }, f32(3), "the index is f32"),
	unaryRefusal("BinCount", func(v *tarn.Value) *tarn.Value { return v.BinCount(-3) }, i32(3), "negative size -3"),
)

// TestSearchOfExtremes checks where NaN, infinities and equal elements are found, and in which bin they and boundaries count.
func TestSearchOfExtremes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		g := tarn.NewGraph()
		sorted, x := g.Input("sorted", dtype, 6), g.Input("x", dtype, 9)
		got := compare(t, g, tarn.Outputs{"left": sorted.SearchSorted(x, false), "right": sorted.SearchSorted(x, true), "counts": x.Histogram(3, 0, 3)}, map[string]*tarn.Tensor{
			"sorted": tarn.Vector([]float64{-inf, 0, 1, 1, inf, nan}).Cast(dtype),
			"x":      tarn.Vector([]float64{nan, -inf, inf, 1, 0, math.Copysign(0, -1), 3, 2, 2.5}).Cast(dtype),
		})
		for name, want := range map[string][]int64{"left": {5, 0, 4, 2, 1, 1, 4, 4, 4}, "right": {6, 1, 5, 4, 2, 2, 4, 4, 4}, "counts": {2, 1, 3}} {
			if diff := got[name].Diff(tarn.Vector(want), 0); diff != "" {
				t.Errorf("%v, %s: %s", dtype, name, diff)
			}
		}
	}
}

// TestHistogramByBoundaries compares bins by arithmetic with the boundaries that they are for, with elements on and next to all of them.
func TestHistogramByBoundaries(t *testing.T) {
	for _, c := range []struct {
		bins   int
		lo, hi float64
	}{{7, 0.1, 0.3}, {1000, -3, 11}, {10, 1e6, 1e6 + 1}, {3, -1e-300, 1e-300}, {5, -1e30, 1e30}} {
		for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
			edges := tarn.Zeros(dtype, c.bins+1)
			x := tarn.Zeros(dtype, 3*(c.bins+1))
			for i := range c.bins + 1 {
				edges.SetFloat(i, c.lo+(c.hi-c.lo)*(float64(i)/float64(c.bins)))
				at := edges.Float(i)
				for k, direction := range []float64{math.Inf(-1), 0, math.Inf(1)} {
					next := at
					if direction != 0 && dtype == tarn.F64 {
						next = math.Nextafter(at, direction)
					} else if direction != 0 {
						next = float64(math.Nextafter32(float32(at), float32(direction)))
					}
					if smallest := 0x1p-126; dtype == tarn.F32 && next != 0 && math.Abs(next) < smallest { // which counts as zero
						next = math.Copysign(smallest, next)
					}
					x.SetFloat(3*i+k, next)
				}
			}
			want := tarn.Zeros(tarn.I64, c.bins)
			for i := range x.Size() {
				if x.Float(i) >= edges.Float(0) && x.Float(i) <= edges.Float(c.bins) {
					bin := 0
					for bin < c.bins-1 && x.Float(i) >= edges.Float(bin+1) {
						bin++
					}
					want.SetFloat(bin, want.Float(bin)+1)
				}
			}
			g := tarn.NewGraph()
			got := compare(t, g, tarn.Outputs{"y": g.Input("x", dtype, x.Size()).Histogram(c.bins, c.lo, c.hi)}, map[string]*tarn.Tensor{"x": x})
			if diff := got["y"].Diff(want, 0); diff != "" {
				t.Errorf("%v, %v: %s", c, dtype, diff)
			}
		}
	}
}
