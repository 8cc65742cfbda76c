package train

// The tests train with Step and compare with programs run by hand, and evaluate sets that do not fill their batches.

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/optim"
)

// TestStepEqualsProgram takes steps by Over and by hand: the same losses and weights must come out.
func TestStepEqualsProgram(t *testing.T) {
	set := examples(16, 1)
	m := newNet()
	tarn.Init(m, 1)
	out := m.build(tarn.NewGraph(), 8)
	step, err := NewStep(out["loss"], m, optim.NewSGD(0.1))
	if err != nil {
		t.Fatal(err)
	}
	hand := newNet()
	tarn.Init(hand, 1)
	params, _ := tarn.Params(hand)
	g := tarn.NewGraph()
	loss := hand.build(g, 8)["loss"]
	updates, err := optim.NewSGD(0.1).Update(loss, params)
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	runs := int64(0)
	for r, err := range step.Over(context.Background(), set.Batches(8, data.Options{Epochs: 3})) {
		if err != nil {
			t.Fatal(err)
		}
		runs++
		want, err := program.Run(r.Batch.Tensors...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Loss != want["loss"].Item() || r.Run != runs || step.Runs() != runs {
			t.Errorf("run %d: %d with loss %v, want %v", runs, r.Run, r.Loss, want["loss"].Item())
		}
	}
	if runs != 6 {
		t.Errorf("%d runs, want 6", runs)
	}
	sameWeights(t, "after 6 runs", weightsOf(t, m), weightsOf(t, hand))
}

// TestShortBatch trains on 10 examples in batches of 4. The step counter and Adam's moments are common to the programs
// of 4 and of 2 examples, so the weights are those of single programs built for each.
func TestShortBatch(t *testing.T) {
	set := examples(10, 1)
	m := newNet()
	tarn.Init(m, 1)
	opt := optim.NewAdam(0.1)
	opt.Rate = optim.Linear{From: 0.1, To: 0, Steps: 6}
	step, err := NewStepOf(m.build, m, opt)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for r, err := range step.Over(context.Background(), set.Batches(4, data.Options{Epochs: 2})) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, r.Batch.N)
	}
	if len(step.programs) != 2 || len(sizes) != 6 || sizes[2] != 2 || sizes[5] != 2 {
		t.Errorf("%d programs for batches of %v", len(step.programs), sizes)
	}
	hand := newNet()
	tarn.Init(hand, 1)
	params, _ := tarn.Params(hand)
	opt = optim.NewAdam(0.1)
	opt.Rate = optim.Linear{From: 0.1, To: 0, Steps: 6}
	run := int64(0)
	for b, err := range set.Batches(4, data.Options{Epochs: 2}).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		loss := hand.build(g, b.N)["loss"]
		updates, err := opt.Update(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
		if err != nil {
			t.Fatal(err)
		}
		program.SetRuns(run)
		if _, err := program.Run(b.Tensors...); err != nil {
			t.Fatal(err)
		}
		run++
	}
	sameWeights(t, "after two epochs", weightsOf(t, m), weightsOf(t, hand))
}

