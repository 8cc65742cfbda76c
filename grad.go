package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds differentiation. Reverse mode walks from a result back to what it was computed from and asks each op
// for its gradient rule, which builds ordinary values: so the gradient is a part of the graph like any other and has
// gradients itself. Forward mode is reverse mode applied twice.

// Grad gives the gradient of a scalar loss by each operand in wrt, a *Param or a *Value: the value with the operand's
// shape that holds the partial derivatives. It is zero where the loss does not depend on the operand.
//
// Shapes: [] and any... -> the shapes of wrt.
func Grad(loss *Value, wrt ...Operand) []*Value {
	if !loss.failed && loss.Rank() != 0 {
		loss = loss.graph.fail(gradOp{}, []*Value{loss}, newProblem("the loss has shape %s and should be a scalar", ir.ShapeString(loss.typ.Shape)).
			withHint("take its Mean or Sum, or use VJP"))
	}
	return VJP(loss, loss.Num(1), wrt...)
}

// VJP is the vector-Jacobian product of y: the gradient of the sum of y*dy by each operand in wrt.
//
// Shapes: [d...], [d...] and any... -> the shapes of wrt.
func VJP(y, dy *Value, wrt ...Operand) []*Value {
	g := y.graph
	ends := make([]*Value, len(wrt))
	poisoned := y.failed || dy == nil || dy.failed
	for i, o := range wrt {
		ends[i] = y.operand(o)
		poisoned = poisoned || ends[i] == nil || ends[i].failed
	}
	if !poisoned {
		if p := checkGrad(y, dy, ends); p != nil {
			g.report(g.poison(gradOp{}, []*Value{y}), "Grad", p)
			poisoned = true
		}
	}
	if poisoned {
		out := make([]*Value, len(wrt))
		for i := range out {
			out[i] = g.poison(gradOp{}, nil)
		}
		return out
	}
	out := g.backward(y, dy, ends, nil)
	for i, end := range ends {
		if out[i] == nil {
			out[i] = end.Num(0).broadcastTo(end.typ.Shape)
		}
	}
	return out
}

func checkGrad(y, dy *Value, ends []*Value) error {
	if !y.DType().IsFloat() {
		return newProblem("a value of dtype %v has no gradient", y.DType()).withHint("Cast it to f32 or f64 before the loss")
	}
	if !y.typ.Equal(dy.typ) {
		return newProblem("the result is %v and the vector %v: they should be equal", y.typ, dy.typ)
	}
	for _, end := range ends {
		if end.graph != y.graph {
			return newProblem("a value of another graph is named in wrt")
		}
		if !end.DType().IsFloat() {
			return newProblem("there is no gradient by a value of dtype %v", end.DType())
		}
	}
	return nil
}

// backward is reverse mode. It visits only the values between ends and y, each once and after all its users, and of those
// only what y is computed from without passing through border. It gives nil for an end that no gradient reaches.
func (g *Graph) backward(y, dy *Value, ends, border []*Value) []*Value {
	// on[v]: v depends on one of ends.
	on := map[*Value]bool{}
	for _, end := range ends {
		on[end] = true
	}
	order := reachable([]*Value{y}, border...)
	for _, v := range order {
		on[v] = on[v] || slices.ContainsFunc(v.in, func(in *Value) bool { return on[in] })
	}
	grads := map[*Value]*Value{y: dy}
	defer func(before *Value) { g.gradOf = before }(g.gradOf)
	for _, v := range slices.Backward(order) {
		d := grads[v]
		if d == nil || slices.Contains(border, v) || !slices.ContainsFunc(v.in, func(in *Value) bool { return on[in] }) {
			continue
		}
		g.gradOf = v
		for i, di := range v.op.grad(v, d) {
			in := v.in[i]
			if di == nil || !on[in] || !in.DType().IsFloat() {
				continue
			}
			if sum := grads[in]; sum != nil {
				di = sum.Add(di)
			}
			grads[in] = di
		}
	}
	out := make([]*Value, len(ends))
	for i, end := range ends {
		out[i] = grads[end]
	}
	return out
}

// gradOp names Grad in reports.
type gradOp struct{ failedOp }

func (gradOp) Name() string { return "Grad" }

// JVP is the Jacobian-vector product of y: the rate at which y changes as each operand in wrt moves along its tangent.
// It comes from reverse mode applied twice: the gradient u -> J'u is linear in u, and its gradient is J.
//
// Shapes: [d...], and for each operand a tangent of its shape -> [d...].
func JVP(y *Value, wrt []Operand, tangents []*Value) *Value {
	g := y.graph
	if y.failed {
		return g.poison(jvpOp{}, []*Value{y})
	}
	if len(wrt) != len(tangents) {
		return g.fail(jvpOp{}, []*Value{y}, newProblem("%d operands and %d tangents", len(wrt), len(tangents)))
	}
	// The seed's contents do not matter, as everything is linear in it; it must only be a value of its own.
	seed := g.leaf(constOp{ir.Const{Array: ir.NewArray(y.typ)}}, y.typ)
	var total *Value
	for i, d := range VJP(y, seed, wrt...) {
		t := tangents[i]
		if t == nil {
			return g.fail(jvpOp{}, []*Value{y}, newProblem("tangent %d is nil", i+1))
		}
		if d.failed || t.failed {
			return g.poison(jvpOp{}, []*Value{y})
		}
		if !t.typ.Equal(d.typ) {
			return g.fail(jvpOp{}, []*Value{t}, newProblem("tangent %d is %v and its operand %v", i+1, t.typ, d.typ))
		}
		if s := d.Mul(t).Sum(); total == nil {
			total = s
		} else {
			total = total.Add(s)
		}
	}
	if total == nil {
		return y.Num(0).broadcastTo(y.typ.Shape)
	}
	return VJP(total, total.Num(1), seed)[0]
}

type jvpOp struct{ failedOp }

func (jvpOp) Name() string { return "JVP" }

// HVP is the Hessian-vector product of a scalar loss: the rate at which its gradient changes as each operand in wrt moves
// along its vector. It never forms the Hessian.
//
// Shapes: [], and for each operand a vector of its shape -> the shapes of wrt.
func HVP(loss *Value, wrt []Operand, vectors []*Value) []*Value {
	var dot *Value
	for i, d := range Grad(loss, wrt...) {
		if i >= len(vectors) {
			break
		}
		if s := d.Mul(vectors[i]).Sum(); dot == nil {
			dot = s
		} else {
			dot = dot.Add(s)
		}
	}
	if dot == nil || len(vectors) != len(wrt) {
		dot = loss.graph.fail(hvpOp{}, []*Value{loss}, newProblem("%d operands and %d vectors", len(wrt), len(vectors)))
	}
	return VJP(dot, dot.Num(1), wrt...)
}

type hvpOp struct{ failedOp }

func (hvpOp) Name() string { return "HVP" }
