package nn_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/interop/safetensors"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/tarntest"
)

// This file tests what holds for every layer: each param gets a gradient and is named as in PyTorch, derivatives are right
// in every order, training and evaluation differ where it is stated and nowhere else, and misuse is reported.

func random(dtype tarn.DType, seed uint64, shape ...int) *tarn.Tensor {
	t := tarn.Zeros(tarn.F64, shape...)
	tarn.NewRandom(seed, "test").Normal(t, 0, 1)
	return t.Cast(dtype)
}

type layerCase struct {
	name        string
	make        func() nn.Layer
	x           *tarn.Tensor
	shape       []int    // of the result
	params      []string // their paths and types
	trainsApart bool     // training and evaluation differ
}

var layerTable = slices.Concat(basicLayers, imageLayers, sequenceLayers, adaptedLayers, joiningLayers, weightlessLayers)

var basicLayers = []layerCase{
	{"Linear", func() nn.Layer { return nn.NewLinear(4, 3) }, random(tarn.F64, 1, 2, 4), []int{2, 3}, []string{"weight f64[3 4]", "bias f64[3]"}, false},
	{"Linear of three axes", func() nn.Layer { return nn.NewLinear(4, 3) }, random(tarn.F64, 1, 2, 5, 4), []int{2, 5, 3}, []string{"weight f64[3 4]", "bias f64[3]"}, false},
	{"Linear of no rows", func() nn.Layer { return nn.NewLinear(4, 3) }, random(tarn.F64, 1, 0, 4), []int{0, 3}, []string{"weight f64[3 4]", "bias f64[3]"}, false},
	{"Embedding", func() nn.Layer { return nn.NewEmbedding(3, 2) }, tarn.Vector([]int64{2, 0, 1, 2}), []int{4, 2}, []string{"weight f64[3 2]"}, false},
	{"LayerNorm", func() nn.Layer { return nn.NewLayerNorm(5) }, random(tarn.F64, 1, 3, 5), []int{3, 5}, []string{"weight f64[5]", "bias f64[5]"}, false},
	{"LayerNorm over two axes", func() nn.Layer { return nn.NewLayerNorm(2, 3) }, random(tarn.F64, 1, 2, 2, 3), []int{2, 2, 3}, []string{"weight f64[2 3]", "bias f64[2 3]"}, false},
	{"Dropout", func() nn.Layer { return nn.NewDropout(0.5) }, random(tarn.F64, 1, 4, 8), []int{4, 8}, nil, true},
	{"Dropout of nothing", func() nn.Layer { return nn.NewDropout(0) }, random(tarn.F64, 1, 4, 8), []int{4, 8}, nil, false},
	{"Flatten", func() nn.Layer { return nn.Flatten{} }, random(tarn.F64, 1, 2, 3, 2), []int{2, 6}, nil, false},
	{"Func", func() nn.Layer { return nn.Func((*tarn.Value).Sin) }, random(tarn.F64, 1, 3), []int{3}, nil, false},
	{"Sequential", func() nn.Layer {
		return nn.NewSequential(nn.NewLinear(4, 3), nn.Tanh{}, nn.NewDropout(0.3), nn.NewSequential(nn.NewLayerNorm(3), nn.NewLinear(3, 1)))
	}, random(tarn.F64, 1, 2, 4), []int{2, 1}, []string{
		"0.weight f64[3 4]", "0.bias f64[3]", "3.0.weight f64[3]", "3.0.bias f64[3]", "3.1.weight f64[1 3]", "3.1.bias f64[1]"}, true},
	{"Sequential of nothing", func() nn.Layer { return nn.NewSequential() }, random(tarn.F64, 1, 2), []int{2}, nil, false},
}

// build makes the layer in f64, with every param drawn at random, those that start at 0 or 1 too. States start as always.
func build(t *testing.T, name string, make func() nn.Layer) (nn.Layer, *tarn.ParamSet) {
	l := make()
	params, err := tarn.Params(l)
	if err != nil {
		return l, nil
	}
	for _, p := range params.All() {
		if !p.IsState() {
			p.SetInit(nn.Normal(0.5, 1))
		}
	}
	if err := tarn.Cast(l, tarn.F64); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := tarn.Init(l, 3); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return l, params
}

