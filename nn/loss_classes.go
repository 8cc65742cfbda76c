package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds what losses with a class for each row share: checks, ignored labels, class weights and their mean. The
// classes lie on the last axis, as they come out of a linear layer; PyTorch has them on axis 1, which is the same for
// [examples classes]. A row is all other axes.

// classes is a target of one class a row, in a form that is safe to look up by.
type classes struct {
	index *tarn.Value // the labels, with 0 in place of those ignored
	keep  *tarn.Value // false where a label is ignored, or nil where none can be
	count *tarn.Value // the weight of each row, or nil for 1 each
}

// newClasses checks scores [d... classes], an integer target [d...], and weights of classes. Where something is wrong it
// reports it and returns a poisoned value.
func newClasses(loss string, scores, target *tarn.Value, weight []float64, ignore []int) (c classes, bad *tarn.Value) {
	if bad := checkScores(loss, scores, target, weight); bad != nil {
		return c, bad
	}
	g, in := scores.Graph(), []*tarn.Value{scores, target}
	rows := scores.Shape()[:scores.Rank()-1]
	if d := target.DType(); d != tarn.I32 && d != tarn.I64 {
		return c, g.Fail(loss, in, "the target is %v and should be i32 or i64", d)
	}
	if !slices.Equal(target.Shape(), rows) {
		return c, g.Fail(loss, in, "the scores have shape %s and the target %s: the target should have shape %s, a class for each row",
			shapeString(scores.Shape()), shapeString(target.Shape()), shapeString(rows))
	}
	if ignore == nil {
		ignore = []int{-100}
	}
	c.index = target
	for _, label := range ignore {
		if other := target.Ne(tarn.Num(label)); c.keep == nil {
			c.keep = other
		} else {
			c.keep = c.keep.And(other)
		}
	}
	if c.keep != nil {
		c.index = c.keep.Where(target, tarn.Num(0))
	}
	if len(weight) > 0 {
		c.count = g.Const(tarn.Vector(weight).Cast(scores.DType())).Take(0, c.index)
	}
	return c, nil
}

// checkScores reports what is wrong with scores and weights whatever the target is.
func checkScores(loss string, scores, target *tarn.Value, weight []float64) *tarn.Value {
	g, in := scores.Graph(), []*tarn.Value{scores, target}
	switch {
	case target == nil:
		return g.Fail(loss, in, "the target is nil")
	case !scores.DType().IsFloat():
		return g.Fail(loss, in, "the scores are %v and should be f32 or f64: Cast them", scores.DType())
	case scores.Rank() == 0:
		return g.Fail(loss, in, "the scores are a scalar; their last axis should be the classes")
	case scores.Dim(-1) == 0:
		return g.Fail(loss, in, "the scores have shape %s, with no classes", shapeString(scores.Shape()))
	case len(weight) > 0 && len(weight) != scores.Dim(-1):
		return g.Fail(loss, in, "there are %d class weights and %d classes", len(weight), scores.Dim(-1))
	}
	return nil
}

// pick is the score of each row's class.
func (c classes) pick(scores *tarn.Value) *tarn.Value {
	return scores.Gather(-1, c.index.Unsqueeze(-1)).Reshape(c.index.Shape()...)
}

// hit is true at each row's class.
func (c classes) hit(scores *tarn.Value) *tarn.Value {
	return scores.Graph().Iota(c.index.DType(), -1, scores.Shape()...).Eq(c.index.Unsqueeze(-1))
}

// weigh multiplies the loss of each row by its weight.
func (c classes) weigh(rows *tarn.Value) *tarn.Value {
	if c.count == nil {
		return rows
	}
	return rows.Mul(c.count)
}

// reduce puts together losses that have been weighed. Their mean is divided by the weights of the rows that count, as in PyTorch. If no row
// counts it is 0, where PyTorch has NaN, so that a batch without labels changes no weight.
func (c classes) reduce(r Reduction, rows *tarn.Value) *tarn.Value {
	if c.keep == nil && c.count == nil {
		return r.of(rows)
	}
	if c.keep != nil {
		rows = keepIf(c.keep, rows)
	}
	if r != Mean {
		return r.of(rows)
	}
	count := c.count
	switch {
	case count == nil:
		count = c.keep.Cast(rows.DType())
	case c.keep != nil:
		count = c.keep.Where(count, tarn.Num(0))
	}
	total := count.Sum()
	if c.count == nil {
		return rows.Sum().Div(total.Maximum(tarn.Num(1))).WithCount(total)
	}
	return rows.Sum().Div(total.Eq(tarn.Num(0)).Where(tarn.Num(1), total)).WithCount(total)
}
