package curvature

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file makes an Operator of a loss in a tarn graph.

// Inputs are what the inputs of a graph hold for one batch, by name.
type Inputs map[string]*tarn.Tensor

// NewHessian compiles the product with the Hessian of a scalar loss with respect to some params, a matrix with a row for each element of the params, one
// param after the other. It is the mean over the batches, of which there may be none if the loss has no inputs; with batches of equal
// size and a loss that is a mean over the batch, the Hessian of the mean over all examples. The params are read at each product.
//
// Random ops draw the same numbers in every product. Layers that keep statistics, such as a batch norm, change these when their result is
// computed in training: build the loss in a graph marked by Eval.
func NewHessian(loss *tarn.Value, params []*tarn.Param, batches ...Inputs) (*Operator, error) {
	return newOperator(loss, params, batches, func(vectors []*tarn.Value) []*tarn.Value {
		return tarn.HVP(loss, params, vectors)
	})
}

// NewGaussNewton compiles the product with the Gauss-Newton matrix, see tarn.GNVP: outputs is the value, such as the logits, through
// which the loss depends on the params. It is the Fisher information for cross-entropy and squared error. The rest is as for NewHessian.
func NewGaussNewton(loss, outputs *tarn.Value, params []*tarn.Param, batches ...Inputs) (*Operator, error) {
	return newOperator(loss, params, batches, func(vectors []*tarn.Value) []*tarn.Value {
		return tarn.GNVP(loss, outputs, params, vectors)
	})
}

// product is a compiled product with its vector, which lies in states of the program.
type product struct {
	program *tarn.Program
	results tarn.Results
	names   []string       // of the outputs
	vectors []*tarn.Tensor // the parts of the vector
	batches [][]*tarn.Tensor
}

func newOperator(loss *tarn.Value, params []*tarn.Param, batches []Inputs, build func(vectors []*tarn.Value) []*tarn.Value) (*Operator, error) {
	if loss == nil {
		return nil, errors.New("curvature: the loss is nil")
	}
	g := loss.Graph()
	p := &product{results: tarn.Results{}}
	outputs := tarn.Outputs{}
	var vectors []*tarn.Value
	size := 0
	for i, param := range params {
		switch {
		case param == nil:
			return nil, fmt.Errorf("curvature: param %d is nil", i)
		case slices.Contains(params[:i], param):
			return nil, fmt.Errorf("curvature: param %v is listed twice", param)
		case !param.DType().IsFloat():
			return nil, fmt.Errorf("curvature: param %v is neither f32 nor f64: it has no derivatives", param)
		}
		v := tarn.NewState(param.DType(), nil, param.Shape()...)
		vectors = append(vectors, v.Value(g))
		p.vectors, p.names = append(p.vectors, v.Tensor()), append(p.names, fmt.Sprint(i))
		size += v.Tensor().Size()
	}
	if size == 0 {
		return nil, errors.New("curvature: the params have no elements; pass those that tarn.Params finds in the model and that are trained")
	}
	for i, v := range build(vectors) {
		outputs[p.names[i]] = v
	}
	var err error
	if p.program, err = tarn.Compile(g, outputs); err != nil {
		return nil, err
	}
	inputs := p.program.Inputs()
	if len(batches) == 0 {
		if len(inputs) > 0 {
			return nil, fmt.Errorf("curvature: the second derivatives depend on the input %q and there is no batch; pass Inputs", inputs[0])
		}
		batches = []Inputs{nil}
	}
	for i, b := range batches {
		var in []*tarn.Tensor
		for _, name := range inputs {
			if b[name] == nil {
				return nil, fmt.Errorf("curvature: the second derivatives depend on the input %q, which batch %d does not have", name, i)
			}
			in = append(in, b[name])
		}
		p.batches = append(p.batches, in)
	}
	return &Operator{Size: size, Product: p.mean}, nil
}

// mean is the mean of the products over the batches.
func (p *product) mean(ctx context.Context, dst, v []float64) error {
	for _, t := range p.vectors {
		n := t.Size()
		if t.DType() == tarn.F64 {
			copy(t.F64(), v)
		} else {
			for i, x := range v[:n] {
				t.SetFloat(i, x)
			}
		}
		v = v[n:]
	}
	clear(dst)
	share := 1 / float64(len(p.batches))
	for i, in := range p.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.program.SetRuns(0)
		if err := p.program.RunInto(ctx, p.results, in...); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
		rest := dst
		for _, name := range p.names {
			t := p.results[name]
			n := t.Size()
			if t.DType() == tarn.F64 {
				for k, x := range t.F64() {
					rest[k] += share * x
				}
			} else {
				for k := range n {
					rest[k] += share * t.Float(k)
				}
			}
			rest = rest[n:]
		}
	}
	return nil
}