// TestAccumulation: two micro-batches of 4 make the update of one batch of 8.
func TestAccumulation(t *testing.T) {
	set := examples(16, 1)
	train := func(size, micro int) *net {
		m := newNet()
		tarn.Init(m, 1)
		opt := optim.NewSGD(0.1)
		opt.MicroBatches = micro
		step, err := NewStepOf(m.build, m, opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range step.Over(context.Background(), set.Batches(size, data.Options{Epochs: 2})) {
			if err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	whole, parts := weightsOf(t, train(8, 1)), weightsOf(t, train(4, 2))
	for path, w := range whole {
		if diff := parts[path].Diff(w, 1e-6); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// TestOverEnds: break, the context and errors end the loop, once.
func TestOverEnds(t *testing.T) {
	set := examples(10, 1)
	m := newNet()
	tarn.Init(m, 1)
	step, err := NewStepOf(m.build, m, optim.NewSGD(0.1))
	if err != nil {
		t.Fatal(err)
	}
	for range step.Over(context.Background(), set.Batches(4, data.Options{Epochs: -1})) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	turns := 0
	for r, err := range step.Over(ctx, set.Batches(4, data.Options{Epochs: -1})) {
		turns++
		if last = err; err == nil && r.Run == 5 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || step.Runs() != 5 || turns != 5 {
		t.Errorf("canceled after %d runs, %d turns: %v", step.Runs(), turns, last)
	}

	fixed, err := NewStep(m.build(tarn.NewGraph(), 4)["loss"], m, optim.NewSGD(0.1))
	if err != nil {
		t.Fatal(err)
	}
	turns = 0
	for _, err := range fixed.Over(context.Background(), set.Batches(4, data.Options{})) {
		turns++
		last = err
	}
	if turns != 3 || last == nil || !strings.Contains(last.Error(), `train: epoch 1, batch 3 of 2 examples`) || !strings.Contains(last.Error(), `input "x"`) {
		t.Errorf("a short batch for a program of one size: %d turns, %v", turns, last)
	}
	turns = 0
	for _, err := range fixed.Over(context.Background(), set.Batches(4, data.Options{Last: data.Drop})) {
		if turns++; err != nil {
			t.Error(err)
		}
	}
	if turns != 2 {
		t.Errorf("%d turns without the short batch, want 2", turns)
	}
}

func TestStepErrors(t *testing.T) {
	m := newNet()
	tarn.Init(m, 1)
	sgd := optim.NewSGD(0.1)
	build := func(f func(g *tarn.Graph, n int) tarn.Outputs) func() error {
		return func() error {
			s, err := NewStepOf(f, m, sgd)
			if err == nil {
				err = s.Prepare(4)
			}
			return err
		}
	}
	for _, c := range []struct {
		name string
		f    func() error
		want string
	}{
		{"no loss", func() error { _, err := NewStep(nil, m, sgd); return err }, "loss is nil"},
		{"no build", func() error { _, err := NewStepOf(nil, m, sgd); return err }, "build is nil"},
		{"no build for evaluation", func() error { _, err := NewEval(nil); return err }, "build is nil"},
		{"no optimizer", func() error { _, err := NewStepOf(m.build, m, nil); return err }, "optimizer is nil"},
		{"no model", func() error { _, err := NewStepOf(m.build, nil, sgd); return err }, "no *tarn.Param"},
		{"no output", build(func(g *tarn.Graph, n int) tarn.Outputs { return nil }), `no output "loss"`},
		{"vector", build(func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"loss": g.Input("x", tarn.F32, n, 3).MatMul(m.W1)}
		}), "step_test.go"},
		{"mistake", build(func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"loss": g.Input("x", tarn.F32, n, 4).MatMul(m.W1).Mean()}
		}), "step_test.go"},
		{"no such field", func() error {
			s, _ := NewStepOf(func(g *tarn.Graph, n int) tarn.Outputs {
				return tarn.Outputs{"loss": g.Input("z", tarn.F32, n, 3).MatMul(m.W1).Mean()}
			}, m, sgd)
			for _, err := range s.Over(context.Background(), examples(4, 1).Batches(4, data.Options{})) {
				return err
			}
			return nil
		}, `input "z" and the data set no field`},
	} {
		if err := c.f(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// TestMeasure evaluates 21 examples in batches of several sizes, which must make no difference.
func TestMeasure(t *testing.T) {
	m := newNet()
	tarn.Init(m, 1)
	set := examples(21, 2)
	eval, err := NewEval(m.build)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	mae := &MAE{}
	want, err := eval.Measure(ctx, set, 21, "y", mae)
	if err != nil {
		t.Fatal(err)
	}
	wantMAE := mae.Value()
	for _, size := range []int{1, 4, 20, 100} {
		loss, err := eval.Measure(ctx, set, size, "y", mae)
		if err != nil || math.Abs(loss-want) > 1e-6 || math.Abs(mae.Value()-wantMAE) > 1e-6 {
			t.Errorf("batches of %d: loss %v and MAE %v, %v, want %v and %v", size, loss, mae.Value(), err, want, wantMAE)
		}
	}
	if _, err := eval.Measure(ctx, set, 8, "label", mae); err == nil || !strings.Contains(err.Error(), `no field "label"`) {
		t.Errorf("a target that is not there: %v", err)
	}
	if _, err := eval.Measure(ctx, set, 0, "y"); err == nil {
		t.Error("batches of 0 are accepted")
	}
	bare, _ := NewEval(func(g *tarn.Graph, n int) tarn.Outputs { return tarn.Outputs{"loss": m.build(g, n)["loss"]} })
	if _, err := bare.Measure(ctx, set, 8, "y", mae); err == nil || !strings.Contains(err.Error(), `"prediction"`) {
		t.Errorf("no prediction: %v", err)
	}
	marked := false
	mode, _ := NewEval(func(g *tarn.Graph, n int) tarn.Outputs { marked = !g.Training(); return m.build(g, n) })
	if mode.Measure(ctx, set, 8, "y"); !marked {
		t.Error("the graph is not marked for evaluation")
	}
}

// TestStepAllocations: a loop of 200 steps allocates what one of 20 does, so a step allocates nothing.
func TestStepAllocations(t *testing.T) {
	m := newNet()
	tarn.Init(m, 1)
	step, err := NewStepOf(m.build, m, optim.NewAdam(0.01))
	if err != nil {
		t.Fatal(err)
	}
	set := examples(76, 1) // ten batches, the last a short one
	loop := func(epochs int) func() {
		return func() {
			for _, err := range step.Over(context.Background(), set.Batches(8, data.Options{Shuffle: true, Epochs: epochs, Prefetch: -1})) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	few, many := testing.AllocsPerRun(10, loop(2)), testing.AllocsPerRun(10, loop(20))
	if many > few {
		t.Errorf("%v allocations in 200 steps, %v in 20", many, few)
	}
}
