package nn

import "github.com/seed-49005b45/tarn"

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
