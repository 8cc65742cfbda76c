package tarn

import (
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the ops that change how many elements the spatial axes have: up-sampling and adaptive pooling. Each is
// a linear map of each axis apart, so it is a matrix product by a constant for each axis that changes.

// eachAxis multiplies each spatial axis by the matrix that rows makes for it: weights of the axis's d elements for each of n
// elements of the result.
func (v *Value) eachAxis(name string, size []int, rows func(weights []float64, i, d, n int)) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	space, size, err := v.newSpace(size)
	if err != nil {
		return v.graph.failAs(name, []*Value{v}, err)
	}
	y := v
	for a, d := range space {
		n := size[a]
		if n == d {
			continue
		}
		m := Zeros(v.DType(), n, d)
		weights := make([]float64, d)
		for i := range n {
			clear(weights)
			rows(weights, i, d, n)
			for k, w := range weights {
				m.SetFloat(i*d+k, w)
			}
		}
		shape := y.Shape()
		shape[a+1] = n
		outer, inner := ir.Size(shape[:a+1]), ir.Size(shape[a+2:])
		y = v.graph.Const(m).MatMul(y.Reshape(outer, d, inner)).Reshape(shape...)
	}
	return y
}

// newSpace returns the sizes of the spatial axes, and those that they get: a number for each, or one for all.
func (v *Value) newSpace(size []int) (space, sizes []int, err error) {
	space, err = spatial(v.typ)
	if err == nil && len(size) == 1 {
		size = slices.Repeat(size, len(space))
	}
	if err == nil && len(size) != len(space) {
		err = newProblem("%d sizes %v are given for the %d spatial axes of %s", len(size), size, len(space), ir.ShapeString(v.typ.Shape))
	}
	for a := 0; err == nil && a < len(space); a++ {
		if size[a] < 1 || space[a] < 1 {
			err = newProblem("spatial axis %d has size %d and should get size %d: both should be at least 1", a, space[a], size[a])
		} else if err = checkShape([]int{size[a], space[a]}); err != nil {
			err = newProblem("the result is too large: %v", err)
		}
	}
	return space, size, err
}

// AdaptiveAvgPool averages over windows such that the spatial axes get the given sizes, a number for each or one for all:
// element i of n is the mean of the elements from floor(i*d/n) to before ceil((i+1)*d/n). Equal to
// torch.nn.functional.adaptive_avg_pool1d to adaptive_avg_pool3d.
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) AdaptiveAvgPool(size ...int) *Value {
	v = v.orLost()
	if !v.failed && len(v.typ.Shape) > 2 {
		space := v.typ.Shape[1 : len(v.typ.Shape)-1]
		whole := slices.Repeat(size, max(1, len(space)/max(1, len(size))))
		even := len(whole) == len(space)
		window := make([]int, len(space))
		for a := range space {
			even = even && whole[a] > 0 && space[a] > 0 && space[a]%whole[a] == 0
			if even {
				window[a] = space[a] / whole[a]
			}
		}
		if even && len(space) <= 3 && v.DType().IsFloat() {
			return v.AvgPool(window, Window{}, true)
		}
	}
	return v.eachAxis("AdaptiveAvgPool", size, func(weights []float64, i, d, n int) {
		first, end := i*d/n, ceilDiv((i+1)*d, n)
		for k := first; k < end; k++ {
			weights[k] = 1 / float64(end-first)
		}
	})
}

// ResizeNearest changes the sizes of the spatial axes, given as a number for each or one for all: element i of n is the element
// floor(i*d/n). Equal to torch.nn.functional.interpolate with mode "nearest" and a size.
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) ResizeNearest(size ...int) *Value {
	return v.eachAxis("ResizeNearest", size, func(weights []float64, i, d, n int) { weights[i*d/n] = 1 })
}

// ResizeLinear changes the sizes of the spatial axes, given as a number for each or one for all, and takes what lies between elements as
// linear along each axis. With alignCorners the first and last elements of an axis lie on those of the result; without, element
// i of n lies at (i + 1/2) d/n - 1/2, and beyond the ends at the ends. Equal to torch.nn.functional.interpolate with mode
// "linear", "bilinear" or "trilinear" and a size.
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) ResizeLinear(alignCorners bool, size ...int) *Value {
	return v.eachAxis("ResizeLinear", size, func(weights []float64, i, d, n int) {
		at := 0.0
		switch {
		case !alignCorners:
			at = max((float64(i)+0.5)*float64(d)/float64(n)-0.5, 0)
		case n > 1:
			at = float64(i) * float64(d-1) / float64(n-1)
		}
		k := min(int(math.Floor(at)), d-1)
		part := at - float64(k)
		weights[k] += 1 - part
		weights[min(k+1, d-1)] += part
	})
}
