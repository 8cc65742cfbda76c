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

// This file compares further optimizers and variants of known ones with torch.optim, Optax and the papers: see testdata/variants.py.

// variants are the optimizers of the goldens.
var variants = map[string]func() optim.Optimizer{
	"asgd": func() optim.Optimizer { return optim.NewASGD(0.001) },
	"asgd options": func() optim.Optimizer {
		o := optim.NewASGD(0.001)
		o.Lambda, o.Alpha, o.Start, o.WeightDecay = 0.1, 0.5, 4, 0.1
		return o
	},
	"yogi": func() optim.Optimizer { return optim.NewYogi(0.1) },
	"yogi options": func() optim.Optimizer {
		o := optim.NewYogi(0.1)
		o.Beta1, o.Beta2, o.Epsilon = 0.8, 0.9, 1e-2
		return o
	},
	"novograd": func() optim.Optimizer { return optim.NewNovoGrad(0.01) },
	"novograd options": func() optim.Optimizer {
		o := optim.NewNovoGrad(0.01)
		o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay = 0.8, 0.5, 1e-3, 0.1
		return o
	},
	"ftrl": func() optim.Optimizer { return optim.NewFtrl(0.1) },
	"ftrl options": func() optim.Optimizer {
		o := optim.NewFtrl(0.1)
		o.Initial, o.L1, o.L2, o.Beta = 0.5, 0.3, 0.2, 0.4
		return o
	},
	"ademamix": func() optim.Optimizer { return optim.NewAdEMAMix(0.01) },
	"ademamix options": func() optim.Optimizer {
		o := optim.NewAdEMAMix(0.01)
		o.Beta1, o.Beta2, o.Beta3, o.Alpha, o.Epsilon, o.WeightDecay = 0.8, 0.9, 0.99, 2, 1e-3, 0.1
		return o
	},
	"ademamix warmup": func() optim.Optimizer {
		o := optim.NewAdEMAMix(0.01)
		o.Warmup = 12
		return o
	},
	"mars": func() optim.Optimizer { return optim.NewMARS(0.01) },
	"mars options": func() optim.Optimizer {
		o := optim.NewMARS(0.01)
		o.Beta1, o.Beta2, o.Epsilon, o.Gamma, o.WeightDecay = 0.9, 0.8, 1e-3, 0.1, 0.1
		return o
	},
	"cautious adamw": func() optim.Optimizer {
		return optim.NewChain(0.1, optim.Cautious{Then: optim.NewScaleByAdam()}, optim.DecayWeights(0.1))
	},
	"cautious lion": func() optim.Optimizer { return optim.NewChain(0.01, optim.Cautious{Then: optim.NewLion(0)}) },
	"grokfast": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.Before = []optim.Transform{&optim.Grokfast{Alpha: 0.9, Lambda: 1.5}}
		return o
	},
	"adam epsilon root": func() optim.Optimizer {
		o := optim.NewAdam(0.1)
		o.Beta2, o.Epsilon, o.EpsilonRoot = 0.9, 1e-4, 1e-3
		return o
	},
	"adamw epsilon root": func() optim.Optimizer {
		o := optim.NewAdamW(0.1)
		o.EpsilonRoot, o.WeightDecay = 1e-3, 0.1
		return o
	},
	"nadam decoupled": func() optim.Optimizer {
		o := optim.NewNAdam(0.1)
		o.WeightDecay, o.Decoupled = 0.1, true
		return o
	},
	"nadam constant": func() optim.Optimizer {
		o := optim.NewNAdam(0.1)
		o.MomentumDecay = 1e9
		return o
	},
	"rmsprop nesterov": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Momentum, o.Nesterov = 0.5, true
		return o
	},
	"rmsprop corrected": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Alpha, o.Epsilon, o.EpsilonRoot, o.Initial, o.BiasCorrection = 0.9, 0, 1e-6, 0.1, true
		return o
	},
	"rmsprop corrected centered": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Alpha, o.Epsilon, o.EpsilonRoot, o.Centered, o.BiasCorrection = 0.8, 0, 25, true, true
		return o
	},
	"radam nesterov": func() optim.Optimizer {
		o := optim.NewRAdam(0.001)
		o.Epsilon, o.Nesterov = 0, true
		return o
	},
	"radam nesterov options": func() optim.Optimizer {
		o := optim.NewRAdam(0.001)
		o.Beta1, o.Beta2, o.Epsilon, o.Nesterov = 0.8, 0.9, 0, true
		return o
	},
	"adafactor unscaled": func() optim.Optimizer {
		o := optim.NewAdafactor(0.05)
		o.Epsilon1, o.Unscaled = 1e-18, true
		return o
	},
	"adafactor unfactored": func() optim.Optimizer {
		o := optim.NewAdafactor(0.1)
		o.Epsilon1, o.Unfactored = 1e-18, true
		return o
	},
	"adafactor unscaled unfactored": func() optim.Optimizer {
		o := optim.NewAdafactor(0.05)
		o.Epsilon1, o.Decay, o.Limit, o.Unscaled, o.Unfactored = 1e-18, 0.6, 1.5, true, true
		return o
	},
	"clip order 1": func() optim.Optimizer {
		return optim.NewChain(0.01, optim.ClipByNormOf{Order: 1, Limit: 0.5})
	},
	"clip order infinity": func() optim.Optimizer {
		return optim.NewChain(0.01, optim.ClipByNormOf{Order: math.Inf(1), Limit: 0.1})
	},
}

