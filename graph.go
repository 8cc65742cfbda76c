package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds Graph, the record of a computation, and the one function through which every op enters it.

// Graph records ops as they are called and computes nothing: Compile turns the part of it that some outputs
// and updates need into a Program. A Graph is not safe for use by several goroutines at once.
type Graph struct {
	values  []*Value
	inputs  []*Value
	named   map[string]bool // the names of inputs
	vars    map[*Param]*Value
	consts  map[string]*Value // scalar constants by dtype and value
	step    *Value
	draws   *Value // what random ops use instead, or nil
	shared  shared
	seed    uint64
	randoms uint64 // random ops so far: the second key of their numbers
	gradOf  *Value // the forward value whose gradient rule is running, or nil
	eval    bool   // layers are added in evaluation mode

	precision ir.Precision // of the products that are added, of a graph that is not a body

	shortActivations bool // what the backward pass reads may be kept as BF16, of a graph that is not a body

	states map[*Param][]attached
	diags  []*Diagnostic

	controls int    // loops and branches so far, of a graph that is not a body
	tracing  *Graph // the innermost body that values are being added to, of a graph that is not a body; nil if there is none

	mapped bool // there are values of one example, of VMap, in a graph that is not a body

	lost bool // it stands in for a missing graph
	body      // zero unless g is the body of a loop or a branch
}

// NewGraph returns an empty graph, as new(Graph) does.
func NewGraph() *Graph { return &Graph{} }

// Seed sets the seed of the random ops added from now on. The default is 0.
func (g *Graph) Seed(seed uint64) { g.orLost().root().seed = seed }

// DrawBy makes the random ops that are added from now on draw by v, an I64 scalar, instead of Runs. Runs with the same v draw the same numbers, and
// with different ones different numbers.
func (g *Graph) DrawBy(v *Value) {
	g = g.orLost().root()
	switch {
	case !v.exists() || v.graph != g || v.typ.DType != ir.I64 || v.Rank() != 0:
		g.failAs("DrawBy", []*Value{v}, newProblem("random ops draw by an i64 scalar of the same graph"))
	case !v.failed:
		g.draws = v
	}
}

// Eval switches layers added from now on to evaluation mode: dropout is the identity, and a batch norm uses
// its running statistics. Training and evaluation are two programs made from one struct, so the mode belongs to
// the graph and is not a flag on layers. A new graph is in training mode, as a PyTorch module is.
func (g *Graph) Eval() { g.orLost().eval = true }

// Train switches layers added from now on to training mode, which is the mode of a new graph.
func (g *Graph) Train() { g.orLost().eval = false }

// Training reports whether layers added now are in training mode.
func (g *Graph) Training() bool { return !g.orLost().eval }

// Input declares an input of the program: each run takes its data, in the order of declaration.
//
// Shapes: the result has the shape given.
func (g *Graph) Input(name string, dtype DType, shape ...int) *Value {
	g = g.orLost()
	t := ir.Type{DType: ir.DType(dtype), Shape: slices.Clone(shape)}
	op := inputOp{ir.Input{Index: len(g.inputs)}}
	if g.around != nil {
		return g.fail(op, nil, newProblem("a body of a loop or a branch has no inputs of its own").WithHint("declare the input outside and use it inside"))
	}
	if err := checkType(t); err != nil {
		return g.fail(op, nil, err)
	}
	if g.named[name] {
		return g.fail(op, nil, newProblem("there is an input %q already", name))
	}
	put(&g.named, name, true)
	v := g.leaf(op, t)
	v.label = name
	g.inputs = append(g.inputs, v)
	return v
}

// Const returns a tensor as a value. The contents are copied.
//
// Shapes: the result has the shape of t.
func (g *Graph) Const(t *Tensor) *Value {
	g = g.orLost()
	if !t.exists() {
		return g.failAs("Const", nil, newProblem("the tensor is nil"))
	}
	if t.Rank() == 0 {
		return g.scalar(t)
	}
	c, err := zeros(t.array.Type)
	if err != nil {
		return g.failAs("Const", nil, err)
	}
	copy(c.array.Raw(), t.read().Raw())
	return g.leaf(constOp{ir.Const{Array: c.array}}, c.array.Type)
}

// Num returns a number as a scalar value of the given dtype, rounded to it.
//
// Shapes: [].
func (g *Graph) Num(dtype DType, x float64) *Value {
	g = g.orLost()
	if err := checkType(ir.Type{DType: ir.DType(dtype)}); err != nil {
		return g.failAs("Num", nil, err)
	}
	t := Zeros(dtype)
	t.array.SetFloat(0, x)
	return g.scalar(t)
}

