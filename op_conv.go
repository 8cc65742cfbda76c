package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds convolutions over one to three spatial axes. The sum of x*w*y over all elements that meet is linear in the
// operand x, the kernel w and the result's gradient y; a convolution, a transposed convolution and the gradient with respect to the
// kernel are its derivatives with respect to each. One op is all three, and the gradient of each is made of the other two.

// convOp computes one of x [batch space... C], w [window... C/groups O] and y [batch places... O] from the others.
type convOp struct {
	kind                     ir.ConvKind
	stride, dilation, before []int
	groups                   int
	size                     []int // the spatial sizes of the result, where they do not follow: of x or of w
	at                       ir.Precision
}

func (op convOp) Name() string {
	return [...]string{ir.ConvOutput: "Conv", ir.ConvInput: "ConvTranspose", ir.ConvKernel: "ConvKernel"}[op.kind]
}

func (op convOp) Attrs() string {
	s := windowAttrs(op.stride, op.dilation, op.before)
	if op.groups != 1 {
		s += fmt.Sprintf(" groups=%d", op.groups)
	}
	if op.at != ir.PrecisionF32 {
		s += " " + op.at.String()
	}
	if op.kind == ir.ConvOutput {
		return s + fmt.Sprintf(" places=%v", op.size)
	}
	return s + fmt.Sprintf(" size=%v", op.size)
}

func (op convOp) Precision() ir.Precision { return op.at }

func (op convOp) Convolves() (kind ir.ConvKind, stride, dilation, before []int, groups int) {
	return op.kind, op.stride, op.dilation, op.before, op.groups
}

// Infer trusts the spatial sizes, which the methods below have worked out, and checks how the operands fit together.
func (op convOp) Infer(in []ir.Type) (ir.Type, error) {
	a, b := in[0], in[1]
	if a.DType != b.DType {
		return ir.Type{}, newProblem("operands are %v and %v", a.DType, b.DType).WithHint("Cast one of them")
	}
	last := len(a.Shape) - 1
	batch, channels := a.Shape[0], a.Shape[last]
	shape := make([]int, 0, last+1)
	switch op.kind {
	case ir.ConvOutput:
		in, out := b.Shape[last-1], b.Shape[last]
		if channels != in*op.groups {
			p := newProblem("the operand %s has %d channels, its last axis, and the kernel %s takes %d", ir.ShapeString(a.Shape), channels, ir.ShapeString(b.Shape), in*op.groups)
			if a.Shape[1] == in*op.groups {
				p = p.WithHint("ChannelsLast moves the second axis, where PyTorch has the channels, to the end")
			}
			return ir.Type{}, p
		}
		if out%op.groups != 0 {
			return ir.Type{}, newProblem("the kernel %s gives %d channels, which %d groups do not divide", ir.ShapeString(b.Shape), out, op.groups)
		}
		shape = append(append(append(shape, batch), op.size...), out)
	case ir.ConvInput:
		if channels != b.Shape[last] {
			p := newProblem("the operand %s has %d channels, its last axis, and the kernel %s takes %d", ir.ShapeString(a.Shape), channels, ir.ShapeString(b.Shape), b.Shape[last])
			if a.Shape[1] == b.Shape[last] {
				p = p.WithHint("ChannelsLast moves the second axis, where PyTorch has the channels, to the end")
			}
			return ir.Type{}, p
		}
		if channels%op.groups != 0 {
			return ir.Type{}, newProblem("the operand %s has %d channels, which %d groups do not divide", ir.ShapeString(a.Shape), channels, op.groups)
		}
		shape = append(append(append(shape, batch), op.size...), b.Shape[last-1]*op.groups)
	case ir.ConvKernel:
		shape = append(append(shape, op.size...), channels/op.groups, b.Shape[last])
	}
	return ir.Type{DType: a.DType, Shape: shape}, nil
}

