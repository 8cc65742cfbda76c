package optim

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds Sophia, which scales by an estimate of the second derivatives.

// Sophia divides a running mean of the gradient by a running estimate of the Hessian's diagonal, and limits the quotient, which
// is what keeps it safe where the curvature is small or negative:
//
//	m <- Beta1 m + (1-Beta1) g
//	u = m / (1 - Beta1^t) / max(Gamma h, Epsilon), limited to [-Limit, Limit]       at the t-th update
//	h <- Beta2 h + (1-Beta2) Diagonal       after every update with t-1 divisible by Every
//	param <- param - rate * (u + WeightDecay * param)
//
// The estimate, which costs about a forward and two backward passes, is computed in one of Every runs. (Liu et al. 2023, Sophia: a
// scalable stochastic second-order optimizer for language model pre-training. Its algorithm has Beta1 0.96 and updates h before the
// step.)
//
// Equal to optax.contrib.sophia, whose WeightDecay is 1e-4 unless set, up to the random numbers of the estimate.
type Sophia struct {
	Chain
	Beta1, Beta2, Epsilon float64
	Gamma                 float64
	Limit                 float64
	Every                 int
	WeightDecay           float64 // decoupled
	// Diagonal estimates the diagonal of the Hessian of c.Loss by each param of c.Slots. It is Hutchinson unless set;
	// GaussNewtonBartlett makes it Sophia-G.
	Diagonal func(c *Context) []*tarn.Value
}

// NewSophia returns Sophia with Beta1 0.965, Beta2 0.99, Epsilon 1e-8, Gamma 0.01, Limit 1, Every 10 and Hutchinson.
func NewSophia(rate float64) *Sophia {
	o := &Sophia{Beta1: 0.965, Beta2: 0.99, Epsilon: 1e-8, Gamma: 0.01, Limit: 1, Every: 10, Diagonal: Hutchinson}
	o.Chain = *NewChain(rate, o)
	return o
}

// Hutchinson estimates the diagonal of the Hessian of the loss: see tarn.HutchinsonDiagonal. With micro-batches it is that of the last
// one. Equal to optax.contrib.hutchinson_estimator_diag_hessian.
func Hutchinson(c *Context) []*tarn.Value {
	return tarn.HutchinsonDiagonal(c.Loss, c.values()...)
}

// Apply scales the gradients.
func (o *Sophia) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if !c.needLoss() {
		return u
	}
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	c.notNegative("Gamma", o.Gamma)
	if !(o.Limit > 0) {
		c.Errorf("Limit is %v and should be positive", o.Limit)
	}
	if o.Every < 1 || o.Diagonal == nil {
		c.Errorf("Every is %d and should be at least 1, and Diagonal should not be nil", o.Every)
		return u
	}
	diagonal := o.Diagonal(c)
	if len(diagonal) != len(u) {
		c.Errorf("Diagonal returned %d values for %d params", len(diagonal), len(u))
		return u
	}
	mean := c.corrections(o.Beta1)
	out, states, old := make([]*tarn.Value, len(u)), make([]*tarn.Param, len(u)), make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		m := s.Average("sophia.m", o.Beta1, u[i]).Mul(s.Scalar(mean(s)))
		states[i] = s.State("sophia.h", 0)
		old[i] = states[i].Value(c.Graph)
		out[i] = m.Div(old[i].Scale(o.Gamma).Maximum(tarn.Num(o.Epsilon))).Clip(tarn.Num(-o.Limit), tarn.Num(o.Limit))
	}
	average := func(old, diagonal []*tarn.Value) []*tarn.Value {
		now := make([]*tarn.Value, len(old))
		for i, h := range old {
			now[i] = h.Scale(o.Beta2).Add(diagonal[i].Scale(1 - o.Beta2))
		}
		return now
	}
	now := average(old, diagonal)
	if n := len(old); o.Every > 1 {
		// What the estimate is computed from, the forward pass included, is computed again in the branch, so that other runs do not pay for it.
		now = tarn.Cond(divides(o.Every, c.Step), slices.Concat(old, c.values()),
			func(in []*tarn.Value) []*tarn.Value {
				return average(in[:n], tarn.Substitute(diagonal, c.values(), in[n:]))
			},
			func(in []*tarn.Value) []*tarn.Value { return in[:n] })
	}
	for i, h := range now {
		c.Assign(states[i], h)
	}
	return DecayWeights(o.WeightDecay).Apply(c, out)
}
