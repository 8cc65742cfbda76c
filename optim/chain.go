package optim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds Chain, which carries gradients through transforms to the params: all that optimizers have in common.

// Optimizer turns a loss into updates of the params that it depends on. Every type in this package that embeds a Chain is
// one, and has the optional interfaces too: Accumulator, Rater, Counter, Averager, Observer, Clipper. Package train uses those that an
// optimizer has.
type Optimizer interface {
	// Update returns the assignments that take one step of the optimizer. Params that are frozen or states are left alone.
	Update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
	// States returns what the optimizer keeps from step to step, under the names by which a checkpoint saves and loads it.
	States() (*tarn.ParamSet, error)
}

// Accumulator is an Optimizer that may spread an update over several runs.
type Accumulator interface {
	// Accumulate returns the assignments that only add the gradient to what the next Update will use: see Chain.MicroBatches.
	Accumulate(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
	// UpdatesAt reports whether run number run of the training, counted from 0, is one of Update or one of Accumulate.
	UpdatesAt(run int64) bool
}

// Rater is an Optimizer that tells its learning rate, for the log.
type Rater interface {
	// RateAt returns the learning rate at run number run, counted from 0.
	RateAt(run int64) (float64, error)
}

// Counter is an Optimizer that knows the number of runs taken with it, so that a training step that is made later goes on from there.
type Counter interface {
	Runs() int64
	SetRuns(n int64)
	// Joined returns the params that were not there at the first update, with the number of updates before they were; SetJoined restores it.
	Joined() map[string]int64
	SetJoined(joined map[string]int64)
}

// Averager is an Optimizer that keeps weights for evaluation beside those that are trained.
type Averager interface {
	// WithAverages calls f while the params hold the weights that an evaluation should use, if the optimizer keeps such.
	WithAverages(f func() error) error
}

// Observer is an Optimizer that is told the number of each evaluation, such as the validation loss: see Plateau.
type Observer interface {
	Observe(number float64)
}

// Clipper is an Optimizer that limits the norm of the gradient.
type Clipper interface {
	// Clipped returns what a gradient's norm is after that.
	Clipped(norm float64) float64
}

var _ interface { // what a Chain is
	Optimizer
	Accumulator
	Rater
	Counter
	Averager
	Observer
	Clipper
} = (*Chain)(nil)

// Chain is an optimizer made of transforms:
//
//	u = gradient of the loss, averaged over MicroBatches, clipped by ClipValue, then by ClipNorm
//	u = transform(u) for each transform: those of Before, then the chain's own
//	u = rate * u
//	u = transform(u) for each transform of After
//	param <- param - u
//
// Without a transform it is plain gradient descent. A param that the loss does not depend on has the gradient 0 and still
// decays; PyTorch skips it.
type Chain struct {
	// Rate is the learning rate.
	Rate Schedule
	// ClipValue limits each element of the gradient to [-ClipValue, ClipValue]; 0 is no limit. See ClipByValue.
	ClipValue float64
	// ClipNorm limits the norm of all gradients together; 0 is no limit. See ClipByNorm.
	ClipNorm float64
	// MicroBatches is the number of runs whose gradients are averaged into one update: 1 unless set. Two programs take
	// turns, which share the optimizer and are told the number of the run by Program.SetRuns: run 0, 1, ... uses the
	// program of Update where UpdatesAt says so, at the last of every MicroBatches runs, and that of Accumulate elsewhere.
	// With micro-batches of equal size and a loss that is a mean over the batch the update is that of one large batch.
	MicroBatches int
	// Before are transforms of the gradients, after the clipping: Centralize, ClipAdaptive, GradientNoise, SAM.
	Before []Transform
	// After are transforms of the steps, which are the updates times the learning rate: Lookahead, EMA, SWA, ScheduleFree.
	After []Transform

	groups     []*Group
	transforms []Transform
	memory     *memory
}

// memory is what an optimizer keeps. It is no part of the Chain itself so that a copy of a Chain is found out: see check.
type memory struct {
	chain    *Chain        // the one that it belongs to; nil before the first Update
	params   tarn.ParamSet // those updated so far, by the names that Update was given
	states   tarn.ParamSet
	stateOf  map[stateKey]*tarn.Param
	runs     int64
	joined   map[string]int64             // the updates before a param was there, by its name, unless it was from the first on
	averages map[*tarn.Param]*tarn.Param  // of a param, the state with the weights for evaluation
	trained  map[*tarn.Param]*tarn.Tensor // the weights before TakeAverages
}

// stateKey finds a state by its name and the param that it belongs to, which is nil where it belongs to all.
type stateKey struct {
	name  string
	param *tarn.Param
}

// NewChain returns an optimizer made of transforms, with a constant learning rate. To write
// your own optimizer, embed a Chain in a type that implements Transform; its constructor ends in
// o.Chain = *optim.NewChain(rate, o). Its fields are read when an update is built. An optimizer must not be copied, since the
// chain of the copy would refer to the original: Update refuses a copy.
func NewChain(rate float64, transforms ...Transform) *Chain {
	return &Chain{
		Rate:         Constant(rate),
		MicroBatches: 1,
		transforms:   append([]Transform{}, transforms...),
		memory:       &memory{stateOf: map[stateKey]*tarn.Param{}, averages: map[*tarn.Param]*tarn.Param{}},
	}
}

// Update returns the assignments that take one step: those of the params and of the optimizer's states, which are named by
// params. Mistakes made in the graph so far are part of the error.
func (o *Chain) Update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) { return o.update(loss, params) })
}

