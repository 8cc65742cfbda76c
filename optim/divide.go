package optim

import (
	"fmt"
	"strings"

	"github.com/seed-49005b45/tarn"
)

// This file holds what lets the ranks of a training share an update: each updates parts of the params and keeps the states of those alone. That is possible if
// no part needs what the others are, but for the norm of all gradients, which is passed on.

// Reach is how much of the params a transform must see to update one element.
type Reach int

// The reaches.
const (
	ReachAll     Reach = iota // all params, or it is not known
	ReachParam                // the whole param
	ReachElement              // the element
)

// Local is a Transform that needs only a part of the params. A transform that is not Local needs all.
type Local interface {
	// Reach returns what it needs. Random numbers for each param, and sums over several, need all.
	Reach() Reach
}

// Part is the elements of a param that an optimizer updates.
type Part struct {
	Name  string      // of the whole param
	Whole *tarn.Param // of which the part has the dtype and the number of axes
	First int         // the first of its elements that the part has
}

// Division tells an optimizer that others update other parts of the params.
type Division struct {
	// Parts has the whole params of those that are passed to Update, which may be parts; nil if all are whole and there.
	Parts map[*tarn.Param]Part
	// Norm returns the norm of all elements of the values, one for each slot, on all ranks together, as an F64 scalar.
	Norm func(values []*tarn.Value) *tarn.Value
}

// Divider is an Optimizer whose updates can be divided among several.
type Divider interface {
	// Divisible returns how much of the params it must see, and if that is all of them, the name of a transform that needs it.
	Divisible() (r Reach, who string)
	// Divide sets the division of all further updates; nil is none. The states go with the parts, so a later division uses the parts of an earlier one.
	Divide(d *Division)
	// Division returns the division that is set, or nil.
	Division() *Division
}

// Divide sets the division of all further updates; nil is none.
func (o *Chain) Divide(d *Division) { o.memory.division = d }

// Division returns the division that is set, or nil.
func (o *Chain) Division() *Division { return o.memory.division }

// Divisible returns how much of the params the transforms of the chain must see, and if that is all of them, the name of a transform that needs it.
func (o *Chain) Divisible() (r Reach, who string) {
	r = ReachElement
	for _, list := range [][]Transform{o.Before, o.transforms, o.After} {
		for _, t := range list {
			_, clips := t.(ClipByNorm) // which takes the norm of the division
			if at := reachOf(t); at < r && !clips {
				if r = at; r == ReachAll {
					return r, transformName(t)
				}
			}
		}
	}
	return r, ""
}

// reachOf returns the reach of a transform, which may be the optimizer itself.
func reachOf(t Transform) Reach {
	switch t := t.(type) {
	case Local:
		return t.Reach()
	case *AdaBelief, *Adadelta, *Adagrad, *Adam, *AdamW, *Adamax, *Adan, *AdEMAMix, *ASGD, *Ftrl, *Lion, *NAdam, *RAdam, *RMSprop, *Rprop, *ScheduleFreeSGD,
		*ScheduleFreeAdamW, *SGD, *Yogi:
		return ReachElement
	case *Adafactor, *LARS, *LAMB, *MARS, *Muon, *NovoGrad, *Shampoo, *SOAP:
		return ReachParam
	}
	return ReachAll
}

// transformName is the name of the type of a transform.
func transformName(t Transform) string {
	return strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", t), "*"), "optim.")
}

// matches reports whether m matches the param, or the one that it is a part of.
func (s *Slot) matches(m Match) bool {
	if whole, ok := s.context.chain.memory.division.part(s.Param); ok {
		return m(whole.Name, whole.Whole)
	}
	return m(s.Name, s.Param)
}

// part returns what p is a part of.
func (d *Division) part(p *tarn.Param) (Part, bool) {
	if d == nil {
		return Part{}, false
	}
	part, ok := d.Parts[p]
	return part, ok
}

// Reach returns ReachElement.
func (Grokfast) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (ClipByValue) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (DecayWeights) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (EMA) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (SWA) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (Lookahead) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (ScheduleFree) Reach() Reach { return ReachElement }

// Reach returns ReachElement.
func (ScaleByAdam) Reach() Reach { return ReachElement }

// Reach returns ReachParam.
func (Centralize) Reach() Reach { return ReachParam }

// Reach returns ReachParam.
func (ClipAdaptive) Reach() Reach { return ReachParam }

// Reach returns ReachParam.
func (ScaleByTrustRatio) Reach() Reach { return ReachParam }

// Reach returns ReachParam.
func (ScaleByMuon) Reach() Reach { return ReachParam }

// Reach returns ReachParam.
func (ScaleByShampoo) Reach() Reach { return ReachParam }

// Reach returns ReachParam.
func (ScaleBySOAP) Reach() Reach { return ReachParam }

// Reach returns the reach of Then, and at least that of a whole param, of which it takes the mean.
func (a Cautious) Reach() Reach { return min(ReachParam, reachOf(a.Then)) }

// Reach returns the reach of Then.
func (o Only) Reach() Reach { return reachOf(o.Then) }
