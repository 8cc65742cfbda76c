package curvature_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
)

// This file tests the loss as a function of the weights, and planes, on losses whose values are known.

// quadratic is a loss of two params, (w - 1)'diag(1 2 3 4)(w - 1) + 5 b b, where w is a matrix and b a vector.
func quadratic(dtype tarn.DType) (loss *tarn.Value, params []*tarn.Param) {
	w, b := tarn.NewParam(dtype, nil, 2, 2), tarn.NewParam(dtype, nil, 1)
	for i, x := range []float64{3, 4, 0, 2} {
		w.Tensor().SetFloat(i, x)
	}
	b.Tensor().SetFloat(0, 0.5)
	g := tarn.NewGraph()
	scale := tarn.Zeros(dtype, 2, 2)
	for i := range 4 {
		scale.SetFloat(i, float64(i+1))
	}
	return w.Value(g).AddNum(-1).Square().Mul(g.Const(scale)).Sum().Add(b.Value(g).Square().Sum().Scale(5)), []*tarn.Param{w, b}
}

// quadraticAt is what quadratic computes.
func quadraticAt(w []float64) float64 {
	sum := 5 * w[4] * w[4]
	for i, x := range w[:4] {
		sum += float64(i+1) * (x - 1) * (x - 1)
	}
	return sum
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }

