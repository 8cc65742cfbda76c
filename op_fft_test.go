package tarn_test

import (
	"testing"

	"github.com/seed-49005b45/tarn"
)

// The cases of the Fourier transforms.

// lines are the shapes of rows whose lengths have all radices, and primes.
func lines() [][][]int {
	return [][][]int{{{1}}, {{2}}, {{8}}, {{2, 12}}, {{15}}, {{1, 2, 7}}, {{37}}, {{0, 4}}, {{3, 1}}, {{200}}}
}

// both doubles the shape of an operand.
func both(shapes [][][]int) [][][]int {
	var pairs [][][]int
	for _, s := range shapes {
		pairs = append(pairs, [][]int{s[0], s[0]})
	}
	return pairs
}

// spectral is a case of an op that returns real and imaginary parts, which are put one after the other.
func spectral(op, form string, shapes [][][]int, build func(re, im *tarn.Value) (yre, yim *tarn.Value)) opCase {
	c := opCase{op: op, form: form, in: []operand{between(-1, 1), between(-1, 1)}, shapes: both(shapes), loose: 20}
	c.build = func(in ...*tarn.Value) *tarn.Value {
		re, im := build(in[0], in[1])
		return tarn.Concat(-1, re, im)
	}
	return c
}

func realSpectral(op, form string, shapes [][][]int, build func(v *tarn.Value) (re, im *tarn.Value)) opCase {
	return elementwise(op, func(v *tarn.Value) *tarn.Value {
		re, im := build(v)
		return tarn.Concat(-1, re, im)
	}, between(-1, 1)).as(form).with(shapes...).within(20)
}

// inverted is a case of an inverse whose result has n columns.
func inverted(op, form string, n int, shapes [][][]int, build func(re, im *tarn.Value, n int) *tarn.Value) opCase {
	return opCase{op: op, form: form, in: []operand{between(-1, 1), between(-1, 1)}, shapes: both(shapes), loose: 20,
		build: func(in ...*tarn.Value) *tarn.Value { return build(in[0], in[1], n) }}
}

