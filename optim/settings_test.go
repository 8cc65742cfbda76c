package optim_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/internal/declared"
	"github.com/seed-49005b45/tarn/optim"
)

// This file sets every exported number of every optimizer, transform and schedule to numbers that make no sense.

// configured are all types with settings, as they are usually made. Pointers, for their fields to be set.
var configured = []any{
	optim.NewChain(0.1), optim.NewAdaBelief(0.1), optim.NewAdadelta(0.1), optim.NewAdafactor(0.1), optim.NewAdagrad(0.1), optim.NewAdam(0.1),
	optim.NewAdamW(0.1), optim.NewAdamax(0.1), optim.NewAdan(0.1), optim.NewDAdaptAdam(0.1), optim.NewDAdaptSGD(0.1), kfacWithOthers(), optim.NewLAMB(0.1),
	optim.NewLARS(0.1), optim.NewLBFGS(0.1), optim.NewLion(0.1), optim.NewMuon(0.1), optim.NewNAdam(0.1), optim.NewNewtonCG(0.1, ""), optim.NewProdigy(0.1),
	optim.NewRAdam(0.1), optim.NewRMSprop(0.1), optim.NewRprop(0.1), optim.NewSGD(0.1), optim.NewSOAP(0.1), optim.NewScheduleFreeAdamW(0.1),
	optim.NewScheduleFreeSGD(0.1), optim.NewShampoo(0.1), optim.NewSophia(0.1), optim.NewASGD(0.1), optim.NewYogi(0.1), optim.NewNovoGrad(0.1), optim.NewFtrl(0.1),
	optim.NewAdEMAMix(0.1), optim.NewMARS(0.1),

	optim.NewClipAdaptive(), optim.NewGradientNoise(0.1), &optim.PrivateNoise{Noise: 1, Bound: 1, Batch: 1}, optim.NewLineSearch(), optim.NewLookahead(), optim.NewScaleByAdam(), optim.NewScaleByMuon(),
	optim.NewScaleBySOAP(), optim.NewScaleByShampoo(), optim.NewScaleByTrustRatio(), optim.NewScheduleFree(), new(optim.EMA), new(optim.SAM), new(optim.SWA),
	ptr(optim.ClipByNorm(1)), ptr(optim.ClipByValue(1)), ptr(optim.DecayWeights(0.1)), new(optim.Centralize), optim.NewGrokfast(),
	&optim.ClipByNormOf{Order: 1, Limit: 1}, &optim.Cautious{Then: optim.NewScaleByAdam()}, new(optim.Only), new(optim.Group),

	ptr(optim.Constant(0.1)), &optim.Linear{From: 1, To: 0.5, Steps: 10}, &optim.StepDecay{Rate: 1, Every: 3}, &optim.Exponential{Rate: 1, Factor: 0.9},
	&optim.Cosine{Rate: 1, Min: 0.1, Steps: 10}, &optim.Join{First: optim.Constant(1), Steps: 3, Then: optim.Constant(0.1)},
	&optim.Warmup{Steps: 3, Then: optim.Constant(1)}, &optim.Polynomial{From: 1, To: 0.1, Steps: 10}, &optim.MultiStep{Rate: 1, Steps: []int{3, 6}},
	&optim.WarmRestarts{Rate: 1, Min: 0.1, Steps: 3}, &optim.Noam{Width: 8, Steps: 4}, new(optim.Product), optim.NewOneCycle(1, 10),
	optim.NewPlateau(optim.Constant(1)), &optim.WarmupStableDecay{Rate: 1, Min: 0.1, Warmup: 2, Stable: 2, Decay: 3}, &optim.InverseSqrt{Rate: 1, Warmup: 3},
	&optim.Cyclic{Min: 0.1, Max: 1, Up: 2},
}

func ptr[T any](x T) *T { return &x }

func kfacWithOthers() *optim.KFAC {
	o := optim.NewKFAC(0.1)
	o.Others = optim.NewScaleByAdam()
	return o
}

// allowed are the settings that make sense, by what they say.
var allowed = map[string]string{
	"DAdaptSGD.Growth = +Inf":   "no limit of the growth",
	"Adafactor.Limit = +Inf":    "no limit of the update",
	"ClipByNormOf.Order = +Inf": "the largest element",
	"Sophia.Limit = +Inf":       "no limit of the update",
}

// TestSettings sets one number after the other.
func TestSettings(t *testing.T) {
	for _, made := range configured {
		typ := reflect.TypeOf(made).Elem()
		if err := tryOut(made); err != nil && typ.Name() != "Only" && typ.Name() != "Product" {
			t.Errorf("%s as it is made: %v", typ.Name(), err)
		}
		eachNumber(typ.Name(), reflect.ValueOf(made).Elem(), func(name string, field reflect.Value) {
			for _, x := range []float64{math.NaN(), -1, math.Inf(1), math.Inf(-1), -1e-300} {
				was := reflect.New(field.Type()).Elem()
				was.Set(field)
				if field.CanFloat() {
					field.SetFloat(x)
				} else if x == -1 {
					field.SetInt(-1)
				} else {
					continue
				}
				err := tryOut(made)
				field.Set(was)
				setting := fmt.Sprintf("%s = %v", name, x)
				if allowed[setting] != "" {
					if err != nil {
						t.Errorf("%s, which says %q, is refused: %v", setting, allowed[setting], err)
					}
				} else if err == nil {
					t.Errorf("%s is accepted", setting)
				}
			}
		})
	}
}

