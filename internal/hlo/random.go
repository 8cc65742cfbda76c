package hlo

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds random numbers: Philox and what package rng makes of its words, bit for bit but for the last bits of normal numbers in
// f64, where the plugin may join a product and a sum.

// unsigned is an array of an unsigned type that holds v everywhere.
func (b *text) unsigned(v uint64, t value) value { return b.lit(fmt.Sprint(v), t) }

// words is the first n words of the stream of a random op in a step, an i64 scalar.
func (b *text) words(seed, number uint64, step value, n int) value {
	blocks := (n + 3) / 4
	t := vectorOf("ui64", blocks)
	var parts []value
	for _, c := range b.philox(b.iota(t, 0), b.spread(b.convert(step, "ui64"), t.shape), rng.Step(seed, number, 0)[0]) {
		parts = append(parts, b.reshape(c, []int{blocks, 1}))
	}
	return b.slice(b.reshape(b.concat(1, parts...), []int{4 * blocks}), 0, 0, n)
}

// philox is the four words of each block of streams with a key, whose second half goes by the block. Both are arrays of ui64.
func (b *text) philox(block, second value, key uint64) [4]value {
	k0, k1 := uint32(key), uint32(key>>32)
	halves := func(v value) (low, high value) {
		return b.convert(v, "ui32"), b.convert(b.op("shift_right_logical", v, b.unsigned(32, v)), "ui32")
	}
	product := func(m uint64, c value) (low, high value) {
		wide := b.convert(c, "ui64")
		return halves(b.op("multiply", wide, b.unsigned(m, wide)))
	}
	c0, c1 := halves(block)
	c2, c3 := halves(second)
	for range rng.Rounds {
		l0, h0 := product(rng.Multiplier0, c0)
		l1, h1 := product(rng.Multiplier1, c2)
		c0, c1 = b.op("xor", b.op("xor", h1, c1), b.unsigned(uint64(k0), c0)), l1
		c2, c3 = b.op("xor", b.op("xor", h0, c3), b.unsigned(uint64(k1), c0)), l0
		k0 += rng.Increment0
		k1 += rng.Increment1
	}
	return [4]value{c0, c1, c2, c3}
}

// joined makes words of 64 bits.
func (b *text) joined(low, high value) value {
	high = b.convert(high, "ui64")
	return b.op("or", b.op("shift_left", high, b.unsigned(32, high)), b.convert(low, "ui64"))
}

// words64 is the first n words of 64 bits.
func (b *text) words64(seed, number uint64, step value, n int) value {
	w := b.reshape(b.words(seed, number, step, 2*n), []int{n, 2})
	half := func(i int) value { return b.reshape(b.slice(w, 1, i, i+1), []int{n}) }
	return b.joined(half(0), half(1))
}

// draw draws the numbers of a random op.
func (b *text) draw(f ir.DrawForm, in []value, out value) (y value) {
	n := out.size()
	if n == 0 {
		return b.num(0, out)
	}
	switch f.Kind {
	case ir.DrawLogGamma, ir.DrawPoisson:
		return b.rejected(f, in[0], in[1], out)
	case ir.DrawUniform:
		y = b.uniform(f, in[0], n, out.elem)
	case ir.DrawBernoulli:
		p := in[1]
		if len(p.shape) == 0 {
			p = b.spread(p, out.shape)
		}
		y = b.bernoulli(f, in[0], b.reshape(p, []int{n}))
	default:
		x := b.open(f, in[0], n, out.elem)
		if f.Kind == ir.DrawTruncated {
			x = b.truncated(x, f.Lo, f.Hi)
		} else {
			x = b.quantile(x)
		}
		y = b.convert(x, out.elem)
		if f.A != 0 || f.B != 1 || f.Kind == ir.DrawTruncated {
			x = b.convert(y, "f64")
			y = b.convert(b.op("add", b.num(f.A, x), b.op("multiply", b.num(f.B, x), x)), out.elem)
		}
	}
	return b.reshape(y, out.shape)
}

