// Package hlo writes graphs as StableHLO, the language of XLA's plugins. It sees an op through the interfaces of package ir, as lowering for
// the CPU does. What an op computes is StableHLO's op of that name if there is one, and else a composition.
package hlo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// Module is a program as text. The arguments of its function main are the variables, the inputs, and the number of the run as an i64
// scalar. Its results are the values that are assigned, the outputs, the number of the next run, and, if there are any, the flags, in one array of
// bools. The variables that are assigned and the number of the run give their memory to these results. If a flag is false, they keep their contents.
type Module struct {
	Text string
	// Flags are what may stop a run: the first is false if a Checked op found its operand's contents wrong, if Checked is true; the
	// others are each false if a guard or a value to be assigned is not finite, in the order of Guards.
	Flags   int
	Checked bool
	Guards  []*ir.Node
}

// Options say how a graph is written. The zero value is for one device.
type Options struct {
	// Devices is the number of devices that compute a program together. Each has all variables, and of the inputs that Split the part of its number along
	// the first axis. What is computed is the same: XLA divides the work and adds the sums over what was divided.
	Devices int
	// OneKernel makes XLA's CPU compile the update of small states into one kernel. Else it has one for each state and more to look at guards, and to hand those to
	// threads takes longer than to run them.
	OneKernel bool
}

// Split reports whether an input is divided among devices: along its first axis, which is that of the examples in a batch.
func (o Options) Split(t ir.Type) bool {
	return o.Devices > 1 && len(t.Shape) > 0 && t.Shape[0] > 0 && t.Shape[0]%o.Devices == 0
}

// sharding says, as an attribute, how an array lies on the devices; "" if there is one device.
func (o Options) sharding(rank int, split bool) string {
	if o.Devices < 2 {
		return ""
	}
	axes := make([]string, rank)
	for i := range axes {
		axes[i] = "{}"
	}
	if split {
		axes[0] = `{"batch"}`
	}
	return "sdy.sharding = #sdy.sharding<@devices, [" + strings.Join(axes, ", ") + "]>"
}

// attributes puts attributes behind a type.
func attributes(all ...string) string {
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	if len(all) == 0 {
		return ""
	}
	return " {" + strings.Join(all, ", ") + "}"
}

// scope is what has been written of a graph.
type scope struct {
	known map[*ir.Node]value
	nests []nest
}

// Lower writes a graph. The error says, for every op that cannot be written, its name and the user's place.
func Lower(g *ir.Graph, o Options) (*Module, error) {
	m := &Module{}
	b := &text{}
	s := &scope{known: map[*ir.Node]value{}}
	var args []string
	argument := func(n *ir.Node, attributes string) {
		v := typeOf(n.Type)
		v.name = fmt.Sprintf("%%arg%d", len(args))
		args = append(args, v.name+": "+v.typ()+attributes)
		s.known[n] = v
	}
	donated := func(result int) string { return fmt.Sprintf("tf.aliasing_output = %d : i32", result) }
	for _, n := range g.Variables {
		alias := ""
		if at := slices.IndexFunc(g.Assigns, func(a ir.Assign) bool { return a.Variable == n }); at >= 0 {
			alias = donated(at)
		}
		argument(n, attributes(alias, o.sharding(len(n.Type.Shape), false)))
	}
	for _, n := range g.Inputs {
		argument(n, attributes(o.sharding(len(n.Type.Shape), o.Split(n.Type))))
	}
	step := value{name: "%step", elem: "i64"}
	args = append(args, step.name+": "+step.typ()+attributes(donated(len(g.Assigns)+len(g.Outputs)), o.sharding(0, false)))
	for _, n := range g.Nodes {
		if _, ok := n.Op.(ir.Step); ok {
			s.known[n] = step
		}
	}
	b.nodes(g, s)
	if b.refused != nil {
		return nil, errors.Join(b.refused...)
	}
	results := b.end(g, s, o, m, step)
	header, returned := "module @tarn {\n", make([]string, len(results))
	if o.Devices > 1 {
		header = fmt.Sprintf("module @tarn attributes {mhlo.num_partitions = %d : i32, mhlo.num_replicas = 1 : i32} {\nsdy.mesh @devices = <[\"batch\"=%[1]d]>\n", o.Devices)
	}
	for i, v := range results {
		returned[i] = v.typ() + attributes(o.sharding(len(v.shape), false))
	}
	m.Text = fmt.Sprintf("%sfunc.func public @main(%s) -> (%s) {\n%s  return %s : %s\n}\n%s}\n",
		header, strings.Join(args, ", "), strings.Join(returned, ", "), b, names(results), types(results), b.functions)
	return m, nil
}

