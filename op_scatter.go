package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the scatters that do not add: by setting, by the largest, the smallest and the product. They are one op, which walks through the
// index in order, so the result has the same bits for any number of workers, also if places are named several times. Another op tells which element
// came last at a place: it is the one that has the gradient of setting.

// compositionOp names a composition in the report of an operand that is nil or of another graph.
type compositionOp struct {
	failedOp
	name string
}

func (op compositionOp) Name() string { return op.name }

// unusable returns a failed value, named after a composition, if an operand is nil or has failed, and otherwise nil.
func (v *Value) unusable(name string, in ...*Value) *Value {
	for _, x := range in {
		if !x.exists() || x.failed {
			return v.home().add(compositionOp{name: name}, in...)
		}
	}
	return nil
}

// scattered checks the operands of a scatter and returns the axis, or what has failed.
func (v *Value) scattered(name string, axis int, index, src *Value) (a int, failed *Value) {
	in := []*Value{v, index, src}
	if failed := v.unusable(name, in...); failed != nil {
		return 0, failed
	}
	a, err := normalAxis(axis, len(v.typ.Shape))
	if err == nil {
		_, err = (irop.Gather{Axis: a}).Infer([]ir.Type{v.typ, index.typ})
	}
	switch {
	case err != nil:
	case !slices.Equal(index.typ.Shape, src.typ.Shape):
		err = newProblem("the index %s and the source %s should have one shape", ir.ShapeString(index.typ.Shape), ir.ShapeString(src.typ.Shape))
	case v.typ.DType != src.typ.DType:
		err = newProblem("the operand is %v and the source %v", v.typ.DType, src.typ.DType).WithHint("Cast one of them")
	}
	if err != nil {
		return 0, v.graph.failAs(name, in, err)
	}
	return a, nil
}

// Scatter is v with the elements of src at the places that the index names: for axis 1, out[i, index[i, j, k], k] = src[i, j, k]. If a place is
// named several times, the last element in the order of the index is stored there and takes the whole gradient, where PyTorch leaves open
// which one is. An index out of range is left out, and Run reports it. Equal to torch.scatter.
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) Scatter(axis int, index, src *Value) *Value {
	return v.scatter(ir.ScatterSet, axis, index, src)
}

// lastAt returns, for each number below size, the last place along an axis at which the index v names it, and whether it does; otherwise the place is 0.
func (v *Value) lastAt(axis, size int) (place, named *Value) {
	last := v.graph.add(lastAtOp{axis, size}, v)
	return last.Maximum(Num(0)), last.Ge(Num(0))
}

// lastAtOp returns for each number below size the last place along the axis at which the index names it, or -1.
type lastAtOp struct{ axis, size int }

func (op lastAtOp) Name() string  { return "LastAt" }
func (op lastAtOp) Attrs() string { return fmt.Sprintf("axis=%d size=%d", op.axis, op.size) }

func (op lastAtOp) Infer(in []ir.Type) (ir.Type, error) {
	shape := slices.Clone(in[0].Shape)
	shape[op.axis] = op.size
	return ir.Type{DType: ir.I64, Shape: shape}, irop.CheckIndexType(in[0])
}

func (op lastAtOp) Eval(out ir.Array, in []ir.Array) {
	for i := range out.Size() {
		out.SetInt(i, -1)
	}
	inner := ir.Size(out.Shape[op.axis+1:])
	eachLine(in[0].Shape, op.axis, func(line, start, stride, n int) {
		to := line/inner*op.size*inner + line%inner
		for j := range n {
			if at := in[0].Int(start + j*stride); at >= 0 && at < int64(op.size) {
				out.SetInt(to+int(at)*inner, int64(j))
			}
		}
	})
}

func (op lastAtOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each index of the axes before the one that is scattered along be done apart.
func (op lastAtOp) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:op.axis]) }

func (op lastAtOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[0].DType == ir.I32 {
		lastPlaces[int32](op, out, in[0], first, end)
	} else {
		lastPlaces[int64](op, out, in[0], first, end)
	}
}

