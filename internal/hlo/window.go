package hlo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds convolutions and pooling. All padding of pooling is written as an op of its own, which may also take away.

// windows are windows over all axes of an array.
type windows struct{ size, stride, dilation []int }

// reduceWindows combines the tuples of each window by a region.
func (b *text) reduceWindows(w windows, in, start []value, region string) []value {
	out := make([]value, len(in))
	for i, x := range in {
		out[i] = x.of(make([]int, len(x.shape))...)
		for a, d := range x.shape {
			out[i].shape[a] = (d-(w.size[a]-1)*w.dilation[a]-1)/w.stride[a] + 1
		}
	}
	return b.results(out, "\"stablehlo.reduce_window\"(%s, %s) ({\n%s  }) {window_dimensions = %s, window_strides = %s, window_dilations = %s} : (%s, %s) -> (%s)",
		names(in), names(start), region, array(w.size), array(w.stride), array(w.dilation), types(in), types(start), types(out))
}

// pool is a pooling op.
func (b *text) pool(kind ir.PoolKind, w ir.Window, in []value, out value) value {
	x, y := in[0], out // the arrays over which the window moves, and of its places
	switch kind {
	case ir.PoolSumSpread:
		x, y = out, in[0]
	case ir.PoolSpread:
		y = in[1]
	}
	if x.size() == 0 || y.size() == 0 {
		return b.num(0, out)
	}
	rank := len(x.shape)
	low, high, between := make([]int, rank), make([]int, rank), make([]int, rank)
	all := windows{slices.Repeat([]int{1}, rank), slices.Repeat([]int{1}, rank), slices.Repeat([]int{1}, rank)}
	for a := range rank - 2 {
		all.size[a+1], all.stride[a+1], all.dilation[a+1] = w.Size[a], w.Stride[a], w.Dilation[a]
		low[a+1] = w.Before[a]
		high[a+1] = (y.shape[a+1]-1)*w.Stride[a] + (w.Size[a]-1)*w.Dilation[a] + 1 - x.shape[a+1] - w.Before[a]
	}
	zero := func() value { return b.num(0, scalarOf(out.elem)) }
	switch kind {
	case ir.PoolSum:
		return b.reduceWindows(all, []value{b.pad(x, 0, low, high, between)}, []value{zero()}, combine("add", out.elem))[0]
	case ir.PoolSumSpread:
		for a := range rank - 2 {
			low[a+1] = (w.Size[a]-1)*w.Dilation[a] - w.Before[a]
			between[a+1] = w.Stride[a] - 1
			high[a+1] = x.shape[a+1] + (w.Size[a]-1)*w.Dilation[a] - low[a+1] - (y.shape[a+1]-1)*w.Stride[a] - 1
			all.stride[a+1] = 1
		}
		return b.reduceWindows(all, []value{b.pad(y, 0, low, high, between)}, []value{zero()}, combine("add", out.elem))[0]
	}
	// The place within the image, in row-major order, is carried along; that of a window without elements is out of range.
	space := x.shape[1 : rank-1]
	none := ir.Size(space)
	places := b.reshape(b.iota(vectorOf("i64", none), 0), space)
	axes := make([]int, len(space))
	for a := range axes {
		axes[a] = a + 1
	}
	places = b.pad(b.spread(places, x.shape, axes...), float64(none), low, high, between)
	worst := b.worst(x.elem, false)
	tuple := []value{b.padWith(x, worst, low, high)}
	start := []value{worst}
	if kind == ir.PoolPick {
		tuple = append(tuple, b.pad(in[1], 0, low, high, between))
		start = append(start, zero())
	}
	tuple = append(tuple, places)
	start = append(start, b.num(float64(none), scalarOf("i64")))
	best := b.reduceWindows(all, tuple, start, better(tuple, false, false))
	if kind == ir.PoolPick {
		return best[1]
	}
	flat := func(v value, n int) value { return b.reshape(v, []int{v.shape[0], n, v.shape[rank-1]}) }
	n := ir.Size(y.shape[1 : rank-1])
	sums := b.send("add", 1, b.num(0, out.of(out.shape[0], none, out.shape[rank-1])), flat(best[1], n), flat(y, n))
	return b.reshape(sums, out.shape)
}

