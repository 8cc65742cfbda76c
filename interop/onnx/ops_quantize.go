package onnx

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds quantized numbers: integers, or floats of few bits, that stand for numbers by a scale and a zero point.

func quantizeOperators() {
	register("QuantizeLinear", func(c *call) []*value {
		x := c.val(0)
		elem := elemType(c.int("output_dtype", 0))
		if c.has(2) {
			elem = c.elem(2)
		}
		if elem == typeNone {
			elem = typeUint8
		}
		y := x.Div(c.spread(1, x))
		if elem.float8() {
			for _, v := range c.in {
				if v != nil && !v.known() {
					panic(failure{c.unknown(v, "a conversion to "+elem.String())})
				}
			}
			return []*value{{elem: elem, v: c.round8(elem, y)}}
		}
		return c.of(elem, c.quantized(y, elem, 2, x))
	})
	register("DequantizeLinear", func(c *call) []*value {
		x := c.val(0)
		elem := elemType(c.int("output_dtype", int(c.elem(1))))
		dtype, ok := elem.carrier()
		if !ok {
			failf("the type %v is not supported", elem)
		}
		y := x
		if c.has(2) && !c.elem(0).float() {
			y = y.Sub(c.spread(2, x))
		}
		return c.of(elem, y.Cast(dtype).Mul(c.spread(1, x).Cast(dtype)))
	})
	register("DynamicQuantizeLinear", func(c *call) []*value {
		x := c.val(0)
		hi, lo := x.Max().Maximum(tarn.Num(0)), x.Min().Minimum(tarn.Num(0))
		reach := hi.Sub(lo)
		scale := reach.Eq(tarn.Num(0)).Where(reach.Num(1), reach).Scale(1.0 / 255)
		zero := lo.Neg().Div(scale).Clip(tarn.Num(0), tarn.Num(255)).Round()
		y := x.Div(scale).Round().Add(zero).Clip(tarn.Num(0), tarn.Num(255)).Cast(tarn.I32)
		return []*value{{elem: typeUint8, v: y}, {elem: c.elem(0), v: scale}, {elem: typeUint8, v: zero.Cast(tarn.I32)}}
	})
	register("MatMulInteger", func(c *call) []*value {
		return c.of(typeInt32, matmul(c.centered(0, 2, true), c.centered(1, 3, false)))
	})
	register("QLinearMatMul", func(c *call) []*value {
		a, b := c.dequantized(0, 1, 2, true), c.dequantized(3, 4, 5, false)
		y := matmul(a, b).Div(sided(c.val(6).Cast(tarn.F64), true))
		return c.of(c.elem(7), c.quantized(y, c.elem(7), 7, y))
	})
	register("ConvInteger", func(c *call) []*value {
		x, w := c.centered(0, 2, true), c.val(1)
		if c.has(3) {
			w = w.Sub(firstAxis(c.val(3), w.Rank()))
		}
		return c.of(typeInt32, c.conv(x.Cast(tarn.F64), w.Cast(tarn.F64), nil).Cast(tarn.I32))
	})
	register("QLinearConv", func(c *call) []*value {
		x, w := c.val(0), c.val(3)
		x = x.Sub(c.val(2)).Cast(tarn.F64).Mul(c.val(1).Cast(tarn.F64))
		w = w.Sub(firstAxis(c.val(5), w.Rank())).Cast(tarn.F64).Mul(firstAxis(c.val(4), w.Rank()).Cast(tarn.F64))
		var bias *tarn.Value
		if c.has(8) {
			bias = c.val(8).Cast(tarn.F64).Mul(c.val(1).Cast(tarn.F64)).Mul(c.val(4).Cast(tarn.F64))
		}
		y := c.conv(x, w, bias).Div(c.val(6).Cast(tarn.F64))
		return c.of(c.elem(7), c.quantized(y, c.elem(7), 7, y))
	})
}

// firstAxis gives a vector of a number for each index of the first axis, or a scalar, a rank.
func firstAxis(v *tarn.Value, rank int) *tarn.Value {
	if v.Size() == 1 {
		return v.Reshape()
	}
	shape := slices.Repeat([]int{1}, rank)
	shape[0] = v.Size()
	return v.Reshape(shape...)
}

// spread is operand i, a number for all of x, for each index of an axis, or for each block along it.
func (c *call) spread(i int, x *tarn.Value) *tarn.Value {
	v := c.val(i)
	if v.Size() == 1 && v.Rank() <= 1 {
		return v.Reshape()
	}
	axis := axisOf(c.int("axis", 1), x.Rank())
	if v.Rank() == 1 {
		shape := slices.Repeat([]int{1}, x.Rank())
		shape[axis] = v.Size()
		return v.Reshape(shape...)
	}
	block := c.int("block_size", 0)
	if block < 1 || v.Rank() != x.Rank() {
		failf("scales of the shape %v do not fit %v", v.Shape(), x.Shape())
	}
	index := make([]int64, x.Dim(axis))
	for k := range index {
		index[k] = int64(k / block)
	}
	return v.Take(axis, c.g.Const(tarn.Vector(index)))
}

// quantized rounds numbers that are scaled already to integers around the zero point that is operand i.
func (c *call) quantized(y *tarn.Value, elem elemType, i int, x *tarn.Value) *tarn.Value {
	lo, hi, ok := elem.integers()
	if !ok {
		failf("the type %v is not supported", elem)
	}
	y = y.Round()
	if c.has(i) {
		y = y.Add(c.spread(i, x).Cast(y.DType()))
	}
	return y.Clip(tarn.Num(lo), tarn.Num(hi)).Cast(tarn.I32)
}

// centered is operand i without its zero point, operand z. The zero points of rows belong to the last but one axis, those of columns to the last.
func (c *call) centered(i, z int, rows bool) *tarn.Value {
	x := c.val(i)
	if !c.has(z) {
		return x
	}
	return x.Sub(sided(c.val(z), rows))
}

func sided(v *tarn.Value, rows bool) *tarn.Value {
	if v.Size() == 1 {
		return v.Reshape()
	}
	if rows && v.Rank() == 1 {
		return v.Unsqueeze(1)
	}
	if v.Rank() == 1 {
		return v.Unsqueeze(0)
	}
	return v
}

func (c *call) dequantized(i, scale, z int, rows bool) *tarn.Value {
	return c.centered(i, z, rows).Cast(tarn.F64).Mul(sided(c.val(scale), rows).Cast(tarn.F64))
}

// round8 rounds to floats of few bits. The contents are known: it is part of a node that is computed while the graph is built.
func (c *call) round8(elem elemType, y *tarn.Value) *tarn.Value {
	p, err := tarn.Compile(c.g, tarn.Outputs{"y": y})
	if err != nil {
		panic(failure{err})
	}
	out, err := p.Run()
	if err != nil {
		panic(failure{err})
	}
	t := out["y"]
	for i := range t.Size() {
		t.SetFloat(i, round(elem, t.Float(i), c.int("saturate", 1) != 0))
	}
	return c.g.Const(t)
}
