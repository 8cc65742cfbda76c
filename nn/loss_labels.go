package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the losses of examples that may have several labels at once. The classes lie on the last axis.

// MultiLabelMarginLoss asks the scores of an example's classes to be above those of all others by a margin of 1. Equal to
// torch.nn.MultiLabelMarginLoss.
type MultiLabelMarginLoss struct{ Reduction Reduction }

// MultiLabelMargin is the mean loss. Shapes: [d... classes], [d... classes] of i32 or i64 -> [].
func MultiLabelMargin(scores, target *tarn.Value) *tarn.Value {
	return MultiLabelMarginLoss{}.Loss(scores, target)
}

// Loss is the sum over the classes j of an example and all others i of max(0, 1 - x[j] + x[i]), divided by the number of classes. A row of the
// target lists the example's classes, up to the first negative number. A class that there is not is an error of Run.
//
// Shapes: [d... classes], [d... classes] of i32 or i64 -> [], or [d...] with None.
func (l MultiLabelMarginLoss) Loss(scores, target *tarn.Value) *tarn.Value {
	const name = "MultiLabelMargin"
	if bad := checkScores(name, scores, target, nil); bad != nil {
		return bad
	}
	g, in := scores.Graph(), []*tarn.Value{scores, target}
	if d := target.DType(); d != tarn.I32 && d != tarn.I64 {
		return g.Fail(name, in, "the target is %v and should be i32 or i64", d)
	}
	if !slices.Equal(scores.Shape(), target.Shape()) {
		return g.Fail(name, in, "the scores have shape %s and the target %s: they should be equal; a shorter list of classes ends with -1", shapeString(scores.Shape()), shapeString(target.Shape()))
	}
	listed := target.Lt(tarn.Num(0)).Cast(tarn.I32).CumSum(-1).Eq(tarn.Num(0))
	index := listed.Where(target, tarn.Num(0))
	// The axes are then rows, the classes listed, and all classes.
	column := append(target.Shape(), 1)
	all := g.Iota(target.DType(), -1, append(target.Shape(), scores.Dim(-1))...)
	own := all.Eq(index.Reshape(column...)).And(listed.Reshape(column...)).Any(-2)
	v := scores.Unsqueeze(-2).Sub(scores.Gather(-1, index).Reshape(column...)).AddNum(1).ReLU()
	v = keepIf(listed.Reshape(column...).And(own.Not().Unsqueeze(-2)), v)
	return l.Reduction.of(v.Sum(-2, -1).Scale(1 / float64(scores.Dim(-1))))
}

// MultiLabelSoftMarginLoss is the binary cross-entropy of logits, averaged over the classes of each example. Equal to
// torch.nn.MultiLabelSoftMarginLoss.
type MultiLabelSoftMarginLoss struct {
	Weight    []float64 // of each class; nil means 1 each
	Reduction Reduction
}

// MultiLabelSoftMargin is the mean loss; a target is 1 if the example has the class, and 0 if not. Shapes: [d... classes], [d... classes] -> [].
func MultiLabelSoftMargin(logits, target *tarn.Value) *tarn.Value {
	return MultiLabelSoftMarginLoss{}.Loss(logits, target)
}

// Loss is the mean over the classes of Weight (y softplus(-x) + (1-y) softplus(x)).
//
// Shapes: [d... classes], [d... classes] -> [], or [d...] with None.
func (l MultiLabelSoftMarginLoss) Loss(logits, target *tarn.Value) *tarn.Value {
	const name = "MultiLabelSoftMargin"
	if bad := alike(name, logits, target); bad != nil {
		return bad
	}
	if bad := checkScores(name, logits, target, l.Weight); bad != nil {
		return bad
	}
	v := BCEWithLogitsLoss{Reduction: None}.Loss(logits, target)
	if len(l.Weight) > 0 {
		v = v.Mul(weights(v, l.Weight))
	}
	return l.Reduction.of(v.Mean(-1))
}

// SoftMarginLoss is the logistic loss of a score whose target is -1 or 1. Equal to torch.nn.SoftMarginLoss.
type SoftMarginLoss struct{ Reduction Reduction }

// SoftMargin is the mean logistic loss. Shapes: [d...], [d...] -> [].
func SoftMargin(score, target *tarn.Value) *tarn.Value { return SoftMarginLoss{}.Loss(score, target) }

// Loss is log(1 + e^(-y x)). Shapes: [d...], [d...] -> [], or [d...] with None.
func (l SoftMarginLoss) Loss(score, target *tarn.Value) *tarn.Value {
	if bad := alike("SoftMargin", score, target); bad != nil {
		return bad
	}
	return l.Reduction.of(score.Mul(target).Neg().Softplus())
}
