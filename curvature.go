package tarn

import "slices"

// This file holds products of second derivatives other than the Hessian-vector product: the product with the Gauss-Newton matrix, and the
// diagonal of the Hessian, exact and estimated.

// GNVP returns the product of vectors with the Gauss-Newton matrix J' H J of a scalar loss: J is the Jacobian of outputs, such as a
// network's, with respect to the operands in wrt, and H the Hessian of the loss with respect to the outputs. It is the Hessian of the loss with the outputs made linear. If the
// loss is convex in the outputs, as are cross-entropy of the logits and the squared error, it has no negative eigenvalue; for these two
// it is also the Fisher information of the model. The part of a loss that does not depend on the outputs, such as weight decay,
// does not contribute. The matrix is never formed. Vectors are held fixed, as in HVP. (Schraudolph 2002, Fast curvature matrix-vector
// products for second-order gradient descent; Martens 2020, New insights and perspectives on the natural gradient method.)
//
// Shapes: [], [d...], and for each operand a vector of its shape -> the shapes of wrt.
func GNVP[T Operand](loss, outputs *Value, wrt []T, vectors []*Value) []*Value {
	return gnvp(loss, outputs, operands(wrt), vectors)
}

func gnvp(loss, outputs *Value, wrt []Operand, vectors []*Value) []*Value {
	loss = loss.orLost()
	g := loss.graph
	switch {
	case !outputs.exists():
		g.fail(gnvpOp{}, []*Value{loss}, newProblem("the outputs are nil"))
		return g.poisoned(gnvpOp{}, len(wrt))
	case loss.failed || outputs.failed:
		g.adopt(outputs)
		return g.poisoned(gnvpOp{}, len(wrt))
	case !slices.Contains(reachable([]*Value{loss}), outputs):
		g.fail(gnvpOp{}, []*Value{loss, outputs}, newProblem("the loss does not depend on the outputs").
			WithHint("name the value that the loss has been computed from"))
		return g.poisoned(gnvpOp{}, len(wrt))
	}
	return outputs.linearIn(gnvpOp{}, len(wrt), wrt, vectors, func(vectors []*Value) []*Value {
		rate := jvp(outputs, wrt, vectors)
		return vjp(outputs, HVP(loss, []*Value{outputs}, []*Value{rate})[0], wrt)
	})
}

type gnvpOp struct{ failedOp }

func (gnvpOp) Name() string { return "GNVP" }

// HessianDiagonal returns the exact diagonal of the Hessian of a scalar loss with respect to each operand in wrt. It is a Scan over unit vectors, that is one
// Hessian-vector product for each element of wrt, so it is for small models. HutchinsonDiagonal estimates it with one product.
//
// Shapes: [] and any... -> the shapes of wrt.
func HessianDiagonal[T Operand](loss *Value, wrt ...T) []*Value {
	return hessianDiagonal(loss, operands(wrt))
}

func hessianDiagonal(loss *Value, wrt []Operand) []*Value {
	loss = loss.orLost()
	g := loss.graph
	ends := []*Value{loss, loss}
	for _, o := range wrt {
		ends = append(ends, loss.operand(o))
	}
	if p, failed := checkGrad(ends); failed {
		if p != nil {
			g.fail(hessianDiagonalOp{}, ends[:1], p)
		}
		return g.poisoned(hessianDiagonalOp{}, len(wrt))
	}
	out := make([]*Value, len(wrt))
	for i, end := range ends[2:] {
		numbers := g.count(I64, end.Size())
		_, elements := Scan(nil, []*Value{numbers}, ScanOptions{}, func(_, xs []*Value) (next, ys []*Value) {
			unit := numbers.Eq(xs[0]).Cast(end.DType()).Reshape(end.typ.Shape...)
			return nil, []*Value{HVP(loss, []*Value{end}, []*Value{unit})[0].Mul(unit).Sum()}
		})
		out[i] = elements[0].Reshape(end.typ.Shape...)
	}
	return out
}

type hessianDiagonalOp struct{ failedOp }

func (hessianDiagonalOp) Name() string { return "HessianDiagonal" }

// HutchinsonDiagonal estimates the diagonal of the Hessian H of a scalar loss with respect to each operand in wrt, as r * H r for random signs r: its
// mean over steps is the diagonal, because the signs of two elements are independent, and the variance of element i is the sum of the squares
// of the other elements of row i. (Bekas, Kokiopoulou and Saad 2007, An estimator for the diagonal of a matrix, after Hutchinson 1990.) The numbers depend
// on the graph's seed. Equal to optax.contrib.hutchinson_estimator_diag_hessian, up to the random numbers.
//
// Shapes: [] and any... -> the shapes of wrt.
func HutchinsonDiagonal[T Operand](loss *Value, wrt ...T) []*Value {
	return hutchinsonDiagonal(loss, operands(wrt))
}

func hutchinsonDiagonal(loss *Value, wrt []Operand) []*Value {
	loss = loss.orLost()
	signs := make([]*Value, len(wrt))
	for i, o := range wrt {
		if end := loss.operand(o); end.exists() && !end.failed {
			signs[i] = loss.graph.Bernoulli(Num(0.5), end.typ.Shape...).Where(loss.graph.Num(end.DType(), 1), Num(-1))
		}
	}
	out := hvp(loss, wrt, signs)
	for i, v := range out {
		if !v.failed {
			out[i] = v.Mul(signs[i])
		}
	}
	return out
}
