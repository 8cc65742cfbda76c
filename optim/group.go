package optim

import (
	"math"
	"strconv"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds parameter groups, which override settings for some params, and Only.

// Match reports whether a param belongs to a group. The name is the one in the set that Update received.
type Match func(name string, p *tarn.Param) bool

// Group overrides settings for the parameters that match. Equal to a param group of torch.optim, with factors instead of values.
type Group struct {
	Rate  float64 // a factor of the learning rate
	Decay float64 // a factor of the weight decay

	match Match
}

// Group adds a group of the params that match and returns it. Its factors are 1; set them before Update:
//
//	opt.Group(optim.Vectors).Decay = 0
//	opt.Group(optim.Under("encoder")).Rate = 0.1
//
// The factors of all groups that a param belongs to are multiplied. A group that matches no param is an error of Update. To keep a param
// from changing at all, set its Frozen.
func (o *Chain) Group(match Match) *Group {
	g := &Group{Rate: 1, Decay: 1, match: match}
	o.groups = append(o.groups, g)
	return g
}

// Vectors matches the params with fewer than two axes: the biases of layers, and the scales and shifts of norms. By custom these
// are not decayed.
func Vectors(_ string, p *tarn.Param) bool { return len(p.Shape()) < 2 }

// Under matches the param with this name and all params of the part of the model with this path.
func Under(path string) Match {
	return func(name string, _ *tarn.Param) bool { return name == path || strings.HasPrefix(name, path+".") }
}

// Not matches the params that m does not match.
func Not(m Match) Match { return func(name string, p *tarn.Param) bool { return !m(name, p) } }

// Matrices matches the params with two axes.
func Matrices(_ string, p *tarn.Param) bool { return len(p.Shape()) == 2 }

// Only applies a transform to the params that match and returns the other updates unchanged. The transform sees only the params that match:
// ClipByNorm, for example, limits the norm of their updates alone. If the transform multiplies by the learning rate itself, as LARS does,
// the chain multiplies the updates of the other params. Equal to optax.masked.
type Only struct {
	Match Match
	Then  Transform
}

// Apply applies the transform to the updates that match.
func (o Only) Apply(c *Context, u []*tarn.Value) []*tarn.Value {
	if o.Match == nil {
		c.Errorf("it has no Match")
		return u
	}
	all := c.Slots
	defer func() { c.Slots = all }()
	var at []int
	var slots []*Slot
	var some []*tarn.Value
	for i, s := range all {
		if s.matches(o.Match) {
			at, slots, some = append(at, i), append(slots, s), append(some, u[i])
		}
	}
	if len(at) == 0 {
		return u
	}
	c.Slots = slots
	out := append([]*tarn.Value{}, u...)
	for i, v := range c.apply(o.Then, some) {
		out[at[i]] = v
	}
	return out
}

// matches reports whether a match matches a param, be it frozen or not.
func (c *Context) matches(m Match) bool {
	for name, p := range c.params.All() {
		if m(name, p) {
			return true
		}
	}
	return false
}

// someNames lists the names of the first params, for a report.
func (c *Context) someNames() string {
	var names []string
	for name := range c.params.All() {
		if len(names) == 5 {
			names = append(names, "...")
			break
		}
		names = append(names, strconv.Quote(name))
	}
	return strings.Join(names, ", ")
}

// slot returns the Slot of a param, with the factors of its groups.
func (o *Chain) slot(c *Context, name string, p *tarn.Param) *Slot {
	if known := o.memory.params.Name(p); known == "" {
		if err := o.memory.params.Add(name, p); err != nil {
			c.Errorf("%w; use one optimizer for one model", err)
		}
		if c.joins {
			o.memory.join(name, o.memory.runs/int64(o.MicroBatches))
		}
	} else if known != name {
		c.Errorf("param %q was %q in an earlier update, by which its states are named; pass the set of the whole model to every update, and use one optimizer for one model", name, known)
	}
	s := &Slot{Param: p, Name: name, Value: p.Value(c.Graph), context: c, rate: 1, decay: 1, used: map[string]bool{}}
	for i, g := range o.groups {
		if g.match == nil {
			c.Errorf("group %d has no Match", i)
			continue
		}
		if s.matches(g.match) {
			s.rate *= g.Rate
			s.decay *= g.Decay
		}
	}
	for _, f := range []float64{s.rate, s.decay} {
		if !(f >= 0) || math.IsInf(f, 1) {
			c.Errorf("the groups of param %q give it the factors %v of the rate and %v of the decay; they should be finite and not negative", name, s.rate, s.decay)
			break
		}
	}
	return s
}
