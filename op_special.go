package tarn

import "math"

// This file holds elementwise functions that are compositions of others: inverse hyperbolic functions, logarithms and powers to other bases,
// and functions of pairs. Each is written in the form that keeps its digits over the whole range. Where the derivative of that form would lose
// them, the textbook's is given.

// float is v as an operand of a composition of this name, which wants f32 or f64.
func (v *Value) float(name string) *Value {
	v = v.orLost()
	if !v.failed && !v.DType().IsFloat() {
		return v.graph.failAs(name, []*Value{v}, newProblem("the operand is %v and should be f32 or f64", v.DType()).WithHint("Cast it"))
	}
	return v
}

// floats is v and other operands of a composition of this name, in their common shape and all f32 or all f64.
func (v *Value) floats(name string, others ...Operand) []*Value {
	in := []*Value{v.float(name)}
	for _, o := range others {
		in = append(in, in[0].operand(o))
	}
	g, in := in[0].graph.meet(in)
	shape, failed := []int{}, false
	var err error
	for i, x := range in {
		switch {
		case err != nil:
		case !x.exists():
			err = newProblem("operand %d is nil", i+1)
		case x.graph != g:
			err = newProblem("operand %d belongs to another graph", i+1)
		case x.failed:
			failed = true
		case !failed && x.DType() != in[0].DType():
			err = newProblem("operands are %v and %v", in[0].DType(), x.DType()).WithHint("Cast one of them")
		case !failed:
			shape, err = broadcastShape(shape, x.typ.Shape)
		}
	}
	wide := make([]*Value, len(in))
	for i, x := range in {
		switch {
		case err != nil && i == 0:
			wide[0] = g.failAs(name, in, err)
		case err != nil:
			wide[i] = wide[0]
		case failed:
			wide[i] = g.poison(failedOp{}, in)
		default:
			wide[i] = x.broadcastTo(shape)
		}
	}
	return wide
}

// pair is floats of v and one other.
func (v *Value) pair(name string, o Operand) (a, b *Value) {
	in := v.floats(name, o)
	return in[0], in[1]
}

// asinhLarge is where x^2 + 1 has long become x^2 in float64.
const asinhLarge = 1 << 28

// Asinh is the inverse hyperbolic sine. Equal to torch.asinh. Shapes: any -> same.
func (v *Value) Asinh() *Value {
	v = v.float("Asinh")
	a := v.Abs()
	large := a.Gt(Num(asinhLarge))
	s := large.branch(Num(1), a)
	// log(s + sqrt(s^2 + 1)) = log(1 + s + s^2/(1 + sqrt(1 + s^2))).
	s2 := s.Square()
	y := large.branch(large.branch(a, Num(1)).Log().AddNum(math.Ln2), s.Add(s2.Div(s2.AddNum(1).Sqrt().AddNum(1))).Log1p())
	return WithGradient(y.Mul(v.Sign()), []*Value{v}, func(dy *Value) []*Value {
		return []*Value{dy.Div(v.Hypot(Num(1)))}
	})
}

// Acosh is the inverse hyperbolic cosine; of numbers below 1 it is NaN. Equal to torch.acosh. Shapes: any -> same.
func (v *Value) Acosh() *Value {
	v = v.float("Acosh")
	t := v.Lt(Num(1)).branch(Num(math.NaN()), v.AddNum(-1))
	large := t.Gt(Num(asinhLarge))
	s := large.branch(Num(1), t)
	y := large.branch(large.branch(v, Num(1)).Log().AddNum(math.Ln2), s.Add(s.Mul(s.AddNum(2)).Sqrt()).Log1p())
	return WithGradient(y, []*Value{v}, func(dy *Value) []*Value {
		return []*Value{dy.Mul(t.Rsqrt()).Mul(v.AddNum(1).Rsqrt())}
	})
}

// Atanh is the inverse hyperbolic tangent; beyond -1 and 1 it is NaN. Equal to torch.atanh. Shapes: any -> same.
func (v *Value) Atanh() *Value {
	v = v.float("Atanh")
	return v.Log1p().Sub(v.Neg().Log1p()).Scale(0.5)
}

// Log10 is the logarithm to the base 10. Equal to torch.log10. Shapes: any -> same.
func (v *Value) Log10() *Value { return v.float("Log10").Log().Scale(1 / math.Ln10) }

// Logit is log(v/(1-v)), the inverse of Sigmoid; beyond 0 and 1 it is NaN. Equal to torch.logit without eps. Shapes: any -> same.
func (v *Value) Logit() *Value {
	v = v.float("Logit")
	return v.Log().Sub(v.Neg().Log1p())
}

// sincCoefficients are those of sin(pi r)/(pi r) as a polynomial of r^2 for |r| <= 1/2, error 2^-56.
var sincCoefficients = []float64{1.0, -1.6449340668482264, 0.8117424252833536, -0.19075182412208255, 0.026147847817611935,
	-0.002346081034815316, 0.0001484287872033628, -6.975840829271595e-06, 2.5300985563134005e-07, -7.0931258816238045e-09}

