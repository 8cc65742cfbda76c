package optim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds Chain, which passes gradients through transforms to the params. It is what all optimizers share.

// Optimizer turns a loss into updates of the params that the loss depends on. Every type in this package that embeds a Chain is
// an Optimizer, and implements the optional interfaces too: Accumulator, Rater, Counter, Averager, Observer, Clipper, Decayer. Package train uses
// those that an optimizer implements.
type Optimizer interface {
	// Update returns the assignments that take one step of the optimizer. It does not change params that are frozen or states.
	Update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
	// States returns the optimizer's states, under the names by which a checkpoint saves and loads them.
	States() (*tarn.ParamSet, error)
}

// Accumulator is an Optimizer that can spread an update over several runs.
type Accumulator interface {
	// Accumulate returns the assignments that only add the gradient to the sum that the next Update uses: see Chain.MicroBatches.
	Accumulate(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
	// UpdatesAt reports whether run number run of the training, counted from 0, is one of Update or one of Accumulate.
	UpdatesAt(run int64) bool
}

// Combiner is an Optimizer that can work with gradients which were computed elsewhere, such as those that the ranks of a training have combined.
type Combiner interface {
	// UpdateFrom is Update with the gradients of the trainable params, in their order. The loss is the value alone and has no gradient; a transform that
	// needs it as a function of the params is an error that names the transform.
	UpdateFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
	// AccumulateFrom is the same for Accumulate.
	AccumulateFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
}

// Prober is a Combiner that may need the gradients at other weights, as one with SAM does.
type Prober interface {
	// ProbeFrom returns the assignments that move the params to where the optimizer needs the gradients, from those at the params. If it needs no others there are no assignments. Otherwise
	// UpdateFrom is to be given the gradients that were taken there, in a program that runs when the params are back.
	ProbeFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error)
}

// Rater is an Optimizer that reports its learning rate, for the log.
type Rater interface {
	// RateAt returns the learning rate at run number run, counted from 0.
	RateAt(run int64) (float64, error)
}

// Counter is an Optimizer that knows the number of runs taken with it, so that a training step that is made later continues from there.
type Counter interface {
	Runs() int64
	SetRuns(n int64)
	// Joined returns the params that were not there at the first update, with the number of updates before they were; SetJoined restores it.
	Joined() map[string]int64
	SetJoined(joined map[string]int64)
}

// Averager is an Optimizer that keeps separate weights for evaluation.
type Averager interface {
	// WithAverages calls f while the params hold the weights for evaluation, if the optimizer keeps any.
	WithAverages(f func() error) error
}

// Observer is an Optimizer that observes a metric of each evaluation, such as the validation loss: see Plateau.
type Observer interface {
	Observe(number float64)
}

// Clipper is an Optimizer that limits the norm of the gradient.
type Clipper interface {
	// Clipped returns what a gradient's norm is after that.
	Clipped(norm float64) float64
}

// Decayer is an Optimizer that knows which params it draws towards 0.
type Decayer interface {
	// Decays returns the weight decay of each param that is decayed, by name.
	Decays() map[string]float64
}

var _ interface { // what a Chain is
	Optimizer
	Accumulator
	Combiner
	Prober
	Rater
	Counter
	Averager
	Observer
	Clipper
	Decayer
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
	// MicroBatches is the number of runs whose gradients are averaged into one update: 1 unless set. Two programs share the
	// optimizer and take turns, each with the number of the run set by Program.SetRuns: the last of every MicroBatches runs, for
	// which UpdatesAt returns true, uses the program of Update, and the others that of Accumulate. If the micro-batches have equal
	// size and the loss is a mean over the batch, the update equals that of one large batch. A loss that has a
	// count is combined by it: see tarn.Value.WithCount.
	MicroBatches int
	// Before are transforms of the gradients, applied after the clipping: Centralize, ClipAdaptive, ClipByNormOf, GradientNoise, Grokfast, SAM.
	Before []Transform
	// After are transforms of the steps, that is of the updates times the learning rate: Lookahead, EMA, SWA, ScheduleFree.
	After []Transform

	groups     []*Group
	transforms []Transform
	memory     *memory
}

// memory is what an optimizer keeps. It is not part of the Chain itself, so that a copy of a Chain can be detected: see check.
type memory struct {
	chain    *Chain        // its owner; nil before the first Update
	params   tarn.ParamSet // those updated so far, by the names that Update was given
	states   tarn.ParamSet
	stateOf  map[stateKey]*tarn.Param
	runs     int64
	decays   map[string]float64           // see Decays
	joined   map[string]int64             // the updates before a param was there, by its name, unless it was from the first on
	averages map[*tarn.Param]*tarn.Param  // of a param, the state with the weights for evaluation
	trained  map[*tarn.Param]*tarn.Tensor // the weights before TakeAverages
	division *Division                    // nil if the updates are those of all params
	probes   bool                         // ProbeFrom has moved params
}

// stateKey identifies a state by its name and the param that it belongs to, which is nil if it belongs to all.
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
		memory:       &memory{stateOf: map[stateKey]*tarn.Param{}, decays: map[string]float64{}, averages: map[*tarn.Param]*tarn.Param{}},
	}
}

