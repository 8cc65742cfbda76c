package tarn_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/seed-49005b45/tarn"
)

// A graph says what to compute, Compile makes a program of it, and Run runs it.
func ExampleCompile() {
	g := tarn.NewGraph()
	x, w := g.Input("x", tarn.F64, 2, 3), g.Input("w", tarn.F64, 3)
	program, err := tarn.Compile(g, tarn.Outputs{"y": x.MatMul(w).ReLU()})
	if err != nil {
		log.Fatal(err) // every mistake in the graph, each with its file and line
	}

	xs, err := tarn.FromSlice([]float64{
		1, 2, 3,
		4, 5, 6,
	}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(xs, tarn.Vector([]float64{-1, 0, 1})) // in the order of g.Input
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["y"])
	// Output: f64[2] [2 2]
}

// A mistake does not end the program where it is made: Compile returns all of them.
func ExampleCompile_mistake() {
	g := tarn.NewGraph()
	x, w := g.Input("x", tarn.F32, 8, 3), g.Input("w", tarn.F32, 4, 2)
	_, err := tarn.Compile(g, tarn.Outputs{"y": x.MatMul(w).ReLU(), "z": x.Sum(5)})
	var mistakes *tarn.GraphError
	if errors.As(err, &mistakes) {
		for _, d := range mistakes.Diagnostics {
			fmt.Printf("%s: %s\n", d.Op, d.Problem)
		}
	}
	// Output:
	// MatMul: [8 3] x [4 2]: the inner sizes 3 and 4 differ (axis 1 of the first, axis 0 of the second)
	// Sum: axis 5 is not an axis of a value of rank 2
}

// Gradient descent on one weight, with the update as part of the program.
func ExampleGrad() {
	w := tarn.NewParam(tarn.F64, nil) // a scalar that starts at 0
	g := tarn.NewGraph()
	loss := w.Value(g).Sub(tarn.Num(3)).Square() // (w - 3)^2
	d := tarn.Grad(loss, w)[0]                   // 2 (w - 3)
	step, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, tarn.Assign(w, w.Value(g).Sub(d.Scale(0.25))))
	if err != nil {
		log.Fatal(err)
	}
	for range 4 {
		out, err := step.Run()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("loss %.4f, then w = %.4f\n", out["loss"].Item(), w.Tensor().Item())
	}
	// Output:
	// loss 9.0000, then w = 1.5000
	// loss 2.2500, then w = 2.2500
	// loss 0.5625, then w = 2.6250
	// loss 0.1406, then w = 2.8125
}

// A gradient is a value like any other, so it has a gradient too.
func ExampleGrad_second() {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64)
	y := x.Pow(tarn.Num(3))
	first := tarn.Grad(y, x)[0]
	second := tarn.Grad(first, x)[0]
	program, err := tarn.Compile(g, tarn.Outputs{"y": y, "first": first, "second": second})
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(tarn.Scalar(2.0))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["y"].Item(), out["first"].Item(), out["second"].Item())
	// Output: 8 12 12
}

// The product of a Hessian matrix and a vector, without the matrix.
func ExampleHVP() {
	g := tarn.NewGraph()
	x, v := g.Input("x", tarn.F64, 2), g.Input("v", tarn.F64, 2)
	loss := x.Prod(0).Square() // x0^2 x1^2
	hv := tarn.HVP(loss, []*tarn.Value{x}, []*tarn.Value{v})[0]
	program, err := tarn.Compile(g, tarn.Outputs{"Hv": hv})
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(tarn.Vector([]float64{1, 2}), tarn.Vector([]float64{1, 0}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["Hv"]) // the first column: 2 x1^2 and 4 x0 x1
	// Output: f64[2] [8 8]
}

// A loop within the program: a running sum, which is the carry, with each of its values stacked.
func ExampleScan() {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 4)
	zero := g.Num(tarn.F64, 0)
	last, stacks := tarn.Scan([]*tarn.Value{zero}, []*tarn.Value{x}, tarn.ScanOptions{}, func(carries, slices []*tarn.Value) (next, stacked []*tarn.Value) {
		sum := carries[0].Add(slices[0])
		return []*tarn.Value{sum}, []*tarn.Value{sum}
	})
	program, err := tarn.Compile(g, tarn.Outputs{"sum": last[0], "sums": stacks[0], "gradient": tarn.Grad(last[0].Square(), x)[0]})
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(tarn.Vector([]float64{1, 2, 3, 4}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["sum"].Item(), out["sums"], out["gradient"])
	// Output: 10 f64[4] [1 3 6 10] f64[4] [20 20 20 20]
}

// Only the branch that is chosen runs.
func ExampleCond() {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 3)
	y := tarn.Cond(x.Sum().Gt(tarn.Num(10)), []*tarn.Value{x},
		func(in []*tarn.Value) []*tarn.Value { return []*tarn.Value{in[0].Scale(0.5)} },
		func(in []*tarn.Value) []*tarn.Value { return in },
	)[0]
	program, err := tarn.Compile(g, tarn.Outputs{"y": y})
	if err != nil {
		log.Fatal(err)
	}
	for _, x := range [][]float64{{1, 2, 3}, {4, 6, 8}} {
		out, err := program.Run(tarn.Vector(x))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out["y"])
	}
	// Output:
	// f64[3] [1 2 3]
	// f64[3] [2 3 4]
}

