package optim

import "github.com/seed-49005b45/tarn"

// This file holds arithmetic on values of all params together, as if they were one vector.

// dot is the sum of the products of values of equal shapes, an F64 scalar. There must be at least one pair.
func dot(a, b []*tarn.Value) *tarn.Value {
	var sum *tarn.Value
	for i, v := range a {
		if s := v.Mul(b[i]).Sum().Cast(tarn.F64); sum == nil {
			sum = s
		} else {
			sum = sum.Add(s)
		}
	}
	return sum
}

// addScaled is x + factor * v for each param, with an F64 scalar.
func (c *Context) addScaled(x []*tarn.Value, factor *tarn.Value, v []*tarn.Value) []*tarn.Value {
	return c.Each(x, func(s *Slot, x *tarn.Value) *tarn.Value {
		d := v[0]
		v = v[1:]
		return x.Add(d.Mul(s.Scalar(factor)))
	})
}

// scaled is factor * v for each param, with an F64 scalar.
func (c *Context) scaled(v []*tarn.Value, factor *tarn.Value) []*tarn.Value {
	return c.Each(v, func(s *Slot, v *tarn.Value) *tarn.Value { return v.Mul(s.Scalar(factor)) })
}
