package train

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
)

// This file cancels trainings in the middle of a run.

// hangs is build with a loop in front of the loss that does not end in the run of the given number, nor in evaluations that have it;
// none if that is negative.
func hangs(build Build, run float64) Build {
	return func(g *tarn.Graph, n int) tarn.Outputs {
		out := build(g, n)
		runs := g.Runs().Cast(tarn.F32)
		nothing := tarn.While([]*tarn.Value{g.Num(tarn.F32, 0)},
			func(c []*tarn.Value) *tarn.Value { return runs.Eq(tarn.Num(run)).And(c[0].Eq(tarn.Num(0))) },
			func(c []*tarn.Value) []*tarn.Value { return c })[0]
		out["loss"] = out["loss"].Add(nothing)
		return out
	}
}

// TestCancelRun cancels a training while a run that never ends is in progress. The checkpoint is that of the run before, and the training
// resumes to the bits of one that was not canceled.
func TestCancelRun(t *testing.T) {
	whole := loop()
	whole.Build, whole.Folder = hangs(whole.Build, -1), folder(t)
	finish(t, whole)

	f := folder(t)
	l := loop()
	l.Build, l.Folder = hangs(l.Build, 7), f
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for p, err := range l.Run(ctx) {
		if last = err; err == nil && p.Runs > 7 {
			t.Fatalf("run %d ends", p.Runs)
		}
		if err == nil && p.Runs == 7 {
			time.AfterFunc(20*time.Millisecond, cancel) // in the next run, which does not end
		}
	}
	if !errors.Is(last, context.Canceled) || !strings.Contains(last.Error(), "checkpoint written") {
		t.Fatalf("the training ends with %v", last)
	}

	l = loop()
	l.Build, l.Folder = hangs(l.Build, -1), f
	finish(t, l)
	sameRun(t, "the training that goes on after a run was canceled", f, whole.Folder)
}

// TestCancelStep cancels steps and evaluations in the middle of a run.
func TestCancelStep(t *testing.T) {
	set := examples(16, 1)
	for _, tt := range []struct {
		name string
		run  func(ctx context.Context, l *Loop) error
	}{
		{"Step.Over", func(ctx context.Context, l *Loop) error {
			s, err := NewStepOf(l.Build, l.Model, l.Optimizer)
			if err != nil {
				return err
			}
			for _, err := range s.Over(ctx, set.Batches(16, data.Options{})) {
				if s.Runs() != 0 {
					t.Error("the run counts")
				}
				return err
			}
			return nil
		}},
		{"Eval.Over", func(ctx context.Context, l *Loop) error {
			e, err := NewEval(l.Build)
			if err != nil {
				return err
			}
			for _, err := range e.Over(ctx, set.Batches(16, data.Options{})) {
				return err
			}
			return nil
		}},
		{"Eval.Measure", func(ctx context.Context, l *Loop) error {
			e, err := NewEval(l.Build)
			if err != nil {
				return err
			}
			_, err = e.Measure(ctx, set, 16, "y")
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := loop()
			l.Build = hangs(l.Build, 0)
			before := weightsOf(t, l.Model)
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			if err := tt.run(ctx, l); !errors.Is(err, cause) {
				t.Errorf("the error is %v", err)
			}
			sameWeights(t, tt.name, weightsOf(t, l.Model), before)
		})
	}
}
