package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds the schedule-free optimizers, in which an average of the weights replaces a falling rate.

// ScheduleFree makes the steps of an optimizer without momentum schedule-free. z are the weights that take the steps, x is
// their mean, and the params, at which gradients are taken, lie between them:
//
//	z <- z - step
//	w = (largest rate so far)^2,  W <- W + w,  x <- x + w/W (z - x)
//	param <- Beta x + (1-Beta) z
//
// x is for evaluation: see Chain.WithAverages, and end a training by Chain.TakeAverages. Rate should be constant, with a
// warm-up. Batch norms need statistics of x: run the training data through the model with these weights.
// (Defazio et al. 2024, The road less scheduled.)
//
// Equal to optax.contrib.schedule_free, which computes x from the params and z and so keeps one array less.
type ScheduleFree struct {
	Beta float64
}

// NewScheduleFree returns ScheduleFree with Beta 0.9.
func NewScheduleFree() *ScheduleFree { return &ScheduleFree{Beta: 0.9} }

// Apply takes the steps from z.
func (f ScheduleFree) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Beta", f.Beta)
	c.takeSteps()
	begun := c.begun("schedulefree.begun")
	rate, total := c.State("schedulefree.rate", 0), c.State("schedulefree.weight", 0)
	largest := c.Assign(rate, c.Rate.Maximum(rate))
	weight := largest.Square()
	share := safeRatio(weight, c.Assign(total, weight.Add(total)))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		ahead, mean := s.copyState("schedulefree.z"), s.copyState("schedulefree.x")
		z := s.Assign(ahead, begun.Where(ahead.Value(c.Graph), s.Value).Sub(u))
		x := begun.Where(mean.Value(c.Graph), s.Value)
		x = s.Assign(mean, x.Add(z.Sub(x).Mul(s.Scalar(share))))
		s.EvaluateAt(mean)
		return s.Value.Sub(x.Scale(f.Beta).Add(z.Scale(1 - f.Beta)))
	})
}

// ScheduleFreeSGD is gradient descent, schedule-free: ScheduleFree of the steps rate * (gradient + WeightDecay * param).
//
// Equal to optax.contrib.schedule_free_sgd. Its warm-up is a Warmup of Rate, which is one step ahead of optax's.
type ScheduleFreeSGD struct {
	Chain
	Beta        float64 // takes the place of a momentum
	WeightDecay float64 // L2 penalty, at the params
}

// NewScheduleFreeSGD returns ScheduleFreeSGD with Beta 0.9. The usual rate is larger than that of SGD, 1 to 10 times.
func NewScheduleFreeSGD(rate float64) *ScheduleFreeSGD {
	o := &ScheduleFreeSGD{Beta: 0.9}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *ScheduleFreeSGD) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	c.TakeRate()
	return ScheduleFree{o.Beta}.Apply(c, c.scaleByRate(u))
}

// ScheduleFreeAdamW is AdamW without momentum, schedule-free: ScheduleFree of the steps
//
//	rate * (g / (sqrt(v / (1 - Beta2^t)) + Epsilon) + WeightDecay * param)
//
// with v the running mean square of g. Equal to optax.contrib.schedule_free_adamw; see ScheduleFreeSGD for its warm-up.
type ScheduleFreeAdamW struct {
	Chain
	Beta           float64 // takes the place of a momentum
	Beta2, Epsilon float64
	WeightDecay    float64 // decoupled, at the params
}

// NewScheduleFreeAdamW returns ScheduleFreeAdamW with Beta 0.9, Beta2 0.999 and Epsilon 1e-8. The usual rate is 0.0025.
func NewScheduleFreeAdamW(rate float64) *ScheduleFreeAdamW {
	o := &ScheduleFreeAdamW{Beta: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *ScheduleFreeAdamW) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	root := c.correction(o.Beta2).Sqrt()
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		v := s.Average("schedulefree.v", o.Beta2, g.Square())
		return g.Div(v.Sqrt().Mul(s.Scalar(root)).AddNum(o.Epsilon))
	})
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	c.TakeRate()
	return ScheduleFree{o.Beta}.Apply(c, c.scaleByRate(u))
}
