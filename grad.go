package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds differentiation. Reverse mode walks from a result back to what it was computed from and asks each op
// for its gradient rule, which builds ordinary values: so the gradient is a part of the graph like any other and has
// gradients itself. Forward mode is reverse mode applied twice.

// Grad returns the gradient of a scalar loss with respect to each operand in wrt: values of the operands' shapes that hold the partial
// derivatives. A gradient is zero if the loss does not depend on the operand. Inside a loop body the gradient with respect to an outer
// value includes every path, also through other outer values.
//
// The operands are all params, as in Grad(loss, w, b) or Grad(loss, params...), or all values; a mixed list is
// Grad[tarn.Operand](loss, x, w). The same holds for the other functions with a wrt.
//
// Shapes: [] and any... -> the shapes of wrt.
func Grad[T Operand](loss *Value, wrt ...T) []*Value { return gradient(loss, operands(wrt)) }

func gradient(loss *Value, wrt []Operand) []*Value {
	loss = loss.orLost()
	if !loss.failed && loss.Rank() != 0 {
		loss = loss.graph.fail(gradOp{}, []*Value{loss}, newProblem("the loss has shape %s and should be a scalar", ir.ShapeString(loss.typ.Shape)).
			WithHint("take its Mean or Sum, or use VJP"))
	}
	return vjp(loss, loss.Num(1), wrt)
}

// operands returns the operands of a list of one kind of them.
func operands[T Operand](list []T) []Operand {
	out := make([]Operand, len(list))
	for i, o := range list {
		out[i] = o
	}
	return out
}

// VJP returns the vector-Jacobian product of y: the gradient of the sum of y*dy with respect to each operand in wrt.
//
// Shapes: [d...], [d...] and any... -> the shapes of wrt.
func VJP[T Operand](y, dy *Value, wrt ...T) []*Value { return vjp(y, dy, operands(wrt)) }

func vjp(y, dy *Value, wrt []Operand) []*Value {
	y = y.orLost()
	g := y.graph
	dy = y.operand(dy)
	in := []*Value{y, dy}
	for _, o := range wrt {
		in = append(in, y.operand(o))
	}
	ends := in[2:]
	if p, failed := checkGrad(in); failed {
		if p != nil {
			g.fail(gradOp{}, in[:1], p)
		}
		out := make([]*Value, len(wrt))
		for i := range out {
			out[i] = g.poison(gradOp{}, nil)
		}
		return out
	}
	if dy.graph != g { // y is outside of a loop of which dy is part
		seed := g.placeholder(y.typ)
		return Substitute(vjp(y, seed, wrt), []*Value{seed}, []*Value{dy})
	}
	through := outsiders(y, ends)
	out := g.backward([]*Value{y}, []*Value{dy}, slices.Concat(ends, through), nil)
	for i, v := range through {
		if d := out[len(ends)+i]; d != nil {
			addOutside(out, ends, v, d)
		}
	}
	for i, end := range ends {
		if out[i] == nil {
			out[i] = end.Num(0).broadcastTo(end.typ.Shape)
		}
	}
	return out[:len(ends)]
}

// outside returns the value of the surrounding graph that v stands for in the body of a loop, or nil.
func (v *Value) outside() *Value {
	if op, ok := v.op.(argumentOp); ok {
		return op.outer
	}
	return nil
}

// outsiders are the values that a body has captured through which y depends on ends from outside of the body.
func outsiders(y *Value, ends []*Value) []*Value {
	if y.graph.around == nil {
		return nil
	}
	targets := map[*Value]bool{}
	for _, end := range ends {
		for o := end.outside(); o != nil; o = o.outside() {
			targets[o] = true
		}
	}
	known := map[*Value]bool{}
	var depends func(v *Value) bool
	reads := remember(func(v *Value) bool {
		return slices.ContainsFunc(v.in, func(in *Value) bool { return targets[in] || depends(in) })
	})
	depends = func(v *Value) bool {
		found, ok := known[v]
		if !ok {
			o := v.outside()
			found = o != nil && (targets[o] || depends(o)) || reads(v)
			known[v] = found
		}
		return found
	}
	var through []*Value
	for _, v := range reachable([]*Value{y}) {
		if o := v.outside(); o != nil && o.DType().IsFloat() && depends(o) {
			through = append(through, v)
		}
	}
	return through
}

// remember returns a function that caches f, which looks at the operands of a value. It calls f once for all results of a loop, as these share
// their operands.
func remember(f func(v *Value) bool) func(v *Value) bool {
	known := map[**Value]bool{}
	return func(v *Value) bool {
		if _, ok := v.op.(controlOp); !ok || len(v.in) == 0 {
			return f(v)
		}
		found, ok := known[&v.in[0]]
		if !ok {
			found = f(v)
			known[&v.in[0]] = found
		}
		return found
	}
}

