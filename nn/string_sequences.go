package nn

import "fmt"

// This file holds how the layers of sequences print: attention, transformers, recurrent networks and their cells.

// String returns "MultiHeadAttention(width, heads)" and what is set beside.
func (m *MultiHeadAttention) String() string {
	if m == nil {
		return absent
	}
	width, others := axis(m.InProjWeight, 1), ""
	if m.InProjWeight == nil {
		width = axis(m.QProjWeight, 1)
		others = fmt.Sprintf("keys %s, values %s", axis(m.KProjWeight, 1), axis(m.VProjWeight, 1))
	}
	return call("MultiHeadAttention", width, fmt.Sprint(m.Heads), setting("groups", m.Groups, m.Heads), others, said(m.InProjBias == nil, "no bias"), setting("dropout", m.Dropout, 0),
		setting("window", m.Window, 0), said(m.Rotary != nil, "rotary"), said(m.ALiBi, "ALiBi"), m.LoRA.setting())
}

// String returns the parts, one on each line.
func (l *TransformerEncoderLayer) String() string {
	if l == nil {
		return absent
	}
	return nested("TransformerEncoderLayer", transformerParts(l.NormFirst, l.Dropout, part("SelfAttn", l.SelfAttn), part("Linear1", l.Linear1), part("Activation", l.Activation),
		part("Linear2", l.Linear2), part("Norm1", l.Norm1), part("Norm2", l.Norm2))...)
}

// String returns the parts, one on each line.
func (l *TransformerDecoderLayer) String() string {
	if l == nil {
		return absent
	}
	return nested("TransformerDecoderLayer", transformerParts(l.NormFirst, l.Dropout, part("SelfAttn", l.SelfAttn), part("MultiheadAttn", l.MultiheadAttn), part("Linear1", l.Linear1),
		part("Activation", l.Activation), part("Linear2", l.Linear2), part("Norm1", l.Norm1), part("Norm2", l.Norm2), part("Norm3", l.Norm3))...)
}

// transformerParts adds what is set beside the parts.
func transformerParts(normFirst bool, dropout float64, parts ...string) []string {
	if normFirst {
		parts = append(parts, "norm first")
	}
	if dropout != 0 {
		parts = append(parts, fmt.Sprint("dropout ", dropout))
	}
	return parts
}

// String returns the layers with their places, one on each line.
func (e *TransformerEncoder) String() string {
	if e == nil {
		return absent
	}
	return nested("TransformerEncoder", stackParts(e.Layers, e.Norm)...)
}

// String returns the layers with their places, one on each line.
func (d *TransformerDecoder) String() string {
	if d == nil {
		return absent
	}
	return nested("TransformerDecoder", stackParts(d.Layers, d.Norm)...)
}

// String returns the two parts.
func (m *Transformer) String() string {
	if m == nil {
		return absent
	}
	return nested("Transformer", part("Encoder", m.Encoder), part("Decoder", m.Decoder))
}

// stackParts are the layers of a stack, and the norm if there is one.
func stackParts[T any](layers []T, norm *LayerNorm) (parts []string) {
	for i, l := range layers {
		parts = append(parts, part(fmt.Sprint(i), l))
	}
	if norm != nil {
		parts = append(parts, part("Norm", norm))
	}
	return parts
}

// String returns the parts, one on each line.
func (m *GPT) String() string {
	if m == nil {
		return absent
	}
	parts := []string{part("Token", m.Token), part("Position", m.Position)}
	for i, b := range m.Blocks {
		parts = append(parts, part(fmt.Sprint("Blocks.", i), b))
	}
	return nested("GPT", append(parts, part("Norm", m.Norm), part("Head", m.Head))...)
}

// String returns "LearnedPosition(context, width)".
func (p *LearnedPosition) String() string {
	if p == nil {
		return absent
	}
	return call("LearnedPosition", axis(p.Weight, 0), axis(p.Weight, 1))
}

// String returns "RNN(in, hidden)" and what is set beside.
func (r *RNN) String() string {
	if r == nil {
		return absent
	}
	return r.describe("RNN")
}

// String returns "LSTM(in, hidden)" and what is set beside.
func (r *LSTM) String() string {
	if r == nil {
		return absent
	}
	return r.describe("LSTM")
}

// String returns "GRU(in, hidden)" and what is set beside.
func (r *GRU) String() string {
	if r == nil {
		return absent
	}
	return r.describe("GRU")
}

// String returns "Recurrent(in, hidden)" and what is set beside.
func (r *Recurrent) String() string {
	if r == nil {
		return absent
	}
	return r.describe("Recurrent")
}

// describe is String under the name of the layer that embeds r.
func (r *Recurrent) describe(name string) string {
	cell, relu := r.cell.(plainCell)
	o := r.Options
	return call(name, fmt.Sprint(r.In), fmt.Sprint(r.Hidden), said(relu && cell.relu, "ReLU"), setting("layers", r.layers(), 1), said(o.Bidirectional, "bidirectional"),
		setting("dropout", o.Dropout, 0), said(o.TimeFirst, "time first"), said(o.NoBias, "no bias"))
}

// String returns "RecurrentCell(in, hidden)".
func (r *RecurrentCell) String() string { return r.describe("RecurrentCell") }

// describe is String under the name of the cell that embeds r.
func (r *RecurrentCell) describe(name string) string {
	if r == nil {
		return absent
	}
	plain, ok := r.cell.(plainCell)
	return call(name, axis(r.WeightIH, 1), axis(r.WeightHH, 1), said(ok && plain.relu, "ReLU"), said(r.BiasIH == nil, "no bias"))
}

// String returns "RNNCell(in, hidden)" and what is set beside.
func (r *RNNCell) String() string {
	if r == nil {
		return absent
	}
	return r.describe("RNNCell")
}

// String returns "LSTMCell(in, hidden)" and what is set beside.
func (r *LSTMCell) String() string {
	if r == nil {
		return absent
	}
	return r.describe("LSTMCell")
}

// String returns "GRUCell(in, hidden)" and what is set beside.
func (r *GRUCell) String() string {
	if r == nil {
		return absent
	}
	return r.describe("GRUCell")
}
