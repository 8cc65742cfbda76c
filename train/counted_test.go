package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
)

// tagger tells the class of each of 5 places of a row; many have the label -100, which does not count, and some rows have nothing else.
type tagger struct {
	Out  *nn.Linear
	loss func(logits, labels *tarn.Value) tarn.Outputs
}

const places, tags = 5, 3

func newTagger(loss func(logits, labels *tarn.Value) tarn.Outputs) *tagger {
	m := &tagger{nn.NewLinear(4, tags), loss}
	tarn.Init(m, 3)
	return m
}

func (m *tagger) build(g *tarn.Graph, n int) tarn.Outputs {
	x, labels := g.Input("x", tarn.F32, n, places, 4), g.Input("label", tarn.I32, n, places)
	logits := m.Out.Forward(x)
	outputs := m.loss(logits, labels)
	outputs["prediction"] = logits
	return outputs
}

// tagged has n rows; the last ones have only ignored labels.
func tagged(n, empty int) *data.Set {
	x := tarn.Zeros(tarn.F32, n, places, 4)
	tarn.NewRandom(1, "x").Normal(x, 0, 1)
	labels := make([]int32, n*places)
	for i := range labels {
		if labels[i] = int32(i * i % tags); i*7%11 < 5 || i/places >= n-empty {
			labels[i] = -100
		}
	}
	set, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: x.Shape(), Data: x.F32()}},
		data.Field{Name: "label", Array: data.Array{Shape: []int{n, places}, Data: labels}})
	if err != nil {
		panic(err)
	}
	return set
}

// countedLosses are means over what counts.
var countedLosses = []struct {
	name string
	loss func(logits, labels *tarn.Value) tarn.Outputs
}{
	{"cross-entropy", func(logits, labels *tarn.Value) tarn.Outputs {
		return tarn.Outputs{"loss": nn.CrossEntropy(logits, labels)}
	}},
	{"weighted", func(logits, labels *tarn.Value) tarn.Outputs {
		return tarn.Outputs{"loss": nn.CrossEntropyLoss{Weight: []float64{1, 2, 0.5}}.Loss(logits, labels)}
	}},
	{"nll", func(logits, labels *tarn.Value) tarn.Outputs {
		return tarn.Outputs{"loss": nn.NLL(logits.LogSoftmax(-1), labels)}
	}},
	{"by hand", func(logits, labels *tarn.Value) tarn.Outputs {
		keep := labels.Ne(tarn.Num(-100))
		squares := keep.Where(logits.Square().Sum(-1), tarn.Num(0))
		count := keep.Cast(tarn.F32).Sum()
		return tarn.Outputs{"loss": squares.Sum().Div(count.Maximum(tarn.Num(1))), "count": count}
	}},
}

