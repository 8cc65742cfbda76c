package doctor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/watch"
)

// This file holds what the rules ask about a training: how the loss has gone, and what the layers were like.

// fewest is the number of looks below which nothing is said about how a training goes.
const fewest = 10

// view is a history with answers to what the rules ask.
type view struct {
	*watch.History
	first, last *watch.Step // nil if the first run has failed
	run         int64
	base        float64 // the loss to compare with: that of the best constant prediction, or the first loss if it is not known
	chance      float64 // NaN if not known
	loss        float64 // the loss now
	lowest      float64 // of all looks
	fell        float64 // the part of base by which the loss has fallen, at most 1; negative if it has risen
	trend       float64 // by which part of base the loss has fallen from the second to the last third of the looks
	stack       []int   // the layers with weights of two axes or more, in order
}

// newView returns nil for a history that says nothing.
func newView(h *watch.History) *view {
	switch {
	case h.Header == nil || len(h.Steps) == 0 && h.Failure != nil && h.Failure.Run > 0:
		return nil
	case len(h.Steps) == 0:
		return &view{History: h}
	}
	v := &view{History: h, run: h.Steps[len(h.Steps)-1].Run, first: &h.Steps[0], last: &h.Steps[len(h.Steps)-1], chance: math.NaN(), lowest: math.Inf(1)}
	v.base = float64(v.first.Loss)
	if c := h.Header.Chance; c != nil && *c > 0 {
		v.chance = float64(*c)
		v.base = v.chance
	}
	third := len(h.Steps) / 3
	losses := v.each(func(s *watch.Step) float64 { return float64(s.Loss) })
	for _, x := range losses {
		v.lowest = min(v.lowest, x)
	}
	v.loss = median(losses[len(losses)-max(1, min(third, 20)):])
	if third > 0 {
		v.trend = (mean(losses[third:2*third]) - mean(losses[2*third:])) / math.Abs(v.base)
	}
	if n := len(h.Epochs); n >= 6 { // means over epochs are less noisy
		sum := func(part []watch.Epoch) (total float64) {
			for _, e := range part {
				total += float64(e.TrainLoss) / float64(len(part))
			}
			return total
		}
		v.trend = (sum(h.Epochs[n/3:2*n/3]) - sum(h.Epochs[2*n/3:])) / math.Abs(v.base)
	}
	// The mean over an epoch is a better measure than single batches, but late while the loss falls fast.
	if n := len(h.Epochs); n > 0 && h.Epochs[n-1].Run >= v.last.Run-int64(2*h.Header.Every) {
		if v.loss = min(v.loss, float64(h.Epochs[n-1].TrainLoss)); h.Header.Batch < 8 {
			v.loss = float64(h.Epochs[n-1].TrainLoss) // single examples have their own
		}
	}
	v.fell = (v.base - v.loss) / math.Abs(v.base)
	if math.IsNaN(v.fell) {
		v.fell = math.Inf(-1)
	}
	for i := range h.Header.Layers {
		if v.weight(i) >= 0 {
			v.stack = append(v.stack, i)
		}
	}
	return v
}

// unrelated reports whether the targets of similar examples are no more similar than those of any, as far as is known.
func (v *view) unrelated() bool {
	return v.neighbors() > 0.93 || v.Header.Loss == "squares" && v.neighbors() > 0.85
}

// neighbors is the loss that nearest neighbors allow beside that of a constant prediction, or NaN.
func (v *view) neighbors() float64 {
	if n := v.Header.Neighbors; n != nil {
		return float64(*n) / v.chance
	}
	return math.NaN()
}

// atFloor reports whether the loss is about as low as nearest neighbors allow.
func (v *view) atFloor() bool { return 1-v.fell < v.neighbors()+0.1 }

// fresh is the part of base by which the loss has fallen on examples that the training sees for the first time: what is learned of
// them is not learned by heart.
func (v *view) fresh() float64 {
	var losses []float64
	for _, s := range v.Steps {
		if s.Epoch <= 1 {
			losses = append(losses, float64(s.Loss))
		}
	}
	return (v.base - mean(losses[len(losses)/2:])) / math.Abs(v.base)
}

// highestRate is that of all looks.
func (v *view) highestRate() float64 {
	return slices.Max(v.each(func(s *watch.Step) float64 { return float64(s.Rate) }))
}

