package nn

import "github.com/seed-49005b45/tarn"

// This file holds attention one place at a time, for generation: keys and values of the places before are kept.

// KVCache holds the keys and values of the places that an attention has seen, so that a next place costs no more than itself.
// Its contents are states that the program of a place assigns.
type KVCache struct {
	Keys, Values *tarn.Param // [n groups context d]
}

// NewKVCache returns a cache for n sequences of up to so many places.
func (m *MultiHeadAttention) NewKVCache(n, context int) *KVCache {
	d := m.OutProj.Weight.Shape()[1] / max(1, m.Heads)
	dtype := m.OutProj.Weight.DType()
	return &KVCache{
		Keys:   tarn.NewState(dtype, nil, n, m.Groups, context, d),
		Values: tarn.NewState(dtype, nil, n, m.Groups, context, d),
	}
}

// Next is the causal attention of the vector at one place to those at all places up to it. It gives the updates that put the
// vector's keys and values into the cache. turn, if not nil, is applied to queries and keys: a rotary position.
//
// Shapes: [n 1 width] and the place, a scalar of i32 or i64 -> [n 1 width].
func (m *MultiHeadAttention) Next(x, place *tarn.Value, cache *KVCache, turn func(x *tarn.Value) *tarn.Value) (y *tarn.Value, updates []tarn.Update) {
	if bad := m.check(x); bad != nil {
		return bad, nil
	}
	g := x.Graph()
	if x.Rank() != 3 || x.Dim(1) != 1 || place.Rank() != 0 || place.DType() != tarn.I32 && place.DType() != tarn.I64 {
		return g.Fail("MultiHeadAttention.Next", []*tarn.Value{x, place}, "the vector has shape %s and should be [n 1 width], and the place a scalar integer", shapeString(x.Shape())), nil
	}
	q, k, v := m.Project(x, x, x)
	if turn != nil {
		q, k = turn(q), turn(k)
	}
	context := cache.Keys.Shape()[2]
	places := g.Iota(place.DType(), 0, context)
	here := places.Eq(place).Unsqueeze(1)
	put := func(p *tarn.Param, next *tarn.Value) *tarn.Value {
		all := here.Where(next.Expand(p.Shape()...), p)
		updates = append(updates, tarn.Assign(p, all))
		return all
	}
	keys, values := put(cache.Keys, k), put(cache.Values, v)
	out := q.Attention(keys, values, tarn.AttentionOptions{Mask: places.Le(place)})
	return m.OutProj.Forward(joinHeads(out)), updates
}

// next is the layer at one place.
func (l *TransformerEncoderLayer) next(x, place *tarn.Value, cache *KVCache) (y *tarn.Value, updates []tarn.Update) {
	y = l.around(x, func(x *tarn.Value) (y *tarn.Value) {
		y, updates = l.SelfAttn.Next(x, place, cache, nil)
		return y
	})
	return y, updates
}
