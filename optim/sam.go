package optim

import (
	"cmp"

	"github.com/seed-49005b45/tarn"
)

// This file holds SAM, sharpness-aware minimization.

// SAM takes the gradient not at the params but at the worst point near them, so that the training looks for wide valleys:
//
//	e = Rho * g / (|g| + 1e-12)       the norm is that of all gradients
//	g = gradient at param + e
//
// It is the first of the transforms in Before; what stands in front of it, the clipping of Chain included, is applied to both
// gradients. Forward and backward pass are twice in the graph, the second time of the same batch and the same dropout; what
// a layer keeps, such as a running mean, is that of the first pass. With micro-batches there is no gradient of the whole to
// follow, so they are refused. (Foret et al. 2021, Sharpness-aware minimization for efficiently improving generalization.)
//
// Equal to optax.contrib.sam in its opaque mode, with normalize() and sgd(Rho) as the adversary.
type SAM struct {
	Rho float64 // 0 means 0.05
}

// Apply gives the gradients nearby.
func (m SAM) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	rho := cmp.Or(m.Rho, 0.05)
	c.notNegative("Rho", rho)
	if c.chain.MicroBatches > 1 {
		c.Errorf("it needs the gradient of the whole batch; set MicroBatches to 1, not %d", c.chain.MicroBatches)
		return u
	}
	c.needGradients()
	if len(c.updates) > 0 {
		c.Errorf("a transform before it keeps states, which would follow the gradient at the params and at the point nearby alike: put it first in Before")
	}
	l := lengths(u)[0]
	factor := l.norm.Add(l.unit.Scale(1e-12)).Reciprocal().Scale(rho)
	near := c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value { return s.Value.Add(s.scale(g, l.unit, factor)) })
	return tarn.Substitute(u, c.values(), near)
}
