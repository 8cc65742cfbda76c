package minimize

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"github.com/seed-49005b45/tarn/internal/limit"
)

// This file holds run: the state that all methods share, and the tests that end a search.

// run is one search.
type run struct {
	evaluator
	progress
	ctx   context.Context
	o     Options
	yield func(Iterate) bool // nil without a listener
	left  bool               // the listener has left

	x, g      []float64 // the current point, and the gradient there
	f         float64
	gradNorm  func() float64 // how large the gradient is, for the test
	iteration int
	length    float64 // of the last step
	curvature float64
}

func newRun(ctx context.Context, p Problem, x0 []float64, m Method, o Options) (*run, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := p.check(len(x0)); err != nil {
		return nil, err
	}
	if isNil(m) {
		return nil, fmt.Errorf("minimize: the method is nil")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	for i, x := range x0 {
		if !isFinite(x) {
			return nil, fmt.Errorf("minimize: element %d of the start is %v", i, x)
		}
	}
	if c, ok := m.(interface{ check(p *Problem, n int) error }); ok {
		if err := c.check(&p, len(x0)); err != nil {
			return nil, err
		}
	}
	return begin(ctx, o, evaluator{p: &p, n: len(x0)}, x0), nil
}

// isNil reports whether there is no method: nil, or a nil pointer to one.
func isNil(m Method) bool { return m == nil || reflect.ValueOf(m).IsNil() }

// room returns an error if the process may not take matrices with as many numbers, and what to use instead.
func room(method string, numbers float64, instead string) error {
	if err := limit.Check(int(min(8*numbers, math.MaxInt/2))); err != nil {
		return fmt.Errorf("minimize: %s: the matrices are too large: %w; use %s", method, err, instead)
	}
	return nil
}

// begin returns a search from x0.
func begin(ctx context.Context, o Options, e evaluator, x0 []float64) *run {
	r := &run{evaluator: e, ctx: ctx, o: o, x: clone(x0), g: make([]float64, len(x0)), curvature: math.NaN(),
		progress: progress{origin: x0, first: math.NaN(), f: math.Inf(1), norm: math.Inf(1), retry: math.Inf(1)}}
	r.size = norm2(x0)
	r.gradNorm = func() float64 { return normInf(r.g) }
	return r
}

// finish searches and makes the result.
func (r *run) finish(m Method) (*Result, error) {
	reason := m.search(r)
	if r.err != nil {
		reason = Failed
	}
	res := &Result{X: clone(r.x), F: r.f, Gradient: clone(r.g), GradNorm: r.gradNorm(), Iterations: r.iteration,
		Evaluations: r.count, Reason: reason, Curvature: r.curvature}
	switch {
	case r.err != nil:
		return res, fmt.Errorf("minimize: evaluation %d: %w", r.count.Func+r.count.Residuals, r.err)
	case reason == Cancelled && !r.left:
		return res, fmt.Errorf("minimize: after %d iterations: %w", r.iteration, context.Cause(r.ctx))
	}
	return res, nil
}

// start evaluates the first point and reports it.
func (r *run) start() Reason {
	r.f = r.valueGrad(r.g, r.x)
	return r.report()
}

// state is what a listener sees if the gradient has that norm.
func (r *run) state(norm float64) Iterate {
	return Iterate{Iteration: r.iteration, X: r.x, F: r.f, Gradient: r.g, GradNorm: norm, Length: r.length, Evaluations: r.count}
}

// moved counts a step that has been taken to r.x, with r.f and r.g, and reports it.
func (r *run) moved(length float64) Reason {
	r.iteration++
	r.length = length
	return r.report()
}

// bottomless is the depth below which f counts as unbounded, while squares of it can still be computed.
const bottomless = 1e100

// report shows the state and makes the tests.
func (r *run) report() Reason {
	norm := r.gradNorm()
	r.note(r.f, norm)
	r.size = max(r.size, norm2(r.x))
	if r.yield != nil && !r.yield(r.state(norm)) {
		r.left = true
		return Cancelled
	}
	if reason := r.interrupted(); reason != Running {
		return reason
	}
	switch {
	case r.f < -bottomless:
		return Unbounded
	case !isFinite(r.f) || !isFinite(norm):
		return NotFinite
	case r.converged(norm):
		return GradientSmall
	case r.o.UseTarget && r.f <= r.o.Target:
		return FuncReached
	case r.o.Iterations >= 0 && r.iteration >= r.o.Iterations:
		return IterationLimit
	case r.idle >= patience && !r.noisy:
		return r.stuck()
	}
	return Running
}

// interrupted returns the reason that ends the search during a step, or Running.
func (r *run) interrupted() Reason {
	switch {
	case r.err != nil:
		return Failed
	case r.ctx.Err() != nil:
		return Cancelled
	case r.o.Evaluations > 0 && r.count.Func+r.count.Residuals >= r.o.Evaluations:
		return EvaluationLimit
	}
	return Running
}
