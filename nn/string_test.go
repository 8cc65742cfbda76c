package nn_test

import (
	"fmt"
	"testing"

	"github.com/seed-49005b45/tarn/nn"
)

// This file holds what each layer of the table prints.

var printed = map[string]string{
	"Linear":                  "Linear(4, 3)",
	"Linear of three axes":    "Linear(4, 3)",
	"Linear of no rows":       "Linear(4, 3)",
	"Embedding":               "Embedding(3, 2)",
	"LayerNorm":               "LayerNorm(5)",
	"LayerNorm over two axes": "LayerNorm(2x3)",
	"Dropout":                 "Dropout(0.5)",
	"Dropout of nothing":      "Dropout(0)",
	"Flatten":                 "Flatten",
	"Func":                    "Func",
	"Sequential": `Sequential(
  0: Linear(4, 3)
  1: Tanh
  2: Dropout(0.3)
  3: Sequential(
    0: LayerNorm(3)
    1: Linear(3, 1)
  )
)`,
	"Sequential of nothing": "Sequential()",
	"Conv1d":                "Conv(2, 3, 2)",
	"Conv2d":                "Conv(2, 3, 3x3, stride 2, padding 1)",
	"ConvTranspose2d":       "ConvTranspose(2, 3, 2x2)",
	"GroupNorm":             "GroupNorm(2, 4)",
	"InstanceNorm":          "InstanceNorm(2)",
	"RMSNorm":               "RMSNorm(4)",
	"WeightNorm":            "Linear(3, 2, WeightNorm)",
	"WeightNoise":           "Linear(3, 2, WeightNoise)",
	"MaxPool":               "MaxPool(2)",
	"Upsample":              "Upsample(2)",
	"Upsample linear":       "Upsample(2, linear)",
	"ChannelsLast": `Sequential(
  0: ChannelsLast
  1: ChannelsFirst
)`,
	"Dropout2d":                              "Dropout2d(0.5)",
	"DropPath":                               "DropPath(0.5)",
	"Conv3d":                                 "Conv(1, 2, 2x2x2)",
	"Conv in groups":                         "Conv(4, 2, 2, groups 2)",
	"ConvTranspose1d":                        "ConvTranspose(2, 3, 2)",
	"ConvTranspose3d":                        "ConvTranspose(2, 1, 2x2x2)",
	"ConvTranspose in groups":                "ConvTranspose(4, 2, 3, stride 2, padding 1, extra 1, groups 2)",
	"BatchNorm":                              "BatchNorm(3)",
	"InstanceNorm without weights":           "InstanceNorm()",
	"SpectralNorm":                           "Linear(3, 2, SpectralNorm)",
	"AvgPool":                                "AvgPool(2)",
	"LpPool":                                 "LpPool(P 3, 2)",
	"AdaptiveAvgPool":                        "AdaptiveAvgPool(2)",
	"GlobalAvgPool":                          "GlobalAvgPool",
	"GlobalMaxPool":                          "GlobalMaxPool",
	"PixelShuffle":                           "PixelShuffle(2)",
	"RNN":                                    "RNN(2, 3)",
	"RNN with ReLU":                          "RNN(2, 3, ReLU)",
	"LSTM":                                   "LSTM(2, 3)",
	"GRU of both ways":                       "GRU(2, 3, bidirectional, time first)",
	"RNN with dropout":                       "RNN(2, 2, layers 2, dropout 0.5, no bias)",
	"MultiHeadAttention":                     "MultiHeadAttention(4, 2, no bias)",
	"MultiHeadAttention in groups":           "MultiHeadAttention(4, 4, groups 2, no bias, dropout 0.5)",
	"MultiHeadAttention of separate weights": "MultiHeadAttention(4, 2, keys 4, values 4, no bias)",
	"TransformerEncoderLayer": `TransformerEncoderLayer(
  SelfAttn: MultiHeadAttention(4, 2, no bias)
  Linear1: Linear(4, 3)
  Activation: GELU
  Linear2: Linear(3, 4)
  Norm1: LayerNorm(4)
  Norm2: LayerNorm(4)
  dropout 0.3
)`,
	"TransformerEncoder": `TransformerEncoder(
  0: TransformerEncoderLayer(
    SelfAttn: MultiHeadAttention(4, 2, no bias)
    Linear1: Linear(4, 3)
    Activation: GELU
    Linear2: Linear(3, 4)
    Norm1: LayerNorm(4)
    Norm2: LayerNorm(4)
    dropout 0.3
  )
  Norm: LayerNorm(4)
)`,
	"GPT": `GPT(
  Token: Embedding(3, 4)
  Position: LearnedPosition(3, 4)
  Blocks.0: TransformerEncoderLayer(
    SelfAttn: MultiHeadAttention(4, 2, no bias, dropout 0.3)
    Linear1: Linear(4, 16)
    Activation: GELU
    Linear2: Linear(16, 4)
    Norm1: LayerNorm(4)
    Norm2: LayerNorm(4)
    norm first
    dropout 0.3
  )
  Norm: LayerNorm(4)
  Head: Linear(4, 3, no bias)
)`,
	"LearnedPosition":                   "LearnedPosition(3, 2)",
	"SinusoidalPosition":                "SinusoidalPosition()",
	"RotaryPosition":                    "RotaryPosition(5)",
	"nn.ReLU":                           "ReLU",
	"nn.LeakyReLU":                      "LeakyReLU(0.2)",
	"nn.ELU":                            "ELU(0.7)",
	"nn.SELU":                           "SELU",
	"nn.CELU":                           "CELU(0.7)",
	"nn.GELU":                           "GELU",
	"nn.GELUTanh":                       "GELUTanh",
	"nn.SiLU":                           "SiLU",
	"nn.Mish":                           "Mish",
	"nn.HardSigmoid":                    "HardSigmoid",
	"nn.HardSwish":                      "HardSwish",
	"nn.HardTanh":                       "HardTanh",
	"nn.Softsign":                       "Softsign",
	"nn.Sigmoid":                        "Sigmoid",
	"nn.Tanh":                           "Tanh",
	"nn.Softplus":                       "Softplus",
	"nn.Softmax":                        "Softmax",
	"nn.LogSoftmax":                     "LogSoftmax",
	"PReLU":                             "PReLU(4)",
	"PReLU with one slope":              "PReLU(1)",
	"Softplus":                          "Softplus(beta 2.5, threshold 1)",
	"Embedding with padding":            "Embedding(3, 2)",
	"EmbeddingBag":                      "EmbeddingBag(3, 2)",
	"EmbeddingBag of the largest":       "EmbeddingBag(3, 2, max)",
	"Linear with LoRA":                  "Linear(4, 3, LoRA of rank 2)",
	"Linear of a vector with LoRA":      "Linear(4, 3, LoRA of rank 1)",
	"Conv with LoRA":                    "Conv(2, 3, 2x2, padding 1, padding mode reflect, LoRA of rank 2)",
	"Conv in groups with LoRA":          "Conv(4, 2, 2, groups 2, LoRA of rank 1)",
	"Conv with circular padding":        "Conv(2, 1, 3, padding same, padding mode circular)",
	"MultiHeadAttention with positions": "MultiHeadAttention(8, 4, groups 2, no bias, window 2, rotary, ALiBi, LoRA of rank 2)",
	"AdaptiveMaxPool":                   "AdaptiveMaxPool(2)",
	"FakeQuantize":                      "FakeQuantize(0 to 255, average 0.1, does not quantize)",
	"Bilinear":                          "Bilinear(2, 2, 3)",
	"RNNCell":                           "RNNCell(2, 3)",
	"RNNCell with ReLU":                 "RNNCell(2, 3, ReLU)",
	"GRUCell":                           "GRUCell(2, 3)",
	"LSTMCell":                          "LSTMCell(2, 3)",
	"MaxUnpool":                         "MaxUnpool(2)",
	"Transformer": `Transformer(
  Encoder: TransformerEncoder(
    0: TransformerEncoderLayer(
      SelfAttn: MultiHeadAttention(4, 2, no bias, dropout 0.3)
      Linear1: Linear(4, 3)
      Activation: GELU
      Linear2: Linear(3, 4)
      Norm1: LayerNorm(4)
      Norm2: LayerNorm(4)
      dropout 0.3
    )
    Norm: LayerNorm(4)
  )
  Decoder: TransformerDecoder(
    0: TransformerDecoderLayer(
      SelfAttn: MultiHeadAttention(4, 2, no bias, dropout 0.3)
      MultiheadAttn: MultiHeadAttention(4, 2, no bias, dropout 0.3)
      Linear1: Linear(4, 3)
      Activation: GELU
      Linear2: Linear(3, 4)
      Norm1: LayerNorm(4)
      Norm2: LayerNorm(4)
      Norm3: LayerNorm(4)
      dropout 0.3
    )
    Norm: LayerNorm(4)
  )
)`,
	"nn.ReLU6":    "ReLU6",
	"nn.Identity": "Identity",
	"nn.GLU":      "GLU",
	"nn.SwiGLU":   "SwiGLU",
	"nn.GeGLU":    "GeGLU",
}

