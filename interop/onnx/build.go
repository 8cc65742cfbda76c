package onnx

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file makes a graph of a model, node by node. A value whose contents are known while the graph is built is kept as a tensor beside it, and a node of which all
// operands are known is computed at once: so the sizes that a model works out from the shapes of its inputs are numbers here, and every shape is known.

// value is what a name in a model stands for: a tensor, known or in a graph, or strings, or a list of values.
type value struct {
	elem    elemType
	t       *tarn.Tensor // the contents, if they are known
	v       *tarn.Value  // in a graph; made on demand for contents that are known
	param   *tarn.Param  // a weight
	strings []string     // of the type string
	shape   []int        // of strings
	list    []*value     // of a sequence
	isList  bool
	none    bool   // an optional value that is absent
	from    uint64 // the inputs that it depends on, as bits
}

func constant(elem elemType, t *tarn.Tensor) *value { return &value{elem: elem, t: t} }

// known reports whether the contents are known.
func (v *value) known() bool {
	if v.isList {
		return !slices.ContainsFunc(v.list, func(x *value) bool { return !x.known() })
	}
	return v.t != nil || v.strings != nil || v.none
}

// sizes is the shape.
func (v *value) sizes() []int {
	switch {
	case v.v != nil:
		return v.v.Shape()
	case v.t != nil:
		return v.t.Shape()
	case v.param != nil:
		return v.param.Shape()
	}
	return v.shape
}

// failure is the panic by which an operator ends the work on its node. It never leaves the package.
type failure struct{ err error }

func failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// unknownError says that the contents of some inputs must be known when the graph is built.
type unknownError struct {
	what   string
	inputs []string
	from   uint64
}

func (e *unknownError) Error() string {
	if len(e.inputs) == 0 {
		return e.what + " depends on what the model computes, so that shapes are not known before it runs"
	}
	return fmt.Sprintf("%s depends on the contents of the input %s, which must be given when the graph is built: see Options.Known", e.what, strings.Join(e.inputs, ", "))
}

// scope holds the values of a graph, within those of the graph around it.
type scope struct {
	values map[string]*value
	around *scope
}

func (s *scope) lookup(name string) *value {
	for ; s != nil; s = s.around {
		if v := s.values[name]; v != nil {
			return v
		}
	}
	return nil
}

// builder adds the nodes of a model to a graph.
type builder struct {
	model   *Model
	g       *tarn.Graph
	opsets  map[string]int64
	folding bool
	running bool // what is computed from weights and known inputs alone is computed when its contents are needed
	nodes   int  // how many have been added, loops unrolled
}

// mostNodes bounds what loops that are unrolled and functions within functions make of a small file.
const mostNodes = 1 << 20

// call is one node on its way into the graph.
type call struct {
	*builder
	n       *nodeProto
	in      []*value
	scope   *scope
	version int
	attrs   map[string]*attribute // of the function around
}

// graph adds the nodes of a graph to b, and returns its outputs.
func (b *builder) graph(p *graphProto, s *scope) ([]*value, error) {
	for _, t := range p.initializers {
		v := b.model.weights[t]
		if v == nil {
			return nil, fmt.Errorf("onnx: the initializer %q was not read", t.name)
		}
		if s.values[t.name] == nil {
			s.values[t.name] = &value{elem: v.elem, t: v.t, param: v.param, strings: v.strings, shape: v.shape}
		}
	}
	if err := b.list(p.nodes, s, nil); err != nil {
		return nil, err
	}
	var out []*value
	for _, o := range p.outputs {
		v := s.lookup(o.name)
		if v == nil {
			return nil, fmt.Errorf("onnx: no node makes the output %q", o.name)
		}
		out = append(out, v)
	}
	return out, nil
}

// list adds nodes in their order, which is topological.
func (b *builder) list(nodes []*nodeProto, s *scope, attrs map[string]*attribute) error {
	for i, n := range nodes {
		if b.nodes++; b.nodes > mostNodes {
			return fmt.Errorf("onnx: the model has more than %d nodes, loops unrolled", mostNodes)
		}
		out, err := b.node(n, s, attrs)
		if err != nil {
			return fmt.Errorf("onnx: %s: %w", n.describe(i), err)
		}
		for k, name := range n.outputs {
			if name == "" {
				continue
			}
			if k >= len(out) || out[k] == nil {
				return fmt.Errorf("onnx: %s: its output %d is not supported", n.describe(i), k+1)
			}
			s.values[name] = out[k]
		}
	}
	return nil
}

// describe names a node in messages.
func (n *nodeProto) describe(i int) string {
	name := n.name
	if name == "" && len(n.outputs) > 0 {
		name = n.outputs[0]
	}
	op := n.op
	if n.domain != "" {
		op = n.domain + "." + op
	}
	return fmt.Sprintf("node %d, %s %q", i, op, name)
}