// nodes writes the nodes of a graph, but for those that are known.
func (b *text) nodes(g *ir.Graph, s *scope) {
	for _, n := range g.Nodes {
		if _, ok := s.known[n]; ok {
			continue
		}
		in := make([]value, len(n.In))
		for i, m := range n.In {
			in[i] = s.known[m]
		}
		if op, ok := n.Op.(ir.Ranged); ok && in[op.Checks()].size() > 0 {
			lo, hi := op.Range(typesOf(n))
			b.fine = append(b.fine, b.all(b.inside(in[op.Checks()], lo, hi)))
		}
		b.precision = n.Precision()
		v, ok := b.node(s, n, in, typeOf(n.Type))
		if !ok {
			b.refused = append(b.refused, fmt.Errorf("%s: %s is not to be had on this engine; compute it on the CPU engine", n.Place(), n.Op.Name()))
			v = b.num(0, typeOf(n.Type))
		}
		s.known[n] = v
	}
}

func typesOf(n *ir.Node) []ir.Type {
	types := make([]ir.Type, len(n.In))
	for i, m := range n.In {
		types[i] = m.Type
	}
	return types
}

// node writes one node of the type of out; false if there is no way to.
func (b *text) node(s *scope, n *ir.Node, in []value, out value) (v value, ok bool) {
	switch op := n.Op.(type) {
	case ir.Const:
		return b.constant(op.Array), true
	case ir.Nested:
		return b.nested(s, n, in), true
	case ir.Elementwise:
		return b.elementwise(op.Scalar(), in)
	case ir.Conversion:
		return b.cast(in[0], out.elem), true
	case ir.Reduction:
		kind, axes := op.Reduces()
		return b.reduce(kind, axes, in[0], n.Type.DType), true
	case ir.Contraction:
		ta, tb := op.Contracts()
		return b.contract(ta, tb, in[0], in[1]), true
	case ir.Fence:
		return b.results(in, "stablehlo.optimization_barrier %s : %s", names(in), types(in))[0], true
	case ir.Movement:
		return b.move(op, in[0], out)
	case ir.Joint:
		return b.concat(op.Joins(), in...), true
	case ir.Lookup:
		return b.take(op.LooksUp(), in[0], in[1]), true
	case ir.LookupSum:
		return b.addUp(op.AddsUp(), in[0], in[1], out), true
	case ir.Picking:
		return b.pick(op.Picks(), in[0], in[1]), true
	case ir.Scattering:
		kind, axis := op.Scatters()
		return b.scattering(kind, axis, in, out), true
	case ir.Placing:
		return b.lastPlaces(op.Places(), in[0], out), true
	case ir.Padding:
		axis, before, after, step := op.Pads()
		return b.padding(in[0], axis, before, after, step), true
	case ir.Convolution:
		return b.convolve(op, in[0], in[1], out), true
	case ir.Pooling:
		kind, w := op.Pools()
		return b.pool(kind, w, in, out), true
	case ir.Attention:
		return b.attention(op.Attends(), in, out), true
	case ir.Drawing:
		return b.draw(op.Draws(), in, out), true
	case ir.GammaSlope:
		return b.gammaSlope(in[0], in[1]), true
	case ir.Factoring:
		return b.factor(op.Factors(), in, out), true
	case ir.Fourier:
		kind, n, factor := op.Transforms()
		return b.fourier(kind, n, factor, in, out), true
	case ir.Searching:
		return b.search(op.Searches(), in[0], in[1]), true
	}
	if out.size() == 0 {
		return b.num(0, out), true
	}
	switch op := n.Op.(type) {
	case ir.Choosing:
		axis, smallest := op.Chooses()
		return b.arg(axis, smallest, in[0]), true
	case ir.Sorting:
		count, descending := op.Sorts()
		return b.sort(count, descending, in[0]), true
	case ir.Accumulation:
		kind, axis, reverse := op.Accumulates()
		return b.accumulate(kind, axis, reverse, in[0]), true
	}
	if op, ok := n.Op.(ir.Ranged); ok { // an op that only checks is its operand
		return in[op.Checks()], true
	}
	return value{}, false
}

// contract is a batched matrix product.
func (b *text) contract(ta, tb bool, x, y value) value {
	n := len(x.shape)
	cx, cy := n-1, n-2
	if ta {
		cx = n - 2
	}
	if tb {
		cy = n - 1
	}
	return b.dot(x, y, n-2, cx, cy)
}
