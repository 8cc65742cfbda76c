package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds LARS and LAMB, in which the step of each layer is proportional to its weights.

// ScaleByTrustRatio multiplies the update of each param by the ratio of the param's norm to the update's:
//
//	u <- u * Coefficient |param| / (|u| + Epsilon)       unchanged where one of the norms is 0
//
// Equal to optax.scale_by_trust_ratio.
type ScaleByTrustRatio struct {
	Coefficient float64
	Epsilon     float64
	Match       Match // the params that it is for; nil for all
}

// NewScaleByTrustRatio returns ScaleByTrustRatio with Coefficient 1, for all params.
func NewScaleByTrustRatio() *ScaleByTrustRatio { return &ScaleByTrustRatio{Coefficient: 1} }

// Apply scales the updates.
func (r ScaleByTrustRatio) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.positive("Coefficient", r.Coefficient)
	c.notNegative("Epsilon", r.Epsilon)
	var lists [][]*tarn.Value
	for i, s := range c.Slots {
		if r.Match == nil || s.matches(r.Match) {
			lists = append(lists, []*tarn.Value{s.Value}, []*tarn.Value{u[i]})
		}
	}
	if len(lists) == 0 {
		return u
	}
	found := c.lengthsOf(lists...)
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		if r.Match != nil && !s.matches(r.Match) {
			return u
		}
		weight, update := found[0], found[1]
		found = found[2:]
		zero := weight.norm.Eq(tarn.Num(0)).Or(update.norm.Eq(tarn.Num(0)))
		ratio := weight.norm.Scale(r.Coefficient).Div(update.norm.Add(update.unit.Scale(r.Epsilon))).Div(weight.unit)
		return s.scale(u, zero.Where(tarn.Num(1), update.unit), zero.Where(tarn.Num(1), ratio))
	})
}

// LARS is gradient descent with momentum for very large batches, with ScaleByTrustRatio:
//
//	g = gradient + WeightDecay * param
//	b <- Momentum b + rate * ScaleByTrustRatio(g)
//	param <- param - b                                    Nesterov: rate * ScaleByTrustRatio(g) + Momentum b
//
// By custom biases and norms are neither scaled nor decayed: set Match to Not(Vectors), and the Decay of a Group of Vectors
// to 0. (You et al. 2017, Large batch training of convolutional networks.)
//
// Equal to optax.lars.
type LARS struct {
	Chain
	Momentum    float64
	Nesterov    bool
	Coefficient float64 // of the trust ratio
	Epsilon     float64
	WeightDecay float64 // L2 penalty
	Match       Match   // the params whose step is scaled; nil for all
}

// NewLARS returns LARS with Momentum 0.9 and Coefficient 0.001.
func NewLARS(rate float64) *LARS {
	o := &LARS{Momentum: 0.9, Coefficient: 0.001}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply returns the steps.
func (o *LARS) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.fraction("Momentum", o.Momentum)
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	u = ScaleByTrustRatio{Coefficient: o.Coefficient, Epsilon: o.Epsilon, Match: o.Match}.Apply(c, u)
	c.TakeRate()
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		u = u.Mul(s.Rate())
		state := s.State("lars.momentum", 0)
		b := s.Assign(state, state.Value(c.Graph).Scale(o.Momentum).Add(u))
		if o.Nesterov {
			return u.Add(b.Scale(o.Momentum))
		}
		return b
	})
}

// LAMB is AdamW for very large batches, with ScaleByTrustRatio:
//
//	param <- param - rate * ScaleByTrustRatio(ScaleByAdam(gradient) + WeightDecay * param)
//
// By custom biases and norms are neither scaled nor decayed: see LARS. (You et al. 2020, Large batch optimization for deep
// learning: training BERT in 76 minutes.)
//
// Equal to optax.lamb. NVIDIA's implementation also limits the norm of all gradients to 1, which is ClipNorm.
type LAMB struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // decoupled from the scaling by gradients, within the trust ratio
	Match                 Match   // the params whose step is scaled; nil for all
}

// NewLAMB returns LAMB with Beta1 0.9, Beta2 0.999 and Epsilon 1e-6.
func NewLAMB(rate float64) *LAMB {
	o := &LAMB{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-6}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *LAMB) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	u = ScaleByAdam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon}.Apply(c, c.limited(u))
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return ScaleByTrustRatio{Coefficient: 1, Match: o.Match}.Apply(c, u)
}
