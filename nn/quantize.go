package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds FakeQuantize, which lets a network learn to live with numbers of few bits.

// FakeQuantize rounds elements to those that integers from Low to High can express, scale (q - zero point), and observes the range of the
// elements, from which scale and zero point follow. The gradient goes straight through the rounding, and is 0 beyond the range. Set it
// behind an activation, or as the Transform of a Linear or a Conv, whose weights it then rounds. Equal to torch.ao.quantization.FakeQuantize
// with a MinMaxObserver, a MovingAverageMinMaxObserver or the per-channel form of either, except that ranges are observed in training alone.
// Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference, CVPR 2018.
type FakeQuantize struct {
	Scale      *tarn.Param // [] or [channels]
	ZeroPoint  *tarn.Param // i32, likewise
	MinVal     *tarn.Param // the range observed, likewise
	MaxVal     *tarn.Param
	NumBatches *tarn.Param // i64 [], how many have been observed

	Observe  bool // in training the range is observed; else it stays
	Quantize bool // elements are rounded; else they stay, as while ranges are observed first

	options FakeQuantizeOptions
	wrong   mistake
}

// FakeQuantizeOptions says how elements are quantized.
type FakeQuantizeOptions struct {
	Low, High int  // the integers; both 0 means 0 and 255, or with Symmetric -128 and 127
	Symmetric bool // the range observed is as wide on both sides of 0, so that the zero point stays where it is
	Channels  int  // the size of an axis whose every index has a scale of its own; 0 for one scale
	Axis      int  // which axis that is: 0 of weights, -1 of activations
	// Average is the factor of a new range in the moving average, 0.01 in PyTorch; 0 means the range of all that was observed.
	Average float64
}

// NewFakeQuantize returns a layer that observes and quantizes. The zero value of the options is PyTorch's default_observer in 8 bits.
// {Symmetric: true, Channels: weight.Shape()[0]} is usual for weights, and {Average: 0.01} for activations.
func NewFakeQuantize(o FakeQuantizeOptions) *FakeQuantize {
	f := &FakeQuantize{Observe: true, Quantize: true, options: o}
	call := fmt.Sprintf("NewFakeQuantize(%+v)", o)
	if o.Low == 0 && o.High == 0 {
		f.options.High = 255
		if o.Symmetric {
			f.options.Low, f.options.High = -128, 127
		}
	}
	low, high := f.options.Low, f.options.High
	f.wrong.require(low < high && low <= 0 && high > 0 && low >= -1<<24 && high <= 1<<24, "%s: Low is %d and High %d: they should be different integers with 0 from one to the other, of at most 24 bits", call, low, high)
	f.wrong.require(o.Channels >= 0, "%s: Channels is %d and should be at least 1, or 0 for one scale", call, o.Channels)
	f.wrong.require(o.Average >= 0 && o.Average <= 1, "%s: Average is %v and should be from 0 to 1", call, o.Average)
	var shape []int
	if o.Channels > 0 {
		shape = []int{o.Channels}
	}
	f.Scale = tarn.NewState(tarn.F32, Ones(), shape...)
	f.ZeroPoint = tarn.NewState(tarn.I32, Constant(float64(f.options.middle())), shape...)
	f.MinVal, f.MaxVal = tarn.NewState(tarn.F32, Zeros(), shape...), tarn.NewState(tarn.F32, Zeros(), shape...)
	f.NumBatches = tarn.NewState(tarn.I64, Zeros())
	return f
}

// middle is the zero point of a symmetric range.
func (o FakeQuantizeOptions) middle() int {
	if o.Low < 0 || !o.Symmetric {
		return 0
	}
	return (o.Low + o.High) / 2
}

// Apply quantizes a weight, as a WeightTransform. Shapes: any -> same.
func (f *FakeQuantize) Apply(w *tarn.Value) *tarn.Value { return f.Forward(w) }

// Forward is scale (q - zero), with q = round(x/scale) + zero limited to Low and High, halves to even. Shapes: any -> same.
func (f *FakeQuantize) Forward(x *tarn.Value) *tarn.Value {
	if bad := f.check(x); bad != nil {
		return bad
	}
	g := x.Graph()
	scale, zero := f.Scale.Next(g), f.ZeroPoint.Next(g)
	observes := f.Observe && g.Training()
	var lo, hi *tarn.Value
	if observes {
		lo, hi = f.observed(x)
		scale, zero = f.parameters(lo, hi)
	}
	y := x
	if f.Quantize {
		y = f.rounded(x, scale, zero.Cast(x.DType()))
	}
	if observes {
		g.Attach(y, f.MinVal, lo)
		g.Attach(y, f.MaxVal, hi)
		g.Attach(y, f.Scale, scale)
		g.Attach(y, f.ZeroPoint, zero)
		g.Attach(y, f.NumBatches, f.NumBatches.Next(g).AddNum(1))
	}
	return y
}

