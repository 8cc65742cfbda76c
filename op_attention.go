package tarn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds scaled dot-product attention: softmax(scale q kᵀ + mask) v, for several heads. It is an op of its own, with
// its gradient another, because as a composition it would hold the whole matrix of weights, queries by keys for every head,
// from the forward pass to the backward pass. The ops keep one number a query, the logarithm of the sum of its
// exponentials, and compute blocks of weights from it when they need them.
// Dao et al., FlashAttention: fast and memory-efficient exact attention with IO-awareness, 2022.
//
// An op has one result, so both give a flat array that holds several; views cut it up. How gradients flow stands with
// attendedOp and attendedGradOp, which the views pass through.

// AttentionOptions are the options of attention.
type AttentionOptions struct {
	// Causal lets query i see the keys up to i only.
	Causal bool
	// Mask, if not nil, broadcasts to [... heads queries keys]; axes may be 1, and leading axes may be missing. If a Bool mask is false, the
	// key does not count for the query; a mask of the operands' dtype is added to the scores.
	Mask Operand
	// Window, if not 0, lets a query see no keys but those less than Window places away from it, Window-1 on each side, or before it with Causal:
	// sliding-window attention. Beltagy, Peters and Cohan, Longformer: the long-document transformer, 2020.
	Window int
	// Scale multiplies the scores; 0 means 1/sqrt(size of a query).
	Scale float64
	// Dropout is the probability with which a weight is set to 0, drawn anew in every run; the others are divided by 1-Dropout. It also acts in
	// graphs for evaluation, for which a layer passes 0. What is dropped follows from seed, place and step as with Graph.Bernoulli.
	Dropout float64
}

// Attention is softmax(scale v keysᵀ + mask) values for every head, v being the queries: for each query the mean of the values, weighted by
// how well their keys match. If no key counts for a query, its result is 0. What a key or value that does not count holds does not matter, NaN
// included. The number of heads of queries is a multiple of the number of heads of keys and values, each of which then serves several in a row
// (grouped queries). Equal to torch.nn.functional.scaled_dot_product_attention with enable_gqa.
//
// Neither it nor its gradient holds all weights at once. The gradient with respect to a mask that is added does, as do second derivatives, which
// are those of the composition.
//
// Shapes: [n... h t d], [n... g s d], [n... g s e] -> [n... h t e] with h a multiple of g; [t d], [s d], [s e] -> [t e].
func (v *Value) Attention(keys, values Operand, o AttentionOptions) *Value {
	v = v.orLost()
	g := v.graph
	k, w := v.operand(keys), v.operand(values)
	in := []*Value{v, k, w}
	mask, err := attentionMask(v, o.Mask, &in)
	if slices.ContainsFunc(in, func(x *Value) bool { return x.exists() && x.failed }) {
		return g.poison(failedOp{}, in)
	}
	g, in = g.meet(in)
	if err == nil {
		err = g.usable(in)
	}
	if err == nil {
		v, k, w = in[0], in[1], in[2]
		err = checkAttention(v, k, w)
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return g.failAs("Attention", in, err)
	}
	lead := slices.Clone(v.typ.Shape[:max(0, v.Rank()-3)])
	q4, k4, v4 := v.fourAxes(), k.fourAxes(), w.fourAxes()
	if mask != nil {
		mask = in[3]
	}
	if mask, err = g.scoresMask(mask, append(slices.Clone(lead), q4.Dim(1), q4.Dim(2), k4.Dim(2)), o.Window); err != nil {
		return g.failAs("Attention", in, err)
	}
	form := ir.AttentionForm{Scale: attentionScale(o.Scale, q4.Dim(3)), Causal: o.Causal, Masked: mask != nil}
	sources := []*Value{q4, k4, v4}
	if mask != nil {
		sources = append(sources, mask.fourAxes())
	}
	y := g.attend(attendedOp{form: form}, sources, o.Dropout)
	return y.Reshape(append(slices.Clone(v.typ.Shape[:v.Rank()-1]), w.Dim(-1))...)
}

