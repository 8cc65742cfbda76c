package remedy

import (
	"context"
	"errors"
	"go/parser"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

// The tests try all remedies on small models of several forms.

// rings are points in the plane whose class is whether they lie far out.
func rings(t *testing.T, n int) *data.Set {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	xs, ys := make([]float32, 2*n), make([]int32, n)
	for i := range n {
		xs[2*i], xs[2*i+1] = float32(3+r.NormFloat64()), float32(r.NormFloat64())
		if math.Hypot(float64(xs[2*i])-3, float64(xs[2*i+1])) > 1.2 {
			ys[i] = 1
		}
	}
	xs[4] = 40
	s, err := data.NewSet(data.Field{Name: "x", Array: data.Array{Shape: []int{n, 2}, Data: xs}}, data.Field{Name: "label", Array: data.Array{Shape: []int{n}, Data: ys}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// own is a model of one's own whose activation is a field.
type own struct {
	In, Out *nn.Linear
	Act     nn.Layer
	Tail    []nn.Layer
}

func (m *own) Forward(x *tarn.Value) *tarn.Value {
	y := m.Out.Forward(m.Act.Forward(m.In.Forward(x)))
	for _, l := range m.Tail {
		y = l.Forward(y)
	}
	return y
}

func deep() *nn.Sequential {
	return nn.NewSequential(nn.NewLinear(2, 8), nn.Sigmoid{}, nn.NewSequential(nn.NewLinear(8, 8), nn.Sigmoid{}, nn.NewLinear(8, 8), nn.Sigmoid{}), nn.NewLinear(8, 2))
}

// still has a frozen layer and running statistics that hardly move.
func still() *nn.Sequential {
	l, b := nn.NewLinear(2, 8), nn.NewBatchNorm(8)
	l.Weight.Frozen, b.Momentum = true, 1e-3
	return nn.NewSequential(l, b, nn.ReLU{}, nn.NewLinear(8, 2))
}

func base(t *testing.T, model nn.Layer) *Training {
	t.Helper()
	if err := tarn.Init(model, 3); err != nil {
		t.Fatal(err)
	}
	return &Training{Model: model, Loss: func(y, target *tarn.Value) *tarn.Value { return nn.CrossEntropy(y, target) },
		Optimizer: func(rate float64, _ int) optim.Optimizer { return optim.NewSGD(rate) }, Rate: 0.1,
		Train: rings(t, 160), Valid: rings(t, 64), Input: "x", Target: "label", Batch: 16, Epochs: 2, Seed: 3}
}

// TestTry tries every remedy on models of several forms: the model keeps its weights, what applies is trained, and the text of the model is Go.
func TestTry(t *testing.T) {
	for name, c := range map[string]struct {
		model   nn.Layer
		applies []string // some that must, and
		not     []string // some that must not
		change  func(x *Training)
	}{
		"chain in a chain": {deep(), []string{"ReLU", "Leaky ReLU", "ELU", "SELU", "GELU", "He initialization", "LSUV initialization", "batch normalization", "layer normalization",
			"residual connections", "Adam", "RMSprop", "rate of the range test", "warm-up", "clipping", "dropout", "weight decay", "early stopping", "normalized inputs", "clipped inputs", "batches x 8", "biases of 0", "a tenth of the weights"},
			[]string{"LSTM", "no output activation", "finite examples alone", "normalized targets", "targets from 0 to 1", "weight decay / 100", "no decay of norms and biases", "nothing frozen", "faster running statistics", "more units"}, nil},
		"struct":     {&own{nn.NewLinear(2, 8), nn.NewLinear(8, 2), nn.Sigmoid{}, nil}, []string{"ReLU", "Xavier initialization", "Adam"}, []string{"batch normalization", "fewer layers", "more units"}, nil},
		"activation": {nn.NewSequential(nn.NewLinear(2, 2), nn.Softmax{}), []string{"no output activation", "more units"}, []string{"ReLU", "residual connections", "a tenth of the weights"}, nil},
		"recurrent": {nn.NewSequential(nn.Func(func(x *tarn.Value) *tarn.Value { return x.Unsqueeze(2) }), nn.NewRNN(1, 4, nn.RecurrentOptions{}), nn.Flatten{}, nn.NewLinear(8, 2)),
			[]string{"LSTM", "orthogonal recurrent weights"}, []string{"batch norm of the inputs"}, nil},
		"stack": {nn.NewSequential(nn.NewLinear(2, 4), nn.ReLU{}, nn.NewLinear(4, 4), nn.ReLU{}, nn.NewLinear(4, 4), nn.ReLU{}, nn.NewLinear(4, 2), nn.ReLU{}), []string{"fewer layers", "no output activation", "more units"}, []string{"ReLU"}, nil},
		"decayed and frozen": {still(), []string{"weight decay / 100", "no decay of norms and biases", "nothing frozen", "faster running statistics", "biases of 0"}, []string{"LSTM"}, func(x *Training) {
			x.Optimizer = func(rate float64, _ int) optim.Optimizer { return optim.NewAdamW(rate) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "struct" && name != "decayed and frozen" {
				t.Skip("-short: tries each remedy on two models")
			}
			training := base(t, c.model)
			if c.change != nil {
				c.change(training)
			}
			params, err := tarn.Params(c.model)
			if err != nil {
				t.Fatal(err)
			}
			var before []*tarn.Tensor
			for _, p := range params.List() {
				before = append(before, p.Tensor().Clone())
			}
			r, err := Try(t.Context(), training, Ordered(nil))
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range params.List() {
				if !slices.Equal(p.Tensor().Raw(), before[i].Raw()) {
					t.Errorf("%s of the model has changed", params.Name(p))
				}
			}
			for _, x := range r.Trials {
				switch {
				case x.Err != nil && !errors.Is(x.Err, ErrDoesNotApply):
					t.Errorf("%s: %v", x.Remedy.Name, x.Err)
				case x.Err != nil && slices.Contains(c.applies, x.Remedy.Name):
					t.Errorf("%s does not apply: %v", x.Remedy.Name, x.Err)
				case x.Err == nil && slices.Contains(c.not, x.Remedy.Name):
					t.Errorf("%s applies", x.Remedy.Name)
				}
				if x.Err != nil {
					continue
				}
				if math.IsNaN(x.Loss) || len(x.History.Steps) == 0 || math.IsNaN(x.Accuracy) {
					t.Errorf("%s: loss %v, accuracy %v, %d looks", x.Remedy.Name, x.Loss, x.Accuracy, len(x.History.Steps))
				}
				s := x.Source()
				if _, chain := c.model.(*nn.Sequential); chain == (s.Model == "") {
					t.Errorf("%s: the model is %q", x.Remedy.Name, s.Model)
				}
				for _, expression := range []string{s.Model, s.Optimizer} {
					if _, err := parser.ParseExpr(expression); expression != "" && err != nil {
						t.Errorf("%s: %v in\n%s", x.Remedy.Name, err, expression)
					}
				}
				if r.Before.Loss == x.Loss && s.Optimizer == "" && x.Remedy.Name != "early stopping" && x.Remedy.Name != "clipping" { // whose limits may not be reached
					t.Errorf("%s changes nothing", x.Remedy.Name)
				}
			}
			if text := r.String(); !strings.Contains(text, "none: as it is") || !strings.Contains(text, "do not apply: ") {
				t.Errorf("the report is\n%s", text)
			}
		})
	}
}

// TestBefore asserts that the training as it is gives the bits of a plain loop, and that the best trial of a network that learns nothing is found.
func TestBefore(t *testing.T) {
	training := base(t, deep())
	training.Epochs = 60
	r, err := Try(t.Context(), training, []*Remedy{Find("rate / 10"), Find("ReLU"), Find("residual connections")})
	if err != nil {
		t.Fatal(err)
	}
	model, err := copied(training.Model)
	if err != nil {
		t.Fatal(err)
	}
	plain := &trial{Training: *training}
	plain.Model = model
	l := train.NewLoop(plain.build, model, optim.NewSGD(0.1), training.Train)
	l.Epochs, l.Batch, l.Seed, l.Watch = training.Epochs, training.Batch, training.Seed, nil
	for _, err := range l.Run(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := train.NewEval(plain.build)
	if err != nil {
		t.Fatal(err)
	}
	if loss, err := e.Measure(t.Context(), training.Valid, 64, "label"); err != nil || loss != r.Before.Loss {
		t.Errorf("the training as it is ends at %v, a plain loop at %v (%v)", r.Before.Loss, loss, err)
	}
	if best := r.Best(); best == nil || best.Remedy.Name == "rate / 10" || best.Loss > 0.9*r.Before.Loss {
		t.Errorf("the best does not help:\n%v", r)
	}
	if best := r.Best(); best != nil && best.Source().Model == "" {
		t.Error("the best has no model")
	}
}

// TestTryErrors gives Try what makes no sense.
func TestTryErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		change   func(x *Training)
		ctx      context.Context
		remedies []*Remedy
		want     string
	}{
		"no model":       {func(x *Training) { x.Model = nil }, nil, nil, "needs Model"},
		"nil model":      {func(x *Training) { x.Model = (*nn.Sequential)(nil) }, nil, nil, "the model is nil"},
		"no params":      {func(x *Training) { x.Model = nn.ReLU{} }, nil, nil, "holds no *tarn.Param"},
		"no loss":        {func(x *Training) { x.Loss = nil }, nil, nil, "needs Model, Loss"},
		"no batch":       {func(x *Training) { x.Batch = 0 }, nil, nil, "Batch is 0"},
		"no rate":        {func(x *Training) { x.Rate = math.NaN() }, nil, nil, "Rate is NaN"},
		"no such field":  {func(x *Training) { x.Target = "y" }, nil, nil, "Input and Target"},
		"nil optimizer":  {func(x *Training) { x.Optimizer = func(float64, int) optim.Optimizer { return nil } }, nil, nil, "optimizer is nil"},
		"other shape":    {func(x *Training) { x.Model = nn.NewSequential(nn.NewLinear(3, 2)) }, nil, nil, "Linear"},
		"nil remedy":     {func(x *Training) {}, nil, []*Remedy{nil}, "is nil"},
		"another remedy": {func(x *Training) {}, nil, []*Remedy{{}}, "not one of Table"},
		"canceled":       {func(x *Training) {}, canceled, nil, "canceled"},
	} {
		x := base(t, deep())
		c.change(x)
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		if _, err := Try(c.ctx, x, c.remedies); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := Try(t.Context(), nil, nil); err == nil {
		t.Error("a nil training is tried")
	}
	if s := (*Trial)(nil).Source(); s.String() != "" {
		t.Errorf("a nil trial is %v", s)
	}
	g := tarn.NewGraph()
	(*Residual)(nil).Forward(g.Input("x", tarn.F32, 1))
	if _, err := tarn.Compile(g, tarn.Outputs{"y": (&Residual{}).Forward(g.Input("y", tarn.F32, 1))}); err == nil {
		t.Error("a Residual without a body compiles")
	}
}

// TestCopied asserts that a copy shares nothing that is trained, and what is shared within it is still so.
func TestCopied(t *testing.T) {
	shared := nn.NewLinear(2, 2)
	adapted := nn.NewLinear(2, 2)
	adapted.LoRA = nn.NewLoRA(adapted.Weight, 1)
	m := &own{shared, nn.NewLinear(2, 2), nn.NewSequential(nn.Tanh{}), []nn.Layer{shared, nn.NewBatchNorm(2), nn.NewPReLU(2), adapted}}
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	m.Out.Weight.Frozen = true
	c, err := copied(m)
	if err != nil {
		t.Fatal(err)
	}
	n := c.(*own)
	if n.Tail[0] != nn.Layer(n.In) || n.In == m.In || !n.Out.Weight.Frozen || n.Tail[1].(*nn.BatchNorm).RunningMean == m.Tail[1].(*nn.BatchNorm).RunningMean || !n.Tail[1].(*nn.BatchNorm).RunningMean.IsState() {
		t.Error("the copy has other parts")
	}
	if !slices.Equal(n.In.Weight.Tensor().Floats(), m.In.Weight.Tensor().Floats()) {
		t.Error("the copy has other weights")
	}
	if a := n.Tail[3].(*nn.Linear); a.LoRA.A == adapted.LoRA.A || a.LoRA.B == adapted.LoRA.B {
		t.Error("the copy shares an adapter")
	}
	if !activation(n.Tail[2]) || source(n.Tail[2]) != "nn.NewPReLU(2)" || source(nn.ReLU6{}) != "nn.ReLU6{}" || source(nn.SwiGLU{}) != "nn.SwiGLU{}" {
		t.Errorf("%v, as an activation %v, is written as %s", n.Tail[2], activation(n.Tail[2]), source(n.Tail[2]))
	}
	if found := matrices(nn.Func(nil)); len(found) != 0 {
		t.Errorf("a function has the matrices %v", found)
	}
	if found := matrices(&byName{map[string]*nn.Linear{"b": adapted, "a": shared}}); len(found) != 2 || found[0].layer != nn.Layer(shared) {
		t.Errorf("the matrices in a map are %v", found)
	}
}

// byName has layers in a map.
type byName struct{ Heads map[string]*nn.Linear }

func (m *byName) Forward(x *tarn.Value) *tarn.Value {
	return m.Heads["a"].Forward(m.Heads["b"].Forward(x))
}
