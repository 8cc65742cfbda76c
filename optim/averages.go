package optim

import (
	"bytes"
	"cmp"
	"errors"

	"github.com/seed-49005b45/tarn"
)

// This file holds averaged weights: EMA and SWA, which keep them as states, and the functions that exchange them with the
// params. Lookahead and the schedule-free optimizers keep such weights too.

// EvaluateAt declares that a state of the param's shape holds the weights that an evaluation should use instead of the param's.
// If several transforms declare one, the last one counts. See Chain.WithAverages.
func (s *Slot) EvaluateAt(state *tarn.Param) { s.context.chain.memory.averages[s.Param] = state }

// Averages returns the weights for evaluation that the chain keeps, by the name of their param: those of
// EMA, SWA, Lookahead or a schedule-free optimizer. It is empty without such a transform and before the first Update.
func (o *Chain) Averages() map[string]*tarn.Tensor {
	averages := map[string]*tarn.Tensor{}
	for p, state := range o.averaged() {
		averages[o.memory.params.Name(p)] = state.Tensor()
	}
	return averages
}

// averaged returns, for each param, the state that holds its weights for evaluation.
func (o *Chain) averaged() map[*tarn.Param]*tarn.Param {
	if o.memory == nil {
		return nil
	}
	return o.memory.averages
}

// WithAverages calls f while the params hold the weights for evaluation, and restores the params afterwards:
//
//	err := opt.WithAverages(func() (err error) {
//		loss, err = eval.Measure(ctx, set, 128, "label")
//		return err
//	})
//
// Without averages it only calls f. It is what optimizer.eval() and optimizer.train() do in the authors' schedule-free library.
func (o *Chain) WithAverages(f func() error) error {
	if err := o.swapAverages(); err != nil {
		return err
	}
	defer o.swapAverages()
	return f()
}

// WithAverages calls f while the params hold the weights for evaluation, if the optimizer keeps any: see Averager.
func WithAverages(o Optimizer, f func() error) error {
	if a, ok := o.(Averager); ok {
		return a.WithAverages(f)
	}
	return f()
}

// TakeAverages stores the weights for evaluation in the params: the last act of a training. If the optimizer is used again, and the params still
// hold them, a new Update puts the weights back that were trained.
func (o *Chain) TakeAverages() error {
	if len(o.averaged()) == 0 {
		return errors.New("optim: TakeAverages: the optimizer keeps no averaged weights; add such as optim.EMA to its After")
	}
	var errs []error
	o.memory.trained = map[*tarn.Param]*tarn.Tensor{}
	for p, state := range o.averaged() {
		o.memory.trained[p] = p.Tensor().Clone()
		errs = append(errs, p.Set(state.Tensor()))
	}
	return errors.Join(errs...)
}

// TakeAverages stores the weights for evaluation in the params, if the optimizer keeps such: see Chain.TakeAverages.
func TakeAverages(o Optimizer) error {
	if c, ok := o.(interface {
		averaged() map[*tarn.Param]*tarn.Param
		TakeAverages() error
	}); ok && len(c.averaged()) > 0 {
		return c.TakeAverages()
	}
	return nil
}

// restoreTrained undoes TakeAverages, unless the params have been changed since.
func (o *Chain) restoreTrained() {
	for p, trained := range o.memory.trained {
		if bytes.Equal(p.Tensor().Raw(), o.memory.averages[p].Tensor().Raw()) {
			p.Set(trained) // which was a copy of it
		}
	}
	o.memory.trained = nil
}

// swapAverages exchanges params and averages.
func (o *Chain) swapAverages() error {
	var errs []error
	for p, state := range o.averaged() {
		kept := p.Tensor().Clone()
		errs = append(errs, p.Set(state.Tensor()), state.Set(kept))
	}
	return errors.Join(errs...)
}

// EMA keeps an exponential moving average of the weights, for evaluation:
//
//	a <- Decay a + (1-Decay) param       after every update; at the first a = param
//
// It does not change the steps. No transform after it may. (Polyak and Juditsky 1992, Acceleration of stochastic approximation by averaging, for
// the equal weights of which these are the variant of practice.)
//
// Equal to torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(Decay). optax.ema averages updates and not weights.
type EMA struct {
	Decay float64 // 0 means 0.999
}

