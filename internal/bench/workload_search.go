package bench

import (
	"context"
	"fmt"
	"math"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize"
)

// This file holds the workload that searches for a minimum.

const (
	lbfgsSize      = 1000
	lbfgsMemory    = 10   // pairs, as the peers keep
	lbfgsTolerance = 1e-5 // length of the gradient at the end
)

// lbfgs is Rosenbrock's function chained: sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, from (-1.2, 1, -1.2, 1, ...). Value and
// gradient come from one compiled program, as in the peers from automatic differentiation. (SciPy has none: its gradient is
// written by hand.)
var lbfgs = workload{
	Name:  "lbfgs",
	About: "L-BFGS, the whole search: chained Rosenbrock function of 1000 numbers, f64",
	make: func(*tarn.Random) (job, error) {
		return job{compile: func() (func() (counts, error), error) {
			g := tarn.NewGraph()
			p := tarn.NewParam(tarn.F64, nil, lbfgsSize)
			x := p.Value(g)
			head, tail := x.Slice(0, 0, lbfgsSize-1), x.Slice(0, 1, lbfgsSize)
			f := tail.Sub(head.Square()).Square().Scale(100).Add(head.Neg().AddNum(1).Square()).Sum()
			graph, err := minimize.FromGraph(f, []*tarn.Param{p}, nil)
			if err != nil {
				return nil, err
			}
			problem, start := graph.Problem(), make([]float64, lbfgsSize)
			for i := range start {
				start[i] = 1
				if i%2 == 0 {
					start[i] = -1.2
				}
			}
			return func() (counts, error) { return descend(problem, start) }, nil
		}}, nil
	},
}

// descend searches until the gradient is short.
func descend(p minimize.Problem, start []float64) (counts, error) {
	// The tolerance of the options is for the largest element, which is below the length.
	o := minimize.Options{Gradient: lbfgsTolerance / lbfgsSize}
	var last minimize.Iterate
	for s, err := range minimize.Iterates(context.Background(), p, start, &minimize.LBFGS{Memory: lbfgsMemory}, o) {
		if err != nil {
			return counts{}, err
		}
		if last = s; s.GradNorm <= lbfgsTolerance && length(s.Gradient) <= lbfgsTolerance {
			return counts{s.Iteration, s.Evaluations.Func}, nil
		}
	}
	return counts{}, fmt.Errorf("the gradient is %v after %d iterations: %v", length(last.Gradient), last.Iteration, last.Reason)
}

// length returns the 2-norm.
func length(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
