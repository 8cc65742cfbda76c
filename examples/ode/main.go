// Command ode learns the differential equation of a spiral from points on it. Its gradient is another differential equation, solved backwards.
package main

import (
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

type state = []*tarn.Value // what moves along a field

// solve takes steps of size h along a field, by the method of Runge and Kutta of order 4.
func solve(field func(y state) state, y state, h float64, steps int) state {
	last, _ := tarn.Scan(y, nil, tarn.ScanOptions{Steps: steps}, func(y, _ state) (next, _ state) {
		along := func(d state, h float64) (z state) {
			for i := range y {
				z = append(z, y[i].Add(d[i].Scale(h)))
			}
			return z
		}
		k1 := field(y)
		k2 := field(along(k1, h/2))
		k3 := field(along(k2, h/2))
		k4 := field(along(k3, h))
		for i := range y {
			k1[i] = k1[i].Add(k2[i].Add(k3[i]).Scale(2)).Add(k4[i])
		}
		return along(k1, h/6), nil
	})
	return last
}

// Field is dy/dt = W tanh(V y^3 + b) + c.
type Field struct{ Hidden, Out *nn.Linear }

// At is the field at y.
func (f *Field) At(y *tarn.Value) *tarn.Value {
	return f.Out.Forward(f.Hidden.Forward(y.Pow(tarn.Num(3))).Tanh())
}

// Flow is y after some steps. The gradient a of a loss with respect to y(t) obeys da/dt = -a df/dy, so y and a are solved for backwards, and a df/dp
// adds up for each weight p, from zeros. Nothing is kept of the steps. (Chen et al. 2018, Neural ordinary differential equations.)
func (f *Field) Flow(y *tarn.Value, h float64, steps int) *tarn.Value {
	end := solve(func(y state) state { return state{f.At(y[0])} }, state{y}, h, steps)[0]
	weights := state{f.Hidden.Weight.Value(y.Graph()), f.Hidden.Bias.Value(y.Graph()), f.Out.Weight.Value(y.Graph()), f.Out.Bias.Value(y.Graph())}
	return tarn.WithGradient(end, append(state{y}, weights...), func(a *tarn.Value) []*tarn.Value {
		return solve(func(s state) state {
			y := s[0].StopGradient() // an earlier stage computed it from the weights too
			dy := f.At(y)
			return append(state{dy}, tarn.VJP(dy, s[1].Neg(), append(state{y}, weights...)...)...)
		}, append(state{end, a}, tarn.VJP(f.At(end), a.Scale(0), weights...)...), -h, steps)[1:]
	})
}

func main() {
	f := &Field{nn.NewLinear(2, 50), nn.NewLinear(50, 2)}
	if err := tarn.Init(f, 1); err != nil {
		log.Fatal(err)
	}
	g := tarn.NewGraph()
	y, a := g.Uniform(tarn.F32, -1.5, 1.5, 64, 2), g.Const(tarn.Vector([]float32{-0.1, 2, -2, -0.1})).Reshape(2, 2)
	spiral := solve(func(y state) state { return state{y[0].Pow(tarn.Num(3)).MatMul(a)} }, state{y}, 0.05, 10)[0]
	loss := f.Flow(y, 0.05, 10).Sub(spiral).Square().Mean()
	step, err := train.NewStep(loss, f, optim.NewAdam(3e-3))
	if err != nil {
		log.Fatal(err)
	}
	for i := 1; i <= 1000; i++ {
		if r, err := step.Run(64); err != nil {
			log.Fatal(err)
		} else if i%200 == 0 {
			fmt.Printf("step %4d  loss %.6f\n", i, r.Loss)
		}
	}
}