func TestLayersPrint(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range layerTable {
		got := fmt.Sprint(c.make())
		if want := printed[c.name]; got != want {
			t.Errorf("%s prints\n%s\nwant\n%s", c.name, got, want)
		}
		seen[c.name] = true
	}
	for name := range printed {
		if !seen[name] {
			t.Errorf("%q is no row of the table of layers", name)
		}
	}
	for _, l := range []fmt.Stringer{(*nn.Linear)(nil), (*nn.Sequential)(nil), (*nn.LSTM)(nil), (*nn.GPT)(nil), (*nn.LoRA)(nil), (*nn.GRUCell)(nil), (*nn.FakeQuantize)(nil)} {
		if got := l.String(); got != "<nil>" {
			t.Errorf("a nil %T prints %q", l, got)
		}
	}
	if got, want := fmt.Sprint(nn.NewLoRA(nn.NewConv2d(4, 3, 2).Weight, 2)), "LoRA(16, 3, 2, scale 1)"; got != want {
		t.Errorf("an adapter prints %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(nn.NewSequential(nn.NewLinear(2, 1), nil)), "Sequential(\n  0: Linear(2, 1)\n  1: <nil>\n)"; got != want {
		t.Errorf("a chain with a nil layer prints %q, want %q", got, want)
	}
}
