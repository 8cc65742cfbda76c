package curvature

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// This file holds Operator, all that the measures know about a matrix.

// Operator is a symmetric matrix known by its products with vectors. It is for one goroutine at a time, as is what it was compiled from.
type Operator struct {
	// Size is the number of rows.
	Size int
	// Product sets dst to the product of the matrix with v, which it leaves as it is.
	Product func(ctx context.Context, dst, v []float64) error
}

// counted is an operator while a measure uses it.
type counted struct {
	*Operator
	ctx      context.Context
	products int
}

// use checks an operator.
func (a *Operator) use(ctx context.Context) (*counted, error) {
	switch {
	case a == nil || a.Product == nil:
		return nil, errors.New("curvature: the operator has no Product; make it with NewHessian or NewGaussNewton, or set its Size and Product")
	case a.Size < 1:
		return nil, fmt.Errorf("curvature: the operator has %d rows and should have at least 1", a.Size)
	}
	return &counted{Operator: a, ctx: ctx}, nil
}

// product is the product with v.
func (c *counted) product(v []float64) ([]float64, error) {
	if err := context.Cause(c.ctx); err != nil {
		return nil, fmt.Errorf("curvature: stopped after %d products: %w", c.products, err)
	}
	dst := make([]float64, c.Size)
	if err := c.Product(c.ctx, dst, v); err != nil {
		return nil, fmt.Errorf("curvature: product %d: %w", c.products+1, err)
	}
	c.products++
	if norm := floats.Norm(dst, 2); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return nil, fmt.Errorf("curvature: product %d is not finite: the loss has no finite second derivatives at these params", c.products)
	}
	return dst, nil
}
