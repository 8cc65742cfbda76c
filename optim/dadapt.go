package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds D-Adaptation, from which Prodigy came: Adam and gradient descent that find the learning rate. Their Rate is a
// factor, usually 1 unless a schedule lowers it.

// DAdaptAdam is AdamW with the distance d, by D-Adaptation, in place of the learning rate:
//
//	e = d rate sqrt(1 - Beta2^t) / (1 - Beta1^t)                        at the t-th update, d = Distance before the first
//	r <- B r + (1-B) e sum(g s / (sqrt(v) + Epsilon))                   B is the root of Beta2; the sum is over all params
//	m <- Beta1 m + (1-Beta1) e g
//	v <- Beta2 v + (1-Beta2) g^2
//	s <- B s + (1-B) e g
//	d <- max(d, r / ((1-B) sum|s|))
//	param <- param - m / (sqrt(v) + Epsilon) - e WeightDecay param      with the e from before
//
// (Defazio and Mishchenko 2023, Learning-rate-free learning by D-Adaptation.)
//
// Equal to optax.contrib.dadapt_adamw. The authors' library leaves out the corrections by 1 - Beta^t unless told otherwise.
type DAdaptAdam struct {
	Chain
	Beta1, Beta2, Epsilon float64
	Distance              float64 // the first d, smaller than the true one
	WeightDecay           float64 // decoupled
}

// NewDAdaptAdam returns DAdaptAdam with a factor of the rates that it finds, usually 1, Beta1 0.9, Beta2 0.999, Epsilon 1e-8 and Distance 1e-6.
func NewDAdaptAdam(rate float64) *DAdaptAdam {
	o := &DAdaptAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Distance: 1e-6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *DAdaptAdam) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	c.positive("Distance", o.Distance)
	c.notNegative("the weight decay", o.WeightDecay)
	c.TakeRate()
	u = c.limited(u)
	beta := math.Sqrt(o.Beta2)
	distance, numerator := c.State("dadapt.d", o.Distance), c.State("dadapt.numerator", 0)
	d := distance.Value(c.Graph)
	e := d.Mul(c.Rate).Mul(c.correction(o.Beta1)).Div(c.correction(o.Beta2).Sqrt())
	ahead := c.Graph.Num(tarn.F64, 0) // sum of g s / (sqrt(v) + Epsilon), of the states before this step
	sums := c.Graph.Num(tarn.F64, 0)
	steps := c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		sum, square := s.State("dadapt.s", 0), s.State("dadapt.v", 0)
		old := square.Value(c.Graph).Sqrt().AddNum(o.Epsilon)
		ahead = ahead.Add(g.Mul(sum.Value(c.Graph).Div(old)).Sum().Cast(tarn.F64))
		v := s.Assign(square, square.Value(c.Graph).Scale(o.Beta2).Add(g.Square().Scale(1-o.Beta2)))
		g = g.Mul(s.Scalar(e))
		sums = sums.Add(s.Assign(sum, sum.Value(c.Graph).Scale(beta).Add(g.Scale(1-beta))).Abs().Sum().Cast(tarn.F64))
		step := s.Average("dadapt.m", o.Beta1, g).Div(v.Sqrt().AddNum(o.Epsilon))
		if s.rate != 1 {
			step = step.Scale(s.rate)
		}
		if w := s.decays(o.WeightDecay) * s.rate; w != 0 {
			step = step.Add(s.Value.Mul(s.Scalar(e.Scale(w))))
		}
		return step
	})
	r := c.Assign(numerator, numerator.Value(c.Graph).Scale(beta).Add(ahead.Mul(e).Scale(1-beta)))
	c.Assign(distance, d.Maximum(safeRatio(r, sums.Scale(1-beta))))
	return steps
}

// DAdaptSGD is gradient descent by dual averaging with the distance d, by D-Adaptation, in place of the learning rate:
//
//	g = gradient + WeightDecay * param
//	e = d rate / |first g that is not 0|             the norm is that of all params, without decay; d = Distance before the first step
//	r <- r + e sum(g s)                              the sum is over all params
//	s <- s + e g
//	d <- max(d, min(2 r / |s|, Growth d))
//	param <- Momentum param + (1-Momentum) (first param - s)
//
// The rate of a group is a factor of its s in the param alone. (Defazio and Mishchenko 2023, Learning-rate-free learning by
// D-Adaptation.)
//
// Equal to DAdaptSGD of the authors' library, dadaptation 3.2; PyTorch and Optax have none.
type DAdaptSGD struct {
	Chain
	Momentum    float64
	Distance    float64 // the first d, smaller than the true one
	Growth      float64 // the most that d grows in a step; infinite unless set
	WeightDecay float64 // L2 penalty
}

// NewDAdaptSGD returns DAdaptSGD with a factor of the rates that it finds, usually 1, no Momentum, Distance 1e-6 and no limit of the growth.
func NewDAdaptSGD(rate float64) *DAdaptSGD {
	o := &DAdaptSGD{Distance: 1e-6, Growth: math.Inf(1)}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *DAdaptSGD) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Momentum", o.Momentum)
	c.positive("Distance", o.Distance)
	if !(o.Growth > 1) {
		c.Errorf("Growth is %v and should be above 1", o.Growth)
	}
	begun := c.begun("dadapt.begun")
	distance, numerator, first := c.State("dadapt.d", o.Distance), c.State("dadapt.numerator", 0), c.State("dadapt.norm", 0)
	d := distance.Value(c.Graph)
	// The first gradient that is not 0: d would stay what it is, and the params where they are, if a 0 were kept.
	known := first.Value(c.Graph)
	start := c.Assign(first, known.Gt(tarn.Num(0)).Where(known, GlobalNorm(u)))
	// e g is formed of factors that are in the range of the dtype, also if e alone is not.
	unit := start.Gt(tarn.Num(0x1p60)).Where(tarn.Num(0x1p-60), c.Graph.Num(tarn.F64, 1))
	e := safeRatio(d.Mul(c.Rate), start.Mul(unit))
	u = c.scaled(DecayWeights(o.WeightDecay).Apply(c, u), unit)
	c.TakeRate()
	ahead := c.Graph.Num(tarn.F64, 0)
	sums := c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("dadapt.s", 0)
		ahead = ahead.Add(g.Mul(state).Sum().Cast(tarn.F64))
		return s.Assign(state, state.Value(c.Graph).Add(g.Mul(s.Scalar(e))))
	})
	r := c.Assign(numerator, numerator.Value(c.Graph).Add(e.Mul(ahead)))
	estimate := safeRatio(r.Scale(2), GlobalNorm(sums))
	if !math.IsInf(o.Growth, 1) {
		estimate = estimate.Minimum(d.Scale(o.Growth))
	}
	c.Assign(distance, d.Maximum(estimate))
	return c.Each(sums, func(s *Slot, sum *tarn.Value) *tarn.Value {
		state := s.copyState("dadapt.first")
		from := s.Assign(state, begun.Where(state.Value(c.Graph), s.Value))
		return s.Value.Sub(from.Sub(sum.Scale(s.rate))).Scale(1 - o.Momentum)
	})
}
