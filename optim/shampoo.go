package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds Shampoo, which keeps a matrix of second moments for each axis of a param.

// ScaleByShampoo multiplies a running mean of the gradient along each axis by an inverse root of the second moments of its slices:
//
//	m <- Beta1 m + (1-Beta1) g
//	L_a <- Beta2 L_a + (1-Beta2) g_a g_a'              g_a: the slices along axis a as rows; Beta2 1: L_a + g_a g_a'
//	P_a = (L_a / (1 - Beta2^t) + Epsilon)^(-1/(2k))    of the k axes; Beta2 1: L_a undivided
//	d = m / (1 - Beta1^t), times P_a along each axis a
//	u = d |Graft(g)| / |d|                             of each param; in the first Start updates Graft(g)
//
// so for a matrix d = P_0 m P_1 with inverse fourth roots. P_a is computed after the first Start updates and at every Every-th from there on,
// within a Cond, so that only these pay for it; negative eigenvalues, which are errors of rounding, count as 0. (Gupta, Koren and Singer 2018,
// Shampoo: preconditioned stochastic tensor optimization: Beta1 0, Beta2 1, Every 1, no Graft. Roots of some updates only, and the
// length of the step taken from another optimizer: Anil et al. 2020, Scalable second order optimization for deep learning.)
//
// An axis longer than MaxSize is cut in blocks, between which no moments are kept: L_a and P_a are then matrices with blocks on their
// diagonal. A param of fewer than two axes takes the step Graft(g), or m / (1 - Beta1^t) without Graft, unless Vectors is set.
//
// torch.optim and Optax have none. That of Shi et al. 2023, distributed_shampoo, has these formulas, but merges the axes of a param where not
// told otherwise, cuts it into blocks that have nothing in common and makes matrices for vectors too; that of Anil et al. adds Epsilon times
// the largest eigenvalue.
type ScaleByShampoo struct {
	Beta1, Beta2, Epsilon float64
	Every                 int
	MaxSize               int
	Start                 int       // how many updates at first are Graft's own
	Vectors               bool      // params of one axis have a matrix as well
	Graft                 Transform // the length of the step, such as NewScaleByAdam() or NewSGD(0); nil leaves it as it is
}

// NewScaleByShampoo returns ScaleByShampoo with Beta1 0.9, Beta2 0.999, Epsilon 1e-12, Every 10, MaxSize 1024 and the length of Adam's
// steps, see NewScaleByAdam, so that Adam's rates fit. The first 10 updates are Adam's.
func NewScaleByShampoo() *ScaleByShampoo {
	return &ScaleByShampoo{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-12, Every: 10, MaxSize: 1024, Start: 10, Graft: NewScaleByAdam()}
}

// block is a part of an axis with its matrices.
type block struct {
	slot, axis, first, end int
	moments                *tarn.Value // after this update, corrected
	root                   *tarn.Param
}

