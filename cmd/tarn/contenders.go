package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file holds the optimisers that the rate test can name.

// contender is an optimiser by name.
type contender struct {
	name string
	make func(rate optim.Schedule) optim.Optimizer
}

// contenders are all there are.
var contenders = []contender{
	{"sgd", func(r optim.Schedule) optim.Optimizer { o := optim.NewSGD(0); o.Rate = r; return o }},
	{"momentum", func(r optim.Schedule) optim.Optimizer { o := optim.NewMomentum(0); o.Rate = r; return o }},
	{"nesterov", func(r optim.Schedule) optim.Optimizer { o := optim.NewNesterov(0); o.Rate = r; return o }},
	{"adagrad", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdagrad(0); o.Rate = r; return o }},
	{"rmsprop", func(r optim.Schedule) optim.Optimizer { o := optim.NewRMSprop(0); o.Rate = r; return o }},
	{"adam", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdam(0); o.Rate = r; return o }},
	{"adamw", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamW(0); o.Rate = r; return o }},
	{"adamax", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdamax(0); o.Rate = r; return o }},
	{"nadam", func(r optim.Schedule) optim.Optimizer { o := optim.NewNAdam(0); o.Rate = r; return o }},
	{"radam", func(r optim.Schedule) optim.Optimizer { o := optim.NewRAdam(0); o.Rate = r; return o }},
	{"adabelief", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdaBelief(0); o.Rate = r; return o }},
	{"adan", func(r optim.Schedule) optim.Optimizer { o := optim.NewAdan(0); o.Rate = r; return o }},
	{"lamb", func(r optim.Schedule) optim.Optimizer { o := optim.NewLAMB(0); o.Rate = r; return o }},
	{"lion", func(r optim.Schedule) optim.Optimizer { o := optim.NewLion(0); o.Rate = r; return o }},
	{"muon", newMuon},
}

// newMuon is Muon for the matrices, and Adam at a twentieth of the rate for the biases, so at 1e-3 beside the usual 2e-2.
func newMuon(rate optim.Schedule) optim.Optimizer {
	o := optim.NewMuon(0)
	o.Rate = rate
	o.Group(optim.Not(o.Match)).Rate = 0.05
	return o
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
