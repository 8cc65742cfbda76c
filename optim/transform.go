package optim

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds Transform, a link of a chain, with the Context of a step and a Slot for each param.

// Transform maps updates to new updates: u[i], times the learning rate, will be subtracted from the param of
// c.Slots[i]. The first transform of a chain receives the gradients. A transform adds ops to the graph
// and keeps what it must remember in states.
type Transform interface {
	Apply(c *Context, u []*tarn.Value) []*tarn.Value
}

// Context is the step that a transform is part of.
type Context struct {
	Graph *tarn.Graph
	// Loss is the loss. In a training over shards it is the value of the loss alone, and its gradient is an error.
	Loss *tarn.Value
	// Step is the number of updates before this one, an F64 scalar: 0 at the first. It is Graph.Runs divided by MicroBatches, so
	// a resumed training sets it by Program.SetRuns.
	Step *tarn.Value
	// Rate is the learning rate, an F64 scalar. See TakeRate.
	Rate *tarn.Value
	// Slots are the params to update.
	Slots []*Slot

	chain   *Chain
	params  *tarn.ParamSet              // all that Update was given
	name    string                      // the transform being applied, for reports
	given   []*tarn.Value               // the gradients, if others have computed them
	raw     map[*tarn.Param]*tarn.Value // the gradients of the loss, before any transform
	used    map[string]bool
	updates []tarn.Update
	errs    []error
	joins   bool // a param that is new has joined others
	probing bool // for ProbeFrom: SAM returns the point nearby
	depth   int  // of transforms within each other
	moved   int  // the number of SAMs whose gradients were given
	all     int  // the number of params to update
}

// Slot is one param to update, with its states.
type Slot struct {
	Param *tarn.Param
	// Name is the name of the param in the set that Update was given.
	Name string
	// Value is the param before the update.
	Value *tarn.Value

	context     *Context
	rate, decay float64 // the factors of its groups
	used        map[string]bool
	rated       bool   // its update is multiplied by the learning rate already
	final       string // the transform that keeps the weights after the step, so that the step must stay as it is; or ""
}

// Each applies a rule to the update of each param.
func (c *Context) Each(u []*tarn.Value, rule func(s *Slot, u *tarn.Value) *tarn.Value) []*tarn.Value {
	out := make([]*tarn.Value, len(u))
	for i, s := range c.Slots {
		out[i] = rule(s, u[i])
	}
	return out
}

// Count returns the number of this update, an F64 scalar: 1 at the first.
func (c *Context) Count() *tarn.Value {
	c.late()
	return c.Step.AddNum(1)
}

// Errorf records a mistake. Update returns it, prefixed with the name of the transform.
func (c *Context) Errorf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(c.name+": "+format, args...))
}

// notNegative checks a setting that should be finite and at least 0.
func (c *Context) notNegative(name string, x float64) {
	if !(x >= 0) || math.IsInf(x, 1) {
		c.Errorf("%s is %v and should be finite and not negative", name, x)
	}
}

// fraction checks a setting that should lie in [0, 1).
func (c *Context) fraction(name string, x float64) {
	if !(x >= 0 && x < 1) {
		c.Errorf("%s is %v and should lie in [0, 1)", name, x)
	}
}

// correction is 1/(1 - beta^t) at the t-th update, an F64 scalar: it makes an exponential average that began at 0 a
// weighted mean.
func (c *Context) correction(beta float64) *tarn.Value {
	return correction(beta, c.Count())
}

// State returns the transform's state of this param with the given name, which should begin with the name of the transform, as in "adam.m".
// The state has the param's shape and dtype and holds init before the first step. In States its name is this name, a slash and
// the name of the param.
func (s *Slot) State(name string, init float64) *tarn.Param {
	return s.StateOf(name, init, s.Param.Shape()...)
}

// StateOf is State for a state whose shape differs from the param's.
func (s *Slot) StateOf(name string, init float64, shape ...int) *tarn.Param {
	c := s.context
	key := stateKey{name, s.Param}
	c.use(s.used, name)
	if state := c.chain.memory.stateOf[key]; state != nil {
		return state
	}
	return c.newState(key, name+"/"+s.Name, init, s.Param.DType(), shape...)
}

// copyState is a State that before the first step is a copy of the param. Since the param's contents may change after the
// program has been built, the first update, which begun tells, should not rely on it.
func (s *Slot) copyState(name string) *tarn.Param {
	old := s.context.chain.memory.stateOf[stateKey{name, s.Param}]
	state := s.State(name, 0)
	if old == nil {
		copy(state.Tensor().Raw(), s.Param.Tensor().Raw())
	}
	return state
}

// State returns a transform's state for all params together: an F64 scalar that holds init before the first step. In States
// it has this name.
func (c *Context) State(name string, init float64) *tarn.Param { return c.stateOf(name, init) }