// Eval adds up the products of all elements that meet.
func (op convOp) Eval(out ir.Array, in []ir.Array) {
	in = op.at.Operands(in)
	x, w, y := in[0], in[1], out
	switch op.kind {
	case ir.ConvInput:
		x, w, y = out, in[1], in[0]
	case ir.ConvKernel:
		x, w, y = in[0], out, in[1]
	}
	rank := len(x.Shape) - 2
	space, places := x.Shape[1:rank+1], y.Shape[1:rank+1]
	spaceSize, placesSize := ir.Size(space), ir.Size(places)
	inner, outer := w.Shape[rank], w.Shape[rank+1] // channels of a group of x, channels of y
	move := ir.Window{Size: w.Shape[:rank], Stride: op.stride, Dilation: op.dilation, Before: op.before}
	sums := make([]float64, out.Size())
	for n := range x.Shape[0] {
		move.Triples(space, places, func(xs, ks, ys int) {
			for o := range outer {
				group := o / (outer / op.groups)
				for c := range inner {
					xi := (n*spaceSize+xs)*inner*op.groups + group*inner + c
					wi := (ks*inner+c)*outer + o
					yi := (n*placesSize+ys)*outer + o
					switch op.kind {
					case ir.ConvOutput:
						sums[yi] += x.Float(xi) * w.Float(wi)
					case ir.ConvInput:
						sums[xi] += y.Float(yi) * w.Float(wi)
					case ir.ConvKernel:
						sums[wi] += x.Float(xi) * y.Float(yi)
					}
				}
			}
		})
	}
	for i, s := range sums {
		out.SetFloat(i, s)
	}
}

// as is the op with the same window for another of the three arrays, whose spatial sizes are those of t.
func (op convOp) as(kind ir.ConvKind, t ir.Type) convOp {
	op.kind = kind
	op.size = t.Shape[1 : len(t.Shape)-1]
	if kind == ir.ConvKernel {
		op.size = t.Shape[:len(t.Shape)-2]
	}
	return op
}

func (op convOp) grad(y, dy *Value) []*Value {
	g, a, b := dy.graph, y.in[0], y.in[1]
	switch op.kind {
	case ir.ConvOutput: // y of x and w
		return []*Value{g.add(op.as(ir.ConvInput, a.typ), dy, b), g.add(op.as(ir.ConvKernel, b.typ), a, dy)}
	case ir.ConvInput: // x of y and w
		return []*Value{g.add(op.as(ir.ConvOutput, a.typ), dy, b), g.add(op.as(ir.ConvKernel, b.typ), dy, a)}
	default: // w of x and y
		return []*Value{g.add(op.as(ir.ConvInput, a.typ), b, dy), g.add(op.as(ir.ConvOutput, b.typ), a, dy)}
	}
}

// ConvOptions are the options of a convolution.
type ConvOptions struct {
	Window
	// Groups cuts the channels into groups that do not mix; 0 means 1. With as many groups as the operand has channels the
	// convolution is depthwise.
	Groups int
	// Extra makes the result of a transposed convolution longer at the end, by less than the stride: which of the sizes that
	// a convolution of that stride brings to one is meant. Equal to PyTorch's output_padding.
	Extra []int
}

// Conv is the convolution of v by a kernel over one to three spatial axes, without turning the kernel round, as
// everywhere in the field: result[n, o, f] is the sum over the window's places k and the channels c of
// v[n, o*stride + k*dilation - padding, c] * kernel[k, c, f], where v counts as 0 outside. The channels are the last axis. Equal to
// torch.nn.functional.conv1d to conv3d, whose kernel KernelFromTorch brings into Tarn's order. Its gradients are
// convolutions again.
//
// Shapes: [n d... c], kernel [k... c/groups f] -> [n places... f] with (d + padding - (k-1)*dilation - 1)/stride + 1 places.
func (v *Value) Conv(kernel Operand, o ConvOptions) *Value {
	v = v.orLost()
	w := v.operand(kernel)
	op, space, size, ok := v.conv(ir.ConvOutput, w, o)
	if !ok {
		return v.graph.poison(op, []*Value{v, w})
	}
	in := []*Value{v, w}
	if o.Extra != nil {
		return v.graph.fail(op, in, newProblem("Extra is an option of ConvTranspose"))
	}
	move, err := o.Window.on(space, size, false)
	if err == nil && o.Ceil {
		err = newProblem("Ceil is an option of pooling")
	}
	if err != nil {
		return v.graph.fail(op, in, err)
	}
	op.stride, op.dilation, op.before, op.size = move.Stride, move.Dilation, move.Before, move.places
	return v.graph.add(op, v, w)
}

