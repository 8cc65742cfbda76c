package nn

import "github.com/seed-49005b45/tarn"

// This file holds the Kullback-Leibler divergence.

// KLLoss is the Kullback-Leibler divergence of the prediction from the target, D(target || prediction). As in
// torch.nn.KLDivLoss, to which it is equal, the prediction comes as log-probabilities, the target as probabilities, or as
// log-probabilities with LogTarget.
type KLLoss struct {
	LogTarget bool
	Reduction Reduction // Mean divides by the number of elements, as PyTorch does; the divergence itself is BatchMean
}

// KL is the divergence D(target || prediction), averaged over the first axis: that of KLLoss with BatchMean.
//
// Shapes: [d...] of log-probabilities, [d...] of probabilities -> [].
func KL(logPrediction, target *tarn.Value) *tarn.Value {
	return KLLoss{Reduction: BatchMean}.Loss(logPrediction, target)
}

// Loss is t (log t - x), with 0 for a t of 0, where its derivative by t is taken as -x.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l KLLoss) Loss(logPrediction, target *tarn.Value) *tarn.Value {
	if bad := alike("KL", logPrediction, target); bad != nil {
		return bad
	}
	if l.LogTarget {
		return l.Reduction.of(target.Exp().Mul(target.Sub(logPrediction)))
	}
	zero := target.Eq(tarn.Num(0))
	log := zero.Where(tarn.Num(1), target).Log() // 0 where t is, and so is its derivative
	return l.Reduction.of(target.Mul(log.Sub(logPrediction)))
}
