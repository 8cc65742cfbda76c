package optim

import (
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
	l := lengths(u)[0]
	factor := c.Graph.Num(tarn.F64, float64(x)).Div(l.norm.Add(l.unit.Scale(1e-6))).Minimum(l.unit.Reciprocal())
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value { return s.scale(u, l.unit, factor) })
}
