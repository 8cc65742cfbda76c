package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds AdaBelief.

// AdaBelief is Adam that divides not by the size of the gradients but by their distance from their running mean: steps are long
// if gradients are as expected.
//
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) (g-m)^2 + Epsilon
//	u = m / (1 - Beta1^t) / (sqrt(v / (1 - Beta2^t)) + Epsilon)       at the t-th update
//	param <- param - rate * (u + WeightDecay * param)
//
// (Zhuang et al. 2020, AdaBelief optimizer: adapting stepsizes by the belief in observed gradients.)
//
// Equal to optax.adabelief with eps and eps_root both Epsilon, followed by the decay. The authors' library has the same
// without its rectification, which is on there unless turned off.
type AdaBelief struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // decoupled
}

// NewAdaBelief returns AdaBelief with Beta1 0.9, Beta2 0.999 and Epsilon 1e-16.
func NewAdaBelief(rate float64) *AdaBelief {
	o := &AdaBelief{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-16}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *AdaBelief) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	mean, square := c.corrections(o.Beta1), c.corrections(o.Beta2)
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.Average("adabelief.m", o.Beta1, g)
		state := s.State("adabelief.v", 0)
		v := state.Value(c.Graph).Scale(o.Beta2).Add(g.Sub(m).Square().Scale(1 - o.Beta2)).AddNum(o.Epsilon)
		s.Assign(state, v)
		return m.Mul(s.Scalar(mean(s))).Div(v.Sqrt().Mul(s.Scalar(square(s).Sqrt())).AddNum(o.Epsilon))
	})
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
