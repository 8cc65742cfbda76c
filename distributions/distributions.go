// Package distributions has probability distributions whose parameters are values of a graph: draws, logarithms of probabilities, entropies and
// Kullback-Leibler divergences, all with gradients. It is the counterpart of torch.distributions.
//
//	d := distributions.Normal{Mean: mean, Std: logStd.Exp()}
//	z := d.Sample(mean.Shape()...)
//	loss := reconstruction(z).Add(distributions.KL(d, distributions.Normal{Mean: mean.Num(0), Std: mean.Num(1)}).Sum())
//
// A distribution is a struct of its parameters. Parameters broadcast with one another and with what is drawn, as the operands of tarn's ops
// do. Nothing panics: a mistake is recorded in the graph.
package distributions

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds what distributions have in common, and the divergences.

// Distribution is a distribution of numbers, indices or vectors.
type Distribution interface {
	// Sample returns draws of the given shape, to which the parameters broadcast. Gradients flow through the draws of Normal,
	// MultivariateNormal, Gamma, Beta and Dirichlet. Each run draws fresh numbers: see tarn.Graph.Uniform.
	//
	// Shapes: the result has the shape given, which of vectors includes their axis, the last one.
	Sample(shape ...int) *tarn.Value
	// LogProb returns the logarithm of the density or the probability at x.
	//
	// Shapes: [d...] -> [d...], without the last axis if x are vectors.
	LogProb(x *tarn.Value) *tarn.Value
	// Entropy returns the entropy in nats, of a density the differential entropy.
	//
	// Shapes: that of the parameters, without the axis of vectors, logits or matrices.
	Entropy() *tarn.Value
}

// KL returns the Kullback-Leibler divergence of p from q, the mean under p of the logarithm of p/q, for two distributions of one type.
// Equal to torch.distributions.kl_divergence.
//
// Shapes: that of the parameters, without the axis of vectors, logits or matrices.
func KL(p, q Distribution) *tarn.Value {
	switch p := p.(type) {
	case Normal:
		if q, ok := q.(Normal); ok {
			return p.kl(q)
		}
	case Bernoulli:
		if q, ok := q.(Bernoulli); ok {
			return p.kl(q)
		}
	case Categorical:
		if q, ok := q.(Categorical); ok {
			return p.kl(q)
		}
	case Gamma:
		if q, ok := q.(Gamma); ok {
			return p.kl(q)
		}
	case Beta:
		if q, ok := q.(Beta); ok {
			return p.kl(q)
		}
	case Dirichlet:
		if q, ok := q.(Dirichlet); ok {
			return p.kl(q)
		}
	case MultivariateNormal:
		if q, ok := q.(MultivariateNormal); ok {
			return p.kl(q)
		}
	}
	return parameter(p).Graph().Fail("KL", nil, "there is no divergence of a %T from a %T", p, q)
}

// parameter returns a parameter of a distribution, for its graph.
func parameter(d Distribution) *tarn.Value {
	switch d := d.(type) {
	case Normal:
		return d.Mean
	case Bernoulli:
		return d.Logits
	case Categorical:
		return d.Logits
	case Gamma:
		return d.Concentration
	case Beta:
		return d.A
	case Dirichlet:
		return d.Concentration
	case MultivariateNormal:
		return d.Mean
	}
	return nil
}

// halfLogTau is log(2 pi)/2.
var halfLogTau = math.Log(2*math.Pi) / 2

// weighed returns p*x, and 0 where p is 0, whatever x is.
func weighed(p, x *tarn.Value) *tarn.Value {
	zero := p.Eq(tarn.Num(0))
	return p.Mul(zero.Where(tarn.Num(0), x))
}
