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

// cdist is the case of distances; the rows differ in all coordinates.
func cdist(p float64) opCase {
	return pairwise("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, p) }, between(-4, -1), between(-0.5, 3)).as(fmt.Sprint("p=", p)).within(10).
		with([][]int{{4, 3}, {2, 3}}, [][]int{{2, 2, 3}, {3, 3}}, [][]int{{1, 2, 2}, {2, 1, 2}}, [][]int{{2, 1}, {2, 1}}, [][]int{{2, 0}, {3, 0}}, [][]int{{0, 2}, {3, 2}})
}

func init() {
	for _, p := range []float64{2, 1, 3, 1.5, 0.5, -1, math.Inf(1), math.Inf(-1)} {
		register(each(reduction("Norm", norm(p), between(-4, 4, 0)), form(fmt.Sprint("p=", p)))...)
	}
	for _, p := range []float64{2, 1, 3, 1.5, 0.5, math.Inf(1)} {
		register(cdist(p))
	}
	register(flat(cdist(0)))
	register(each(each(reduction("Norm", norm(0), between(-4, 4, 0)), form("p=0")), flat)...)
}

var _ = refuse(
	unaryRefusal("Var", func(v *tarn.Value) *tarn.Value { return v.Var(1) }, i32(3), "the operand is i32 and should be f32 or f64"),
	unaryRefusal("Var", func(v *tarn.Value) *tarn.Value { return v.Var(1, 1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("Std", func(v *tarn.Value) *tarn.Value { return v.Std(1, 1) }, f32(3), "axis 1 is not an axis"),
	unaryRefusal("Norm", func(v *tarn.Value) *tarn.Value { return v.Norm(2, 0, 0) }, f32(3), "axis 0 is named twice"),
	unaryRefusal("Norm", func(v *tarn.Value) *tarn.Value { return v.Norm(2) }, bool_(3), "bool"),
	binaryRefusal("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, -1) }, f32(3, 2), f32(3, 2), "the power -1 should be 0 or more"),
	binaryRefusal("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, 2) }, f32(3, 2), f64(3, 2), "should both be f32 or both f64"),
	binaryRefusal("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, 2) }, f32(3, 2), f32(3, 3), "the operands are [3 2] and [3 3] and should be rows of one size"),
	binaryRefusal("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, 2) }, f32(3, 2), f32(2), "should be rows of one size"),
	binaryRefusal("Cdist", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.Cdist(o, 2) }, f32(2, 3, 2), f32(3, 3, 2), "differ at axis 0"),
	unaryRefusal("Cdist", func(v *tarn.Value) *tarn.Value { return v.Cdist(nil, 2) }, f32(3, 2), "Cdist: operand 2 is nil"),
)

// TestStableStatistics returns the statistics numbers at which the textbook's formula loses all digits or overflows.
func TestStableStatistics(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		name string
		f    func(v *tarn.Value) *tarn.Value
		x    []float64
		want float64
	}{
		{"variance at a large mean", func(v *tarn.Value) *tarn.Value { return v.Var(0) }, []float64{1e9, 1e9 + 1, 1e9 + 2}, 2.0 / 3},
		{"variance at a larger mean", func(v *tarn.Value) *tarn.Value { return v.Var(0) }, []float64{1e15, 1e15 + 1, 1e15 + 2}, 2.0 / 3},
		{"variance around a mean between two numbers", func(v *tarn.Value) *tarn.Value { return v.Var(0) }, []float64{1 << 53, 1<<53 + 2}, 1},
		{"variance of equal numbers", func(v *tarn.Value) *tarn.Value { return v.Var(0) }, []float64{0.1, 0.1, 0.1}, 0},
		{"deviation of equal numbers", func(v *tarn.Value) *tarn.Value { return v.Std(0) }, []float64{0.1, 0.1, 0.1}, 0},
		{"unbiased deviation of equal numbers", func(v *tarn.Value) *tarn.Value { return v.Std(1) }, []float64{0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7}, 0},
		{"deviation of many equal numbers", func(v *tarn.Value) *tarn.Value { return v.Expand(100003).Std(1) }, []float64{0.1}, 0},
		{"deviation of large numbers", func(v *tarn.Value) *tarn.Value { return v.Std(0) }, []float64{1e200, 3e200}, 1e200},
		{"deviation of small numbers", func(v *tarn.Value) *tarn.Value { return v.Std(0) }, []float64{1e-200, 3e-200}, 1e-200},
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

// TestStatisticsOfEqualElements returns them with their gradients, which are 0 and not what rounding has left, and numbers with a large mean.
func TestStatisticsOfEqualElements(t *testing.T) {
	for _, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
		for _, test := range []struct {
			x        []float64
			variance float64
		}{
			{[]float64{0.1, 0.1, 0.1}, 0},
			{[]float64{0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7}, 0},
			{[]float64{-1e-30, -1e-30, -1e-30}, 0},
			{[]float64{1e7, 1e7 + 1, 1e7 + 2}, 2.0 / 3},
			{[]float64{1e7, 1e7 + 1}, 0.25},
			{[]float64{-3}, 0},
		} {
			g := tarn.NewGraph()
			x := g.Input("x", dtype, len(test.x))
			std, variance := x.Std(0), x.Var(0)
			outputs := tarn.Outputs{"std": std, "var": variance, "dstd": tarn.Grad(std, x)[0], "dvar": tarn.Grad(variance, x)[0],
				"second": tarn.HVP(std, []*tarn.Value{x}, []*tarn.Value{x})[0]}
			p, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(tarn.Vector(test.x).Cast(dtype))
			if err != nil {
				t.Fatal(err)
			}
			deviation := math.Sqrt(test.variance)
			if got := out["var"].Item(); math.Abs(got-test.variance) > 1e-7*test.variance {
				t.Errorf("%v %v: the variance is %v, want %v", dtype, test.x, got, test.variance)
			}
			if got := out["std"].Item(); math.Abs(got-deviation) > 1e-7*deviation {
				t.Errorf("%v %v: the deviation is %v, want %v", dtype, test.x, got, deviation)
			}
			mean := 0.0
			for _, v := range test.x {
				mean += v / float64(len(test.x))
			}
			for i, v := range test.x {
				want, wantVar := 0.0, 2*(v-mean)/float64(len(test.x))
				if deviation > 0 {
					want = (v - mean) / float64(len(test.x)) / deviation
				} else {
					wantVar = 0
				}
				if got := out["dstd"].Float(i); math.Abs(got-want) > 1e-6 {
					t.Errorf("%v %v: the gradient of the deviation is %v, and should be %v at %d", dtype, test.x, out["dstd"], want, i)
				}
				if got := out["dvar"].Float(i); math.Abs(got-wantVar) > 1e-6 {
					t.Errorf("%v %v: the gradient of the variance is %v, and should be %v at %d", dtype, test.x, out["dvar"], wantVar, i)
				}
				if got := out["second"].Float(i); math.IsNaN(got) || math.IsInf(got, 0) || deviation == 0 && got != 0 {
					t.Errorf("%v %v: the product with the Hessian of the deviation is %v", dtype, test.x, out["second"])
				}
			}
		}
	}
}

// TestCoincidentPoints checks that distances of points that coincide are 0 with the gradient 0, and that distances of large and small coordinates
// keep their digits.
func TestCoincidentPoints(t *testing.T) {
	for _, p := range []float64{0, 0.5, 1, 1.5, 2, 3, math.Inf(1)} {
		for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
			g := tarn.NewGraph()
			x := g.Input("x", dtype, 2)
			row := x.Reshape(1, 2)
			d := row.Cdist(row.StopGradient(), p)
			far := row.Scale(1e30).Cdist(row.Scale(1e30).AddNum(1e30), p).Div(row.Cdist(row.AddNum(1), p))
			got := compare(t, g, tarn.Outputs{"d": d, "dx": tarn.Grad(d.Sum(), x)[0], "far": far}, map[string]*tarn.Tensor{"x": tarn.Vector([]float64{1, 2}).Cast(dtype)})
			scale := 1e30
			if p == 0 {
				scale = 1
			}
			if v := got["far"].Item() / scale; math.Abs(v-1) > 1e-5 || got["d"].Item() != 0 || got["dx"].Float(0) != 0 || got["dx"].Float(1) != 0 {
				t.Errorf("p=%v, %v: %v", p, dtype, got)
			}
		}
	}
}