// Letters name axes: one that is missing after the arrow is summed over.
func ExampleEinsum() {
	g := tarn.NewGraph()
	a, b := g.Input("a", tarn.F64, 2, 3), g.Input("b", tarn.F64, 2, 3)
	program, err := tarn.Compile(g, tarn.Outputs{
		"products": tarn.Einsum("ik,jk->ij", a, b), // of all pairs of rows
		"diagonal": tarn.Einsum("ik,ik->i", a, b),  // of rows with the same number
		"sum":      tarn.Einsum("ik->", a),
	})
	if err != nil {
		log.Fatal(err)
	}
	rows, err := tarn.FromSlice([]float64{1, 0, 2, 0, 3, 1}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(rows, rows)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["products"])
	fmt.Println(out["diagonal"], out["sum"].Item())
	// Output:
	// f64[2 2] [[5 2]
	//  [2 10]]
	// f64[2] [5 10] 7
}

// A model is any struct. Its weights are initialized from a seed and their names: the same seed gives the same weights, whatever
// else the model holds.
func ExampleInit() {
	type layer struct{ Weight, Bias *tarn.Param }
	uniform := func(t *tarn.Tensor, r *tarn.Random) { r.Uniform(t, -1, 1) }
	model := &struct{ Hidden, Out layer }{
		layer{tarn.NewParam(tarn.F32, uniform, 4, 2), tarn.NewParam(tarn.F32, nil, 4)},
		layer{tarn.NewParam(tarn.F32, uniform, 1, 4), tarn.NewParam(tarn.F32, nil, 1)},
	}
	if err := tarn.Init(model, 42); err != nil {
		log.Fatal(err)
	}
	first := model.Out.Weight.Tensor().Clone()
	if err := tarn.Init(model, 42); err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Out.Weight.Tensor().Equal(first, 0), model.Out.Bias.Tensor())
	// Output: true f32[1] [0]
}

// A tensor is data outside of a graph: what programs are given and return.
func ExampleFromSlice() {
	t, err := tarn.FromSlice([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	t.SetFloat(5, 60)
	fmt.Println(t.Shape(), t.DType(), t.Size(), t.F32())
	fmt.Println(t)

	_, err = tarn.FromSlice([]float32{1, 2, 3}, 2, 3)
	fmt.Println(err)
	// Output:
	// [2 3] f32 6 [1 2 3 4 5 60]
	// f32[2 3] [[1 2 3]
	//  [4 5 60]]
	// tarn: FromSlice: shape [2 3] holds 6 elements, the slice has 3
}

// Rounding has a gradient of zero everywhere. With the gradient of the identity in its place, what lies before it can learn.
func ExampleWithGradient() {
	g := tarn.NewGraph()
	x := g.Input("x", tarn.F64, 3)
	rounded := tarn.WithGradient(x.Round(), []*tarn.Value{x}, func(dy *tarn.Value) []*tarn.Value { return []*tarn.Value{dy} })
	program, err := tarn.Compile(g, tarn.Outputs{"y": rounded, "gradient": tarn.Grad(rounded.Sum(), x)[0], "without": tarn.Grad(x.Round().Sum(), x)[0]})
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run(tarn.Vector([]float64{0.4, 1.6, -2.2}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["y"], out["gradient"], out["without"])
	// Output: f64[3] [0 2 -2] f64[3] [1 1 1] f64[3] [0 0 0]
}

// The hidden values of a block are computed again in the backward pass and not kept: less memory for more work, and the same gradient.
func ExampleCheckpoint() {
	memory := func(blocks bool) (bytes int) {
		g := tarn.NewGraph()
		x := g.Input("x", tarn.F32, 1000, 100)
		block := func(in ...*tarn.Value) *tarn.Value { return in[0].Sin().Exp().Tanh().CumSum(1).Cos() }
		y := x
		for range 6 {
			if blocks {
				y = tarn.Checkpoint(block, y)
			} else {
				y = block(y)
			}
		}
		program, err := tarn.Compile(g, tarn.Outputs{"d": tarn.Grad(y.Sum(), x)[0]})
		if err != nil {
			log.Fatal(err)
		}
		return program.Memory().Arena
	}
	fmt.Println(memory(true) < memory(false))
	// Output: true
}

// Params lists the weights of a model in the order in which they stand, each by its path in the struct.
func ExampleParams() {
	type layer struct{ Weight, Bias *tarn.Param }
	model := &struct {
		Hidden []layer
		Out    layer
	}{
		[]layer{{tarn.NewParam(tarn.F32, nil, 4, 2), tarn.NewParam(tarn.F32, nil, 4)}},
		layer{tarn.NewParam(tarn.F32, nil, 1, 4), tarn.NewParam(tarn.F32, nil, 1)},
	}
	params, err := tarn.Params(model)
	if err != nil {
		log.Fatal(err)
	}
	for name, p := range params.All() {
		fmt.Println(name, p.Shape())
	}
	// Output:
	// hidden.0.weight [4 2]
	// hidden.0.bias [4]
	// out.weight [1 4]
	// out.bias [1]
}

// A long convolution is the product of two spectra. Both signals are padded, as the transform is periodic.
func ExampleValue_RFFT() {
	g := tarn.NewGraph()
	x, kernel := g.Const(tarn.Vector([]float64{1, 2, 3, 4})), g.Const(tarn.Vector([]float64{1, 0, -1}))
	n := x.Dim(-1) + kernel.Dim(-1) - 1
	a, b := x.Pad(-1, 0, n-x.Dim(-1)).RFFT(tarn.NormBackward)
	c, d := kernel.Pad(-1, 0, n-kernel.Dim(-1)).RFFT(tarn.NormBackward)
	y := a.Mul(c).Sub(b.Mul(d)).IRFFT(a.Mul(d).Add(b.Mul(c)), n, tarn.NormBackward)
	program, err := tarn.Compile(g, tarn.Outputs{"y": y.Round()})
	if err != nil {
		log.Fatal(err)
	}
	out, err := program.Run()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["y"])
	// Output: f64[6] [1 2 2 2 -3 -4]
}
