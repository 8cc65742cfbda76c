package nn

import "github.com/seed-49005b45/tarn"

// This file holds the variants of Dropout that drop larger pieces: whole channels, and whole branches of a network.

// Dropout2d sets whole channels of each example to 0 with probability P, drawn again in every training step, and divides the rest by
// 1-P. Equal to torch.nn.Dropout1d to Dropout3d, except that the channels are the last axis.
// Tompson et al., Efficient object localization using convolutional networks, CVPR 2015.
type Dropout2d struct{ P float64 }

// NewDropout2d returns a dropout of channels.
func NewDropout2d(p float64) *Dropout2d { return &Dropout2d{p} }

// Forward drops channels of x. Shapes: [n d... c] -> same.
func (d *Dropout2d) Forward(x *tarn.Value) *tarn.Value {
	if d == nil {
		return missing("Dropout2d", x)
	}
	return dropPieces("Dropout2d", x, d.P, func(axis int) bool { return axis == 0 || axis == x.Rank()-1 })
}

// DropPath sets whole examples to 0 with probability P, drawn again in every training step, and divides the rest by 1-P. At the end
// of the branch of a residual block it drops the branch: stochastic depth.
// Huang et al., Deep networks with stochastic depth, ECCV 2016; equal to torchvision.ops.stochastic_depth with mode "row".
type DropPath struct{ P float64 }

// NewDropPath returns a dropout of branches.
func NewDropPath(p float64) *DropPath { return &DropPath{p} }

// Forward drops examples of x. Shapes: [n d...] -> same.
func (d *DropPath) Forward(x *tarn.Value) *tarn.Value {
	if d == nil {
		return missing("DropPath", x)
	}
	return dropPieces("DropPath", x, d.P, func(axis int) bool { return axis == 0 })
}

// dropPieces drops all elements together that share an index along the axes for which own returns true.
func dropPieces(name string, x *tarn.Value, p float64, own func(axis int) bool) *tarn.Value {
	g := x.Graph()
	switch {
	case !(p >= 0 && p <= 1):
		return g.Fail(name, []*tarn.Value{x}, "P is %v and should be from 0 to 1", p)
	case !x.DType().IsFloat():
		return g.Fail(name, []*tarn.Value{x}, "the operand is %v and should be f32 or f64", x.DType())
	case !g.Training() || p == 0:
		return x
	case p == 1:
		return x.Num(0).Expand(x.Shape()...)
	}
	shape := x.Shape()
	for a := range shape {
		if !own(a) {
			shape[a] = 1
		}
	}
	factor := g.Bernoulli(tarn.Num(1-p), shape...).Where(x.Num(1/(1-p)), x.Num(0))
	return x.Mul(factor)
}
