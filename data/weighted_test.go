package data

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
)

// This file tests the draws by weight: how often each example comes up, that they follow from seed and epoch alone, also when a loop is resumed, and the
// weights that balance classes.

// drawn returns the numbers of the examples of an epoch.
func drawn(t *testing.T, b *Batches, epoch int) (seen []int64) {
	t.Helper()
	for batch, err := range b.Epoch(background, epoch) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, batch.Tensor("y").I64()...)
	}
	return seen
}

func TestWeighted(t *testing.T) {
	weights := []float64{1, 0, 2, 0.5, 0, 4.5, 2, 0}
	sum := 10.0
	for _, c := range []struct {
		name  string
		w     Weighted
		size  int // of an epoch
		batch int
	}{
		{"as many", Weighted{Weights: weights}, 8, 3},
		{"more", Weighted{Weights: weights, Draws: 4000}, 4000, 64},
		{"fewer", Weighted{Weights: weights, Draws: 3}, 3, 5},
		{"distinct", Weighted{Weights: weights, Draws: 5, Distinct: true}, 5, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := numbered(t, len(weights))
			b := s.Batches(c.batch, Options{Weighted: &c.w, Seed: 3, Epochs: 2})
			if b.Err() != nil || b.Examples() != c.size || b.PerEpoch() != (c.size+c.batch-1)/c.batch {
				t.Fatalf("%d examples in %d batches, %v", b.Examples(), b.PerEpoch(), b.Err())
			}
			counts, total := make([]float64, len(weights)), 0.0
			orders := map[string]bool{}
			for epoch := range 6 {
				order := drawn(t, b, epoch)
				if len(order) != c.size || !slices.Equal(order, drawn(t, b, epoch)) {
					t.Fatalf("epoch %d: %v", epoch, order)
				}
				orders[fmt.Sprint(order)] = true
				for _, i := range order {
					counts[i]++
					total++
				}
				if slices.Sort(order); c.w.Distinct && !slices.Equal(order, []int64{0, 2, 3, 5, 6}) {
					t.Errorf("epoch %d has %v", epoch, order)
				}
			}
			if len(orders) < 4 {
				t.Errorf("%d orders of 6 epochs", len(orders))
			}
			for i, w := range weights {
				if p := w / sum; c.size > 1000 && math.Abs(counts[i]/total-p) > 4*math.Sqrt(p*(1-p)/total) || w == 0 && counts[i] > 0 {
					t.Errorf("example %d of weight %v came up %v times of %v", i, w, counts[i], total)
				}
			}
			// Resumed after each batch, with and without prefetching.
			whole := dealt(t, b)
			for from, position := range positions(t, b) {
				for _, prefetch := range []int{-1, 0} {
					rest := dealt(t, s.Batches(c.batch, Options{Weighted: &c.w, Seed: 3, Epochs: 2, Start: position, Prefetch: prefetch}))
					if !slices.Equal(rest, whole[from:]) {
						t.Fatalf("from %v: %q, want %q", position, rest, whole[from:])
					}
				}
				if from > 4 {
					break
				}
			}
		})
	}
}

// positions returns where each batch begins.
func positions(t *testing.T, b *Batches) (at []Position) {
	t.Helper()
	for batch, err := range b.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, batch.Position)
	}
	return at
}

// TestWeightedDraws holds the draws fixed: saved runs depend on them. The distinct ones begin with each example as often as its weight says.
func TestWeightedDraws(t *testing.T) {
	s := numbered(t, 8)
	part, err := s.Slice(2, 7)
	if err != nil {
		t.Fatal(err)
	}
	w := []float64{1, 0, 2, 0.5, 4}
	if got, want := fmt.Sprint(drawn(t, part.Batches(4, Options{Weighted: &Weighted{Weights: w, Draws: 10}, Seed: 7}), 3)), "[6 6 6 6 6 2 4 6 6 6]"; got != want {
		t.Errorf("the draws are %s, want %s", got, want)
	}
	distinct := part.Batches(4, Options{Weighted: &Weighted{Weights: w, Draws: 4, Distinct: true}, Seed: 7})
	first, n := map[int64]float64{}, 3000.0
	for epoch := range int(n) {
		first[drawn(t, distinct, epoch)[0]]++
	}
	for i, x := range w {
		if p := x / 7.5; math.Abs(first[int64(i+2)]/n-p) > 4*math.Sqrt(p*(1-p)/n) {
			t.Errorf("example %d came first %v times of %v", i+2, first[int64(i+2)], n)
		}
	}
}

