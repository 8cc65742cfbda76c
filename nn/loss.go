package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds what losses share: how the losses of many elements become one, and the checks of their operands.

// Reduction says how a loss puts together the losses of its elements. The zero value is Mean.
type Reduction int

const (
	Mean      Reduction = iota // their mean; a weighted one where the loss says so
	Sum                        // their sum
	None                       // no reduction: the result has a loss for each element
	BatchMean                  // their sum divided by the size of the first axis
)

// of reduces v, whose first axis counts the examples.
func (r Reduction) of(v *tarn.Value) *tarn.Value {
	switch r {
	case Sum:
		return v.Sum()
	case None:
		return v
	case BatchMean:
		return v.Sum().Div(tarn.Num(v.Dim(0)))
	}
	return v.Mean()
}

// alike reports a mistake and returns a poisoned value if prediction and target differ in shape or dtype or are not
// floats; otherwise it returns nil. Losses do not broadcast: [n 1] against [n] is nearly always a mistake.
func alike(loss string, prediction, target *tarn.Value) *tarn.Value {
	in := []*tarn.Value{prediction, target}
	g := prediction.Graph()
	switch {
	case target == nil:
		return g.Fail(loss, in, "the target is nil")
	case !slices.Equal(prediction.Shape(), target.Shape()):
		return g.Fail(loss, in, "the prediction has shape %s and the target %s: they should be equal", shapeString(prediction.Shape()), shapeString(target.Shape()))
	case prediction.DType() != target.DType():
		return g.Fail(loss, in, "the prediction is %v and the target %v: Cast one of them", prediction.DType(), target.DType())
	case !prediction.DType().IsFloat():
		return g.Fail(loss, in, "the operands are %v and should be f32 or f64: Cast them", prediction.DType())
	}
	return nil
}

// weights is a list of numbers as a value of v's graph and dtype: [len(w)], or a scalar if there is one number.
func weights(v *tarn.Value, w []float64) *tarn.Value {
	if len(w) == 1 {
		return v.Num(w[0])
	}
	return v.Graph().Const(tarn.Vector(w).Cast(v.DType()))
}
