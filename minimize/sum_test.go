package minimize_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/dist"
	"github.com/seed-49005b45/tarn/dist/disttest"
	"github.com/seed-49005b45/tarn/minimize"
)

// sumExamples are the points of a curve a exp(-b t) + c with noise, and the classes of a logistic regression.
const sumExamples = 61

// sumPoints draws the points.
func sumPoints() (ts, ys []float64) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range sumExamples {
		t := float64(i) / 10
		ts, ys = append(ts, t), append(ys, 3*math.Exp(-0.7*t)+0.5+0.05*random.NormFloat64())
	}
	return ts, ys
}

// graphTerm is the term of the examples from lo to before hi, as residuals of the curve or as a loss of a logistic regression.
func graphTerm(params []*tarn.Param, lo, hi int, squares bool) (minimize.Problem, error) {
	ts, ys := sumPoints()
	g := tarn.NewGraph()
	n := hi - lo
	t, y := g.Input("t", tarn.F64, n), g.Input("y", tarn.F64, n)
	at, err := tarn.FromSlice(ts[lo:hi], n)
	if err != nil {
		return minimize.Problem{}, err
	}
	truth, err := tarn.FromSlice(ys[lo:hi], n)
	if err != nil {
		return minimize.Problem{}, err
	}
	theta := params[0].Value(g)
	of := func(i int) *tarn.Value { return theta.Slice(0, i, i+1).Reshape() }
	inputs := minimize.Inputs{"t": at, "y": truth}
	var made *minimize.Graph
	if squares {
		made, err = minimize.FromResiduals(t.Mul(of(1)).Neg().Exp().Mul(of(0)).Add(of(2)).Sub(y), params, inputs)
	} else {
		z := t.Mul(of(0)).Add(of(1)).Add(t.Square().Mul(of(2)))
		class := y.Gt(tarn.Num(1.2)).Cast(tarn.F64)
		made, err = minimize.FromGraph(z.Neg().Mul(class.Scale(2).Sub(tarn.Num(1))).Exp().Add(tarn.Num(1)).Log().Sum().Add(theta.Square().Sum().Scale(0.05*float64(n)/sumExamples)), params, inputs)
	}
	if err != nil {
		return minimize.Problem{}, err
	}
	return made.Problem(), nil
}

// sumSearch searches on ranks and returns what all have found, which must be the same.
func sumSearch(t *testing.T, ranks, terms int, squares bool, method func() minimize.Method) (string, *minimize.Result) {
	t.Helper()
	results := make([]*minimize.Result, ranks)
	for r, err := range disttest.Run(ranks, disttest.Options{}, func(c dist.Comm) (err error) {
		params := []*tarn.Param{tarn.NewParam(tarn.F64, nil, 3)}
		s, err := minimize.NewSum(c, terms, func(i int) (minimize.Problem, error) {
			lo, hi := dist.Shard(sumExamples, terms, i)
			return graphTerm(params, lo, hi, squares)
		})
		if err != nil {
			return err
		}
		results[c.Rank()], err = s.Run(context.Background(), []float64{1, 1, 0}, method(), minimize.Options{})
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d of %d: %v", r, ranks, err)
		}
	}
	show := func(r *minimize.Result) string {
		return fmt.Sprintf("%x %x %d %v %+v", r.X, r.F, r.Iterations, r.Reason, r.Evaluations)
	}
	for r, res := range results {
		if show(res) != show(results[0]) {
			t.Errorf("rank %d of %d found %s and rank 0 %s", r, ranks, show(res), show(results[0]))
		}
	}
	return show(results[0]), results[0]
}

