package nn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file compares gated and learned activations, bags, cells, padding modes, adapters, unpooling, positions in attention and the whole
// transformer with PyTorch: testdata/variants.py writes the numbers.

// single is the model of a layer of one input.
func single(make func() nn.Layer) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		l := make()
		return modelOf(l), func(in map[string]*tarn.Value) *tarn.Value { return l.Forward(in["x"]) }
	}
}

// modelOf is a layer, or nil if it has no params.
func modelOf(l any) any {
	if _, err := tarn.Params(l); err != nil {
		return nil
	}
	return l
}

func bag(mode nn.BagMode, padding ...int) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		e := nn.NewEmbeddingBag(5, 3)
		e.Mode, e.Padding = mode, padding
		return e, func(in map[string]*tarn.Value) *tarn.Value {
			if in["offsets"] != nil {
				return e.Bags(in["x"], in["offsets"], in["w"])
			}
			return e.Weighted(in["x"], in["w"])
		}
	}
}

func bilinear(in1, in2 int, bias bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		b := nn.NewBilinear(in1, in2, 2)
		if !bias {
			b.Bias = nil
		}
		return b, func(in map[string]*tarn.Value) *tarn.Value { return b.Forward(in["x"], in["y"]) }
	}
}

// nextCell is a recurrent cell.
type nextCell interface {
	Next(x *tarn.Value, from nn.State) nn.State
}

func cellModel(make func() nextCell) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		c := make()
		return c, func(in map[string]*tarn.Value) *tarn.Value {
			to := c.Next(in["x"], nn.State{H: in["h"], C: in["c"]})
			if to.C != nil {
				return tarn.Concat(-1, to.H, to.C)
			}
			return to.H
		}
	}
}

func paddedConv(c func() *nn.Conv, mode nn.PaddingMode, set func(o *tarn.ConvOptions)) attentionModel {
	return single(func() nn.Layer {
		c := convOf(c(), set)
		c.PaddingMode = mode
		return c
	})
}

func unpooled(pool nn.MaxPool, un nn.MaxUnpool, size ...int) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		return nil, func(in map[string]*tarn.Value) *tarn.Value {
			y, indices := pool.Indices(in["x"])
			return un.Forward(y.Scale(2), indices, size...)
		}
	}
}

func adaptedModel(l nn.Layer, lora *nn.LoRA, scale float64) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		lora.Alpha = scale * float64(lora.A.Shape()[0])
		return l, func(in map[string]*tarn.Value) *tarn.Value { return l.Forward(in["x"]) }
	}
}

func withWeights(o tarn.AttentionOptions, mean bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		m := nn.NewMultiHeadAttention(6, 2)
		return m, func(in map[string]*tarn.Value) *tarn.Value {
			keys := in["y"]
			if keys == nil {
				keys = in["x"]
			}
			y, weights := m.AttendWeights(in["x"], keys, keys, o)
			if mean {
				weights = weights.Mean(-3)
			}
			return tarn.Concat(0, y.Reshape(-1), weights.Reshape(-1))
		}
	}
}

// positioned is self-attention of width 8 with 4 heads; it is the same if queries, keys and values are given apart, and if the weights are
// returned.
func positioned(groups int, set func(m *nn.MultiHeadAttention), o func(x *tarn.Value) tarn.AttentionOptions) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		m := nn.NewGroupedQueryAttention(8, 4, groups)
		set(m)
		return m, func(in map[string]*tarn.Value) *tarn.Value {
			x := in["x"]
			weighted, _ := m.AttendWeights(x, x, x, o(x))
			apart := m.Attend(x, x, x, o(x))
			return m.Self(x, o(x)).Scale(0.5).Add(apart.Add(weighted).Scale(0.25))
		}
	}
}

func noOptions(x *tarn.Value) tarn.AttentionOptions { return tarn.AttentionOptions{} }

func causal(x *tarn.Value) tarn.AttentionOptions { return tarn.AttentionOptions{Causal: true} }

