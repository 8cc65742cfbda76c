package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the transforms that limit gradients.

// ClipByValue limits each element of the updates to [-x, x]. A NaN stays a NaN.
//
// Equal to torch.nn.utils.clip_grad_value_ and optax.clip.
type ClipByValue float64

// Apply limits the updates.
func (x ClipByValue) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("the limit", float64(x))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value { return u.Clip(tarn.Num(-x), tarn.Num(x)) })
}

// ClipByNorm scales all updates by one factor such that the norm of all their elements together is at most x:
//
//	u <- u * min(1, x / (norm + 1e-6))
//
// A NaN anywhere makes every update NaN; an infinite element becomes NaN and the others 0. So a broken gradient shows in
// the loss at the next step. The norm is right for finite gradients of any size. (Pascanu et al. 2013, On the difficulty of training recurrent
// neural networks.)
//
// Equal to torch.nn.utils.clip_grad_norm_; optax.clip_by_global_norm has no 1e-6.
type ClipByNorm float64

// Apply limits the updates.
func (x ClipByNorm) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("the limit", float64(x))
	var l length
	if d := c.chain.memory.division; d != nil && len(c.Slots) == c.all {
		norm := d.Norm(u)
		l = length{norm, norm.Num(1)}
	} else {
		l = lengths(u)[0]
	}
	factor := c.Graph.Num(tarn.F64, float64(x)).Div(l.norm.Add(l.unit.Scale(1e-6))).Minimum(l.unit.Reciprocal())
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value { return s.scale(u, l.unit, factor) })
}

// ClipByNormOf is ClipByNorm with another norm of all elements together: the sum of their absolute values for Order 1, the largest of these for
// Order math.Inf(1), and the Euclidean norm for Order 2:
//
//	u <- u * min(1, Limit / (norm + 1e-6))
//
// A NaN anywhere makes every update NaN.
//
// Equal to torch.nn.utils.clip_grad_norm_ with that norm_type.
type ClipByNormOf struct {
	Order float64
	Limit float64
}

// Apply limits the updates.
func (x ClipByNormOf) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Limit", x.Limit)
	var each func(v *tarn.Value) *tarn.Value
	join := (*tarn.Value).Add
	switch {
	case x.Order == 2:
		return ClipByNorm(x.Limit).Apply(c, u)
	case x.Order == 1:
		each = func(v *tarn.Value) *tarn.Value { return v.Sum() }
	case math.IsInf(x.Order, 1):
		each, join = func(v *tarn.Value) *tarn.Value { return v.Max() }, func(a *tarn.Value, b tarn.Operand) *tarn.Value { return a.Maximum(b) }
	default:
		c.Errorf("Order is %v and should be 1, 2 or math.Inf(1)", x.Order)
		return u
	}
	norm := c.Graph.Num(tarn.F64, 0)
	for _, v := range u {
		if v.Size() > 0 {
			norm = join(norm, each(v.Cast(tarn.F64).Abs()))
		}
	}
	factor := norm.AddNum(1e-6).Reciprocal().Scale(x.Limit).Minimum(tarn.Num(1))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value { return s.scale(u, norm.Num(1), factor) })
}
