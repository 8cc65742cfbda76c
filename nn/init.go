package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the initializers. Each draws from the stream of random numbers of its parameter, which is keyed by the
// seed and the parameter's path. All variances are chosen so that signals, or gradients, keep their size from layer to layer.

// Zeros fills with 0.
func Zeros() tarn.Initializer { return Constant(0) }

// Ones fills with 1.
func Ones() tarn.Initializer { return Constant(1) }

// Constant fills with c.
func Constant(c float64) tarn.Initializer {
	fill := func(t *tarn.Tensor, r *tarn.Random) {
		for i := range t.Size() {
			t.SetFloat(i, c)
		}
	}
	if !finite(c) {
		return fill
	}
	return inRange(math.Abs(c), fill, "Constant(%v)", c)
}

// Uniform draws from the uniform distribution on [lo, hi).
func Uniform(lo, hi float64) tarn.Initializer {
	if !(lo <= hi) || !finite(hi-lo) {
		return broken("Uniform(%v, %v): the bounds should be finite numbers, the lower one first", lo, hi)
	}
	return inRange(max(-lo, hi), func(t *tarn.Tensor, r *tarn.Random) { r.Uniform(t, lo, hi) }, "Uniform(%v, %v)", lo, hi)
}

// Normal draws from the normal distribution.
func Normal(mean, std float64) tarn.Initializer {
	if !finite(mean) || !scale(std) {
		return broken("Normal(%v, %v): the mean should be a finite number, and the standard deviation one from 0 up", mean, std)
	}
	return inRange(math.Abs(mean)+farthest*std, func(t *tarn.Tensor, r *tarn.Random) { r.Normal(t, mean, std) }, "Normal(%v, %v)", mean, std)
}

// TruncatedNormal draws from the normal distribution conditioned to lie within cut standard deviations of the mean; 2 is
// usual. Equal in distribution to torch.nn.init.trunc_normal_ with a = mean - cut*std, b = mean + cut*std.
func TruncatedNormal(mean, std, cut float64) tarn.Initializer {
	if !finite(mean) || !scale(std) || !scale(cut) || cut == 0 {
		return broken("TruncatedNormal(%v, %v, %v): the mean should be a finite number, the standard deviation one from 0 up, and the cut one above 0", mean, std, cut)
	}
	return inRange(math.Abs(mean)+farthest*std, func(t *tarn.Tensor, r *tarn.Random) { r.TruncatedNormal(t, mean, std, cut) }, "TruncatedNormal(%v, %v, %v)", mean, std, cut)
}

// Fan says which count of connections of a weight an initializer divides by.
type Fan int

const (
	FanIn  Fan = iota // the inputs that each output sums: keeps the size of signals in the forward pass
	FanOut            // the outputs that each input reaches: keeps the size of gradients in the backward pass
)

// Fans counts the connections of a weight of the given shape, [out in] for a linear layer and [out in k...] for a
// convolution, as PyTorch does. A weight of one axis, which PyTorch refuses, counts its size for both.
func Fans(shape []int) (in, out int) {
	switch len(shape) {
	case 0:
		return 1, 1
	case 1:
		return shape[0], shape[0]
	}
	field := 1
	for _, k := range shape[2:] {
		field *= k
	}
	return shape[1] * field, shape[0] * field
}

// Gain is the factor by which the standard deviation of weights in front of an activation should grow to make up for
// what the activation takes away: sqrt(2) for ReLU, sqrt(2/(1+slope^2)) for LeakyReLU, 5/3 for Tanh, 3/4 for SELU and 1
// for every other. Equal to torch.nn.init.calculate_gain.
func Gain(activation Layer) float64 {
	switch a := activation.(type) {
	case ReLU:
		return math.Sqrt2
	case LeakyReLU:
		return math.Sqrt(2 / (1 + a.slope()*a.slope()))
	case Tanh:
		return 5.0 / 3
	case SELU:
		return 0.75
	}
	return 1
}

// XavierUniform draws uniformly with the variance gain^2 * 2/(fan_in + fan_out).
// Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
func XavierUniform(gain float64) tarn.Initializer {
	return scaledUniform("XavierUniform", gain, meanFan)
}

