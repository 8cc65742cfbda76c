package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds MultiHeadAttention.

// MultiHeadAttention maps queries, keys and values by linear layers to several heads of each, and the heads' attention by
// another to the result. Its weights, their names and their initialization are those of
// torch.nn.MultiheadAttention(batch_first=True), so its state loads. Masks are those of tarn.Value.Attention: true means
// that a key counts. In a bool mask of PyTorch's module true means that it does not.
// Vaswani et al., Attention is all you need, 2017.
type MultiHeadAttention struct {
	InProjWeight *tarn.Param // [(heads+2*groups)*d width], of queries, keys and values; nil where keys or values have another width
	QProjWeight  *tarn.Param // [heads*d width], [groups*d keyWidth] and [groups*d valueWidth] then
	KProjWeight  *tarn.Param
	VProjWeight  *tarn.Param
	InProjBias   *tarn.Param // [(heads+2*groups)*d], or nil for none
	OutProj      *Linear

	Heads   int     // of queries
	Groups  int     // heads of keys and values; each serves Heads/Groups heads of queries
	Dropout float64 // probability with which a weight is dropped in training
	Window  int     // how far a query sees, as that of tarn.AttentionOptions, which go first; 0 for all keys

	Rotary *RotaryPosition // turns queries and keys, head by head, by their places; nil for none
	ALiBi  bool            // lowers the scores by the distance of key and query, see ALiBi
	LoRA   *LoRA           `tarn:""` // an adapter of InProjWeight, or nil

	wrong mistake
}

// NewMultiHeadAttention returns attention with the given number of heads, which must divide the width.
func NewMultiHeadAttention(width, heads int) *MultiHeadAttention {
	m := NewGroupedQueryAttention(width, heads, heads)
	m.wrong = headMistake(fmt.Sprintf("NewMultiHeadAttention(%d, %d)", width, heads), width, heads, heads)
	return m
}

// NewGroupedQueryAttention returns attention whose heads share keys and values, as many as there are groups.
// Ainslie et al., GQA: training generalized multi-query transformer models from multi-head checkpoints, 2023.
func NewGroupedQueryAttention(width, heads, groups int) *MultiHeadAttention {
	d := width / max(1, heads)
	rows := (heads + 2*groups) * d
	m := &MultiHeadAttention{
		InProjWeight: tarn.NewParam(tarn.F32, XavierUniform(1), rows, width),
		InProjBias:   tarn.NewParam(tarn.F32, Zeros(), rows),
		OutProj:      NewLinear(heads*d, width),
		Heads:        heads, Groups: groups,
	}
	m.OutProj.Bias.SetInit(Zeros())
	m.wrong = headMistake(fmt.Sprintf("NewGroupedQueryAttention(%d, %d, %d)", width, heads, groups), width, heads, groups)
	return m
}

// headMistake checks the arguments of a constructor.
func headMistake(call string, width, heads, groups int) (m mistake) {
	m.sizes(call, []string{"the width", "the number of heads", "the number of groups"}, width, heads, groups)
	m.require(heads < 1 || width%heads == 0, "%s: %d heads do not divide the width %d", call, heads, width)
	m.require(groups < 1 || heads%groups == 0, "%s: %d groups do not divide the %d heads", call, groups, heads)
	return m
}

// NewCrossAttention returns attention to keys and values of other widths than the queries; equal to
// torch.nn.MultiheadAttention with kdim and vdim.
func NewCrossAttention(width, heads, keyWidth, valueWidth int) *MultiHeadAttention {
	m := NewMultiHeadAttention(width, heads)
	call := fmt.Sprintf("NewCrossAttention(%d, %d, %d, %d)", width, heads, keyWidth, valueWidth)
	m.wrong = headMistake(call, width, heads, heads)
	m.wrong.sizes(call, []string{"the width of the keys", "the width of the values"}, keyWidth, valueWidth)
	m.InProjWeight = nil
	m.QProjWeight = tarn.NewParam(tarn.F32, XavierUniform(1), width, width)
	m.KProjWeight = tarn.NewParam(tarn.F32, XavierUniform(1), width, keyWidth)
	m.VProjWeight = tarn.NewParam(tarn.F32, XavierUniform(1), width, valueWidth)
	return m
}

// Forward is the attention of x to itself. Shapes: [n... t width] -> same.
func (m *MultiHeadAttention) Forward(x *tarn.Value) *tarn.Value {
	if m == nil {
		return missing("MultiHeadAttention", x)
	}
	return m.Self(x, tarn.AttentionOptions{})
}

