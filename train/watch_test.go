package train

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/watch"
)

// TestWatch trains with and without looks, in one go and interrupted: the weights have the same bits, and the records are
// the same.
func TestWatch(t *testing.T) {
	train := func(watched bool, stops ...int64) (*Folder, *watch.History) {
		f := folder(t)
		for i := 0; ; i++ {
			l := loop()
			l.Folder, l.CheckpointEvery = f, 1
			l.Watch = &watch.Options{Every: 4, Values: func(out tarn.Outputs) map[string]*tarn.Value {
				return map[string]*tarn.Value{"twice": out["loss"].Scale(2)}
			}}
			if !watched {
				l.Watch = nil
			}
			if i == len(stops) {
				finish(t, l)
				break
			}
			ctx, cancel := context.WithCancel(t.Context())
			for p, err := range l.Run(ctx) {
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
					break
				}
				if p.Runs >= stops[i] {
					cancel()
				}
			}
			cancel()
		}
		if !watched {
			if _, err := os.Stat(f.Path(watch.FileName)); err == nil {
				t.Error("a training that is not watched has records")
			}
			return f, nil
		}
		h, err := watch.Load(f.Path(watch.FileName))
		if err != nil {
			t.Fatal(err)
		}
		return f, h
	}
	plain, _ := train(false)
	whole, want := train(true)
	sameRun(t, "watched", whole, plain)
	h := want.Header
	if h.Every != 4 || h.Batch != 8 || h.Examples != 50 || h.Epochs != 12 || h.Task != "numbers" || h.Optimizer != "adam" || !(*h.Chance > 0) {
		t.Errorf("the header is %+v", h)
	}
	// Two of three runs are no looks and no accumulations, and five of those are timed.
	if p := want.Program; p == nil || p.Timed != 5 || p.Run < 10 || len(p.Steps) < 5 || p.Arena == 0 || p.Params == 0 {
		t.Errorf("the program is described as %+v", p)
	} else {
		flops, seconds := 0, 0.0
		for _, s := range p.Steps {
			flops, seconds = flops+s.Flops, seconds+s.Seconds
			if s.Work == "" || s.Op == "" || s.Place == "" {
				t.Errorf("a step is %+v", s)
			}
		}
		if flops < 1000 || !(seconds > 0) {
			t.Errorf("the program takes %d operations and %v s", flops, seconds)
		}
	}
	var runs []int64
	for _, s := range want.Steps {
		runs = append(runs, s.Run)
		if math.Abs(float64(s.Values["twice"])-2*float64(s.Loss)) > 1e-5*math.Abs(float64(s.Loss)) || !(s.Rate > 0) || s.ClippedNorm != s.GradNorm || s.Epoch != int(s.Run-1)/7+1 {
			t.Errorf("the look at run %d is %+v", s.Run, s)
		}
	}
	if !slices.Equal(runs[:4], []int64{2, 10, 18, 26}) { // updates 0, 4, 8, 12 of two runs each
		t.Errorf("the looks were at the runs %v", runs)
	}
	if len(want.Epochs) != 12 || want.Epochs[2].Run != 21 || len(want.Epochs[2].Metrics) != 2 {
		t.Errorf("the epochs are %+v", want.Epochs)
	}
	again, got := train(true, 10, 33)
	sameRun(t, "watched and resumed", again, plain)
	for i := range got.Steps {
		a, b := &got.Steps[i], &want.Steps[i]
		if a.Memory == nil || b.Memory == nil || (b.Busy == nil) != (i == 0) {
			t.Errorf("the load at run %d is %v and %v processors, %v and %v bytes", b.Run, a.Busy, b.Busy, a.Memory, b.Memory)
		}
		a.Seconds, b.Seconds, a.Busy, b.Busy, a.Memory, b.Memory = 0, 0, nil, nil, nil, nil
		if a.Cosine == nil { // the step before was taken by an earlier process
			b.Cosine, b.Alpha, b.NoiseScale = nil, nil, nil
		}
		a.Layers.Dead, b.Layers.Dead = nil, nil // the window begins anew
		if !reflect.DeepEqual(a, b) {
			t.Errorf("the look at run %d, resumed, is\n%+v\nwant\n%+v", b.Run, *a, *b)
		}
	}
	if len(got.Steps) != len(want.Steps) || len(got.Epochs) != len(want.Epochs) {
		t.Errorf("there are %d looks and %d epochs, want %d and %d", len(got.Steps), len(got.Epochs), len(want.Steps), len(want.Epochs))
	}
	if _, err := OpenFolder(again.Dir()); err != nil {
		t.Error(err)
	}
}

// TestWatchStep looks at a step that is run by hand, with clipping.
func TestWatchStep(t *testing.T) {
	m := newNet()
	if err := tarn.Init(m, 5); err != nil {
		t.Fatal(err)
	}
	opt := optim.NewSGD(0.1)
	opt.ClipNorm = 1e-3
	s, err := NewStepOf(m.build, m, opt)
	if err != nil {
		t.Fatal(err)
	}
	s.Watch = watch.New(watch.Options{Every: 2})
	set := examples(16, 1)
	looks := 0
	for range 4 {
		for b, err := range set.Batches(16, data.Options{}).All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.take(t.Context(), b, b.N)
			if err != nil {
				t.Fatal(err)
			}
			if (r.Look != nil) != (r.Run%2 == 1) {
				t.Errorf("run %d has the look %v", r.Run, r.Look)
			}
			if r.Look != nil {
				looks++
				if c := float64(r.Look.ClippedNorm); math.Abs(c-1e-3) > 1e-5 {
					t.Errorf("the clipped norm is %v", c)
				}
				if r.Look.Rate != 0.1 || len(s.Watched().Params) != len(r.Look.Params.Norm) {
					t.Errorf("the look is %+v", r.Look)
				}
			}
		}
	}
	if looks != 2 {
		t.Errorf("there were %d looks", looks)
	}
}

