package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds VMap, which computes a function of one example for many examples at once. The function is traced once, with values that
// stand for one example. What depends on them is then copied with an axis more, of the examples, by the batching rule of each op: see
// vmap_rules.go. An op without a rule is computed in a Scan over the examples.

// VMap returns the results of f for each example, without a loop over the examples. The examples lie along an axis of each array of xs; f
// gets the arrays of one example, without that axis, and its results for all examples are stacked along a new axis 0. Params and values
// from outside that f uses are the same for each example. Gradients may be taken within f, also with respect to params: they are then
// those of one example. So
//
//	d := tarn.VMap(0, []*tarn.Value{x, y}, func(in []*tarn.Value) []*tarn.Value {
//		return tarn.Grad(loss(model, in[0], in[1]), params...)
//	})
//
// returns the gradients of the loss of each example with respect to the params. Results have gradients like any others.
//
// Random ops within f draw different numbers for each example: the first example has those that f has by itself. A While runs
// until it ends for each example, and both functions of a Cond are computed if its predicate differs. A layer that changes its state, such as
// a batch norm in training, is refused. Equal to jax.vmap, with axis as in_axes, and to torch.vmap with randomness="different".
//
// Shapes: xs of [... n ...] -> [n e...] for each result [e...] of f.
func VMap(axis int, xs []*Value, f func(xs []*Value) []*Value) []*Value {
	op := vmapOp{}
	g := graphOf(xs)
	if g == nil {
		g = lose("there are no examples")
	}
	if f == nil {
		g.fail(op, xs, newProblem("the function is nil"))
		return nil
	}
	g, xs = g.meet(xs)
	if b := g.root().tracing; b != nil && b.within(g) { // f may use what is in it
		g, xs = b, slices.Clone(xs)
		for i, x := range xs {
			if x.exists() && g.within(x.graph) {
				xs[i] = g.capture(x)
			}
		}
	}
	n, err := 0, g.usable(xs)
	failed := slices.ContainsFunc(xs, func(x *Value) bool { return x.exists() && (x.failed || x.graph.lost) && g.adopt(x) })
	examples := make([]*Value, len(xs))
	for i, x := range xs {
		if err != nil || failed {
			break
		}
		a, problem := normalAxis(axis, x.Rank())
		switch {
		case problem != nil:
			err = problem
		case x.typ.DType.Storage():
			err = newProblem("operand %d stores numbers", i+1)
		case i > 0 && x.Dim(a) != n:
			err = newProblem("operands 1 and %d have %d and %d examples along axis %d", i+1, n, x.Dim(a), axis)
		default:
			n, examples[i] = x.Dim(a), x.toFront(a)
		}
	}
	if err != nil {
		g.fail(op, xs, err)
	}
	if err != nil || failed {
		return g.poisoned(op, len(f(g.poisoned(op, len(xs)))))
	}
	m := newMapping(g, n)
	m.draws, m.start = true, len(g.values)
	changes := g.root().changes()
	places := make([]*Value, len(xs))
	for i, x := range examples {
		places[i] = m.example(ir.Type{DType: x.typ.DType, Shape: x.typ.Shape[1:]}, x)
	}
	ys := f(places)
	if g.root().changes() > changes {
		g.fail(op, xs, newProblem("a layer changes its state for one example").WithHint("Graph.Eval switches layers to evaluation mode"))
		return g.poisoned(op, len(ys))
	}
	for i, y := range ys {
		switch {
		case !y.exists():
			g.fail(op, xs, newProblem("result %d of the function is nil", i+1))
		case y.failed || y.graph.lost:
			g.adopt(y)
		case !g.within(y.graph):
			g.fail(op, xs, newProblem("result %d of the function belongs to another graph", i+1))
		default:
			ys[i] = g.capture(y)
			continue
		}
		return g.poisoned(op, len(ys))
	}
	out := make([]*Value, len(ys))
	for i, y := range m.copy(ys) {
		out[i] = m.wide(y)
	}
	return out
}

// vmapOp names VMap in reports.
type vmapOp struct{ failedOp }

