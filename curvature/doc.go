// Package curvature measures the matrix of second derivatives of a loss without forming it: its largest and smallest
// eigenvalues, its trace and the density of its spectrum. It also draws the ground: the loss on planes through the weights.
//
// # The matrix
//
// An Operator is a symmetric matrix of which only products with vectors are known. NewHessian and NewGaussNewton compile those of a
// loss in a tarn graph with respect to the params of a model, averaged over batches:
//
//	g := tarn.NewGraph()
//	g.Eval()
//	x, y := g.Input("image", tarn.F32, 500, 784), g.Input("label", tarn.I32, 500)
//	h, err := curvature.NewHessian(nn.CrossEntropy(m.Forward(x), y), params, batches...)
//
// # The measures
//
//	top, err := curvature.Eigenvalues(ctx, h, curvature.Options{Largest: 3, Smallest: 1})
//	trace, err := curvature.Trace(ctx, h, curvature.TraceOptions{})
//	spectrum, err := curvature.Density(ctx, h, curvature.DensityOptions{})
//
// The largest eigenvalue of the Hessian is the sharpness: gradient descent with a rate above 2 over it leaves a minimum. Every
// measure says how good it is: an eigenvalue comes with the residual of its vector, which its own product has measured, and counts as
// converged only if that is small; a trace comes with its standard error.
//
// # The landscape
//
// NewLoss compiles a loss as a function of the weights, which Grid evaluates on a Plane: one of random directions normalized by filters, one
// through the ends of three trainings, or that of the principal components of a training's path.
//
//	l, err := curvature.NewLoss(loss, params, batches...)
//	plane, err := curvature.RandomPlane(params, 1)
//	values, err := l.Grid(ctx, plane, xs, ys)
//
// Products are computed in the dtype of the params and everything else in f64. With f32 params a residual does not come below about
// 1e-6 of the largest eigenvalue.
package curvature
