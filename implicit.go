package tarn

import (
	"math"
	"slices"
)

// This file holds Implicit, the gradient of what solves an equation: a fixed point, or the minimum of an inner loss. It depends on the equation
// alone, not on how the solution was found, by the implicit function theorem.

// ImplicitOptions say how Implicit solves its linear system.
type ImplicitOptions struct {
	// Symmetric says that the derivative of the residual with respect to x is symmetric and positive definite, as at a minimum, where it is a
	// Hessian. The method of conjugate gradients then needs half the products, and fewer steps.
	Symmetric bool
	// Tolerance is the norm of the remaining error of the system, relative to that of its right side, at which the solution ends; 0 means 1e-6
	// for F32 and 1e-12 for F64.
	Tolerance float64
	// Steps is the most steps; 0 means ten for each element of x.
	Steps int
}

// Implicit returns x, a solution of residual(x) = 0, with the gradient of the solution with respect to all that the residual is computed from.
// x may come from any computation, such as a While, and no gradient flows into that. With A the derivative of the residual with respect to x,
// the gradient dx of x becomes, for everything else that the residual depends on, the vector-Jacobian product of the residual with -u,
// A' u = dx. The system is solved within the program by conjugate gradients, of the normal equations unless Symmetric: it needs products
// with A and A' only. If it has no solution, the result is of no use. The gradient has gradients like any other.
//
// The residual of a fixed point x = f(x) is x - f(x); that of a minimum is the gradient of what is minimized:
//
//	w := tarn.Implicit(found, func(w *tarn.Value) *tarn.Value { return tarn.Grad(inner(w, decay), w)[0] }, tarn.ImplicitOptions{Symmetric: true})
//
// Equal to jaxopt's custom_root and custom_fixed_point.
//
// Shapes: any, with a residual of the same shape -> same.
func Implicit(x *Value, residual func(x *Value) *Value, o ImplicitOptions) *Value {
	op := implicitOp{}
	x = x.orLost()
	g := x.graph
	switch {
	case x.failed:
		return g.poison(op, []*Value{x})
	case residual == nil:
		return g.fail(op, []*Value{x}, newProblem("the residual is nil"))
	case !x.DType().IsFloat():
		return g.fail(op, []*Value{x}, newProblem("the solution is %v and should be f32 or f64", x.typ))
	case !(o.Tolerance >= 0) || o.Steps < 0:
		return g.fail(op, []*Value{x}, newProblem("the tolerance %v and the number of steps %d should not be negative", o.Tolerance, o.Steps))
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-6
		if x.DType() == F64 {
			o.Tolerance = 1e-12
		}
	}
	if o.Steps == 0 {
		o.Steps = 10 * min(max(1, x.Size()), math.MaxInt32/10)
	}
	if b := g.root().tracing; b != nil && b.within(g) { // the residual may use what is in it
		g, x = b, b.capture(x)
	}
	start := len(g.values)
	at := x.StopGradient()
	r := residual(at)
	switch {
	case !r.exists():
		return g.fail(op, []*Value{x}, newProblem("the residual returned nil"))
	case r.failed || r.graph.lost:
		g.adopt(r)
		return g.poison(op, []*Value{x})
	case !g.within(r.graph):
		return g.fail(op, []*Value{x, r}, newProblem("the residual belongs to another graph"))
	case !r.typ.Equal(x.typ):
		return g.fail(op, []*Value{x, r}, newProblem("the residual is %v and should be %v as the solution", r.typ, x.typ))
	}
	r = g.capture(r)
	inputs := slices.DeleteFunc(blockInputs(r, start)[1:], func(v *Value) bool { return v == at || v == x || !v.DType().IsFloat() })
	var y *Value
	y = WithGradient(at, inputs, func(dy *Value) []*Value {
		// The equation is differentiated at y itself, so that second derivatives count how the solution moves.
		there := Substitute([]*Value{r}, []*Value{at}, []*Value{y})[0]
		if there.failed {
			return make([]*Value, len(inputs))
		}
		u := solveTransposed(there, y, dy, o)
		return there.graph.backward([]*Value{there}, []*Value{u.Neg()}, inputs, append([]*Value{y}, inputs...))
	})
	return y
}

// implicitOp names Implicit in reports.
type implicitOp struct{ failedOp }

func (implicitOp) Name() string { return "Implicit" }

// solveTransposed returns the u with A' u = b, A being the derivative of r with respect to y. u is the solution of an equation again, which
// gives it its own gradient.
func solveTransposed(r, y, b *Value, o ImplicitOptions) *Value {
	transposed := func(u *Value) *Value { return VJP(r, u, y)[0] }
	// The system is that of a matrix M, symmetric and not negative: A' itself, or A A'.
	product, right := transposed, b.StopGradient()
	if !o.Symmetric {
		forward := func(v *Value) *Value { return JVP(r, []*Value{y}, []*Value{v}) }
		product, right = func(u *Value) *Value { return forward(transposed(u)) }, forward(right)
	}
	return Implicit(conjugateGradients(product, right, o), func(u *Value) *Value { return transposed(u).Sub(b) }, o)
}

// conjugateGradients returns the x with M x = b for a symmetric positive definite M, of which product returns products.
// Hestenes and Stiefel: Methods of conjugate gradients for solving linear systems (1952).
func conjugateGradients(product func(v *Value) *Value, b *Value, o ImplicitOptions) *Value {
	if b.failed || b.Size() == 0 {
		return b
	}
	dot := func(a, b *Value) *Value { return a.Mul(b).Sum() }
	size := dot(b, b)
	end := size.Scale(o.Tolerance * o.Tolerance)
	carries := []*Value{b.zero().broadcastTo(b.typ.Shape), b, b, size, b.graph.Num(I64, 0)} // x, remainder, direction, square of the remainder, step
	last := While(carries, func(c []*Value) *Value {
		return c[3].Gt(end).And(c[4].Lt(Num(float64(o.Steps))))
	}, func(c []*Value) []*Value {
		x, r, p, square := c[0], c[1], c[2], c[3]
		mp := product(p)
		step := square.Div(dot(p, mp))
		x, r = x.Add(p.Mul(step)), r.Sub(mp.Mul(step))
		next := dot(r, r)
		return []*Value{x, r, r.Add(p.Mul(next.Div(square))), next, c[4].AddNum(1)}
	})
	return last[0]
}