// run compiles a program and runs it once on inputs by name.
func run(t *testing.T, name string, g *tarn.Graph, outputs tarn.Outputs, data map[string]*tarn.Tensor) tarn.Results {
	t.Helper()
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var inputs []*tarn.Tensor
	for _, in := range program.Inputs() {
		inputs = append(inputs, data[in])
	}
	results, err := program.Run(inputs...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return results
}

func TestLayers(t *testing.T) {
	for _, c := range layerTable {
		l, params := build(t, c.name, c.make)
		var got []string
		for _, p := range params.All() {
			got = append(got, p.String())
		}
		if !slices.Equal(got, c.params) {
			t.Errorf("%s: the params are %q, want %q", c.name, got, c.params)
		}
		g := tarn.NewGraph()
		x := g.Input("x", c.x.DType(), c.x.Shape()...)
		train := l.Forward(x)
		g.Eval()
		eval := l.Forward(x)
		if !slices.Equal(train.Shape(), c.shape) || !slices.Equal(eval.Shape(), c.shape) {
			t.Errorf("%s: the shape is %v in training and %v in evaluation, want %v", c.name, train.Shape(), eval.Shape(), c.shape)
		}
		outputs := tarn.Outputs{"train": train, "eval": eval}
		for name, p := range params.Trainable().All() {
			outputs[name] = tarn.Grad(eval.Sin().Sum(), p)[0]
		}
		results := run(t, c.name, g, outputs, map[string]*tarn.Tensor{"x": c.x})
		if apart := !results["train"].Equal(results["eval"], 0); apart != c.trainsApart {
			t.Errorf("%s: training and evaluation differ: %v, want %v", c.name, apart, c.trainsApart)
		}
		for name := range params.Trainable().All() {
			if c.x.Size() > 0 && slices.Contains(results[name].Floats(), 0) {
				t.Errorf("%s: the gradient of %s is 0 somewhere: %v", c.name, name, results[name])
			}
		}
	}
}

func TestLayerGradients(t *testing.T) {
	for _, c := range layerTable {
		l, params := build(t, c.name, c.make)
		// What a layer learns beside the gradient moves in training: only in evaluation are its differences those of one function.
		weights := params.Trainable()
		forward := func(x *tarn.Value) *tarn.Value {
			if weights.Len() < params.Len() {
				x.Graph().Eval()
			}
			return l.Forward(x)
		}
		if c.x.DType() == tarn.F64 {
			tarntest.CheckGrad(t, func(in ...*tarn.Value) *tarn.Value { return forward(in[0]) }, c.x)
		}
		checkParamGrads(t, c.name, weights, c.x, forward)
	}
}

// checkParamGrads compares the first and second derivatives by params with central differences: those of L, a projection
// of the result, and of S, a projection of the gradient of L.
func checkParamGrads(t *testing.T, layer string, params *tarn.ParamSet, x *tarn.Tensor, f func(x *tarn.Value) *tarn.Value) {
	g := tarn.NewGraph()
	l := f(g.Input("x", x.DType(), x.Shape()...)).Sin().Sum()
	s := l.Num(0)
	outputs := tarn.Outputs{"L": l}
	weights := params.List()
	for i, d := range tarn.Grad(l, weights...) {
		outputs["first "+params.Name(weights[i])] = d
		s = s.Add(d.Mul(g.Const(random(tarn.F64, uint64(i), d.Shape()...))).Sum())
	}
	outputs["S"] = s
	for i, d := range tarn.Grad(s, weights...) {
		outputs["second "+params.Name(weights[i])] = d
	}
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		t.Fatalf("%s: %v", layer, err)
	}
	values := func() map[string][]float64 {
		program.SetRuns(0)
		results, err := program.Run(x)
		if err != nil {
			t.Fatalf("%s: %v", layer, err)
		}
		out := map[string][]float64{}
		for name, v := range results {
			out[name] = v.Floats()
		}
		return out
	}
	const h = 1e-5
	at := values()
	for name, p := range params.All() {
		for i := range p.Tensor().Size() {
			was := p.Tensor().Float(i)
			p.Tensor().SetFloat(i, was+h)
			above := values()
			p.Tensor().SetFloat(i, was-h)
			below := values()
			p.Tensor().SetFloat(i, was)
			for order, of := range map[string]string{"first ": "L", "second ": "S"} {
				got, want := at[order+name][i], (above[of][0]-below[of][0])/(2*h)
				if !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
					t.Errorf("%s: %sderivative by element %d of %s is %v, by differences %v", layer, order, i, name, got, want)
				}
			}
		}
	}
}