// Apply scales the gradients.
func (h ScaleByShampoo) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.fraction("Beta1", h.Beta1)
	c.notNegative("Epsilon", h.Epsilon)
	switch {
	case !(h.Beta2 >= 0 && h.Beta2 <= 1):
		c.Errorf("Beta2 is %v and should lie in [0, 1]", h.Beta2)
	case h.Every < 1 || h.MaxSize < 1:
		c.Errorf("Every is %d and MaxSize %d; both should be at least 1", h.Every, h.MaxSize)
		return u
	case h.Start < 0 || h.Start > 0 && h.Graft == nil:
		c.Errorf("Start is %d and should be 0, or positive with a Graft that gives the first updates", h.Start)
		return u
	}
	new, correction := 1-h.Beta2, c.Graph.Num(tarn.F64, 1)
	if h.Beta2 == 1 {
		new = 1
	} else {
		correction = c.correction(h.Beta2)
	}
	var blocks []block
	matrices := make([]bool, len(u)) // those of the params that have a matrix for each axis
	for i, s := range c.Slots {
		g := axes(u[i])
		matrices[i] = h.Vectors || g.Rank() > 1
		if !matrices[i] {
			continue
		}
		for a := range g.Rank() {
			bounds := cut(g.Dim(a), h.MaxSize)
			for b, first := range bounds[:len(bounds)-1] {
				size := bounds[b+1] - first
				state := s.axisState("shampoo.l", a, b, size)
				moments := s.Assign(state, state.Value(c.Graph).Scale(h.Beta2).Add(gram(g.Slice(a, first, bounds[b+1]), a).Scale(new)))
				blocks = append(blocks, block{i, a, first, bounds[b+1], moments.Mul(s.Scalar(correction)), s.axisState("shampoo.p", a, b, size)})
			}
		}
	}
	since := c.Step.AddNum(float64(-h.Start))
	state := c.State("shampoo.begun", 0) // whether there are roots, also where Step was not 0 at the first update
	begun := state.Value(c.Graph).Gt(tarn.Num(0))
	due := since.Ge(tarn.Num(0)).And(divides(h.Every, since).Or(begun.Not()))
	c.Assign(state, begun.Or(due).Cast(tarn.F64))
	roots := h.roots(c, due, blocks)

	mean := c.correction(h.Beta1)
	out := c.Each(u, func(s *Slot, g *tarn.Value) *tarn.Value {
		return axes(s.Average("shampoo.m", h.Beta1, g).Mul(s.Scalar(mean)))
	})
	for i := 0; i < len(blocks); {
		// The blocks of one axis together.
		b, d := blocks[i], out[blocks[i].slot]
		var parts []*tarn.Value
		for ; i < len(blocks) && blocks[i].slot == b.slot && blocks[i].axis == b.axis; i++ {
			parts = append(parts, along(d.Slice(b.axis, blocks[i].first, blocks[i].end), b.axis, roots[i]))
		}
		out[b.slot] = tarn.Concat(b.axis, parts...)
	}
	out = c.Each(out, func(s *Slot, d *tarn.Value) *tarn.Value { return d.Reshape(s.Param.Shape()...) })
	if h.Graft == nil {
		return out
	}
	lengths := c.apply(h.Graft, u)
	for _, s := range c.Slots {
		if s.final != "" {
			c.Errorf("Graft is %s, which keeps weights of its own: a Graft gives the length of a step alone", s.final)
			return u
		}
	}
	for i, length := range lengths {
		grafted := out[i].Mul(c.Slots[i].Scalar(norm(length).Div(norm(out[i]).AddNum(1e-30))))
		switch {
		case !matrices[i]:
			grafted = length
		case h.Start > 0:
			grafted = since.Lt(tarn.Num(0)).Where(length, grafted)
		}
		out[i] = grafted
	}
	return out
}

// axes is v with at least one axis.
func axes(v *tarn.Value) *tarn.Value {
	if v.Rank() == 0 {
		return v.Reshape(1)
	}
	return v
}

// roots are the inverse roots of the moments of all blocks: new ones if due, and else those kept.
func (h ScaleByShampoo) roots(c *Context, due *tarn.Value, blocks []block) []*tarn.Value {
	if len(blocks) == 0 {
		return nil
	}
	var moments, kept []*tarn.Value
	for _, b := range blocks {
		moments, kept = append(moments, b.moments), append(kept, b.root.Value(c.Graph))
	}
	roots := tarn.Cond(due, moments, func(moments []*tarn.Value) []*tarn.Value {
		roots := make([]*tarn.Value, len(moments))
		for i, l := range moments {
			k := max(1, len(c.Slots[blocks[i].slot].Param.Shape()))
			values, v := l.EigH()
			power := values.Maximum(tarn.Num(0)).AddNum(h.Epsilon).Pow(tarn.Num(-1 / float64(2*k)))
			roots[i] = v.Mul(power).MatMulT(v)
		}
		return roots
	}, func([]*tarn.Value) []*tarn.Value { return kept })
	for i, b := range blocks {
		c.Assign(b.root, roots[i])
	}
	return roots
}

// Shampoo is ScaleByShampoo with the weight decay of AdamW:
//
//	param <- param - rate * (ScaleByShampoo(gradient) + WeightDecay * param)
type Shampoo struct {
	Chain
	ScaleByShampoo
	WeightDecay float64 // decoupled
}

// NewShampoo returns Shampoo with the numbers of NewScaleByShampoo.
func NewShampoo(rate float64) *Shampoo {
	o := &Shampoo{ScaleByShampoo: *NewScaleByShampoo()}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply scales the gradients and adds the decay.
func (o *Shampoo) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	return DecayWeights(o.WeightDecay).Apply(c, o.ScaleByShampoo.Apply(c, u))
}
