package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds NewtonCG, which solves for Newton's step on each batch without forming a matrix: Hessian-free optimization.

// NewtonCG takes the step that minimizes a quadratic model of the batch's loss, found by conjugate gradients within the program of the step:
//
//	(B + damping I) d = g
//	param <- param - rate * d
//
// B is the Gauss-Newton matrix of the loss with respect to a value that the model names, its outputs, or the Hessian where Outputs is empty. Every
// iteration costs a product with B, about two backward passes; the forward pass and its linearization are shared by all. Conjugate gradients
// begin at Warm times the d of the step before, or at 0 where that is worse, and end after Iterations, or when the model has fallen
// over the last 10 of them by less than 10 Progress of its whole fall. Where B has a direction of negative curvature they end as well; if it is the
// first they meet, d goes along it as far as with a curvature of the same size above 0, so that a saddle is left.
//
// The damping makes up for what the model does not know. With ratio the change of the batch's loss over the change that the undamped model foresees,
//
//	ratio < 1/4: damping <- 3/2 damping      ratio > 3/4: damping <- 2/3 damping
//
// and if the loss does not fall the step is not taken, d is forgotten, and the damping is multiplied by 4. A change in the last digits of the loss
// counts as none. For this the loss is computed again at the new params, with the same batch and the same dropout.
//
// Batches should be large, hundreds or thousands of examples, as the step is fitted to the batch. A penalty on the weights belongs in the loss; the
// Gauss-Newton matrix does not see it. With micro-batches there is no loss of the whole, so they are refused.
// (Martens 2010, Deep learning via Hessian-free optimization, without its preconditioner and without its choice among the iterates;
// Martens and Sutskever 2012, Training deep and recurrent networks with Hessian-free optimization; Nocedal and Wright 2006,
// Numerical optimization, chapter 7. To minimize a function once, use minimize.NewtonCG.)
// PyTorch and Optax have no such optimizer.
type NewtonCG struct {
	Chain
	// Outputs is the name of the value through which the loss depends on the params, as in m.Forward(x).Named("logits"). Empty, the products
	// are with the Hessian.
	Outputs    string
	Iterations int     // most products of a step
	Progress   float64 // what the model has to fall on average in an iteration, as a share of its fall so far
	Warm       float64
	Damping    float64 // at the first step
}

// NewNewtonCG returns NewtonCG for outputs of that name, see NewtonCG.Outputs, with at most 50 Iterations, Progress 5e-4, Warm 0.95 and Damping 1. The usual rate is 1.
func NewNewtonCG(rate float64, outputs string) *NewtonCG {
	o := &NewtonCG{Outputs: outputs, Iterations: 50, Progress: 5e-4, Warm: 0.95, Damping: 1}
	o.Chain = *NewChain(rate, o)
	return o
}

// The numbers of iterations over which progress is measured, and the range of the damping.
const (
	progressSpan = 10
	leastDamping = 1e-12
	mostDamping  = 1e12
)

