package tarn

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds the ops that read and add up elements at places which other values name: Gather and Take, and their
// adjoints ScatterAdd and IndexAdd. An index counts from 0 and is not negative. One that is out of range touches no
// memory: reading gives NaN, or 0 for integers and bools, adding leaves it out, and Run reports it by its place.

// gatherOp reads along an axis: out[o, j, i] = x[o, index[o, j, i], i], where o and i stand for the axes before and after.
type gatherOp struct{ axis int }

func (op gatherOp) Name() string  { return "Gather" }
func (op gatherOp) Attrs() string { return axesString([]int{op.axis}) }

func (op gatherOp) Infer(in []ir.Type) (ir.Type, error) {
	x, index := in[0], in[1]
	if err := checkIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if err := equalBut(op.axis, x.Shape, index.Shape); err != nil {
		return ir.Type{}, err
	}
	return ir.Type{DType: x.DType, Shape: index.Shape}, nil
}

// checkIndexType refuses an index that does not count in integers.
func checkIndexType(index ir.Type) error {
	if index.DType != ir.I32 && index.DType != ir.I64 {
		return newProblem("the index is %v and should be i32 or i64", index.DType).WithHint("Cast it")
	}
	return nil
}

// equalBut refuses two shapes that differ at another axis than the one named.
func equalBut(axis int, x, index []int) error {
	if len(x) != len(index) {
		return newProblem("the operand %s and the index %s have ranks %d and %d", ir.ShapeString(x), ir.ShapeString(index), len(x), len(index)).
			WithHint("Take looks up whole rows by an index of any shape")
	}
	for a, d := range x {
		if a != axis && d != index[a] {
			return newProblem("the operand %s and the index %s have sizes %d and %d at axis %d; they may differ at axis %d only",
				ir.ShapeString(x), ir.ShapeString(index), d, index[a], a, axis)
		}
	}
	return nil
}

// around gives the sizes of the axes before an axis, at it, and after it.
func around(shape []int, axis int) (outer, size, inner int) {
	return ir.Size(shape[:axis]), shape[axis], ir.Size(shape[axis+1:])
}

func (op gatherOp) Eval(out ir.Array, in []ir.Array) {
	x, index := in[0], in[1]
	_, n, inner := around(index.Shape, op.axis)
	size := x.Shape[op.axis]
	for k := range out.Size() {
		o, i, at := k/(n*inner), k%inner, index.Int(k)
		if at < 0 || at >= int64(size) {
			setMissing(out, k)
			continue
		}
		out.CopyElement(k, x, (o*size+int(at))*inner+i)
	}
}

// setMissing stores what an index out of range reads.
func setMissing(out ir.Array, k int) {
	if out.DType.Float() {
		out.SetFloat(k, math.NaN())
	} else {
		out.SetInt(k, 0)
	}
}

