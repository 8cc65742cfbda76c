package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the losses for classes of very different sizes, as in the detection and segmentation of images.

// FocalLoss is the binary cross-entropy of logits in which what is predicted well counts less. Equal to
// torchvision.ops.sigmoid_focal_loss.
// Lin et al., Focal loss for dense object detection, ICCV 2017.
type FocalLoss struct {
	Alpha     float64 // the weight of positive targets, 1-Alpha that of others; 0 means 0.25, and a negative number no weights
	Gamma     float64 // how strongly; 0 means 2. With no such factor it is BCEWithLogits.
	Reduction Reduction
}

// Focal is the mean focal loss with Alpha 0.25 and Gamma 2. Shapes: [d...], [d...] -> [].
func Focal(logits, target *tarn.Value) *tarn.Value { return FocalLoss{}.Loss(logits, target) }

// Loss is (Alpha y + (1-Alpha)(1-y)) q^Gamma times the cross-entropy, with q = y sigmoid(-x) + (1-y) sigmoid(x), the probability that the
// prediction leaves to other than the target.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l FocalLoss) Loss(logits, target *tarn.Value) *tarn.Value {
	const name = "Focal"
	if bad := alike(name, logits, target); bad != nil {
		return bad
	}
	alpha, gamma := l.Alpha, l.Gamma
	if alpha == 0 {
		alpha = 0.25
	}
	if gamma == 0 {
		gamma = 2
	}
	if !(alpha <= 1) || !(gamma > 0) || math.IsInf(gamma, 1) {
		return logits.Graph().Fail(name, []*tarn.Value{logits, target}, "Alpha is %v and Gamma %v: Alpha should be at most 1, Gamma finite and positive", l.Alpha, l.Gamma)
	}
	other := target.Neg().AddNum(1)
	q := target.Mul(logits.Neg().Sigmoid()).Add(other.Mul(logits.Sigmoid()))
	var factor *tarn.Value
	if gamma == 2 {
		factor = q.Square()
	} else {
		factor = q.Maximum(tarn.Num(1e-30)).Pow(tarn.Num(gamma)) // the derivative of a root at 0 would be infinite
	}
	v := BCEWithLogitsLoss{Reduction: None}.Loss(logits, target).Mul(factor)
	if alpha >= 0 {
		v = v.Mul(target.Scale(alpha).Add(other.Scale(1 - alpha)))
	}
	return l.Reduction.of(v)
}

// DiceLoss is 1 less the overlap of predicted and true regions, whatever their sizes. Equal to monai.losses.DiceLoss with smooth_nr and
// smooth_dr of Smooth, but for the place of the channels.
// Milletari, Navab and Ahmadi, V-Net, 3DV 2016.
type DiceLoss struct {
	Logits    bool    // the prediction is logits, of which the sigmoid is taken, and not probabilities
	Squared   bool    // the sizes of regions are sums of squares, as in V-Net
	Smooth    float64 // added to overlap and sizes, so that empty regions have a loss; 0 means 1e-5
	Reduction Reduction
}

// Dice is the mean loss of probabilities. Shapes: [n d... c], [n d... c] -> [].
func Dice(probability, target *tarn.Value) *tarn.Value { return DiceLoss{}.Loss(probability, target) }

// Loss is 1 - (2 sum(p y) + Smooth)/(sum p + sum y + Smooth) for each channel of each example, with the sums over the spatial axes.
//
// Shapes: [n d... c], [n d... c] -> [], or [n c] with None.
func (l DiceLoss) Loss(prediction, target *tarn.Value) *tarn.Value {
	const name = "Dice"
	if bad := alike(name, prediction, target); bad != nil {
		return bad
	}
	axes, bad := spatialAxes(name, prediction)
	if bad != nil {
		return bad
	}
	smooth := l.Smooth
	if smooth == 0 {
		smooth = 1e-5
	}
	if !(smooth > 0) || math.IsInf(smooth, 1) {
		return prediction.Graph().Fail(name, []*tarn.Value{prediction, target}, "Smooth is %v and should be finite and positive", l.Smooth)
	}
	if l.Logits {
		prediction = prediction.Sigmoid()
	}
	size := func(v *tarn.Value) *tarn.Value {
		if l.Squared {
			v = v.Square()
		}
		return v.Sum(axes...)
	}
	overlap := prediction.Mul(target).Sum(axes...).Scale(2).AddNum(smooth)
	whole := size(prediction).Add(size(target)).AddNum(smooth)
	return l.Reduction.of(overlap.Div(whole).Neg().AddNum(1))
}
