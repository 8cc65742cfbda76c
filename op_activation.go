package tarn

import (
	"math"

	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the activations: the elementwise functions that stand between the layers of a network. Most are
// compositions, which fusion makes fast. At every kink the derivative is PyTorch's. A branch that is not taken is computed
// at a harmless point, for its gradient is zero times a derivative there, and zero times infinity would be NaN.

// ReLU is max(v, 0); its derivative at 0 is 0. Equal to torch.nn.functional.relu. Shapes: any -> same.
func (v *Value) ReLU() *Value { return v.unary(scalar.ReLU) }

// LeakyReLU is v where v > 0, else slope*v; its derivative at 0 is slope. Equal to torch.nn.functional.leaky_relu, whose
// slope is 0.01 by default. Shapes: any -> same.
func (v *Value) LeakyReLU(slope float64) *Value { return v.binary(scalar.LeakyReLU, Num(slope)) }

// PReLU is v where v > 0, else slope*v, for slopes that are learned: a scalar, or one for each element of the last axis. Its derivative at 0 is
// the slope. Equal to torch.nn.functional.prelu, but for the place of the channels, which are the last axis here.
// He, Zhang, Ren and Sun: Delving deep into rectifiers (2015).
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) PReLU(slope Operand) *Value { return v.binary(scalar.LeakyReLU, slope) }

// ReLU6 is v limited to [0, 6]; its derivative at both ends is 0. Equal to torch.nn.functional.relu6. Shapes: any -> same.
func (v *Value) ReLU6() *Value { return v.Clip(Num(0), Num(6)) }

// ELU is v where v > 0, else alpha*(e^v - 1); its derivative at 0 is alpha. Equal to torch.nn.functional.elu, whose alpha
// is 1 by default. Clevert, Unterthiner and Hochreiter: Fast and accurate deep network learning by exponential linear
// units (2016). Shapes: any -> same.
func (v *Value) ELU(alpha float64) *Value { return v.elu(alpha, 1, 1) }

// SELU is scale*v where v > 0, else scale*alpha*(e^v - 1), with the constants at which a deep network keeps mean 0 and
// variance 1; its derivative at 0 is scale*alpha. Equal to torch.nn.functional.selu. Klambauer, Unterthiner, Mayr and
// Hochreiter: Self-normalizing neural networks (2017). Shapes: any -> same.
func (v *Value) SELU() *Value {
	const (
		alpha = 1.6732632423543772848170429916717
		scale = 1.0507009873554804934193349852946
	)
	return v.elu(alpha*scale, 1, scale)
}

// CELU is v where v > 0, else alpha*(e^(v/alpha) - 1), which has the derivative 1 at 0. Equal to torch.nn.functional.celu.
// Barron: Continuously differentiable exponential linear units (2017). Shapes: any -> same.
func (v *Value) CELU(alpha float64) *Value { return v.elu(alpha, 1/alpha, 1) }

// elu is slope*v where v > 0, else height*(e^(rate*v) - 1).
func (v *Value) elu(height, rate, slope float64) *Value {
	positive := v.Gt(Num(0))
	below := positive.branch(Num(0), v) // the exponential of a large v would overflow
	return positive.branch(v.scale(slope), below.scale(rate).Expm1().scale(height))
}

// scale is Scale, but v itself where x is 1.
func (v *Value) scale(x float64) *Value {
	if x == 1 {
		return v
	}
	return v.Scale(x)
}

// GELU is v*Phi(v), Phi the normal distribution function. Equal to torch.nn.functional.gelu.
// Hendrycks and Gimpel: Gaussian error linear units (2016). Shapes: any -> same.
func (v *Value) GELU() *Value { return v.unary(scalar.GELU) }

// GELUTanh is the approximation v/2 (1 + tanh(z)) of GELU with z = sqrt(2/pi) (v + 0.044715 v^3). Equal to
// torch.nn.functional.gelu with approximate="tanh". Shapes: any -> same.
func (v *Value) GELUTanh() *Value {
	// (1 + tanh z)/2 = sigmoid(2z), which keeps its digits where tanh is near -1.
	c := 2 * math.Sqrt(2/math.Pi)
	return v.Mul(v.Square().Scale(0.044715 * c).AddNum(c).Mul(v).Sigmoid())
}

// SiLU is v*sigmoid(v), also called swish. Equal to torch.nn.functional.silu. Shapes: any -> same.
func (v *Value) SiLU() *Value { return v.Mul(v.Sigmoid()) }

// Mish is v*tanh(log(1+e^v)). Equal to torch.nn.functional.mish.
// Misra: Mish, a self regularized non-monotonic activation function (2019). Shapes: any -> same.
func (v *Value) Mish() *Value { return v.Mul(v.Softplus().Tanh()) }

// HardSigmoid is (v+3)/6 limited to [0, 1]; its derivative on the bounds -3 and 3 is 0. Equal to
// torch.nn.functional.hardsigmoid. Shapes: any -> same.
func (v *Value) HardSigmoid() *Value {
	return v.Le(Num(-3)).branch(Num(0), v.Ge(Num(3)).branch(Num(1), v.AddNum(3).Scale(1.0/6)))
}

// HardSwish is v*HardSigmoid(v); its derivative is 0 at -3 and 1 at 3. Equal to torch.nn.functional.hardswish.
// Howard and others: Searching for MobileNetV3 (2019). Shapes: any -> same.
func (v *Value) HardSwish() *Value { return v.Mul(v.HardSigmoid()) }

// HardTanh is v limited to [lo, hi]; its derivative on the bounds is 0. Equal to torch.nn.functional.hardtanh, whose bounds
// are -1 and 1 by default, and to Clip with numbers. Shapes: any -> same.
func (v *Value) HardTanh(lo, hi float64) *Value { return v.Clip(Num(lo), Num(hi)) }

// Softsign is v/(1+|v|). Equal to torch.nn.functional.softsign. Shapes: any -> same.
func (v *Value) Softsign() *Value {
	below := v.Abs().AddNum(1)
	return WithGradient(v.Div(below), []*Value{v}, func(dy *Value) []*Value { return []*Value{dy.Div(below).Div(below)} })
}

// LogSigmoid is log(sigmoid(v)) = -log(1+e^-v), in a form that does not overflow. Equal to torch.nn.functional.logsigmoid.
//
// Shapes: any -> same.
func (v *Value) LogSigmoid() *Value { return v.Neg().Softplus().Neg() }

// GLU is the first half of an axis times the sigmoid of the second half. Equal to torch.nn.functional.glu.
// Dauphin, Fan, Auli and Grangier: Language modeling with gated convolutional networks (2017).
//
// Shapes: [... 2*d ...] -> [... d ...].
func (v *Value) GLU(axis int) *Value {
	v = v.orLost()
	if _, d, err := v.splitAxis(axis); !v.failed && (err != nil || d%2 != 0) {
		if err == nil {
			err = newProblem("axis %d has size %d and should have an even one", axis, d)
		}
		return v.graph.failAs("GLU", []*Value{v}, err)
	}
	halves := v.Chunk(axis, 2)
	if len(halves) != 2 {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	return halves[0].Mul(halves[1].Sigmoid())
}