// ConvTranspose is the transposed convolution of v: what Conv with these options and this kernel has as its gradient by
// the operand, given v as that of the result. It makes the spatial axes longer by about the stride. The kernel is that of
// the convolution, so its last axis counts the channels of v. Equal to torch.nn.functional.conv_transpose1d to
// conv_transpose3d, whose kernel KernelFromTorch brings into Tarn's order.
//
// Shapes: [n d... f], kernel [k... c/groups f] -> [n space... c] with (d-1)*stride - padding + (k-1)*dilation + 1 + extra places.
func (v *Value) ConvTranspose(kernel Operand, o ConvOptions) *Value {
	v = v.orLost()
	w := v.operand(kernel)
	op, places, size, ok := v.conv(ir.ConvInput, w, o)
	if !ok {
		return v.graph.poison(op, []*Value{v, w})
	}
	space, move, err := o.transposed(places, size)
	if err != nil {
		return v.graph.fail(op, []*Value{v, w}, err)
	}
	op.stride, op.dilation, op.before, op.size = move.Stride, move.Dilation, move.Before, space
	return v.graph.add(op, v, w)
}

// conv begins the op of v and a kernel w and gives the spatial sizes of both; it is false where one has failed, or fails now.
func (v *Value) conv(kind ir.ConvKind, w *Value, o ConvOptions) (op convOp, space, size []int, ok bool) {
	v = v.orLost()
	op = convOp{kind: kind, groups: max(o.Groups, 1), at: v.precision()}
	in := []*Value{v, w}
	if !w.exists() {
		v.graph.fail(op, in, newProblem("the kernel is nil"))
		return op, nil, nil, false
	}
	if v.failed || w.failed {
		return op, nil, nil, false
	}
	space, err := spatial(v.typ)
	g, met := v.graph.meet(in)
	switch {
	case err != nil:
	case met[0].graph != g || met[1].graph != g:
		err = newProblem("operand 2 belongs to another graph")
	case o.Groups < 0:
		err = newProblem("there are %d groups", o.Groups)
	case len(w.typ.Shape) != len(v.typ.Shape):
		err = newProblem("the operand is %s and the kernel %s: both should have the same number of axes, [n d... c] and [k... c/groups f]",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(w.typ.Shape))
	}
	if err != nil {
		v.graph.fail(op, in, err)
		return op, nil, nil, false
	}
	return op, space, w.typ.Shape[:len(space)], true
}

// transposed works out the window of a transposed convolution with the given number of places, and the sizes of its result.
func (o ConvOptions) transposed(places, size []int) (space []int, move window, err error) {
	rank := len(places)
	extra, err := windowList("extra", o.Extra, make([]int, rank), 0)
	if err != nil {
		return nil, move, err
	}
	if o.Same || o.Ceil {
		return nil, move, newProblem("a transposed convolution takes its padding from Padding and PaddingAfter").WithHint("Extra settles the size")
	}
	// A window that fits in any case gives the lists.
	wide := slices.Repeat([]int{1 << 40}, rank)
	if move, err = o.Window.on(wide, size, false); err != nil {
		return nil, move, err
	}
	after := o.PaddingAfter
	if after == nil {
		after = move.Before
	}
	if after, err = windowList("padding after", after, make([]int, rank), 0); err != nil {
		return nil, move, err
	}
	space = make([]int, rank)
	for a, n := range places {
		if n > 1<<31 {
			return nil, move, newProblem("the operand has size %d at spatial axis %d", n, a)
		}
		space[a] = max(n-1, 0)*move.Stride[a] - move.Before[a] - after[a] + (size[a]-1)*move.Dilation[a] + 1 + extra[a]
		switch {
		case extra[a] >= move.Stride[a] && extra[a] >= move.Dilation[a]:
			return nil, move, newProblem("the extra %d of spatial axis %d should be less than the stride %d or the dilation %d", extra[a], a, move.Stride[a], move.Dilation[a])
		case n == 0:
			return nil, move, newProblem("the operand has no elements along spatial axis %d", a)
		case space[a] < 1:
			return nil, move, newProblem("the result would have size %d at spatial axis %d", space[a], a)
		}
	}
	return space, move, nil
}

// KernelFromTorch brings the kernel of a convolution from PyTorch's order, [out in k...], into Tarn's, [k... in out]. For a
// transposed convolution, whose kernel is [in out k...] there, it gives [k... out in], which ConvTranspose takes.
//
// Shapes: [f c k...] -> [k... c f].
func (v *Value) KernelFromTorch() *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	rank := v.Rank()
	if rank < 3 {
		return v.graph.failAs("KernelFromTorch", []*Value{v}, newProblem("the kernel is %v and should have at least three axes, [out in k...]", v.typ))
	}
	var axes []int
	for a := 2; a < rank; a++ {
		axes = append(axes, a)
	}
	return v.Permute(append(axes, 1, 0)...)
}
