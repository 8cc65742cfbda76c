// Command xor trains a network of two layers on the exclusive or, which no single layer can compute.
package main

import (
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
)

// Network computes p(y = 1) = sigmoid(tanh(x W + b) V + c).
type Network struct {
	W, B, V, C *tarn.Param
}

// NewNetwork returns a network with the given number of hidden units.
func NewNetwork(hidden int) *Network {
	normal := func(t *tarn.Tensor, r *tarn.Random) { r.Normal(t, 0, 1) }
	return &Network{
		W: tarn.NewParam(tarn.F32, normal, 2, hidden), B: tarn.NewParam(tarn.F32, nil, hidden),
		V: tarn.NewParam(tarn.F32, normal, hidden, 1), C: tarn.NewParam(tarn.F32, nil, 1),
	}
}

// Forward is the logit of p, that is p before the sigmoid.
func (n *Network) Forward(x *tarn.Value) *tarn.Value {
	hidden := x.MatMul(n.W).Add(n.B).Tanh()
	return hidden.MatMul(n.V).Add(n.C)
}

func main() {
	xs, _ := tarn.FromSlice([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2)
	ys, _ := tarn.FromSlice([]float32{0, 1, 1, 0}, 4, 1)

	network := NewNetwork(8)
	if err := tarn.Init(network, 1); err != nil {
		log.Fatal(err)
	}
	g := tarn.NewGraph()
	x, y := g.Input("x", tarn.F32, 4, 2), g.Input("y", tarn.F32, 4, 1)
	z := network.Forward(x)
	loss := z.Softplus().Sub(y.Mul(z)).Mean() // -y log p - (1-y) log(1-p) with p = sigmoid(z)
	accuracy := z.Gt(tarn.Num(0)).Eq(y.Gt(tarn.Num(0))).Cast(tarn.F32).Mean()

	weights := []*tarn.Param{network.W, network.B, network.V, network.C}
	slopes := tarn.Grad(loss, network.W, network.B, network.V, network.C)
	var descent []tarn.Update
	for i, w := range weights {
		descent = append(descent, tarn.Assign(w, w.Value(g).Sub(slopes[i].Scale(0.5))))
	}
	step, err := tarn.Compile(g, tarn.Outputs{"loss": loss, "accuracy": accuracy, "p": z.Sigmoid()}, descent...)
	if err != nil {
		log.Fatal(err)
	}
	for i := 1; i <= 500; i++ {
		out, err := step.Run(xs, ys)
		if err != nil {
			log.Fatal(err)
		}
		if i%100 == 0 {
			fmt.Printf("step %3d  loss %.4f  accuracy %3.0f %%  p %.3f\n", i, out["loss"].Item(), 100*out["accuracy"].Item(), out["p"].F32())
		}
	}
}