func (vmapOp) Name() string { return "VMap" }

// exampleOp stands for the value of one example while a function is traced.
type exampleOp struct{ failedOp }

func (exampleOp) Name() string { return "Example" }

// changes returns the number of updates that are attached to values.
func (g *Graph) changes() int {
	n := 0
	for _, all := range g.states {
		n += len(all)
	}
	return n
}

// toFront moves an axis to the front.
func (v *Value) toFront(axis int) *Value {
	if axis == 0 {
		return v
	}
	axes := make([]int, 0, v.Rank())
	axes = append(axes, axis)
	for a := range v.Rank() {
		if a != axis {
			axes = append(axes, a)
		}
	}
	return v.Permute(axes...)
}

// mapped is what stands for a value of one example.
type mapped struct {
	v    *Value
	wide bool // axis 0 of v counts the examples; otherwise v is the same for each
}

// batchedOp is an op with a batching rule.
type batchedOp interface {
	// batch returns v, a result of the op, for all examples, given its operands.
	batch(m *mapping, v *Value, in []mapped) mapped
}

// mapping computes values for all examples.
type mapping struct {
	to    *Graph
	n     int // examples
	known map[*Value]mapped
	leaf  func(v *Value) mapped // what stands for a leaf, in the body of a loop; nil to share what does not change
	draws bool                  // random ops with the id start or later draw other numbers for each example
	start int

	loops   map[**Value][]mapped // the results of loops and branches, by the list of their former operands
	results resultMover          // of those that are the same for each example
}

func newMapping(to *Graph, n int) *mapping {
	return &mapping{to: to, n: n, known: map[*Value]mapped{}, loops: map[**Value][]mapped{}, results: resultMover{}}
}

// example returns a new value for one example; all is what stands for it.
func (m *mapping) example(t ir.Type, all *Value) *Value {
	m.to.root().mapped = true
	v := m.to.leaf(exampleOp{}, ir.Type{DType: t.DType, Shape: slices.Clone(t.Shape)})
	m.known[v] = mapped{all, true}
	return v
}

// get returns what stands for v.
func (m *mapping) get(v *Value) mapped {
	if w, ok := m.known[v]; ok {
		return w
	}
	return mapped{v: v}
}

// wide returns a value for all examples, repeated if it is the same for each.
func (m *mapping) wide(x mapped) *Value {
	if x.wide {
		return x.v
	}
	return x.v.broadcastTo(append([]int{m.n}, x.v.typ.Shape...))
}

// all applies an op to operands that are all wide.
func (m *mapping) all(op op, in []mapped) mapped {
	wide := make([]*Value, len(in))
	for i, x := range in {
		wide[i] = m.wide(x)
	}
	return mapped{m.to.insert(op, wide...), true}
}

// apart reports whether v draws random numbers that differ between examples.
func (m *mapping) apart(v *Value) bool {
	return m.draws && v.id >= m.start && v.isRandom()
}

// isRandom reports whether v draws random numbers, in the bodies of loops included.
func (v *Value) isRandom() bool {
	switch op := v.op.(type) {
	case randomOp:
		return true
	case attentionOp:
		return op.form.Dropout > 0
	case controlOp:
		return slices.ContainsFunc(op.outputs, func(outputs []*Value) bool {
			return slices.ContainsFunc(reachable(outputs), (*Value).isRandom)
		})
	}
	return false
}

// copy returns what stands for each of the values. A nil stays nil.
func (m *mapping) copy(values []*Value) []mapped {
	for _, v := range reachable(values) {
		if _, ok := m.known[v]; ok {
			continue
		}
		changes := m.leaf != nil || slices.ContainsFunc(v.in, func(in *Value) bool { _, ok := m.known[in]; return ok })
		switch {
		case len(v.in) == 0:
			if m.leaf != nil {
				m.known[v] = m.leaf(v)
			}
		case changes || m.apart(v):
			before := len(m.to.values)
			w := m.apply(v)
			if w.v.graph == m.to && w.v.id >= before { // not another value, as of a Reshape to the same shape
				w.v.site, w.v.gradOf = v.site, v.gradOf
				w.v.label, v.label = v.label, "" // Lookup finds the value of all examples
			}
			m.known[v] = w
		}
	}
	out := make([]mapped, len(values))
	for i, v := range values {
		out[i] = m.get(v)
	}
	return out
}

