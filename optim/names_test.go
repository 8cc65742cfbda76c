package optim_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/optim"
)

// This file tests by what names an optimizer keeps its states, and that it refuses those that mean two things, and copies.

// TestNames gives one optimizer several updates.
func TestNames(t *testing.T) {
	type set = map[string]*tarn.Param
	a, b, frozen := param(tarn.F64, "a", nil, 2), param(tarn.F64, "b", nil, 2), param(tarn.F64, "c", nil, 2)
	frozen.Frozen = true
	plateaus := func(opt *optim.SGD) {
		opt.Rate = optim.Product{optim.NewPlateau(optim.Constant(1)), optim.NewPlateau(optim.Constant(1))}
	}
	for _, test := range []struct {
		name   string
		change func(opt *optim.SGD)
		sets   []set
		states []string
		want   string // of the error of the last update, or of States
	}{
		{"one set", nil, []set{{"x": a, "y.z": b, "f": frozen}}, []string{"sgd.momentum/x", "sgd.momentum/y.z"}, ""},
		{"labels do not count", nil, []set{{"b": a, "a": b}}, []string{"sgd.momentum/a", "sgd.momentum/b"}, ""},
		{"the same set again", nil, []set{{"x": a, "y": b}, {"x": a, "y": b}}, []string{"sgd.momentum/x", "sgd.momentum/y"}, ""},
		{"one param after the other", nil, []set{{"x": a}, {"y": b}}, []string{"sgd.momentum/x", "sgd.momentum/y"}, ""},
		{"a part after the whole", nil, []set{{"m.x": a, "y": b}, {"x": a}}, nil, `param "x" was "m.x" in an earlier update`},
		{"two models", nil, []set{{"x": a}, {"x": b}}, nil, `two params have the name "x"`},
		{"two schedules", plateaus, []set{{"x": a}}, nil, `two params have the name "plateau"`},
		{"a group by name", func(opt *optim.SGD) { opt.Group(optim.Under("m")).Rate = -1 }, []set{{"m.x": a}}, nil, `the groups of param "m.x"`},
	} {
		opt := optim.NewMomentum(1)
		if test.change != nil {
			test.change(opt)
		}
		var err error
		for _, s := range test.sets {
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			g := tarn.NewGraph()
			loss := a.Value(g).Add(b).Add(frozen).Square().Sum()
			_, err = opt.Update(loss, setOf(t, s))
		}
		var names []string
		if err == nil {
			var states *tarn.ParamSet
			if states, err = opt.States(); err == nil {
				for name := range states.All() {
					names = append(names, name)
				}
			}
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: the error is %v, want %q in it", test.name, err, test.want)
		}
		if !slices.Equal(names, test.states) {
			t.Errorf("%s: the states are %q, want %q", test.name, names, test.states)
		}
	}
}

// setOf returns the set of params by name.
func setOf(t *testing.T, params map[string]*tarn.Param) *tarn.ParamSet {
	t.Helper()
	set, err := tarn.Params(params)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestCopies expects every copy of an optimizer to be refused, whether or not the original was used before, and the original
// to go on.
func TestCopies(t *testing.T) {
	p := network(tarn.F64)
	update := func(opt optim.Optimizer) error {
		_, err := opt.Update(p.loss(tarn.NewGraph(), p.rows), named(p.params...))
		return err
	}
	refused := func(name string, opt optim.Optimizer) {
		t.Helper()
		if err := update(opt); err == nil || !strings.Contains(err.Error(), "is a copy of another") {
			t.Errorf("%s: Update returned %v", name, err)
		}
		if _, err := opt.States(); err == nil || !strings.Contains(err.Error(), "is a copy of another") {
			t.Errorf("%s: States returned %v", name, err)
		}
	}
	for _, used := range []bool{false, true} {
		adam, sgd, muon, own := optim.NewAdamW(0.1), optim.NewSGD(0.1), optim.NewMuon(0.1), newLion(0.1)
		originals := map[string]optim.Optimizer{"adam": adam, "sgd": sgd, "muon": muon, "own": own}
		if used {
			for name, opt := range originals {
				if err := update(opt); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		a, s, m, o := *adam, *sgd, *muon, *own
		a.Beta1 = 0.5
		for name, opt := range map[string]optim.Optimizer{"adam": &a, "sgd": &s, "muon": &m, "own": &o} {
			refused(name, opt)
		}
		if used {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(originals)) {
			if err := update(originals[name]); err != nil {
				t.Errorf("%s after its copy: %v", name, err)
			}
		}
	}
	// A chain without a struct around it is found out when both are used.
	chain := optim.NewChain(0.1, optim.NewSGD(0)) // an optimizer may be a transform of another
	if err := update(chain); err != nil {
		t.Error(err)
	}
	c := *chain
	refused("chain", &c)
}
