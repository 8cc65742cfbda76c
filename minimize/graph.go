package minimize

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file makes a Problem of a loss, or of residuals, in a tarn graph.

// Graph is a function in a graph of some of the params in it, seen as a function of one vector: all their elements, one param
// after the other. Evaluating it changes the params.
type Graph struct {
	params []*tarn.Param
	inputs map[string]*tarn.Tensor
	size   int
	err    error

	problem Problem
}

// Inputs are what the inputs of a graph hold during a search, by name.
type Inputs map[string]*tarn.Tensor

// FromGraph compiles a scalar loss with its gradient with respect to the params, and its Hessian-vector product, each into one program. All params
// are F64, see tarn.Cast. inputs has a tensor for each input that the loss depends on.
func FromGraph(loss *tarn.Value, params []*tarn.Param, inputs Inputs) (*Graph, error) {
	g, err := newGraph(loss, params, inputs)
	if err != nil {
		return nil, err
	}
	return g, g.addLoss(loss)
}

// FromResiduals compiles residuals, a value of any shape, for the minimization of half their sum of squares: the residuals, gradient and
// Hessian-vector product of that, and products with the Jacobian and its transpose.
func FromResiduals(residuals *tarn.Value, params []*tarn.Param, inputs Inputs) (*Graph, error) {
	g, err := newGraph(residuals, params, inputs)
	if err != nil {
		return nil, err
	}
	if err := g.addLoss(residuals.Square().Sum().Scale(0.5)); err != nil {
		return nil, err
	}
	return g, g.addResiduals(residuals)
}

func newGraph(v *tarn.Value, params []*tarn.Param, inputs Inputs) (*Graph, error) {
	if v == nil {
		return nil, fmt.Errorf("minimize: the value to minimize is nil")
	}
	if v.DType() != tarn.F64 {
		return nil, fmt.Errorf("minimize: the value to minimize, made at %s, is %v: minimization is done in f64, see tarn.Cast", v.Place(), v.DType())
	}
	g := &Graph{params: params, inputs: inputs}
	for i, p := range params {
		switch {
		case p == nil:
			return nil, fmt.Errorf("minimize: param %d is nil", i)
		case slices.Contains(params[:i], p):
			return nil, fmt.Errorf("minimize: param %v is listed twice", p)
		case p.DType() != tarn.F64:
			return nil, fmt.Errorf("minimize: param %v is not f64: minimization is done in f64, see tarn.Cast", p)
		}
		g.size += p.Tensor().Size()
	}
	if g.size == 0 {
		return nil, fmt.Errorf("minimize: the params have no elements")
	}
	g.problem.Err = func() error { return g.err }
	return g, nil
}

// Problem is the function of the vector. Its functions are not for use by several goroutines at once.
func (g *Graph) Problem() Problem { return g.problem }

// X returns what the params hold, as a vector: the start of a search.
func (g *Graph) X() []float64 {
	x := make([]float64, 0, g.size)
	for _, p := range g.params {
		x = append(x, p.Tensor().F64()...)
	}
	return x
}

// Set makes the params hold x, as the result of a search: after one they hold the point evaluated last.
func (g *Graph) Set(x []float64) error {
	if len(x) != g.size {
		return fmt.Errorf("minimize: Set: %d elements for params that have %d", len(x), g.size)
	}
	spread(g.params, x)
	return nil
}

func spread(params []*tarn.Param, x []float64) {
	for _, p := range params {
		x = x[copy(p.Tensor().F64(), x):]
	}
}

// program is a compiled part of the function. Its outputs are named "0", "1" and so on.
type program struct {
	g       *Graph
	program *tarn.Program
	inputs  []*tarn.Tensor
	outputs []string
	results tarn.Results
}

