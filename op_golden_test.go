package tarn_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares ops and their gradients with what PyTorch gives, as testdata/ops.py has recorded it: above all at
// kinks, where differences cannot tell what the derivative should be, and at infinity.

// goldenOps are the ops by the names that the record uses.
var goldenOps = map[string]func(in ...*tarn.Value) *tarn.Value{
	"Pow":       func(in ...*tarn.Value) *tarn.Value { return in[0].Pow(in[1]) },
	"Minimum":   func(in ...*tarn.Value) *tarn.Value { return in[0].Minimum(in[1]) },
	"Maximum":   func(in ...*tarn.Value) *tarn.Value { return in[0].Maximum(in[1]) },
	"Atan2":     func(in ...*tarn.Value) *tarn.Value { return in[0].Atan2(in[1]) },
	"Div":       func(in ...*tarn.Value) *tarn.Value { return in[0].Div(in[1]) },
	"Clip":      func(in ...*tarn.Value) *tarn.Value { return in[0].Clip(tarn.Num(-1), tarn.Num(1)) },
	"LeakyReLU": func(in ...*tarn.Value) *tarn.Value { return in[0].LeakyReLU(0.1) },
	"ELU":       func(in ...*tarn.Value) *tarn.Value { return in[0].ELU(0.7) },
	"CELU":      func(in ...*tarn.Value) *tarn.Value { return in[0].CELU(0.5) },
	"HardTanh":  func(in ...*tarn.Value) *tarn.Value { return in[0].HardTanh(-1, 1.9) },

	"Clip by values":  func(in ...*tarn.Value) *tarn.Value { return in[0].Clip(in[1], in[2]) },
	"Prod":            func(in ...*tarn.Value) *tarn.Value { return in[0].Prod() },
	"Prod 1":          func(in ...*tarn.Value) *tarn.Value { return in[0].Prod(1) },
	"Prod of nothing": func(in ...*tarn.Value) *tarn.Value { return in[0].Prod() },
	"Max 1":           func(in ...*tarn.Value) *tarn.Value { return in[0].Max(1) },
	"Min 1":           func(in ...*tarn.Value) *tarn.Value { return in[0].Min(1) },
	"Mean 0":          func(in ...*tarn.Value) *tarn.Value { return in[0].Mean(0) },
	"Mean of nothing": func(in ...*tarn.Value) *tarn.Value { return in[0].Mean() },
	"Sum 0 1":         func(in ...*tarn.Value) *tarn.Value { return in[0].Sum(0, 1) },
	"Var 1 1":         func(in ...*tarn.Value) *tarn.Value { return in[0].Var(1, 1) },
	"Var 0 0":         func(in ...*tarn.Value) *tarn.Value { return in[0].Var(0, 0) },
	"Var of one":      func(in ...*tarn.Value) *tarn.Value { return in[0].Var(1, 0) },
	"Std 1 1":         func(in ...*tarn.Value) *tarn.Value { return in[0].Std(1, 1) },
	"Std 1 all":       func(in ...*tarn.Value) *tarn.Value { return in[0].Std(1) },
	"LogSumExp 1":     func(in ...*tarn.Value) *tarn.Value { return in[0].LogSumExp(1) },
	"LogSumExp ends":  func(in ...*tarn.Value) *tarn.Value { return in[0].LogSumExp(1) },
	"Softmax 0":       func(in ...*tarn.Value) *tarn.Value { return in[0].Softmax(0) },
	"Softmax 1":       func(in ...*tarn.Value) *tarn.Value { return in[0].Softmax(1) },
	"Softmax ends":    func(in ...*tarn.Value) *tarn.Value { return in[0].Softmax(1) },
	"LogSoftmax 1":    func(in ...*tarn.Value) *tarn.Value { return in[0].LogSoftmax(1) },
	"LogSoftmax ends": func(in ...*tarn.Value) *tarn.Value { return in[0].LogSoftmax(1) },
	"CumSum 1":        func(in ...*tarn.Value) *tarn.Value { return in[0].CumSum(1) },
	"ArgMax 1":        func(in ...*tarn.Value) *tarn.Value { return in[0].ArgMax(1) },
	"ArgMin 1":        func(in ...*tarn.Value) *tarn.Value { return in[0].ArgMin(1) },
}

