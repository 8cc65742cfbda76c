package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

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

// Loss is t (log t - x), with 0 for a t of 0, whatever x is; the derivative with respect to such a t is -x, or 0 if x is infinite.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l KLLoss) Loss(logPrediction, target *tarn.Value) *tarn.Value {
	if bad := alike("KL", logPrediction, target); bad != nil {
		return bad
	}
	if l.LogTarget {
		weight := target.Exp()
		return l.Reduction.of(weight.Mul(keepIf(target.Ne(tarn.Num(math.Inf(-1))), target.Sub(logPrediction))))
	}
	zero := target.Eq(tarn.Num(0))
	log := choose(zero, target.Num(1).Expand(target.Shape()...), target).Log() // 0 where t is, and so is its derivative
	return l.Reduction.of(times(target, log.Sub(logPrediction)))
}
