package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the optimisers that the race and the rate test can name, each with the rates that suit it.

// contender is an optimiser by name.
type contender struct {
	name string
	// rate is that of a short training of the MNIST network, from which it falls along a cosine to 0.
	rate float64
	// path is the same for the surfaces of two variables. The steps of those that follow the gradient itself go with its
	// size, so that theirs is in units of 1 / the largest curvature; the others' is about the length of a step.
	path float64
	make func(rate optim.Schedule) optim.Optimizer
}

// contenders are all there are. The rates on MNIST gave the lowest training loss after two epochs with the default network
// and seed among rates about twice as large from one to the next; the relatives of Adam but Adamax take Adam's, and Muon has
// its usual one (Jordan et al. 2024). RMSprop has half of its best, because its first steps, ten times as long as the rate,
// throw it far up there. They suit so short a training with a rate that falls to 0, and are larger than the usual ones for
// that reason. Those on the surfaces arrive on Rosenbrock's and Beale's without straying far; RAdam's is small because its
// first steps follow the gradient itself.
var contenders = []contender{
	{"sgd", 1, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewSGD(0); o.Rate = r; return o }},
	{"momentum", 0.2, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewMomentum(0); o.Rate = r; return o }},
	{"nesterov", 0.2, 0.5, func(r optim.Schedule) optim.Optimizer { o := optim.NewNesterov(0); o.Rate = r; return o }},
	{"adagrad", 0.02, 1, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdagrad(0); o.Rate = r; return o }},
	{"rmsprop", 1e-3, 0.03, func(r optim.Schedule) optim.Optimizer { o := optim.NewRMSprop(0); o.Rate = r; return o }},
	{"adam", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdam(0); o.Rate = r; return o }},
	{"adamw", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamW(0); o.Rate = r; return o }},
	{"adamax", 1e-2, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamax(0); o.Rate = r; return o }},
	{"nadam", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewNAdam(0); o.Rate = r; return o }},
	{"radam", 5e-3, 2e-3, func(r optim.Schedule) optim.Optimizer { o := optim.NewRAdam(0); o.Rate = r; return o }},
	{"adabelief", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdaBelief(0); o.Rate = r; return o }},
	{"adan", 5e-3, 0.2, func(r optim.Schedule) optim.Optimizer { o := optim.NewAdan(0); o.Rate = r; return o }},
	{"lamb", 2e-2, 0.1, func(r optim.Schedule) optim.Optimizer { o := optim.NewLAMB(0); o.Rate = r; return o }},
	{"lion", 1e-3, 0.05, func(r optim.Schedule) optim.Optimizer { o := optim.NewLion(0); o.Rate = r; return o }},
	{"muon", 2e-2, 0.03, newMuon},
}

// newMuon is Muon for the matrices, and Adam at a twentieth of the rate for the biases, so at 1e-3 beside the usual 2e-2.
func newMuon(rate optim.Schedule) optim.Optimizer {
	o := optim.NewMuon(0)
	o.Rate = rate
	o.Group(optim.Not(o.Match)).Rate = 0.05
	return o
}

// pathRate is the rate on a surface with that largest curvature.
func (c *contender) pathRate(curvature float64) float64 {
	if slices.Contains([]string{"sgd", "momentum", "nesterov"}, c.name) {
		return c.path / curvature
	}
	return c.path
}

// findContender finds an optimiser by name, and says what there is where it is not among them.
func findContender(flag, name string) (contender, error) {
	i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if i < 0 {
		names := make([]string, len(contenders))
		for i, c := range contenders {
			names[i] = c.name
		}
		return contender{}, fmt.Errorf("%s %q is unknown; there are: %s", flag, name, strings.Join(names, ", "))
	}
	return contenders[i], nil
}

// initialised is the MNIST network with the weights that a seed gives.
func initialised(hidden []int, seed uint64) (*network, error) {
	m := newNetwork(hidden)
	return m, tarn.Init(m, seed)
}

// finite reports whether a number is one.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