func transformerModel(first bool) attentionModel {
	return func() (any, func(in map[string]*tarn.Value) *tarn.Value) {
		o := nn.TransformerOptions{Width: 6, Heads: 2, EncoderLayers: 2, DecoderLayers: 1, Hidden: 8, NormFirst: first}
		if first {
			o.Activation = nn.GELU{}
		}
		m := nn.NewTransformer(o)
		return m, func(in map[string]*tarn.Value) *tarn.Value {
			return m.Forward(in["x"], in["y"], nn.TransformerMasks{Decoder: tarn.AttentionOptions{Causal: true}})
		}
	}
}

func variantModels() map[string]attentionModel {
	linear, conv, grouped := nn.NewLinear(4, 5), convOf(nn.NewConv(2, 3, 1, 3, 2), func(o *tarn.ConvOptions) { o.Window = window([]int{2}, []int{1}) }), nn.NewConv(4, 4, 2, 2)
	models := map[string]attentionModel{
		"ReLU6": single(func() nn.Layer { return nn.ReLU6{} }), "Identity": single(func() nn.Layer { return nn.Identity{} }),
		"Softplus with all": single(func() nn.Layer { return nn.Softplus{Beta: 2.5, Threshold: 1} }), "Softplus beta": single(func() nn.Layer { return nn.Softplus{Beta: 0.5} }),
		"PReLU": single(func() nn.Layer { return nn.NewPReLU(3) }), "PReLU with one slope": single(func() nn.Layer { return nn.NewPReLU(1) }),
		"GLU": single(func() nn.Layer { return nn.GLU{} }), "SwiGLU": single(func() nn.Layer { return nn.SwiGLU{} }), "GeGLU": single(func() nn.Layer { return nn.GeGLU{} }),
		"Bilinear": bilinear(3, 4, true), "Bilinear of vectors": bilinear(3, 2, false),
		"Embedding with padding": single(func() nn.Layer { return nn.NewPaddedEmbedding(5, 3, 4) }),
		"EmbeddingBag weighted":  bag(nn.BagSum), "EmbeddingBag weighted with offsets": bag(nn.BagSum),

		"Conv3d padded by replicate": paddedConv(func() *nn.Conv { return nn.NewConv3d(1, 2, 2) }, nn.ReplicatePadding, func(o *tarn.ConvOptions) { o.Padding = []int{1} }),

		"AdaptiveMaxPool1d": single(func() nn.Layer { return nn.NewAdaptiveMaxPool(3) }), "AdaptiveMaxPool2d": single(func() nn.Layer { return nn.NewAdaptiveMaxPool(2, 3) }),
		"MaxUnpool1d": unpooled(*nn.NewMaxPool(2), *nn.NewMaxUnpool(2)), "MaxUnpool2d": unpooled(*nn.NewMaxPool(2), *nn.NewMaxUnpool(2)),
		"MaxUnpool2d of a size": unpooled(*nn.NewMaxPool(2), *nn.NewMaxUnpool(2), 5, 7),
		"MaxUnpool2d with all": unpooled(nn.MaxPool{Size: []int{3, 2}, Window: window([]int{3, 2}, []int{1, 0})},
			nn.MaxUnpool{Size: []int{3, 2}, Stride: []int{3, 2}, Padding: []int{1, 0}}),

		"Linear with LoRA": adaptedModel(adapt(linear, 2), linear.LoRA, 1.5), "Conv with LoRA": adaptedModel(adaptConv(conv, 2), conv.LoRA, 1.5),
		"Conv in groups with LoRA": adaptedModel(adaptConv(grouped, 3), grouped.LoRA, 1),

		"attention in a window": plainAttention(tarn.AttentionOptions{Window: 2}, nil), "attention in a window before": plainAttention(tarn.AttentionOptions{Window: 3, Causal: true}, nil),
		"MultiHeadAttention with weights":          withWeights(tarn.AttentionOptions{}, false),
		"MultiHeadAttention with weights, causal":  withWeights(tarn.AttentionOptions{Causal: true}, false),
		"MultiHeadAttention with mean weights":     withWeights(tarn.AttentionOptions{}, true),
		"MultiHeadAttention with rotary":           positioned(4, func(m *nn.MultiHeadAttention) { m.Rotary = &nn.RotaryPosition{Context: 5} }, noOptions),
		"MultiHeadAttention with rotary in groups": positioned(2, func(m *nn.MultiHeadAttention) { m.Rotary = &nn.RotaryPosition{Context: 9} }, noOptions),
		"MultiHeadAttention with ALiBi":            positioned(4, func(m *nn.MultiHeadAttention) { m.ALiBi = true }, noOptions),
		"MultiHeadAttention with ALiBi, causal":    positioned(4, func(m *nn.MultiHeadAttention) { m.ALiBi = true }, causal),
		"MultiHeadAttention with ALiBi and a mask": positioned(2, func(m *nn.MultiHeadAttention) { m.ALiBi = true }, func(x *tarn.Value) tarn.AttentionOptions {
			return tarn.AttentionOptions{Mask: x.Graph().Iota(tarn.I32, 0, 5).Ne(tarn.Num(3))}
		}),
		"MultiHeadAttention with ALiBi and an added mask": positioned(2, func(m *nn.MultiHeadAttention) { m.ALiBi = true }, func(x *tarn.Value) tarn.AttentionOptions {
			return tarn.AttentionOptions{Mask: x.Graph().Iota(x.DType(), 0, 5).Scale(0.25)}
		}),
		"MultiHeadAttention with a window": positioned(4, func(m *nn.MultiHeadAttention) { m.Window = 2 }, noOptions),
		"MultiHeadAttention with all positions": positioned(2, func(m *nn.MultiHeadAttention) {
			m.Rotary, m.ALiBi, m.Window = &nn.RotaryPosition{Context: 5}, true, 3
		}, causal),
		"MultiHeadAttention with LoRA": positioned(2, func(m *nn.MultiHeadAttention) {
			m.LoRA = nn.NewLoRA(m.InProjWeight, 2)
			m.LoRA.Alpha = 1
		}, noOptions),
		"Transformer": transformerModel(false), "Transformer norm first": transformerModel(true),
	}
	for name, mode := range map[string]nn.BagMode{"mean": nn.BagMean, "sum": nn.BagSum, "max": nn.BagMax} {
		models["EmbeddingBag "+name], models["EmbeddingBag "+name+" with padding"], models["EmbeddingBag "+name+" with offsets"] = bag(mode), bag(mode, 4), bag(mode, 2)
	}
	for name, make := range map[string]func() nextCell{
		"RNNCell": func() nextCell { return nn.NewRNNCell(2, 3) }, "RNNCell with ReLU": func() nextCell { return nn.NewReLURNNCell(2, 3) },
		"GRUCell": func() nextCell { return nn.NewGRUCell(2, 3) }, "LSTMCell": func() nextCell { return nn.NewLSTMCell(2, 3) },
		"GRUCell without bias": func() nextCell {
			c := nn.NewGRUCell(2, 3)
			c.BiasIH, c.BiasHH = nil, nil
			return c
		},
	} {
		models[name], models[name+" from zeros"] = cellModel(make), cellModel(make)
	}
	for name, mode := range map[string]nn.PaddingMode{"reflect": nn.ReflectPadding, "replicate": nn.ReplicatePadding, "circular": nn.CircularPadding} {
		models["Conv1d padded by "+name] = paddedConv(func() *nn.Conv { return nn.NewConv1d(2, 3, 3) }, mode, func(o *tarn.ConvOptions) { o.Padding = []int{2} })
		models["Conv2d padded by "+name] = paddedConv(func() *nn.Conv { return nn.NewConv(2, 2, 1, 3, 2) }, mode, func(o *tarn.ConvOptions) {
			o.Stride, o.Dilation, o.Padding = []int{2}, []int{1, 2}, []int{2, 1}
		})
		models["Conv2d same by "+name] = paddedConv(func() *nn.Conv { return nn.NewConv(2, 2, 1, 3, 4) }, mode, func(o *tarn.ConvOptions) { o.Same = true })
	}
	return models
}

func TestVariantGoldens(t *testing.T) { checkGoldens(t, "variants", variantModels) }