func (g *Graph) scalar(t *Tensor) *Value {
	key := t.DType().String() + string(t.read().Raw())
	v := g.consts[key]
	if v == nil {
		c := t.Clone()
		v = g.leaf(constOp{ir.Const{Array: c.array}}, c.array.Type)
		put(&g.consts, key, v)
	}
	return v
}

// Runs returns the number of runs that the program has completed before this one, an I64 scalar. Schedules and random
// ops depend on it. See Program.SetRuns.
//
// Shapes: [].
func (g *Graph) Runs() *Value {
	g = g.orLost()
	if g.around != nil {
		return g.capture(g.around.Runs())
	}
	if g.step == nil {
		g.step = g.leaf(stepOp{}, ir.Type{DType: ir.I64, Shape: []int{}})
	}
	return g.step
}

func (g *Graph) variable(p *Param) *Value {
	g = g.orLost()
	if p = p.orEmpty(); p.err != nil {
		return g.failAs("Param", nil, p.err)
	}
	if g.around != nil {
		return g.capture(g.around.variable(p))
	}
	v := g.vars[p]
	if v == nil {
		v = g.leaf(variableOp{Variable: ir.Variable{Index: len(g.vars)}, param: p}, p.tensor.array.Type)
		put(&g.vars, p, v)
		p.used.Store(true)
	}
	return v
}

// put adds to a map of a graph, and makes the map if the Graph is a zero value.
func put[K comparable, V any](m *map[K]V, key K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = v
}

// leaf adds an op without operands, whose type is given.
func (g *Graph) leaf(op op, t ir.Type) *Value {
	v := &Value{graph: g, id: len(g.values), op: op, typ: t, site: g.caller(), gradOf: g.gradOf}
	g.values = append(g.values, v)
	return v
}

// add is the only way to add an op with operands: it checks the operands, runs the shape rule and records what is
// wrong. It never panics: the value of a failed op is poisoned. While a gradient rule runs, products with what a selection has not taken are
// selections: see supported.
func (g *Graph) add(op op, in ...*Value) *Value {
	v := g.insert(op, in...)
	if v.graph.gradOf != nil {
		return v.supported()
	}
	return v
}

// insert is add for values that are copies of others.
func (g *Graph) insert(op op, in ...*Value) *Value {
	g, in = g.orLost().meet(in)
	types := make([]ir.Type, len(in))
	_, casts := op.(ir.Conversion)
	for i, v := range in {
		switch {
		case !v.exists():
			return g.fail(op, in, newProblem("operand %d is nil", i+1))
		case v.graph != g:
			return g.fail(op, in, newProblem("operand %d belongs to another graph", i+1))
		case v.failed:
			return g.poison(op, in)
		case v.typ.DType.Storage() && !casts:
			return g.fail(op, in, nil) // which says so
		}
		types[i] = v.typ
	}
	t, err := op.Infer(types)
	if err != nil {
		return g.fail(op, in, err)
	}
	if err := checkType(t); err != nil {
		return g.fail(op, in, err)
	}
	v := g.leaf(op, t)
	v.in = in
	return v
}

// poison returns the value of an op that could not be built. Its shape may be asked for, and every op
// on it is poisoned without another report.
func (g *Graph) poison(op op, in []*Value) *Value {
	g = g.orLost()
	v := &Value{graph: g, id: -1, op: op, in: in, typ: ir.Type{DType: ir.F32, Shape: []int{}}, site: g.caller(), gradOf: g.gradOf, failed: true}
	return v
}

// Err returns everything that is wrong with the graph so far as a *GraphError, or nil.
func (g *Graph) Err() error {
	diags := g.orLost().root().diags
	if len(diags) == 0 {
		return nil
	}
	return &GraphError{Diagnostics: slices.Clone(diags)}
}

// reachable returns the values that roots are computed from without passing through border, roots and border included, in
// the order they were added, which is a topological order.
func reachable(roots []*Value, border ...*Value) []*Value {
	seen, lists := map[*Value]bool{}, operandLists{}
	var found []*Value
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !v.exists() || seen[v] {
			continue
		}
		seen[v] = true
		found = append(found, v)
		if !slices.Contains(border, v) && lists.first(v) {
			todo = append(todo, v.in...)
		}
	}
	slices.SortFunc(found, func(a, b *Value) int { return a.id - b.id })
	return found
}

// The leaves of a graph as ops. Data has no gradient rule.
type (
	inputOp    struct{ ir.Input }
	constOp    struct{ ir.Const }
	stepOp     struct{ ir.Step }
	variableOp struct {
		ir.Variable
		param *Param
	}
)

func (inputOp) grad(y, dy *Value) []*Value    { return nil }
func (constOp) grad(y, dy *Value) []*Value    { return nil }
func (stepOp) grad(y, dy *Value) []*Value     { return nil }
func (variableOp) grad(y, dy *Value) []*Value { return nil }
