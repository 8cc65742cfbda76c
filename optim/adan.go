package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Adan.

// Adan is Adam with Nesterov's momentum from running means of the gradients and of their differences:
//
//	d = g - (g of the last step)                       0 at the first
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) d
//	n <- Beta3 n + (1-Beta3) (g + (1-Beta2) d)^2
//	u = (m' + (1-Beta2) v') / (sqrt(n') + Epsilon)     m', v', n': divided by 1 - Beta^t at the t-th update
//	param <- param - rate * (u + WeightDecay * param)
//
// (Xie et al. 2022, Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models. There the betas are
// written as the shares of what is new, and the factor 1-Beta2 of the differences is so their Beta2.)
//
// Equal to optax.adan with eps_root 0. Its default is 1e-8, within the root. The authors' library multiplies the differences
// by Beta2 = 0.92, and divides the param by 1 + rate * WeightDecay in place of subtracting its decay.
type Adan struct {
	Chain
	Beta1, Beta2, Beta3, Epsilon float64
	WeightDecay                  float64 // decoupled
}

// NewAdan returns Adan with Beta1 0.98, Beta2 0.92, Beta3 0.99 and Epsilon 1e-8.
func NewAdan(rate float64) *Adan {
	o := &Adan{Beta1: 0.98, Beta2: 0.92, Beta3: 0.99, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *Adan) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.fraction("Beta3", o.Beta3)
	c.notNegative("Epsilon", o.Epsilon)
	begun := c.begun("adan.begun")
	ofMean, ofDifference, root := c.correction(o.Beta1), c.correction(o.Beta2).Scale(1-o.Beta2), c.correction(o.Beta3).Sqrt()
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		last := s.State("adan.gradient", 0)
		d := begun.Where(g.Sub(last), tarn.Num(0))
		s.Assign(last, g)
		m := s.Average("adan.m", o.Beta1, g)
		v := s.Average("adan.v", o.Beta2, d)
		n := s.Average("adan.n", o.Beta3, g.Add(d.Scale(1-o.Beta2)).Square())
		u := m.Mul(s.Scalar(ofMean)).Add(v.Mul(s.Scalar(ofDifference)))
		return u.Div(n.Sqrt().Mul(s.Scalar(root)).AddNum(o.Epsilon))
	})
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