// AttentionWeights are the weights with which Attention takes the mean of the values: softmax(scale v keysᵀ + mask), or 0 if no key counts for a
// query. It holds all of them, which Attention does not, and is a composition. With Dropout they are those after it, as PyTorch's module
// returns them; the draws are not those of another Attention. Equal to the second result of torch.nn.MultiheadAttention with
// average_attn_weights=False.
//
// Shapes: [n... h t d], [n... g s d] -> [n... h t s] with h a multiple of g; [t d], [s d] -> [t s].
func (v *Value) AttentionWeights(keys Operand, o AttentionOptions) *Value {
	v = v.orLost()
	g := v.graph
	in := []*Value{v, v.operand(keys)}
	mask, err := attentionMask(v, o.Mask, &in)
	if slices.ContainsFunc(in, func(x *Value) bool { return x.exists() && x.failed }) {
		return g.poison(failedOp{}, in)
	}
	g, in = g.meet(in)
	if err == nil {
		err = g.usable(in)
	}
	if err == nil {
		err = checkAttention(in[0], in[1], in[1])
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return g.failAs("AttentionWeights", in, err)
	}
	v = in[0]
	q, k := v.fourAxes(), in[1].fourAxes()
	scores := append(slices.Clone(v.typ.Shape[:max(0, v.Rank()-3)]), q.Dim(1), q.Dim(2), k.Dim(2))
	if mask != nil {
		mask = in[2]
	}
	if mask, err = g.scoresMask(mask, scores, o.Window); err != nil {
		return g.failAs("AttentionWeights", in, err)
	}
	if mask != nil {
		mask = mask.fourAxes()
	}
	form := ir.AttentionForm{Scale: attentionScale(o.Scale, q.Dim(3)), Causal: o.Causal, Masked: mask != nil}
	var step *Value
	if o.Dropout > 0 {
		form.Dropout = o.Dropout
		form.Seed, form.Number = g.randomNumber()
		step = g.drawStep()
	}
	weights := attentionWeights(form, q, k.repeatHeads(q.Dim(1)), mask, step)
	return weights.Reshape(append(slices.Clone(v.typ.Shape[:v.Rank()-1]), k.Dim(2))...)
}

// SelfAttention is the attention of one array that holds, side by side for each place, the queries of all heads, then the keys and
// then the values of all groups, as the result of one linear layer. Its gradient is one array too.
//
// Shapes: [n... t (heads+2*groups)*d] -> [n... t heads*d]; a mask broadcasts to [n... heads t t].
func (v *Value) SelfAttention(heads, groups int, o AttentionOptions) *Value {
	v = v.orLost()
	g := v.graph
	in := []*Value{v}
	mask, err := attentionMask(v, o.Mask, &in)
	if slices.ContainsFunc(in, func(x *Value) bool { return x.exists() && x.failed }) {
		return g.poison(failedOp{}, in)
	}
	g, in = g.meet(in)
	if err == nil {
		err = g.usable(in)
	}
	if err == nil {
		v = in[0]
	}
	switch {
	case err != nil:
	case !v.DType().IsFloat():
		err = newProblem("the operand is %v and should be f32 or f64", v.DType())
	case v.Rank() < 2:
		err = newProblem("the operand has shape %s and needs an axis of places and one of heads", ir.ShapeString(v.typ.Shape))
	case heads < 1 || groups < 1 || heads%groups != 0:
		err = newProblem("there are %d heads of queries and %d of keys and values: the first should be a multiple of the second", heads, groups)
	case v.Dim(-1)%(heads+2*groups) != 0:
		err = newProblem("the last axis has size %d, which the %d heads of queries and %d of keys and of values do not divide", v.Dim(-1), heads, groups)
	default:
		err = o.check()
	}
	if err != nil {
		return g.failAs("SelfAttention", in, err)
	}
	lead, t, d := slices.Clone(v.typ.Shape[:v.Rank()-2]), v.Dim(-2), v.Dim(-1)/(heads+2*groups)
	if mask, err = g.scoresMask(mask, append(slices.Clone(lead), heads, t, t), o.Window); err != nil {
		return g.failAs("SelfAttention", in, err)
	}
	form := ir.AttentionForm{Scale: attentionScale(o.Scale, d), Causal: o.Causal, Masked: mask != nil}
	sources := []*Value{v.Reshape(ir.Size(lead), t, v.Dim(-1))}
	if mask != nil {
		sources = append(sources, mask.fourAxes())
	}
	y := g.attend(attendedOp{form: form, heads: heads, groups: groups}, sources, o.Dropout)
	return y.Transpose(1, 2).Reshape(append(slices.Clone(v.typ.Shape[:v.Rank()-1]), heads*d)...)
}

