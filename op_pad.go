package tarn

import "slices"

// This file holds the pads that repeat elements of the operand, where Pad and PadValue put numbers. Each works on one axis, and a pad of several
// axes is one pad after the other: they are joints of slices, so nothing of it is a primitive.

// PadReflect mirrors an axis at its first and last element, which are not repeated: 1 2 3 padded by 2 and 1 is 3 2 1 2 3 2. The padding is
// less than the size of the axis. Equal to torch.nn.functional.pad with mode "reflect", axis by axis, and to jax.numpy.pad with mode "reflect".
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) PadReflect(axis, before, after int) *Value {
	return v.padEdges("PadReflect", axis, before, after, func(d int) int { return d - 1 }, func(a, d int) (first, last *Value) {
		return v.Slice(a, 1, before+1).Flip(a), v.Slice(a, d-1-after, d-1).Flip(a)
	})
}

// PadReplicate repeats the first and the last element of an axis. Equal to torch.nn.functional.pad with mode "replicate", axis by axis, and to
// jax.numpy.pad with mode "edge".
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) PadReplicate(axis, before, after int) *Value {
	return v.padEdges("PadReplicate", axis, before, after, func(d int) int {
		if d == 0 {
			return 0
		}
		return maxWindow
	}, func(a, d int) (first, last *Value) {
		wide := func(x *Value, n int) *Value {
			shape := slices.Clone(v.typ.Shape)
			shape[a] = n
			return x.broadcastTo(shape)
		}
		return wide(v.Slice(a, 0, 1), before), wide(v.Slice(a, d-1, d), after)
	})
}

// PadCircular continues an axis at each end with the elements from the other end: 1 2 3 padded by 2 and 1 is 2 3 1 2 3 1. The padding is at most the
// size of the axis. Equal to torch.nn.functional.pad with mode "circular", axis by axis, and to jax.numpy.pad with mode "wrap".
//
// Shapes: [... d ...] -> [... before+d+after ...].
func (v *Value) PadCircular(axis, before, after int) *Value {
	return v.padEdges("PadCircular", axis, before, after, func(d int) int { return d }, func(a, d int) (first, last *Value) {
		return v.Slice(a, d-before, d), v.Slice(a, 0, after)
	})
}

// padEdges joins v with what edges returns for its axis a of size d, of which most returns the largest padding.
func (v *Value) padEdges(name string, axis, before, after int, most func(d int) int, edges func(a, d int) (first, last *Value)) *Value {
	v = v.orLost()
	a, d, err := v.splitAxis(axis)
	switch {
	case v.failed:
		return v.graph.poison(failedOp{}, []*Value{v})
	case err != nil:
		return v.graph.failAs(name, []*Value{v}, err)
	case before < 0 || after < 0:
		return v.graph.failAs(name, []*Value{v}, newProblem("the padding %d before and %d after should not be negative", before, after).WithHint("Slice takes away"))
	case before == 0 && after == 0:
		return v
	case max(before, after) > most(d):
		return v.graph.failAs(name, []*Value{v}, newProblem("the padding %d before and %d after should be at most %d for axis %d of size %d", before, after, max(most(d), 0), a, d))
	}
	parts := []*Value{v}
	first, last := edges(a, d)
	if before > 0 {
		parts = slices.Insert(parts, 0, first)
	}
	if after > 0 {
		parts = append(parts, last)
	}
	return Concat(a, parts...)
}
