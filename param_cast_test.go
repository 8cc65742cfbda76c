package tarn_test

import (
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
)

// This file tests that a model changes its dtype as a whole and in time.

type converted struct {
	Weight, Bias *tarn.Param
	Count        *tarn.Param
}

func newConverted() *converted {
	half := func(t *tarn.Tensor, r *tarn.Random) { r.Uniform(t, 0.5, 0.5) }
	return &converted{tarn.NewParam(tarn.F32, half, 2), tarn.NewParam(tarn.F64, nil, 1), tarn.NewState(tarn.I64, nil)}
}

func TestCast(t *testing.T) {
	m := newConverted()
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	if err := tarn.Cast(m, tarn.F64); err != nil {
		t.Fatal(err)
	}
	if diff := m.Weight.Tensor().Diff(tarn.Vector([]float64{0.5, 0.5}), 0); diff != "" {
		t.Errorf("the weight after Cast: %s", diff)
	}
	if m.Bias.DType() != tarn.F64 || m.Count.DType() != tarn.I64 {
		t.Errorf("the bias is %v and the count %v, want f64 and i64", m.Bias.DType(), m.Count.DType())
	}
	m.Weight.SetInit(func(t *tarn.Tensor, r *tarn.Random) { r.Uniform(t, 3, 3) })
	if err := tarn.Init(m, 1); err != nil {
		t.Fatal(err)
	}
	if got := m.Weight.Tensor().Float(1); got != 3 {
		t.Errorf("the weight after SetInit and Init is %v, want 3", got)
	}
}

func TestCastRefuses(t *testing.T) {
	used := newConverted()
	used.Bias.Value(tarn.NewGraph())
	for _, c := range []struct {
		name  string
		model any
		dtype tarn.DType
		want  string
	}{
		{"integer", newConverted(), tarn.I32, "cannot have dtype i32"},
		{"no params", struct{}{}, tarn.F64, "holds no *tarn.Param"},
		{"used", used, tarn.F32, `"bias" is used by a graph already`},
	} {
		if err := tarn.Cast(c.model, c.dtype); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if used.Weight.DType() != tarn.F32 || used.Bias.DType() != tarn.F64 {
		t.Error("a refused Cast changed a param")
	}
}
