// Package minimize finds minima of functions of many numbers, in f64.
//
// # What is minimized
//
// A Problem is a plain Go function with as much of its derivatives as there is:
//
//	p := minimize.Problem{
//		Func: func(x []float64) float64 { return (x[0]-1)*(x[0]-1) + x[1]*x[1] },
//		Grad: func(dst, x []float64) { dst[0], dst[1] = 2*(x[0]-1), 2*x[1] },
//	}
//	res, err := minimize.Run(ctx, p, []float64{5, 5}, &minimize.LBFGS{}, minimize.Options{})
//
// or a loss in a tarn graph with the params that it depends on: FromGraph compiles the loss, its gradient and its
// Hessian-vector product, and from residuals FromResiduals the products with their Jacobian. What is missing is taken from
// differences, and counted as the evaluations that it costs.
//
// # How
//
// Each method is a struct; its fields have useful zero values. GradientDescent, ConjugateGradient, BFGS, LBFGS and LBFGSB
// (which keeps bounds) need the gradient. Newton uses the whole Hessian, NewtonCG products with it; both leave saddles along
// negative curvature. GaussNewton and LevenbergMarquardt are for sums of squares. Adam is for functions with noise.
// MultiStart and BasinHopping call another method many times, for functions with many minima.
//
// LinearLeastSquares solves what is linear in one go. NewFit gives standard errors to the result of a fit, and Fit.Margin the
// confidence interval of what is computed from it.
//
// # What comes out
//
// A Result says where the search ended, why, and what it cost. Only the reason GradientSmall counts as success, and it is
// given only where the gradient at the result is below the tolerance: a search that gets stuck says so. Iterates is the same
// search as an iterator. A function that gives NaN or infinity on the way is backed away from, and the Result tells how
// often it happened.
package minimize
