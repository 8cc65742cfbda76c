package optim

import (
	"slices"

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

	length := GlobalNorm(u)
	if !o.Euclidean {
		length = c.sumOver(u, func(_ *Slot, u *tarn.Value) *tarn.Value { return u.Abs().Sum() })
	}
	first := length.Reciprocal().Minimum(tarn.Num(1))
	return o.recursion(c, u, histories, begun.Where(gamma, first))
}

// recursion multiplies q by the pairs and the scale between the two ways along them. A product with the next pair's vector is taken in the loop that
// changes q, so that q is read once for each pair.
func (o *LBFGS) recursion(c *Context, q, histories []*tarn.Value, scale *tarn.Value) []*tarn.Value {
	n, last := len(q), o.History-1
	rho, s, y := histories[0], histories[1:1+n], histories[1+n:]
	row := func(history []*tarn.Value, i int) []*tarn.Value {
		rows := make([]*tarn.Value, len(history))
		for j, h := range history {
			rows[j] = h.Slice(0, i, i+1).Squeeze(0)
		}
		return rows
	}
	rows := func(first, end int, histories ...[]*tarn.Value) (all []*tarn.Value) {
		for _, history := range histories {
			for _, h := range history {
				all = append(all, h.Slice(0, first, end))
			}
		}
		return all
	}
	rhos := []*tarn.Value{rho}
	along := append(slices.Clone(q), dot(row(s, last), q))
	var factors []*tarn.Value
	if last > 0 { // from the newest pair to the one after the oldest, each with the s of the pair before it
		along, factors = tarn.Scan(along, slices.Concat(rows(1, o.History, rhos, y), rows(0, last, s)), tarn.ScanOptions{Reverse: true},
			func(at, pair []*tarn.Value) (next, ys []*tarn.Value) {
				a := pair[0].Mul(at[n])
				q := c.addScaled(at[:n], a.Neg(), pair[1:1+n])
				return append(q, dot(pair[1+n:], q)), []*tarn.Value{a}
			})
	}
	oldest := rho.Slice(0, 0, 1).Squeeze(0).Mul(along[n])
	q = c.scaled(c.addScaled(along[:n], oldest.Neg(), row(y, 0)), scale)
	along = append(slices.Clone(q), dot(row(y, 0), q))
	as := oldest.Unsqueeze(0)
	if last > 0 { // and back, each with the y of the pair after it
		as = tarn.Concat(0, as, factors[0])
		along, _ = tarn.Scan(along, slices.Concat(rows(0, last, rhos, []*tarn.Value{as}, s), rows(1, o.History, y)), tarn.ScanOptions{},
			func(at, pair []*tarn.Value) (next, ys []*tarn.Value) {
				q := c.addScaled(at[:n], pair[1].Sub(pair[0].Mul(at[n])), pair[2:2+n])
				return append(q, dot(pair[2+n:], q)), nil
			})
	}
	newest := as.Slice(0, last, last+1).Squeeze(0).Sub(rho.Slice(0, last, last+1).Squeeze(0).Mul(along[n]))
	return c.addScaled(along[:n], newest, row(s, last))
}
