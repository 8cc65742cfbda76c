package onnx

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Fourier transforms and windows of signals.

func signalOperators() {
	registerSet("DFT", []int{1, 2}, func(c *call) []*value { return c.dft() })
	registerSet("STFT", []int{1, 2, 3}, func(c *call) []*value { return c.stft() })
	window := func(name string, a, b, d float64) {
		registerOwn(name, func(c *call) []*value {
			n := int(c.known(0, "the length").Float(0))
			elem := elemType(c.int("output_datatype", typeFloat))
			dtype, ok := elem.carrier()
			if !ok {
				failf("the type %v is not supported", elem)
			}
			t := c.zeros(dtype, []int{n})
			period := float64(n)
			if c.int("periodic", 1) == 0 {
				period--
			}
			for i := range n {
				x := 2 * math.Pi * float64(i) / period
				t.SetFloat(i, a-b*math.Cos(x)+d*math.Cos(2*x))
			}
			return host(elem, t)
		})
	}
	window("HannWindow", 0.5, 0.5, 0)
	window("HammingWindow", 25.0/46, 21.0/46, 0)
	window("BlackmanWindow", 0.42, 0.5, 0.08)
	registerOwn("MelWeightMatrix", func(c *call) []*value {
		bins, length := int(c.known(0, "the number of bands").Float(0)), int(c.known(1, "the length").Float(0))
		rate, lower, upper := c.known(2, "the rate").Float(0), c.known(3, "the lower edge").Float(0), c.known(4, "the upper edge").Float(0)
		elem := elemType(c.int("output_datatype", typeFloat))
		dtype, ok := elem.carrier()
		if !ok || bins < 1 || bins > 1<<16 || length < 1 || rate <= 0 {
			failf("%d bands of %d make no sense", bins, length)
		}
		t := c.zeros(dtype, []int{length/2 + 1, bins})
		mel := func(hertz float64) float64 { return 2595 * math.Log10(1+hertz/700) }
		step := (mel(upper) - mel(lower)) / float64(bins+2)
		edge := func(i int) int {
			hertz := 700 * (math.Pow(10, (float64(i)*step+mel(lower))/2595) - 1)
			return max(0, min(length/2, int(math.Floor(float64(length+1)*hertz/rate))))
		}
		for i := range bins {
			low, center, high := edge(i), edge(i+1), edge(i+2)
			if low == center {
				t.SetFloat(center*bins+i, 1)
			}
			for j := low; low < center && j <= center; j++ {
				t.SetFloat(j*bins+i, float64(j-low)/float64(center-low))
			}
			for j := center; j < high; j++ {
				t.SetFloat(j*bins+i, float64(high-j)/float64(high-center))
			}
		}
		return host(elem, t)
	})
}

// complexParts splits the last axis, real and imaginary parts, or real parts alone.
func complexParts(x *tarn.Value) (re, im *tarn.Value) {
	last := x.Rank() - 1
	re = x.Slice(last, 0, 1).Squeeze(last)
	if x.Dim(last) > 1 {
		return re, x.Slice(last, 1, 2).Squeeze(last)
	}
	return re, re.Graph().Num(re.DType(), 0).Expand(re.Shape()...)
}

// resizedLast cuts the last axis or pads it with zeros.
func resizedLast(v *tarn.Value, n int) *tarn.Value {
	d := v.Dim(-1)
	if n <= d {
		return v.Slice(-1, 0, n)
	}
	return v.Pad(v.Rank()-1, 0, n-d)
}

func (c *call) dft() []*value {
	x := c.val(0)
	rank := x.Rank()
	axis := c.int("axis", 1)
	if c.version >= 20 {
		axis = -2
		if c.has(2) {
			axis = c.ints(2, "the axis")[0]
		}
	}
	axis = axisOf(axis, rank)
	if axis == rank-1 {
		failf("the last axis holds real and imaginary parts")
	}
	inverse, onesided := c.int("inverse", 0) != 0, c.int("onesided", 0) != 0
	re, im := complexParts(x)
	re, im = re.Transpose(axis, -1), im.Transpose(axis, -1)
	n := re.Dim(-1)
	if inverse && onesided {
		n = 2 * (n - 1)
	}
	if c.has(1) {
		n = c.ints(1, "the length")[0]
	}
	if n < 1 || n > 1<<28 {
		failf("the length is %d", n)
	}
	if inverse && onesided {
		y := resizedLast(re, n/2+1).IRFFT(resizedLast(im, n/2+1), n, tarn.NormBackward)
		return c.same(y.Transpose(axis, -1).Unsqueeze(rank - 1))
	}
	re, im = resizedLast(re, n), resizedLast(im, n)
	if inverse {
		re, im = re.IFFT(im, tarn.NormBackward)
	} else {
		re, im = re.FFT(im, tarn.NormBackward)
	}
	if onesided {
		re, im = re.Slice(-1, 0, n/2+1), im.Slice(-1, 0, n/2+1)
	}
	return c.same(tarn.Stack(rank-1, re.Transpose(axis, -1), im.Transpose(axis, -1)))
}

func (c *call) stft() []*value {
	x := c.val(0)
	re, im := x, x
	if x.Rank() == 3 {
		re, im = complexParts(x)
	} else {
		im = re.Graph().Num(re.DType(), 0).Expand(re.Shape()...)
	}
	hop := c.ints(1, "the step")[0]
	length := re.Dim(-1)
	if c.has(3) {
		length = c.ints(3, "the length of a frame")[0]
	} else if c.has(2) {
		length = c.at(2).sizes()[0]
	}
	if hop < 1 || length < 1 || length > re.Dim(-1) {
		failf("frames of %d every %d do not fit %d elements", length, hop, re.Dim(-1))
	}
	frames := 1 + (re.Dim(-1)-length)/hop
	index := make([]int64, frames*length)
	for i := range index {
		index[i] = int64(i/length*hop + i%length)
	}
	t, _ := tarn.FromSlice(index, frames, length)
	at := c.g.Const(t)
	re, im = re.Take(1, at), im.Take(1, at) // [batch frames length]
	if c.has(2) {
		re, im = re.Mul(c.val(2)), im.Mul(c.val(2))
	}
	yre, yim := re.FFT(im, tarn.NormBackward)
	if c.int("onesided", 1) != 0 {
		yre, yim = yre.Slice(-1, 0, length/2+1), yim.Slice(-1, 0, length/2+1)
	}
	return c.same(tarn.Stack(3, yre, yim))
}
