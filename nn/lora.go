package nn

import (
	"fmt"
	"math"
	"reflect"

	"github.com/seed-49005b45/tarn"
)

// This file holds LoRA, which adapts a trained model by few weights: beside the weight of a layer, which stays as it is, a product of two thin
// matrices is trained.

// LoRA is an adapter of a Linear, a Conv or the fused projection of a MultiHeadAttention: with it the layer computes with the weight
// W + Alpha/rank B A, of which A and B are trained. B begins at zero, and so the layer as it was. AddLoRA gives adapters to a model, MergeLoRA adds
// them to the weights. Twin of the LoRA layers of the Python package peft.
// Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022.
type LoRA struct {
	A       *tarn.Param `tarn:"lora_A"` // [rank in], or of a convolution [rank in/groups k...]
	B       *tarn.Param `tarn:"lora_B"` // [out rank]
	Alpha   float64
	Dropout float64 // probability with which, in training, an element that the adapter reads is dropped; a grouped convolution has none

	base  *tarn.Tensor // the weight before Merge; nil if the adapter is not merged
	wrong mistake
}

// NewLoRA returns an adapter of the given rank for a weight, [out in...], of its dtype, with Alpha equal to the rank. Set it as the LoRA of the layer,
// whose weight is then to be frozen.
func NewLoRA(weight *tarn.Param, rank int) *LoRA {
	shape := weight.Shape()
	out, in := 1, 1
	if len(shape) > 1 {
		out = shape[0]
		for _, d := range shape[1:] {
			in *= d
		}
	}
	init := Zeros()
	if in > 0 {
		bound := 1 / math.Sqrt(float64(in))
		init = Uniform(-bound, bound)
	}
	l := &LoRA{
		A:     tarn.NewParam(weight.DType(), init, append([]int{rank}, shape[min(1, len(shape)):]...)...),
		B:     tarn.NewParam(weight.DType(), Zeros(), out, rank),
		Alpha: float64(rank),
	}
	l.wrong.sizes(fmt.Sprintf("NewLoRA(%v, %d)", weight, rank), []string{"the rank"}, rank)
	return l
}

// active reports whether the adapter takes part.
func (l *LoRA) active() bool { return l != nil && l.base == nil }

// check reports an adapter that does not fit a weight of the given shape as a poisoned value; nil if it fits.
func (l *LoRA) check(x *tarn.Value, weight []int) *tarn.Value {
	if bad := l.wrong.report("LoRA", x); bad != nil {
		return bad
	}
	g := x.Graph()
	a, b := l.A.Value(g), l.B.Value(g)
	in := []*tarn.Value{x, a, b}
	switch {
	case len(weight) < 2 || a.Rank() != len(weight) || b.Rank() != 2 || !endsWith(a.Shape(), weight[1:]) || b.Dim(0) != weight[0] || b.Dim(1) != a.Dim(0) || a.Dim(0) < 1:
		return g.Fail("LoRA", in, "A has shape %s and B %s, for a weight of shape %s: they should be [rank in...] and [out rank], with a rank of at least 1",
			shapeString(a.Shape()), shapeString(b.Shape()), shapeString(weight))
	case a.DType() != x.DType() || b.DType() != x.DType():
		return g.Fail("LoRA", in, "the input is %v, A is %v and B %v: tarn.Cast the model", x.DType(), a.DType(), b.DType())
	case !finite(l.Alpha):
		return g.Fail("LoRA", in, "Alpha is %v and should be finite", l.Alpha)
	case !(l.Dropout >= 0 && l.Dropout <= 1):
		return g.Fail("LoRA", in, "Dropout is %v and should be from 0 to 1", l.Dropout)
	}
	return nil
}

// scale is the factor of the product.
func (l *LoRA) scale() float64 { return l.Alpha / float64(max(1, l.A.Shape()[0])) }

