package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/rng"
)

// This file holds weighted sampling, for sets whose classes are of different sizes, and the weights that balance them. The examples of an epoch follow
// from weights, seed and epoch alone.

// Weighted draws the examples of each epoch at random, each with a probability in proportion to its weight. Equal to
// torch.utils.data.WeightedRandomSampler, up to the random numbers.
//
//	weights, err := set.BalancedWeights("label")
//	...
//	set.Batches(128, data.Options{Weighted: &data.Weighted{Weights: weights}, Epochs: 5})
type Weighted struct {
	Weights  []float64 // of each example, finite and not negative; one of weight 0 is never drawn
	Draws    int       // examples in an epoch; 0 means as many as the set has
	Distinct bool      // no example is drawn twice in an epoch: replacement=False
}

// check returns an error unless w suits a set of n examples.
func (w *Weighted) check(n int) error {
	if len(w.Weights) != n {
		return fmt.Errorf("data: Weighted has %d weights for a set of %d examples", len(w.Weights), n)
	}
	positive, sum := 0, 0.0
	for i, x := range w.Weights {
		if !(x >= 0) || math.IsInf(x, 1) {
			return fmt.Errorf("data: Weighted: the weight of example %d is %v and should be finite and not negative", i, x)
		}
		if x > 0 {
			positive++
		}
		sum += x
	}
	switch {
	case w.Draws < 0 || w.Draws > math.MaxInt32:
		return fmt.Errorf("data: Weighted: Draws is %d and should be from 0 to %d", w.Draws, math.MaxInt32)
	case positive == 0 || math.IsInf(sum, 1):
		return fmt.Errorf("data: Weighted: the sum of the weights is %v and should be finite and positive", sum)
	case w.Distinct && w.size(n) > positive:
		return fmt.Errorf("data: Weighted: an epoch of %d distinct examples, and %d have a weight: set Draws to %[2]d or less", w.size(n), positive)
	}
	return nil
}

// size returns the number of examples in an epoch of a set of n.
func (w *Weighted) size(n int) int {
	if w == nil || w.Draws == 0 {
		return n
	}
	return w.Draws
}

// draw writes the numbers of the examples of an epoch to dst.
func (w *Weighted) draw(dst []int32, key rng.Key) []int32 {
	n := len(w.Weights)
	size := w.size(n)
	dst = slices.Grow(dst[:0], size)
	if w.Distinct {
		// Efraimidis and Spirakis 2006, Weighted random sampling with a reservoir: the examples with the smallest -log(u)/weight.
		keys := make([]float64, n)
		all := make([]int32, 0, n)
		for i, x := range w.Weights {
			if x > 0 {
				keys[i] = -math.Log(1-rng.Uniform64(key, uint64(i))) / x
				all = append(all, int32(i))
			}
		}
		slices.SortFunc(all, func(a, b int32) int { return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(a, b)) })
		return append(dst, all[:size]...)
	}
	sums, last := make([]float64, n), 0
	sum := 0.0
	for i, x := range w.Weights {
		if x > 0 {
			last = i
		}
		sum += x
		sums[i] = sum
	}
	for i := range size {
		at := rng.Uniform64(key, uint64(i)) * sum
		k, _ := slices.BinarySearchFunc(sums, at, func(s, at float64) int {
			if s > at {
				return 1
			}
			return -1
		})
		dst = append(dst, int32(min(k, last)))
	}
	return dst
}

// ignored is the label of examples that do not count, as in nn.CrossEntropy.
const ignored = -100

// ClassWeights returns a weight for each class of a field of labels, n / (classes * examples of the class), where n is the number of examples:
// with them as the Weight of nn.CrossEntropyLoss each class counts the same in the loss. The classes are the labels from 0 to the largest, and each must
// have an example. Labels of -100 do not count, as in nn.CrossEntropy. Equal to sklearn.utils.class_weight.compute_class_weight with "balanced".
func (s *Set) ClassWeights(name string) ([]float64, error) {
	labels, counts, err := s.classes("ClassWeights", name)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, c := range counts {
		n += c
	}
	weights := make([]float64, len(counts))
	for class, c := range counts {
		if c == 0 {
			return nil, fmt.Errorf("data: ClassWeights: class %d of field %q has no example among %d: its weight would be infinite", class, name, labels.Size())
		}
		weights[class] = float64(n) / (float64(len(counts)) * float64(c))
	}
	return weights, nil
}

// BalancedWeights returns a weight for each example, one over the number of examples with its label: with them Weighted draws each class as often as any
// other. Examples with the label -100 have the weight 0.
func (s *Set) BalancedWeights(name string) ([]float64, error) {
	labels, counts, err := s.classes("BalancedWeights", name)
	if err != nil {
		return nil, err
	}
	weights := make([]float64, labels.Size())
	for i := range weights {
		if class := labels.Float(i); class != ignored {
			weights[i] = 1 / float64(counts[int(class)])
		}
	}
	return weights, nil
}

// mostClasses limits the classes that a wrong label can make room for.
const mostClasses = 1 << 24

// classes reads a field of labels, and counts the examples of each class.
func (s *Set) classes(what, name string) (labels *tarn.Tensor, counts []int, err error) {
	i, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	if f := s.fields[i]; f.width != 1 || f.dtype != tarn.I32 && f.dtype != tarn.I64 {
		return nil, nil, fmt.Errorf("data: %s: field %q holds %v%v an example, want one class as i32 or i64", what, name, f.dtype, f.shape)
	}
	if labels, err = s.Tensor(name); err != nil {
		return nil, nil, err
	}
	for i := range labels.Size() {
		class := labels.Float(i)
		if class == ignored {
			continue
		}
		if class < 0 || class >= mostClasses {
			return nil, nil, fmt.Errorf("data: %s: example %d of field %q has the label %v, want a class from 0 to %d, or %d for one that does not count", what, i, name, class, mostClasses-1, ignored)
		}
		for len(counts) <= int(class) {
			counts = append(counts, 0)
		}
		counts[int(class)]++
	}
	if len(counts) == 0 {
		return nil, nil, fmt.Errorf("data: %s: no example of field %q has a class", what, name)
	}
	return labels, counts, nil
}
