package nn

import (
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds LSUV, an initialization that looks at data.

// LSUV scales the weights of a chain's layers, one after the other, until on the given batch the result of each has variance
// 1: Mishkin and Matas, All you need is a good init, 2015. The paper starts from orthogonal weights, to be given before by
// SetInit(Orthogonal(1)) and tarn.Init. A layer without a weight of two axes or more passes the batch on. Nested chains are
// entered. It returns an error if a layer cannot take the batch, or returns a constant that no weight can scale.
func LSUV(s *Sequential, batch *tarn.Tensor) error {
	if _, err := tarn.Params(s); err != nil {
		return fmt.Errorf("nn: LSUV: %w", err)
	}
	_, err := lsuv(s, batch, "")
	return err
}

// lsuv does so for the layers of s and returns what they make of x.
func lsuv(s *Sequential, x *tarn.Tensor, prefix string) (*tarn.Tensor, error) {
	for i, layer := range s.Layers {
		name := fmt.Sprint(prefix, i)
		if chain, ok := layer.(*Sequential); ok {
			y, err := lsuv(chain, x, name+".")
			if err != nil {
				return nil, err
			}
			x = y
			continue
		}
		y, err := unitVariance(layer, x)
		if err != nil {
			return nil, fmt.Errorf("nn: LSUV: layer %s: %w", name, err)
		}
		x = y
	}
	return x, nil
}

// lsuvTolerance is how far from 1 a variance may stay, and lsuvTries how often a weight is scaled for it.
const (
	lsuvTolerance = 0.01
	lsuvTries     = 10
)

// unitVariance scales the weight of a layer and returns what the layer makes of x.
func unitVariance(layer Layer, x *tarn.Tensor) (*tarn.Tensor, error) {
	g := tarn.NewGraph()
	g.Eval()
	program, err := tarn.Compile(g, tarn.Outputs{"y": layer.Forward(g.Input("x", x.DType(), x.Shape()...))})
	if err != nil {
		return nil, err
	}
	weight := firstMatrix(layer)
	for try := 0; ; try++ {
		out, err := program.Run(x)
		if err != nil {
			return nil, err
		}
		y := out["y"]
		if weight == nil || try == lsuvTries {
			return y.Clone(), nil
		}
		v := variance(y)
		if math.Abs(v-1) < lsuvTolerance {
			return y.Clone(), nil
		}
		if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("the variance of the result is %v, which no weight can bring to 1", v)
		}
		for i := range weight.Tensor().Size() {
			weight.Tensor().SetFloat(i, weight.Tensor().Float(i)/math.Sqrt(v))
		}
	}
}

// firstMatrix is the first trained weight of a layer that has two axes or more, or nil.
func firstMatrix(layer Layer) *tarn.Param {
	params, err := tarn.Params(layer)
	if err != nil {
		return nil // a layer without params
	}
	for _, p := range params.All() {
		if p.Trainable() && len(p.Shape()) > 1 {
			return p
		}
	}
	return nil
}

func variance(t *tarn.Tensor) float64 {
	sum, squares, n := 0.0, 0.0, float64(t.Size())
	for _, x := range t.Floats() {
		sum += x
	}
	for _, x := range t.Floats() {
		squares += (x - sum/n) * (x - sum/n)
	}
	return squares / n
}