// Self is the attention of x to itself. Shapes: [n... t width] -> same; a mask broadcasts to [n... heads t t].
func (m *MultiHeadAttention) Self(x *tarn.Value, o tarn.AttentionOptions) *tarn.Value {
	if m == nil {
		return missing("MultiHeadAttention.Self", x)
	}
	if m.InProjWeight == nil {
		return m.Attend(x, x, x, o)
	}
	if bad := m.check(x); bad != nil {
		return bad
	}
	all := (&Linear{Weight: m.InProjWeight, Bias: m.InProjBias, LoRA: m.LoRA}).Forward(x)
	if m.Rotary == nil {
		return m.OutProj.Forward(all.SelfAttention(m.Heads, m.Groups, m.options(x.Dim(-2), x.Dim(-2), all, o)))
	}
	ends := m.ends()
	heads := func(i, n int) *tarn.Value { return splitHeads(all.Slice(-1, ends[i], ends[i+1]), n) }
	return m.OutProj.Forward(joinHeads(m.attend(heads(0, m.Heads), heads(1, m.Groups), heads(2, m.Groups), o)))
}

// attend is the attention of heads, with the layer's positions.
func (m *MultiHeadAttention) attend(q, k, v *tarn.Value, o tarn.AttentionOptions) *tarn.Value {
	q, k = m.turn(q, k)
	return q.Attention(k, v, m.options(q.Dim(-2), k.Dim(-2), q, o))
}

// turn turns queries and keys by their places, if the layer does.
func (m *MultiHeadAttention) turn(q, k *tarn.Value) (turnedQ, turnedK *tarn.Value) {
	if m.Rotary == nil {
		return q, k
	}
	return m.Rotary.Forward(q), m.Rotary.Forward(k)
}

// Attend is the attention of queries to keys with their values. Shapes: [n... t width], [n... s keyWidth], [n... s valueWidth] ->
// [n... t width]; a mask broadcasts to [n... heads t s].
func (m *MultiHeadAttention) Attend(queries, keys, values *tarn.Value, o tarn.AttentionOptions) *tarn.Value {
	if m == nil {
		return missing("MultiHeadAttention.Attend", queries)
	}
	if bad := m.check(queries, keys, values); bad != nil {
		return bad
	}
	q, k, v := m.Project(queries, keys, values)
	return m.OutProj.Forward(joinHeads(m.attend(q, k, v, o)))
}

// AttendWeights is Attend, and returns the weights of the keys too, after dropout. It holds all of them, which Attend does not. PyTorch returns by
// default their mean over the heads: weights.Mean(-3). Equal to torch.nn.MultiheadAttention with average_attn_weights=False.
//
// Shapes: [n... t width], [n... s keyWidth], [n... s valueWidth] -> [n... t width], [n... heads t s]; a mask broadcasts to [n... heads t s].
func (m *MultiHeadAttention) AttendWeights(queries, keys, values *tarn.Value, o tarn.AttentionOptions) (y, weights *tarn.Value) {
	if m == nil {
		bad := missing("MultiHeadAttention.AttendWeights", queries)
		return bad, bad
	}
	if bad := m.check(queries, keys, values); bad != nil {
		return bad, bad
	}
	q, k, v := m.Project(queries, keys, values)
	q, k = m.turn(q, k)
	weights = q.AttentionWeights(k, m.options(q.Dim(-2), k.Dim(-2), q, o))
	shape := weights.Shape()
	if len(shape) < 3 || m.Heads%max(1, m.Groups) != 0 {
		return weights, weights // which has failed
	}
	rows := append(shape[:len(shape)-3:len(shape)-3], m.Groups, m.Heads/m.Groups*shape[len(shape)-2]) // heads that share values, together
	y = weights.Reshape(append(rows, shape[len(shape)-1])...).MatMul(v).Reshape(append(shape[:len(shape)-1:len(shape)-1], v.Dim(-1))...)
	return m.OutProj.Forward(joinHeads(y)), weights
}

