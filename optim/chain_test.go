package optim_test

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests what all optimizers have in common: accumulation, states, groups, clipping and the reports of mistakes.

// makers are all optimizers, some with a schedule and clipping, and transforms that draw random numbers.
var makers = func() map[string]func() optim.Optimizer {
	all := map[string]func() optim.Optimizer{
		"adamw schedule": func() optim.Optimizer {
			o := optim.NewAdamW(0)
			o.Rate = optim.Warmup{Steps: 3, Then: optim.Cosine{Rate: 0.1, Steps: 10}}
			o.ClipNorm = 0.1
			return o
		},
		"hutchinson":   func() optim.Optimizer { return optim.NewSophia(0.01) },
		"soap default": func() optim.Optimizer { return optim.NewSOAP(0.01) },
		"noise": func() optim.Optimizer {
			o := optim.NewSGD(0.01)
			o.Before = []optim.Transform{optim.NewGradientNoise(0.1)}
			return o
		},
		"private noise": func() optim.Optimizer {
			o := optim.NewSGD(0.01)
			o.Before = []optim.Transform{optim.PrivateNoise{Noise: 1, Bound: 0.1, Batch: 8}}
			return o
		},
		"swa late": func() optim.Optimizer {
			o := optim.NewMomentum(0.01)
			o.After = []optim.Transform{optim.SWA{Start: 3, Every: 2}}
			return o
		},
		"schedule-free lion": func() optim.Optimizer {
			o := optim.NewLion(0.01)
			o.Rate = optim.Warmup{Steps: 5, Then: optim.Constant(0.01)}
			o.After = []optim.Transform{optim.NewScheduleFree()}
			return o
		},
		"chain": func() optim.Optimizer {
			o := optim.NewChain(0.01, optim.ClipByValue(0.5), optim.NewClipAdaptive(), optim.ClipByNorm(1), optim.ScaleByAdam{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8},
				optim.DecayWeights(0.1), optim.Only{Match: optim.Matrices, Then: optim.NewScaleByTrustRatio()})
			o.After = []optim.Transform{optim.NewLookahead()}
			return o
		},
		"chain muon": func() optim.Optimizer {
			return optim.NewChain(0.01, optim.Only{Match: optim.Matrices, Then: optim.NewScaleByMuon()}, optim.Only{Match: optim.Vectors, Then: optim.NewScaleByAdam()})
		},
		"chain soap default":    func() optim.Optimizer { return optim.NewChain(0.01, optim.NewScaleBySOAP()) },
		"chain shampoo default": func() optim.Optimizer { return optim.NewChain(0.01, optim.NewScaleByShampoo()) },
		"chain shampoo": func() optim.Optimizer {
			return optim.NewChain(0.01, optim.ScaleByShampoo{Beta1: 0.9, Beta2: 0.9, Epsilon: 1e-6, Every: 2, MaxSize: 100, Graft: optim.NewSGD(0)})
		},
		"chain soap": func() optim.Optimizer {
			return optim.NewChain(0.01, optim.ScaleBySOAP{Beta1: 0.9, Beta2: 0.9, MomentsBeta: 0.9, Epsilon: 1e-8, Every: 2, MaxSize: 100})
		},
		"plateau": func() optim.Optimizer {
			plateau := optim.NewPlateau(optim.Constant(0.1))
			plateau.Patience = 0
			plateau.Observe(1)
			plateau.Observe(1)
			o := optim.NewAdam(0)
			o.Rate = plateau
			return o
		},
	}
	for name, make := range kfacCases {
		all[name] = func() optim.Optimizer { return make() }
	}
	all["kfac targets"] = func() optim.Optimizer {
		o := optim.NewKFAC(0.1)
		o.Targets, o.Every, o.FactorsEvery = optim.NormalsAround("prediction"), 3, 2
		return o
	}
	all["gauss-newton-bartlett"] = func() optim.Optimizer {
		o := optim.NewSophia(0.01)
		o.Every, o.Diagonal = 2, optim.GaussNewtonBartlett(optim.NormalsAround("prediction"))
		return o
	}
	maps.Copy(all, cases)
	maps.Copy(all, firstOrder)
	maps.Copy(all, variants)
	all["grokfast default"] = func() optim.Optimizer {
		o := optim.NewSGD(0.01)
		o.Before = []optim.Transform{optim.NewGrokfast()}
		return o
	}
	maps.Copy(all, secondOrder)
	for name, make := range lbfgs {
		all[name] = func() optim.Optimizer { return make("network") }
	}
	all["lbfgs search"] = searching
	for name, make := range newton {
		all[name] = func() optim.Optimizer { return make() }
	}
	return all
}()

// ofBatch are the optimizers whose update depends on how a batch is divided: by its curvature, its random numbers, or its rounding, where
// that decides on a basis.
var ofBatch = []string{"sam", "sophia", "sophia options", "hutchinson", "noise", "private noise", "soap default", "chain soap", "chain soap default",
	"kfac", "kfac options", "kfac without limit", "kfac targets", "gauss-newton-bartlett", "lbfgs search",
	"newton", "newton options", "newton undamped", "gauss-newton", "gauss-newton options"}