// addLinear adds what rows from to before to of the adapter's matrix make of x to y.
func (l *LoRA) addLinear(y, x *tarn.Value, weight []int, from, to int) *tarn.Value {
	if bad := l.check(x, weight); bad != nil {
		return bad
	}
	b := l.B.Value(x.Graph()).Scale(l.scale())
	if from > 0 || to < weight[0] {
		b = b.Slice(0, from, to)
	}
	low := (&Linear{Weight: l.A}).Forward(NewDropout(l.Dropout).Forward(x))
	if low.Rank() == 1 {
		return y.Add(low.Unsqueeze(0).MatMulT(b).Reshape(-1))
	}
	return y.Add(low.MatMulT(b))
}

// addConv adds what the adapter makes of x to y, by two convolutions of which the second has a window of one place.
func (l *LoRA) addConv(y, x *tarn.Value, weight []int, o tarn.ConvOptions) *tarn.Value {
	if bad := l.check(x, weight); bad != nil {
		return bad
	}
	low := NewDropout(l.Dropout).Forward(x).Conv(l.A.Value(x.Graph()).KernelFromTorch(), o)
	return y.Add(low.MatMulT(l.B.Value(x.Graph()).Scale(l.scale())))
}

// product is what is added to a weight of the given shape, or nil and a poisoned value.
func (l *LoRA) product(x *tarn.Value, weight []int) (product, bad *tarn.Value) {
	if bad := l.check(x, weight); bad != nil {
		return nil, bad
	}
	a := l.A.Value(x.Graph())
	return l.B.Value(x.Graph()).MatMul(a.Reshape(a.Dim(0), -1)).Scale(l.scale()).Reshape(weight...), nil
}

// LoRAOptions says which adapters AddLoRA makes.
type LoRAOptions struct {
	Rank    int
	Alpha   float64 // 0 means the rank
	Dropout float64
	// Match reports whether a weight, named by its path in the model, gets an adapter; nil means all.
	Match func(name string, p *tarn.Param) bool
	Seed  uint64
}

// AddLoRA gives each Linear, Conv and MultiHeadAttention of a model whose weight matches an adapter, initialized, and freezes all other params, so
// that an optimizer updates the adapters alone. Of an attention it adapts the projection of queries, keys and values, and OutProj, which is a
// Linear. Call it before the model is used in a graph. It returns an error, and changes nothing, if an option makes no sense, if no weight
// matches or if one has an adapter already.
func AddLoRA(model any, o LoRAOptions) error {
	switch {
	case o.Rank < 1:
		return fmt.Errorf("nn: AddLoRA: Rank is %d and should be at least 1", o.Rank)
	case !finite(o.Alpha):
		return fmt.Errorf("nn: AddLoRA: Alpha is %v and should be finite", o.Alpha)
	case !(o.Dropout >= 0 && o.Dropout <= 1):
		return fmt.Errorf("nn: AddLoRA: Dropout is %v and should be from 0 to 1", o.Dropout)
	}
	params, err := tarn.Params(model)
	if err != nil {
		return err
	}
	adapters, places := &tarn.ParamSet{}, map[adapted]*LoRA{}
	for _, at := range adaptable(model) {
		name := params.Name(at.weight)
		if name == "" || o.Match != nil && !o.Match(name, at.weight) {
			continue
		}
		if *at.lora != nil {
			return fmt.Errorf("nn: AddLoRA: the weight %q has an adapter already: RemoveLoRA first", name)
		}
		if len(at.weight.Shape()) < 2 {
			return fmt.Errorf("nn: AddLoRA: the weight %q has shape %s and should have at least two axes", name, shapeString(at.weight.Shape()))
		}
		l := NewLoRA(at.weight, o.Rank)
		if l.Dropout = o.Dropout; o.Alpha != 0 {
			l.Alpha = o.Alpha
		}
		places[at] = l
		for i, p := range []*tarn.Param{l.A, l.B} {
			if err := adapters.Add(name+[]string{".lora_A", ".lora_B"}[i], p); err != nil {
				return err
			}
		}
	}
	if len(places) == 0 {
		return fmt.Errorf("nn: AddLoRA: no weight of a Linear, a Conv or a MultiHeadAttention of the %d params matches", params.Len())
	}
	if err := tarn.Init(adapters, o.Seed); err != nil {
		return err
	}
	for at, l := range places {
		*at.lora = l
	}
	for _, p := range params.List() {
		p.Frozen = true
	}
	return nil
}