func (g *Graph) compile(graph *tarn.Graph, values ...*tarn.Value) (*program, error) {
	p := &program{g: g, results: tarn.Results{}}
	outputs := tarn.Outputs{}
	for i, v := range values {
		name := fmt.Sprint(i)
		outputs[name], p.outputs = v, append(p.outputs, name)
	}
	var err error
	if p.program, err = tarn.Compile(graph, outputs); err != nil {
		return nil, err
	}
	for _, name := range p.program.Inputs() {
		t := g.inputs[name]
		if t == nil {
			return nil, fmt.Errorf("minimize: the function depends on the input %q, which is not given", name)
		}
		p.inputs = append(p.inputs, t)
	}
	return p, nil
}

// run evaluates at x, always with the random numbers of the first step, and calls use with each output.
func (p *program) run(x []float64, use func(i int, t []float64)) {
	spread(p.g.params, x)
	p.program.SetRuns(0)
	if err := p.program.RunInto(context.Background(), p.results, p.inputs...); err != nil {
		p.g.err = err
		return
	}
	for i, name := range p.outputs {
		use(i, p.results[name].F64())
	}
}

// gather runs p and stores its outputs, from the one numbered skip on, one after the other in dst.
func (p *program) gather(dst, x []float64, skip int, first func(v float64)) {
	at := 0
	p.run(x, func(i int, t []float64) {
		if i < skip {
			first(t[0])
			return
		}
		at += copy(dst[at:], t)
	})
}

// vectors are params that hold a vector like x, as values in a graph.
func (g *Graph) vectors(graph *tarn.Graph) (held []*tarn.Param, values []*tarn.Value) {
	for _, p := range g.params {
		v := tarn.NewState(tarn.F64, nil, p.Shape()...)
		held, values = append(held, v), append(values, v.Value(graph))
	}
	return held, values
}

func (g *Graph) addLoss(loss *tarn.Value) error {
	graph := loss.Graph()
	grads := tarn.Grad(loss, g.params...)
	valueGrad, err := g.compile(graph, append([]*tarn.Value{loss}, grads...)...)
	if err != nil {
		return err
	}
	held, vectors := g.vectors(graph)
	product, err := g.compile(graph, tarn.HVP(loss, g.params, vectors)...)
	if err != nil {
		return err
	}
	g.problem.FuncGrad = func(dst, x []float64) (f float64) {
		valueGrad.gather(dst, x, 1, func(v float64) { f = v })
		return f
	}
	g.problem.HessVec = func(dst, x, v []float64) {
		spread(held, v)
		product.gather(dst, x, 0, nil)
	}
	return nil
}

func (g *Graph) addResiduals(r *tarn.Value) error {
	graph, n, m := r.Graph(), g.size, r.Size()
	plain, err := g.compile(graph, r)
	if err != nil {
		return err
	}
	along, tangents := g.vectors(graph)
	jvp := tarn.JVP(r, g.params, tangents)
	forward, err := g.compile(graph, jvp)
	if err != nil {
		return err
	}
	gauss, err := g.compile(graph, tarn.VJP(r, jvp, g.params...)...)
	if err != nil {
		return err
	}
	seed := tarn.NewState(tarn.F64, nil, r.Shape()...)
	back, err := g.compile(graph, tarn.VJP(r, seed.Value(graph), g.params...)...)
	if err != nil {
		return err
	}
	g.problem.Count = m
	g.problem.Residuals = func(dst, x []float64) { plain.gather(dst, x, 0, nil) }
	g.problem.GaussVec = func(dst, x, v []float64) {
		spread(along, v)
		gauss.gather(dst, x, 0, nil)
	}
	unit := make([]float64, max(n, m))
	g.problem.Jacobian = func(dst, x []float64) {
		if m < n { // a row for each run
			for i := range m {
				unit[i] = 1
				spread([]*tarn.Param{seed}, unit[:m])
				unit[i] = 0
				back.gather(dst[i*n:(i+1)*n], x, 0, nil)
			}
			return
		}
		for k := range n { // a column for each run
			unit[k] = 1
			spread(along, unit[:n])
			unit[k] = 0
			forward.run(x, func(_ int, t []float64) {
				for i, v := range t {
					dst[i*n+k] = v
				}
			})
		}
	}
	return nil
}
