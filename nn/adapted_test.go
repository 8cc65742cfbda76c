package nn_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds the cases of layers that are variants of others, of adapters, and of layers whose inputs are several: they get parts of one.

// halved gives the two halves of the last axis to a layer that joins two inputs.
type halved struct {
	*nn.Bilinear `tarn:""`
}

func (l halved) Forward(x *tarn.Value) *tarn.Value {
	d := x.Dim(-1) / 2
	return l.Bilinear.Forward(x.Slice(-1, 0, d), x.Slice(-1, d, 2*d))
}

// repooled pools and puts the elements back.
type repooled struct {
	*nn.MaxPool
	Un *nn.MaxUnpool
}

func (l repooled) Forward(x *tarn.Value) *tarn.Value {
	y, indices := l.MaxPool.Indices(x)
	return l.Un.Forward(y, indices, x.Dim(1), x.Dim(2))
}

// translated decodes the first places of a sequence, given the others.
type translated struct {
	*nn.Transformer `tarn:""`
}

func (l translated) Forward(x *tarn.Value) *tarn.Value {
	return l.Transformer.Forward(x.Slice(1, 2, x.Dim(1)), x.Slice(1, 0, 2), nn.TransformerMasks{Decoder: tarn.AttentionOptions{Causal: true}})
}

// stepped is a cell that gets its input and its state side by side.
type stepped struct {
	Cell nextCell `tarn:""`
}

func (l stepped) Forward(x *tarn.Value) *tarn.Value {
	from := nn.State{H: x.Slice(-1, 2, 5)}
	if _, lstm := l.Cell.(*nn.LSTMCell); lstm {
		from.C = x.Slice(-1, 5, 8)
	}
	to := l.Cell.Next(x.Slice(-1, 0, 2), from)
	if to.C != nil {
		return tarn.Concat(-1, to.H, to.C)
	}
	return to.H
}

// String is that of the layer within.
func (l halved) String() string     { return l.Bilinear.String() }
func (l repooled) String() string   { return l.Un.String() }
func (l translated) String() string { return l.Transformer.String() }
func (l stepped) String() string    { return fmt.Sprint(l.Cell) }

func adapt(l *nn.Linear, rank int) *nn.Linear {
	l.LoRA = nn.NewLoRA(l.Weight, rank)
	return l
}

func adaptConv(c *nn.Conv, rank int) *nn.Conv {
	c.LoRA = nn.NewLoRA(c.Weight, rank)
	return c
}

func cellParams(rows string) []string {
	return []string{"weight_ih f64[" + rows + " 2]", "weight_hh f64[" + rows + " 3]", "bias_ih f64[" + rows + "]", "bias_hh f64[" + rows + "]"}
}

