// Package tarn trains neural networks. A model is a plain Go struct that holds Params; a loss is ordinary method calls on
// Values; Tarn differentiates it, compiles forward pass, backward pass and update into one program, and runs that.
//
// # Trace, compile, run
//
// Calling ops computes nothing. Each call adds a node to a Graph, with its shape, dtype and the line that made it:
//
//	g := tarn.NewGraph()
//	x, y := g.Input("x", tarn.F64, 100, 1), g.Input("y", tarn.F64, 100, 1)
//	w := tarn.NewParam(tarn.F64, nil, 1, 1)
//	loss := x.MatMul(w).Sub(y).Square().Mean()
//
// Grad walks that record backwards and asks each op for its gradient rule, which adds nodes of the same kind: gradients
// are values like any other, and have gradients themselves.
//
//	d := tarn.Grad(loss, w)
//
// Compile takes what the named outputs and the updates need and makes a Program of it. A mistake in the graph, a shape
// that does not fit, is reported here: all mistakes at once, each with its file and line.
//
//	step, err := tarn.Compile(g, tarn.Outputs{"loss": loss}, tarn.Assign(w, w.Value(g).Sub(d[0].Scale(0.1))))
//
// Run takes one step of the program on real data. It allocates nothing.
//
//	out, err := step.Run(xs, ys)
//	fmt.Println(out["loss"].Item())
//
// Package nn has layers and losses, optim the optimizers, train the loop, data the data sets.
package tarn
