package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds the layers of a transformer, as PyTorch has them, and stacks of them.
// Vaswani et al., Attention is all you need, 2017.

// TransformerEncoderLayer is self-attention and a network of two layers, each added to its input and dropped out in part.
// Equal to torch.nn.TransformerEncoderLayer(batch_first=True). With NormFirst, an activation of GELU and Causal attention it is the block
// of GPT-2.
type TransformerEncoderLayer struct {
	SelfAttn         *MultiHeadAttention
	Linear1, Linear2 *Linear
	Norm1, Norm2     *LayerNorm
	Activation       Layer
	NormFirst        bool    // normalize what goes into each part, and not the sum with what comes out
	Dropout          float64 // of what comes out of each part, and between the two layers; attention has its own

	wrong mistake
}

// NewTransformerEncoderLayer returns a layer whose network is hidden wide inside, with ReLU.
func NewTransformerEncoderLayer(width, heads, hidden int) *TransformerEncoderLayer {
	return &TransformerEncoderLayer{
		SelfAttn: NewMultiHeadAttention(width, heads),
		Linear1:  NewLinear(width, hidden), Linear2: NewLinear(hidden, width),
		Norm1: NewLayerNorm(width), Norm2: NewLayerNorm(width),
		Activation: ReLU{},
		wrong:      layerMistake("NewTransformerEncoderLayer", width, heads, hidden),
	}
}

// layerMistake checks the arguments of a constructor.
func layerMistake(constructor string, width, heads, hidden int) mistake {
	call := fmt.Sprintf("%s(%d, %d, %d)", constructor, width, heads, hidden)
	m := headMistake(call, width, heads, heads)
	m.sizes(call, []string{"the hidden width"}, hidden)
	return m
}

// Forward sees all places. Shapes: [n... t width] -> same.
func (l *TransformerEncoderLayer) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("TransformerEncoderLayer", x)
	}
	return l.Encode(x, tarn.AttentionOptions{})
}

// Encode is Forward with options of the attention. Shapes: [n... t width] -> same; a mask broadcasts to [n... heads t t].
func (l *TransformerEncoderLayer) Encode(x *tarn.Value, o tarn.AttentionOptions) *tarn.Value {
	if l == nil {
		return missing("TransformerEncoderLayer.Encode", x)
	}
	return l.around(x, func(x *tarn.Value) *tarn.Value { return l.SelfAttn.Self(x, o) })
}

// around is the layer around an attention.
func (l *TransformerEncoderLayer) around(x *tarn.Value, attend func(x *tarn.Value) *tarn.Value) *tarn.Value {
	if bad := l.wrong.report("TransformerEncoderLayer", x); bad != nil {
		return bad
	}
	drop := NewDropout(l.Dropout)
	x = residual(x, l.Norm1, l.NormFirst, drop, attend)
	return residual(x, l.Norm2, l.NormFirst, drop, func(x *tarn.Value) *tarn.Value {
		return feedForward(x, l.Linear1, l.Linear2, l.Activation, drop)
	})
}

// residual adds what a part makes of x to x, and normalizes before or after.
func residual(x *tarn.Value, norm *LayerNorm, first bool, drop *Dropout, part func(x *tarn.Value) *tarn.Value) *tarn.Value {
	if first {
		return x.Add(drop.Forward(part(norm.Forward(x))))
	}
	return norm.Forward(x.Add(drop.Forward(part(x))))
}

func feedForward(x *tarn.Value, one, two *Linear, activation Layer, drop *Dropout) *tarn.Value {
	if activation == nil {
		return missing("Activation", x)
	}
	return two.Forward(drop.Forward(activation.Forward(one.Forward(x))))
}

// TransformerDecoderLayer is self-attention, attention to a memory and a network of two layers. Equal to
// torch.nn.TransformerDecoderLayer(batch_first=True).
type TransformerDecoderLayer struct {
	SelfAttn            *MultiHeadAttention
	MultiheadAttn       *MultiHeadAttention // to the memory
	Linear1, Linear2    *Linear
	Norm1, Norm2, Norm3 *LayerNorm
	Activation          Layer
	NormFirst           bool
	Dropout             float64

	wrong mistake
}

