package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares every layer, loss and option with what PyTorch gives for it: testdata/goldens.py writes the numbers.

type array struct {
	Shape []int
	Data  []float64
	Int   bool
}

func (a array) tensor(dtype tarn.DType) *tarn.Tensor {
	if a.Int {
		dtype = tarn.I32
	}
	t := tarn.Zeros(dtype, a.Shape...)
	for i, x := range a.Data {
		t.SetFloat(i, x)
	}
	return t
}

type goldens struct {
	Gains map[string]float64
	Fans  []struct{ Shape, Fans []int }
	Cases []goldenCase
}

type goldenCase struct {
	Name string
	In   map[string]array
	Out  array
	Grad map[string]array
}

func readGoldens(t *testing.T) goldens {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldens
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// model makes what a case is about: a layer, or a loss of x and y.
type model struct {
	layer func() nn.Layer
	loss  func(x, y *tarn.Value) *tarn.Value
}

func layer(l nn.Layer) model { return model{layer: func() nn.Layer { return l }} }

func loss(f func(x, y *tarn.Value) *tarn.Value) model { return model{loss: f} }

var classWeights = []float64{0.5, 2, 1, 0.25}

var goldenModels = map[string]model{
	"Linear": {layer: func() nn.Layer { return nn.NewLinear(4, 5) }},
	"Linear without bias": {layer: func() nn.Layer {
		l := nn.NewLinear(4, 5)
		l.Bias = nil
		return l
	}},
	"Linear of a vector":   {layer: func() nn.Layer { return nn.NewLinear(4, 5) }},
	"Linear of three axes": {layer: func() nn.Layer { return nn.NewLinear(4, 5) }},
	"Embedding":            {layer: func() nn.Layer { return nn.NewEmbedding(5, 3) }},
	"LayerNorm":            {layer: func() nn.Layer { return nn.NewLayerNorm(4) }},
	"LayerNorm over two axes": {layer: func() nn.Layer {
		l := nn.NewLayerNorm(3, 4)
		l.Eps = 0.1
		return l
	}},
	"LayerNorm without weights": layer(&nn.LayerNorm{Axes: 1, Eps: 1e-5}),
	"Flatten":                   layer(nn.Flatten{}),
	"Sequential": {layer: func() nn.Layer {
		return nn.NewSequential(nn.NewLinear(3, 4), nn.Tanh{}, nn.NewLinear(4, 2))
	}},

	"ReLU": layer(nn.ReLU{}), "LeakyReLU": layer(nn.LeakyReLU{Slope: 0.2}), "ELU": layer(nn.ELU{Alpha: 0.7}),
	"SELU": layer(nn.SELU{}), "CELU": layer(nn.CELU{Alpha: 0.7}), "GELU": layer(nn.GELU{}), "GELUTanh": layer(nn.GELUTanh{}),
	"SiLU": layer(nn.SiLU{}), "Mish": layer(nn.Mish{}), "HardSigmoid": layer(nn.HardSigmoid{}),
	"HardSwish": layer(nn.HardSwish{}), "HardTanh": layer(nn.HardTanh{}), "Softsign": layer(nn.Softsign{}),
	"Sigmoid": layer(nn.Sigmoid{}), "Tanh": layer(nn.Tanh{}), "Softplus": layer(nn.Softplus{}),
	"Softmax": layer(nn.Softmax{}), "LogSoftmax": layer(nn.LogSoftmax{}),

	"MSE": loss(nn.MSE), "MSE sum": loss(nn.MSELoss{Reduction: nn.Sum}.Loss), "MSE none": loss(nn.MSELoss{Reduction: nn.None}.Loss),
	"MAE": loss(nn.MAE), "MAE sum": loss(nn.MAELoss{Reduction: nn.Sum}.Loss), "MAE none": loss(nn.MAELoss{Reduction: nn.None}.Loss),
	"Huber": loss(nn.Huber), "Huber sum": loss(nn.HuberLoss{Reduction: nn.Sum}.Loss), "Huber none": loss(nn.HuberLoss{Reduction: nn.None}.Loss),
	"Huber delta": loss(nn.HuberLoss{Delta: 0.6}.Loss), "Huber delta sum": loss(nn.HuberLoss{Delta: 0.6, Reduction: nn.Sum}.Loss),
	"Huber delta none": loss(nn.HuberLoss{Delta: 0.6, Reduction: nn.None}.Loss), "Huber at its kinks": loss(nn.HuberLoss{Reduction: nn.None}.Loss),
	"SmoothL1": loss(nn.SmoothL1), "SmoothL1 sum": loss(nn.SmoothL1Loss{Reduction: nn.Sum}.Loss), "SmoothL1 none": loss(nn.SmoothL1Loss{Reduction: nn.None}.Loss),
	"SmoothL1 beta": loss(nn.SmoothL1Loss{Beta: 0.6}.Loss), "SmoothL1 beta sum": loss(nn.SmoothL1Loss{Beta: 0.6, Reduction: nn.Sum}.Loss),
	"SmoothL1 beta none": loss(nn.SmoothL1Loss{Beta: 0.6, Reduction: nn.None}.Loss),

	"BCEWithLogits": loss(nn.BCEWithLogits), "BCEWithLogits hard": loss(nn.BCEWithLogits),
	"BCEWithLogits weighted": loss(nn.BCEWithLogitsLoss{PosWeight: []float64{0.5, 2, 3}}.Loss),
	"BCEWithLogits none":     loss(nn.BCEWithLogitsLoss{PosWeight: []float64{2.5}, Reduction: nn.None}.Loss),
	"BCE":                    loss(nn.BCE), "BCE at its ends": loss(nn.BCELoss{Reduction: nn.None}.Loss),

	"CrossEntropy ignoring 0":          loss(nn.CrossEntropyLoss{Weight: classWeights, LabelSmoothing: 0.1, Ignore: []int{0}}.Loss),
	"CrossEntropy of three axes":       loss(nn.CrossEntropyLoss{Weight: classWeights}.Loss),
	"CrossEntropy of one example":      loss(nn.CrossEntropy),
	"CrossEntropy of large logits":     loss(nn.CrossEntropy),
	"CrossEntropy dense of three axes": loss(nn.CrossEntropyLoss{LabelSmoothing: 0.1}.Loss),
	"NLL":                              loss(nn.NLL), "NLL weighted": loss(nn.NLLLoss{Weight: classWeights}.Loss),
	"NLL weighted none": loss(nn.NLLLoss{Weight: classWeights, Reduction: nn.None}.Loss),
	"NLL ignoring 1":    loss(nn.NLLLoss{Ignore: []int{1}, Reduction: nn.Sum}.Loss),

	"KL": loss(nn.KLLoss{}.Loss), "KL batch": loss(nn.KL), "KL sum": loss(nn.KLLoss{Reduction: nn.Sum}.Loss), "KL none": loss(nn.KLLoss{Reduction: nn.None}.Loss),
	"KL of a target with zeros": loss(nn.KL), "KL of log targets": loss(nn.KLLoss{LogTarget: true, Reduction: nn.BatchMean}.Loss),
	"Hinge": loss(nn.Hinge), "MultiMargin": loss(nn.MultiMargin),
	"MultiMargin squared": loss(nn.MultiMarginLoss{Squared: true, Margin: 0.7, Weight: classWeights}.Loss),
	"MultiMargin none":    loss(nn.MultiMarginLoss{Margin: 2, Reduction: nn.None}.Loss),
}

func init() {
	for name, l := range map[string]nn.CrossEntropyLoss{
		"": {}, " sum": {Reduction: nn.Sum}, " none": {Reduction: nn.None}, " weighted": {Weight: classWeights},
		" weighted none": {Weight: classWeights, Reduction: nn.None}, " smoothed": {LabelSmoothing: 0.2},
		" weighted smoothed":      {Weight: classWeights, LabelSmoothing: 0.2},
		" weighted smoothed none": {Weight: classWeights, LabelSmoothing: 0.2, Reduction: nn.None},
		" weighted smoothed sum":  {Weight: classWeights, LabelSmoothing: 0.2, Reduction: nn.Sum},
	} {
		goldenModels["CrossEntropy"+name], goldenModels["CrossEntropy dense"+name] = loss(l.Loss), loss(l.Loss)
	}
}

// rough are the cases in which PyTorch itself computes with a constant rounded to f32.
var rough = map[string]bool{"CELU": true, "HardSigmoid": true, "BCE at its ends": true, "CosineEmbedding of zeros": true}

func TestGoldens(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range readGoldens(t).Cases {
		tested[c.Name] = true
		if m := goldenModels[c.Name]; m.layer == nil && m.loss == nil {
			t.Errorf("%s: no model is made for the golden", c.Name)
			continue
		}
		for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-11, tarn.F32: 2e-5} {
			if rough[c.Name] {
				tolerance = max(tolerance, 1e-7)
			}
			got := c.run(t, dtype)
			if diff := got["out"].Diff(c.Out.tensor(dtype), tolerance); diff != "" {
				t.Errorf("%s, %v: result: %s", c.Name, dtype, diff)
			}
			for name, want := range c.Grad {
				if diff := got["grad "+name].Diff(want.tensor(dtype), tolerance); diff != "" {
					t.Errorf("%s, %v: gradient by %s: %s", c.Name, dtype, name, diff)
				}
			}
		}
	}
	for name := range goldenModels {
		if !tested[name] {
			t.Errorf("%s: there is no golden", name)
		}
	}
}

