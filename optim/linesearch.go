package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the search for the length of a step.

// LineSearch multiplies all steps by one factor t such that the loss of the batch falls as it should: it stands in After, and takes the loss
// and its gradient again at each t that it tries, within the program of the step. With f(t) the loss at param - t * step, it looks for
//
//	f(t) <= f(0) + Decrease t f'(0)       and       f'(t) >= Curvature f'(0)
//
// the weak conditions of Wolfe, of which the second makes the step long enough for LBFGS to learn from. It begins at 1, doubles
// what is too short and divides what is too long: at the minimum of a parabola through f(0), f'(0) and f(t) as long as no t was short enough, in the middle
// after that. After Evaluations tries the largest t of those that fulfil the first condition is taken, or 0: no step. A difference of the
// losses in their last digits counts as none.
//
// It is for a loss that is the same at every step, of all data; with micro-batches it is refused. Transforms after it change what it has
// found. (Wolfe 1969; Lewis and Overton 2013, Nonsmooth optimization via quasi-Newton methods, for bisection and doubling.)
// Optax has optax.scale_by_zoom_linesearch, and PyTorch line_search_fn="strong_wolfe", for the same end.
type LineSearch struct {
	Decrease    float64
	Curvature   float64
	Evaluations int
}

// NewLineSearch returns LineSearch with Decrease 1e-4, Curvature 0.9 and at most 20 Evaluations.
func NewLineSearch() *LineSearch {
	return &LineSearch{Decrease: 1e-4, Curvature: 0.9, Evaluations: 20}
}

// Apply searches.
func (l LineSearch) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if !c.needLoss() {
		return u
	}
	if !(l.Decrease > 0 && l.Decrease < l.Curvature && l.Curvature < 1) {
		c.Errorf("Decrease is %v and Curvature %v; they should lie in (0, 1), the first below the second", l.Decrease, l.Curvature)
	}
	if l.Evaluations < 1 {
		c.Errorf("Evaluations is %d and should be at least 1", l.Evaluations)
	}
	if c.chain.MicroBatches > 1 {
		c.Errorf("it needs the loss of the whole batch; set MicroBatches to 1, not %d", c.chain.MicroBatches)
		return u
	}
	c.needSteps()
	g := c.Graph
	params, gradients := c.values(), c.gradients()
	loss, slope := c.Loss.Cast(tarn.F64), dot(gradients, u).Neg()
	slack := loss.Abs().Scale(rounding(c.Loss))
	num := func(x float64) *tarn.Value { return g.Num(tarn.F64, x) }
	found := tarn.While([]*tarn.Value{num(1), num(0), num(math.Inf(1)), num(0), num(0)}, func(at []*tarn.Value) *tarn.Value {
		return at[3].Lt(tarn.Num(l.Evaluations)).And(at[4].Eq(tarn.Num(0)))
	}, func(at []*tarn.Value) []*tarn.Value {
		t, low, high := at[0], at[1], at[2]
		there := tarn.Substitute(append([]*tarn.Value{c.Loss}, gradients...), params, c.addScaled(c.values(), t.Neg(), u))
		f, along := there[0].Cast(tarn.F64), dot(there[1:], u).Neg()
		falls := f.Le(loss.Add(t.Mul(slope).Scale(l.Decrease)).Add(slack)) // not where f is NaN
		done := falls.And(along.Ge(slope.Scale(l.Curvature)))
		parabola := slope.Mul(t.Square()).Scale(-0.5).Div(f.Sub(loss).Sub(t.Mul(slope)))
		parabola = f.IsFinite().Where(parabola, t.Scale(0.5)).Clip(t.Scale(0.1), t.Scale(0.5))
		low, high = falls.Where(t, low), falls.Where(high, t)
		next := low.Gt(tarn.Num(0)).Where(low.Add(high).Scale(0.5), parabola)
		next = high.IsFinite().Where(next, t.Scale(2))
		return []*tarn.Value{next, low, high, at[3].AddNum(1), done.Cast(tarn.F64)}
	})
	return c.scaled(u, found[1])
}

// rounding is the difference, relative to it, that the last digits of a loss make.
func rounding(loss *tarn.Value) float64 {
	if loss.DType() == tarn.F32 {
		return 0x1p-21
	}
	return 0x1p-50
}
