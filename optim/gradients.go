package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds transforms of gradients for the Before of a chain: centralization, noise and adaptive clipping.

// Centralize subtracts from the gradient of each output unit its mean over all the unit's weights: u <- u - mean over all axes
// but the first. Vectors stay as they are. (Yong et al. 2020, Gradient centralization: a new optimization technique for
// deep neural networks.)
//
// Equal to optax.centralize. The first axis is that of the units, as in package nn.
type Centralize struct{}

// Apply subtracts the means.
func (Centralize) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		if u.Rank() < 2 {
			return u
		}
		return u.Sub(perUnit(u, (*tarn.Value).Mean))
	})
}

// perUnit reduces all axes but the first. The result broadcasts with v.
func perUnit(v *tarn.Value, reduce func(v *tarn.Value, axes ...int) *tarn.Value) *tarn.Value {
	axes := make([]int, v.Rank()-1)
	for i := range axes {
		axes[i] = i + 1
	}
	return reduce(v, axes...).Unsqueeze(axes...)
}

// ClipAdaptive limits the gradient of each output unit in proportion to the unit's weights:
//
//	u <- u * min(1, Limit max(|w|, Epsilon) / |u|)       the norms are over all axes but the first; of a vector, over all
//
// (Brock et al. 2021, High-performance large-scale image recognition without normalization. There the last layer is left out:
// use Only.)
//
// Equal to optax.adaptive_grad_clip with axis 1 for matrices. By default that treats the last axis as the axis of units.
type ClipAdaptive struct {
	Limit   float64
	Epsilon float64
}

// NewClipAdaptive returns ClipAdaptive with Limit 0.01 and Epsilon 1e-3.
func NewClipAdaptive() *ClipAdaptive { return &ClipAdaptive{Limit: 0.01, Epsilon: 1e-3} }

// Apply limits the gradients.
func (a ClipAdaptive) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.positive("Limit", a.Limit)
	c.notNegative("Epsilon", a.Epsilon)
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		weights, _ := unitNorm(s.Value, false)
		norm, unit := unitNorm(u, true)
		most := weights.Maximum(tarn.Num(a.Epsilon)).Scale(a.Limit)
		// In this order of operands a NaN passes through. With a unit of 1 the factor is min(1, most/norm).
		factor := norm.Le(most.Mul(unit)).Where(unit.Reciprocal(), most.Div(norm.Maximum(unit.Scale(1e-6))))
		return u.Mul(unit).Mul(factor)
	})
}

// unitNorm returns the norm of v for each output unit, which if scaled is multiplied by unit: a power of two, 1 unless the norm is so large
// that its square overflows.
func unitNorm(v *tarn.Value, scaled bool) (norm, unit *tarn.Value) {
	sum := func(v *tarn.Value) *tarn.Value {
		if v.Rank() < 2 {
			return v.Square().Sum()
		}
		return perUnit(v.Square(), (*tarn.Value).Sum)
	}
	plain := sum(v)
	down := 0x1p-600
	if v.DType() == tarn.F32 {
		down = 0x1p-80
	}
	extreme := plain.IsFinite().Not()
	both := tarn.Cond(extreme.Cast(v.DType()).Sum().Gt(tarn.Num(0)), []*tarn.Value{v, plain}, func(in []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{in[1].IsFinite().Where(in[1], sum(in[0].Scale(down))), in[1].IsFinite().Where(in[1].Num(1), tarn.Num(down))}
	}, func(in []*tarn.Value) []*tarn.Value {
		return []*tarn.Value{in[1], in[1].Num(1).Expand(in[1].Shape()...)}
	})
	norm, unit = both[0].Sqrt(), both[1]
	if !scaled {
		norm = norm.Div(unit)
	}
	return norm, unit
}

// GradientNoise adds normal random numbers, whose deviation falls from step to step: u <- u + sqrt(Eta / t^Gamma) n at the
// t-th update. The numbers depend on the graph's seed. (Neelakantan et al. 2015, Adding gradient noise improves learning for very
// deep networks.)
//
// Equal to optax.add_noise, up to the random numbers.
type GradientNoise struct {
	Eta   float64
	Gamma float64
}

// NewGradientNoise returns GradientNoise of an Eta, usually 0.01 to 1, with Gamma 0.55.
func NewGradientNoise(eta float64) *GradientNoise { return &GradientNoise{Eta: eta, Gamma: 0.55} }

// Apply adds the noise.
func (n GradientNoise) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.notNegative("Eta", n.Eta)
	c.notNegative("Gamma", n.Gamma)
	deviation := c.Step.AddNum(1).Pow(tarn.Num(-n.Gamma / 2)).Scale(math.Sqrt(n.Eta))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		return u.Add(c.Graph.Normal(s.Param.DType(), 0, 1, s.Param.Shape()...).Mul(s.Scalar(deviation)))
	})
}
