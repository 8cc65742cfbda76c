package optim_test

import (
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares Shampoo and SOAP with what their papers say: see testdata/second_order.py.

// secondOrder are the optimizers of the goldens. SOAP's basis is any where eigenvalues are equal, as they are of the four rows
// of the network's last layer, of rank 1: axes that long are not turned.
var secondOrder = map[string]func() optim.Optimizer{
	"shampoo": func() optim.Optimizer {
		o := optim.NewShampoo(0.05)
		o.Epsilon = 1e-6 // a smaller one shows how eigenvalues of 0 are rounded
		return o
	},
	"shampoo paper": func() optim.Optimizer {
		o := optim.NewShampoo(0.1)
		o.Beta1, o.Beta2, o.Epsilon, o.Every, o.Start, o.Vectors, o.Graft = 0, 1, 1e-4, 1, 0, true, nil
		return o
	},
	"shampoo options": func() optim.Optimizer {
		o := optim.NewShampoo(0.0005)
		o.Beta1, o.Beta2, o.Epsilon, o.Every, o.MaxSize, o.Start, o.WeightDecay = 0.8, 0.9, 1e-6, 3, 2, 4, 0.1
		o.Vectors, o.Graft = true, optim.NewSGD(0)
		return o
	},
	"soap": func() optim.Optimizer {
		o := optim.NewSOAP(0.05)
		o.Epsilon, o.MaxSize, o.WeightDecay = 1e-4, 3, 0 // a smaller one shows how components of 0 are rounded
		return o
	},
	"soap options": func() optim.Optimizer {
		o := optim.NewSOAP(0.05)
		o.Beta1, o.Beta2, o.Epsilon, o.MomentsBeta, o.Every, o.MaxSize, o.WeightDecay = 0.8, 0.9, 1e-3, 0.7, 2, 3, 0.1
		return o
	},
	"soap vectors": func() optim.Optimizer {
		o := optim.NewSOAP(0.05)
		o.Epsilon, o.Every, o.MaxSize, o.Vectors, o.WeightDecay = 1e-2, 3, 2, true, 0
		return o
	},
}

// chirp are numbers without a pattern, so that matrices of them have full rank.
func chirp(n int, phase float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(0.37*float64(i)*float64(i) + phase)
	}
	return v
}

// matrices is a loss of a matrix, an array of three axes, a vector and a number.
func matrices(dtype tarn.DType) *problem {
	a, b := param(dtype, "a", chirp(9, 0.2), 3, 3), param(dtype, "b", chirp(12, 0.9), 2, 3, 2)
	c, d := param(dtype, "c", chirp(3, 0.3), 3), param(dtype, "d", []float64{0.5})
	return &problem{params: []*tarn.Param{a, b, c, d}, loss: func(g *tarn.Graph, _ int) *tarn.Value {
		x, y := constant(g, dtype, chirp(21, 0.1)...).Reshape(7, 3), constant(g, dtype, chirp(21, 0.7)...).Reshape(7, 3)
		target := constant(g, dtype, chirp(12, 0.4)...).Reshape(2, 3, 2)
		h := x.MatMul(a).Add(c).Tanh()
		return h.Sub(y).Square().Mean().Add(b.Value(g).Sin().Sub(target).Square().Mean()).Add(b.Value(g).Sum().Mul(d).Square())
	}}
}

func TestSecondOrderEqualsReferences(t *testing.T) {
	followAll(t, "testdata/second_order.json", onAll(secondOrder), map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-2}, func(name string, dtype tarn.DType) *problem {
		if name == "matrices" {
			return matrices(dtype)
		}
		return problems(dtype)[name]
	})
}
