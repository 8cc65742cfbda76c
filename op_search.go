package tarn

import (
	"cmp"
	"math"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds searching in sorted sequences, and counting: histograms are a search for the bin and a sum by index.

// searchOp finds the place of each element of its second operand in the sorted rows of its first.
type searchOp struct{ right bool }

func (op searchOp) Name() string { return "SearchSorted" }
func (op searchOp) Attrs() string {
	if op.right {
		return "right"
	}
	return ""
}

func (op searchOp) Infer(in []ir.Type) (ir.Type, error) {
	sorted, x := in[0], in[1]
	last := len(sorted.Shape) - 1
	switch {
	case last < 0:
		return ir.Type{}, newProblem("the sorted operand is %v and needs an axis", sorted)
	case sorted.DType == ir.Bool:
		return ir.Type{}, newProblem("the operands are bool and should be numbers").WithHint("Cast them")
	case sorted.DType != x.DType:
		return ir.Type{}, newProblem("the sorted operand is %v and the elements to find are %v", sorted.DType, x.DType).WithHint("Cast one of them")
	case last > 0 && (len(x.Shape) != last+1 || !slices.Equal(sorted.Shape[:last], x.Shape[:last])):
		return ir.Type{}, newProblem("the sorted operand %s and the elements to find %s may differ at the last axis only", ir.ShapeString(sorted.Shape), ir.ShapeString(x.Shape)).
			WithHint("a single sequence of one axis takes elements of any shape")
	}
	return ir.Type{DType: ir.I64, Shape: x.Shape}, nil
}

// Eval halves the row until one place is left.
func (op searchOp) Eval(out ir.Array, in []ir.Array) {
	sorted, x := in[0], in[1]
	size := sorted.Shape[len(sorted.Shape)-1]
	for k := range x.Size() {
		row := 0
		if len(sorted.Shape) > 1 {
			row = k / x.Shape[len(x.Shape)-1]
		}
		low, high := 0, size
		for low < high {
			middle := (low + high) / 2
			order := 0
			if x.DType.Float() {
				order = compareNumbers(sorted.Float(row*size+middle), x.Float(k))
			} else {
				order = compareNumbers(sorted.Int(row*size+middle), x.Int(k))
			}
			if order < 0 || op.right && order == 0 {
				low = middle + 1
			} else {
				high = middle
			}
		}
		out.SetInt(k, int64(low))
	}
}

// Searches says whether an element goes behind those that are equal.
func (op searchOp) Searches() (right bool) { return op.right }

func (op searchOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// searchedTogether is the number of elements that are searched for at once.
const searchedTogether = 256

// Rows lets runs of elements be searched for apart.
func (op searchOp) Rows(out ir.Type, in []ir.Type) int {
	return ceilDiv(ir.Size(out.Shape), searchedTogether)
}

func (op searchOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	switch in[0].DType {
	case ir.F32:
		searchRows[float32](op, out, in[0], in[1], first, end)
	case ir.F64:
		searchRows[float64](op, out, in[0], in[1], first, end)
	case ir.I32:
		searchRows[int32](op, out, in[0], in[1], first, end)
	default:
		searchRows[int64](op, out, in[0], in[1], first, end)
	}
}

func searchRows[T cmp.Ordered](op searchOp, out, sorted, x ir.Array, first, end int) {
	dst, from, all := ir.Slice[int64](out), ir.Slice[T](x), ir.Slice[T](sorted)
	size, n := sorted.Shape[len(sorted.Shape)-1], len(from)
	if len(sorted.Shape) > 1 {
		n = x.Shape[len(x.Shape)-1]
	}
	for k := first * searchedTogether; k < min(end*searchedTogether, len(from)); k++ {
		dst[k] = int64(search(all[k/n*size:][:size], from[k], op.right))
	}
}

// search is the number of elements of a row that x goes behind. A comparison with NaN is false, so NaN in the row, which is at its end, is larger
// than every number. That x is NaN is a case of its own.
func search[T cmp.Ordered](row []T, x T, right bool) int {
	low, high := 0, len(row)
	switch {
	case right && x == x:
		for low < high {
			if middle := int(uint(low+high) / 2); row[middle] <= x {
				low = middle + 1
			} else {
				high = middle
			}
		}
	case right:
		return high
	case x == x:
		for low < high {
			if middle := int(uint(low+high) / 2); row[middle] < x {
				low = middle + 1
			} else {
				high = middle
			}
		}
	default:
		for low < high {
			if middle := int(uint(low+high) / 2); row[middle] == row[middle] {
				low = middle + 1
			} else {
				high = middle
			}
		}
	}
	return low
}

func (op searchOp) grad(y, dy *Value) []*Value { return nil }

// SearchSorted returns, as I64, where each element of values would be inserted to keep the last axis of v sorted, v being in ascending order: before
// elements that are equal to it, or if right is true after them. NaN counts as larger than every number. If v has one axis, values may have any shape; otherwise
// each row of v is searched for the same row of values. It has no gradient. Equal to torch.searchsorted and to numpy.searchsorted; if v itself has
// NaN, PyTorch's result differs and NumPy's does not.
//
// Shapes: [m], [n...] -> [n...]; [batch... m], [batch... n] -> [batch... n].
func (v *Value) SearchSorted(values *Value, right bool) *Value {
	return v.home().add(searchOp{right}, v, values)
}

// Bucketize returns, as I64, the number of the bucket that each element lies in, between boundaries in ascending order: bucket i is what lies above
// boundary i-1 and at or below boundary i, or if right is true at or above boundary i-1 and below boundary i. Equal to torch.bucketize.
//
// Shapes: [n...], boundaries [m] -> [n...].
func (v *Value) Bucketize(boundaries *Value, right bool) *Value {
	v = v.orLost()
	if failed := v.unusable("Bucketize", v, boundaries); failed != nil {
		return failed
	}
	if boundaries.Rank() != 1 {
		return v.graph.failAs("Bucketize", []*Value{v, boundaries}, newProblem("the boundaries are %v and should have one axis", boundaries.typ))
	}
	return boundaries.SearchSorted(v, right)
}

// Histogram returns, as I64, how many elements lie in each of so many bins of one width between lo and hi. An element on the boundary of two bins
// counts in the upper one, one that is hi in the last. What lies outside, and NaN, does not count. Equal to torch.histc and to numpy.histogram
// with a range; torch.histc counts in the dtype of its operand.
//
// Shapes: any of f32 or f64 -> [bins].
func (v *Value) Histogram(bins int, lo, hi float64) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	var err error
	switch {
	case !v.DType().IsFloat():
		err = newProblem("the operand is %v and should be f32 or f64", v.typ.DType).WithHint("Cast it; BinCount counts integers")
	case bins < 1 || bins >= maxWindow:
		err = newProblem("%d bins are asked for", bins)
	case !(lo < hi) || math.IsInf(hi-lo, 0) || !representable(lo, v.DType()) || !representable(hi, v.DType()):
		err = newProblem("the range from %v to %v should be a finite one in ascending order", lo, hi)
	}
	if err != nil {
		return v.graph.failAs("Histogram", []*Value{v}, err)
	}
	edges := Zeros(v.DType(), bins+1)
	for i := range bins + 1 {
		edges.SetFloat(i, lo+(hi-lo)*(float64(i)/float64(bins)))
	}
	edges.SetFloat(bins, hi)
	x := v.Reshape(-1)
	inside := x.Ge(Num(edges.Float(0))).And(x.Le(Num(edges.Float(bins))))
	boundaries, place := v.graph.Const(edges), (*Value)(nil)
	rate, digits := float64(bins)/(hi-lo), math.Ldexp(1, -52)
	if v.DType() == F32 {
		digits = math.Ldexp(1, -23)
	}
	if float64(bins)*digits > 0.1 || rate*max(math.Abs(lo), math.Abs(hi))*digits > 0.1 || rate > 1e30 {
		place = boundaries.SearchSorted(x, true).AddNum(-1)
	} else {
		// The bin by arithmetic is off by one at most, as rounding moves neither it nor a boundary by as much as half a bin.
		place = inside.branch(x, Num(lo)).AddNum(-lo).Scale(rate).Clip(Num(0), Num(float64(bins-1))).Cast(I64)
		below, above := x.Lt(boundaries.Take(0, place)), x.Ge(boundaries.Take(0, place.AddNum(1)))
		place = place.Sub(below.Cast(I64)).Add(above.Cast(I64))
	}
	none := v.graph.Num(I64, 0).broadcastTo([]int{bins})
	return none.IndexAdd(0, place.Clip(Num(0), Num(float64(bins-1))), inside.Cast(I64))
}

// BinCount returns, as I64, how often each of the numbers below size occurs. An element out of range is left out, and Run reports it. The size
// is fixed, as that of jax.numpy.bincount with a length; torch.bincount makes it as large as the elements need. With weights it is an IndexAdd
// of them to zeros.
//
// Shapes: any of i32 or i64 -> [size].
func (v *Value) BinCount(size int) *Value {
	v = v.orLost()
	if v.failed {
		return v.graph.poison(failedOp{}, []*Value{v})
	}
	err := irop.CheckIndexType(v.typ)
	if err == nil {
		err = checkShape([]int{size})
	}
	if err != nil {
		return v.graph.failAs("BinCount", []*Value{v}, err)
	}
	number := func(x float64, n int) *Value { return v.graph.Num(I64, x).broadcastTo([]int{n}) }
	return number(0, size).IndexAdd(0, v.Reshape(-1), number(1, v.Size()))
}
