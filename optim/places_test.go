package optim_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests where in a chain a transform may stand, the learning rate of params that a transform leaves to others, and
// what an update refuses.

// rateTakers are transforms that multiply by the learning rate themselves.
var rateTakers = map[string]func() optim.Transform{
	"Adafactor":         func() optim.Transform { return optim.NewAdafactor(0) },
	"LARS":              func() optim.Transform { return optim.NewLARS(0) },
	"Rprop":             func() optim.Transform { return optim.NewRprop(0) },
	"Prodigy":           func() optim.Transform { return optim.NewProdigy(0) },
	"DAdaptAdam":        func() optim.Transform { return optim.NewDAdaptAdam(0) },
	"DAdaptSGD":         func() optim.Transform { return optim.NewDAdaptSGD(0) },
	"ScheduleFreeSGD":   func() optim.Transform { return optim.NewScheduleFreeSGD(0) },
	"ScheduleFreeAdamW": func() optim.Transform { return optim.NewScheduleFreeAdamW(0) },
	"NewtonCG":          func() optim.Transform { return optim.NewNewtonCG(0, "") },
}

// TestOnlyKeepsTheRate gives some params to a transform that takes the rate, and expects the others to train as they would alone
// with the same gradient, and the decay to be that of a step.
func TestOnlyKeepsTheRate(t *testing.T) {
	const rate = 1e-3
	for name, make := range rateTakers {
		for _, form := range []string{"only", "only, then adam", "adam, then only", "only, then decay", "kfac"} {
			p, q := network(tarn.F64), network(tarn.F64)
			only := optim.Only{Match: optim.Vectors, Then: make()}
			adam := optim.Only{Match: optim.Matrices, Then: optim.NewScaleByAdam()}
			var opt, other optim.Optimizer
			switch form {
			case "only":
				opt, other = optim.NewChain(rate, only), optim.NewChain(rate)
			case "only, then adam":
				opt, other = optim.NewChain(rate, only, adam), optim.NewChain(rate, adam)
			case "adam, then only":
				opt, other = optim.NewChain(rate, adam, only), optim.NewChain(rate, adam)
			case "only, then decay":
				if strings.HasPrefix(name, "ScheduleFree") {
					continue // whose steps must stay as they are
				}
				opt, other = optim.NewChain(rate, only, optim.DecayWeights(0.1)), optim.NewChain(rate, optim.DecayWeights(0.1))
			case "kfac": // the second layer has a factor of 5 rows and is left to Others
				if strings.HasPrefix(name, "ScheduleFree") {
					continue
				}
				k, o := optim.NewKFAC(rate), optim.NewKFAC(rate)
				k.Others, k.MaxSize, o.MaxSize, k.KL, o.KL = make(), 4, 4, 0, 0
				opt, other = k, o
			}
			run(t, p.compile(t, opt, p.rows), p.batch())
			run(t, q.compile(t, other, q.rows), q.batch())
			for i, w := range p.params {
				got, want := w.Tensor().Floats(), q.params[i].Tensor().Floats()
				alone := optim.Matrices("", w)
				if form == "kfac" {
					alone = i < 2
				}
				if alone && !slices.Equal(got, want) {
					t.Errorf("%s, %s: %v went to %v, without it to %v", name, form, w, got, want)
				}
			}
		}
	}
}

