package onnx

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds reductions, matrix products, and what is made of both.

func reduceOperators() {
	type V = *tarn.Value
	sum := func(v V, axes ...int) V { return v.Sum(axes...) }
	for name, f := range map[string]func(v V, axes ...int) V{
		"ReduceSum": sum, "ReduceMean": V.Mean, "ReduceProd": V.Prod,
		"ReduceMax": func(v V, axes ...int) V {
			if v.DType() == tarn.Bool {
				return v.Any(axes...)
			}
			return v.Max(axes...)
		},
		"ReduceMin": func(v V, axes ...int) V {
			if v.DType() == tarn.Bool {
				return v.All(axes...)
			}
			return v.Min(axes...)
		},
		"ReduceL1":        func(v V, axes ...int) V { return v.Abs().Sum(axes...) },
		"ReduceL2":        func(v V, axes ...int) V { return v.Square().Sum(axes...).Sqrt() },
		"ReduceLogSum":    func(v V, axes ...int) V { return v.Sum(axes...).Log() },
		"ReduceLogSumExp": func(v V, axes ...int) V { return v.LogSumExp(axes...) },
		"ReduceSumSquare": func(v V, axes ...int) V { return v.Square().Sum(axes...) },
	} {
		registerSet(name, []int{1}, func(c *call) []*value {
			x := c.val(0)
			axes := c.numbers("axes")
			if c.has(1) {
				axes = c.ints(1, "the axes")
			}
			axes = axesOf(axes, x.Rank())
			keep := c.int("keepdims", 1) != 0
			if len(axes) == 0 {
				if c.int("noop_with_empty_axes", 0) != 0 {
					return c.same(c.unreduced(name, x))
				}
				for i := range x.Rank() {
					axes = append(axes, i)
				}
			}
			if len(axes) == 0 { // of a scalar
				return c.same(f(x.Reshape(1), 0))
			}
			y := f(x, axes...)
			if keep {
				shape := x.Shape()
				for _, a := range axes {
					shape[a] = 1
				}
				y = y.Reshape(shape...)
			}
			return c.same(wrapped(c.elem(0), y))
		})
	}
	for name, largest := range map[string]bool{"ArgMax": true, "ArgMin": false} {
		register(name, func(c *call) []*value {
			x := c.val(0)
			axis := axisOf(c.int("axis", 0), x.Rank())
			arg := V.ArgMin
			if largest {
				arg = V.ArgMax
			}
			var y V
			if c.int("select_last_index", 0) != 0 {
				y = arg(x.Flip(axis), axis).Neg().AddNum(float64(x.Dim(axis) - 1))
			} else {
				y = arg(x, axis)
			}
			if c.int("keepdims", 1) != 0 {
				y = y.Unsqueeze(axis)
			}
			return c.of(typeInt64, y)
		})
	}
	register("MatMul", func(c *call) []*value { return c.same(matmul(c.val(0), c.val(1))) })
	register("Gemm", func(c *call) []*value {
		a, b := c.val(0), c.val(1)
		var y V
		switch ta, tb := c.int("transA", 0) != 0, c.int("transB", 0) != 0; {
		case ta && tb:
			y = b.MatMul(a).T()
		case ta:
			y = a.TMatMul(b)
		case tb:
			y = a.MatMulT(b)
		default:
			y = a.MatMul(b)
		}
		y = times(y, c.float("alpha", 1))
		if c.has(2) {
			y = y.Add(together(times(c.val(2), c.float("beta", 1)), y)[0])
		}
		return c.same(y)
	})
	register("Einsum", func(c *call) []*value {
		all := c.values()
		var others []tarn.Operand
		for _, v := range all[1:] {
			others = append(others, v)
		}
		return c.same(tarn.Einsum(c.string("equation", ""), all[0], others...))
	})
	for name, f := range map[string]func(v V, axis int) V{"Softmax": V.Softmax, "LogSoftmax": V.LogSoftmax, "Hardmax": hardmax} {
		register(name, func(c *call) []*value {
			x := c.val(0)
			if c.version >= 13 {
				return c.same(f(x, axisOf(c.int("axis", -1), x.Rank())))
			}
			axis := axisOf(c.int("axis", 1), x.Rank()) // all axes from this one on together
			return c.same(f(x.Reshape(product(x.Shape()[:axis]), -1), 1).Reshape(x.Shape()...))
		})
	}
	registerSet("CumSum", []int{1}, func(c *call) []*value { return c.cumulative(V.CumSum, 0) })
	registerSet("CumProd", []int{1}, func(c *call) []*value { return c.cumulative(V.CumProd, 1) })
	registerSet("TopK", []int{1}, func(c *call) []*value {
		x := c.val(0)
		k := c.int("k", 1)
		if c.version >= 10 {
			k = c.ints(1, "the number of elements")[0]
		}
		axis := axisOf(c.int("axis", -1), x.Rank())
		if k > x.Dim(axis) || k < 0 {
			failf("the %d largest of %d are wanted", k, x.Dim(axis))
		}
		var y, at V
		if c.int("largest", 1) != 0 {
			y, at = x.TopK(axis, k)
		} else {
			y, at = x.Sort(axis, false)
			y, at = y.Slice(axis, 0, k), at.Slice(axis, 0, k)
		}
		return []*value{{elem: c.elem(0), v: y}, {elem: typeInt64, v: at}}
	})
	register("LpNormalization", func(c *call) []*value {
		x := c.val(0)
		axis := axisOf(c.int("axis", -1), x.Rank())
		norm := x.Abs()
		if p := c.int("p", 2); p == 2 {
			norm = x.Square().Sum(axis).Sqrt()
		} else {
			norm = norm.Sum(axis)
		}
		norm = norm.Unsqueeze(axis)
		return c.same(norm.Eq(tarn.Num(0)).Where(x.Num(0), x.Div(norm)))
	})
	register("MeanVarianceNormalization", func(c *call) []*value {
		x := c.val(0)
		axes := c.numbers("axes")
		if axes == nil {
			axes = []int{0, 2, 3}
		}
		axes = axesOf(axes, x.Rank())
		centered := x.Sub(x.KeepDims(V.Mean, axes...))
		deviation := centered.Square().KeepDims(V.Mean, axes...).Sqrt()
		return c.same(centered.Div(deviation.AddNum(1e-9)))
	})
}