var adaptedLayers = []layerCase{
	{"PReLU", func() nn.Layer { return nn.NewPReLU(4) }, random(tarn.F64, 1, 3, 4), []int{3, 4}, []string{"weight f64[4]"}, false},
	{"PReLU with one slope", func() nn.Layer { return nn.NewPReLU(1) }, random(tarn.F64, 1, 3, 4), []int{3, 4}, []string{"weight f64[1]"}, false},
	{"Softplus", func() nn.Layer { return nn.Softplus{Beta: 2.5, Threshold: 1} }, random(tarn.F64, 1, 3, 4), []int{3, 4}, nil, false},
	{"Embedding with padding", func() nn.Layer {
		e := nn.NewPaddedEmbedding(3, 2, 1)
		e.Padding = nil // the gradient is that of the function again
		return e
	}, tarn.Vector([]int64{2, 0, 1, 2}), []int{4, 2}, []string{"weight f64[3 2]"}, false},
	{"EmbeddingBag", func() nn.Layer { return nn.NewEmbeddingBag(3, 2) }, tokens([]int64{2, 0, 1, 2}, 2, 2), []int{2, 2}, []string{"weight f64[3 2]"}, false},
	{"EmbeddingBag of the largest", func() nn.Layer {
		e := nn.NewEmbeddingBag(3, 2)
		e.Mode = nn.BagMax
		return e
	}, tokens([]int64{2, 1, 0}, 3, 1), []int{3, 2}, []string{"weight f64[3 2]"}, false},
	{"Linear with LoRA", func() nn.Layer { return adapt(nn.NewLinear(4, 3), 2) }, random(tarn.F64, 1, 2, 4), []int{2, 3}, []string{
		"weight f64[3 4]", "bias f64[3]", "lora_A f64[2 4]", "lora_B f64[3 2]"}, false},
	{"Linear of a vector with LoRA", func() nn.Layer {
		l := adapt(nn.NewLinear(4, 3), 1)
		l.LoRA.Dropout = 0.5
		return l
	}, random(tarn.F64, 1, 4), []int{3}, []string{"weight f64[3 4]", "bias f64[3]", "lora_A f64[1 4]", "lora_B f64[3 1]"}, true},
	{"Conv with LoRA", func() nn.Layer {
		c := adaptConv(nn.NewConv2d(2, 3, 2), 2)
		c.Padding, c.PaddingMode = []int{1}, nn.ReflectPadding
		return c
	}, random(tarn.F64, 1, 1, 3, 2, 2), []int{1, 4, 3, 3}, []string{"weight f64[3 2 2 2]", "bias f64[3]", "lora_A f64[2 2 2 2]", "lora_B f64[3 2]"}, false},
	{"Conv in groups with LoRA", func() nn.Layer { return adaptConv(nn.NewConv(4, 2, 2, 2), 1) }, random(tarn.F64, 1, 1, 3, 4), []int{1, 2, 2}, []string{
		"weight f64[2 2 2]", "bias f64[2]", "lora_A f64[1 2 2]", "lora_B f64[2 1]"}, false},
	{"Conv with circular padding", func() nn.Layer {
		c := nn.NewConv(2, 1, 1, 3)
		c.Same, c.PaddingMode = true, nn.CircularPadding
		return c
	}, random(tarn.F64, 1, 1, 4, 2), []int{1, 4, 1}, []string{"weight f64[1 2 3]", "bias f64[1]"}, false},
	{"MultiHeadAttention with positions", func() nn.Layer {
		m := withoutKeyBias(nn.NewGroupedQueryAttention(8, 4, 2))
		m.Rotary, m.ALiBi, m.Window = &nn.RotaryPosition{Context: 4}, true, 2
		m.LoRA = nn.NewLoRA(m.InProjWeight, 2)
		return m
	}, random(tarn.F64, 1, 1, 3, 8), []int{1, 3, 8}, []string{"in_proj_weight f64[16 8]", "out_proj.weight f64[8 8]", "out_proj.bias f64[8]", "lora_A f64[2 8]", "lora_B f64[16 2]"}, false},
	{"AdaptiveMaxPool", func() nn.Layer { return nn.NewAdaptiveMaxPool(2) }, random(tarn.F64, 1, 1, 5, 2), []int{1, 2, 2}, nil, false},
	{"FakeQuantize", func() nn.Layer {
		f := nn.NewFakeQuantize(nn.FakeQuantizeOptions{Average: 0.1})
		f.Quantize = false
		return f
	}, random(tarn.F64, 1, 3, 4), []int{3, 4}, []string{"scale f64[]", "zero_point i32[]", "min_val f64[]", "max_val f64[]", "num_batches i64[]"}, false},
}