// node adds one node.
func (b *builder) node(n *nodeProto, s *scope, attrs map[string]*attribute) (out []*value, err error) {
	c := &call{builder: b, n: n, scope: s, version: int(b.opsets[n.domain]), attrs: attrs}
	known, from := true, uint64(0)
	for _, name := range n.inputs {
		var v *value
		if name != "" {
			if v = s.lookup(name); v == nil {
				return nil, fmt.Errorf("no node before it makes %q", name)
			}
			known = known && v.known()
			from |= v.from
		}
		c.in = append(c.in, v)
	}
	if f := b.model.proto.functions[n.domain+":"+n.op]; f != nil {
		return c.function(f)
	}
	op, ok := operators()[n.domain+":"+n.op]
	if !ok {
		return nil, errors.New("the operator is not supported")
	}
	if known && !op.own && !b.folding {
		return c.fold(op)
	}
	out, err = c.run(op)
	for _, v := range out {
		if v != nil {
			v.from |= from
		}
	}
	return out, err
}

// run calls an operator and turns its panics into errors.
func (c *call) run(op operator) (out []*value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			out, err = nil, r.err
		case runtime.Error:
			out, err = nil, fmt.Errorf("its operands do not fit: %w", r)
		default:
			panic(r)
		}
	}()
	out = op.f(c)
	if err := c.g.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// fold computes a node whose operands are known.
func (c *call) fold(op operator) ([]*value, error) {
	inner := *c
	inner.builder = &builder{model: c.model, g: tarn.NewGraph(), opsets: c.opsets, folding: true}
	inner.g.Eval()
	inner.in = slices.Clone(c.in)
	for i, v := range inner.in {
		inner.in[i] = v.apart()
	}
	out, err := inner.run(op)
	if err != nil {
		return nil, err
	}
	if err := compute(inner.g, out); err != nil {
		return nil, err
	}
	return out, nil
}

// apart is a copy of a known value for another graph.
func (v *value) apart() *value {
	if v == nil {
		return nil
	}
	c := *v
	c.v = nil
	c.list = slices.Clone(v.list)
	for i, x := range c.list {
		c.list[i] = x.apart()
	}
	return &c
}

// compute runs what values need that are in the graph g, and makes them known.
func compute(g *tarn.Graph, all []*value) error {
	outputs := tarn.Outputs{}
	var collect func(all []*value)
	collect = func(all []*value) {
		for _, v := range all {
			switch {
			case v == nil:
			case v.isList:
				collect(v.list)
			case !v.known() && v.v != nil:
				outputs[fmt.Sprint(len(outputs))] = v.v
			}
		}
	}
	collect(all)
	if len(outputs) == 0 {
		return nil
	}
	p, err := tarn.Compile(g, outputs)
	if err != nil {
		return err
	}
	results, err := p.Run()
	if err != nil {
		return err
	}
	at := 0
	var assign func(all []*value)
	assign = func(all []*value) {
		for _, v := range all {
			switch {
			case v == nil:
			case v.isList:
				assign(v.list)
			case !v.known() && v.v != nil:
				v.t, v.v = results[fmt.Sprint(at)], nil
				at++
			}
		}
	}
	assign(all)
	return nil
}

// function adds the nodes of a function of the model.
func (c *call) function(f *functionProto) ([]*value, error) {
	inner := &scope{values: map[string]*value{}}
	for i, name := range f.inputs {
		if i < len(c.in) && c.in[i] != nil {
			inner.values[name] = c.in[i]
		}
	}
	attrs := map[string]*attribute{}
	for name, a := range f.attrs {
		attrs[name] = a
	}
	for name, a := range c.n.attrs {
		if a.ref != "" {
			a = c.attrs[a.ref]
		}
		attrs[name] = a
	}
	b := *c.builder
	b.opsets = f.opsets
	if b.nodes += 1; b.nodes > mostNodes {
		return nil, errors.New("functions call each other without end")
	}
	if err := b.list(f.nodes, inner, attrs); err != nil {
		return nil, err
	}
	c.nodes = b.nodes
	var out []*value
	for _, name := range f.outputs {
		out = append(out, inner.values[name])
	}
	return out, nil
}

// has reports whether operand i is given.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil && !c.in[i].none }

// at is operand i, which must be given.
func (c *call) at(i int) *value {
	if !c.has(i) {
		failf("its operand %d is missing", i+1)
	}
	return c.in[i]
}

func (c *call) elem(i int) elemType { return c.at(i).elem }

// val is operand i in the graph.
func (c *call) val(i int) *tarn.Value { return c.in2graph(c.at(i)) }

func (c *call) in2graph(v *value) *tarn.Value { return v.graph(c.g) }

