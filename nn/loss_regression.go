package nn

import "github.com/seed-49005b45/tarn"

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
