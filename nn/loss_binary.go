package nn

import "github.com/seed-49005b45/tarn"

// This file holds the losses of yes-or-no predictions, each element its own class with a target between 0 and 1.

// BCEWithLogitsLoss is the binary cross-entropy of logits. Equal to torch.nn.BCEWithLogitsLoss.
type BCEWithLogitsLoss struct {
	Weight    *tarn.Value // of each element; it broadcasts to the shape of the logits. Nil means 1. The mean is that of the products.
	PosWeight []float64   // the weight of positive targets, one number for each size of the last axis or one for all; nil means 1
	Reduction Reduction
}

// BCEWithLogits is the mean binary cross-entropy of logits, -(y log p + (1-y) log(1-p)) with p = sigmoid(logits).
//
// Shapes: [d...], [d...] -> [].
func BCEWithLogits(logits, target *tarn.Value) *tarn.Value {
	return BCEWithLogitsLoss{}.Loss(logits, target)
}

// Loss is PosWeight y softplus(-x) + (1-y) softplus(x), in which no difference loses digits however large x is. An infinite logit on the side of its
// target has the loss 0 and the gradient 0.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l BCEWithLogitsLoss) Loss(logits, target *tarn.Value) *tarn.Value {
	if bad := alike("BCEWithLogits", logits, target); bad != nil {
		return bad
	}
	yes := times(target, logits.Neg().Softplus())
	if n := len(l.PosWeight); n > 0 {
		if n != 1 && n != logits.Dim(-1) {
			return logits.Graph().Fail("BCEWithLogits", []*tarn.Value{logits, target}, "PosWeight has %d numbers and should have 1 or %d, the size of the last axis", n, logits.Dim(-1))
		}
		yes = yes.Mul(weights(logits, l.PosWeight))
	}
	no := times(target.Neg().AddNum(1), logits.Softplus())
	return weighted("BCEWithLogits", yes.Add(no), l.Weight, l.Reduction)
}

// weighted multiplies the losses of the elements by their weights, if there are any, and reduces them.
func weighted(loss string, v, weight *tarn.Value, r Reduction) *tarn.Value {
	if weight == nil {
		return r.of(v)
	}
	if weight.DType() != v.DType() || !broadcasts(weight.Shape(), v.Shape()) {
		return v.Graph().Fail(loss, []*tarn.Value{v, weight}, "the losses are %v%s and Weight is %v%s: it should be of the same type and broadcast to their shape",
			v.DType(), shapeString(v.Shape()), weight.DType(), shapeString(weight.Shape()))
	}
	return r.of(times(weight.Expand(v.Shape()...), v))
}

// broadcasts reports whether a shape, aligned at the last axes, expands to another.
func broadcasts(shape, to []int) bool {
	lead := len(to) - len(shape)
	for i, d := range shape {
		if lead < 0 || d != 1 && d != to[lead+i] {
			return false
		}
	}
	return lead >= 0
}

// BCELoss is the binary cross-entropy of probabilities. Equal to torch.nn.BCELoss. Of a sigmoid, BCEWithLogits is exact
// where this is not.
type BCELoss struct {
	Weight    *tarn.Value // of each element, as that of BCEWithLogitsLoss
	Reduction Reduction
}

// BCE is the mean binary cross-entropy of probabilities. Shapes: [d...], [d...] -> [].
func BCE(probability, target *tarn.Value) *tarn.Value { return BCELoss{}.Loss(probability, target) }

// Loss is -(y log p + (1-y) log(1-p)), where no logarithm goes below -100; the derivative with respect to p is (p-y)/(p(1-p)), with a
// divisor of at least 1e-12: both are PyTorch's choices. Outside [0, 1] p gives NaN.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l BCELoss) Loss(probability, target *tarn.Value) *tarn.Value {
	if bad := alike("BCE", probability, target); bad != nil {
		return bad
	}
	p, y := probability, target
	other := func(v *tarn.Value) *tarn.Value { return v.Neg().AddNum(1) }
	log := func(v *tarn.Value) *tarn.Value { return v.Log().Maximum(tarn.Num(-100)) }
	loss := y.Mul(log(p)).Add(other(y).Mul(log(other(p)))).Neg()
	loss = tarn.WithGradient(loss, []*tarn.Value{p, y}, func(dy *tarn.Value) []*tarn.Value {
		slope := p.Sub(y).Div(p.Mul(other(p)).Maximum(tarn.Num(1e-12)))
		return []*tarn.Value{dy.Mul(slope), dy.Mul(log(other(p)).Sub(log(p)))}
	})
	return weighted("BCE", loss, l.Weight, l.Reduction)
}
