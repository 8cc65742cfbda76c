package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the batching rules of the ops: how an op computes all examples at once if some of its operands have an axis of examples
// in front. Where the op has a batch axis of its own, the examples join it.

// An op that takes each element, or each matrix of the last two axes, apart does not see the axis of examples.
func (elementwiseOp) batch(m *mapping, v *Value, in []mapped) mapped  { return m.all(v.op, in) }
func (castOp) batch(m *mapping, v *Value, in []mapped) mapped         { return m.all(v.op, in) }
func (stopGradientOp) batch(m *mapping, v *Value, in []mapped) mapped { return m.all(v.op, in) }
func (tanhSlopeOp) batch(m *mapping, v *Value, in []mapped) mapped    { return m.all(v.op, in) }
func (withinOp) batch(m *mapping, v *Value, in []mapped) mapped       { return m.all(v.op, in) }
func (argSortOp) batch(m *mapping, v *Value, in []mapped) mapped      { return m.all(v.op, in) }
func (noGradientOp) batch(m *mapping, v *Value, in []mapped) mapped   { return m.all(v.op, in) }
func (matrices) batch(m *mapping, v *Value, in []mapped) mapped       { return m.all(v.op, in) }
func (determinantOp) batch(m *mapping, v *Value, in []mapped) mapped  { return m.all(v.op, in) }

// batch of a Fourier transform leaves the table of roots as it is.
func (fourier) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := make([]*Value, len(in))
	for i, x := range in[:len(in)-1] {
		operands[i] = m.wide(x)
	}
	operands[len(in)-1] = in[len(in)-1].v
	return mapped{m.to.insert(v.op, operands...), true}
}

// The ops along an axis go along the next one.

func (op cumSumOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op cumProdOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op logCumSumExpOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op cumArgOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op argOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op reduceOp) batch(m *mapping, v *Value, in []mapped) mapped {
	if len(op.Axes) == 0 { // of a scalar
		return mapped{m.wide(in[0]), true}
	}
	op.Axes = shifted(op.Axes)
	return m.all(op, in)
}

func (op flipOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axes = shifted(op.Axes)
	return m.all(op, in)
}

func (op concatOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axis++
	return m.all(op, in)
}

func (op sliceOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axis++
	return m.all(op, in)
}

func (op padOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axis++
	return m.all(op, in)
}

func (op gatherOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axis++
	return m.all(op, in)
}

func (op scatterAddOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axis++
	return m.all(op, in)
}

func (op lastAtOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

func (op scatterOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.axis++
	return m.all(op, in)
}

// batch searches one sequence, if all examples share it, for the elements of all at once. If each has one of its own, its elements are a row.
func (op searchOp) batch(m *mapping, v *Value, in []mapped) mapped {
	sorted, x := in[0], in[1]
	switch {
	case v.in[0].Rank() > 1:
		return m.all(op, in)
	case !sorted.wide:
		return mapped{m.to.insert(op, sorted.v, x.v), true}
	}
	return mapped{m.to.insert(op, sorted.v, m.wide(x).Reshape(m.n, v.Size())).Reshape(append([]int{m.n}, v.typ.Shape...)...), true}
}

// shifted are the axes behind that of the examples.
func shifted(axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = a + 1
	}
	return out
}

// The ops that name a shape.

func (op reshapeOp) batch(m *mapping, v *Value, in []mapped) mapped {
	return mapped{m.wide(in[0]).Reshape(append([]int{m.n}, v.typ.Shape...)...), true}
}

func (op permuteOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.Axes = append([]int{0}, shifted(op.Axes)...)
	return m.all(op, in)
}

// batch puts axes of size 1 behind that of the examples first: broadcasting aligns the last axes.
func (op broadcastOp) batch(m *mapping, v *Value, in []mapped) mapped {
	x := m.wide(in[0])
	shape := append([]int{m.n}, v.typ.Shape...)
	ones := slices.Repeat([]int{1}, len(shape)-x.Rank())
	return mapped{x.Reshape(slices.Insert(x.Shape(), 1, ones...)...).broadcastTo(shape), true}
}

// batch takes the rows of all examples at once if they have one index, or one array. Otherwise each element is gathered.
func (op takeOp) batch(m *mapping, v *Value, in []mapped) mapped {
	x, index := in[0], in[1]
	switch {
	case !index.wide:
		return mapped{m.to.insert(takeOp{irop.Take{Axis: op.Axis + 1}}, x.v, index.v), true}
	case !x.wide:
		return mapped{m.to.insert(op, x.v, index.v).toFront(op.Axis), true}
	}
	outer, inner := ir.Size(x.v.typ.Shape[1:op.Axis+1]), ir.Size(x.v.typ.Shape[op.Axis+2:])
	d, k := x.v.Dim(op.Axis+1), ir.Size(index.v.typ.Shape[1:])
	each := index.v.Reshape(m.n, 1, k, 1).broadcastTo([]int{m.n, outer, k, inner})
	y := m.to.insert(gatherOp{irop.Gather{Axis: 2}}, x.v.Reshape(m.n, outer, d, inner), each)
	return mapped{y.Reshape(append([]int{m.n}, v.typ.Shape...)...), true}
}

