package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds ASGD.

// ASGD is gradient descent with a rate that falls slowly, which keeps the mean of the weights for evaluation:
//
//	g = gradient + WeightDecay * param
//	e = rate / (1 + Lambda rate (t-1))^Alpha       at the t-th update
//	param <- param - e (g + Lambda * param)
//	a <- a + (param - a) / max(1, t - 1 - Start)
//
// So a is the weights as they are in the first Start updates, and then the mean of those after them. (Polyak and Juditsky 1992, Acceleration of
// stochastic approximation by averaging.)
//
// Equal to torch.optim.ASGD, whose ax is a. There a new rate of a schedule takes effect one update later.
type ASGD struct {
	Chain
	Lambda      float64
	Alpha       float64
	Start       float64 // updates before the mean begins: t0
	WeightDecay float64 // L2 penalty
}

// NewASGD returns ASGD with Lambda 1e-4, Alpha 0.75 and Start 1e6.
func NewASGD(rate float64) *ASGD {
	o := &ASGD{Lambda: 1e-4, Alpha: 0.75, Start: 1e6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps and keeps the mean.
func (o *ASGD) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Lambda", o.Lambda)
	c.notNegative("Alpha", o.Alpha)
	c.notNegative("Start", o.Start)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	c.TakeRate()
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		rate := c.Rate.Scale(s.rate)
		e := rate.Div(rate.Mul(s.step()).Scale(o.Lambda).AddNum(1).Pow(tarn.Num(o.Alpha)))
		return g.Add(s.Value.Scale(o.Lambda)).Mul(s.Scalar(e))
	})
	share := c.Step.AddNum(-o.Start).Maximum(tarn.Num(1)).Reciprocal()
	return c.averageWeights("asgd.average", share, u)
}