// Project maps queries, keys and values to their heads. Shapes: [n... t width], [n... s keyWidth], [n... s valueWidth] ->
// [n... heads t d], [n... groups s d], [n... groups s d].
func (m *MultiHeadAttention) Project(queries, keys, values *tarn.Value) (q, k, v *tarn.Value) {
	if bad := m.check(queries, keys, values); bad != nil {
		return bad, bad, bad
	}
	g := queries.Graph()
	ends := m.ends()
	part := func(x *tarn.Value, own *tarn.Param, i, heads int) *tarn.Value {
		var w *tarn.Value
		if m.InProjWeight != nil {
			w = m.InProjWeight.Value(g).Slice(0, ends[i], ends[i+1])
		} else {
			w = own.Value(g)
		}
		y := x.MatMulT(w)
		if m.InProjBias != nil {
			y = y.Add(m.InProjBias.Value(g).Slice(0, ends[i], ends[i+1]))
		}
		if m.InProjWeight != nil && m.LoRA.active() {
			y = m.LoRA.addLinear(y, x, m.InProjWeight.Shape(), ends[i], ends[i+1])
		}
		return splitHeads(y, heads)
	}
	return part(queries, m.QProjWeight, 0, m.Heads), part(keys, m.KProjWeight, 1, m.Groups), part(values, m.VProjWeight, 2, m.Groups)
}

// ends are where, among the results of the fused projection, queries begin and end, and keys and values end.
func (m *MultiHeadAttention) ends() []int {
	d := m.OutProj.Weight.Shape()[1] / m.Heads
	return []int{0, m.Heads * d, (m.Heads + m.Groups) * d, (m.Heads + 2*m.Groups) * d}
}

// splitHeads makes [n... heads t d] of [n... t heads*d], joinHeads the reverse.
func splitHeads(x *tarn.Value, heads int) *tarn.Value {
	shape := x.Shape()
	last := len(shape) - 1
	return x.Reshape(append(shape[:last:last], heads, shape[last]/heads)...).Transpose(-2, -3)
}

func joinHeads(x *tarn.Value) *tarn.Value {
	y := x.Transpose(-2, -3)
	shape := y.Shape()
	last := len(shape) - 1
	if last < 1 {
		return y
	}
	return y.Reshape(append(shape[:last-1:last-1], shape[last-1]*shape[last])...)
}

// options adds the layer's dropout, in training, its window and its ALiBi mask, for operands like x.
func (m *MultiHeadAttention) options(queries, keys int, x *tarn.Value, o tarn.AttentionOptions) tarn.AttentionOptions {
	g := x.Graph()
	if m.Dropout != 0 && g.Training() {
		o.Dropout = m.Dropout
	}
	if o.Window == 0 {
		o.Window = m.Window
	}
	if m.ALiBi {
		if o.Causal {
			o.Mask = withMask(ALiBi(g, x.DType(), m.Heads, keys), o.Mask)
		} else {
			o.Mask = withMask(alibiBothWays(g, x.DType(), m.Heads, queries, keys), o.Mask)
		}
	}
	return o
}

// check reports operands and settings that do not fit and returns a poisoned value, or nil if all fit.
func (m *MultiHeadAttention) check(in ...*tarn.Value) *tarn.Value {
	g := in[0].Graph()
	fail := func(format string, args ...any) *tarn.Value { return g.Fail("MultiHeadAttention", in, format, args...) }
	if m == nil || m.OutProj == nil || m.OutProj.Weight == nil || m.InProjWeight == nil && (m.QProjWeight == nil || m.KProjWeight == nil || m.VProjWeight == nil) {
		return fail("the layer lacks weights: was it made by its constructor?")
	}
	if bad := m.wrong.report("MultiHeadAttention", in...); bad != nil {
		return bad
	}
	width := m.OutProj.Weight.Shape()[1]
	if m.Heads < 1 || m.Groups < 1 || m.Heads%m.Groups != 0 || width%m.Heads != 0 {
		return fail("the width %d, the %d heads and the %d groups should each be a multiple of the next", width, m.Heads, m.Groups)
	}
	weights := []*tarn.Param{m.InProjWeight, m.InProjWeight, m.InProjWeight}
	if m.InProjWeight == nil {
		weights = []*tarn.Param{m.QProjWeight, m.KProjWeight, m.VProjWeight}
	}
	for i, x := range in {
		w := weights[i].Value(g)
		switch {
		case x.Rank() < 2 || x.Dim(-1) != w.Dim(1):
			return fail("operand %d has shape %s and should be [n... t %d]", i+1, shapeString(x.Shape()), w.Dim(1))
		case x.DType() != w.DType():
			return fail("operand %d is %v and the weights %v: Cast the operand, or tarn.Cast the model", i+1, x.DType(), w.DType())
		}
	}
	if !(m.Dropout >= 0 && m.Dropout <= 1) {
		return fail("Dropout is %v and should be from 0 to 1", m.Dropout)
	}
	if m.Window < 0 {
		return fail("Window is %d and should be at least 1, or 0 for no limit", m.Window)
	}
	return nil
}
