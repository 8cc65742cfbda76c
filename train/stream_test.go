package train

import (
	"context"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn/data"
)

// This file tests trainings on streams of examples.

// streamed is a stream of the examples of a set, in parts.
func streamed(t *testing.T, set *data.Set, o data.StreamOptions) *data.Stream {
	t.Helper()
	s, err := data.NewStream(func(context.Context, int) iter.Seq2[*data.Set, error] {
		return func(yield func(*data.Set, error) bool) {
			for lo := 0; lo < set.Len(); lo += 7 {
				if part, err := set.Slice(lo, min(lo+7, set.Len())); !yield(part, err) {
					return
				}
			}
		}
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStreamedLoop expects a training on streams that was interrupted to end with the same bits as one that was not, whether the streams know their length or
// not, and the loss and the metrics of a validation stream to be those of the set.
func TestStreamedLoop(t *testing.T) {
	for name, o := range map[string]data.StreamOptions{"unknown length": {Buffer: 20}, "known length": {Buffer: 20, Examples: 50}} {
		t.Run(name, func(t *testing.T) {
			newLoop := func(f *Folder) *Loop {
				l := loop()
				l.Train, l.Valid = streamed(t, examples(50, 1), o), streamed(t, examples(20, 2), data.StreamOptions{})
				l.Folder, l.CheckpointEvery = f, 2
				return l
			}
			whole := newLoop(folder(t))
			e, err := whole.Estimate(context.Background())
			if known := o.Examples > 0; err != nil || known && e.Steps < 1 || !known && e.Steps != -1 || e.Step <= 0 || e.Epoch != 0 {
				t.Errorf("the estimate is %+v, %v", e, err)
			}
			finish(t, whole)
			f := folder(t)
			for stop := 1; ; stop++ {
				l := newLoop(f)
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
			sameRun(t, "interrupted", f, whole.Folder)
			set := examples(20, 2)
			a, err := whole.eval.Measure(context.Background(), set, 6, whole.Target, whole.Metrics...)
			if err != nil {
				t.Fatal(err)
			}
			b, err := whole.eval.Measure(context.Background(), whole.Valid, 6, whole.Target, whole.Metrics...)
			if err != nil || a != b || math.IsNaN(a) {
				t.Errorf("the loss of a stream is %v, that of the set %v, %v", b, a, err)
			}
			weighted := newLoop(nil)
			weighted.Weighted = &data.Weighted{Weights: make([]float64, 50)}
			for _, err := range weighted.Run(context.Background()) {
				if err == nil || !strings.Contains(err.Error(), "cannot be drawn by weight") {
					t.Errorf("weights: %v", err)
				}
			}
		})
	}
}
