package hlo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file writes the end of a program: what may stop the run, and what it stores.

// end writes what a program returns: the values that are stored, the outputs, the number of the next run, and the flags.
func (b *text) end(g *ir.Graph, s *scope, o Options, m *Module, step value) (results []value) {
	var flags []value
	if m.Checked = len(b.fine) > 0; m.Checked {
		flags = append(flags, b.and(b.fine))
	}
	for _, n := range g.Guards {
		flags = append(flags, b.all(b.isFinite(s.known[n])))
		m.Guards = append(m.Guards, n)
	}
	guarded := func(a ir.Assign) bool { return len(g.Guards) > 0 && s.known[a.Value].float() }
	var small []int // of the assignments, those that a function of their own makes
	if o.OneKernel && o.Devices < 2 && len(g.Guards) > 0 {
		small = smallAssigns(g)
	}
	results = make([]value, len(g.Assigns))
	for i, a := range g.Assigns {
		results[i] = s.known[a.Value]
		if guarded(a) && !slices.Contains(small, i) {
			flags = append(flags, b.unharmed(results[i], s.known[a.Variable]))
			m.Guards = append(m.Guards, a.Value)
		}
	}
	if len(small) > 0 {
		f := newFunction("update", s)
		fine := []value{f.argument(b.all(b.row(flags)))}
		f.nodes(f.graph(g, small), f.scope)
		for _, i := range small {
			if a := g.Assigns[i]; guarded(a) {
				fine = append(fine, f.unharmed(f.outer(a.Value), f.outer(a.Variable)))
				m.Guards = append(m.Guards, a.Value)
			}
		}
		var out []value
		all := f.all(f.row(fine))
		for _, i := range small {
			out = append(out, f.choose(all, f.outer(g.Assigns[i].Value), f.outer(g.Assigns[i].Variable)))
		}
		out = b.called(f, append(out, fine[1:]...))
		for k, i := range small {
			results[i] = out[k]
		}
		flags = append(flags, out[len(small):]...)
	}
	next := b.op("add", step, b.num(1, step))
	var row value
	if m.Flags = len(flags); m.Flags > 0 {
		row = b.row(flags)
		fine := b.all(row)
		for i, a := range g.Assigns {
			if !slices.Contains(small, i) {
				results[i] = b.choose(fine, results[i], s.known[a.Variable])
			}
		}
		next = b.choose(fine, next, step)
	}
	for _, n := range g.Outputs {
		results = append(results, s.known[n])
	}
	results = append(results, next)
	if m.Flags > 0 {
		results = append(results, row)
	}
	return results
}

// row is the array of some flags, behind a barrier: without it XLA computes, and compiles, what all of them say anew in each choice.
func (b *text) row(scalars []value) value {
	all := make([]value, len(scalars))
	for i, v := range scalars {
		all[i] = b.reshape(v, []int{1})
	}
	y := b.concat(0, all...)
	return b.results([]value{y}, "stablehlo.optimization_barrier %s : %s", y, y.typ())[0]
}

// unharmed is whether all elements are finite. One that was not finite before may stay so.
func (b *text) unharmed(next, before value) value {
	return b.all(b.op("or", b.isFinite(next), b.op("not", b.isFinite(before))))
}

// An array is small up to smallSize elements. Small arrays are updated together up to smallTotal elements, which one thread does. With more than mostAssigns
// assignments a program has enough for all threads, and one kernel would take long to compile.
const (
	smallSize   = 1 << 14
	smallTotal  = 1 << 16
	mostAssigns = 24
)

// smallAssigns are the assignments of small arrays, if there are several, but not too many.
func smallAssigns(g *ir.Graph) (small []int) {
	if len(g.Assigns) > mostAssigns {
		return nil
	}
	total := 0
	for i, a := range g.Assigns {
		if n := a.Value.Type.Size(); n <= smallSize && total+n <= smallTotal {
			total += n
			small = append(small, i)
		}
	}
	if len(small) < 2 {
		return nil
	}
	return small
}

// function is a function of a program that is being written. Nodes of the program that it does not compute itself are its arguments.
type function struct {
	text
	name      string
	scope     *scope // of the function
	outside   *scope
	in, heads []value // the arguments, outside and within
}

func newFunction(name string, outside *scope) *function {
	return &function{name: name, scope: &scope{known: map[*ir.Node]value{}}, outside: outside}
}

// argument is a value from outside.
func (f *function) argument(v value) value {
	f.in = append(f.in, v)
	v.name = fmt.Sprintf("%%arg%d", len(f.heads))
	f.heads = append(f.heads, v)
	return v
}

// outer is the value of a node, which is an argument if the function does not compute it.
func (f *function) outer(n *ir.Node) value {
	v, ok := f.scope.known[n]
	if !ok {
		v = f.argument(f.outside.known[n])
		f.scope.known[n] = v
	}
	return v
}

// graph is the part of a graph that computes some assigned values element by element from what is reduced, multiplied or given. The operands of the
// part become arguments.
func (f *function) graph(g *ir.Graph, assigns []int) *ir.Graph {
	part := map[*ir.Node]bool{}
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		switch n.Op.(type) {
		case ir.Elementwise, ir.Conversion, ir.Movement, ir.Const:
			if !part[n] && n.Type.Size() <= smallSize {
				part[n] = true
				for _, m := range n.In {
					visit(m)
				}
			}
		}
	}
	for _, i := range assigns {
		visit(g.Assigns[i].Value)
	}
	within := &ir.Graph{}
	for _, n := range g.Nodes {
		if part[n] {
			within.Nodes = append(within.Nodes, n)
			for _, m := range n.In {
				if !part[m] {
					f.outer(m)
				}
			}
		}
	}
	return within
}

// called writes a function, which returns the given values, and calls it. XLA's CPU compiles it into one kernel.
func (b *text) called(f *function, results []value) []value {
	heads := make([]string, len(f.heads))
	for i, v := range f.heads {
		heads[i] = v.name + ": " + v.typ()
	}
	b.functions += fmt.Sprintf("func.func private @%s(%s) -> (%s) {\n%s  return %s : %s\n}\n", f.name, strings.Join(heads, ", "), types(results), f, names(results), types(results))
	return b.results(results, `call @%s(%s) {mhlo.frontend_attributes = {inlineable = "false", xla_cpu_small_call = "true"}} : (%s) -> (%s)`,
		f.name, names(f.in), types(f.in), types(results))
}
