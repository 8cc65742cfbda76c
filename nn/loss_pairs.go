package nn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the losses that compare examples with each other, or scores of two of them: what belongs together should be near or above,
// and what does not should be far or below, by a margin.

// labeled reports operands that differ in shape or dtype, and a target that is not their shape without the last given number of axes. It
// returns a poisoned value, or nil if all fit.
func labeled(loss string, first, second, target *tarn.Value, without int) *tarn.Value {
	in := []*tarn.Value{first, second, target}
	g := first.Graph()
	for i, v := range in {
		if v == nil {
			return g.Fail(loss, in, "operand %d is nil", i+1)
		}
	}
	rows := first.Shape()
	rows = rows[:max(0, len(rows)-without)]
	switch {
	case !slices.Equal(first.Shape(), second.Shape()):
		return g.Fail(loss, in, "the operands have the shapes %s and %s: they should be equal", shapeString(first.Shape()), shapeString(second.Shape()))
	case first.Rank() < without:
		return g.Fail(loss, in, "the operands are scalars; their last axis should be the elements of a vector")
	case !slices.Equal(target.Shape(), rows):
		return g.Fail(loss, in, "the target has shape %s and should have shape %s", shapeString(target.Shape()), shapeString(rows))
	case first.DType() != second.DType() || first.DType() != target.DType():
		return g.Fail(loss, in, "the operands are %v, %v and %v: Cast them to one type", first.DType(), second.DType(), target.DType())
	case !first.DType().IsFloat():
		return g.Fail(loss, in, "the operands are %v and should be f32 or f64: Cast them", first.DType())
	}
	return nil
}

// TripletMarginLoss asks the distance from an anchor to an example like it to be smaller, by a margin, than that to one unlike it. Equal to
// torch.nn.TripletMarginLoss.
// Balntas et al., Learning shallow convolutional feature descriptors with triplet losses, BMVC 2016.
type TripletMarginLoss struct {
	Margin    float64 // 0 means 1
	P         float64 // distances are P-norms; 0 means 2
	Eps       float64 // added to each difference; 0 means 1e-6
	Swap      bool    // take the distance from the positive example to the negative one if that is smaller
	Reduction Reduction
}

// TripletMargin is the mean triplet loss with Margin 1. Shapes: [d... size], [d... size], [d... size] -> [].
func TripletMargin(anchor, positive, negative *tarn.Value) *tarn.Value {
	return TripletMarginLoss{}.Loss(anchor, positive, negative)
}

// Loss is max(0, |a-p| - |a-n| + Margin). Shapes: [d... size], [d... size], [d... size] -> [], or [d...] with None.
func (l TripletMarginLoss) Loss(anchor, positive, negative *tarn.Value) *tarn.Value {
	const name = "TripletMargin"
	in := []*tarn.Value{anchor, positive, negative}
	g := anchor.Graph()
	for _, v := range in[1:] {
		if bad := alike(name, anchor, v); bad != nil {
			return bad
		}
	}
	p, margin, eps := l.P, orOne(l.Margin), l.Eps
	if p == 0 {
		p = 2
	}
	if eps == 0 {
		eps = 1e-6
	}
	switch {
	case anchor.Rank() == 0:
		return g.Fail(name, in, "the operands are scalars; their last axis should be the elements of a vector")
	case !(margin > 0) || math.IsInf(margin, 1):
		return g.Fail(name, in, "Margin is %v and should be finite and positive", l.Margin)
	case !(p > 0):
		return g.Fail(name, in, "P is %v and should be positive", l.P)
	case !(eps > 0) || math.IsInf(eps, 1):
		return g.Fail(name, in, "Eps is %v and should be finite and positive", l.Eps)
	}
	distance := func(a, b *tarn.Value) *tarn.Value { return a.Sub(b).AddNum(eps).Norm(p, -1) }
	near, far := distance(anchor, positive), distance(anchor, negative)
	if l.Swap {
		far = far.Minimum(distance(positive, negative))
	}
	return l.Reduction.of(near.Sub(far).AddNum(margin).ReLU())
}

// CosineEmbeddingLoss asks vectors that belong together to have the same direction, and others to have an angle between them. Equal to
// torch.nn.CosineEmbeddingLoss.
type CosineEmbeddingLoss struct {
	Margin    float64 // the cosine up to which vectors that do not belong together are far enough apart
	Reduction Reduction
}

