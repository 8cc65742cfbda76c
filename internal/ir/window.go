package ir

// This file holds the ops that move a window over the spatial axes of an array: what lowering knows of a convolution, its
// two adjoints, and pooling.

// Window says how a window moves over the spatial axes, one number an axis: place o of the result and place k of the window
// meet place o*Stride + k*Dilation - Before of the operand. Places outside of the operand are padding.
type Window struct {
	Size, Stride, Dilation, Before []int
}

// ConvKind says which of the three arrays of a convolution an op computes from the other two. With x of shape
// [batch space... C], w of shape [window... C/groups O] and y of shape [batch places... O], the sum of x*w*y over all
// triples that meet is linear in each of them, and each kind is the derivative by one.
type ConvKind uint8

// The kinds, with their operands.
const (
	ConvOutput ConvKind = iota // y, from x and w: a convolution
	ConvInput                  // x, from y and w: a transposed convolution
	ConvKernel                 // w, from x and y
)

// Convolution is an op that convolves, in float arrays.
type Convolution interface {
	Op
	Convolves() (kind ConvKind, stride, dilation, before []int, groups int)
}

// Triples calls f for every place of the operand, the window and the result that meet, as indices into the spatial axes in
// row-major order: space and places are the sizes of the spatial axes of the operand and of the result.
func (w Window) Triples(space, places []int, f func(x, k, y int)) {
	rank := len(space)
	at, tap := make([]int, rank), make([]int, rank)
	for y := range Size(places) {
		unravelInto(at, y, places)
		for k := range Size(w.Size) {
			unravelInto(tap, k, w.Size)
			x, inside := 0, true
			for a := range rank {
				i := at[a]*w.Stride[a] + tap[a]*w.Dilation[a] - w.Before[a]
				inside = inside && i >= 0 && i < space[a]
				x = x*space[a] + i
			}
			if inside {
				f(x, k, y)
			}
		}
	}
}

func unravelInto(index []int, i int, shape []int) {
	for a := len(shape) - 1; a >= 0; a-- {
		index[a] = i % shape[a]
		i /= shape[a]
	}
}