// TestCounted asserts that losses are combined by what they count: the mean over a set does not depend on the size of the batches, in
// evaluations, epochs and micro-batches, and a batch in which nothing counts changes nothing.
func TestCounted(t *testing.T) {
	for _, c := range countedLosses {
		t.Run(c.name, func(t *testing.T) {
			const n = 12
			set := tagged(n, 4)
			var want float64
			var right float64
			for _, size := range []int{n, 1, 2, 3, 5, 7} {
				m := newTagger(c.loss)
				eval, err := NewEval(m.build)
				if err != nil {
					t.Fatal(err)
				}
				accuracy := &Accuracy{}
				loss, err := eval.Measure(context.Background(), set, size, "label", accuracy, &TopK{K: 2}, &ConfusionMatrix{})
				if err != nil {
					t.Fatal(err)
				}
				if size == n {
					want, right = loss, accuracy.Value()
				}
				if math.Abs(loss-want) > 1e-6 || !finite(loss) || accuracy.Value() != right {
					t.Errorf("the mean over batches of %d is %v and the accuracy %v, over all %v and %v", size, loss, accuracy.Value(), want, right)
				}

				// With a rate of 0 the mean over an epoch is that of the evaluation.
				o := optim.NewSGD(0)
				loop := NewLoop(m.build, m, o, set)
				loop.Batch, loop.Epochs = size, 1
				for p, err := range loop.Run(context.Background()) {
					if err != nil {
						t.Fatal(err)
					}
					if p.Record != nil && math.Abs(p.Record.TrainLoss-want) > 1e-6 {
						t.Errorf("the mean over an epoch in batches of %d is %v, want %v", size, p.Record.TrainLoss, want)
					}
				}
			}

			// One update of n/size micro-batches is that of one batch.
			var whole []float64
			for _, size := range []int{n, 1, 2, 3, 6} {
				m := newTagger(c.loss)
				o := optim.NewSGD(0.5)
				o.MicroBatches = n / size
				step, err := NewStepOf(m.build, m, o)
				if err != nil {
					t.Fatal(err)
				}
				for _, err := range step.Over(context.Background(), set.Batches(size, data.Options{})) {
					if err != nil {
						t.Fatal(err)
					}
				}
				weights := m.Out.Weight.Tensor().Floats()
				if size == n {
					whole = weights
				}
				for i, x := range weights {
					if math.Abs(x-whole[i]) > 1e-6 {
						t.Fatalf("micro-batches of %d: weight %d is %v, want %v", size, i, x, whole[i])
					}
				}
			}

			// Nothing counts.
			m := newTagger(c.loss)
			before := m.Out.Weight.Tensor().Clone()
			loop := NewLoop(m.build, m, optim.NewSGD(0.5), tagged(4, 4))
			loop.Batch, loop.Epochs, loop.Valid, loop.Metrics = 2, 2, tagged(4, 4), []Metric{&Accuracy{}}
			for _, err := range loop.Run(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if d := m.Out.Weight.Tensor().Diff(before, 0); d != "" {
				t.Errorf("batches in which nothing counts move the weights: %s", d)
			}
			if r := loop.History()[1]; !math.IsNaN(r.TrainLoss) || !math.IsNaN(r.ValLoss) || !math.IsNaN(r.Metrics["accuracy"]) || r.Skipped > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestRefused asserts that settings that make no sense are refused, with what to do.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(l *Loop)
		want string
	}{
		{"no Init", func(l *Loop) {
			m := newRooted()
			m.Hidden = nn.NewLinear(3, 20)
			l.Model, l.Build = m, m.build
		}, "hidden.weight, hidden.bias: all zeros"},
		{"metrics of one name", func(l *Loop) { l.Valid, l.Metrics = l.Train, []Metric{&MAE{}, &RMSE{}, &MAE{}} }, `two metrics have the name "mae"`},
		{"nothing on", func(l *Loop) { l.Valid, l.Metrics = l.Train, []Metric{&On{Output: "head"}} }, "metric 0 is an On without a Metric"},
		{"no such output", func(l *Loop) { l.Valid, l.Metrics = l.Train, []Metric{&On{Metric: &MAE{}, Output: "head"}} }, `metric "mae.head" needs an output "head"`},
		{"weights of another set", func(l *Loop) { l.Weighted = &data.Weighted{Weights: []float64{1}} }, "Weighted has 1 weights for a set of"},
		{"nil metric", func(l *Loop) { l.Valid, l.Metrics = l.Train, []Metric{&MAE{}, (*RMSE)(nil)} }, "metric 1 is nil"},
		{"metrics without a validation set", func(l *Loop) { l.Metrics = []Metric{&MAE{}} }, "set Valid"},
		{"a loss of no param", func(l *Loop) {
			l.Build = func(g *tarn.Graph, n int) tarn.Outputs {
				return tarn.Outputs{"loss": g.Input("x", tarn.F32, n, 3).Mean()}
			}
		}, "depends on none"},
		{"a group of nothing", func(l *Loop) {
			o := optim.NewSGD(0.1)
			o.Group(optim.Under("encoder")).Rate = 0.1
			l.Optimizer = o
		}, "matches none"},
		{"negative rate", func(l *Loop) { l.Optimizer = optim.NewSGD(-0.1) }, "-0.1"},
		{"NaN rate", func(l *Loop) { l.Optimizer = optim.NewSGD(math.NaN()) }, "NaN"},
		{"a schedule that becomes negative", func(l *Loop) {
			o := optim.NewSGD(0)
			o.Rate = optim.ScheduleFunc(func(step *tarn.Value) *tarn.Value { return step.Neg().AddNum(2).Scale(0.01) })
			l.Optimizer = o
		}, "learning rate -0.01 after 3 runs"},
		{"a schedule that becomes NaN", func(l *Loop) {
			o := optim.NewSGD(0)
			o.Rate = optim.ScheduleFunc(func(step *tarn.Value) *tarn.Value { return step.Neg().AddNum(2).Sqrt().Scale(0.01) })
			l.Optimizer = o
		}, "learning rate NaN after 3 runs"},
		{"a schedule that becomes infinite", func(l *Loop) {
			o := optim.NewAdam(0)
			o.Rate = optim.ScheduleFunc(func(step *tarn.Value) *tarn.Value { return step.Neg().AddNum(2).Reciprocal().Abs() })
			l.Optimizer = o
		}, "learning rate +Inf after 2 runs"},
		{"patience", func(l *Loop) { l.Valid, l.EarlyStopping = l.Train, &EarlyStopping{} }, "Patience 0"},
		{"infinite delta", func(l *Loop) { l.Valid, l.EarlyStopping = l.Train, &EarlyStopping{Patience: 1, MinDelta: math.Inf(1)} }, "MinDelta +Inf"},
		{"delta", func(l *Loop) { l.Valid, l.EarlyStopping = l.Train, &EarlyStopping{Patience: 1, MinDelta: math.NaN()} }, "MinDelta NaN"},
		{"early stopping without a validation set", func(l *Loop) { l.EarlyStopping = &EarlyStopping{Patience: 1} }, "set Valid"},
		{"count", func(l *Loop) {
			build := l.Build
			l.Build = func(g *tarn.Graph, n int) tarn.Outputs {
				outputs := build(g, n)
				outputs["count"] = g.Num(tarn.F32, 1).Expand(3)
				return outputs
			}
		}, "WithCount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newRooted()
			set, err := setOf(lengths(1))
			if err != nil {
				t.Fatal(err)
			}
			l := NewLoop(m.build, m, optim.NewSGD(0.1), set)
			l.Batch, l.Epochs = 4, 1
			c.set(l)
			var last error
			for _, err := range l.Run(context.Background()) {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), c.want) {
				t.Errorf("the error is %v, want one with %q", last, c.want)
			}
		})
	}
}

// TestInitialized asserts which weights count as filled.
func TestInitialized(t *testing.T) {
	layer := func() *nn.Linear { return nn.NewLinear(2, 2) }
	zeros := tarn.NewParam(tarn.F32, nil, 2)
	for name, p := range map[string]func() (*tarn.Param, error){
		"init":     func() (*tarn.Param, error) { m := layer(); return m.Weight, tarn.Init(m, 1) },
		"set":      func() (*tarn.Param, error) { m := layer(); return m.Weight, m.Weight.Set(tarn.Zeros(tarn.F32, 2, 2)) },
		"by hand":  func() (*tarn.Param, error) { m := layer(); m.Weight.Tensor().SetFloat(1, 3); return m.Weight, nil },
		"no means": func() (*tarn.Param, error) { return zeros, nil },
	} {
		got, err := p()
		if err != nil || !got.Initialized() {
			t.Errorf("%s: filled: %t, %v", name, got.Initialized(), err)
		}
	}
	if layer().Weight.Initialized() {
		t.Error("a new weight counts as filled")
	}
}
