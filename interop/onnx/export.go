package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/file"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/translate"
)

// This file writes a graph of tarn as a model. The graph is seen as the compiler sees it, in its primitive ops, twice: for two numbers of rows. Sizes that differ between the
// two are those of the free axis, and the model computes them from the shape of its first input.

// ExportOptions say how to write a model. The zero value is the usual way.
type ExportOptions struct {
	// Opset is the version of the operators, from 17 to 21; 0 means 18.
	Opset int
	// Params have the names that the weights get in the file; params that are not among them get the first name that they were given, or a number.
	Params *tarn.ParamSet
	// Metadata is what the file says besides, such as the names of classes.
	Metadata map[string]string
	// Words are inputs of type I32 in the graph that are strings in the file.
	Words map[string]Words
	// Labels are outputs of type I64 in the graph, places in the lists, that are strings in the file.
	Labels map[string][]string
}

// Words says which codes strings become. The empty string means that a word is missing.
type Words struct {
	Codes   map[string]int32
	Missing int32
	Other   int32 // the code of words that are not among Codes
}

// domainML is that of the operators on labels.
const domainML = "ai.onnx.ml"

// Save writes the forward pass of a model to the file at path, atomically. The function build makes it for n rows, as in predict.New: it declares inputs and
// returns outputs, and the sizes of any axis may depend on n. Before the file gets its name it is read back, and its answers for 1, 3 and 7 rows are compared
// with those of the graph. What ONNX has no operator for is an error that names all such ops, with the lines that made them.
func Save(path string, build func(g *tarn.Graph, n int) tarn.Outputs, o ExportOptions) error {
	b, err := Export(build, o)
	if err != nil {
		return err
	}
	if err := file.Replace(file.Disk, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// Write is the function Save for a writer.
func Write(w io.Writer, build func(g *tarn.Graph, n int) tarn.Outputs, o ExportOptions) error {
	b, err := Export(build, o)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// The numbers of rows that a graph is seen with. Their ratio is that of no usual sizes.
const (
	rowsA = 11
	rowsB = 13
)

// Export is Save into memory.
func Export(build func(g *tarn.Graph, n int) tarn.Outputs, o ExportOptions) ([]byte, error) {
	if o.Opset == 0 {
		o.Opset = 18
	}
	if o.Opset < 17 || o.Opset > 21 {
		return nil, fmt.Errorf("onnx: the operator set %d is not one of 17 to 21", o.Opset)
	}
	if build == nil {
		return nil, errors.New("onnx: Export: the function is nil")
	}
	var seen [2]*translate.Translation
	for i, n := range []int{rowsA, rowsB} {
		g := tarn.NewGraph()
		g.Eval()
		t, err := translate.Outputs(g, build(g, n))
		if err != nil {
			return nil, err
		}
		seen[i] = t
	}
	e := &exporter{opset: o.Opset, params: o.Params, names: map[*ir.Node]string{}, dimNames: map[string]string{}, used: map[string]bool{}, twins: map[*ir.Node]*ir.Node{}}
	b, err := e.model(seen[0], seen[1], o)
	if err != nil {
		return nil, err
	}
	if err := verify(b, build, o); err != nil {
		return nil, err
	}
	return b, nil
}

// verify compares what a file answers with the graph that it was made of.
func verify(b []byte, build func(g *tarn.Graph, n int) tarn.Outputs, o ExportOptions) error {
	m, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return fmt.Errorf("onnx: what was written cannot be read back: %w", err)
	}
	for _, n := range []int{1, 3, 7} {
		g := tarn.NewGraph()
		g.Eval()
		p, err := tarn.Compile(g, build(g, n))
		if err != nil {
			return err
		}
		inputs := map[string]*value{}
		for _, in := range m.inputs { // all must be given, needed or not
			inputs[in.name] = nil
		}
		var list []*tarn.Tensor
		random := tarn.NewRandom(uint64(n), "onnx")
		for name := range inputs {
			v, err := g.Lookup(name)
			if err != nil {
				return err
			}
			t := tarn.Zeros(v.DType(), v.Shape()...) // an index may be anything but out of range
			if t.DType().IsFloat() {
				random.Normal(t, 0, 1)
			}
			inputs[name] = constant(typeNone, t)
		}
		for _, name := range p.Inputs() {
			list = append(list, inputs[name].t)
		}
		for name, w := range o.Words {
			if v := inputs[name]; v != nil {
				inputs[name] = w.some(v.t)
			}
		}
		want, err := p.Run(list...)
		if err != nil {
			return err
		}
		got, err := m.run(context.Background(), inputs)
		if err != nil {
			return fmt.Errorf("onnx: what was written does not run for %d rows: %w", n, err)
		}
		for i, info := range m.proto.graph.outputs {
			t := want[info.name]
			if labels := o.Labels[info.name]; labels != nil {
				for k, label := range got[i].strings {
					if label != labels[int(t.Float(k))] {
						return fmt.Errorf("onnx: what was written differs in the output %q for %d rows", info.name, n)
					}
				}
			} else if got[i].t == nil || !got[i].t.Equal(t, 1e-5) {
				return fmt.Errorf("onnx: what was written differs in the output %q for %d rows: %s", info.name, n, got[i].t.Diff(t, 1e-5))
			}
		}
	}
	return nil
}

// some fills codes with all sorts of words in turn, and returns the words.
func (w Words) some(codes *tarn.Tensor) *value {
	words := append(slices.Sorted(maps.Keys(w.Codes)), "", "\x00 no such word")
	v := &value{elem: typeString, shape: codes.Shape()}
	for i := range codes.I32() {
		word := words[i*7%len(words)]
		v.strings = append(v.strings, word)
		codes.I32()[i] = w.code(word)
	}
	return v
}

func (w Words) code(word string) int32 {
	if c, ok := w.Codes[word]; ok {
		return c
	}
	if word == "" {
		return w.Missing
	}
	return w.Other
}

// exporter writes the nodes of a graph. Each node of the graph for rowsA has a twin in that for rowsB.
type exporter struct {
	opset    int
	params   *tarn.ParamSet
	names    map[*ir.Node]string
	twins    map[*ir.Node]*ir.Node
	dimNames map[string]string // of tensors that hold sizes
	used     map[string]bool
	nodes    *message // of the graph that is being written
	tensors  message  // initializers, all in the outermost graph
	fresh    int
	batch    string // the name of a tensor [1] that holds the number of rows
	first    *ir.Node
	problems []string
	scans    map[scanKey][]string
	indices  int
}

type scanKey struct {
	control *ir.Control
	first   string
}

// refuse records an op that cannot be written.
func (e *exporter) refuse(n *ir.Node, why string) string {
	problem := fmt.Sprintf("%s (%s)", n.Op.Name(), n.Place())
	if why != "" {
		problem += ": " + why
	}
	if !slices.Contains(e.problems, problem) {
		e.problems = append(e.problems, problem)
	}
	return "refused"
}

// unique is a name that no other value has.
func (e *exporter) unique(base string) string {
	name := base
	for name == "" || e.used[name] {
		e.fresh++
		name = fmt.Sprintf("%s_%d", base, e.fresh)
	}
	e.used[name] = true
	return name
}

func (e *exporter) model(a, b *translate.Translation, o ExportOptions) ([]byte, error) {
	if len(a.Graph.Nodes) != len(b.Graph.Nodes) {
		return nil, errors.New("onnx: the graph has other ops for another number of rows")
	}
	if err := e.pair(a.Graph.Nodes, b.Graph.Nodes); err != nil {
		return nil, err
	}
	var nodes, inputs, outputs message
	e.nodes = &nodes
	for i, n := range a.Graph.Inputs {
		name := e.unique(a.Inputs[i])
		if name != a.Inputs[i] {
			return nil, fmt.Errorf("onnx: there are two inputs %q", a.Inputs[i])
		}
		e.names[n] = name
		if w, ok := o.Words[name]; ok && n.Type.DType == ir.I32 {
			inputs = inputs.bytes(11, writtenInfo(name, typeString, e.free(n)))
			keys := append(slices.Sorted(maps.Keys(w.Codes)), "")
			var codes []int
			for _, word := range keys {
				codes = append(codes, int(w.code(word)))
			}
			code := e.unique("code")
			nodes = nodes.bytes(1, writtenNode("LabelEncoder", domainML, code, []string{name}, []string{code}, attrs{"keys_strings": keys, "values_int64s": codes, "default_int64": int(w.Other)}))
			e.names[n] = e.emit("Cast", []string{code}, attrs{"to": typeInt32})
			if e.first == nil && e.varies(n) >= 0 {
				e.first = n
			}
			continue
		}
		inputs = inputs.bytes(11, writtenInfo(name, elemOf(tarn.DType(n.Type.DType)), e.free(n)))
		if e.first == nil && e.varies(n) >= 0 {
			e.first = n
		}
	}
	for _, name := range a.Outputs {
		if e.used[name] {
			return nil, fmt.Errorf("onnx: an input and an output are both named %q", name)
		}
		e.used[name] = true
	}
	for i, n := range a.Graph.Variables {
		p := a.Params[i].(*tarn.Param)
		name := ""
		if e.params != nil {
			name = e.params.Name(p)
		}
		if name == "" && n.Label != "" {
			name = n.Label
		}
		if name == "" {
			name = "param"
		}
		e.names[n] = e.unique(name)
		e.tensors = e.tensors.bytes(5, writtenTensor(e.names[n], p.Tensor()))
	}
	if e.first != nil { // the number of rows
		axis := e.varies(e.first)
		shape := e.emit("Shape", []string{e.names[e.first]}, attrs{"start": axis, "end": axis + 1})
		slope := (e.twins[e.first].Type.Shape[axis] - e.first.Type.Shape[axis]) / (rowsB - rowsA)
		if slope != 1 {
			shape = e.emit("Div", []string{shape, e.ints(slope)}, nil)
		}
		e.batch = shape
	}
	e.list(a.Graph.Nodes)
	for i, n := range a.Graph.Outputs {
		if labels := o.Labels[a.Outputs[i]]; labels != nil && n.Type.DType == ir.I64 {
			places := make([]int, len(labels))
			for k := range places {
				places[k] = k
			}
			nodes = nodes.bytes(1, writtenNode("LabelEncoder", domainML, a.Outputs[i], []string{e.value(n)}, []string{a.Outputs[i]}, attrs{"keys_int64s": places, "values_strings": labels}))
			outputs = outputs.bytes(12, writtenInfo(a.Outputs[i], typeString, e.free(n)))
			continue
		}
		e.append("Identity", []string{e.value(n)}, []string{a.Outputs[i]}, nil)
		outputs = outputs.bytes(12, writtenInfo(a.Outputs[i], elemOf(tarn.DType(n.Type.DType)), e.free(n)))
	}
	if len(e.problems) > 0 {
		return nil, fmt.Errorf("onnx: ops that cannot be written in this format: %s", strings.Join(e.problems, ", "))
	}
	graph := append(slices.Clone(nodes), message{}.text(2, "tarn")...)
	graph = append(append(append(graph, e.tensors...), inputs...), outputs...)
	m := message{}.int(1, irVersions[o.Opset]).text(2, "tarn").bytes(7, graph).bytes(8, message{}.text(1, "").int(2, o.Opset))
	if len(o.Words)+len(o.Labels) > 0 {
		m = m.bytes(8, message{}.text(1, domainML).int(2, 3))
	}
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		m = m.bytes(14, message{}.text(1, key).text(2, o.Metadata[key]))
	}
	return m, nil
}

// irVersions are the versions of the format that came with an operator set.
var irVersions = map[int]int{17: 8, 18: 8, 19: 9, 20: 9, 21: 10}

// pair notes the twins of nodes.
func (e *exporter) pair(a, b []*ir.Node) error {
	for i, n := range a {
		m := b[i]
		if n.Op.Name() != m.Op.Name() || len(n.In) != len(m.In) || len(n.Type.Shape) != len(m.Type.Shape) || n.Type.DType != m.Type.DType {
			return fmt.Errorf("onnx: the graph has other ops for another number of rows: %s (%s)", n.Op.Name(), n.Place())
		}
		e.twins[n] = m
	}
	return nil
}

// varies is the first axis whose size depends on the number of rows, or -1.
func (e *exporter) varies(n *ir.Node) int {
	for a, d := range n.Type.Shape {
		if e.twins[n].Type.Shape[a] != d {
			return a
		}
	}
	return -1
}

// free is the shape with -1 for sizes that depend on the number of rows.
func (e *exporter) free(n *ir.Node) []int {
	shape := slices.Clone(n.Type.Shape)
	for a, d := range shape {
		if e.twins[n].Type.Shape[a] != d {
			shape[a] = -1
		}
	}
	return shape
}

// append writes a node.
func (e *exporter) append(op string, inputs, outputs []string, a attrs) {
	*e.nodes = e.nodes.bytes(1, writtenNode(op, "", outputs[0], inputs, outputs, a))
}

// emit writes a node of one output.
func (e *exporter) emit(op string, inputs []string, a attrs) string {
	out := e.unique(strings.ToLower(op))
	e.append(op, inputs, []string{out}, a)
	return out
}

// tensor writes an initializer.
func (e *exporter) tensor(t *tarn.Tensor) string {
	name := e.unique("const")
	e.tensors = e.tensors.bytes(5, writtenTensor(name, t))
	return name
}

// ints is an initializer of numbers; equal ones are one.
func (e *exporter) ints(list ...int) string {
	key := fmt.Sprint("ints ", list)
	if name, ok := e.dimNames[key]; ok {
		return name
	}
	t := tarn.Zeros(tarn.I64, len(list))
	for i, v := range list {
		t.I64()[i] = int64(v)
	}
	e.dimNames[key] = e.tensor(t)
	return e.dimNames[key]
}

// number is an initializer of a scalar.
func (e *exporter) number(dtype ir.DType, x float64) string {
	key := fmt.Sprint("number ", dtype, x)
	if name, ok := e.dimNames[key]; ok {
		return name
	}
	t := tarn.Zeros(tarn.DType(dtype))
	t.SetFloat(0, x)
	e.dimNames[key] = e.tensor(t)
	return e.dimNames[key]
}

// size is a tensor [1] that holds a number which is a for rowsA and b for rowsB.
func (e *exporter) size(a, b int) string {
	if a == b || e.batch == "" {
		return e.ints(a)
	}
	slope := (b - a) / (rowsB - rowsA)
	offset := a - slope*rowsA
	name := e.batch
	if slope != 1 {
		name = e.emit("Mul", []string{name, e.ints(slope)}, nil)
	}
	if offset != 0 {
		name = e.emit("Add", []string{name, e.ints(offset)}, nil)
	}
	return name
}

// shape is a tensor that holds the sizes of a shape.
func (e *exporter) shape(a, b []int) string {
	if slices.Equal(a, b) {
		return e.ints(a...)
	}
	var parts []string
	for i := range a {
		parts = append(parts, e.size(a[i], b[i]))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return e.emit("Concat", parts, attrs{"axis": 0})
}

// value is the name of a node's value.
func (e *exporter) value(n *ir.Node) string {
	name, ok := e.names[n]
	if !ok {
		return e.refuse(n, "")
	}
	if source, lazy := strings.CutPrefix(name, lazily); lazy { // a broadcast that somebody needs as a whole
		name = e.emit("Expand", []string{source, e.shape(n.Type.Shape, e.twins[n].Type.Shape)}, nil)
		if e.indices == 0 {
			e.names[n] = name
		}
	}
	return name
}

// lazily marks the name of what is to be broadcast, which most operators do themselves.
const lazily = "\x00"

func (e *exporter) list(nodes []*ir.Node) {
	for _, n := range nodes {
		if _, done := e.names[n]; done {
			continue
		}
		e.names[n] = e.node(n)
	}
}

// in are the names of a node's operands.
func (e *exporter) in(n *ir.Node) []string {
	var names []string
	for _, m := range n.In {
		names = append(names, e.value(m))
	}
	return names
}
