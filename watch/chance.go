package watch

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds what is known from the data alone: the loss of the best constant prediction, and of one that knows an example's neighbors.

// SetTargets sets the task, the number of classes, the range of the targets and, if the form of the loss is known, its value for the best constant
// prediction: the entropy of the classes, or the variance of the numbers.
func (h *Header) SetTargets(target *tarn.Tensor) {
	h.Task, h.Classes, h.Chance = "classes", 0, nil
	if target.DType().IsFloat() {
		h.Task = "numbers"
	}
	h.setRange(target)
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
			if share := Number(float64(n) / float64(valid)); h.Most == nil || share > *h.Most {
				h.Most = &share
			}
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

// setRange sets Low and High, without numbers that are not finite.
func (h *Header) setRange(target *tarn.Tensor) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range target.Size() {
		if x := target.Float(i); !math.IsInf(x, 0) && !math.IsNaN(x) {
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	h.Low, h.High, h.Most = nil, nil, nil
	if lo <= hi {
		low, high := Number(lo), Number(hi)
		h.Low, h.High = &low, &high
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

// mostNeighbors is the number of examples, and mostFeatures that of their numbers, that SetNeighbors looks at.
const (
	mostNeighbors = 512
	mostFeatures  = 1024
)

// SetNeighbors sets Neighbors from the first examples: of classes by how often the nearest example is of the same class, a = p² + (1-p)²/(C-1)
// for a prediction that is right with the probability p, and of numbers by half the mean square distance of the nearest example's target.
// (Cover and Hart 1967, Nearest neighbor pattern classification.) SetTargets comes first. Inputs that are no floats say nothing.
func (h *Header) SetNeighbors(target *tarn.Tensor, inputs ...*tarn.Tensor) {
	h.Neighbors = nil
	if h.Chance == nil || target.Rank() == 0 {
		return
	}
	n := min(mostNeighbors, target.Shape()[0])
	var features [][]float64
	for _, x := range inputs {
		if !x.DType().IsFloat() || x.Rank() == 0 || x.Shape()[0] < n || n == 0 {
			continue
		}
		width := x.Size() / x.Shape()[0]
		for f := range min(width, mostFeatures-len(features)) {
			column := make([]float64, n)
			for i := range column {
				column[i] = x.Float(i*width + f)
			}
			if standardize(column) {
				features = append(features, column)
			}
		}
	}
	if len(features) == 0 || n < 32 {
		return
	}
	nearest := nearestOf(features, n)
	of := func(i int) []float64 {
		row := make([]float64, target.Size()/target.Shape()[0])
		for j := range row {
			row[j] = target.Float(i*len(row) + j)
		}
		return row
	}
	var loss float64
	switch classes := h.Task == "classes"; {
	case classes && target.Rank() == 1 && h.Classes > 1:
		agree := 0.0
		for i, j := range nearest {
			if target.Float(i) == target.Float(j) {
				agree++
			}
		}
		loss = lossOfAgreement(agree/float64(n), float64(h.Classes))
	case h.Loss == "likelihood" && target.Size() == target.Shape()[0] && h.Low != nil && *h.Low == 0 && *h.High == 1:
		agree := 0.0
		for i, j := range nearest {
			agree += 1 - math.Abs(target.Float(i)-target.Float(j))
		}
		loss = lossOfAgreement(agree/float64(n), 2)
	case !classes && h.Loss == "squares":
		for i, j := range nearest {
			a, b := of(i), of(j)
			for k := range a {
				loss += (a[k] - b[k]) * (a[k] - b[k]) / 2 / float64(len(a)*n)
			}
		}
	default:
		return
	}
	if loss = min(loss, float64(*h.Chance)); !math.IsNaN(loss) {
		x := Number(loss)
		h.Neighbors = &x
	}
}

// lossOfAgreement is the cross-entropy of a prediction that is right with the probability p, where a = p² + (1-p)²/(c-1).
func lossOfAgreement(a, c float64) float64 {
	p := (1 + math.Sqrt(max(0, 1-c*(1-a*(c-1))))) / c
	return surprise(p) + surprise(1-p) + (1-p)*math.Log(c-1)
}

// standardize gives a column the median 0 and the median magnitude 1, or the deviation 1 if most of it is alike, with no number beyond 5, and
// reports whether it says anything.
func standardize(column []float64) bool {
	var known []float64
	for _, x := range column {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			known = append(known, x)
		}
	}
	if 2*len(known) < len(column) {
		return false
	}
	slices.Sort(known)
	center, squares := known[len(known)/2], 0.0
	for i, x := range known {
		known[i] = math.Abs(x - center)
		squares += (x - center) * (x - center) / float64(len(known))
	}
	slices.Sort(known)
	scale := known[len(known)/2]
	if scale == 0 {
		scale = math.Sqrt(squares)
	}
	for i, x := range column {
		if x = (x - center) / scale; math.IsNaN(x) {
			x = 0
		}
		column[i] = max(-5, min(5, x))
	}
	return scale > 0 && !math.IsInf(scale, 0)
}

// nearestOf is for each example the nearest other one.
func nearestOf(features [][]float64, n int) []int {
	distances := make([]float64, n*n)
	for _, f := range features {
		for i := range n {
			for j := range i {
				d := f[i] - f[j]
				distances[i*n+j] += d * d
			}
		}
	}
	nearest := make([]int, n)
	for i := range n {
		least := math.Inf(1)
		for j := range n {
			if i != j && distances[max(i, j)*n+min(i, j)] < least {
				nearest[i], least = j, distances[max(i, j)*n+min(i, j)]
			}
		}
	}
	return nearest
}

// sampled is the number of elements of an input that quantiles are taken of.
const sampled = 1 << 14

// NewInput describes an input, without its elements that are not finite.
func NewInput(name string, x *tarn.Tensor) Input {
	in := Input{Name: name}
	mean, squares, n := 0.0, 0.0, 0.0
	var sizes []float64
	every := max(1, x.Size()/sampled)
	for i := range x.Size() {
		v := x.Float(i)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		n++
		d := v - mean
		mean += d / n
		squares += d * (v - mean)
		if in.Most = max(in.Most, Number(math.Abs(v))); i%every == 0 {
			sizes = append(sizes, math.Abs(v))
		}
	}
	if n > 0 {
		slices.Sort(sizes)
		in.Mean, in.Std = Number(mean), Number(math.Sqrt(squares/n))
		if len(sizes) > 0 {
			in.Usual = Number(sizes[99*(len(sizes)-1)/100])
		}
	}
	return in
}