// MergeLoRA adds every adapter of a model to its weight, so that the model computes the same without the cost of the adapters. Programs that
// were compiled before add them a second time. The adapters stay, for UnmergeLoRA. It returns an error, and changes nothing, if there is no
// adapter, one is merged already, or a layer transforms its weight.
func MergeLoRA(model any) error {
	all, err := adapters("MergeLoRA", model, func(at adapted) error {
		switch l := *at.lora; {
		case l.base != nil:
			return fmt.Errorf("an adapter is merged already")
		case at.transformed:
			return fmt.Errorf("the layer transforms its weight, so that nothing can be added to it")
		case l.A == nil || l.B == nil || len(l.A.Shape()) < 2 || len(l.B.Shape()) != 2 || l.A.Tensor().Size()*l.B.Shape()[0] != at.weight.Tensor().Size()*l.B.Shape()[1]:
			return fmt.Errorf("the adapter does not fit the weight %v", at.weight)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, at := range all {
		l, w := *at.lora, at.weight.Tensor()
		l.base = w.Clone()
		a, b := l.A.Tensor(), l.B.Tensor()
		rank, out := b.Shape()[1], b.Shape()[0]
		in := w.Size() / max(1, out)
		sums := make([]float64, in)
		for o := range out {
			clear(sums)
			for r := range rank {
				factor := b.Float(o*rank+r) * l.scale()
				for i := range in {
					sums[i] += factor * a.Float(r*in+i)
				}
			}
			for i, s := range sums {
				w.SetFloat(o*in+i, l.base.Float(o*in+i)+s)
			}
		}
	}
	return nil
}

// UnmergeLoRA undoes MergeLoRA: the weights have the bits that they had before. It returns an error, and changes nothing, if an adapter is not merged.
func UnmergeLoRA(model any) error {
	all, err := adapters("UnmergeLoRA", model, func(at adapted) error {
		if (*at.lora).base == nil {
			return fmt.Errorf("an adapter is not merged")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, at := range all {
		if err := at.weight.Set((*at.lora).base); err != nil {
			return err
		}
		(*at.lora).base = nil
	}
	return nil
}

// RemoveLoRA takes the adapters out of a model, whose params are then those that it had before AddLoRA; they stay frozen. Merge the adapters
// first to keep what they have learned.
func RemoveLoRA(model any) error {
	all, err := adapters("RemoveLoRA", model, func(adapted) error { return nil })
	for _, at := range all {
		*at.lora = nil
	}
	return err
}

// adapted is a weight that can have an adapter.
type adapted struct {
	weight      *tarn.Param
	lora        **LoRA
	transformed bool
}

// adapters are those of a model, if all pass the check.
func adapters(name string, model any, check func(at adapted) error) (some []adapted, err error) {
	for _, at := range adaptable(model) {
		if *at.lora == nil {
			continue
		}
		if err := check(at); err != nil {
			return nil, fmt.Errorf("nn: %s: %v: %w", name, at.weight, err)
		}
		some = append(some, at)
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("nn: %s: the model has no adapter", name)
	}
	return some, nil
}

// adaptable walks the exported fields of a model and returns the weights of its linear layers, convolutions and attentions, each once.
func adaptable(model any) (all []adapted) {
	seen := map[any]bool{}
	add := func(w *tarn.Param, l **LoRA, t WeightTransform) {
		if w != nil {
			all = append(all, adapted{w, l, t != nil})
		}
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || seen[v.Interface()] {
				return
			}
			seen[v.Interface()] = true
			switch l := v.Interface().(type) {
			case *tarn.Param, *LoRA:
				return
			case *Linear:
				add(l.Weight, &l.LoRA, l.Transform)
			case *Conv:
				add(l.Weight, &l.LoRA, l.Transform)
			case *MultiHeadAttention:
				add(l.InProjWeight, &l.LoRA, nil)
			}
			walk(v.Elem())
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for at := v.MapRange(); at.Next(); {
				walk(at.Value())
			}
		}
	}
	if v := reflect.ValueOf(model); v.IsValid() {
		walk(v)
	}
	return all
}
