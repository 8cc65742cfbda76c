package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds RAdam.

// RAdam is Adam whose scaling comes in only when its mean square has gathered enough gradients to be trusted, and is
// corrected for their number:
//
//	g = gradient + WeightDecay * param
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) g^2
//	R = 2/(1-Beta2) - 1,  r = R - 2 t Beta2^t / (1 - Beta2^t)       at the t-th update
//	s = sqrt((r-4) (r-2) R / ((R-4) r)) * sqrt(1 - Beta2^t) / (sqrt(v) + Epsilon)       where r > 5, otherwise 1
//	param <- param - rate / (1 - Beta1^t) * s m
//
// With Nesterov m / (1 - Beta1^t) gives way to Beta1 m / (1 - Beta1^(t+1)) + (1-Beta1) g / (1 - Beta1^t).
//
// (Liu et al. 2020, On the variance of the adaptive learning rate and beyond; there the bound is 4.)
//
// Equal to torch.optim.RAdam, which has no Nesterov. optax.radam, which has, adds Epsilon to the corrected root.
type RAdam struct {
	Chain
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64 // L2 penalty, or decoupled
	Decoupled             bool    // decay as in AdamW: param <- param - rate * WeightDecay * param
	Nesterov              bool
}

// NewRAdam returns RAdam with Beta1 0.9, Beta2 0.999 and Epsilon 1e-8.
func NewRAdam(rate float64) *RAdam {
	o := &RAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients.
func (o *RAdam) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.notNegative("Epsilon", o.Epsilon)
	if !o.Decoupled {
		u = DecayWeights(o.WeightDecay).Apply(c, u)
	}
	longest := 2/(1-o.Beta2) - 1
	power := c.Graph.Num(tarn.F64, o.Beta2).Pow(c.Count())
	rest := power.Neg().AddNum(1)
	length := c.Count().Mul(power).Div(rest).Scale(-2).AddNum(longest)
	known := length.Gt(tarn.Num(5))
	// Where it is not taken the root may be that of a negative number.
	factor := length.AddNum(-4).Mul(length.AddNum(-2)).Div(length).Scale(longest / ((longest - 4) * (longest - 2))).Mul(rest).Sqrt()
	mean, ahead := c.correction(o.Beta1), correction(o.Beta1, c.Count().AddNum(1))
	u = c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		m := s.Average("radam.m", o.Beta1, g)
		if o.Nesterov {
			m = m.Mul(s.Scalar(ahead)).Scale(o.Beta1).Add(g.Mul(s.Scalar(mean)).Scale(1 - o.Beta1))
		} else {
			m = m.Mul(s.Scalar(mean))
		}
		v := s.Average("radam.v", o.Beta2, g.Square())
		return known.Where(m.Mul(s.Scalar(factor)).Div(v.Sqrt().AddNum(o.Epsilon)), m)
	})
	if o.Decoupled {
		u = DecayWeights(o.WeightDecay).Apply(c, u)
	}
	return u
}