// XavierNormal draws from the normal distribution of mean 0 and variance gain^2 * 2/(fan_in + fan_out).
// Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
func XavierNormal(gain float64) tarn.Initializer { return scaledNormal("XavierNormal", gain, meanFan) }

// KaimingUniform draws uniformly with the variance gain^2/fan; gain is usually Gain(ReLU{}).
// He et al., Delving deep into rectifiers, ICCV 2015.
func KaimingUniform(fan Fan, gain float64) tarn.Initializer {
	return scaledUniform("KaimingUniform", gain, fan.of)
}

// KaimingNormal draws from the normal distribution of mean 0 and variance gain^2/fan; gain is usually Gain(ReLU{}).
// He et al., Delving deep into rectifiers, ICCV 2015.
func KaimingNormal(fan Fan, gain float64) tarn.Initializer {
	return scaledNormal("KaimingNormal", gain, fan.of)
}

// LeCunUniform draws uniformly with the variance 1/fan_in.
// LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998.
func LeCunUniform() tarn.Initializer { return scaledUniform("LeCunUniform", 1, FanIn.of) }

// LeCunNormal draws from the normal distribution of mean 0 and variance 1/fan_in, as networks of SELU expect. It is not
// truncated, unlike JAX's lecun_normal.
// LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998; Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
func LeCunNormal() tarn.Initializer { return scaledNormal("LeCunNormal", 1, FanIn.of) }

func (f Fan) of(shape []int) float64 {
	in, out := Fans(shape)
	if f == FanOut {
		return float64(out)
	}
	return float64(in)
}

func meanFan(shape []int) float64 {
	in, out := Fans(shape)
	return float64(in+out) / 2
}

// scaledNormal has the variance gain^2/fan.
func scaledNormal(name string, gain float64, fan func(shape []int) float64) tarn.Initializer {
	if !scale(gain) {
		return broken(badGain, name, gain)
	}
	return inRange(2*farthest*gain, func(t *tarn.Tensor, r *tarn.Random) { // a fan is at least 1/2
		if n := fan(t.Shape()); n > 0 {
			r.Normal(t, 0, gain/math.Sqrt(n))
		}
	}, "%s with the gain %v", name, gain)
}

// scaledUniform has the variance gain^2/fan: a uniform distribution on ±b has the variance b^2/3.
func scaledUniform(name string, gain float64, fan func(shape []int) float64) tarn.Initializer {
	if !scale(gain) {
		return broken(badGain, name, gain)
	}
	return inRange(farthest*gain, func(t *tarn.Tensor, r *tarn.Random) {
		if n := fan(t.Shape()); n > 0 {
			b := gain * math.Sqrt(3/n)
			r.Uniform(t, -b, b)
		}
	}, "%s with the gain %v", name, gain)
}

const badGain = "%s: the gain is %v and should be a finite number from 0 up"

// broken is the initializer whose arguments make no sense.
func broken(format string, args ...any) tarn.Initializer {
	err := fmt.Errorf("nn: "+format, args...)
	return func(t *tarn.Tensor, r *tarn.Random) { r.Fail(err) }
}

// inRange is the initializer fill, whose numbers are finite and no larger than the given one. It fails if a number is beyond the range of the param's
// dtype, as with a standard deviation of 1e300 in F32.
func inRange(largest float64, fill tarn.Initializer, format string, args ...any) tarn.Initializer {
	return func(t *tarn.Tensor, r *tarn.Random) {
		fill(t, r)
		within := true
		switch {
		case t.DType() == tarn.F32 && !(largest < math.MaxFloat32):
			within = !slices.ContainsFunc(t.F32(), func(x float32) bool { return x-x != 0 })
		case t.DType() == tarn.F64 && !(largest < math.MaxFloat64):
			within = !slices.ContainsFunc(t.F64(), func(x float64) bool { return x-x != 0 })
		}
		if !within {
			r.Fail(fmt.Errorf("nn: "+format+": the numbers are beyond the range of %v; use smaller ones", append(args, t.DType())...))
		}
	}
}

// farthest is the number of standard deviations beyond which no number is drawn.
const farthest = 40

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// scale reports whether x can be a standard deviation or a gain.
func scale(x float64) bool { return finite(x) && x >= 0 }
