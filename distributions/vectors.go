package distributions

import "github.com/seed-49005b45/tarn"

// This file holds the distributions of vectors, which lie along the last axis.

// Dirichlet is the distribution of positive numbers that add up to 1. Equal to torch.distributions.Dirichlet.
type Dirichlet struct{ Concentration *tarn.Value }

// Sample returns draws with gradients: see tarn.Graph.Dirichlet. Shapes: the result has the shape given, [... k].
func (d Dirichlet) Sample(shape ...int) *tarn.Value {
	return d.Concentration.Graph().Dirichlet(d.Concentration, shape...)
}

// LogProb returns sum (a-1) log(x) - logB, with logB = sum log Gamma(a) - log Gamma(sum a). Shapes: [... k] -> [...].
func (d Dirichlet) LogProb(x *tarn.Value) *tarn.Value {
	return d.Concentration.AddNum(-1).Xlogy(x).Sum(-1).Sub(d.logBeta())
}

func (d Dirichlet) logBeta() *tarn.Value {
	return d.Concentration.Lgamma().Sum(-1).Sub(d.Concentration.Sum(-1).Lgamma())
}

// Entropy returns logB + (sum a - k) digamma(sum a) - sum (a-1) digamma(a). Shapes: [... k] -> [...].
func (d Dirichlet) Entropy() *tarn.Value {
	a, total := d.Concentration, d.Concentration.Sum(-1)
	return d.logBeta().Add(total.AddNum(-float64(a.Dim(-1))).Mul(total.Digamma())).Sub(a.AddNum(-1).Mul(a.Digamma()).Sum(-1))
}

func (d Dirichlet) kl(q Dirichlet) *tarn.Value {
	a := d.Concentration
	mean := a.Digamma().Sub(a.Sum(-1).Digamma().Unsqueeze(-1)) // of the logarithms
	return q.logBeta().Sub(d.logBeta()).Add(a.Sub(q.Concentration).Mul(mean).Sum(-1))
}

// MultivariateNormal is the normal distribution of vectors, of covariance Scale Scale', Scale being lower triangular with a positive diagonal: the
// Cholesky factor of the covariance. Equal to torch.distributions.MultivariateNormal(Mean, scale_tril=Scale).
//
// Shapes: Mean [... n] and Scale [n n], or [d... n n] with draws and arguments of [d... n].
type MultivariateNormal struct{ Mean, Scale *tarn.Value }

// Sample returns Mean + Scale times standard normal draws. Shapes: the result has the shape given, [... n].
func (d MultivariateNormal) Sample(shape ...int) *tarn.Value {
	g := d.Mean.Graph()
	if len(shape) == 0 {
		return g.Fail("MultivariateNormal", []*tarn.Value{d.Mean}, "the draws need an axis for the vectors")
	}
	rows := g.Normal(d.Mean.DType(), 0, 1, shape...).Unsqueeze(-2)
	return rows.MatMulT(d.Scale).Squeeze(-2).Add(d.Mean)
}

// LogProb returns -|y|^2/2 - sum log(diagonal of Scale) - n log(2 pi)/2, with Scale y = x - Mean. Shapes: [... n] -> [...].
func (d MultivariateNormal) LogProb(x *tarn.Value) *tarn.Value {
	n := float64(d.Scale.Dim(-1))
	return d.whiten(x.Sub(d.Mean)).Square().Sum(-1).Scale(-0.5).Sub(d.logDet()).AddNum(-n * halfLogTau)
}

// whiten returns the y with Scale y = v for vectors along the last axis.
func (d MultivariateNormal) whiten(v *tarn.Value) *tarn.Value {
	if d.Scale.Rank() > 2 || v.Rank() == 0 {
		return d.Scale.SolveTriangular(v.Unsqueeze(-1), false, false).Squeeze(-1)
	}
	return d.Scale.SolveTriangular(v.Reshape(-1, v.Dim(-1)).T(), false, false).T().Reshape(v.Shape()...)
}

// logDet is half the logarithm of the determinant of the covariance.
func (d MultivariateNormal) logDet() *tarn.Value { return d.Scale.Diagonal().Log().Sum(-1) }

// Entropy returns n (1 + log(2 pi))/2 + sum log(diagonal of Scale). Shapes: Scale [... n n] -> [...].
func (d MultivariateNormal) Entropy() *tarn.Value {
	return d.logDet().AddNum(float64(d.Scale.Dim(-1)) * (0.5 + halfLogTau))
}

func (d MultivariateNormal) kl(q MultivariateNormal) *tarn.Value {
	spread := q.Scale.SolveTriangular(d.Scale.Tril(0), false, false).Square().Sum(-2, -1)
	distance := q.whiten(q.Mean.Sub(d.Mean)).Square().Sum(-1)
	return spread.Add(distance).AddNum(-float64(d.Scale.Dim(-1))).Scale(0.5).Add(q.logDet()).Sub(d.logDet())
}