func lastPlaces[I int32 | int64](op lastAtOp, out, index ir.Array, first, end int) {
	n, inner := index.Shape[op.axis], ir.Size(out.Shape[op.axis+1:])
	dst, at := ir.Slice[int64](out), ir.Slice[I](index)
	for o := first; o < end; o++ {
		block, from := dst[o*op.size*inner:(o+1)*op.size*inner], at[o*n*inner:]
		for i := range block {
			block[i] = -1
		}
		for j := range n {
			for i, d := range from[j*inner : (j+1)*inner] {
				if uint64(d) < uint64(op.size) {
					block[int(d)*inner+i] = int64(j)
				}
			}
		}
	}
}

// Places returns the axis.
func (op lastAtOp) Places() int { return op.axis }

// Range is that of the index.
func (op lastAtOp) Range([]ir.Type) (lo, hi int) { return 0, op.size }

// Checks is the index.
func (op lastAtOp) Checks() int { return 0 }

// Check finds an index that is out of range.
func (op lastAtOp) Check(x ir.Array, in []ir.Type) error {
	return irop.CheckIndices(x, op.size, op.axis)
}

func (op lastAtOp) grad(y, dy *Value) []*Value { return nil }

// ScatterMax is v with the largest of it and of the elements of src that the index sends to the same place; NaN if one is NaN. Elements that
// share the largest value share the gradient evenly. An index out of range is left out, and Run reports it. Equal to torch.scatter_reduce with
// reduce "amax".
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) ScatterMax(axis int, index, src *Value) *Value {
	return v.scatter(ir.ScatterMax, axis, index, src)
}

// ScatterMin is v with the smallest of it and of the elements of src that the index sends to the same place; NaN if one is NaN. Elements that
// share the smallest value share the gradient evenly. An index out of range is left out, and Run reports it. Equal to torch.scatter_reduce with
// reduce "amin".
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) ScatterMin(axis int, index, src *Value) *Value {
	return v.scatter(ir.ScatterMin, axis, index, src)
}

// ScatterMul is v times each element of src that the index sends to the same place, in the order of the index. Gradients are right if elements are
// zero. An index out of range is left out, and Run reports it. Equal to torch.scatter_reduce with reduce "prod".
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) ScatterMul(axis int, index, src *Value) *Value {
	return v.scatter(ir.ScatterMul, axis, index, src)
}

func (v *Value) scatter(kind ir.ScatterKind, axis int, index, src *Value) *Value {
	v = v.orLost()
	op := scatterOp{kind: kind}
	a, failed := v.scattered(op.Name(), axis, index, src)
	if failed != nil {
		return failed
	}
	op.axis = a
	return v.graph.add(op, v, index, src)
}

// scatterOp combines its first operand with the elements of its third, at the places that its second names.
type scatterOp struct {
	kind ir.ScatterKind
	axis int
}

func (op scatterOp) Name() string {
	return [...]string{ir.ScatterSet: "Scatter", ir.ScatterMax: "ScatterMax", ir.ScatterMin: "ScatterMin", ir.ScatterMul: "ScatterMul"}[op.kind]
}

func (op scatterOp) Attrs() string { return axesString([]int{op.axis}) }

// Infer trusts the shapes, which the methods have checked.
func (op scatterOp) Infer(in []ir.Type) (ir.Type, error) {
	if in[0].DType == ir.Bool && op.kind != ir.ScatterSet {
		return ir.Type{}, newProblem("the operand is bool and should be a number").WithHint("Cast it")
	}
	return in[0], nil
}

func (op scatterOp) Eval(out ir.Array, in []ir.Array) {
	index, src := in[1], in[2]
	size, inner := out.Shape[op.axis], ir.Size(out.Shape[op.axis+1:])
	copy(out.Raw(), in[0].Raw())
	eachLine(index.Shape, op.axis, func(line, start, stride, n int) {
		for j := start; j < start+n*stride; j += stride {
			at := index.Int(j)
			if at < 0 || at >= int64(size) {
				continue
			}
			k := line/inner*size*inner + int(at)*inner + line%inner
			if op.kind == ir.ScatterSet {
				out.CopyElement(k, src, j)
			} else if out.DType.Float() {
				out.SetFloat(k, combine(op.kind, out.Float(k), src.Float(j)))
			} else {
				out.SetInt(k, combine(op.kind, out.Int(k), src.Int(j)))
			}
		}
	})
}

