package distributions

import "github.com/seed-49005b45/tarn"

// This file holds the distributions of single numbers and indices.

// Normal is the normal distribution. Equal to torch.distributions.Normal.
type Normal struct{ Mean, Std *tarn.Value }

// Sample returns Mean + Std times standard normal draws. Shapes: the result has the shape given.
func (d Normal) Sample(shape ...int) *tarn.Value {
	return d.Mean.Graph().Normal(d.Mean.DType(), 0, 1, shape...).Mul(d.Std).Add(d.Mean)
}

// LogProb returns -((x-Mean)/Std)^2/2 - log(Std) - log(2 pi)/2. Shapes: any -> same.
func (d Normal) LogProb(x *tarn.Value) *tarn.Value {
	return x.Sub(d.Mean).Div(d.Std).Square().Scale(-0.5).Sub(d.Std.Log()).AddNum(-halfLogTau)
}

// Entropy returns log(Std) + (1 + log(2 pi))/2. Shapes: that of Std.
func (d Normal) Entropy() *tarn.Value { return d.Std.Log().AddNum(0.5 + halfLogTau) }

func (d Normal) kl(q Normal) *tarn.Value {
	ratio := d.Std.Div(q.Std)
	return ratio.Square().Add(d.Mean.Sub(q.Mean).Div(q.Std).Square()).AddNum(-1).Scale(0.5).Sub(ratio.Log())
}

// Bernoulli is the distribution of a bool that is true with probability sigmoid(Logits). Equal to torch.distributions.Bernoulli(logits=...).
type Bernoulli struct{ Logits *tarn.Value }

// Sample returns bools. No gradient flows through them. Shapes: the result has the shape given, bool.
func (d Bernoulli) Sample(shape ...int) *tarn.Value {
	return d.Logits.Graph().Bernoulli(d.Logits.Sigmoid().Expand(shape...), shape...)
}

// LogProb returns log(sigmoid(Logits)) where x is true or not 0, and log(sigmoid(-Logits)) elsewhere. Shapes: any -> same.
func (d Bernoulli) LogProb(x *tarn.Value) *tarn.Value {
	return x.Ne(x.Graph().Num(x.DType(), 0)).Where(d.Logits.LogSigmoid(), d.Logits.Neg().LogSigmoid())
}

// Entropy returns -p log(p) - (1-p) log(1-p). Shapes: that of Logits.
func (d Bernoulli) Entropy() *tarn.Value {
	a, b := d.Logits, d.Logits.Neg()
	return a.Sigmoid().Mul(a.LogSigmoid()).Add(b.Sigmoid().Mul(b.LogSigmoid())).Neg()
}

func (d Bernoulli) kl(q Bernoulli) *tarn.Value {
	part := func(p, q *tarn.Value) *tarn.Value { return p.Sigmoid().Mul(p.LogSigmoid().Sub(q.LogSigmoid())) }
	return part(d.Logits, q.Logits).Add(part(d.Logits.Neg(), q.Logits.Neg()))
}

// Categorical is the distribution of an index along the last axis of Logits, with probabilities softmax(Logits). Equal to
// torch.distributions.Categorical(logits=...).
type Categorical struct{ Logits *tarn.Value }

// Sample returns indices. No gradient flows through them. Shapes: the result has the shape given, i64.
func (d Categorical) Sample(shape ...int) *tarn.Value {
	return d.Logits.Graph().Categorical(d.Logits, shape...)
}

// LogProb returns the logarithm of the probability of each index. Shapes: any if Logits are [k], else [d...] with Logits [d... k] -> same.
func (d Categorical) LogProb(x *tarn.Value) *tarn.Value {
	logs := d.Logits.LogSoftmax(-1)
	if logs.Rank() == 1 {
		return logs.Take(0, x)
	}
	return logs.Gather(-1, x.Unsqueeze(-1)).Squeeze(-1)
}

