package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file keeps gradients of what a selection has not taken at zero. The gradient of Where with respect to the operand that is not taken is
// 0, and the chain rule multiplies that 0 by derivatives further up, which may be infinite or NaN: the square root's at 0, say. So gradients
// that come out of a selection carry a mask of where they may differ from 0, and a product with one is a selection by that mask. Gradients
// that no selection has made carry nothing and cost nothing.

// support says where a gradient may differ from 0. Where its masks are false the result that is differentiated does not depend on the value,
// whatever numbers stand there.
type support struct {
	// any counts every selection. It guards the rules of functions that have infinite derivatives.
	any *lazyMask
	// whole, or nil, counts only the selections by Where, which also say which data exists: what they have not taken may be NaN from the
	// beginning. It guards every product.
	whole *lazyMask
}

// lazyMask is a bool value of the rank of the gradient that it belongs to, with axes of its size or of size 1. It is built when it is needed first.
type lazyMask struct {
	build func() *Value
	mask  *Value
}

func (m *lazyMask) value() *Value {
	if m.mask == nil {
		m.mask = m.build()
		m.build = nil
	}
	return m.mask
}

// then is the mask that f makes of m; nil of nil.
func (m *lazyMask) then(f func(mask *Value) *Value) *lazyMask {
	if m == nil {
		return nil
	}
	return &lazyMask{build: func() *Value { return f(m.value()) }}
}

// and is a mask of what is in both; nil is everything.
func (m *lazyMask) and(o *lazyMask) *lazyMask {
	switch {
	case m == nil || m == o:
		return o
	case o == nil:
		return m
	}
	return &lazyMask{build: func() *Value {
		if a, b := m.value(), o.value(); a != b {
			return a.And(b)
		}
		return m.value()
	}}
}

// or is a mask of what is in either; nil is everything.
func (m *lazyMask) or(o *lazyMask) *lazyMask {
	switch {
	case m == nil || o == nil:
		return nil
	case m == o:
		return m
	}
	return &lazyMask{build: func() *Value {
		if a, b := m.value(), o.value(); a != b {
			return a.Or(b)
		}
		return m.value()
	}}
}

func (s *support) then(f func(mask *Value) *Value) *support {
	if s == nil {
		return nil
	}
	return &support{s.any.then(f), s.whole.then(f)}
}

func (s *support) and(o *support) *support {
	switch {
	case s == nil:
		return o
	case o == nil:
		return s
	}
	return &support{s.any.and(o.any), s.whole.and(o.whole)}
}

func (s *support) or(o *support) *support {
	if s == nil || o == nil {
		return nil
	}
	any := s.any.or(o.any)
	if any == nil {
		return nil
	}
	return &support{any, s.whole.or(o.whole)}
}

// selected says of a gradient, which a rule has just made from dy, that it is 0 outside of a mask because a selection has taken something
// else there. A whole selection is one by Where.
func (d *Value) selected(whole bool, mask func() *Value) *Value {
	if d.failed {
		return d
	}
	s := &support{any: &lazyMask{build: func() *Value { return mask().narrow(d.Rank()) }}}
	if whole {
		s.whole = s.any
	}
	d.support = s.and(d.support)
	return d
}

// narrow is a mask without the repetitions that broadcasting has made of it, at the given rank.
func (v *Value) narrow(rank int) *Value {
	for {
		if _, ok := v.op.(broadcastOp); !ok {
			break
		}
		v = v.in[0]
	}
	if lack := rank - v.Rank(); lack > 0 {
		v = v.Reshape(append(slices.Repeat([]int{1}, lack), v.typ.Shape...)...)
	}
	return v
}

