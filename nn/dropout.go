package nn

import "github.com/seed-49005b45/tarn"

// This file holds Dropout, which is active in training only.

// Dropout sets each element to 0 with probability P, drawn again in every step, and divides the rest by 1-P, so that their
// expectation does not change. In evaluation mode (see tarn.Graph.Eval) it is the identity. Equal to torch.nn.Dropout.
// Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
type Dropout struct{ P float64 }

// NewDropout returns a dropout layer.
func NewDropout(p float64) *Dropout { return &Dropout{p} }

// Forward drops elements of x. Shapes: any -> same.
func (d *Dropout) Forward(x *tarn.Value) *tarn.Value {
	if d == nil {
		return missing("Dropout", x)
	}
	g := x.Graph()
	switch {
	case !(d.P >= 0 && d.P <= 1):
		return g.Fail("Dropout", []*tarn.Value{x}, "P is %v and should be from 0 to 1", d.P)
	case !x.DType().IsFloat():
		return g.Fail("Dropout", []*tarn.Value{x}, "the operand is %v and should be f32 or f64", x.DType())
	case !g.Training() || d.P == 0:
		return x
	case d.P == 1:
		return x.Num(0).Expand(x.Shape()...)
	}
	return keepIf(g.Bernoulli(tarn.Num(1-d.P), x.Shape()...), x.Scale(1/(1-d.P)))
}