// joiningLayers are layers of several inputs, behind what cuts one into them.
var joiningLayers = []layerCase{
	{"Bilinear", func() nn.Layer { return &halved{nn.NewBilinear(2, 2, 3)} }, random(tarn.F64, 1, 2, 1, 4), []int{2, 1, 3}, []string{"weight f64[3 2 2]", "bias f64[3]"}, false},
	{"RNNCell", func() nn.Layer { return &stepped{nn.NewRNNCell(2, 3)} }, random(tarn.F64, 1, 2, 5), []int{2, 3}, cellParams("3"), false},
	{"RNNCell with ReLU", func() nn.Layer { return &stepped{nn.NewReLURNNCell(2, 3)} }, random(tarn.F64, 3, 4, 5), []int{4, 3}, cellParams("3"), false},
	{"GRUCell", func() nn.Layer { return &stepped{nn.NewGRUCell(2, 3)} }, random(tarn.F64, 1, 2, 5), []int{2, 3}, cellParams("9"), false},
	{"LSTMCell", func() nn.Layer { return &stepped{nn.NewLSTMCell(2, 3)} }, random(tarn.F64, 1, 2, 8), []int{2, 6}, cellParams("12"), false},
	{"MaxUnpool", func() nn.Layer { return repooled{nn.NewMaxPool(2), nn.NewMaxUnpool(2)} }, random(tarn.F64, 1, 1, 4, 5, 2), []int{1, 4, 5, 2}, nil, false},
	{"Transformer", func() nn.Layer {
		m := nn.NewTransformer(nn.TransformerOptions{Width: 4, Heads: 2, EncoderLayers: 1, DecoderLayers: 1, Hidden: 3, Dropout: 0.3, Activation: nn.GELU{}})
		for _, a := range []*nn.MultiHeadAttention{m.Encoder.Layers[0].SelfAttn, m.Decoder.Layers[0].SelfAttn, m.Decoder.Layers[0].MultiheadAttn} {
			withoutKeyBias(a)
		}
		return translated{m}
	}, random(tarn.F64, 1, 1, 5, 4), []int{1, 2, 4}, slices.Concat(encoderParams("encoder.layers.0.", 3), []string{"encoder.norm.weight f64[4]", "encoder.norm.bias f64[4]"},
		decoderParams("decoder.layers.0.", 3), []string{"decoder.norm.weight f64[4]", "decoder.norm.bias f64[4]"}), true},
}

// decoderParams are the weights of a decoder layer of width 4 without key bias.
func decoderParams(path string, hidden int) (params []string) {
	for _, p := range encoderParams("", hidden) {
		if p == "linear1.weight f64[3 4]" {
			for _, q := range encoderParams("", hidden)[:3] {
				params = append(params, path+"multihead_attn"+q[len("self_attn"):])
			}
		}
		params = append(params, path+p)
	}
	return append(params, path+"norm3.weight f64[4]", path+"norm3.bias f64[4]")
}

