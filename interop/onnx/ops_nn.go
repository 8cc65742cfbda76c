package onnx

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds convolutions, pooling and normalization. ONNX has channels second, tarn has them last: each operator goes there and back, and the compiler
// takes out what cancels.

// window reads the attributes of a window over the spatial axes, which have the given sizes. size is that of the window.
func (c *call) window(space, size []int) tarn.Window {
	w := tarn.Window{Stride: c.numbers("strides"), Dilation: c.numbers("dilations")}
	rank := len(space)
	if w.Stride == nil {
		w.Stride = slices.Repeat([]int{1}, rank)
	}
	if w.Dilation == nil {
		w.Dilation = slices.Repeat([]int{1}, rank)
	}
	pads := c.numbers("pads")
	switch mode := c.string("auto_pad", "NOTSET"); mode {
	case "NOTSET", "":
		if pads != nil {
			if len(pads) != 2*rank {
				failf("%d numbers of padding do not fit %d spatial axes", len(pads), rank)
			}
			w.Padding, w.PaddingAfter = pads[:rank], pads[rank:]
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		for i, d := range space {
			places := (d + w.Stride[i] - 1) / w.Stride[i]
			total := max(0, (places-1)*w.Stride[i]+(size[i]-1)*w.Dilation[i]+1-d)
			less := total / 2
			if mode == "SAME_UPPER" {
				w.Padding, w.PaddingAfter = append(w.Padding, less), append(w.PaddingAfter, total-less)
			} else {
				w.Padding, w.PaddingAfter = append(w.Padding, total-less), append(w.PaddingAfter, less)
			}
		}
	default:
		failf("auto_pad %q is not supported", mode)
	}
	return w
}

// conv is a convolution of x by a kernel in the order of ONNX, with an optional bias.
func (c *call) conv(x, kernel, bias *tarn.Value) *tarn.Value {
	if x.Rank() < 3 || kernel.Rank() != x.Rank() {
		failf("the shapes %v and %v do not convolve", x.Shape(), kernel.Shape())
	}
	o := tarn.ConvOptions{Window: c.window(x.Shape()[2:], kernel.Shape()[2:]), Groups: c.int("group", 1)}
	y := x.ChannelsLast().Conv(kernel.KernelFromTorch(), o)
	if bias != nil {
		y = y.Add(bias)
	}
	return y.ChannelsFirst()
}

func networkOperators() {
	type V = *tarn.Value
	register("Conv", func(c *call) []*value {
		var bias V
		if c.has(2) {
			bias = c.val(2)
		}
		return c.same(c.conv(c.val(0), c.val(1), bias))
	})
	register("ConvTranspose", func(c *call) []*value { return c.convTranspose() })
	register("DeformConv", func(c *call) []*value { return c.deformConv() })
	register("MaxPool", func(c *call) []*value { return c.maxPool() })
	register("AveragePool", func(c *call) []*value {
		x := c.val(0)
		size := c.numbers("kernel_shape")
		w := padded{c.window(x.Shape()[2:], size)}
		w.Ceil = c.int("ceil_mode", 0) != 0
		all := c.int("count_include_pad", 0) != 0
		if !w.wide(size) {
			return c.same(c.pooled(x, size, w.Window, func(v V) V { return v.AvgPool(size, w.Window, all) }))
		}
		y := c.pooled(w.apart(x, 0), size, w.inside(), func(v V) V { return v.AvgPool(size, w.inside(), true) })
		if !all {
			ones := c.g.Num(x.DType(), 1).Expand(x.Shape()...)
			y = y.Div(c.pooled(w.apart(ones, 0), size, w.inside(), func(v V) V { return v.AvgPool(size, w.inside(), true) }))
		}
		return c.same(y)
	})
	register("LpPool", func(c *call) []*value {
		x := c.val(0)
		size := c.numbers("kernel_shape")
		w := padded{c.window(x.Shape()[2:], size)}
		w.Ceil = c.int("ceil_mode", 0) != 0
		x = x.Abs()
		inner := w.Window
		if w.wide(size) {
			x, inner = w.apart(x, 0), w.inside()
		}
		return c.same(c.pooled(x, size, inner, func(v V) V { return v.LpPool(float64(c.int("p", 2)), size, inner) }))
	})
	global := func(name string, f func(c *call, x V, axes ...int) V) {
		register(name, func(c *call) []*value {
			x := c.val(0)
			if x.Rank() < 3 {
				failf("the shape %v has no spatial axes", x.Shape())
			}
			var axes []int
			shape := x.Shape()
			for a := 2; a < x.Rank(); a++ {
				axes = append(axes, a)
				shape[a] = 1
			}
			return c.same(f(c, x, axes...).Reshape(shape...))
		})
	}
	global("GlobalAveragePool", func(c *call, x V, axes ...int) V { return x.Mean(axes...) })
	global("GlobalMaxPool", func(c *call, x V, axes ...int) V { return x.Max(axes...) })
	global("GlobalLpPool", func(c *call, x V, axes ...int) V { return x.Norm(float64(c.int("p", 2)), axes...) })
	register("MaxUnpool", func(c *call) []*value { return c.maxUnpool() })
	registered[":BatchNormalization"] = operator{states: []int{3, 4}, f: func(c *call) []*value { return c.batchNorm() }}
	register("InstanceNormalization", func(c *call) []*value {
		x := c.val(0)
		y := normalize(x, axesFrom(2, x.Rank()), c.float("epsilon", 1e-5))
		return c.same(y.Mul(channels(c.val(1), x.Rank())).Add(channels(c.val(2), x.Rank())))
	})
	register("GroupNormalization", func(c *call) []*value {
		x, n := c.val(0), c.int("num_groups", 0)
		if n < 1 || x.Dim(1)%n != 0 {
			failf("%d groups do not fit the shape %v", n, x.Shape())
		}
		y := normalize(x.Reshape(x.Dim(0), n, -1), []int{2}, c.float("epsilon", 1e-5)).Reshape(x.Shape()...)
		scale, bias := c.val(1), c.val(2)
		if c.version < 21 { // of each group
			per := x.Dim(1) / n
			scale = scale.Reshape(n, 1).Expand(n, per).Reshape(-1)
			bias = bias.Reshape(n, 1).Expand(n, per).Reshape(-1)
		}
		return c.same(y.Mul(channels(scale, x.Rank())).Add(channels(bias, x.Rank())))
	})
	register("LayerNormalization", func(c *call) []*value {
		x := c.val(0)
		axes := axesFrom(axisOf(c.int("axis", -1), x.Rank()), x.Rank())
		mean := x.KeepDims(V.Mean, axes...)
		centered := x.Sub(mean)
		inverse := centered.Square().KeepDims(V.Mean, axes...).AddNum(c.float("epsilon", 1e-5)).Rsqrt()
		y := centered.Mul(inverse)
		y = y.Mul(together(c.val(1), y)[0])
		if c.has(2) {
			y = y.Add(together(c.val(2), y)[0])
		}
		return []*value{{elem: c.elem(0), v: y}, {elem: typeFloat, v: mean}, {elem: typeFloat, v: inverse}}
	})
	register("RMSNormalization", func(c *call) []*value {
		x := c.val(0)
		axes := axesFrom(axisOf(c.int("axis", -1), x.Rank()), x.Rank())
		y := x.Mul(x.Square().KeepDims(V.Mean, axes...).AddNum(c.float("epsilon", 1e-5)).Rsqrt())
		return c.same(y.Mul(together(c.val(1), y)[0]))
	})
	register("LRN", func(c *call) []*value {
		x, size := c.val(0), c.int("size", 1)
		if size < 1 || size > 1<<16 {
			failf("the size is %d", size)
		}
		before := (size - 1) / 2
		padded := x.Square().Pad(1, before, size-1-before)
		sum := padded.Slice(1, 0, x.Dim(1))
		for i := 1; i < size; i++ {
			sum = sum.Add(padded.Slice(1, i, i+x.Dim(1)))
		}
		alpha, beta, bias := c.float("alpha", 1e-4), c.float("beta", 0.75), c.float("bias", 1)
		return c.same(x.Div(sum.Scale(alpha / float64(size)).AddNum(bias).Pow(tarn.Num(beta))))
	})
	registerSet("Dropout", []int{1, 2}, func(c *call) []*value {
		x := c.val(0)
		p := c.float("ratio", 0.5)
		if c.has(1) {
			p = c.known(1, "the ratio").Float(0)
		}
		training := c.g.Training() && !c.folding
		if c.has(2) && c.version >= 12 {
			training = c.known(2, "whether it trains").Float(0) != 0
		} else if c.version >= 12 {
			training = false
		}
		ones := c.g.Num(tarn.I32, 1).Expand(x.Shape()...).Eq(tarn.Num(1))
		if !training || p == 0 {
			return []*value{{elem: c.elem(0), v: x}, {elem: typeBool, v: ones}}
		}
		mask := c.g.Bernoulli(tarn.Num(1-p), x.Shape()...)
		kept := mask.Ne(tarn.Num(0))
		return []*value{{elem: c.elem(0), v: kept.Where(x.Scale(1/(1-p)), x.Num(0))}, {elem: typeBool, v: kept}}
	})
}

func axesFrom(first, rank int) (axes []int) {
	for a := first; a < rank; a++ {
		axes = append(axes, a)
	}
	return axes
}

// channels gives a vector of a number for each channel the rank of an array whose channels are second.
func channels(v *tarn.Value, rank int) *tarn.Value {
	shape := slices.Repeat([]int{1}, rank)
	shape[1] = v.Size()
	return v.Reshape(shape...)
}

// normalize subtracts the mean along axes and divides by the deviation.
func normalize(x *tarn.Value, axes []int, epsilon float64) *tarn.Value {
	centered := x.Sub(x.KeepDims((*tarn.Value).Mean, axes...))
	return centered.Mul(centered.Square().KeepDims((*tarn.Value).Mean, axes...).AddNum(epsilon).Rsqrt())
}

func (c *call) batchNorm() []*value {
	x := c.val(0)
	rank := x.Rank()
	if rank < 2 {
		failf("the shape %v has no channels", x.Shape())
	}
	epsilon := c.float("epsilon", 1e-5)
	mean, variance := c.val(3), c.val(4)
	var axes []int
	for a := range rank {
		if a != 1 {
			axes = append(axes, a)
		}
	}
	own := c.int("training_mode", 0) != 0
	if !own && !c.folding && c.g.Training() && c.in[3].param != nil && c.in[4].param != nil {
		own = true
	}
	if own { // statistics of the batch, and running ones
		momentum := c.float("momentum", 0.9)
		batchMean := x.Mean(axes...)
		batchVariance := x.Sub(channels(batchMean, rank)).Square().Mean(axes...)
		nextMean := mean.Scale(momentum).Add(batchMean.Scale(1 - momentum))
		nextVariance := variance.Scale(momentum).Add(batchVariance.Scale(1 - momentum))
		y := x.Sub(channels(batchMean, rank)).Mul(channels(batchVariance.AddNum(epsilon).Rsqrt(), rank))
		y = y.Mul(channels(c.val(1), rank)).Add(channels(c.val(2), rank))
		for i, next := range []*tarn.Value{nextMean, nextVariance} {
			if p := c.in[3+i].param; p != nil && p.IsState() {
				c.g.Attach(y, p, next)
			}
		}
		return []*value{{elem: c.elem(0), v: y}, {elem: c.elem(3), v: nextMean}, {elem: c.elem(4), v: nextVariance}}
	}
	scale := c.val(1).Mul(variance.AddNum(epsilon).Rsqrt())
	return c.same(x.Sub(channels(mean, rank)).Mul(channels(scale, rank)).Add(channels(c.val(2), rank)))
}

func (c *call) convTranspose() []*value {
	x, kernel := c.val(0), c.val(1)
	rank := x.Rank() - 2
	if rank < 1 || kernel.Rank() != x.Rank() {
		failf("the shapes %v and %v do not convolve", x.Shape(), kernel.Shape())
	}
	size := kernel.Shape()[2:]
	w := tarn.Window{Stride: c.numbers("strides"), Dilation: c.numbers("dilations")}
	if w.Stride == nil {
		w.Stride = slices.Repeat([]int{1}, rank)
	}
	if w.Dilation == nil {
		w.Dilation = slices.Repeat([]int{1}, rank)
	}
	extra := c.numbers("output_padding")
	if extra == nil {
		extra = make([]int, rank)
	}
	pads := c.numbers("pads")
	if pads == nil {
		pads = make([]int, 2*rank)
	}
	mode := c.string("auto_pad", "NOTSET")
	want := c.numbers("output_shape")
	for i := range rank {
		full := (x.Dim(2+i)-1)*w.Stride[i] + extra[i] + (size[i]-1)*w.Dilation[i] + 1
		total := -1
		switch {
		case want != nil:
			total = full - want[len(want)-rank+i]
		case mode == "SAME_UPPER" || mode == "SAME_LOWER":
			total = full - x.Dim(2+i)*w.Stride[i]
		}
		if total < 0 && (want != nil || mode == "SAME_UPPER" || mode == "SAME_LOWER") {
			extra[i] -= total // longer than the convolution reaches
			total = 0
		}
		if total >= 0 {
			pads[i], pads[i+rank] = total-total/2, total/2
			if mode == "SAME_UPPER" || want != nil && mode != "SAME_LOWER" {
				pads[i], pads[i+rank] = total/2, total-total/2
			}
		}
	}
	// What goes beyond the convolution, or the padding that it takes away, is cut and padded here: tarn's convolution takes less.
	groups := c.int("group", 1)
	if groups < 1 || x.Dim(1)%groups != 0 {
		failf("%d groups do not fit the shape %v", groups, x.Shape())
	}
	parts := x.ChannelsLast()
	y := parts.ConvTranspose(kernel.KernelFromTorch(), tarn.ConvOptions{Window: w, Groups: groups})
	for i := range rank {
		end := y.Dim(1+i) + extra[i] - pads[i+rank]
		if extra[i] > 0 {
			y = y.Pad(1+i, 0, extra[i])
		}
		y = y.Slice(1+i, pads[i], end)
	}
	if c.has(2) {
		y = y.Add(c.val(2))
	}
	return c.same(y.ChannelsFirst())
}

// pooled pools with channels last. Integers are pooled as F64.
func (c *call) pooled(x *tarn.Value, size []int, w tarn.Window, f func(v *tarn.Value) *tarn.Value) *tarn.Value {
	if x.Rank() != len(size)+2 {
		failf("a window of %d axes does not fit the shape %v", len(size), x.Shape())
	}
	dtype := x.DType()
	if !dtype.IsFloat() {
		return f(x.Cast(tarn.F64).ChannelsLast()).ChannelsFirst().Cast(dtype)
	}
	return f(x.ChannelsLast()).ChannelsFirst()
}

// padded is a window whose padding may be wider than pooling takes it.
type padded struct{ tarn.Window }

func (w padded) wide(size []int) bool {
	for i := range w.Padding {
		if 2*max(w.Padding[i], w.PaddingAfter[i]) > (size[i]-1)*w.Dilation[i]+1 {
			return true
		}
	}
	return false
}

// apart is x with the padding as elements.
func (w padded) apart(x *tarn.Value, number float64) *tarn.Value {
	for i := range w.Padding {
		x = x.PadValue(2+i, w.Padding[i], w.PaddingAfter[i], number)
	}
	return x
}

// inside is the window without padding.
func (w padded) inside() tarn.Window {
	inner := w.Window
	inner.Padding, inner.PaddingAfter = nil, nil
	return inner
}

func (c *call) maxPool() []*value {
	x := c.val(0)
	size := c.numbers("kernel_shape")
	if x.Rank() != len(size)+2 {
		failf("a window of %d axes does not fit the shape %v", len(size), x.Shape())
	}
	w := padded{c.window(x.Shape()[2:], size)}
	w.Ceil = c.int("ceil_mode", 0) != 0
	if len(c.n.outputs) < 2 || c.n.outputs[1] == "" {
		inner := w.Window
		if w.wide(size) {
			lowest := math.Inf(-1)
			if !x.DType().IsFloat() {
				lowest = math.MinInt32
			}
			x, inner = w.apart(x, lowest), w.inside()
		}
		return c.same(c.pooled(x, size, inner, func(v *tarn.Value) *tarn.Value { return v.MaxPool(size, inner) }))
	}
	dtype := x.DType()
	last := x.ChannelsLast()
	if !dtype.IsFloat() {
		last = last.Cast(tarn.F64)
	}
	y, at := last.MaxPoolIndices(size, w.Window)
	y, at = y.ChannelsFirst(), at.ChannelsFirst().Cast(tarn.I64)
	if c.int("storage_order", 0) != 0 { // columns first
		s := x.Shape()[2:]
		flat, stride := at.Mul(at.Num(0)), 1
		rest := at
		strides := make([]int, len(s))
		for a := range s {
			strides[a] = stride
			stride *= s[a]
		}
		for a := len(s) - 1; a >= 0; a-- {
			q := rest.Div(rest.Num(float64(s[a])))
			flat = flat.Add(rest.Sub(q.Mul(q.Num(float64(s[a])))).Mul(flat.Num(float64(strides[a]))))
			rest = q
		}
		at = flat
	}
	// Each image and channel counts on from the one before.
	n, ch := x.Dim(0), x.Dim(1)
	first := c.g.Iota(tarn.I64, 0, n*ch).Mul(c.g.Num(tarn.I64, float64(product(x.Shape()[2:])))).
		Reshape(slices.Concat([]int{n, ch}, slices.Repeat([]int{1}, len(size)))...)
	return []*value{{elem: c.elem(0), v: y.Cast(dtype)}, {elem: typeInt64, v: at.Add(first)}}
}

func (c *call) maxUnpool() []*value {
	x, index := c.val(0), c.val(1)
	size := c.numbers("kernel_shape")
	shape := x.Shape()
	rank := len(shape) - 2
	if len(size) != rank {
		failf("a window of %d axes does not fit the shape %v", len(size), shape)
	}
	strides, pads := c.numbers("strides"), c.numbers("pads")
	for i := range rank {
		step, pad := 1, 0
		if strides != nil {
			step = strides[i]
		}
		if pads != nil {
			pad = pads[i] + pads[i+rank]
		}
		shape[2+i] = (shape[2+i]-1)*step + size[i] - pad
	}
	out := shape
	if c.has(2) {
		out = c.ints(2, "the shape")
	}
	// Places are counted in the shape that the attributes give, from the corner of a larger one.
	flat := c.g.Num(x.DType(), 0).Expand(product(shape)).Scatter(0, index.Reshape(-1), x.Reshape(-1)).Reshape(shape...)
	for a := range shape {
		if len(out) == len(shape) && out[a] > shape[a] {
			flat = flat.Pad(a, 0, out[a]-shape[a])
		}
	}
	return c.same(flat)
}

// deformConv samples the image at places that offsets move, by bilinear interpolation, and multiplies by the kernel.
func (c *call) deformConv() []*value {
	x, kernel, offset := c.val(0), c.val(1), c.val(2)
	if x.Rank() != 4 || kernel.Rank() != 4 || offset.Rank() != 4 {
		failf("only images are supported")
	}
	n, ch, h, wd := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	kh, kw := kernel.Dim(2), kernel.Dim(3)
	groups, og := c.int("group", 1), c.int("offset_group", 1)
	w := c.window([]int{h, wd}, []int{kh, kw})
	pads := []int{0, 0}
	if w.Padding != nil {
		pads = w.Padding
	}
	oh, ow := offset.Dim(2), offset.Dim(3)
	if og < 1 || groups < 1 || ch%og != 0 || ch%groups != 0 || kernel.Dim(0)%groups != 0 {
		failf("%d groups and %d groups of offsets do not fit %d channels", groups, og, ch)
	}
	off := offset.Reshape(n*og, kh*kw, 2, oh, ow)
	g := c.g
	position := func(axis, k, out, stride, dilation, pad int) *tarn.Value { // [1 kh*kw oh ow]
		taps := g.Iota(tarn.F32, 0, kh, kw).Reshape(1, kh*kw, 1, 1)
		places := g.Iota(tarn.F32, 0, oh).Reshape(1, 1, oh, 1)
		if axis == 1 {
			taps = g.Iota(tarn.F32, 1, kh, kw).Reshape(1, kh*kw, 1, 1)
			places = g.Iota(tarn.F32, 0, ow).Reshape(1, 1, 1, ow)
		}
		return taps.Scale(float64(dilation)).Add(places.Scale(float64(stride))).AddNum(-float64(pad)).Cast(x.DType())
	}
	py := off.Slice(2, 0, 1).Squeeze(2).Add(position(0, kh, oh, w.Stride[0], w.Dilation[0], pads[0]))
	px := off.Slice(2, 1, 2).Squeeze(2).Add(position(1, kw, ow, w.Stride[1], w.Dilation[1], pads[1]))
	// GridSample counts from -1 to 1.
	toUnit := func(p *tarn.Value, d int) *tarn.Value { return p.Scale(2 / float64(d)).AddNum(1/float64(d) - 1) }
	grid := tarn.Stack(3, toUnit(px, wd).Reshape(n*og, kh*kw*oh, ow), toUnit(py, h).Reshape(n*og, kh*kw*oh, ow))
	image := x.Reshape(n*og, ch/og, h, wd).ChannelsLast()
	sampled := image.GridSample(grid, tarn.GridOptions{}) // [n*og kh*kw*oh ow ch/og]
	s := sampled.Reshape(n, og, kh*kw, oh, ow, ch/og).Permute(0, 1, 5, 2, 3, 4)
	if c.has(4) {
		s = s.Mul(c.val(4).Reshape(n, og, 1, kh*kw, oh, ow))
	}
	m := kernel.Dim(0)
	columns := s.Reshape(n, groups, ch/groups*kh*kw, oh*ow)
	y := kernel.Reshape(1, groups, m/groups, ch/groups*kh*kw).MatMul(columns).Reshape(n, m, oh, ow)
	if c.has(3) {
		y = y.Add(channels(c.val(3), 4))
	}
	return c.same(y)
}