// convolve is a convolution or one of its adjoints.
func (b *text) convolve(op ir.Convolution, x, w value, out value) value {
	if x.size() == 0 || w.size() == 0 || out.size() == 0 {
		return b.num(0, out)
	}
	kind, stride, dilation, before, groups := op.Convolves()
	rank := len(stride)
	ones := slices.Repeat([]int{1}, rank)
	low, high := slices.Clone(before), make([]int, rank)
	spatial := func(names ...string) string { // the axes of an array, with numbers for the spatial ones in place of "."
		var all []string
		for _, n := range names {
			if n != "." {
				all = append(all, n)
				continue
			}
			for a := range rank {
				all = append(all, fmt.Sprint(a))
			}
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	image := spatial("b", ".", "f")
	switch kind {
	case ir.ConvOutput:
		for a := range rank {
			high[a] = (out.shape[a+1]-1)*stride[a] + (w.shape[a]-1)*dilation[a] + 1 - x.shape[a+1] - before[a]
		}
		return b.convolution(image+"x"+spatial(".", "i", "o")+"->"+image, x, w, out, stride, ones, dilation, low, high, groups, 1)
	case ir.ConvInput:
		// The operand is spread by the stride, the kernel turned over, and in each group its two axes of channels change places.
		for a := range rank {
			reach := dilation[a] * (w.shape[a] - 1)
			low[a] = reach - before[a]
			high[a] = out.shape[a+1] - (x.shape[a+1]-1)*stride[a] - 1 - low[a] + reach
		}
		size, in, o := w.shape[:rank], w.shape[rank], w.shape[rank+1]/groups
		axes := make([]int, 0, rank+3)
		flip := make([]int, rank)
		for a := range rank {
			axes, flip[a] = append(axes, a), a
		}
		k := b.reshape(w, append(slices.Clone(size), in, groups, o))
		k = b.transpose(k, append(axes, rank+1, rank, rank+2))
		k = b.reverse(b.reshape(k, append(slices.Clone(size), groups*in, o)), flip)
		return b.convolution(image+"x"+spatial(".", "o", "i")+"->"+image, x, k, out, ones, stride, dilation, low, high, groups, 1)
	}
	// The batch is what is summed over, so it takes the place of the channels; stride and dilation change places.
	y := w
	for a := range rank {
		high[a] = (out.shape[a]-1)*dilation[a] + (y.shape[a+1]-1)*stride[a] + 1 - x.shape[a+1] - before[a]
	}
	return b.convolution(spatial("f", ".", "b")+"x"+spatial("i", ".", "o")+"->"+spatial(".", "b", "f"), x, y, out, dilation, ones, stride, low, high, 1, groups)
}

func (b *text) convolution(numbers string, x, w, out value, stride, spread, dilation, low, high []int, groups, batches int) value {
	padding := make([]string, len(low))
	for a := range low {
		padding[a] = fmt.Sprintf("[%d, %d]", low[a], high[a])
	}
	x, w, precision := b.factors(x, w)
	return b.emit(out, "stablehlo.convolution(%s, %s) dim_numbers = %s, window = {stride = %s, pad = [%s], lhs_dilate = %s, rhs_dilate = %s} {batch_group_count = %d : i64, feature_group_count = %d : i64, precision_config = [#stablehlo<precision %s>, #stablehlo<precision %[10]s>]} : (%s) -> %s",
		x, w, numbers, ints(stride), strings.Join(padding, ", "), ints(spread), ints(dilation), batches, groups, precision, types([]value{x, w}), out.typ())
}
