package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds pooling that says where the largest elements are, its reverse, maximum pooling to a given size, and the reverse of Unfold.
// The place of the largest element is what MaxPool's op picks from the places themselves, so none of these is a primitive.

// positions counts the elements of the spatial axes in row-major order, as numbers of a dtype.
//
// Shapes: [1 space... 1].
func (g *Graph) positions(dtype DType, space []int) *Value {
	return g.count(dtype, ir.Size(space)).Reshape(slices.Concat([]int{1}, space, []int{1})...)
}

// exactF32 is the number up to which f32 counts exactly.
const exactF32 = 1 << 24

// pickPlaces is what op picks from the positions, where v is largest.
func (v *Value) pickPlaces(op poolOp, positions func(dtype DType) *Value, most int) *Value {
	x := v
	if most > exactF32 {
		x = x.Cast(F64)
	}
	return v.graph.add(op, x, positions(x.DType()).broadcastTo(x.typ.Shape)).Cast(I64)
}

// MaxPoolIndices returns what MaxPool does, and as I64 where each of the elements is: its number among the elements of the spatial axes, in
// row-major order. The index is that of the first of equal elements, or of the first NaN, where PyTorch returns that of the last NaN. Equal to
// torch.nn.functional.max_pool1d to max_pool3d with return_indices=True.
//
// Shapes: [n d... c] -> [n places... c], [n places... c], as MaxPool.
func (v *Value) MaxPoolIndices(size []int, w Window) (largest, indices *Value) {
	v = v.orLost()
	op, _, failed := v.pool("MaxPoolIndices", ir.PoolPick, size, w, true)
	if failed != nil {
		return failed, failed
	}
	space := v.typ.Shape[1 : v.Rank()-1]
	return v.graph.add(op, v, v), v.pickPlaces(op, func(dtype DType) *Value { return v.graph.positions(dtype, space) }, ir.Size(space))
}

// AdaptiveMaxPool is the largest element of windows such that the spatial axes get the given sizes, a number for each or one for all: element i of
// n is the largest from floor(i*d/n) to before ceil((i+1)*d/n). The gradient goes to the first of elements that share the largest value. If an
// element is NaN, the result is NaN. Equal to torch.nn.functional.adaptive_max_pool1d to adaptive_max_pool3d.
//
// Shapes: [n d... c] -> [n size... c].
func (v *Value) AdaptiveMaxPool(size ...int) *Value {
	largest, _ := v.adaptiveMax("AdaptiveMaxPool", size, false)
	return largest
}

// AdaptiveMaxPoolIndices returns what AdaptiveMaxPool does, and where each of the elements is, as MaxPoolIndices. Equal to
// torch.nn.functional.adaptive_max_pool1d to adaptive_max_pool3d with return_indices=True.
//
// Shapes: [n d... c] -> [n size... c], [n size... c].
func (v *Value) AdaptiveMaxPoolIndices(size ...int) (largest, indices *Value) {
	return v.adaptiveMax("AdaptiveMaxPoolIndices", size, true)
}

func (v *Value) adaptiveMax(name string, size []int, places bool) (largest, indices *Value) {
	v = v.orLost()
	if v.failed {
		failed := v.graph.poison(failedOp{}, []*Value{v})
		return failed, failed
	}
	space, size, err := v.newSpace(size)
	if err != nil {
		failed := v.graph.failAs(name, []*Value{v}, err)
		return failed, failed
	}
	// On an axis whose windows overlap, or differ in size, they are laid out side by side first, each as long as the longest: one that
	// is shorter repeats its last element, which changes neither what is largest nor what is first.
	window := make([]int, len(space))
	lay := func(x *Value) *Value {
		for a, d := range space {
			n := size[a]
			window[a] = d / n
			if d%n == 0 {
				continue
			}
			for i := range n {
				window[a] = max(window[a], ceilDiv((i+1)*d, n)-i*d/n)
			}
			index := Zeros(I32, n*window[a])
			for i := range index.Size() {
				first, end := i/window[a]*d/n, ceilDiv((i/window[a]+1)*d, n)
				index.SetFloat(i, float64(min(first+i%window[a], end-1)))
			}
			x = x.Take(a+1, v.graph.Const(index))
		}
		return x
	}
	x := lay(v)
	op, _, failed := x.pool(name, ir.PoolPick, window, Window{}, true)
	if failed != nil {
		return failed, failed
	}
	largest = v.graph.add(op, x, x)
	if places {
		indices = x.pickPlaces(op, func(dtype DType) *Value { return lay(v.graph.positions(dtype, space)) }, ir.Size(space))
	}
	return largest, indices
}

