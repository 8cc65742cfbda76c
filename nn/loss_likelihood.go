package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the negative log-likelihoods of real values and of counts, for models that predict a distribution.

// GaussianNLLLoss is the negative log-likelihood of a normal distribution whose mean and variance are predicted. Equal to
// torch.nn.GaussianNLLLoss.
// Nix and Weigend, Estimating the mean and variance of the target probability distribution, ICNN 1994.
type GaussianNLLLoss struct {
	Full      bool    // with the constant log(2 pi)/2
	Eps       float64 // the least variance; 0 means 1e-6
	Reduction Reduction
}

// GaussianNLL is the mean loss without its constant. Shapes: [d...], [d...], variances [d...], [d... 1] or [d...] without the last axis -> [].
func GaussianNLL(mean, target, variance *tarn.Value) *tarn.Value {
	return GaussianNLLLoss{}.Loss(mean, target, variance)
}

// Loss is (log v + (y - x)^2/v)/2 with v = max(variance, Eps). As in PyTorch the gradient with respect to a variance below Eps is that at Eps, so
// that it can grow again.
//
// Shapes: [d...], [d...], variances [d...], [d... 1] or [d...] without the last axis -> [], or [d...] with None.
func (l GaussianNLLLoss) Loss(mean, target, variance *tarn.Value) *tarn.Value {
	const name = "GaussianNLL"
	if bad := alike(name, mean, target); bad != nil {
		return bad
	}
	g, in := mean.Graph(), []*tarn.Value{mean, target, variance}
	if variance == nil {
		return g.Fail(name, in, "the variance is nil")
	}
	shape, got := mean.Shape(), variance.Shape()
	if len(got) == len(shape)-1 {
		variance = variance.Unsqueeze(-1)
	}
	eps := l.Eps
	if eps == 0 {
		eps = 1e-6
	}
	narrow := variance.Rank() == len(shape) && len(shape) > 0 && variance.Dim(-1) == 1 && endsWith(variance.Shape()[:len(shape)-1], shape[:len(shape)-1])
	switch {
	case !narrow && !(variance.Rank() == len(shape) && endsWith(variance.Shape(), shape)):
		return g.Fail(name, in, "the means have shape %s and the variances %s: these should have the same shape, or 1 on the last axis, or lack it", shapeString(shape), shapeString(got))
	case variance.DType() != mean.DType():
		return g.Fail(name, in, "the means are %v and the variances %v: Cast one of them", mean.DType(), variance.DType())
	case !(eps > 0) || math.IsInf(eps, 1):
		return g.Fail(name, in, "Eps is %v and should be finite and positive", l.Eps)
	}
	v := tarn.WithGradient(variance.Maximum(tarn.Num(eps)), []*tarn.Value{variance}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy} })
	loss := v.Log().Add(mean.Sub(target).Square().Div(v)).Scale(0.5)
	if l.Full {
		loss = loss.AddNum(0.5 * math.Log(2*math.Pi))
	}
	return l.Reduction.of(loss)
}

// PoissonNLLLoss is the negative log-likelihood of a Poisson distribution of counts, of which the logarithm of the rate is predicted. Equal to
// torch.nn.PoissonNLLLoss.
type PoissonNLLLoss struct {
	Rate      bool    // the prediction is the rate itself: log_input=False in PyTorch
	Full      bool    // with Stirling's approximation of log y!, for targets above 1
	Eps       float64 // added to a rate in its logarithm; 0 means 1e-8
	Reduction Reduction
}

// PoissonNLL is the mean loss of logarithms of rates, without its constant. Shapes: [d...], [d...] -> [].
func PoissonNLL(logRate, target *tarn.Value) *tarn.Value {
	return PoissonNLLLoss{}.Loss(logRate, target)
}

// Loss is e^x - y x, or with Rate x - y log(x + Eps). Full adds y log y - y + log(2 pi y)/2 for targets above 1.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l PoissonNLLLoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	const name = "PoissonNLL"
	if bad := alike(name, prediction, target); bad != nil {
		return bad
	}
	eps := l.Eps
	if eps == 0 {
		eps = 1e-8
	}
	if !(eps > 0) || math.IsInf(eps, 1) {
		return prediction.Graph().Fail(name, []*tarn.Value{prediction, target}, "Eps is %v and should be finite and positive", l.Eps)
	}
	var loss *tarn.Value
	if l.Rate {
		loss = prediction.Sub(target.Mul(prediction.AddNum(eps).Log()))
	} else {
		loss = prediction.Exp().Sub(target.Mul(prediction))
	}
	if l.Full {
		many := target.Gt(tarn.Num(1))
		y := choose(many, target, target.Num(1).Expand(target.Shape()...))
		stirling := y.Mul(y.Log()).Sub(y).Add(y.Scale(2 * math.Pi).Log().Scale(0.5))
		loss = loss.Add(keepIf(many, stirling))
	}
	return l.Reduction.of(loss)
}
