package tarn_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares special functions with mpmath over their whole range, and running and NaN-aware reductions, quantiles and bit operations with
// PyTorch, as testdata/special.py has recorded them.

func valuesAt(f func(v *tarn.Value, axis int) (a, b *tarn.Value), axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { a, _ := f(in[0], axis); return a }
}

func indicesAt(f func(v *tarn.Value, axis int) (a, b *tarn.Value), axis int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { _, b := f(in[0], axis); return b }
}

func unaryOf(f func(v *tarn.Value) *tarn.Value) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return f(in[0]) }
}

func binaryOf(f func(v *tarn.Value, o tarn.Operand) *tarn.Value) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return f(in[0], in[1]) }
}

func over(f func(v *tarn.Value, axes ...int) *tarn.Value, axes ...int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return f(in[0], axes...) }
}

func quantile(f func(v *tarn.Value, q float64, axes ...int) *tarn.Value, q float64, axes ...int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return f(in[0], q, axes...) }
}

func ofOrder(n int) func(in ...*tarn.Value) *tarn.Value {
	return func(in ...*tarn.Value) *tarn.Value { return in[0].Polygamma(n) }
}

var specialOps = map[string]func(in ...*tarn.Value) *tarn.Value{
	"Asinh": unaryOf((*tarn.Value).Asinh), "Acosh": unaryOf((*tarn.Value).Acosh), "Atanh": unaryOf((*tarn.Value).Atanh),
	"Exp2": unaryOf((*tarn.Value).Exp2), "Log2": unaryOf((*tarn.Value).Log2), "Log10": unaryOf((*tarn.Value).Log10), "Logit": unaryOf((*tarn.Value).Logit),
	"Erfc": unaryOf((*tarn.Value).Erfc), "ErfInv": unaryOf((*tarn.Value).ErfInv), "Lgamma": unaryOf((*tarn.Value).Lgamma), "Digamma": unaryOf((*tarn.Value).Digamma),
	"Polygamma 1": ofOrder(1), "Polygamma 2": ofOrder(2), "Polygamma 5": ofOrder(5),
	"IGamma":  func(in ...*tarn.Value) *tarn.Value { return in[0].StopGradient().IGamma(in[1]) },
	"IGammaC": func(in ...*tarn.Value) *tarn.Value { return in[0].StopGradient().IGammaC(in[1]) },
	"Sinc":    unaryOf((*tarn.Value).Sinc), "Xlogy": binaryOf((*tarn.Value).Xlogy), "Xlog1py": binaryOf((*tarn.Value).Xlog1py), "Entr": unaryOf((*tarn.Value).Entr),
	"Logaddexp": binaryOf((*tarn.Value).Logaddexp), "Logaddexp2": binaryOf((*tarn.Value).Logaddexp2), "Hypot": binaryOf((*tarn.Value).Hypot),

	"Xlogy edges": binaryOf((*tarn.Value).Xlogy), "Logaddexp edges": binaryOf((*tarn.Value).Logaddexp), "Hypot edges": binaryOf((*tarn.Value).Hypot),
	"Sinc edges": unaryOf((*tarn.Value).Sinc), "Lgamma edges": unaryOf((*tarn.Value).Lgamma), "Digamma edges": unaryOf((*tarn.Value).Digamma),
	"Erfc edges": unaryOf((*tarn.Value).Erfc), "ErfInv edges": unaryOf((*tarn.Value).ErfInv), "Exp2 edges": unaryOf((*tarn.Value).Exp2),
	"Log2 edges": unaryOf((*tarn.Value).Log2), "Asinh edges": unaryOf((*tarn.Value).Asinh), "Acosh edges": unaryOf((*tarn.Value).Acosh),
	"Atanh edges": unaryOf((*tarn.Value).Atanh), "IGamma edges": binaryOf((*tarn.Value).IGamma), "IGammaC edges": binaryOf((*tarn.Value).IGammaC),
	"IsNaN": unaryOf((*tarn.Value).IsNaN), "IsInf": unaryOf((*tarn.Value).IsInf),
	"NanToNum": func(in ...*tarn.Value) *tarn.Value { return in[0].NanToNum(0.5, 7, -8) },
	"Fmax":     binaryOf((*tarn.Value).Fmax), "Fmin": binaryOf((*tarn.Value).Fmin), "Heaviside": binaryOf((*tarn.Value).Heaviside), "Ndtr": unaryOf((*tarn.Value).Ndtr),
	"KthValue 3":       func(in ...*tarn.Value) *tarn.Value { y, _ := in[0].KthValue(1, 3); return y },
	"KthValue index 3": func(in ...*tarn.Value) *tarn.Value { _, i := in[0].KthValue(1, 3); return i },
	"Trunc":            unaryOf((*tarn.Value).Trunc), "Frac": unaryOf((*tarn.Value).Frac), "CopySign": binaryOf((*tarn.Value).CopySign),
	"Deg2Rad": unaryOf((*tarn.Value).Deg2Rad), "Rad2Deg": unaryOf((*tarn.Value).Rad2Deg),
	"Lerp":      func(in ...*tarn.Value) *tarn.Value { return in[0].Lerp(in[1], in[2]) },
	"CumProd 1": func(in ...*tarn.Value) *tarn.Value { return in[0].CumProd(1) },
	"CumProd 0": func(in ...*tarn.Value) *tarn.Value { return in[0].CumProd(0) },
	"CumMax 1":  valuesAt((*tarn.Value).CumMax, 1), "CumMin 1": valuesAt((*tarn.Value).CumMin, 1),
	"CumMax index 1": indicesAt((*tarn.Value).CumMax, 1), "CumMin index 0": indicesAt((*tarn.Value).CumMin, 0),
	"LogCumSumExp 1":    func(in ...*tarn.Value) *tarn.Value { return in[0].LogCumSumExp(1) },
	"LogCumSumExp ends": func(in ...*tarn.Value) *tarn.Value { return in[0].LogCumSumExp(1) },
	"Diff 1":            func(in ...*tarn.Value) *tarn.Value { return in[0].Diff(1, 1) },
	"Diff 1 twice":      func(in ...*tarn.Value) *tarn.Value { return in[0].Diff(1, 2) },
	"Quantile 0.3":      quantile((*tarn.Value).Quantile, 0.3, 1), "Quantile 1": quantile((*tarn.Value).Quantile, 1, 1),
	"Quantile nan": quantile((*tarn.Value).Quantile, 0.3, 1), "Quantile all": quantile((*tarn.Value).Quantile, 0.62),
	"Median 1": over((*tarn.Value).Median, 1), "Median nan": over((*tarn.Value).Median, 1),
	"Mode 1": valuesAt((*tarn.Value).Mode, 1), "Mode index 1": indicesAt((*tarn.Value).Mode, 1),
	"NanSum 1": over((*tarn.Value).NanSum, 1), "NanMean 1": over((*tarn.Value).NanMean, 1), "NanMean none": over((*tarn.Value).NanMean, 1),
	"NanQuantile 0.3": quantile((*tarn.Value).NanQuantile, 0.3, 1), "NanQuantile none": quantile((*tarn.Value).NanQuantile, 0.3, 1),
	"NanMedian 1": over((*tarn.Value).NanMedian, 1), "CountNonzero 1": over((*tarn.Value).CountNonzero, 1),
	"Sum of bools":    func(in ...*tarn.Value) *tarn.Value { return in[0].Gt(tarn.Num(0.4)).Sum(1) },
	"CumSum of bools": func(in ...*tarn.Value) *tarn.Value { return in[0].Gt(tarn.Num(0.4)).CumSum(1) },
	"KeepDims 1":      func(in ...*tarn.Value) *tarn.Value { return in[0].KeepDims((*tarn.Value).Mean, 1) },

	"And": binaryOf((*tarn.Value).And), "Or": binaryOf((*tarn.Value).Or), "Xor": binaryOf((*tarn.Value).Xor), "Not": unaryOf((*tarn.Value).Not),
	"ShiftLeft": binaryOf((*tarn.Value).ShiftLeft), "ShiftRight": binaryOf((*tarn.Value).ShiftRight),
	"Pow": func(in ...*tarn.Value) *tarn.Value { return in[0].Pow(in[1].Abs()) },
}

