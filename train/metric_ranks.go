package train

import (
	"cmp"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the metrics of the order of the scores: the areas under the ROC and the precision-recall curve. They keep the scores of all examples, so that
// they are exact.

// ranked holds the scores of all examples: of one number, or of a probability of each class.
type ranked struct {
	width   int
	scores  []float64 // width of them an example
	targets []int
	broken  bool // a score was NaN
}

// add keeps the examples of a batch.
func (r *ranked) add(name string, prediction, target *tarn.Tensor, already bool) error {
	return eachClass(name, prediction, target, func(scores []float64, class int) {
		switch {
		case len(scores) == 2 && already:
			scores = scores[1:]
		case len(scores) == 2:
			scores = []float64{scores[1] - scores[0]} // the logit of class 1
		case len(scores) > 2:
			scores = probabilities(scores, already)
		}
		if r.width != len(scores) {
			r.broken = r.broken || r.width != 0
			r.width = len(scores)
		}
		r.broken = r.broken || math.IsNaN(maximum(scores))
		r.scores, r.targets = append(r.scores, scores...), append(r.targets, class)
	})
}

// trial is a score, and whether it should be high.
type trial struct {
	score float64
	hit   bool
}

// trials returns the scores of a class, or with class -1 those of all, the highest first.
func (r *ranked) trials(class int) []trial {
	var all []trial
	for i, target := range r.targets {
		for k, s := range r.scores[i*r.width : (i+1)*r.width] {
			if r.width == 1 {
				k = 1
			}
			if class < 0 || k == class {
				all = append(all, trial{s, target == k})
			}
		}
	}
	slices.SortFunc(all, func(a, b trial) int { return cmp.Compare(b.score, a.score) })
	return all
}

// value is the area of the curve of one class, or the average of those of all. Classes for which there is no area do not count.
func (r *ranked) value(a Average, area func(trials []trial) float64) float64 {
	switch {
	case len(r.targets) == 0 || r.broken:
		return math.NaN()
	case r.width == 1 || a == Positive:
		return area(r.trials(1))
	case a == Micro:
		return area(r.trials(-1))
	}
	sum, weights := 0.0, 0.0
	for class := range r.width {
		trials := r.trials(class)
		x, w := area(trials), 1.0
		if math.IsNaN(x) {
			continue
		}
		if a == BySupport {
			w = float64(hits(trials))
		}
		sum += w * x
		weights += w
	}
	return sum / weights
}

func hits(trials []trial) (n int) {
	for _, t := range trials {
		if t.hit {
			n++
		}
	}
	return n
}

// eachScore calls f after all trials of one score, with the number of trials and of hits down to it.
func eachScore(trials []trial, f func(seen, hit int)) {
	hit := 0
	for i, t := range trials {
		if t.hit {
			hit++
		}
		if i+1 == len(trials) || trials[i+1].score != t.score {
			f(i+1, hit)
		}
	}
}

// ROCAUC is the area under the ROC curve: the probability that an example of a class scores higher than one of another class, where equal scores count half. With one
// or two scores it is that of class 1. With more it is an average over the classes, each against all others, by probabilities; classes that have no example, or all, are
// left out. Equals sklearn.metrics.roc_auc_score, with multi_class="ovr". It is NaN if it has no classes to compare, or a NaN among the scores.
//
// It keeps all scores until Reset.
//
// Shapes of Add: as for Accuracy.
type ROCAUC struct {
	Average       Average
	Probabilities bool // the predictions are probabilities and not logits
	ranked        ranked
}

// Name is "roc_auc", with the average unless it is Macro.
func (m *ROCAUC) Name() string { return "roc_auc" + m.Average.suffix() }

// Add keeps the examples of a batch.
func (m *ROCAUC) Add(prediction, target *tarn.Tensor) error {
	return cmp.Or(m.Average.check(m.Name()), m.ranked.add(m.Name(), prediction, target, m.Probabilities))
}

// Value is the area.
func (m *ROCAUC) Value() float64 {
	return m.ranked.value(m.Average, func(trials []trial) float64 {
		hitsInAll := hits(trials)
		area, seenBefore, hitBefore := 0.0, 0, 0
		eachScore(trials, func(seen, hit int) {
			missed := float64(seen - hit - (seenBefore - hitBefore))
			area += missed * float64(hit+hitBefore) / 2
			seenBefore, hitBefore = seen, hit
		})
		return area / (float64(hitsInAll) * float64(len(trials)-hitsInAll))
	})
}

// Reset forgets all examples.
func (m *ROCAUC) Reset() { m.ranked = ranked{} }

// AveragePrecision is the area under the curve of precision against recall, in steps: the sum over the scores, from high to low, of the precision down to
// the score times the rise of the recall. With one or two scores it is that of class 1, with more an average over the classes that have an example, by
// probabilities. Equals sklearn.metrics.average_precision_score. It is NaN without examples of a class, or with a NaN among the scores.
//
// It keeps all scores until Reset.
//
// Shapes of Add: as for Accuracy.
type AveragePrecision struct {
	Average       Average
	Probabilities bool // the predictions are probabilities and not logits
	ranked        ranked
}

// Name is "average_precision", with the average unless it is Macro.
func (m *AveragePrecision) Name() string { return "average_precision" + m.Average.suffix() }

// Add keeps the examples of a batch.
func (m *AveragePrecision) Add(prediction, target *tarn.Tensor) error {
	return cmp.Or(m.Average.check(m.Name()), m.ranked.add(m.Name(), prediction, target, m.Probabilities))
}

// Value is the area.
func (m *AveragePrecision) Value() float64 {
	return m.ranked.value(m.Average, func(trials []trial) float64 {
		area, hitBefore := 0.0, 0
		eachScore(trials, func(seen, hit int) {
			area += float64(hit-hitBefore) * float64(hit) / float64(seen)
			hitBefore = hit
		})
		return area / float64(hits(trials))
	})
}

// Reset forgets all examples.
func (m *AveragePrecision) Reset() { m.ranked = ranked{} }