// waiting are the optimizers whose first update changes no param.
var waiting = []string{"soap", "soap vectors", "chain soap"}

// setMicroBatches sets the number of micro-batches of any optimizer that embeds a Chain.
func setMicroBatches(o optim.Optimizer, k int) {
	reflect.ValueOf(o).Elem().FieldByName("MicroBatches").SetInt(int64(k))
}

func TestMicroBatchesEqualOneBatch(t *testing.T) {
	for name, make := range makers {
		if slices.Contains(ofBatch, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			whole, parts := network(tarn.F64), network(tarn.F64)
			one := whole.compile(t, make(), whole.rows)

			opt := make()
			setMicroBatches(opt, parts.rows)
			update := parts.compile(t, opt, 1)
			g := tarn.NewGraph()
			loss := parts.loss(g, 1)
			accumulator := opt.(optim.Accumulator)
			updates, err := accumulator.Accumulate(loss, named(parts.params...))
			if err != nil {
				t.Fatal(err)
			}
			accumulate, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, updates...)
			if err != nil {
				t.Fatal(err)
			}
			count := int64(0)
			for step := range 6 {
				run(t, one, whole.batch())
				for row := range parts.rows {
					before := parts.values()
					program := accumulate
					if accumulator.UpdatesAt(count) {
						program = update
					}
					program.SetRuns(count)
					run(t, program, parts.inputs(row, row+1))
					last := row == parts.rows-1
					if moved := !slices.Equal(before, parts.values()); moved != (last && !(step == 0 && slices.Contains(waiting, name))) || accumulator.UpdatesAt(count) != last {
						t.Fatalf("run %d: params moved: %v, UpdatesAt: %v", count, moved, accumulator.UpdatesAt(count))
					}
					count++
				}
				if d := worst(parts.values(), whole.values()); !(d < 1e-12) {
					t.Fatalf("update %d differs by %g", step, d)
				}
			}
		})
	}
}

// TestStatesContinue saves params and states in the middle of a training, loads them into another optimizer and model, and
// expects the same bits as from the unbroken training. The programs before and after have other batch sizes.
func TestStatesContinue(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: trains with each optimizer twice")
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			p, opt := network(tarn.F32), make()
			program := p.compile(t, opt, p.rows)
			for range 4 {
				run(t, program, p.batch())
			}
			saved := map[string]*tarn.Tensor{}
			for _, set := range []*tarn.ParamSet{statesOf(t, opt), named(p.params...)} {
				for name, s := range set.All() {
					if saved[name] != nil {
						t.Errorf("two states have the name %q", name)
					}
					saved[name] = s.Tensor().Clone()
				}
			}

			q, again := network(tarn.F32), make()
			resumed := q.compile(t, again, q.rows)
			resumed.SetRuns(program.Runs())
			for _, set := range []*tarn.ParamSet{statesOf(t, again), named(q.params...)} {
				for name, s := range set.All() {
					if err := s.Set(saved[name]); err != nil {
						t.Fatal(err)
					}
					delete(saved, name)
				}
			}
			if len(saved) > 0 {
				t.Errorf("the second optimizer lacks states: %v", saved)
			}
			// A further program of the same optimizer goes on with its states.
			short := q.compile(t, again, 2)
			shortOne := p.compile(t, opt, 2)
			short.SetRuns(resumed.Runs() + 1)
			shortOne.SetRuns(resumed.Runs() + 1)
			run(t, program, p.batch())
			run(t, resumed, q.batch())
			for range 3 {
				run(t, shortOne, p.inputs(1, 3))
				run(t, short, q.inputs(1, 3))
			}
			if !slices.Equal(p.values(), q.values()) {
				t.Errorf("the resumed training differs by %g", worst(q.values(), p.values()))
			}
		})
	}
}

