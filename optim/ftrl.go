package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Ftrl.

// Ftrl (follow the regularized leader, proximal) is Adagrad for linear models on sparse features, whose L1 penalty makes weights exactly 0:
//
//	z <- z + rate * g - (sqrt(v + g^2) - sqrt(v)) * param,  v <- v + g^2       from v = Initial
//	param <- -(z - rate * L1 * sign(z)) / (Beta + sqrt(v) + 2 rate L2)         0 if |z| <= rate * L1
//
// z begins at -(Beta + sqrt(Initial)) * param, so that without penalties the weights go on from where they are, and the steps are those of
// Adagrad. (McMahan et al. 2013, Ad click prediction: a view from the trenches, with an L2 of half the size; its z is this one divided by the rate, so that a
// rate that changes also moves weights without a gradient.)
//
// With a constant rate and weights that begin at 0 equal to tf.keras.optimizers.Ftrl, whose beta is 2 Beta and which forgets other initial weights at the
// first update. Neither PyTorch nor Optax has it.
type Ftrl struct {
	Chain
	Initial float64 // sum of squares before the first step
	L1, L2  float64
	Beta    float64
}

// NewFtrl returns Ftrl with Initial 0.1.
func NewFtrl(rate float64) *Ftrl {
	o := &Ftrl{Initial: 0.1}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *Ftrl) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Initial", o.Initial)
	c.notNegative("L1", o.L1)
	c.notNegative("L2", o.L2)
	c.notNegative("Beta", o.Beta)
	c.TakeRate()
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		vState, zState := s.State("ftrl.v", o.Initial), s.State("ftrl.z", 0)
		v := vState.Value(c.Graph)
		before := v.Sqrt()
		after := s.Assign(vState, g.Square().Add(v)).Sqrt()
		w, rate := s.Value, s.Rate()
		z := s.step().Eq(tarn.Num(0)).Where(w.Mul(before.AddNum(o.Beta)).Neg(), zState.Value(c.Graph))
		z = s.Assign(zState, z.Add(g.Mul(rate)).Sub(after.Sub(before).Mul(w)))
		limit := rate.Scale(o.L1)
		shrunk := z.Sub(z.Clip(limit.Neg(), limit))
		scale := after.AddNum(o.Beta).Add(rate.Scale(2 * o.L2))
		// Without any gradient yet the scale may be 0, and the weight stays.
		next := scale.Gt(tarn.Num(0)).Where(shrunk.Neg().Div(scale), w)
		return w.Sub(next)
	})
}
