package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Adadelta.

// Adadelta scales the gradient by the ratio of a running root mean square of the steps to one of the gradients, so that
// steps have the unit of the params:
//
//	g = gradient + WeightDecay * param
//	v <- Rho v + (1-Rho) g^2
//	u = sqrt(x + Epsilon) / sqrt(v + Epsilon) * g
//	x <- Rho x + (1-Rho) u^2
//	param <- param - rate * u
//
// (Zeiler 2012, ADADELTA: an adaptive learning rate method; there the rate is 1.)
//
// Equal to torch.optim.Adadelta, and without WeightDecay to optax.adadelta. Keras has Rho 0.95 and Epsilon 1e-7.
type Adadelta struct {
	Chain
	Rho         float64
	Epsilon     float64
	WeightDecay float64 // L2 penalty
}

// NewAdadelta returns Adadelta with Rho 0.9 and Epsilon 1e-6. The usual rate is 1.
func NewAdadelta(rate float64) *Adadelta {
	o := &Adadelta{Rho: 0.9, Epsilon: 1e-6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *Adadelta) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Rho", o.Rho)
	c.notNegative("Epsilon", o.Epsilon)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		v := s.Average("adadelta.v", o.Rho, g.Square())
		x := s.State("adadelta.x", 0)
		u := x.Value(c.Graph).AddNum(o.Epsilon).Sqrt().Div(v.AddNum(o.Epsilon).Sqrt()).Mul(g)
		s.Assign(x, x.Value(c.Graph).Scale(o.Rho).Add(u.Square().Scale(1-o.Rho)))
		return u
	})
}
