package curvature_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
	"github.com/seed-49005b45/tarn/curvature"
)

// The ends of the spectrum, the trace and the mean of a loss whose Hessian is known.
func Example() {
	w := tarn.NewParam(tarn.F64, nil, 4)
	g := tarn.NewGraph()
	loss := w.Value(g).Square().Mul(g.Const(tarn.Vector([]float64{1, 2, 3, -0.5}))).Sum()
	hessian, err := curvature.NewHessian(loss, []*tarn.Param{w})
	if err != nil {
		log.Fatal(err)
	}
	ends, err := curvature.Eigenvalues(context.Background(), hessian, curvature.Options{Largest: 2, Smallest: 1})
	if err != nil {
		log.Fatal(err)
	}
	trace, err := curvature.Trace(context.Background(), hessian, curvature.TraceOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("largest %.3f and %.3f, smallest %.3f, converged %v\n", ends.Largest[0].Value, ends.Largest[1].Value, ends.Smallest[0].Value, ends.Converged())
	fmt.Printf("trace %.3f, standard error %.3f\n", trace.Value, trace.Error)
	// Output:
	// largest 6.000 and 4.000, smallest -1.000, converged true
	// trace 11.000, standard error 0.000
}