// TestVerdicts trains with rates that are too large, with a folder and without: the loop tells what is wrong, and records it.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name  string
		rate  float64
		stop  bool // break out of the loop at the verdict
		rules []string
	}{
		{"well", 0.01, false, nil},
		{"diverging", 3, false, []string{"large-rate"}},
		{"stopped", 3, true, []string{"large-rate"}},
	} {
		for _, kept := range []bool{false, true} {
			l := loop()
			opt := optim.NewSGD(c.rate)
			l.Optimizer, l.Watch, l.Valid, l.Metrics, l.EarlyStopping = opt, &watch.Options{Every: 2}, nil, nil, nil
			if kept {
				l.Folder = folder(t)
			}
			var rules []string
			for p, err := range l.Run(t.Context()) {
				var e *tarn.NonFiniteError
				if err != nil && !errors.As(err, &e) {
					t.Fatal(err)
				}
				if err == nil && p.Verdict != nil {
					rules = append(rules, p.Verdict.Rule)
					if c.stop {
						break
					}
				}
			}
			if !slices.Equal(rules, c.rules) {
				t.Errorf("%s, with a folder %v: the verdicts are %v, want %v", c.name, kept, rules, c.rules)
			}
			if !kept {
				continue
			}
			h, err := watch.Load(l.Folder.Path(watch.FileName))
			if err != nil {
				t.Fatal(err)
			}
			var recorded []string
			for _, v := range h.Verdicts {
				recorded = append(recorded, v.Rule)
			}
			if !slices.Equal(recorded, c.rules) || c.rate > 1 && (h.Failure == nil || !h.Failure.Overflow) {
				t.Errorf("%s: recorded are the verdicts %v and the failure %+v", c.name, recorded, h.Failure)
			}
		}
	}
}

// TestConfusion records what a validation confuses if a metric compares classes, and compares it with the metric that counts the same.
func TestConfusion(t *testing.T) {
	for _, c := range []struct {
		name    string
		classes int
		metrics []Metric
		watch   *watch.Options
		epochs  int // that are recorded
	}{
		{"accuracy", 3, []Metric{&Accuracy{}}, &watch.Options{}, 2},
		{"top", 3, []Metric{&TopK{K: 2}}, &watch.Options{}, 2},
		{"counted already", 3, []Metric{&ConfusionMatrix{}}, &watch.Options{}, 2},
		{"most", maxConfusion, []Metric{&Accuracy{}}, &watch.Options{}, 2},
		{"too many", maxConfusion + 1, []Metric{&Accuracy{}}, &watch.Options{}, 0},
		{"no metric", 3, nil, &watch.Options{}, 0},
		{"not watched", 3, []Metric{&Accuracy{}}, nil, 0},
	} {
		x := make([]float32, 3*40)
		label := make([]int32, 40)
		for i := range label {
			label[i] = int32(i % 3)
			x[3*i+i%2] = float32(i%5) - 2
		}
		set, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{40, 3}, Data: x}}, data.Field{Name: "label", Array: data.Array{Shape: []int{40}, Data: label}})
		if err != nil {
			t.Fatal(err)
		}
		m := nn.NewLinear(3, c.classes)
		if err := tarn.Init(m, 1); err != nil {
			t.Fatal(err)
		}
		build := func(g *tarn.Graph, n int) tarn.Outputs {
			scores := m.Forward(g.Input("x", tarn.F32, n, 3))
			return tarn.Outputs{"loss": nn.CrossEntropy(scores, g.Input("label", tarn.I32, n)), "prediction": scores}
		}
		l := NewLoop(build, m, optim.NewSGD(0.1), set)
		l.Epochs, l.Batch, l.Valid, l.Metrics, l.Watch = 2, 16, set, c.metrics, c.watch
		heard := &listener{}
		l.Loggers = []Logger{heard}
		finish(t, l)
		var found []*watch.Confusion
		for _, line := range heard.lines {
			if line.Confusion != nil {
				found = append(found, line.Confusion)
			}
		}
		if len(found) != c.epochs {
			t.Errorf("%s: %d epochs have confusions, want %d", c.name, len(found), c.epochs)
		}
		if len(found) == 0 {
			continue
		}
		want := &ConfusionMatrix{}
		e, err := NewEval(build)
		if err == nil {
			_, err = e.Measure(t.Context(), set, 16, "label", want)
		}
		if last := found[len(found)-1]; err != nil || last.Epoch != 2 || last.Run != 6 || !reflect.DeepEqual(last.Counts, want.Counts) {
			t.Errorf("%s: recorded is %+v, want %v (%v)", c.name, last, want.Counts, err)
		}
		if got := l.History()[1].Metrics; len(got) != len(c.metrics) {
			t.Errorf("%s: the record has the metrics %v", c.name, got)
		}
	}
}
