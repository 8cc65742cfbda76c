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
	return newOperator("second derivatives", loss, params, batches, func(vectors []*tarn.Value) []*tarn.Value {
		return tarn.HVP(loss, params, vectors)
	})
}

// NewGaussNewton compiles the product with the Gauss-Newton matrix, see tarn.GNVP: outputs is the value, such as the logits, through
// which the loss depends on the params. It is the Fisher information for cross-entropy and squared error. The rest is as for NewHessian.
func NewGaussNewton(loss, outputs *tarn.Value, params []*tarn.Param, batches ...Inputs) (*Operator, error) {
	return newOperator("second derivatives", loss, params, batches, func(vectors []*tarn.Value) []*tarn.Value {
		return tarn.GNVP(loss, outputs, params, vectors)
	})
}

// NewGradient compiles the gradient of a scalar loss with respect to some params, all elements of all params one after the other, the mean over
// the batches as for NewHessian. The function sets dst to the gradient at what the params are when it is called.
func NewGradient(loss *tarn.Value, params []*tarn.Param, batches ...Inputs) (gradient func(ctx context.Context, dst []float64) error, err error) {
	a, err := newOperator("derivatives", loss, params, batches, func([]*tarn.Value) []*tarn.Value { return tarn.Grad(loss, params...) })
	if err != nil {
		return nil, err
	}
	none := make([]float64, a.Size)
	return func(ctx context.Context, dst []float64) error { return a.Product(ctx, dst, none) }, nil
}

// product is a compiled product with its vector, which lies in states of the program.
type product struct {
	program *tarn.Program
	results tarn.Results
	names   []string // of the outputs
	vector  vector
	batches [][]*tarn.Tensor
}

// vector is states of a program that hold a vector, a part for each param.
type vector struct {
	values []*tarn.Value
	parts  []*tarn.Tensor
	size   int
}

// newVector makes states of the shapes of the params.
func newVector(g *tarn.Graph, params []*tarn.Param) (v vector, err error) {
	for i, param := range params {
		switch {
		case param == nil:
			return v, fmt.Errorf("curvature: param %d is nil", i)
		case slices.Contains(params[:i], param):
			return v, fmt.Errorf("curvature: param %v is listed twice", param)
		case !param.DType().IsFloat():
			return v, fmt.Errorf("curvature: param %v is neither f32 nor f64: it has no derivatives", param)
		}
		s := tarn.NewState(param.DType(), nil, param.Shape()...)
		v.values, v.parts = append(v.values, s.Value(g)), append(v.parts, s.Tensor())
		v.size += s.Tensor().Size()
	}
	if v.size == 0 {
		return v, errors.New("curvature: the params have no elements; pass those that tarn.Params finds in the model and that are trained")
	}
	return v, nil
}

// set sets the parts of the vector.
func (v *vector) set(to []float64) { setParts(v.parts, to) }

// setParts distributes the elements of v over tensors.
func setParts(parts []*tarn.Tensor, v []float64) {
	for _, t := range parts {
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
}

// operands returns the tensors that a program takes for each batch; what names its outputs in errors.
func operands(program *tarn.Program, what string, batches []Inputs) (all [][]*tarn.Tensor, err error) {
	inputs := program.Inputs()
	if len(batches) == 0 {
		if len(inputs) > 0 {
			return nil, fmt.Errorf("curvature: the %s need the input %q and there is no batch; pass Inputs", what, inputs[0])
		}
		batches = []Inputs{nil}
	}
	for i, b := range batches {
		var in []*tarn.Tensor
		for _, name := range inputs {
			if b[name] == nil {
				return nil, fmt.Errorf("curvature: the %s need the input %q, which batch %d does not have", what, name, i)
			}
			in = append(in, b[name])
		}
		all = append(all, in)
	}
	return all, nil
}

// newOperator compiles a product; what names it in errors.
func newOperator(what string, loss *tarn.Value, params []*tarn.Param, batches []Inputs, build func(vectors []*tarn.Value) []*tarn.Value) (*Operator, error) {
	if loss == nil {
		return nil, errors.New("curvature: the loss is nil")
	}
	g := loss.Graph()
	p := &product{results: tarn.Results{}}
	var err error
	if p.vector, err = newVector(g, params); err != nil {
		return nil, err
	}
	outputs := tarn.Outputs{}
	for i, v := range build(p.vector.values) {
		p.names = append(p.names, fmt.Sprint(i))
		outputs[p.names[i]] = v
	}
	if p.program, err = tarn.Compile(g, outputs); err != nil {
		return nil, err
	}
	if p.batches, err = operands(p.program, what, batches); err != nil {
		return nil, err
	}
	return &Operator{Size: p.vector.size, Product: p.mean}, nil
}

// mean is the mean of the products over the batches.
func (p *product) mean(ctx context.Context, dst, v []float64) error {
	p.vector.set(v)
	clear(dst)
	share := 1 / float64(len(p.batches))
	for i, in := range p.batches {
		if err := context.Cause(ctx); err != nil {
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
