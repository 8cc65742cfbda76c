package onnx

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file holds Model: reading, what it says of itself, and its weights.

// Options say how to build a graph.
type Options struct {
	// Known are contents of inputs that are known when the graph is built. A model whose shapes depend on the contents of an input needs them,
	// such as one that gets the shape of its result as an input.
	Known map[string]*tarn.Tensor
}

// Reading says how to read a file. The zero value reads what Load and Read read.
type Reading struct {
	// MaxBytes is the largest size of a file that is read; 0 means 16 GiB, and a negative number any size.
	MaxBytes int64
}

const usualBytes = 16 << 30

// The operator sets that are read. The operators of later ones than the usual 9 to 21 differ in types that they take.
const (
	firstOpset = 7
	lastOpset  = 28
)

// Model is a model of a file. Its methods may be called by several goroutines; runs take place one after the other.
type Model struct {
	// Weights are the floats among the initializers, by name. The means and variances of batch normalization are states, which no optimizer
	// changes.
	Weights map[string]*tarn.Param `tarn:""`

	proto    *modelProto             `tarn:"-"`
	inputs   []*valueInfo            `tarn:"-"` // those that are no initializers
	weights  map[*tensorProto]*value `tarn:"-"` // of all graphs
	mu       sync.Mutex              `tarn:"-"`
	programs map[string]*program     `tarn:"-"`
}

// Info is an input or output of a model.
type Info struct {
	Name  string
	Type  string     // of the elements, as in "float32"
	DType tarn.DType // that tarn carries them by; for strings it is Bool and means nothing
	Shape []int      // -1 for a free axis; nil if the model does not tell
	Names []string   // of the free axes, "" for an axis of a size
}

// Load reads the model in the file at path, and the files beside it that hold its weights, if there are any.
func Load(path string) (*Model, error) { return Reading{}.Load(path) }

// Load is the function Load with limits.
func (r Reading) Load(path string) (*Model, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	m, err := r.read(f, size, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", file.Name(path), err)
	}
	return m, nil
}

// Read reads a model from the size bytes of r. Weights that lie in other files are an error.
func Read(r io.ReaderAt, size int64) (*Model, error) { return Reading{}.Read(r, size) }

// Read is the function Read with limits.
func (r Reading) Read(from io.ReaderAt, size int64) (*Model, error) {
	m, err := r.read(from, size, "")
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return m, nil
}

func (r Reading) read(from io.ReaderAt, size int64, dir string) (*Model, error) {
	most := r.MaxBytes
	if most == 0 {
		most = usualBytes
	}
	if size < 0 || most > 0 && size > most || size > math.MaxInt/4 {
		return nil, fmt.Errorf("the file has %d bytes, more than the limit of %d: see Reading.MaxBytes", size, most)
	}
	if err := limit.Check(int(size)); err != nil {
		return nil, fmt.Errorf("the file is too large: %w; %s", err, limit.ReadHint)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(from, 0, size), b); err != nil {
		return nil, err
	}
	proto, err := parseModel(b)
	if err != nil {
		return nil, err
	}
	return newModel(proto, dir)
}

