package tarn

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds sorting. One op finds the order; values are then gathered, and so is their gradient. The order is
// total: equal elements keep their order, and NaN counts as larger than every number, as in PyTorch.

// argSortOp returns the indices of the first count elements along the last axis in sorted order.
type argSortOp struct {
	count      int
	descending bool
}

func (op argSortOp) Name() string { return "ArgSort" }
func (op argSortOp) Attrs() string {
	if op.descending {
		return fmt.Sprintf("count=%d descending", op.count)
	}
	return fmt.Sprintf("count=%d", op.count)
}

func (op argSortOp) Infer(in []ir.Type) (ir.Type, error) {
	last := len(in[0].Shape) - 1
	shape := slices.Clone(in[0].Shape)
	shape[last] = op.count
	return ir.Type{DType: ir.I64, Shape: shape}, nil
}

// Eval counts, for every element, those that go before it: that is its place.
func (op argSortOp) Eval(out ir.Array, in []ir.Array) {
	x := in[0]
	d := x.Shape[len(x.Shape)-1]
	for i := range x.Size() {
		first, place := i/d*d, 0
		for j := first; j < first+d; j++ {
			order := compareElements(x, j, i)
			if op.descending {
				order = -order
			}
			if order < 0 || order == 0 && j < i {
				place++
			}
		}
		if place < op.count {
			out.SetInt(i/d*op.count+place, int64(i-first))
		}
	}
}

// compareElements compares two elements of x.
func compareElements(x ir.Array, i, j int) int {
	if x.DType.Float() {
		return compareNumbers(x.Float(i), x.Float(j))
	}
	return compareNumbers(x.Int(i), x.Int(j))
}

// compareNumbers is -1, 0 or 1 as a goes before, with or after b in ascending order. NaN goes last.
func compareNumbers[T cmp.Ordered](a, b T) int {
	switch {
	case a < b || a == a && b != b:
		return -1
	case a > b || a != a && b == b:
		return 1
	}
	return 0
}

func (op argSortOp) Run(out ir.Array, in []ir.Array) {
	switch in[0].DType {
	case ir.F32:
		sortRows[float32](op, out, in[0])
	case ir.F64:
		sortRows[float64](op, out, in[0])
	case ir.I32:
		sortRows[int32](op, out, in[0])
	case ir.I64:
		sortRows[int64](op, out, in[0])
	default:
		sortRows[uint8](op, out, in[0])
	}
}

func sortRows[T cmp.Ordered](op argSortOp, out, x ir.Array) {
	d := x.Shape[len(x.Shape)-1]
	rows, from := ir.Slice[int64](out), ir.Slice[T](x)
	if op.count == 0 {
		return
	}
	for len(from) > 0 {
		sortRow(rows[:op.count], from[:d], op.descending)
		rows, from = rows[op.count:], from[d:]
	}
}

// sortRow stores in kept the indices of the elements that go first, in order. Where not all are kept, kept is first a heap
// with the last of them on top, which later elements replace.
func sortRow[T cmp.Ordered](kept []int64, x []T, descending bool) {
	// The index makes the order total, so that an unstable sort is stable.
	before := func(i, j int64) int {
		order := compareNumbers(x[i], x[j])
		if descending {
			order = -order
		}
		if order == 0 {
			return cmp.Compare(i, j)
		}
		return order
	}
	for i := range kept {
		kept[i] = int64(i)
	}
	if len(kept) < len(x) {
		for i := len(kept)/2 - 1; i >= 0; i-- {
			siftDown(kept, i, before)
		}
		for i := len(kept); i < len(x); i++ {
			if before(int64(i), kept[0]) < 0 {
				kept[0] = int64(i)
				siftDown(kept, 0, before)
			}
		}
	}
	slices.SortFunc(kept, before)
}

// siftDown moves heap[i] down until neither child goes after it.
func siftDown(heap []int64, i int, before func(i, j int64) int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && before(heap[child], heap[child+1]) < 0 {
			child++
		}
		if before(heap[i], heap[child]) >= 0 {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

func (op argSortOp) grad(y, dy *Value) []*Value { return nil }

// every stands for as many elements as there are.
const every = math.MaxInt

// sorted returns the indices of the first count elements along an axis, all of them where count is every, as name.
func (v *Value) sorted(name string, axis, count int, descending bool) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	a, err := normalAxis(axis, len(v.typ.Shape))
	if err != nil {
		return v.graph.failAs(name, []*Value{v}, err)
	}
	d := v.typ.Shape[a]
	switch {
	case count == every:
		count = d
	case count < 0 || count > d:
		return v.graph.failAs(name, []*Value{v}, newProblem("%d elements are asked for of axis %d of size %d", count, a, d))
	}
	last := len(v.typ.Shape) - 1
	if a == last {
		return v.graph.add(argSortOp{count, descending}, v)
	}
	return v.graph.add(argSortOp{count, descending}, v.Transpose(a, last)).Transpose(a, last)
}

// ArgSort returns the indices, as I64, that put an axis in ascending or descending order. Equal elements keep their order, and
// NaN counts as larger than every number. It has no gradient. Equal to torch.argsort with stable=True.
//
// Shapes: [d...] -> [d...].
func (v *Value) ArgSort(axis int, descending bool) *Value {
	return v.sorted("ArgSort", axis, every, descending)
}

// Sort puts an axis in ascending or descending order and returns the former indices of the elements too, as I64. Equal elements
// keep their order, and NaN counts as larger than every number. The gradient goes back to the element's old place. Equal
// to torch.sort with stable=True.
//
// Shapes: [d...] -> [d...], [d...].
func (v *Value) Sort(axis int, descending bool) (sorted, indices *Value) {
	indices = v.sorted("Sort", axis, every, descending)
	return v.Gather(axis, indices), indices
}

// TopK returns the k largest elements along an axis in descending order, and their indices as I64. Of equal elements the first
// comes first, and NaN counts as larger than every number. The gradient goes to the elements taken. Equal to torch.topk.
//
// Shapes: [... d ...] -> [... k ...], [... k ...] with k <= d.
func (v *Value) TopK(axis, k int) (largest, indices *Value) {
	indices = v.sorted("TopK", axis, k, true)
	return v.Gather(axis, indices), indices
}