// combine is x, the larger, the smaller or the product of a and x; NaN if either is.
func combine[T uint8 | int32 | int64 | float32 | float64](kind ir.ScatterKind, a, x T) T {
	switch {
	case kind == ir.ScatterMul:
		return a * x
	case kind == ir.ScatterSet, x != x, kind == ir.ScatterMax && x > a, kind == ir.ScatterMin && x < a:
		return x
	}
	return a
}

func (op scatterOp) Run(out ir.Array, in []ir.Array) {
	op.RunRows(out, in, 0, op.Rows(out.Type, nil))
}

// Rows lets each index of the axes before the one that is scattered along be done apart.
func (op scatterOp) Rows(out ir.Type, in []ir.Type) int { return ir.Size(out.Shape[:op.axis]) }

func (op scatterOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	switch out.DType {
	case ir.F32:
		scatterTyped[float32](op, out, in, first, end)
	case ir.F64:
		scatterTyped[float64](op, out, in, first, end)
	case ir.I32:
		scatterTyped[int32](op, out, in, first, end)
	case ir.I64:
		scatterTyped[int64](op, out, in, first, end)
	default:
		scatterTyped[uint8](op, out, in, first, end)
	}
}

func scatterTyped[T uint8 | int32 | int64 | float32 | float64](op scatterOp, out ir.Array, in []ir.Array, first, end int) {
	if in[1].DType == ir.I32 {
		combineRows[T, int32](op, out, in, first, end)
	} else {
		combineRows[T, int64](op, out, in, first, end)
	}
}

func combineRows[T uint8 | int32 | int64 | float32 | float64, I int32 | int64](op scatterOp, out ir.Array, in []ir.Array, first, end int) {
	size, n, inner := out.Shape[op.axis], in[1].Shape[op.axis], ir.Size(out.Shape[op.axis+1:])
	dst, x, at, src := ir.Slice[T](out), ir.Slice[T](in[0]), ir.Slice[I](in[1]), ir.Slice[T](in[2])
	copy(dst[first*size*inner:end*size*inner], x[first*size*inner:])
	for o := first; o < end; o++ {
		block := dst[o*size*inner : (o+1)*size*inner]
		for j := o * n; j < (o+1)*n; j++ {
			from := src[j*inner:][:inner]
			for i, d := range at[j*inner:][:inner] {
				if uint64(d) < uint64(size) {
					k := int(d)*inner + i
					if op.kind == ir.ScatterSet {
						block[k] = from[i]
					} else {
						block[k] = combine(op.kind, block[k], from[i])
					}
				}
			}
		}
	}
}

// Scatters returns the kind and the axis.
func (op scatterOp) Scatters() (ir.ScatterKind, int) { return op.kind, op.axis }

// Range is that of the index.
func (op scatterOp) Range(in []ir.Type) (lo, hi int) { return 0, in[0].Shape[op.axis] }

// Checks is the index.
func (op scatterOp) Checks() int { return 1 }

// Check finds an index that is out of range.
func (op scatterOp) Check(x ir.Array, in []ir.Type) error {
	return irop.CheckIndices(x, in[0].Shape[op.axis], op.axis)
}

