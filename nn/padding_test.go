package nn_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file tests that what is masked does not exist: with NaN in it values and gradients have the same bits as with zeros.

// paddingCase is a loss of a sequence batch [n t width] whose element i ends after lengths[i] steps.
type paddingCase struct {
	name  string
	model any
	loss  func(x, lengths *tarn.Value) *tarn.Value
}

const (
	paddedSteps = 5
	paddedWidth = 4
)

var paddedLengths = []int32{5, 2, 0, 3}

// inside is true where a step counts, [n t 1].
func inside(x, lengths *tarn.Value) *tarn.Value {
	return x.Graph().Iota(tarn.I32, 1, x.Dim(0), x.Dim(1)).Lt(lengths.Unsqueeze(1)).Unsqueeze(-1)
}

func paddingCases() []paddingCase {
	var cases []paddingCase
	weigh := func(y *tarn.Value) *tarn.Value {
		return y.Mul(y.Graph().Const(random(tarn.F64, 9, y.Shape()...))).Sum()
	}
	for name, make := range map[string]func(o nn.RecurrentOptions) sequencer{
		"RNN":      func(o nn.RecurrentOptions) sequencer { return nn.NewRNN(paddedWidth, 3, o) },
		"ReLU RNN": func(o nn.RecurrentOptions) sequencer { return nn.NewReLURNN(paddedWidth, 3, o) },
		"LSTM":     func(o nn.RecurrentOptions) sequencer { return nn.NewLSTM(paddedWidth, 3, o) },
		"GRU":      func(o nn.RecurrentOptions) sequencer { return nn.NewGRU(paddedWidth, 3, o) },
	} {
		for form, o := range map[string]nn.RecurrentOptions{"": {}, ", two layers both ways": {Layers: 2, Bidirectional: true}} {
			layer, before := make(o), nn.NewLinear(paddedWidth, paddedWidth)
			cases = append(cases, paddingCase{name + form, []any{layer, before}, func(x, lengths *tarn.Value) *tarn.Value {
				y, last := layer.Sequence(x.Add(before.Forward(x).Tanh()), nn.State{}, lengths)
				loss := weigh(y).Add(weigh(last.H))
				if last.C != nil {
					loss = loss.Add(weigh(last.C))
				}
				return loss
			}})
		}
	}
	linear := nn.NewLinear(paddedWidth, 3)
	cases = append(cases, paddingCase{"CTC", linear, func(x, lengths *tarn.Value) *tarn.Value {
		g := x.Graph()
		labels := g.Const(tarn.Vector([]int32{1, 2, 1, 9, 9, 9, 1, -5})).Reshape(4, 2)
		scores := linear.Forward(x).LogSoftmax(-1).Transpose(0, 1)
		return nn.CTCLoss{ZeroInfinity: true, Reduction: nn.Sum}.Loss(scores, labels, lengths, g.Const(tarn.Vector([]int32{2, 1, 0, 1})))
	}})
	cases = append(cases, paddingCase{"a selection of a linear layer", linear, func(x, lengths *tarn.Value) *tarn.Value {
		return weigh(inside(x, lengths).Where(linear.Forward(x).Exp(), tarn.Num(0)))
	}})
	norm := nn.NewLayerNorm(paddedWidth)
	cases = append(cases, paddingCase{"a selection of a layer norm", []any{norm, linear}, func(x, lengths *tarn.Value) *tarn.Value {
		return weigh(inside(x, lengths).Where(linear.Forward(norm.Forward(x).GELU()), tarn.Num(0)))
	}})
	for name, kind := range map[string]func(mask *tarn.Value) *tarn.Value{
		"bools": func(mask *tarn.Value) *tarn.Value { return mask },
		"scores": func(mask *tarn.Value) *tarn.Value {
			return mask.Where(mask.Graph().Num(tarn.F64, 0), tarn.Num(math.Inf(-1)))
		},
	} {
		attention := nn.NewMultiHeadAttention(paddedWidth, 2)
		// Keys are padded and queries are not.
		cases = append(cases, paddingCase{"attention to padded keys by " + name, attention, func(x, lengths *tarn.Value) *tarn.Value {
			mask := kind(inside(x, lengths).Reshape(4, 1, 1, paddedSteps))
			queries := x.Graph().Const(random(tarn.F64, 3, 4, 3, paddedWidth))
			return weigh(attention.Attend(queries, x, x, tarn.AttentionOptions{Mask: mask}))
		}})
		cases = append(cases, paddingCase{"self attention by " + name, attention, func(x, lengths *tarn.Value) *tarn.Value {
			in := inside(x, lengths)
			return weigh(in.Where(attention.Self(x, tarn.AttentionOptions{Mask: kind(in.Reshape(4, 1, 1, paddedSteps))}), tarn.Num(0)))
		}})
		cases = append(cases, paddingCase{"causal self attention by " + name, attention, func(x, lengths *tarn.Value) *tarn.Value {
			in := inside(x, lengths)
			return weigh(in.Where(attention.Self(x, tarn.AttentionOptions{Causal: true, Mask: kind(in.Reshape(4, 1, 1, paddedSteps))}), tarn.Num(0)))
		}})
	}
	causal := nn.NewMultiHeadAttention(paddedWidth, 2)
	cases = append(cases, paddingCase{"causal self attention", causal, func(x, lengths *tarn.Value) *tarn.Value {
		return weigh(inside(x, lengths).Where(causal.Self(x, tarn.AttentionOptions{Causal: true}), tarn.Num(0)))
	}})
	encoder := nn.NewTransformerEncoderLayer(paddedWidth, 2, 8)
	cases = append(cases, paddingCase{"a transformer encoder layer", encoder, func(x, lengths *tarn.Value) *tarn.Value {
		in := inside(x, lengths)
		x.Graph().Eval()
		return weigh(in.Where(encoder.Encode(x, tarn.AttentionOptions{Mask: in.Reshape(4, 1, 1, paddedSteps)}), tarn.Num(0)))
	}})
	return cases
}