func TestLayersSaveAndLoad(t *testing.T) {
	for _, c := range layerTable {
		saved, params := build(t, c.name, c.make)
		if params == nil {
			continue
		}
		path := filepath.Join(t.TempDir(), "weights.safetensors")
		if err := safetensors.SaveWeights(path, saved); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		loaded := c.make()
		if err := tarn.Cast(loaded, tarn.F64); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := safetensors.LoadWeights(path, loaded, safetensors.LoadOptions{}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		g := tarn.NewGraph()
		g.Eval()
		x := g.Input("x", c.x.DType(), c.x.Shape()...)
		outputs := tarn.Outputs{"saved": saved.Forward(x), "loaded": loaded.Forward(x)}
		results := run(t, c.name, g, outputs, map[string]*tarn.Tensor{"x": c.x})
		if diff := results["loaded"].Diff(results["saved"], 0); diff != "" {
			t.Errorf("%s: the loaded layer and the saved one: %s", c.name, diff)
		}
	}
}

func TestLinearStartsAsInPyTorch(t *testing.T) {
	l := nn.NewLinear(400, 300)
	if err := tarn.Init(l, 1); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*tarn.Param{l.Weight, l.Bias} {
		x := p.Tensor().Floats()
		if least, most := slices.Min(x), slices.Max(x); least < -0.05 || least > -0.049 || most > 0.05 || most < 0.049 {
			t.Errorf("%v lies within %v and %v, want close to -0.05 and 0.05 = 1/sqrt(400)", p, least, most)
		}
	}
}

func TestDropout(t *testing.T) {
	const n = 20000
	for _, c := range []struct{ p, share, scale float64 }{{0, 1, 1}, {0.25, 0.75, 4.0 / 3}, {0.9, 0.1, 10}, {1, 0, 0}} {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F64, n)
		y := nn.NewDropout(c.p).Forward(x)
		program, err := tarn.Compile(g, tarn.Outputs{"y": y, "dx": tarn.Grad(y.Sum(), x)[0]})
		if err != nil {
			t.Fatal(err)
		}
		ones := tarn.Zeros(tarn.F64, n)
		nn.Ones()(ones, nil)
		inputs := []*tarn.Tensor{ones}[:len(program.Inputs())] // nothing of x is needed where all is dropped
		var before []float64
		for range 2 {
			results, err := program.Run(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			y := results["y"].Floats()
			kept := 0
			for i, v := range y {
				if v != 0 {
					kept++
				}
				if v != 0 && math.Abs(v-c.scale) > 1e-12 {
					t.Fatalf("P %v: element %d is %v, want 0 or %v", c.p, i, v, c.scale)
				}
			}
			if got := float64(kept) / n; math.Abs(got-c.share) > 0.02 {
				t.Errorf("P %v: a share of %v is kept, want %v", c.p, got, c.share)
			}
			if !slices.Equal(results["dx"].Floats(), y) {
				t.Errorf("P %v: the gradient passes where the elements do not", c.p)
			}
			if c.p > 0 && c.p < 1 && slices.Equal(before, y) {
				t.Errorf("P %v: two steps drop the same elements", c.p)
			}
			before = y
		}
	}
}

func TestLayerNormKeepsDigitsFarFromZero(t *testing.T) {
	// At 1e4 an f32 has three decimals. The mean of squares less the square of the mean would have none.
	x := random(tarn.F32, 5, 4, 256)
	for i := range x.Size() {
		x.SetFloat(i, 1e4+x.Float(i))
	}
	var y [2]*tarn.Tensor
	for i, dtype := range []tarn.DType{tarn.F32, tarn.F64} {
		l := nn.NewLayerNorm(256)
		if err := tarn.Init(l, 1); err != nil {
			t.Fatal(err)
		}
		if err := tarn.Cast(l, dtype); err != nil {
			t.Fatal(err)
		}
		g := tarn.NewGraph()
		out := l.Forward(g.Input("x", dtype, 4, 256))
		y[i] = run(t, "LayerNorm", g, tarn.Outputs{"y": out}, map[string]*tarn.Tensor{"x": x.Cast(dtype)})["y"].Clone()
	}
	if diff := y[0].Cast(tarn.F64).Diff(y[1], 2e-5); diff != "" {
		t.Errorf("f32 and f64: %s", diff)
	}
}

func TestLayersRefuse(t *testing.T) {
	for _, c := range []struct {
		name  string
		layer nn.Layer
		dtype tarn.DType
		shape []int
		want  []string
	}{
		{"Linear of another size", nn.NewLinear(4, 3), tarn.F32, []int{2, 5}, []string{"layer_test.go:", "Linear: the input has shape [2 5] and its last axis should have size 4"}},
		{"Linear of a scalar", nn.NewLinear(4, 3), tarn.F32, nil, []string{"Linear: the input has shape []"}},
		{"Linear of another dtype", nn.NewLinear(4, 3), tarn.F64, []int{2, 4}, []string{"Linear: the input is f64 and the weight f32", "tarn.Cast the model"}},
		{"Linear without a weight", &nn.Linear{}, tarn.F32, []int{2, 4}, []string{"the *Param is nil"}},
		{"Embedding of floats", nn.NewEmbedding(4, 3), tarn.F32, []int{2}, []string{"Embedding: the index is f32 and should be i32 or i64"}},
		{"Embedding without a weight", &nn.Embedding{}, tarn.I32, []int{2}, []string{"the *Param is nil"}},
		{"LayerNorm of another size", nn.NewLayerNorm(4), tarn.F32, []int{2, 5}, []string{"LayerNorm: the operand has shape [2 5] and should end with [4]"}},
		{"LayerNorm of too few axes", nn.NewLayerNorm(2, 4), tarn.F32, []int{4}, []string{"LayerNorm: 2 axes should be normalized and the operand has shape [4]"}},
		{"LayerNorm of nothing", nn.NewLayerNorm(), tarn.F32, []int{4}, []string{"LayerNorm: 0 axes"}},
		{"LayerNorm of another dtype", nn.NewLayerNorm(4), tarn.F64, []int{4}, []string{"LayerNorm: the operand is f64 and the weights f32"}},
		{"LayerNorm of integers", nn.NewLayerNorm(4), tarn.I32, []int{4}, []string{"LayerNorm: the operand is i32"}},
		{"Dropout above 1", nn.NewDropout(1.5), tarn.F32, []int{4}, []string{"Dropout: P is 1.5 and should be from 0 to 1"}},
		{"Dropout of NaN", nn.NewDropout(math.NaN()), tarn.F32, []int{4}, []string{"Dropout: P is NaN"}},
		{"Dropout of integers", nn.NewDropout(0.5), tarn.I32, []int{4}, []string{"Dropout: the operand is i32"}},
		{"Flatten of a scalar", nn.Flatten{}, tarn.F32, nil, []string{"Flatten: the operand is a scalar"}},
		{"Sequential of nil", nn.NewSequential(nn.ReLU{}, nil), tarn.F32, []int{4}, []string{"Sequential: layer 1 is nil"}},
	} {
		g := tarn.NewGraph()
		c.layer.Forward(g.Input("x", c.dtype, c.shape...))
		refused(t, c.name, g, c.want)
	}
}

// refused checks that exactly one mistake was recorded, here, with these fragments.
func refused(t *testing.T, name string, g *tarn.Graph, want []string) {
	t.Helper()
	err := g.Err()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	if n := len(err.(*tarn.GraphError).Diagnostics); n != 1 {
		t.Errorf("%s: %d mistakes reported, want 1: %v", name, n, err)
	}
	for _, fragment := range append(want, "_test.go:") {
		if !strings.Contains(err.Error(), fragment) {
			t.Errorf("%s: error %q, want %q in it", name, err, fragment)
		}
	}
}