// Apply solves for the step.
func (o *NewtonCG) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if !c.needLoss() {
		return u
	}
	c.notNegative("Progress", o.Progress)
	c.notNegative("Warm", o.Warm)
	c.positive("Damping", o.Damping)
	if o.Iterations < 1 {
		c.Errorf("Iterations is %d and should be at least 1", o.Iterations)
	}
	if c.chain.MicroBatches > 1 {
		c.Errorf("it needs the loss of the whole batch; set MicroBatches to 1, not %d", c.chain.MicroBatches)
		return u
	}
	product := func(v []*tarn.Value) []*tarn.Value { return tarn.HVP(c.Loss, c.values(), v) }
	if o.Outputs != "" {
		outputs := c.lookup(o.Outputs, 0)
		if outputs == nil {
			return u
		}
		product = func(v []*tarn.Value) []*tarn.Value { return tarn.GNVP(c.Loss, outputs, c.values(), v) }
	}
	c.TakeRate()
	dampingState := c.State("newtoncg.damping", o.Damping)
	damping := dampingState.Value(c.Graph)
	states, last := make([]*tarn.Param, len(u)), make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		states[i] = s.State("newtoncg.d", 0)
		last[i] = states[i].Value(c.Graph)
	}
	solution := o.solve(c, u, c.scaled(last, c.Graph.Num(tarn.F64, o.Warm)), func(v []*tarn.Value) []*tarn.Value {
		return c.addScaled(product(v), damping, v)
	})
	steps := c.scaleByRate(solution)

	loss := c.Loss.Cast(tarn.F64)
	there := tarn.Substitute([]*tarn.Value{c.Loss}, c.values(), c.addScaled(c.values(), c.Graph.Num(tarn.F64, -1), steps))[0].Cast(tarn.F64)
	change := there.Sub(loss)
	foreseen := dot(steps, product(steps)).Scale(0.5).Sub(dot(steps, c.gradients()))
	ratio := change.Div(foreseen)
	ratio = foreseen.Lt(tarn.Num(0)).Where(ratio, tarn.Num(0)) // negative curvature, or nothing to foresee
	slack := loss.Abs().Scale(rounding(c.Loss))
	still := change.Abs().Le(slack)
	taken := still.Or(change.Lt(tarn.Num(0))) // not where the loss is NaN
	factor := ratio.Lt(tarn.Num(0.25)).Where(c.Graph.Num(tarn.F64, 1.5), ratio.Gt(tarn.Num(0.75)).Where(c.Graph.Num(tarn.F64, 2.0/3), tarn.Num(1)))
	factor = still.Where(tarn.Num(1), taken.Where(factor, tarn.Num(4)))
	c.Assign(dampingState, damping.Mul(factor).Clip(tarn.Num(leastDamping), tarn.Num(mostDamping)))
	for i, s := range c.Slots {
		s.Assign(states[i], taken.Where(solution[i], tarn.Num(0)))
		steps[i] = taken.Where(steps[i], tarn.Num(0))
	}
	return steps
}

// solve returns an approximate solution of multiply(x) = b by conjugate gradients from a first guess. With r = b - A x the model is
// x'Ax/2 - b'x = -x'(r + b)/2.
func (o *NewtonCG) solve(c *Context, b, guess []*tarn.Value, multiply func(v []*tarn.Value) []*tarn.Value) []*tarn.Value {
	n, g := len(b), c.Graph
	num := func(x float64) *tarn.Value { return g.Num(tarn.F64, x) }
	model := func(x, r []*tarn.Value) *tarn.Value { return dot(x, r).Add(dot(x, b)).Scale(-0.5) }
	x, r := guess, c.addScaled(b, num(-1), multiply(guess))
	good := model(x, r).Lt(tarn.Num(0))
	for i := range n {
		x[i], r[i] = good.Where(x[i], tarn.Num(0)), good.Where(r[i], b[i])
	}
	size := dot(b, b)
	begin := append(append(append([]*tarn.Value{}, x...), r...), r...)
	begin = append(begin, dot(r, r), num(0), num(1), num(math.Inf(1)).Expand(progressSpan))
	end := tarn.While(begin, func(at []*tarn.Value) *tarn.Value {
		rr, count, more := at[3*n], at[3*n+1], at[3*n+2]
		// Beyond 1e-12 there is only rounding.
		return more.Gt(tarn.Num(0)).And(count.Lt(tarn.Num(o.Iterations))).And(rr.Gt(size.Scale(1e-24)))
	}, func(at []*tarn.Value) []*tarn.Value {
		x, r, p := at[:n], at[n:2*n], at[2*n:3*n]
		rr, count, falls := at[3*n], at[3*n+1], at[3*n+3]
		ap := multiply(p)
		curvature := dot(p, ap)
		bends := curvature.Gt(tarn.Num(0))
		a := bends.Or(count.Eq(tarn.Num(0))).Where(rr.Div(curvature.Abs().Maximum(rr.Scale(1e-12))), num(0))
		x, r = c.addScaled(x, a, p), c.addScaled(r, a.Neg(), ap)
		left := dot(r, r)
		fall := model(x, r)
		before := falls.Slice(0, 0, 1).Sum()
		// Until there is a value from progressSpan iterations ago, the comparison with infinity does not hold.
		settled := fall.Lt(tarn.Num(0)).And(before.Sub(fall).Lt(fall.Scale(-progressSpan * o.Progress)))
		next := append(append(append([]*tarn.Value{}, x...), r...), c.addScaled(r, left.Div(rr), p)...)
		more := bends.And(settled.Not()).Cast(tarn.F64)
		return append(next, left, count.AddNum(1), more, tarn.Concat(0, falls.Slice(0, 1, progressSpan), fall.Reshape(1)))
	})
	return end[:n]
}