func TestPlacesInAChain(t *testing.T) {
	sgd := func(before, after []optim.Transform) optim.Optimizer {
		o := optim.NewSGD(0.1)
		o.Before, o.After = before, after
		return o
	}
	type list = []optim.Transform
	const toAfter, toBefore = "put it in After", "put it in Before"
	for _, test := range []struct {
		name string
		opt  optim.Optimizer
		want string
	}{
		{"EMA in Before", sgd(list{optim.EMA{}}, nil), "EMA: it takes steps, which are updates times the learning rate, and has been given updates that are not: put it in After"},
		{"SWA in Before", sgd(list{optim.SWA{}}, nil), toAfter},
		{"Lookahead in Before", sgd(list{optim.NewLookahead()}, nil), toAfter},
		{"schedule-free in Before", sgd(list{optim.NewScheduleFree()}, nil), toAfter},
		{"line search in Before", sgd(list{optim.NewLineSearch()}, nil), toAfter},
		{"EMA among the transforms", optim.NewChain(0.1, optim.EMA{}), toAfter},
		{"EMA of some", optim.NewChain(0.1, optim.Only{Match: optim.Vectors, Then: optim.EMA{}}), "EMA: it takes steps"},
		{"EMA after a transform that takes the rate", optim.NewChain(0.1, optim.NewLARS(0), optim.EMA{}), ""},
		{"EMA after one that takes it for some", optim.NewChain(0.1, optim.Only{Match: optim.Vectors, Then: optim.NewLARS(0)}, optim.EMA{}), toAfter},
		{"SAM in After", sgd(nil, list{optim.SAM{}}), "SAM: it takes gradients and has been given steps, which are multiplied by the learning rate: put it in Before"},
		{"SAM after states", optim.NewChain(0.1, optim.NewScaleByAdam(), optim.SAM{}), "SAM: a transform before it keeps states"},
		{"SAM first among the transforms", optim.NewChain(0.1, optim.SAM{}, optim.NewScaleByAdam()), ""},
		{"Adam in After", sgd(nil, list{optim.NewScaleByAdam()}), toBefore},
		{"an optimizer in After", sgd(nil, list{optim.NewLion(0)}), "Lion: it takes gradients"},
		{"trust ratio in After", sgd(nil, list{optim.NewScaleByTrustRatio()}), toBefore},
		{"Adam after LARS", optim.NewChain(0.1, optim.NewLARS(0), optim.NewScaleByAdam()), toBefore},
		{"LARS in After", sgd(nil, list{optim.NewLARS(0)}), "it multiplies by the learning rate, which has been done before"},
		{"clipping in After", sgd(nil, list{optim.ClipByNorm(1)}), ""},
		{"a change after EMA", sgd(nil, list{optim.EMA{}, optim.NewLookahead()}), `Lookahead: it changes the step of param "w1", from which EMA has computed the weights after the step: put EMA after it`},
		{"EMA at the end", sgd(nil, list{optim.NewLookahead(), optim.EMA{}, optim.SWA{}}), ""},
		{"clipping after schedule-free", func() optim.Optimizer {
			o := optim.NewScheduleFreeSGD(0.1)
			o.After = list{optim.ClipByValue(1)}
			return o
		}(), "put ScheduleFreeSGD after it"},
		{"a graft that averages", func() optim.Optimizer {
			o := optim.NewShampoo(0.1)
			o.Graft = optim.NewScheduleFreeSGD(0)
			return o
		}(), "Graft is ScheduleFreeSGD, which keeps weights of its own"},
	} {
		p := network(tarn.F64)
		_, err := test.opt.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: the error is %v, want %q in it", test.name, err, test.want)
		}
	}
}

// panicking is a transform that fails with a panic.
type panicking struct{}

func (panicking) Apply(c *optim.Context, u []*tarn.Value) []*tarn.Value {
	for _, s := range c.Slots {
		s.State("panicking", 0)
	}
	panic("transform")
}

// TestAFailedUpdateLeavesNothing expects an optimizer whose Update has failed to be as new: for another model, with other settings.
func TestAFailedUpdateLeavesNothing(t *testing.T) {
	broken := map[string]func(o *optim.AdamW, p *problem){
		"setting":  func(o *optim.AdamW, p *problem) { o.Beta1 = 2 },
		"decay":    func(o *optim.AdamW, p *problem) { o.WeightDecay = -1 },
		"place":    func(o *optim.AdamW, p *problem) { o.After = []optim.Transform{optim.EMA{}, optim.NewLookahead()} },
		"group":    func(o *optim.AdamW, p *problem) { o.Group(optim.Under("nowhere")) },
		"schedule": func(o *optim.AdamW, p *problem) { o.Rate = optim.Constant(math.NaN()) },
		"panic":    func(o *optim.AdamW, p *problem) { o.After = []optim.Transform{panicking{}} },
		"loss": func(o *optim.AdamW, p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return g.Input("x", tarn.F64).Square() }
		},
		"graph": func(o *optim.AdamW, p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[0].Value(g) }
		},
	}
	for name, spoil := range broken {
		p, o := network(tarn.F64), optim.NewAdamW(0.1)
		spoil(o, p)
		err := errors.New("panic")
		func() {
			defer func() { recover() }()
			_, err = o.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
		}()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if states := statesOf(t, o); states.Len() != 0 || len(o.Averages()) != 0 {
			t.Errorf("%s: a failed update leaves %d states and %d averages", name, states.Len(), len(o.Averages()))
		}
		if name == "group" {
			continue
		}
		// The same names, of another model.
		o.Beta1, o.WeightDecay, o.After, o.Rate = 0.9, 0.1, nil, optim.Constant(0.1)
		again := network(tarn.F64)
		if _, err := o.Update(again.loss(tarn.NewGraph(), again.rows), named(again.params...)); err != nil {
			t.Errorf("%s: the update after it: %v", name, err)
		}
	}
}