func TestVariantsRefuse(t *testing.T) {
	f, i := tarn.F32, tarn.I32
	type forward = func(x, y *tarn.Value) *tarn.Value
	one := func(l nn.Layer) forward { return func(x, y *tarn.Value) *tarn.Value { return l.Forward(x) } }
	bag, sum := nn.NewEmbeddingBag(5, 3), nn.NewEmbeddingBag(5, 3)
	sum.Mode = nn.BagSum
	mode := nn.NewEmbeddingBag(5, 3)
	mode.Mode = 7
	narrow := nn.NewConv2d(3, 4, 3)
	narrow.Padding, narrow.PaddingMode = []int{8}, nn.ReflectPadding
	unknown := nn.NewConv2d(3, 4, 3)
	unknown.PaddingMode = 9
	wide := nn.NewConv2d(3, 4, 3)
	wide.Padding, wide.PaddingMode = []int{1, 1, 1}, nn.CircularPadding
	lstm, rnn := nn.NewLSTMCell(3, 2), nn.NewRNNCell(3, 2)
	half := nn.NewGRUCell(3, 2)
	half.BiasHH = nil
	for _, c := range []struct {
		name    string
		forward forward
		x, y    tarn.DType
		xs, ys  []int
		want    string
	}{
		{"PReLU of other channels", one(nn.NewPReLU(4)), f, f, []int{2, 3}, nil, "PReLU: the operand has shape [2 3] and the weight [4]"},
		{"PReLU of another dtype", one(nn.NewPReLU(1)), tarn.F64, f, []int{2, 3}, nil, "PReLU: the operand is f64 and the weight f32"},
		{"GLU of an odd size", one(nn.GLU{}), f, f, []int{2, 3}, nil, "GLU: axis -1 has size 3"},
		{"SwiGLU of an odd size", one(nn.SwiGLU{}), f, f, []int{2, 3}, nil, "SwiGLU: the operand has shape [2 3]"},
		{"GeGLU of a scalar", one(nn.GeGLU{}), f, f, nil, nil, "GeGLU: the operand has shape []"},
		{"Bilinear of other sizes", nn.NewBilinear(3, 4, 2).Forward, f, f, []int{2, 3}, []int{2, 3}, "Bilinear: the inputs have the shapes [2 3] and [2 3] and should be [d... 3] and [d... 4]"},
		{"Bilinear of other rows", nn.NewBilinear(3, 4, 2).Forward, f, f, []int{2, 3}, []int{1, 4}, "Bilinear: the inputs have the shapes [2 3] and [1 4]"},
		{"Bilinear of other dtypes", nn.NewBilinear(3, 4, 2).Forward, f, tarn.F64, []int{2, 3}, []int{2, 4}, "Bilinear: the inputs are f32 and f64"},
		{"EmbeddingBag of floats", one(bag), f, f, []int{2, 3}, nil, "EmbeddingBag: the index is f32"},
		{"EmbeddingBag of a scalar", one(bag), i, f, nil, nil, "EmbeddingBag: the index is a scalar"},
		{"EmbeddingBag of no mode", one(mode), i, f, []int{2, 3}, nil, "EmbeddingBag: Mode is 7"},
		{"EmbeddingBag with weights of a mean", bag.Weighted, i, f, []int{2, 3}, []int{2, 3}, "there are weights, which only BagSum takes"},
		{"EmbeddingBag with other weights", sum.Weighted, i, f, []int{2, 3}, []int{2}, "EmbeddingBag: the weights are f32[2] and should be f32[2 3]"},
		{"EmbeddingBag with bad offsets", func(x, y *tarn.Value) *tarn.Value { return bag.Bags(x, y, nil) }, i, f, []int{4}, []int{2}, "the indices and the offsets should have one axis each"},
		{"a cell of another size", func(x, y *tarn.Value) *tarn.Value { return rnn.Next(x, nn.State{}).H }, f, f, []int{2, 4}, nil, "RNNCell: the input has shape [2 4] and should be [n 3]"},
		{"a cell of another dtype", func(x, y *tarn.Value) *tarn.Value { return rnn.Next(x, nn.State{}).H }, tarn.F64, f, []int{2, 3}, nil, "RNNCell: the input is f64 and the weights f32"},
		{"a cell with a C", func(x, y *tarn.Value) *tarn.Value { return rnn.Next(x, nn.State{C: y}).H }, f, f, []int{2, 3}, []int{2, 2}, "RNNCell: the state has a C"},
		{"a cell with another state", func(x, y *tarn.Value) *tarn.Value { return lstm.Next(x, nn.State{C: y}).H }, f, f, []int{2, 3}, []int{1, 2}, "LSTMCell: the state is f32[1 2] and should be f32[2 2]"},
		{"a cell with half its biases", func(x, y *tarn.Value) *tarn.Value { return half.Next(x, nn.State{}).H }, f, f, []int{2, 3}, nil, "RecurrentCell: the cell lacks weights"},
		{"more padding than image", one(narrow), f, f, []int{1, 4, 4, 3}, nil, "PadReflect"},
		{"no padding mode", one(unknown), f, f, []int{1, 4, 4, 3}, nil, "Conv: there is no PaddingMode(9)"},
		{"too many paddings", one(wide), f, f, []int{1, 4, 4, 3}, nil, "Conv: "},
		{"MaxUnpool of rows", func(x, y *tarn.Value) *tarn.Value { return nn.NewMaxUnpool(2).Forward(x, y) }, f, i, []int{4, 3}, []int{4, 3}, "MaxUnpool: the operand has shape [4 3]"},
		{"MaxUnpool of other indices", func(x, y *tarn.Value) *tarn.Value { return nn.NewMaxUnpool(2).Forward(x, y) }, f, i, []int{1, 4, 3}, []int{1, 4, 2}, "MaxUnpool: "},
		{"FakeQuantize of another dtype", one(nn.NewFakeQuantize(nn.FakeQuantizeOptions{})), tarn.F64, f, []int{2, 3}, nil, "FakeQuantize: the operand is f64 and the states f32"},
		{"Softplus of a negative threshold", one(nn.Softplus{Threshold: -1}), f, f, []int{2, 3}, nil, "Softplus: Threshold is -1"},
	} {
		g := tarn.NewGraph()
		c.forward(g.Input("x", c.x, c.xs...), g.Input("y", c.y, c.ys...))
		refused(t, c.name, g, []string{c.want})
	}
}

