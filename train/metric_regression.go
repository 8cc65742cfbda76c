package train

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the metrics of regression.

// MAE is the mean absolute error over all elements. Equals sklearn.metrics.mean_absolute_error.
//
// Shapes of Add: two with the same number of elements.
type MAE struct {
	sum float64
	n   int
}

// Name is "mae".
func (m *MAE) Name() string { return "mae" }

// Add counts the examples of a batch.
func (m *MAE) Add(prediction, target *tarn.Tensor) error {
	return eachNumber(m.Name(), prediction, target, func(i int, p, t float64) {
		m.sum += math.Abs(p - t)
		m.n++
	})
}

// Value is the mean absolute error.
func (m *MAE) Value() float64 { return m.sum / float64(m.n) }

// Reset forgets all examples.
func (m *MAE) Reset() { *m = MAE{} }

// RMSE is the root of the mean squared error over all elements. Equals sklearn.metrics.root_mean_squared_error for
// targets of one number.
//
// Shapes of Add: two with the same number of elements.
type RMSE struct {
	sum float64
	n   int
}

// Name is "rmse".
func (m *RMSE) Name() string { return "rmse" }

// Add counts the examples of a batch.
func (m *RMSE) Add(prediction, target *tarn.Tensor) error {
	return eachNumber(m.Name(), prediction, target, func(i int, p, t float64) {
		m.sum += (p - t) * (p - t)
		m.n++
	})
}

// Value is the root of the mean squared error.
func (m *RMSE) Value() float64 { return math.Sqrt(m.sum / float64(m.n)) }

// Reset forgets all examples.
func (m *RMSE) Reset() { *m = RMSE{} }

// R2 is the coefficient of determination, 1 - sum (t-p)^2 / sum (t - mean t)^2: 1 for perfect predictions, 0 for those
// no better than the mean. For targets of several numbers it is the mean over these. Where the targets are all equal it
// is 1 if the predictions are right and 0 otherwise; for fewer than two examples it is NaN. Equals
// sklearn.metrics.r2_score.
//
// Shapes of Add: [n any...] and one with the same number of elements.
type R2 struct {
	columns []r2Column
}

// r2Column holds the sums of one number of the targets. The mean and the sum of squares around it are updated together,
// which keeps their digits: Welford, Note on a method for calculating corrected sums of squares and products, 1962.
type r2Column struct {
	n                     int
	mean, squares, errors float64
}

// Name is "r2".
func (m *R2) Name() string { return "r2" }

// Add counts the examples of a batch.
func (m *R2) Add(prediction, target *tarn.Tensor) error {
	width := 1
	if shape := target.Shape(); len(shape) > 0 {
		for _, d := range shape[1:] {
			width *= d
		}
	}
	if m.columns == nil {
		m.columns = make([]r2Column, width)
	}
	if width != len(m.columns) {
		return fmt.Errorf("train: r2: targets of %d numbers after targets of %d", width, len(m.columns))
	}
	return eachNumber(m.Name(), prediction, target, func(i int, p, t float64) {
		c := &m.columns[i%width]
		c.n++
		delta := t - c.mean
		c.mean += delta / float64(c.n)
		c.squares += delta * (t - c.mean)
		c.errors += (p - t) * (p - t)
	})
}

// Value is the coefficient of determination.
func (m *R2) Value() float64 {
	sum := 0.0
	for _, c := range m.columns {
		switch {
		case c.n < 2:
			return math.NaN()
		case c.squares == 0 && c.errors == 0:
			sum++
		case c.squares == 0:
		default:
			sum += 1 - c.errors/c.squares
		}
	}
	return sum / float64(len(m.columns))
}

// Reset forgets all examples.
func (m *R2) Reset() { *m = R2{} }

// eachNumber calls f with each prediction and its target.
func eachNumber(name string, prediction, target *tarn.Tensor, f func(i int, p, t float64)) error {
	if prediction.Size() != target.Size() {
		return fmt.Errorf("train: %s: the prediction has shape %v and the target %v, want the same number of elements", name, prediction.Shape(), target.Shape())
	}
	for i := range target.Size() {
		f(i, prediction.Float(i), target.Float(i))
	}
	return nil
}