// check reports an operand or a layer that makes no sense as a poisoned value; nil otherwise.
func (f *FakeQuantize) check(x *tarn.Value) *tarn.Value {
	const name = "FakeQuantize"
	if f == nil {
		return missing(name, x)
	}
	if bad := f.wrong.report(name, x); bad != nil {
		return bad
	}
	g, in, o := x.Graph(), []*tarn.Value{x}, f.options
	switch {
	case f.Scale == nil || f.ZeroPoint == nil || f.MinVal == nil || f.MaxVal == nil || f.NumBatches == nil:
		return g.Fail(name, in, "the layer lacks states: make it by NewFakeQuantize")
	case x.DType() != f.Scale.DType():
		return g.Fail(name, in, "the operand is %v and the states %v: Cast the operand, or tarn.Cast the model", x.DType(), f.Scale.DType())
	case x.Size() == 0:
		return g.Fail(name, in, "the operand has shape %s, with no elements to observe", shapeString(x.Shape()))
	case o.Channels > 0 && (o.Axis >= x.Rank() || o.Axis < -x.Rank() || x.Dim(o.Axis) != o.Channels):
		return g.Fail(name, in, "the operand has shape %s and should have the size %d at axis %d, whose every index has a scale of its own", shapeString(x.Shape()), o.Channels, o.Axis)
	}
	return nil
}

// observed is the range after that of x is taken into account.
func (f *FakeQuantize) observed(x *tarn.Value) (lo, hi *tarn.Value) {
	g, o := x.Graph(), f.options
	x = x.StopGradient()
	var axes []int
	for a := range x.Rank() {
		if o.Channels == 0 || a != (o.Axis+x.Rank())%x.Rank() {
			axes = append(axes, a)
		}
	}
	lo, hi = x, x
	if len(axes) > 0 {
		lo, hi = x.Min(axes...), x.Max(axes...)
	}
	was := [2]*tarn.Value{f.MinVal.Next(g), f.MaxVal.Next(g)}
	first := f.NumBatches.Next(g).Eq(tarn.Num(0))
	if o.Average == 0 {
		return first.Where(lo, was[0].Minimum(lo)), first.Where(hi, was[1].Maximum(hi))
	}
	average := func(was, now *tarn.Value) *tarn.Value {
		return first.Where(now, was.Add(now.Sub(was).Scale(o.Average)))
	}
	return average(was[0], lo), average(was[1], hi)
}

// parameters are the scale and the zero point of a range, which is widened to hold 0.
func (f *FakeQuantize) parameters(lo, hi *tarn.Value) (scale, zero *tarn.Value) {
	o := f.options
	steps := float64(o.High - o.Low)
	least := tarn.Num(math.Exp2(-23)) // the spacing of F32 at 1, as in PyTorch
	lo, hi = lo.Minimum(tarn.Num(0)), hi.Maximum(tarn.Num(0))
	if o.Symmetric {
		scale = lo.Neg().Maximum(hi).Div(tarn.Num(steps / 2)).Maximum(least)
		return scale, scale.Num(float64(o.middle())).Cast(tarn.I32).Expand(scale.Shape()...)
	}
	scale = hi.Sub(lo).Div(tarn.Num(steps)).Maximum(least)
	zero = lo.Div(scale).Round().Neg().AddNum(float64(o.Low)).Clip(tarn.Num(o.Low), tarn.Num(o.High))
	return scale, zero.Cast(tarn.I32)
}

// rounded rounds x, with the gradient of x itself within the range.
func (f *FakeQuantize) rounded(x, scale, zero *tarn.Value) *tarn.Value {
	o := f.options
	if o.Channels > 0 {
		shape := make([]int, x.Rank())
		for a := range shape {
			shape[a] = 1
		}
		shape[(o.Axis+x.Rank())%x.Rank()] = o.Channels
		scale, zero = scale.Reshape(shape...), zero.Reshape(shape...)
	}
	low, high := tarn.Num(o.Low), tarn.Num(o.High)
	q := x.Mul(scale.Reciprocal()).Round().Add(zero)
	y := q.Clip(low, high).Sub(zero).Mul(scale)
	return tarn.WithGradient(y, []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{q.Ge(low).And(q.Le(high)).Where(dy, tarn.Num(0))}
	})
}
