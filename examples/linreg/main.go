// Command linreg fits max(0, x theta) to y = 2x + 1 + noise by gradient descent, with nothing hidden.
package main

import (
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
)

func main() {
	xs, ys, random := tarn.Zeros(tarn.F64, 100, 1), tarn.Zeros(tarn.F64, 100, 1), tarn.NewRandom(1, "linreg")
	random.Uniform(xs, 0, 1)
	random.Uniform(ys, 0, 1) // the noise
	for i, x := range xs.F64() {
		ys.F64()[i] += 2*x + 1
	}
	theta := tarn.NewParam(tarn.F64, nil, 1, 1)
	theta.Tensor().SetFloat(0, 0.5) // at 0, max(0, x theta) has no slope to go down

	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F64, 100, 1), g.Input("y", tarn.F64, 100, 1)
	prediction := x.MatMul(theta).ReLU()                             // forward pass: max(0, x theta)
	loss := prediction.Sub(y).Square().Mean()                        // loss
	d := tarn.Grad(loss, theta)[0]                                   // backward pass: d loss / d theta
	descent := tarn.Assign(theta, theta.Value(g).Sub(d.Scale(0.01))) // update: theta - 0.01 d
	step, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "d": d}, descent)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the backward graph:\n%v\n", tarn.Sprint(d))
	for i := 1; i <= 1000; i++ {
		if out, err := step.Run(xs, ys); err != nil {
			log.Fatal(err)
		} else if i%100 == 0 {
			fmt.Printf("step %4d  loss %.6f  d %+.6f  theta %.6f\n", i, out["loss"].Item(), out["d"].Item(), theta.Tensor().Item())
		}
	}
}
