package train

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the metrics: plain sums in float64 over predictions, so that each example counts once, whatever the
// batches were.

// Metric measures predictions against targets, batch by batch.
type Metric interface {
	// Name is the metric's name in logs, as in "accuracy".
	Name() string
	// Add counts the examples of a batch.
	Add(prediction, target *tarn.Tensor) error
	// Value is the measure over all examples added, NaN where there were none.
	Value() float64
	// Reset forgets all examples.
	Reset()
}

// Accuracy is the share of examples whose class of the highest score is the target. Among equal scores the first class
// counts, and an example with a NaN among its scores counts as wrong. Where there is one score, as for BCE with logits,
// the class is 1 where it is above 0. Equals sklearn.metrics.accuracy_score.
//
// Examples with the label -100 do not count, as in nn.CrossEntropy.
//
// Shapes of Add: prediction [any... classes] or [any... 1], target [any...], the classes as integers.
type Accuracy struct{ right, n int }

// Name is "accuracy".
func (m *Accuracy) Name() string { return "accuracy" }

// Add counts the examples of a batch.
func (m *Accuracy) Add(prediction, target *tarn.Tensor) error {
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		m.n++
		if predicted(scores) == class {
			m.right++
		}
	})
}

// Value is the share of right answers.
func (m *Accuracy) Value() float64 { return float64(m.right) / float64(m.n) }

// Reset forgets all examples.
func (m *Accuracy) Reset() { *m = Accuracy{} }

// TopK is the share of examples whose target is among the K classes of the highest scores; among equal scores the first
// class comes first. With K = 1 it is Accuracy. Equals sklearn.metrics.top_k_accuracy_score where no scores are equal.
//
// Shapes of Add: as for Accuracy.
type TopK struct {
	K        int
	right, n int
}

// Name is "top_5" for K = 5.
func (m *TopK) Name() string { return fmt.Sprintf("top_%d", m.K) }

// Add counts the examples of a batch.
func (m *TopK) Add(prediction, target *tarn.Tensor) error {
	if m.K < 1 {
		return fmt.Errorf("train: TopK with K = %d, want at least 1", m.K)
	}
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		m.n++
		before := 0
		for i, s := range scores {
			if math.IsNaN(s) {
				return
			}
			if s > scores[class] || s == scores[class] && i < class {
				before++
			}
		}
		if before < m.K {
			m.right++
		}
	})
}

// Value is the share of right answers.
func (m *TopK) Value() float64 { return float64(m.right) / float64(m.n) }

// Reset forgets all examples.
func (m *TopK) Reset() { *m = TopK{K: m.K} }

// ConfusionMatrix counts the pairs of target and predicted class. Its Value is the accuracy. Equals
// sklearn.metrics.confusion_matrix.
//
// Shapes of Add: as for Accuracy.
type ConfusionMatrix struct {
	// Counts[t][p] is the number of examples of class t that were taken for class p.
	Counts [][]int
	// Lost is the number of examples with a NaN among their scores, which are in no other count.
	Lost int
}

// Name is "confusion".
func (m *ConfusionMatrix) Name() string { return "confusion" }

// Add counts the examples of a batch.
func (m *ConfusionMatrix) Add(prediction, target *tarn.Tensor) error {
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		for len(m.Counts) < max(2, len(scores)) {
			m.Counts = append(m.Counts, nil)
		}
		for i := range m.Counts {
			for len(m.Counts[i]) < len(m.Counts) {
				m.Counts[i] = append(m.Counts[i], 0)
			}
		}
		if p := predicted(scores); p >= 0 {
			m.Counts[class][p]++
		} else {
			m.Lost++
		}
	})
}

// Value is the share of examples on the diagonal.
func (m *ConfusionMatrix) Value() float64 {
	right, n := 0, m.Lost
	for t, row := range m.Counts {
		right += row[t]
		for _, c := range row {
			n += c
		}
	}
	return float64(right) / float64(n)
}

// Reset forgets all examples.
func (m *ConfusionMatrix) Reset() { *m = ConfusionMatrix{} }

// predicted is the class that the scores speak for, -1 where one of them is NaN.
func predicted(scores []float64) int {
	best := 0
	for i, s := range scores {
		if math.IsNaN(s) {
			return -1
		}
		if s > scores[best] {
			best = i
		}
	}
	if len(scores) == 1 && scores[0] > 0 {
		return 1
	}
	return best
}

// ignored is the label of examples that do not count, as in nn.CrossEntropy.
const ignored = -100

// eachClass calls f with the scores and the class of each example that counts.
func eachClass(name string, prediction, target *tarn.Tensor, f func(scores []float64, class int)) error {
	shape := prediction.Shape()
	if target.DType() == tarn.Bool || target.DType().IsFloat() && target.Size() > 0 && target.Size() == prediction.Size() {
		return fmt.Errorf("train: %s: the target is %v%v, want classes as i32 or i64", name, target.DType(), target.Shape())
	}
	classes := 1
	if len(shape) > 0 {
		classes = shape[len(shape)-1]
	}
	if classes == 0 || prediction.Size() != target.Size()*classes {
		return fmt.Errorf("train: %s: the prediction has shape %v and the target %v, want one row of scores for each target", name, shape, target.Shape())
	}
	scores := make([]float64, classes)
	for i := range target.Size() {
		class := target.Float(i)
		if class == ignored {
			continue
		}
		if class != math.Trunc(class) || class < 0 || class >= float64(max(2, classes)) {
			return fmt.Errorf("train: %s: target %d is %v, want a class from 0 to %d", name, i, class, max(2, classes)-1)
		}
		for j := range scores {
			scores[j] = prediction.Float(i*classes + j)
		}
		f(scores, int(class))
	}
	return nil
}
