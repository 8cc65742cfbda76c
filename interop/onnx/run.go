package onnx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file runs a model without a graph of the caller's.

// program is a model compiled for shapes, and for the contents of inputs that shapes depend on.
type program struct {
	p       *tarn.Program
	outputs []*value // those that are known; nil for those of the program
	known   map[string]bool
}

// mostPrograms bounds how many programs a model keeps.
const mostPrograms = 32

// Run runs the model on tensors of any shapes that it takes, and returns its outputs by name. It compiles a program for each combination of shapes, and keeps
// up to 32 of them. If shapes depend on the contents of inputs, it compiles one for every run. Programs read the weights that training changes.
func (m *Model) Run(ctx context.Context, inputs map[string]*tarn.Tensor) (map[string]*tarn.Tensor, error) {
	if m == nil || m.proto == nil {
		return nil, errNoModel
	}
	given := map[string]*value{}
	for name, t := range inputs {
		if t == nil {
			return nil, fmt.Errorf("onnx: the input %q is nil", name)
		}
		given[name] = constant(typeNone, t)
	}
	out, err := m.run(ctx, given)
	if err != nil {
		return nil, err
	}
	results := map[string]*tarn.Tensor{}
	for i, info := range m.proto.graph.outputs {
		if out[i].t == nil {
			return nil, fmt.Errorf("onnx: the output %q is no tensor of numbers", info.name)
		}
		results[info.name] = out[i].t
	}
	return results, nil
}

// run runs the model on values that are known.
func (m *Model) run(ctx context.Context, given map[string]*value) ([]*value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := ""
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if v := given[name]; v.t != nil {
			key += fmt.Sprintf("%q %v %v ", name, v.t.DType(), v.t.Shape())
		}
	}
	p := m.programs[key]
	if p == nil || len(p.known) > 0 {
		var err error
		if p, err = m.compile(given); err != nil {
			return nil, err
		}
		if len(m.programs) >= mostPrograms {
			clear(m.programs)
		}
		m.programs[key] = p
	}
	out := slices.Clone(p.outputs)
	if p.p == nil {
		return out, nil
	}
	var tensors []*tarn.Tensor
	for _, name := range p.p.Inputs() {
		tensors = append(tensors, given[name].t)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	results, err := p.p.RunContext(ctx, tensors...)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	for i, v := range out {
		out[i] = filled(v, fmt.Sprint(i), results)
	}
	return out, nil
}

// filled is an output with what a run has computed.
func filled(v *value, name string, results tarn.Results) *value {
	if v.known() {
		return v
	}
	c := *v
	c.v = nil
	if !v.isList {
		c.t = results[name]
		return &c
	}
	c.list = slices.Clone(v.list)
	for i, x := range c.list {
		c.list[i] = filled(x, fmt.Sprint(name, ".", i), results)
	}
	return &c
}

// compile builds a program for the shapes of inputs. Inputs whose contents are needed become constants.
func (m *Model) compile(given map[string]*value) (*program, error) {
	p := &program{known: map[string]bool{}}
	running := false
	for {
		g := tarn.NewGraph()
		g.Eval()
		inputs := map[string]*value{}
		for _, in := range m.inputs {
			v := given[in.name]
			switch {
			case v == nil:
			case v.t == nil || p.known[in.name]:
				inputs[in.name] = v.apart()
			default:
				inputs[in.name] = &value{elem: v.elem, v: g.Input(in.name, v.t.DType(), v.t.Shape()...)}
			}
		}
		for name, v := range given {
			if inputs[name] == nil {
				inputs[name] = v // which is reported
			}
		}
		out, err := m.build(g, inputs, running)
		if unknown := (*unknownError)(nil); errors.As(err, &unknown) {
			more := unknown.from == 0 && !running
			running = running || more
			if more {
				p.known[""] = true // the weights
			}
			for i, in := range m.inputs {
				if unknown.from>>min(i, 63)&1 == 1 && !p.known[in.name] {
					p.known[in.name], more = true, true
				}
			}
			if more {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		outputs := tarn.Outputs{}
		for i, v := range out {
			collect(g, v, fmt.Sprint(i), outputs)
		}
		p.outputs = out
		if len(outputs) == 0 {
			return p, nil
		}
		if p.p, err = tarn.Compile(g, outputs); err != nil {
			return nil, fmt.Errorf("onnx: %s", strings.TrimPrefix(err.Error(), "tarn: "))
		}
		return p, nil
	}
}

// collect adds what is not known of an output to those of a program.
func collect(g *tarn.Graph, v *value, name string, outputs tarn.Outputs) {
	switch {
	case v.known():
	case v.isList:
		for i, x := range v.list {
			collect(g, x, fmt.Sprint(name, ".", i), outputs)
		}
	default:
		outputs[name] = v.graph(g)
	}
}

// Columns are inputs or outputs that have one number or one word for each row, by name: as a model of a table reads and writes them.
type Columns struct {
	Numbers map[string][]float64
	Words   map[string][]string
}

// RunColumns runs a model that reads columns of numbers and words, each an input [n 1] or [n] of numbers of any type or of strings. The outputs are flat: an output with several
// numbers for each row has them row after row.
func (m *Model) RunColumns(ctx context.Context, in Columns) (out Columns, err error) {
	if m == nil || m.proto == nil {
		return out, errNoModel
	}
	given := map[string]*value{}
	for _, info := range m.inputs {
		numbers, words := in.Numbers[info.name], in.Words[info.name]
		shape := []int{len(numbers) + len(words)}
		if len(info.dims) == 2 {
			shape = append(shape, 1)
		}
		switch dtype, ok := info.elem.carrier(); {
		case info.elem == typeString && words != nil:
			given[info.name] = &value{elem: typeString, shape: shape, strings: words}
		case ok && numbers != nil:
			t, err := zeros(dtype, shape)
			if err != nil {
				return out, err
			}
			for i, v := range numbers {
				t.SetFloat(i, v)
			}
			given[info.name] = constant(typeNone, t)
		default:
			return out, fmt.Errorf("onnx: the input %q of %v is missing", info.name, info.elem)
		}
	}
	values, err := m.run(ctx, given)
	if err != nil {
		return out, err
	}
	out = Columns{Numbers: map[string][]float64{}, Words: map[string][]string{}}
	for i, info := range m.proto.graph.outputs {
		switch v := values[i]; {
		case v.strings != nil:
			out.Words[info.name] = v.strings
		case v.t != nil:
			out.Numbers[info.name] = v.t.Floats()
		default:
			return out, fmt.Errorf("onnx: the output %q has neither numbers nor words", info.name)
		}
	}
	return out, nil
}
