package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Muon, whose steps are matrices with all singular values near 1.

// ScaleByMuon replaces a momentum by the matrix with the same singular vectors whose singular values are about 1, so that the
// step moves every direction alike and not the few strong ones alone:
//
//	m <- Beta m + (1-Beta) g
//	x = m / (1 - Beta^t)       Nesterov: Beta m / (1 - Beta^(t+1)) + (1-Beta) g / (1 - Beta^t)       at the t-th update
//	x <- x / (|x| + Epsilon)
//	x <- a x + (b (x x') + c (x x')^2) x       Iterations times; a, b, c = 3.4445, -4.775, 2.0315
//	u = x * sqrt(max(1, rows/columns))         MatchRMS > 0: x * MatchRMS * sqrt(max(rows, columns))
//
// Five iterations bring the singular values to between 0.7 and 1.2 or so, which serves as well as 1. The rows are those of
// the output units, as in package nn. A param of more than two axes is taken as a matrix whose rows are its first axis.
// (Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; MatchRMS: Liu et al. 2025, Muon is scalable
// for LLM training.)
//
// Equal to optax.contrib.scale_by_muon and the scaling by shape that follows it in optax.contrib.muon, with
// MuonDimensionNumbers(reduction_axis=1, output_axis=0) and consistent_rms=MatchRMS. torch.optim.Muon leaves out the
// corrections by 1 - Beta^t, iterates in bfloat16 whatever the dtype, in which also results of products are rounded, and compares |x| with Epsilon in place of adding it.
type ScaleByMuon struct {
	Beta       float64
	Nesterov   bool
	Epsilon    float64
	Iterations int
	MatchRMS   float64 // the root mean square that a step should have; 0 is the scaling by rows/columns
	// Precision is that of the products of the iteration, for params of F32. The iteration only brings singular values near 1, so that BF16
	// serves it as well (Jordan et al. 2024).
	Precision tarn.Precision
}

// NewScaleByMuon returns ScaleByMuon with a Nesterov momentum of Beta 0.95, Epsilon 1e-8 and 5 Iterations.
func NewScaleByMuon() *ScaleByMuon {
	return &ScaleByMuon{Beta: 0.95, Nesterov: true, Epsilon: 1e-8, Iterations: 5}
}

// Apply returns the matrices.
func (m ScaleByMuon) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta", m.Beta)
	c.notNegative("Epsilon", m.Epsilon)
	c.notNegative("MatchRMS", m.MatchRMS)
	if m.Iterations < 1 || m.Iterations > 100 {
		c.Errorf("Iterations is %d and should lie between 1 and 100", m.Iterations)
		return u
	}
	defer c.multiplyAt(m.Precision)()
	now := c.correction(m.Beta)
	next := c.Graph.Num(tarn.F64, m.Beta).Pow(c.Count().AddNum(1)).Neg().AddNum(1).Reciprocal()
	return c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		if g.Rank() < 2 {
			c.Errorf("param %q has shape %v and is no matrix", s.Name, s.Param.Shape())
			return g
		}
		x := s.Average("muon.m", m.Beta, g)
		if m.Nesterov {
			x = x.Mul(s.Scalar(next.Scale(m.Beta))).Add(g.Mul(s.Scalar(now.Scale(1 - m.Beta))))
		} else {
			x = x.Mul(s.Scalar(now))
		}
		rows := g.Dim(0)
		columns := g.Size() / max(1, rows)
		scale := math.Sqrt(max(1, float64(rows)/float64(max(1, columns))))
		if m.MatchRMS > 0 {
			scale = m.MatchRMS * math.Sqrt(float64(max(rows, columns)))
		}
		x = x.Reshape(rows, columns)
		l := lengths([]*tarn.Value{x})[0].moderate()
		length := s.Scalar(l.norm.Add(l.unit.Scale(m.Epsilon)))
		x = x.Mul(s.Scalar(l.unit)).Div(length)
		return orthogonal(x, m.Iterations).Scale(scale).Reshape(g.Shape()...)
	})
}

// orthogonal moves the singular values of a matrix of norm at most 1 close to 1, by a Newton-Schulz iteration of degree 5
// whose coefficients are made for the steepest rise at 0. x x' is taken on the shorter side.
func orthogonal(x *tarn.Value, iterations int) *tarn.Value {
	const a, b, c = 3.4445, -4.7750, 2.0315
	if x.Dim(0) > x.Dim(1) {
		return orthogonal(x.T(), iterations).T()
	}
	for range iterations {
		gram := x.MatMulT(x)
		polynomial := gram.MatMul(gram).Scale(c).Add(gram.Scale(b))
		x = polynomial.MatMul(x).Add(x.Scale(a))
	}
	return x
}

// Muon is ScaleByMuon for the matrices and ScaleByAdam for all other params, both with the weight decay of AdamW:
//
//	param <- param - rate * (ScaleByMuon(gradient) + WeightDecay * param)       of the params that match
//	param <- param - rate * (ScaleByAdam(gradient) + WeightDecay * param)       of the others
//
// Embeddings and the last layer are better left to Adam as well, whose rate is usually smaller:
//
//	opt.Match = func(name string, p *tarn.Param) bool { return optim.Matrices(name, p) && optim.Under("blocks")(name, p) }
//	opt.Group(optim.Not(opt.Match)).Rate = 0.015
//
// Equal to optax.contrib.muon with adam_weight_decay=weight_decay and adamw without nesterov for the other params: there these
// have Nesterov's momentum and the epsilon of the matrices too. See ScaleByMuon for how torch.optim.Muon, which is for
// matrices only, differs.
type Muon struct {
	Chain
	Match       Match // the params with matrix steps
	Momentum    ScaleByMuon
	Adam        ScaleByAdam
	WeightDecay float64 // decoupled
}

// NewMuon returns Muon for Matrices, with the numbers of NewScaleByMuon and NewScaleByAdam. The usual rate is 0.02.
func NewMuon(rate float64) *Muon {
	o := &Muon{Match: Matrices, Momentum: *NewScaleByMuon(), Adam: *NewScaleByAdam()}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients and adds the decay.
func (o *Muon) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if o.Match == nil {
		c.Errorf("Match is nil; set it to such as optim.Matrices")
		return u
	}
	u = Only{o.Match, o.Momentum}.Apply(c, u)
	u = Only{Not(o.Match), o.Adam}.Apply(c, u)
	return DecayWeights(o.WeightDecay).Apply(c, u)
}
