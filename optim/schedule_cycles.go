package optim

import (
	"cmp"
	"math"

	"github.com/seed-49005b45/tarn"
)

// This file holds the schedules of long trainings and of cycles: warmup-stable-decay, the inverse square root, and triangles.

// WarmupStableDecay rises in a straight line to Rate over some steps, stays there, and falls to Min at the end:
//
//	Rate (t+1) / Warmup                              for Warmup steps
//	Rate                                             for Stable steps
//	Min + (Rate - Min) (1 - (n / Decay)^Power)       for Decay steps, of which n are done, and then Min
//
// Power 1 is a straight line, and 0.5 the cooldown by 1 - sqrt. A training can be prolonged from any step of the stable part.
// (Hu et al. 2024, MiniCPM: unveiling the potential of small language models with scalable training strategies; Hägele et al. 2024, Scaling laws and
// compute-optimal training beyond fixed training durations.)
//
// Equal to torch.optim.lr_scheduler.SequentialLR of LinearLR, ConstantLR and LinearLR with Power 1, and to optax.join_schedules of the same.
type WarmupStableDecay struct {
	Rate, Min             float64
	Warmup, Stable, Decay int     // steps; Warmup and Stable may be 0
	Power                 float64 // 0 means 1
}

// At returns the rate at a step.
func (w WarmupStableDecay) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "WarmupStableDecay", step: step}
	s.rate("Rate", w.Rate)
	s.rate("Min", w.Min)
	s.require(w.Min <= w.Rate, "Min is %v and above Rate %v", w.Min, w.Rate)
	s.require(w.Warmup >= 0 && w.Stable >= 0, "Warmup is %d and Stable %d; they should not be negative", w.Warmup, w.Stable)
	s.steps("Decay", w.Decay)
	power := cmp.Or(w.Power, 1)
	s.require(power > 0 && !math.IsInf(power, 1), "Power is %v and should be finite and positive", power)
	return s.value(func() *tarn.Value {
		begin := float64(w.Warmup) + float64(w.Stable)
		rate := progress(step, begin, begin+float64(w.Decay)).Pow(tarn.Num(power)).Scale(w.Min - w.Rate).AddNum(w.Rate)
		if w.Warmup > 0 {
			rate = rate.Mul(step.AddNum(1).Scale(1 / float64(w.Warmup)).Minimum(tarn.Num(1)))
		}
		return rate
	})
}

// InverseSqrt rises in a straight line to Rate over some steps and then falls with the root of their number:
//
//	Rate * min(n / Warmup, sqrt(Warmup / n))       n = t + 1
//
// It is Noam with its largest rate as a setting, and fairseq's inverse_sqrt from a warmup_init_lr of 0. In PyTorch it is
// torch.optim.lr_scheduler.LambdaLR of this formula.
type InverseSqrt struct {
	Rate   float64
	Warmup int // steps of the rise, at least 1
}

// At returns the rate at a step.
func (i InverseSqrt) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "InverseSqrt", step: step}
	s.rate("Rate", i.Rate)
	s.steps("Warmup", i.Warmup)
	return s.value(func() *tarn.Value {
		x := step.AddNum(1).Scale(1 / float64(i.Warmup))
		return x.Minimum(x.Rsqrt()).Scale(i.Rate)
	})
}

// Cyclic goes up and down between two rates in straight lines, over and over:
//
//	Min + (Max - Min) * h * CycleFactor^c * StepFactor^t
//
// where h rises from 0 to 1 over Up steps and falls to 0 over Down steps, and c is the number of cycles that are over.
// (Smith 2017, Cyclical learning rates for training neural networks.)
//
// Equal to torch.optim.lr_scheduler.CyclicLR without its cycle of the momentum: mode "triangular" is both factors 1, "triangular2" is
// CycleFactor 0.5, and "exp_range" is StepFactor gamma.
type Cyclic struct {
	Min, Max    float64
	Up          int
	Down        int     // 0 means Up
	CycleFactor float64 // 0 means 1
	StepFactor  float64 // 0 means 1
}

// At returns the rate at a step.
func (y Cyclic) At(step *tarn.Value) *tarn.Value {
	s := settings{name: "Cyclic", step: step}
	s.rate("Min", y.Min)
	s.rate("Max", y.Max)
	s.require(y.Min <= y.Max, "Min is %v and above Max %v", y.Min, y.Max)
	s.steps("Up", y.Up)
	down := cmp.Or(y.Down, y.Up)
	s.steps("Down", down)
	cycle, each := cmp.Or(y.CycleFactor, 1), cmp.Or(y.StepFactor, 1)
	s.require(cycle > 0 && cycle <= 1 && each > 0 && each <= 1, "CycleFactor is %v and StepFactor %v; they should lie in (0, 1]", cycle, each)
	return s.value(func() *tarn.Value {
		n := float64(y.Up) + float64(down)
		over := step.Div(tarn.Num(n)).Floor()
		at := step.Sub(over.Scale(n))
		h := at.Scale(1 / float64(y.Up)).Minimum(at.Neg().AddNum(n).Scale(1 / float64(down)))
		if cycle != 1 {
			h = h.Mul(step.Num(cycle).Pow(over))
		}
		if each != 1 {
			h = h.Mul(step.Num(each).Pow(step))
		}
		return h.Scale(y.Max - y.Min).AddNum(y.Min)
	})
}
