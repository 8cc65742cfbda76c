package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Adafactor.

// Adafactor scales the gradient of a matrix by the means of its squares over rows and over columns alone, whose product
// stands for the mean square of each element: of a matrix of n rows and m columns it keeps n + m numbers. Steps are in
// proportion to the size of the weights, and limited:
//
//	b = t^-Decay                                            at the t-th update
//	r <- r + b (mean of g^2 over the last axis - r),  c <- c + b (mean of g^2 over the axis before - c)
//	v = r c / max(mean of r, Epsilon1)                      of a vector or number: v <- v + b (g^2 - v)
//	u = g / sqrt(max(v, Epsilon1^2))
//	u <- u / max(1, rms(u) / Limit)
//	a = max(Epsilon2, rms(param)) * min(rate, 1/sqrt(t))
//	param <- param - a u - rate WeightDecay param
//
// where rms is the root mean square of all elements of the param. (Shazeer and Stern 2018, Adafactor: adaptive learning
// rates with sublinear memory cost.)
//
// Unscaled steps do not depend on the size of the weights: a = rate. Unfactored keeps v of each element of matrices too.
//
// Equal to torch.optim.Adafactor, which has neither Unscaled nor Unfactored. optax.adafactor has both, as multiply_by_parameter_scale=False and factored=False;
// it does not limit the rate by 1/sqrt(t), factors the two largest axes, and only where both are at least 128, and has other epsilons.
type Adafactor struct {
	Chain
	Decay       float64 // -beta2_decay
	Epsilon1    float64 // 0 is the distance from 1 to the next number of the param's dtype
	Epsilon2    float64
	Limit       float64 // of the root mean square of the update: d
	WeightDecay float64 // decoupled
	Unscaled    bool
	Unfactored  bool
}

// NewAdafactor returns Adafactor with Decay 0.8, the dtype's Epsilon1, Epsilon2 1e-3 and Limit 1. The usual rate is 0.01.
func NewAdafactor(rate float64) *Adafactor {
	o := &Adafactor{Decay: 0.8, Epsilon2: 1e-3, Limit: 1}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *Adafactor) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Decay", o.Decay)
	c.notNegative("Epsilon1", o.Epsilon1)
	c.notNegative("Epsilon2", o.Epsilon2)
	if !(o.Limit > 0) {
		c.Errorf("Limit is %v and should be positive", o.Limit)
	}
	c.notNegative("WeightDecay", o.WeightDecay)
	c.TakeRate()
	share := c.Count().Pow(tarn.Num(-o.Decay))
	most := c.Count().Rsqrt()
	steps := c.Each(c.limited(u), func(s *Slot, g *tarn.Value) *tarn.Value {
		epsilon := o.Epsilon1
		if epsilon == 0 {
			epsilon = 0x1p-52
			if s.Param.DType() == tarn.F32 {
				epsilon = 0x1p-23
			}
		}
		// move updates a running mean of squares.
		move := func(name string, now *tarn.Value) *tarn.Value {
			state := s.StateOf(name, 0, now.Shape()...)
			old := state.Value(c.Graph)
			return s.Assign(state, now.Sub(old).Mul(s.Scalar(share)).Add(old))
		}
		var v *tarn.Value
		if n := g.Rank(); n < 2 || o.Unfactored {
			v = move("adafactor.v", g.Square())
		} else {
			square := g.Square()
			rows := move("adafactor.rows", square.Mean(n-1)).Unsqueeze(n - 1)
			columns := move("adafactor.columns", square.Mean(n-2)).Unsqueeze(n - 2)
			v = rows.Div(rows.Mean(n - 2).Unsqueeze(n - 2).Maximum(tarn.Num(epsilon))).Mul(columns)
		}
		u := g.Mul(v.Maximum(tarn.Num(epsilon * epsilon)).Rsqrt())
		root := math.Sqrt(float64(max(1, s.Value.Size())))
		limit := norm(u).Scale(1 / (root * o.Limit)).Maximum(tarn.Num(1))
		rate := c.Rate.Scale(s.rate)
		if o.Unscaled {
			return u.Mul(s.Scalar(rate.Div(limit)))
		}
		a := norm(s.Value).Scale(1 / root).Maximum(tarn.Num(o.Epsilon2)).Mul(rate.Minimum(most)).Div(limit)
		return u.Mul(s.Scalar(a))
	})
	if o.WeightDecay == 0 {
		return steps
	}
	return c.Each(steps, func(s *Slot, u *tarn.Value) *tarn.Value {
		return u.Add(s.Value.Mul(s.Rate().Scale(s.decays(o.WeightDecay))))
	})
}