// NewTransformerDecoderLayer returns a layer whose network is hidden wide inside, with ReLU.
func NewTransformerDecoderLayer(width, heads, hidden int) *TransformerDecoderLayer {
	return &TransformerDecoderLayer{
		SelfAttn: NewMultiHeadAttention(width, heads), MultiheadAttn: NewMultiHeadAttention(width, heads),
		Linear1: NewLinear(width, hidden), Linear2: NewLinear(hidden, width),
		Norm1: NewLayerNorm(width), Norm2: NewLayerNorm(width), Norm3: NewLayerNorm(width),
		Activation: ReLU{},
		wrong:      layerMistake("NewTransformerDecoderLayer", width, heads, hidden),
	}
}

// Decode attends to x, with the options self, and to the memory. Shapes: [n... t width], [n... s width] -> [n... t width].
func (l *TransformerDecoderLayer) Decode(x, memory *tarn.Value, self, cross tarn.AttentionOptions) *tarn.Value {
	if l == nil {
		return missing("TransformerDecoderLayer.Decode", x)
	}
	if bad := l.wrong.report("TransformerDecoderLayer", x); bad != nil {
		return bad
	}
	drop := NewDropout(l.Dropout)
	x = residual(x, l.Norm1, l.NormFirst, drop, func(x *tarn.Value) *tarn.Value { return l.SelfAttn.Self(x, self) })
	x = residual(x, l.Norm2, l.NormFirst, drop, func(x *tarn.Value) *tarn.Value {
		return l.MultiheadAttn.Attend(x, memory, memory, cross)
	})
	return residual(x, l.Norm3, l.NormFirst, drop, func(x *tarn.Value) *tarn.Value {
		return feedForward(x, l.Linear1, l.Linear2, l.Activation, drop)
	})
}

// TransformerEncoder is a stack of layers. Equal to torch.nn.TransformerEncoder.
type TransformerEncoder struct {
	Layers []*TransformerEncoderLayer
	Norm   *LayerNorm // after the last layer; nil for none

	wrong mistake
}

// stackMistake checks the arguments of a constructor.
func stackMistake(constructor string, n int, noLayer bool) (m mistake) {
	m.require(n >= 1 && n <= mostLayers, "%s(%d, ...): the number of layers should be from 1 to %d", constructor, n, mostLayers)
	m.require(!noLayer, "%s(%d, nil): the function that makes a layer is nil", constructor, n)
	return m
}

// NewTransformerEncoder returns n layers made by a function, for PyTorch's copies of one layer.
func NewTransformerEncoder(n int, layer func() *TransformerEncoderLayer) *TransformerEncoder {
	e := &TransformerEncoder{}
	if e.wrong = stackMistake("NewTransformerEncoder", n, layer == nil); e.wrong != "" {
		return e
	}
	for range n {
		e.Layers = append(e.Layers, layer())
	}
	return e
}

// Forward sees all places. Shapes: [n... t width] -> same.
func (e *TransformerEncoder) Forward(x *tarn.Value) *tarn.Value {
	if e == nil {
		return missing("TransformerEncoder", x)
	}
	return e.Encode(x, tarn.AttentionOptions{})
}

// Encode is Forward with options of the attention. Shapes: [n... t width] -> same.
func (e *TransformerEncoder) Encode(x *tarn.Value, o tarn.AttentionOptions) *tarn.Value {
	if e == nil {
		return missing("TransformerEncoder.Encode", x)
	}
	if bad := e.wrong.report("TransformerEncoder", x); bad != nil {
		return bad
	}
	for _, l := range e.Layers {
		x = l.Encode(x, o)
	}
	if e.Norm != nil {
		x = e.Norm.Forward(x)
	}
	return x
}

// TransformerDecoder is a stack of layers. Equal to torch.nn.TransformerDecoder.
type TransformerDecoder struct {
	Layers []*TransformerDecoderLayer
	Norm   *LayerNorm // after the last layer; nil for none

	wrong mistake
}

// NewTransformerDecoder returns n layers made by a function.
func NewTransformerDecoder(n int, layer func() *TransformerDecoderLayer) *TransformerDecoder {
	d := &TransformerDecoder{}
	if d.wrong = stackMistake("NewTransformerDecoder", n, layer == nil); d.wrong != "" {
		return d
	}
	for range n {
		d.Layers = append(d.Layers, layer())
	}
	return d
}

// Decode attends to x and to the memory in every layer. Shapes: [n... t width], [n... s width] -> [n... t width].
func (d *TransformerDecoder) Decode(x, memory *tarn.Value, self, cross tarn.AttentionOptions) *tarn.Value {
	if d == nil {
		return missing("TransformerDecoder.Decode", x)
	}
	if bad := d.wrong.report("TransformerDecoder", x); bad != nil {
		return bad
	}
	for _, l := range d.Layers {
		x = l.Decode(x, memory, self, cross)
	}
	if d.Norm != nil {
		x = d.Norm.Forward(x)
	}
	return x
}

