package nn

import "github.com/seed-49005b45/tarn"

// This file holds the selection that layers and losses make themselves.

// choose is condition.Where(yes, no), of operands of one shape, to which the condition broadcasts, for operands whose gradients are finite as
// they are. The zeros of its gradients are ordinary numbers: unlike those of Where nothing guards them further up, which costs nothing there.
func choose(condition, yes, no *tarn.Value) *tarn.Value {
	return tarn.WithGradient(condition.Where(yes, no), []*tarn.Value{yes, no}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{condition.Where(dy, tarn.Num(0)), condition.Where(tarn.Num(0), dy)}
	})
}

// keepIf is v where the condition is true and 0 elsewhere; the two broadcast to v's shape. It is choose with a zero.
func keepIf(condition, v *tarn.Value) *tarn.Value {
	return tarn.WithGradient(condition.Where(v, tarn.Num(0)), []*tarn.Value{v}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{condition.Where(dy, tarn.Num(0))}
	})
}

// times is weight*v, and 0 where the weight is 0 and v is infinite.
func times(weight, v *tarn.Value) *tarn.Value {
	absent := weight.Eq(tarn.Num(0)).And(v.IsFinite().Not())
	return weight.Mul(keepIf(absent.Not(), v))
}