// CosineEmbedding is the mean loss with Margin 0; a target is 1 if two vectors belong together, and -1 if not.
//
// Shapes: [d... size], [d... size], [d...] -> [].
func CosineEmbedding(first, second, target *tarn.Value) *tarn.Value {
	return CosineEmbeddingLoss{}.Loss(first, second, target)
}

// Loss is 1 - cos for the target 1 and max(0, cos - Margin) for -1; other targets have the loss 0. As in PyTorch 1e-12 is added to the
// squared lengths.
//
// Shapes: [d... size], [d... size], [d...] -> [], or [d...] with None.
func (l CosineEmbeddingLoss) Loss(first, second, target *tarn.Value) *tarn.Value {
	const name = "CosineEmbedding"
	if bad := labeled(name, first, second, target, 1); bad != nil {
		return bad
	}
	if !(l.Margin >= -1 && l.Margin <= 1) {
		return first.Graph().Fail(name, []*tarn.Value{first, second, target}, "Margin is %v and should be from -1 to 1", l.Margin)
	}
	length := func(v *tarn.Value) *tarn.Value { return v.Square().Sum(-1).AddNum(1e-12).Sqrt() }
	cos := first.Mul(second).Sum(-1).Div(length(first).Mul(length(second)))
	same := keepIf(target.Eq(tarn.Num(1)), cos.Neg().AddNum(1))
	other := keepIf(target.Eq(tarn.Num(-1)), cos.AddNum(-l.Margin).ReLU())
	return l.Reduction.of(same.Add(other))
}

// MarginRankingLoss asks the first of two scores to be above the second by a margin, or below it. Equal to torch.nn.MarginRankingLoss.
type MarginRankingLoss struct {
	Margin    float64
	Reduction Reduction
}

// MarginRanking is the mean ranking loss with Margin 0; a target is 1 if the first score should be the higher one, and -1 if the second.
//
// Shapes: [d...], [d...], [d...] -> [].
func MarginRanking(first, second, target *tarn.Value) *tarn.Value {
	return MarginRankingLoss{}.Loss(first, second, target)
}

// Loss is max(0, Margin - y (x1 - x2)). Shapes: [d...], [d...], [d...] -> [], or [d...] with None.
func (l MarginRankingLoss) Loss(first, second, target *tarn.Value) *tarn.Value {
	const name = "MarginRanking"
	if bad := labeled(name, first, second, target, 0); bad != nil {
		return bad
	}
	if bad := badMargin(name, first, l.Margin); bad != nil {
		return bad
	}
	return l.Reduction.of(first.Sub(second).Mul(target).Neg().AddNum(l.Margin).ReLU())
}

// badMargin reports a margin that is not finite as a poisoned value; nil otherwise.
func badMargin(loss string, x *tarn.Value, margin float64) *tarn.Value {
	if finite(margin) {
		return nil
	}
	return x.Graph().Fail(loss, []*tarn.Value{x}, "Margin is %v and should be finite", margin)
}

// HingeEmbeddingLoss asks a distance to be small for what belongs together and above a margin for what does not. Equal to
// torch.nn.HingeEmbeddingLoss.
type HingeEmbeddingLoss struct {
	Margin    float64 // 0 means 1
	Reduction Reduction
}

// HingeEmbedding is the mean loss with Margin 1; a target is 1 if a distance should be small, and -1 if not. Shapes: [d...], [d...] -> [].
func HingeEmbedding(distance, target *tarn.Value) *tarn.Value {
	return HingeEmbeddingLoss{}.Loss(distance, target)
}

// Loss is x for the target 1 and max(0, Margin - x) for -1. For any other target it is the sum of both, as in PyTorch.
//
// Shapes: [d...], [d...] -> [], or [d...] with None.
func (l HingeEmbeddingLoss) Loss(distance, target *tarn.Value) *tarn.Value {
	const name = "HingeEmbedding"
	if bad := alike(name, distance, target); bad != nil {
		return bad
	}
	if bad := badMargin(name, distance, l.Margin); bad != nil {
		return bad
	}
	far := keepIf(target.Ne(tarn.Num(1)), distance.Neg().AddNum(orOne(l.Margin)).ReLU())
	near := keepIf(target.Ne(tarn.Num(-1)), distance)
	return l.Reduction.of(far.Add(near))
}

