package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds CTC, the loss of a sequence of labels whose places in a longer sequence of scores are not known.

// CTC is the connectionist temporal classification loss with its defaults; see CTCLoss.
//
// Shapes: [t n classes], [n s] of i32 or i64, [n], [n] -> [].
func CTC(logProbs, targets, inputLengths, targetLengths *tarn.Value) *tarn.Value {
	return CTCLoss{}.Loss(logProbs, targets, inputLengths, targetLengths)
}

// CTCLoss is the negative logarithm of the probability that the scores give to a sequence of labels: the sum over all ways to write
// each label once or several times in a row, with optional blanks between them and a required blank between two equal labels. Its mean, unlike
// that of other losses, divides each loss by the length of its labels first. Where no such way fits in the input the loss is
// +Inf. Equal to torch.nn.CTCLoss; the gradient is taken with respect to the given logarithms. PyTorch's is right only
// through the log-softmax that computes them. Where the loss is +Inf the gradient is zero.
// Graves et al., Connectionist temporal classification, ICML 2006.
type CTCLoss struct {
	Blank        int  // the class that stands for no label
	ZeroInfinity bool // what does not fit has the loss 0
	Reduction    Reduction
}

// never is the logarithm of a probability that counts as zero. It is finite, so that differences of two of them are.
const never = -1e30

// Loss takes the logarithms of the probabilities of each class in each step, the labels padded to one length by anything, and how
// many steps and labels count. A length that is negative, or larger than what there is, is an error of Run. Steps and labels beyond the lengths may
// hold anything, NaN included, and get the gradient 0.
//
// Shapes: [t n classes], [n s] of i32 or i64, [n], [n] -> [], or [n] without reduction.
func (c CTCLoss) Loss(logProbs, targets, inputLengths, targetLengths *tarn.Value) *tarn.Value {
	if bad := c.check(logProbs, targets, inputLengths, targetLengths); bad != nil {
		return bad
	}
	g := logProbs.Graph()
	steps, n, labels := logProbs.Dim(0), logProbs.Dim(1), targets.Dim(1)
	inputLengths = inputLengths.Within("CTC: the input length of example", 0, steps)
	targetLengths = targetLengths.Within("CTC: the number of labels of example", 0, labels)
	places := 2*labels + 1
	index := targets.DType()
	blanks := func(shape ...int) *tarn.Value { return g.Num(index, float64(c.Blank)).Expand(shape...) }

	// The labels with blanks around: [n places]. Padding may be no class at all.
	known := g.Iota(index, 1, n, labels).Lt(targetLengths.Cast(index).Unsqueeze(1))
	between := tarn.Stack(2, known.Where(targets, blanks(n, labels)), blanks(n, labels)).Reshape(n, 2*labels)
	path := tarn.Concat(1, blanks(n, 1), between)
	inside := g.Iota(tarn.I64, 0, steps, n).Lt(inputLengths.Cast(tarn.I64)).Unsqueeze(-1) // [t n 1]
	logProbs = inside.Where(logProbs, tarn.Num(0))                                        // what is behind the end may be NaN
	emitted := logProbs.Gather(2, path.Unsqueeze(0).Expand(steps, n, places))             // [t n places]

	no := g.Num(logProbs.DType(), never)
	later := func(v *tarn.Value, by int) *tarn.Value {
		return tarn.Concat(1, no.Expand(n, by), v.Slice(1, 0, places-by))
	}
	var skips *tarn.Value // where the blank before may be left out
	if places > 2 {
		before := tarn.Concat(1, blanks(n, 2), path.Slice(1, 0, places-2))
		skips = path.Ne(before).And(path.Ne(tarn.Num(c.Blank)))
	}
	// Before the first step all is at the first blank, from which one can also stay or go on: so the first step is as any other.
	begin := g.Iota(tarn.I64, 1, n, places).Eq(tarn.Num(0)).Where(g.Num(logProbs.DType(), 0), no)
	last, _ := tarn.Scan([]*tarn.Value{begin}, []*tarn.Value{emitted, inside}, tarn.ScanOptions{}, func(carries, xs []*tarn.Value) (next, ys []*tarn.Value) {
		alpha := carries[0]
		ways := []*tarn.Value{alpha}
		if places > 2 {
			ways = append(ways, later(alpha, 1), choose(skips, later(alpha, 2), no.Expand(n, places)))
		}
		return []*tarn.Value{choose(xs[1], logSum(ways...).Add(xs[0]), alpha)}, nil
	})

	// The ways end at the last label or at the blank behind it.
	place := g.Iota(tarn.I64, 1, n, places)
	end := targetLengths.Cast(tarn.I64).Unsqueeze(1).Scale(2)
	atEnd := func(o *tarn.Value) *tarn.Value {
		return choose(place.Eq(o), last[0], no.Expand(n, places)).Max(1)
	}
	loss := logSum(atEnd(end), atEnd(end.Sub(tarn.Num(1)))).Neg()
	impossible := loss.Gt(tarn.Num(-never / 10))
	instead := loss.Num(0)
	if !c.ZeroInfinity {
		instead = loss.Num(math.Inf(1))
	}
	loss = impossible.Where(instead, loss)
	if c.Reduction == Mean {
		loss = loss.Div(targetLengths.Cast(loss.DType()).Maximum(tarn.Num(1)))
	}
	return c.Reduction.of(loss)
}

// logSum is the logarithm of the sum of the exponentials. The largest is taken out as a constant: it cancels, in derivatives too.
func logSum(vs ...*tarn.Value) *tarn.Value {
	top := vs[0]
	for _, v := range vs[1:] {
		top = top.Maximum(v)
	}
	top = top.StopGradient()
	sum := vs[0].Sub(top).Exp()
	for _, v := range vs[1:] {
		sum = sum.Add(v.Sub(top).Exp())
	}
	return sum.Log().Add(top)
}

func (c CTCLoss) check(logProbs, targets, inputLengths, targetLengths *tarn.Value) *tarn.Value {
	in := []*tarn.Value{logProbs, targets, inputLengths, targetLengths}
	for _, v := range in {
		if v == nil {
			return logProbs.Graph().Fail("CTC", in, "an operand is nil")
		}
	}
	g, n := logProbs.Graph(), logProbs.Dim(1)
	whole := func(v *tarn.Value) bool { return v.DType() == tarn.I32 || v.DType() == tarn.I64 }
	lengths := func(v *tarn.Value) bool { return whole(v) && v.Rank() == 1 && v.Dim(0) == n }
	switch {
	case logProbs.Rank() != 3 || !logProbs.DType().IsFloat():
		return g.Fail("CTC", in, "the logarithms are %v%s and should be f32 or f64 [t n classes]", logProbs.DType(), shapeString(logProbs.Shape()))
	case targets.Rank() != 2 || targets.Dim(0) != n || !whole(targets):
		return g.Fail("CTC", in, "the labels are %v%s and should be i32 or i64 [%d s]", targets.DType(), shapeString(targets.Shape()), n)
	case !lengths(inputLengths) || !lengths(targetLengths):
		return g.Fail("CTC", in, "the lengths are %s and %s and should be i32 or i64 [%d]", shapeString(inputLengths.Shape()), shapeString(targetLengths.Shape()), n)
	case c.Blank < 0 || c.Blank >= logProbs.Dim(2):
		return g.Fail("CTC", in, "the blank is class %d of %d", c.Blank, logProbs.Dim(2))
	}
	return nil
}
