package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds the random ops of other distributions than the uniform and the normal one. Gamma and Poisson numbers are drawn by
// rejection and are primitives; the others are compositions. As with Uniform, each run draws fresh numbers, which depend on seed, place and
// step alone.

// TruncatedNormal is normal random numbers of the given mean and standard deviation, conditioned to lie in [lo, hi], of dtype F32 or F64. Equal
// to torch.nn.init.trunc_normal_, and to jax.random.truncated_normal, whose bounds are in standard deviations.
//
// Shapes: the result has the shape given.
func (g *Graph) TruncatedNormal(dtype DType, mean, std, lo, hi float64, shape ...int) *Value {
	op := randomOp{kind: ir.DrawTruncated, a: mean, b: std, lo: (lo - mean) / std, hi: (hi - mean) / std, typ: ir.Type{DType: ir.DType(dtype), Shape: slices.Clone(shape)}}
	switch {
	case !(std > 0) || math.IsInf(std, 1) || math.IsNaN(mean) || math.IsInf(mean, 0):
		return g.fail(op, nil, newProblem("the mean %v and the standard deviation %v should be finite, and the latter positive", mean, std))
	case !(lo <= hi):
		return g.fail(op, nil, newProblem("the range from %v to %v is not one", lo, hi))
	}
	return g.random(op)
}

// parameters returns the parameter of draws as a float value of the given shape.
func (g *Graph) parameters(name string, p Operand, shape []int) (*Graph, *Value) {
	g = g.orLost()
	if p == nil {
		return g, g.failAs(name, nil, newProblem("the parameter is nil"))
	}
	v := p.value(g)
	g, in := g.meet([]*Value{v})
	v = in[0]
	if !v.exists() {
		return g, g.failAs(name, in, newProblem("the parameter is nil"))
	}
	if v.failed || v.graph != g {
		return g, g.add(broadcastOp{}, v)
	}
	if err := checkShape(shape); err != nil {
		return g, g.failAs(name, in, err)
	}
	if !v.DType().IsFloat() {
		return g, g.failAs(name, in, newProblem("the parameter is %v and should be f32 or f64", v.typ).WithHint("Cast it"))
	}
	if s, err := broadcastShape(v.typ.Shape, shape); err != nil || !slices.Equal(s, shape) {
		return g, g.failAs(name, in, newProblem("the parameter has shape %s and does not broadcast to the draws %s", ir.ShapeString(v.typ.Shape), ir.ShapeString(shape)))
	}
	return g, v.broadcastTo(slices.Clone(shape))
}

// logGamma is the logarithms of gamma numbers of the given concentrations.
func (alpha *Value) logGamma() *Value {
	if alpha.failed {
		return alpha
	}
	return alpha.graph.random(randomOp{kind: ir.DrawLogGamma, typ: ir.Type{DType: alpha.typ.DType, Shape: alpha.Shape()}}, alpha)
}

// Gamma is gamma random numbers of the given concentration and rate 1, of the concentration's dtype; of rate r they are these divided by r. The
// concentration is a Num, then of dtype F64, or a value that broadcasts to the shape. The gradient with respect to it is that of the number for a
// fixed probability of a smaller one (implicit reparameterization), and has no gradient itself. Equal to
// torch.distributions.Gamma(concentration, 1).rsample, and to jax.random.gamma.
//
// Shapes: a concentration that broadcasts to the shape given -> the shape given.
func (g *Graph) Gamma(concentration Operand, shape ...int) *Value {
	_, alpha := g.parameters("Gamma", concentration, shape)
	return alpha.logGamma().Exp()
}

// Beta is beta random numbers x/(x+y), with gamma numbers x and y of the two concentrations, which have one dtype. Their gradients are
// those of Gamma. Equal to torch.distributions.Beta(a, b).rsample.
//
// Shapes: concentrations that broadcast to the shape given -> the shape given.
func (g *Graph) Beta(a, b Operand, shape ...int) *Value {
	g, x := g.parameters("Beta", a, shape)
	if x.failed {
		return x
	}
	_, y := g.parameters("Beta", b, shape)
	if y.failed {
		return y
	}
	if _, number := a.(Num); number {
		x = x.Cast(y.DType())
	} else if _, number := b.(Num); number {
		y = y.Cast(x.DType())
	}
	return x.logGamma().Sub(y.logGamma()).Sigmoid()
}