// stateOf is State for any shape.
func (c *Context) stateOf(name string, init float64, shape ...int) *tarn.Param {
	c.use(c.used, name)
	key := stateKey{name: name}
	if state := c.chain.memory.stateOf[key]; state != nil {
		return state
	}
	return c.newState(key, name, init, tarn.F64, shape...)
}

// Assign stores v in a state at the end of the step, and returns v.
func (c *Context) Assign(state *tarn.Param, v *tarn.Value) *tarn.Value {
	c.updates = append(c.updates, tarn.Assign(state, v))
	return v
}

// begun returns whether the transform has been applied before, which it keeps in a state with this name. It is false at the first update,
// even if the params were trained by other means before and Step is not 0.
func (c *Context) begun(name string) *tarn.Value {
	c.late()
	return c.begunByAny(name)
}

// begunByAny is begun for a transform to which it does not matter that a param joins later.
func (c *Context) begunByAny(name string) *tarn.Value {
	state := c.State(name, 0)
	c.Assign(state, c.Graph.Num(tarn.F64, 1))
	return state.Value(c.Graph).Gt(tarn.Num(0))
}

func (c *Context) use(used map[string]bool, name string) {
	if used[name] {
		c.Errorf("two transforms of the chain keep a state %q; give one another name", name)
	}
	used[name] = true
}

func (c *Context) newState(key stateKey, name string, init float64, dtype tarn.DType, shape ...int) *tarn.Param {
	state := tarn.NewState(dtype, nil, shape...)
	if err := c.chain.memory.states.Add(name, state); err != nil {
		c.Errorf("a state: %w", err)
	}
	if t := state.Tensor(); init != 0 {
		for i := range t.Size() {
			t.SetFloat(i, init)
		}
	}
	c.chain.memory.stateOf[key] = state
	return state
}

// Assign stores v in a state at the end of the step, and returns v.
func (s *Slot) Assign(state *tarn.Param, v *tarn.Value) *tarn.Value {
	return s.context.Assign(state, v)
}

// Average keeps an exponential moving average of v in a state with this name and returns its value after this step:
// a <- beta a + (1-beta) v, from a = 0.
func (s *Slot) Average(name string, beta float64, v *tarn.Value) *tarn.Value {
	a := s.State(name, 0)
	return s.Assign(a, a.Value(s.context.Graph).Scale(beta).Add(v.Scale(1-beta)))
}

// Scalar returns an F64 scalar, such as a bias correction, in the dtype of the param.
func (s *Slot) Scalar(v *tarn.Value) *tarn.Value { return v.Cast(s.Param.DType()) }

// Rate returns the learning rate of the param, times the factor of its groups, as a scalar of its dtype.
func (s *Slot) Rate() *tarn.Value {
	r := s.context.Rate
	if s.rate != 1 {
		r = r.Scale(s.rate)
	}
	return s.Scalar(r)
}

// TakeRate declares that a transform multiplies the updates of c.Slots by the learning rate itself. The chain multiplies those of
// the other params.
func (c *Context) TakeRate() {
	if c.rated() != "" {
		c.Errorf("it multiplies by the learning rate, which has been done before: use it once, and not in After")
	}
	for _, s := range c.Slots {
		s.rated = true
	}
}

// rated returns the name of a param whose update is multiplied by the learning rate already, or "".
func (c *Context) rated() string {
	for _, s := range c.Slots {
		if s.rated {
			return s.Name
		}
	}
	return ""
}

// needGradients reports a transform that scales gradients, or takes new ones, where there are steps: what it returned would not depend on
// the learning rate.
func (c *Context) needGradients() {
	if c.rated() != "" {
		c.Errorf("it takes gradients and has been given steps, which are multiplied by the learning rate: put it in Before, or before the transform that multiplies by the rate")
	}
}

// needLoss reports a transform that needs the loss as a function of the params where there are only gradients, and returns false.
func (c *Context) needLoss() bool {
	if c.given != nil {
		c.Errorf("it needs the loss at other weights or its second derivatives, and a training over shards (train.Shards) has the gradient alone: take another optimizer, or train without Shards")
	}
	return c.given == nil
}

// needSteps reports a transform of steps where there are gradients or updates.
func (c *Context) needSteps() {
	for _, s := range c.Slots {
		if !s.rated {
			c.Errorf("it takes steps, which are updates times the learning rate, and has been given updates that are not: put it in After")
			return
		}
	}
}

// takeSteps is needSteps for a transform that keeps the weights after the step: no later transform may change the step.
func (c *Context) takeSteps() {
	c.needSteps()
	for _, s := range c.Slots {
		s.final = strings.TrimPrefix(c.name, "optim: ")
	}
}