// apply applies the op of v to what stands for its operands.
func (m *mapping) apply(v *Value) mapped {
	in := make([]mapped, len(v.in))
	wide := m.apart(v)
	for i, x := range v.in {
		in[i] = m.get(x)
		wide = wide || in[i].wide
	}
	if !wide {
		operands := func() []*Value {
			same := make([]*Value, len(in))
			for i, x := range in {
				same[i] = x.v
			}
			return same
		}
		if w := m.results.move(v, m.to, operands); w != nil {
			return mapped{v: w}
		}
		op := v.op
		if custom, ok := op.(customGradOp); ok {
			op = m.rule(v, custom, in, false)
		}
		return mapped{v: m.to.insert(op, operands()...)}
	}
	if m.n == 0 {
		return mapped{m.to.Num(v.DType(), 0).broadcastTo(append([]int{0}, v.typ.Shape...)), true}
	}
	if op, ok := v.op.(controlOp); ok {
		at := &v.in[0]
		if m.loops[at] == nil {
			m.loops[at] = m.loop(v, op.control, in)
		}
		return m.loops[at][op.result]
	}
	if op, ok := v.op.(batchedOp); ok {
		return op.batch(m, v, in)
	}
	return m.eachExample(v, in)
}

// eachExample applies an op that has no rule to one example after the other, in a Scan.
func (m *mapping) eachExample(v *Value, in []mapped) mapped {
	var xs []*Value
	for _, x := range in {
		if x.wide {
			xs = append(xs, x.v)
		}
	}
	_, ys := Scan(nil, xs, ScanOptions{}, func(_, parts []*Value) (next, ys []*Value) {
		operands := make([]*Value, len(in))
		k := 0
		for i, x := range in {
			if operands[i] = x.v; x.wide {
				operands[i] = parts[k]
				k++
			}
		}
		return nil, []*Value{parts[0].graph.insert(v.op, operands...)}
	})
	return mapped{ys[0], true}
}

// rule is the gradient rule of v for what stands for it. The rule of v knows values of one example, so what it returns is copied as well.
func (m *mapping) rule(v *Value, op customGradOp, in []mapped, wide bool) customGradOp {
	return customGradOp{rule: func(dy *Value) []*Value {
		from := v.graph
		if from.around != nil && !from.open {
			defer from.enter()()
		}
		defer func(before *Value) { from.gradOf = before }(from.gradOf)
		from.gradOf = v
		stand := func(t ir.Type, w *Value) *Value {
			s := from.leaf(exampleOp{}, t)
			m.known[s] = mapped{w, wide}
			return s
		}
		seed := stand(v.typ, dy)
		seed.support = dy.support.then(func(mask *Value) *Value {
			return stand(ir.Type{DType: ir.Bool, Shape: v.typ.Shape}, mask.broadcastTo(dy.typ.Shape))
		})
		ds := op.rule(seed)
		out := make([]*Value, len(ds))
		for i, d := range m.copy(ds) {
			if !d.v.exists() || d.v.failed || i+1 >= len(in) {
				out[i] = d.v
				continue
			}
			switch { // the gradient of what is the same for each example is the sum over them
			case in[i+1].wide:
				out[i] = m.wide(d)
			case d.wide:
				out[i] = d.v.Sum(0)
			case wide:
				out[i] = d.v.Scale(float64(m.n))
			default:
				out[i] = d.v
			}
			if one := ds[i].support; one != nil && out[i] != dy {
				out[i].support = one.then(func(mask *Value) *Value {
					switch c := m.copy([]*Value{mask})[0]; {
					case in[i+1].wide:
						return m.wide(c)
					case c.wide:
						return c.v.Any(0)
					default:
						return c.v
					}
				})
			}
		}
		return out
	}}
}
