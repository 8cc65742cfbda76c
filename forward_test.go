package tarn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests derivatives around While: forward mode goes through it, and where nothing flows through it reverse mode does not mind it.

// root is the square root of each element by Newton's method, as a While that ends when nothing changes; the vector a is captured.
func root(a *tarn.Value) *tarn.Value {
	last := tarn.While([]*tarn.Value{a.AddNum(1), a.Num(1).Mul(a.Graph().Num(a.DType(), 1)), a.Graph().Num(tarn.I64, 0)},
		func(c []*tarn.Value) *tarn.Value { return c[1].Gt(tarn.Num(1e-13)).And(c[2].Lt(tarn.Num(100))) },
		func(c []*tarn.Value) []*tarn.Value {
			next := c[0].Add(a.Div(c[0])).Scale(0.5)
			return []*tarn.Value{next, next.Sub(c[0]).Abs().Max(), c[2].Add(tarn.Num(1))}
		})
	return last[0]
}

func TestForwardMode(t *testing.T) {
	at, along := []float64{0.5, 2, 9}, []float64{1, -2, 0.5}
	for _, c := range []struct {
		name string
		f    func(x *tarn.Value) *tarn.Value
		want func(x float64) float64 // the derivative of each element
	}{
		{"While", root, func(x float64) float64 { return 0.5 / math.Sqrt(x) }},
		{"ops around a While", func(x *tarn.Value) *tarn.Value { return root(x.Square().AddNum(1)).Log().Mul(x) },
			func(x float64) float64 { return math.Log(x*x+1)/2 + x*x/(x*x+1) }},
		{"two While loops", func(x *tarn.Value) *tarn.Value { return root(root(x)) }, func(x float64) float64 { return 0.25 * math.Pow(x, -0.75) }},
		{"a While in a Scan", func(x *tarn.Value) *tarn.Value {
			_, ys := tarn.Scan([]*tarn.Value{x.Num(1)}, []*tarn.Value{x}, tarn.ScanOptions{}, func(c, xs []*tarn.Value) (next, ys []*tarn.Value) {
				return c, []*tarn.Value{root(xs[0]).Mul(c[0])}
			})
			return ys[0]
		}, func(x float64) float64 { return 0.5 / math.Sqrt(x) }},
		{"a carry of a Scan through a While", func(x *tarn.Value) *tarn.Value {
			last, _ := tarn.Scan([]*tarn.Value{x}, nil, tarn.ScanOptions{Steps: 2}, func(c, _ []*tarn.Value) (next, ys []*tarn.Value) {
				return []*tarn.Value{root(c[0])}, nil
			})
			return last[0]
		}, func(x float64) float64 { return 0.25 * math.Pow(x, -0.75) }},
		{"a While in a Cond", func(x *tarn.Value) *tarn.Value {
			return tarn.Cond(x.Sum().Gt(tarn.Num(0)), []*tarn.Value{x}, func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{root(in[0])} },
				func(in []*tarn.Value) []*tarn.Value { return in })[0]
		}, func(x float64) float64 { return 0.5 / math.Sqrt(x) }},
		{"a While in a While", func(x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x, x.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[1].Lt(tarn.Num(2)) },
				func(c []*tarn.Value) []*tarn.Value { return []*tarn.Value{root(c[0]), c[1].Add(tarn.Num(1))} })[0]
		}, func(x float64) float64 { return 0.25 * math.Pow(x, -0.75) }},
		{"a Softmax behind a While", func(x *tarn.Value) *tarn.Value {
			return tarn.Stack(1, root(x).Log(), x.Num(0).Expand(3)).Softmax(1).Slice(1, 0, 1).Squeeze(1)
		},
			func(x float64) float64 { r := math.Sqrt(x); return 0.5 / r / (1 + r) / (1 + r) }},
		{"a gradient rule in a While", func(x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x, x.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[1].Lt(tarn.Num(2)) },
				func(c []*tarn.Value) []*tarn.Value {
					square := c[0].Square()
					y := tarn.WithGradient(square.Sqrt(), []*tarn.Value{c[0]}, func(dy *tarn.Value) []*tarn.Value {
						return []*tarn.Value{dy.Mul(square.Div(c[0]).Div(c[0]))}
					})
					return []*tarn.Value{y.Scale(3), c[1].Add(tarn.Num(1))}
				})[0]
		}, func(x float64) float64 { return 9 }},
		{"StopGradient before a While", func(x *tarn.Value) *tarn.Value { return root(x.StopGradient()).Mul(x) }, math.Sqrt},
		{"StopGradient in a While", func(x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x.Num(0).Expand(3), x.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[1].Lt(tarn.Num(2)) },
				func(c []*tarn.Value) []*tarn.Value {
					return []*tarn.Value{c[0].Add(x.StopGradient()), c[1].Add(tarn.Num(1))}
				})[0].Add(x)
		}, func(x float64) float64 { return 1 }},
		{"another carry", func(x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x, x.Num(5), x.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[2].Lt(tarn.Num(2)) },
				func(c []*tarn.Value) []*tarn.Value {
					return []*tarn.Value{c[0].Scale(2), c[1].Scale(2), c[2].Add(tarn.Num(1))}
				})[1].Mul(x)
		}, func(x float64) float64 { return 20 }},
		{"integers", func(x *tarn.Value) *tarn.Value {
			return tarn.While([]*tarn.Value{x.Cast(tarn.I64), x.Graph().Num(tarn.I64, 0)}, func(c []*tarn.Value) *tarn.Value { return c[1].Lt(tarn.Num(2)) },
				func(c []*tarn.Value) []*tarn.Value {
					return []*tarn.Value{c[0].Add(tarn.Num(1)), c[1].Add(tarn.Num(1))}
				})[0].Cast(tarn.F64).Add(x.Scale(3))
		}, func(x float64) float64 { return 3 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := tarn.NewGraph()
			x, v := g.Input("x", tarn.F64, len(at)), g.Input("v", tarn.F64, len(at))
			y := c.f(x)
			outputs := tarn.Outputs{"rate": tarn.JVP(y, []*tarn.Value{x}, []*tarn.Value{v})}
			stopped := y.StopGradient().Mul(x).Sum()
			outputs["stopped"], outputs["y"] = tarn.Grad(stopped, x)[0], y
			if d := tarn.Grad(y.Sum(), x)[0]; g.Err() == nil {
				outputs["gradient"] = d
			} else { // a While has no gradient: once more without
				g = tarn.NewGraph()
				x, v = g.Input("x", tarn.F64, len(at)), g.Input("v", tarn.F64, len(at))
				y = c.f(x)
				outputs = tarn.Outputs{"rate": tarn.JVP(y, []*tarn.Value{x}, []*tarn.Value{v}), "y": y, "stopped": tarn.Grad(y.StopGradient().Mul(x).Sum(), x)[0]}
			}
			p, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run(tarn.Vector(at), tarn.Vector(along))
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range at {
				want := c.want(x)
				if got := out["rate"].Float(i); math.Abs(got-want*along[i]) > 1e-9 {
					t.Errorf("the rate at %v is %v, want %v", x, got, want*along[i])
				}
				if d, ok := out["gradient"]; ok && math.Abs(d.Float(i)-want) > 1e-9 {
					t.Errorf("the gradient at %v is %v, want %v", x, d.Float(i), want)
				}
				if got, want := out["stopped"].Float(i), out["y"].Float(i); got != want {
					t.Errorf("the gradient of a product with what is stopped is %v, want %v", got, want)
				}
			}
			if _, ok := out["gradient"]; ok != (c.name == "StopGradient before a While" || c.name == "StopGradient in a While" || c.name == "another carry" || c.name == "integers") {
				t.Errorf("reverse mode goes through: %v", ok)
			}
		})
	}
}
