package nn

import "github.com/seed-49005b45/tarn"

// This file holds the losses that ask for a margin and no more.

// HingeLoss asks a score to have the sign of its target by a margin, as a support vector machine does.
// Cortes and Vapnik, Support-vector networks, 1995.
type HingeLoss struct {
	Margin    float64 // 0 means 1, and a negative number 0
	Squared   bool    // take the square of each loss
	Reduction Reduction
}

// Hinge is the mean hinge loss with Margin 1; targets are -1 or 1. Shapes: [d...], [d...] -> [].
func Hinge(score, target *tarn.Value) *tarn.Value { return HingeLoss{}.Loss(score, target) }

// Loss is max(0, Margin - y x); its derivative where the two are equal is 0. Shapes: [d...], [d...] -> [], or [d...] with None.
func (l HingeLoss) Loss(score, target *tarn.Value) *tarn.Value {
	if bad := alike("Hinge", score, target); bad != nil {
		return bad
	}
	v := score.Mul(target).Neg().AddNum(max(0, orOne(l.Margin))).ReLU()
	if l.Squared {
		v = v.Square()
	}
	return l.Reduction.of(v)
}

// MultiMarginLoss asks the score of each row's class to be above all others by a margin. Equal to
// torch.nn.MultiMarginLoss.
type MultiMarginLoss struct {
	Margin    float64   // 0 means 1, and a negative number 0
	Squared   bool      // p = 2 in PyTorch
	Weight    []float64 // of each class; nil means 1 each
	Reduction Reduction
}

// MultiMargin is the mean multi-class margin loss. Shapes: [d... classes] and [d...] of i32 or i64 -> [].
func MultiMargin(scores, target *tarn.Value) *tarn.Value {
	return MultiMarginLoss{}.Loss(scores, target)
}

// Loss is Weight[y]/classes times the sum over the classes j but y of max(0, Margin - x[y] + x[j]). The mean is divided by
// the number of rows, not by their weights. Shapes: [d... classes] and [d...] of i32 or i64 -> [], or [d...] with None.
func (l MultiMarginLoss) Loss(scores, target *tarn.Value) *tarn.Value {
	c, bad := newClasses("MultiMargin", scores, target, l.Weight, []int{})
	if bad != nil {
		return bad
	}
	v := scores.Sub(c.pick(scores).Unsqueeze(-1)).AddNum(max(0, orOne(l.Margin))).ReLU()
	if l.Squared {
		v = v.Square()
	}
	others := keepIf(c.hit(scores).Not(), v).Sum(-1).Scale(1 / float64(scores.Dim(-1)))
	return l.Reduction.of(c.weigh(others))
}
