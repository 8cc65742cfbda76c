package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the learning-rate range test, which shows what rates a training can bear.

// RangeTest trains for some updates while the learning rate rises from a very small to a very large one, an equal factor at
// each, and records the losses. Where they fall most steeply is a good rate; where they rise is too large a one. The model's
// weights and states are afterwards what they were before. (Smith 2017, Cyclical learning rates for training neural networks.)
//
// Equal in its method to lr_find of fastai.
type RangeTest struct {
	Build     Build
	Model     any
	Optimizer func(rate optim.Schedule) optim.Optimizer // makes the optimizer with the Rate given
	Train     data.Source

	From, To float64 // the first and the last rate
	Updates  int     // the most updates; the test ends before where the losses have risen far
	Batch    int     // examples in a batch
	Seed     uint64  // of shuffling and of the random ops of the graph
	Diverged float64 // the test ends when the smoothed loss is this many times the lowest, or not finite
}

// NewRangeTest returns a test of 100 updates with rates from 1e-7 to 10 in batches of 128, which ends at 4 times the lowest loss.
func NewRangeTest(build Build, model any, optimizer func(rate optim.Schedule) optim.Optimizer, set data.Source) *RangeTest {
	return &RangeTest{Build: build, Model: model, Optimizer: optimizer, Train: set, From: 1e-7, To: 10, Updates: 100, Batch: 128, Diverged: 4}
}

// RateCurve is what a RangeTest found.
type RateCurve struct {
	Rates    []float64 // of the updates
	Losses   []float64 // at each, before the update
	Smoothed []float64 // a running mean of them
	Steepest float64   // the rate at which the smoothed loss falls most by the logarithm of the rate: the suggestion
	Lowest   float64   // the rate at which it is lowest, and about to rise: a tenth of it is the cautious choice
}

// Run takes the test.
func (r *RangeTest) Run(ctx context.Context) (curve *RateCurve, err error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	params, err := tarn.Params(r.Model)
	if err != nil {
		return nil, err
	}
	defer restore(params.List())(&err)
	factor := math.Pow(r.To/r.From, 1/float64(r.Updates-1))
	optimizer := r.Optimizer(optim.Exponential{Rate: r.From, Factor: factor})
	step, err := NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
		g.Seed(r.Seed)
		return r.Build(g, n)
	}, params, optimizer)
	if err != nil {
		return nil, err
	}
	step.SkipNonFinite = true // it ends the test
	size := r.Batch
	if n := r.Train.Len(); n >= 0 {
		size = min(size, n)
	}
	batches := r.Train.Batches(size, data.Options{Shuffle: true, Seed: r.Seed, Last: data.Drop, Epochs: -1})
	curve = &RateCurve{}
	sum, runs := 0.0, 0
	for result, err := range step.Over(ctx, batches) {
		if err != nil {
			return nil, err
		}
		if result.Skipped || result.Count != 0 { // the loss of nothing is no number
			sum, runs = sum+result.Loss, runs+1
		}
		if runs == 0 || !updatesAt(optimizer, result.Run-1) {
			continue
		}
		rate := r.From * math.Pow(factor, float64(len(curve.Rates)))
		if curve.add(rate, sum/float64(runs), r.Diverged) || len(curve.Rates) == r.Updates {
			break
		}
		sum, runs = 0, 0
	}
	return curve, curve.suggest()
}

func (r *RangeTest) check() error {
	switch {
	case r.Build == nil || r.Optimizer == nil:
		return errors.New("train: RangeTest: Build or Optimizer is nil; NewRangeTest takes both")
	case none(r.Train) || r.Train.Len() == 0:
		return errors.New("train: RangeTest: the training set is nil or has no examples")
	case !(r.From > 0 && r.To > r.From) || math.IsInf(r.To, 1):
		return fmt.Errorf("train: RangeTest: the rates go from %v to %v; they should be positive, finite and rise", r.From, r.To)
	case r.Updates < 3:
		return fmt.Errorf("train: RangeTest: Updates is %d and should be at least 3", r.Updates)
	case r.Batch < 1:
		return fmt.Errorf("train: RangeTest: Batch is %d and should be at least 1", r.Batch)
	case !(r.Diverged > 1):
		return fmt.Errorf("train: RangeTest: Diverged is %v and should be above 1", r.Diverged)
	}
	return nil
}

// restore copies the params, and gives the function that puts the copies back.
func restore(params []*tarn.Param) func(err *error) {
	var copies []*tarn.Tensor
	for _, p := range params {
		copies = append(copies, p.Tensor().Clone())
	}
	return func(err *error) {
		for i, p := range params {
			*err = errors.Join(*err, p.Set(copies[i]))
		}
	}
}

// smoothing is the share of the past in the running mean of the losses.
const smoothing = 0.9

// add appends an update and reports whether the losses have diverged; a loss that is not finite is left out.
func (c *RateCurve) add(rate, loss, diverged float64) bool {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return true
	}
	c.Rates, c.Losses = append(c.Rates, rate), append(c.Losses, loss)
	// The mean is weighted, so that it is right from the first loss on.
	mean, weight := 0.0, 0.0
	if n := len(c.Smoothed); n > 0 {
		weight = 1 - math.Pow(smoothing, float64(n))
		mean = c.Smoothed[n-1] * weight
	}
	mean = (smoothing*mean + (1-smoothing)*loss) / (smoothing*weight + (1 - smoothing))
	c.Smoothed = append(c.Smoothed, mean)
	lowest := slices.Min(c.Smoothed)
	// A loss may be negative: what counts is the distance from the lowest, in units of its size.
	return mean > lowest+(diverged-1)*math.Abs(lowest)
}

// suggest finds the rates that stand out.
func (c *RateCurve) suggest() error {
	if len(c.Smoothed) < 3 {
		return fmt.Errorf("train: RangeTest: the loss was not finite, or had risen far, after %d updates; try a smaller From, or other initial weights", len(c.Rates))
	}
	low := slices.Index(c.Smoothed, slices.Min(c.Smoothed))
	c.Lowest, c.Steepest = c.Rates[low], c.Rates[low]
	// The slope is taken over some updates, because of the noise of batches, and not at the very start, where the running
	// mean is over few losses.
	n := len(c.Smoothed)
	around, steepest := 1+n/20, 0.0
	for i := max(n/10, around); i <= low && i+around < n; i++ {
		if slope := c.Smoothed[i+around] - c.Smoothed[i-around]; slope < steepest {
			steepest, c.Steepest = slope, c.Rates[i]
		}
	}
	return nil
}
