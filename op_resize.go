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
	defer v.exactly()()
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
		at := max(resized(i, d, n, alignCorners), 0)
		k := min(int(math.Floor(at)), d-1)
		part := at - float64(k)
		weights[k] += 1 - part
		weights[min(k+1, d-1)] += part
	})
}

// resized is where element i of n lies among d elements.
func resized(i, d, n int, alignCorners bool) float64 {
	switch {
	case !alignCorners:
		return (float64(i)+0.5)*float64(d)/float64(n) - 0.5
	case n > 1:
		return float64(i) * float64(d-1) / float64(n-1)
	}
	return 0
}

// ResizeCubic changes the sizes of the spatial axes, given as a number for each or one for all, and takes what lies between elements as
// cubics along each axis, with the coefficient -0.75. Elements lie as in ResizeLinear; beyond the ends the last one repeats. Equal to
// torch.nn.functional.interpolate with mode "bicubic" and a size, of any number of spatial axes.
// Keys, Cubic convolution interpolation for digital image processing, 1981.
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) ResizeCubic(alignCorners bool, size ...int) *Value {
	return v.eachAxis("ResizeCubic", size, func(weights []float64, i, d, n int) {
		at := resized(i, d, n, alignCorners)
		k := int(math.Floor(at))
		for j := k - 1; j <= k+2; j++ {
			weights[min(max(j, 0), d-1)] += cubic(cubicInner, float64(j)-at)
		}
	})
}

// ResizeLinearAntialiased is ResizeLinear without alignCorners, but where an axis becomes shorter each element is a weighted mean of all elements that
// it stands for, so that fine patterns do not turn into coarse ones. Equal to torch.nn.functional.interpolate with mode "bilinear",
// antialias=True and a size, of any number of spatial axes, and to jax.image.resize with method "linear".
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) ResizeLinearAntialiased(size ...int) *Value {
	return v.eachAxis("ResizeLinearAntialiased", size, func(weights []float64, i, d, n int) {
		antialiased(weights, i, d, n, 1, func(x float64) float64 { return max(1-math.Abs(x), 0) })
	})
}

// ResizeCubicAntialiased is to ResizeCubic what ResizeLinearAntialiased is to ResizeLinear, with the coefficient -0.5. Equal to
// torch.nn.functional.interpolate with mode "bicubic", antialias=True and a size, of any number of spatial axes, and to jax.image.resize with
// method "cubic".
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) ResizeCubicAntialiased(size ...int) *Value {
	return v.eachAxis("ResizeCubicAntialiased", size, func(weights []float64, i, d, n int) {
		antialiased(weights, i, d, n, 2, func(x float64) float64 { return cubic(-0.5, x) })
	})
}

// antialiased weights elements by a filter that vanishes at a distance of reach, and that is stretched if the axis becomes shorter. The weights
// add up to 1.
func antialiased(weights []float64, i, d, n int, reach float64, filter func(x float64) float64) {
	scale := float64(d) / float64(n)
	stretch := max(scale, 1)
	center := scale * (float64(i) + 0.5)
	sum := 0.0
	for k := max(int(center-reach*stretch+0.5), 0); k < min(int(center+reach*stretch+0.5), d); k++ {
		weights[k] = filter((float64(k) - center + 0.5) / stretch)
		sum += weights[k]
	}
	for k := range weights {
		weights[k] /= sum
	}
}

// cubicInner is the coefficient of cubic interpolation in PyTorch: the slope of the kernel at distance 1.
const cubicInner = -0.75

// cubicPieces are the polynomials of Keys's kernel with a coefficient, up to distance 1 and from there to 2, from the highest power.
func cubicPieces(a float64) [2][4]float64 {
	return [2][4]float64{{a + 2, -(a + 3), 0, 1}, {a, -5 * a, 8 * a, -4 * a}}
}

// cubic is the weight of an element at a distance.
func cubic(a, x float64) float64 {
	x = math.Abs(x)
	if x >= 2 {
		return 0
	}
	c := cubicPieces(a)[int(x)]
	return ((c[0]*x+c[1])*x+c[2])*x + c[3]
}
