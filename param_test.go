package tarn_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests how the params of a model are found, named and filled.

func weight() *tarn.Param { return tarn.NewParam(tarn.F32, nil, 1) }

// Layers of models, with everything that a struct can hold.
type (
	layer struct {
		Weight, Bias *tarn.Param
		InProj       *tarn.Param
		QKV          *tarn.Param
		Size         int
		names        []string
	}
	Base   struct{ Scale *tarn.Param }
	tagged struct {
		First  *layer      `tarn:"fc1"`
		Inner  *layer      `tarn:""`
		Hidden *tarn.Param `tarn:"-"`
		Base
		Named Base `json:"other"`
	}
	forwarder interface{ Forward() }
	holder    struct {
		Any    any
		Layer  forwarder
		Layers []forwarder
		ByName map[string]*layer
		Fixed  [2]*tarn.Param
		hidden *tarn.Param
		Nil    *layer
		NilAny any
		NilMap map[string]*layer
		Func   func()
		Matrix []float64
	}
	node struct {
		Weight *tarn.Param
		Next   *node
		Up     any
	}
	firstField struct {
		First node // lies where the struct lies
		Ptr   *node
	}
	list []any
)

func (l *layer) Forward() {}

func TestParamPaths(t *testing.T) {
	shared := weight()
	cycle := &node{Weight: weight(), Next: &node{Weight: weight()}}
	cycle.Next.Next = cycle
	cycle.Next.Up = cycle
	overlap := &firstField{First: node{Weight: weight()}}
	overlap.Ptr = &overlap.First
	loop := list{weight(), nil}
	loop[1] = loop
	tests := []struct {
		name  string
		model any
		want  string
	}{
		{"names", &layer{Weight: weight(), InProj: weight(), QKV: weight()}, "weight in_proj qkv"},
		{"a struct by value", layer{Bias: weight()}, "bias"},
		{"tags", &tagged{First: &layer{Weight: weight()}, Inner: &layer{Bias: weight()}, Hidden: weight(), Base: Base{weight()}, Named: Base{weight()}},
			"fc1.weight bias scale named.scale"},
		{"everything", &holder{
			Any: &layer{Weight: weight()}, Layer: &layer{Bias: weight()}, Layers: []forwarder{&layer{Weight: weight()}, nil, &layer{Weight: weight()}},
			ByName: map[string]*layer{"b": {Weight: weight()}, "a": {Weight: weight()}}, Fixed: [2]*tarn.Param{nil, weight()}, hidden: weight(),
		}, "any.weight layer.bias layers.0.weight layers.2.weight by_name.a.weight by_name.b.weight fixed.1 hidden"},
		{"a tie", &layer{Weight: shared, InProj: shared, QKV: weight()}, "weight qkv"},
		{"a cycle", cycle, "weight next.weight"},
		{"a struct and its first field", overlap, "first.weight"},
		{"a cycle of slices", loop, "0"},
		{"a slice", []*layer{{Weight: weight()}, {Weight: weight()}}, "0.weight 1.weight"},
		{"a map", map[int]*tarn.Param{3: weight()}, "3"},
		{"one shared layer", func() any { l := &layer{Weight: weight()}; return []*layer{l, l} }(), "0.weight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			params, err := tarn.Params(tt.model)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for name, p := range params.All() {
				paths = append(paths, name)
				if params.Name(p) != name || params.Lookup(name) != p {
					t.Errorf("%s is found as %v and %v", name, params.Name(p), params.Lookup(name))
				}
			}
			if got := strings.Join(paths, " "); got != tt.want {
				t.Errorf("the paths are\n%s\nand should be\n%s", got, tt.want)
			}
		})
	}
}

