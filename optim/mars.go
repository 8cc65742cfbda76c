package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds MARS.

// MARS is AdamW on a gradient of less variance, which the change of the gradient since the last update corrects:
//
//	c = g + Gamma Beta1 / (1 - Beta1) (g - last g)       at the first update c = g
//	c <- c / max(1, |c|)                                 |c| is the norm over the param
//	param <- param - rate * (ScaleByAdam(c) + WeightDecay * param)
//
// (Yuan et al. 2024, MARS: unleashing the power of variance reduction for training large models: MARS-AdamW in its approximate form, in which the last gradient is
// that of the last batch.) The authors train vectors by AdamW; Only does so here too.
//
// Equal to the authors' MARS with optimize_1d, except that there the first gradient counts as changed from 0. Neither PyTorch nor Optax has it.
type MARS struct {
	Chain
	Beta1, Beta2, Epsilon float64
	Gamma                 float64
	WeightDecay           float64 // decoupled
}

// NewMARS returns MARS with Beta1 0.95, Beta2 0.99, Epsilon 1e-8 and Gamma 0.025.
func NewMARS(rate float64) *MARS {
	o := &MARS{Beta1: 0.95, Beta2: 0.99, Epsilon: 1e-8, Gamma: 0.025}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply corrects and scales the gradients.
func (o *MARS) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Gamma", o.Gamma)
	if !(o.Beta1 < 1) { // which ScaleByAdam reports
		return ScaleByAdam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon}.Apply(c, u)
	}
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("mars.last", 0)
		last := s.step().Eq(tarn.Num(0)).Where(g, state.Value(c.Graph))
		s.Assign(state, g)
		return g.Add(g.Sub(last).Scale(o.Gamma * o.Beta1 / (1 - o.Beta1)))
	})
	lists := make([][]*tarn.Value, len(u))
	for i := range u {
		lists[i] = u[i : i+1 : i+1]
	}
	norms, at := c.lengthsOf(lists...), 0
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		l := norms[at]
		at++
		return s.scale(g, l.unit, l.norm.Maximum(l.unit).Reciprocal())
	})
	u = ScaleByAdam{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon}.Apply(c, u)
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
