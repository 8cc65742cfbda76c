package optim

import (
	"maps"

	"github.com/seed-49005b45/tarn"
)

// This file holds what an optimizer knows of its past: the number of runs, by which schedules and corrections go on, and which params joined later.

// Runs returns the number of runs that training steps have taken with the optimizer, which SetRuns sets. Package train keeps it: a new step or loop
// with the same optimizer goes on with the schedule, the moments and their corrections where the last one ended.
func (o *Chain) Runs() int64 {
	if o.memory == nil {
		return 0
	}
	return o.memory.runs
}

// SetRuns sets the number of runs completed.
func (o *Chain) SetRuns(n int64) {
	if o.memory != nil { // Update reports it
		o.memory.runs = n
	}
}

// Joined returns the params that were not there at the first update, such as those that were frozen then, with the number of updates
// before they were.
func (o *Chain) Joined() map[string]int64 {
	if o.memory == nil {
		return nil
	}
	return maps.Clone(o.memory.joined)
}

// SetJoined restores what Joined returned, before the updates are built.
func (o *Chain) SetJoined(joined map[string]int64) {
	if o.memory != nil {
		o.memory.joined = maps.Clone(joined)
	}
}

// join notes a param that is given to an update for the first time, when others have been updated.
func (m *memory) join(name string, updates int64) {
	if updates == 0 {
		return
	}
	if m.joined == nil {
		m.joined = map[string]int64{}
	}
	m.joined[name] = updates
}

// late reports a transform that counts updates for all params together if some of these joined later. It takes the first steps of such params for
// later ones.
func (c *Context) late() {
	for _, s := range c.Slots {
		if n := c.chain.memory.joined[s.Name]; n > 0 {
			c.Errorf("param %q joined after %d updates, and this transform counts updates for all params together: make a new optimizer for the params that are trained from here on", s.Name, n)
			return
		}
	}
}

// Count is the number of this update among those of the param, an F64 scalar: 1 at the first. It is that of Context.Count unless the param was frozen
// when the training began.
func (s *Slot) Count() *tarn.Value { return s.step().AddNum(1) }

// step is the number of updates of the param before this one.
func (s *Slot) step() *tarn.Value {
	if n := s.context.chain.memory.joined[s.Name]; n > 0 {
		return s.context.Step.AddNum(-float64(n))
	}
	return s.context.Step
}

// corrections returns Context.correction for each param, at the number of its own updates.
func (c *Context) corrections(beta float64) func(s *Slot) *tarn.Value {
	known := map[int64]*tarn.Value{}
	return func(s *Slot) *tarn.Value {
		n := c.chain.memory.joined[s.Name]
		if known[n] == nil {
			known[n] = correction(beta, s.Count())
		}
		return known[n]
	}
}

func correction(beta float64, count *tarn.Value) *tarn.Value {
	return count.Graph().Num(tarn.F64, beta).Pow(count).Neg().AddNum(1).Reciprocal()
}
