package exec

import (
	"fmt"
	"testing"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/irtest"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// attention is an op of any form.
type attention struct {
	form ir.AttentionForm
	size int // elements of the result
}

func (attention) Name() string                        { return "Attention" }
func (op attention) Attrs() string                    { return fmt.Sprint(op.form) }
func (op attention) Attends() ir.AttentionForm        { return op.form }
func (op attention) Eval(out ir.Array, in []ir.Array) { op.form.Eval(out, in) }
func (op attention) Infer(in []ir.Type) (ir.Type, error) {
	return ir.Type{DType: in[0].DType, Shape: []int{op.size}}, nil
}

// TestAttention runs attentions and their gradients at sizes around those of blocks.
func TestAttention(t *testing.T) {
	workers := pools(t)
	defer cpu.ForceBF16(cpu.CurrentBF16())
	for _, s := range []struct {
		batch, heads, groups, queries, keys, size, valueSize int
		form                                                 ir.AttentionForm
		mask                                                 []int // its shape, expanded to that of the scores
	}{
		{1, 1, 1, 1, 1, 1, 1, ir.AttentionForm{}, nil},
		{2, 3, 1, 33, 65, 5, 7, ir.AttentionForm{}, nil},
		{1, 2, 2, 64, 64, 16, 16, ir.AttentionForm{Causal: true}, nil},
		{2, 2, 2, 63, 129, 32, 17, ir.AttentionForm{Causal: true}, nil},
		{1, 1, 1, 130, 63, 3, 64, ir.AttentionForm{Causal: true}, nil},
		{1, 4, 2, 40, 300, 8, 8, ir.AttentionForm{Masked: true}, []int{1, 1, 40, 300}},
		{2, 2, 1, 31, 66, 8, 8, ir.AttentionForm{Masked: true, Causal: true}, []int{2, 1, 1, 66}},
		{2, 2, 2, 33, 70, 4, 4, ir.AttentionForm{Masked: true}, []int{1, 2, 33, 1}},
		{2, 4, 2, 40, 70, 8, 5, ir.AttentionForm{Dropout: 0.3, Seed: 5, Number: 2}, nil},
		{1, 2, 1, 33, 530, 4, 4, ir.AttentionForm{Dropout: 0.1, Masked: true, Causal: true}, []int{1, 2, 33, 1}},
		{1, 1, 1, 3, 4, 2, 2, ir.AttentionForm{Dropout: 1}, nil},
		{1, 2, 2, 0, 3, 2, 2, ir.AttentionForm{}, nil}, {1, 2, 2, 3, 0, 2, 2, ir.AttentionForm{}, nil}, {1, 2, 2, 3, 4, 0, 2, ir.AttentionForm{}, nil},
	} {
		for _, at := range attentionKinds() {
			if err := cpu.ForceBF16(at.unit); err != nil {
				t.Fatal(err)
			}
			b, dtype := irtest.New(), at.dtype
			form := s.form
			form.Scale, form.Precision = 0.3, at.precision
			// Heads lie inside of places; values backwards.
			q := b.Permute(b.Input(dtype, s.batch, s.queries, s.heads, s.size), 0, 2, 1, 3)
			k := b.Permute(b.Input(dtype, s.batch, s.keys, s.groups, s.size), 0, 2, 1, 3)
			v := b.Flip(b.Input(dtype, s.batch, s.groups, s.keys, s.valueSize), 2)
			dy := b.Permute(b.Input(dtype, s.batch, s.queries, s.heads, s.valueSize), 0, 2, 1, 3)
			in := []*ir.Node{q, k, v}
			if s.mask != nil {
				mask := b.Input(dtype, s.mask...)
				if s.form.Causal {
					mask = b.F(scalar.Lt, mask, b.Input(dtype, s.mask...))
				}
				in = append(in, b.Expand(mask, s.batch, s.heads, s.queries, s.keys))
			}
			if s.form.Dropout > 0 {
				in = append(in, b.Input(ir.I64))
			}
			rows := s.batch * s.heads * s.queries
			y := b.Add(attention{form, rows * (s.valueSize + 1)}, in...)
			form.Gradient = true
			places := s.batch * s.groups * s.keys
			d := b.Add(attention{form, rows*s.size + places*(s.size+s.valueSize)}, append(append([]*ir.Node{}, in...), y, dy)...)
			b.Output(b.Slice(y, 0, 0, 1, rows*s.valueSize), d)
			if err := everywhere(b.Graph, workers); err != nil {
				t.Errorf("%+v %+v: %v", at, s, err)
			}
		}
	}
}

// attentionKind is a type and precision of attentions, and the unit for it.
type attentionKind struct {
	dtype     ir.DType
	precision ir.Precision
	unit      cpu.BF16Unit
}

func attentionKinds() []attentionKind {
	kinds := []attentionKind{{dtype: ir.F32}, {dtype: ir.F64}}
	for _, u := range cpu.BF16Units() {
		kinds = append(kinds, attentionKind{ir.F32, ir.PrecisionBF16, u})
	}
	return kinds
}
