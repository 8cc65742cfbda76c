package optim

import (
	"cmp"
	"math"
	"reflect"

	"github.com/seed-49005b45/tarn"
)

// This file holds Schedule, the learning rate as a function of the step. Each schedule is written once, as part of the graph;
// Rates runs that same graph over many steps to print or draw it.

// Schedule returns the learning rate at a step. The step is the number of updates before this one, in F64, which is exact up to
// 2^53. A schedule works element by element, so step may also be an array. A schedule with invalid settings
// reports that in the graph.
type Schedule interface {
	At(step *tarn.Value) *tarn.Value
}

// ScheduleFunc is a function that is a Schedule.
type ScheduleFunc func(step *tarn.Value) *tarn.Value

// At calls the function.
func (f ScheduleFunc) At(step *tarn.Value) *tarn.Value {
	if f == nil {
		return nil
	}
	return f(step)
}

// isNil reports whether v is nil or holds a nil pointer or function.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return v == nil || (r.Kind() == reflect.Pointer || r.Kind() == reflect.Func) && r.IsNil()
}

// rateAt returns the rate of a schedule, and reports a schedule that returns none.
func rateAt(s Schedule, step *tarn.Value) *tarn.Value {
	if !isNil(s) {
		if rate := s.At(step); rate != nil {
			return rate
		}
	}
	return step.Graph().Fail("optim.Schedule", []*tarn.Value{step}, "the schedule %T returns no rate", s)
}

// Rates computes the learning rates at some steps.
func Rates(s Schedule, steps ...int64) ([]float64, error) {
	if len(steps) == 0 {
		return nil, nil
	}
	g := tarn.NewGraph()
	at := tarn.Zeros(tarn.F64, len(steps))
	for i, step := range steps {
		at.F64()[i] = float64(step)
	}
	step := g.Input("step", tarn.F64, len(steps))
	rates := rateAt(s, step).Expand(len(steps))                                       // a schedule that ignores the step returns a scalar
	program, err := tarn.CompileOn(nil, g, tarn.Outputs{"rate": rates, "step": step}) // a few numbers, which no accelerator's compiler is worth
	if err != nil {
		return nil, err
	}
	out, err := program.Run(at)
	if err != nil {
		return nil, err
	}
	return out["rate"].Floats(), nil
}

// settings checks the fields of a schedule. Its value is the rate, or poisoned if a field is invalid.
type settings struct {
	name string
	step *tarn.Value
	bad  *tarn.Value
}

func (s *settings) require(ok bool, format string, args ...any) {
	if !ok && s.bad == nil {
		s.bad = s.step.Graph().Fail("optim."+s.name, []*tarn.Value{s.step}, format, args...)
	}
}

// rate checks a learning rate or a factor: a finite number of at least 0.
func (s *settings) rate(name string, x float64) {
	s.require(x >= 0 && !math.IsInf(x, 1), "%s is %v and should be finite and not negative", name, x)
}

// steps checks a number of steps.
func (s *settings) steps(name string, n int) {
	s.require(n >= 1, "%s is %d and should be at least 1", name, n)
}

// value is the rate, unless a setting was bad.
func (s *settings) value(rate func() *tarn.Value) *tarn.Value {
	if s.bad != nil {
		return s.bad
	}
	return rate()
}

// Constant is the same rate at every step.
type Constant float64

// At returns the rate.
func (r Constant) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Constant", step: step}
	s.rate("the rate", float64(r))
	return s.value(func() *tarn.Value { return step.Num(float64(r)) })
}

// Linear goes in a straight line from one rate to another over some steps, and stays there:
//
//	From + (To - From) * min(t, Steps) / Steps
//
// Equal to torch.optim.lr_scheduler.LinearLR and optax.linear_schedule.
type Linear struct {
	From, To float64
	Steps    int
}

// At returns the rate at a step.
func (l Linear) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Linear", step: step}
	s.rate("From", l.From)
	s.rate("To", l.To)
	s.steps("Steps", l.Steps)
	return s.value(func() *tarn.Value {
		return progress(step, 0, float64(l.Steps)).Scale(l.To - l.From).AddNum(l.From)
	})
}