// Transformer is an encoder and a decoder that attends to what the encoder makes of the source, as for translation. Equal to
// torch.nn.Transformer(batch_first=True), its initialization included. Embeddings and positions are not part of it.
type Transformer struct {
	Encoder *TransformerEncoder
	Decoder *TransformerDecoder

	wrong mistake
}

// TransformerOptions is the shape of a Transformer. A field that is 0 means PyTorch's default.
type TransformerOptions struct {
	Width         int     // 0 means 512
	Heads         int     // 0 means 8
	EncoderLayers int     // 0 means 6
	DecoderLayers int     // 0 means 6
	Hidden        int     // width of the networks inside of the layers; 0 means 2048
	Dropout       float64 // of parts of layers and of attention weights; 0 means none, where PyTorch takes 0.1
	Activation    Layer   // of the networks inside of the layers; nil means ReLU
	NormFirst     bool    // normalize what goes into each part, and not the sum with what comes out
}

// NewTransformer returns a Transformer. Its weights of two axes are drawn by XavierUniform(1).
func NewTransformer(o TransformerOptions) *Transformer {
	m := &Transformer{}
	call := fmt.Sprintf("NewTransformer(%+v)", o)
	for _, d := range []struct {
		n     *int
		usual int
	}{{&o.Width, 512}, {&o.Heads, 8}, {&o.EncoderLayers, 6}, {&o.DecoderLayers, 6}, {&o.Hidden, 2048}} {
		if *d.n == 0 {
			*d.n = d.usual
		}
	}
	if o.Activation == nil {
		o.Activation = ReLU{}
	}
	m.wrong = headMistake(call, o.Width, o.Heads, o.Heads)
	m.wrong.sizes(call, []string{"EncoderLayers", "DecoderLayers", "Hidden"}, o.EncoderLayers, o.DecoderLayers, o.Hidden)
	m.wrong.require(max(o.EncoderLayers, o.DecoderLayers) <= mostLayers, "%s: there should be at most %d layers", call, mostLayers)
	m.wrong.require(o.Dropout >= 0 && o.Dropout <= 1, "%s: Dropout is %v and should be from 0 to 1", call, o.Dropout)
	if m.wrong != "" {
		return m
	}
	linears := func(all ...*Linear) {
		for _, l := range all {
			l.Weight.SetInit(XavierUniform(1))
		}
	}
	m.Encoder = NewTransformerEncoder(o.EncoderLayers, func() *TransformerEncoderLayer {
		l := NewTransformerEncoderLayer(o.Width, o.Heads, o.Hidden)
		l.Activation, l.NormFirst, l.Dropout, l.SelfAttn.Dropout = o.Activation, o.NormFirst, o.Dropout, o.Dropout
		linears(l.Linear1, l.Linear2, l.SelfAttn.OutProj)
		return l
	})
	m.Decoder = NewTransformerDecoder(o.DecoderLayers, func() *TransformerDecoderLayer {
		l := NewTransformerDecoderLayer(o.Width, o.Heads, o.Hidden)
		l.Activation, l.NormFirst, l.Dropout, l.SelfAttn.Dropout, l.MultiheadAttn.Dropout = o.Activation, o.NormFirst, o.Dropout, o.Dropout, o.Dropout
		linears(l.Linear1, l.Linear2, l.SelfAttn.OutProj, l.MultiheadAttn.OutProj)
		return l
	})
	m.Encoder.Norm, m.Decoder.Norm = NewLayerNorm(o.Width), NewLayerNorm(o.Width)
	return m
}

// TransformerMasks are the options of a Transformer's attentions. To train on whole targets Decoder is Causal.
type TransformerMasks struct {
	Encoder tarn.AttentionOptions // of the source to itself
	Decoder tarn.AttentionOptions // of the target to itself
	Memory  tarn.AttentionOptions // of the target to the encoded source
}

// Forward decodes the target, given the source. Shapes: source [n... s width], target [n... t width] -> [n... t width].
func (m *Transformer) Forward(source, target *tarn.Value, masks TransformerMasks) *tarn.Value {
	if m == nil {
		return missing("Transformer", source)
	}
	if bad := m.wrong.report("Transformer", source, target); bad != nil {
		return bad
	}
	return m.Decoder.Decode(target, m.Encoder.Encode(source, masks.Encoder), masks.Decoder, masks.Memory)
}
