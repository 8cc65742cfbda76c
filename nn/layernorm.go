package nn

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds LayerNorm.

// LayerNorm normalizes the last axes to mean 0 and variance 1 and then scales and shifts each element. Equal to
// torch.nn.LayerNorm. The variance is computed in two passes, as the mean square of the distances from the mean, so that
// a mean far from 0 does not swamp it. The rounding error of the mean is subtracted as well.
// Ba, Kiros and Hinton, Layer normalization, 2016.
type LayerNorm struct {
	Weight *tarn.Param // the scale, of the shape of the axes normalized; nil for none
	Bias   *tarn.Param // the shift, likewise
	Eps    float64     // added to the variance
	Axes   int         // how many axes, the last ones, are normalized

	wrong mistake
}

// NewLayerNorm returns a normalization over last axes of the given sizes, usually one, with Eps 1e-5.
func NewLayerNorm(shape ...int) *LayerNorm {
	l := &LayerNorm{
		Weight: tarn.NewParam(tarn.F32, Ones(), shape...),
		Bias:   tarn.NewParam(tarn.F32, Zeros(), shape...),
		Eps:    1e-5,
		Axes:   len(shape),
	}
	l.wrong.sizes(fmt.Sprintf("NewLayerNorm(%v)", shape), []string{"a size"}, shape...)
	return l
}

// Forward is (x - mean)/sqrt(variance + Eps) Weight + Bias. Shapes: [d... shape...] -> same.
func (l *LayerNorm) Forward(x *tarn.Value) *tarn.Value {
	if l == nil {
		return missing("LayerNorm", x)
	}
	if bad := l.wrong.report("LayerNorm", x); bad != nil {
		return bad
	}
	if bad := badEps("LayerNorm", x, l.Eps); bad != nil {
		return bad
	}
	g, in := x.Graph(), []*tarn.Value{x}
	if !x.DType().IsFloat() {
		return g.Fail("LayerNorm", in, "the operand is %v and should be f32 or f64", x.DType())
	}
	if l.Axes < 1 || l.Axes > x.Rank() {
		return g.Fail("LayerNorm", in, "%d axes should be normalized and the operand has shape %s", l.Axes, shapeString(x.Shape()))
	}
	for _, p := range []*tarn.Param{l.Weight, l.Bias} {
		if p != nil && (p.Tensor().Rank() != l.Axes || !endsWith(x.Shape(), p.Shape())) {
			return g.Fail("LayerNorm", append(in, p.Value(g)), "the operand has shape %s and should end with %s", shapeString(x.Shape()), shapeString(p.Shape()))
		}
		if p != nil && p.DType() != x.DType() {
			return g.Fail("LayerNorm", append(in, p.Value(g)), "the operand is %v and the weights %v: Cast the operand, or tarn.Cast the model", x.DType(), p.DType())
		}
	}
	axes := make([]int, l.Axes)
	for i := range axes {
		axes[i] = i - l.Axes
	}
	y := standardize(x, l.Eps, axes)
	if l.Weight != nil {
		y = y.Mul(l.Weight)
	}
	if l.Bias != nil {
		y = y.Add(l.Bias)
	}
	return y
}

// standardize is (x - mean)/sqrt(variance + eps) over the axes. The mean m of x is rounded, by 0.0005 where it is 10000 in
// f32; c = x - m is exact then, and its own mean d, found along with its squares, is what rounding has left:
// variance = mean(c^2) - d^2.
//
// The gradient of the composition would go through both means. With y the result and r = 1/sqrt(variance + eps) it is
// dx = r (dy - mean(dy) - y mean(dy y)).
func standardize(x *tarn.Value, eps float64, axes []int) *tarn.Value {
	wide := func(v *tarn.Value) *tarn.Value { return v.Unsqueeze(axes...) }
	c := x.Sub(wide(x.Mean(axes...)))
	d := c.Mean(axes...)
	r := wide(c.Square().Mean(axes...).Sub(d.Square()).AddNum(eps).Rsqrt())
	var y *tarn.Value
	y = tarn.WithGradient(c.Sub(wide(d)).Mul(r), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value {
		return []*tarn.Value{r.Mul(dy.Sub(wide(dy.Mean(axes...))).Sub(y.Mul(wide(dy.Mul(y).Mean(axes...)))))}
	})
	return y
}
