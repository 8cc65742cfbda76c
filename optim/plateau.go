package optim

import (
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds Plateau, the schedule that follows the evaluation, and how schedules that keep something are saved.

// Plateau lowers the rates of another schedule when the number that an evaluation gives has not improved for some time:
//
//	plateau := optim.NewPlateau(optim.Constant(1e-3))
//	opt.Rate = plateau
//	...
//	plateau.Observe(validationLoss)       after every evaluation
//
// A number improves where it is below Best * (1 - Threshold), or with Maximize above Best * (1 + Threshold). When more than
// Patience numbers in turn have not, the scale of the rates is multiplied by Factor, and for the next Cooldown numbers none counts
// as bad. What it has seen is a state of the optimiser, so that a training that is continued goes on with it.
//
// Equal to torch.optim.lr_scheduler.ReduceLROnPlateau with a threshold_mode of "rel"; MinScale is its min_lr as a factor.
type Plateau struct {
	Then      Schedule
	Factor    float64
	Patience  int
	Threshold float64
	Cooldown  int
	MinScale  float64
	Maximize  bool // larger numbers are better, as with an accuracy

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
	p.state.SetPath("plateau")
	p.state.Tensor().F64()[plateauScale] = 1
	return p
}

// At is the rate at a step, as the numbers so far let it be.
func (p *Plateau) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Plateau", step: step}
	s.require(p != nil && p.state != nil, "it was not made by NewPlateau")
	if s.bad != nil {
		return s.bad
	}
	s.require(p.Factor > 0 && p.Factor < 1, "Factor is %v and should lie in (0, 1)", p.Factor)
	s.require(p.Patience >= 0 && p.Cooldown >= 0, "Patience is %d and Cooldown %d; they should not be negative", p.Patience, p.Cooldown)
	s.require(p.Threshold >= 0 && p.Threshold < 1, "Threshold is %v and should lie in [0, 1)", p.Threshold)
	s.require(p.MinScale >= 0 && p.MinScale <= 1, "MinScale is %v and should lie in [0, 1]", p.MinScale)
	return s.value(func() *tarn.Value {
		scale := p.state.Value(step.Graph()).Slice(0, plateauScale, plateauScale+1).Reshape()
		return rateAt(p.Then, step).Mul(scale)
	})
}

// Observe takes the number of an evaluation. NaN is no improvement. Programs that are compiled already follow.
func (p *Plateau) Observe(number float64) {
	k := p.state.Tensor().F64()
	better := k[plateauSeen] == 0 && !math.IsNaN(number)
	if k[plateauSeen] != 0 {
		better = number < k[plateauBest]*(1-p.Threshold)
		if p.Maximize {
			better = number > k[plateauBest]*(1+p.Threshold)
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

// Scale is the factor of the rates that the numbers so far have left.
func (p *Plateau) Scale() float64 { return p.state.Tensor().F64()[plateauScale] }

// States are what the schedule keeps, and the one that it scales.
func (p *Plateau) States() []*tarn.Param {
	if p == nil || p.state == nil {
		return nil
	}
	return append(scheduleStates(p.Then), p.state)
}

// States are those of the schedules joined.
func (j Join) States() []*tarn.Param {
	return append(scheduleStates(j.First), scheduleStates(j.Then)...)
}

// States are those of the schedule that follows.
func (w Warmup) States() []*tarn.Param { return scheduleStates(w.Then) }

// States are those of the schedules multiplied.
func (p Product) States() []*tarn.Param {
	var states []*tarn.Param
	for _, s := range p {
		states = append(states, scheduleStates(s)...)
	}
	return states
}

// scheduleStates are what a schedule keeps for a checkpoint: of one that has a method States.
func scheduleStates(s Schedule) []*tarn.Param {
	if keeper, ok := s.(interface{ States() []*tarn.Param }); ok {
		return keeper.States()
	}
	return nil
}