// Apply keeps the average.
func (e EMA) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	decay := cmp.Or(e.Decay, 0.999)
	c.fraction("Decay", decay)
	c.takeSteps()
	share := c.begunByAny("ema.begun").Where(c.Graph.Num(tarn.F64, 1-decay), tarn.Num(1))
	return c.averageWeights("ema.average", share, u)
}

// averageWeights moves an average of the weights by a share of the way to the weights after the step.
func (c *Context) averageWeights(name string, share *tarn.Value, u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		state := s.copyState(name)
		w, next := s.Scalar(share), s.Value.Sub(u)
		s.Assign(state, state.Value(c.Graph).Lerp(next, w)) // an average of equal weights stays as it is
		s.EvaluateAt(state)
		return u
	})
}

// SWA keeps the mean of the weights after some updates, for evaluation: the first is number Start, counted from 0, and then
// every Every-th. Until then it is the weights as they are.
//
//	n <- n + 1, a <- a + (param - a)/n       at those updates
//
// Use it with a learning rate that stays high or is cyclic: Join the schedule with a Constant one. Batch norms need
// statistics of the averaged weights: run the training data through the model with these.
// (Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization.)
//
// Equal to torch.optim.swa_utils.AveragedModel with update_parameters called at those updates.
type SWA struct {
	Start int
	Every int // 0 means 1
}

// Apply keeps the mean.
func (a SWA) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	every := cmp.Or(a.Every, 1)
	if a.Start < 0 || every < 1 {
		c.Errorf("Start is %d and Every %d; they should be at least 0 and 1", a.Start, every)
		return u
	}
	c.takeSteps()
	state := c.State("swa.count", 0)
	since := c.Step.AddNum(-float64(a.Start))
	due := since.Ge(tarn.Num(0)).And(divides(every, since))
	n := c.Assign(state, state.Value(c.Graph).Add(due.Cast(tarn.F64)))
	// Before the first of the mean the share is 1, between its updates 0.
	share := due.Where(n.Reciprocal(), n.Eq(tarn.Num(0)).Cast(tarn.F64))
	return c.averageWeights("swa.average", share, u)
}

// divides is true if n divides x, both whole.
func divides(n int, x *tarn.Value) *tarn.Value {
	return x.Div(tarn.Num(n)).Floor().Scale(float64(n)).Eq(x)
}

// Lookahead lets an optimizer run ahead for some steps and then goes back to a point between where it started and where it arrived:
//
//	at every Steps-th update:  slow <- slow + Share (param - slow), param <- slow
//
// where param is that after the update. The slow weights are those for evaluation.
// (Zhang et al. 2019, Lookahead optimizer: k steps forward, 1 step back.)
//
// Equal to optax.lookahead without reset_state.
type Lookahead struct {
	Steps int
	Share float64
}

// NewLookahead returns Lookahead with 5 Steps and Share 0.5.
func NewLookahead() *Lookahead { return &Lookahead{Steps: 5, Share: 0.5} }

// Apply interpolates the weights.
func (l Lookahead) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if l.Steps < 1 {
		c.Errorf("Steps is %d and should be at least 1", l.Steps)
		return u
	}
	if !(l.Share > 0 && l.Share <= 1) {
		c.Errorf("Share is %v and should lie in (0, 1]", l.Share)
	}
	c.takeSteps()
	begun := c.begunByAny("lookahead.begun")
	due := divides(l.Steps, c.Step.AddNum(1))
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		state := s.copyState("lookahead.slow")
		slow := begun.Where(state.Value(c.Graph), s.Value)
		next := s.Value.Sub(u)
		slow = s.Assign(state, due.Where(slow.Add(next.Sub(slow).Scale(l.Share)), slow))
		s.EvaluateAt(state)
		return due.Where(s.Value.Sub(slow), u)
	})
}
