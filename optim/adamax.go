package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Adamax.

// Adamax is Adam with a running maximum in place of the running root mean square:
//
//	g = gradient + WeightDecay * param
//	m <- Beta1 m + (1-Beta1) g
//	v <- max(Beta2 v, |g| + Epsilon)
//	param <- param - rate / (1 - Beta1^t) * m / v       at the t-th update
//
// (Kingma and Ba 2015, Adam: a method for stochastic optimization, section 7.1.)
//
// Equal to torch.optim.Adamax, and without WeightDecay to optax.adamax.
type Adamax struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // L2 penalty
}

// NewAdamax returns Adamax with Beta1 0.9, Beta2 0.999 and Epsilon 1e-8.
func NewAdamax(rate float64) *Adamax {
	o := &Adamax{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *Adamax) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	mean := c.corrections(o.Beta1)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.Average("adamax.m", o.Beta1, g)
		state := s.State("adamax.v", 0)
		v := s.Assign(state, state.Value(c.Graph).Scale(o.Beta2).Maximum(g.Abs().AddNum(o.Epsilon)))
		return m.Mul(s.Scalar(mean(s))).Div(v)
	})
}