// eachNumber visits all numbers in a value. The chain in an optimizer is one of the types itself.
func eachNumber(name string, v reflect.Value, visit func(name string, field reflect.Value)) {
	switch {
	case v.CanFloat() || v.CanInt():
		visit(name, v)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Int:
		for i := range v.Len() {
			visit(fmt.Sprint(name, i), v.Index(i))
		}
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[optim.Chain]() || !strings.Contains(name, "."):
		if v.Kind() != reflect.Struct {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				eachNumber(name+"."+f.Name, v.Field(i), visit)
			}
		}
	}
}

var theNetwork = network(tarn.F64)

// tryOut builds an update with a setting, or computes rates.
func tryOut(made any) error {
	if s, ok := made.(optim.Schedule); ok {
		_, err := optim.Rates(s, 0, 5)
		return err
	}
	p := theNetwork // one for all, since an optimizer is for one model
	var opt optim.Optimizer
	switch made := made.(type) {
	case *optim.Group:
		o := optim.NewSGD(0.1)
		g := o.Group(optim.Vectors)
		g.Rate, g.Decay = made.Rate, made.Decay
		opt = o
	case optim.Optimizer:
		opt = made
	case optim.Transform:
		o := optim.NewSGD(0.1)
		if m, ok := made.(*optim.ScaleByMuon); ok {
			o.Before = []optim.Transform{optim.Only{Match: optim.Matrices, Then: m}}
		} else if slices.Contains([]string{"EMA", "SWA", "Lookahead", "ScheduleFree", "LineSearch"}, reflect.TypeOf(made).Elem().Name()) {
			o.After = []optim.Transform{made}
		} else {
			o.Before = []optim.Transform{made}
		}
		opt = o
	}
	_, err := opt.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
	return err
}

// TestSettingsThatContradict has settings that make no sense together.
func TestSettingsThatContradict(t *testing.T) {
	for _, test := range []struct {
		made any
		want string
	}{
		{func() any { o := optim.NewRprop(1); o.MinStep, o.MaxStep = 2, 1; return o }(), "MinStep is 2 and MaxStep 1"},
		{func() any { o := optim.NewRprop(1); o.MinStep, o.MaxStep = 0, 0; return o }(), "MaxStep is 0"},
		{&optim.MultiStep{Rate: 1, Steps: []int{6, 3}}, "should rise"},
		{&optim.MultiStep{Rate: 1}, "Steps is empty"},
		{&optim.Cosine{Rate: 0.1, Min: 1, Steps: 10}, "Min is 1 and above Rate 0.1"},
		{&optim.WarmRestarts{Rate: 0.1, Min: 1, Steps: 10}, "Min is 1 and above Rate 0.1"},
		{&optim.OneCycle{Max: 1, Steps: 10, Rise: 0.3, Start: 0.5, End: 1e4}, "Start is 0.5"},
		{&optim.OneCycle{Max: 1, Steps: 10, Rise: 0.3, Start: 4, End: 0.1}, "End is 0.1"},
		{&optim.LineSearch{Decrease: 0.9, Curvature: 0.1, Evaluations: 5}, "the first below the second"},
		{&optim.ScaleByTrustRatio{}, "Coefficient is 0"},
		{&optim.ClipAdaptive{}, "Limit is 0"},
		{&optim.WarmupStableDecay{Rate: 0.1, Min: 1, Decay: 3}, "Min is 1 and above Rate 0.1"},
		{&optim.Cyclic{Min: 1, Max: 0.1, Up: 3}, "Min is 1 and above Max 0.1"},
		{&optim.Cyclic{Min: 0.1, Max: 1, Up: 3, CycleFactor: 2}, "CycleFactor is 2"},
	} {
		if err := tryOut(test.made); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%T: the error is %v, want %q in it", test.made, err, test.want)
		}
	}
}

// TestEverySettingIsTried fails if an exported type with settings is not in the table.
func TestEverySettingIsTried(t *testing.T) {
	known := map[string]bool{}
	for _, made := range configured {
		known[reflect.TypeOf(made).Elem().Name()] = true
	}
	p := declared.Read(t, ".")
	for name := range p.TypesWith("Update").Join(p.TypesWith("Apply")).Join(p.TypesWith("At")) {
		if !known[name] && name != "ScheduleFunc" {
			t.Errorf("the settings of %s are not tried", name)
		}
	}
}
