package nn

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds pooling, as layers over the ops of the same names. Images have their channels last.

// MaxPool is the largest element of each window. Equal to torch.nn.MaxPool1d to MaxPool3d.
type MaxPool struct {
	Size        []int // of the window: a number for each spatial axis, or one for all
	tarn.Window       // the stride is the size by default
}

// NewMaxPool returns a pooling by adjacent windows of the given size.
func NewMaxPool(size ...int) *MaxPool { return &MaxPool{Size: size} }

// Forward pools x. Shapes: [n d... c] -> [n places... c].
func (p *MaxPool) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("MaxPool", x)
	}
	return x.MaxPool(p.Size, p.Window)
}

// Indices is Forward, and returns where in the image each element of the result comes from, for MaxUnpool: see tarn.Value.MaxPoolIndices.
//
// Shapes: [n d... c] -> [n places... c], i64 [n places... c].
func (p *MaxPool) Indices(x *tarn.Value) (y, indices *tarn.Value) {
	if p == nil {
		bad := missing("MaxPool.Indices", x)
		return bad, bad
	}
	return x.MaxPoolIndices(p.Size, p.Window)
}

// MaxUnpool puts elements back to where MaxPool has found them, in an image of zeros. Equal to torch.nn.MaxUnpool1d to MaxUnpool3d.
type MaxUnpool struct {
	Size    []int // of the window: a number for each spatial axis, or one for all
	Stride  []int // the stride of the pooling; the size by default
	Padding []int // the padding of the pooling; 0 by default
}

// NewMaxUnpool returns the reverse of a pooling by adjacent windows of the given size.
func NewMaxUnpool(size ...int) *MaxUnpool { return &MaxUnpool{Size: size} }

// Forward puts the elements of x at the indices, which MaxPool.Indices returns. Several sizes of an image may pool to one; without a size, a number for
// each spatial axis, it is (places-1)*stride - 2*padding + window.
//
// Shapes: [n places... c], indices [n places... c] -> [n size... c].
func (p *MaxUnpool) Forward(x, indices *tarn.Value, size ...int) *tarn.Value {
	if p == nil {
		return missing("MaxUnpool", x)
	}
	axes, failed := spatialAxes("MaxUnpool", x)
	if failed != nil {
		return failed
	}
	if len(size) > 0 {
		return x.MaxUnpool(indices, size...)
	}
	g, in := x.Graph(), []*tarn.Value{x, indices}
	lists := []struct {
		name  string
		list  []int
		least int
	}{{"Size", p.Size, 1}, {"Stride", p.Stride, 1}, {"Padding", p.Padding, 0}}
	for i, l := range lists {
		if i > 0 && len(l.list) == 0 {
			continue
		}
		if len(l.list) != 1 && len(l.list) != len(axes) || slices.Min(l.list) < l.least || slices.Max(l.list) > 1<<30 {
			return g.Fail("MaxUnpool", in, "%s is %v and should have one number, or %d, one for each spatial axis, of at least %d", l.name, l.list, len(axes), l.least)
		}
	}
	at := func(list []int, i, usual int) int {
		if len(list) == 0 {
			return usual
		}
		return list[min(i, len(list)-1)]
	}
	for i, a := range axes {
		window := at(p.Size, i, 1)
		size = append(size, (x.Dim(a)-1)*at(p.Stride, i, window)-2*at(p.Padding, i, 0)+window)
	}
	return x.MaxUnpool(indices, size...)
}

// AvgPool is the mean of each window. Equal to torch.nn.AvgPool1d to AvgPool3d.
type AvgPool struct {
	Size         []int // of the window: a number for each spatial axis, or one for all
	tarn.Window        // the stride is the size by default
	CountPadding bool  // padding counts as elements that are 0
}

// NewAvgPool returns a pooling by adjacent windows of the given size, with CountPadding as in PyTorch.
func NewAvgPool(size ...int) *AvgPool { return &AvgPool{Size: size, CountPadding: true} }

// Forward pools x. Shapes: [n d... c] -> [n places... c].
func (p *AvgPool) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("AvgPool", x)
	}
	return x.AvgPool(p.Size, p.Window, p.CountPadding)
}

// LpPool is (sum x^P)^(1/P) over each window. Equal to torch.nn.LPPool1d to LPPool3d.
type LpPool struct {
	P           float64
	Size        []int // of the window: a number for each spatial axis, or one for all
	tarn.Window       // the stride is the size by default
}

// NewLpPool returns a pooling of power p by adjacent windows of the given size.
func NewLpPool(p float64, size ...int) *LpPool { return &LpPool{P: p, Size: size} }

// Forward pools x. Shapes: [n d... c] -> [n places... c].
func (p *LpPool) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("LpPool", x)
	}
	return x.LpPool(p.P, p.Size, p.Window)
}

// AdaptiveAvgPool averages such that the result has the given spatial sizes. Equal to torch.nn.AdaptiveAvgPool1d to
// AdaptiveAvgPool3d.
type AdaptiveAvgPool struct {
	Size []int // of the result: a number for each spatial axis, or one for all
}

