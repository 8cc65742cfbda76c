package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the convolutions. Images have their channels last, [n h w c]; the weights have PyTorch's layout and names, so
// that its files load as they are. Bringing a weight into the order that the op takes costs one copy of it a step.

// Conv is a convolution over one to three spatial axes. Equal to torch.nn.Conv1d, Conv2d and Conv3d, weights and their
// initialization included, except for the channel axis: tarn.Value.ChannelsLast converts PyTorch's images to Tarn's order.
type Conv struct {
	Weight *tarn.Param // [out in/groups k...]
	Bias   *tarn.Param // [out], or nil for none
	tarn.ConvOptions
	PaddingMode PaddingMode // what the places hold that Padding, PaddingAfter or Same add; ConvTranspose knows zeros only
	// Transform changes the weight before it is used, or is nil: WeightNorm, SpectralNorm, WeightNoise or FakeQuantize.
	Transform WeightTransform
	LoRA      *LoRA `tarn:""` // an adapter, or nil

	wrong mistake
}

// PaddingMode says what padding holds. Equal to padding_mode of torch.nn.Conv2d. The zero value is ZeroPadding.
type PaddingMode int

const (
	ZeroPadding      PaddingMode = iota // zeros
	ReflectPadding                      // the elements mirrored at the ends, see tarn.Value.PadReflect
	ReplicatePadding                    // the elements at the ends, see tarn.Value.PadReplicate
	CircularPadding                     // the elements from the other end, see tarn.Value.PadCircular
)

// String returns the name of the mode, as in PyTorch.
func (m PaddingMode) String() string {
	if m >= ZeroPadding && m <= CircularPadding {
		return [...]string{"zeros", "reflect", "replicate", "circular"}[m]
	}
	return fmt.Sprintf("PaddingMode(%d)", int(m))
}

// NewConv1d returns a convolution over one axis, [n l c], with a bias, a stride of 1 and no padding.
func NewConv1d(in, out, size int) *Conv { return NewConv(in, out, 1, size) }

// NewConv2d returns a convolution over two axes, [n h w c], by a square window, with a bias, a stride of 1 and no padding.
func NewConv2d(in, out, size int) *Conv { return NewConv(in, out, 1, size, size) }

// NewConv3d returns a convolution over three axes, [n d h w c], by a cubic window, with a bias, a stride of 1 and no padding.
func NewConv3d(in, out, size int) *Conv { return NewConv(in, out, 1, size, size, size) }

// NewConv returns a convolution with the given number of groups, which must divide in and out, and a window of the given sizes, one for
// each spatial axis.
func NewConv(in, out, groups int, size ...int) *Conv {
	wrong := convMistake("NewConv", in, out, groups, size)
	groups = max(groups, 1)
	shape := append([]int{out, in / groups}, size...)
	init := convInit(shape)
	return &Conv{Weight: tarn.NewParam(tarn.F32, init, shape...), Bias: tarn.NewParam(tarn.F32, init, out),
		ConvOptions: tarn.ConvOptions{Groups: groups}, wrong: wrong}
}

// convMistake checks the arguments of a constructor.
func convMistake(constructor string, in, out, groups int, size []int) (m mistake) {
	call := fmt.Sprintf("%s(%d, %d, %d, %v)", constructor, in, out, groups, size)
	m.require(len(size) >= 1 && len(size) <= 3, "%s: the window has %d sizes and should have one to three, one for each spatial axis", call, len(size))
	m.sizes(call, []string{"in", "out", "the number of groups", "a size of the window"}, append([]int{in, out, groups}, size...)...)
	m.require(groups < 1 || in%groups == 0 && out%groups == 0, "%s: %d groups do not divide the %d channels in and %d out", call, groups, in, out)
	return m
}

// convInit is uniform in ±1/sqrt(fan in), as PyTorch initializes weights and biases of convolutions.
func convInit(shape []int) tarn.Initializer {
	in, _ := Fans(shape)
	if in == 0 {
		return Zeros()
	}
	bound := 1 / math.Sqrt(float64(in))
	return Uniform(-bound, bound)
}

// Forward convolves x. Shapes: [n d... in] -> [n places... out], see tarn.Value.Conv.
func (c *Conv) Forward(x *tarn.Value) *tarn.Value {
	if c == nil {
		return missing("Conv", x)
	}
	if bad := c.wrong.report("Conv", x); bad != nil {
		return bad
	}
	w, ok := convWeight("Conv", x, c.Weight, c.Transform)
	if !ok {
		return w
	}
	x, options := c.pad(x)
	if c.LoRA.active() && options.Groups > 1 {
		delta, bad := c.LoRA.product(x, c.Weight.Shape())
		if bad != nil {
			return bad
		}
		w = w.Add(delta.KernelFromTorch())
	}
	y := addBias("Conv", x.Conv(w, options), c.Bias)
	if c.LoRA.active() && options.Groups <= 1 {
		return c.LoRA.addConv(y, x, c.Weight.Shape(), options)
	}
	return y
}

