package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds gradient descent, plain and with momentum.

// SGD is stochastic gradient descent:
//
//	g = gradient + WeightDecay * param
//	b <- Momentum * b + (1 - Dampening) * g        at the first step b = g
//	param <- param - rate * b                      Nesterov: g + Momentum * b in place of b
//
// Without Momentum b is g and nothing is kept. (Polyak 1964, Some methods of speeding up the convergence of iteration
// methods; Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.)
//
// Equal to torch.optim.SGD, and without Dampening to optax.sgd. Both multiply by the rate what has been accumulated; the papers
// accumulate what has been multiplied, which differs where the rate changes.
type SGD struct {
	Chain
	Momentum    float64 // of the last step's direction, in [0, 1)
	Dampening   float64 // of the gradient's share in the direction
	Nesterov    bool    // look ahead along the direction; needs Momentum and no Dampening
	WeightDecay float64 // L2 penalty
}

// NewSGD returns plain gradient descent.
func NewSGD(rate float64) *SGD {
	o := &SGD{}
	o.Chain = *NewChain(rate, o)
	return o
}

// NewMomentum returns gradient descent with a momentum of 0.9.
func NewMomentum(rate float64) *SGD {
	o := NewSGD(rate)
	o.Momentum = 0.9
	return o
}

// NewNesterov returns gradient descent with a Nesterov momentum of 0.9.
func NewNesterov(rate float64) *SGD {
	o := NewMomentum(rate)
	o.Nesterov = true
	return o
}

// Apply turns gradients into directions.
func (o *SGD) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Momentum", o.Momentum)
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		c.Errorf("Nesterov needs a Momentum and no Dampening; they are %v and %v", o.Momentum, o.Dampening)
	}
	if o.Dampening != 0 {
		c.fraction("Dampening", o.Dampening)
	}
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	if o.Momentum == 0 {
		return u
	}
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("sgd.momentum", 0)
		b := state.Value(c.Graph).Scale(o.Momentum)
		if o.Dampening == 0 {
			b = b.Add(g)
		} else {
			// The share of the gradient is 1 at the first step: with b = 0 before it, this makes b = g.
			share := s.step().Eq(tarn.Num(0)).Where(c.Graph.Num(tarn.F64, 1), tarn.Num(1-o.Dampening))
			b = b.Add(g.Mul(s.Scalar(share)))
		}
		s.Assign(state, b)
		if o.Nesterov {
			return g.Add(b.Scale(o.Momentum))
		}
		return b
	})
}