// NewAdaptiveAvgPool returns a pooling to the given sizes.
func NewAdaptiveAvgPool(size ...int) *AdaptiveAvgPool { return &AdaptiveAvgPool{size} }

// Forward pools x. Shapes: [n d... c] -> [n size... c].
func (p *AdaptiveAvgPool) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("AdaptiveAvgPool", x)
	}
	return x.AdaptiveAvgPool(p.Size...)
}

// AdaptiveMaxPool takes the largest elements such that the result has the given spatial sizes. Equal to torch.nn.AdaptiveMaxPool1d to
// AdaptiveMaxPool3d.
type AdaptiveMaxPool struct {
	Size []int // of the result: a number for each spatial axis, or one for all
}

// NewAdaptiveMaxPool returns a pooling to the given sizes.
func NewAdaptiveMaxPool(size ...int) *AdaptiveMaxPool { return &AdaptiveMaxPool{size} }

// Forward pools x. Shapes: [n d... c] -> [n size... c].
func (p *AdaptiveMaxPool) Forward(x *tarn.Value) *tarn.Value {
	if p == nil {
		return missing("AdaptiveMaxPool", x)
	}
	return x.AdaptiveMaxPool(p.Size...)
}

// Indices is Forward, and returns where in the image each element of the result comes from.
//
// Shapes: [n d... c] -> [n size... c], i64 [n size... c].
func (p *AdaptiveMaxPool) Indices(x *tarn.Value) (y, indices *tarn.Value) {
	if p == nil {
		bad := missing("AdaptiveMaxPool.Indices", x)
		return bad, bad
	}
	return x.AdaptiveMaxPoolIndices(p.Size...)
}

// GlobalAvgPool is the mean of each channel over all spatial axes, which it drops.
type GlobalAvgPool struct{}

// Forward pools x. Shapes: [n d... c] -> [n c].
func (GlobalAvgPool) Forward(x *tarn.Value) *tarn.Value {
	axes, failed := spatialAxes("GlobalAvgPool", x)
	if failed != nil {
		return failed
	}
	return x.Mean(axes...)
}

// GlobalMaxPool is the largest element of each channel over all spatial axes, which it drops. Elements that share the
// largest value share the gradient evenly, as in torch.amax.
type GlobalMaxPool struct{}

// Forward pools x. Shapes: [n d... c] -> [n c].
func (GlobalMaxPool) Forward(x *tarn.Value) *tarn.Value {
	axes, failed := spatialAxes("GlobalMaxPool", x)
	if failed != nil {
		return failed
	}
	return x.Max(axes...)
}

func spatialAxes(name string, x *tarn.Value) (axes []int, failed *tarn.Value) {
	if x.Rank() < 3 {
		return nil, x.Graph().Fail(name, []*tarn.Value{x}, "the operand has shape %s and should have a batch axis, spatial axes and a channel axis", shapeString(x.Shape()))
	}
	for a := 1; a < x.Rank()-1; a++ {
		axes = append(axes, a)
	}
	return axes, nil
}

// Upsample makes each spatial axis Scale times as long. Equal to torch.nn.Upsample with an integer scale_factor and the mode
// "nearest", or if Linear is set "linear", "bilinear" or "trilinear".
type Upsample struct {
	Scale        int
	Linear       bool
	AlignCorners bool // with Linear: the ends of axes stay where they are
}

// NewUpsample returns an up-sampling that repeats elements.
func NewUpsample(scale int) *Upsample { return &Upsample{Scale: scale} }

// Forward resizes x. Shapes: [n d... c] -> [n d*scale... c].
func (u *Upsample) Forward(x *tarn.Value) *tarn.Value {
	if u == nil {
		return missing("Upsample", x)
	}
	axes, failed := spatialAxes("Upsample", x)
	if failed != nil {
		return failed
	}
	if u.Scale < 1 || u.Scale > 1<<16 {
		return x.Graph().Fail("Upsample", []*tarn.Value{x}, "Scale is %d and should be at least 1", u.Scale)
	}
	size := make([]int, len(axes))
	for i, a := range axes {
		size[i] = x.Dim(a) * u.Scale
	}
	if u.Linear {
		return x.ResizeLinear(u.AlignCorners, size...)
	}
	// Each axis d becomes d and Scale equal elements: only views until the copy that makes one axis of both.
	var split, wide []int
	for a, d := range x.Shape() {
		split, wide = append(split, d), append(wide, d)
		if a > 0 && a < x.Rank()-1 {
			split, wide = append(split, 1), append(wide, u.Scale)
		}
	}
	return x.Reshape(split...).Expand(wide...).Reshape(append(append([]int{x.Dim(0)}, size...), x.Dim(-1))...)
}

// PixelShuffle makes an image R times as high and as wide from R*R times as many channels. Equal to torch.nn.PixelShuffle.
type PixelShuffle struct{ R int }

// Forward shuffles x. Shapes: [n h w c*r*r] -> [n h*r w*r c].
func (p PixelShuffle) Forward(x *tarn.Value) *tarn.Value { return x.PixelShuffle(p.R) }