// pad pads x if that is not with zeros, and returns it with the options of the convolution that is left.
func (c *Conv) pad(x *tarn.Value) (*tarn.Value, tarn.ConvOptions) {
	o, shape := c.ConvOptions, c.Weight.Shape()
	if c.PaddingMode == ZeroPadding || len(shape) < 3 {
		return x, o
	}
	size := shape[2:]
	if c.PaddingMode < ZeroPadding || c.PaddingMode > CircularPadding {
		return x.Graph().Fail("Conv", []*tarn.Value{x}, "there is no %v", c.PaddingMode), o
	}
	at := func(list []int, a, usual int) int {
		switch len(list) {
		case 0:
			return usual
		case 1:
			return list[0]
		}
		return list[a]
	}
	for _, list := range [][]int{o.Stride, o.Dilation, o.Padding, o.PaddingAfter} {
		if len(list) > 1 && len(list) != len(size) || o.Same && len(o.Padding)+len(o.PaddingAfter) > 0 {
			return x, o // which the op refuses
		}
	}
	for a, k := range size {
		stride, reach := max(1, at(o.Stride, a, 1)), (k-1)*max(1, at(o.Dilation, a, 1))+1
		before := at(o.Padding, a, 0)
		after := at(o.PaddingAfter, a, before)
		if d := x.Dim(a + 1); o.Same {
			all := max(0, (d+stride-1)/stride*stride-stride+reach-d)
			before, after = all/2, all-all/2
		}
		switch c.PaddingMode {
		case ReflectPadding:
			x = x.PadReflect(a+1, before, after)
		case ReplicatePadding:
			x = x.PadReplicate(a+1, before, after)
		default:
			x = x.PadCircular(a+1, before, after)
		}
	}
	o.Padding, o.PaddingAfter, o.Same = nil, nil, false
	return x, o
}

// ConvTranspose is a transposed convolution over one to three spatial axes. Equal to torch.nn.ConvTranspose1d to
// ConvTranspose3d, but for the place of the channels; output_padding is called Extra.
type ConvTranspose struct {
	Weight *tarn.Param // [in out/groups k...]
	Bias   *tarn.Param // [out], or nil for none
	tarn.ConvOptions
	Transform WeightTransform // as that of Conv

	wrong mistake
}

// NewConvTranspose1d returns a transposed convolution over one axis, [n l c], with a bias, a stride of 1 and no padding.
func NewConvTranspose1d(in, out, size int) *ConvTranspose { return NewConvTranspose(in, out, 1, size) }

// NewConvTranspose2d returns a transposed convolution over two axes, [n h w c].
func NewConvTranspose2d(in, out, size int) *ConvTranspose {
	return NewConvTranspose(in, out, 1, size, size)
}

// NewConvTranspose3d returns a transposed convolution over three axes, [n d h w c].
func NewConvTranspose3d(in, out, size int) *ConvTranspose {
	return NewConvTranspose(in, out, 1, size, size, size)
}

// NewConvTranspose returns a transposed convolution with the given number of groups, which must divide in and out, and a window of the
// given sizes, one for each spatial axis.
func NewConvTranspose(in, out, groups int, size ...int) *ConvTranspose {
	wrong := convMistake("NewConvTranspose", in, out, groups, size)
	groups = max(groups, 1)
	shape := append([]int{in, out / groups}, size...)
	init := convInit(shape)
	return &ConvTranspose{Weight: tarn.NewParam(tarn.F32, init, shape...), Bias: tarn.NewParam(tarn.F32, init, out),
		ConvOptions: tarn.ConvOptions{Groups: groups}, wrong: wrong}
}

// Forward is the transposed convolution of x. Shapes: [n d... in] -> [n space... out], see tarn.Value.ConvTranspose.
func (c *ConvTranspose) Forward(x *tarn.Value) *tarn.Value {
	if c == nil {
		return missing("ConvTranspose", x)
	}
	if bad := c.wrong.report("ConvTranspose", x); bad != nil {
		return bad
	}
	w, ok := convWeight("ConvTranspose", x, c.Weight, c.Transform)
	if !ok {
		return w
	}
	return addBias("ConvTranspose", x.ConvTranspose(w, c.ConvOptions), c.Bias)
}

// convWeight returns the weight in the op's order. It returns false and a failed value if weight and x do not fit.
func convWeight(name string, x *tarn.Value, p *tarn.Param, t WeightTransform) (*tarn.Value, bool) {
	g := x.Graph()
	w := p.Value(g)
	switch {
	case p == nil:
		return w, false
	case w.Rank() != x.Rank():
		return g.Fail(name, []*tarn.Value{x, w}, "the input has shape %s and the weight, in PyTorch's order, %s: the input should have %d axes",
			shapeString(x.Shape()), shapeString(w.Shape()), w.Rank()), false
	case w.DType() != x.DType():
		return g.Fail(name, []*tarn.Value{x, w}, "the input is %v and the weight %v: Cast the input, or tarn.Cast the model", x.DType(), w.DType()), false
	}
	return transformed(t, w).KernelFromTorch(), true
}

// addBias adds a number to each channel.
func addBias(name string, y *tarn.Value, bias *tarn.Param) *tarn.Value {
	if bias == nil {
		return y
	}
	if b := bias.Shape(); len(b) != 1 || b[0] != y.Dim(-1) {
		return y.Graph().Fail(name, []*tarn.Value{y, bias.Value(y.Graph())}, "the bias has shape %s and should have one number for each of the %d channels", shapeString(b), y.Dim(-1))
	}
	return y.Add(bias)
}

// ChannelsLast moves the second axis, PyTorch's channel axis, to the end, where these layers expect the channels.
type ChannelsLast struct{}

// Forward moves the channels. Shapes: [n c d...] -> [n d... c].
func (ChannelsLast) Forward(x *tarn.Value) *tarn.Value { return x.ChannelsLast() }

// ChannelsFirst moves the last axis to the second place. Before Flatten it produces the order of elements that a Linear
// trained in PyTorch expects.
type ChannelsFirst struct{}

// Forward moves the channels. Shapes: [n d... c] -> [n c d...].
func (ChannelsFirst) Forward(x *tarn.Value) *tarn.Value { return x.ChannelsFirst() }
