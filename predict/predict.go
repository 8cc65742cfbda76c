// Package predict runs forward passes for whoever asks: any number of rows, any number of goroutines, no labels and no loss.
//
//	p, err := predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
//		x := g.Input("x", tarn.F32, n, 784)
//		return tarn.Outputs{"probability": model.Forward(x).Softmax(-1)}
//	}, predict.Options{})
//	out, err := p.Run(ctx, x) // x has any number of rows
//
// Model is what package serve and the command ask for answers about rows of a table; package fit makes such models.
package predict

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/seed-49005b45/tarn"
)

// Options say how a Predictor works. The zero value is the usual way.
type Options struct {
	// Sizes are the numbers of rows for which programs are compiled; nil means 1, 8, 64 and 512. More rows than the largest are taken in parts.
	Sizes []int
	// AtOnce is the number of runs at the same time; 0 means GOMAXPROCS. A further one waits. Each has memory of its own, and all share the params.
	AtOnce int
}

// Predictor runs the forward pass of a model. Its methods may be called by several goroutines at the same time. The params must not change meanwhile.
type Predictor struct {
	sizes   []int
	inputs  []rows
	outputs []rows
	slots   chan struct{} // one for each run at the same time
	mu      sync.Mutex
	idle    [][]*worker // for each size
	models  []*tarn.Program
}

// rows is what is declared of an input or output: all but its first axis, which counts the rows.
type rows struct {
	name  string
	dtype tarn.DType
	shape []int
	size  int // bytes of a row
}

// rowsOf describes v, an input or output of n rows.
func rowsOf(what, name string, v *tarn.Value, n int) (rows, error) {
	shape := v.Shape()
	if len(shape) == 0 || shape[0] != n {
		return rows{}, fmt.Errorf("%s %q has the shape %v; its first axis must count the rows", what, name, shape)
	}
	r := rows{name: name, dtype: v.DType(), shape: shape[1:], size: v.DType().Size()}
	for _, d := range r.shape {
		r.size *= d
	}
	return r, nil
}

// tensor makes a tensor of n rows.
func (r rows) tensor(what string, n int) (*tarn.Tensor, error) {
	t, err := tarn.NewTensor(r.dtype, append([]int{n}, r.shape...)...)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", what, r.name, err)
	}
	return t, nil
}

// same reports whether inputs or outputs are those of another number of rows.
func same(a, b []rows) bool {
	return slices.EqualFunc(a, b, func(a, b rows) bool {
		return a.name == b.name && a.dtype == b.dtype && slices.Equal(a.shape, b.shape)
	})
}

// worker is one copy of a program with its memory.
type worker struct {
	program *tarn.Program
	inputs  []*tarn.Tensor
	results tarn.Results
}

// New returns a predictor. The function build makes the forward pass for n rows: it declares inputs whose first axis is n, and returns outputs whose first axis is n. It is called
// once for each size, with graphs that do not train, so that layers such as dropout do nothing. One run of each program is taken with zeros, so that the first answer is
// as fast as later ones.
func New(build func(g *tarn.Graph, n int) tarn.Outputs, o Options) (*Predictor, error) {
	if build == nil {
		return nil, errors.New("predict: New: the function is nil")
	}
	p := &Predictor{sizes: slices.Clone(o.Sizes)}
	if p.sizes == nil {
		p.sizes = []int{1, 8, 64, 512}
	}
	slices.Sort(p.sizes)
	p.sizes = slices.Compact(p.sizes)
	if len(p.sizes) == 0 || p.sizes[0] < 1 {
		return nil, fmt.Errorf("predict: New: sizes %v: they must be 1 or more", o.Sizes)
	}
	atOnce := o.AtOnce
	if atOnce == 0 {
		atOnce = runtime.GOMAXPROCS(0)
	}
	if atOnce < 1 {
		return nil, fmt.Errorf("predict: New: %d runs at once", atOnce)
	}
	p.slots = make(chan struct{}, atOnce)
	p.idle = make([][]*worker, len(p.sizes))
	for i, n := range p.sizes {
		if err := p.compile(build, i, n); err != nil {
			return nil, fmt.Errorf("predict: New: for %d rows: %w", n, err)
		}
		w, err := p.worker(i)
		if err == nil {
			err = w.program.RunInto(context.Background(), w.results, w.inputs...)
		}
		if err != nil {
			return nil, fmt.Errorf("predict: New: for %d rows: %w", n, err)
		}
		p.put(i, w)
	}
	return p, nil
}