// scaleByRate makes steps of the updates.
func (c *Context) scaleByRate(u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value { return u.Mul(s.Rate()) })
}

// scaleRest makes steps of the updates that no transform has multiplied by the learning rate.
func (c *Context) scaleRest(u []*tarn.Value) []*tarn.Value {
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		if s.rated {
			return u
		}
		s.rated = true
		return u.Mul(s.Rate())
	})
}

// multiplyAt sets the precision of the products of an update until the function that it returns is called.
func (c *Context) multiplyAt(p tarn.Precision) (restore func()) {
	before := c.Graph.Precision()
	c.Graph.SetPrecision(p)
	return func() { c.Graph.SetPrecision(before) }
}

// gradients returns the gradients of the loss.
func (c *Context) gradients() []*tarn.Value {
	u := c.given
	if u == nil {
		u = tarn.Grad(c.Loss, c.values()...)
	}
	c.raw = map[*tarn.Param]*tarn.Value{}
	for i, s := range c.Slots {
		c.raw[s.Param] = u[i]
	}
	return u
}

// values returns the params before the update.
func (c *Context) values() []*tarn.Value {
	out := make([]*tarn.Value, len(c.Slots))
	for i, s := range c.Slots {
		out[i] = s.Value
	}
	return out
}

// countState is the name of the sum of the counts of a loss that has one.
const countState = "accumulated.count"

// meanGradients averages the gradients with those that Accumulate has added up, and resets the sums.
func (c *Context) meanGradients(u []*tarn.Value) []*tarn.Value {
	count := c.Loss.Count()
	var share *tarn.Value // one over the sum of the counts
	if count != nil {
		count = count.Cast(tarn.F64)
		state := c.State(countState, 0)
		total := state.Value(c.Graph).Add(count)
		c.Assign(state, total.Num(0))
		share = total.Gt(tarn.Num(0)).Where(total.Reciprocal(), tarn.Num(0))
	}
	return c.Each(u, func(s *Slot, u *tarn.Value) *tarn.Value {
		sum := s.State("accumulated", 0)
		s.Assign(sum, c.Graph.Num(sum.DType(), 0).Expand(sum.Shape()...))
		if count != nil {
			return u.Mul(s.Scalar(count)).Add(sum).Mul(s.Scalar(share))
		}
		return u.Add(sum).Scale(1 / float64(c.chain.MicroBatches))
	})
}

// apply passes the updates through one transform.
func (c *Context) apply(t Transform, u []*tarn.Value) []*tarn.Value {
	if isNil(t) {
		c.Errorf("a transform of the chain is nil")
		return u
	}
	defer func(name string) { c.name, c.depth = name, c.depth-1 }(c.name)
	c.name, c.depth = "optim: "+transformName(t), c.depth+1
	finals := make([]string, len(c.Slots))
	for i, s := range c.Slots {
		finals[i] = s.final
	}
	out := t.Apply(c, u)
	if len(out) != len(u) {
		c.Errorf("it returned %d updates for %d params", len(out), len(u))
		return u
	}
	for i, v := range out {
		if v == nil {
			c.Errorf("its update of param %q is nil", c.Slots[i].Name)
			return u
		}
		if finals[i] != "" && v != u[i] {
			c.Errorf("it changes the step of param %q, from which %s has computed the weights after the step: put %[2]s after it", c.Slots[i].Name, finals[i])
			return u
		}
	}
	return out
}

// setRate evaluates the schedule.
func (c *Context) setRate() error {
	c.Rate = rateAt(c.chain.Rate, c.Step)
	if c.Graph.Err() == nil && (c.Rate.DType() != tarn.F64 || c.Rate.Rank() != 0) {
		return fmt.Errorf("optim: the schedule %T returned the learning rate %v; it should be an f64 scalar like the step", c.chain.Rate, c.Rate)
	}
	// Of a schedule that works in another graph too, the first rate is known now.
	if rates, err := Rates(c.chain.Rate, 0); err == nil && (!(rates[0] >= 0) || math.IsInf(rates[0], 1)) {
		return fmt.Errorf("optim: the schedule %T returns the learning rate %v at step 0; it should be finite and not negative", c.chain.Rate, rates[0])
	}
	// A later one that is negative makes the params NaN, which a training step does not store.
	c.Rate = c.Rate.Ge(tarn.Num(0)).Where(c.Rate, tarn.Num(math.NaN()))
	return nil
}

// close returns the assignments, or an error with all mistakes.
func (c *Context) close() ([]tarn.Update, error) {
	if err := c.Graph.Err(); err != nil {
		c.errs = append(c.errs, err)
	}
	if len(c.errs) == 0 {
		if _, err := c.chain.States(); err != nil { // now, and not at the first checkpoint
			c.errs = append(c.errs, err)
		}
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c.updates, nil
}