// supported is what add gives for v while a gradient rule runs: v, with the support that follows from those of its operands, or if v is a
// product that must not be NaN outside of its support, the selection of it.
func (v *Value) supported() *Value {
	if v.failed || !slices.ContainsFunc(v.in, func(in *Value) bool { return in.support != nil }) {
		return v
	}
	s := v.follow()
	if s == nil {
		return v
	}
	guard := v.guard(s)
	if guard == nil {
		v.support = s
		return v
	}
	y := guard.value().choose(elementwise(scalar.Where), v.unguarded(s), v.Num(0))
	y.support = s
	return y
}

// follow is the support of v by those of its operands, which the op is linear in; nil if it is everything.
func (v *Value) follow() *support {
	a, in := v.in[0].support, v.in[0]
	g := v.graph
	shape := in.typ.Shape
	// sums is for ops that add up elements of an operand at places that do not depend on it.
	sums := func(operand int) *support {
		return v.in[operand].support.then(func(mask *Value) *Value {
			weights := slices.Clone(v.in)
			weights[operand] = mask.broadcastTo(v.in[operand].typ.Shape).Cast(v.in[operand].DType())
			return g.add(v.op, weights...).Gt(Num(0))
		})
	}
	switch op := v.op.(type) {
	case elementwiseOp:
		return v.followElementwise(op.F)
	case branchOp:
		return v.followElementwise(op.F)
	case castOp, stopGradientOp, fenceOp, customGradOp, checkpointOp:
		return a
	case reshapeOp:
		return a.then(func(mask *Value) *Value {
			if last, to := len(shape)-1, len(op.Shape)-1; last >= 0 && to >= 0 && mask.Dim(-1) == 1 && shape[last] == v.Dim(-1) {
				rest, out := slices.Clone(shape), slices.Clone(v.typ.Shape)
				rest[last], out[to] = 1, 1
				return mask.broadcastTo(rest).Reshape(out...)
			}
			return mask.broadcastTo(shape).Reshape(v.typ.Shape...)
		})
	case broadcastOp:
		return a.then(func(mask *Value) *Value { return mask.narrow(v.Rank()) })
	case permuteOp:
		return a.then(func(mask *Value) *Value { return g.add(op, mask) })
	case flipOp, sliceOp:
		return a.then(func(mask *Value) *Value { return g.add(op, mask.broadcastTo(shape)) })
	case padOp:
		return a.then(func(mask *Value) *Value {
			wide := slices.Clone(mask.typ.Shape)
			wide[op.Axis] = shape[op.Axis]
			return g.add(op, mask.broadcastTo(wide))
		})
	case concatOp:
		masks := func(of func(*support) *lazyMask) *lazyMask {
			return &lazyMask{build: func() *Value {
				parts := make([]*Value, len(v.in))
				for i, part := range v.in {
					mask := g.Num(Bool, 1)
					if part.support != nil && of(part.support) != nil {
						mask = of(part.support).value()
					}
					parts[i] = mask.broadcastTo(part.typ.Shape)
				}
				return g.add(op, parts...)
			}}
		}
		s := &support{any: masks(func(s *support) *lazyMask { return s.any })}
		if slices.ContainsFunc(v.in, func(in *Value) bool { return in.support != nil && in.support.whole != nil }) {
			s.whole = masks(func(s *support) *lazyMask { return s.whole })
		}
		return s
	case reduceOp:
		if op.Kind == ir.ReduceSum {
			return a.then(func(mask *Value) *Value { return mask.Any(op.Axes...) })
		}
	case gatherOp, takeOp, cumSumOp:
		if v.in[0].support != nil {
			return sums(0)
		}
	case scatterAddOp, indexAddOp, poolOp:
		if last := len(v.in) - 1; v.in[last].support != nil {
			return sums(last)
		}
	case matMulOp:
		rows := a.then(func(mask *Value) *Value { return mask.anyAlong(op.TransA, 1).turned(op.TransA) })
		columns := v.in[1].support.then(func(mask *Value) *Value { return mask.anyAlong(op.TransB, 2).turned(op.TransB) })
		return rows.and(columns)
	case convOp:
		return v.followConv(op)
	}
	return nil
}

