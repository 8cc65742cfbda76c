package nn

import "github.com/seed-49005b45/tarn"

// This file holds LayerNorm.

// LayerNorm brings the last axes to mean 0 and variance 1 and then scales and shifts each element. Equal to
// torch.nn.LayerNorm. The variance is the mean square of what is left after the mean is taken away, in two passes, so that
// a mean far from 0 does not swamp it.
// Ba, Kiros and Hinton, Layer normalization, 2016.
type LayerNorm struct {
	Weight *tarn.Param // the scale, of the shape of the axes normalised; nil for none
	Bias   *tarn.Param // the shift, likewise
	Eps    float64     // added to the variance
	Axes   int         // how many axes, the last ones, are normalised
}

// NewLayerNorm returns a normalisation over last axes of the given sizes, usually one, with Eps 1e-5.
func NewLayerNorm(shape ...int) *LayerNorm {
	return &LayerNorm{
		Weight: tarn.NewParam(tarn.F32, Ones(), shape...),
		Bias:   tarn.NewParam(tarn.F32, Zeros(), shape...),
		Eps:    1e-5,
		Axes:   len(shape),
	}
}

// Forward is (x - mean)/sqrt(variance + Eps) Weight + Bias. Shapes: [d... shape...] -> same.
func (l *LayerNorm) Forward(x *tarn.Value) *tarn.Value {
	g, in := x.Graph(), []*tarn.Value{x}
	if !x.DType().IsFloat() {
		return g.Fail("LayerNorm", in, "the operand is %v and should be f32 or f64", x.DType())
	}
	if l.Axes < 1 || l.Axes > x.Rank() {
		return g.Fail("LayerNorm", in, "%d axes should be normalised and the operand has shape %s", l.Axes, shapeString(x.Shape()))
	}
	for _, p := range []*tarn.Param{l.Weight, l.Bias} {
		if p != nil && (p.Tensor().Rank() != l.Axes || !endsWith(x.Shape(), p.Shape())) {
			return g.Fail("LayerNorm", append(in, p.Value(g)), "the operand has shape %s and should end with %s", shapeString(x.Shape()), shapeString(p.Shape()))
		}
		if p != nil && p.DType() != x.DType() {
			return g.Fail("LayerNorm", append(in, p.Value(g)), "the operand is %v and the weights %v: Cast the operand, or tarn.Convert the model", x.DType(), p.DType())
		}
	}
	axes := make([]int, l.Axes)
	for i := range axes {
		axes[i] = i - l.Axes
	}
	c := x.Sub(x.Mean(axes...).Unsqueeze(axes...))
	y := c.Mul(c.Square().Mean(axes...).AddNum(l.Eps).Rsqrt().Unsqueeze(axes...))
	if l.Weight != nil {
		y = y.Mul(l.Weight)
	}
	if l.Bias != nil {
		y = y.Add(l.Bias)
	}
	return y
}
