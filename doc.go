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
// Run takes one step of the program on real data. Its results belong to the caller. RunInto reuses results, as package train does, and
// allocates nothing; RunContext can be canceled.
//
//	out, err := step.Run(xs, ys)
//	fmt.Println(out["loss"].Item())
//
// # Numbers near zero
//
// A float nearer to zero than the smallest normal number of its dtype (2^-126 for F32, 2^-1022 for F64) is denormal, and counts as zero. Results of
// arithmetic that are denormal are 0, comparisons and conversions to Bool take a denormal operand for 0, and so does arithmetic: Log of it is -Inf. So a
// decaying average reaches 0, and no vector kernel slows down because its numbers have become small. XLA and TensorFlow do the same on CPUs; PyTorch
// does it after torch.set_flush_denormal(true). What only moves, selects or negates elements keeps them, as do sorting, Cast between float
// dtypes, printing and files, unless the compiler has fused it with arithmetic. Where there are no vector instructions (TARN_CPU=go), sums, products and
// quotients flush results, but take a denormal operand from outside as it is.
//
// # Memory
//
// A program takes its memory when it is compiled, and Program.Memory tells how much. Go ends a process that asks for more memory than there is,
// so Compile, NewParam and Zeros first look at what the process may have: the memory of the machine, the limit of its control group, its
// limits of address space and data (ulimit -v and -d), and GOMEMLIMIT. What is in use already counts, garbage does not. What would be too
// large is an error that says how much is needed and by what. Small amounts are let pass until they add up to 16 MiB. The environment variable
// TARN_MEMORY takes the place of all these limits: off for none, or a size such as 8GiB.
//
// Package nn has layers and losses, optim the optimizers, train the loop, data the data sets.
package tarn
