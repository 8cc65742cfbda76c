package onnx

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds attention and the rotation of its operands. What tarn's own attention computes becomes that; the rest is a composition.

func attentionOperators() {
	register("Attention", func(c *call) []*value { return c.attention() })
	register("RotaryEmbedding", func(c *call) []*value { return c.rotary() })
	register("SwiGLU", func(c *call) []*value {
		a := c.val(0)
		return c.same(a.Mul(a.Scale(c.float("alpha", 1)).Sigmoid()).Mul(c.val(1)))
	})
}

// heads brings [batch places heads*size] into [batch heads places size].
func heads(v *tarn.Value, n int) *tarn.Value {
	if v.Rank() == 4 {
		return v
	}
	if v.Rank() != 3 || n < 1 || v.Dim(2)%n != 0 {
		failf("%d heads do not fit the shape %v", n, v.Shape())
	}
	return v.Reshape(v.Dim(0), v.Dim(1), n, v.Dim(2)/n).Transpose(1, 2)
}

func (c *call) attention() []*value {
	flat := c.val(0).Rank() == 3
	q, k, v := heads(c.val(0), c.int("q_num_heads", 0)), heads(c.val(1), c.int("kv_num_heads", 0)), heads(c.val(2), c.int("kv_num_heads", 0))
	dtype := q.DType()
	past := 0
	if c.has(4) && c.has(5) {
		past = c.val(4).Dim(2)
		k, v = tarn.Concat(2, c.val(4), k), tarn.Concat(2, c.val(5), v)
	}
	presentK, presentV := k, v
	queries, keys := q.Dim(2), k.Dim(2)
	var mask *tarn.Value // to be added, or nil
	barred := func(allowed *tarn.Value) *tarn.Value {
		return allowed.Where(c.g.Num(dtype, 0), tarn.Num(math.Inf(-1)))
	}
	add := func(m *tarn.Value) {
		if mask == nil {
			mask = m
			return
		}
		both := together(mask, m)
		mask = both[0].Add(both[1])
	}
	if c.has(3) {
		m := c.val(3)
		if m.DType() == tarn.Bool {
			m = barred(m)
		}
		if missing := keys - m.Dim(-1); missing > 0 && m.Dim(-1) > 1 {
			m = m.PadValue(m.Rank()-1, 0, missing, math.Inf(-1))
		}
		add(m)
	}
	// first is the place of the first query among the keys.
	first := c.g.Num(tarn.I64, float64(past)).Reshape(1, 1, 1, 1)
	var real *tarn.Value
	if c.has(6) {
		real = c.val(6).Cast(tarn.I64).Reshape(-1, 1, 1, 1)
		if past == 0 {
			first = real.AddNum(-float64(queries))
		}
	}
	at := c.g.Iota(tarn.I64, 0, keys).Reshape(1, 1, 1, keys)
	place := c.g.Iota(tarn.I64, 0, queries).Reshape(1, 1, queries, 1).Add(first)
	if c.int("is_causal", 0) != 0 {
		add(barred(at.Le(place)))
	}
	if n := c.int("left_window_size", -1); n >= 0 {
		add(barred(place.Sub(at).Le(tarn.Num(n))))
	}
	if n := c.int("right_window_size", -1); n >= 0 {
		add(barred(at.Sub(place).Le(tarn.Num(n))))
	}
	if real != nil {
		add(barred(at.Lt(real)))
	}
	scale := c.float("scale", 1/math.Sqrt(float64(max(1, q.Dim(3)))))
	cap := c.float("softcap", 0)
	wantScores := len(c.n.outputs) > 3 && c.n.outputs[3] != ""
	var y, scores *tarn.Value
	if cap == 0 && !wantScores && scale != 0 {
		o := tarn.AttentionOptions{Scale: scale}
		if mask != nil {
			o.Mask = mask
		}
		y = q.Attention(k, v, o)
	} else {
		if n := q.Dim(1) / max(1, k.Dim(1)); n > 1 {
			repeat := func(v *tarn.Value) *tarn.Value {
				s := v.Shape()
				return v.Unsqueeze(2).Expand(s[0], s[1], n, s[2], s[3]).Reshape(s[0], s[1]*n, s[2], s[3])
			}
			k, v = repeat(k), repeat(v)
		}
		raw := q.MatMulT(k).Scale(scale)
		if cap > 0 {
			raw = raw.Scale(1 / cap).Tanh().Scale(cap)
		}
		biased := raw
		if mask != nil {
			both := together(raw, mask)
			biased = both[0].Add(both[1])
		}
		// A query that sees no key has no weights.
		top := biased.KeepDims((*tarn.Value).Max, -1)
		none := top.Eq(tarn.Num(math.Inf(-1)))
		weights := none.Where(biased.Num(0), none.Where(biased.Num(0), biased).Softmax(-1))
		y = weights.MatMul(v)
		switch c.int("qk_matmul_output_mode", 0) {
		case 2:
			scores = biased
		case 3:
			scores = weights
		default:
			scores = raw
		}
		if c.version < 24 && c.int("qk_matmul_output_mode", 0) == 1 && cap == 0 {
			scores = biased
		}
	}
	if flat {
		y = y.Transpose(1, 2).Reshape(y.Dim(0), queries, -1)
	}
	out := []*value{{elem: c.elem(0), v: y}, {elem: c.elem(1), v: presentK}, {elem: c.elem(2), v: presentV}, nil}
	if scores != nil {
		out[3] = &value{elem: c.elem(0), v: scores}
	}
	return out
}

func (c *call) rotary() []*value {
	x := c.val(0)
	shape := x.Shape()
	if x.Rank() == 3 {
		n := c.int("num_heads", 0)
		if n < 1 || shape[2]%n != 0 {
			failf("%d heads do not fit the shape %v", n, shape)
		}
		x = x.Reshape(shape[0], shape[1], n, shape[2]/n)
	} else {
		x = x.Transpose(1, 2)
	}
	size := x.Dim(3)
	rotated := c.int("rotary_embedding_dim", 0)
	if rotated == 0 {
		rotated = size
	}
	cos, sin := c.val(1), c.val(2)
	if c.has(3) {
		cos, sin = cos.Take(0, c.val(3)), sin.Take(0, c.val(3))
	}
	cos, sin = cos.Unsqueeze(2), sin.Unsqueeze(2)
	turned := x.Slice(3, 0, rotated)
	interleaved := c.int("interleaved", 0) != 0
	var a, b *tarn.Value
	if interleaved {
		a, b = turned.SliceStep(3, 0, rotated, 2), turned.SliceStep(3, 1, rotated, 2)
	} else {
		a, b = turned.Slice(3, 0, rotated/2), turned.Slice(3, rotated/2, rotated)
	}
	re, im := cos.Mul(a).Sub(sin.Mul(b)), sin.Mul(a).Add(cos.Mul(b))
	var y *tarn.Value
	if interleaved {
		y = tarn.Stack(4, re, im).Reshape(turned.Shape()...)
	} else {
		y = tarn.Concat(3, re, im)
	}
	if rotated < size {
		y = tarn.Concat(3, y, x.Slice(3, rotated, size))
	}
	if len(shape) == 3 {
		return c.same(y.Reshape(shape...))
	}
	return c.same(y.Transpose(1, 2))
}