// progress rises from 0 at the step from to 1 at the step to, and is level outside.
func progress(step *tarn.Value, from, to float64) *tarn.Value {
	return step.AddNum(-from).Div(tarn.Num(to-from)).Clip(tarn.Num(0), tarn.Num(1))
}

// StepDecay multiplies the rate by a factor after every Every steps: Rate * Factor^floor(t / Every).
//
// Equal to torch.optim.lr_scheduler.StepLR.
type StepDecay struct {
	Rate   float64
	Factor float64 // 0 means 0.1
	Every  int
}

// At returns the rate at a step.
func (d StepDecay) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "StepDecay", step: step}
	factor := cmp.Or(d.Factor, 0.1)
	s.rate("Rate", d.Rate)
	s.rate("Factor", factor)
	s.steps("Every", d.Every)
	return s.value(func() *tarn.Value {
		return step.Num(factor).Pow(step.Div(tarn.Num(d.Every)).Floor()).Scale(d.Rate)
	})
}

// Exponential multiplies the rate by a factor at every step: Rate * Factor^t.
//
// Equal to torch.optim.lr_scheduler.ExponentialLR.
type Exponential struct {
	Rate   float64
	Factor float64 // above 0
}

// At returns the rate at a step.
func (e Exponential) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Exponential", step: step}
	s.rate("Rate", e.Rate)
	s.require(e.Factor > 0 && !math.IsInf(e.Factor, 1), "Factor is %v and should be finite and positive", e.Factor)
	return s.value(func() *tarn.Value { return step.Num(e.Factor).Pow(step).Scale(e.Rate) })
}

// Cosine goes from Rate to Min along half a wave of the cosine over some steps, and stays there:
//
//	Min + (Rate - Min) * ((1 + cos(pi * min(t, Steps) / Steps)) / 2)^Power
//
// (Loshchilov and Hutter 2017, SGDR: stochastic gradient descent with warm restarts.)
//
// Equal to torch.optim.lr_scheduler.CosineAnnealingLR, which has no Power, up to Steps, after which that rises again, and to
// optax.cosine_decay_schedule, whose exponent is Power.
type Cosine struct {
	Rate, Min float64
	Steps     int
	Power     float64 // 0 means 1
}

// At returns the rate at a step.
func (w Cosine) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Cosine", step: step}
	s.rate("Rate", w.Rate)
	s.rate("Min", w.Min)
	s.require(w.Min <= w.Rate, "Min is %v and above Rate %v", w.Min, w.Rate)
	s.steps("Steps", w.Steps)
	power := cmp.Or(w.Power, 1)
	s.require(power > 0 && !math.IsInf(power, 1), "Power is %v and should be finite and positive", power)
	return s.value(func() *tarn.Value {
		x := progress(step, 0, float64(w.Steps))
		if power == 1 {
			return anneal(w.Rate, w.Min, x)
		}
		return anneal(1, 0, x).Maximum(tarn.Num(0)).Pow(tarn.Num(power)).Scale(w.Rate - w.Min).AddNum(w.Min)
	})
}

// anneal goes from one rate to another along half a wave of the cosine as x goes from 0 to 1.
func anneal(from, to float64, x *tarn.Value) *tarn.Value {
	return x.Scale(math.Pi).Cos().AddNum(1).Scale((from - to) / 2).AddNum(to)
}

// Join follows one schedule for some steps and then another from its beginning.
//
// Equal to torch.optim.lr_scheduler.SequentialLR and optax.join_schedules.
type Join struct {
	First Schedule
	Steps int // of First
	Then  Schedule
}

// At returns the rate at a step.
func (j Join) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Join", step: step}
	s.steps("Steps", j.Steps)
	return s.value(func() *tarn.Value {
		n := float64(j.Steps)
		return step.Lt(tarn.Num(n)).Where(rateAt(j.First, step), rateAt(j.Then, step.AddNum(-n).Maximum(tarn.Num(0))))
	})
}

// Warmup rises in a straight line to the first rate of another schedule, which it then follows from its beginning. The first of
// its steps has 1/Steps of that rate, so that no step has the rate 0.
//
// (Goyal et al. 2017, Accurate, large minibatch SGD.) Equal to torch.optim.lr_scheduler.SequentialLR of a LinearLR with
// start_factor 1/Steps and total_iters Steps-1, and the other.
type Warmup struct {
	Steps int
	Then  Schedule
}