// MaxUnpool puts the elements of v at the places that indices name, as MaxPoolIndices returns them, in an image of zeros whose spatial axes have the
// given sizes, a number for each. If a place is named several times, the last element is stored there and takes the gradient, where PyTorch
// leaves open which one is. An index out of range is left out, and Run reports it. Equal to torch.nn.functional.max_unpool1d to max_unpool3d with
// an output_size.
//
// Shapes: [n places... c], indices [n places... c] -> [n size... c].
func (v *Value) MaxUnpool(indices *Value, size ...int) *Value {
	v = v.orLost()
	in := []*Value{v, indices}
	if failed := v.unusable("MaxUnpool", in...); failed != nil {
		return failed
	}
	space, err := spatial(v.typ)
	switch {
	case err != nil:
	case !slices.Equal(v.typ.Shape, indices.typ.Shape):
		err = newProblem("the operand %s and the indices %s should have one shape", ir.ShapeString(v.typ.Shape), ir.ShapeString(indices.typ.Shape))
	case len(size) != len(space):
		err = newProblem("%d sizes %v are given for the %d spatial axes of %s", len(size), size, len(space), ir.ShapeString(v.typ.Shape))
	default:
		err = checkShape(size)
	}
	if err != nil {
		return v.graph.failAs("MaxUnpool", in, err)
	}
	n, c := v.Dim(0), v.Dim(-1)
	flat := []int{n, ir.Size(space), c}
	zeros := v.zero().broadcastTo([]int{n, ir.Size(size), c})
	return zeros.Scatter(1, indices.Reshape(flat...), v.Reshape(flat...)).Reshape(slices.Concat([]int{n}, size, []int{c})...)
}

// Fold adds up windows at their places, each element as often as a window holds it: the adjoint of Unfold, of which it takes the result, for an
// operand whose spatial axes have the sizes of space. Equal to torch.nn.functional.fold with the axes in another order.
//
// Shapes: [n places... k... c] -> [n space... c], k... being size.
func (v *Value) Fold(space, size []int, w Window) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	rank := len(space)
	if len(size) == 1 && rank > 0 {
		size = slices.Repeat(size, rank)
	}
	var move window
	err := checkShape(space)
	switch {
	case err != nil:
	case rank < 1 || rank > 3:
		err = newProblem("the sizes %v are those of %d spatial axes and should be those of one to three", space, rank)
	case !v.DType().IsFloat():
		err = newProblem("the operand is %v and should be f32 or f64", v.typ.DType).WithHint("Cast it")
	default:
		move, err = w.on(space, slices.Clone(size), false)
	}
	if err == nil && w.Ceil {
		err = newProblem("Ceil is an option of pooling")
	}
	if err == nil && ir.Size(size) > 1<<16 {
		err = newProblem("the window %v has %d elements", size, ir.Size(size))
	}
	if err == nil && (v.Rank() != 2*rank+2 || !slices.Equal(v.typ.Shape[1:2*rank+1], slices.Concat(move.places, size))) {
		err = newProblem("the operand is %s and should be [n %s c], as Unfold returns it for spatial axes of the sizes %v",
			ir.ShapeString(v.typ.Shape), axesOf(slices.Concat(move.places, size)), space)
	}
	if err != nil {
		return v.graph.failAs("Fold", []*Value{v}, err)
	}
	taps := v.Reshape(slices.Concat([]int{v.Dim(0)}, move.places, []int{ir.Size(size), v.Dim(-1)})...)
	var sum *Value
	for k := range ir.Size(size) {
		tap := taps.Slice(rank+1, k, k+1).Squeeze(rank + 1)
		for a, i := range ir.Unravel(k, size) {
			first := i * move.Dilation[a]
			used := first + (move.places[a]-1)*move.Stride[a] + 1
			tap = tap.padSteps(a+1, first, space[a]+move.Before[a]+move.after[a]-used, move.Stride[a])
		}
		if sum == nil {
			sum = tap
		} else {
			sum = sum.Add(tap)
		}
	}
	for a, d := range space {
		sum = sum.Slice(a+1, move.Before[a], move.Before[a]+d)
	}
	return sum
}

// axesOf prints sizes without brackets.
func axesOf(sizes []int) string {
	s := ir.ShapeString(sizes)
	return s[1 : len(s)-1]
}
