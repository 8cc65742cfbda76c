package nn_test

import (
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests that the layers are understood as linear maps of their weights where they are.

// TestKroneckerLayers expects the weights of these models that tarn.KroneckerFactors finds, with their biases.
func TestKroneckerLayers(t *testing.T) {
	normed := nn.NewLinear(4, 3)
	normed.Transform = nn.NewWeightNorm(normed.Weight)
	for _, test := range []struct {
		name   string
		model  nn.Layer
		x      func(g *tarn.Graph) *tarn.Value
		layers []string
		others []string
	}{
		{"convolutions", nn.NewSequential(nn.NewConv2d(2, 4, 3), nn.NewBatchNorm(4), nn.ReLU{}, nn.NewMaxPool(2), nn.NewConv(4, 4, 4, 2, 2), nn.Flatten{}, nn.NewDropout(0.5), nn.NewLinear(16, 3)),
			func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 8, 8, 2) },
			[]string{"0.weight and 0.bias: A f32[19 19], G f32[4 4]", "4.weight and 4.bias: A f32[4 5 5], G f32[4 1 1]",
				"7.weight and 7.bias: A f32[17 17], G f32[3 3]"},
			[]string{"1.weight", "1.bias"}},
		{"a transformer", nn.NewGPT(nn.GPTOptions{Vocabulary: 11, Context: 8, Width: 16, Heads: 2, Layers: 1}),
			func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.I32, 2, 8) },
			[]string{"blocks.0.self_attn.in_proj_weight and blocks.0.self_attn.in_proj_bias: A f32[17 17], G f32[48 48]",
				"blocks.0.self_attn.out_proj.weight and blocks.0.self_attn.out_proj.bias: A f32[17 17], G f32[16 16]",
				"blocks.0.linear1.weight and blocks.0.linear1.bias: A f32[17 17], G f32[64 64]",
				"blocks.0.linear2.weight and blocks.0.linear2.bias: A f32[65 65], G f32[16 16]", "head.weight: A f32[16 16], G f32[11 11]"},
			[]string{"token.weight", "position.weight", "blocks.0.norm1.weight", "blocks.0.norm1.bias", "blocks.0.norm2.weight", "blocks.0.norm2.bias", "norm.weight", "norm.bias"}},
		{"a recurrent layer", nn.NewLSTM(4, 5, nn.RecurrentOptions{}),
			func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 7, 4) },
			[]string{"weight_ih_l0: A f32[4 4], G f32[20 20]"},
			[]string{"weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}},
		{"a weight that is changed before", nn.NewSequential(normed, nn.NewLinear(3, 2)),
			func(g *tarn.Graph) *tarn.Value { return g.Input("x", tarn.F32, 2, 4) },
			[]string{"1.weight and 1.bias: A f32[4 4], G f32[2 2]"},
			[]string{"0.weight", "0.bias", "0.transform.g"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			params, err := tarn.Params(test.model)
			if err != nil {
				t.Fatal(err)
			}
			found, left, err := tarn.KroneckerFactors(test.model.Forward(test.x(tarn.NewGraph())).Square().Mean(), 0, params.Trainable().List()...)
			if err != nil {
				t.Fatal(err)
			}
			var layers, others []string
			for _, l := range found {
				layers = append(layers, l.String())
			}
			for _, o := range left {
				others = append(others, params.Name(o.Param))
			}
			slices.Sort(layers)
			slices.Sort(others)
			slices.Sort(test.layers)
			slices.Sort(test.others)
			if !slices.Equal(layers, test.layers) || !slices.Equal(others, test.others) {
				t.Errorf("layers %q,\nothers %q", layers, others)
			}
		})
	}
}