// Dirichlet is random vectors of a Dirichlet distribution: positive numbers that add up to 1 along the last axis, gamma numbers of the given
// concentrations divided by their sum. The gradient is that of Gamma. Equal to torch.distributions.Dirichlet(concentration).rsample.
//
// Shapes: a concentration that broadcasts to the shape given, [... k] -> the shape given.
func (g *Graph) Dirichlet(concentration Operand, shape ...int) *Value {
	g, alpha := g.parameters("Dirichlet", concentration, shape)
	if !alpha.failed && alpha.Rank() == 0 {
		return g.failAs("Dirichlet", []*Value{alpha}, newProblem("the draws need an axis along which they add up to 1"))
	}
	return alpha.logGamma().Softmax(-1)
}

// Poisson is Poisson random numbers of the given rate, as floats of its dtype. The rate is a Num, then of dtype F64, or a value that broadcasts to
// the shape. No gradient flows to it, as through torch.poisson, which it equals.
//
// Shapes: a rate that broadcasts to the shape given -> the shape given.
func (g *Graph) Poisson(rate Operand, shape ...int) *Value {
	_, p := g.parameters("Poisson", rate, shape)
	if p.failed {
		return p
	}
	return p.graph.random(randomOp{kind: ir.DrawPoisson, typ: ir.Type{DType: p.typ.DType, Shape: p.Shape()}}, p)
}

// Gumbel is random numbers of the standard Gumbel distribution, -log(-log(u)) of uniform u, of dtype F32 or F64. The softmax of logits and such
// numbers, divided by a temperature, is a differentiable draw (Jang, Gu and Poole 2017). Equal to jax.random.gumbel.
//
// Shapes: the result has the shape given.
func (g *Graph) Gumbel(dtype DType, shape ...int) *Value {
	return g.Uniform(dtype, 0, 1, shape...).Log().Neg().Log().Neg()
}

// Categorical is random indices, each i with a probability in proportion to e^logits[i]: the largest of logits with Gumbel numbers added. Logits are
// the last axis, whose size is the number of indices; the other axes broadcast to the shape. No gradient flows to them. Equal to
// torch.distributions.Categorical(logits=logits).sample, and to jax.random.categorical.
//
// Shapes: [d... k] with [d...] that broadcasts to the shape given -> the shape given, i64.
func (g *Graph) Categorical(logits *Value, shape ...int) *Value {
	g = g.orLost()
	if logits.exists() && !logits.failed && logits.Rank() == 0 {
		return g.failAs("Categorical", []*Value{logits}, newProblem("the logits are a scalar and need an axis to choose from"))
	}
	if !logits.exists() {
		return g.failAs("Categorical", nil, newProblem("the logits are nil"))
	}
	g, scores := g.parameters("Categorical", logits, append(slices.Clone(shape), logits.Dim(-1)))
	if scores.failed {
		return scores
	}
	return scores.Add(g.Gumbel(scores.DType(), scores.Shape()...)).ArgMax(-1)
}

// Permutation is a random order of 0 to n-1, each as likely as any other. Equal to torch.randperm.
//
// Shapes: [n], i64.
func (g *Graph) Permutation(n int) *Value { return g.Uniform(F64, 0, 1, n).ArgSort(0, false) }

// gammaSlopeOp is the derivative of the logarithm of a gamma number with respect to its concentration.
type gammaSlopeOp struct{}

func (gammaSlopeOp) Name() string                        { return "GammaSlope" }
func (gammaSlopeOp) Attrs() string                       { return "" }
func (gammaSlopeOp) Infer(in []ir.Type) (ir.Type, error) { return in[1], nil }
func (gammaSlopeOp) Rows(out ir.Type, in []ir.Type) int  { return out.Size() }
func (op gammaSlopeOp) Eval(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, out.Size()) }
func (op gammaSlopeOp) Run(out ir.Array, in []ir.Array)  { op.RunRows(out, in, 0, out.Size()) }
func (gammaSlopeOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	for i := first; i < end; i++ {
		out.SetFloat(i, rng.LogGammaSlope(in[0].Float(i), in[1].Float(i)))
	}
}

// SlopesOfLogGamma says what the op is.
func (gammaSlopeOp) SlopesOfLogGamma() {}

func (op gammaSlopeOp) grad(y, dy *Value) []*Value {
	return []*Value{y.graph.fail(op, y.in, newProblem("the gradient of a gamma number with respect to its concentration has no gradient itself").
		WithHint("StopGradient of the concentration, or of the draws"))}
}

func (gammaSlopeOp) batch(m *mapping, v *Value, in []mapped) mapped { return m.all(v.op, in) }
