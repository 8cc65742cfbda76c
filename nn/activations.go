package nn

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the activations as layers, for Sequential and for models that are given one. They have no weights. The
// derivative chosen at each kink stands with the ops of package tarn that they call.

// ReLU is max(x, 0).
type ReLU struct{}

// Forward applies it. Shapes: any -> same.
func (ReLU) Forward(x *tarn.Value) *tarn.Value { return x.ReLU() }

// ReLU6 is x limited to [0, 6]. Equal to torch.nn.ReLU6.
type ReLU6 struct{}

// Forward applies it. Shapes: any -> same.
func (ReLU6) Forward(x *tarn.Value) *tarn.Value { return x.ReLU6() }

// Sigmoid is 1/(1+e^-x).
type Sigmoid struct{}

// Forward applies it. Shapes: any -> same.
func (Sigmoid) Forward(x *tarn.Value) *tarn.Value { return x.Sigmoid() }

// Tanh is the hyperbolic tangent.
type Tanh struct{}

// Forward applies it. Shapes: any -> same.
func (Tanh) Forward(x *tarn.Value) *tarn.Value { return x.Tanh() }

// LeakyReLU is x where x > 0, else Slope x. A Slope of 0 means 0.01, PyTorch's default; the layer with a slope of 0 is ReLU.
type LeakyReLU struct{ Slope float64 }

// Forward applies it. Shapes: any -> same.
func (a LeakyReLU) Forward(x *tarn.Value) *tarn.Value {
	if bad := badSetting("LeakyReLU", x, "Slope", a.Slope); bad != nil {
		return bad
	}
	return x.LeakyReLU(a.slope())
}

// badSetting reports a setting that is not finite, or negative, as a poisoned value; nil otherwise.
func badSetting(layer string, x *tarn.Value, name string, setting float64) *tarn.Value {
	if setting >= 0 && !math.IsInf(setting, 1) {
		return nil
	}
	return x.Graph().Fail(layer, []*tarn.Value{x}, "%s is %v and should be finite and not negative", name, setting)
}

func (a LeakyReLU) slope() float64 {
	if a.Slope == 0 {
		return 0.01
	}
	return a.Slope
}

// ELU is x where x > 0, else Alpha (e^x - 1). An Alpha of 0 means 1.
type ELU struct{ Alpha float64 }

// Forward applies it. Shapes: any -> same.
func (a ELU) Forward(x *tarn.Value) *tarn.Value {
	if bad := badSetting("ELU", x, "Alpha", a.Alpha); bad != nil {
		return bad
	}
	return x.ELU(orOne(a.Alpha))
}

// SELU is ELU with the scale at which deep networks keep mean 0 and variance 1.
type SELU struct{}

// Forward applies it. Shapes: any -> same.
func (SELU) Forward(x *tarn.Value) *tarn.Value { return x.SELU() }

// CELU is x where x > 0, else Alpha (e^(x/Alpha) - 1). An Alpha of 0 means 1.
type CELU struct{ Alpha float64 }

// Forward applies it. Shapes: any -> same.
func (a CELU) Forward(x *tarn.Value) *tarn.Value {
	if bad := badSetting("CELU", x, "Alpha", a.Alpha); bad != nil {
		return bad
	}
	return x.CELU(orOne(a.Alpha))
}

// GELU is x Phi(x), Phi the normal distribution function.
type GELU struct{}

// Forward applies it. Shapes: any -> same.
func (GELU) Forward(x *tarn.Value) *tarn.Value { return x.GELU() }

// GELUTanh is the approximation of GELU by a tanh.
type GELUTanh struct{}

// Forward applies it. Shapes: any -> same.
func (GELUTanh) Forward(x *tarn.Value) *tarn.Value { return x.GELUTanh() }

// SiLU is x sigmoid(x), also called swish.
type SiLU struct{}

// Forward applies it. Shapes: any -> same.
func (SiLU) Forward(x *tarn.Value) *tarn.Value { return x.SiLU() }

// Mish is x tanh(softplus(x)).
type Mish struct{}

// Forward applies it. Shapes: any -> same.
func (Mish) Forward(x *tarn.Value) *tarn.Value { return x.Mish() }

// HardSigmoid is (x+3)/6 limited to [0, 1].
type HardSigmoid struct{}

// Forward applies it. Shapes: any -> same.
func (HardSigmoid) Forward(x *tarn.Value) *tarn.Value { return x.HardSigmoid() }

// HardSwish is x HardSigmoid(x).
type HardSwish struct{}

// Forward applies it. Shapes: any -> same.
func (HardSwish) Forward(x *tarn.Value) *tarn.Value { return x.HardSwish() }

// HardTanh is x limited to [-1, 1].
type HardTanh struct{}

// Forward applies it. Shapes: any -> same.
func (HardTanh) Forward(x *tarn.Value) *tarn.Value { return x.HardTanh(-1, 1) }

// Softsign is x/(1+|x|).
type Softsign struct{}

// Forward applies it. Shapes: any -> same.
func (Softsign) Forward(x *tarn.Value) *tarn.Value { return x.Softsign() }

// Softplus is log(1+e^(Beta x))/Beta. Equal to torch.nn.Softplus, but for the default threshold, which is 20 there.
type Softplus struct {
	Beta      float64 // 0 means 1
	Threshold float64 // x itself where Beta x is above; 0 means none, which is exact and finite too
}

// Forward applies it. Shapes: any -> same.
func (a Softplus) Forward(x *tarn.Value) *tarn.Value {
	for _, s := range []struct {
		name  string
		value float64
	}{{"Beta", a.Beta}, {"Threshold", a.Threshold}} {
		if bad := badSetting("Softplus", x, s.name, s.value); bad != nil {
			return bad
		}
	}
	y, beta := x, orOne(a.Beta)
	if beta != 1 {
		y = y.Scale(beta)
	}
	y = y.Softplus()
	if beta != 1 {
		y = y.Scale(1 / beta)
	}
	if a.Threshold == 0 {
		return y
	}
	return choose(x.Gt(tarn.Num(a.Threshold/beta)), x, y)
}

// Softmax is e^x divided by its sum along the last axis. A CrossEntropy loss takes logits, without it.
type Softmax struct{}

// Forward applies it. Shapes: any with an axis -> same.
func (Softmax) Forward(x *tarn.Value) *tarn.Value { return x.Softmax(-1) }

// LogSoftmax is log(Softmax(x)) along the last axis.
type LogSoftmax struct{}

// Forward applies it. Shapes: any with an axis -> same.
func (LogSoftmax) Forward(x *tarn.Value) *tarn.Value { return x.LogSoftmax(-1) }

// Identity is x. Equal to torch.nn.Identity.
type Identity struct{}

// Forward returns x. Shapes: any -> same.
func (Identity) Forward(x *tarn.Value) *tarn.Value { return x }
