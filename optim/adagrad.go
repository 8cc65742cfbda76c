package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Adagrad.

// Adagrad divides the gradient by the root of the sum of its squares so far:
//
//	g = gradient + WeightDecay * param
//	v <- v + g^2                                   from v = Initial
//	param <- param - rate / (1 + (t-1) RateDecay) * g / (sqrt(v) + Epsilon)       at the t-th update
//
// (Duchi et al. 2011, Adaptive subgradient methods for online learning and stochastic optimization.)
//
// Equal to torch.optim.Adagrad. optax.adagrad has Initial 0.1, and Epsilon 1e-7 within the root.
type Adagrad struct {
	Chain
	Epsilon     float64
	Initial     float64 // sum of squares before the first step
	RateDecay   float64
	WeightDecay float64 // L2 penalty
}

// NewAdagrad returns Adagrad with Epsilon 1e-10.
func NewAdagrad(rate float64) *Adagrad {
	o := &Adagrad{Epsilon: 1e-10}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *Adagrad) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.notNegative("Epsilon", o.Epsilon)
	c.notNegative("Initial", o.Initial)
	c.notNegative("RateDecay", o.RateDecay)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("adagrad.v", o.Initial)
		v := s.Assign(state, g.Square().Add(state))
		g = g.Div(v.Sqrt().AddNum(o.Epsilon))
		if o.RateDecay == 0 {
			return g
		}
		return g.Mul(s.Scalar(s.step().Scale(o.RateDecay).AddNum(1).Reciprocal()))
	})
}