// addOutside adds to the gradients with respect to ends what comes through v, which a body has captured, given the gradient d by that.
func addOutside(out, ends []*Value, v, d *Value) {
	var wrt []*Value
	var at []int
	for i, end := range ends {
		if o := end.outside(); o != nil && end != v {
			wrt, at = append(wrt, o), append(at, i)
		}
	}
	for k, part := range VJP(v.outside(), d, wrt...) {
		if i := at[k]; out[i] == nil {
			out[i] = part
		} else {
			out[i] = out[i].Add(part)
		}
	}
}

// checkGrad reports whether in[0] cannot be differentiated with respect to the rest, given its gradient in[1], and why, unless
// one of them has failed before.
func checkGrad(in []*Value) (p error, failed bool) {
	for i, v := range in {
		switch {
		case !v.exists() && i == 1:
			return newProblem("the vector is nil"), true
		case !v.exists():
			return newProblem("operand %d to differentiate with respect to is nil", i-1), true
		case v.failed:
			in[0].graph.adopt(v)
			return nil, true
		case v.graph != in[0].graph && !(i == 1 && v.graph.open && v.graph.within(in[0].graph)):
			return newProblem("a value belongs to another graph"), true
		}
	}
	y, dy := in[0], in[1]
	switch {
	case !y.DType().IsFloat():
		return newProblem("a value of dtype %v has no gradient", y.DType()).WithHint("Cast it to f32 or f64 before the loss"), true
	case !y.typ.Equal(dy.typ):
		return newProblem("the result is %v and the vector %v: they should be equal", y.typ, dy.typ), true
	}
	for _, end := range in[2:] {
		if !end.DType().IsFloat() {
			return newProblem("there is no gradient with respect to a value of dtype %v", end.DType()), true
		}
	}
	return nil, false
}

// backward is reverse mode, from several results of which the gradients are given. It visits only the values between ends and
// results, each once and after all its users, and of those only what the results are computed from without passing through border.
// It returns nil for an end that no gradient reaches.
func (g *Graph) backward(ys, dys, ends, border []*Value) []*Value {
	order := reachable(ys, border...)
	on := dependents(order, ends)
	between := remember(func(v *Value) bool { return slices.ContainsFunc(v.in, func(in *Value) bool { return on[in] }) })
	parts := map[*Value][]*Value{} // the gradients of a value from its users
	for i, y := range ys {
		parts[y] = append(parts[y], dys[i])
	}
	nested := applications(order)
	defer func(before *Value) { g.gradOf = before }(g.gradOf)
	given := g.root().precision
	defer g.at(given)()
	for _, v := range slices.Backward(order) {
		if slices.Contains(border, v) || !between(v) {
			continue
		}
		together := []*Value{v}
		control, several := v.op.(controlOp)
		if several { // the results of a loop are differentiated together, when the first of them is met, which comes last
			together = nested[v]
		}
		var results, dys []*Value
		for _, y := range together {
			if parts[y] != nil && on[y] {
				d := sumParts(parts[y])
				parts[y] = []*Value{d}
				results, dys = append(results, y), append(dys, d)
			}
		}
		if len(results) == 0 {
			continue
		}
		g.gradOf = v
		g.root().precision = rulePrecision(v.op, given)
		var ds []*Value
		if several {
			ds = control.gradients(results, dys)
		} else {
			ds = v.op.grad(v, dys[0])
		}
		for i, di := range ds {
			in := v.in[i]
			if di != nil && on[in] && in.DType().IsFloat() {
				parts[in] = append(parts[in], di)
			}
		}
	}
	out := make([]*Value, len(ends))
	for i, end := range ends {
		if parts[end] != nil {
			out[i] = sumParts(parts[end])
		}
	}
	return out
}

// sumParts adds up the gradients of a value from its users. If each has used a slice, and the slices together
// are the whole, their gradients are concatenated and not padded and added.
func sumParts(parts []*Value) *Value {
	if whole := joinSlices(parts); whole != nil {
		return whole
	}
	sum := parts[0]
	for _, d := range parts[1:] {
		sum = sum.Add(d)
	}
	return sum
}

// joinSlices returns the concatenation of the operands of pads that fill an axis without overlap, or nil.
func joinSlices(parts []*Value) *Value {
	if len(parts) < 2 {
		return nil
	}
	first, ok := parts[0].op.(padOp)
	if !ok {
		return nil
	}
	ordered := slices.Clone(parts)
	for _, d := range parts {
		if pad, ok := d.op.(padOp); !ok || pad.Axis != first.Axis || pad.Step != 1 {
			return nil
		}
	}
	slices.SortStableFunc(ordered, func(a, b *Value) int { return a.op.(padOp).Before - b.op.(padOp).Before })
	at := 0
	for i, d := range ordered {
		if d.op.(padOp).Before != at {
			return nil
		}
		at += d.in[0].Dim(first.Axis)
		ordered[i] = d.in[0]
	}
	if at != parts[0].Dim(first.Axis) {
		return nil
	}
	return Concat(first.Axis, ordered...)
}

// gradOp names Grad in reports.
type gradOp struct{ failedOp }

func (gradOp) Name() string { return "Grad" }