func (op gatherOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each index of the axes before the gathered one be done apart.
func (op gatherOp) Rows(out ir.Type, in []ir.Type) int {
	outer, _, _ := around(out.Shape, op.axis)
	return outer
}

func (op gatherOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[1].DType == ir.I32 {
		runGather[int32](op, out, in[0], in[1], first, end)
	} else {
		runGather[int64](op, out, in[0], in[1], first, end)
	}
}

func runGather[I int32 | int64](op gatherOp, out, x, index ir.Array, first, end int) {
	switch out.DType.Size() {
	case 1:
		gatherElements[uint8, I](op, out, x, index, first, end)
	case 4:
		gatherElements[uint32, I](op, out, x, index, first, end)
	default:
		gatherElements[uint64, I](op, out, x, index, first, end)
	}
}

func gatherElements[T uint8 | uint32 | uint64, I int32 | int64](op gatherOp, out, x, index ir.Array, first, end int) {
	_, n, inner := around(index.Shape, op.axis)
	size := x.Shape[op.axis]
	dst, src, at, missing := ir.Slice[T](out), ir.Slice[T](x), ir.Slice[I](index), T(missingBits(out.DType))
	k := first * n * inner
	for o := first; o < end; o++ {
		block := src[o*size*inner : (o+1)*size*inner]
		for range n {
			for i := range inner {
				if j := uint64(at[k]); j < uint64(size) {
					dst[k] = block[int(j)*inner+i]
				} else {
					dst[k] = missing
				}
				k++
			}
		}
	}
}

// missingBits is what setMissing stores, as the memory of one element.
func missingBits(dtype ir.DType) uint64 {
	switch dtype {
	case ir.F32:
		return uint64(math.Float32bits(float32(math.NaN())))
	case ir.F64:
		return math.Float64bits(math.NaN())
	}
	return 0
}

func (gatherOp) Checks() int { return 1 }

func (op gatherOp) Check(x ir.Array, in []ir.Type) error {
	return checkIndices(x, in[0].Shape[op.axis], op.axis)
}

// checkIndices finds the first index that is out of range.
func checkIndices(index ir.Array, size, axis int) error {
	k := 0
	if index.DType == ir.I32 {
		k = outOfRange(ir.Slice[int32](index), size)
	} else {
		k = outOfRange(ir.Slice[int64](index), size)
	}
	if k < 0 {
		return nil
	}
	return fmt.Errorf("the index %d at %v is out of range for axis %d of size %d", index.Int(k), ir.Unravel(k, index.Shape), axis, size)
}

// outOfRange is the place of the first index out of range, or -1.
func outOfRange[I int32 | int64](index []I, size int) int {
	for k, at := range index {
		if uint64(at) >= uint64(size) {
			return k
		}
	}
	return -1
}

func (op gatherOp) grad(y, dy *Value) []*Value {
	x, index := y.in[0], y.in[1]
	if index.typ.Shape[op.axis] == 1 {
		// One element of each row, as a loss picks the score of the label: comparing fuses with what is done with the whole
		// row, where scattering would make a pass of its own over memory.
		hit := y.graph.Iota(index.DType(), op.axis, x.typ.Shape...).Eq(index)
		return []*Value{hit.Where(dy, dy.Num(0))}
	}
	return []*Value{dy.graph.add(scatterAddOp{op.axis, x.typ.Shape[op.axis]}, index, dy)}
}

// Gather reads along an axis at places that an I32 or I64 index names, one for each element of the result: for axis 1,
// out[i, j, k] = v[i, index[i, j, k], k]. Equal to torch.gather for an index that has v's sizes at the other axes. Where an
// index is out of range the element is NaN, or 0 for integers, and Run reports it. The gradient is added up, in the order
// of the index, at the places read.
//
// Shapes: [... d ...], index [... n ...] -> [... n ...].
func (v *Value) Gather(axis int, index *Value) *Value {
	op := gatherOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v, index})
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v, index}, err)
	}
	return v.graph.add(op, v, index)
}

// scatterAddOp is the adjoint of gatherOp: out[o, index[o, j, i], i] += src[o, j, i] on zeros, in the order of the index.
type scatterAddOp struct{ axis, size int }

func (op scatterAddOp) Name() string  { return "ScatterAdd" }
func (op scatterAddOp) Attrs() string { return fmt.Sprintf("axis=%d size=%d", op.axis, op.size) }

func (op scatterAddOp) Infer(in []ir.Type) (ir.Type, error) {
	index, src := in[0], in[1]
	if err := checkIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if src.DType == ir.Bool {
		return ir.Type{}, newProblem("the source is bool and should be a number").WithHint("Cast it")
	}
	if !slices.Equal(index.Shape, src.Shape) {
		return ir.Type{}, newProblem("the index %s and the source %s should have one shape", ir.ShapeString(index.Shape), ir.ShapeString(src.Shape))
	}
	shape := slices.Clone(src.Shape)
	shape[op.axis] = op.size
	return ir.Type{DType: src.DType, Shape: shape}, nil
}

func (op scatterAddOp) Eval(out ir.Array, in []ir.Array) {
	index, src := in[0], in[1]
	_, n, inner := around(index.Shape, op.axis)
	for k := range src.Size() {
		o, i, at := k/(n*inner), k%inner, index.Int(k)
		if at >= 0 && at < int64(op.size) {
			addElement(out, (o*op.size+int(at))*inner+i, src, k)
		}
	}
}

// addElement adds element j of src to element i of out.
func addElement(out ir.Array, i int, src ir.Array, j int) {
	if out.DType.Float() {
		out.SetFloat(i, out.Float(i)+src.Float(j))
	} else {
		out.SetInt(i, out.Int(i)+src.Int(j))
	}
}