var _ = register(
	spectral("FFT", "", lines(), func(re, im *tarn.Value) (a, b *tarn.Value) { return re.FFT(im, tarn.NormBackward) }),
	spectral("FFT", "ortho", [][][]int{{{6}}}, func(re, im *tarn.Value) (a, b *tarn.Value) { return re.FFT(im, tarn.NormOrtho) }),
	spectral("IFFT", "", lines(), func(re, im *tarn.Value) (a, b *tarn.Value) { return re.IFFT(im, tarn.NormBackward) }),
	spectral("IFFT", "forward", [][][]int{{{6}}}, func(re, im *tarn.Value) (a, b *tarn.Value) { return re.IFFT(im, tarn.NormForward) }),
	realSpectral("RFFT", "", lines(), func(v *tarn.Value) (a, b *tarn.Value) { return v.RFFT(tarn.NormBackward) }),
	realSpectral("RFFT", "forward", [][][]int{{{6}}}, func(v *tarn.Value) (a, b *tarn.Value) { return v.RFFT(tarn.NormForward) }),
	inverted("IRFFT", "even", 8, [][][]int{{{5}}, {{2, 3, 5}}, {{0, 5}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT(im, n, tarn.NormBackward) }),
	inverted("IRFFT", "odd", 9, [][][]int{{{5}}, {{2, 3, 5}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT(im, n, tarn.NormOrtho) }),
	inverted("IRFFT", "of one", 1, [][][]int{{{1}}, {{3, 1}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT(im, n, tarn.NormBackward) }),
	inverted("IRFFT", "of two", 2, [][][]int{{{2}}, {{3, 2}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT(im, n, tarn.NormBackward) }),
	inverted("IRFFT", "of a prime", 67, [][][]int{{{34}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT(im, n, tarn.NormBackward) }),
	spectral("FFT2", "", planes(), func(re, im *tarn.Value) (a, b *tarn.Value) { return re.FFT2(im, tarn.NormBackward) }),
	spectral("IFFT2", "", planes(), func(re, im *tarn.Value) (a, b *tarn.Value) { return re.IFFT2(im, tarn.NormBackward) }),
	realSpectral("RFFT2", "", planes(), func(v *tarn.Value) (a, b *tarn.Value) { return v.RFFT2(tarn.NormOrtho) }),
	inverted("IRFFT2", "", 6, [][][]int{{{3, 4}}, {{2, 1, 4}}}, func(re, im *tarn.Value, n int) *tarn.Value { return re.IRFFT2(im, n, tarn.NormBackward) }),
)

func planes() [][][]int { return [][][]int{{{3, 4}}, {{1, 1}}, {{2, 4, 5}}, {{0, 2, 3}}} }

var _ = refuse(
	binaryRefusal("FFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT(o, tarn.NormBackward); return a }, f32(4), f64(4), "FFT: the real parts are f32[4] and the imaginary parts f64[4]"),
	binaryRefusal("FFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT(o, tarn.NormBackward); return a }, f32(), f32(), "the operand is f32[] and needs an axis"),
	binaryRefusal("FFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT(o, tarn.NormBackward); return a }, f32(2, 0), f32(2, 0), "its last axis has no elements"),
	binaryRefusal("FFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT(o, 3); return a }, f32(4), f32(4), "there is no norm 3"),
	unaryRefusal("FFT", func(v *tarn.Value) *tarn.Value { a, _ := v.FFT(nil, tarn.NormBackward); return a }, f32(4), "operand 2 is nil"),
	binaryRefusal("IFFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { _, b := v.IFFT(o, tarn.NormBackward); return b }, i32(4), i32(4), "IFFT: the operand is i32[4] and should be f32 or f64"),
	unaryRefusal("RFFT", func(v *tarn.Value) *tarn.Value { a, _ := v.RFFT(tarn.NormBackward); return a }, bool_(4), "should be f32 or f64"),
	binaryRefusal("IRFFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.IRFFT(o, 10, tarn.NormBackward) }, f32(4), f32(4), "the spectrum [4] has 4 elements, and that of 10 real numbers has 6"),
	binaryRefusal("IRFFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.IRFFT(o, 0, tarn.NormBackward) }, f32(1), f32(1), "that of 0 real numbers"),
	binaryRefusal("FFT2", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT2(o, tarn.NormBackward); return a }, f32(4), f32(4), "FFT2: the operand is f32[4] and needs at least two axes"),
	binaryRefusal("IFFT2", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.IFFT2(o, tarn.NormBackward); return a }, f32(4, 2), f32(4), "the imaginary parts f32[4]"),
	binaryRefusal("FFT2", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.FFT2(o, tarn.NormBackward); return a }, f32(0, 2), f32(0, 2), "its last axis has no elements"),
	unaryRefusal("RFFT2", func(v *tarn.Value) *tarn.Value { a, _ := v.RFFT2(tarn.NormBackward); return a }, f32(4), "needs at least two axes"),
	binaryRefusal("IRFFT2", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.IRFFT2(o, 5, tarn.NormBackward) }, f32(3, 4), f32(3, 4), "that of 5 real numbers has 3"),
	binaryRefusal("IRFFT2", func(v *tarn.Value, o tarn.Operand) *tarn.Value { return v.IRFFT2(o, 5, tarn.NormBackward) }, f32(3, 3), f32(3, 2), "they should be equal"),
)

// TestFourierInverts transforms there and back, in every norm, and long rows of many workers.
func TestFourierInverts(t *testing.T) {
	for _, norm := range []tarn.FourierNorm{tarn.NormBackward, tarn.NormOrtho, tarn.NormForward} {
		for _, n := range []int{1, 6, 35, 1000, 1009, 4096} {
			g := tarn.NewGraph()
			x, y := g.Iota(tarn.F64, 1, 8, n).Sin(), g.Iota(tarn.F64, 1, 8, n).Cos().Add(g.Iota(tarn.F64, 0, 8, n))
			outputs := tarn.Outputs{}
			near := func(name string, a, b *tarn.Value) { outputs[name] = a.Sub(b).Abs().Max() }
			re, im := x.FFT(y, norm)
			a, b := re.IFFT(im, norm)
			near("real parts", a, x)
			near("imaginary parts", b, y)
			re, im = x.RFFT(norm)
			near("real", re.IRFFT(im, n, norm), x)
			re, im = x.FFT2(y, norm)
			a, b = re.IFFT2(im, norm)
			near("real parts of planes", a, x)
			near("imaginary parts of planes", b, y)
			re, im = x.RFFT2(norm)
			near("planes", re.IRFFT2(im, n, norm), x)
			p, err := tarn.Compile(g, outputs)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Run()
			if err != nil {
				t.Fatal(err)
			}
			for name, d := range out {
				if !(d.Item() < 1e-13) {
					t.Errorf("norm %d, length %d: %s differ by %g", norm, n, name, d.Item())
				}
			}
		}
	}
}

func stft(form string, hop int, center bool, shapes ...[][]int) opCase {
	return opCase{op: "STFT", form: form, in: []operand{between(-1, 1), between(0.2, 1)}, shapes: shapes, loose: 20,
		build: func(in ...*tarn.Value) *tarn.Value {
			re, im := in[0].STFT(in[1], hop, center)
			return tarn.Concat(-1, re, im)
		}}
}

func istft(form string, hop int, center bool, shapes ...[][]int) opCase {
	return opCase{op: "ISTFT", form: form, in: []operand{between(-1, 1), between(-1, 1), between(0.2, 1)}, shapes: shapes, loose: 20,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].ISTFT(in[1], in[2], hop, center) }}
}

var _ = register(
	stft("", 2, false, [][]int{{10}, {4}}, [][]int{{2, 9}, {5}}, [][]int{{1}, {1}}, [][]int{{0, 6}, {4}}),
	stft("centered", 3, true, [][]int{{10}, {4}}, [][]int{{2, 6}, {5}}),
	istft("", 2, false, [][]int{{3, 4}, {3, 4}, {4}}, [][]int{{2, 3, 1}, {2, 3, 1}, {5}}),
	istft("centered", 3, true, [][]int{{3, 4}, {3, 4}, {5}}),
	opCase{op: "Graph.HannWindow", in: []operand{between(-1, 1)}, shapes: [][][]int{{{1}}, {{8}}}, flat: true,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HannWindow(in[0].DType(), in[0].Size()) }},
	opCase{op: "Graph.HammingWindow", in: []operand{between(-1, 1)}, shapes: [][][]int{{{1}}, {{7}}}, flat: true,
		build: func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HammingWindow(in[0].DType(), in[0].Size()) }},
)

var _ = refuse(
	binaryRefusal("STFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.STFT(o, 2, false); return a }, f32(3), f32(4), "the signal [3] is shorter than the window, which has 4 elements"),
	binaryRefusal("STFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.STFT(o, 2, true); return a }, f32(3), f32(6), "half a window of 6 is reflected"),
	binaryRefusal("STFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.STFT(o, 0, true); return a }, f32(8), f32(4), "the hop is 0"),
	binaryRefusal("STFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.STFT(o, 1, true); return a }, f32(8), f64(4), "the window is f64[4] and should be a vector of f32"),
	binaryRefusal("STFT", func(v *tarn.Value, o tarn.Operand) *tarn.Value { a, _ := v.STFT(o, 1, true); return a }, i32(8), i32(4), "should be f32 or f64"),
	refused("STFT", func(in ...*tarn.Value) *tarn.Value { a, _ := in[0].STFT(nil, 1, true); return a }, "STFT: the window is nil", f32(8)),
	refused("ISTFT", func(in ...*tarn.Value) *tarn.Value { return in[0].ISTFT(in[1], in[2], 2, false) }, "they should be equal", f32(3, 4), f32(3, 5), f32(4)),
	refused("ISTFT", func(in ...*tarn.Value) *tarn.Value { return in[0].ISTFT(in[1], in[2], 2, false) }, "the spectrum [4 3] has 3 elements, and that of 8 real numbers has 5", f32(3, 4), f32(3, 4), f32(8)),
	refused("ISTFT", func(in ...*tarn.Value) *tarn.Value { return in[0].ISTFT(in[1], in[2], 2, false) }, "have no pieces", f32(3, 0), f32(3, 0), f32(4)),
	refused("ISTFT", func(in ...*tarn.Value) *tarn.Value { return in[0].ISTFT(in[1], in[2], 2, true) }, "would be cut off", f32(3, 1), f32(3, 1), f32(4)),
	refused("Graph.HannWindow", func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HannWindow(tarn.I32, 4) }, "the dtype is i32", f32()),
	refused("Graph.HammingWindow", func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HammingWindow(tarn.F32, 0) }, "the length is 0", f32()),
)
