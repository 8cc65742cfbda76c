package tarn_test

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds a transformer as a user would write it, with mistakes that can be switched on. Reports name lines of this
// file: a line with a mistake ends in its name.

type languageModel struct {
	Tokens, Positions *tarn.Param
	Blocks            []*block
	Head              *dense

	mistakes map[string]bool
}

type block struct {
	Attn     *attention
	Up, Down *dense
}

type attention struct {
	QKV, Proj         *dense
	RelPos, RelToHead *tarn.Param

	model *languageModel
	heads int
}

type dense struct{ Weight, Bias *tarn.Param }

func newDense(in, out int) *dense {
	return &dense{tarn.NewParam(tarn.F32, nil, out, in), tarn.NewParam(tarn.F32, nil, out)}
}

func (d *dense) Forward(x *tarn.Value) *tarn.Value {
	return x.MatMulT(d.Weight).Add(d.Bias) // dense
}

const (
	modelTokens = 100
	modelLength = 8
	modelWidth  = 16
	modelHeads  = 4
)

func newLanguageModel(blocks int, mistakes ...string) *languageModel {
	m := &languageModel{
		Tokens:    tarn.NewParam(tarn.F32, nil, modelTokens, modelWidth),
		Positions: tarn.NewParam(tarn.F32, nil, modelLength, modelWidth),
		Head:      newDense(modelWidth, modelTokens),
		mistakes:  map[string]bool{},
	}
	for _, name := range mistakes {
		m.mistakes[name] = true
	}
	for range blocks {
		b := &block{
			Attn: &attention{
				QKV: newDense(modelWidth, 3*modelWidth), Proj: newDense(modelWidth, modelWidth),
				RelPos:    tarn.NewParam(tarn.F32, nil, modelLength, modelWidth),
				RelToHead: tarn.NewParam(tarn.F32, nil, modelHeads, modelWidth),
				model:     m, heads: modelHeads,
			},
			Up: newDense(modelWidth, 4*modelWidth), Down: newDense(4*modelWidth, modelWidth),
		}
		if m.mistakes["narrow"] {
			b.Down = newDense(modelWidth, modelWidth)
		}
		m.Blocks = append(m.Blocks, b)
	}
	return m
}

// Loss is the cross-entropy of the next tokens, with smoothed labels.
func (m *languageModel) Loss(tokens, lengths, next *tarn.Value) *tarn.Value {
	logProbs := m.Forward(tokens, lengths)                  // model
	target := next.OneHot(modelTokens, tarn.F32).Scale(0.9) // target
	if m.mistakes["prior"] {
		target = target.Add(tokens.Graph().Iota(tarn.F32, 0, modelTokens+1)) // prior
	}
	return target.Mul(logProbs).Sum(-1).Mean().Neg()
}

func (m *languageModel) Forward(tokens, lengths *tarn.Value) *tarn.Value {
	x := tarn.Embedding(m.Tokens, tokens).Add(m.Positions)
	place := tokens.Graph().Iota(tarn.I32, 1, tokens.Dim(0), modelLength) // iota
	valid := place.Lt(lengths.Unsqueeze(1))
	if m.mistakes["mask"] {
		valid = place.Lt(lengths) // mask
	}
	for _, b := range m.Blocks {
		x = b.Forward(x, valid) // block
	}
	scores := m.Head.Forward(x)
	most := scores.Sub(scores.StopGradient().Exp().Sum(-1).Unsqueeze(-1).Log())
	return most
}

func (b *block) Forward(x, valid *tarn.Value) *tarn.Value {
	x = x.Add(b.Attn.Forward(x, valid))                  // attention
	return x.Add(b.Down.Forward(b.Up.Forward(x).GELU())) // feed-forward
}

func (a *attention) Forward(x, valid *tarn.Value) *tarn.Value {
	g, batch := x.Graph(), x.Dim(0)
	bias := a.RelPos.Value(g).MatMulT(a.RelToHead)
	if a.model.mistakes["bias"] {
		bias = a.RelPos.Value(g).MatMul(a.RelToHead) // bias
	}
	qkv := a.QKV.Forward(x).Reshape(batch, modelLength, 3, a.heads, -1).Permute(2, 0, 3, 1, 4)
	parts := qkv.Split(0, 1, 1, 1)
	q, k, v := parts[0].Squeeze(0), parts[1].Squeeze(0), parts[2].Squeeze(0)
	scores := tarn.Einsum("bhqd,bhkd->bhqk", q, k).Scale(1 / math.Sqrt(modelWidth/modelHeads))
	scores = scores.Add(bias.T().Unsqueeze(0, 2))
	scores = valid.Unsqueeze(1, 2).Where(scores, tarn.Num(math.Inf(-1)))
	weights := scores.Exp()
	weights = weights.Div(weights.Sum(-1).Unsqueeze(-1))
	return a.Proj.Forward(weights.MatMul(v).Transpose(1, 2).Flatten(2, 3))
}
