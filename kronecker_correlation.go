package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the factor A of convolutions without their windows. Two elements of a window are elements of the image at some distance, so the sum
// of their products over all places, inside of the image and around it, depends on the distance alone: it is the image's correlation with itself, which has
// far fewer numbers than there are pairs of elements. What the places around the image contribute, where only a part of the window meets it, is taken off.

// windowSum returns the function that sums aᵀa over the windows a of a value, with a 1 at their end if there is a bias, or nil if the convolution is none that
// moves by single places along two axes.
func (op convOp) windowSum(size, space []int) func(x *Value, bias bool) *Value {
	if ones := []int{1, 1}; op.groups != 1 || !slices.Equal(op.stride, ones) || !slices.Equal(op.dilation, ones) || slices.Equal(size, ones) {
		return nil
	}
	for a := range size {
		// Around a small image, or if some places are left out, there would be more to take off.
		if space[a] < 2*size[a] || op.size[a] < space[a] {
			return nil
		}
	}
	return func(x *Value, bias bool) *Value {
		sum := correlations(x, size)
		for a := range size {
			for p := op.before[a] - size[a] + 1; p < op.before[a]+space[a]; p++ {
				if p < 0 || p >= op.size[a] {
					sum = sum.Sub(op.around(x, size, space, a, p))
				}
			}
		}
		if !bias {
			return sum
		}
		places := []int{x.Dim(0), op.size[0], op.size[1], 1}
		edge := x.graph.add(convOp{kind: ir.ConvKernel, stride: op.stride, dilation: op.dilation, before: op.before, groups: 1, size: size},
			x, x.Num(1).Expand(places...)).Reshape(1, sum.Dim(0))
		return Concat(0, Concat(1, sum, edge.T()), Concat(1, edge, x.Num(float64(ir.Size(places))).Expand(1, 1)))
	}
}

// correlations is the sum of aᵀa over the windows at all places, inside of the image and around it.
func correlations(x *Value, size []int) *Value {
	h, w, channels := size[0], size[1], x.Dim(-1)
	// The gradient of a convolution of x by its kernel, for a gradient x of the result, is the correlation at distances of 0 to h-1 and
	// of 1-w to w-1. Those at the opposite distances are their transposes.
	half := x.graph.add(convOp{kind: ir.ConvKernel, stride: []int{1, 1}, dilation: []int{1, 1}, before: []int{0, w - 1}, groups: 1, size: []int{h, 2*w - 1}}, x, x)
	whole := half
	if h > 1 {
		whole = Concat(0, half.Slice(0, 1, h).Flip(0, 1).Transpose(2, 3), half)
	}
	var columns []*Value
	for i := range h {
		for j := range w {
			columns = append(columns, whole.Slice(0, h-1-i, 2*h-1-i).Slice(1, w-1-j, 2*w-1-j))
		}
	}
	n := h * w * channels
	return Concat(-1, columns...).Reshape(n, n)
}

// around is the sum of aᵀa over the windows at place p along an axis, which lies outside of the result: along the first axis at all places of the
// second one, inside of the image and around it, along the second axis at those of the result.
func (op convOp) around(x *Value, size, space []int, axis, p int) *Value {
	other := 1 - axis
	first, end := max(0, op.before[axis]-p), min(size[axis], space[axis]+op.before[axis]-p) // the taps that meet the image
	from, places := size[other]-1, space[other]+size[other]-1
	if axis == 1 {
		from, places = op.before[0], op.size[0]
	}
	// The part of the image that the taps meet, with padding along the other axis, and what each of its taps meets.
	part := x.Slice(1+axis, p+first-op.before[axis], p+end-op.before[axis]).Pad(1+other, from, places+size[other]-1-from-space[other])
	var taps []*Value
	for i := range size[other] {
		taps = append(taps, part.Slice(1+other, i, i+places))
	}
	n, m, channels := x.Dim(0), end-first, x.Dim(-1)
	shape := []int{m, size[1], channels}
	var rows *Value
	if axis == 0 {
		rows = Concat(-1, taps...).Permute(0, 2, 1, 3)
	} else {
		shape = []int{size[0], m, channels}
		rows = Concat(-1, taps...).Reshape(n, places, m, size[0], channels).Permute(0, 1, 3, 2, 4)
	}
	rows = rows.Reshape(n*places, ir.Size(shape))
	sum := rows.TMatMul(rows).Reshape(slices.Concat(shape, shape)...)
	sum = sum.Pad(axis, first, size[axis]-end).Pad(axis+3, first, size[axis]-end)
	all := size[0] * size[1] * channels
	return sum.Reshape(all, all)
}