func TestPaddingDoesNotExist(t *testing.T) {
	for _, c := range paddingCases() {
		t.Run(c.name, func(t *testing.T) {
			if err := tarn.Init(c.model, 1); err != nil {
				t.Fatal(err)
			}
			if err := tarn.Cast(c.model, tarn.F64); err != nil {
				t.Fatal(err)
			}
			params, err := tarn.Params(c.model)
			if err != nil {
				t.Fatal(err)
			}
			g := tarn.NewGraph()
			x, lengths := g.Input("x", tarn.F64, len(paddedLengths), paddedSteps, paddedWidth), g.Input("lengths", tarn.I32, len(paddedLengths))
			loss := c.loss(x, lengths)
			outputs := tarn.Outputs{"loss": loss, "x": tarn.Grad(loss, x)[0]}
			for name, p := range params.All() {
				outputs["gradient of "+name] = tarn.Grad(loss, p)[0]
			}
			program, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			run := func(padding float64) map[string]*tarn.Tensor {
				data := random(tarn.F64, 5, len(paddedLengths), paddedSteps, paddedWidth)
				for i, n := range paddedLengths {
					for j := int(n) * paddedWidth; j < paddedSteps*paddedWidth; j++ {
						data.SetFloat(i*paddedSteps*paddedWidth+j, padding)
					}
				}
				out, err := program.Run(data, tarn.Vector(paddedLengths))
				if err != nil {
					t.Fatal(err)
				}
				kept := map[string]*tarn.Tensor{}
				for name, v := range out {
					kept[name] = v.Clone()
				}
				return kept
			}
			want := run(0)
			for _, padding := range []float64{1e3, math.NaN(), math.Inf(1), math.Inf(-1)} {
				for name, got := range run(padding) {
					if diff := got.Diff(want[name], 1e-12); diff != "" {
						t.Errorf("with %v in the padding the %s: %s", padding, name, diff)
					}
				}
			}
			if want["loss"].Item() == 0 {
				t.Error("the loss is 0, which tests nothing")
			}
		})
	}
}