// compile makes the program of one size, and looks whether its inputs and outputs are those of the other sizes.
func (p *Predictor) compile(build func(g *tarn.Graph, n int) tarn.Outputs, i, n int) error {
	g := tarn.NewGraph()
	g.Eval()
	returned := build(g, n)
	program, err := tarn.Compile(g, returned)
	if err != nil {
		return err
	}
	var inputs, outputs []rows
	for _, name := range program.Inputs() {
		v, err := g.Lookup(name)
		if err != nil {
			return err
		}
		in, err := rowsOf("input", name, v, n)
		if err != nil {
			return err
		}
		inputs = append(inputs, in)
	}
	for _, name := range slices.Sorted(maps.Keys(returned)) {
		out, err := rowsOf("output", name, returned[name], n)
		if err != nil {
			return err
		}
		outputs = append(outputs, out)
	}
	switch {
	case i == 0:
		p.inputs, p.outputs = inputs, outputs
	case !same(p.inputs, inputs):
		return errors.New("the inputs are others than for another number of rows")
	case !same(p.outputs, outputs):
		return errors.New("the outputs are others than for another number of rows")
	}
	p.models = append(p.models, program)
	return nil
}

// worker makes a copy of the program of size i.
func (p *Predictor) worker(i int) (*worker, error) {
	program, err := p.models[i].Clone()
	if err != nil {
		return nil, err
	}
	w := &worker{program: program, results: tarn.Results{}}
	for _, in := range p.inputs {
		t, err := in.tensor("input", p.sizes[i])
		if err != nil {
			return nil, err
		}
		w.inputs = append(w.inputs, t)
	}
	return w, nil
}

func (p *Predictor) get(i int) (*worker, error) {
	p.mu.Lock()
	if n := len(p.idle[i]); n > 0 {
		w := p.idle[i][n-1]
		p.idle[i] = p.idle[i][:n-1]
		p.mu.Unlock()
		return w, nil
	}
	p.mu.Unlock()
	return p.worker(i)
}

func (p *Predictor) put(i int, w *worker) {
	p.mu.Lock()
	p.idle[i] = append(p.idle[i], w)
	p.mu.Unlock()
}

// Inputs returns the names of the inputs, in the order in which Run takes them.
func (p *Predictor) Inputs() []string {
	names := make([]string, len(p.inputs))
	for i, in := range p.inputs {
		names[i] = in.name
	}
	return names
}

// Run returns the outputs for the rows of the inputs, which are given in the order of Inputs and have the same number of rows, any number from 0 on. The answer about a row does not depend
// on the rows beside it, but for the rounding of its last bits.
func (p *Predictor) Run(ctx context.Context, inputs ...*tarn.Tensor) (tarn.Results, error) {
	rows, err := p.check(inputs)
	if err != nil {
		return nil, fmt.Errorf("predict: Run: %w", err)
	}
	results := make(tarn.Results, len(p.outputs))
	for _, out := range p.outputs {
		if results[out.name], err = out.tensor("output", rows); err != nil {
			return nil, fmt.Errorf("predict: Run: %w", err)
		}
	}
	if rows == 0 {
		return results, nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-p.slots }()
	largest := p.sizes[len(p.sizes)-1]
	for from := 0; from < rows; {
		n := min(rows-from, largest)
		i, _ := slices.BinarySearch(p.sizes, n)
		if i > 0 && p.sizes[i] > n && p.sizes[i] >= 4*p.sizes[i-1] && 2*p.sizes[i-1] >= n { // two smaller runs cost less than one that is mostly padding
			i--
			n = p.sizes[i]
		}
		if err := p.part(ctx, i, from, n, inputs, results); err != nil {
			return nil, fmt.Errorf("predict: Run: %w", err)
		}
		from += n
	}
	return results, nil
}

// check returns the number of rows.
func (p *Predictor) check(inputs []*tarn.Tensor) (rows int, err error) {
	if len(inputs) != len(p.inputs) {
		return 0, fmt.Errorf("%d inputs were given, and there are %d: %v", len(inputs), len(p.inputs), p.Inputs())
	}
	for i, in := range p.inputs {
		t := inputs[i]
		if t == nil || t.Rank() == 0 || t.DType() != in.dtype || !slices.Equal(t.Shape()[1:], in.shape) {
			what := "nil"
			if t != nil {
				what = fmt.Sprintf("%v %v", t.DType(), t.Shape())
			}
			return 0, fmt.Errorf("input %q is %s, and must be %v with the shape %v after its first axis", in.name, what, in.dtype, in.shape)
		}
		if i > 0 && t.Shape()[0] != rows {
			return 0, fmt.Errorf("input %q has %d rows, and %q has %d", in.name, t.Shape()[0], p.inputs[0].name, rows)
		}
		rows = t.Shape()[0]
	}
	return rows, nil
}

// part answers n rows from the given one on, with the program of size i.
func (p *Predictor) part(ctx context.Context, i, from, n int, inputs []*tarn.Tensor, results tarn.Results) error {
	w, err := p.get(i)
	if err != nil {
		return err
	}
	defer p.put(i, w)
	for k, in := range p.inputs {
		to := w.inputs[k].Raw()
		used := copy(to, inputs[k].Raw()[from*in.size:(from+n)*in.size])
		clear(to[used:]) // what padding answers nobody sees, but it must not be an index out of range or a NaN
	}
	if err := w.program.RunInto(ctx, w.results, w.inputs...); err != nil {
		return err
	}
	for _, out := range p.outputs {
		copy(results[out.name].Raw()[from*out.size:(from+n)*out.size], w.results[out.name].Raw())
	}
	return nil
}
