package minimize

import (
	"context"
	"fmt"
	"math"
)

// This file holds the options and the results of a search.

// Reason is why a search ended.
type Reason int

const (
	Running             Reason = iota // it has not ended
	GradientSmall                     // success: the gradient is within the tolerance
	Stalled                           // no step lowers f any more, and the gradient is not small by any rule
	FuncReached                       // f came below Options.Target
	IterationLimit                    // Options.Iterations steps were taken
	EvaluationLimit                   // Options.Evaluations evaluations were made
	Unbounded                         // f falls without bound, or to minus infinity
	NotFinite                         // f or its gradient is not finite at the current point
	Cancelled                         // the context was canceled, or the loop over Iterates was left
	Failed                            // an evaluation returned an error
	GradientRounding                  // success: no step lowers f any more, and the gradient is small relative to how it changes nearby
	ResidualsOrthogonal               // success: the residuals are orthogonal to the columns of the Jacobian within the tolerance
)

var reasonText = [...]string{
	"running", "the gradient is within the tolerance", "no step lowers the function any more", "the function reached the target",
	"the limit of iterations is reached", "the limit of evaluations is reached", "the function falls without bound",
	"the function or its gradient is not finite", "canceled", "an evaluation failed",
	"no step lowers the function any more, and the gradient is within the tolerance relative to its changes nearby",
	"the residuals are orthogonal to the columns of the Jacobian within the tolerance",
}

// Converged reports whether the reason is one of the rules by which a search succeeds: GradientSmall, GradientRounding or
// ResidualsOrthogonal.
func (r Reason) Converged() bool {
	return r == GradientSmall || r == GradientRounding || r == ResidualsOrthogonal
}

// String describes the reason.
func (r Reason) String() string {
	if r < 0 || int(r) >= len(reasonText) {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonText[r]
}

// Options are when to stop. The zero value has useful defaults.
type Options struct {
	// Gradient is the tolerance. At a minimum the largest magnitude in the gradient is at most this, and at most this times the
	// largest magnitude at any iterate, so that a function in small units is not taken as flat. 0 means 1e-6.
	Gradient    float64
	Iterations  int     // most steps; 0 means 10000, a negative number no limit
	Evaluations int     // most evaluations of f or its residuals; 0 means no limit
	Target      float64 // with UseTarget: stop if f is at most this
	UseTarget   bool
}

func (o Options) withDefaults() (Options, error) {
	if math.IsNaN(o.Gradient) || o.Gradient < 0 || math.IsNaN(o.Target) || o.Evaluations < 0 {
		return o, fmt.Errorf("minimize: Options: the tolerance is %v, the limit of evaluations %d, the target %v: they cannot be negative or NaN",
			o.Gradient, o.Evaluations, o.Target)
	}
	if o.Gradient == 0 {
		o.Gradient = 1e-6
	}
	if o.Iterations == 0 {
		o.Iterations = 10000
	}
	return o, nil
}

// Iterate is the state of a search after an iteration. Slices are valid until the next step: clone them to keep them.
type Iterate struct {
	Iteration   int // 0 is the start
	X           []float64
	F           float64
	Gradient    []float64
	GradNorm    float64 // largest magnitude in the gradient; with bounds, in the part that may be followed
	Length      float64 // of the step that led here
	Evaluations Evaluations
	Reason      Reason // Running, but for the last step
}

// Result is the end of a search.
type Result struct {
	X           []float64
	F           float64
	Gradient    []float64
	GradNorm    float64
	Iterations  int
	Evaluations Evaluations
	Reason      Reason

	// Curvature is the least eigenvalue of the Hessian at X as far as Newton and NewtonCG know it, NaN if unknown: a
	// negative one with a small gradient is a saddle.
	Curvature float64
}

// Converged reports success. Reason is the rule by which the search converged.
func (r *Result) Converged() bool { return r.Reason.Converged() }

// String is a summary on one line.
func (r *Result) String() string {
	return fmt.Sprintf("f = %.10g, gradient %.2g, %d iterations, %s: %v", r.F, r.GradNorm, r.Iterations, r.Evaluations, r.Reason)
}

// String lists what was evaluated.
func (e Evaluations) String() string {
	s := ""
	for _, c := range []struct {
		n    int
		what string
	}{
		{e.Func, "functions"}, {e.Grad, "gradients"}, {e.Hess, "Hessians"}, {e.HessVec, "Hessian products"},
		{e.Residuals, "residuals"}, {e.Jacobian, "Jacobians"}, {e.NotFinite, "not finite"},
	} {
		if c.n == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf("%d %s", c.n, c.what)
	}
	if s == "" {
		return "no evaluations"
	}
	return s
}

// Method is a method of minimization: a pointer to one of the structs of this package.
type Method interface {
	// search moves from the run's point to a minimum and returns why it stopped.
	search(r *run) Reason
}

// Run minimizes p from x0 by the method. The error reports invalid arguments or an evaluation that failed; a search that
// ends without success is no error: see Result.Reason. After an error during the search the Result says how
// far it got.
func Run(ctx context.Context, p Problem, x0 []float64, m Method, o Options) (*Result, error) {
	r, err := newRun(ctx, p, x0, m, o)
	if err != nil {
		return nil, err
	}
	return r.finish(m)
}

// Iterates is Run as a loop: it yields the start, each step, and the last one again, with its Reason. Leaving the loop ends
// the search.
func Iterates(ctx context.Context, p Problem, x0 []float64, m Method, o Options) func(yield func(Iterate, error) bool) {
	return func(yield func(Iterate, error) bool) {
		r, err := newRun(ctx, p, x0, m, o)
		if err != nil {
			yield(Iterate{}, err)
			return
		}
		r.yield = func(s Iterate) bool { return yield(s, nil) }
		res, err := r.finish(m)
		if r.left {
			return
		}
		s := r.state(res.GradNorm)
		s.X, s.F, s.Gradient, s.Reason = res.X, res.F, res.Gradient, res.Reason
		yield(s, err)
	}
}
