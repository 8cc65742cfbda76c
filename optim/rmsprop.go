package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds RMSprop.

// RMSprop divides the gradient by a running root mean square of it, or by a running standard deviation where it is Centered:
//
//	g = gradient + WeightDecay * param
//	v <- Alpha v + (1-Alpha) g^2
//	m <- Alpha m + (1-Alpha) g                      Centered only; otherwise m = 0
//	b <- Momentum b + g / (sqrt(v - m^2) + Epsilon)
//	param <- param - rate * b
//
// (Hinton 2012, lecture 6e of Neural Networks for Machine Learning; centered: Graves 2013, Generating sequences with
// recurrent neural networks.)
//
// Equal to torch.optim.RMSprop. There v - m^2 may round to below 0 and the root is then NaN; here it is taken to be 0.
// optax.rmsprop has Alpha 0.9 and, unless told otherwise, Epsilon within the root.
type RMSprop struct {
	Chain
	Alpha       float64
	Epsilon     float64
	Momentum    float64
	Centered    bool
	WeightDecay float64 // L2 penalty
}

// NewRMSprop returns RMSprop with Alpha 0.99 and Epsilon 1e-8.
func NewRMSprop(rate float64) *RMSprop {
	o := &RMSprop{Alpha: 0.99, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *RMSprop) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Alpha", o.Alpha)
	c.fraction("Momentum", o.Momentum)
	c.notNegative("Epsilon", o.Epsilon)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		v := s.Average("rmsprop.v", o.Alpha, g.Square())
		if o.Centered {
			m := s.Average("rmsprop.m", o.Alpha, g)
			v = v.Sub(m.Square()).Maximum(tarn.Num(0))
		}
		g = g.Div(v.Sqrt().AddNum(o.Epsilon))
		if o.Momentum == 0 {
			return g
		}
		b := s.State("rmsprop.momentum", 0)
		return s.Assign(b, b.Value(c.Graph).Scale(o.Momentum).Add(g))
	})
}
