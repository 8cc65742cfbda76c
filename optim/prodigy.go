package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Prodigy, which finds the learning rate: it keeps a lower bound d of the distance from the first weights to
// the best, and steps in proportion to it. Its Rate is a factor, usually 1 unless a schedule lowers it.

// sumOver adds a number of each param up, as an F64 scalar.
func (c *Context) sumOver(u []*tarn.Value, number func(s *Slot, u *tarn.Value) *tarn.Value) *tarn.Value {
	sum := c.Graph.Num(tarn.F64, 0)
	for i, s := range c.Slots {
		sum = sum.Add(number(s, u[i]).Cast(tarn.F64))
	}
	return sum
}

// positive checks a setting that should be finite and above 0.
func (c *Context) positive(name string, x float64) {
	if !(x > 0) || math.IsInf(x, 1) {
		c.Errorf("%s is %v and should be finite and positive", name, x)
	}
}

// safeRatio is a/b, or 0 if b is 0: the estimate of a distance before the first gradient.
func safeRatio(a, b *tarn.Value) *tarn.Value {
	return b.Eq(tarn.Num(0)).Where(tarn.Num(0), a.Div(b))
}

// Prodigy is Adam with the distance d in place of the learning rate, found by weighing late gradients more than early ones:
//
//	e = d rate sqrt(1 - Beta2^t) / (1 - Beta1^t)                        at the t-th update, d = Distance before the first
//	m <- Beta1 m + (1-Beta1) d g
//	v <- Beta2 v + (1-Beta2) (d g)^2
//	s <- Beta3 s + e d / Distance g
//	r <- Beta3 r + e d / Distance sum(g (first param - param))          the sum is over all params
//	d <- max(d, Growth r / sum|s|)
//	param <- param - e (m / (sqrt(v) + d Epsilon) + WeightDecay param)  with the e from before, and the d from after
//
// (Mishchenko and Defazio 2023, Prodigy: an expeditiously adaptive parameter-free learner.)
//
// Equal to optax.contrib.prodigy. The authors' library leaves out the corrections by 1 - Beta^t unless told otherwise.
type Prodigy struct {
	Chain
	Beta1, Beta2, Beta3, Epsilon float64 // Beta3 is usually the root of Beta2
	Distance                     float64 // the first d, smaller than the true one: estim_lr0
	Growth                       float64 // a factor of the estimates: estim_lr_coef
	Safeguard                    bool    // d in place of e in s, for long warm-ups: safeguard_warmup
	WeightDecay                  float64 // decoupled
}

// NewProdigy returns Prodigy with a factor of the rates that it finds, usually 1, Beta1 0.9, Beta2 0.999, Beta3 the root of that, Epsilon 1e-8, Distance 1e-6 and Growth 1.
func NewProdigy(rate float64) *Prodigy {
	o := &Prodigy{Beta1: 0.9, Beta2: 0.999, Beta3: math.Sqrt(0.999), Epsilon: 1e-8, Distance: 1e-6, Growth: 1}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *Prodigy) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.fraction("Beta3", o.Beta3)
	c.notNegative("Epsilon", o.Epsilon)
	c.positive("Distance", o.Distance)
	c.positive("Growth", o.Growth)
	c.notNegative("the weight decay", o.WeightDecay)
	c.TakeRate()
	u = c.limited(u)
	distance, numerator := c.State("prodigy.d", o.Distance), c.State("prodigy.numerator", 0)
	begun := c.begun("prodigy.begun")
	d := distance.Value(c.Graph)
	e := d.Mul(c.Rate).Mul(c.correction(o.Beta1)).Div(c.correction(o.Beta2).Sqrt())
	weight := e.Mul(d).Scale(1 / o.Distance)
	gradientWeight := weight
	if o.Safeguard {
		gradientWeight = d.Square().Scale(1 / o.Distance)
	}
	moved := c.sumOver(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.copyState("prodigy.first")
		first := s.Assign(state, begun.Where(state.Value(c.Graph), s.Value))
		return g.Mul(first.Sub(s.Value)).Sum()
	})
	sums := c.sumOver(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("prodigy.s", 0)
		return s.Assign(state, state.Value(c.Graph).Scale(o.Beta3).Add(g.Mul(s.Scalar(gradientWeight)))).Abs().Sum()
	})
	r := c.Assign(numerator, numerator.Value(c.Graph).Scale(o.Beta3).Add(weight.Mul(moved)))
	estimate := c.Assign(distance, d.Maximum(safeRatio(r.Scale(o.Growth), sums)))
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		g = g.Mul(s.Scalar(d))
		m := s.Average("prodigy.m", o.Beta1, g)
		v := s.Average("prodigy.v", o.Beta2, g.Square())
		u := m.Div(v.Sqrt().Add(s.Scalar(estimate.Scale(o.Epsilon))))
		if w := s.decays(o.WeightDecay); w != 0 {
			u = u.Add(s.Value.Scale(w))
		}
		return u.Mul(s.Scalar(e.Scale(s.rate)))
	})
}
