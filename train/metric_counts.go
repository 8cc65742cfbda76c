package train

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the metrics that count pairs of target and predicted class: precision, recall, F1, Cohen's kappa and Matthews' coefficient.

// Average says how the numbers of several classes become one.
type Average uint8

// The averages, with the names that scikit-learn has for them.
const (
	Macro     Average = iota // the mean over the classes that come up, each the same: "macro"
	Micro                    // of the counts of all classes together: "micro"
	BySupport                // the mean over the classes, each by its number of targets: "weighted"
	Positive                 // that of class 1 alone: "binary"
)

// suffix is what an average adds to the name of a metric.
func (a Average) suffix() string {
	switch a {
	case Macro:
		return ""
	case Micro:
		return "_micro"
	case BySupport:
		return "_weighted"
	case Positive:
		return "_binary"
	}
	return fmt.Sprintf("_average%d", a)
}

// check refuses a number that is no average.
func (a Average) check(name string) error {
	if a > Positive {
		return fmt.Errorf("train: %s: Average is %d, want Macro, Micro, BySupport or Positive", name, a)
	}
	return nil
}

// pairs counts the examples by target and predicted class, which is -1 where a score is NaN.
type pairs map[[2]int]int

// add counts the examples of a batch.
func (p *pairs) add(name string, prediction, target *tarn.Tensor) error {
	if *p == nil {
		*p = pairs{}
	}
	return eachClass(name, prediction, target, func(scores []float64, class int) { (*p)[[2]int{class, predicted(scores)}]++ })
}

// outcome has the counts of one class.
type outcome struct{ right, predicted, targets int }

// classes returns the outcomes of all classes that come up, in their order.
func (p pairs) classes() []outcome {
	byClass := map[int]*outcome{}
	of := func(class int) *outcome {
		if byClass[class] == nil {
			byClass[class] = &outcome{}
		}
		return byClass[class]
	}
	for pair, n := range p {
		of(pair[0]).targets += n
		if pair[1] >= 0 {
			of(pair[1]).predicted += n
		}
		if pair[0] == pair[1] {
			of(pair[0]).right += n
		}
	}
	var all []outcome
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		all = append(all, *byClass[class])
	}
	return all
}

// average combines a number of each class.
func (p pairs) average(a Average, of func(o outcome) float64) float64 {
	if len(p) == 0 {
		return math.NaN()
	}
	switch a {
	case Micro:
		var all outcome
		for _, o := range p.classes() {
			all = outcome{all.right + o.right, all.predicted + o.predicted, all.targets + o.targets}
		}
		return of(all)
	case Positive:
		var one outcome
		for pair, n := range p {
			if pair[0] == 1 {
				one.targets += n
			}
			if pair[1] == 1 {
				one.predicted += n
			}
			if pair == [2]int{1, 1} {
				one.right += n
			}
		}
		return of(one)
	}
	sum, weights := 0.0, 0.0
	for _, o := range p.classes() {
		w := 1.0
		if a == BySupport {
			w = float64(o.targets)
		}
		sum += w * of(o)
		weights += w
	}
	return sum / weights
}

// ratio is a/b, and 0 where b is 0, as in scikit-learn.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Precision is the share of the examples taken for a class that are of that class; 0 for a class that nothing is taken for. Equals
// sklearn.metrics.precision_score. An example with a NaN among its scores is taken for no class.
//
// Shapes of Add: as for Accuracy.
type Precision struct {
	Average Average
	pairs   pairs
}

// Name is "precision", with the average unless it is Macro: "precision_micro", "precision_weighted", "precision_binary".
func (m *Precision) Name() string { return "precision" + m.Average.suffix() }

// Add counts the examples of a batch.
func (m *Precision) Add(prediction, target *tarn.Tensor) error {
	return cmp.Or(m.Average.check(m.Name()), m.pairs.add(m.Name(), prediction, target))
}

// Value is the precision.
func (m *Precision) Value() float64 {
	return m.pairs.average(m.Average, func(o outcome) float64 { return ratio(float64(o.right), float64(o.predicted)) })
}

// Reset forgets all examples.
func (m *Precision) Reset() { m.pairs = nil }

// Recall is the share of the examples of a class that are taken for that class; 0 for a class without examples. Equals
// sklearn.metrics.recall_score.
//
// Shapes of Add: as for Accuracy.
type Recall struct {
	Average Average
	pairs   pairs
}

// Name is "recall", with the average unless it is Macro.
func (m *Recall) Name() string { return "recall" + m.Average.suffix() }

// Add counts the examples of a batch.
func (m *Recall) Add(prediction, target *tarn.Tensor) error {
	return cmp.Or(m.Average.check(m.Name()), m.pairs.add(m.Name(), prediction, target))
}