// uniform is n numbers in [A, B).
func (b *text) uniform(f ir.DrawForm, step value, n int, elem string) value {
	var y value
	if elem == "f32" {
		w := b.words(f.Seed, f.Number, step, n)
		y = b.convert(b.op("shift_right_logical", w, b.unsigned(8, w)), "f32")
		y = b.op("multiply", y, b.num(0x1p-24, y))
	} else {
		w := b.words64(f.Seed, f.Number, step, n)
		y = b.convert(b.op("shift_right_logical", w, b.unsigned(11, w)), "f64")
		y = b.op("multiply", y, b.num(0x1p-53, y))
	}
	if f.A == 0 && f.B == 1 {
		return y
	}
	x := b.convert(y, "f64")
	x = b.op("add", b.num(f.A, x), b.op("multiply", b.num(f.B-f.A, x), x))
	if f.A < f.B {
		x = b.choose(b.compare("GE", x, b.num(f.B, x)), b.num(math.Nextafter(f.B, f.A), x), x)
	}
	if elem == "f64" {
		return x
	}
	y = b.convert(x, elem)
	if float32(f.A) < float32(f.B) {
		last := float64(math.Nextafter32(float32(f.B), float32(f.A)))
		y = b.choose(b.compare("GE", y, b.num(f.B, y)), b.num(last, y), y)
	}
	return y
}

// bernoulli is true with the probabilities p.
func (b *text) bernoulli(f ir.DrawForm, step, p value) value {
	return b.below(b.words(f.Seed, f.Number, step, p.size()), p)
}

// below is whether words are among those that mean true, for probabilities of f32 or f64. NaN means never.
func (b *text) below(words, p value) value {
	p = b.convert(p, "f64")
	possible := b.compare("GT", p, b.num(0, p))
	scaled := b.op("multiply", b.op("minimum", p, b.num(1, p)), b.num(0x1p32, p))
	limit := b.convert(b.choose(possible, scaled, b.num(0, p)), "ui64")
	return b.compare("LT", b.convert(words, "ui64"), limit)
}

// open is n numbers of f64 in the open interval (0, 1), from words as wide as a type asks for.
func (b *text) open(f ir.DrawForm, step value, n int, elem string) value {
	scale := 0x1p-32
	var w value
	if elem == "f32" {
		w = b.words(f.Seed, f.Number, step, n)
	} else {
		w = b.words64(f.Seed, f.Number, step, n)
		w, scale = b.op("shift_right_logical", w, b.unsigned(12, w)), 0x1p-52
	}
	x := b.convert(w, "f64")
	return b.op("multiply", b.op("add", x, b.num(0.5, x)), b.num(scale, x))
}

// truncated is the quantiles of numbers between those of lo and hi. The distribution function loses its digits near 1, so an interval
// right of zero is drawn as its mirror image.
func (b *text) truncated(u value, lo, hi float64) value {
	mirror := lo > 0
	if mirror {
		lo, hi = -hi, -lo
	}
	phi := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	from, to := phi(lo), phi(hi)
	x := b.quantile(b.op("add", b.num(from, u), b.op("multiply", u, b.num(to-from, u))))
	x = b.op("minimum", b.op("maximum", x, b.num(lo, x)), b.num(hi, x))
	if mirror {
		x = b.op("negate", x)
	}
	return x
}

// quantile is the inverse of the normal distribution function, in f64. (Wichura: Algorithm AS 241, PPND16.)
func (b *text) quantile(p value) value {
	center, tail, far := rng.Coefficients()
	ratio := func(x value, c [2][8]float64) value {
		return b.op("divide", b.polynomial(x, c[0][:]), b.polynomial(x, c[1][:]))
	}
	q := b.op("subtract", p, b.num(0.5, p))
	near := b.op("subtract", b.num(0.180625, p), b.op("multiply", q, q))
	inner := b.op("multiply", q, ratio(near, center))
	positive := b.compare("GT", q, b.num(0, q))
	end := b.choose(positive, b.op("subtract", b.num(1, p), p), p)
	r := b.op("sqrt", b.op("negate", b.op("log", end)))
	outer := b.choose(b.compare("LE", r, b.num(5, r)), ratio(b.op("subtract", r, b.num(1.6, r)), tail), ratio(b.op("subtract", r, b.num(5, r)), far))
	outer = b.choose(positive, outer, b.op("negate", outer))
	return b.choose(b.compare("LE", b.op("abs", q), b.num(0.425, q)), inner, outer)
}

// polynomial is that with coefficients c, lowest power first.
func (b *text) polynomial(x value, c []float64) value {
	y := b.num(c[len(c)-1], x)
	for i := len(c) - 2; i >= 0; i-- {
		y = b.op("add", b.op("multiply", y, x), b.num(c[i], x))
	}
	return y
}
