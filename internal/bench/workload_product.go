package bench

import (
	"fmt"

	"github.com/seed-49005b45/tarn"
)

// This file holds the workloads that are one matrix product, with operands transposed or not: square ones, and those of the trainings among the
// workloads. They are run if they are named, or all of them, with the large gemms, by the name products.

// Products is the name that stands for all workloads that are a product of a size that trainings have.
const Products = "products"

// The kinds of a product, as the forward pass of a linear layer has it, and the gradients with respect to its input and its weights.
const (
	forward  = "nn" // x·w
	byInput  = "nt" // dy·wᵀ
	byWeight = "tn" // xᵀ·dy
)

var products = func() (list []workload) {
	for _, n := range []int{512, 1024, 2048} {
		for _, kind := range []string{byInput, byWeight} {
			list = append(list, product(kind, n, n, n))
		}
	}
	for _, layer := range [][3]int{ // rows, inputs, outputs
		{1024, 384, 1152}, {1024, 384, 384}, {1024, 384, 1536}, {1024, 1536, 384}, // gpt-small
		{768, 128, 384}, {768, 128, 512}, {768, 512, 128}, // gpt-mini
		{128, 784, 512}, {128, 512, 512}, // mlp-mnist
		{32, 256, 1024}, {2048, 64, 1024}, // lstm
		{64, 9216, 128}, // cnn-mnist
	} {
		rows, in, out := layer[0], layer[1], layer[2]
		list = append(list, product(forward, rows, out, in), product(byInput, rows, in, out), product(byWeight, in, out, rows))
	}
	return list
}()

// product is the product of an m by k matrix with a k by n matrix.
func product(kind string, m, n, k int) workload {
	return workload{
		Name:  fmt.Sprintf("product-%s-%dx%dx%d", kind, m, n, k),
		About: fmt.Sprintf("the product of matrices of %d x %d and %d x %d%s", m, k, k, n, map[string]string{byWeight: ", the first transposed", byInput: ", the second transposed"}[kind]),
		flop:  2 * float64(m) * float64(n) * float64(k),
		make: func(r *tarn.Random) (job, error) {
			a, b := normal(r, m, k), normal(r, k, n)
			if kind == byWeight {
				a = normal(r, k, m)
			}
			if kind == byInput {
				b = normal(r, n, k)
			}
			return kernel(func(in []*tarn.Value) []*tarn.Value {
				x, y := in[0], in[1]
				if kind == byWeight {
					x = x.T()
				}
				if kind == byInput {
					y = y.T()
				}
				return []*tarn.Value{x.MatMul(y)}
			}, a, b), nil
		},
	}
}