// JVP returns the Jacobian-vector product of y: the rate at which y changes as each operand in wrt moves along its tangent.
// It is reverse mode applied twice: the gradient u -> J'u is linear in u, and its gradient is J. Through a While, which has no gradient, it is
// forward mode: the loop carries the rates along. The rules for the vectors of HVP hold for tangents.
//
// Shapes: [d...], and for each operand a tangent of its shape -> [d...].
func JVP[T Operand](y *Value, wrt []T, tangents []*Value) *Value {
	return jvp(y, operands(wrt), tangents)
}

func jvp(y *Value, wrt []Operand, tangents []*Value) *Value {
	return y.linearIn(jvpOp{}, 1, wrt, tangents, func(tangents []*Value) []*Value {
		ends := make([]*Value, len(wrt))
		for i, o := range wrt {
			ends[i] = y.operand(o)
		}
		if passesWhile(y, ends) {
			return []*Value{y.rate(ends, tangents)}
		}
		// The seed's contents do not matter, as everything is linear in it; it must only be a value of its own.
		seed := y.graph.placeholder(y.typ)
		return VJP(y.graph.dot(y.typ.DType, vjp(y, seed, wrt), tangents), y.Num(1), seed)
	})[0]
}

// rate is the rate of y by forward mode.
func (y *Value) rate(ends, tangents []*Value) *Value {
	rates := map[*Value]*Value{}
	for i, end := range ends {
		if rate := rates[end]; rate != nil { // an operand that is named twice moves along both tangents
			rates[end] = rate.Add(tangents[i])
			continue
		}
		rates[end] = tangents[i]
	}
	if d := y.graph.forward([]*Value{y}, rates)[0]; d != nil {
		return d
	}
	return y.Num(0).broadcastTo(y.typ.Shape)
}

type jvpOp struct{ failedOp }

func (jvpOp) Name() string { return "JVP" }

// HVP returns the Hessian-vector product of a scalar loss: the rate at which its gradient changes as each operand in wrt moves
// along its vector. It never forms the Hessian. Vectors are held fixed: what a vector was computed from does not matter. A vector may be
// a value in the body of a loop of the loss's graph; then what depends on the vectors is computed in the loop, and the
// rest once, outside of it.
//
// Shapes: [], and for each operand a vector of its shape -> the shapes of wrt.
func HVP[T Operand](loss *Value, wrt []T, vectors []*Value) []*Value {
	return hvp(loss, operands(wrt), vectors)
}

func hvp(loss *Value, wrt []Operand, vectors []*Value) []*Value {
	return loss.linearIn(hvpOp{}, len(wrt), wrt, vectors, func(vectors []*Value) []*Value {
		return gradient(loss.graph.dot(loss.typ.DType, gradient(loss, wrt), vectors), wrt)
	})
}

type hvpOp struct{ failedOp }

func (hvpOp) Name() string { return "HVP" }

// linearIn returns n values that build makes by differentiating y with respect to the operands in wrt, from a vector for each. It builds them
// from placeholders and then computes them for the vectors, so that no derivative runs through a vector, and vectors may be values of a
// loop's body.
func (y *Value) linearIn(op op, n int, wrt []Operand, vectors []*Value, build func(vectors []*Value) []*Value) []*Value {
	y = y.orLost()
	g := y.graph
	ends := []*Value{y, y}
	for _, o := range wrt {
		ends = append(ends, y.operand(o))
	}
	if p, failed := checkGrad(ends); failed {
		if p != nil {
			g.fail(op, ends[:1], p)
		}
		return g.poisoned(op, n)
	}
	if len(wrt) != len(vectors) {
		g.fail(op, ends[:1], newProblem("there are %d operands and %d vectors", len(wrt), len(vectors)))
		return g.poisoned(op, n)
	}
	places := make([]*Value, len(wrt))
	for i, v := range vectors {
		end := ends[2+i]
		switch {
		case !v.exists():
			g.fail(op, ends[:1], newProblem("vector %d is nil", i+1))
			return g.poisoned(op, n)
		case v.failed:
			g.adopt(v)
			return g.poisoned(op, n)
		case !v.typ.Equal(end.typ):
			g.fail(op, []*Value{y, v}, newProblem("vector %d is %v and the operand that it belongs to %v", i+1, v.typ, end.typ))
			return g.poisoned(op, n)
		}
		places[i] = g.placeholder(end.typ)
	}
	values := build(places)
	if len(wrt) == 0 {
		return values
	}
	return Substitute(values, places, vectors)
}

// placeholder returns a new value, for which another will be substituted. It is one number broadcast, so it takes no memory.
func (g *Graph) placeholder(t ir.Type) *Value {
	number := ir.NewArray(ir.Type{DType: t.DType, Shape: []int{}})
	return g.leaf(constOp{ir.Const{Array: number}}, number.Type).broadcastTo(t.Shape)
}

// dot is the sum of the products of gradients and vectors of their shapes, a scalar.
func (g *Graph) dot(dtype ir.DType, ds, vectors []*Value) *Value {
	total := g.Num(DType(dtype), 0)
	for i, d := range ds {
		total = total.Add(d.Mul(vectors[i]).Sum())
	}
	return total
}