func (o *Chain) update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	c, err := o.open(loss, params)
	if err != nil {
		return nil, err
	}
	if err := c.setRate(); err != nil {
		return nil, err
	}
	u := c.gradients()
	if o.MicroBatches > 1 {
		u = c.meanGradients(u)
	}
	if o.ClipValue != 0 {
		u = c.apply(ClipByValue(o.ClipValue), u)
	}
	if o.ClipNorm != 0 {
		u = c.apply(ClipByNorm(o.ClipNorm), u)
	}
	for _, t := range slices.Concat(o.Before, o.transforms) {
		u = c.apply(t, u)
	}
	u = c.scaleRest(u)
	for _, t := range o.After {
		u = c.apply(t, u)
	}
	for i, s := range c.Slots {
		s.Assign(s.Param, s.Value.Sub(u[i]))
	}
	return c.close()
}

// Accumulate returns the assignments that add the gradient to that of earlier micro-batches, and change no param.
func (o *Chain) Accumulate(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) { return o.accumulate(loss, params) })
}

func (o *Chain) accumulate(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	c, err := o.open(loss, params)
	if err != nil {
		return nil, err
	}
	if o.MicroBatches == 1 {
		return nil, errors.New("optim: Accumulate with MicroBatches 1, where every run is an update: set MicroBatches")
	}
	c.Each(c.gradients(), func(s *Slot, u *tarn.Value) *tarn.Value {
		sum := s.State("accumulated", 0)
		return s.Assign(sum, u.Add(sum))
	})
	return c.close()
}

// depends reports whether the loss depends on any of the params. Grad reports one that is no float.
func (c *Context) depends() bool {
	for _, s := range c.Slots {
		if !s.Param.DType().IsFloat() {
			return true
		}
	}
	return tarn.Depends(c.Loss, c.values()...)
}

// UpdatesAt reports whether run number run, counted from 0, is the last of a group of MicroBatches, which updates the params.
func (o *Chain) UpdatesAt(run int64) bool {
	return o.MicroBatches <= 1 || run%int64(o.MicroBatches) == int64(o.MicroBatches)-1
}

// Clipped returns what ClipNorm leaves of a gradient's norm.
func (o *Chain) Clipped(norm float64) float64 {
	if o.ClipNorm > 0 {
		return norm * min(1, o.ClipNorm/(norm+1e-6))
	}
	return norm
}

// RateAt returns the learning rate at run number run, counted from 0.
func (o *Chain) RateAt(run int64) (float64, error) {
	rates, err := Rates(o.Rate, run/int64(max(1, o.MicroBatches)))
	if err != nil {
		return 0, err
	}
	return rates[0], nil
}

