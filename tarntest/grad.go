// Package tarntest has conformance tests: for the ops of Tarn itself, and for the functions, layers and optimizers that
// users write with it.
package tarntest

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file holds CheckGrad. It looks at y = f(x) through two random vectors: the projection u, in the space of y, makes a
// scalar L = u'y of it, whose gradient is J'u; the direction v, in the space of x, makes a scalar S = v'J'u of that, whose
// gradient holds the second derivatives. L and S are both compared with their central differences. Forward mode must agree
// with reverse mode in u'(Jv) = S.

const (
	stepSize  = 1e-5 // of central differences: the error h^2 f'''/6 is near 1e-10, rounding near 1e-11
	tolerance = 1e-6
)

// CheckGrad tests the derivatives of f at the inputs: first and second derivatives against central differences, and
// forward mode against reverse mode. Inputs of dtype F64 are differentiated; others, such as indices, are held fixed. Keep
// the inputs away from points where f has no derivative, by 0.001 say: the comment of an op says what it does at such a point,
// and differences cannot check it. f is traced once; it may use random ops, which return the same numbers each time.
func CheckGrad(t testing.TB, f func(in ...*tarn.Value) *tarn.Value, inputs ...*tarn.Tensor) {
	t.Helper()
	if err := checkGrad(f, inputs); err != nil {
		t.Error(err)
	}
}

// derivatives is the program of one CheckGrad and the inputs at which it stands.
type derivatives struct {
	program *tarn.Program
	inputs  []*tarn.Tensor // those that the program takes
}

func checkGrad(f func(in ...*tarn.Value) *tarn.Value, inputs []*tarn.Tensor) error {
	g := tarn.NewGraph()
	r := tarn.NewRandom(1, "tarntest")
	var in, directions []*tarn.Value
	var wrt []*tarn.Value
	moving := map[int]int{} // the index within wrt of an input
	data := map[string]*tarn.Tensor{}
	for i, x := range inputs {
		if x.DType() == tarn.F32 {
			return fmt.Errorf("tarntest: CheckGrad: input %d is f32, which has too few digits for differences; Cast it to f64", i)
		}
		name := fmt.Sprint(i)
		data[name] = x.Clone()
		in = append(in, g.Input(name, x.DType(), x.Shape()...))
		if x.DType() == tarn.F64 {
			moving[i] = len(wrt)
			wrt = append(wrt, in[i])
			directions = append(directions, uniform(g, r, x.Shape()))
		}
	}
	y := f(in...)
	if err := g.Err(); err != nil {
		return err
	}
	if y.DType() != tarn.F64 {
		return fmt.Errorf("tarntest: CheckGrad: f returns %v; only the derivatives of an f64 result can be checked", y.DType())
	}
	u := uniform(g, r, y.Shape())
	l := y.Mul(u).Sum()
	first := tarn.Grad(l, wrt...)
	s := l.Num(0)
	for i, d := range first {
		s = s.Add(d.Mul(directions[i]).Sum())
	}
	second := tarn.Grad(s, wrt...)
	forward := tarn.JVP(y, wrt, directions).Mul(u).Sum()

	outputs := tarn.Outputs{"L": l, "S": s, "forward": forward}
	for i := range wrt {
		outputs[fmt.Sprint("first", i)], outputs[fmt.Sprint("second", i)] = first[i], second[i]
	}
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		return err
	}
	d := derivatives{program: p}
	for _, name := range p.Inputs() {
		d.inputs = append(d.inputs, data[name])
	}
	base, err := d.run()
	if err != nil {
		return err
	}
	if a, b := base["forward"].Item(), base["S"].Item(); !close(a, b) {
		return fmt.Errorf("forward mode and reverse mode differ: u'(Jv) = %v, (J'u)'v = %v", a, b)
	}
	analytic := map[string]*tarn.Tensor{}
	for name, v := range base {
		analytic[name] = v.Clone()
	}
	for i := range inputs {
		if m, ok := moving[i]; ok {
			if err := d.differences(i, data[fmt.Sprint(i)], analytic[fmt.Sprint("first", m)], analytic[fmt.Sprint("second", m)]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *derivatives) run() (tarn.Results, error) {
	d.program.SetRuns(0)
	return d.program.Run(d.inputs...)
}

// differences moves each element of input i, whose data is x, a little up and down.
func (d *derivatives) differences(i int, x, first, second *tarn.Tensor) error {
	for e := range x.Size() {
		was := x.Float(e)
		h := stepSize * max(1, math.Abs(was))
		var l, s [2]float64
		for k, moved := range []float64{was + h, was - h} {
			x.SetFloat(e, moved)
			out, err := d.run()
			if err != nil {
				return err
			}
			l[k], s[k] = out["L"].Item(), out["S"].Item()
		}
		x.SetFloat(e, was)
		width := (was + h) - (was - h) // as rounded
		if a, b := first.Float(e), (l[0]-l[1])/width; !close(a, b) {
			return fmt.Errorf("first derivative with respect to element %d of input %d, at %v: Grad returns %v, differences %v", e, i, was, a, b)
		}
		if a, b := second.Float(e), (s[0]-s[1])/width; !close(a, b) {
			return fmt.Errorf("second derivative with respect to element %d of input %d, at %v: Grad returns %v, differences %v", e, i, was, a, b)
		}
	}
	return nil
}

// close returns false for NaN and infinities.
func close(a, b float64) bool { return math.Abs(a-b) <= tolerance*(1+math.Abs(a)+math.Abs(b)) }

// uniform returns a constant of random numbers in [0.5, 1.5), none of which hides a derivative.
func uniform(g *tarn.Graph, r *tarn.Random, shape []int) *tarn.Value {
	t := tarn.Zeros(tarn.F64, shape...)
	r.Uniform(t, 0.5, 1.5)
	return g.Const(t)
}
