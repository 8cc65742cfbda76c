package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds GPT, a language model.

// GPT returns, for each place of a sequence of tokens, the logits of the next token, given the tokens up to that place. It is a
// transformer encoder with causal attention, normalization before each part, GELU, and learned positions, as GPT-2.
// Radford et al., Language models are unsupervised multitask learners, 2019.
type GPT struct {
	Token    *Embedding
	Position *LearnedPosition
	Blocks   []*TransformerEncoderLayer
	Norm     *LayerNorm
	Head     *Linear // without bias

	wrong mistake
}

// GPTOptions is the shape of a GPT.
type GPTOptions struct {
	Vocabulary int     `json:"vocabulary"` // number of tokens
	Context    int     `json:"context"`    // longest sequence
	Width      int     `json:"width"`
	Layers     int     `json:"layers"`
	Heads      int     `json:"heads"`
	Dropout    float64 `json:"dropout"`
}

// NewGPT returns a GPT. Its weights are initialized as those of GPT-2: normal with standard deviation 0.02, divided by sqrt(2 layers) in
// the matrices whose result is added to the residual stream. Heads must divide Width.
func NewGPT(o GPTOptions) *GPT {
	m := &GPT{
		Token:    NewEmbedding(o.Vocabulary, o.Width),
		Position: NewLearnedPosition(o.Context, o.Width),
		Norm:     NewLayerNorm(o.Width),
		Head:     NewLinear(o.Width, o.Vocabulary),
	}
	m.wrong = o.mistake()
	m.Head.Bias = nil
	init, adding := Normal(0, 0.02), Normal(0, 0.02/math.Sqrt(float64(max(1, 2*o.Layers))))
	m.Token.Weight.SetInit(init)
	m.Head.Weight.SetInit(init)
	for range min(o.Layers, mostLayers) {
		b := NewTransformerEncoderLayer(o.Width, o.Heads, 4*o.Width)
		b.Activation, b.NormFirst, b.Dropout, b.SelfAttn.Dropout = GELU{}, true, o.Dropout, o.Dropout
		b.SelfAttn.InProjWeight.SetInit(init)
		b.Linear1.Weight.SetInit(init)
		b.SelfAttn.OutProj.Weight.SetInit(adding)
		b.Linear2.Weight.SetInit(adding)
		b.Linear1.Bias.SetInit(Zeros())
		b.Linear2.Bias.SetInit(Zeros())
		m.Blocks = append(m.Blocks, b)
	}
	return m
}

// mistake checks the options.
func (o GPTOptions) mistake() (m mistake) {
	call := fmt.Sprintf("NewGPT(%+v)", o)
	m.sizes(call, []string{"Vocabulary", "Context", "Width", "Layers", "Heads"}, o.Vocabulary, o.Context, o.Width, o.Layers, o.Heads)
	m.require(o.Layers <= mostLayers, "%s: Layers is %d and should be at most %d", call, o.Layers, mostLayers)
	m.require(o.Heads < 1 || o.Width%o.Heads == 0, "%s: %d Heads do not divide the Width %d", call, o.Heads, o.Width)
	m.require(o.Dropout >= 0 && o.Dropout < 1, "%s: Dropout is %v and should lie in [0, 1)", call, o.Dropout)
	return m
}

// Forward returns the logits of the next token at each place. Shapes: [n t] of i32 or i64 -> [n t vocabulary].
func (m *GPT) Forward(tokens *tarn.Value) *tarn.Value {
	if m == nil {
		return missing("GPT", tokens)
	}
	if bad := m.wrong.report("GPT", tokens); bad != nil {
		return bad
	}
	x := m.Position.Forward(m.Token.Forward(tokens))
	for _, b := range m.Blocks {
		x = b.Encode(x, tarn.AttentionOptions{Causal: true})
	}
	return m.Head.Forward(m.Norm.Forward(x))
}

// NewKVCache returns caches of all blocks for n sequences.
func (m *GPT) NewKVCache(n int) []*KVCache {
	if m == nil || m.Position == nil {
		return nil
	}
	var caches []*KVCache
	for _, b := range m.Blocks {
		caches = append(caches, b.SelfAttn.NewKVCache(n, m.Position.Weight.Shape()[0]))
	}
	return caches
}

// Next returns the logits of the token after the one at a place, whose predecessors the caches have seen, and puts that one into
// the caches: see MultiHeadAttention.Next.
//
// Shapes: [n 1] of i32 or i64 and the place, an integer for all sequences or [n] of them -> [n 1 vocabulary].
func (m *GPT) Next(token, place *tarn.Value, caches []*KVCache) *tarn.Value {
	if m == nil {
		return missing("GPT.Next", token)
	}
	if bad := m.wrong.report("GPT.Next", token, place); bad != nil {
		return bad
	}
	if len(caches) != len(m.Blocks) {
		return token.Graph().Fail("GPT.Next", []*tarn.Value{token}, "there are %d caches for %d blocks", len(caches), len(m.Blocks))
	}
	x := m.Token.Forward(token)
	switch {
	case place.Rank() == 0:
		x = m.Position.At(x, place.Reshape(1))
	case token.Rank() != 2 || place.Rank() != 1 || place.Dim(0) != token.Dim(0):
		return token.Graph().Fail("GPT.Next", []*tarn.Value{token, place}, "the place has shape %s and should be one integer, or one for each sequence", shapeString(place.Shape()))
	default:
		x = m.Position.At(x.Transpose(0, 1), place).Transpose(0, 1) // the sequences in place of the places
	}
	for i, b := range m.Blocks {
		x = b.next(x, place, caches[i])
	}
	return m.Head.Forward(m.Norm.Forward(x))
}
