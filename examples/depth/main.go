// Command depth shows what happens to gradients in a network of fifty layers: with sigmoids they vanish, with weights that are
// too large they explode, and they keep their size with He's initialization and ReLU, with batch normalization, or with
// residual connections.
package main

import (
	"fmt"
	"log"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

const (
	depth = 50
	width = 64
	batch = 128
)

// network is fifty layers of the same kind; layer computes the next signal from x and x W.
type network struct {
	Weights []*tarn.Param
	layer   func(x, xw *tarn.Value) *tarn.Value
}

func newNetwork(init tarn.Initializer, layer func(x, xw *tarn.Value) *tarn.Value) *network {
	n := &network{layer: layer}
	for range depth {
		n.Weights = append(n.Weights, tarn.NewParam(tarn.F64, init, width, width))
	}
	return n
}

// normalize makes every column of the batch have mean 0 and standard deviation 1/2, as batch normalization does with a
// scale of 1/2, at which tanh is nearly straight.
func normalize(x *tarn.Value) *tarn.Value {
	centered := x.Sub(x.Mean(0))
	return centered.Mul(centered.Square().Mean(0).AddNum(1e-5).Rsqrt()).Scale(0.5)
}

// slopes returns the norm of the gradient of a loss with respect to the signal after each layer.
func (n *network) slopes() ([]float64, error) {
	if err := tarn.Init(n, 1); err != nil {
		return nil, err
	}
	g := tarn.NewGraph()
	x := g.Normal(tarn.F64, 0, 1, batch, width)
	signal := x
	var signals []*tarn.Value
	for _, w := range n.Weights {
		signal = n.layer(signal, signal.MatMul(w))
		signals = append(signals, signal)
	}
	target := g.Normal(tarn.F64, 0, 1, batch, width)
	outputs := tarn.Outputs{}
	for i, d := range tarn.Grad(signal.Mul(target).Mean(), signals...) {
		outputs[fmt.Sprint(i)] = d.Norm(2)
	}
	program, err := tarn.Compile(g, outputs)
	if err != nil {
		return nil, err
	}
	out, err := program.Run()
	if err != nil {
		return nil, err
	}
	norms := make([]float64, depth)
	for i := range norms {
		norms[i] = out[fmt.Sprint(i)].Item()
	}
	return norms, nil
}

func main() {
	he := nn.KaimingNormal(nn.FanIn, math.Sqrt2)
	relu := func(x, xw *tarn.Value) *tarn.Value { return xw.ReLU() }
	fmt.Println("norm of the gradient by the signal of layer       1         25         50   first/last")
	for _, c := range []struct {
		name string
		net  *network
	}{
		{"sigmoid, Xavier", newNetwork(nn.XavierNormal(1), func(x, xw *tarn.Value) *tarn.Value { return xw.Sigmoid() })},
		{"ReLU, weights three times He's", newNetwork(nn.KaimingNormal(nn.FanIn, 3*math.Sqrt2), relu)},
		{"ReLU, He", newNetwork(he, relu)},
		{"tanh, weights three times He's", newNetwork(nn.KaimingNormal(nn.FanIn, 3*math.Sqrt2), func(x, xw *tarn.Value) *tarn.Value { return xw.Tanh() })},
		{"the same, with batch normalization", newNetwork(nn.KaimingNormal(nn.FanIn, 3*math.Sqrt2), func(x, xw *tarn.Value) *tarn.Value { return normalize(xw).Tanh() })},
		{"tanh, residual connections", newNetwork(nn.XavierNormal(0.3), func(x, xw *tarn.Value) *tarn.Value { return x.Add(xw.Tanh()) })},
	} {
		norms, err := c.net.slopes()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-38s %10.2g %10.2g %10.2g   %10.2g\n", c.name, norms[0], norms[depth/2-1], norms[depth-1], norms[0]/norms[depth-1])
	}
}