// anyAlong reduces a mask of matrices along an axis, counted from the last as 1, or of transposed matrices along the other. The axis keeps
// size 1.
func (v *Value) anyAlong(transposed bool, axis int) *Value {
	if transposed {
		axis = 3 - axis
	}
	return v.Any(-axis).Unsqueeze(-axis)
}

// turned is the transpose of each matrix if it is asked for.
func (v *Value) turned(transposed bool) *Value {
	if transposed {
		return v.Transpose(-2, -1)
	}
	return v
}

func (v *Value) followElementwise(f scalar.Func) *support {
	of := func(i int) *support { return v.in[i].support }
	switch f {
	case scalar.Neg, scalar.Div:
		return of(0)
	case scalar.ReLUGrad:
		return of(0)
	case scalar.Mul:
		return of(0).and(of(1))
	case scalar.Add, scalar.Sub:
		return of(0).or(of(1))
	case scalar.MulAdd:
		return of(0).and(of(1)).or(of(2))
	case scalar.Where:
		condition := v.in[0]
		branch := func(i int, of func(*support) *lazyMask) (m *lazyMask, zero bool) {
			if s := v.in[i].support; s != nil {
				m = of(s)
			}
			return m, isZero(v.in[i])
		}
		choose := func(of func(*support) *lazyMask) *lazyMask {
			yes, noYes := branch(1, of)
			no, noNo := branch(2, of)
			switch {
			case noNo && yes != nil:
				return yes.then(func(mask *Value) *Value { return mask.And(condition.narrow(v.Rank())) })
			case noYes && no != nil:
				return no.then(func(mask *Value) *Value { return mask.And(condition.narrow(v.Rank()).Not()) })
			case yes == nil || no == nil:
				return nil
			}
			return &lazyMask{build: func() *Value { return condition.narrow(v.Rank()).Where(yes.value(), no.value()) }}
		}
		any := choose(func(s *support) *lazyMask { return s.any })
		if any == nil {
			return nil
		}
		return &support{any, choose(func(s *support) *lazyMask { return s.whole })}
	}
	return nil
}

// followConv is the support of a convolution: the places that one of the operands reaches, whatever the other is.
func (v *Value) followConv(op convOp) *support {
	reach := func(operand int) *support {
		return v.in[operand].support.then(func(mask *Value) *Value {
			in := make([]*Value, 2)
			for i, x := range v.in {
				in[i] = x.Num(1).broadcastTo(x.typ.Shape)
			}
			in[operand] = mask.broadcastTo(v.in[operand].typ.Shape).Cast(v.DType())
			return v.graph.add(op, in...).Gt(Num(0))
		})
	}
	return reach(0).and(reach(1))
}

// isZero reports whether v is the number 0, or that repeated.
func isZero(v *Value) bool {
	x, ok := number(v)
	return ok && x == 0
}

// number is the number that v is a repetition of, if it is one.
func number(v *Value) (x float64, ok bool) {
	for {
		switch op := v.op.(type) {
		case broadcastOp, reshapeOp:
			v = v.in[0]
			continue
		case constOp:
			if op.Array.Size() == 1 {
				return op.Array.Float(0), true
			}
		}
		return 0, false
	}
}

// guard is the mask by which a product has to be selected, or nil if the product is 0 outside of its support as it is.
func (v *Value) guard(s *support) *lazyMask {
	factor, singular := v.factor()
	switch {
	case factor == nil:
		return nil
	case s.whole != nil || singular:
		return s.any
	}
	return nil
}

