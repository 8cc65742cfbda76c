package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the small problems that the tests train, the same as in testdata/goldens.py, a training of them, and the comparison of
// trainings with the paths that the programs in testdata record.

// problem is a loss of some params. rows is the number of its data rows, 0 where it has none.
type problem struct {
	params []*tarn.Param
	rows   int
	loss   func(g *tarn.Graph, rows int) *tarn.Value
	inputs func(from, to int) []*tarn.Tensor
}

func problems(dtype tarn.DType) map[string]*problem {
	return map[string]*problem{"quadratic": quadratic(dtype), "rosenbrock": rosenbrock(dtype), "network": network(dtype)}
}

func param(dtype tarn.DType, name string, values []float64, shape ...int) *tarn.Param {
	p := tarn.NewParam(dtype, nil, shape...)
	if err := new(tarn.ParamSet).Add(name, p); err != nil {
		panic(err)
	}
	for i, x := range values {
		p.Tensor().SetFloat(i, x)
	}
	return p
}

// named returns the set of some params, each under the name that it was made with.
func named(params ...*tarn.Param) *tarn.ParamSet {
	set := &tarn.ParamSet{}
	for _, p := range params {
		name, _, _ := strings.Cut(p.String(), " ")
		if err := set.Add(name, p); err != nil {
			panic(err)
		}
	}
	return set
}

// statesOf returns the states of an optimizer.
func statesOf(t *testing.T, opt optim.Optimizer) *tarn.ParamSet {
	t.Helper()
	states, err := opt.States()
	if err != nil {
		t.Fatal(err)
	}
	return states
}

func constant(g *tarn.Graph, dtype tarn.DType, values ...float64) *tarn.Value {
	return g.Const(tarn.Vector(values).Cast(dtype))
}

// quadratic is sum a (w - b)^2 / 2.
func quadratic(dtype tarn.DType) *problem {
	w := param(dtype, "w", []float64{0.5, 0.5, -0.5}, 3)
	return &problem{params: []*tarn.Param{w}, loss: func(g *tarn.Graph, _ int) *tarn.Value {
		a, b := constant(g, dtype, 1, 10, 0.1), constant(g, dtype, 1, -2, 3)
		return w.Value(g).Sub(b).Square().Mul(a).Sum().Scale(0.5)
	}}
}

// rosenbrock is (1-x)^2 + 100 (y - x^2)^2.
func rosenbrock(dtype tarn.DType) *problem {
	p := param(dtype, "x", []float64{-1.2, 1}, 2)
	return &problem{params: []*tarn.Param{p}, loss: func(g *tarn.Graph, _ int) *tarn.Value {
		x, y := p.Value(g).Slice(0, 0, 1), p.Value(g).Slice(0, 1, 2)
		return x.Sub(tarn.Num(1)).Square().Add(y.Sub(x.Square()).Square().Scale(100)).Sum()
	}}
}

func wave(n int, phase float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(1.3*float64(i) + phase)
	}
	return v
}

// network is the mean squared error of a network with one hidden layer.
func network(dtype tarn.DType) *problem {
	const rows = 5
	w1, b1 := param(dtype, "w1", wave(12, 0.2), 3, 4), param(dtype, "b1", wave(4, 0.3), 4)
	w2, b2 := param(dtype, "w2", wave(4, 0.4), 4, 1), param(dtype, "b2", wave(1, 0.5), 1)
	xs, ys := wave(rows*3, 0.1), wave(rows, 0.7)
	return &problem{
		params: []*tarn.Param{w1, b1, w2, b2},
		rows:   rows,
		loss: func(g *tarn.Graph, rows int) *tarn.Value {
			x, y := g.Input("x", dtype, rows, 3), g.Input("y", dtype, rows, 1)
			h := x.MatMul(w1).Add(b1).Tanh()
			return h.MatMul(w2).Add(b2).Named("prediction").Sub(y).Square().Mean()
		},
		inputs: func(from, to int) []*tarn.Tensor {
			x, _ := tarn.FromSlice(xs[from*3:to*3], to-from, 3)
			y, _ := tarn.FromSlice(ys[from:to], to-from, 1)
			return []*tarn.Tensor{x.Cast(dtype), y.Cast(dtype)}
		},
	}
}

func (p *problem) batch() []*tarn.Tensor {
	if p.inputs == nil {
		return nil
	}
	return p.inputs(0, p.rows)
}

// values are all elements of all params.
func (p *problem) values() []float64 {
	var all []float64
	for _, q := range p.params {
		all = append(all, q.Tensor().Floats()...)
	}
	return all
}

// compile makes the program of Update for batches of some rows.
func (p *problem) compile(t *testing.T, opt optim.Optimizer, rows int) *tarn.Program {
	t.Helper()
	g := tarn.NewGraph()
	loss := p.loss(g, rows)
	updates, err := opt.Update(loss, named(p.params...))
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run takes one step and returns the loss.
func run(t *testing.T, program *tarn.Program, inputs []*tarn.Tensor) float64 {
	t.Helper()
	out, err := program.Run(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return out["loss"].Item()
}

// follow takes 20 steps and compares the params after those that the recorded paths keep. After each it calls then, if there is one.
func (p *problem) follow(t *testing.T, opt optim.Optimizer, path [][]float64, tolerance float64, then func(at int)) {
	t.Helper()
	kept := []int{1, 2, 5, 10, 20}
	if len(path) != len(kept) {
		t.Fatalf("the path has %d steps, not %d", len(path), len(kept))
	}
	program := p.compile(t, opt, p.rows)
	for step := 1; step <= kept[len(kept)-1]; step++ {
		run(t, program, p.batch())
		at := slices.Index(kept, step)
		if at < 0 {
			continue
		}
		if d := worst(p.values(), path[at]); !(d <= tolerance) {
			t.Fatalf("step %d differs by %.2g:\n got %v\nwant %v", step, d, p.values(), path[at])
		}
		if then != nil {
			then(at)
		}
	}
}

// followAll follows the paths in a file by the names of optimizers and problems. There must be one for each of the optimizers. It runs in the
// dtypes that have a tolerance.
func followAll[O optim.Optimizer](t *testing.T, file string, optimizers map[string]func(problem string) O, tolerances map[tarn.DType]float64,
	problem func(name string, dtype tarn.DType) *problem) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]map[string][][]float64
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	if a, b := slices.Sorted(maps.Keys(recorded)), slices.Sorted(maps.Keys(optimizers)); !slices.Equal(a, b) {
		t.Fatalf("the goldens have %q, the test %q", a, b)
	}
	for name, paths := range recorded {
		for on, path := range paths {
			for dtype, tolerance := range tolerances {
				t.Run(name+"/"+on+"/"+dtype.String(), func(t *testing.T) {
					problem(on, dtype).follow(t, optimizers[name](on), path, tolerance, nil)
				})
			}
		}
	}
}

// onAll gives each optimizer for all problems.
func onAll[O optim.Optimizer](optimizers map[string]func() O) map[string]func(problem string) O {
	all := map[string]func(string) O{}
	for name, make := range optimizers {
		all[name] = func(string) O { return make() }
	}
	return all
}