// InfoNCELoss asks row i of one set of vectors to be more like row i of another than like its other rows: the cross-entropy of the cosines
// of all pairs, divided by Temperature. With Symmetric it is the loss of CLIP.
// Van den Oord, Li and Vinyals, Representation learning with contrastive predictive coding, 2018; Radford et al., Learning transferable visual
// models from natural language supervision, 2021.
type InfoNCELoss struct {
	Temperature float64 // 0 means 0.07
	Symmetric   bool    // the mean of this and of the loss with the two sets exchanged
	Reduction   Reduction
}

// InfoNCE is the mean loss with the temperature 0.07. Shapes: [n size], [n size] -> [].
func InfoNCE(queries, keys *tarn.Value) *tarn.Value { return InfoNCELoss{}.Loss(queries, keys) }

// Loss is the cross-entropy of row i of q kᵀ/Temperature against class i, for rows divided by their lengths, or by 1e-12 if they are shorter.
//
// Shapes: [n size], [n size] -> [], or [n] with None.
func (l InfoNCELoss) Loss(queries, keys *tarn.Value) *tarn.Value {
	temperature, bad := contrast("InfoNCE", queries, keys, l.Temperature, 0.07)
	if bad != nil {
		return bad
	}
	scores := directions(queries).MatMulT(directions(keys)).Scale(1 / temperature)
	labels := scores.Graph().Iota(tarn.I32, 0, scores.Dim(0))
	loss := CrossEntropyLoss{Ignore: []int{}, Reduction: None}
	rows := loss.Loss(scores, labels)
	if l.Symmetric {
		rows = rows.Add(loss.Loss(scores.T(), labels)).Scale(0.5)
	}
	return l.Reduction.of(rows)
}

// NTXentLoss is the normalized, temperature-scaled cross-entropy of SimCLR: of two views of each example, each view should be more like the
// other than like the views of all other examples.
// Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020.
type NTXentLoss struct {
	Temperature float64 // 0 means 0.5
	Reduction   Reduction
}

// NTXent is the mean loss with the temperature 0.5. Shapes: [n size], [n size] -> [].
func NTXent(first, second *tarn.Value) *tarn.Value { return NTXentLoss{}.Loss(first, second) }

// Loss is, for each of the 2n views, the cross-entropy of its cosines with all others, divided by Temperature, against its partner.
//
// Shapes: [n size], [n size] -> [], or [2*n] with None.
func (l NTXentLoss) Loss(first, second *tarn.Value) *tarn.Value {
	temperature, bad := contrast("NTXent", first, second, l.Temperature, 0.5)
	if bad != nil {
		return bad
	}
	g, n := first.Graph(), first.Dim(0)
	views := directions(tarn.Concat(0, first, second))
	scores := views.MatMulT(views).Scale(1 / temperature)
	self := g.Eye(tarn.I32, 2*n).Ne(tarn.Num(0))
	labels := g.Iota(tarn.I32, 0, 2*n)
	partner := labels.Lt(tarn.Num(n)).Where(labels.AddNum(float64(n)), labels.AddNum(float64(-n)))
	return CrossEntropyLoss{Ignore: []int{}, Reduction: l.Reduction}.Loss(self.Where(tarn.Num(math.Inf(-1)), scores), partner)
}

// contrast checks the operands of a contrastive loss and returns its temperature. If something is wrong it returns a poisoned value.
func contrast(loss string, a, b *tarn.Value, temperature, usual float64) (float64, *tarn.Value) {
	if bad := alike(loss, a, b); bad != nil {
		return 0, bad
	}
	if temperature == 0 {
		temperature = usual
	}
	g, in := a.Graph(), []*tarn.Value{a, b}
	switch {
	case a.Rank() != 2 || a.Dim(0) < 1:
		return 0, g.Fail(loss, in, "the operands have shape %s and should be [n size], with at least one row", shapeString(a.Shape()))
	case !(temperature > 0) || math.IsInf(temperature, 1):
		return 0, g.Fail(loss, in, "Temperature is %v and should be finite and positive", temperature)
	}
	return temperature, nil
}

// directions divides each row by its length.
func directions(v *tarn.Value) *tarn.Value {
	return v.Div(v.Norm(2, -1).Maximum(tarn.Num(1e-12)).Unsqueeze(-1))
}
