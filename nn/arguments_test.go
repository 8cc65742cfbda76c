package nn_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/declared"
	"github.com/seed-49005b45/tarn/nn"
)

// This file gives every constructor, and every numeric field of what it returns, numbers that make no sense. Each must be one error with
// a place, and never another model.

// constructions are all constructors with arguments that make sense and an operand for the layer.
var constructions = []struct {
	name  string
	f     any
	args  []any
	x     []int
	dtype tarn.DType
}{
	{"NewLinear", nn.NewLinear, []any{4, 3}, []int{2, 4}, tarn.F32},
	{"NewEmbedding", nn.NewEmbedding, []any{5, 4}, []int{2, 4}, tarn.I32},
	{"NewLayerNorm", nn.NewLayerNorm, []any{4}, []int{2, 4}, tarn.F32},
	{"NewRMSNorm", nn.NewRMSNorm, []any{4}, []int{2, 4}, tarn.F32},
	{"NewBatchNorm", nn.NewBatchNorm, []any{4}, []int{2, 4}, tarn.F32},
	{"NewGroupNorm", nn.NewGroupNorm, []any{2, 4}, []int{2, 4}, tarn.F32},
	{"NewInstanceNorm", nn.NewInstanceNorm, nil, []int{2, 3, 4}, tarn.F32},
	{"NewInstanceNormAffine", nn.NewInstanceNormAffine, []any{4}, []int{2, 3, 4}, tarn.F32},
	{"NewDropout", nn.NewDropout, []any{0.5}, []int{2, 4}, tarn.F32},
	{"NewDropout2d", nn.NewDropout2d, []any{0.5}, []int{2, 4}, tarn.F32},
	{"NewDropPath", nn.NewDropPath, []any{0.5}, []int{2, 4}, tarn.F32},
	{"NewConv", nn.NewConv, []any{4, 4, 1, 3, 3}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewConv1d", nn.NewConv1d, []any{4, 4, 3}, []int{2, 7, 4}, tarn.F32},
	{"NewConv2d", nn.NewConv2d, []any{4, 4, 3}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewConv3d", nn.NewConv3d, []any{4, 4, 3}, []int{2, 7, 7, 7, 4}, tarn.F32},
	{"NewConvTranspose", nn.NewConvTranspose, []any{4, 4, 1, 3, 3}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewConvTranspose1d", nn.NewConvTranspose1d, []any{4, 4, 3}, []int{2, 7, 4}, tarn.F32},
	{"NewConvTranspose2d", nn.NewConvTranspose2d, []any{4, 4, 3}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewConvTranspose3d", nn.NewConvTranspose3d, []any{4, 4, 3}, []int{2, 7, 7, 7, 4}, tarn.F32},
	{"NewMaxPool", nn.NewMaxPool, []any{2, 2}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewAvgPool", nn.NewAvgPool, []any{2, 2}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewLpPool", nn.NewLpPool, []any{2.0, 2, 2}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewAdaptiveAvgPool", nn.NewAdaptiveAvgPool, []any{2, 2}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewUpsample", nn.NewUpsample, []any{2}, []int{2, 7, 7, 4}, tarn.F32},
	{"NewLearnedPosition", nn.NewLearnedPosition, []any{5, 4}, []int{2, 5, 4}, tarn.F32},
	{"NewMultiHeadAttention", nn.NewMultiHeadAttention, []any{4, 2}, []int{2, 5, 4}, tarn.F32},
	{"NewGroupedQueryAttention", nn.NewGroupedQueryAttention, []any{4, 2, 1}, []int{2, 5, 4}, tarn.F32},
	{"NewCrossAttention", nn.NewCrossAttention, []any{4, 2, 4, 4}, []int{2, 5, 4}, tarn.F32},
	{"NewTransformerEncoderLayer", nn.NewTransformerEncoderLayer, []any{4, 2, 8}, []int{2, 5, 4}, tarn.F32},
	{"NewTransformerDecoderLayer", nn.NewTransformerDecoderLayer, []any{4, 2, 8}, []int{2, 5, 4}, tarn.F32},
	{"NewTransformerEncoder", nn.NewTransformerEncoder, []any{2, func() *nn.TransformerEncoderLayer { return nn.NewTransformerEncoderLayer(4, 2, 8) }}, []int{2, 5, 4}, tarn.F32},
	{"NewTransformerDecoder", nn.NewTransformerDecoder, []any{2, func() *nn.TransformerDecoderLayer { return nn.NewTransformerDecoderLayer(4, 2, 8) }}, []int{2, 5, 4}, tarn.F32},
	{"NewGPT", nn.NewGPT, []any{nn.GPTOptions{Vocabulary: 7, Context: 5, Width: 4, Layers: 2, Heads: 2}}, []int{2, 5}, tarn.I32},
	{"NewRNN", nn.NewRNN, []any{4, 3, nn.RecurrentOptions{Layers: 2}}, []int{2, 5, 4}, tarn.F32},
	{"NewReLURNN", nn.NewReLURNN, []any{4, 3, nn.RecurrentOptions{Layers: 2}}, []int{2, 5, 4}, tarn.F32},
	{"NewLSTM", nn.NewLSTM, []any{4, 3, nn.RecurrentOptions{Layers: 2}}, []int{2, 5, 4}, tarn.F32},
	{"NewGRU", nn.NewGRU, []any{4, 3, nn.RecurrentOptions{Layers: 2}}, []int{2, 5, 4}, tarn.F32},
	{"NewSequential", nn.NewSequential, nil, []int{2, 4}, tarn.F32},
	{"NewSpectralNorm", nn.NewSpectralNorm, []any{tarn.NewParam(tarn.F32, nil, 3, 4)}, []int{3, 4}, tarn.F32},
	{"NewWeightNorm", nn.NewWeightNorm, []any{tarn.NewParam(tarn.F32, nil, 3, 4)}, []int{3, 4}, tarn.F32},
	{"NewPReLU", nn.NewPReLU, []any{4}, []int{2, 4}, tarn.F32},
	{"NewPaddedEmbedding", nn.NewPaddedEmbedding, []any{5, 4, 1}, []int{2, 4}, tarn.I32},
	{"NewEmbeddingBag", nn.NewEmbeddingBag, []any{5, 4}, []int{2, 4}, tarn.I32},
	{"NewBilinear", nn.NewBilinear, []any{4, 4, 3}, []int{2, 4}, tarn.F32},
	{"NewRNNCell", nn.NewRNNCell, []any{4, 3}, []int{2, 4}, tarn.F32},
	{"NewReLURNNCell", nn.NewReLURNNCell, []any{4, 3}, []int{2, 4}, tarn.F32},
	{"NewLSTMCell", nn.NewLSTMCell, []any{4, 3}, []int{2, 4}, tarn.F32},
	{"NewGRUCell", nn.NewGRUCell, []any{4, 3}, []int{2, 4}, tarn.F32},
	{"NewTransformer", nn.NewTransformer, []any{nn.TransformerOptions{Width: 4, Heads: 2, EncoderLayers: 1, DecoderLayers: 1, Hidden: 3}}, []int{2, 5, 4}, tarn.F32},
	{"NewAdaptiveMaxPool", nn.NewAdaptiveMaxPool, []any{2}, []int{2, 5, 4}, tarn.F32},
	{"NewMaxUnpool", nn.NewMaxUnpool, []any{2}, []int{2, 3, 4}, tarn.F32},
	{"NewFakeQuantize", nn.NewFakeQuantize, []any{nn.FakeQuantizeOptions{Low: -7, High: 7, Channels: 4, Axis: 1, Average: 0.5}}, []int{2, 4}, tarn.F32},
	{"NewLoRA", func(rank int) *nn.Linear { return adapt(nn.NewLinear(4, 3), rank) }, []any{2}, []int{2, 4}, tarn.F32},
	{"Softplus", func() *nn.Softplus { return new(nn.Softplus) }, nil, []int{2, 4}, tarn.F32},
	{"LeakyReLU", func() *nn.LeakyReLU { return new(nn.LeakyReLU) }, nil, []int{2, 4}, tarn.F32},
	{"ELU", func() *nn.ELU { return new(nn.ELU) }, nil, []int{2, 4}, tarn.F32},
	{"CELU", func() *nn.CELU { return new(nn.CELU) }, nil, []int{2, 4}, tarn.F32},
	{"WeightNoise", func() *nn.WeightNoise { return &nn.WeightNoise{Std: 0.1} }, nil, []int{3, 4}, tarn.F32},
	{"PixelShuffle", func() *nn.PixelShuffle { return &nn.PixelShuffle{R: 2} }, nil, []int{2, 3, 3, 4}, tarn.F32},
	{"SinusoidalPosition", func() *nn.SinusoidalPosition { return new(nn.SinusoidalPosition) }, nil, []int{2, 5, 4}, tarn.F32},
	{"RotaryPosition", func() *nn.RotaryPosition { return &nn.RotaryPosition{Context: 5} }, nil, []int{2, 5, 4}, tarn.F32},
}

// sensible are numbers that make sense although they are 0, negative or infinite, by what they say.
var sensible = map[string]string{
	"RecurrentOptions.Layers = 0": "one layer",
	"LeakyReLU.Slope = 0":         "the default", "ELU.Alpha = 0": "the default", "CELU.Alpha = 0": "the default",
	"Softplus.Beta = 0": "the default", "Softplus.Threshold = 0": "none", "MultiHeadAttention.Window = 0": "no limit",
	"NewPaddedEmbedding: argument 2 = 0": "the first row", "Embedding.Padding = [0]": "the first row", "EmbeddingBag.Padding = [0]": "the first row", "EmbeddingBag.Mode = 0": "the mean",
	"TransformerOptions.EncoderLayers = 0": "the default", "TransformerOptions.DecoderLayers = 0": "the default",
	"TransformerOptions.Hidden = 0": "the default", "TransformerOptions.Dropout = 0": "none", "MaxUnpool.Padding = [0]": "no padding",
	"FakeQuantizeOptions.Low = 0": "from 0", "FakeQuantizeOptions.Average = 0": "all that was observed", "LoRA.Alpha = 0": "nothing is added", "LoRA.Dropout = 0": "none",
	"LoRA.Alpha = -1": "", "LoRA.Alpha = -1e-300": "", "Conv.PaddingMode = zeros": "", "FakeQuantizeOptions.Low = -1": "", "FakeQuantizeOptions.Channels = 0": "one scale", "FakeQuantizeOptions.Axis = -1": "the last axis",
	"SinusoidalPosition.Base = 0": "the default", "RotaryPosition.Base = 0": "the default",
	"RMSNorm.Eps = -1": "PyTorch's None", "RMSNorm.Eps = -Inf": "PyTorch's None", "RMSNorm.Eps = -1e-300": "PyTorch's None",
	"BatchNorm.Momentum = -1": "the plain average", "BatchNorm.Momentum = -1e-300": "the plain average",
	"Conv.Groups = 0": "one group", "ConvTranspose.Groups = 0": "one group",
	"Conv.Padding = [0]": "no padding", "Conv.PaddingAfter = [0]": "no padding", "ConvTranspose.Padding = [0]": "no padding", "ConvTranspose.PaddingAfter = [0]": "no padding",
	"ConvTranspose.Extra = [0]": "no more elements",
	"MaxPool.Padding = [0]":     "no padding", "MaxPool.PaddingAfter = [0]": "no padding", "AvgPool.Padding = [0]": "no padding", "AvgPool.PaddingAfter = [0]": "no padding",
	"LpPool.Padding = [0]": "no padding", "LpPool.PaddingAfter = [0]": "no padding",
	"SpectralNorm.Iterations = 0": "the vectors stay", "LayerNorm.Eps = 0": "", "BatchNorm.Eps = 0": "", "GroupNorm.Eps = 0": "", "InstanceNorm.Eps = 0": "", "RMSNorm.Eps = 0": "",
	"SpectralNorm.Eps = 0": "", "WeightNoise.Std = 0": "no noise", "BatchNorm.Momentum = 0": "the statistics stay",
	"NewDropout: argument 0 = 0": "nothing is dropped", "NewDropout2d: argument 0 = 0": "nothing is dropped", "NewDropPath: argument 0 = 0": "nothing is dropped",
	"Dropout.P = 0": "nothing is dropped", "Dropout2d.P = 0": "nothing is dropped", "DropPath.P = 0": "nothing is dropped",
	"GPTOptions.Dropout = 0": "none", "RecurrentOptions.Dropout = 0": "none", "MultiHeadAttention.Dropout = 0": "none",
	"TransformerEncoderLayer.Dropout = 0": "none", "TransformerDecoderLayer.Dropout = 0": "none",
}

func TestArguments(t *testing.T) {
	for _, c := range constructions {
		if err := construct(c.f, c.args, c.x, c.dtype, nil); err != nil {
			t.Errorf("%s%v: %v", c.name, c.args, err)
		}
		for i, arg := range c.args {
			made := reflect.New(reflect.TypeOf(arg)).Elem()
			made.Set(reflect.ValueOf(arg))
			spoil(fmt.Sprintf("%s: argument %d", c.name, i), made, func(setting string) {
				args := append([]any{}, c.args...)
				args[i] = made.Interface()
				verdict(t, setting, construct(c.f, args, c.x, c.dtype, nil))
			})
		}
		layer := build1(c.f, c.args)
		spoil(layer.Type().Elem().Name(), layer.Elem(), func(setting string) {
			verdict(t, setting, construct(c.f, c.args, c.x, c.dtype, &layer))
		})
	}
}

// verdict expects an error with a place unless the setting makes sense.
func verdict(t *testing.T, setting string, err error) {
	t.Helper()
	_, fine := sensible[setting]
	if _, after, ok := strings.Cut(setting, ": argument 0 "); ok && !fine { // fields of options
		_, fine = sensible[after]
	}
	switch {
	case fine && err != nil:
		t.Errorf("%s is refused: %v", setting, err)
	case !fine && err == nil:
		t.Errorf("%s is accepted", setting)
	case !fine:
		text := err.Error()
		if strings.Contains(text, "panic") || !strings.Contains(text, "arguments_test.go:") || strings.Contains(text, "mistakes in the graph") {
			t.Errorf("%s: the report is %v", setting, err)
		}
	}
}

// spoil sets each number in a value to some that make no sense, calls try, and sets it back.
func spoil(name string, v reflect.Value, try func(setting string)) {
	set := func(x reflect.Value) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		v.Set(x.Convert(v.Type()))
		try(fmt.Sprint(name, " = ", v))
		v.Set(was)
	}
	switch {
	case v.Kind() == reflect.Float64:
		for _, x := range []float64{math.NaN(), -1, 0, math.Inf(1), math.Inf(-1), -1e-300} {
			set(reflect.ValueOf(x))
		}
	case v.Kind() == reflect.Int:
		for _, n := range []int{-1, 0, math.MinInt} {
			set(reflect.ValueOf(n))
		}
	case v.Type() == reflect.TypeFor[[]int]():
		for _, list := range [][]int{{-1}, {0}, {math.MinInt}, {1, 1, 1, 1, 1}} {
			set(reflect.ValueOf(list))
		}
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[tarn.Param]():
		for i := range v.NumField() {
			f := v.Type().Field(i)
			at := name + "." + f.Name
			if f.Anonymous {
				at = name
			}
			if f.Type == reflect.TypeFor[nn.RecurrentOptions]() || f.Type == reflect.TypeFor[nn.Recurrent]() || f.Name == "In" || f.Name == "Hidden" {
				continue // which Forward has from the constructor
			}
			if strings.Contains(name, ": argument") {
				constructor, _, _ := strings.Cut(name, ":")
				at = constructor + ": argument 0 " + v.Type().Name() + "." + f.Name
			}
			if f.IsExported() {
				spoil(at, v.Field(i), try)
			}
		}
	}
}

// build1 calls a constructor.
func build1(f any, args []any) reflect.Value {
	var in []reflect.Value
	for _, a := range args {
		in = append(in, reflect.ValueOf(a))
	}
	return reflect.ValueOf(f).Call(in)[0]
}

// construct calls a constructor, unless there is a layer, and then the layer. A panic is an error.
func construct(f any, args []any, shape []int, dtype tarn.DType, layer *reflect.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if layer == nil {
		made := build1(f, args)
		layer = &made
	}
	g := tarn.NewGraph()
	x := g.Input("x", dtype, shape...)
	var y *tarn.Value
	switch l := layer.Interface().(type) {
	case nn.Layer:
		y = l.Forward(x)
	case nn.WeightTransform:
		y = l.Apply(x)
	case *nn.Bilinear:
		y = l.Forward(x, x)
	case nextCell:
		y = l.Next(x, nn.State{}).H
	case *nn.Transformer:
		y = l.Forward(x, x, nn.TransformerMasks{})
	case *nn.MaxUnpool:
		y = l.Forward(x, g.Iota(tarn.I64, 1, x.Shape()...))
	case *nn.TransformerDecoderLayer:
		y = l.Decode(x, x, tarn.AttentionOptions{}, tarn.AttentionOptions{})
	case *nn.TransformerDecoder:
		y = l.Decode(x, x, tarn.AttentionOptions{}, tarn.AttentionOptions{})
	}
	_, err = tarn.Compile(g, tarn.Outputs{"y": y})
	return err
}

// TestArgumentsThatContradict has numbers that do not go together, and constructors without numbers.
func TestArgumentsThatContradict(t *testing.T) {
	for _, test := range []struct {
		f     any
		args  []any
		x     []int
		dtype tarn.DType
		want  string
	}{
		{nn.NewMultiHeadAttention, []any{6, 4}, []int{2, 5, 6}, tarn.F32, "NewMultiHeadAttention(6, 4): 4 heads do not divide the width 6"},
		{nn.NewMultiHeadAttention, []any{4, 8}, []int{2, 5, 4}, tarn.F32, "8 heads do not divide the width 4"},
		{nn.NewGroupedQueryAttention, []any{6, 3, 2}, []int{2, 5, 6}, tarn.F32, "2 groups do not divide the 3 heads"},
		{nn.NewCrossAttention, []any{6, 4, 6, 6}, []int{2, 5, 6}, tarn.F32, "NewCrossAttention(6, 4, 6, 6): 4 heads"},
		{nn.NewTransformerEncoderLayer, []any{6, 4, 8}, []int{2, 5, 6}, tarn.F32, "NewTransformerEncoderLayer(6, 4, 8): 4 heads"},
		{nn.NewTransformerDecoderLayer, []any{6, 4, 8}, []int{2, 5, 6}, tarn.F32, "NewTransformerDecoderLayer(6, 4, 8): 4 heads"},
		{nn.NewTransformerEncoder, []any{2, (func() *nn.TransformerEncoderLayer)(nil)}, []int{2, 5, 4}, tarn.F32, "the function that makes a layer is nil"},
		{nn.NewTransformerEncoder, []any{1 << 40, func() *nn.TransformerEncoderLayer { return nil }}, []int{2, 5, 4}, tarn.F32, "from 1 to 65536"},
		{nn.NewTransformerEncoder, []any{1, func() *nn.TransformerEncoderLayer { return nil }}, []int{2, 5, 4}, tarn.F32, "the layer is nil"},
		{nn.NewTransformerDecoder, []any{2, (func() *nn.TransformerDecoderLayer)(nil)}, []int{2, 5, 4}, tarn.F32, "the function that makes a layer is nil"},
		{nn.NewGPT, []any{nn.GPTOptions{Vocabulary: 7, Context: 5, Width: 100, Layers: 1, Heads: 12}}, []int{2, 5}, tarn.I32, "12 Heads do not divide the Width 100"},
		{nn.NewGPT, []any{nn.GPTOptions{Vocabulary: 7, Context: 5, Width: 4, Layers: 1, Heads: 2, Dropout: 1}}, []int{2, 5}, tarn.I32, "Dropout is 1 and should lie in [0, 1)"},
		{nn.NewGPT, []any{nn.GPTOptions{Vocabulary: 7, Context: 5, Width: 4, Layers: 1 << 60, Heads: 2}}, []int{2, 5}, tarn.I32, "Layers is 1152921504606846976"},
		{nn.NewConv, []any{6, 4, 4, 3}, []int{2, 7, 6}, tarn.F32, "NewConv(6, 4, 4, [3]): 4 groups do not divide the 6 channels in and 4 out"},
		{nn.NewConv, []any{4, 6, 4, 3}, []int{2, 7, 4}, tarn.F32, "4 groups do not divide the 4 channels in and 6 out"},
		{nn.NewConv, []any{5, 4, 2, 3}, []int{2, 7, 4}, tarn.F32, "2 groups do not divide the 5 channels in"},
		{nn.NewConv, []any{4, 4, 1}, []int{2, 7, 4}, tarn.F32, "the window has 0 sizes"},
		{nn.NewConvTranspose, []any{4, 6, 4, 3}, []int{2, 7, 4}, tarn.F32, "NewConvTranspose(4, 6, 4, [3]): 4 groups"},
		{nn.NewGroupNorm, []any{3, 4}, []int{2, 4}, tarn.F32, "NewGroupNorm(3, 4): 3 groups do not divide 4 channels"},
		{nn.NewLSTM, []any{4, 3, nn.RecurrentOptions{Layers: 1 << 60}}, []int{2, 5, 4}, tarn.F32, "Layers is 1152921504606846976"},
		{nn.NewLSTM, []any{4, 3, nn.RecurrentOptions{Dropout: 1.5}}, []int{2, 5, 4}, tarn.F32, "Dropout is 1.5 and should be from 0 to 1"},
		{nn.NewTransformer, []any{nn.TransformerOptions{Width: 6, Heads: 4}}, []int{2, 5, 6}, tarn.F32, "4 heads do not divide the width 6"},
		{nn.NewTransformer, []any{nn.TransformerOptions{Dropout: 2}}, []int{2, 5, 512}, tarn.F32, "Dropout is 2 and should be from 0 to 1"},
		{nn.NewTransformer, []any{nn.TransformerOptions{EncoderLayers: 1 << 60}}, []int{2, 5, 512}, tarn.F32, "at most 65536 layers"},
		{nn.NewFakeQuantize, []any{nn.FakeQuantizeOptions{Low: 3, High: 7}}, []int{2, 4}, tarn.F32, "Low is 3 and High 7"},
		{nn.NewFakeQuantize, []any{nn.FakeQuantizeOptions{Channels: 3}}, []int{2, 4}, tarn.F32, "should have the size 3 at axis 0"},
		{nn.NewFakeQuantize, []any{nn.FakeQuantizeOptions{}}, []int{0, 4}, tarn.F32, "no elements to observe"},
		{nn.NewMaxUnpool, []any{2, 2}, []int{2, 3, 4}, tarn.F32, "Size is [2 2] and should have one number, or 1"},
		{nn.NewPaddedEmbedding, []any{5, 4, 5}, []int{2, 4}, tarn.I32, "Padding is [5] and should list rows of the table, which has 5"},
		{nn.NewMaxPool, nil, []int{2, 7, 4}, tarn.F32, "the window [] has 0 axes"},
		{nn.NewLayerNorm, nil, []int{2, 4}, tarn.F32, "0 axes should be normalized"},
		{nn.NewDropout, []any{1.5}, []int{2, 4}, tarn.F32, "P is 1.5"},
		{nn.NewSpectralNorm, []any{(*tarn.Param)(nil)}, []int{2, 4}, tarn.F32, "SpectralNorm"},
		{nn.NewWeightNorm, []any{(*tarn.Param)(nil)}, []int{2, 4}, tarn.F32, "WeightNorm"},
		{nn.NewSequential, []any{nn.NewLinear(0, 4)}, []int{2, 0}, tarn.F32, "NewLinear(0, 4): in is 0 and should be at least 1"},
	} {
		err := construct(test.f, test.args, test.x, test.dtype, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "arguments_test.go:") {
			t.Errorf("%v: the error is %v, want %q in it", test.args, err, test.want)
		}
	}
}

// TestEveryConstructorIsTried fails if an exported constructor has no row.
func TestEveryConstructorIsTried(t *testing.T) {
	p := declared.Read(t, ".")
	all := p.TypesWith("Forward").Join(p.TypesWith("Apply")).Join(p.TypesWith("Decode")).Join(p.TypesWith("Next"))
	p.Check("constructor", p.Constructors(all), "constructions")
}
