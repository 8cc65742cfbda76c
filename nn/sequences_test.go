package nn_test

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds the cases of the layers of sequences, and of the layers without weights.

var sequenceLayers = []layerCase{
	{"RNN", func() nn.Layer { return nn.NewRNN(2, 3, nn.RecurrentOptions{}) }, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 3}, recurrentParams(3, "l0"), false},
	{"RNN with ReLU", func() nn.Layer { return nn.NewReLURNN(2, 3, nn.RecurrentOptions{}) }, random(tarn.F64, 2, 2, 3, 2), []int{2, 3, 3}, recurrentParams(3, "l0"), false},
	{"LSTM", func() nn.Layer { return nn.NewLSTM(2, 3, nn.RecurrentOptions{}) }, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 3}, recurrentParams(12, "l0"), false},
	{"GRU of both ways", func() nn.Layer {
		return nn.NewGRU(2, 3, nn.RecurrentOptions{Bidirectional: true, TimeFirst: true})
	}, random(tarn.F64, 1, 3, 2, 2), []int{3, 2, 6}, recurrentParams(9, "l0", "l0_reverse"), false},
	{"RNN with dropout", func() nn.Layer {
		return nn.NewRNN(2, 2, nn.RecurrentOptions{Layers: 2, Dropout: 0.5, NoBias: true})
	}, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 2}, []string{
		"weight_hh_l0 f64[2 2]", "weight_hh_l1 f64[2 2]", "weight_ih_l0 f64[2 2]", "weight_ih_l1 f64[2 2]"}, true},

	{"MultiHeadAttention", func() nn.Layer { return withoutKeyBias(nn.NewMultiHeadAttention(4, 2)) }, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, []string{
		"in_proj_weight f64[12 4]", "out_proj.weight f64[4 4]", "out_proj.bias f64[4]"}, false},
	{"MultiHeadAttention in groups", func() nn.Layer {
		m := withoutKeyBias(nn.NewGroupedQueryAttention(4, 4, 2))
		m.Dropout = 0.5
		return m
	}, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, []string{"in_proj_weight f64[8 4]", "out_proj.weight f64[4 4]", "out_proj.bias f64[4]"}, true},
	{"MultiHeadAttention of separate weights", func() nn.Layer { return withoutKeyBias(nn.NewCrossAttention(4, 2, 4, 4)) }, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, []string{
		"q_proj_weight f64[4 4]", "k_proj_weight f64[4 4]", "v_proj_weight f64[4 4]", "out_proj.weight f64[4 4]", "out_proj.bias f64[4]"}, false},
	{"TransformerEncoderLayer", func() nn.Layer { return smallEncoderLayer() }, random(tarn.F64, 1, 1, 3, 4), []int{1, 3, 4}, encoderParams("", 3), true},
	{"TransformerEncoder", func() nn.Layer {
		e := nn.NewTransformerEncoder(1, smallEncoderLayer)
		e.Norm = nn.NewLayerNorm(4)
		return e
	}, random(tarn.F64, 1, 1, 3, 4), []int{1, 3, 4}, append(encoderParams("layers.0.", 3), "norm.weight f64[4]", "norm.bias f64[4]"), true},
	{"GPT", func() nn.Layer {
		m := nn.NewGPT(nn.GPTOptions{Vocabulary: 3, Context: 3, Width: 4, Layers: 1, Heads: 2, Dropout: 0.3})
		m.Blocks[0].SelfAttn = withoutKeyBias(m.Blocks[0].SelfAttn)
		return m
	}, tokens([]int64{2, 0, 1, 1, 2, 2}, 2, 3), []int{2, 3, 3}, slices.Concat([]string{"token.weight f64[3 4]", "position.weight f64[3 4]"}, encoderParams("blocks.0.", 16),
		[]string{"norm.weight f64[4]", "norm.bias f64[4]", "head.weight f64[3 4]"}), true},
	{"LearnedPosition", func() nn.Layer { return nn.NewLearnedPosition(3, 2) }, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 2}, []string{"weight f64[3 2]"}, false},
	{"SinusoidalPosition", func() nn.Layer { return nn.SinusoidalPosition{} }, random(tarn.F64, 1, 2, 3, 2), []int{2, 3, 2}, nil, false},
	{"RotaryPosition", func() nn.Layer { return nn.RotaryPosition{Context: 5} }, random(tarn.F64, 1, 2, 3, 4), []int{2, 3, 4}, nil, false},
}

