package optim

import (
	"math"
	"reflect"

	"github.com/seed-49005b45/tarn"
)

// This file holds Plateau, the schedule that follows evaluations, and how the states of schedules are saved.

// Plateau lowers the rates of another schedule when the observed metric stops improving:
//
//	opt.Rate = optim.NewPlateau(optim.Constant(1e-3))
//	...
//	opt.Observe(validationLoss)       after every evaluation; train.Loop does so
//
// A number improves if it is below Best * (1 - Threshold), or with Maximize above Best * (1 + Threshold); with Absolute, if it is below
// Best - Threshold or above Best + Threshold. If more than
// Patience numbers in a row do not improve, the scale of the rates is multiplied by Factor, and none of the next Cooldown numbers counts
// as bad. The history is a state of the optimizer, so a resumed training continues with it.
//
// Equal to torch.optim.lr_scheduler.ReduceLROnPlateau, whose threshold_mode is "abs" with Absolute and otherwise "rel"; MinScale is its min_lr as a factor.
type Plateau struct {
	Then      Schedule
	Factor    float64
	Patience  int
	Threshold float64
	Cooldown  int
	MinScale  float64
	Maximize  bool // larger numbers are better, as with an accuracy
	Absolute  bool // the Threshold is a difference and not a share

	state *tarn.Param // see the constants below
}

// What is kept, in this order.
const (
	plateauScale = iota
	plateauBest
	plateauBad
	plateauCooldown
	plateauSeen // whether there was a number yet
	plateauSize
)

// NewPlateau returns a Plateau with Factor 0.1, Patience 10 and Threshold 1e-4.
func NewPlateau(then Schedule) *Plateau {
	p := &Plateau{Then: then, Factor: 0.1, Patience: 10, Threshold: 1e-4, state: tarn.NewState(tarn.F64, nil, plateauSize)}
	p.state.Tensor().F64()[plateauScale] = 1
	return p
}

// At returns the rate at a step, times the scale that the numbers so far have led to.
func (p *Plateau) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Plateau", step: step}
	s.require(p != nil && p.state != nil, "it was not made by NewPlateau")
	if s.bad != nil {
		return s.bad
	}
	s.require(p.Factor > 0 && p.Factor < 1, "Factor is %v and should lie in (0, 1)", p.Factor)
	s.require(p.Patience >= 0 && p.Cooldown >= 0, "Patience is %d and Cooldown %d; they should not be negative", p.Patience, p.Cooldown)
	if p.Absolute {
		s.rate("Threshold", p.Threshold)
	} else {
		s.require(p.Threshold >= 0 && p.Threshold < 1, "Threshold is %v and should lie in [0, 1)", p.Threshold)
	}
	s.require(p.MinScale >= 0 && p.MinScale <= 1, "MinScale is %v and should lie in [0, 1]", p.MinScale)
	return s.value(func() *tarn.Value {
		scale := p.state.Value(step.Graph()).Slice(0, plateauScale, plateauScale+1).Reshape()
		return rateAt(p.Then, step).Mul(scale)
	})
}

// Observe records the metric of an evaluation. NaN is no improvement. Programs that are already compiled use the new scale.
func (p *Plateau) Observe(number float64) {
	if p.state == nil { // At reports it
		return
	}
	k := p.state.Tensor().F64()
	better := k[plateauSeen] == 0 && !math.IsNaN(number)
	if k[plateauSeen] != 0 {
		switch best := k[plateauBest]; {
		case p.Absolute && p.Maximize:
			better = number > best+p.Threshold
		case p.Absolute:
			better = number < best-p.Threshold
		case p.Maximize:
			better = number > best*(1+p.Threshold)
		default:
			better = number < best*(1-p.Threshold)
		}
	}
	if better {
		k[plateauSeen], k[plateauBest], k[plateauBad] = 1, number, 0
	} else {
		k[plateauBad]++
	}
	if k[plateauCooldown] > 0 {
		k[plateauCooldown]--
		k[plateauBad] = 0
	}
	if k[plateauBad] > float64(p.Patience) {
		k[plateauScale] = max(k[plateauScale]*p.Factor, p.MinScale)
		k[plateauCooldown], k[plateauBad] = float64(p.Cooldown), 0
	}
}

// Scale returns the current factor of the rates.
func (p *Plateau) Scale() float64 { return p.state.Tensor().F64()[plateauScale] }

// States returns what the schedule keeps from one evaluation to the next, under the name "plateau".
func (p *Plateau) States() *tarn.ParamSet {
	states := &tarn.ParamSet{}
	if p != nil && p.state != nil {
		states.Add("plateau", p.state) // into an empty set
	}
	return states
}

// The schedules that others are made of.
func (p *Plateau) parts() []Schedule {
	if p == nil {
		return nil
	}
	return []Schedule{p.Then}
}
func (j Join) parts() []Schedule    { return []Schedule{j.First, j.Then} }
func (w Warmup) parts() []Schedule  { return []Schedule{w.Then} }
func (p Product) parts() []Schedule { return p }

// eachSchedule visits a schedule and all that it is made of, a pointer that is met twice once.
func eachSchedule(s Schedule, visit func(s Schedule)) {
	seen := map[Schedule]bool{}
	var walk func(s Schedule)
	walk = func(s Schedule) {
		if s != nil && reflect.TypeOf(s).Kind() == reflect.Pointer {
			if seen[s] {
				return
			}
			seen[s] = true
		}
		visit(s)
		if whole, ok := s.(interface{ parts() []Schedule }); ok {
			for _, part := range whole.parts() {
				walk(part)
			}
		}
	}
	walk(s)
}

// scheduleStates returns what a schedule keeps for a checkpoint, if it, or a part of it, has a method States as Plateau has.
func scheduleStates(s Schedule) []*tarn.ParamSet {
	var states []*tarn.ParamSet
	eachSchedule(s, func(s Schedule) {
		if keeper, ok := s.(interface{ States() *tarn.ParamSet }); ok {
			states = append(states, keeper.States())
		}
	})
	return states
}

// Observe passes the metric of an evaluation to the schedule, and to the parts of it, that have a method Observe, as
// Plateau has.
func (o *Chain) Observe(number float64) {
	eachSchedule(o.Rate, func(s Schedule) {
		if follower, ok := s.(interface{ Observe(number float64) }); ok {
			follower.Observe(number)
		}
	})
}
