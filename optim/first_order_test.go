package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares the optimizers beside those of golden_test.go with what torch.optim, Optax and dadaptation do: see
// testdata/first_order.py.

// onesHessian is an estimate of the Hessian's diagonal without random numbers: the Hessian times ones.
func onesHessian(c *optim.Context) []*tarn.Value {
	var params []*tarn.Value
	var ones []*tarn.Value
	for _, s := range c.Slots {
		params = append(params, s.Value)
		ones = append(ones, c.Graph.Num(s.Param.DType(), 1).Expand(s.Param.Shape()...))
	}
	return tarn.HVP(c.Loss, params, ones)
}

// firstOrder are the optimizers of the goldens.
var firstOrder = map[string]func() optim.Optimizer{
	"adadelta": func() optim.Optimizer { return optim.NewAdadelta(1) },
	"adadelta options": func() optim.Optimizer {
		o := optim.NewAdadelta(0.5)
		o.Rho, o.Epsilon, o.WeightDecay = 0.8, 1e-3, 0.1
		return o
	},
	"rprop": func() optim.Optimizer { return optim.NewRprop(0.01) },
	"rprop options": func() optim.Optimizer {
		o := optim.NewRprop(0.01)
		o.Shrink, o.Grow, o.MinStep, o.MaxStep = 0.4, 1.5, 0.004, 0.03
		return o
	},
	"adam amsgrad": func() optim.Optimizer {
		o := optim.NewAdam(0.1)
		o.Beta2, o.AMSGrad = 0.8, true
		return o
	},
	"adamw amsgrad": func() optim.Optimizer {
		o := optim.NewAdamW(0.1)
		o.Beta2, o.AMSGrad = 0.8, true
		return o
	},
	"adamax": func() optim.Optimizer { return optim.NewAdamax(0.1) },
	"adamax options": func() optim.Optimizer {
		o := optim.NewAdamax(0.1)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay = 0.8, 0.9, 1e-3, 0.1
		return o
	},
	"nadam": func() optim.Optimizer { return optim.NewNAdam(0.1) },
	"nadam options": func() optim.Optimizer {
		o := optim.NewNAdam(0.1)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay, o.MomentumDecay = 0.8, 0.9, 1e-3, 0.1, 0.1
		return o
	},
	"radam": func() optim.Optimizer { return optim.NewRAdam(0.001) },
	"radam options": func() optim.Optimizer {
		o := optim.NewRAdam(0.001)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay = 0.8, 0.99, 1e-3, 0.1
		return o
	},
	"radam decoupled": func() optim.Optimizer {
		o := optim.NewRAdam(0.001)
		o.WeightDecay, o.Decoupled = 0.1, true
		return o
	},
	"adafactor": func() optim.Optimizer { return optim.NewAdafactor(0.1) },
	"adafactor options": func() optim.Optimizer {
		o := optim.NewAdafactor(0.5)
		o.Decay, o.Epsilon1, o.Epsilon2, o.Limit, o.WeightDecay = 0.6, 1e-4, 0.1, 1.5, 0.1
		return o
	},
	"dadapt sgd": func() optim.Optimizer {
		o := optim.NewDAdaptSGD(1)
		o.Distance = 1e-3
		return o
	},
	"dadapt sgd options": func() optim.Optimizer {
		o := optim.NewDAdaptSGD(1)
		o.Rate, o.Momentum, o.WeightDecay, o.Distance, o.Growth = optim.Constant(0.5), 0.5, 0.1, 1e-3, 1.5
		return o
	},
	"sgd ema": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.After = []optim.Transform{optim.EMA{Decay: 0.8}}
		return o
	},
	"sgd swa": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.After = []optim.Transform{optim.SWA{Every: 3}}
		return o
	},
	"adan": func() optim.Optimizer { return optim.NewAdan(0.1) },
	"adan options": func() optim.Optimizer {
		o := optim.NewAdan(0.1)
		o.Beta1, o.Beta2, o.Beta3, o.Epsilon, o.WeightDecay = 0.9, 0.8, 0.95, 1e-3, 0.1
		return o
	},
	"lion": func() optim.Optimizer { return optim.NewLion(0.01) },
	"lion options": func() optim.Optimizer {
		o := optim.NewLion(0.01)
		o.Beta1, o.Beta2, o.WeightDecay = 0.8, 0.9, 0.5
		return o
	},
	"lamb": func() optim.Optimizer { return optim.NewLAMB(0.05) },
	"lamb options": func() optim.Optimizer {
		o := optim.NewLAMB(0.05)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay = 0.8, 0.9, 1e-3, 0.1
		return o
	},
	"lars": func() optim.Optimizer { return optim.NewLARS(10) },
	"lars options": func() optim.Optimizer {
		o := optim.NewLARS(0.001)
		o.Momentum, o.Nesterov, o.Coefficient, o.Epsilon, o.WeightDecay, o.Match = 0.5, true, 20, 0.1, 0.1, optim.Matrices
		return o
	},
	"adabelief": func() optim.Optimizer { return optim.NewAdaBelief(0.01) },
	"adabelief options": func() optim.Optimizer {
		o := optim.NewAdaBelief(0.01)
		o.Beta1, o.Beta2, o.Epsilon = 0.8, 0.9, 1e-5
		return o
	},
	"muon": func() optim.Optimizer { return optim.NewMuon(0.02) },
	"muon options": func() optim.Optimizer {
		o := optim.NewMuon(0.02)
		o.Momentum = optim.ScaleByMuon{Beta: 0.8, Epsilon: 1e-3, Iterations: 3, MatchRMS: 0.2}
		o.Adam, o.WeightDecay = optim.ScaleByAdam{Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3}, 0.1
		return o
	},
	"sophia": func() optim.Optimizer {
		o := optim.NewSophia(0.01)
		o.Every, o.Diagonal = 3, onesHessian
		return o
	},
	"sophia options": func() optim.Optimizer {
		o := optim.NewSophia(0.01)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay, o.Gamma, o.Limit, o.Every = 0.8, 0.9, 1e-3, 0.1, 0.5, 0.3, 1
		o.Diagonal = onesHessian
		return o
	},
	"prodigy": func() optim.Optimizer {
		o := optim.NewProdigy(1)
		o.Distance = 1e-3
		return o
	},
	"prodigy options": func() optim.Optimizer {
		o := optim.NewProdigy(1)
		o.Rate, o.Beta1, o.Beta2, o.Beta3, o.Epsilon = optim.Constant(0.5), 0.8, 0.9, 0.7, 1e-3
		o.Distance, o.Growth, o.WeightDecay, o.Safeguard = 1e-3, 2, 0.1, true
		return o
	},
	"dadapt adam": func() optim.Optimizer {
		o := optim.NewDAdaptAdam(1)
		o.Distance = 1e-3
		return o
	},
	"dadapt adam options": func() optim.Optimizer {
		o := optim.NewDAdaptAdam(1)
		o.Rate, o.Beta1, o.Beta2, o.Epsilon, o.Distance, o.WeightDecay = optim.Constant(0.5), 0.8, 0.9, 1e-3, 1e-2, 0.1
		return o
	},
	"schedule-free sgd": func() optim.Optimizer {
		o := optim.NewScheduleFreeSGD(0.002)
		o.Beta, o.WeightDecay = 0.8, 0.1
		return o
	},
	"schedule-free adamw": func() optim.Optimizer {
		o := optim.NewScheduleFreeAdamW(0.05)
		o.Beta2, o.WeightDecay = 0.95, 0.1
		return o
	},
	"sam": func() optim.Optimizer {
		o := optim.NewMomentum(0.001)
		o.Before = []optim.Transform{optim.SAM{Rho: 0.05}}
		return o
	},
	"lookahead": func() optim.Optimizer {
		o := optim.NewAdam(0.05)
		o.After = []optim.Transform{optim.Lookahead{Steps: 3, Share: 0.4}}
		return o
	},
	"centralize": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.Before = []optim.Transform{optim.Centralize{}}
		return o
	},
	"clip adaptive": func() optim.Optimizer {
		o := optim.NewSGD(0.1)
		o.Before = []optim.Transform{optim.ClipAdaptive{Limit: 0.1, Epsilon: 1e-3}}
		return o
	},
}