func attentionScale(scale float64, size int) float64 {
	if scale == 0 && size > 0 {
		return 1 / math.Sqrt(float64(size))
	}
	return scale
}

// check says what is wrong with the options, masks apart.
func (o AttentionOptions) check() error {
	switch {
	case !(o.Dropout >= 0 && o.Dropout <= 1):
		return newProblem("Dropout is %v and should be from 0 to 1", o.Dropout)
	case o.Window < 0:
		return newProblem("Window is %d and should be at least 1, or 0 for no limit", o.Window)
	}
	return nil
}

// usable says which operand is missing or of another graph.
func (g *Graph) usable(in []*Value) error {
	for i, v := range in {
		switch {
		case !v.exists():
			return newProblem("operand %d is nil", i+1)
		case v.graph != g:
			return newProblem("operand %d belongs to another graph", i+1)
		}
	}
	return nil
}

// attentionMask returns the mask, if any, and adds it to the operands.
func attentionMask(v *Value, o Operand, in *[]*Value) (*Value, error) {
	if o == nil {
		return nil, nil
	}
	mask := v.operand(o)
	*in = append(*in, mask)
	if mask != nil && !mask.failed && mask.DType() != Bool && mask.DType() != v.DType() {
		return nil, newProblem("the mask is %v and should be bool, or %v as the operands to be added to the scores", mask.DType(), v.DType())
	}
	return mask, nil
}

// scoresMask broadcasts a mask, if there is one, to the shape of the scores; axes in front may lack. With a window it leaves out the keys
// beyond it too.
func (g *Graph) scoresMask(mask *Value, scores []int, window int) (*Value, error) {
	if mask != nil {
		if lack := len(scores) - mask.Rank(); lack > 0 {
			mask = mask.Reshape(append(slices.Repeat([]int{1}, lack), mask.typ.Shape...)...)
		}
		if s, err := broadcastShape(mask.typ.Shape, scores); err != nil || !slices.Equal(s, scores) {
			return nil, newProblem("the mask has shape %s and should broadcast to %s, heads by queries by keys", ir.ShapeString(mask.typ.Shape), ir.ShapeString(scores))
		}
	}
	if window > 0 {
		queries, keys := scores[len(scores)-2], scores[len(scores)-1]
		reach := min(window-1, max(queries, keys))
		near := g.TrilMask(queries, keys, reach).And(g.TriuMask(queries, keys, -reach))
		switch {
		case mask == nil:
			mask = near
		case mask.DType() == Bool:
			mask = mask.And(near.broadcastTo(scores))
		default:
			mask = near.Where(mask.broadcastTo(scores), Num(math.Inf(-1)))
		}
	}
	if mask == nil {
		return nil, nil
	}
	return mask.broadcastTo(scores), nil
}