// batch adds up rows if all examples have one index, and otherwise each element.
func (op indexAddOp) batch(m *mapping, v *Value, in []mapped) mapped {
	index, src := in[0], m.wide(in[1])
	if !index.wide {
		return mapped{m.to.insert(indexAddOp{irop.IndexAdd{Axis: op.Axis + 1, Size: op.Size}}, index.v, src), true}
	}
	outer, inner := ir.Size(v.typ.Shape[:op.Axis]), ir.Size(v.typ.Shape[op.Axis+1:])
	k := ir.Size(index.v.typ.Shape[1:])
	shape := []int{m.n, outer, k, inner}
	each := index.v.Reshape(m.n, 1, k, 1).broadcastTo(shape)
	y := m.to.insert(scatterAddOp{irop.ScatterAdd{Axis: 2, Size: op.Size}}, each, src.Reshape(shape...))
	return mapped{y.Reshape(append([]int{m.n}, v.typ.Shape...)...), true}
}

// batch multiplies the rows of all examples by a matrix that they share, in one product.
func (op matMulOp) batch(m *mapping, v *Value, in []mapped) mapped {
	a, b := in[0], in[1]
	switch {
	case v.Rank() == 2 && !b.wide && !op.TransA:
		rows := a.v.Reshape(m.n*v.Dim(0), a.v.Dim(2))
		return mapped{m.to.insert(op, rows, b.v).Reshape(m.n, v.Dim(0), v.Dim(1)), true}
	case v.Rank() == 2 && !a.wide && op.TransB:
		rows := b.v.Reshape(m.n*v.Dim(1), b.v.Dim(2))
		return mapped{m.to.insert(matMul(false, !op.TransA, op.At), rows, a.v).Reshape(m.n, v.Dim(1), v.Dim(0)).T(), true}
	}
	return m.all(op, in)
}

// merged makes one axis of the examples and the first axis, the batch.
func (m *mapping) merged(x mapped) *Value {
	v := m.wide(x)
	shape := v.Shape()
	return v.Reshape(append([]int{shape[0] * shape[1]}, shape[2:]...)...)
}

// parted is the reverse of merged.
func (m *mapping) parted(v *Value, like *Value) mapped {
	return mapped{v.Reshape(append([]int{m.n}, like.typ.Shape...)...), true}
}

func (op poolOp) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := make([]*Value, len(in))
	for i, x := range in {
		operands[i] = m.merged(x)
	}
	return m.parted(m.to.insert(op, operands...), v)
}

// batch makes the examples of images a part of the batch, and those of kernels a part of the channels. If both differ, as for the gradients of
// kernels, one convolution after the other is several times faster than one of as many groups of channels.
func (op convOp) batch(m *mapping, v *Value, in []mapped) mapped {
	a, b := in[0], in[1]
	g := m.to
	if a.wide && b.wide {
		return m.eachExample(v, in)
	}
	switch op.kind {
	case ir.ConvOutput:
		if a.wide {
			return m.parted(g.insert(op, m.merged(a), b.v), v)
		}
		return mapped{m.outOf(g.insert(op, a.v, m.into(b.v, op.groups)), op.groups), true}
	case ir.ConvInput:
		if a.wide {
			return m.parted(g.insert(op, m.merged(a), b.v), v)
		}
		return mapped{m.outOf(g.insert(op, a.v, m.inside(b.v)), op.groups), true}
	default:
		if a.wide {
			return mapped{m.outside(g.insert(op, m.into(a.v, op.groups), b.v)), true}
		}
		return mapped{m.outOf(g.insert(op, a.v, m.into(b.v, op.groups)), op.groups), true}
	}
}

// into makes the examples a part of the last axis, within each of some groups of it: [n d... groups*c] -> [d... groups*n*c].
func (m *mapping) into(v *Value, groups int) *Value {
	shape := v.Shape()
	last := len(shape) - 1
	split := append(slices.Clone(shape[:last]), groups, shape[last]/groups)
	axes := make([]int, 0, len(split))
	for a := 1; a <= last; a++ {
		axes = append(axes, a)
	}
	return v.Reshape(split...).Permute(append(axes, 0, last+1)...).Reshape(append(shape[1:last:last], m.n*shape[last])...)
}

// outOf is the reverse of into.
func (m *mapping) outOf(v *Value, groups int) *Value {
	shape := v.Shape()
	last := len(shape) - 1
	split := append(slices.Clone(shape[:last]), groups, m.n, shape[last]/groups/m.n)
	return v.Reshape(split...).toFront(last + 1).Reshape(append(append([]int{m.n}, shape[:last]...), shape[last]/m.n)...)
}

// inside makes the examples a part of the axis before the last: [n d... c f] -> [d... n*c f].
func (m *mapping) inside(v *Value) *Value {
	shape := v.Shape()
	axes := make([]int, 0, len(shape))
	for a := 1; a < len(shape)-2; a++ {
		axes = append(axes, a)
	}
	axes = append(axes, 0, len(shape)-2, len(shape)-1)
	joined := append(slices.Clone(shape[1:len(shape)-2]), m.n*shape[len(shape)-2], shape[len(shape)-1])
	return v.Permute(axes...).Reshape(joined...)
}

