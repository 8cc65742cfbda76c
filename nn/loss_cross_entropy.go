package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the softmax cross-entropy and the negative log-likelihood.

// CrossEntropyLoss is the cross-entropy of softmax(logits) against the target: a class for each row or a distribution over
// the classes. Equal to torch.nn.CrossEntropyLoss, but for the place of the classes: they are the last axis.
type CrossEntropyLoss struct {
	Weight         []float64 // of each class; nil means 1 each
	LabelSmoothing float64   // the part of each target that is spread over all classes: Szegedy et al., 2016
	Ignore         []int     // labels of rows that do not count; nil means -100, as in PyTorch, and []int{} none
	Reduction      Reduction
}

// CrossEntropy is the mean cross-entropy of softmax(logits): see CrossEntropyLoss.
//
// Shapes: [d... classes] and [d...] of i32 or i64, or [d... classes] of probabilities -> [].
func CrossEntropy(logits, target *tarn.Value) *tarn.Value {
	return CrossEntropyLoss{}.Loss(logits, target)
}

// Loss is, for a class y a row, Weight[y] (logsumexp(x) - x[y]), and for a distribution t the sum over the classes of
// Weight t (logsumexp(x) - x). Smoothing by s replaces t by (1-s) t + s/classes. For classes the mean is divided by the sum
// of the rows' weights, ignored rows left out, for distributions by the number of rows. If all rows are ignored the mean
// is 0, with the gradient 0, where PyTorch has NaN. Ignored rows get the gradient 0 whatever their logits are, NaN included. A class with the logit
// -Inf is left out: it adds nothing if its target is 0. A label that is neither a class nor ignored is an error of Run.
//
// Shapes: [d... classes] and [d...] of i32 or i64, or [d... classes] of probabilities -> [], or [d...] with None.
func (l CrossEntropyLoss) Loss(logits, target *tarn.Value) *tarn.Value {
	const name = "CrossEntropy"
	if s := l.LabelSmoothing; !(s >= 0 && s <= 1) {
		return logits.Graph().Fail(name, []*tarn.Value{logits, target}, "LabelSmoothing is %v and should be from 0 to 1", s)
	}
	if target != nil && target.DType().IsFloat() {
		return l.dense(name, logits, target)
	}
	c, bad := newClasses(name, logits, target, l.Weight, l.Ignore)
	if bad != nil {
		return bad
	}
	if l.LabelSmoothing > 0 && c.keep != nil { // all logits of a row take part
		logits = keepIf(c.keep.Unsqueeze(-1), logits)
	}
	e, sum, lse := exponentials(logits)
	rows := c.weigh(crossEntropy(logits, e, sum, lse, c))
	if s := l.LabelSmoothing; s > 0 {
		spread := l.sum(lse.Unsqueeze(-1).Sub(logits))
		rows = rows.Scale(1 - s).Add(spread.Scale(s / float64(logits.Dim(-1))))
	}
	return c.reduce(l.Reduction, rows)
}

// exponentials returns e^(x-m), where m is the maximum of each row, their sum and log(sum e^x), so that one exponential an
// element serves the loss and its gradient. m cancels from every result and is taken as a constant.
func exponentials(x *tarn.Value) (e, sum, lse *tarn.Value) {
	m := x.Max(-1).StopGradient()
	e = x.Sub(m.Unsqueeze(-1)).Exp()
	sum = e.Sum(-1)
	return e, sum, sum.Log().Add(m)
}

// crossEntropy is log(sum e^x) - x[class] for each row. Its derivative is softmax(x) - onehot(class), which the rule says
// in four ops that make one loop with the loss itself; the derivative op by op would write a table of zeros with one
// number a row and add the softmax to it.
func crossEntropy(x, e, sum, lse *tarn.Value, c classes) *tarn.Value {
	rows := lse.Sub(c.pick(x))
	return tarn.WithGradient(rows, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		e, share := e, dy.Div(sum)
		if c.keep != nil { // x may be NaN in the other rows
			e, share = c.keep.Unsqueeze(-1).Where(e, tarn.Num(0)), c.keep.Where(share, tarn.Num(0))
		}
		spread := e.Mul(share.Unsqueeze(-1)) // dy softmax(x)
		return []*tarn.Value{spread.Sub(c.hit(x).Where(dy.Unsqueeze(-1), tarn.Num(0)))}
	})
}

// dense is the loss against a distribution for each row.
func (l CrossEntropyLoss) dense(name string, logits, target *tarn.Value) *tarn.Value {
	if bad := checkScores(name, logits, target, l.Weight); bad != nil {
		return bad
	}
	g, in := logits.Graph(), []*tarn.Value{logits, target}
	if !slices.Equal(logits.Shape(), target.Shape()) {
		return g.Fail(name, in, "the logits have shape %s and the target %s: probabilities should have the shape of the logits, classes be i32 or i64",
			shapeString(logits.Shape()), shapeString(target.Shape()))
	}
	if logits.DType() != target.DType() {
		return g.Fail(name, in, "the logits are %v and the target %v: Cast one of them", logits.DType(), target.DType())
	}
	if s := l.LabelSmoothing; s > 0 {
		target = target.Scale(1 - s).AddNum(s / float64(logits.Dim(-1)))
	}
	_, _, lse := exponentials(logits)
	return l.Reduction.of(l.sum(times(target, lse.Unsqueeze(-1).Sub(logits))))
}

// sum adds v over the classes, weighted.
func (l CrossEntropyLoss) sum(v *tarn.Value) *tarn.Value {
	if len(l.Weight) > 0 {
		v = v.Mul(v.Graph().Const(tarn.Vector(l.Weight).Cast(v.DType())))
	}
	return v.Sum(-1)
}

// NLLLoss is the negative log-likelihood of log-probabilities. Equal to torch.nn.NLLLoss, but for the place of the
// classes: they are the last axis. NLL of LogSoftmax is CrossEntropy, which takes fewer operations.
type NLLLoss struct {
	Weight    []float64 // of each class; nil means 1 each
	Ignore    []int     // labels of rows that do not count; nil means -100, as in PyTorch, and []int{} none
	Reduction Reduction
}

// NLL is the mean negative log-likelihood. Shapes: [d... classes] and [d...] of i32 or i64 -> [].
func NLL(logProbability, target *tarn.Value) *tarn.Value {
	return NLLLoss{}.Loss(logProbability, target)
}

// Loss is -Weight[y] x[y] for the class y of each row. The mean, ignored rows and labels out of range are as for
// CrossEntropyLoss. Shapes: [d... classes] and [d...] of i32 or i64 -> [], or [d...] with None.
func (l NLLLoss) Loss(logProbability, target *tarn.Value) *tarn.Value {
	c, bad := newClasses("NLL", logProbability, target, l.Weight, l.Ignore)
	if bad != nil {
		return bad
	}
	return c.reduce(l.Reduction, c.weigh(c.pick(logProbability).Neg()))
}