// At returns the rate at a step.
func (w Warmup) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Warmup", step: step}
	s.steps("Steps", w.Steps)
	return s.value(func() *tarn.Value {
		n := float64(w.Steps)
		ramp := rateAt(w.Then, step.Num(0)).Mul(step.AddNum(1).Scale(1 / n))
		return step.Lt(tarn.Num(n)).Where(ramp, rateAt(w.Then, step.AddNum(-n).Maximum(tarn.Num(0))))
	})
}

// Polynomial goes from one rate to another over some steps, along a power of what is left of them, and stays there:
//
//	To + (From - To) * (1 - min(t, Steps)/Steps)^Power
//
// Equal to torch.optim.lr_scheduler.PolynomialLR with To 0, and to optax.polynomial_schedule.
type Polynomial struct {
	From, To float64
	Steps    int
	Power    float64 // 0 means 1, a straight line
}

// At returns the rate at a step.
func (p Polynomial) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Polynomial", step: step}
	s.rate("From", p.From)
	s.rate("To", p.To)
	s.steps("Steps", p.Steps)
	power := cmp.Or(p.Power, 1)
	s.require(power > 0 && !math.IsInf(power, 1), "Power is %v and should be finite and positive", power)
	return s.value(func() *tarn.Value {
		left := progress(step, 0, float64(p.Steps)).Neg().AddNum(1)
		return left.Pow(tarn.Num(power)).Scale(p.From - p.To).AddNum(p.To)
	})
}

// MultiStep multiplies the rate by a factor at each of some steps: Rate * Factor^(number of At <= t).
//
// Equal to torch.optim.lr_scheduler.MultiStepLR and, with one factor, optax.piecewise_constant_schedule.
type MultiStep struct {
	Rate   float64
	Factor float64 // 0 means 0.1
	Steps  []int
}

// At returns the rate at a step.
func (m MultiStep) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "MultiStep", step: step}
	factor := cmp.Or(m.Factor, 0.1)
	s.rate("Rate", m.Rate)
	s.rate("Factor", factor)
	s.require(len(m.Steps) > 0, "Steps is empty; Constant is a rate that does not change")
	for i, n := range m.Steps {
		s.require(n >= 0 && (i == 0 || n > m.Steps[i-1]), "Steps are %v and should rise from 0 on", m.Steps)
	}
	return s.value(func() *tarn.Value {
		rate := step.Num(m.Rate)
		for i, n := range m.Steps {
			rate = step.Ge(tarn.Num(n)).Where(step.Num(m.Rate*math.Pow(factor, float64(i+1))), rate)
		}
		return rate
	})
}

// WarmRestarts repeats Cosine, each time over Stretch times as many steps:
//
//	Min + (Rate - Min) * (1 + cos(pi * (steps since the restart) / (steps between restarts))) / 2
//
// (Loshchilov and Hutter 2017, SGDR: stochastic gradient descent with warm restarts.)
//
// Equal to torch.optim.lr_scheduler.CosineAnnealingWarmRestarts with T_0 Steps and T_mult Stretch.
type WarmRestarts struct {
	Rate, Min float64
	Steps     int // to the first restart
	Stretch   int // 0 means 1, as many steps each time
}

// At returns the rate at a step.
func (w WarmRestarts) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "WarmRestarts", step: step}
	s.rate("Rate", w.Rate)
	s.rate("Min", w.Min)
	s.require(w.Min <= w.Rate, "Min is %v and above Rate %v", w.Min, w.Rate)
	s.steps("Steps", w.Steps)
	stretch := cmp.Or(w.Stretch, 1)
	s.steps("Stretch", stretch)
	return s.value(func() *tarn.Value {
		n, m := float64(w.Steps), float64(stretch)
		x := step.Div(tarn.Num(n)) // in units of the first period
		if stretch == 1 {
			return anneal(w.Rate, w.Min, x.Sub(x.Floor()))
		}
		// The k-th restart is at 1 + m + ... + m^(k-1) = (m^k - 1)/(m - 1). The logarithm may fall short by its rounding.
		k := x.Scale(m - 1).AddNum(1).Log().Scale(1 / math.Log(m)).AddNum(1e-12).Floor()
		period := step.Num(m).Pow(k).Round()
		since := x.Sub(period.AddNum(-1).Div(tarn.Num(m - 1)))
		return anneal(w.Rate, w.Min, since.Div(period))
	})
}