// checkAttention says what is wrong with queries, keys and values.
func checkAttention(q, k, v *Value) error {
	shapes := func() string {
		return fmt.Sprintf("queries %s, keys %s, values %s", ir.ShapeString(q.typ.Shape), ir.ShapeString(k.typ.Shape), ir.ShapeString(v.typ.Shape))
	}
	rank := q.Rank()
	switch {
	case !q.DType().IsFloat() || k.DType() != q.DType() || v.DType() != q.DType():
		return newProblem("the operands are %v, %v and %v and should all be f32, or all f64", q.DType(), k.DType(), v.DType())
	case rank < 2 || k.Rank() != rank || v.Rank() != rank:
		return newProblem("%s: all should have the same number of axes, at least two", shapes())
	case q.Dim(-1) != k.Dim(-1):
		return newProblem("%s: queries have the size %d and keys the size %d", shapes(), q.Dim(-1), k.Dim(-1))
	case k.Dim(-2) != v.Dim(-2):
		return newProblem("%s: there are %d keys and %d values", shapes(), k.Dim(-2), v.Dim(-2))
	}
	if rank == 2 {
		return nil
	}
	lead := rank - 3
	switch {
	case !slices.Equal(q.typ.Shape[:lead], k.typ.Shape[:lead]) || !slices.Equal(q.typ.Shape[:lead], v.typ.Shape[:lead]):
		return newProblem("%s: the axes before the heads differ", shapes())
	case k.Dim(-3) != v.Dim(-3):
		return newProblem("%s: there are %d heads of keys and %d of values", shapes(), k.Dim(-3), v.Dim(-3))
	case k.Dim(-3) == 0 && q.Dim(-3) != 0 || k.Dim(-3) != 0 && q.Dim(-3)%k.Dim(-3) != 0:
		return newProblem("%s: the %d heads of queries should be a multiple of the %d of keys and values", shapes(), q.Dim(-3), k.Dim(-3))
	}
	return nil
}

// fourAxes makes one axis of those before the last three, and adds axes of size 1 where there are fewer.
func (v *Value) fourAxes() *Value {
	v = v.orLost()
	shape := v.typ.Shape
	for len(shape) < 3 {
		shape = append([]int{1}, shape...)
	}
	lead := len(shape) - 3
	return v.Reshape(append([]int{ir.Size(shape[:lead])}, shape[lead:]...)...)
}

// attend adds the attention of the sources and the view of its values, [batch heads queries valueSize].
func (g *Graph) attend(op attendedOp, sources []*Value, dropout float64) *Value {
	if dropout > 0 {
		op.form.Dropout = dropout
		op.form.Seed, op.form.Number = g.randomNumber()
		sources = append(sources, g.drawStep())
	}
	q, k, v, mask, step := op.operands(sources)
	op.form.Precision = q.precision()
	flat := g.add(attentionOp{op.form}, some(q, k, v, mask, step)...)
	batch, heads, queries, size := q.Dim(0), q.Dim(1), q.Dim(2), v.Dim(3)
	out := flat.Slice(0, 0, batch*queries*heads*size).Reshape(batch, queries, heads, size).Transpose(1, 2)
	return g.add(op, append(append([]*Value{out}, sources...), flat)...)
}

// some drops the nils.
func some(values ...*Value) []*Value {
	return slices.DeleteFunc(values, func(v *Value) bool { return !v.exists() })
}

// attentionOp is the attention; see ir.AttentionForm for its operands and its result.
type attentionOp struct{ form ir.AttentionForm }

func (attentionOp) Name() string                 { return "Attention" }
func (op attentionOp) Attrs() string             { return formAttrs(op.form) }
func (op attentionOp) Attends() ir.AttentionForm { return op.form }
func (attentionOp) grad(y, dy *Value) []*Value   { return nil } // attendedOp has the rule
func (attentionOp) Infer(in []ir.Type) (ir.Type, error) {
	q, v := in[0].Shape, in[2].Shape
	return ir.Type{DType: in[0].DType, Shape: []int{q[0] * q[1] * q[2] * (v[3] + 1)}}, nil
}

func formAttrs(f ir.AttentionForm) string {
	s := fmt.Sprintf("scale=%v", f.Scale)
	if f.Causal {
		s += " causal"
	}
	if f.Masked {
		s += " masked"
	}
	if f.Joined {
		s += " joined"
	}
	if f.Dropout > 0 {
		s += fmt.Sprintf(" dropout=%v seed=%d number=%d", f.Dropout, f.Seed, f.Number)
	}
	if f.Precision != ir.PrecisionF32 {
		s += " " + f.Precision.String()
	}
	return s
}

func (op attentionOp) Eval(out ir.Array, in []ir.Array) { op.form.Eval(out, in) }

// attentionGradOp is the gradient with respect to queries, keys and values; see ir.AttentionForm.
type attentionGradOp struct{ form ir.AttentionForm }