type firstOrderGoldens struct {
	Paths, Averages map[string]map[string][][]float64
	Schedules       map[string][]float64
	Plateaus        map[string][]float64
}

func readFirstOrder(t *testing.T) firstOrderGoldens {
	data, err := os.ReadFile("testdata/first_order.json")
	if err != nil {
		t.Fatal(err)
	}
	var g firstOrderGoldens
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// averagesOf are the weights for evaluation of all params.
func averagesOf(t *testing.T, opt optim.Optimizer, p *problem) []float64 {
	t.Helper()
	before, averages := p.values(), []float64(nil)
	err := optim.WithAverages(opt, func() error {
		averages = p.values()
		return nil
	})
	if err != nil || !slices.Equal(before, p.values()) {
		t.Fatalf("the params came back as %v, not %v: %v", p.values(), before, err)
	}
	return averages
}

func TestFirstOrderEqualsReferences(t *testing.T) { followPaths(t, firstOrder, readFirstOrder(t)) }

// followPaths compares trainings by some optimizers with recorded ones.
func followPaths(t *testing.T, optimizers map[string]func() optim.Optimizer, recorded firstOrderGoldens) {
	if a, b := slices.Sorted(maps.Keys(recorded.Paths)), slices.Sorted(maps.Keys(optimizers)); !slices.Equal(a, b) {
		t.Fatalf("the goldens have %q, the test %q", a, b)
	}
	for name, paths := range recorded.Paths {
		for problem, path := range paths {
			for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-3} {
				t.Run(name+"/"+problem+"/"+dtype.String(), func(t *testing.T) {
					p, opt, averages := problems(dtype)[problem], optimizers[name](), recorded.Averages[name][problem]
					p.follow(t, opt, path, tolerance, func(at int) {
						if averages == nil {
							return
						}
						if got := averagesOf(t, opt, p); !(worst(got, averages[at]) <= tolerance) {
							t.Fatalf("the averages are\n%v, not\n%v", got, averages[at])
						}
					})
				})
			}
		}
	}
}

