package nn

import "github.com/seed-49005b45/tarn"

// This file holds attention one place at a time, for generation: keys and values of the places before are kept.

// KVCache holds the keys and values of the places that an attention has seen, so that a next place costs no more than itself.
// Its contents are states that the program of a place changes, see tarn.Graph.Attach.
type KVCache struct {
	Keys, Values *tarn.Param // [n groups context d]
}

// NewKVCache returns a cache for n sequences of up to context places.
func (m *MultiHeadAttention) NewKVCache(n, context int) *KVCache {
	if m == nil || m.OutProj == nil || m.OutProj.Weight == nil {
		return &KVCache{}
	}
	d := m.OutProj.Weight.Shape()[1] / max(1, m.Heads)
	dtype := m.OutProj.Weight.DType()
	return &KVCache{
		Keys:   tarn.NewState(dtype, nil, n, m.Groups, context, d),
		Values: tarn.NewState(dtype, nil, n, m.Groups, context, d),
	}
}

// Next is the causal attention of the vector at one place to those at all places up to it, or within the layer's Window; it puts the vector's keys
// and values into the cache. turn, if not nil, is applied to queries and keys, as a rotary position is, in the place of the layer's Rotary.
//
// The place is that of all sequences, or each has its own; Rotary needs the former.
//
// Shapes: [n 1 width] and the place, a scalar or [n] of i32 or i64 -> [n 1 width].
func (m *MultiHeadAttention) Next(x, place *tarn.Value, cache *KVCache, turn func(x *tarn.Value) *tarn.Value) *tarn.Value {
	if m == nil {
		return missing("MultiHeadAttention.Next", x)
	}
	if bad := m.check(x); bad != nil {
		return bad
	}
	g := x.Graph()
	if cache == nil || len(cache.Keys.Shape()) != 4 || len(cache.Values.Shape()) != 4 {
		return g.Fail("MultiHeadAttention.Next", []*tarn.Value{x, place}, "the cache is empty: make it by NewKVCache")
	}
	if s := cache.Keys.Shape(); s[0] < 1 || s[2] < 1 {
		return g.Fail("MultiHeadAttention.Next", []*tarn.Value{x, place}, "the cache has shape %s and should hold at least one sequence of one place", shapeString(s))
	}
	own := place.Rank() == 1 // a place for each sequence
	if x.Rank() != 3 || x.Dim(1) != 1 || place.Rank() != 0 && !(own && place.Dim(0) == x.Dim(0)) || place.DType() != tarn.I32 && place.DType() != tarn.I64 {
		return g.Fail("MultiHeadAttention.Next", []*tarn.Value{x, place}, "the vector has shape %s and should be [n 1 width], and the place a scalar integer or one for each of the n", shapeString(x.Shape()))
	}
	if own && turn == nil && m.Rotary != nil {
		return g.Fail("MultiHeadAttention.Next", []*tarn.Value{x, place}, "sequences with places of their own cannot be turned by Rotary")
	}
	q, k, v := m.Project(x, x, x)
	if turn == nil && m.Rotary != nil {
		turn = func(x *tarn.Value) *tarn.Value { return m.Rotary.At(x, place.Reshape(1)) }
	}
	if turn != nil {
		q, k = turn(q), turn(k)
	}
	places, rows := g.Iota(place.DType(), 0, cache.Keys.Shape()[2]), 1
	if own {
		rows = place.Dim(0)
		place = place.Unsqueeze(1)
		places = places.Unsqueeze(0)
	}
	here := places.Eq(place).Reshape(rows, 1, -1, 1)
	keys := here.Where(k.Expand(cache.Keys.Shape()...), cache.Keys)
	values := here.Where(v.Expand(cache.Values.Shape()...), cache.Values)
	mask := places.Le(place)
	if m.Window > 0 {
		mask = mask.And(places.Gt(place.Sub(tarn.Num(m.Window))))
	}
	mask = mask.Reshape(rows, 1, 1, -1)
	o := tarn.AttentionOptions{Mask: mask}
	if m.ALiBi {
		o.Mask = withMask(ALiBi(g, q.DType(), m.Heads, places.Dim(-1)).Unsqueeze(0), mask)
	}
	y := m.OutProj.Forward(joinHeads(q.Attention(keys, values, o)))
	g.Attach(y, cache.Keys, keys)
	g.Attach(y, cache.Values, values)
	return y
}

// next is the layer at one place.
func (l *TransformerEncoderLayer) next(x, place *tarn.Value, cache *KVCache) *tarn.Value {
	return l.around(x, func(x *tarn.Value) *tarn.Value { return l.SelfAttn.Next(x, place, cache, nil) })
}
