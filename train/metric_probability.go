package train

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the metrics of predicted probabilities: log loss, perplexity, Brier score and calibration error.

// probabilities turns scores into a probability for each class, in memory of its own: softmax of several logits, and of one the sigmoid, as that of class 1. Scores
// that are probabilities already stay as they are.
func probabilities(scores []float64, already bool) []float64 {
	switch {
	case len(scores) == 1 && already:
		return []float64{1 - scores[0], scores[0]}
	case len(scores) == 1:
		return []float64{1 / (1 + math.Exp(scores[0])), 1 / (1 + math.Exp(-scores[0]))}
	case already:
		return append([]float64{}, scores...)
	}
	p, sum := make([]float64, len(scores)), 0.0
	most := maximum(scores)
	for i, s := range scores {
		p[i] = math.Exp(s - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// maximum is the largest number, NaN where one is NaN.
func maximum(xs []float64) float64 {
	most := math.Inf(-1)
	for _, x := range xs {
		most = max(most, x)
	}
	return most
}

// surprise is -log of the probability of a class.
func surprise(scores []float64, class int, already bool) float64 {
	switch {
	case already:
		p := probabilities(scores, true)[class]
		return -math.Log(min(max(p, 0x1p-52), 1-0x1p-52))
	case len(scores) == 1:
		x := scores[0]
		if class == 1 {
			x = -x
		}
		return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // log(1 + e^x)
	}
	most, sum := maximum(scores), 0.0
	for _, s := range scores {
		sum += math.Exp(s - most)
	}
	return math.Log(sum) + (most - scores[class])
}

// LogLoss is the mean of -log of the probability that is given to the target. The predictions are logits, as for nn.CrossEntropy and
// nn.BCEWithLogits, or probabilities, which are kept 2^-52 away from 0 and 1. Equals sklearn.metrics.log_loss.
//
// Shapes of Add: as for Accuracy.
type LogLoss struct {
	Probabilities bool // the predictions are probabilities and not logits
	sum           float64
	n             int
}

// Name is "log_loss".
func (m *LogLoss) Name() string { return "log_loss" }

// Add counts the examples of a batch.
func (m *LogLoss) Add(prediction, target *tarn.Tensor) error {
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		m.sum += surprise(scores, class, m.Probabilities)
		m.n++
	})
}

// Value is the mean.
func (m *LogLoss) Value() float64 { return m.sum / float64(m.n) }

// Reset forgets all examples.
func (m *LogLoss) Reset() { m.sum, m.n = 0, 0 }

// Perplexity is e to the power of LogLoss: the number of equally likely classes that would be as hard to guess. For a language model the examples are the tokens.
// Equals torchmetrics.text.Perplexity.
//
// Shapes of Add: as for Accuracy.
type Perplexity struct {
	Probabilities bool // the predictions are probabilities and not logits
	loss          LogLoss
}

// Name is "perplexity".
func (m *Perplexity) Name() string { return "perplexity" }

// Add counts the examples of a batch.
func (m *Perplexity) Add(prediction, target *tarn.Tensor) error {
	m.loss.Probabilities = m.Probabilities
	if err := m.loss.Add(prediction, target); err != nil {
		return fmt.Errorf("train: perplexity: %w", err)
	}
	return nil
}

// Value is the perplexity.
func (m *Perplexity) Value() float64 { return math.Exp(m.loss.Value()) }

// Reset forgets all examples.
func (m *Perplexity) Reset() { m.loss.Reset() }

// Brier is the mean squared distance of the probabilities from the target, which has 1 for its class and 0 for the others: for several classes the sum
// over them, from 0 to 2, and for two the square of one, from 0 to 1. Equals sklearn.metrics.brier_score_loss.
//
// Shapes of Add: as for Accuracy.
type Brier struct {
	Probabilities bool // the predictions are probabilities and not logits
	sum           float64
	n             int
}

// Name is "brier".
func (m *Brier) Name() string { return "brier" }

// Add counts the examples of a batch.
func (m *Brier) Add(prediction, target *tarn.Tensor) error {
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		p, sum := probabilities(scores, m.Probabilities), 0.0
		p[class]--
		for _, x := range p {
			sum += x * x
		}
		if len(p) == 2 {
			sum /= 2
		}
		m.sum += sum
		m.n++
	})
}

// Value is the mean.
func (m *Brier) Value() float64 { return m.sum / float64(m.n) }

// Reset forgets all examples.
func (m *Brier) Reset() { m.sum, m.n = 0, 0 }

// CalibrationError is the expected calibration error: the examples are sorted into bins by the probability of their predicted class, and it is the mean over the
// examples of the distance between the mean probability of their bin and its share of right answers:
//
//	sum over the bins of |right - sum of probabilities| / examples
//
// The bins have the same width, and each has its upper end. (Guo et al. 2017, On calibration of modern neural networks.) Equals
// torchmetrics.classification.MulticlassCalibrationError with the norm "l1"; one score counts as two classes. A NaN among the scores makes it NaN.
//
// Shapes of Add: as for Accuracy.
type CalibrationError struct {
	Bins          int  // 0 means 15
	Probabilities bool // the predictions are probabilities and not logits
	bins          []calibrationBin
	n             int
	broken        bool
}

type calibrationBin struct {
	right int
	sum   float64 // of the probabilities
}

// Name is "calibration_error".
func (m *CalibrationError) Name() string { return "calibration_error" }

// mostBins limits the memory.
const mostBins = 1 << 20

// Add counts the examples of a batch.
func (m *CalibrationError) Add(prediction, target *tarn.Tensor) error {
	bins := m.Bins
	if bins == 0 {
		bins = 15
	}
	if bins < 1 || bins > mostBins {
		return fmt.Errorf("train: %s: Bins is %d and should be from 1 to %d, or 0 for 15", m.Name(), m.Bins, mostBins)
	}
	if m.bins == nil {
		m.bins = make([]calibrationBin, bins)
	}
	return eachClass(m.Name(), prediction, target, func(scores []float64, class int) {
		m.n++
		p := probabilities(scores, m.Probabilities)
		guess := predicted(p)
		if guess < 0 {
			m.broken = true
			return
		}
		b := &m.bins[min(max(int(math.Ceil(p[guess]*float64(len(m.bins))))-1, 0), len(m.bins)-1)]
		b.sum += p[guess]
		if guess == class {
			b.right++
		}
	})
}

// Value is the error.
func (m *CalibrationError) Value() float64 {
	if m.broken {
		return math.NaN()
	}
	sum := 0.0
	for _, b := range m.bins {
		sum += math.Abs(float64(b.right) - b.sum)
	}
	return sum / float64(m.n)
}

// Reset forgets all examples.
func (m *CalibrationError) Reset() { m.bins, m.n, m.broken = nil, 0, false }