func TestWrongWeights(t *testing.T) {
	s := numbered(t, 3)
	for _, c := range []struct {
		w    Weighted
		want string
	}{
		{Weighted{}, "0 weights for a set of 3 examples"},
		{Weighted{Weights: []float64{1, -1, 1}}, "the weight of example 1 is -1"},
		{Weighted{Weights: []float64{1, 1, math.NaN()}}, "the weight of example 2 is NaN"},
		{Weighted{Weights: []float64{math.Inf(1), 1, 1}}, "the weight of example 0 is +Inf"},
		{Weighted{Weights: make([]float64, 3)}, "the sum of the weights is 0"},
		{Weighted{Weights: []float64{math.MaxFloat64, math.MaxFloat64, 0}}, "the sum of the weights is +Inf"},
		{Weighted{Weights: []float64{1, 1, 1}, Draws: -1}, "Draws is -1"},
		{Weighted{Weights: []float64{1, 0, 1}, Distinct: true}, "an epoch of 3 distinct examples, and 2 have a weight"},
	} {
		refused(t, c.want, s.Batches(2, Options{Weighted: &c.w}).Err(), c.want)
	}
	refused(t, "drop", s.Batches(3, Options{Weighted: &Weighted{Weights: []float64{1, 1, 1}, Draws: 2}, Last: Drop}).Err(), "an epoch of 2 examples has no full batch of 3")
}

func TestClassWeights(t *testing.T) {
	set := func(labels any, shape ...int) *Set {
		s, err := NewSet(Field{"label", Array{shape, labels}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		name           string
		set            *Set
		class, example []float64
		bad, alsoBad   string // of ClassWeights and BalancedWeights
	}{
		// The example of sklearn.utils.class_weight.compute_class_weight.
		{"two", set([]int32{1, 1, 1, 1, 0, 0}, 6), []float64{1.5, 0.75}, []float64{0.25, 0.25, 0.25, 0.25, 0.5, 0.5}, "", ""},
		{"bytes", set([]uint8{2, 0, 1, 0}, 4, 1), []float64{2. / 3, 4. / 3, 4. / 3}, []float64{1, 0.5, 1, 0.5}, "", ""},
		{"ignored", set([]int64{0, -100, 1, 1}, 4), []float64{1.5, 0.75}, []float64{1, 0, 0.5, 0.5}, "", ""},
		{"gap", set([]int32{0, 2}, 2), nil, []float64{1, 1}, `class 1 of field "label" has no example`, ""},
		{"negative", set([]int32{0, -1}, 2), nil, nil, "example 1 of field \"label\" has the label -1", "BalancedWeights: example 1"},
		{"huge", set([]int64{1 << 40}, 1), nil, nil, "has the label 1.099511627776e+12", "has the label"},
		{"none", set([]int32{-100}, 1), nil, nil, "no example of field \"label\" has a class", "has a class"},
		{"floats", set([]float32{1}, 1), nil, nil, "want one class as i32 or i64", "want one class"},
		{"two a row", set([]int32{1, 0}, 1, 2), nil, nil, "holds i32[2] an example", "holds i32[2] an example"},
	} {
		class, err := c.set.ClassWeights("label")
		if c.bad != "" {
			refused(t, c.name, err, c.bad)
		} else if err != nil || !near(class, c.class) {
			t.Errorf("%s: the weights of the classes are %v, %v, want %v", c.name, class, err, c.class)
		}
		example, err := c.set.BalancedWeights("label")
		if c.alsoBad != "" {
			refused(t, c.name, err, c.alsoBad)
		} else if err != nil || !near(example, c.example) {
			t.Errorf("%s: the weights are %v, %v, want %v", c.name, example, err, c.example)
		}
	}
	s := numbered(t, 3)
	_, err := s.ClassWeights("z")
	refused(t, "no field", err, `no field "z"`)
}

func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-15 })
}
