package tarn_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file compares functions of matrices and Fourier transforms, and their first and second derivatives, with what PyTorch and SciPy gave for
// them: testdata/linalg.py writes the numbers.

// linalgOps are the functions by the names that the script gives them.
var linalgOps = map[string]func(in ...*tarn.Value) *tarn.Value{
	"Det":                               func(in ...*tarn.Value) *tarn.Value { return in[0].Det() },
	"SlogDet sign":                      func(in ...*tarn.Value) *tarn.Value { s, _ := in[0].SlogDet(); return s },
	"SlogDet logarithm":                 func(in ...*tarn.Value) *tarn.Value { _, l := in[0].SlogDet(); return l },
	"LstSq tall":                        func(in ...*tarn.Value) *tarn.Value { return in[0].LstSq(in[1], 0) },
	"LstSq wide":                        func(in ...*tarn.Value) *tarn.Value { return in[0].LstSq(in[1], 0) },
	"MatrixPower":                       func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixPower(5) },
	"MatrixPower of the inverse":        func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixPower(-3) },
	"MatrixExp":                         func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixExp() },
	"MatrixExp of a large matrix":       func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixExp().Scale(1e-3) },
	"MatrixSqrt":                        func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixSqrt() },
	"MatrixSqrt of complex eigenvalues": func(in ...*tarn.Value) *tarn.Value { return in[0].MatrixSqrt() },
	"SolveSylvester":                    func(in ...*tarn.Value) *tarn.Value { return in[0].SolveSylvester(in[1], in[2]) },
}

func init() {
	for _, shape := range []string{"square", "tall", "wide"} {
		for name, f := range map[string]func(v *tarn.Value) *tarn.Value{
			"LU permutation ":               func(v *tarn.Value) *tarn.Value { p, _, _ := v.LU(); return p },
			"LU lower ":                     func(v *tarn.Value) *tarn.Value { _, l, _ := v.LU(); return l },
			"LU upper ":                     func(v *tarn.Value) *tarn.Value { _, _, u := v.LU(); return u },
			"SVD values ":                   func(v *tarn.Value) *tarn.Value { _, s, _ := v.SVD(); return s },
			"SVD squares of left vectors ":  func(v *tarn.Value) *tarn.Value { u, _, _ := v.SVD(); return u.Square() },
			"SVD squares of right vectors ": func(v *tarn.Value) *tarn.Value { _, _, vt := v.SVD(); return vt.Square() },
			"Pinv ":                         func(v *tarn.Value) *tarn.Value { return v.Pinv(0) },
		} {
			linalgOps[name+shape] = func(in ...*tarn.Value) *tarn.Value { return f(in[0]) }
		}
	}
}

func init() {
	join := func(re, im *tarn.Value) *tarn.Value { return tarn.Concat(-1, re, im) }
	add := func(name string, n int, norm tarn.FourierNorm) {
		linalgOps["FFT "+name] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].FFT(in[1], norm)) }
		linalgOps["IRFFT "+name] = func(in ...*tarn.Value) *tarn.Value { return in[0].IRFFT(in[1], n, norm) }
	}
	for _, n := range []int{1, 6, 16, 37} {
		add(fmt.Sprint(n), n, tarn.NormBackward)
		linalgOps[fmt.Sprint("IFFT ", n)] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].IFFT(in[1], tarn.NormBackward)) }
		linalgOps[fmt.Sprint("RFFT ", n)] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].RFFT(tarn.NormBackward)) }
	}
	for name, center := range map[string]bool{"plain": false, "centered": true} {
		linalgOps["STFT "+name] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].STFT(in[1], 3, center)) }
		linalgOps["ISTFT "+name] = func(in ...*tarn.Value) *tarn.Value {
			return in[0].ISTFT(in[1], in[0].Graph().HammingWindow(tarn.F64, 7), 2, center)
		}
	}
	for _, n := range []int{1, 6, 7} {
		linalgOps[fmt.Sprint("HannWindow ", n)] = func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HannWindow(tarn.F64, n) }
		linalgOps[fmt.Sprint("HammingWindow ", n)] = func(in ...*tarn.Value) *tarn.Value { return in[0].Graph().HammingWindow(tarn.F64, n) }
	}
	add("ortho", 10, tarn.NormOrtho)
	add("forward", 10, tarn.NormForward)
	linalgOps["FFT2"] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].FFT2(in[1], tarn.NormBackward)) }
	linalgOps["IFFT2"] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].IFFT2(in[1], tarn.NormBackward)) }
	linalgOps["RFFT2"] = func(in ...*tarn.Value) *tarn.Value { return join(in[0].RFFT2(tarn.NormBackward)) }
	linalgOps["IRFFT2"] = func(in ...*tarn.Value) *tarn.Value { return in[0].IRFFT2(in[1], 5, tarn.NormBackward) }
}

func TestLinearAlgebraEqualsPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/linalg.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]struct {
		recordedCase
		Second []recordedTensor
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for name := range linalgOps {
		if _, ok := cases[name]; !ok {
			t.Errorf("the script has no case %q", name)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			build := linalgOps[name]
			if build == nil {
				t.Fatal("there is no op for the case")
			}
			g := tarn.NewGraph()
			inputs := map[string]*tarn.Tensor{}
			var in []*tarn.Value
			for i, x := range c.In {
				input := fmt.Sprint(i)
				inputs[input] = x.tensor(t)
				in = append(in, g.Input(input, tarn.F64, x.Shape...))
			}
			y := build(in...)
			outputs, want := tarn.Outputs{"result": y}, map[string]recordedTensor{"result": c.Out}
			if len(c.Grads) > 0 {
				weights := g.Iota(tarn.F64, 0, y.Size()).AddNum(1).Reshape(y.Shape()...)
				squares := g.Num(tarn.F64, 0)
				for i, d := range tarn.Grad(y.Mul(weights).Sum(), in...) {
					outputs[fmt.Sprint("gradient ", i)], want[fmt.Sprint("gradient ", i)] = d, c.Grads[i]
					squares = squares.Add(d.Square().Sum())
				}
				for i, d := range tarn.Grad(squares, in...) {
					if len(c.Second) > 0 {
						outputs[fmt.Sprint("second derivative ", i)], want[fmt.Sprint("second derivative ", i)] = d, c.Second[i]
					}
				}
			}
			out := compare(t, g, outputs, inputs)
			for name, x := range want {
				checkNear(t, name, out[name], x.tensor(t), 1e-10)
			}
		})
	}
}