// run returns the result as "out", and as "grad NAME" the gradient with respect to each operand that has one.
func (c goldenCase) run(t *testing.T, dtype tarn.DType) tarn.Results {
	g := tarn.NewGraph()
	data := map[string]*tarn.Tensor{}
	operands := map[string]tarn.Operand{}
	input := func(name string) *tarn.Value {
		data[name] = c.In[name].tensor(dtype)
		v := g.Input(name, data[name].DType(), data[name].Shape()...)
		operands[name] = v
		return v
	}
	var out *tarn.Value
	if m := goldenModels[c.Name]; m.loss != nil {
		out = m.loss(input("x"), input("y"))
	} else {
		l := m.layer()
		c.load(t, l, dtype, operands)
		out = l.Forward(input("x"))
	}
	factors := tarn.Zeros(dtype, out.Shape()...)
	for i := range factors.Size() {
		factors.SetFloat(i, math.Cos(float64(i)))
	}
	total := out.Mul(g.Const(factors)).Sum()
	outputs := tarn.Outputs{"out": out}
	for name := range c.Grad {
		if operands[name] == nil {
			t.Fatalf("%s: the model has no param %q", c.Name, name)
		}
		outputs["grad "+name] = tarn.Grad(total, operands[name])[0]
	}
	return run(t, c.Name, g, outputs, data)
}

