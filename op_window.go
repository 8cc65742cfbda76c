package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what convolutions and pooling share: how a window moves over the spatial axes, which lie between the
// first axis, the batch, and the last one, the channels. PyTorch has the channels second; see ChannelsLast.

// Window says how the window of a convolution or of pooling moves over the spatial axes. Each list has a number for every
// spatial axis, or a single one for all of them; a nil list means the default.
type Window struct {
	Stride   []int // the distance between places of the window; 1, or for pooling the window's size
	Dilation []int // the distance between elements of the window; 1
	Padding  []int // places next to the ends of an axis, whose elements are 0 or do not count; 0
	// PaddingAfter is the padding after the last element, if it differs from that before the first.
	PaddingAfter []int
	// Same pads so that the result has ceil(size/stride) places, as padding="same" of PyTorch and JAX: half of it before,
	// and what is odd after. Padding and PaddingAfter are nil then.
	Same bool
	// Ceil lets a last window of pooling start inside of the operand or its padding before and reach beyond the padding after
	// it; the places beyond do not count. Equal to PyTorch's ceil_mode.
	Ceil bool
}

// maxWindow bounds strides, dilations and padding, so that places can be computed without overflow.
const maxWindow = 1 << 30

// window is a Window with all its lists filled in.
type window struct {
	ir.Window
	places []int // of the result
	after  []int // padding after the last element
}

// attrs prints the window as an attribute.
func windowAttrs(stride, dilation, before []int) string {
	return fmt.Sprintf("stride=%v dilation=%v before=%v", stride, dilation, before)
}

// on works out the window of the given size over an operand with spatial axes of the sizes space. For pooling the
// stride is the size by default.
func (w Window) on(space, size []int, pooling bool) (window, error) {
	rank := len(space)
	out := window{Window: ir.Window{Size: size}}
	if len(size) != rank {
		return out, newProblem("the window %s has %d axes and the operand %d spatial axes %s, those between the first and the last",
			ir.ShapeString(size), len(size), rank, ir.ShapeString(space))
	}
	one := slices.Repeat([]int{1}, rank)
	zero := make([]int, rank)
	stride := one
	if pooling {
		stride = size
	}
	var err error
	if out.Stride, err = windowList("stride", w.Stride, stride, 1); err != nil {
		return out, err
	}
	if out.Dilation, err = windowList("dilation", w.Dilation, one, 1); err != nil {
		return out, err
	}
	if out.Before, err = windowList("padding", w.Padding, zero, 0); err != nil {
		return out, err
	}
	after, err := windowList("padding after", w.PaddingAfter, out.Before, 0)
	if err != nil {
		return out, err
	}
	if w.Same && (w.Padding != nil || w.PaddingAfter != nil) {
		return out, newProblem("the padding is given and asked to be that which keeps the size").WithHint("set Same or Padding, not both")
	}
	out.places, out.after = make([]int, rank), slices.Clone(after)
	for a, d := range space {
		if size[a] < 1 || size[a] > maxWindow {
			return out, newProblem("the window %s has size %d at axis %d", ir.ShapeString(size), size[a], a)
		}
		reach := (size[a]-1)*out.Dilation[a] + 1
		if w.Same {
			total := max((ceilDiv(d, out.Stride[a])-1)*out.Stride[a]+reach-d, 0)
			out.Before = slices.Clone(out.Before)
			out.Before[a], out.after[a] = total/2, total-total/2
		}
		room := d + out.Before[a] + out.after[a] - reach
		if room < 0 {
			return out, newProblem("the window reaches over %d elements of spatial axis %d, which has %d with its padding (%s, padded by %d and %d)",
				reach, a, d+out.Before[a]+out.after[a], ir.ShapeString(space), out.Before[a], out.after[a])
		}
		n := room/out.Stride[a] + 1
		if w.Ceil && room%out.Stride[a] != 0 && n*out.Stride[a] < d+out.Before[a] {
			n++
		}
		out.places[a] = n
	}
	return out, nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// windowList is a list of a Window with a number for each axis.
func windowList(name string, list, otherwise []int, least int) ([]int, error) {
	rank := len(otherwise)
	switch {
	case list == nil:
		return otherwise, nil
	case len(list) == 1:
		list = slices.Repeat(list, rank)
	case len(list) != rank:
		return nil, newProblem("the %s %v has %d numbers for %d spatial axes", name, list, len(list), rank).WithHint("give one for each axis, or a single one for all")
	}
	for _, n := range list {
		if n < least || n > maxWindow {
			return nil, newProblem("the %s %v should be at least %d", name, list, least)
		}
	}
	return slices.Clone(list), nil
}

// spatial returns the sizes of the spatial axes, or an error where the operand has no room for them.
func spatial(t ir.Type) ([]int, error) {
	if !t.DType.Float() {
		return nil, newProblem("the operand is %v and should be f32 or f64", t.DType).WithHint("Cast it")
	}
	if len(t.Shape) < 3 || len(t.Shape) > 5 {
		return nil, newProblem("the operand is %s and should have a batch axis, one to three spatial axes and a channel axis", ir.ShapeString(t.Shape)).
			WithHint("Unsqueeze adds an axis of size 1")
	}
	return t.Shape[1 : len(t.Shape)-1], nil
}

// ChannelsLast moves the second axis, where PyTorch has the channels of images, to the end, where Tarn has them: [N C H W]
// becomes [N H W C].
//
// Shapes: [n c d...] -> [n d... c].
func (v *Value) ChannelsLast() *Value { return v.moveChannels("ChannelsLast", 1, -1) }

// ChannelsFirst is the reverse of ChannelsLast: it moves the last axis to the second place.
//
// Shapes: [n d... c] -> [n c d...].
func (v *Value) ChannelsFirst() *Value { return v.moveChannels("ChannelsFirst", -1, 1) }

func (v *Value) moveChannels(name string, from, to int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	rank := v.Rank()
	if rank < 2 {
		return v.graph.failAs(name, []*Value{v}, newProblem("the operand is %v and needs a batch axis and a channel axis", v.typ))
	}
	axes := make([]int, 0, rank)
	for a := range rank {
		axes = append(axes, a)
	}
	from, to = (from+rank)%rank, (to+rank)%rank
	axes = slices.Insert(slices.Delete(axes, from, from+1), to, from)
	return v.Permute(axes...)
}
