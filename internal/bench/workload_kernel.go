package bench

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/nn"
)

// This file holds the workloads that are one kernel, or one kernel with its gradient.

// gemms are square matrix products.
var gemms = func() (list []workload) {
	for _, n := range []int{64, 128, 256, 512, 1024, 2048} {
		list = append(list, workload{
			Name:  fmt.Sprintf("gemm-%d", n),
			About: fmt.Sprintf("the product of two %d x %d matrices", n, n),
			flop:  2 * float64(n) * float64(n) * float64(n),
			make: func(r *tarn.Random) (job, error) {
				return kernel(func(in []*tarn.Value) []*tarn.Value {
					return []*tarn.Value{in[0].MatMul(in[1])}
				}, normal(r, n, n), normal(r, n, n)), nil
			},
		})
	}
	return list
}()

var elementwise = workload{
	Name:  "elementwise",
	About: "sum(gelu(x*w + b)) of 4096 x 1024 numbers, with the gradients of x, w and b",
	make: func(r *tarn.Random) (job, error) {
		return kernel(func(in []*tarn.Value) []*tarn.Value {
			x, w, b := in[0], in[1], in[2]
			y := x.Mul(w).Add(b).GELU().Sum()
			return append(tarn.Grad(y, x, w, b), y)
		}, normal(r, 4096, 1024), normal(r, 1024), normal(r, 1024)), nil
	},
}

var layerNorm = workload{
	Name:  "layernorm",
	About: "layer norm of 4096 x 1024 numbers with scale and bias, forward and backward",
	make: func(r *tarn.Random) (job, error) {
		norm := nn.NewLayerNorm(1024)
		if err := tarn.Init(norm, 1); err != nil {
			return job{}, err
		}
		return kernel(func(in []*tarn.Value) []*tarn.Value {
			x, dy := in[0], in[1]
			y := norm.Forward(x)
			return append(tarn.VJP[tarn.Operand](y, dy, x, norm.Weight, norm.Bias), y)
		}, normal(r, 4096, 1024), normal(r, 4096, 1024)), nil
	},
}

var softmaxCrossEntropy = workload{
	Name:  "softmax-xent",
	About: "softmax cross-entropy of 4096 x 1000 logits, loss and gradient",
	make: func(r *tarn.Random) (job, error) {
		return kernel(func(in []*tarn.Value) []*tarn.Value {
			logits, label := in[0], in[1]
			loss := nn.CrossEntropy(logits, label)
			return append(tarn.Grad(loss, logits), loss)
		}, normal(r, 4096, 1000), classes(r, 1000, 4096)), nil
	},
}

// kernel is the job of computing f of the inputs.
func kernel(f func(in []*tarn.Value) []*tarn.Value, inputs ...*tarn.Tensor) job {
	return job{inputs: inputs, trace: func(g *tarn.Graph) (*tarn.Program, error) {
		var in []*tarn.Value
		for i, t := range inputs {
			in = append(in, input(g, fmt.Sprintf("in%d", i), t))
		}
		outputs := tarn.Outputs{}
		for i, v := range f(in) {
			outputs[fmt.Sprintf("out%d", i)] = v
		}
		return tarn.Compile(g, outputs)
	}}
}