// TestBagsBeforeTheFirst: indices before the first offset are an error of Run.
func TestBagsBeforeTheFirst(t *testing.T) {
	e := nn.NewEmbeddingBag(5, 3)
	if err := tarn.Init(e, 1); err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	program, err := tarn.Compile(g, tarn.Outputs{"y": e.Bags(g.Input("x", tarn.I32, 3), g.Input("offsets", tarn.I32, 2), nil)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Run(tarn.Vector([]int32{0, 1, 2}), tarn.Vector([]int32{1, 2})); err == nil || !strings.Contains(err.Error(), "EmbeddingBag: the bag of index 0") {
		t.Errorf("the error is %v", err)
	}
}

// TestPaddedRowsStartAtZero draws a table with a row of padding.
func TestPaddedRowsStartAtZero(t *testing.T) {
	e := nn.NewPaddedEmbedding(4, 3, 2)
	if err := tarn.Init(e, 1); err != nil {
		t.Fatal(err)
	}
	for i, x := range e.Weight.Tensor().Floats() {
		if (x == 0) != (i/3 == 2) {
			t.Errorf("element %d is %v", i, x)
		}
	}
}

// TestVariantsStartAsInPyTorch checks the bounds of uniform distributions, and what is constant.
func TestVariantsStartAsInPyTorch(t *testing.T) {
	m := nn.NewTransformer(nn.TransformerOptions{Width: 32, Heads: 2, EncoderLayers: 1, DecoderLayers: 1, Hidden: 64})
	slopes, cell, bilinear, lora := nn.NewPReLU(3), nn.NewLSTMCell(5, 64), nn.NewBilinear(64, 8, 8), nn.NewLoRA(nn.NewLinear(64, 8).Weight, 16)
	for _, l := range []any{m, slopes, cell, bilinear, lora} {
		if err := tarn.Init(l, 1); err != nil {
			t.Fatal(err)
		}
	}
	xavier := func(p *tarn.Param) float64 {
		in, out := nn.Fans(p.Shape())
		return math.Sqrt(6 / float64(in+out))
	}
	encoder, decoder := m.Encoder.Layers[0], m.Decoder.Layers[0]
	for _, c := range []struct {
		p     *tarn.Param
		bound float64
	}{
		{encoder.Linear1.Weight, xavier(encoder.Linear1.Weight)}, {decoder.Linear2.Weight, xavier(decoder.Linear2.Weight)},
		{encoder.SelfAttn.OutProj.Weight, xavier(encoder.SelfAttn.OutProj.Weight)}, {decoder.MultiheadAttn.InProjWeight, xavier(decoder.MultiheadAttn.InProjWeight)},
		{cell.WeightIH, 1. / 8}, {cell.BiasHH, 1. / 8}, {bilinear.Weight, 1. / 8}, {lora.A, 1. / 8}, {lora.B, 0}, {encoder.SelfAttn.OutProj.Bias, 0},
	} {
		x := c.p.Tensor().Floats()
		if least, most := slices.Min(x), slices.Max(x); least < -c.bound-1e-6 || most > c.bound+1e-6 || least > -0.95*c.bound || most < 0.95*c.bound {
			t.Errorf("%v lies within %v and %v, want close to %v on both sides", c.p, least, most, c.bound)
		}
	}
	for _, x := range slopes.Weight.Tensor().Floats() {
		if x != 0.25 {
			t.Errorf("a slope of PReLU is %v", x)
		}
	}
}
