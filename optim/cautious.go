package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds transforms around others: Cautious, which checks an update against the gradient, and Grokfast, which amplifies what is slow in it.

// Cautious applies a transform and keeps only those elements of its update whose sign is that of the gradient given to it, scaled up by the share that is
// left:
//
//	k = 1 where Then(g) * g > 0, otherwise 0
//	u = Then(g) * k / max(mean of k, 0.001)       the mean is over the param
//
// An optimizer is a transform too. A cautious AdamW, whose decay is not masked, and a cautious Lion:
//
//	optim.NewChain(1e-3, optim.Cautious{Then: optim.NewScaleByAdam()}, optim.DecayWeights(0.01))
//	optim.NewChain(1e-4, optim.Cautious{Then: optim.NewLion(0)})
//
// (Liang et al. 2024, Cautious optimizers: improving training with one line of code.) Equal to the authors' C-AdamW and C-Lion. Neither PyTorch nor Optax has it.
type Cautious struct {
	Then Transform
}

// Apply masks the updates of Then.
func (a Cautious) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	out := c.apply(a.Then, u)
	if c.rated() != "" {
		c.Errorf("Then is %T, which multiplies by the learning rate itself, and is no transform of gradients", a.Then)
	}
	at := 0
	return c.Each(out, func(s *Slot, v *tarn.Value) *tarn.Value {
		g := u[at]
		at++
		if v == nil || g == nil { // which is reported
			return v
		}
		keep := v.Sign().Mul(g.Sign()).Gt(tarn.Num(0)).Cast(v.DType())
		return v.Mul(keep.Div(keep.Mean().Maximum(tarn.Num(1e-3))))
	})
}

// Grokfast is a transform of gradients, for Before, that amplifies what is slow in them:
//
//	h <- Alpha h + (1-Alpha) g       at the first update h = g
//	u = g + Lambda h
//
// (Lee et al. 2024, Grokfast: accelerated grokking by amplifying slow gradients.) Equal to the authors' gradfilter_ema. Neither PyTorch nor Optax has it.
type Grokfast struct {
	Alpha  float64
	Lambda float64
}

// NewGrokfast returns Grokfast with Alpha 0.98 and Lambda 2.
func NewGrokfast() *Grokfast { return &Grokfast{Alpha: 0.98, Lambda: 2} }

// Apply amplifies the gradients.
func (f Grokfast) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Alpha", f.Alpha)
	c.notNegative("Lambda", f.Lambda)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		state := s.State("grokfast.mean", 0)
		old := s.step().Eq(tarn.Num(0)).Where(g, state.Value(c.Graph))
		h := s.Assign(state, old.Scale(f.Alpha).Add(g.Scale(1-f.Alpha)))
		return g.Add(h.Scale(f.Lambda))
	})
}
