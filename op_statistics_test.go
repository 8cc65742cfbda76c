package tarn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of variance, deviation and norms.

func unbiased(f func(v *tarn.Value, correction int, axes ...int) *tarn.Value, correction int) func(v *tarn.Value, axes ...int) *tarn.Value {
	return func(v *tarn.Value, axes ...int) *tarn.Value { return f(v, correction, axes...) }
}

func norm(p float64) func(v *tarn.Value, axes ...int) *tarn.Value {
	return func(v *tarn.Value, axes ...int) *tarn.Value { return v.Norm(p, axes...) }
}

// several leaves out what has fewer than two elements in a line: there the deviation is 0 and has no derivative.
func several(c opCase) opCase {
	c.spread = true
	return c.with(map[string][][][]int{"all": {{{7}}, {{3, 5}}}, "last": {{{7}}, {{3, 5}}, {{0, 3}}}, "first": {{{3, 5}}, {{2, 0}}},
		"middle": {{{2, 3, 4}}}, "outer": {{{2, 3, 4}}}}[c.form]...)
}

func form(prefix string) func(c opCase) opCase {
	return func(c opCase) opCase { return c.as(prefix + " " + c.form) }
}

var (
	_ = register(reduction("Var", unbiased((*tarn.Value).Var, 0), between(-4, 4))...)
	_ = register(each(each(reduction("Var", unbiased((*tarn.Value).Var, 1), between(-4, 4)), several), form("unbiased"))...)
	_ = register(each(reduction("Std", unbiased((*tarn.Value).Std, 0), between(-4, 4)), several)...)
	_ = register(each(each(reduction("Std", unbiased((*tarn.Value).Std, 1), between(-4, 4)), several), form("unbiased"))...)
)

func init() {
	for _, p := range []float64{2, 1, 3, 1.5, 0.5, -1, math.Inf(1), math.Inf(-1)} {
		register(each(reduction("Norm", norm(p), between(-4, 4, 0)), form(fmt.Sprint("p=", p)))...)
	}
	register(each(each(reduction("Norm", norm(0), between(-4, 4, 0)), form("p=0")), flat)...)
}

var _ = refuse(
	unaryRefusal("Var", func(v *tarn.Value) *tarn.Value { return v.Var(1) }, i32(3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("Var", func(v *tarn.Value) *tarn.Value { return v.Var(1, 1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("Std", func(v *tarn.Value) *tarn.Value { return v.Std(1, 1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("Norm", func(v *tarn.Value) *tarn.Value { return v.Norm(2, 0, 0) }, f32(3), "axis 0 is named twice"),
	unaryRefusal("Norm", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, bool_(3), "bool"),
)

// TestStableStatistics gives the statistics numbers at which the textbook's formula loses all digits or overflows.
func TestStableStatistics(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		name string
		f    func(v *tarn.Value) *tarn.Value
		x    []float64
		want float64
	}{
		{"variance at a large mean", func(v *tarn.Value) *tarn.Value { return v.Var(0) }, []float64{1e9, 1e9 + 1, 1e9 + 2}, 2.0 / 3},
		{"norm of large numbers", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, []float64{3e200, 4e200}, 5e200},
		{"norm of small numbers", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, []float64{3e-200, 4e-200}, 5e-200},
		{"norm of zeros", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, []float64{0, 0}, 0},
		{"norm of an infinity", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, []float64{1, -inf}, inf},
		{"log-sum-exp of large numbers", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, []float64{1000, 1000}, 1000 + math.Ln2},
		{"log-sum-exp of small numbers", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, []float64{-1000, -1000}, -1000 + math.Ln2},
		{"log-sum-exp of -Inf", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, []float64{-inf, -inf}, -inf},
		{"log-sum-exp with -Inf", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, []float64{-inf, 3}, 3},
		{"log-sum-exp with +Inf", func(v *tarn.Value) *tarn.Value { return v.LogSumExp() }, []float64{1, inf}, inf},
		{"log-softmax of large numbers", func(v *tarn.Value) *tarn.Value { return v.LogSoftmax(0).Slice(0, 0, 1).Sum() }, []float64{1e4, 0}, 0},
		{"log-softmax of small numbers", func(v *tarn.Value) *tarn.Value { return v.LogSoftmax(0).Slice(0, 1, 2).Sum() }, []float64{1e4, 0}, -1e4},
	} {
		got := evaluate(t, func(in ...*tarn.Value) *tarn.Value { return test.f(in[0]) }, []*tarn.Tensor{tarn.Vector(test.x)})
		if relative := math.Abs(got.Item()-test.want) / math.Abs(test.want); relative > 1e-15 {
			t.Errorf("%s: %v, want %v", test.name, got.Item(), test.want)
		}
	}
}
