package tarn_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

func TestLookup(t *testing.T) {
	g := tarn.NewGraph()
	if _, err := g.Lookup("logits"); err == nil || !strings.Contains(err.Error(), `no value is named "logits", nor has any a name: add Named("logits")`) {
		t.Errorf("an empty graph: %v", err)
	}
	x := g.Input("x", tarn.F32, 2, 3)
	logits := x.Scale(2).Named("logits")
	logits.Exp().Named("twice")
	logits.Log().Named("twice")
	logits.Named("another name") // the first name stays
	tarn.Cond(logits.Sum().Gt(tarn.Num(0)), []*tarn.Value{logits},
		func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Exp().Named("inside")} },
		func(in []*tarn.Value) []*tarn.Value { return in })
	tarn.Grad(logits.Sum(), x)
	for _, test := range []struct {
		name string
		want *tarn.Value
		err  []string
	}{
		{"x", x, nil},
		{"logits", logits, nil},
		{"twice", nil, []string{`2 values are named "twice", at lookup_test.go:17, lookup_test.go:18`, "different names"}},
		{"inside", nil, []string{`no value is named "inside"`, `there are "logits", "twice", "x"`}},
		{"another name", nil, []string{`no value is named "another name"`}},
		{"", nil, []string{`no value is named ""`}},
	} {
		got, err := g.Lookup(test.name)
		if got != test.want || (err == nil) != (test.want != nil) {
			t.Errorf("%q: got %v, %v", test.name, got, err)
		}
		for _, part := range test.err {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: the error %v does not say %q", test.name, err, part)
			}
		}
	}
	x.MatMul(x)
	if _, err := g.Lookup("logits"); err == nil || !strings.Contains(err.Error(), "MatMul") {
		t.Errorf("a graph with a mistake: %v", err)
	}
}

var _ = register(elementwise("Graph.Lookup", func(v *tarn.Value) *tarn.Value {
	v.Sin().Named("sine")
	found, err := v.Graph().Lookup("sine")
	if err != nil {
		return v.Graph().Fail("Lookup", []*tarn.Value{v}, "%v", err)
	}
	return found.Square()
}, between(-2, 2)))
