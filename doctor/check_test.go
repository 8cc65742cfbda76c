package doctor_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/doctor"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/watch"
)

// TestCheck checks models and batches before any training.
func TestCheck(t *testing.T) {
	relu, tanh := nn.ReLU{}, nn.Tanh{}
	type wrong struct {
		rule, layer string
	}
	none := wrong{}
	for _, c := range []struct {
		training
		want   wrong
		change func(batch map[string]*tarn.Tensor)
	}{
		{training{name: "healthy"}, none, nil},
		{training{name: "healthy: residual", model: tower(12, true, true)}, none, nil},
		{training{name: "healthy: deep", model: chain(width, 8, classes, relu, he)}, none, nil},
		{training{name: "healthy: regression", model: chain(width, 3, 1, tanh, nil), set: curve(64, 1, 1, 0), loss: nn.MSE}, none, nil},
		{training{name: "healthy: LSTM", model: nn.NewSequential(nn.NewLSTM(4, 16, nn.RecurrentOptions{}), lastStep, nn.NewLinear(16, 4)), set: recall(64, 8, 1, true)}, none, nil},
		{training{name: "healthy: embedding", model: nn.NewSequential(nn.NewEmbedding(1000, 16), nn.Flatten{}, nn.NewLinear(32, 3)), set: words(64, 1)}, none, nil},
		{training{name: "vanishing", model: chain(width, 16, classes, nn.Sigmoid{}, xavier)}, wrong{"vanishing-gradients", "0"}, nil},
		{training{name: "dead", init: func(m any) { fill(m.(*nn.Sequential).Layers[2].(*nn.Linear).Bias, -50) }}, wrong{"dead-relu", "2"}, nil},
		{training{name: "zeros", model: chain(width, 3, classes, relu, nn.Zeros())}, wrong{"zero-init", "0"}, nil},
		{training{name: "all alike", model: chain(width, 3, classes, tanh, nn.Constant(0.1))}, wrong{"symmetric-init", "0"}, nil},
		{training{name: "softmax twice", model: with(chain(width, 3, classes, relu, he), nn.Softmax{})}, wrong{"output-activation", "4"}, nil},
		{training{name: "ReLU at the end", model: with(chain(width, 3, classes, relu, he), relu)}, wrong{"output-activation", "4"}, nil},
		{training{name: "sigmoid at the end", model: with(chain(width, 3, 1, relu, he), nn.Sigmoid{}), set: curve(64, 1, 1, 0), loss: nn.MSE}, wrong{"output-activation", "4"}, nil},
		{training{name: "cut", model: &severed{nn.NewLinear(width, 32), nn.NewLinear(32, 32), nn.NewLinear(32, classes)}}, wrong{"no-gradient", "middle"}, nil},
		{training{name: "one target"}, wrong{"labels", ""}, func(b map[string]*tarn.Tensor) { clear(b["label"].I32()) }},
		{training{name: "unbalanced"}, wrong{"labels", ""}, func(b map[string]*tarn.Tensor) {
			clear(b["label"].I32()[2:])
			b["label"].I32()[1] = 1
			b["label"].I32()[0] = 2
		}},
		{training{name: "NaN"}, wrong{"non-finite", ""}, func(b map[string]*tarn.Tensor) { b["x"].F32()[20] = float32(math.NaN()) }},
		{training{name: "outlier"}, wrong{"input-outliers", ""}, func(b map[string]*tarn.Tensor) { b["x"].F32()[1000] = 1e5 }},
		{training{name: "large inputs", set: blobs(64, 1, scaled(1000))}, wrong{"input-scale", ""}, nil},
		{training{name: "far targets", model: chain(width, 3, 1, tanh, nil), set: curve(64, 1, 1, 1000), loss: nn.MSE}, wrong{"start-loss", "4"}, nil},
		{training{name: "inputs that are not read", model: nn.NewSequential(nn.Func(func(x *tarn.Value) *tarn.Value { return x.Scale(1e-9).AddNum(1) }), nn.NewLinear(width, 32), tanh, nn.NewLinear(32, classes))}, wrong{"overfit-test", ""}, nil},
	} {
		if c.model == nil {
			c.model = chain(width, 3, classes, relu, he)
		}
		if c.set == nil {
			c.set = blobs(64, 1, nil)
		}
		if c.loss == nil {
			c.loss = nn.CrossEntropy
		}
		if err := tarn.Init(c.model, 1); err != nil {
			t.Fatal(err)
		}
		if c.init != nil {
			c.init(c.model)
		}
		batch := map[string]*tarn.Tensor{"x": must(c.set.Tensor("x")).Clone(), "label": must(c.set.Tensor("label")).Clone()}
		if c.change != nil {
			c.change(batch)
		}
		params := must(tarn.Params(c.model))
		var before [][]float64
		for _, p := range params.All() {
			before = append(before, p.Tensor().Floats())
		}
		verdicts, err := doctor.Check(t.Context(), c.model, c.build, batch, "label")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		i := 0
		for name, p := range params.All() {
			if !slices.Equal(before[i], p.Tensor().Floats()) {
				t.Errorf("%s: Check has changed %s", c.name, name)
			}
			i++
		}
		found := slices.ContainsFunc(verdicts, func(v watch.Verdict) bool {
			return v.Rule == c.want.rule && (c.want.layer == "" || slices.Contains(v.Layers, c.want.layer)) && v.Headline != "" && v.Evidence != "" && len(v.Remedies) > 0
		})
		if c.want == none && len(verdicts) > 0 || c.want != none && !found {
			t.Errorf("%s: want %v, got\n%s", c.name, c.want, doctor.Report(verdicts))
		}
	}
}

// TestCheckMistakes expects errors that name what is missing.
func TestCheckMistakes(t *testing.T) {
	c := training{model: chain(width, 2, classes, nn.ReLU{}, he), set: blobs(8, 1, nil), loss: nn.CrossEntropy}
	if err := tarn.Init(c.model, 1); err != nil {
		t.Fatal(err)
	}
	x, label := must(c.set.Tensor("x")), must(c.set.Tensor("label"))
	for want, check := range map[string]func() error{
		`the target "y"`: func() error {
			_, err := doctor.Check(t.Context(), c.model, c.build, map[string]*tarn.Tensor{"x": x, "label": label}, "y")
			return err
		},
		`the input "x"`: func() error {
			_, err := doctor.Check(t.Context(), c.model, c.build, map[string]*tarn.Tensor{"label": label}, "label")
			return err
		},
		`"x" of the batch is nil`: func() error {
			_, err := doctor.Check(t.Context(), c.model, c.build, map[string]*tarn.Tensor{"x": nil, "label": label}, "label")
			return err
		},
		"my reason": func() error {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("my reason"))
			_, err := doctor.Check(ctx, c.model, c.build, map[string]*tarn.Tensor{"x": x, "label": label}, "label")
			return err
		},
		"the first axis": func() error {
			_, err := doctor.Check(t.Context(), c.model, c.build, map[string]*tarn.Tensor{"x": tarn.Zeros(tarn.F32, 3, width), "label": label}, "label")
			return err
		},
		`no output "loss"`: func() error {
			_, err := doctor.Check(t.Context(), c.model, func(g *tarn.Graph, n int) tarn.Outputs { return nil }, map[string]*tarn.Tensor{"x": x, "label": label}, "label")
			return err
		},
	} {
		if err := check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
