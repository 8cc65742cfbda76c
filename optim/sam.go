package optim

import (
	"cmp"

	"github.com/seed-49005b45/tarn"
)

// This file holds SAM, sharpness-aware minimization.

// SAM takes the gradient not at the params but at the worst point near them, so that the training finds wide valleys:
//
//	e = Rho * g / (|g| + 1e-12)       the norm is that of all gradients
//	g = gradient at param + e
//
// It must come before all transforms with states, so put it first in Before. Transforms before it, and the clipping of Chain, are applied to
// both gradients. The graph contains the forward and backward pass twice, for the same batch and the same dropout. States of layers, such
// as a running mean, come from the first pass. Micro-batches are an error, since there is no gradient of the whole batch. In a training over shards (train.Shards)
// there are two passes over the shards, and there may be one SAM, in Before and for all params. (Foret et al. 2021, Sharpness-aware minimization for efficiently improving generalization.)
//
// Equal to optax.contrib.sam in its opaque mode, with normalize() and sgd(Rho) as the adversary.
type SAM struct {
	Rho float64 // 0 means 0.05
}

// Apply returns the gradients nearby.
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
	if c.given != nil && !c.probing { // those at the point nearby
		if c.moved++; c.moved > 1 || c.depth > 1 || !c.chain.memory.probes {
			c.Errorf("its gradients at the point nearby were not given: in a training over shards (train.Shards) there is one SAM, in Before and for all params; who calls UpdateFrom calls ProbeFrom first")
		}
		return u
	}
	l := lengths(u)[0]
	factor := l.norm.Add(l.unit.Scale(1e-12)).Reciprocal().Scale(rho)
	near := c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value { return s.Value.Add(s.scale(g, l.unit, factor)) })
	if c.probing {
		return near
	}
	return tarn.Substitute(u, c.values(), near)
}

// isSAM reports whether t is a SAM itself.
func isSAM(t Transform) bool {
	switch t.(type) {
	case SAM, *SAM:
		return true
	}
	return false
}