func (attentionGradOp) Name() string                 { return "AttentionGrad" }
func (op attentionGradOp) Attrs() string             { return formAttrs(op.form) }
func (op attentionGradOp) Attends() ir.AttentionForm { return op.form }
func (attentionGradOp) grad(y, dy *Value) []*Value   { return nil } // attendedGradOp has the rule
func (attentionGradOp) Infer(in []ir.Type) (ir.Type, error) {
	return ir.Type{DType: in[0].DType, Shape: []int{in[0].Size() + in[1].Size() + in[2].Size()}}, nil
}

func (op attentionGradOp) Eval(out ir.Array, in []ir.Array) { op.form.Eval(out, in) }

// attendedOp returns its first operand, the view of an attention's values, unchanged; the sources that it was computed from follow,
// and then the flat result. The sources are queries, keys and values, or one array of all, and then the mask, if any, and with
// dropout the step.
type attendedOp struct {
	irop.Pass
	form          ir.AttentionForm
	heads, groups int // of one array of all; else 0
}

func (attendedOp) Name() string { return "Attended" }

// operands returns the operands of the attention of the sources.
func (op attendedOp) operands(sources []*Value) (q, k, v, mask, step *Value) {
	rest := sources[op.maskAt():]
	if op.form.Masked {
		mask, rest = rest[0], rest[1:]
	}
	if op.form.Dropout > 0 {
		step = rest[0]
	}
	if op.heads == 0 {
		return sources[0], sources[1], sources[2], mask, step
	}
	all := sources[0]
	d := all.Dim(2) / (op.heads + 2*op.groups)
	head := all.Reshape(all.Dim(0), all.Dim(1), op.heads+2*op.groups, d).Transpose(1, 2)
	q = head.Slice(1, 0, op.heads)
	k = head.Slice(1, op.heads, op.heads+op.groups)
	v = head.Slice(1, op.heads+op.groups, op.heads+2*op.groups)
	return q, k, v, mask, step
}

// maskAt is the number of the source that is the mask, if any.
func (op attendedOp) maskAt() int {
	if op.heads == 0 {
		return 3
	}
	return 1
}

func (op attendedOp) grad(y, dy *Value) []*Value {
	g := y.graph
	sources, flat := y.in[1:len(y.in)-1], y.in[len(y.in)-1]
	q, k, v, mask, step := op.operands(sources)
	form := op.form
	form.Gradient, form.Joined = true, op.heads > 0
	d := g.add(attentionGradOp{form}, some(q, k, v, mask, step, flat, dy)...)
	var ds []*Value
	if form.Joined {
		ds = []*Value{d.Reshape(sources[0].typ.Shape...)}
	} else {
		at := 0
		for _, x := range sources[:3] {
			part := d.Slice(0, at, at+x.Size()).Reshape(x.Dim(0), x.Dim(2), x.Dim(1), x.Dim(3)).Transpose(1, 2)
			ds, at = append(ds, part), at+x.Size()
		}
	}
	out := []*Value{nil}
	for i, part := range ds {
		d := g.add(attendedGradOp{attendedOp: op, by: i}, append(append([]*Value{part}, sources...), dy)...)
		d.support = op.support(i, k.Dim(2), dy, mask)
		out = append(out, d)
	}
	if mask != nil && mask.DType().IsFloat() {
		added := g.add(fenceOp{}, mask, dy)
		with := slices.Clone(sources)
		with[op.maskAt()] = added
		out = append(out, VJP(op.composed(with), dy, added)[0])
	}
	return out
}

