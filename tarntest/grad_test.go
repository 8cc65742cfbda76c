package tarntest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// recorder is a testing.TB that keeps what is reported to it.
type recorder struct {
	testing.TB
	reports []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.reports = append(r.reports, fmt.Sprint(args...)) }

func TestCheckGradFindsMistakes(t *testing.T) {
	x := tarn.Vector([]float64{0.3, -0.7, 1.9})
	for _, test := range []struct {
		name string
		f    func(in ...*tarn.Value) *tarn.Value
		want string // a fragment of the report, or "" for none
	}{
		{"right", func(in ...*tarn.Value) *tarn.Value { return in[0].Sin().Mul(in[0]) }, ""},
		{"right by a rule", func(in ...*tarn.Value) *tarn.Value {
			return tarn.WithGradient(in[0].Square(), []*tarn.Value{in[0]}, func(dy *tarn.Value) []*tarn.Value {
				return []*tarn.Value{dy.Mul(in[0]).Scale(2)}
			})
		}, ""},
		{"wrong first derivative", func(in ...*tarn.Value) *tarn.Value {
			return tarn.WithGradient(in[0].Square(), []*tarn.Value{in[0]}, func(dy *tarn.Value) []*tarn.Value {
				return []*tarn.Value{dy.Mul(in[0])}
			})
		}, "first derivative with respect to element 0 of input 0"},
		{"wrong second derivative", func(in ...*tarn.Value) *tarn.Value {
			return tarn.WithGradient(in[0].Square(), []*tarn.Value{in[0]}, func(dy *tarn.Value) []*tarn.Value {
				return []*tarn.Value{dy.Mul(in[0].StopGradient()).Scale(2)}
			})
		}, "second derivative with respect to element 0 of input 0"},
		{"no number", func(in ...*tarn.Value) *tarn.Value { return in[0].Log() }, "NaN"},
		{"a mistake in the graph", func(in ...*tarn.Value) *tarn.Value { return in[0].Sum(1) }, "grad_test.go:"},
		{"no float", func(in ...*tarn.Value) *tarn.Value { return in[0].Gt(tarn.Num(0)) }, "bool"},
	} {
		r := &recorder{TB: t}
		CheckGrad(r, test.f, x)
		switch got := strings.Join(r.reports, "\n"); {
		case test.want == "" && got != "":
			t.Errorf("%s: reported %s", test.name, got)
		case !strings.Contains(got, test.want):
			t.Errorf("%s: reported %q, want %q in it", test.name, got, test.want)
		}
	}
}
