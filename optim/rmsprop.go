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
//	b <- Momentum b + g / (sqrt(v - m^2 + EpsilonRoot) + Epsilon)
//	param <- param - rate * b                       with Nesterov b is Momentum b + g / (...) once more
//
// With BiasCorrection v and m are divided by 1 - Alpha^t at the t-th update before they are used.
//
// (Hinton 2012, lecture 6e of Neural Networks for Machine Learning; centered: Graves 2013, Generating sequences with
// recurrent neural networks.)
//
// Equal to torch.optim.RMSprop. There v - m^2 may round to below 0 and the root is then NaN; here it is taken to be 0.
// It has neither Nesterov nor BiasCorrection. optax.rmsprop has both, and initial_scale, which is Initial; it has Alpha 0.9 and, unless told
// otherwise, its eps within the root, which is EpsilonRoot.
type RMSprop struct {
	Chain
	Alpha          float64
	Epsilon        float64
	EpsilonRoot    float64 // within the root
	Initial        float64 // v before the first step
	Momentum       float64
	Nesterov       bool
	Centered       bool
	BiasCorrection bool
	WeightDecay    float64 // L2 penalty
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
	c.notNegative("EpsilonRoot", o.EpsilonRoot)
	c.notNegative("Initial", o.Initial)
	if o.Nesterov && o.Momentum == 0 {
		c.Errorf("Nesterov needs a Momentum")
	}
	correction := c.corrections(o.Alpha)
	corrected := func(s *Slot, v *tarn.Value) *tarn.Value {
		if o.BiasCorrection {
			v = v.Mul(s.Scalar(correction(s)))
		}
		return v
	}
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("rmsprop.v", o.Initial)
		v := corrected(s, s.Assign(state, state.Value(c.Graph).Scale(o.Alpha).Add(g.Square().Scale(1-o.Alpha))))
		if o.Centered {
			m := corrected(s, s.Average("rmsprop.m", o.Alpha, g))
			v = v.Sub(m.Square()).Maximum(tarn.Num(0))
		}
		if o.EpsilonRoot != 0 {
			v = v.AddNum(o.EpsilonRoot)
		}
		g = g.Div(v.Sqrt().AddNum(o.Epsilon))
		if o.Momentum == 0 {
			return g
		}
		momentum := s.State("rmsprop.momentum", 0)
		b := s.Assign(momentum, momentum.Value(c.Graph).Scale(o.Momentum).Add(g))
		if o.Nesterov {
			return b.Scale(o.Momentum).Add(g)
		}
		return b
	})
}