// Sinc is sin(pi v)/(pi v), and 1 at 0. It is exactly 0 at all other integers. Equal to torch.sinc. Shapes: any -> same.
func (v *Value) Sinc() *Value {
	v = v.float("Sinc")
	// With n the nearest integer and r = v - n, sin(pi v) = (-1)^n sin(pi r).
	n := v.Round()
	r := v.Sub(n)
	r2 := r.Square()
	y := v.Num(sincCoefficients[len(sincCoefficients)-1])
	for i := len(sincCoefficients) - 2; i >= 0; i-- {
		y = r2.Mul(y).AddNum(sincCoefficients[i])
	}
	near := n.Eq(Num(0))
	ratio := near.branch(Num(1), r.Div(near.branch(Num(1), v)))
	odd := n.Sub(n.Scale(0.5).Floor().Scale(2))
	return y.Mul(ratio).Mul(odd.Scale(-2).AddNum(1))
}

// Xlogy is v*log(o), and 0 where v is 0 and o is no NaN. Its derivatives where v is 0 and o is not positive are 0, where one of PyTorch's is
// NaN. Equal to torch.xlogy. Shapes: two that broadcast -> their common shape.
func (v *Value) Xlogy(o Operand) *Value {
	x, y := v.pair("Xlogy", o)
	flat := x.Eq(Num(0)).And(y.Le(Num(0)))
	safe := flat.branch(Num(1), y)
	return x.xlog(safe, safe.Log(), flat)
}

// Xlog1py is v*log(1+o), exact near o = 0, and 0 where v is 0 and o is no NaN. Its derivatives where v is 0 and o is not above -1 are 0. Equal to
// torch.special.xlog1py. Shapes: two that broadcast -> their common shape.
func (v *Value) Xlog1py(o Operand) *Value {
	x, y := v.pair("Xlog1py", o)
	flat := x.Eq(Num(0)).And(y.Le(Num(-1)))
	safe := flat.branch(Num(0), y)
	return x.xlog(safe.AddNum(1), safe.Log1p(), flat)
}

// xlog is v times the logarithm of y with 0 for 0 times infinity; its derivatives are 0 where flat.
func (v *Value) xlog(y, log, flat *Value) *Value {
	vanishes := v.Eq(Num(0)).And(y.Eq(y))
	return WithGradient(vanishes.branch(Num(0), v.Mul(log)), []*Value{v, y}, func(dy *Value) []*Value {
		return []*Value{flat.branch(Num(0), dy.Mul(log)), flat.branch(Num(0), dy.Mul(v.Div(y)))}
	})
}

// Entr is -v*log(v), and 0 at 0; of negative numbers it is -Inf. Its derivative is 0 at 0, where PyTorch's is +Inf. Equal to
// torch.special.entr. Shapes: any -> same.
func (v *Value) Entr() *Value {
	v = v.float("Entr")
	positive := v.Le(Num(0)).Not() // NaN too
	safe := positive.branch(v, Num(1))
	return positive.branch(safe.Log().Mul(safe).Neg(), v.Lt(Num(0)).branch(Num(math.Inf(-1)), v.Num(0)))
}

// Logaddexp is log(e^v + e^o), in a form that neither overflows nor loses small results. Equal to torch.logaddexp.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Logaddexp(o Operand) *Value {
	a, b := v.pair("Logaddexp", o)
	return a.logaddexp(b)
}

// logaddexp is Logaddexp of two floats of one shape.
func (v *Value) logaddexp(b *Value) *Value {
	// Equal infinities have the distance 0.
	same := v.Eq(b).And(v.IsFinite().Not())
	d := same.branch(Num(0), v.Sub(b))
	y := v.Maximum(b).Add(d.Abs().Neg().Softplus())
	return WithGradient(y, []*Value{v, b}, func(dy *Value) []*Value {
		// Written with d, whose derivatives are those of v - b.
		return []*Value{dy.Mul(d.Sigmoid()), dy.Mul(d.Neg().Sigmoid())}
	})
}

// Logaddexp2 is log2(2^v + 2^o). Equal to torch.logaddexp2.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Logaddexp2(o Operand) *Value {
	a, b := v.pair("Logaddexp2", o)
	return a.Scale(math.Ln2).logaddexp(b.Scale(math.Ln2)).Scale(1 / math.Ln2)
}

// Hypot is sqrt(v^2 + o^2), with no square that is too large or too small. Its derivatives at 0, 0 are 0, where PyTorch's are NaN. Equal to
// torch.hypot. Shapes: two that broadcast -> their common shape.
func (v *Value) Hypot(o Operand) *Value {
	a, b := v.pair("Hypot", o)
	p, q := a.Abs(), b.Abs()
	large, small := p.Maximum(q), p.Minimum(q)
	zero, infinite := large.Eq(Num(0)), p.Eq(Num(math.Inf(1))).Or(q.Eq(Num(math.Inf(1))))
	odd := zero.Or(infinite)
	unit := odd.branch(Num(1), large)
	y := unit.Mul(odd.branch(Num(0), small).Div(unit).Square().AddNum(1).Sqrt())
	y = infinite.branch(Num(math.Inf(1)), zero.branch(Num(0), y))
	var h *Value
	h = WithGradient(y, []*Value{a, b}, func(dy *Value) []*Value {
		safe := zero.branch(Num(1), h)
		return []*Value{dy.Mul(a.Div(safe)), dy.Mul(b.Div(safe))}
	})
	return h
}