func readVariants(t *testing.T) (g firstOrderGoldens) {
	data, err := os.ReadFile("testdata/variants.json")
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestVariantsEqualReferences(t *testing.T) {
	recorded := readVariants(t)
	followPaths(t, variants, recorded)
	// A clip that another type does in the same way.
	same := optim.NewChain(0.01, optim.ClipByNormOf{Order: 2, Limit: 0.5})
	p, q := network(tarn.F64), network(tarn.F64)
	one, two := p.compile(t, same, p.rows), q.compile(t, optim.NewChain(0.01, optim.ClipByNorm(0.5)), q.rows)
	for range 5 {
		run(t, one, p.batch())
		run(t, two, q.batch())
	}
	if !slices.Equal(p.values(), q.values()) {
		t.Errorf("a norm of order 2 goes to %v, ClipByNorm to %v", p.values(), q.values())
	}
}

// TestFtrlMakesZeros expects an L1 penalty to leave only the weight whose gradient is above it.
func TestFtrlMakesZeros(t *testing.T) {
	o := optim.NewFtrl(1)
	o.L1 = 2
	p := quadratic(tarn.F64) // whose gradients are (w-1), 10 (w+2) and 0.1 (w-3)
	program := p.compile(t, o, p.rows)
	for range 2 {
		run(t, program, p.batch())
	}
	if w := p.values(); w[0] != 0 || !(w[1] < 0) || w[2] != 0 {
		t.Errorf("the weights are %v, want 0, a negative number and 0", w)
	}
}

func TestCyclesEqualReferences(t *testing.T) {
	schedules := map[string]optim.Schedule{
		"cyclic":             optim.Cyclic{Min: 0.01, Max: 0.3, Up: 4},
		"cyclic halved":      optim.Cyclic{Min: 0.01, Max: 0.3, Up: 3, Down: 5, CycleFactor: 0.5},
		"cyclic exponential": optim.Cyclic{Min: 0.01, Max: 0.3, Up: 2, StepFactor: 0.9},
		"cosine power":       optim.Cosine{Rate: 0.3, Min: 0.03, Steps: 12, Power: 2.5},
		"stable":             optim.WarmupStableDecay{Rate: 0.3, Min: 0.03, Warmup: 5, Stable: 6, Decay: 7},
		"inverse root":       optim.InverseSqrt{Rate: 0.3, Warmup: 6},
	}
	ratesEqual(t, schedules, readVariants(t).Schedules)
}

// ratesEqual compares schedules with recorded rates.
func ratesEqual(t *testing.T, schedules map[string]optim.Schedule, recorded map[string][]float64) {
	if a, b := slices.Sorted(maps.Keys(recorded)), slices.Sorted(maps.Keys(schedules)); !slices.Equal(a, b) {
		t.Fatalf("the goldens have %q, the test %q", a, b)
	}
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			steps := make([]int64, len(want))
			for i := range steps {
				steps[i] = int64(i)
			}
			got, err := optim.Rates(schedules[name], steps...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-12 {
					t.Fatalf("step %d: %v, the reference has %v", i, got[i], want[i])
				}
			}
		})
	}
}
