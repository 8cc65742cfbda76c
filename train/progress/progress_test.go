package progress

// The tests show a few steps on a writer that is taken for a terminal, and on one that is not.

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// show takes two epochs of three batches with enough time between them for each to be drawn.
func show(d *Display) {
	for epoch := range 2 {
		for batch := range 3 {
			d.drawn = time.Time{}
			d.Show(&train.Progress{Epoch: epoch + 1, Epochs: 2, Batch: batch + 1, Batches: 3, Loss: 2, MeanLoss: 0.25, Rate: 1234})
		}
		d.Show(&train.Progress{Epoch: epoch + 1, Epochs: 2, Batch: 3, Batches: 3, Record: &train.Record{
			Epoch: epoch + 1, TrainLoss: 0.25, ValLoss: 0.5, Metrics: map[string]float64{"top_5": 1, "accuracy": 0.75}, Rate: 1234, Seconds: 1.25,
		}})
	}
	d.Close()
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	show(New(&b))
	want := `epoch 1/2  batch 1/3  loss 0.2500  1234 examples/s
epoch 1/2  batch 2/3  loss 0.2500  1234 examples/s
epoch 1/2  batch 3/3  loss 0.2500  1234 examples/s
epoch 1/2  loss 0.2500  validation loss 0.5000  accuracy 0.7500  top_5 1.0000  1234 examples/s  1.2s
epoch 2/2  batch 1/3  loss 0.2500  1234 examples/s
epoch 2/2  batch 2/3  loss 0.2500  1234 examples/s
epoch 2/2  batch 3/3  loss 0.2500  1234 examples/s
epoch 2/2  loss 0.2500  validation loss 0.5000  accuracy 0.7500  top_5 1.0000  1234 examples/s  1.2s
`
	if b.String() != want {
		t.Errorf("lines\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	New(&b).Show(&train.Progress{Epoch: 1, Epochs: 2, Batch: 1, Batches: 3})
	if b.Len() != 0 {
		t.Errorf("a line within an epoch before its time: %q", b.String())
	}
	New(&b).Show(&train.Progress{Epoch: 1, Epochs: 2, Batch: 1, Batches: 3, Verdict: &watch.Verdict{Rule: "x", Severity: "fault", Headline: "too large"}})
	New(&b).Show(&train.Progress{Epoch: 1, Epochs: 2, Batch: 2, Batches: 3, Verdict: &watch.Verdict{}})
	if got, want := b.String(), "doctor: fault: too large\ndoctor: nothing seems wrong any more\n"; got != want {
		t.Errorf("verdicts %q, want %q", got, want)
	}
	if got, want := Line(train.Record{Epoch: 1, ValLoss: math.NaN()}, 3), "epoch 1/3  loss 0.0000  0 examples/s  0.0s"; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
}

func TestBar(t *testing.T) {
	var b bytes.Buffer
	d := New(&b)
	d.terminal = true
	show(d)
	got := b.String()
	for _, want := range []string{"\repoch 1/2  loss 0.2500  1234/s", "epoch 2/2  loss 0.2500 ▁▁▁▁▁▁  1234/s", "66%", "accuracy 0.7500  top_5 1.0000  1234 examples/s  1.2s\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 2 {
		t.Errorf("%d lines stay, want 2: %q", n, got)
	}
}

// TestSpark draws losses of trainings that are short, long, and not finite.
func TestSpark(t *testing.T) {
	falling := func(n int) (losses []float64) {
		for i := range n {
			losses = append(losses, float64(n-i))
		}
		return losses
	}
	for _, c := range []struct {
		losses []float64
		want   string
	}{
		{nil, ""}, {[]float64{1}, ""}, {[]float64{1, 1}, "▁▁"}, {[]float64{2, 1}, "█▁"}, {falling(8), "█▇▆▅▄▃▂▁"},
		{[]float64{1, math.NaN(), math.Inf(1), 0}, "█▁"}, {[]float64{-math.MaxFloat64, math.MaxFloat64}, "▁█"},
		{falling(12), "██▇▆▆▅▄▃▃▂▁▁"}, {falling(13), "█▇▆▄▃▂▁"}, {falling(12 << 10), "██▇▆▆▅▄▃▃▂▁▁"},
	} {
		var s spark
		for _, x := range c.losses {
			s.add(x)
		}
		if got := s.String(); got != c.want {
			t.Errorf("%d losses draw %q, want %q", len(c.losses), got, c.want)
		}
	}
}