// graph is the value in a graph.
func (v *value) graph(g *tarn.Graph) *tarn.Value {
	switch {
	case v.v != nil:
		return v.v
	case v.param != nil:
		v.v = v.param.Value(g)
	case v.t != nil:
		v.v = g.Const(v.t)
	case v.isList:
		failf("a sequence is given where a tensor is needed")
	default:
		failf("strings are given where numbers are needed")
	}
	return v.v
}

// known returns the contents of operand i.
func (c *call) known(i int, what string) *tarn.Tensor {
	v := c.at(i)
	switch {
	case v.t != nil:
		return v.t
	case v.param != nil:
		return v.param.Tensor()
	case c.running && v.from == 0 && v.v != nil && v.v.Graph() == c.g:
		p, err := tarn.Compile(c.g, tarn.Outputs{"x": v.v})
		if err != nil {
			panic(failure{err})
		}
		out, err := p.Run()
		if err != nil {
			panic(failure{err})
		}
		return out["x"]
	}
	panic(failure{c.unknown(v, what)})
}

func (c *call) unknown(v *value, what string) error {
	e := &unknownError{what: what, from: v.from}
	for i, in := range c.model.inputs {
		if v.from>>min(i, 63)&1 == 1 {
			e.inputs = append(e.inputs, fmt.Sprintf("%q", in.name))
		}
	}
	return e
}

// ints returns the contents of operand i as numbers.
func (c *call) ints(i int, what string) []int {
	t := c.known(i, what)
	if t.DType() != tarn.I64 && t.DType() != tarn.I32 {
		failf("%s is %v and must be integers", what, t.DType())
	}
	return tensorInts(t)
}

func tensorInts(t *tarn.Tensor) []int {
	out := make([]int, t.Size())
	for i := range out {
		if t.DType() == tarn.I64 {
			out[i] = int(t.I64()[i])
		} else {
			out[i] = int(t.I32()[i])
		}
	}
	return out
}

// attr is an attribute, or nil.
func (c *call) attr(name string) *attribute {
	a := c.n.attrs[name]
	if a != nil && a.ref != "" {
		a = c.attrs[a.ref]
	}
	return a
}

func (c *call) int(name string, otherwise int) int {
	if a := c.attr(name); a != nil {
		return int(a.i)
	}
	return otherwise
}

func (c *call) float(name string, otherwise float64) float64 {
	if a := c.attr(name); a != nil {
		return float64(a.f)
	}
	return otherwise
}

func (c *call) string(name, otherwise string) string {
	if a := c.attr(name); a != nil {
		return string(a.s)
	}
	return otherwise
}

// numbers is an attribute that is a list, or nil.
func (c *call) numbers(name string) []int {
	a := c.attr(name)
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, v := range a.ints {
		if v > 1<<40 || v < -1<<62 {
			v = min(v, 1<<62)
		}
		out[i] = int(v)
	}
	return out
}

func (c *call) words(name string) []string {
	var out []string
	if a := c.attr(name); a != nil {
		for _, s := range a.strings {
			out = append(out, string(s))
		}
	}
	return out
}

// axis turns a negative axis into one that counts from the first.
func axisOf(axis, rank int) int {
	if axis < -rank || axis >= rank {
		failf("there is no axis %d in a shape of rank %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis
}

func axesOf(axes []int, rank int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = axisOf(a, rank)
	}
	return out
}

// of returns a value of the graph as the only output.
func (c *call) of(elem elemType, v *tarn.Value) []*value { return []*value{{elem: elem, v: v}} }

// same returns a value of the type of the first operand as the only output.
func (c *call) same(v *tarn.Value) []*value { return c.of(c.elem(0), v) }

// host returns contents as the only output.
func host(elem elemType, t *tarn.Tensor) []*value { return []*value{constant(elem, t)} }

// int64s returns numbers as the only output.
func int64s(list []int, shape ...int) []*value {
	t := tarn.Zeros(tarn.I64, shape...)
	for i, v := range list {
		t.I64()[i] = int64(v)
	}
	return host(typeInt64, t)
}

// together gives values one rank, by axes of size 1 in front.
func together(all ...*tarn.Value) []*tarn.Value {
	rank := 0
	for _, v := range all {
		rank = max(rank, v.Rank())
	}
	out := slices.Clone(all)
	for i, v := range out {
		if v.Rank() < rank {
			out[i] = v.Reshape(slices.Concat(slices.Repeat([]int{1}, rank-v.Rank()), v.Shape())...)
		}
	}
	return out
}

// wrapped brings the result of an arithmetic operation into the range of a type that is narrower than its carrier.
func wrapped(elem elemType, v *tarn.Value) *tarn.Value {
	lo, hi, ok := elem.integers()
	if !ok {
		return v
	}
	mask := v.Num(float64(hi - lo))
	if lo == 0 {
		return v.And(mask)
	}
	return v.Sub(v.Num(float64(lo))).And(mask).Add(v.Num(float64(lo)))
}
