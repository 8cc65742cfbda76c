package op

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

// Gather reads along an axis: out[o, j, i] = x[o, index[o, j, i], i], where o and i stand for the axes before and after.
type Gather struct{ Axis int }

// Name is "Gather".
func (Gather) Name() string { return "Gather" }

// Attrs prints the axis.
func (op Gather) Attrs() string { return axesString(op.Axis) }

// Infer is the shape rule: [... d ...], index [... n ...] -> [... n ...].
func (op Gather) Infer(in []ir.Type) (ir.Type, error) {
	x, index := in[0], in[1]
	if err := CheckIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if err := equalBut(op.Axis, x.Shape, index.Shape); err != nil {
		return ir.Type{}, err
	}
	return ir.Type{DType: x.DType, Shape: index.Shape}, nil
}

// CheckIndexType refuses an index that does not count in integers.
func CheckIndexType(index ir.Type) error {
	if index.DType != ir.I32 && index.DType != ir.I64 {
		return ir.NewProblem("the index is %v and should be i32 or i64", index.DType).WithHint("Cast it")
	}
	return nil
}

// equalBut refuses two shapes that differ at another axis than the one named.
func equalBut(axis int, x, index []int) error {
	if len(x) != len(index) {
		return ir.NewProblem("the operand %s and the index %s have ranks %d and %d", ir.ShapeString(x), ir.ShapeString(index), len(x), len(index)).
			WithHint("Take looks up whole rows by an index of any shape")
	}
	for a, d := range x {
		if a != axis && d != index[a] {
			return ir.NewProblem("the operand %s and the index %s have sizes %d and %d at axis %d; they may differ at axis %d only",
				ir.ShapeString(x), ir.ShapeString(index), d, index[a], a, axis)
		}
	}
	return nil
}

// Eval is the reference kernel.
func (op Gather) Eval(out ir.Array, in []ir.Array) {
	x, index := in[0], in[1]
	_, n, inner := around(index.Shape, op.Axis)
	size := x.Shape[op.Axis]
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

// Run is the fast kernel: RunRows of all rows.
func (op Gather) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// Rows lets each index of the axes before the gathered one be done apart.
func (op Gather) Rows(out ir.Type, in []ir.Type) int {
	outer, _, _ := around(out.Shape, op.Axis)
	return outer
}

// RunRows computes the rows from first to before end.
func (op Gather) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[1].DType == ir.I32 {
		runGather[int32](op, out, in[0], in[1], first, end)
	} else {
		runGather[int64](op, out, in[0], in[1], first, end)
	}
}

func runGather[I int32 | int64](op Gather, out, x, index ir.Array, first, end int) {
	switch out.DType.Size() {
	case 1:
		gatherElements[uint8, I](op, out, x, index, first, end)
	case 4:
		gatherElements[uint32, I](op, out, x, index, first, end)
	default:
		gatherElements[uint64, I](op, out, x, index, first, end)
	}
}

