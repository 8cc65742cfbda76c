package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-49005b45/tarn"
	_ "github.com/seed-49005b45/tarn/internal/testgc"
	"github.com/seed-49005b45/tarn/optim"
)

// This file compares the optimizers and schedules with what torch.optim does: see testdata/goldens.py.

type goldens struct {
	Paths     map[string]map[string][][]float64
	Schedules map[string][]float64
}

func readGoldens(t *testing.T) goldens {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldens
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// cases are the optimizers of the goldens.
var cases = map[string]func() optim.Optimizer{
	"sgd": func() optim.Optimizer { return optim.NewSGD(0.001) },
	"sgd decay": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.WeightDecay = 0.1
		return o
	},
	"sgd momentum": func() optim.Optimizer { return optim.NewMomentum(0.001) },
	"sgd momentum decay": func() optim.Optimizer {
		o := optim.NewSGD(0.001)
		o.Momentum, o.WeightDecay = 0.8, 0.1
		return o
	},
	"sgd dampening": func() optim.Optimizer {
		o := optim.NewMomentum(0.001)
		o.Dampening = 0.5
		return o
	},
	"sgd nesterov": func() optim.Optimizer { return optim.NewNesterov(0.001) },
	"rmsprop":      func() optim.Optimizer { return optim.NewRMSprop(0.01) },
	"rmsprop alpha epsilon decay": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Alpha, o.Epsilon, o.WeightDecay = 0.9, 1e-3, 0.1
		return o
	},
	"rmsprop momentum": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Momentum = 0.9
		return o
	},
	"rmsprop centered": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Centered = true
		return o
	},
	"rmsprop centered momentum": func() optim.Optimizer {
		o := optim.NewRMSprop(0.01)
		o.Centered, o.Momentum = true, 0.5
		return o
	},
	"adagrad": func() optim.Optimizer { return optim.NewAdagrad(0.1) },
	"adagrad decays": func() optim.Optimizer {
		o := optim.NewAdagrad(0.1)
		o.RateDecay, o.WeightDecay = 0.1, 0.1
		return o
	},
	"adagrad initial epsilon": func() optim.Optimizer {
		o := optim.NewAdagrad(0.1)
		o.Initial, o.Epsilon = 0.1, 1e-3
		return o
	},
	"adam": func() optim.Optimizer { return optim.NewAdam(0.1) },
	"adam betas epsilon": func() optim.Optimizer {
		o := optim.NewAdam(0.1)
		o.Beta1, o.Beta2, o.Epsilon = 0.8, 0.9, 1e-3
		return o
	},
	"adam decay": func() optim.Optimizer {
		o := optim.NewAdam(0.1)
		o.WeightDecay = 0.1
		return o
	},
	"adamw": func() optim.Optimizer { return optim.NewAdamW(0.1) },
	"adamw decay": func() optim.Optimizer {
		o := optim.NewAdamW(0.1)
		o.WeightDecay = 0.3
		return o
	},
	"sgd clip norm": func() optim.Optimizer {
		o := optim.NewSGD(0.01)
		o.ClipNorm = 0.5
		return o
	},
	"sgd clip value": func() optim.Optimizer {
		o := optim.NewSGD(0.01)
		o.ClipValue = 0.25
		return o
	},
	"adam clip both": func() optim.Optimizer {
		o := optim.NewAdam(0.1)
		o.ClipValue, o.ClipNorm = 0.25, 0.3
		return o
	},
	"sgd one cycle": func() optim.Optimizer {
		o := optim.NewSGD(0)
		o.Rate = optim.NewOneCycle(0.002, 21)
		return o
	},
	"adamw groups": func() optim.Optimizer {
		o := optim.NewAdamW(0.1)
		o.WeightDecay = 0.2
		o.Group(optim.Vectors).Decay = 0
		o.Group(optim.Under("w1")).Rate = 0.1
		return o
	},
	"adam frozen": func() optim.Optimizer { return optim.NewAdam(0.1) },
}

// worst is the largest difference of two lists, relative to 1 or to the second list's element.
func worst(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range got {
		e := math.Abs(got[i]-want[i]) / math.Max(1, math.Abs(want[i]))
		if !(e <= d) {
			d = e
		}
	}
	return d
}

func TestOptimizersEqualPyTorch(t *testing.T) {
	const steps = 20
	kept := map[string][]int{"network": {1, 2, 5, 10, 20}}
	recorded := readGoldens(t).Paths
	if a, b := slices.Sorted(maps.Keys(recorded)), slices.Sorted(maps.Keys(cases)); !slices.Equal(a, b) {
		t.Fatalf("the goldens have %q, the test %q", a, b)
	}
	for name, paths := range recorded {
		for problem, path := range paths {
			for _, dtype := range []tarn.DType{tarn.F64, tarn.F32} {
				t.Run(name+"/"+problem+"/"+dtype.String(), func(t *testing.T) {
					tolerance := map[tarn.DType]float64{tarn.F64: 1e-9, tarn.F32: 1e-4}[dtype]
					p := problems(dtype)[problem]
					if name == "adam frozen" {
						p.params[1].Frozen = true
					}
					program := p.compile(t, cases[name](), p.rows)
					rest := path
					for step := 1; step <= steps; step++ {
						run(t, program, p.batch())
						if k := kept[problem]; k != nil && !slices.Contains(k, step) {
							continue
						}
						if d := worst(p.values(), rest[0]); !(d <= tolerance) {
							t.Fatalf("step %d differs by %.2g:\n got %v\nwant %v", step, d, p.values(), rest[0])
						}
						rest = rest[1:]
					}
				})
			}
		}
	}
}

func TestSchedulesEqualPyTorch(t *testing.T) {
	schedules := map[string]optim.Schedule{
		"constant":      optim.Constant(0.3),
		"linear":        optim.Linear{From: 0.1, To: 0.4, Steps: 12},
		"step":          optim.StepDecay{Rate: 0.1, Factor: 0.3, Every: 7},
		"exponential":   optim.Exponential{Rate: 0.1, Factor: 0.93},
		"cosine":        optim.Cosine{Rate: 0.1, Min: 0.01, Steps: 25},
		"warmup cosine": optim.Warmup{Steps: 5, Then: optim.Cosine{Rate: 0.1, Steps: 20}},
		"join": optim.Join{
			First: optim.Exponential{Rate: 0.1, Factor: 0.9},
			Steps: 10,
			Then:  optim.StepDecay{Rate: 0.1, Factor: 0.5, Every: 4},
		},
		"one cycle":         optim.NewOneCycle(0.1, 40),
		"one cycle options": optim.OneCycle{Max: 0.2, Steps: 33, Rise: 0.45, Start: 10, End: 100},
	}
	recorded := readGoldens(t).Schedules
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
					t.Fatalf("step %d: %v, PyTorch has %v", i, got[i], want[i])
				}
			}
		})
	}
}