// cancels are the functions with zeros next to which no digits are left of their terms: there the error is counted in units of 1.
var cancels = map[string]bool{"Lgamma": true, "Digamma": true, "Polygamma 2": true, "Logaddexp2": true}

func TestSpecialFunctions(t *testing.T) {
	data, err := os.ReadFile("testdata/special.json")
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]map[string]golden
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for group, cases := range record {
		for name, c := range cases {
			covered[name] = true
			f := specialOps[name]
			if f == nil {
				t.Errorf("there is no op for the case %s", name)
				continue
			}
			t.Run(group+"/"+name, func(t *testing.T) {
				switch dtype, integer := map[string]tarn.DType{"i32": tarn.I32, "i64": tarn.I64}[group]; {
				case integer:
					c.compare(t, dtype, 0, f)
				case group == "exact":
					c.compareExactly(t, name, f)
				default:
					c.compare(t, tarn.F64, 1e-13, f)
				}
			})
		}
	}
	for name := range specialOps {
		if !covered[name] {
			t.Errorf("the record has no case %s", name)
		}
	}
}

// compareExactly compares values and derivatives relative to their size.
func (c golden) compareExactly(t *testing.T, name string, f func(in ...*tarn.Value) *tarn.Value) {
	g, data := tarn.NewGraph(), map[string]*tarn.Tensor{}
	var in []*tarn.Value
	for i, text := range c.In {
		at := fmt.Sprint(i)
		data[at] = parse(t, text, tarn.F64, c.Shapes[i]...)
		in = append(in, g.Input(at, tarn.F64, c.Shapes[i]...))
	}
	y := f(in...)
	outputs, want := tarn.Outputs{"value": y}, map[string]string{"value": c.Y}
	ds := tarn.Grad(y.Sum(), in...)
	for i, text := range c.D {
		if text != "" {
			what := fmt.Sprint("derivative ", i)
			outputs[what], want[what] = ds[i], text
		}
	}
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatal(err)
	}
	var inputs []*tarn.Tensor
	for _, name := range p.Inputs() {
		inputs = append(inputs, data[name])
	}
	out, err := p.Run(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range want {
		exact := parse(t, text, tarn.F64, c.Shapes[0]...)
		for i := range exact.Size() {
			got, want := out[what].Float(i), exact.Float(i)
			scale := math.Abs(want)
			if cancels[name] {
				scale = max(scale, 1)
			}
			if got == want || math.Abs(want) < 1e-290 && math.Abs(got) < 1e-290 {
				continue
			}
			if e := math.Abs(got-want) / scale; !(e <= 1e-13) {
				var at []float64
				for k := range c.In {
					at = append(at, data[fmt.Sprint(k)].Float(i))
				}
				t.Errorf("%s at %v is %v, want %v: off by %.2g", what, at, got, want, e)
			}
		}
	}
}
