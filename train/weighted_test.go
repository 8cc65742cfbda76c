package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

// This file tests trainings whose examples are drawn by weight, and metrics that are bound to outputs and fields.

// weightedLoop draws 20 of the 50 examples an epoch, by weight.
func weightedLoop() *Loop {
	l := loop()
	weights := make([]float64, 50)
	for i := range weights[10:] {
		weights[10+i] = float64(1 + i%3)
	}
	l.Weighted, l.Epochs = &data.Weighted{Weights: weights, Draws: 20}, 4
	return l
}

// TestWeightedLoop expects a training by weights that was interrupted to end with the same bits, and one with other weights to be refused.
func TestWeightedLoop(t *testing.T) {
	whole := weightedLoop()
	whole.Folder = folder(t)
	for p, err := range whole.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Batches != 3 {
			t.Fatalf("an epoch has %d batches", p.Batches)
		}
	}
	f := folder(t)
	for stop := 2; ; stop++ {
		l := weightedLoop()
		l.Folder = f
		ctx, cancel := context.WithCancel(context.Background())
		turns, ended := 0, true
		for _, err := range l.Run(ctx) {
			if err != nil {
				ended = false
				break
			}
			if turns++; turns == stop {
				cancel()
			}
		}
		cancel()
		if ended {
			break
		}
	}
	again := weightedLoop()
	again.Folder = f
	sameRun(t, "interrupted", again.Folder, whole.Folder)
	for name, change := range map[string]func(l *Loop){
		"other weights":  func(l *Loop) { l.Weighted.Weights[3] = 1 },
		"other draws":    func(l *Loop) { l.Weighted.Draws = 21 },
		"distinct":       func(l *Loop) { l.Weighted.Distinct = true },
		"without weight": func(l *Loop) { l.Weighted = nil },
	} {
		l := weightedLoop()
		change(l)
		l.Folder, l.Epochs = f, 6
		var last error
		for _, last = range l.Run(context.Background()) {
		}
		if last == nil || !strings.Contains(last.Error(), "drawn by other weights") {
			t.Errorf("%s: the error is %v", name, last)
		}
	}
}

// TestBoundMetrics measures two outputs against two fields.
func TestBoundMetrics(t *testing.T) {
	build := func(g *tarn.Graph, n int) tarn.Outputs {
		x, y := g.Input("x", tarn.F32, n, 3), g.Input("y", tarn.F32, n, 1)
		return tarn.Outputs{"loss": x.Sum().Add(y.Sum()), "prediction": y.Scale(2), "twice": x.Scale(2)}
	}
	eval, err := NewEval(build)
	if err != nil {
		t.Fatal(err)
	}
	set := examples(9, 1)
	mean := func(name string) float64 { // of the absolute values of a field
		values, err := set.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, x := range values.Floats() {
			sum += math.Abs(x)
		}
		return sum / float64(values.Size())
	}
	metrics := []Metric{&MAE{}, &On{Metric: &MAE{}, Output: "twice", Field: "x"}, &On{Metric: &MAE{}, Label: "same"}}
	if _, err := eval.Measure(context.Background(), set, 4, "y", metrics...); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name  string
		value float64
	}{{"mae", mean("y")}, {"mae.twice", mean("x")}, {"same", mean("y")}} {
		if m := metrics[i]; m.Name() != want.name || math.Abs(m.Value()-want.value) > 1e-7 {
			t.Errorf("%s is %v, want %s = %v", m.Name(), m.Value(), want.name, want.value)
		}
	}
	for want, m := range map[string]Metric{
		`metric "mae" needs its targets: the data set has no field "angle"`: &On{Metric: &MAE{}, Field: "angle"},
		`metric "mae.head" needs an output "head"`:                          &On{Metric: &MAE{}, Output: "head"},
	} {
		if _, err := eval.Measure(context.Background(), set, 4, "y", m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