// newModel checks what a file says, and reads the weights.
func newModel(p *modelProto, dir string) (*Model, error) {
	m := &Model{Weights: map[string]*tarn.Param{}, proto: p, weights: map[*tensorProto]*value{}, programs: map[string]*program{}}
	if version := p.opsets[""]; version != 0 && (version < firstOpset || version > lastOpset) {
		return nil, fmt.Errorf("the model uses operator set %d, and %d to %d are read: convert it with onnx.version_converter", version, firstOpset, lastOpset)
	}
	if err := m.checkOperators(); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for _, t := range p.graph.initializers {
		given[t.name] = true
	}
	for _, in := range p.graph.inputs {
		if !given[in.name] {
			m.inputs = append(m.inputs, in)
		}
	}
	if err := m.readGraph(p.graph, dir, ""); err != nil {
		return nil, err
	}
	for _, f := range p.functions {
		if err := m.readNodes(f.nodes, dir, f.name+"."); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// readGraph reads the initializers of a graph and of the graphs in it.
func (m *Model) readGraph(g *graphProto, dir, prefix string) error {
	roles := rolesOf(g, m.proto.functions)
	for _, t := range g.initializers {
		v, err := t.read(dir)
		if err != nil {
			return err
		}
		t.raw, t.floats, t.int32s, t.int64s, t.doubles, t.uint64s = nil, nil, nil, nil, nil, nil // the tensor has them now
		m.weights[t] = v
		if v.t == nil || !t.dtype.float() || t.dtype.float8() || len(t.dims) == 0 || roles[t.name]&trained == 0 && roles[t.name]&state == 0 {
			continue
		}
		name := prefix + t.name
		if m.Weights[name] != nil {
			return fmt.Errorf("there are two initializers %q", name)
		}
		if roles[t.name]&trained != 0 {
			v.param = tarn.NewParam(v.t.DType(), nil, v.t.Shape()...)
		} else {
			v.param = tarn.NewState(v.t.DType(), nil, v.t.Shape()...)
		}
		if err := v.param.Set(v.t); err != nil {
			return err
		}
		v.t = nil
		m.Weights[name] = v.param
	}
	return m.readNodes(g.nodes, dir, prefix)
}

func (m *Model) readNodes(nodes []*nodeProto, dir, prefix string) error {
	for _, n := range nodes {
		for _, a := range n.attrs {
			if a.g != nil {
				if err := m.readGraph(a.g, dir, prefix+n.name+"."+a.name+"."); err != nil {
					return err
				}
			}
			if a.t != nil && m.weights[a.t] == nil {
				v, err := a.t.read(dir)
				if err != nil {
					return err
				}
				m.weights[a.t] = v
			}
		}
	}
	return nil
}

// What an initializer is for the nodes that read it.
const (
	trained = 1 << iota
	state
)

// rolesOf says of each name what it is for the nodes of a graph and of the graphs in it.
func rolesOf(g *graphProto, functions map[string]*functionProto) map[string]int {
	roles := map[string]int{}
	var walk func(g *graphProto)
	walk = func(g *graphProto) {
		for _, n := range g.nodes {
			op := operators()[n.domain+":"+n.op]
			for i, name := range n.inputs {
				switch {
				case slices.Contains(op.settings, i):
				case slices.Contains(op.states, i):
					roles[name] |= state
				default:
					roles[name] |= trained
				}
			}
			for _, a := range n.attrs {
				if a.g != nil {
					walk(a.g)
				}
			}
		}
		for _, o := range g.outputs {
			roles[o.name] |= 0
		}
	}
	walk(g)
	return roles
}

// UnsupportedError lists the operators of a model that this package does not have.
type UnsupportedError struct {
	// Operators are their names, with the domain in front if it is not the usual one, and the nodes that use them.
	Operators map[string][]string
}

// Error names each operator, with the number of its nodes and the first of them.
func (e *UnsupportedError) Error() string {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(e.Operators)) {
		nodes := e.Operators[op]
		if len(nodes) > 1 {
			parts = append(parts, fmt.Sprintf("%s (%d nodes, the first is %q)", op, len(nodes), nodes[0]))
		} else {
			parts = append(parts, fmt.Sprintf("%s (node %q)", op, nodes[0]))
		}
	}
	return "the model has operators that are not supported: " + strings.Join(parts, ", ")
}

// checkOperators refuses all operators that there are not, at once.
func (m *Model) checkOperators() error {
	missing := map[string][]string{}
	m.eachNode(func(n *nodeProto) {
		key := n.domain + ":" + n.op
		if _, ok := operators()[key]; ok || m.proto.functions[key] != nil {
			return
		}
		name := n.name
		if name == "" && len(n.outputs) > 0 {
			name = n.outputs[0]
		}
		op := n.op
		if n.domain != "" {
			op = n.domain + "." + op
		}
		missing[op] = append(missing[op], name)
	})
	if len(missing) > 0 {
		return &UnsupportedError{missing}
	}
	return nil
}

// eachNode calls f for every node of the model.
func (m *Model) eachNode(f func(n *nodeProto)) {
	var walk func(nodes []*nodeProto)
	walk = func(nodes []*nodeProto) {
		for _, n := range nodes {
			f(n)
			for _, a := range n.attrs {
				if a.g != nil {
					walk(a.g.nodes)
				}
			}
		}
	}
	walk(m.proto.graph.nodes)
	for _, fn := range m.proto.functions {
		walk(fn.nodes)
	}
}

// Operators returns how many nodes there are of each operator.
func (m *Model) Operators() map[string]int {
	counts := map[string]int{}
	m.eachNode(func(n *nodeProto) {
		if n.domain != "" {
			counts[n.domain+"."+n.op]++
		} else {
			counts[n.op]++
		}
	})
	return counts
}

// Opset is the version of the standard operators that the model uses.
func (m *Model) Opset() int { return int(m.proto.opsets[""]) }

// Metadata returns what the file says besides, such as the names of classes.
func (m *Model) Metadata() map[string]string { return maps.Clone(m.proto.metadata) }

// Inputs returns what the model reads.
func (m *Model) Inputs() []Info { return infos(m.inputs) }

// Outputs returns what the model answers.
func (m *Model) Outputs() []Info { return infos(m.proto.graph.outputs) }

func infos(all []*valueInfo) (out []Info) {
	for _, v := range all {
		in := Info{Name: v.name, Type: v.elem.String()}
		in.DType, _ = v.elem.carrier()
		if v.sequence {
			in.Type = "sequence of " + in.Type
		}
		if v.known {
			in.Shape = []int{}
		}
		for _, d := range v.dims {
			in.Shape, in.Names = append(in.Shape, int(max(d.size, -1))), append(in.Names, d.name)
		}
		out = append(out, in)
	}
	return out
}

// Build adds the model to a graph, for the given inputs, and returns its outputs by name. Free axes get the sizes of the inputs; a size that the model
// fixes, and the names of axes, must agree.
//
// Shapes: those of the model.
func (m *Model) Build(g *tarn.Graph, inputs map[string]*tarn.Value, o Options) (map[string]*tarn.Value, error) {
	given := map[string]*value{}
	for name, v := range inputs {
		if v == nil {
			return nil, fmt.Errorf("onnx: the input %q is nil", name)
		}
		given[name] = &value{v: v}
	}
	for name, t := range o.Known {
		if t == nil {
			return nil, fmt.Errorf("onnx: the input %q is nil", name)
		}
		given[name] = &value{t: t}
	}
	out, err := m.build(g, given, false)
	if err != nil {
		return nil, err
	}
	results := map[string]*tarn.Value{}
	for i, info := range m.proto.graph.outputs {
		v := out[i]
		if v.isList || v.none || v.strings != nil {
			return nil, fmt.Errorf("onnx: the output %q is no tensor of numbers", info.name)
		}
		results[info.name] = v.graph(g)
	}
	return results, nil
}

// build adds the model to a graph, and checks inputs.
func (m *Model) build(g *tarn.Graph, given map[string]*value, running bool) ([]*value, error) {
	s := &scope{values: map[string]*value{}}
	free := map[string]int{}
	for i, in := range m.inputs {
		v := given[in.name]
		if v == nil {
			if in.optional {
				s.values[in.name] = &value{none: true}
				continue
			}
			return nil, fmt.Errorf("onnx: the input %q is missing; the model reads %s", in.name, m.names())
		}
		if err := in.fits(v, free); err != nil {
			return nil, err
		}
		own := *v
		if own.elem == typeNone {
			own.elem = in.elem
		}
		if !own.known() {
			own.from = 1 << min(i, 63)
		}
		s.values[in.name] = &own
	}
	for name := range given {
		if s.values[name] == nil {
			return nil, fmt.Errorf("onnx: there is no input %q; the model reads %s", name, m.names())
		}
	}
	b := &builder{model: m, g: g, opsets: m.proto.opsets, running: running}
	return b.graph(m.proto.graph, s)
}

func (m *Model) names() string {
	var names []string
	for _, in := range m.inputs {
		names = append(names, in.name)
	}
	return strings.Join(names, ", ")
}

// fits checks the type and the shape of an input. free are the sizes of the axes that have names.
func (in *valueInfo) fits(v *value, free map[string]int) error {
	if v.isList || v.none || in.sequence || in.elem == typeString || v.strings != nil {
		return nil
	}
	dtype, ok := in.elem.carrier()
	if !ok {
		return fmt.Errorf("onnx: the input %q has elements of the type %v, which are not supported", in.name, in.elem)
	}
	var have tarn.DType
	if v.v != nil {
		have = v.v.DType()
	} else {
		have = v.t.DType()
	}
	if have != dtype {
		return fmt.Errorf("onnx: the input %q is %v and must be %v, which stands for %v", in.name, have, dtype, in.elem)
	}
	if !in.known {
		return nil
	}
	shape := v.sizes()
	bad := func(why string) error {
		return fmt.Errorf("onnx: the input %q has the shape %v and must have %s%s", in.name, shape, in.shapeString(), why)
	}
	if len(shape) != len(in.dims) {
		return bad("")
	}
	for i, d := range in.dims {
		switch {
		case d.size >= 0 && int64(shape[i]) != d.size:
			return bad("")
		case d.size < 0 && d.name != "":
			if size, seen := free[d.name]; seen && size != shape[i] {
				return bad(fmt.Sprintf(", where the axis %q has the size %d already", d.name, size))
			}
			free[d.name] = shape[i]
		}
	}
	return nil
}

// shapeString prints a shape with the names of its free axes.
func (in *valueInfo) shapeString() string {
	var parts []string
	for _, d := range in.dims {
		switch {
		case d.size >= 0:
			parts = append(parts, fmt.Sprint(d.size))
		case d.name != "":
			parts = append(parts, d.name)
		default:
			parts = append(parts, "?")
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

var errNoModel = errors.New("onnx: the model is nil or was not made by Load or Read")