// IsNaN is true where v is NaN. Equal to torch.isnan. Shapes: any -> same, bool.
func (v *Value) IsNaN() *Value {
	v = v.float("IsNaN")
	return v.Ne(v)
}

// IsInf is true where v is +Inf or -Inf. Equal to torch.isinf. Shapes: any -> same, bool.
func (v *Value) IsInf() *Value { return v.float("IsInf").Abs().Eq(Num(math.Inf(1))) }

// NanToNum is v with NaN, +Inf and -Inf replaced by numbers. The derivative with respect to these elements is 0. Equal to torch.nan_to_num, whose
// numbers are by default 0, the largest and the smallest of the dtype.
//
// Shapes: any -> same.
func (v *Value) NanToNum(nan, posInf, negInf float64) *Value {
	v = v.float("NanToNum")
	y := v.Eq(Num(math.Inf(-1))).Where(Num(negInf), v)
	return v.IsNaN().Where(Num(nan), v.Eq(Num(math.Inf(1))).Where(Num(posInf), y))
}

// Fmax returns the larger of v and o, and the other one if one is NaN. If they are equal, each gets half of the gradient. Equal to torch.fmax, but
// for the gradient at equal ones, which PyTorch gives to v. Shapes: two that broadcast -> their common shape.
func (v *Value) Fmax(o Operand) *Value {
	a, b := v.pair("Fmax", o)
	return a.IsNaN().Where(b, b.IsNaN().Where(a, a.Maximum(b)))
}

// Fmin returns the smaller of v and o, and the other one if one is NaN. If they are equal, each gets half of the gradient. Equal to torch.fmin, but
// for the gradient at equal ones, which PyTorch gives to v. Shapes: two that broadcast -> their common shape.
func (v *Value) Fmin(o Operand) *Value {
	a, b := v.pair("Fmin", o)
	return a.IsNaN().Where(b, b.IsNaN().Where(a, a.Minimum(b)))
}

// Heaviside is 0 where v is negative, o where v is 0, and 1 elsewhere. It has no gradient. Equal to torch.heaviside.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) Heaviside(o Operand) *Value {
	a, b := v.pair("Heaviside", o)
	return a.Eq(Num(0)).branch(b.StopGradient(), a.Lt(Num(0)).branch(Num(0), b.Num(1)))
}

// Ndtr is the distribution function of the normal distribution, with all digits of its lower tail. Equal to torch.special.ndtr and
// jax.scipy.special.ndtr.
//
// Shapes: any -> same.
func (v *Value) Ndtr() *Value { return v.float("Ndtr").Scale(-math.Sqrt2 / 2).Erfc().Scale(0.5) }

// Trunc is v without its fraction; its derivative is 0. Equal to torch.trunc. Shapes: any -> same.
func (v *Value) Trunc() *Value {
	v = v.float("Trunc")
	return v.Abs().Floor().Mul(v.Sign())
}

// Frac is v - Trunc(v), with the sign of v; its derivative is 1. Equal to torch.frac. Shapes: any -> same.
func (v *Value) Frac() *Value {
	v = v.float("Frac")
	return v.Sub(v.Trunc())
}

// CopySign has the magnitude of v and the sign of o, which -0 has too. Its derivative is 1 or -1, and 0 where v is 0. Equal to torch.copysign.
//
// Shapes: two that broadcast -> their common shape.
func (v *Value) CopySign(o Operand) *Value {
	a, b := v.pair("CopySign", o)
	// 1/-0 is -Inf.
	negative := b.Lt(Num(0)).Or(b.Eq(Num(0)).And(b.StopGradient().Reciprocal().Lt(Num(0))))
	size := a.Abs()
	return negative.branch(size.Neg(), size)
}

// Deg2Rad is v degrees in radians. Equal to torch.deg2rad. Shapes: any -> same.
func (v *Value) Deg2Rad() *Value { return v.float("Deg2Rad").Scale(math.Pi / 180) }

// Rad2Deg is v radians in degrees. Equal to torch.rad2deg. Shapes: any -> same.
func (v *Value) Rad2Deg() *Value { return v.float("Rad2Deg").Scale(180 / math.Pi) }

// Lerp is v + w*(end - v): v at w = 0 and end at w = 1, exactly. Equal to torch.lerp.
//
// Shapes: three that broadcast -> their common shape.
func (v *Value) Lerp(end, w Operand) *Value {
	in := v.floats("Lerp", end, w)
	a, b, t := in[0], in[1], in[2]
	d := b.Sub(a)
	return t.Abs().Lt(Num(0.5)).branch(a.Add(t.Mul(d)), b.Sub(t.Neg().AddNum(1).Mul(d)))
}