func TestStateNames(t *testing.T) {
	p, opt := network(tarn.F64), optim.NewAdam(0.1)
	if states := statesOf(t, opt); states.Len() != 0 {
		t.Errorf("states before the first Update: %v", states.List())
	}
	p.params[1].Frozen = true
	p.compile(t, opt, 5)
	var names []string
	for name, s := range statesOf(t, opt).All() {
		names = append(names, name)
		if !s.IsState() {
			t.Errorf("%v is no state", s)
		}
	}
	if want := []string{"adam.m/b2", "adam.m/w1", "adam.m/w2", "adam.v/b2", "adam.v/w1", "adam.v/w2"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// TestMixedDTypes trains an f32 and an f64 param side by side, each of which goes its own way.
func TestMixedDTypes(t *testing.T) {
	loss := func(g *tarn.Graph, a *tarn.Param) *tarn.Value {
		return a.Value(g).Sub(tarn.Num(3)).Square().Sum().Cast(tarn.F64)
	}
	a, b := param(tarn.F32, "a", []float64{1, 2}, 2), param(tarn.F64, "b", []float64{1, 2}, 2)
	opt := optim.NewAdamW(0.1)
	opt.Rate = optim.Exponential{Rate: 0.1, Factor: 0.9}
	opt.ClipNorm = 1
	g := tarn.NewGraph()
	updates, err := opt.Update(loss(g, a).Add(loss(g, b)), named(a, b))
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, nil, updates...)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := program.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if d := worst(a.Tensor().Floats(), b.Tensor().Floats()); !(d < 1e-6) || b.Tensor().Float(0) < 1.3 {
		t.Errorf("f32 %v, f64 %v", a.Tensor(), b.Tensor())
	}
}

// gradientTo trains a vector by one step of plain descent on the loss with the gradient given, and returns the step taken.
func gradientTo(t *testing.T, gradient []float64, transforms ...optim.Transform) []float64 {
	t.Helper()
	g := tarn.NewGraph()
	p := param(tarn.F64, "p", nil, len(gradient))
	updates, err := optim.NewChain(1, transforms...).Update(p.Value(g).Mul(constant(g, tarn.F64, gradient...)).Sum(), named(p))
	if err != nil {
		t.Fatal(err)
	}
	program, err := tarn.Compile(g, nil, updates...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Run(); err != nil {
		t.Fatal(err)
	}
	step := p.Tensor().Floats()
	for i := range step {
		step[i] = 0 - step[i]
	}
	return step
}

func TestClipping(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		name       string
		clip       optim.Transform
		in, expect []float64
	}{
		{"value", optim.ClipByValue(2), []float64{3, -4, 1, inf, -inf, nan}, []float64{2, -2, 1, 2, -2, nan}},
		{"norm above", optim.ClipByNorm(1), []float64{3, -4}, []float64{3 / 5.000001, -4 / 5.000001}},
		{"norm below", optim.ClipByNorm(6), []float64{3, -4}, []float64{3, -4}},
		{"norm of zeros", optim.ClipByNorm(1), []float64{0, 0}, []float64{0, 0}},
		{"norm of a NaN", optim.ClipByNorm(1), []float64{3, nan}, []float64{nan, nan}},
		{"norm of an infinity", optim.ClipByNorm(1), []float64{3, inf}, []float64{0, nan}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, want := tarn.Vector(gradientTo(t, test.in, test.clip)), tarn.Vector(test.expect)
			if diff := got.Diff(want, 1e-15); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// lion is an optimizer that a user might write, with a state of its own.
type lion struct {
	optim.Chain
	Beta float64
}

func newLion(rate float64) *lion {
	o := &lion{Beta: 0.9}
	o.Chain = *optim.NewChain(rate, o)
	return o
}

func (o *lion) Apply(c *optim.Context, u []*tarn.Value) []*tarn.Value {
	if o.Beta < 0 {
		c.Errorf("Beta is %v", o.Beta)
	}
	return c.Each(u, func(s *optim.Slot, g *tarn.Value) *tarn.Value { return s.Average("lion.m", o.Beta, g).Sign() })
}

func TestOwnOptimizer(t *testing.T) {
	p, opt := quadratic(tarn.F64), newLion(0.25)
	program := p.compile(t, opt, 0)
	run(t, program, nil)
	if got, want := p.values(), []float64{0.75, 0.25, -0.25}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	opt = newLion(0.1)
	opt.Beta = -1
	if _, err := opt.Update(p.loss(tarn.NewGraph(), 0), named(p.params...)); err == nil || !strings.Contains(err.Error(), "optim_test.lion: Beta is -1") {
		t.Errorf("got %v", err)
	}
}

// shorten is a transform that loses an update, and forget one that gives a nil.
type (
	shorten struct{}
	forget  struct{}
)

func (shorten) Apply(_ *optim.Context, u []*tarn.Value) []*tarn.Value { return u[1:] }
func (forget) Apply(_ *optim.Context, u []*tarn.Value) []*tarn.Value {
	return make([]*tarn.Value, len(u))
}

// broken is an optimizer after a change.
func broken[O optim.Optimizer](o O, change func(o O)) optim.Optimizer {
	change(o)
	return o
}

func TestMistakes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	adam := func(change func(o *optim.AdamW)) optim.Optimizer {
		o := optim.NewAdamW(1e-3)
		change(o)
		return o
	}
	good := func() *problem { return network(tarn.F64) }
	with := func(change func(p *problem)) func() *problem {
		return func() *problem {
			p := network(tarn.F64)
			change(p)
			return p
		}
	}
	for _, test := range []struct {
		name    string
		opt     optim.Optimizer
		problem func() *problem
		want    []string
	}{
		{"not constructed", &optim.AdamW{}, good, []string{"was not made by its constructor"}},
		{"no params", optim.NewSGD(1), with(func(p *problem) { p.params = nil }), []string{"there are no params"}},
		{"all frozen", optim.NewSGD(1), with(func(p *problem) {
			for _, q := range p.params {
				q.Frozen = true
			}
		}), []string{"none of the 4 params is trainable"}},
		{"nil loss", optim.NewSGD(1), with(func(p *problem) {
			p.loss = func(*tarn.Graph, int) *tarn.Value { return nil }
		}), []string{"the loss is nil"}},
		{"vector loss", optim.NewAdam(1), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[1].Value(g) }
		}), []string{"the loss has shape [4] and should be a scalar"}},
		{"mistake in the graph", optim.NewAdam(1), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[0].Value(g).MatMul(p.params[0]).Sum() }
		}), []string{"chain_test.go", "MatMul"}},
		{"integer param", optim.NewSGD(1), with(func(p *problem) { p.params = []*tarn.Param{param(tarn.I32, "i", nil, 2)} }), []string{"no gradient with respect to a value of dtype i32"}},

		{"negative rate", optim.NewSGD(-1), good, []string{"optim.Constant: the rate is -1 and should be finite and not negative"}},
		{"NaN rate", optim.NewAdam(nan), good, []string{"the rate is NaN"}},
		{"infinite rate", optim.NewAdam(inf), good, []string{"the rate is +Inf"}},
		{"nil rate", adam(func(o *optim.AdamW) { o.Rate = nil }), good, []string{"Rate is nil"}},
		{"nil schedule function", adam(func(o *optim.AdamW) { o.Rate = optim.Warmup{Steps: 2, Then: optim.ScheduleFunc(nil)} }), good, []string{"the schedule optim.ScheduleFunc returns no rate"}},
		{"f32 schedule", adam(func(o *optim.AdamW) {
			o.Rate = optim.ScheduleFunc(func(s *tarn.Value) *tarn.Value { return s.Cast(tarn.F32) })
		}), good, []string{"it should be an f64 scalar"}},
		{"several settings", adam(func(o *optim.AdamW) { o.Beta1, o.Epsilon, o.WeightDecay = 1, nan, -1 }), good, []string{
			"optim: AdamW: Beta1 is 1 and should lie in [0, 1)", "optim: AdamW: Epsilon is NaN", "optim: AdamW: the weight decay is -1"}},
		{"clip", adam(func(o *optim.AdamW) { o.ClipNorm, o.ClipValue = -1, nan }), good, []string{"optim: ClipByNorm: the limit is -1", "optim: ClipByValue: the limit is NaN"}},
		{"micro-batches", adam(func(o *optim.AdamW) { o.MicroBatches = 0 }), good, []string{"MicroBatches is 0"}},
		{"group factor", adam(func(o *optim.AdamW) { o.Group(optim.Vectors).Rate = -1 }), good, []string{`the groups of param "b1" give it the factors -1 of the rate and 1 of the decay`}},
		{"group without match", adam(func(o *optim.AdamW) { o.Group(nil) }), good, []string{"group 0 has no Match"}},
		{"adabelief", broken(optim.NewAdaBelief(1), func(o *optim.AdaBelief) { o.Beta1, o.Beta2, o.Epsilon = 1, -1, nan }), good, []string{
			"AdaBelief: Beta1 is 1", "Beta2 is -1", "Epsilon is NaN"}},
		{"adagrad", broken(optim.NewAdagrad(1), func(o *optim.Adagrad) { o.Epsilon, o.Initial, o.RateDecay = -1, nan, inf }), good, []string{
			"Adagrad: Epsilon is -1", "Initial is NaN", "RateDecay is +Inf"}},
		{"adamax", broken(optim.NewAdamax(1), func(o *optim.Adamax) { o.Beta1, o.Beta2, o.Epsilon = 1, nan, -1 }), good, []string{
			"Adamax: Beta1 is 1", "Beta2 is NaN", "Epsilon is -1"}},
		{"adan", broken(optim.NewAdan(1), func(o *optim.Adan) { o.Beta1, o.Beta2, o.Beta3, o.Epsilon = 1, -1, 2, nan }), good, []string{
			"Adan: Beta1 is 1", "Beta2 is -1", "Beta3 is 2", "Epsilon is NaN"}},
		{"lion", broken(optim.NewLion(1), func(o *optim.Lion) { o.Beta1, o.Beta2 = 1, -1 }), good, []string{"Lion: Beta1 is 1", "Beta2 is -1"}},
		{"nadam", broken(optim.NewNAdam(1), func(o *optim.NAdam) { o.Beta1, o.Beta2, o.Epsilon, o.MomentumDecay = 1, -1, nan, -2 }), good, []string{
			"NAdam: Beta1 is 1", "Beta2 is -1", "Epsilon is NaN", "MomentumDecay is -2"}},
		{"radam", broken(optim.NewRAdam(1), func(o *optim.RAdam) { o.Beta1, o.Beta2, o.Epsilon = 1, -1, nan }), good, []string{
			"RAdam: Beta1 is 1", "Beta2 is -1", "Epsilon is NaN"}},
		{"rmsprop", broken(optim.NewRMSprop(1), func(o *optim.RMSprop) { o.Alpha, o.Momentum, o.Epsilon = 1, -1, nan }), good, []string{
			"RMSprop: Alpha is 1", "Momentum is -1", "Epsilon is NaN"}},
		{"asgd", broken(optim.NewASGD(1), func(o *optim.ASGD) { o.Lambda, o.Alpha, o.Start = -1, nan, inf }), good, []string{
			"ASGD: Lambda is -1", "Alpha is NaN", "Start is +Inf"}},
		{"yogi", broken(optim.NewYogi(1), func(o *optim.Yogi) { o.Beta1, o.Beta2, o.Epsilon, o.Initial = 1, -1, nan, -1 }), good, []string{
			"Yogi: Beta1 is 1", "Beta2 is -1", "Epsilon is NaN", "Initial is -1"}},
		{"novograd", broken(optim.NewNovoGrad(1), func(o *optim.NovoGrad) { o.Beta1, o.Beta2, o.Epsilon = 1, -1, nan }), good, []string{
			"NovoGrad: Beta1 is 1", "Beta2 is -1", "Epsilon is NaN"}},
		{"ftrl", broken(optim.NewFtrl(1), func(o *optim.Ftrl) { o.Initial, o.L1, o.L2, o.Beta = -1, nan, inf, -2 }), good, []string{
			"Ftrl: Initial is -1", "L1 is NaN", "L2 is +Inf", "Beta is -2"}},
		{"ademamix", broken(optim.NewAdEMAMix(1), func(o *optim.AdEMAMix) { o.Beta1, o.Beta3, o.Alpha, o.Warmup = 0, 1, -1, -2 }), good, []string{
			"AdEMAMix: Beta3 is 1", "Alpha is -1", "Warmup is -2"}},
		{"ademamix warmup", broken(optim.NewAdEMAMix(1), func(o *optim.AdEMAMix) { o.Beta3, o.Warmup = 0.5, 10 }), good, []string{"Beta1 is 0.9 and Beta3 0.5"}},
		{"mars", broken(optim.NewMARS(1), func(o *optim.MARS) { o.Beta1, o.Beta2, o.Gamma = 1, -1, nan }), good, []string{
			"MARS: Beta1 is 1", "Beta2 is -1", "Gamma is NaN"}},
		{"cautious", optim.NewChain(1, optim.Cautious{}, optim.Cautious{Then: optim.NewLARS(1)}), good, []string{
			"a transform of the chain is nil", "Cautious: Then is *optim.LARS, which multiplies by the learning rate itself"}},
		{"grokfast", optim.NewChain(1, optim.Grokfast{Alpha: 1, Lambda: -1}), good, []string{"Grokfast: Alpha is 1", "Lambda is -1"}},
		{"clip by norm of", optim.NewChain(1, optim.ClipByNormOf{Order: 3, Limit: -1}), good, []string{"ClipByNormOf: Limit is -1", "Order is 3 and should be 1, 2 or math.Inf(1)"}},
		{"rmsprop nesterov", broken(optim.NewRMSprop(1), func(o *optim.RMSprop) { o.Nesterov, o.EpsilonRoot, o.Initial = true, -1, nan }), good, []string{
			"Nesterov needs a Momentum", "EpsilonRoot is -1", "Initial is NaN"}},
		{"lars", broken(optim.NewLARS(1), func(o *optim.LARS) { o.Momentum, o.Coefficient, o.Epsilon = 1, -1, nan }), good, []string{
			"LARS: Momentum is 1", "Coefficient is -1", "Epsilon is NaN"}},
		{"lamb", broken(optim.NewLAMB(1), func(o *optim.LAMB) { o.Beta1, o.Beta2, o.Epsilon = 1, -1, nan }), good, []string{"Beta1 is 1", "Beta2 is -1", "Epsilon is NaN"}},
		{"schedule-free sgd", broken(optim.NewScheduleFreeSGD(1), func(o *optim.ScheduleFreeSGD) { o.Beta, o.WeightDecay = 1, -1 }), good, []string{
			"Beta is 1", "the weight decay is -1"}},
		{"schedule-free adamw", broken(optim.NewScheduleFreeAdamW(1), func(o *optim.ScheduleFreeAdamW) { o.Beta2, o.Epsilon = 1, nan }), good, []string{
			"ScheduleFreeAdamW: Beta2 is 1", "Epsilon is NaN"}},
		{"transforms", optim.NewChain(1, optim.Centralize{}, optim.ClipByValue(-1), optim.ScaleByTrustRatio{Coefficient: -1, Epsilon: nan}, optim.DecayWeights(inf)), good, []string{
			"ClipByValue: the limit is -1", "ScaleByTrustRatio: Coefficient is -1", "Epsilon is NaN", "DecayWeights: the weight decay is +Inf"}},
		{"scale by muon", optim.NewChain(1, optim.Only{Match: optim.Matrices, Then: optim.ScaleByMuon{Beta: 1, Epsilon: nan, MatchRMS: -1, Iterations: 101}}), good, []string{
			"ScaleByMuon: Beta is 1", "Epsilon is NaN", "MatchRMS is -1", "Iterations is 101"}},
		{"scale by shampoo", optim.NewChain(1, optim.ScaleByShampoo{Every: 1, MaxSize: 8, Start: -1}), good, []string{"ScaleByShampoo: Start is -1"}},
		{"scale by soap", optim.NewChain(1, optim.ScaleBySOAP{Beta2: 1, Epsilon: inf, Every: 1}), good, []string{
			"ScaleBySOAP: Beta2 is 1", "Epsilon is +Inf", "Every is 1 and MaxSize 0"}},
		{"adadelta", broken(optim.NewAdadelta(1), func(o *optim.Adadelta) { o.Rho, o.Epsilon = 1, -1 }), good, []string{"Adadelta: Rho is 1", "Epsilon is -1"}},
		{"rprop", broken(optim.NewRprop(1), func(o *optim.Rprop) { o.Shrink, o.MinStep = 1, nan }), good, []string{"Rprop: Shrink is 1 and Grow 1.2", "MinStep is NaN"}},
		{"adafactor", broken(optim.NewAdafactor(1), func(o *optim.Adafactor) { o.Limit, o.Decay = 0, -1 }), good, []string{"Adafactor: Limit is 0", "Decay is -1"}},
		{"muon match", broken(optim.NewMuon(1), func(o *optim.Muon) { o.Match = nil }), good, []string{"Muon: Match is nil"}},
		{"muon vector", broken(optim.NewMuon(1), func(o *optim.Muon) { o.Match = optim.Vectors }), good, []string{`ScaleByMuon: param "b1" has shape [4] and is no matrix`}},
		{"muon iterations", broken(optim.NewMuon(1), func(o *optim.Muon) { o.Momentum.Iterations = 0 }), good, []string{"Iterations is 0"}},
		{"sophia", broken(optim.NewSophia(1), func(o *optim.Sophia) { o.Every = 0 }), good, []string{"Every is 0"}},
		{"sophia diagonal", broken(optim.NewSophia(1), func(o *optim.Sophia) {
			o.Diagonal = func(*optim.Context) []*tarn.Value { return nil }
		}), good, []string{"Diagonal returned 0 values for 4 params"}},
		{"shampoo", broken(optim.NewShampoo(1), func(o *optim.Shampoo) { o.Beta1, o.Beta2, o.Epsilon, o.Every = 1, 1.5, nan, 0 }), good, []string{
			"Shampoo: Beta1 is 1", "Epsilon is NaN", "Beta2 is 1.5 and should lie in [0, 1]"}},
		{"shampoo sizes", broken(optim.NewShampoo(1), func(o *optim.Shampoo) { o.MaxSize = 0 }), good, []string{"Every is 10 and MaxSize 0"}},
		{"shampoo start", broken(optim.NewShampoo(1), func(o *optim.Shampoo) { o.Graft = nil }), good, []string{"Start is 10 and should be 0, or positive with a Graft"}},
		{"soap", broken(optim.NewSOAP(1), func(o *optim.SOAP) { o.Beta1, o.MomentsBeta, o.Every = 1, -1, 0 }), good, []string{
			"SOAP: Beta1 is 1", "MomentsBeta is -1", "Every is 0 and MaxSize 10000"}},
		{"kfac", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Decay, o.Damping, o.KL, o.Momentum = 1, 0, nan, -1 }), good, []string{
			"KFAC: Decay is 1", "Damping is 0 and should be positive", "KL is NaN", "Momentum is -1"}},
		{"kfac strict", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Strict = true }), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, rows int) *tarn.Value {
				x := g.Input("x", tarn.F64, rows, 3)
				last, _ := tarn.Scan([]*tarn.Value{x.Sum(0)}, []*tarn.Value{x}, tarn.ScanOptions{}, func(carry, in []*tarn.Value) ([]*tarn.Value, []*tarn.Value) {
					return []*tarn.Value{in[0].MatMul(p.params[0]).Tanh().Slice(-1, 0, 3)}, nil
				})
				return last[0].Sum()
			}
		}), []string{`KFAC: param "w1" is a matrix without Kronecker factors: it is used by Scan at chain_test.go:`, "unset Strict to leave it to SGD"}},
		{"kfac strict size", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Strict, o.MaxSize = true, 3 }), good, []string{`param "w1" has factors of up to 4 rows, more than MaxSize 3`}},
		{"kfac intervals", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Every = 0 }), good, []string{"Every is 0, FactorsEvery 5, MaxSize 4096 and Examples 0"}},
		{"kfac examples", optim.NewKFAC(1), with(func(p *problem) {
			loss := p.loss
			p.loss = func(g *tarn.Graph, rows int) *tarn.Value {
				return loss(g, rows).Add(g.Input("weights", tarn.F64, 7).Mean())
			}
		}), []string{`KFAC: tarn: KroneckerFactors: the inputs "x" and "weights" have first axes of sizes 5 and 7: say how many examples`}},
		{"kfac targets", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Targets = optim.ClassesOf("logits") }), good, []string{
			`KFAC: tarn: Lookup: no value is named "logits"`, `there are "prediction", "x", "y"`}},
		{"kfac of a broken graph", broken(optim.NewKFAC(1), func(o *optim.KFAC) { o.Targets = optim.ClassesOf("logits") }), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[0].Value(g).MatMul(p.params[0]).Sum() }
		}), []string{"chain_test.go", "MatMul"}},
		{"gauss-newton-bartlett", broken(optim.NewSophia(1), func(o *optim.Sophia) { o.Diagonal = optim.GaussNewtonBartlett(nil) }), good, []string{
			"Sophia: GaussNewtonBartlett has no Targets"}},
		{"classes of a vector", broken(optim.NewSophia(1), func(o *optim.Sophia) { o.Diagonal = optim.GaussNewtonBartlett(optim.ClassesOf("v")) }), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value { return p.params[1].Value(g).Scale(2).Named("v").Sum() }
		}), []string{`the value "v" made at chain_test.go:`, "has shape [4] and dtype f64 and should have 2 axes at least"}},
		{"classes of none", broken(optim.NewSophia(1), func(o *optim.Sophia) { o.Diagonal = optim.GaussNewtonBartlett(optim.ClassesOf("v")) }), with(func(p *problem) {
			p.loss = func(g *tarn.Graph, _ int) *tarn.Value {
				return p.params[0].Value(g).Slice(1, 0, 0).Scale(2).Named("v").Sum()
			}
		}), []string{`the value "v" made at chain_test.go:`, "has shape [3 0]: there is no class to draw"}},
		{"prodigy", broken(optim.NewProdigy(1), func(o *optim.Prodigy) { o.Distance, o.Growth = 0, inf }), good, []string{"Distance is 0", "Growth is +Inf"}},
		{"dadapt sgd", broken(optim.NewDAdaptSGD(1), func(o *optim.DAdaptSGD) { o.Growth = 1 }), good, []string{"Growth is 1"}},
		{"two distances", optim.NewChain(1, optim.NewDAdaptSGD(1), optim.NewDAdaptAdam(1)), good, []string{"it multiplies by the learning rate, which has been done", `two transforms of the chain keep a state "dadapt.d"`}},
		{"rate after all", broken(optim.NewSGD(1), func(o *optim.SGD) { o.After = []optim.Transform{optim.NewLARS(1)} }), good, []string{"LARS: it multiplies by the learning rate"}},
		{"sam micro-batches", broken(optim.NewSGD(1), func(o *optim.SGD) { o.MicroBatches, o.Before = 2, []optim.Transform{optim.SAM{Rho: 1}} }), good, []string{"SAM: it needs the gradient of the whole batch"}},
		{"lbfgs", broken(optim.NewLBFGS(1), func(o *optim.LBFGS) { o.History, o.Curvature = 0, nan }), good, []string{"LBFGS: Curvature is NaN", "History is 0"}},
		{"line search", broken(optim.NewSGD(1), func(o *optim.SGD) { o.After = []optim.Transform{optim.LineSearch{Decrease: 0.5, Curvature: 0.4}} }), good, []string{
			"LineSearch: Decrease is 0.5 and Curvature 0.4", "Evaluations is 0"}},
		{"line search micro-batches", broken(optim.NewLBFGS(1), func(o *optim.LBFGS) { o.MicroBatches, o.After = 2, []optim.Transform{optim.NewLineSearch()} }), good, []string{
			"LineSearch: it needs the loss of the whole batch; set MicroBatches to 1, not 2"}},
		{"newton-cg", broken(optim.NewNewtonCG(1, ""), func(o *optim.NewtonCG) { o.Iterations, o.Progress, o.Warm, o.Damping = 0, -1, nan, 0 }), good, []string{
			"NewtonCG: Progress is -1", "Warm is NaN", "Damping is 0", "Iterations is 0"}},
		{"newton-cg outputs", optim.NewNewtonCG(1, "logits"), good, []string{`NewtonCG: tarn: Lookup: no value is named "logits"`}},
		{"newton-cg micro-batches", broken(optim.NewNewtonCG(1, ""), func(o *optim.NewtonCG) { o.MicroBatches = 2 }), good, []string{"NewtonCG: it needs the loss of the whole batch"}},
		{"averages", broken(optim.NewSGD(1), func(o *optim.SGD) {
			o.After = []optim.Transform{optim.EMA{Decay: 1}, optim.SWA{Every: -1}, optim.Lookahead{Steps: 1}, optim.Lookahead{}, optim.ScheduleFree{Beta: -1}}
		}), good, []string{"EMA: Decay is 1", "SWA: Start is 0 and Every -1", "Lookahead: Share is 0", "Lookahead: Steps is 0", "ScheduleFree: Beta is -1"}},
		{"only", optim.NewChain(1, optim.Only{Then: optim.ClipByNorm(1)}, optim.Only{Match: optim.Matrices}, optim.Only{Match: optim.Matrices, Then: shorten{}}), good, []string{
			"Only: it has no Match", "a transform of the chain is nil", "shorten: it returned 1 updates for 2 params"}},
		{"gradients", optim.NewChain(1, optim.ClipAdaptive{Limit: -1}, optim.GradientNoise{Eta: nan}, optim.PrivateNoise{Noise: -1, Bound: 1}, optim.SAM{Rho: inf}), good, []string{
			"ClipAdaptive: Limit is -1", "GradientNoise: Eta is NaN", "PrivateNoise: Noise is -1", "PrivateNoise: Batch is 0", "SAM: Rho is +Inf"}},
		{"same transform twice", optim.NewChain(1, optim.ScaleByAdam{}, optim.ScaleByAdam{}), good, []string{`two transforms of the chain keep a state "adam.m"`}},
		{"nil transform", optim.NewChain(1, nil), good, []string{"a transform of the chain is nil"}},
		{"nil pointer to a transform", optim.NewChain(1, (*optim.Lookahead)(nil)), good, []string{"a transform of the chain is nil"}},
		{"nil pointer to a schedule", adam(func(o *optim.AdamW) { o.Rate = (*optim.OneCycle)(nil) }), good, []string{"Rate is nil"}},
		{"short transform", optim.NewChain(1, shorten{}), good, []string{"optim_test.shorten: it returned 3 updates for 4 params"}},
		{"nil update", optim.NewChain(1, forget{}), good, []string{`optim_test.forget: its update of param "w1" is nil`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := test.problem()
			updates, err := test.opt.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
			if err == nil || updates != nil {
				t.Fatalf("Update gave %d updates and the error %v", len(updates), err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestAccumulateNeedsMicroBatches(t *testing.T) {
	p := quadratic(tarn.F64)
	if _, err := optim.NewSGD(1).Accumulate(p.loss(tarn.NewGraph(), 0), named(p.params...)); err == nil || !strings.Contains(err.Error(), "set MicroBatches") {
		t.Errorf("got %v", err)
	}
}

func TestNesterovSettings(t *testing.T) {
	for _, change := range []func(o *optim.SGD){
		func(o *optim.SGD) { o.Momentum = 0 },
		func(o *optim.SGD) { o.Dampening = 0.5 },
	} {
		p, o := quadratic(tarn.F64), optim.NewNesterov(1)
		change(o)
		if _, err := o.Update(p.loss(tarn.NewGraph(), 0), named(p.params...)); err == nil || !strings.Contains(err.Error(), "SGD: Nesterov needs a Momentum and no Dampening") {
			t.Errorf("got %v", err)
		}
	}
}

func TestGroups(t *testing.T) {
	w, b := param(tarn.F64, "encoder.weight", nil, 2, 2), param(tarn.F64, "encoders.bias", nil, 2)
	for _, test := range []struct {
		name  string
		match optim.Match
		w, b  bool
	}{
		{"vectors", optim.Vectors, false, true},
		{"not vectors", optim.Not(optim.Vectors), true, false},
		{"under", optim.Under("encoder"), true, false},
		{"path", optim.Under("encoders.bias"), false, true},
	} {
		if got := [2]bool{test.match("encoder.weight", w), test.match("encoders.bias", b)}; got != [2]bool{test.w, test.b} {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
	// The factors of two groups are multiplied.
	p, o := quadratic(tarn.F64), optim.NewSGD(1)
	o.Group(optim.Vectors).Rate = 0.5
	o.Group(optim.Under("w")).Rate = 0.5
	run(t, p.compile(t, o, 0), nil)
	if got := p.values()[0]; got != 0.5-0.25*-0.5 {
		t.Errorf("got %v", got)
	}
	p, o = quadratic(tarn.F64), optim.NewSGD(0.5)
	o.WeightDecay = 1
	o.Group(optim.Vectors).Decay = 0.5
	o.Group(optim.Under("w")).Decay = 0.25
	run(t, p.compile(t, o, 0), nil)
	if got := p.values()[0]; got != 0.5-0.5*(-0.5+0.125*0.5) {
		t.Errorf("the decay of two groups: got %v", got)
	}
	if got := o.Decays(); len(got) != 1 || got["w"] != 0.125 {
		t.Errorf("Decays is %v, want 0.125 for w", got)
	}
	o.Decays()["w"] = 1
	if got := o.Decays()["w"]; got != 0.125 {
		t.Errorf("Decays gives its own map away: %v", got)
	}
}

// TestSettingsAtTheirEnds checks settings at which a transform does nothing, or which leave out one of its norms.
func TestSettingsAtTheirEnds(t *testing.T) {
	after := func(transforms ...optim.Transform) []float64 {
		p := quadratic(tarn.F64)
		program := p.compile(t, optim.NewChain(0.1, transforms...), 0)
		for range 3 {
			run(t, program, nil)
		}
		return p.values()
	}
	plain := after(optim.ClipByNorm(1e9))
	lookahead := optim.NewSGD(0.1)
	lookahead.After = []optim.Transform{optim.Lookahead{Steps: 2, Share: 1}}
	p := quadratic(tarn.F64)
	program := p.compile(t, lookahead, 0)
	for range 3 {
		run(t, program, nil)
	}
	for name, got := range map[string][]float64{
		"Lookahead that goes all the way": p.values(),
		"Only of nothing":                 after(optim.Only{Match: func(string, *tarn.Param) bool { return false }, Then: optim.ClipByValue(0)}),
		"ClipByValue of large numbers":    after(optim.ClipByValue(1e9)),
	} {
		if d := worst(got, plain); !(d < 1e-15) {
			t.Errorf("%s changes the steps by %g", name, d)
		}
	}
	stop := after(optim.ClipByValue(0), optim.ScaleByTrustRatio{Coefficient: 1}) // an update of norm 0, without an Epsilon
	if d := worst(stop, quadratic(tarn.F64).values()); d != 0 {
		t.Errorf("a trust ratio of an update of 0 moves the params to %v", stop)
	}
}