// TestGrid compares the loss on planes of every kind with the formula, and checks that the params stay as they are.
func TestGrid(t *testing.T) {
	for dtype, tolerance := range map[tarn.DType]float64{tarn.F64: 1e-12, tarn.F32: 1e-5} {
		loss, params := quadratic(dtype)
		before := curvature.Weights(params)
		l, err := curvature.NewLoss(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		random, err1 := curvature.RandomPlane(params, 3)
		through, err2 := curvature.PlaneThrough(before, []float64{1, 1, 1, 1, 0}, []float64{0, 0, 0, 0, 2})
		path, _, err3 := curvature.PathPlane([]float64{0, 0, 0, 0, 2}, []float64{1, 2, 0, 1, 0}, before)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		xs, ys := []float64{-1, 0, 0.5, 2}, []float64{-3, 0, 1}
		for name, p := range map[string]*curvature.Plane{"random": random, "through": through, "path": path} {
			values, err := l.Grid(ctx, p, xs, ys)
			if err != nil || len(values) != len(xs)*len(ys) {
				t.Fatalf("%s: %d values, %v", name, len(values), err)
			}
			for j, y := range ys {
				for i, x := range xs {
					want := make([]float64, l.Size)
					for k := range want {
						want[k] = before[k] + x*p.X[k] + y*p.Y[k]
					}
					if got := values[j*len(xs)+i]; !near(got, quadraticAt(want), tolerance) {
						t.Errorf("%v, %s: %v at %v, %v, want %v", dtype, name, got, x, y, quadraticAt(want))
					}
				}
			}
		}
		for i, x := range curvature.Weights(params) {
			if x != before[i] {
				t.Errorf("%v: weight %d has become %v and was %v", dtype, i, x, before[i])
			}
		}
		gradient, err := curvature.NewGradient(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		moved := []float64{1, 2, 3, 4, -1}
		got := make([]float64, l.Size)
		if err := errors.Join(curvature.SetWeights(params, moved), gradient(ctx, got)); err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{0, 4, 12, 24, -10} {
			if !near(got[i], want, tolerance) {
				t.Errorf("%v: element %d of the gradient is %v, want %v", dtype, i, got[i], want)
			}
		}
	}
}

// TestRandomPlane checks the lengths of the filters: those of the weights for each row, 0 for vectors.
func TestRandomPlane(t *testing.T) {
	_, params := quadratic(tarn.F64)
	p, err := curvature.RandomPlane(params, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range [][]float64{p.X, p.Y} {
		if !near(math.Hypot(d[0], d[1]), 5, 1e-12) || !near(math.Hypot(d[2], d[3]), 2, 1e-12) || d[4] != 0 {
			t.Errorf("the direction %v, want rows of lengths 5 and 2, and 0", d)
		}
	}
	same, err1 := curvature.RandomPlane(params, 1)
	other, err2 := curvature.RandomPlane(params, 2)
	if err := errors.Join(err1, err2); err != nil || same.X[0] != p.X[0] || other.X[0] == p.X[0] || p.X[0] == p.Y[0] {
		t.Errorf("%v: seeds 1, 1 and 2 have %v, %v and %v", err, p.X, same.X, other.X)
	}
}

// TestProject finds points of planes again, with directions that are not at right angles, and the distance of one beside it.
func TestProject(t *testing.T) {
	skew := &curvature.Plane{Origin: []float64{1, 2, 3}, X: []float64{2, 0, 0}, Y: []float64{1, 3, 0}}
	through, err := curvature.PlaneThrough([]float64{1, 2, 3}, []float64{4, 2, 3}, []float64{5, 6, 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*curvature.Plane{"skew": skew, "through": through} {
		w := p.At(1.5, -2)
		w[2] += 7
		if x, y, distance := p.Project(w); !near(x, 1.5, 1e-12) || !near(y, -2, 1e-12) || !near(distance, 7, 1e-12) {
			t.Errorf("%s: %v, %v at distance %v, want 1.5, -2 at 7", name, x, y, distance)
		}
	}
	// Of the three points the first is the origin, the second on the x axis, and distances are those of the weights.
	for want, w := range map[[2]float64][]float64{{0, 0}: {1, 2, 3}, {3, 0}: {4, 2, 3}, {4, 4}: {5, 6, 3}} {
		if x, y, distance := through.Project(w); !near(x, want[0], 1e-12) || !near(y, want[1], 1e-12) || distance > 1e-12 {
			t.Errorf("%v lies at %v, %v and distance %v, want %v", w, x, y, distance, want)
		}
	}
}

// TestPathPlane takes a path that varies most along one axis, less along another and least along a third.
func TestPathPlane(t *testing.T) {
	path := [][]float64{{0, 8, -1, 5}, {0, 4, 1, 5}, {0, 0, -1, 5.1}, {0, -4, 1, 4.9}, {0, -8, -1, 5}}
	p, shares, err := curvature.PathPlane(path...)
	if err != nil {
		t.Fatal(err)
	}
	variance := []float64{160, 4.8, 0.02} // sums of squares about the mean
	total := variance[0] + variance[1] + variance[2]
	if !near(shares[0], variance[0]/total, 1e-3) || !near(shares[1], variance[1]/total, 1e-3) {
		t.Errorf("the shares are %v", shares)
	}
	if math.Abs(p.X[1]) < 0.99 || math.Abs(p.Y[2]) < 0.99 {
		t.Errorf("the directions are %v and %v", p.X, p.Y)
	}
	if x, y, distance := p.Project(path[4]); x != 0 || y != 0 || distance != 0 {
		t.Errorf("the last point lies at %v, %v and distance %v", x, y, distance)
	}
	if x, _, _ := p.Project(path[0]); !near(x, -16, 1e-2) {
		t.Errorf("the path begins at %v, want -16", x)
	}
}

// TestLossBatches averages over batches of a network.
func TestLossBatches(t *testing.T) {
	loss, _, params, batch := newMixed(t)
	loss.Graph().Eval()
	half := tarn.Zeros(tarn.F64, 4, 5, 5, 1)
	l, err := curvature.NewLoss(loss, params, batch, curvature.Inputs{"x": half, "y": batch["y"]})
	one, err1 := curvature.NewLoss(loss, params, batch)
	two, err2 := curvature.NewLoss(loss, params, curvature.Inputs{"x": half, "y": batch["y"]})
	if err := errors.Join(err, err1, err2); err != nil {
		t.Fatal(err)
	}
	w := curvature.Weights(params)
	both, err := l.At(ctx, w)
	a, err1 := one.At(ctx, w)
	b, err2 := two.At(ctx, w)
	if err := errors.Join(err, err1, err2); err != nil || !near(both, (a+b)/2, 1e-12) || a == b {
		t.Errorf("%v: the mean of %v and %v is %v", err, a, b, both)
	}
}

// TestLandscapeMistakes expects errors that name the cause.
func TestLandscapeMistakes(t *testing.T) {
	loss, params := quadratic(tarn.F64)
	l, err := curvature.NewLoss(loss, params)
	if err != nil {
		t.Fatal(err)
	}
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 2)
	m := tarn.NewParam(tarn.F64, nil, 2)
	needy := m.Value(g).Mul(x).Sum()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	nan := math.NaN()
	flat, infinite := tarn.NewParam(tarn.F64, nil, 3, 3), tarn.NewParam(tarn.F64, nil, 1, 2)
	infinite.Tensor().SetFloat(1, math.Inf(1))
	for _, c := range []struct {
		want string
		err  func() error
	}{
		{"the loss is nil", func() error { _, err := curvature.NewLoss(nil, params); return err }},
		{"should be a scalar", func() error { _, err := curvature.NewLoss(m.Value(g), []*tarn.Param{m}); return err }},
		{"listed twice", func() error { _, err := curvature.NewLoss(needy, []*tarn.Param{m, m}); return err }},
		{"no elements", func() error { _, err := curvature.NewLoss(needy, nil); return err }},
		{`the values of the loss need the input "x" and there is no batch`, func() error { _, err := curvature.NewLoss(needy, []*tarn.Param{m}); return err }},
		{`need the input "x", which batch 0 does not have`, func() error { _, err := curvature.NewLoss(needy, []*tarn.Param{m}, curvature.Inputs{}); return err }},
		{`the derivatives need the input "x"`, func() error { _, err := curvature.NewGradient(needy, []*tarn.Param{m}); return err }},
		{"a function of 5 weights and got 4", func() error { _, err := l.At(ctx, make([]float64, 4)); return err }},
		{"context canceled", func() error {
			_, err := l.Grid(canceled, &curvature.Plane{Origin: make([]float64, 5), X: make([]float64, 5), Y: make([]float64, 5)}, []float64{0}, []float64{0})
			return err
		}},
		{"5 elements and there are 3 weights", func() error { return curvature.SetWeights(params, make([]float64, 3)) }},
		{"no two directions", func() error { _, err := curvature.RandomPlane(params[1:], 1); return err }},
		{"no two directions", func() error { _, err := curvature.RandomPlane([]*tarn.Param{flat}, 1); return err }},
		{"no two directions", func() error { _, err := curvature.RandomPlane(nil, 1); return err }},
		{"weight 1 of point 0 is +Inf", func() error { _, err := curvature.RandomPlane([]*tarn.Param{infinite}, 1); return err }},
		{"point 1 has 2 weights and point 0 has 1", func() error {
			_, err := curvature.PlaneThrough([]float64{1}, []float64{1, 2}, []float64{1})
			return err
		}},
		{"lie on a line", func() error {
			_, err := curvature.PlaneThrough([]float64{0, 0.1}, []float64{1, 0.4}, []float64{2, 0.7})
			return err
		}},
		{"lie on a line", func() error {
			_, err := curvature.PlaneThrough([]float64{0, 1}, []float64{0, 1}, []float64{2, 3})
			return err
		}},
		{"weight 1 of point 2 is NaN", func() error {
			_, err := curvature.PlaneThrough([]float64{0, 1}, []float64{1, 2}, []float64{2, nan})
			return err
		}},
		{"2 points and should have at least 3", func() error { _, _, err := curvature.PathPlane([]float64{0, 1}, []float64{1, 2}); return err }},
		{"lie on a line", func() error {
			_, _, err := curvature.PathPlane([]float64{0, 1}, []float64{1, 2}, []float64{3, 4})
			return err
		}},
		{"lie on a line", func() error {
			_, _, err := curvature.PathPlane([]float64{0, 1}, []float64{0, 1}, []float64{0, 1})
			return err
		}},
		{"point 1 has 1 weights", func() error {
			_, _, err := curvature.PathPlane([]float64{0, 1}, []float64{0}, []float64{0, 1})
			return err
		}},
	} {
		if err := c.err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "curvature: ") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
