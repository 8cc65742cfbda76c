package tarn

// This file holds softmax, its logarithm and log-sum-exp: exponentials of numbers from which their maximum is subtracted
// first, so that none overflows and the largest is 1. The maximum cancels from the result, so no gradient flows through it.

// Softmax is e^v divided by its sum along an axis. A slice that is -Inf throughout gives NaN. Equal to torch.softmax.
//
// Shapes: any with the axis -> same.
func (v *Value) Softmax(axis int) *Value {
	e := v.Sub(v.maxAlong(axis).along(v, axis)).Exp()
	var y *Value
	// The gradient of the composition would divide again and multiply by e; this one takes y as it is:
	// dx = y (dy - sum(y dy)).
	y = WithGradient(e.Div(e.Sum(axis).along(e, axis)), []*Value{v}, func(dy *Value) []*Value {
		p := dy.Mul(y)
		return []*Value{p.Sub(y.Mul(p.Sum(axis).along(p, axis)))}
	})
	return y
}

// LogSoftmax is log(Softmax(v)), which stays finite where the softmax itself is too small for a number. Equal to
// torch.log_softmax.
//
// Shapes: any with the axis -> same.
func (v *Value) LogSoftmax(axis int) *Value {
	z := v.Sub(v.maxAlong(axis).along(v, axis))
	return z.Sub(z.Exp().Sum(axis).Log().along(z, axis))
}

// LogSumExp is log(sum(e^v)) along the axes, or over all elements. If all elements are -Inf it is -Inf and has the
// gradient 0; of no elements it is -Inf. Equal to torch.logsumexp.
//
// Shapes: [d...] -> [d...] without the axes.
func (v *Value) LogSumExp(axes ...int) *Value {
	m := v.maxAlong(axes...)
	finite := m.IsFinite()
	sum := v.Sub(finite.branch(m, Num(0)).along(v, axes...)).Exp().Sum(axes...)
	// If the maximum is infinite it is the result, and the sum is not used: the logarithm of 0 has no gradient.
	return finite.branch(sum, Num(1)).Log().Add(m)
}

// maxAlong is the maximum along axes, taken as a constant.
func (v *Value) maxAlong(axes ...int) *Value { return v.Max(axes...).StopGradient() }