// TestSum minimizes sums of terms over ranks: the results have the same bits for any number of ranks, and are those of the whole function.
func TestSum(t *testing.T) {
	for _, test := range []struct {
		name    string
		squares bool
		method  func() minimize.Method
	}{
		{"gradient descent", false, func() minimize.Method { return &minimize.GradientDescent{} }},
		{"conjugate gradients", false, func() minimize.Method { return &minimize.ConjugateGradient{} }},
		{"bfgs", false, func() minimize.Method { return &minimize.BFGS{} }},
		{"l-bfgs", false, func() minimize.Method { return &minimize.LBFGS{} }},
		{"newton", false, func() minimize.Method { return &minimize.Newton{} }},
		{"newton-cg", false, func() minimize.Method { return &minimize.NewtonCG{} }},
		{"newton-cg with J'J", true, func() minimize.Method { return &minimize.NewtonCG{} }},
		{"l-bfgs of squares", true, func() minimize.Method { return &minimize.LBFGS{} }},
		{"gauss-newton", true, func() minimize.Method { return &minimize.GaussNewton{} }},
		{"levenberg-marquardt", true, func() minimize.Method { return &minimize.LevenbergMarquardt{} }},
	} {
		want, res := sumSearch(t, 1, 8, test.squares, test.method)
		if !res.Reason.Converged() {
			t.Errorf("%s: %v", test.name, res.Reason)
		}
		for _, ranks := range []int{2, 3, 4, 8} {
			if got, _ := sumSearch(t, ranks, 8, test.squares, test.method); got != want {
				t.Errorf("%s: %d ranks found %s and one %s", test.name, ranks, got, want)
			}
		}
		if _, whole := sumSearch(t, 1, 1, test.squares, test.method); math.Abs(whole.F-res.F) > 1e-6*whole.F {
			t.Errorf("%s: the minimum of the sum is %v, and of the whole function %v", test.name, res.F, whole.F)
		}
	}
}

// TestSumEnds lets terms fail, contexts be canceled on one rank, and ranks differ: all end with a reason.
func TestSumEnds(t *testing.T) {
	parabola := func(i int) minimize.Problem {
		return minimize.Problem{Func: func(x []float64) float64 { return (x[0] - float64(i)) * (x[0] - float64(i)) }, Grad: func(dst, x []float64) { dst[0] = 2 * (x[0] - float64(i)) }}
	}
	squares := func(i int) minimize.Problem {
		return minimize.Problem{Count: 1 + i%2, Residuals: func(dst, x []float64) {
			for k := range dst {
				dst[k] = x[0] - float64(i)
			}
		}}
	}
	for _, test := range []struct {
		name   string
		terms  func(rank int) int
		term   func(c context.CancelFunc, rank, i int) (minimize.Problem, error)
		method minimize.Method
		want   string
	}{
		{"no errors", nil, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) { return parabola(i), nil }, &minimize.LBFGS{}, ""},
		{"uneven residuals", nil, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) { return squares(i), nil }, &minimize.LevenbergMarquardt{}, ""},
		{"a term cannot be made", nil, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) {
			if i == 5 {
				return minimize.Problem{}, errors.New("no such file")
			}
			return parabola(i), nil
		}, &minimize.LBFGS{}, "term 5: no such file"},
		{"an evaluation fails", nil, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) {
			p, n := parabola(i), 0
			p.Err = func() error {
				if n++; i == 5 && n > 2 {
					return errors.New("no memory")
				}
				return nil
			}
			return p, nil
		}, &minimize.LBFGS{}, "no memory"},
		{"residuals fail", nil, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) {
			p := squares(i)
			p.Err = func() error {
				if i == 2 {
					return errors.New("no memory")
				}
				return nil
			}
			return p, nil
		}, &minimize.LevenbergMarquardt{}, "no memory"},
		{"a rank is canceled", nil, func(cancel context.CancelFunc, rank, i int) (minimize.Problem, error) {
			p := parabola(i)
			p.Grad = func(dst, x []float64) {
				if dst[0] = math.Sin(x[0] + float64(i)); rank == 1 {
					cancel()
				}
			}
			return p, nil
		}, &minimize.LBFGS{}, "canceled"},
		{"different numbers of terms", func(rank int) int { return 8 + rank/2 }, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) { return parabola(i), nil }, &minimize.LBFGS{}, "pass the same number"},
		{"too few terms", func(int) int { return 2 }, func(_ context.CancelFunc, _, i int) (minimize.Problem, error) { return parabola(i), nil }, &minimize.LBFGS{}, "2 terms for 3 ranks"},
		{"no function", nil, func(context.CancelFunc, int, int) (minimize.Problem, error) { return minimize.Problem{}, nil }, &minimize.LBFGS{}, "has neither Func"},
	} {
		for r, err := range disttest.Run(3, disttest.Options{}, func(c dist.Comm) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			terms := 8
			if test.terms != nil {
				terms = test.terms(c.Rank())
			}
			s, err := minimize.NewSum(c, terms, func(i int) (minimize.Problem, error) { return test.term(cancel, c.Rank(), i) })
			if err != nil {
				return err
			}
			_, err = s.Run(ctx, []float64{20}, test.method, minimize.Options{})
			return err
		}) {
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s: rank %d: %v, want %q", test.name, r, err, test.want)
			}
		}
	}
}