// Noam rises in a straight line over some steps and then falls with the root of their number:
//
//	Factor * Width^-0.5 * min(n^-0.5, n * Steps^-1.5)       n = t + 1
//
// (Vaswani et al. 2017, Attention is all you need, section 5.3, where Width is that of the model and Factor 1.) It is
// torch.optim.lr_scheduler.LambdaLR of this formula.
type Noam struct {
	Factor float64 // 0 means 1
	Width  int
	Steps  int // of the rise
}

// At returns the rate at a step.
func (n Noam) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Noam", step: step}
	factor := cmp.Or(n.Factor, 1)
	s.rate("Factor", factor)
	s.steps("Width", n.Width)
	s.steps("Steps", n.Steps)
	return s.value(func() *tarn.Value {
		count := step.AddNum(1)
		return count.Rsqrt().Minimum(count.Scale(math.Pow(float64(n.Steps), -1.5))).Scale(factor / math.Sqrt(float64(n.Width)))
	})
}

// Product multiplies schedules: the first returns rates and the others factors.
//
// Equal to torch.optim.lr_scheduler.ChainedScheduler.
type Product []Schedule

// At returns the rate at a step.
func (p Product) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Product", step: step}
	s.require(len(p) > 0, "there is no schedule in it")
	return s.value(func() *tarn.Value {
		rate := rateAt(p[0], step)
		for _, factor := range p[1:] {
			rate = rate.Mul(rateAt(factor, step))
		}
		return rate
	})
}

// OneCycle rises from Max/Start to Max and falls to Max/(Start*End), both along half a wave of the cosine:
//
//	over the steps 0 to Rise*Steps - 1 up, and from there to Steps - 1 down
//
// (Smith and Topin 2019, Super-convergence: very fast training of neural networks using large learning rates.)
//
// Equal to torch.optim.lr_scheduler.OneCycleLR without its cycle of the momentum.
type OneCycle struct {
	Max   float64
	Steps int     // of the whole cycle
	Rise  float64 // the share of the steps that go up
	Start float64 // Max over the first rate: div_factor
	End   float64 // the first rate over the last: final_div_factor
}

// NewOneCycle returns the cycle with Rise 0.3, Start 25 and End 1e4.
func NewOneCycle(max float64, steps int) *OneCycle {
	return &OneCycle{Max: max, Steps: steps, Rise: 0.3, Start: 25, End: 1e4}
}

// At returns the rate at a step.
func (o OneCycle) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "OneCycle", step: step}
	s.rate("Max", o.Max)
	s.steps("Steps", o.Steps)
	s.require(o.Rise >= 0 && o.Rise <= 1, "Rise is %v and should lie in [0, 1]", o.Rise)
	for _, d := range []struct {
		name string
		x    float64
	}{{"Start", o.Start}, {"End", o.End}} {
		s.require(d.x > 0 && !math.IsInf(d.x, 1), "%s is %v and should be finite and positive; NewOneCycle has the usual numbers", d.name, d.x)
	}
	s.require(o.Start >= 1, "Start is %v, so that the first rate would be above Max; it should be at least 1", o.Start)
	s.require(o.Start*o.End >= 1, "End is %v with Start %v, so that the last rate would be above Max; their product should be at least 1", o.End, o.Start)
	return s.value(func() *tarn.Value {
		first := o.Max / o.Start
		peak, last := o.Rise*float64(o.Steps)-1, float64(o.Steps)-1
		down := func() *tarn.Value { return anneal(o.Max, first/o.End, progress(step, peak, last)) }
		up := func() *tarn.Value { return anneal(first, o.Max, progress(step, 0, peak)) }
		switch {
		case peak <= 0: // too short to rise
			peak = 0
			if last == 0 {
				return step.Num(o.Max)
			}
			return down()
		case peak >= last:
			return up()
		}
		return step.Le(tarn.Num(peak)).Where(up(), down())
	})
}