// Update returns the assignments that take one step: those of the params and of the optimizer's states, which are named by
// params. The error includes mistakes made in the graph so far.
func (o *Chain) Update(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) { return o.update(loss, nil, params) })
}

// UpdateFrom returns the assignments that take one step with the given gradients of the trainable params.
func (o *Chain) UpdateFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) { return o.update(loss, append([]*tarn.Value{}, gradients...), params) })
}

func (o *Chain) update(loss *tarn.Value, given []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	c, err := o.open(loss, given, params)
	if err != nil {
		return nil, err
	}
	if err := c.setRate(); err != nil {
		return nil, err
	}
	u := c.gradients()
	defer c.multiplyAt(tarn.PrecisionF32)()
	if o.MicroBatches > 1 {
		u = c.meanGradients(u)
	}
	for _, t := range o.ofGradients() {
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

// ofGradients are the transforms of gradients, in their order.
func (o *Chain) ofGradients() (all []Transform) {
	if o.ClipValue != 0 {
		all = append(all, ClipByValue(o.ClipValue))
	}
	if o.ClipNorm != 0 {
		all = append(all, ClipByNorm(o.ClipNorm))
	}
	return slices.Concat(all, o.Before, o.transforms)
}

// ProbeFrom returns the assignments that move the params to the worst point near them, if one of the transforms is a SAM.
func (o *Chain) ProbeFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	before := o.ofGradients()
	at := slices.IndexFunc(before, isSAM)
	if at < 0 {
		return nil, nil
	}
	return o.attempt(func() ([]tarn.Update, error) {
		c, err := o.open(loss, append([]*tarn.Value{}, gradients...), params)
		if err != nil {
			return nil, err
		}
		if err := c.setRate(); err != nil {
			return nil, err
		}
		c.probing, o.memory.probes = true, true
		u := c.gradients()
		defer c.multiplyAt(tarn.PrecisionF32)()
		for _, t := range before[:at+1] {
			u = c.apply(t, u)
		}
		for i, s := range c.Slots {
			s.Assign(s.Param, u[i])
		}
		return c.close()
	})
}

// Accumulate returns the assignments that add the gradient to those of earlier micro-batches, and change no param.
func (o *Chain) Accumulate(loss *tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) { return o.accumulate(loss, nil, params) })
}

// AccumulateFrom returns the assignments that add the given gradients of the trainable params to those of earlier micro-batches.
func (o *Chain) AccumulateFrom(loss *tarn.Value, gradients []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	return o.attempt(func() ([]tarn.Update, error) {
		return o.accumulate(loss, append([]*tarn.Value{}, gradients...), params)
	})
}

func (o *Chain) accumulate(loss *tarn.Value, given []*tarn.Value, params *tarn.ParamSet) ([]tarn.Update, error) {
	c, err := o.open(loss, given, params)
	if err != nil {
		return nil, err
	}
	if o.MicroBatches == 1 {
		return nil, errors.New("optim: Accumulate with MicroBatches 1, where every run is an update: set MicroBatches")
	}
	count := loss.Count()
	if count != nil {
		total := c.State(countState, 0)
		c.Assign(total, total.Value(c.Graph).Add(count.Cast(tarn.F64)))
	}
	c.Each(c.gradients(), func(s *Slot, u *tarn.Value) *tarn.Value {
		sum := s.State("accumulated", 0)
		if count != nil {
			u = u.Mul(s.Scalar(count))
		}
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

// States returns the optimizer's states, sorted by name. The name of a param's state is its kind, a slash and the name of the param in
// the set that Update received. The set is complete once the programs of a training have been built. Two states with the same name
// are an error.
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

// check returns an error if no constructor made the Chain, or if it is a copy.
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
	before := *m
	before.params, before.states = copySet(m.params), copySet(m.states)
	before.stateOf, before.joined, before.averages = maps.Clone(m.stateOf), maps.Clone(m.joined), maps.Clone(m.averages)
	defer func() {
		if updates == nil {
			*m = before
			return
		}
		o.restoreTrained()
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

// open checks the settings of the chain, the loss and the params, and begins an update, with the gradients given unless they are nil.
func (o *Chain) open(loss *tarn.Value, given []*tarn.Value, params *tarn.ParamSet) (*Context, error) {
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
	c := &Context{Graph: loss.Graph(), Loss: loss, given: given, chain: o, params: params, name: "optim", used: map[string]bool{}}
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
	c.all = len(c.Slots)
	switch {
	case len(c.Slots) == 0:
		c.Errorf("none of the %d params is trainable: all are frozen or states", params.Len())
	case given != nil && len(given) != len(c.Slots):
		c.Errorf("there are %d gradients for %d trainable params", len(given), len(c.Slots))
	case given == nil && c.Graph.Err() == nil && !c.depends():
		c.Errorf("the loss made at %s depends on none of the %d trainable params in a way that a gradient can follow: was it computed from another model, or through StopGradient or integers?", loss.Place(), len(c.Slots))
	}
	for i, g := range o.groups {
		if divided := o.memory.division != nil && o.memory.division.Parts != nil; g.match != nil && !divided && !c.matches(g.match) {
			c.Errorf("group %d matches none of the %d params, which are %s", i, params.Len(), c.someNames())
		}
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c, nil
}
