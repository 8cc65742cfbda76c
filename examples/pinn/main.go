// Command pinn solves a differential equation by a network. The loss is what is left of the equation when the network is put into it.
package main

import (
	"errors"
	"fmt"
	"log"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/train"
)

const viscosity = 0.05

// U is a function u(x, t) that is -sin(pi x) at t = 0, and 0 at x = -1 and x = 1, whatever the network within it is.
type U struct{ Network *nn.Sequential }

// At returns u. Shapes: [n 1], [n 1] -> [n 1].
func (u *U) At(x, t *tarn.Value) *tarn.Value {
	inside := u.Network.Forward(tarn.Concat(1, x, t))
	return t.Mul(x.Square().Neg().AddNum(1)).Mul(inside).Sub(x.Scale(math.Pi).Sin())
}

// d is dy/dx in each row: since a row of y depends on its own x alone, the gradient of the sum has all of them.
func d(y, x *tarn.Value) *tarn.Value { return tarn.Grad(y.Sum(), x)[0] }

// Residual is u_t + u u_x - viscosity u_xx, which is 0 if u solves Burgers' equation.
func (u *U) Residual(x, t *tarn.Value) *tarn.Value {
	y := u.At(x, t)
	slope := d(y, x)
	return d(y, t).Add(y.Mul(slope)).Sub(d(slope, x).Scale(viscosity))
}

// exact is the solution by the formula of Cole and Hopf: a quotient of two integrals, which are sums here.
func exact(x, t float64) float64 {
	var above, below float64
	for z := -8.0; z <= 8; z += 1.0 / 64 {
		y := x - z*math.Sqrt(2*viscosity*t)
		weight := math.Exp(-z*z/2 - (1+math.Cos(math.Pi*y))/(2*math.Pi*viscosity))
		above, below = above-math.Sin(math.Pi*y)*weight, below+weight
	}
	return above / below
}

func main() {
	tanh := nn.Func((*tarn.Value).Tanh)
	u := &U{nn.NewSequential(nn.NewLinear(2, 32), tanh, nn.NewLinear(32, 32), tanh, nn.NewLinear(32, 1))}
	g := tarn.NewGraph()
	x, t := g.Uniform(tarn.F32, -1, 1, 256, 1), g.Uniform(tarn.F32, 0, 1, 256, 1) // different points in each step
	adam := optim.NewAdam(0)
	adam.Rate = optim.Cosine{Rate: 5e-3, Steps: 10000}
	step, err := train.NewStep(u.Residual(x, t).Square().Mean(), u, adam)
	grid := g.Iota(tarn.F32, 0, 101, 1).Scale(0.02).AddNum(-1)
	end, err2 := tarn.Compile(g, tarn.Outputs{"u": u.At(grid, grid.Num(1).Expand(101, 1))})
	if err := errors.Join(err, err2, tarn.Init(u, 1)); err != nil {
		log.Fatal(err)
	}
	for i := 1; i <= 10000; i++ {
		if r, err := step.Run(256); err != nil {
			log.Fatal(err)
		} else if i%2000 == 0 {
			fmt.Printf("step %5d  loss %.6f\n", i, r.Loss)
		}
	}
	out, err := end.Run()
	if err != nil {
		log.Fatal(err)
	}
	worst := 0.0
	for i, y := range out["u"].F32() {
		worst = max(worst, math.Abs(float64(y)-exact(float64(i)*0.02-1, 1)))
	}
	fmt.Printf("at t = 1 the largest error is %.4f\n", worst)
}