// recurrentParams are the weights, of 2 inputs and 3 states, in these layers and directions.
func recurrentParams(rows int, layers ...string) (params []string) {
	for _, part := range []struct {
		name string
		size string
	}{{"bias_hh", ""}, {"bias_ih", ""}, {"weight_hh", " 3"}, {"weight_ih", " 2"}} {
		for _, l := range layers {
			params = append(params, fmt.Sprintf("%s_%s f64[%d%s]", part.name, l, rows, part.size))
		}
	}
	return params
}

// withoutKeyBias drops the biases of queries, keys and values: adding the same to all keys changes nothing, so its gradient is 0.
func withoutKeyBias(m *nn.MultiHeadAttention) *nn.MultiHeadAttention {
	m.InProjBias = nil
	return m
}

func smallEncoderLayer() *nn.TransformerEncoderLayer {
	l := nn.NewTransformerEncoderLayer(4, 2, 3)
	l.SelfAttn, l.Activation, l.Dropout = withoutKeyBias(l.SelfAttn), nn.GELU{}, 0.3
	return l
}

// encoderParams are the weights of an encoder layer of width 4 without key bias.
func encoderParams(path string, hidden int) (params []string) {
	for _, p := range []string{"self_attn.in_proj_weight f64[12 4]", "self_attn.out_proj.weight f64[4 4]", "self_attn.out_proj.bias f64[4]",
		fmt.Sprintf("linear1.weight f64[%d 4]", hidden), fmt.Sprintf("linear1.bias f64[%d]", hidden), fmt.Sprintf("linear2.weight f64[4 %d]", hidden),
		"linear2.bias f64[4]", "norm1.weight f64[4]", "norm1.bias f64[4]", "norm2.weight f64[4]", "norm2.bias f64[4]"} {
		params = append(params, path+p)
	}
	return params
}

func tokens(t []int64, shape ...int) *tarn.Tensor {
	x, err := tarn.FromSlice(t, shape...)
	if err != nil {
		panic(err)
	}
	return x
}

// weightlessLayers are the activations.
var weightlessLayers = func() (cases []layerCase) {
	for _, l := range []nn.Layer{
		nn.ReLU{}, nn.LeakyReLU{Slope: 0.2}, nn.ELU{Alpha: 0.7}, nn.SELU{}, nn.CELU{Alpha: 0.7}, nn.GELU{}, nn.GELUTanh{}, nn.SiLU{}, nn.Mish{},
		nn.HardSigmoid{}, nn.HardSwish{}, nn.HardTanh{}, nn.Softsign{}, nn.Sigmoid{}, nn.Tanh{}, nn.Softplus{}, nn.Softmax{}, nn.LogSoftmax{},
		nn.ReLU6{}, nn.Identity{},
	} {
		cases = append(cases, layerCase{fmt.Sprintf("%T", l), func() nn.Layer { return l }, random(tarn.F64, 1, 3, 4), []int{3, 4}, nil, false})
	}
	for _, l := range []nn.Layer{nn.GLU{}, nn.SwiGLU{}, nn.GeGLU{}} {
		cases = append(cases, layerCase{fmt.Sprintf("%T", l), func() nn.Layer { return l }, random(tarn.F64, 1, 3, 4), []int{3, 2}, nil, false})
	}
	return cases
}()
