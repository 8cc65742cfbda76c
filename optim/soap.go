package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds SOAP, which is Adam in the eigenbasis of Shampoo's moments.

// ScaleBySOAP turns the gradient along each axis into the basis of the eigenvectors Q_a of the second moments of its slices, and
// scales it there as Adam does:
//
//	g' = g, times Q_a' along each axis a                                for a matrix Q_0' g Q_1
//	m <- Beta1 m + (1-Beta1) g'
//	v <- Beta2 v + (1-Beta2) g'^2
//	u = sqrt(1 - Beta2^t) / (1 - Beta1^t) m / (sqrt(v) + Epsilon), times Q_a along each axis a       at the t-th update
//	L_a <- MomentsBeta L_a + (1-MomentsBeta) g_a g_a'                   after the update; g_a: the slices along axis a as rows
//
// The first step only begins L_a and takes all eigenvectors of it, the largest eigenvalue first: u is 0, and t counts from the second. After
// every Every-th update Q_a is brought up to date by a step of the power iteration: its columns are sorted by the diagonal of Q_a' L_a Q_a,
// the largest first, and v with them; then Q_a is the orthogonal factor of L_a Q_a, and m is turned into the new basis. (Vyas et al. 2024,
// SOAP: improving and stabilizing Shampoo using Adam.)
//
// An axis longer than MaxSize is not turned, and neither is a vector unless Vectors is set: without an axis to turn it is Adam,
// whose Epsilon stands beside the root before it is corrected. The bases are computed when they are due, within a Cond, so that only these
// updates pay for it.
//
// Equal to the authors' optimizer, https://github.com/nikhilvyas/SOAP, with Every its precondition_frequency, MaxSize max_precond_dim,
// MomentsBeta shampoo_beta, betas[1] unless set, and Vectors precondition_1d; it factors in float32 whatever the dtype. torch.optim and
// Optax have none.
type ScaleBySOAP struct {
	Beta1, Beta2, Epsilon float64
	MomentsBeta           float64
	Every                 int
	MaxSize               int
	Vectors               bool
	// Precision is that of the products: of turning gradients and steps, of the second moments and of the power iteration, for params of F32. Eigenvectors
	// and orthogonal factors are exact at each.
	Precision tarn.Precision
}

// NewScaleBySOAP returns ScaleBySOAP with Beta1, Beta2 and MomentsBeta 0.95, Epsilon 1e-8, Every 10 and MaxSize 10000.
func NewScaleBySOAP() *ScaleBySOAP {
	return &ScaleBySOAP{Beta1: 0.95, Beta2: 0.95, Epsilon: 1e-8, MomentsBeta: 0.95, Every: 10, MaxSize: 10000}
}

// turned is a param in its basis: the axes that have one, and what is kept of each.
type turned struct {
	axes          []int
	m, v          *tarn.Param
	moments, base []*tarn.Param
}

// Apply scales the gradients.
func (o ScaleBySOAP) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", o.Beta1)
	c.fraction("Beta2", o.Beta2)
	c.fraction("MomentsBeta", o.MomentsBeta)
	c.notNegative("Epsilon", o.Epsilon)
	if o.Every < 1 || o.MaxSize < 1 {
		c.Errorf("Every is %d and MaxSize %d; both should be at least 1", o.Every, o.MaxSize)
		return u
	}
	defer c.multiplyAt(o.Precision)()
	begun := c.begun("soap.begun")
	// The first step is none of Adam's, so that their number is that of the steps before this one.
	correction := func(beta float64) *tarn.Value { return c.Graph.Num(tarn.F64, beta).Pow(c.Step).Neg().AddNum(1) }
	scale := correction(o.Beta2).Sqrt().Div(correction(o.Beta1))
	var all []*turned
	var values []*tarn.Value // m, v, and of each axis the moments and the basis, of each of them
	out := make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		t := o.turned(s)
		bases := make([]*tarn.Value, len(t.axes))
		for k := range t.axes {
			bases[k] = t.base[k].Value(c.Graph)
		}
		g := t.turn(u[i], bases)
		m, v := t.m.Value(c.Graph), t.v.Value(c.Graph)
		m = begun.Where(m.Scale(o.Beta1).Add(g.Scale(1-o.Beta1)), m)
		v = begun.Where(v.Scale(o.Beta2).Add(g.Square().Scale(1-o.Beta2)), v)
		step := t.turnBack(m.Div(v.Sqrt().AddNum(o.Epsilon)), bases)
		out[i] = begun.Where(step.Mul(s.Scalar(scale)), tarn.Num(0))
		if len(t.axes) == 0 {
			s.Assign(t.m, m)
			s.Assign(t.v, v)
			continue
		}
		all, values = append(all, t), append(values, m, v)
		for k, a := range t.axes {
			moments := t.moments[k].Value(c.Graph).Scale(o.MomentsBeta).Add(gram(u[i], a).Scale(1 - o.MomentsBeta))
			values = append(values, moments, bases[k])
		}
	}
	if len(all) == 0 {
		return out
	}
	each := func(rule func(t *turned, v []*tarn.Value) []*tarn.Value) func([]*tarn.Value) []*tarn.Value {
		return func(values []*tarn.Value) []*tarn.Value {
			var next []*tarn.Value
			for _, t := range all {
				n := 2 + 2*len(t.axes)
				next = append(next, rule(t, values[:n])...)
				values = values[n:]
			}
			return next
		}
	}
	next := tarn.Cond(begun.Not().Or(divides(o.Every, c.Step)), values, func(values []*tarn.Value) []*tarn.Value {
		return tarn.Cond(begun, values, each((*turned).iterate), each((*turned).begin))
	}, each(func(_ *turned, v []*tarn.Value) []*tarn.Value { return v }))
	for _, t := range all {
		c.Assign(t.m, next[0])
		c.Assign(t.v, next[1])
		for k := range t.axes {
			c.Assign(t.moments[k], next[2+2*k])
			c.Assign(t.base[k], next[3+2*k])
		}
		next = next[2+2*len(t.axes):]
	}
	return out
}