func (op scatterAddOp) Run(out ir.Array, in []ir.Array) {
	if in[0].DType == ir.I32 {
		runScatterAdd[int32](op, out, in[0], in[1])
	} else {
		runScatterAdd[int64](op, out, in[0], in[1])
	}
}

func runScatterAdd[I int32 | int64](op scatterAddOp, out, index, src ir.Array) {
	switch out.DType {
	case ir.F32:
		scatterElements[float32, I](op, out, index, src)
	case ir.F64:
		scatterElements[float64, I](op, out, index, src)
	case ir.I32:
		scatterElements[int32, I](op, out, index, src)
	default:
		scatterElements[int64, I](op, out, index, src)
	}
}

func scatterElements[T int32 | int64 | float32 | float64, I int32 | int64](op scatterAddOp, out, index, src ir.Array) {
	outer, n, inner := around(index.Shape, op.axis)
	dst, from, at := ir.Slice[T](out), ir.Slice[T](src), ir.Slice[I](index)
	clear(dst)
	k := 0
	for o := range outer {
		block := dst[o*op.size*inner : (o+1)*op.size*inner]
		for range n {
			for i := range inner {
				if j := uint64(at[k]); j < uint64(op.size) {
					block[int(j)*inner+i] += from[k]
				}
				k++
			}
		}
	}
}

func (scatterAddOp) Checks() int { return 0 }

func (op scatterAddOp) Check(x ir.Array, in []ir.Type) error {
	return checkIndices(x, op.size, op.axis)
}

func (op scatterAddOp) grad(y, dy *Value) []*Value {
	return []*Value{nil, dy.graph.add(gatherOp{op.axis}, dy, y.in[0])}
}

// ScatterAdd is v with each element of src added at the place that the index names: for axis 1,
// out[i, index[i, j, k], k] += src[i, j, k]. The sums are made in the order of the index, so that the result has the same
// bits every time. Equal to torch.scatter_add. An index out of range is left out, and Run reports it.
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) ScatterAdd(axis int, index, src *Value) *Value {
	op, in := scatterAddOp{}, []*Value{v, index, src}
	if v.failed || index == nil || index.failed {
		return v.graph.add(op, in...)
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, in, err)
	}
	if err := equalBut(op.axis, v.typ.Shape, index.typ.Shape); err != nil {
		return v.graph.fail(op, in, err)
	}
	op.size = v.typ.Shape[op.axis]
	return v.Add(v.graph.add(op, index, src))
}

// takeOp reads whole rows along an axis: out[o, j, i] = x[o, index[j], i], where j stands for all axes of the index.
type takeOp struct{ axis int }

func (op takeOp) Name() string  { return "Take" }
func (op takeOp) Attrs() string { return axesString([]int{op.axis}) }

func (op takeOp) Infer(in []ir.Type) (ir.Type, error) {
	x, index := in[0], in[1]
	if err := checkIndexType(index); err != nil {
		return ir.Type{}, err
	}
	return ir.Type{DType: x.DType, Shape: slices.Concat(x.Shape[:op.axis], index.Shape, x.Shape[op.axis+1:])}, nil
}

func (op takeOp) Eval(out ir.Array, in []ir.Array) {
	x, index := in[0], in[1]
	_, size, inner := around(x.Shape, op.axis)
	n := index.Size()
	for k := range out.Size() {
		o, j, i := k/(n*inner), k/inner%n, k%inner
		at := index.Int(j)
		if at < 0 || at >= int64(size) {
			setMissing(out, k)
			continue
		}
		out.CopyElement(k, x, (o*size+int(at))*inner+i)
	}
}

func (op takeOp) Run(out ir.Array, in []ir.Array) {
	op.RunRows(out, in, 0, op.rows(in[0].Shape, in[1].Size()))
}

// Rows lets each row that is taken be copied apart.
func (op takeOp) Rows(out ir.Type, in []ir.Type) int { return op.rows(in[0].Shape, in[1].Size()) }

func (op takeOp) rows(shape []int, n int) int {
	outer, _, _ := around(shape, op.axis)
	return outer * n
}

func (op takeOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[1].DType == ir.I32 {
		runTake[int32](op, out, in[0], in[1], first, end)
	} else {
		runTake[int64](op, out, in[0], in[1], first, end)
	}
}

