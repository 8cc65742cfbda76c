package fit

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/data/table"
)

// This file holds what a row is for the models, and the linear one.

// layout says what a row is for the models.
type layout struct {
	Numbers int         // of a row
	Sizes   []int       // how many codes each category has
	Knots   [][]float64 // of each number, between which its piecewise linear encoding rises; nil for those without one
	Bins    int         // numbers of the encoding of each
	Outputs int         // classes, or 1
	Low     []float32   // of each number, the smallest that was learned from
	High    []float32   // the largest
}

// newLayout says what the rows of an encoder are. The most numbers of piecewise linear encodings are 512.
func newLayout(e *table.Encoder, outputs int) *layout {
	l := &layout{Numbers: e.Width(), Sizes: e.Vocabulary(), Outputs: outputs}
	quantities := 0
	for _, t := range e.Transforms {
		if t.Kind == table.Numeric {
			quantities++
		}
	}
	if quantities > 0 {
		l.Bins = min(16, 512/quantities)
	}
	for _, t := range e.Transforms {
		for k, p := range t.Parts {
			var knots []float64
			if t.Kind == table.Numeric && k == 0 && l.Bins > 1 {
				knots = someKnots(t.Quantiles, l.Bins+1, p)
			}
			l.Knots = append(l.Knots, knots)
			low, high := -math.MaxFloat32, math.MaxFloat32
			if q := t.Quantiles; k == 0 && len(q) > 0 && (t.Kind == table.Numeric || t.Kind == table.Date && strings.HasSuffix(p.Name, " days")) {
				unit := 1.0
				if t.Kind == table.Date {
					unit = 86400
				}
				low, high = (q[0]/unit-p.Mean)/p.Std, (q[len(q)-1]/unit-p.Mean)/p.Std
			}
			l.Low, l.High = append(l.Low, float32(max(low, -math.MaxFloat32))), append(l.High, float32(min(high, math.MaxFloat32)))
		}
	}
	return l
}

// someKnots takes at most n different quantiles, scaled.
func someKnots(quantiles []float64, n int, p table.Part) []float64 {
	var all []float64
	for _, q := range quantiles {
		v := (q - p.Mean) / p.Std
		if len(all) == 0 || v > all[len(all)-1]+1e-9 {
			all = append(all, v)
		}
	}
	if len(all) < 3 {
		return nil
	}
	if len(all) <= n {
		return all
	}
	var knots []float64
	for i := range n {
		knots = append(knots, all[i*(len(all)-1)/(n-1)])
	}
	return knots
}

// within moves numbers into the range of those that were learned from.
func (l *layout) within(numbers *tarn.Value) *tarn.Value {
	g := numbers.Graph()
	return numbers.Clip(g.Const(tarn.Vector(l.Low)), g.Const(tarn.Vector(l.High)))
}

// codes is the number of codes of all categories together.
func (l *layout) codes() int {
	n := 0
	for _, s := range l.Sizes {
		n += s
	}
	return n
}

// shifted adds to each category's codes those of the categories before, so that one table serves all.
func (l *layout) shifted(codes *tarn.Value) *tarn.Value {
	first := make([]int32, len(l.Sizes))
	at := int32(0)
	for i, s := range l.Sizes {
		first[i] = at
		at += int32(s)
	}
	return codes.Add(codes.Graph().Const(tarn.Vector(first)))
}

// linear is a linear model of the numbers and of a weight for each code.
type linear struct {
	Weight *tarn.Param // [numbers outputs]
	Codes  *tarn.Param // [codes outputs]
	Bias   *tarn.Param // [outputs]
}

func newLinear(l *layout) *linear {
	m := &linear{Bias: tarn.NewParam(tarn.F64, nil, l.Outputs)}
	if l.Numbers > 0 {
		m.Weight = tarn.NewParam(tarn.F64, nil, l.Numbers, l.Outputs)
	}
	if len(l.Sizes) > 0 {
		m.Codes = tarn.NewParam(tarn.F64, nil, l.codes(), l.Outputs)
	}
	return m
}

// forward returns [n outputs].
func (m *linear) forward(g *tarn.Graph, l *layout, numbers, codes *tarn.Value, n int) *tarn.Value {
	y := m.Bias.Value(g).Reshape(1, l.Outputs).Expand(n, l.Outputs)
	if m.Weight != nil {
		y = y.Add(numbers.Cast(tarn.F64).MatMul(m.Weight))
	}
	if m.Codes != nil {
		y = y.Add(m.Codes.Value(g).Take(0, l.shifted(codes)).Sum(1))
	}
	return y
}

// penalized are the params whose squares a penalty keeps small.
func (m *linear) penalized(g *tarn.Graph) *tarn.Value {
	sum := g.Num(tarn.F64, 0)
	if m.Weight != nil {
		sum = sum.Add(m.Weight.Value(g).Square().Sum())
	}
	if m.Codes != nil {
		sum = sum.Add(m.Codes.Value(g).Square().Sum())
	}
	return sum
}

// pieces is the piecewise linear encoding of the numbers: for each and each interval between its knots how far the number has come in it, from 0 to 1.
// (Gorishniy et al. 2022, On embeddings for numerical features in tabular deep learning, section 3.1.)
func (l *layout) pieces(numbers *tarn.Value, n int) *tarn.Value {
	slope, shift := make([]float32, l.Numbers*l.Bins), make([]float32, l.Numbers*l.Bins)
	for i, knots := range l.Knots {
		for b := 0; b+1 < len(knots); b++ {
			width := knots[b+1] - knots[b]
			slope[i*l.Bins+b] = float32(1 / width)
			shift[i*l.Bins+b] = float32(-knots[b] / width)
		}
	}
	g := numbers.Graph()
	constant := func(v []float32) *tarn.Value {
		t, err := tarn.FromSlice(v, 1, l.Numbers, l.Bins)
		if err != nil {
			return g.Fail("pieces", nil, "%v", err)
		}
		return g.Const(t)
	}
	x := numbers.Reshape(n, l.Numbers, 1).Mul(constant(slope)).Add(constant(shift))
	return x.Clip(tarn.Num(0), tarn.Num(1)).Reshape(n, l.Numbers*l.Bins)
}

// inputs declares what the layout needs of n rows.
func (l *layout) inputs(g *tarn.Graph, suffix string, n int) (numbers, codes *tarn.Value) {
	if l.Numbers > 0 {
		numbers = g.Input("numbers"+suffix, tarn.F32, n, l.Numbers)
	}
	if len(l.Sizes) > 0 {
		codes = g.Input("codes"+suffix, tarn.I32, n, len(l.Sizes))
	}
	return numbers, codes
}

// tensors are the inputs for some features, in the same order.
func (l *layout) tensors(f *table.Features) ([]*tarn.Tensor, error) {
	var out []*tarn.Tensor
	if l.Numbers > 0 {
		t, err := tarn.FromSlice(f.Numbers, f.Rows, l.Numbers)
		if err != nil {
			return nil, fmt.Errorf("fit: %w", err)
		}
		out = append(out, t)
	}
	if len(l.Sizes) > 0 {
		t, err := tarn.FromSlice(f.Codes, f.Rows, len(l.Sizes))
		if err != nil {
			return nil, fmt.Errorf("fit: %w", err)
		}
		out = append(out, t)
	}
	return out, nil
}