// turned returns the states of a param.
func (o ScaleBySOAP) turned(s *Slot) *turned {
	t := &turned{m: s.State("soap.m", 0), v: s.State("soap.v", 0)}
	shape := s.Param.Shape()
	if len(shape) == 1 && !o.Vectors {
		return t
	}
	for a, size := range shape {
		if size <= o.MaxSize {
			t.axes = append(t.axes, a)
			t.moments = append(t.moments, s.axisState("soap.l", a, 0, size))
			t.base = append(t.base, s.axisState("soap.q", a, 0, size))
		}
	}
	return t
}

// turn returns v in the basis.
func (t *turned) turn(v *tarn.Value, bases []*tarn.Value) *tarn.Value {
	for k, a := range t.axes {
		v = along(v, a, bases[k])
	}
	return v
}

// turnBack reverses turn.
func (t *turned) turnBack(v *tarn.Value, bases []*tarn.Value) *tarn.Value {
	for k, a := range t.axes {
		v = along(v, a, bases[k].Transpose(0, 1))
	}
	return v
}

// begin takes the eigenvectors of the moments as the basis.
func (t *turned) begin(values []*tarn.Value) []*tarn.Value {
	next := append([]*tarn.Value{}, values...)
	for k := range t.axes {
		_, vectors := values[2+2*k].EigH()
		next[3+2*k] = vectors.Flip(1)
	}
	return next
}

// iterate updates the basis by a step of the power iteration.
func (t *turned) iterate(values []*tarn.Value) []*tarn.Value {
	m, v := values[0], values[1]
	next := append([]*tarn.Value{}, values...)
	var old, new []*tarn.Value
	for k, a := range t.axes {
		q := values[3+2*k]
		powered := values[2+2*k].MatMul(q)
		order := powered.Mul(q).Sum(0).ArgSort(0, true) // by the diagonal of q' l q
		v = v.Take(a, order)
		q, _ = powered.Take(1, order).QR()
		old, new = append(old, values[3+2*k]), append(new, q)
		next[3+2*k] = q
	}
	next[0], next[1] = t.turn(t.turnBack(m, old), new), v
	return next
}

// SOAP is ScaleBySOAP with the weight decay of AdamW:
//
//	param <- param - rate * (ScaleBySOAP(gradient) + WeightDecay * param)
//
// The authors' optimizer decays the param after the step and not before, which differs by rate^2 WeightDecay times the step, and not in the
// first step.
type SOAP struct {
	Chain
	ScaleBySOAP
	WeightDecay float64 // decoupled
}

// NewSOAP returns SOAP with the numbers of NewScaleBySOAP and WeightDecay 0.01. The usual rate is 3e-3.
func NewSOAP(rate float64) *SOAP {
	o := &SOAP{ScaleBySOAP: *NewScaleBySOAP(), WeightDecay: 0.01}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients and adds the decay.
func (o *SOAP) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	return DecayWeights(o.WeightDecay).Apply(c, o.ScaleBySOAP.Apply(c, u))
}