func init() {
	for name, f := range map[string]func(v *tarn.Value) *tarn.Value{
		"Neg": (*tarn.Value).Neg, "Abs": (*tarn.Value).Abs, "Sign": (*tarn.Value).Sign, "Square": (*tarn.Value).Square,
		"Reciprocal": (*tarn.Value).Reciprocal, "Sqrt": (*tarn.Value).Sqrt, "Rsqrt": (*tarn.Value).Rsqrt, "Exp": (*tarn.Value).Exp,
		"Expm1": (*tarn.Value).Expm1, "Log": (*tarn.Value).Log, "Log1p": (*tarn.Value).Log1p, "Sin": (*tarn.Value).Sin,
		"Cos": (*tarn.Value).Cos, "Tan": (*tarn.Value).Tan, "Asin": (*tarn.Value).Asin, "Acos": (*tarn.Value).Acos,
		"Atan": (*tarn.Value).Atan, "Sinh": (*tarn.Value).Sinh, "Cosh": (*tarn.Value).Cosh, "Tanh": (*tarn.Value).Tanh,
		"Sigmoid": (*tarn.Value).Sigmoid, "Softplus": (*tarn.Value).Softplus, "Erf": (*tarn.Value).Erf, "Floor": (*tarn.Value).Floor,
		"Ceil": (*tarn.Value).Ceil, "Round": (*tarn.Value).Round, "ReLU": (*tarn.Value).ReLU, "SELU": (*tarn.Value).SELU,
		"GELU": (*tarn.Value).GELU, "GELUTanh": (*tarn.Value).GELUTanh, "SiLU": (*tarn.Value).SiLU, "Mish": (*tarn.Value).Mish,
		"HardSigmoid": (*tarn.Value).HardSigmoid, "HardSwish": (*tarn.Value).HardSwish, "Softsign": (*tarn.Value).Softsign,
		"LogSigmoid": (*tarn.Value).LogSigmoid,
	} {
		goldenOps[name] = func(in ...*tarn.Value) *tarn.Value { return f(in[0]) }
	}
	for _, p := range []float64{2, 1, 3, 1.5, 0.5, 0, math.Inf(1), math.Inf(-1)} {
		name := strings.ToLower(fmt.Sprint("Norm ", p))
		name = "Norm" + strings.TrimPrefix(strings.ReplaceAll(name, "+", ""), "norm")
		goldenOps[name] = func(in ...*tarn.Value) *tarn.Value { return in[0].Norm(p, 1) }
	}
}

// golden is what PyTorch gave for one op in one dtype: numbers apart by spaces.
type golden struct {
	In     []string
	Shapes [][]int
	Y      string
	D      []string
}

func TestOpsEqualPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/ops.json")
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]map[string]golden
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	for name := range goldenOps {
		if record[name] == nil {
			t.Errorf("the record has no case %s", name)
		}
	}
	for name, byType := range record {
		f := goldenOps[name]
		if f == nil {
			f = goldenOps[strings.TrimSuffix(strings.TrimSuffix(name, " ends"), " nan")]
		}
		if f == nil {
			t.Errorf("there is no op for the case %s", name)
			continue
		}
		for dtype, c := range byType {
			t.Run(name+"/"+dtype, func(t *testing.T) {
				tolerance := map[string]float64{"f64": 1e-13, "f32": 2e-6}[dtype]
				if name == "HardSigmoid" {
					tolerance = max(tolerance, 1e-7) // PyTorch rounds its derivative of 1/6 to float32
				}
				if name == "Softsign ends" {
					c.D = nil // at infinity a NaN comes out; what its gradient is does not matter
				}
				c.compare(t, map[string]tarn.DType{"f64": tarn.F64, "f32": tarn.F32}[dtype], tolerance, f)
			})
		}
	}
}

func (c golden) compare(t *testing.T, dtype tarn.DType, tolerance float64, f func(in ...*tarn.Value) *tarn.Value) {
	g, data := tarn.NewGraph(), map[string]*tarn.Tensor{}
	var in []*tarn.Value
	for i, text := range c.In {
		name := fmt.Sprint(i)
		data[name] = parse(t, text, dtype, c.Shapes[i]...)
		in = append(in, g.Input(name, dtype, c.Shapes[i]...))
	}
	y := f(in...)
	outputs := tarn.Outputs{"y": y}
	if len(c.D) > 0 {
		dy := tarn.Zeros(dtype, y.Shape()...)
		for i := range dy.Size() {
			dy.SetFloat(i, 0.5+0.25*float64(i%5))
		}
		for i, d := range tarn.VJP(y, g.Const(dy), floats(in)...) {
			outputs[fmt.Sprint("gradient ", i)] = d
		}
	}
	out := compare(t, g, outputs, data)
	check := func(name, text string) {
		got := out[name]
		if diff := got.Diff(parse(t, text, got.DType(), got.Shape()...), tolerance); diff != "" {
			t.Errorf("%s at %s: %s\n got %v\nwant %s", name, strings.Join(c.In, " | "), diff, got, text)
		}
	}
	check("y", c.Y)
	for i, text := range c.D {
		check(fmt.Sprint("gradient ", i), text)
	}
}

// parse reads numbers that are apart by spaces.
func parse(t *testing.T, text string, dtype tarn.DType, shape ...int) *tarn.Tensor {
	t.Helper()
	x := tarn.Zeros(dtype, shape...)
	fields := strings.Fields(text)
	if len(fields) != x.Size() {
		t.Fatalf("%d numbers for the shape %v", len(fields), shape)
	}
	for i, field := range fields {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		x.SetFloat(i, v)
	}
	return x
}
