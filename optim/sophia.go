package optim

import (
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
// The estimate, which costs about two backward passes, is computed in every run, and used in one of Every. (Liu et al. 2023, Sophia: a scalable stochastic second-order optimizer for language model pre-training. Its
// algorithm has Beta1 0.96 and updates h before the step.)
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
	return tarn.HutchinsonDiagonal(c.Loss, c.operands()...)
}

// Apply scales the gradients.
func (o *Sophia) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
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
		c.Errorf("Diagonal gave %d values for %d params", len(diagonal), len(u))
		return u
	}
	mean, due := c.correction(o.Beta1), divides(o.Every, c.Step)
	kept, new := due.Where(c.Graph.Num(tarn.F64, o.Beta2), tarn.Num(1)), due.Where(c.Graph.Num(tarn.F64, 1-o.Beta2), tarn.Num(0))
	out := make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		m := s.Average("sophia.m", o.Beta1, u[i]).Mul(s.Scalar(mean))
		state := s.State("sophia.h", 0)
		h := state.Value(c.Graph)
		// What reads the old state comes before its new value, which can then take its place.
		out[i] = m.Div(h.Scale(o.Gamma).Maximum(tarn.Num(o.Epsilon))).Clip(tarn.Num(-o.Limit), tarn.Num(o.Limit))
		s.Assign(state, h.Mul(s.Scalar(kept)).Add(diagonal[i].Mul(s.Scalar(new))))
	}
	return DecayWeights(o.WeightDecay).Apply(c, out)
}