// Entropy returns -sum p log(p); a probability of 0 adds nothing. Shapes: that of Logits without the last axis.
func (d Categorical) Entropy() *tarn.Value {
	return weighed(d.Logits.Softmax(-1), d.Logits.LogSoftmax(-1)).Sum(-1).Neg()
}

func (d Categorical) kl(q Categorical) *tarn.Value {
	return weighed(d.Logits.Softmax(-1), d.Logits.LogSoftmax(-1).Sub(q.Logits.LogSoftmax(-1))).Sum(-1)
}

// Gamma is the gamma distribution, of mean Concentration/Rate. Equal to torch.distributions.Gamma.
type Gamma struct{ Concentration, Rate *tarn.Value }

// Sample returns draws with gradients: see tarn.Graph.Gamma. Shapes: the result has the shape given.
func (d Gamma) Sample(shape ...int) *tarn.Value {
	return d.Concentration.Graph().Gamma(d.Concentration, shape...).Div(d.Rate)
}

// LogProb returns a log(r) + (a-1) log(x) - r x - log Gamma(a) for the concentration a and the rate r. Shapes: any -> same.
func (d Gamma) LogProb(x *tarn.Value) *tarn.Value {
	a, r := d.Concentration, d.Rate
	return a.Mul(r.Log()).Add(a.AddNum(-1).Xlogy(x)).Sub(r.Mul(x)).Sub(a.Lgamma())
}

// Entropy returns a - log(r) + log Gamma(a) + (1-a) digamma(a). Shapes: that of the parameters.
func (d Gamma) Entropy() *tarn.Value {
	a := d.Concentration
	return a.Sub(d.Rate.Log()).Add(a.Lgamma()).Sub(a.AddNum(-1).Mul(a.Digamma()))
}

func (d Gamma) kl(q Gamma) *tarn.Value {
	a, b := d.Concentration, q.Concentration
	return a.Sub(b).Mul(a.Digamma()).Sub(a.Lgamma()).Add(b.Lgamma()).Add(b.Mul(d.Rate.Log().Sub(q.Rate.Log()))).Add(a.Mul(q.Rate.Sub(d.Rate)).Div(d.Rate))
}

// Beta is the beta distribution of numbers between 0 and 1, with concentrations A, of 1, and B, of 0. Equal to torch.distributions.Beta(A, B).
type Beta struct{ A, B *tarn.Value }

// Sample returns draws with gradients: see tarn.Graph.Beta. Shapes: the result has the shape given.
func (d Beta) Sample(shape ...int) *tarn.Value { return d.A.Graph().Beta(d.A, d.B, shape...) }

// LogProb returns log(x) + (B-1) log(1-x) - log of the beta function. Shapes: any -> same.
func (d Beta) LogProb(x *tarn.Value) *tarn.Value {
	return d.A.AddNum(-1).Xlogy(x).Add(d.B.AddNum(-1).Xlog1py(x.Neg())).Sub(d.logBeta())
}

func (d Beta) logBeta() *tarn.Value {
	return d.A.Lgamma().Add(d.B.Lgamma()).Sub(d.A.Add(d.B).Lgamma())
}

// Entropy returns the logarithm of the beta function - (A-1) digamma(A) - (B-1) digamma(B) + (A+B-2) digamma(A+B). Shapes: that of the
// parameters.
func (d Beta) Entropy() *tarn.Value {
	term := func(v *tarn.Value, less float64) *tarn.Value { return v.AddNum(-less).Mul(v.Digamma()) }
	return d.logBeta().Sub(term(d.A, 1)).Sub(term(d.B, 1)).Add(term(d.A.Add(d.B), 2))
}

func (d Beta) kl(q Beta) *tarn.Value {
	a, b := d.A.Sub(q.A), d.B.Sub(q.B)
	return q.logBeta().Sub(d.logBeta()).Add(a.Mul(d.A.Digamma())).Add(b.Mul(d.B.Digamma())).Sub(a.Add(b).Mul(d.A.Add(d.B).Digamma()))
}
