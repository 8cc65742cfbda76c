package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests gradients of branches that are not taken: they are zero, whatever derivatives lie on the way.

// selectionCase is a scalar-valued selection at a point where what is not taken has an infinite or undefined derivative.
type selectionCase struct {
	name string
	at   []float64
	f    func(x *tarn.Value) *tarn.Value // of a vector
	want []float64                       // the gradient of the sum
}

func num(x float64) tarn.Operand { return tarn.Num(x) }

var inf = math.Inf(1)

// constant is numbers as a value of x's dtype.
func constant(x *tarn.Value, numbers []float64, shape ...int) *tarn.Value {
	return x.Graph().Const(tarn.Vector(numbers).Cast(x.DType())).Reshape(shape...)
}

// whereHealthy takes f where x is positive, and 0 elsewhere.
func whereHealthy(f func(x *tarn.Value) *tarn.Value) func(x *tarn.Value) *tarn.Value {
	return func(x *tarn.Value) *tarn.Value { return x.Gt(num(0)).Where(f(x), num(0)) }
}

var selectionCases = []selectionCase{
	{"Sqrt", []float64{0, 4}, whereHealthy((*tarn.Value).Sqrt), []float64{0, 0.25}},
	{"Sqrt of a negative number", []float64{-1, 4}, whereHealthy((*tarn.Value).Sqrt), []float64{0, 0.25}},
	{"Rsqrt", []float64{0, 4}, whereHealthy((*tarn.Value).Rsqrt), []float64{0, -1.0 / 16}},
	{"Log", []float64{0, 4}, whereHealthy((*tarn.Value).Log), []float64{0, 0.25}},
	{"Log1p", []float64{-1, 3}, whereHealthy((*tarn.Value).Log1p), []float64{0, 0.25}},
	{"Reciprocal", []float64{0, 2}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Num(1).Div(x) }), []float64{0, -0.25}},
	{"Div", []float64{0, 2}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Sin().Div(x) }), []float64{0, math.Cos(2)/2 - math.Sin(2)/4}},
	{"Pow", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Pow(num(0.5)) }), []float64{0, 0.25}},
	{"Pow of a negative number", []float64{-2, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Pow(num(0.5)) }), []float64{0, 0.25}},
	{"Pow of a selection", []float64{-1, 4}, func(x *tarn.Value) *tarn.Value { return x.Gt(num(0)).Where(x, num(0)).Pow(num(0.5)) }, []float64{0, 0.25}},
	{"exponent", []float64{-1, 2}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Num(0).Sub(x.Num(3)).Abs().Pow(x) }), []float64{0, 9 * math.Log(3)}},
	{"Acos", []float64{1, 0.5}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(1)).Where(x.Acos(), num(0)) }, []float64{0, -1 / math.Sqrt(0.75)}},
	{"Asin", []float64{2, 0.5}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(1)).Where(x.Asin(), num(0)) }, []float64{0, 1 / math.Sqrt(0.75)}},
	{"Acosh", []float64{1, 2}, func(x *tarn.Value) *tarn.Value { return x.Gt(num(1)).Where(x.Acosh(), num(0)) }, []float64{0, 1 / math.Sqrt(3)}},
	{"Atanh", []float64{1, 0.5}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(1)).Where(x.Atanh(), num(0)) }, []float64{0, 1 / 0.75}},
	{"Log2", []float64{0, 4}, whereHealthy((*tarn.Value).Log2), []float64{0, 0.25 / math.Ln2}},
	{"Exp2", []float64{2000, 1}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(10)).Where(x.Exp2(), num(7)) }, []float64{0, 2 * math.Ln2}},
	{"ErfInv", []float64{1, 0}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(1)).Where(x.ErfInv(), num(7)) }, []float64{0, math.SqrtPi / 2}},
	{"Lgamma", []float64{-2, 2}, whereHealthy((*tarn.Value).Lgamma), []float64{0, 0.42278433509846713}},
	{"Digamma", []float64{0, 1}, whereHealthy((*tarn.Value).Digamma), []float64{0, math.Pi * math.Pi / 6}},
	{"Polygamma", []float64{0, 1}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Polygamma(2) }), []float64{0, math.Pow(math.Pi, 4) / 15}},
	{"IGamma", []float64{0, 1}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Num(0.5).IGamma(x) }), []float64{0, math.Exp(-1) / math.SqrtPi}},
	{"Xlogy", []float64{0, 1}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Num(2).Xlogy(x) }), []float64{0, 2}},
	{"Hypot", []float64{0, 3}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Hypot(num(4)) }), []float64{0, 0.6}},
	{"Exp", []float64{1000, 1}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(10)).Where(x.Exp(), num(7)) }, []float64{0, math.E}},
	{"product with Exp", []float64{1000, 1}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(10)).Where(x.Exp().Mul(x), num(7)) }, []float64{0, 2 * math.E}},
	{"Sinh", []float64{1000, 1}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(10)).Where(x.Sinh(), num(7)) }, []float64{0, math.Cosh(1)}},
	{"Square", []float64{1e200, 1}, func(x *tarn.Value) *tarn.Value { return x.Lt(num(10)).Where(x.Square().Exp(), num(7)) }, []float64{0, 2 * math.E}},
	{"Atan2", []float64{0, 1}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Atan2(x.Square()) }), []float64{0, -0.5}},
	{"the other branch", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Le(num(0)).Where(num(0), x.Sqrt()) }, []float64{0, 0.25}},
	{"both branches", []float64{-1, 4}, func(x *tarn.Value) *tarn.Value { return x.Gt(num(0)).Where(x.Sqrt(), x.Neg().Log()) }, []float64{-1, 0.25}},
	{"a chain", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value { return x.Sqrt().AddNum(1).Log().Neg().Exp().Sin() }),
		[]float64{0, -math.Cos(1.0/3) / 9 * 0.25}},
	{"nested selections", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value { return whereHealthy((*tarn.Value).Log)(x.Sqrt()) }), []float64{0, 0.125}},
	{"shapes between", []float64{0, 4, 1, 9}, func(x *tarn.Value) *tarn.Value {
		m := x.Sqrt().Reshape(2, 2).Transpose(0, 1).Flip(1).Unsqueeze(0).Expand(3, 2, 2)
		there := x.Gt(num(0)).Reshape(2, 2).Transpose(0, 1).Flip(1).Unsqueeze(0)
		return there.Where(m, num(0)).Sum(0)
	}, []float64{0, 0.75, 1.5, 0.5}},
	{"a sum between", []float64{0, 0, 1, 4}, func(x *tarn.Value) *tarn.Value {
		rows := x.Reshape(2, 2).Sqrt().Sum(1)
		return rows.Gt(num(0)).Where(rows.Log(), num(0))
	}, []float64{0, 0, 0.5 / 3, 0.25 / 3}},
	{"a norm by hand", []float64{0, 0, 3, 4}, func(x *tarn.Value) *tarn.Value {
		square := x.Reshape(2, 2).Square().Sum(1)
		return square.Gt(num(0)).Where(square.Sqrt(), num(0))
	}, []float64{0, 0, 0.6, 0.8}},
	{"Concat", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value {
		y := x.Sqrt()
		return tarn.Concat(0, y.Slice(0, 1, 2), y.Slice(0, 0, 1)).Flip(0)
	}), []float64{0, 0.25}},
	{"Gather", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value {
		return x.Sqrt().Take(0, x.Graph().Const(tarn.Vector([]int64{0, 1})))
	}), []float64{0, 0.25}},
	{"CumSum", []float64{4, 0}, func(x *tarn.Value) *tarn.Value { return x.Gt(num(0)).Where(x.Sqrt().CumSum(0), num(0)) }, []float64{0.25, 0}},
	{"a product of matrices after", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		w := constant(x, []float64{1, 2}, 1, 2)
		return x.Gt(num(0)).Unsqueeze(1).Where(x.Sqrt().Unsqueeze(1).MatMul(w), num(0))
	}, []float64{0, 0.75}},
	{"a product of matrices before", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		w := constant(x, []float64{1, 0, 0, 1}, 2, 2)
		y := w.MatMul(x.Unsqueeze(1))
		return y.Gt(num(0)).Where(y.Sqrt(), num(0))
	}, []float64{0, 0.25}},
	{"NaN of rows that do not count", []float64{0, 1, 2}, func(x *tarn.Value) *tarn.Value {
		bad := constant(x, []float64{math.NaN(), 1, inf, 3}, 4, 1)
		y := bad.Mul(constant(x, []float64{1, 1, 1}, 1, 3)).MatMul(x.Unsqueeze(1)) // [4 1]
		return bad.IsFinite().Where(y, num(0))
	}, []float64{4, 4, 4}},
	{"Conv", []float64{1, 2}, func(x *tarn.Value) *tarn.Value {
		bad := constant(x, []float64{1, 2, 3, math.NaN()}, 1, 4, 1)
		y := bad.Conv(x.Reshape(2, 1, 1), tarn.ConvOptions{}) // [1 3 1]
		return x.Graph().Const(tarn.Vector([]bool{true, true, false})).Reshape(1, 3, 1).Where(y, num(0))
	}, []float64{3, 5}},
	{"Softmax", []float64{0, 1, 4, 4}, func(x *tarn.Value) *tarn.Value {
		y := x.Reshape(2, 2).Log().Softmax(1)
		return x.Graph().Const(tarn.Vector([]bool{false, true})).Reshape(2, 1).Where(y.Square(), num(0))
	}, []float64{0, 0, 0, 0}},
	{"Prod", []float64{inf, 0, 2, 3}, func(x *tarn.Value) *tarn.Value {
		y := x.Reshape(2, 2).Prod(1)
		return x.Graph().Const(tarn.Vector([]bool{false, true})).Where(y, num(0))
	}, []float64{0, 0, 3, 2}},
	{"Maximum", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Sqrt().Maximum(num(1)) }, []float64{0, 0.25}},
	{"Maximum of a logarithm", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Log().Maximum(num(-100)) }, []float64{0, 0.25}},
	{"Minimum", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Num(1).Div(x).Minimum(num(10)) }, []float64{0, -1.0 / 16}},
	{"Clip", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Log().Clip(num(-10), num(10)) }, []float64{0, 0.25}},
	{"Clip by values", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Log().Clip(x.Num(-10), x.Num(10)) }, []float64{0, 0.25}},
	{"Clip of an overflow", []float64{1000, 1}, func(x *tarn.Value) *tarn.Value { return x.Exp().Clip(num(0), num(10)) }, []float64{0, math.E}},
	{"HardTanh", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Log().HardTanh(-2, 2) }, []float64{0, 0.25}},
	{"ReLU", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Log().ReLU() }, []float64{0, 0.25}},
	{"Max", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Sqrt().Max() }, []float64{0, 0.25}},
	{"Min", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Num(1).Div(x).Min() }, []float64{0, -1.0 / 16}},
	{"Slice", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Sqrt().Slice(0, 1, 2) }, []float64{0, 0.25}},
	{"Take", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		return x.Sqrt().Take(0, x.Graph().Const(tarn.Vector([]int64{1, 1})))
	}, []float64{0, 0.5}},
	{"Gather of one", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		return x.Sqrt().Gather(0, x.Graph().Const(tarn.Vector([]int64{1})))
	}, []float64{0, 0.25}},
	{"TopK", []float64{0, 4, 9}, func(x *tarn.Value) *tarn.Value { y, _ := x.Sqrt().TopK(0, 2); return y }, []float64{0, 0.25, 1.0 / 6}},
	{"MaxPool", []float64{0, 4}, func(x *tarn.Value) *tarn.Value { return x.Sqrt().Reshape(1, 2, 1).MaxPool([]int{2}, tarn.Window{}) }, []float64{0, 0.25}},
	{"Tril", []float64{1, 0, 4, 9}, func(x *tarn.Value) *tarn.Value { return x.Reshape(2, 2).Sqrt().Tril(0) }, []float64{0.5, 0, 0.25, 1.0 / 6}},
	{"Cond in a Scan", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		_, ys := tarn.Scan(nil, []*tarn.Value{x}, tarn.ScanOptions{}, func(_, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return nil, tarn.Cond(xs[0].Gt(num(0)), xs, func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Sqrt()} },
				func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Num(0)} })
		})
		return ys[0]
	}, []float64{0, 0.25}},
	{"a selection in a Scan", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		last, _ := tarn.Scan([]*tarn.Value{x.Num(0)}, []*tarn.Value{x}, tarn.ScanOptions{}, func(c, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return []*tarn.Value{c[0].Add(whereHealthy((*tarn.Value).Sqrt)(xs[0]))}, nil
		})
		return last[0]
	}, []float64{0, 0.25}},
	{"a selection around a Scan", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		_, ys := tarn.Scan(nil, []*tarn.Value{x}, tarn.ScanOptions{}, func(_, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return nil, []*tarn.Value{xs[0].Sqrt()}
		})
		return x.Gt(num(0)).Where(ys[0], num(0))
	}, []float64{0, 0.25}},
	{"a root before a Scan with a selection", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		_, ys := tarn.Scan(nil, []*tarn.Value{x.Sqrt(), x}, tarn.ScanOptions{}, func(_, xs []*tarn.Value) (next, ys []*tarn.Value) {
			return nil, []*tarn.Value{xs[1].Gt(num(0)).Where(xs[0].Exp(), num(0))}
		})
		return ys[0]
	}, []float64{0, math.Exp(2) / 4}},
	{"Checkpoint", []float64{0, 4}, func(x *tarn.Value) *tarn.Value {
		return tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return whereHealthy((*tarn.Value).Sqrt)(in[0]) }, x)
	}, []float64{0, 0.25}},
	{"a selection of a Checkpoint", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value {
		return tarn.Checkpoint(func(in ...*tarn.Value) *tarn.Value { return in[0].Sqrt() }, x)
	}), []float64{0, 0.25}},
	{"a gradient rule", []float64{0, 4}, whereHealthy(func(x *tarn.Value) *tarn.Value {
		y := x.Sqrt()
		return tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy.Div(y).Scale(0.5)} })
	}), []float64{0, 0.25}},
}