// outside is the reverse of inside.
func (m *mapping) outside(v *Value) *Value {
	shape := v.Shape()
	at := len(shape) - 2
	shape[at] /= m.n
	return v.Reshape(slices.Insert(shape, at, m.n)...).toFront(at)
}

// batch draws the numbers of all examples as those of one larger array.
func (op randomOp) batch(m *mapping, v *Value, in []mapped) mapped {
	op.typ.Shape = append([]int{m.n}, op.typ.Shape...)
	operands := []*Value{in[0].v}
	for _, p := range in[1:] {
		switch {
		case !p.wide && p.v.Rank() == 0:
			operands = append(operands, p.v)
		case p.wide && p.v.Rank() == 1: // one number for each example
			operands = append(operands, p.v.Reshape(append([]int{m.n}, slices.Repeat([]int{1}, len(op.typ.Shape)-1)...)...).broadcastTo(op.typ.Shape))
		default:
			operands = append(operands, m.wide(p))
		}
	}
	return mapped{m.to.insert(op, operands...), true}
}

// The ops that pass their first operand on.

// batch lets the value wait for all examples of the others.
func (op fenceOp) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := make([]*Value, len(in))
	for i, x := range in {
		operands[i] = x.v
	}
	return mapped{m.to.insert(op, operands...), in[0].wide}
}

func (op checkpointOp) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := []*Value{m.wide(in[0])}
	for _, x := range in[1:] {
		operands = append(operands, x.v)
	}
	return mapped{m.to.insert(op, operands...), true}
}

func (op customGradOp) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := []*Value{m.wide(in[0])}
	for _, x := range in[1:] {
		operands = append(operands, x.v)
	}
	return mapped{m.to.insert(m.rule(v, op, in, true), operands...), true}
}

// batch computes the attention of all examples as one batch. The flat result is cut and put together by example.
func (op attentionOp) batch(m *mapping, v *Value, in []mapped) mapped {
	operands := m.sources(in)
	q, values := operands[0], operands[2]
	return mapped{m.byExample(m.to.insert(op, operands...), q.Dim(0)*q.Dim(1)*q.Dim(2)*values.Dim(3)), true}
}

func (op attentionGradOp) batch(m *mapping, v *Value, in []mapped) mapped {
	last := len(in) - 1
	operands := append(m.sources(in[:last-1]), m.byPart(in[last-1], in[last]), m.merged(in[last]))
	y := m.to.insert(op, operands...)
	if op.form.Joined {
		return mapped{y.Reshape(m.n, -1), true}
	}
	return mapped{m.byExample(y, operands[0].Size(), operands[1].Size()), true}
}

// sources are the operands of an attention, with the examples in the batch. A step is the same for each.
func (m *mapping) sources(in []mapped) []*Value {
	out := make([]*Value, len(in))
	for i, x := range in {
		if out[i] = x.v; x.v.Rank() > 1 {
			out[i] = m.merged(x)
		}
	}
	return out
}

// byExample returns a flat array, which holds parts of the given sizes and a last one for the rest, each by example, with all parts of an
// example in a row.
func (m *mapping) byExample(flat *Value, sizes ...int) *Value {
	var parts []*Value
	at := 0
	for _, size := range append(sizes, flat.Size()-sum(sizes)) {
		parts = append(parts, flat.Slice(0, at, at+size).Reshape(m.n, size/m.n))
		at += size
	}
	return Concat(1, parts...)
}

// byPart is the reverse, for the flat result of an attention whose values have the shape of values.
func (m *mapping) byPart(flat, values mapped) *Value {
	x := m.wide(flat)
	size := m.wide(values).Size() / m.n
	return Concat(0, x.Slice(1, 0, size).Reshape(-1), x.Slice(1, size, x.Dim(1)).Reshape(-1))
}

func sum(sizes []int) int {
	n := 0
	for _, size := range sizes {
		n += size
	}
	return n
}

func (op attendedOp) batch(m *mapping, v *Value, in []mapped) mapped {
	last := len(in) - 1
	if op.form.Dropout > 0 && !m.draws {
		return m.copy([]*Value{op.composed(v.in[1:last])})[0]
	}
	operands := append([]*Value{m.merged(in[0])}, m.sources(in[1:last])...)
	return m.parted(m.to.insert(op, append(operands, m.byPart(in[last], in[0]))...), v)
}

func (op attendedGradOp) batch(m *mapping, v *Value, in []mapped) mapped {
	last := len(in) - 1
	if op.form.Dropout > 0 && !m.draws {
		sources := v.in[1:last]
		return m.copy(VJP(op.composed(sources), v.in[last], sources[op.by]))[0]
	}
	operands := append([]*Value{m.merged(in[0])}, m.sources(in[1:last])...)
	return m.parted(m.to.insert(op, append(operands, m.merged(in[last]))...), v)
}
