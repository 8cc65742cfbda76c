package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Yogi.

// Yogi is Adam whose mean square changes by as much as the new square at most, so that it does not forget a large gradient at once:
//
//	m <- Beta1 m + (1-Beta1) g                                                from m = Initial
//	v <- v - (1-Beta2) sign(v - g^2) g^2                                      from v = Initial
//	param <- param - rate * m / (1 - Beta1^t) / (sqrt(v / (1 - Beta2^t)) + Epsilon)       at the t-th update
//
// (Zaheer et al. 2018, Adaptive methods for nonconvex optimization; there the corrections are left out and m begins at 0.)
//
// Equal to optax.yogi.
type Yogi struct {
	Chain
	Beta1, Beta2, Epsilon float64
	Initial               float64 // what m and v are before the first step
	WeightDecay           float64 // decoupled
}

// NewYogi returns Yogi with Beta1 0.9, Beta2 0.999, Epsilon 1e-3 and Initial 1e-6.
func NewYogi(rate float64) *Yogi {
	o := &Yogi{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3, Initial: 1e-6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *Yogi) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	c.notNegative("Initial", o.Initial)
	mean, square := c.corrections(o.Beta1), c.corrections(o.Beta2)
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		mState, vState := s.State("yogi.m", o.Initial), s.State("yogi.v", o.Initial)
		m := s.Assign(mState, mState.Value(c.Graph).Scale(o.Beta1).Add(g.Scale(1-o.Beta1)))
		old, new := vState.Value(c.Graph), g.Square()
		v := s.Assign(vState, old.Sub(old.Sub(new).Sign().Mul(new).Scale(1-o.Beta2)))
		return m.Mul(s.Scalar(mean(s))).Div(v.Sqrt().Mul(s.Scalar(square(s).Sqrt())).AddNum(o.Epsilon))
	})
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