func TestSelectionGradients(t *testing.T) {
	for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
		for _, c := range selectionCases {
			at := tarn.Vector(c.at).Cast(dtype)
			g := tarn.NewGraph()
			x := g.Input("x", dtype, len(c.at))
			y := c.f(x)
			d := tarn.Grad(y.Sum(), x)[0]
			// Second derivatives and forward mode, with respect to all elements at once.
			ones := g.Const(tarn.Vector(slicesOf(1, len(c.at))).Cast(dtype))
			forward := tarn.JVP(y.Sum(), []*tarn.Value{x}, []*tarn.Value{ones})
			second := tarn.HVP(y.Sum(), []*tarn.Value{x}, []*tarn.Value{ones})[0]
			p, err := tarn.Compile(g, tarn.Outputs{"y": y, "d": d, "forward": forward, "second": second})
			if err != nil {
				t.Errorf("%s %v: %v", c.name, dtype, err)
				continue
			}
			out, err := p.Run(at)
			if err != nil {
				t.Errorf("%s %v: %v", c.name, dtype, err)
				continue
			}
			sum := 0.0
			for i, want := range c.want {
				sum += want
				if got := out["d"].Float(i); !(math.Abs(got-want) <= 1e-5*(1+math.Abs(want))) {
					t.Errorf("%s %v: the gradient at %v is %v, want %v", c.name, dtype, c.at, out["d"], c.want)
					break
				}
			}
			if got := out["forward"].Item(); !(math.Abs(got-sum) <= 1e-5*(1+math.Abs(sum))) {
				t.Errorf("%s %v: the JVP at %v is %v, want %v", c.name, dtype, c.at, got, sum)
			}
			for i := range c.want {
				if got := out["second"].Float(i); math.IsNaN(got) || math.IsInf(got, 0) {
					t.Errorf("%s %v: the second derivative at %v is %v", c.name, dtype, c.at, out["second"])
					break
				}
			}
		}
	}
}

func slicesOf(x float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = x
	}
	return out
}
