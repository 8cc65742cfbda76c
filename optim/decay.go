package optim

import (
	"maps"

	"github.com/seed-49005b45/tarn"
)

// This file holds weight decay.

// DecayWeights draws every param towards 0: u <- u + x * param, times the Decay factor of its groups. After a transform that
// multiplies by the learning rate itself, such as LARS, the decay is multiplied by the rate too.
//
// At the front of a chain it is the gradient of an L2 penalty, as weight_decay in torch.optim.SGD and Adam. At the end it
// is decoupled from the scaling by gradients, as in AdamW. Equal to optax.add_decayed_weights.
type DecayWeights float64

// Apply adds the decay.
func (x DecayWeights) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("the weight decay", float64(x))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		d := s.decays(float64(x))
		switch {
		case d == 0:
			return u
		case s.rated:
			return u.Add(s.Value.Mul(s.Rate().Scale(d)))
		}
		return u.Add(s.Value.Scale(d))
	})
}

// decays returns a weight decay times the factor of the param's groups, and notes it for Decays.
func (s *Slot) decays(x float64) float64 {
	d := x * s.decay
	if d != 0 {
		s.context.chain.memory.decays[s.Name] = d
	}
	return d
}

// Decays returns the weight decay of each param that is decayed, by its name in the set that Update was given, with the factors of its
// groups. It is complete once a program of the training has been built.
func (o *Chain) Decays() map[string]float64 {
	if o.memory == nil {
		return nil
	}
	return maps.Clone(o.memory.decays)
}