func gatherElements[T uint8 | uint32 | uint64, I int32 | int64](op Gather, out, x, index ir.Array, first, end int) {
	_, n, inner := around(index.Shape, op.Axis)
	size := x.Shape[op.Axis]
	dst, src, at, missing := ir.Slice[T](out), ir.Slice[T](x), ir.Slice[I](index), T(missingBits(out.DType))
	k := first * n * inner
	for o := first; o < end; o++ {
		block := src[o*size*inner : (o+1)*size*inner]
		if inner == 1 {
			pick(dst[o*n:(o+1)*n], block, at[o*n:(o+1)*n], missing)
			continue
		}
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

// pick sets dst[k] to src[at[k]].
func pick[T uint8 | uint32 | uint64, I int32 | int64](dst, src []T, at []I, missing T) {
	dst = dst[:len(at)]
	for len(at) >= 4 && len(dst) >= 4 { // whose loads do not wait for one another's checks
		p, q, r, s := at[0], at[1], at[2], at[3]
		if n := uint64(len(src)); uint64(p) >= n || uint64(q) >= n || uint64(r) >= n || uint64(s) >= n {
			break
		}
		dst[0], dst[1], dst[2], dst[3] = src[p], src[q], src[r], src[s]
		at, dst = at[4:], dst[4:]
	}
	for k, j := range at {
		if uint64(j) < uint64(len(src)) {
			dst[k] = src[j]
		} else {
			dst[k] = missing
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

// Picks returns the axis.
func (op Gather) Picks() int { return op.Axis }

// Range is that of the index.
func (op Gather) Range(in []ir.Type) (lo, hi int) { return 0, in[0].Shape[op.Axis] }

// Checks is the index.
func (Gather) Checks() int { return 1 }

// Check finds an index that is out of range.
func (op Gather) Check(x ir.Array, in []ir.Type) error {
	return CheckIndices(x, in[0].Shape[op.Axis], op.Axis)
}

// CheckIndices finds the first index that is out of range.
func CheckIndices(index ir.Array, size, axis int) error {
	k := 0
	if index.DType == ir.I32 {
		k = cpu.Outside(ir.Slice[int32](index), size)
	} else {
		k = cpu.Outside(ir.Slice[int64](index), size)
	}
	if k < 0 {
		return nil
	}
	return fmt.Errorf("the index %d at %v is out of range for axis %d of size %d", index.Int(k), ir.Unravel(k, index.Shape), axis, size)
}

// ScatterAdd is the adjoint of Gather: out[o, index[o, j, i], i] += src[o, j, i] on zeros, in the order of the index.
type ScatterAdd struct{ Axis, Size int }

// Name is "ScatterAdd".
func (ScatterAdd) Name() string { return "ScatterAdd" }

// Attrs prints the axis and the size.
func (op ScatterAdd) Attrs() string { return fmt.Sprintf("axis=%d size=%d", op.Axis, op.Size) }

// Infer is the shape rule: index [... n ...], source [... n ...] -> [... Size ...].
func (op ScatterAdd) Infer(in []ir.Type) (ir.Type, error) {
	index, src := in[0], in[1]
	if err := CheckIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if src.DType == ir.Bool {
		return ir.Type{}, ir.NewProblem("the source is bool and should be a number").WithHint("Cast it")
	}
	if !slices.Equal(index.Shape, src.Shape) {
		return ir.Type{}, ir.NewProblem("the index %s and the source %s should have one shape", ir.ShapeString(index.Shape), ir.ShapeString(src.Shape))
	}
	shape := slices.Clone(src.Shape)
	shape[op.Axis] = op.Size
	return ir.Type{DType: src.DType, Shape: shape}, nil
}

// Eval is the reference kernel.
func (op ScatterAdd) Eval(out ir.Array, in []ir.Array) {
	index, src := in[0], in[1]
	_, n, inner := around(index.Shape, op.Axis)
	for k := range src.Size() {
		o, i, at := k/(n*inner), k%inner, index.Int(k)
		if at >= 0 && at < int64(op.Size) {
			addElement(out, (o*op.Size+int(at))*inner+i, src, k)
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

// Run is the fast kernel.
func (op ScatterAdd) Run(out ir.Array, in []ir.Array) {
	if in[0].DType == ir.I32 {
		runScatterAdd[int32](op, out, in[0], in[1])
	} else {
		runScatterAdd[int64](op, out, in[0], in[1])
	}
}

func runScatterAdd[I int32 | int64](op ScatterAdd, out, index, src ir.Array) {
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

func scatterElements[T int32 | int64 | float32 | float64, I int32 | int64](op ScatterAdd, out, index, src ir.Array) {
	outer, n, inner := around(index.Shape, op.Axis)
	dst, from, at := ir.Slice[T](out), ir.Slice[T](src), ir.Slice[I](index)
	clear(dst)
	k := 0
	for o := range outer {
		block := dst[o*op.Size*inner : (o+1)*op.Size*inner]
		if inner == 1 {
			addAt(block, from[o*n:(o+1)*n], at[o*n:(o+1)*n])
			continue
		}
		for range n {
			for i := range inner {
				if j := uint64(at[k]); j < uint64(op.Size) {
					block[int(j)*inner+i] += from[k]
				}
				k++
			}
		}
	}
}

// addAt adds src[k] to dst[at[k]].
func addAt[T int32 | int64 | float32 | float64, I int32 | int64](dst, src []T, at []I) {
	src = src[:len(at)]
	for len(at) >= 4 && len(src) >= 4 {
		p, q, r, s := at[0], at[1], at[2], at[3]
		if n := uint64(len(dst)); uint64(p) >= n || uint64(q) >= n || uint64(r) >= n || uint64(s) >= n {
			break
		}
		dst[p] += src[0]
		dst[q] += src[1]
		dst[r] += src[2]
		dst[s] += src[3]
		at, src = at[4:], src[4:]
	}
	for k, j := range at {
		if uint64(j) < uint64(len(dst)) {
			dst[j] += src[k]
		}
	}
}

// Scatters returns a sum along the axis.
func (op ScatterAdd) Scatters() (ir.ScatterKind, int) { return ir.ScatterSum, op.Axis }

// Range is that of the index.
func (op ScatterAdd) Range([]ir.Type) (lo, hi int) { return 0, op.Size }

// Checks is the index.
func (ScatterAdd) Checks() int { return 0 }

// Check finds an index that is out of range.
func (op ScatterAdd) Check(x ir.Array, in []ir.Type) error {
	return CheckIndices(x, op.Size, op.Axis)
}

// Take reads whole rows along an axis: out[o, j, i] = x[o, index[j], i], where j stands for all axes of the index.
type Take struct{ Axis int }

// Name is "Take".
func (Take) Name() string { return "Take" }

// Attrs prints the axis.
func (op Take) Attrs() string { return axesString(op.Axis) }

// Infer is the shape rule: [... d ...], index [n...] -> [... n... ...].
func (op Take) Infer(in []ir.Type) (ir.Type, error) {
	x, index := in[0], in[1]
	if err := CheckIndexType(index); err != nil {
		return ir.Type{}, err
	}
	return ir.Type{DType: x.DType, Shape: slices.Concat(x.Shape[:op.Axis], index.Shape, x.Shape[op.Axis+1:])}, nil
}

// Eval is the reference kernel.
func (op Take) Eval(out ir.Array, in []ir.Array) {
	x, index := in[0], in[1]
	_, size, inner := around(x.Shape, op.Axis)
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

// Run is the fast kernel: RunRows of all rows.
func (op Take) Run(out ir.Array, in []ir.Array) {
	op.RunRows(out, in, 0, op.rows(in[0].Shape, in[1].Size()))
}

// Rows lets each row that is taken be copied apart.
func (op Take) Rows(out ir.Type, in []ir.Type) int { return op.rows(in[0].Shape, in[1].Size()) }

func (op Take) rows(shape []int, n int) int {
	outer, _, _ := around(shape, op.Axis)
	return outer * n
}

// RunRows computes the rows from first to before end.
func (op Take) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[1].DType == ir.I32 {
		runTake[int32](op, out, in[0], in[1], first, end)
	} else {
		runTake[int64](op, out, in[0], in[1], first, end)
	}
}

func runTake[I int32 | int64](op Take, out, x, index ir.Array, first, end int) {
	switch out.DType.Size() {
	case 1:
		takeRows[uint8, I](op, out, x, index, first, end)
	case 4:
		takeRows[uint32, I](op, out, x, index, first, end)
	default:
		takeRows[uint64, I](op, out, x, index, first, end)
	}
}

func takeRows[T uint8 | uint32 | uint64, I int32 | int64](op Take, out, x, index ir.Array, first, end int) {
	_, size, inner := around(x.Shape, op.Axis)
	dst, src, at, missing := ir.Slice[T](out), ir.Slice[T](x), ir.Slice[I](index), T(missingBits(out.DType))
	for k := first; k < end && inner == 1; {
		o, j := k/len(at), k%len(at)
		n := min(len(at)-j, end-k)
		pick(dst[k:k+n], src[o*size:(o+1)*size], at[j:j+n], missing)
		k += n
	}
	for k := first; k < end && inner != 1; k++ {
		block := src[k/len(at)*size*inner:]
		row, j := dst[k*inner:(k+1)*inner], at[k%len(at)]
		switch {
		case uint64(j) >= uint64(size):
			for i := range row {
				row[i] = missing
			}
		default:
			copy(row, block[int(j)*inner:])
		}
	}
}

// LooksUp returns the axis.
func (op Take) LooksUp() int { return op.Axis }

// Adjoint is the op that adds up.
func (op Take) Adjoint(size int) ir.Op { return IndexAdd{op.Axis, size} }

// Range is that of the index.
func (op Take) Range(in []ir.Type) (lo, hi int) { return 0, in[0].Shape[op.Axis] }

// Checks is the index.
func (Take) Checks() int { return 1 }

// Check finds an index that is out of range.
func (op Take) Check(x ir.Array, in []ir.Type) error {
	return CheckIndices(x, in[0].Shape[op.Axis], op.Axis)
}

// IndexAdd is the adjoint of Take: out[o, index[j], i] += src[o, j, i] on zeros, in the order of the index.
type IndexAdd struct{ Axis, Size int }

// Name is "IndexAdd".
func (IndexAdd) Name() string { return "IndexAdd" }

// Attrs prints the axis and the size.
func (op IndexAdd) Attrs() string { return fmt.Sprintf("axis=%d size=%d", op.Axis, op.Size) }

// Infer is the shape rule: index [n...], source [... n... ...] -> [... Size ...].
func (op IndexAdd) Infer(in []ir.Type) (ir.Type, error) {
	index, src := in[0], in[1]
	if err := CheckIndexType(index); err != nil {
		return ir.Type{}, err
	}
	if src.DType == ir.Bool {
		return ir.Type{}, ir.NewProblem("the source is bool and should be a number").WithHint("Cast it")
	}
	end := op.Axis + len(index.Shape)
	return ir.Type{DType: src.DType, Shape: slices.Concat(src.Shape[:op.Axis], []int{op.Size}, src.Shape[end:])}, nil
}

// Eval is the reference kernel.
func (op IndexAdd) Eval(out ir.Array, in []ir.Array) {
	index, src := in[0], in[1]
	_, _, inner := around(out.Shape, op.Axis)
	n := index.Size()
	for k := range src.Size() {
		o, j, i := k/(n*inner), k/inner%n, k%inner
		if at := index.Int(j); at >= 0 && at < int64(op.Size) {
			addElement(out, (o*op.Size+int(at))*inner+i, src, k)
		}
	}
}

// AddsUp returns the axis.
func (op IndexAdd) AddsUp() int { return op.Axis }

// Run is the fast kernel: RunRows of all rows.
func (op IndexAdd) Run(out ir.Array, in []ir.Array) { op.RunRows(out, in, 0, op.Rows(out.Type, nil)) }

// addedApart is the number of shares that the parts which are added to are cut into. Every one goes through the whole index.
const addedApart = 8

// Rows lets shares of the parts be done apart, if they are long enough for the index not to matter.
func (op IndexAdd) Rows(out ir.Type, in []ir.Type) int {
	outer, _, inner := around(out.Shape, op.Axis)
	return outer * op.shares(inner)
}

func (op IndexAdd) shares(inner int) int {
	if inner < longRow {
		return 1
	}
	return max(1, min(op.Size, addedApart))
}

// RunRows adds up the shares from first to before end.
func (op IndexAdd) RunRows(out ir.Array, in []ir.Array, first, end int) {
	if in[0].DType == ir.I32 {
		runIndexAdd[int32](op, out, in[0], in[1], first, end)
	} else {
		runIndexAdd[int64](op, out, in[0], in[1], first, end)
	}
}

func runIndexAdd[I int32 | int64](op IndexAdd, out, index, src ir.Array, first, end int) {
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

func addRows[T int32 | int64 | float32 | float64, I int32 | int64](op IndexAdd, out, index, src ir.Array, first, end int) {
	_, size, inner := around(out.Shape, op.Axis)
	dst, from, at := ir.Slice[T](out), ir.Slice[T](src), ir.Slice[I](index)
	add := vectorAdd[out.DType]
	shares := op.shares(inner)
	for s := first; s < end; s++ {
		o, share := s/shares, s%shares
		low, high := size*share/shares, size*(share+1)/shares
		block := dst[(o*size+low)*inner : (o*size+high)*inner]
		clear(block)
		if inner == 1 { // and one share
			addAt(block, from[o*len(at):(o+1)*len(at)], at)
			continue
		}
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

// Range is that of the index.
func (op IndexAdd) Range([]ir.Type) (lo, hi int) { return 0, op.Size }

// Checks is the index.
func (IndexAdd) Checks() int { return 0 }

// Check finds an index that is out of range.
func (op IndexAdd) Check(x ir.Array, in []ir.Type) error { return CheckIndices(x, op.Size, op.Axis) }
