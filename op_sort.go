package tarn

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/cpu"
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

// Sorts returns the number of indices and the order.
func (op argSortOp) Sorts() (count int, descending bool) { return op.count, op.descending }

func (op argSortOp) Run(out ir.Array, in []ir.Array) { runAll(op, out, in) }

// Rows lets each row be sorted apart.
func (op argSortOp) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:len(out.Shape)-1]) }

// Work is the memory for the keys of a row.
func (op argSortOp) Work(out ir.Type, in []ir.Type) int {
	return cpu.ArgSortWork(in[0].Shape[len(in[0].Shape)-1], in[0].DType.Size())
}

// RunRows sorts the rows from first to before end.
func (op argSortOp) RunRows(out ir.Array, in []ir.Array, first, end int, work []float64) {
	switch in[0].DType {
	case ir.F32:
		sortRows[float32](op, out, in[0], first, end, work)
	case ir.F64:
		sortRows[float64](op, out, in[0], first, end, work)
	case ir.I32:
		sortRows[int32](op, out, in[0], first, end, work)
	case ir.I64:
		sortRows[int64](op, out, in[0], first, end, work)
	default:
		sortRows[uint8](op, out, in[0], first, end, work)
	}
}

func sortRows[T cpu.Element](op argSortOp, out, x ir.Array, first, end int, work []float64) {
	d := x.Shape[len(x.Shape)-1]
	rows, from := ir.Slice[int64](out), ir.Slice[T](x)
	for r := first; r < end; r++ {
		cpu.ArgSort(rows[r*op.count:(r+1)*op.count], from[r*d:(r+1)*d], op.descending, work)
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
