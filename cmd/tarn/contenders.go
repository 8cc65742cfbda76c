package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/list"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the optimizers that the commands know by name, each with the rates that suit it.

// contender is an optimizer by name.
type contender struct {
	name string
	// rate is the initial rate of a training of the MNIST network; it falls along a cosine to 0. For optimizers that find the rate
	// themselves it is a factor.
	rate float64
	// path is the same for the surfaces of two variables. The steps of those that follow the gradient itself go with its
	// size, so that theirs is in units of 1 / the largest curvature; the others' is about the length of a step.
	path float64
	make func(rate optim.Schedule) optim.Optimizer
}

// contenders are all optimizers except Rprop, which is not for small batches, ASGD, whose path is that of sgd, and Ftrl, which is for linear models. Each rate on MNIST is the best of three or more, factors of
// 2 to 3 apart, by the accuracy after two epochs of the default network with seed 1, which is 97.0 to 98.1 % with most; of rates with
// similar results it is the smaller one if the larger makes the loss rise at first, as RMSprop's does, and the larger one otherwise. Muon
// has its usual rate (Jordan et al. 2024), and Prodigy and D-Adaptation of Adam the 1 that they are meant for, unless that failed. They suit
// trainings of a few epochs with a rate that falls to 0, and are larger than the usual ones for that reason. The rates on the surfaces
// arrive on Rosenbrock's and Beale's without straying far; RAdam's is small because its first steps follow the gradient itself.
var contenders = []contender{
	{"sgd", 1, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewSGD(0); o.Rate = r; return o }},
	{"momentum", 0.2, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewMomentum(0); o.Rate = r; return o }},
	{"nesterov", 0.2, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewNesterov(0); o.Rate = r; return o }},
	{"adagrad", 0.02, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdagrad(0); o.Rate = r; return o }},
	{"adadelta", 3, 10, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdadelta(0); o.Rate = r; return o }},
	{"rmsprop", 1e-3, 0.03, func(r optim.Schedule) optim.Optimizer { o := optim.NewRMSprop(0); o.Rate = r; return o }},
	{"adam", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdam(0); o.Rate = r; return o }},
	{"amsgrad", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdam(0); o.AMSGrad = true; o.Rate = r; return o }},
	{"adamw", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamW(0); o.Rate = r; return o }},
	{"adamax", 1e-2, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamax(0); o.Rate = r; return o }},
	{"nadam", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewNAdam(0); o.Rate = r; return o }},
	{"radam", 5e-3, 2e-3, func(r optim.Schedule) optim.Optimizer { o := optim.NewRAdam(0); o.Rate = r; return o }},
	{"adabelief", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdaBelief(0); o.Rate = r; return o }},
	{"adan", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdan(0); o.Rate = r; return o }},
	{"yogi", 2e-2, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewYogi(0); o.Rate = r; return o }},
	{"novograd", 1e-1, 0.03, func(r optim.Schedule) optim.Optimizer { o := optim.NewNovoGrad(0); o.Rate = r; return o }},
	{"ademamix", 4e-3, 0.05, func(r optim.Schedule) optim.Optimizer {
		o := optim.NewAdEMAMix(0)
		o.Beta3, o.Rate = 0.999, r // of short trainings
		return o
	}},
	{"mars", 1e-2, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewMARS(0); o.Rate = r; return o }},
	{"cautious-adamw", 2e-3, 0.2, func(r optim.Schedule) optim.Optimizer {
		o := optim.NewChain(0, optim.Cautious{Then: optim.NewScaleByAdam()}, optim.DecayWeights(0.01))
		o.Rate = r
		return o
	}},
	{"lion", 5e-4, 0.05, func(r optim.Schedule) optim.Optimizer { o := optim.NewLion(0); o.Rate = r; return o }},
	{"lamb", 2e-2, 0.1, func(r optim.Schedule) optim.Optimizer { o := optim.NewLAMB(0); o.Rate = r; return o }},
	{"lars", 10, 10, func(r optim.Schedule) optim.Optimizer { o := optim.NewLARS(0); o.Rate = r; return o }},
	{"adafactor", 1e-1, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdafactor(0); o.Rate = r; return o }},
	{"muon", 2e-2, 0.03, newMuon},
	{"shampoo", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewShampoo(0); o.Rate = r; return o }},
	{"soap", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewSOAP(0); o.Rate = r; return o }},
	{"sophia", 1e-3, 0.05, func(r optim.Schedule) optim.Optimizer { o := optim.NewSophia(0); o.Rate = r; return o }},
	{"kfac", 1e-2, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewKFAC(0); o.Rate = r; return o }},
	{"prodigy", 1, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewProdigy(0); o.Rate = r; return o }},
	{"dadapt-adam", 1, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewDAdaptAdam(0); o.Rate = r; return o }},
	{"dadapt-sgd", 0.1, 0.03, func(r optim.Schedule) optim.Optimizer { o := optim.NewDAdaptSGD(0); o.Rate = r; return o }},
	{"schedulefree-sgd", 3, 5, func(r optim.Schedule) optim.Optimizer { o := optim.NewScheduleFreeSGD(0); o.Rate = r; return o }},
	{"schedulefree-adamw", 2.5e-3, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewScheduleFreeAdamW(0); o.Rate = r; return o }},
}

// newMuon returns Muon for the matrices, and Adam at a twentieth of the rate for the biases, so at 1e-3 beside the usual 2e-2.
func newMuon(rate optim.Schedule) optim.Optimizer {
	o := optim.NewMuon(0)
	o.Rate = rate
	o.Group(optim.Not(o.Match)).Rate = 0.05
	return o
}

// onSurface returns the optimizer for a surface, whose only param is a matrix: Muon has no biases there that a group could match.
func (c *contender) onSurface(rate optim.Schedule) optim.Optimizer {
	if c.name == "muon" {
		o := optim.NewMuon(0)
		o.Rate = rate
		return o
	}
	return c.make(rate)
}

// schedule returns the learning rate of a training: it falls from rate along a cosine to 0, but is constant if the optimizer is
// schedule-free, after a warm-up of a twentieth of the training.
func (c *contender) schedule(rate float64, steps int) optim.Schedule {
	if strings.HasPrefix(c.name, "schedulefree") {
		return optim.Warmup{Steps: max(1, steps/20), Then: optim.Constant(rate)}
	}
	return optim.Cosine{Rate: rate, Steps: max(1, steps)}
}

// pathRate returns the rate on a surface with the given largest curvature. K-FAC finds no layers there and is gradient descent with momentum.
func (c *contender) pathRate(curvature float64) float64 {
	if slices.Contains([]string{"sgd", "momentum", "nesterov", "kfac", "schedulefree-sgd"}, c.name) {
		return c.path / curvature
	}
	return c.path
}

// contenderNames returns their names.
func contenderNames() []string {
	names := make([]string, len(contenders))
	for i, c := range contenders {
		names[i] = c.name
	}
	return names
}

// findContender returns the optimizer of a name. The error for an unknown name lists all of them.
func findContender(flag, name string) (contender, error) {
	i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if i < 0 {
		return contender{}, fmt.Errorf("%s %s is unknown; there are: %s", flag, list.Quote(name), list.Names(contenderNames()))
	}
	return contenders[i], nil
}

// initialized returns the MNIST network with initial weights drawn by a seed.
func initialized(hidden []int, seed uint64) (*network, error) {
	m := newNetwork(hidden)
	return m, tarn.Init(m, seed)
}

// finite reports whether a number is neither infinite nor NaN.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