func TestParamErrors(t *testing.T) {
	p := weight()
	set := &tarn.ParamSet{}
	if err := set.Add("w", p); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		f    func() error
		want string
	}{
		{"nil", func() error { _, err := tarn.Params(nil); return err }, "holds no *tarn.Param"},
		{"a nil model", func() error { return tarn.Init((*layer)(nil), 1) }, "*tarn_test.layer holds no *tarn.Param"},
		{"no params", func() error { return tarn.Init(&layer{Size: 3}, 1) }, "holds no *tarn.Param"},
		{"one path twice", func() error {
			_, err := tarn.Params(&struct {
				Weight *tarn.Param
				W      *tarn.Param `tarn:"weight"`
			}{weight(), weight()})
			return err
		}, "two params have the name \"weight\""},
		{"by value", func() error {
			_, err := tarn.Params(&struct{ W tarn.Param }{})
			return err
		}, "\"w\" is a tarn.Param held by value"},
		{"a param alone", func() error { return tarn.Init(p, 1) }, "a param of type f32[1] has no name"},
		{"an empty set", func() error { return tarn.Init(&tarn.ParamSet{}, 1) }, "*tarn.ParamSet holds no *tarn.Param"},
		{"no set", func() error { _, err := tarn.Params((*tarn.ParamSet)(nil)); return err }, "*tarn.ParamSet holds no *tarn.Param"},
		{"a name of two", func() error { return set.Add("w", weight()) }, "two params have the name \"w\""},
		{"two names", func() error { return set.Add("v", p) }, "param \"w\" is listed twice, the second time as \"v\""},
		{"twice", func() error { return set.Add("w", p) }, "param \"w\" is listed twice"},
		{"nil", func() error { return set.Add("v", nil) }, "param \"v\" is nil"},
		{"no name", func() error { return set.Add("", weight()) }, "has no name"},
		{"Set", func() error { return p.Set(tarn.Zeros(tarn.F32, 2)) }, "param \"w\" has type f32[1], the new contents f32[2]"},
		{"Set nil", func() error { return p.Set(nil) }, "the new contents of param \"w\" are nil"},
	}
	for _, tt := range tests {
		if err := tt.f(); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "tarn: ") {
			t.Errorf("%s: the error is %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// TestInitByName checks that what a weight is filled with depends on the seed and its name alone.
func TestInitByName(t *testing.T) {
	uniform := func(x *tarn.Tensor, r *tarn.Random) { r.Uniform(x, -1, 1) }
	fresh := func() *tarn.Param { return tarn.NewParam(tarn.F32, uniform, 5) }
	one := &layer{Weight: fresh(), Bias: tarn.NewParam(tarn.F32, nil, 2)}
	two := &layer{Weight: fresh(), Bias: fresh(), InProj: fresh()}
	one.Bias.Tensor().SetFloat(0, 7) // Init clears it
	for _, m := range []*layer{one, two} {
		if err := tarn.Init(m, 3); err != nil {
			t.Fatal(err)
		}
	}
	if diff := one.Weight.Tensor().Diff(two.Weight.Tensor(), 0); diff != "" {
		t.Errorf("another layer changed a weight: %s", diff)
	}
	if one.Bias.Tensor().Float(0) != 0 {
		t.Error("a param without an initializer is not zero")
	}
	if two.Weight.Tensor().Equal(two.Bias.Tensor(), 0) || two.Bias.Tensor().Equal(two.InProj.Tensor(), 0) {
		t.Error("two weights of one model are the same")
	}
	before := two.Weight.Tensor().Clone()
	if err := tarn.Init(two, 4); err != nil {
		t.Fatal(err)
	}
	if two.Weight.Tensor().Equal(before, 0) {
		t.Error("another seed gives the same weights")
	}
}

func TestTrainable(t *testing.T) {
	p, state := weight(), tarn.NewState(tarn.F32, nil, 1)
	if !p.Trainable() || p.IsState() || state.Trainable() || !state.IsState() {
		t.Error("weights are trained and states are not")
	}
	if p.Frozen = true; p.Trainable() {
		t.Error("a frozen weight is trained")
	}
}

// TestParamSet checks that a set names its params alone: a part of a model and the whole are two sets of the same params.
func TestParamSet(t *testing.T) {
	shared := weight()
	model := &struct{ Enc, Dec *layer }{&layer{Weight: weight(), Bias: shared}, &layer{Weight: weight(), Bias: shared, InProj: tarn.NewState(tarn.F32, nil, 1)}}
	model.Dec.Weight.Frozen = true
	names := func(set *tarn.ParamSet) string {
		var all []string
		for name, p := range set.All() {
			if set.Name(p) != name || set.Lookup(name) != p {
				t.Errorf("%q is found as %q and %v", name, set.Name(p), set.Lookup(name))
			}
			all = append(all, name)
		}
		if set.Len() != len(all) || len(set.List()) != len(all) {
			t.Errorf("%d params, a list of %d, and %d names", set.Len(), len(set.List()), len(all))
		}
		return strings.Join(all, " ")
	}
	params := func(model any) *tarn.ParamSet {
		set, err := tarn.Params(model)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	whole := params(model)
	dec := params(model.Dec)
	added := &tarn.ParamSet{}
	if err := added.Add("other", shared); err != nil {
		t.Fatal(err)
	}
	var none *tarn.ParamSet
	for _, test := range []struct {
		name string
		set  *tarn.ParamSet
		want string
	}{
		{"the whole", whole, "enc.weight enc.bias dec.weight dec.in_proj"},
		{"a part", dec, "weight bias in_proj"},
		{"another part", params(model.Enc), "weight bias"},
		{"one param in a set of its own", added, "other"},
		{"what is trained", whole.Trainable(), "enc.weight enc.bias"},
		{"a set as a model", params(whole), "enc.weight enc.bias dec.weight dec.in_proj"},
		{"a model that keeps its set", params(&struct {
			Set  *tarn.ParamSet
			Part *layer
		}{whole, model.Dec}), "part.weight part.bias part.in_proj"},
		{"the whole again", params(model), "enc.weight enc.bias dec.weight dec.in_proj"},
		{"none", none, ""},
		{"the zero set", &tarn.ParamSet{}, ""},
	} {
		if got := names(test.set); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if whole.Name(shared) != "enc.bias" || dec.Name(shared) != "bias" || whole.Name(weight()) != "" || whole.Lookup("nothing") != nil || none.Name(shared) != "" || none.Lookup("w") != nil {
		t.Error("a param is found by a name that is not its own")
	}
	if got, want := dec.Lookup("bias").String(), "enc.bias f32[1]"; got != want {
		t.Errorf("in messages the param is %q, want its first name, %q", got, want)
	}
	list := whole.List()
	list[0] = nil
	if whole.List()[0] == nil {
		t.Error("a change of the list changes the set")
	}
}

// TestWalksTogether walks one model in several goroutines, parts too: to be run with -race.
func TestWalksTogether(t *testing.T) {
	model := &struct{ A, B *layer }{&layer{Weight: weight()}, &layer{Weight: weight(), QKV: weight()}}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			set, err := tarn.Params([]any{model, model.A, model.B}[i%3])
			if err != nil {
				t.Error(err)
			}
			for name, p := range set.All() {
				if !strings.HasSuffix(name, "weight") && !strings.HasSuffix(name, "qkv") || p.String() == "" {
					t.Errorf("the walk found %q", name)
				}
			}
		})
	}
	all.Wait()
}
