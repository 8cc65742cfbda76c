package watch

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds what is known from the targets alone: the loss of the best constant prediction.

// SetTargets sets the task, the number of classes and, if the form of the loss is known, its value for the best constant
// prediction: the entropy of the classes, or the variance of the numbers.
func (h *Header) SetTargets(target *tarn.Tensor) {
	h.Task, h.Classes, h.Chance = "classes", 0, nil
	if target.DType().IsFloat() {
		h.Task = "numbers"
	}
	rows := 1
	if target.Rank() > 0 {
		rows = target.Shape()[0]
	}
	chance, known := 0.0, true
	switch {
	case h.Task == "classes":
		counts, valid := map[int]int{}, 0
		for i := range target.Size() {
			if c := int(target.Float(i)); c >= 0 {
				counts[c]++
				valid++
				h.Classes = max(h.Classes, c+1)
			}
		}
		for _, n := range counts {
			chance += surprise(float64(n) / float64(valid))
		}
		known = h.Loss == "cross-entropy" || h.Loss == "likelihood"
	case h.Loss == "squares":
		chance = variance(target)
	case h.Task == "numbers" && h.Loss == "cross-entropy":
		for _, p := range columnMeans(target, rows) {
			chance += surprise(p)
		}
	case h.Task == "numbers" && h.Loss == "likelihood":
		for i := range target.Size() {
			known = known && target.Float(i) >= 0 && target.Float(i) <= 1 // else they are no probabilities
		}
		means := columnMeans(target, rows)
		for _, p := range means {
			chance += (surprise(p) + surprise(1-p)) / float64(len(means))
		}
	default:
		known = false
	}
	if known && !math.IsNaN(chance) {
		c := Number(chance)
		h.Chance = &c
	}
}

// surprise is -p log p.
func surprise(p float64) float64 {
	if p == 0 {
		return 0
	}
	return -p * math.Log(p)
}

// columnMeans are the means over the first axis.
func columnMeans(t *tarn.Tensor, rows int) []float64 {
	means := make([]float64, t.Size()/max(1, rows))
	for i := range t.Size() {
		means[i%len(means)] += t.Float(i) / float64(rows)
	}
	return means
}

// variance is the mean square distance of t's elements from the mean of their column.
func variance(t *tarn.Tensor) float64 {
	if t.Rank() == 0 || t.Size() == 0 {
		return 0
	}
	rows := t.Shape()[0]
	width := t.Size() / max(1, rows)
	total := 0.0
	for c := range width {
		mean, squares := 0.0, 0.0
		for r := range rows {
			x := t.Float(r*width + c)
			d := x - mean
			mean += d / float64(r+1)
			squares += d * (x - mean)
		}
		total += squares / float64(rows)
	}
	return total / float64(max(1, width))
}