func runTake[I int32 | int64](op takeOp, out, x, index ir.Array, first, end int) {
	switch out.DType.Size() {
	case 1:
		takeRows[uint8, I](op, out, x, index, first, end)
	case 4:
		takeRows[uint32, I](op, out, x, index, first, end)
	default:
		takeRows[uint64, I](op, out, x, index, first, end)
	}
}

func takeRows[T uint8 | uint32 | uint64, I int32 | int64](op takeOp, out, x, index ir.Array, first, end int) {
	_, size, inner := around(x.Shape, op.axis)
	dst, src, at, missing := ir.Slice[T](out), ir.Slice[T](x), ir.Slice[I](index), T(missingBits(out.DType))
	for k := first; k < end; k++ {
		block := src[k/len(at)*size*inner:]
		row, j := dst[k*inner:(k+1)*inner], at[k%len(at)]
		switch {
		case uint64(j) >= uint64(size):
			for i := range row {
				row[i] = missing
			}
		case inner == 1:
			row[0] = block[j]
		default:
			copy(row, block[int(j)*inner:])
		}
	}
}

// LooksUp gives the axis.
func (op takeOp) LooksUp() int { return op.axis }

// Adjoint is the op that adds up.
func (op takeOp) Adjoint(size int) ir.Op { return indexAddOp{op.axis, size} }

func (takeOp) Checks() int { return 1 }

func (op takeOp) Check(x ir.Array, in []ir.Type) error {
	return checkIndices(x, in[0].Shape[op.axis], op.axis)
}

func (op takeOp) grad(y, dy *Value) []*Value {
	return []*Value{dy.graph.add(indexAddOp{op.axis, y.in[0].typ.Shape[op.axis]}, y.in[1], dy)}
}

// Take looks up whole rows along an axis by an I32 or I64 index of any shape, whose axes take the place of that axis:
// for axis 0, out[j...] = v[index[j...]]. Equal to torch.index_select for an index of one axis, and to numpy.take. Where an
// index is out of range the row is NaN, or 0 for integers, and Run reports it. The gradient is added up, in the order of
// the index, in the rows read.
//
// Shapes: [... d ...], index [n...] -> [... n... ...].
func (v *Value) Take(axis int, index *Value) *Value {
	op := takeOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v, index})
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v, index}, err)
	}
	return v.graph.add(op, v, index)
}

// Embedding looks up rows of a table, usually a *Param, by ids: Take along axis 0. The gradient of the table is dense, zero
// in the rows that no id names. Equal to torch.nn.functional.embedding.
//
// Shapes: [n d...], ids [b...] -> [b... d...].
func Embedding(table Operand, ids *Value) *Value {
	return ids.operand(table).Take(0, ids)
}

// indexAddOp is the adjoint of takeOp: out[o, index[j], i] += src[o, j, i] on zeros, in the order of the index.
type indexAddOp struct{ axis, size int }

func (op indexAddOp) Name() string  { return "IndexAdd" }
func (op indexAddOp) Attrs() string { return fmt.Sprintf("axis=%d size=%d", op.axis, op.size) }

func (op indexAddOp) Infer(in []ir.Type) (ir.Type, error) {
	index, src := in[0], in[1]
	if err := checkIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if src.DType == ir.Bool {
		return ir.Type{}, newProblem("the source is bool and should be a number").WithHint("Cast it")
	}
	end := op.axis + len(index.Shape)
	return ir.Type{DType: src.DType, Shape: slices.Concat(src.Shape[:op.axis], []int{op.size}, src.Shape[end:])}, nil
}

func (op indexAddOp) Eval(out ir.Array, in []ir.Array) {
	index, src := in[0], in[1]
	_, _, inner := around(out.Shape, op.axis)
	n := index.Size()
	for k := range src.Size() {
		o, j, i := k/(n*inner), k/inner%n, k%inner
		if at := index.Int(j); at >= 0 && at < int64(op.size) {
			addElement(out, (o*op.size+int(at))*inner+i, src, k)
		}
	}
}

// AddsUp gives the axis.
func (op indexAddOp) AddsUp() int { return op.axis }

func (op indexAddOp) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// addedApart is the number of shares that the parts which are added to are cut into. Every one goes through the whole index.
const addedApart = 8