func TestFurtherSchedulesEqualPyTorch(t *testing.T) {
	schedules := map[string]optim.Schedule{
		"polynomial":           optim.Polynomial{From: 0.3, Steps: 12, Power: 1.7},
		"multi-step":           optim.MultiStep{Rate: 0.3, Factor: 0.2, Steps: []int{3, 4, 11}},
		"warm restarts":        optim.WarmRestarts{Rate: 0.3, Min: 0.01, Steps: 7, Stretch: 1},
		"warm restarts double": optim.WarmRestarts{Rate: 0.3, Steps: 3, Stretch: 2},
		"warm restarts triple": optim.WarmRestarts{Rate: 0.3, Steps: 1, Stretch: 3},
		"noam":                 optim.Noam{Factor: 1, Width: 512, Steps: 8},
		"product": optim.Product{
			optim.Exponential{Rate: 0.3, Factor: 0.9},
			optim.MultiStep{Rate: 1, Factor: 0.5, Steps: []int{5}},
		},
	}
	ratesEqual(t, schedules, readFirstOrder(t).Schedules)
}

// TestPlateau compares with PyTorch, saves and loads in the middle, and follows the rate in a program compiled before.
func TestPlateau(t *testing.T) {
	losses := []float64{5, 4, 4, 3.9999, 4.5, 3, 3.5, math.NaN(), 3.2, 3.1, 3, 2.9, 2.9, 2.8999, 2.9, 2.95, 2.7, 2.8, 2.8, 2.8, 2.8}
	makers := map[string]func() *optim.Plateau{
		"min": func() *optim.Plateau {
			p := optim.NewPlateau(optim.Constant(0.3))
			p.Factor, p.Patience, p.MinScale = 0.5, 1, 0.01/0.3
			return p
		},
		"cooldown": func() *optim.Plateau {
			p := optim.NewPlateau(optim.Constant(0.3))
			p.Factor, p.Patience, p.Cooldown, p.Threshold = 0.2, 0, 2, 0.01
			return p
		},
		"max": func() *optim.Plateau {
			p := optim.NewPlateau(optim.Constant(0.3))
			p.Maximize, p.Patience, p.Factor = true, 2, 0.5
			return p
		},
		"absolute": func() *optim.Plateau {
			p := optim.NewPlateau(optim.Constant(0.3))
			p.Absolute, p.Threshold, p.Patience, p.Factor = true, 0.15, 1, 0.5
			return p
		},
		"absolute max": func() *optim.Plateau {
			p := optim.NewPlateau(optim.Constant(0.3))
			p.Absolute, p.Maximize, p.Threshold, p.Patience, p.Factor = true, true, 0.15, 1, 0.5
			return p
		},
	}
	recorded := readFirstOrder(t).Plateaus
	maps.Copy(recorded, readVariants(t).Plateaus)
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			plateau := makers[name]()
			opt := optim.NewSGD(0)
			opt.Rate = optim.Warmup{Steps: 1, Then: optim.Join{First: plateau, Steps: 1, Then: optim.Product{plateau}}}
			for i, loss := range losses {
				if makers[name]().Maximize {
					loss = -loss
				}
				if i == 9 { // a training that is continued
					fresh := makers[name]()
					again := optim.NewSGD(0)
					again.Rate = optim.Product{fresh}
					if statesOf(t, opt).Len() != 1 || statesOf(t, again).Len() != 1 {
						t.Fatalf("the states are %v and %v", statesOf(t, opt).List(), statesOf(t, again).List())
					}
					for name, s := range statesOf(t, again).All() {
						if err := s.Set(statesOf(t, opt).Lookup(name).Tensor()); err != nil {
							t.Fatal(err)
						}
					}
					plateau, opt = fresh, again
				}
				opt.Observe(loss)
				rate, err := opt.RateAt(int64(i))
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(rate-want[i]) > 1e-12 || math.Abs(plateau.Scale()*0.3-want[i]) > 1e-12 {
					t.Fatalf("number %d: rate %v and scale %v, PyTorch has %v", i, rate, plateau.Scale(), want[i])
				}
			}
		})
	}
	// A program that is compiled already takes the new rate.
	plateau, opt, p := optim.NewPlateau(optim.Constant(1)), optim.NewSGD(0), quadratic(tarn.F64)
	plateau.Patience, opt.Rate = 0, plateau
	program := p.compile(t, opt, 0)
	run(t, program, nil)
	first := p.values()[0] - 0.5
	if err := p.params[0].Set(quadratic(tarn.F64).params[0].Tensor()); err != nil {
		t.Fatal(err)
	}
	plateau.Observe(1)
	plateau.Observe(1)
	run(t, program, nil)
	if second := p.values()[0] - 0.5; math.Abs(second-first/10) > 1e-15 || first == 0 {
		t.Errorf("steps %v and %v", first, second)
	}
}