// Value is the recall.
func (m *Recall) Value() float64 {
	return m.pairs.average(m.Average, func(o outcome) float64 { return ratio(float64(o.right), float64(o.targets)) })
}

// Reset forgets all examples.
func (m *Recall) Reset() { m.pairs = nil }

// F1 is the harmonic mean of precision and recall of a class, 2 right / (taken for it + of it). Equals sklearn.metrics.f1_score.
//
// Shapes of Add: as for Accuracy.
type F1 struct {
	Average Average
	pairs   pairs
}

// Name is "f1", with the average unless it is Macro.
func (m *F1) Name() string { return "f1" + m.Average.suffix() }

// Add counts the examples of a batch.
func (m *F1) Add(prediction, target *tarn.Tensor) error {
	return cmp.Or(m.Average.check(m.Name()), m.pairs.add(m.Name(), prediction, target))
}

// Value is the F1 score.
func (m *F1) Value() float64 {
	return m.pairs.average(m.Average, func(o outcome) float64 { return ratio(2*float64(o.right), float64(o.predicted+o.targets)) })
}

// Reset forgets all examples.
func (m *F1) Reset() { m.pairs = nil }

// CohenKappa is the agreement of predictions and targets beyond that of chance: 1 - sum w o / sum w e, where o are the counts of pairs, e those expected of
// independent ones, and w = |target - predicted|^Power, or 1 for any two different classes with Power 0. Power 1 and 2 are for classes that have an order. It is NaN
// where chance alone agrees always. Equals sklearn.metrics.cohen_kappa_score with the weights None, "linear" and "quadratic".
//
// An example with a NaN among its scores counts as wrong with Power 0, and makes the measure NaN otherwise.
//
// Shapes of Add: as for Accuracy.
type CohenKappa struct {
	Power int // 0, 1 or 2
	pairs pairs
}

// Name is "kappa", "kappa_linear" or "kappa_quadratic".
func (m *CohenKappa) Name() string {
	switch m.Power {
	case 1:
		return "kappa_linear"
	case 2:
		return "kappa_quadratic"
	}
	return "kappa"
}

// Add counts the examples of a batch.
func (m *CohenKappa) Add(prediction, target *tarn.Tensor) error {
	if m.Power < 0 || m.Power > 2 {
		return fmt.Errorf("train: kappa: Power is %d, want 0, 1 or 2", m.Power)
	}
	return m.pairs.add(m.Name(), prediction, target)
}

// Value is the coefficient.
func (m *CohenKappa) Value() float64 {
	targets, predictions, n := m.pairs.margins()
	observed, expected := 0.0, 0.0
	for _, t := range slices.Sorted(maps.Keys(targets)) {
		for _, p := range slices.Sorted(maps.Keys(predictions)) {
			w := math.Pow(math.Abs(float64(t-p)), float64(m.Power))
			switch {
			case t == p:
				w = 0
			case p < 0 && m.Power > 0:
				return math.NaN()
			}
			observed += w * float64(m.pairs[[2]int{t, p}])
			expected += w * targets[t] * predictions[p] / n
		}
	}
	return 1 - observed/expected
}

// Reset forgets all examples.
func (m *CohenKappa) Reset() { m.pairs = nil }

// margins returns the number of targets and of predictions of each class, and of all examples.
func (p pairs) margins() (targets, predictions map[int]float64, n float64) {
	targets, predictions = map[int]float64{}, map[int]float64{}
	for pair, count := range p {
		targets[pair[0]] += float64(count)
		predictions[pair[1]] += float64(count)
		n += float64(count)
	}
	return targets, predictions, n
}

// MCC is Matthews' correlation coefficient of predictions and targets, from -1 to 1; 0 where all of either are of one class. For several
// classes it is that of Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient. Equals
// sklearn.metrics.matthews_corrcoef.
//
// Shapes of Add: as for Accuracy.
type MCC struct{ pairs pairs }

// Name is "mcc".
func (m *MCC) Name() string { return "mcc" }

// Add counts the examples of a batch.
func (m *MCC) Add(prediction, target *tarn.Tensor) error {
	return m.pairs.add(m.Name(), prediction, target)
}

// Value is the coefficient.
func (m *MCC) Value() float64 {
	targets, predictions, n := m.pairs.margins()
	if n == 0 {
		return math.NaN()
	}
	right, both, tt, pp := 0.0, 0.0, 0.0, 0.0 // sums of integers, which are exact in any order
	for pair, count := range m.pairs {
		if pair[0] == pair[1] {
			right += float64(count)
		}
	}
	for t, x := range targets {
		both += x * predictions[t]
		tt += x * x
	}
	for _, x := range predictions {
		pp += x * x
	}
	return ratio(right*n-both, math.Sqrt(n*n-tt)*math.Sqrt(n*n-pp))
}

// Reset forgets all examples.
func (m *MCC) Reset() { m.pairs = nil }
