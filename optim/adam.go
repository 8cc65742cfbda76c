package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Adam and AdamW, which differ in where the weight decay enters.

// ScaleByAdam divides a running mean of the gradient by a running root mean square of it, both corrected for their start at 0:
//
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) g^2
//	u = m / (1 - Beta1^t) / (sqrt(v / (1 - Beta2^t) + EpsilonRoot) + Epsilon)       at the t-th update
//
// With AMSGrad the largest v so far takes the place of v in u. (Reddi et al. 2018, On the convergence of Adam and beyond.)
//
// Epsilon stands outside the corrected root, as in the algorithm of the paper and in PyTorch, and EpsilonRoot within it; the variant of the
// paper's section 2, which TensorFlow has, adds Epsilon to the root before the correction. Equal to optax.scale_by_adam, whose eps_root
// is EpsilonRoot. As in PyTorch AMSGrad takes the largest v before the correction; optax.scale_by_amsgrad takes the largest after it.
type ScaleByAdam struct {
	Beta1, Beta2, Epsilon float64
	AMSGrad               bool
	EpsilonRoot           float64 // within the root
}

// NewScaleByAdam returns ScaleByAdam with Beta1 0.9, Beta2 0.999 and Epsilon 1e-8.
func NewScaleByAdam() *ScaleByAdam { return &ScaleByAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8} }

// Apply scales the gradients.
func (a ScaleByAdam) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", a.Beta1)
	c.fraction("Beta2", a.Beta2)
	c.notNegative("Epsilon", a.Epsilon)
	c.notNegative("EpsilonRoot", a.EpsilonRoot)
	mean, square := c.corrections(a.Beta1), c.corrections(a.Beta2)
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.Average("adam.m", a.Beta1, g)
		v := s.Average("adam.v", a.Beta2, g.Square())
		if a.AMSGrad {
			largest := s.State("adam.vmax", 0)
			v = s.Assign(largest, v.Maximum(largest))
		}
		if a.EpsilonRoot != 0 {
			return m.Mul(s.Scalar(mean(s))).Div(v.Mul(s.Scalar(square(s))).AddNum(a.EpsilonRoot).Sqrt().AddNum(a.Epsilon))
		}
		return m.Mul(s.Scalar(mean(s))).Div(v.Sqrt().Mul(s.Scalar(square(s).Sqrt())).AddNum(a.Epsilon))
	})
}

// Adam is ScaleByAdam on the gradient of a loss with an L2 penalty:
//
//	g = gradient + WeightDecay * param
//	param <- param - rate * ScaleByAdam(g)
//
// (Kingma and Ba 2015, Adam: a method for stochastic optimization.)
//
// Equal to torch.optim.Adam, and without WeightDecay to optax.adam.
type Adam struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // L2 penalty
	AMSGrad               bool    // see ScaleByAdam
	EpsilonRoot           float64 // see ScaleByAdam
}

// NewAdam returns Adam with Beta1 0.9, Beta2 0.999 and Epsilon 1e-8.
func NewAdam(rate float64) *Adam {
	o := &Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply adds the penalty and scales the gradients.
func (o *Adam) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	u = DecayWeights(o.WeightDecay).Apply(c, u)
	return ScaleByAdam{o.Beta1, o.Beta2, o.Epsilon, o.AMSGrad, o.EpsilonRoot}.Apply(c, u)
}

// AdamW is ScaleByAdam with a weight decay that is not scaled:
//
//	param <- param - rate * (ScaleByAdam(gradient) + WeightDecay * param)
//
// (Loshchilov and Hutter 2019, Decoupled weight decay regularization. There the decay is not multiplied by the rate but by
// the schedule alone.)
//
// Equal to torch.optim.AdamW and optax.adamw, whose WeightDecay is 1e-4 unless set.
type AdamW struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // decoupled
	AMSGrad               bool    // see ScaleByAdam
	EpsilonRoot           float64 // see ScaleByAdam
}

// NewAdamW returns AdamW with Beta1 0.9, Beta2 0.999, Epsilon 1e-8 and WeightDecay 0.01.
func NewAdamW(rate float64) *AdamW {
	o := &AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients and adds the decay.
func (o *AdamW) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	u = ScaleByAdam{o.Beta1, o.Beta2, o.Epsilon, o.AMSGrad, o.EpsilonRoot}.Apply(c, u)
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
