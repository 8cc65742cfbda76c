package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds AdEMAMix.

// AdEMAMix is AdamW with a second running mean of the gradient, which is slow and reaches back over thousands of updates:
//
//	m1 <- Beta1 m1 + (1-Beta1) g,  m2 <- b m2 + (1-b) g,  v <- Beta2 v + (1-Beta2) g^2
//	u = (m1 / (1 - Beta1^t) + a m2) / (sqrt(v / (1 - Beta2^t)) + Epsilon)       at the t-th update
//	param <- param - rate * (u + WeightDecay * param)
//
// where a is Alpha and b is Beta3. With a Warmup of T updates a rises in a straight line from 0 to Alpha during these, and b such that the half-life of m2 rises in
// a straight line from that of Beta1:
//
//	a = min(t Alpha / T, Alpha),  b = min(exp(ln Beta1 ln Beta3 / ((1 - t/T) ln Beta3 + t/T ln Beta1)), Beta3)
//
// (Pagliardini et al. 2024, The AdEMAMix optimizer: better, faster, older.) For short trainings Beta3 0.999 is better.
//
// Equal to optax.contrib.ademamix, with b and a as its schedules b3 and alpha.
type AdEMAMix struct {
	Chain
	Beta1, Beta2, Beta3, Epsilon float64
	Alpha                        float64
	Warmup                       int     // updates until Alpha and Beta3 are reached; 0 is none
	WeightDecay                  float64 // decoupled
}

// NewAdEMAMix returns AdEMAMix with Beta1 0.9, Beta2 0.999, Beta3 0.9999, Epsilon 1e-8 and Alpha 5.
func NewAdEMAMix(rate float64) *AdEMAMix {
	o := &AdEMAMix{Beta1: 0.9, Beta2: 0.999, Beta3: 0.9999, Epsilon: 1e-8, Alpha: 5}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *AdEMAMix) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.fraction("Beta3", o.Beta3)
	c.notNegative("Epsilon", o.Epsilon)
	c.notNegative("Alpha", o.Alpha)
	switch {
	case o.Warmup < 0:
		c.Errorf("Warmup is %d and should not be negative", o.Warmup)
	case o.Warmup > 0 && !(o.Beta1 > 0 && o.Beta3 >= o.Beta1):
		c.Errorf("Beta1 is %v and Beta3 %v; with a Warmup the first should be positive and the second not below it", o.Beta1, o.Beta3)
	}
	mean, square := c.corrections(o.Beta1), c.corrections(o.Beta2)
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		alpha, keep := c.Graph.Num(tarn.F64, o.Alpha), c.Graph.Num(tarn.F64, o.Beta3)
		if o.Warmup > 0 {
			x := s.Count().Scale(1 / float64(o.Warmup)).Minimum(tarn.Num(1))
			from, to := math.Log(o.Beta1), math.Log(o.Beta3)
			alpha = x.Scale(o.Alpha)
			keep = x.Scale(from - to).AddNum(to).Reciprocal().Scale(from * to).Exp().Minimum(tarn.Num(o.Beta3))
		}
		fast := s.Average("ademamix.m1", o.Beta1, g)
		state, b := s.State("ademamix.m2", 0), s.Scalar(keep)
		slow := s.Assign(state, state.Value(c.Graph).Mul(b).Add(g.Mul(s.Scalar(keep.Neg().AddNum(1)))))
		v := s.Average("ademamix.v", o.Beta2, g.Square())
		return fast.Mul(s.Scalar(mean(s))).Add(slow.Mul(s.Scalar(alpha))).Div(v.Sqrt().Mul(s.Scalar(square(s).Sqrt())).AddNum(o.Epsilon))
	})
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
