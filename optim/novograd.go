package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds NovoGrad.

// NovoGrad divides the gradient of each param by a running root mean of its squared norm, one number for the whole param:
//
//	v <- Beta2 v + (1-Beta2) |g|^2                                      at the first update v = |g|^2
//	m <- Beta1 m + g / (sqrt(v) + Epsilon) + WeightDecay * param
//	param <- param - rate * m
//
// (Ginsburg et al. 2019, Stochastic gradient methods with layer-wise adaptive moments for training of deep networks.)
//
// Equal to optax.novograd.
type NovoGrad struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // passes through the momentum and not through the scaling
}

// NewNovoGrad returns NovoGrad with Beta1 0.9, Beta2 0.25 and Epsilon 1e-6.
func NewNovoGrad(rate float64) *NovoGrad {
	o := &NovoGrad{Beta1: 0.9, Beta2: 0.25, Epsilon: 1e-6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *NovoGrad) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	u = c.Each(c.limited(u), func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.StateOf("novograd.v", 0)
		new := g.Square().Sum()
		first := s.step().Eq(tarn.Num(0))
		v := s.Assign(state, first.Where(new, state.Value(c.Graph).Scale(o.Beta2).Add(new.Scale(1-o.Beta2))))
		// As long as all gradients were 0, so is v.
		return g.Div(v.Sqrt().AddNum(o.Epsilon).Maximum(tarn.Num(smallest(s.Param.DType()))))
	})
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.State("novograd.m", 0)
		return s.Assign(m, m.Value(c.Graph).Scale(o.Beta1).Add(g))
	})
}

// smallest is the smallest normal number of a dtype: dividing 0 by it and not by 0 gives 0.
func smallest(dtype tarn.DType) float64 {
	if dtype == tarn.F32 {
		return 0x1p-126
	}
	return 0x1p-1022
}