// enough reports whether there are looks enough to tell how the training goes, and it is not warming up.
func (v *view) enough() bool { return len(v.Steps) >= fewest && !v.warming() }

// late reports whether a third of the training or more is over, or many looks are: networks that begin slowly have then got away.
func (v *view) late() bool { return v.past(1. / 3) }

// past reports whether a share of the training is over, or many looks are.
func (v *view) past(share float64) bool {
	h := v.Header
	planned := float64(h.Epochs) * float64(h.Examples) / float64(max(1, h.Batch))
	n, run := len(v.Steps), float64(v.run)
	return float64(n) >= 30*fewest*share || n >= 2*fewest && run >= share*planned || n >= fewest && run >= 0.9*planned
}

// warming reports whether the rate still rises.
func (v *view) warming() bool {
	n := len(v.Steps)
	return n >= 2 && float64(v.Steps[n-1].Rate) > 1.001*float64(v.Steps[n-2].Rate)
}

// stuck reports whether the training has got nowhere: the loss is about that of a constant prediction or above, and it does not
// fall.
func (v *view) stuck() bool { return v.enough() && v.fell < 0.1 && v.trend < 0.03 }

// poor reports whether the training has got little and gets no further, or is still worse or little better than chance after a
// while.
func (v *view) poor() bool {
	return v.enough() && (v.fell < 0.5 && v.trend < 0.05 || v.fell < 0 && len(v.Steps) >= 2*fewest || v.fell < 0.3 && len(v.Steps) >= 4*fewest)
}

// weight is the param of a layer that has two axes or more, or -1.
func (v *view) weight(layer int) int {
	return slices.IndexFunc(v.Header.Params, func(p watch.Param) bool { return p.Layer == layer && len(p.Shape) >= 2 })
}

// path names a layer.
func (v *view) path(layer int) string {
	if p := v.Header.Layers[layer].Path; p != "" {
		return p
	}
	return "the model"
}

func (v *view) paths(layers []int) (names []string) {
	for _, i := range layers {
		names = append(names, v.path(i))
	}
	return names
}

// each returns a number of every look.
func (v *view) each(f func(s *watch.Step) float64) []float64 {
	numbers := make([]float64, len(v.Steps))
	for i := range v.Steps {
		numbers[i] = f(&v.Steps[i])
	}
	return numbers
}

// typical is the median of a number over the looks, without those that lack it.
func (v *view) typical(f func(s *watch.Step) *watch.Number) float64 {
	var numbers []float64
	for i := range v.Steps {
		if x := f(&v.Steps[i]); x != nil && x.Finite() {
			numbers = append(numbers, float64(*x))
		}
	}
	return median(numbers)
}

// arriving is the median over the looks of the norm of the gradient that arrives at a layer.
func (v *view) arriving(layer int) float64 {
	return median(v.each(func(s *watch.Step) float64 { return float64(s.Layers.GradNorm[layer]) }))
}

// inputScale estimates the root mean square of what a layer reads at the first look, from its result and its params, which are
// still independent: E y² is |W|²/units E x² + |b|²/units. It is NaN for a layer without weights, and one that looks up rows.
func (v *view) inputScale(layer int) float64 {
	w := v.weight(layer)
	l := v.Header.Layers[layer]
	if w < 0 || l.Op != "MatMul" && l.Op != "Conv" {
		return math.NaN()
	}
	mean, std := float64(v.first.Layers.Mean[layer]), float64(v.first.Layers.Std[layer])
	squares := (mean*mean + std*std) * float64(l.Units)
	rest := squares
	for i, p := range v.Header.Params {
		if p.Layer == layer && len(p.Shape) == 1 && p.Shape[0] == l.Units {
			rest -= float64(v.first.Params.Norm[i] * v.first.Params.Norm[i])
		}
	}
	return math.Sqrt(max(rest, 1e-6*squares)) / float64(v.first.Params.Norm[w])
}

// median is NaN for no numbers.
func median(numbers []float64) float64 {
	if len(numbers) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return sorted[len(sorted)/2]
}

// mean is that of the finite numbers.
func mean(numbers []float64) float64 {
	sum, n := 0.0, 0
	for _, x := range numbers {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			sum += x
			n++
		}
	}
	return sum / float64(n)
}

// list joins names for a sentence: the first ones if they are many.
func list(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s, ... %s (%d layers)", names[0], names[len(names)-1], len(names))
	}
	return strings.Join(names, ", ")
}
