package hlo

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file composes attention and its gradient. The matrix of weights is written out; XLA keeps it as long as it likes.

// attention computes what a form says: see ir.AttentionForm.
func (b *text) attention(f ir.AttentionForm, in []value, out value) value {
	if out.size() == 0 {
		return b.num(0, out)
	}
	q, k, v := in[0], in[1], in[2]
	batch, heads, queries := q.shape[0], q.shape[1], q.shape[2]
	groups, keys := k.shape[1], k.shape[2]
	share := 1 // heads of a group
	if groups > 0 {
		share = heads / groups
	}
	full := q.of(batch, heads, queries, keys)
	grouped := func(x value) value {
		return b.reshape(x, []int{batch, groups, share * queries, x.shape[3]})
	}
	split := func(x value) value { return b.reshape(x, []int{batch, heads, queries, x.shape[3]}) }
	row := func(x value) value { return b.spread(x, full.shape, 0, 1, 2) }
	multiply := func(x, y value) value { return b.op("multiply", x, y) }

	scores := split(b.dot(grouped(q), k, 2, 3, 3))
	scores = multiply(scores, b.num(f.Scale, scores))
	if f.Masked {
		mask := in[3]
		if mask.elem == "i1" {
			scores = b.choose(mask, scores, b.num(math.Inf(-1), scores))
		} else {
			never := b.compare("EQ", mask, b.num(math.Inf(-1), mask))
			scores = b.choose(never, mask, b.op("add", scores, mask))
		}
	}
	if f.Causal {
		before := b.compare("LE", b.iota(full.as("i32"), 3), b.iota(full.as("i32"), 2))
		scores = b.choose(before, scores, b.num(math.Inf(-1), scores))
	}
	// A query for which no key counts has weights of 0.
	top := b.fold("maximum", literal(q.elem, math.Inf(-1)), scores, 3)
	none := b.compare("EQ", top, b.num(math.Inf(-1), top))
	weights := b.op("exponential", b.op("subtract", scores, row(b.choose(none, b.num(0, top), top))))
	sum := b.sum(weights, 3)
	weights = b.op("divide", weights, row(b.choose(none, b.num(1, sum), sum)))

	kept := func(x value) value { return x }
	if f.Dropout != 0 {
		words := b.words(f.Seed, f.Number, in[f.StepAt()], full.size())
		p := b.num(1-f.Dropout, vectorOf("f64", full.size()))
		keep := b.reshape(b.below(words, p), full.shape)
		kept = func(x value) value { return b.choose(keep, multiply(x, b.num(1/(1-f.Dropout), x)), b.num(0, x)) }
	}
	flat := func(x value) value { return b.reshape(x, []int{x.size()}) }
	if !f.Gradient {
		values := split(b.dot(grouped(kept(weights)), v, 2, 3, 2))
		logSum := b.choose(none, b.num(math.Inf(1), top), b.op("add", top, b.op("log", b.choose(none, b.num(1, sum), sum))))
		return b.concat(0, flat(b.transpose(values, []int{0, 2, 1, 3})), flat(logSum))
	}
	// dw = dout v', ds = scale w (dw - sum w dw), dq = ds k, dk = ds' q, dv = w' dout.
	dout := in[len(in)-1]
	dw := kept(split(b.dot(grouped(dout), v, 2, 3, 3)))
	ds := multiply(weights, b.op("subtract", dw, row(b.sum(multiply(weights, dw), 3))))
	ds = multiply(ds, b.num(f.Scale, ds))
	dq := split(b.dot(grouped(ds), k, 2, 3, 2))
	dk := b.dot(grouped(ds), grouped(q), 2, 2, 2)
	dv := b.dot(grouped(kept(weights)), grouped(dout), 2, 2, 2)
	all := []value{dq, dk, dv}
	for i, d := range all {
		all[i] = b.transpose(d, []int{0, 2, 1, 3})
	}
	if f.Joined {
		return b.reshape(b.concat(2, all...), out.shape)
	}
	for i, d := range all {
		all[i] = flat(d)
	}
	return b.concat(0, all...)
}