// load sets the params of the layer, by PyTorch's names.
func (c goldenCase) load(t *testing.T, l nn.Layer, dtype tarn.DType, operands map[string]tarn.Operand) {
	params, err := tarn.Params(l)
	if err != nil {
		return // a layer without params
	}
	if err := tarn.Cast(l, dtype); err != nil {
		t.Fatal(err)
	}
	for name, p := range params.All() {
		a, ok := c.In[name]
		if !ok {
			t.Fatalf("%s: PyTorch has no param %q", c.Name, name)
		}
		if err := p.Set(a.tensor(dtype)); err != nil {
			t.Fatal(err)
		}
		operands[name] = p
	}
}

func TestGainAndFansAreThoseOfPyTorch(t *testing.T) {
	g := readGoldens(t)
	for name, l := range map[string]nn.Layer{
		"ReLU": nn.ReLU{}, "Tanh": nn.Tanh{}, "SELU": nn.SELU{}, "Sigmoid": nn.Sigmoid{},
		"LeakyReLU 0.2": nn.LeakyReLU{Slope: 0.2}, "LeakyReLU sqrt 5": nn.LeakyReLU{Slope: math.Sqrt(5)},
	} {
		if got := nn.Gain(l); math.Abs(got-g.Gains[name]) > 1e-15 {
			t.Errorf("Gain(%s) = %v, want %v", name, got, g.Gains[name])
		}
	}
	for _, f := range g.Fans {
		if in, out := nn.Fans(f.Shape); !slices.Equal([]int{in, out}, f.Fans) {
			t.Errorf("Fans(%v) = %d, %d, want %v", f.Shape, in, out, f.Fans)
		}
	}
}
