package tarn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests tensors: how they are made, printed, compared and converted, and what is refused.

func TestTensorConstructors(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	x, err := tarn.FromSlice(data, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if x.DType() != tarn.F32 || !slices.Equal(x.Shape(), []int{2, 3}) || x.Rank() != 2 || x.Size() != 6 {
		t.Errorf("FromSlice gives %v", x)
	}
	data[5] = 7
	if x.Float(5) != 7 || x.F32()[5] != 7 {
		t.Error("FromSlice does not share the slice's memory")
	}
	x.Shape()[0] = 9
	if x.Shape()[0] != 2 {
		t.Error("Shape gives the tensor's own slice away")
	}
	y, err := x.Reshape(3, -1)
	if err != nil || !slices.Equal(y.Shape(), []int{3, 2}) {
		t.Fatalf("Reshape gives %v, %v", y, err)
	}
	y.SetFloat(0, 8)
	if x.Float(0) != 8 {
		t.Error("Reshape does not share memory")
	}
	c := x.Clone()
	c.SetFloat(0, -1)
	if x.Float(0) != 8 {
		t.Error("Clone shares memory")
	}
	if err := x.CopyFrom(c); err != nil || x.Float(0) != -1 {
		t.Errorf("CopyFrom: %v, %v", err, x)
	}

	for _, x := range []*tarn.Tensor{tarn.Vector([]int64{}), tarn.Zeros(tarn.Bool, 0), tarn.Vector([]bool(nil))} {
		if x.Size() != 0 || x.Rank() != 1 || len(x.Floats()) != 0 || len(x.Raw()) != 0 {
			t.Errorf("an empty tensor is %v", x)
		}
	}
	for _, x := range []*tarn.Tensor{tarn.Scalar(true), tarn.Scalar(int32(1)), tarn.Scalar(int64(1)), tarn.Scalar(float32(1)), tarn.Scalar(1.0)} {
		if x.Rank() != 0 || x.Item() != 1 || x.DType().Size() != len(x.Raw()) {
			t.Errorf("a scalar is %v", x)
		}
	}
	if b := tarn.Vector([]bool{true, false}).Bools(); !b[0] || b[1] {
		t.Errorf("bools are %v", b)
	}
}

func TestTensorErrors(t *testing.T) {
	x := tarn.Zeros(tarn.F32, 2, 3)
	tests := []struct {
		name string
		f    func() error
		want string
	}{
		{"too few", func() error { _, err := tarn.FromSlice([]float64{1, 2}, 3); return err }, "FromSlice: shape [3] holds 3 elements, the slice has 2"},
		{"negative", func() error { _, err := tarn.FromSlice([]float64{1}, -1, -1); return err }, "negative size -1 at axis 0"},
		{"overflow", func() error { _, err := tarn.FromSlice([]float64{1}, 1<<40, 1<<40); return err }, "more elements than memory can"},
		{"reshape", func() error { _, err := x.Reshape(4, -1); return err }, "Reshape: [2 3] has 6 elements, which [4 -1] cannot hold"},
		{"reshape twice", func() error { _, err := x.Reshape(-1, -1); return err }, "only one size"},
		{"copy", func() error { return x.CopyFrom(tarn.Zeros(tarn.F64, 2, 3)) }, "cannot copy f64[2 3] into f32[2 3]"},
		{"copy of nothing", func() error { return x.CopyFrom(nil) }, "is nil"},
	}
	for _, tt := range tests {
		if err := tt.f(); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "tarn: ") {
			t.Errorf("%s: the error is %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// TestTensorPanics checks that misuse of what cannot return an error panics with a reason, as an index out of range does.
func TestTensorPanics(t *testing.T) {
	x := tarn.Zeros(tarn.F32, 2)
	tests := []struct {
		name string
		f    func()
		want string
	}{
		{"Zeros", func() { tarn.Zeros(tarn.F32, 2, -1) }, "negative size -1 at axis 1"},
		{"Item", func() { x.Item() }, "Item of a tensor of shape [2]"},
		{"Float", func() { x.Float(2) }, "element 2 of a tensor of 2 elements"},
		{"SetFloat", func() { x.SetFloat(-1, 0) }, "element -1"},
		{"F64", func() { x.F64() }, "elements are f32, not f64"},
	}
	for _, tt := range tests {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || !strings.Contains(r, tt.want) {
					t.Errorf("%s panics with %q, want %q", tt.name, r, tt.want)
				}
			}()
			tt.f()
		}()
	}
}

func TestTensorString(t *testing.T) {
	long := tarn.Zeros(tarn.I64, 20)
	for i := range 20 {
		long.SetFloat(i, float64(i))
	}
	matrix, err := tarn.FromSlice([]float32{1, -2.5, 1e-10, 1.0 / 3}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	deep, err := tarn.FromSlice([]bool{true, false, false, true}, 2, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		x    *tarn.Tensor
		want string
	}{
		{tarn.Scalar(int32(-3)), "i32[] -3"},
		{tarn.Scalar(math.Inf(-1)), "f64[] -Inf"},
		{tarn.Vector([]float64{1, math.NaN()}), "f64[2] [1 NaN]"},
		{tarn.Zeros(tarn.F32, 0, 2), "f32[0 2] []"},
		{long, "i64[20] [0 1 2 ... 17 18 19]"},
		{tarn.Zeros(tarn.I32, 7), "i32[7] [0 0 0 0 0 0 0]"},
		{matrix.Cast(tarn.BF16), "bf16[2 2] [[1 -2.5]\n [1e-10 0.334]]"},
		{matrix.Cast(tarn.F16), "f16[2 2] [[1 -2.5]\n [0 0.3333]]"},
		{matrix, "f32[2 2] [[1 -2.5]\n [1e-10 0.333333]]"},
		{deep, "bool[2 1 2] [[[true false]]\n [[false true]]]"},
	}
	for _, tt := range tests {
		if got := tt.x.String(); got != tt.want {
			t.Errorf("the tensor prints as\n%s\nand should print as\n%s", got, tt.want)
		}
	}
}

func TestTensorDiff(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name      string
		a, b      *tarn.Tensor
		tolerance float64
		want      string // a part of Diff, or "" for equal
	}{
		{"equal", tarn.Vector([]float64{1, nan, inf, -inf}), tarn.Vector([]float64{1, nan, inf, -inf}), 0, ""},
		{"within", tarn.Vector([]float64{100}), tarn.Vector([]float64{100.9}), 0.01, ""},
		{"near zero", tarn.Vector([]float64{0}), tarn.Vector([]float64{0.01}), 0.01, ""},
		{"beyond", tarn.Vector([]float64{1, 2, 3}), tarn.Vector([]float64{1, 2.5, 4}), 0.1, "2 of 3 elements differ, the first at [1]: 2 and 2.5"},
		{"NaN", tarn.Vector([]float64{nan}), tarn.Vector([]float64{0}), 1e9, "1 of 1"},
		{"infinity", tarn.Vector([]float64{inf}), tarn.Vector([]float64{1e300}), 1, "1 of 1"},
		{"two infinities", tarn.Vector([]float64{inf}), tarn.Vector([]float64{-inf}), 1, "1 of 1"},
		{"integers", tarn.Vector([]int64{1 << 60}), tarn.Vector([]int64{1<<60 + 1}), 1, "1 of 1"},
		{"dtypes", tarn.Vector([]int64{1}), tarn.Vector([]int32{1}), 1, "types differ: i64[1] and i32[1]"},
		{"shapes", tarn.Zeros(tarn.F32, 2, 3), tarn.Zeros(tarn.F32, 3, 2), 1, "types differ: f32[2 3] and f32[3 2]"},
		{"place", tarn.Zeros(tarn.Bool, 2, 2), tarn.Vector([]bool{false, false, true, false}), 0, "types differ"},
	}
	for _, tt := range tests {
		diff := tt.a.Diff(tt.b, tt.tolerance)
		if (diff == "") != (tt.want == "") || !strings.Contains(diff, tt.want) {
			t.Errorf("%s: Diff is %q, want %q", tt.name, diff, tt.want)
		}
		if tt.a.Equal(tt.b, tt.tolerance) != (diff == "") {
			t.Errorf("%s: Equal and Diff disagree", tt.name)
		}
	}
}

func TestTensorCast(t *testing.T) {
	x := tarn.Vector([]float64{0, -0.5, 1.75, -2.25, 1 << 24, 1<<24 + 1})
	tests := []struct {
		dtype tarn.DType
		want  []float64
	}{
		{tarn.F64, []float64{0, -0.5, 1.75, -2.25, 1 << 24, 1<<24 + 1}},
		{tarn.F32, []float64{0, -0.5, 1.75, -2.25, 1 << 24, 1 << 24}},
		{tarn.I32, []float64{0, 0, 1, -2, 1 << 24, 1<<24 + 1}},
		{tarn.I64, []float64{0, 0, 1, -2, 1 << 24, 1<<24 + 1}},
		{tarn.Bool, []float64{0, 1, 1, 1, 1, 1}},
		{tarn.BF16, []float64{0, -0.5, 1.75, -2.25, 1 << 24, 1 << 24}},
		{tarn.F16, []float64{0, -0.5, 1.75, -2.25, math.Inf(1), math.Inf(1)}},
	}
	for _, tt := range tests {
		got := x.Cast(tt.dtype)
		if got.DType() != tt.dtype || !slices.Equal(got.Floats(), tt.want) {
			t.Errorf("Cast to %v gives %v", tt.dtype, got)
		}
	}
	if y := x.Cast(tarn.F64); &y.F64()[0] == &x.F64()[0] {
		t.Error("Cast to the same dtype shares memory")
	}
	big := tarn.Vector([]int64{1<<62 + 1})
	if got := big.Cast(tarn.I64).I64()[0]; got != 1<<62+1 {
		t.Errorf("an i64 went through another type: %d", got)
	}
}