// unreduced is a reduction of no axes.
func (c *call) unreduced(name string, x *tarn.Value) *tarn.Value {
	switch name {
	case "ReduceL1", "ReduceL2":
		return x.Abs()
	case "ReduceLogSum":
		return x.Log()
	case "ReduceSumSquare":
		return x.Square()
	}
	return x
}

// times is a product with a number that is often 1.
func times(v *tarn.Value, x float64) *tarn.Value {
	if x == 1 {
		return v
	}
	if v.DType().IsFloat() {
		return v.Scale(x)
	}
	return v.Mul(v.Num(x))
}

func hardmax(x *tarn.Value, axis int) *tarn.Value {
	n := x.Dim(axis)
	shape := slices.Repeat([]int{1}, x.Rank())
	shape[axis] = n
	return x.ArgMax(axis).Unsqueeze(axis).Eq(x.Graph().Iota(tarn.I64, 0, n).Reshape(shape...)).Cast(x.DType())
}

// matmul is a product in the manner of numpy.
func matmul(a, b *tarn.Value) *tarn.Value {
	vectorA, vectorB := a.Rank() == 1, b.Rank() == 1
	if vectorA {
		a = a.Unsqueeze(0)
	}
	if vectorB {
		b = b.Unsqueeze(1)
	}
	if b.Rank() > 2 || a.Rank() < b.Rank() {
		ab := together(a, b)
		a, b = ab[0], ab[1]
	}
	y := a.MatMul(b)
	switch {
	case vectorA && vectorB:
		return y.Reshape()
	case vectorA:
		return y.Squeeze(-2)
	case vectorB:
		return y.Squeeze(-1)
	}
	return y
}

// cumulative is a running sum or product, perhaps of what comes before an element alone, perhaps from the end.
func (c *call) cumulative(f func(v *tarn.Value, axis int) *tarn.Value, neutral float64) []*value {
	x := c.val(0)
	axis := axisOf(c.ints(1, "the axis")[0], x.Rank())
	reverse := c.int("reverse", 0) != 0
	if reverse {
		x = x.Flip(axis)
	}
	if c.int("exclusive", 0) != 0 && x.Dim(axis) > 0 {
		x = x.Slice(axis, 0, x.Dim(axis)-1).PadValue(axis, 1, 0, neutral)
	}
	y := f(x, axis)
	if reverse {
		y = y.Flip(axis)
	}
	return c.same(y)
}
