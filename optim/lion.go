package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Lion.

// Lion steps by the sign of a momentum, so that every element moves by the learning rate:
//
//	u = sign(Beta1 m + (1-Beta1) g)
//	m <- Beta2 m + (1-Beta2) g
//	param <- param - rate * (u + WeightDecay * param)
//
// Its rate is usually a third to a tenth of Adam's, and its decay larger by the same factor.
// (Chen et al. 2023, Symbolic discovery of optimization algorithms.)
//
// Equal to optax.lion, whose WeightDecay is 1e-3 unless set.
type Lion struct {
	Chain
	Beta1, Beta2 float64
	WeightDecay  float64 // decoupled
}

// NewLion returns Lion with Beta1 0.9 and Beta2 0.99.
func NewLion(rate float64) *Lion {
	o := &Lion{Beta1: 0.9, Beta2: 0.99}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the signs.
func (o *Lion) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.State("lion.m", 0)
		// What reads the old state comes before its new value, which can then take its place.
		sign := m.Value(c.Graph).Scale(o.Beta1).Add(g.Scale(1 - o.Beta1)).Sign()
		s.Assign(m, m.Value(c.Graph).Scale(o.Beta2).Add(g.Scale(1-o.Beta2)))
		return sign
	})
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