// TestAFailedUpdateKeepsTakenAverages expects the params to be as they were.
func TestAFailedUpdateKeepsTakenAverages(t *testing.T) {
	p, o := network(tarn.F64), optim.NewSGD(0.1)
	o.After = []optim.Transform{optim.EMA{Decay: 0.5}}
	program := p.compile(t, o, p.rows)
	run(t, program, p.batch())
	run(t, program, p.batch())
	trained := p.values()
	if err := o.TakeAverages(); err != nil {
		t.Fatal(err)
	}
	taken := p.values()
	o.WeightDecay = -1
	if _, err := o.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...)); err == nil || !slices.Equal(p.values(), taken) {
		t.Errorf("the error is %v, the params %v", err, p.values())
	}
	o.WeightDecay = 0
	if _, err := o.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...)); err != nil || !slices.Equal(p.values(), trained) {
		t.Errorf("the error is %v, the params %v, want %v", err, p.values(), trained)
	}
}

func TestWhatAnUpdateRefuses(t *testing.T) {
	loss := func(f func(g *tarn.Graph, p *problem) *tarn.Value) func(o *optim.SGD, p *problem) {
		return func(o *optim.SGD, p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return f(g, p) }
		}
	}
	rate := func(f func(step *tarn.Value) *tarn.Value) func(o *optim.SGD, p *problem) {
		return func(o *optim.SGD, p *problem) { o.Rate = optim.ScheduleFunc(f) }
	}
	for _, test := range []struct {
		name  string
		spoil func(o *optim.SGD, p *problem)
		want  string
	}{
		{"a group of nothing", func(o *optim.SGD, p *problem) { o.Group(optim.Under("wq")).Rate = 0.1 }, `group 0 matches none of the 4 params, which are "w1", "b1", "w2", "b2"`},
		{"a group of frozen params", func(o *optim.SGD, p *problem) { p.params[0].Frozen = true; o.Group(optim.Under("w1")).Rate = 0.1 }, ""},
		{"a loss of inputs", loss(func(g *tarn.Graph, p *problem) *tarn.Value { return g.Input("x", tarn.F64, 3).Sum() }), "depends on none of the 4 trainable params"},
		{"a loss behind StopGradient", loss(func(g *tarn.Graph, p *problem) *tarn.Value { return p.params[0].Value(g).StopGradient().Sum() }), "depends on none"},
		{"a loss through integers", loss(func(g *tarn.Graph, p *problem) *tarn.Value {
			return p.params[0].Value(g).ArgMax(1).Cast(tarn.F64).Sum()
		}), "depends on none"},
		{"a loss of another model", loss(func(g *tarn.Graph, p *problem) *tarn.Value { return network(tarn.F64).params[0].Value(g).Sum() }), "was it computed from another model"},
		{"a loss of a frozen param", func(o *optim.SGD, p *problem) {
			p.params[0].Frozen = true
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[0].Value(g).Sum() }
		}, "depends on none of the 3 trainable params"},
		{"a loss of one param", loss(func(g *tarn.Graph, p *problem) *tarn.Value { return p.params[3].Value(g).Sum() }), ""},
		{"a loss through a branch", loss(func(g *tarn.Graph, p *problem) *tarn.Value {
			return tarn.Cond(g.Runs().Gt(tarn.Num(2)), []*tarn.Value{p.params[0].Value(g)}, func(in []*tarn.Value) []*tarn.Value {
				return []*tarn.Value{in[0].Sum()}
			}, func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Mean()} })[0]
		}), ""},
		{"a schedule of NaN", rate(func(step *tarn.Value) *tarn.Value { return step.Num(math.NaN()) }), "returns the learning rate NaN at step 0"},
		{"a negative schedule", rate(func(step *tarn.Value) *tarn.Value { return step.AddNum(-1) }), "returns the learning rate -1 at step 0"},
		{"an infinite schedule", rate(func(step *tarn.Value) *tarn.Value { return step.Reciprocal() }), "returns the learning rate +Inf at step 0"},
		{"a schedule from 0", rate(func(step *tarn.Value) *tarn.Value { return step.Scale(0.1) }), ""},
	} {
		p, o := network(tarn.F64), optim.NewSGD(0.1)
		test.spoil(o, p)
		_, err := o.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: the error is %v, want %q in it", test.name, err, test.want)
		}
	}
	// A schedule of the program's own input cannot be known before.
	p, o := quadratic(tarn.F64), optim.NewSGD(0.1)
	g := tarn.NewGraph()
	input := g.Input("rate", tarn.F64)
	o.Rate = optim.ScheduleFunc(func(*tarn.Value) *tarn.Value { return input })
	if _, err := o.Update(p.loss(g, 0), named(p.params...)); err != nil {
		t.Error(err)
	}
}