func (op scatterOp) grad(y, dy *Value) []*Value {
	x, index, src := y.in[0], y.in[1], y.in[2]
	switch op.kind {
	case ir.ScatterSet:
		// The element that is stored has the gradient of its place.
		last := dy.graph.add(lastAtOp{op.axis, x.typ.Shape[op.axis]}, index)
		kept, stored := last.Lt(Num(0)), last.Gather(op.axis, index).Eq(dy.graph.Iota(I64, op.axis, index.typ.Shape...))
		return []*Value{
			kept.Where(dy, dy.Num(0)).selected(false, func() *Value { return kept }), nil,
			stored.Where(dy.Gather(op.axis, index), dy.Num(0)).selected(false, func() *Value { return stored }),
		}
	case ir.ScatterMul:
		// As with Prod, a tree of products of two has a gradient that is right for any factors, and so have its derivatives.
		d := dy.graph.backward([]*Value{x.scatterTree(op.axis, index, src)}, []*Value{dy}, []*Value{x, src}, []*Value{x, src})
		return []*Value{d[0], nil, d[1]}
	}
	own, theirs := x.Eq(y), src.Eq(y.Gather(op.axis, index))
	share := dy.Div(own.Cast(x.DType()).ScatterAdd(op.axis, index, theirs.Cast(x.DType())))
	return []*Value{
		own.Where(share, share.Num(0)).selected(false, func() *Value { return own }), nil,
		theirs.Where(share.Gather(op.axis, index), share.Num(0)).selected(false, func() *Value { return theirs }),
	}
}

// scatterTree is ScatterMul by products of two. The elements of src are sorted by place, and each is multiplied by the one before it, by the one
// two before, four before and so on, as long as that has the same place: the last of a place then holds the product of all.
func (v *Value) scatterTree(axis int, index, src *Value) *Value {
	if index.Size() == 0 {
		return v
	}
	last := v.Rank() - 1
	x, key, product := v.Transpose(axis, last), index.Transpose(axis, last), src.Transpose(axis, last)
	order := key.ArgSort(last, false)
	key, product = key.Gather(last, order), product.Gather(last, order)
	n := key.Dim(last)
	for step := 1; step < n; step *= 2 {
		same := key.Slice(last, step, n).Eq(key.Slice(last, 0, n-step))
		product = Concat(last, product.Slice(last, 0, step), product.Slice(last, step, n).Mul(same.branch(product.Slice(last, 0, n-step), Num(1))))
	}
	place, named := key.lastAt(last, x.Dim(last))
	return x.Mul(named.branch(product.Gather(last, place), Num(1))).Transpose(axis, last)
}

// IndexCopy is v with the rows of src in the place of the rows that the index names: for axis 0, out[index[j...]] = src[j...]. If a row is named
// several times, the last in the order of the index is stored and takes the whole gradient. An index out of range is left out, and Run
// reports it. Equal to torch.index_copy for an index of one axis.
//
// Shapes: [... d ...], index [n...], src [... n... ...] -> [... d ...].
func (v *Value) IndexCopy(axis int, index, src *Value) *Value {
	v = v.orLost()
	in := []*Value{v, index, src}
	if failed := v.unusable("IndexCopy", in...); failed != nil {
		return failed
	}
	a, err := normalAxis(axis, len(v.typ.Shape))
	if err == nil {
		err = irop.CheckIndexType(index.typ)
	}
	if err == nil {
		want := slices.Concat(v.typ.Shape[:a], index.typ.Shape, v.typ.Shape[a+1:])
		switch {
		case !slices.Equal(want, src.typ.Shape):
			err = newProblem("the source is %s and should be %s: the operand %s with the index %s in the place of axis %d",
				ir.ShapeString(src.typ.Shape), ir.ShapeString(want), ir.ShapeString(v.typ.Shape), ir.ShapeString(index.typ.Shape), a)
		case v.typ.DType != src.typ.DType:
			err = newProblem("the operand is %v and the source %v", v.typ.DType, src.typ.DType).WithHint("Cast one of them")
		}
	}
	if err != nil {
		return v.graph.failAs("IndexCopy", in, err)
	}
	n := index.Size()
	if n == 0 {
		return v
	}
	rows := src.Reshape(slices.Concat(v.typ.Shape[:a], []int{n}, v.typ.Shape[a+1:])...)
	place, named := index.Reshape(n).lastAt(0, v.typ.Shape[a])
	column := append([]int{v.typ.Shape[a]}, slices.Repeat([]int{1}, len(v.typ.Shape)-a-1)...)
	return named.Reshape(column...).broadcastTo(v.typ.Shape).Where(rows.Take(a, place), v)
}
