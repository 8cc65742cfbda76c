package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the ops that change how gradients flow and leave values as they are.

// stopGradientOp lets no gradient through.
type stopGradientOp struct{ irop.Pass }

func (stopGradientOp) Name() string               { return "StopGradient" }
func (stopGradientOp) grad(y, dy *Value) []*Value { return nil }

// StopGradient is v, taken as a constant by Grad. Equal to torch.Tensor.detach.
//
// Shapes: any -> same.
func (v *Value) StopGradient() *Value { return v.home().add(stopGradientOp{}, v) }

// customGradOp is its first operand, with a gradient rule of the user's for the others.
type customGradOp struct {
	irop.Pass
	rule func(dy *Value) []*Value
}

func (customGradOp) Name() string { return "WithGradient" }

func (op customGradOp) grad(y, dy *Value) []*Value {
	ds := op.rule(dy)
	if len(ds) != len(y.in)-1 {
		return []*Value{nil, y.graph.fail(op, y.in, newProblem("the rule gave %d gradients for %d inputs", len(ds), len(y.in)-1))}
	}
	for i, d := range ds {
		if d.exists() && !d.failed && !d.typ.Equal(y.in[i+1].typ) {
			return []*Value{nil, y.graph.fail(op, y.in, newProblem("gradient %d is %v and its input %v", i+1, d.typ, y.in[i+1].typ))}
		}
	}
	return append([]*Value{nil}, ds...)
}

// WithGradient is y with a gradient rule of the user's own: the rules of the ops that computed y from
// inputs are ignored. The rule gets the gradient of y and returns, built from ordinary values, the gradient of each input,
// or nil if there is none. What the rule builds can be differentiated again.
//
// Shapes: any -> the shape of y.
func WithGradient[T Operand](y *Value, inputs []T, rule func(dy *Value) []*Value) *Value {
	return withGradient(y, operands(inputs), rule)
}

func withGradient(y *Value, inputs []Operand, rule func(dy *Value) []*Value) *Value {
	// The inputs reach y only through this op: y itself passes no gradient on.
	y = y.orLost()
	in := []*Value{y}
	for _, o := range inputs {
		in = append(in, y.operand(o))
	}
	if rule == nil {
		return y.graph.fail(customGradOp{}, in, newProblem("the rule is nil"))
	}
	return y.graph.add(customGradOp{rule: rule}, in...)
}

// checkpointOp is its first operand, which a block has computed from the others; in the backward pass it is computed again.
type checkpointOp struct{ irop.Pass }

func (checkpointOp) Name() string { return "Checkpoint" }

// grad copies the block with its inputs behind fences that wait for dy, and differentiates the copy.
func (op checkpointOp) grad(y, dy *Value) []*Value {
	g := y.graph
	copied := map[*Value]*Value{}
	ends := make([]*Value, len(y.in)-1)
	for i, in := range y.in[1:] {
		ends[i] = in
		if _, constant := in.op.(constOp); !constant { // constants are there anyway, and cost nothing
			ends[i] = g.add(fenceOp{}, in, dy)
		}
		copied[in] = ends[i]
	}
	return append([]*Value{nil}, g.backward([]*Value{again(y.in[0], copied)}, []*Value{dy}, ends, ends)...)
}

// again computes v once more from the copies of what it has been computed from.
func again(v *Value, copied map[*Value]*Value) *Value {
	if c := copied[v]; c != nil {
		return c
	}
	in := make([]*Value, len(v.in))
	for i, operand := range v.in {
		in[i] = again(operand, copied)
	}
	copied[v] = v.graph.insert(v.op, in...)
	return copied[v]
}

// fenceOp is its first operand, available only once the second has been computed.
type fenceOp struct{ irop.Fence }

func (fenceOp) grad(y, dy *Value) []*Value { return []*Value{dy} }

// Checkpoint is f(inputs), computed again in the backward pass instead of being kept for it: what the block computes
// inside takes no memory between the two passes, for the price of a second forward pass. Params and other values that f
// uses need not be named as inputs. Equal to torch.utils.checkpoint.
//
// Shapes: any -> those of f.
func Checkpoint(f func(inputs ...*Value) *Value, inputs ...*Value) *Value {
	if f == nil {
		return graphOf(inputs).failAs("Checkpoint", inputs, newProblem("the block is nil"))
	}
	if len(inputs) == 0 || !inputs[0].exists() {
		return f(inputs...)
	}
	g := inputs[0].graph
	start := len(g.values)
	y := f(inputs...)
	if !y.exists() || y.failed || y.graph != g || y.id < start || len(y.in) == 0 {
		return y
	}
	return g.add(checkpointOp{}, blockInputs(y, start)...)
}

// blockInputs returns y and then what the block that computed it, whose values have the id start or a later one, has
// computed it from: values that were there before, and leaves.
func blockInputs(y *Value, start int) []*Value {
	in := []*Value{y}
	seen := map[*Value]bool{}
	var visit func(v *Value)
	visit = func(v *Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		if v.id < start || len(v.in) == 0 {
			in = append(in, v)
			return
		}
		for _, operand := range v.in {
			visit(operand)
		}
	}
	visit(y)
	return in
}

// Jacobian returns the matrix of partial derivatives of y with respect to x, from reverse passes for all elements of y at once or forward
// passes for all elements of x, whichever are fewer: what VMap makes of one pass, which takes as many times its memory.
//
// Shapes: [a...], [b...] -> [a... b...].
func Jacobian(y *Value, x Operand) *Value {
	y = y.orLost()
	g, end := y.graph, y.operand(x)
	if p, failed := checkGrad([]*Value{y, y, end}); failed {
		if p == nil {
			return g.poison(jacobianOp{}, []*Value{y})
		}
		return g.fail(jacobianOp{}, []*Value{y, end}, p)
	}
	shape := append(slices.Clone(y.typ.Shape), end.typ.Shape...)
	m, n := y.Size(), end.Size()
	if m == 0 || n == 0 {
		return y.Num(0).broadcastTo(shape)
	}
	if m <= n {
		rows := g.eachUnit(y.typ, func(unit *Value) *Value { return VJP(y, unit, end)[0] })
		return rows.Reshape(shape...)
	}
	columns := g.eachUnit(end.typ, func(unit *Value) *Value { return JVP(y, []*Value{end}, []*Value{unit}) })
	return columns.Reshape(n, m).Transpose(0, 1).Reshape(shape...)
}

// eachUnit returns a linear function of values of type t for all that are 1 at one element and 0 elsewhere, in the order of the elements.
func (g *Graph) eachUnit(t ir.Type, f func(unit *Value) *Value) *Value {
	n := t.Size()
	m := newMapping(g, n)
	unit := m.example(t, g.Eye(DType(t.DType), n).Reshape(append([]int{n}, t.Shape...)...))
	y := f(unit)
	if y.failed {
		return y
	}
	return m.wide(m.copy([]*Value{y})[0])
}

type jacobianOp struct{ failedOp }

func (jacobianOp) Name() string { return "Jacobian" }

// Hessian returns the matrix of second derivatives of a scalar loss with respect to x: the Jacobian of its gradient.
//
// Shapes: [], [b...] -> [b... b...].
func Hessian(loss *Value, x Operand) *Value { return Jacobian(Grad(loss, x)[0], x) }
