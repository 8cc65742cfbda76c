package optim

import (
	"github.com/seed-49005b45/tarn"
)

// This file holds L-BFGS, which learns the curvature from how the gradient has changed over the last steps.

// LBFGS multiplies the gradient by an estimate of the inverse Hessian, made of the last History steps s of the params and changes y of the
// gradient over them. From the newest pair to the oldest and back, with rho = 1 / s'y and gamma = s'y / y'y of the newest pair:
//
//	q = g;  for each pair, the newest first:  a = rho s'q,  q <- q - a y
//	q <- gamma q
//	for each pair, the oldest first:  q <- q + s (a - rho y'q)
//	param <- param - rate * q
//
// A pair with s'y at most Curvature is skipped, and gamma stays the earlier one, so that the estimate stays positive definite. At the first step q is
// g * min(1, 1/|g|), with the sum of magnitudes as |g|. It is meant for the gradient of all data, with a rate of 1 and a search for the length of
// each step:
//
//	opt := optim.NewLBFGS(1)
//	opt.After = []optim.Transform{optim.NewLineSearch()}
//
// Package minimize has L-BFGS for a loss that is minimized once. (Liu and Nocedal 1989, On the limited memory BFGS method
// for large scale optimization; Nocedal and Wright 2006, Numerical optimization, algorithm 7.4.)
//
// Equal to torch.optim.LBFGS with max_iter=1 and history_size=History, which also stops if the gradient is below tolerance_grad, and with Euclidean to
// optax.scale_by_lbfgs with memory_size=History, which takes every pair.
type LBFGS struct {
	Chain
	History   int
	Curvature float64
	Euclidean bool // |g| in the first step is the root of the sum of squares
}

// NewLBFGS returns LBFGS with a History of 10 and a Curvature of 1e-10.
func NewLBFGS(rate float64) *LBFGS {
	o := &LBFGS{History: 10, Curvature: 1e-10}
	o.Chain = *NewChain(rate, o)
	return o
}

// Apply multiplies by the inverse Hessian.
func (o *LBFGS) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	c.needGradients()
	c.notNegative("Curvature", o.Curvature)
	if o.History < 1 || o.History > 1000 {
		c.Errorf("History is %d and should lie between 1 and 1000", o.History)
		return u
	}
	begun := c.begun("lbfgs.begun")
	steps, changes := make([]*tarn.Value, len(u)), make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		before, gradient := s.State("lbfgs.param", 0), s.State("lbfgs.gradient", 0)
		steps[i], changes[i] = s.Value.Sub(before), u[i].Sub(gradient)
		s.Assign(before, s.Value)
		s.Assign(gradient, u[i])
	}
	sy := dot(steps, changes)
	taken := begun.And(sy.Gt(tarn.Num(o.Curvature)))
	keep := func(state *tarn.Param, newest *tarn.Value) *tarn.Value { // a branch, as Where would read both
		return c.Assign(state, tarn.Cond(taken, []*tarn.Value{state.Value(c.Graph), newest}, func(in []*tarn.Value) []*tarn.Value {
			return []*tarn.Value{tarn.Concat(0, in[0].Slice(0, 1, o.History), in[1].Unsqueeze(0))}
		}, func(in []*tarn.Value) []*tarn.Value { return in[:1] })[0])
	}
	// Pairs that have not been made yet have a rho of 0, and so no effect.
	rho := keep(c.stateOf("lbfgs.rho", 0, o.History), sy.Reciprocal())
	histories := []*tarn.Value{rho}
	for i, s := range c.Slots {
		shape := append([]int{o.History}, s.Param.Shape()...)
		histories = append(histories, keep(s.StateOf("lbfgs.s", 0, shape...), steps[i]))
	}
	for i, s := range c.Slots {
		shape := append([]int{o.History}, s.Param.Shape()...)
		histories = append(histories, keep(s.StateOf("lbfgs.y", 0, shape...), changes[i]))
	}
	scale := c.State("lbfgs.gamma", 1)
	gamma := c.Assign(scale, taken.Where(sy.Div(dot(changes, changes)), scale))

	n := len(u)
	q, factors := tarn.Scan(u, histories, tarn.ScanOptions{Reverse: true}, func(q, pair []*tarn.Value) (next, ys []*tarn.Value) {
		a := pair[0].Mul(dot(pair[1:1+n], q))
		return c.addScaled(q, a.Neg(), pair[1+n:]), []*tarn.Value{a}
	})
	length := GlobalNorm(u)
	if !o.Euclidean {
		length = c.sumOver(u, func(_ *Slot, u *tarn.Value) *tarn.Value { return u.Abs().Sum() })
	}
	first := length.Reciprocal().Minimum(tarn.Num(1))
	q = c.scaled(q, begun.Where(gamma, first))
	q, _ = tarn.Scan(q, append(histories, factors[0]), tarn.ScanOptions{}, func(q, pair []*tarn.Value) (next, ys []*tarn.Value) {
		b := pair[0].Mul(dot(pair[1+n:1+2*n], q))
		return c.addScaled(q, pair[1+2*n].Sub(b), pair[1:1+n]), nil
	})
	return q
}
