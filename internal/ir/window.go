package ir

// This file holds the ops that move a window over the spatial axes of an array: what lowering knows of a convolution, its
// two adjoints, and pooling.

// Window says how a window moves over the spatial axes, one number per axis: place o of the result and place k of the window
// meet place o*Stride + k*Dilation - Before of the operand. Places outside of the operand are padding.
type Window struct {
	Size, Stride, Dilation, Before []int
}

// ConvKind says which of the three arrays of a convolution an op computes from the other two. With x of shape
// [batch space... C], w of shape [window... C/groups O] and y of shape [batch places... O], the sum of x*w*y over all
// triples that meet is linear in each of them, and each kind is the derivative with respect to one.
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

// PoolKind is what a pooling op does at each place of its window, channel by channel.
type PoolKind uint8

// The kinds, with their operands. The largest element of a window is the first of equal ones, or the first
// NaN if there is one. Elements outside of the operand do not count.
const (
	PoolPick      PoolKind = iota // y, from x and v: the element of v where x is largest in the window; 0 for a window without elements
	PoolSpread                    // from x and dy: each element of dy added where x is largest in the window; the adjoint of PoolPick by v
	PoolSum                       // y, from x: the sum of the window
	PoolSumSpread                 // from dy: each element of dy added to all of the window; the adjoint of PoolSum
)

// Pooling is an op that pools float arrays of shape [batch space... channels]. Those of PoolSpread and PoolSumSpread give an
// array of that shape from one with the places of the window.
type Pooling interface {
	Op
	Pools() (PoolKind, Window)
}
