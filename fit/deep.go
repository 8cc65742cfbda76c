package fit

import (
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds the networks.

// deep is a network.
type deep interface {
	// forward returns [members n outputs].
	forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value
}

// shape of a network.
type shape struct {
	Family    Family  `json:"family"`
	Members   int     `json:"members"`
	Hidden    []int   `json:"hidden"` // sizes of the hidden layers; of a transformer the width of each
	Embedding int     `json:"embedding"`
	Dropout   float64 `json:"dropout"`
	Periodic  bool    `json:"periodic,omitempty"` // sines of numbers instead of their pieces
}

// newDeep makes the network of a shape.
func newDeep(l *layout, s shape) deep {
	switch s.Family {
	case ResNet:
		return newResidual(l, s)
	case Transformer:
		return newTokens(l, s)
	}
	return newPerceptrons(l, s)
}

// inlet makes one row of numbers of the inputs: the numbers themselves, an encoding of each, and an embedding of each category.
type inlet struct {
	Embedding *nn.Embedding // [codes width]; nil without categories
	Waves     *tarn.Param   // [numbers bins/2]: the frequencies of sines and cosines; nil for pieces
}

func newInlet(l *layout, s shape) (*inlet, int) {
	m := &inlet{}
	width := l.Numbers * (1 + l.Bins)
	if s.Periodic && l.Numbers > 0 {
		half := max(1, l.Bins/2)
		m.Waves = tarn.NewParam(tarn.F32, nn.Normal(0, 0.3), 1, l.Numbers, half)
		width = l.Numbers * (1 + 2*half)
	}
	if len(l.Sizes) > 0 {
		m.Embedding = nn.NewEmbedding(l.codes(), s.Embedding)
		m.Embedding.Weight.SetInit(nn.Normal(0, 0.3))
		width += len(l.Sizes) * s.Embedding
	}
	return m, width
}

// forward returns [n width].
func (m *inlet) forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value {
	var parts []*tarn.Value
	if l.Numbers > 0 {
		near := numbers.Clip(tarn.Num(-5), tarn.Num(5)) // the linear path alone sees how far outliers lie
		parts = append(parts, near)
		if m.Waves != nil { // Gorishniy et al. 2022, section 3.2
			angle := near.Reshape(n, l.Numbers, 1).Mul(m.Waves).Scale(2 * math.Pi)
			parts = append(parts, angle.Sin().Reshape(n, -1), angle.Cos().Reshape(n, -1))
		} else if l.Bins > 0 {
			parts = append(parts, l.pieces(near, n))
		}
	}
	if m.Embedding != nil {
		parts = append(parts, m.Embedding.Forward(l.shifted(codes)).Reshape(n, -1))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return tarn.Concat(1, parts...)
}

// skip is the linear path from the numbers to the answer.
func skip(l *layout) *tarn.Param {
	if l.Numbers == 0 {
		return nil
	}
	return tarn.NewParam(tarn.F32, nil, l.Numbers, l.Outputs)
}

func addSkip(y *tarn.Value, skip *tarn.Param, l *layout, numbers *tarn.Value, n int) *tarn.Value {
	if skip == nil {
		return y
	}
	return y.Add(numbers.MatMul(skip).Reshape(1, n, l.Outputs))
}

// perceptrons are some multilayer perceptrons that share their weights, but for a factor on each input and the last layer. Their answers are averaged.
// (Gorishniy et al. 2025, TabM, the variant mini.)
type perceptrons struct {
	In       *inlet
	Adapter  *tarn.Param // [members inputs]
	Hidden   []*nn.Linear
	Drop     *nn.Dropout
	Head     *tarn.Param // [members width outputs]
	HeadBias *tarn.Param // [members 1 outputs]
	Skip     *tarn.Param // [numbers outputs]
}

func newPerceptrons(l *layout, s shape) *perceptrons {
	m := &perceptrons{Drop: nn.NewDropout(s.Dropout), Skip: skip(l)}
	var width int
	m.In, width = newInlet(l, s)
	m.Adapter = tarn.NewParam(tarn.F32, nn.Normal(1, 0.5), s.Members, width)
	for _, h := range s.Hidden {
		m.Hidden = append(m.Hidden, nn.NewLinear(width, h))
		width = h
	}
	bound := 1 / math.Sqrt(float64(width))
	m.Head = tarn.NewParam(tarn.F32, nn.Uniform(-bound, bound), s.Members, width, l.Outputs)
	m.HeadBias = tarn.NewParam(tarn.F32, nil, s.Members, 1, l.Outputs)
	return m
}

func (m *perceptrons) forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value {
	x := m.In.forward(g, l, numbers, codes, n)
	members, width := m.Adapter.Shape()[0], m.Adapter.Shape()[1]
	x = x.Reshape(1, n, width).Mul(m.Adapter.Value(g).Reshape(members, 1, width)).Reshape(members*n, width)
	for _, h := range m.Hidden {
		x = m.Drop.Forward(h.Forward(x).ReLU())
	}
	y := x.Reshape(members, n, m.Head.Shape()[1]).MatMul(m.Head.Value(g)).Add(m.HeadBias)
	return addSkip(y, m.Skip, l, numbers, n)
}

// residual is a residual network for tables. (Gorishniy et al. 2021, Revisiting deep learning models for tabular data, section 3.2.)
type residual struct {
	In     *inlet
	First  *nn.Linear
	Blocks []*residualBlock
	Norm   *nn.BatchNorm
	Head   *nn.Linear
	Skip   *tarn.Param // [numbers outputs]
}

type residualBlock struct {
	Norm    *nn.BatchNorm
	Up      *nn.Linear
	Down    *nn.Linear
	Dropout *nn.Dropout
}

func newResidual(l *layout, s shape) *residual {
	m := &residual{Skip: skip(l)}
	var inputs int
	m.In, inputs = newInlet(l, s)
	width := s.Hidden[0]
	m.First = nn.NewLinear(inputs, width)
	for _, h := range s.Hidden {
		m.Blocks = append(m.Blocks, &residualBlock{nn.NewBatchNorm(width), nn.NewLinear(width, 2*h), nn.NewLinear(2*h, width), nn.NewDropout(s.Dropout)})
	}
	m.Norm, m.Head = nn.NewBatchNorm(width), nn.NewLinear(width, l.Outputs)
	return m
}

func (m *residual) forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value {
	x := m.First.Forward(m.In.forward(g, l, numbers, codes, n))
	for _, b := range m.Blocks {
		x = x.Add(b.Down.Forward(b.Dropout.Forward(b.Up.Forward(b.Norm.Forward(x)).ReLU())))
	}
	y := m.Head.Forward(m.Norm.Forward(x).ReLU()).Reshape(1, n, l.Outputs)
	return addSkip(y, m.Skip, l, numbers, n)
}

// tokens is a transformer over the columns: each number and each category of a row is a token, and a further one gathers what is answered from.
// (FT-Transformer: Gorishniy et al. 2021, section 3.3.)
type tokens struct {
	Weight    *tarn.Param // [numbers width]: the direction of each number
	Bias      *tarn.Param // [numbers width]
	Embedding *nn.Embedding
	Class     *tarn.Param // [1 1 width]: the token that gathers
	Layers    []*nn.TransformerEncoderLayer
	Norm      *nn.LayerNorm
	Head      *nn.Linear
	Skip      *tarn.Param // [numbers outputs]
}

func newTokens(l *layout, s shape) *tokens {
	width := (s.Hidden[0] + 7) / 8 * 8
	bound := 1 / math.Sqrt(float64(width))
	m := &tokens{Class: tarn.NewParam(tarn.F32, nn.Uniform(-bound, bound), 1, 1, width), Norm: nn.NewLayerNorm(width), Head: nn.NewLinear(width, l.Outputs), Skip: skip(l)}
	if l.Numbers > 0 {
		m.Weight = tarn.NewParam(tarn.F32, nn.Uniform(-bound, bound), l.Numbers, width)
		m.Bias = tarn.NewParam(tarn.F32, nn.Uniform(-bound, bound), l.Numbers, width)
	}
	if len(l.Sizes) > 0 {
		m.Embedding = nn.NewEmbedding(l.codes(), width)
		m.Embedding.Weight.SetInit(nn.Uniform(-bound, bound))
	}
	for range s.Hidden {
		layer := nn.NewTransformerEncoderLayer(width, 8, 2*width)
		layer.NormFirst = true
		layer.Dropout = s.Dropout
		m.Layers = append(m.Layers, layer)
	}
	return m
}

func (m *tokens) forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value {
	width := m.Class.Shape()[2]
	parts := []*tarn.Value{m.Class.Value(g).Expand(n, 1, width)}
	if l.Numbers > 0 {
		near := numbers.Clip(tarn.Num(-5), tarn.Num(5))
		parts = append(parts, near.Reshape(n, l.Numbers, 1).Mul(m.Weight.Value(g).Reshape(1, l.Numbers, width)).Add(m.Bias))
	}
	if m.Embedding != nil {
		parts = append(parts, m.Embedding.Forward(l.shifted(codes)))
	}
	x := tarn.Concat(1, parts...)
	for _, layer := range m.Layers {
		x = layer.Forward(x)
	}
	y := m.Head.Forward(m.Norm.Forward(x.Slice(1, 0, 1).Reshape(n, width)).ReLU()).Reshape(1, n, l.Outputs)
	return addSkip(y, m.Skip, l, numbers, n)
}
