package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the losses of real-valued predictions, as functions of the difference d = prediction - target.

// MSELoss is the squared difference. Equal to torch.nn.MSELoss.
type MSELoss struct{ Reduction Reduction }

// MSE is the mean squared error. Shapes: [d...], [d...] -> [].
func MSE(prediction, target *tarn.Value) *tarn.Value { return MSELoss{}.Loss(prediction, target) }

// Loss is d^2. Shapes: [d...], [d...] -> [], or [d...] with None.
func (l MSELoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	if bad := alike("MSE", prediction, target); bad != nil {
		return bad
	}
	return l.Reduction.of(prediction.Sub(target).Square())
}

// MAELoss is the absolute difference. Equal to torch.nn.L1Loss.
type MAELoss struct{ Reduction Reduction }

// MAE is the mean absolute error. Shapes: [d...], [d...] -> [].
func MAE(prediction, target *tarn.Value) *tarn.Value { return MAELoss{}.Loss(prediction, target) }

// Loss is |d|; its derivative where d is 0 is 0. Shapes: [d...], [d...] -> [], or [d...] with None.
func (l MAELoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	if bad := alike("MAE", prediction, target); bad != nil {
		return bad
	}
	return l.Reduction.of(prediction.Sub(target).Abs())
}

// HuberLoss is quadratic near 0 and linear beyond Delta. Equal to torch.nn.HuberLoss.
// Huber, Robust estimation of a location parameter, 1964.
type HuberLoss struct {
	Delta     float64 // where the two meet; 0 means 1
	Reduction Reduction
}

// Huber is the mean Huber loss with Delta 1. Shapes: [d...], [d...] -> [].
func Huber(prediction, target *tarn.Value) *tarn.Value { return HuberLoss{}.Loss(prediction, target) }

// Loss is d^2/2 where |d| <= Delta and Delta (|d| - Delta/2) beyond. Shapes: [d...], [d...] -> [], or [d...] with None.
func (l HuberLoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	delta := orOne(l.Delta)
	if bad := alike("Huber", prediction, target); bad != nil {
		return bad
	}
	if !(delta > 0) {
		return prediction.Graph().Fail("Huber", []*tarn.Value{prediction, target}, "Delta is %v and should be positive", l.Delta)
	}
	return l.Reduction.of(huber(prediction.Sub(target), delta))
}

// SmoothL1Loss is the Huber loss divided by Beta, so that its slope is 1 beyond Beta. Equal to torch.nn.SmoothL1Loss,
// except that Beta 0 means 1; where PyTorch takes 0, use MAELoss.
// Girshick, Fast R-CNN, ICCV 2015.
type SmoothL1Loss struct {
	Beta      float64 // where the square ends; 0 means 1
	Reduction Reduction
}

// SmoothL1 is the mean smooth L1 loss with Beta 1, where it equals Huber. Shapes: [d...], [d...] -> [].
func SmoothL1(prediction, target *tarn.Value) *tarn.Value {
	return SmoothL1Loss{}.Loss(prediction, target)
}

// Loss is d^2/(2 Beta) where |d| <= Beta and |d| - Beta/2 beyond. Shapes: [d...], [d...] -> [], or [d...] with None.
func (l SmoothL1Loss) Loss(prediction, target *tarn.Value) *tarn.Value {
	beta := orOne(l.Beta)
	if bad := alike("SmoothL1", prediction, target); bad != nil {
		return bad
	}
	if !(beta > 0) {
		return prediction.Graph().Fail("SmoothL1", []*tarn.Value{prediction, target}, "Beta is %v and should be positive", l.Beta)
	}
	return l.Reduction.of(huber(prediction.Sub(target), beta).Scale(1 / beta))
}

// huber is c (|d| - c/2) with c = min(|d|, delta). Its derivative is d limited to ±delta, which the rule says in one op.
func huber(d *tarn.Value, delta float64) *tarn.Value {
	size := d.Abs()
	c := size.Minimum(tarn.Num(delta))
	y := c.Mul(size.Sub(c.Scale(0.5)))
	return tarn.WithGradient(y, []*tarn.Value{d}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{dy.Mul(d.Clip(tarn.Num(-delta), tarn.Num(delta)))}
	})
}

// QuantileLoss is the pinball loss, whose least mean is at a quantile of the target's distribution. Twin of
// sklearn.metrics.mean_pinball_loss.
// Koenker and Bassett, Regression quantiles, Econometrica 1978.
type QuantileLoss struct {
	// Quantiles are the ones predicted, between 0 and 1; nil means 0.5, the median. If there are several, the predictions have one for each on
	// their last axis, which the target lacks.
	Quantiles []float64
	Reduction Reduction
}

// Quantile is the mean loss of the median, half the mean absolute error. Shapes: [d...], [d...] -> [].
func Quantile(prediction, target *tarn.Value) *tarn.Value {
	return QuantileLoss{}.Loss(prediction, target)
}

// Loss is max(q d, (q-1) d) with d = target - prediction; its derivative where d is 0 is the mean of those on both sides.
//
// Shapes: [d...], [d...] -> [], or [d...] with None; of several quantiles [d... quantiles], [d...] -> [], or [d... quantiles].
func (l QuantileLoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	const name = "Quantile"
	g, in := prediction.Graph(), []*tarn.Value{prediction, target}
	quantiles := l.Quantiles
	if len(quantiles) == 0 {
		quantiles = []float64{0.5}
	}
	if slices.ContainsFunc(quantiles, func(q float64) bool { return !(q > 0 && q < 1) }) {
		return g.Fail(name, in, "Quantiles are %v and should lie between 0 and 1", l.Quantiles)
	}
	if n := len(quantiles); n > 1 && target != nil {
		want := append(target.Shape(), n)
		if !slices.Equal(prediction.Shape(), want) {
			return g.Fail(name, in, "the predictions have shape %s and the target %s: of %d quantiles the predictions should have shape %s",
				shapeString(prediction.Shape()), shapeString(target.Shape()), n, shapeString(want))
		}
		target = target.Unsqueeze(-1).Expand(want...)
	}
	if bad := alike(name, prediction, target); bad != nil {
		return bad
	}
	d, q := target.Sub(prediction), weights(prediction, quantiles)
	return l.Reduction.of(d.Mul(q).Maximum(d.Mul(q.AddNum(-1))))
}