// Rows lets shares of the parts be done apart, where they are long enough for the index not to matter.
func (op indexAddOp) Rows(out ir.Type, in []ir.Type) int {
	outer, _, inner := around(out.Shape, op.axis)
	return outer * op.shares(inner)
}

func (op indexAddOp) shares(inner int) int {
	if inner < longRow {
		return 1
	}
	return max(1, min(op.size, addedApart))
}

// RunRows adds up the shares from first to before end.
func (op indexAddOp) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[0].DType == ir.I32 {
		runIndexAdd[int32](op, out, in[0], in[1], first, end)
	} else {
		runIndexAdd[int64](op, out, in[0], in[1], first, end)
	}
}

func runIndexAdd[I int32 | int64](op indexAddOp, out, index, src ir.Array, first, end int) {
	switch out.DType {
	case ir.F32:
		addRows[float32, I](op, out, index, src, first, end)
	case ir.F64:
		addRows[float64, I](op, out, index, src, first, end)
	case ir.I32:
		addRows[int32, I](op, out, index, src, first, end)
	default:
		addRows[int64, I](op, out, index, src, first, end)
	}
}

func addRows[T int32 | int64 | float32 | float64, I int32 | int64](op indexAddOp, out, index, src ir.Array, first, end int) {
	_, size, inner := around(out.Shape, op.axis)
	dst, from, at := ir.Slice[T](out), ir.Slice[T](src), ir.Slice[I](index)
	add := vectorAdd[out.DType]
	shares := op.shares(inner)
	for s := first; s < end; s++ {
		o, share := s/shares, s%shares
		low, high := size*share/shares, size*(share+1)/shares
		block := dst[(o*size+low)*inner : (o*size+high)*inner]
		clear(block)
		for k, j := range at {
			if uint64(j)-uint64(low) >= uint64(high-low) {
				continue
			}
			sum, row := block[(int(j)-low)*inner:][:inner], from[(o*len(at)+k)*inner:]
			if inner >= longRow {
				p := unsafe.Pointer(&sum[0])
				add(p, p, unsafe.Pointer(&row[0]), nil, inner)
				continue
			}
			for i, x := range row[:inner] {
				sum[i] += x
			}
		}
	}
}

// vectorAdd is the vector function of addition for each type of number, found once: at the plain level finding one allocates.
var vectorAdd = func() (add [ir.F64 + 1]cpu.Vec) {
	for _, t := range []ir.DType{ir.F32, ir.F64, ir.I32, ir.I64} {
		add[t] = cpu.Function(scalar.Add, cpu.DType(t))
	}
	return add
}()

// longRow is the number of elements from which a vector function adds faster than a loop.
const longRow = 16

func (indexAddOp) Checks() int { return 0 }

func (op indexAddOp) Check(x ir.Array, in []ir.Type) error { return checkIndices(x, op.size, op.axis) }

func (op indexAddOp) grad(y, dy *Value) []*Value {
	return []*Value{nil, dy.graph.add(takeOp{op.axis}, dy, y.in[0])}
}

// IndexAdd is v with each row of src added to the row that the index names: for axis 0, out[index[j...]] += src[j...].
// The sums are made in the order of the index, so that the result has the same bits every time. Equal to torch.index_add
// for an index of one axis. An index out of range is left out, and Run reports it.
//
// Shapes: [... d ...], index [n...], src [... n... ...] -> [... d ...].
func (v *Value) IndexAdd(axis int, index, src *Value) *Value {
	op, in := indexAddOp{}, []*Value{v, index, src}
	if v.failed || index == nil || index.failed || src == nil || src.failed {
		return v.graph.add(op, in...)
	}
	var err error
	if op.axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, in, err)
	}
	want := slices.Concat(v.typ.Shape[:op.axis], index.typ.Shape, v.typ.Shape[op.axis+1:])
	if !slices.Equal(want, src.typ.Shape) {
		return v.graph.fail(op, in, newProblem("the source is %s and should be %s: the operand %s with the index %s in the place of axis %d",
			ir.ShapeString(src.typ.Shape), ir.ShapeString(want), ir.ShapeString(v.typ.Shape), ir.ShapeString(index.typ.Shape), op.axis))
	}
	op.size = v.typ.Shape[op.axis]
	return v.Add(v.graph.add(op, index, src))
}
