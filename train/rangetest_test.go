package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// rangeTest is a test on the model of the tests, with plain gradient descent.
func rangeTest(microBatches int) *RangeTest {
	m := newNet()
	m.drop = 0.05
	tarn.Init(m, 5)
	r := NewRangeTest(m.build, m, func(rate optim.Schedule) optim.Optimizer {
		o := optim.NewSGD(0)
		o.Rate, o.MicroBatches = rate, microBatches
		return o
	}, examples(50, 1))
	r.From, r.To, r.Batch = 1e-4, 1e4, 8
	return r
}

// TestRangeTest expects a curve that falls and then rises, whose suggestion trains, and a model left as it was.
func TestRangeTest(t *testing.T) {
	for _, microBatches := range []int{1, 3} {
		r := rangeTest(microBatches)
		before := weightsOf(t, r.Model)
		c, err := r.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		sameWeights(t, "after the test", weightsOf(t, r.Model), before)
		n := len(c.Rates)
		if n == 100 || n < 30 || len(c.Losses) != n || len(c.Smoothed) != n {
			t.Fatalf("%d rates, %d losses, %d smoothed", n, len(c.Losses), len(c.Smoothed))
		}
		step := math.Pow(1e8, 1.0/99)
		for i, rate := range c.Rates {
			if math.Abs(rate/(1e-4*math.Pow(step, float64(i)))-1) > 1e-9 {
				t.Fatalf("rate %d is %v", i, rate)
			}
		}
		if !(c.Steepest > 1e-3 && c.Steepest < c.Lowest && c.Lowest < 100 && c.Smoothed[n-1] > c.Smoothed[0]) {
			t.Errorf("steepest %v, lowest %v, losses %v", c.Steepest, c.Lowest, c.Smoothed)
		}
		l := loop()
		l.Optimizer = optim.NewSGD(c.Steepest)
		finish(t, l)
		if h := l.History(); !(h[len(h)-1].ValLoss < 0.03) {
			t.Errorf("with the rate %v the losses are %+v", c.Steepest, h)
		}
	}
}

func TestRangeTestMistakes(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		name   string
		change func(r *RangeTest)
		want   string
	}{
		{"build", func(r *RangeTest) { r.Build = nil }, "Build or Optimizer is nil"},
		{"set", func(r *RangeTest) { r.Train = nil }, "the training set is nil"},
		{"rates", func(r *RangeTest) { r.From = 0 }, "the rates go from 0 to 10000"},
		{"order", func(r *RangeTest) { r.To = 1e-5 }, "should be positive, finite and rise"},
		{"updates", func(r *RangeTest) { r.Updates = 2 }, "Updates is 2"},
		{"batch", func(r *RangeTest) { r.Batch = 0 }, "Batch is 0"},
		{"diverged", func(r *RangeTest) { r.Diverged = 1 }, "Diverged is 1"},
		{"model", func(r *RangeTest) { r.Model = &struct{}{} }, "holds no *tarn.Param"},
		{"optimizer", func(r *RangeTest) { r.Optimizer = func(optim.Schedule) optim.Optimizer { return nil } }, "the optimizer is nil"},
		{"too large", func(r *RangeTest) { r.From, r.To = 1e20, 1e30 }, "after 1 updates; try a smaller From"},
	} {
		r := rangeTest(1)
		test.change(r)
		if _, err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	r := rangeTest(1)
	before := weightsOf(t, r.Model)
	if _, err := r.Run(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	sameWeights(t, "canceled", weightsOf(t, r.Model), before)
}
