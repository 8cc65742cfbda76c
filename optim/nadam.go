package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds NAdam.

// NAdam is Adam with Nesterov's momentum, of which the share grows from step to step:
//
//	g = gradient + WeightDecay * param
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) g^2
//	mu(t) = Beta1 (1 - 0.96^(t MomentumDecay) / 2),  p <- p mu(t) from p = 1       at the t-th update
//	u = (1-mu(t)) / (1-p) g + mu(t+1) / (1 - p mu(t+1)) m
//	param <- param - rate * u / (sqrt(v / (1 - Beta2^t)) + Epsilon)
//
// (Dozat 2016, Incorporating Nesterov momentum into Adam.)
//
// Equal to torch.optim.NAdam. optax.nadam has mu(t) = Beta1 throughout, which a MomentumDecay of 1e9 gives; optax.nadamw is that and Decoupled.
type NAdam struct {
	Chain
	Beta1, Beta2, Epsilon float64
	MomentumDecay         float64
	WeightDecay           float64 // L2 penalty, or decoupled
	Decoupled             bool    // decay as in AdamW: param <- param - rate * WeightDecay * param
}

// NewNAdam returns NAdam with Beta1 0.9, Beta2 0.999, Epsilon 1e-8 and MomentumDecay 0.004.
func NewNAdam(rate float64) *NAdam {
	o := &NAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MomentumDecay: 0.004}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *NAdam) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	c.notNegative("MomentumDecay", o.MomentumDecay)
	if !o.Decoupled {
		u = DecayWeights(o.WeightDecay).Apply(c, u)
	}
	momentum := func(t *tarn.Value) *tarn.Value {
		return c.Graph.Num(tarn.F64, 0.96).Pow(t.Scale(o.MomentumDecay)).Scale(-0.5).AddNum(1).Scale(o.Beta1)
	}
	now, next := momentum(c.Count()), momentum(c.Count().AddNum(1))
	state := c.State("nadam.product", 1)
	product := c.Assign(state, now.Mul(state))
	ofGradient := now.Neg().AddNum(1).Div(product.Neg().AddNum(1))
	ofMean := next.Div(product.Mul(next).Neg().AddNum(1))
	root := c.correction(o.Beta2).Sqrt()
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.Average("nadam.m", o.Beta1, g)
		v := s.Average("nadam.v", o.Beta2, g.Square())
		u := g.Mul(s.Scalar(ofGradient)).Add(m.Mul(s.Scalar(ofMean)))
		return u.Div(v.Sqrt().Mul(s.Scalar(root)).AddNum(o.Epsilon))
	})
	if o.Decoupled {
		u = DecayWeights(o.WeightDecay).Apply(c, u)
	}
	return u
}