// States returns what the optimizer keeps from step to step, sorted by name: a state of a param is named by what it is, a
// slash and the name of the param in the set that Update was given. The set is complete once the programs of a training
// have been built. Two states of one name are an error.
func (o *Chain) States() (*tarn.ParamSet, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	type named struct {
		name  string
		state *tarn.Param
	}
	var all []named
	for _, states := range append(scheduleStates(o.Rate), &o.memory.states) {
		for name, state := range states.All() {
			all = append(all, named{name, state})
		}
	}
	slices.SortStableFunc(all, func(a, b named) int { return strings.Compare(a.name, b.name) })
	states := &tarn.ParamSet{}
	for _, s := range all {
		if err := states.Add(s.name, s.state); err != nil {
			return nil, fmt.Errorf("optim: the states of the optimizer: %w", err)
		}
	}
	return states, nil
}

// check refuses a Chain that no constructor made, and a copy of one.
func (o *Chain) check() error {
	if o.memory == nil {
		return errors.New("optim: the optimizer was not made by its constructor, such as optim.NewAdamW")
	}
	owner := o.memory.chain
	for _, t := range o.transforms {
		// The transform of an optimizer such as Adam is the struct that embeds the chain.
		if whole, ok := t.(interface{ itself() *Chain }); ok && whole.itself().memory == o.memory {
			owner = whole.itself()
		}
	}
	if owner != nil && owner != o {
		return errors.New("optim: the optimizer is a copy of another and would use that one's settings and states; make a new one by its constructor, and pass optimizers as pointers")
	}
	return nil
}

// itself returns the chain that a struct embeds.
func (o *Chain) itself() *Chain { return o }

// attempt builds updates. If that fails, be it by a panic of a user's transform, it leaves no name and no state behind.
func (o *Chain) attempt(build func() ([]tarn.Update, error)) (updates []tarn.Update, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	m := o.memory
	before := memory{chain: m.chain, params: copySet(m.params), states: copySet(m.states), runs: m.runs, joined: maps.Clone(m.joined), stateOf: maps.Clone(m.stateOf), averages: maps.Clone(m.averages)}
	defer func() {
		if updates == nil {
			*m = before
		}
	}()
	return build()
}

func copySet(s tarn.ParamSet) tarn.ParamSet {
	var out tarn.ParamSet
	for name, p := range s.All() {
		out.Add(name, p) // which s has accepted
	}
	return out
}

// open checks what an update is made of.
func (o *Chain) open(loss *tarn.Value, params *tarn.ParamSet) (*Context, error) {
	switch {
	case isNil(o.Rate):
		return nil, errors.New("optim: Rate is nil; set a schedule such as optim.Constant(1e-3)")
	case o.MicroBatches < 1:
		return nil, fmt.Errorf("optim: MicroBatches is %d and should be at least 1", o.MicroBatches)
	case loss == nil:
		return nil, errors.New("optim: the loss is nil")
	case params.Len() == 0:
		return nil, errors.New("optim: there are no params; pass those that tarn.Params finds in the model")
	}
	o.memory.chain = o
	o.restoreTrained()
	c := &Context{Graph: loss.Graph(), Loss: loss, chain: o, params: params, name: "optim", used: map[string]bool{}}
	step := c.Graph.Runs()
	if o.MicroBatches > 1 {
		step = step.Div(tarn.Num(o.MicroBatches))
	}
	c.Step = step.Cast(tarn.F64)
	c.joins = o.memory.params.Len() > 0
	for name, p := range params.All() {
		if p.Trainable() {
			c.Slots = append(c.Slots, o.slot(c, name, p))
		}
	}
	switch {
	case len(c.Slots) == 0:
		c.Errorf("none of the %d params is trainable: all are frozen or states", params.Len())
	case c.Graph.Err() == nil && !c.depends():
		c.Errorf("the loss made at %s depends on none of the %d trainable params in a way that a gradient can follow: was it computed from another model, or through StopGradient or integers?", loss.Place(), len(c.Slots))
	}
	for i, g := range o.groups {
		if g.match != nil && !c.matches(g.match) {
			c.Errorf("group %d matches none of the %d params, which are %s", i, params.Len(), c.someNames())
		}
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c, nil
}
