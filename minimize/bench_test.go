package minimize_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/minimize"
	"github.com/seed-49005b45/tarn/minimize/expr"
)

// BenchmarkLBFGS is the standard workload lbfgs: the chained Rosenbrock function in 1000 dimensions, until the length of the gradient is
// 1e-5, by a gradient written by hand and by one from a graph.
func BenchmarkLBFGS(b *testing.B) {
	for _, memory := range []int{10, 20} {
		b.Run(fmt.Sprintf("plain/memory=%d", memory), func(b *testing.B) { benchmarkLBFGS(b, rosenbrock(), memory) })
		b.Run(fmt.Sprintf("graph/memory=%d", memory), func(b *testing.B) {
			e, err := expr.Parse("sum(100*(x[1:]-x[:-1]^2)^2 + (1-x[:-1])^2)")
			if err != nil {
				b.Fatal(err)
			}
			g, p := tarn.NewGraph(), tarn.NewParam(tarn.F64, nil, 1000)
			loss, err := e.Build(g, map[string]*tarn.Value{"x": p.Value(g)})
			if err != nil {
				b.Fatal(err)
			}
			graph, err := minimize.FromGraph(loss, []*tarn.Param{p}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			benchmarkLBFGS(b, graph.Problem(), memory)
		})
	}
}

func benchmarkLBFGS(b *testing.B, p minimize.Problem, memory int) {
	var last minimize.Iterate
	for b.Loop() {
		for s, err := range minimize.Iterates(ctx, p, chained(1000), &minimize.LBFGS{Memory: memory}, minimize.Options{Gradient: 1e-12}) {
			if err != nil {
				b.Fatal(err)
			}
			if last = s; s.GradNorm <= 1e-5 && norm2(s.Gradient) <= 1e-5 {
				break
			}
		}
	}
	if !(norm2(last.Gradient) <= 1e-5) {
		b.Fatalf("the gradient is %v after %d iterations", last.GradNorm, last.Iteration)
	}
	b.ReportMetric(float64(last.Iteration), "iterations")
	b.ReportMetric(float64(last.Evaluations.Func), "evaluations")
}

func norm2(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}