// support is that of the gradient with respect to a source: queries whose result no selection has taken get none, nor do keys that the mask
// leaves out for every query, or that only such queries see.
func (op attendedOp) support(source, keyCount int, dy, mask *Value) *support {
	queries := dy.support.then(func(m *Value) *Value { return m.Any(1, 3).Unsqueeze(1, 3) }) // [batch 1 t 1]
	keys := queries.then(func(m *Value) *Value {
		if !op.form.Causal {
			return m.Any(2).Unsqueeze(2)
		}
		t := dy.Dim(2)
		later := dy.graph.add(cumSumOp{axis: 2, reverse: true}, m.broadcastTo([]int{m.Dim(0), 1, t, 1}).Cast(F32)).Gt(Num(0))
		return later.Slice(2, 0, min(t, keyCount)).Pad(2, 0, max(0, keyCount-t))
	})
	if mask != nil {
		s := &lazyMask{build: func() *Value {
			counts := mask.narrow(4)
			if counts.DType() != Bool {
				counts = counts.Gt(Num(math.Inf(-1)))
			}
			return counts.Any(1, 2).Unsqueeze(1).Unsqueeze(-1) // [batch 1 s 1]
		}}
		keys = keys.and(&support{s, s})
	}
	switch {
	case op.heads > 0:
		return queries.or(keys).then(func(m *Value) *Value { return m.Squeeze(1) })
	case source == 0:
		return queries
	}
	return keys
}

// composed is the attention of the sources as a composition of other ops.
func (op attendedOp) composed(sources []*Value) *Value {
	q, k, v, mask, step := op.operands(sources)
	defer q.graph.at(op.form.Precision)()
	k, v = k.repeatHeads(q.Dim(1)), v.repeatHeads(q.Dim(1))
	return attentionWeights(op.form, q, k, mask, step).MatMul(v)
}

// attentionWeights are the weights of the keys, [batch heads queries keys], as a composition of other ops.
func attentionWeights(f ir.AttentionForm, q, k, mask, step *Value) *Value {
	s := q.MatMulT(k).Scale(f.Scale)
	never := Num(math.Inf(-1))
	switch {
	case mask == nil:
	case mask.DType() == Bool:
		s = mask.Where(s, never)
	default:
		s = s.Add(mask)
	}
	if f.Causal {
		s = q.graph.TrilMask(q.Dim(2), k.Dim(2), 0).branch(s, never)
	}
	// The softmax, with weights of 0 where no key counts.
	top := s.maxAlong(-1)
	e := s.Sub(top.IsFinite().branch(top, Num(0)).along(s, -1)).Exp()
	sum := e.Sum(-1)
	weights := e.Div(sum.Eq(Num(0)).branch(Num(1), sum).along(e, -1))
	if f.Dropout > 0 {
		draws := randomOp{kind: ir.DrawBernoulli, seed: f.Seed, number: f.Number, typ: ir.Type{DType: ir.Bool, Shape: slices.Clone(weights.typ.Shape)}}
		kept := q.graph.add(draws, step, Num(1-f.Dropout).value(q.graph))
		weights = weights.Mul(kept.Where(weights.Num(1/(1-f.Dropout)), weights.Num(0)))
	}
	return weights
}

// repeatHeads repeats the heads of [batch groups places size] until there are as many as of queries.
func (v *Value) repeatHeads(heads int) *Value {
	times := heads / max(1, v.Dim(1))
	if times <= 1 {
		return v
	}
	return v.Unsqueeze(2).Expand(v.Dim(0), v.Dim(1), times, v.Dim(2), v.Dim(3)).Reshape(v.Dim(0), heads, v.Dim(2), v.Dim(3))
}

// attendedGradOp returns its first operand, a gradient of attention by one of the sources, unchanged; the sources and the
// gradient of the result follow. Its own gradient, the second derivative, is that of the composition.
type attendedGradOp struct {
	attendedOp
	by int // the number of the source
}

func (attendedGradOp) Name() string { return "AttendedGrad" }

func (op attendedGradOp) grad(y, dy *Value) []*Value {
	g := y.graph
	// What is differentiated by must be values of their own: one value may be queries and keys too.
	in := make([]*Value, len(y.in)-1)
	var floats []*Value
	for i, x := range y.in[1:] {
		in[i] = g.add(fenceOp{}, x, dy)
		if in[i].DType().IsFloat() {
			floats = append(floats, in[i])
		}
	}
	last := len(in) - 1
	first := VJP(op.composed(in[:last]), in[last], in[op.by])[0]
	ds := VJP(first, dy, floats...)
	out := make([]*Value, len(y.in))
	for i, x := range in {
		if x.DType().IsFloat() {
			out[i+1], ds = ds[0], ds[1:]
		}
	}
	return out
}
