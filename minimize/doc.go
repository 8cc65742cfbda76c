// Package minimize finds minima of functions of many numbers, in f64.
//
// # What is minimized
//
// A Problem is a plain Go function with those of its derivatives that are available:
//
//	p := minimize.Problem{
//		Func: func(x []float64) float64 { return (x[0]-1)*(x[0]-1) + x[1]*x[1] },
//		Grad: func(dst, x []float64) { dst[0], dst[1] = 2*(x[0]-1), 2*x[1] },
//	}
//	res, err := minimize.Run(ctx, p, []float64{5, 5}, &minimize.LBFGS{}, minimize.Options{})
//
// or a loss in a tarn graph and the params that it depends on: FromGraph compiles the loss, its gradient and its
// Hessian-vector product, and from residuals FromResiduals the products with their Jacobian. Missing derivatives are
// computed by differences, and counted as the evaluations that they cost. Differences never step over bounds.
//
// A Sum is a function that is a sum of terms, as of examples, which the ranks of package dist share: they find the same minimum, with the same bits for any
// number of ranks.
//
// # How
//
// Each method is a struct; its fields have useful zero values. GradientDescent, ConjugateGradient, BFGS, LBFGS and LBFGSB
// (which keeps bounds) need the gradient. Newton uses the whole Hessian, NewtonCG products with it; both leave saddles along
// negative curvature. GaussNewton and LevenbergMarquardt are for sums of squares. Adam is for functions with noise.
// MultiStart and BasinHopping run another method many times, for functions with many minima.
//
// LinearLeastSquares solves linear problems directly. NewFit computes the standard errors of a fit, and Fit.Margin the
// confidence interval of a quantity computed from it.
//
// # What comes out
//
// A Result says where the search ended, why, and what it cost. Three reasons count as success, and each names its rule: the gradient
// is within the tolerance; or rounding hides every further decrease and the gradient is small relative to how it changes nearby; or the
// residuals are orthogonal to the columns of the Jacobian. None depends on the units of f or x. A search that gets stuck elsewhere says
// so. Iterates is the same search as an iterator. If a function returns NaN or infinity on the way, the search backs away, and the
// Result tells how often that happened.
package minimize