// factor is what a product multiplies a gradient by, or nil if v is no product, or the factor is finite in any case. It is singular if it
// is the derivative of a function that has infinite ones, or NaN, at finite operands.
func (v *Value) factor() (factor *Value, singular bool) {
	rule := v.graph.gradOf
	switch op := v.op.(type) {
	case elementwiseOp:
		switch op.F {
		case scalar.Div:
			factor = v.in[1]
		case scalar.Mul:
			factor = v.in[1]
			if v.in[0].support == nil {
				factor = v.in[0]
			}
		default:
			return nil, false
		}
		if x, ok := number(factor); ok && !math.IsInf(x, 0) && (x != 0 || op.F == scalar.Mul) {
			return nil, false
		}
		of, ok := rule.op.(elementwiseOp)
		return factor, ok && (singularities[of.F] || of.F == scalar.Mul && mayOverflow(factor))
	case matMulOp, convOp:
		factor = v.in[1]
		if v.in[0].support == nil {
			factor = v.in[0]
		}
		if isWeight(factor) {
			return nil, false
		}
		return factor, false
	}
	return nil, false
}

// singularities are the functions whose derivatives are infinite or NaN at some operands, which overflow included.
var singularities = [256]bool{
	scalar.Reciprocal: true, scalar.Sqrt: true, scalar.Rsqrt: true, scalar.Exp: true, scalar.Expm1: true, scalar.Log: true, scalar.Log1p: true,
	scalar.Tan: true, scalar.Asin: true, scalar.Acos: true, scalar.Sinh: true, scalar.Cosh: true, scalar.Square: true,
	scalar.Div: true, scalar.Pow: true, scalar.Atan2: true, scalar.Exp2: true, scalar.Log2: true, scalar.ErfInv: true,
	scalar.Lgamma: true, scalar.Digamma: true, scalar.Trigamma: true, scalar.Polygamma: true, scalar.IGamma: true, scalar.IGammaC: true, scalar.GammaPDF: true,
}

// mayOverflow reports whether v is the result, or part of the derivative, of a function that can be infinite at finite operands.
func mayOverflow(v *Value) bool {
	singular := func(op op) bool {
		f, ok := op.(elementwiseOp)
		return ok && singularities[f.F]
	}
	for {
		if singular(v.op) || v.gradOf != nil && singular(v.gradOf.op) {
			return true
		}
		if _, ok := v.op.(ir.Movement); !ok {
			return false
		}
		v = v.in[0]
	}
}

// isWeight reports whether v is a param, perhaps arranged anew.
func isWeight(v *Value) bool {
	for len(v.in) == 1 {
		if _, ok := v.op.(ir.Movement); !ok {
			return false
		}
		v = v.in[0]
	}
	return v.Param() != nil
}

// unguarded is a product that has finite elements in its support: of a matrix product or a convolution the one in which the rows of the factor that
// meet only zeros are 0. Other elements do not matter.
func (v *Value) unguarded(s *support) *Value {
	g := v.graph
	at := 1 // the operand that is cleaned
	if v.in[0].support == nil {
		at = 0
	}
	gradient, factor := v.in[1-at], v.in[at]
	if gradient.support == nil {
		return v
	}
	clean := func(live *Value) *Value {
		in := slices.Clone(v.in)
		in[at] = live.Where(factor, factor.Num(0))
		y := g.leaf(v.op, v.typ)
		y.in = in
		return y
	}
	switch op := v.op.(type) {
	case matMulOp:
		mask := gradient.support.any.value()
		if at == 1 { // the rows of the second operand by the columns of the first
			return clean(mask.anyAlong(op.TransA, 2).turned(op.TransA).Transpose(-2, -1).turned(op.TransB))
		}
		return clean(mask.anyAlong(op.TransB, 1).turned(op.TransB).Transpose(-2, -1).turned(op.TransA))
	case convOp:
		// The derivative of the sum of the result with respect to the factor, with the mask in the place of the gradient, is positive at the
		// elements that meet one of the support.
		y := &Value{graph: g, op: op, typ: v.typ, in: slices.Clone(v.in)}
		y.in[1-at] = gradient.support.any.value().broadcastTo(gradient.typ.Shape).Cast(v.DType())
		return clean(op.grad(y, v.Num(1).broadcastTo(v.typ.Shape))[at].Gt(Num(0)))
	}
	return v
}
