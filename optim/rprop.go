package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Rprop.

// Rprop uses only the sign of each element of the gradient. Each element has its own step size, which grows while
// the sign stays the same and shrinks when it changes:
//
//	s = g * (g of the last step)
//	size <- min(MaxStep, max(MinStep, size * (Grow where s > 0, Shrink where s < 0, otherwise 1)))
//	g = 0 where s < 0
//	param <- param - size * sign(g)
//
// The learning rate is the size at the first step, and has no effect on the later ones. It is a method for gradients of the
// whole data: a small batch turns signs by chance. (Riedmiller and Braun 1993, A direct adaptive method for faster
// backpropagation learning: the RPROP algorithm; this is the variant without weight-backtracking, iRprop-.)
//
// Equal to torch.optim.Rprop, and to optax.rprop from the second step on: that does not limit the first size.
type Rprop struct {
	Chain
	Shrink, Grow     float64 // etaminus and etaplus
	MinStep, MaxStep float64
}

// NewRprop returns Rprop with Shrink 0.5, Grow 1.2, MinStep 1e-6 and MaxStep 50.
func NewRprop(rate float64) *Rprop {
	o := &Rprop{Shrink: 0.5, Grow: 1.2, MinStep: 1e-6, MaxStep: 50}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *Rprop) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if !(o.Shrink > 0 && o.Shrink < 1 && o.Grow > 1 && !math.IsInf(o.Grow, 1)) {
		c.Errorf("Shrink is %v and Grow %v; they should lie in (0, 1) and above 1", o.Shrink, o.Grow)
	}
	c.notNegative("MinStep", o.MinStep)
	c.positive("MaxStep", o.MaxStep)
	if o.MinStep > o.MaxStep {
		c.Errorf("MinStep is %v and MaxStep %v; the first should not be above the second", o.MinStep, o.MaxStep)
	}
	c.TakeRate()
	begun := c.begun("rprop.begun")
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		last, sizes := s.State("rprop.gradient", 0), s.State("rprop.size", 0)
		turn := g.Mul(last)
		turned := turn.Lt(tarn.Num(0))
		factor := turn.Gt(tarn.Num(0)).Where(g.Num(o.Grow), turned.Where(g.Num(o.Shrink), tarn.Num(1)))
		size := begun.Where(sizes.Value(c.Graph), s.Rate())
		size = s.Assign(sizes, size.Mul(factor).Clip(tarn.Num(o.MinStep), tarn.Num(o.MaxStep)))
		g = s.Assign(last, turned.Where(tarn.Num(0), g))
		return g.Sign().Mul(size)
	})
}
