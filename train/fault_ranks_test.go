package train_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/optim"
	"github.com/seed-49005b45/tarn/predict"
	"github.com/seed-49005b45/tarn/train"
	"github.com/seed-49005b45/tarn/watch"
)

// ranksWork is what ranks do together, beside whole trainings. It returns what rank 0 has made, with all bits.
var ranksWork = map[string]func(c dist.Comm) (string, error){
	"steps that are watched":                     watchedWork(false),
	"steps that are watched, with split updates": watchedWork(true),
	"an evaluation": func(c dist.Comm) (string, error) {
		m := rankModels[0]
		model, build := m.make()
		if err := tarn.Init(model, 3); err != nil {
			return "", err
		}
		e, err := train.NewEval(build)
		if err != nil {
			return "", err
		}
		e.Comm = c
		counts, auc := &train.ConfusionMatrix{}, &train.ROCAUC{}
		loss, err := e.Measure(context.Background(), m.set(), 5, "label", counts, auc)
		return fmt.Sprintf("%x %v %x", math.Float64bits(loss), counts.Counts, math.Float64bits(auc.Value())), err
	},
	"a prediction": func(c dist.Comm) (made string, err error) {
		m := rankModels[0]
		model, build := m.make()
		if err := tarn.Init(model, 3); err != nil {
			return "", err
		}
		p, err := predict.New(func(g *tarn.Graph, n int) tarn.Outputs {
			return tarn.Outputs{"prediction": build(g, n)["prediction"]}
		}, predict.Options{Sizes: []int{8}})
		if err != nil {
			return "", err
		}
		err = p.Over(context.Background(), c, m.set(), 8, func(out tarn.Results) error {
			made += fmt.Sprintf("%x", out["prediction"].Raw())
			return nil
		})
		return made, err
	},
	"a search for a minimum": func(c dist.Comm) (string, error) {
		s, err := minimize.NewSum(c, 8, func(i int) (minimize.Problem, error) {
			return minimize.Problem{
				Func: func(x []float64) float64 { return math.Cosh(x[0]-float64(i)) + math.Pow(x[1]-x[0], 2) },
				Grad: func(dst, x []float64) {
					dst[0], dst[1] = math.Sinh(x[0]-float64(i))-2*(x[1]-x[0]), 2*(x[1]-x[0])
				},
			}, nil
		})
		if err != nil {
			return "", err
		}
		res, err := s.Run(context.Background(), []float64{0, 1}, &minimize.LBFGS{}, minimize.Options{})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%x", res.X), nil
	},
}

// watchedWork returns work that takes steps and looks at them.
func watchedWork(zero bool) func(c dist.Comm) (string, error) {
	return func(c dist.Comm) (string, error) {
		m := rankModels[0]
		model, build := m.make()
		if err := tarn.Init(model, 3); err != nil {
			return "", err
		}
		step, err := train.NewStepOf(build, model, optim.NewAdamW(1e-2))
		if err != nil {
			return "", err
		}
		step.Shards, step.Watch = &train.Shards{Comm: c, ZeRO: zero}, watch.New(watch.Options{Every: 2, Histograms: true})
		x, y := must(m.set().Tensor("x")), must(m.set().Tensor("label"))
		var last float64
		for range 3 {
			r, err := step.Run(43, x, y)
			if err != nil {
				return "", err
			}
			if r.Look != nil {
				last = float64(r.Look.Params.UpdateNorm[0])
			}
		}
		return fmt.Sprintf("%x %x", rankSums(must(tarn.Params(model))), math.Float64bits(last)), nil
	}
}

// TestRanksFaults lets ranks be slow, and die at any of their calls: all end soon, those that live with an error, and if no rank dies the result has the same bits.
func TestRanksFaults(t *testing.T) {
	trials := 100 // of each
	if testing.Short() {
		trials = 10
	}
	for name, work := range ranksWork {
		want := ""
		for r, err := range disttest.Run(1, disttest.Options{}, func(c dist.Comm) (err error) { want, err = work(c); return err }) {
			if err != nil || want == "" {
				t.Fatalf("%s: rank %d: %v", name, r, err)
			}
		}
		died, late := 0, 0
		for seed := range uint64(trials) {
			random := rand.New(rand.NewPCG(seed, 5))
			ranks := 2 + random.IntN(3)
			at, dead := random.IntN(40), random.IntN(ranks)
			o := disttest.Options{Seed: seed, Delay: time.Duration(random.IntN(2)) * 20 * time.Microsecond}
			if seed%4 > 0 {
				o.Die = func(rank, call int) bool { return rank == dead && call == at }
			}
			got, done := "", make(chan []error, 1)
			go func() {
				done <- disttest.Run(ranks, o, func(c dist.Comm) error {
					made, err := work(c)
					if c.Rank() == 0 && err == nil {
						got = made
					}
					return err
				})
			}()
			var errs []error
			select {
			case errs = <-done:
			case <-time.After(3 * time.Minute):
				t.Fatalf("%s: seed %d: the ranks hang", name, seed)
			}
			failed := 0
			for _, err := range errs {
				if err != nil {
					failed++
				}
			}
			switch {
			case errs[dead] != nil && o.Die != nil:
				died++
				if failed < ranks { // those that had their part of the last call of all may not have missed it
					late++
				}
			case failed > 0:
				t.Errorf("%s: seed %d: %v", name, seed, errs)
			case got != want:
				t.Errorf("%s: seed %d: %d ranks made %.200s, and one %.200s", name, seed, ranks, got, want)
			}
		}
		t.Logf("%s: in %d of %d trials a rank died, in %d of them after all that others needed", name, died, trials, late)
		if died == 0 || late > died/3 {
			t.Errorf("%s: in %d of %d trials a rank died, in %d others did not notice", name, died, trials, late)
		}
	}
}
