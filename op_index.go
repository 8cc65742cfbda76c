package tarn

import (
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds the ops that read and add up elements at places which other values name: Gather and Take, and their
// adjoints ScatterAdd and IndexAdd. An index counts from 0 and is not negative. One that is out of range touches no
// memory: reading gives NaN, or 0 for integers and bools, adding leaves it out, and Run reports it by its place.

// gatherOp reads along an axis, one element for each element of the index.
type gatherOp struct{ irop.Gather }

func (op gatherOp) grad(y, dy *Value) []*Value {
	x, index := y.in[0], y.in[1]
	if index.typ.Shape[op.Axis] == 1 {
		// One element of each row, as a loss picks the score of the label: comparing fuses with what is done with the whole
		// row, where scattering would make its own pass over memory.
		hit := y.graph.Iota(index.DType(), op.Axis, x.typ.Shape...).Eq(index)
		return []*Value{hit.Where(dy, dy.Num(0)).selected(false, func() *Value { return hit })}
	}
	return []*Value{dy.spread(scatterAddOp{irop.ScatterAdd{Axis: op.Axis, Size: x.typ.Shape[op.Axis]}}, index)}
}

// Gather reads along an axis at places that an I32 or I64 index names, one for each element of the result: for axis 1,
// out[i, j, k] = v[i, index[i, j, k], k]. Equal to torch.gather for an index that has v's sizes at the other axes. If an
// index is out of range, the element is NaN, or 0 for integers, and Run reports it. The gradient is added up, in the order
// of the index, at the places read.
//
// Shapes: [... d ...], index [... n ...] -> [... n ...].
func (v *Value) Gather(axis int, index *Value) *Value {
	v = v.orLost()
	op := gatherOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v, index})
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, []*Value{v, index}, err)
	}
	return v.graph.add(op, v, index)
}

// scatterAddOp is the adjoint of gatherOp.
type scatterAddOp struct{ irop.ScatterAdd }

func (op scatterAddOp) grad(y, dy *Value) []*Value {
	return []*Value{nil, dy.graph.add(gatherOp{irop.Gather{Axis: op.Axis}}, dy, y.in[0])}
}

// ScatterAdd is v with each element of src added at the place that the index names: for axis 1,
// out[i, index[i, j, k], k] += src[i, j, k]. The sums are made in the order of the index, so that the result has the same
// bits every time. Equal to torch.scatter_add. An index out of range is left out, and Run reports it.
//
// Shapes: [... d ...], index [... n ...], src [... n ...] -> [... d ...].
func (v *Value) ScatterAdd(axis int, index, src *Value) *Value {
	v = v.orLost()
	op, in := scatterAddOp{}, []*Value{v, index, src}
	if v.failed || !index.exists() || index.failed {
		return v.graph.add(op, in...)
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, in, err)
	}
	if _, err := (irop.Gather{Axis: op.Axis}).Infer([]ir.Type{v.typ, index.typ}); err != nil {
		return v.graph.fail(op, in, err)
	}
	op.Size = v.typ.Shape[op.Axis]
	return v.Add(v.graph.add(op, index, src))
}

// takeOp reads whole rows along an axis.
type takeOp struct{ irop.Take }

func (op takeOp) grad(y, dy *Value) []*Value {
	return []*Value{dy.spread(indexAddOp{irop.IndexAdd{Axis: op.Axis, Size: y.in[0].typ.Shape[op.Axis]}}, y.in[1])}
}

// spread is the gradient of elements that have been picked at places which the other operand decides on: op adds dy up there, and the elements
// that have not been picked get 0.
func (dy *Value) spread(op op, places *Value) *Value {
	return dy.graph.add(op, places, dy).selected(false, func() *Value {
		return dy.graph.insert(op, places, dy.Num(1).broadcastTo(dy.typ.Shape)).Gt(Num(0))
	})
}

// Take looks up whole rows along an axis by an I32 or I64 index of any shape, whose axes take the place of that axis:
// for axis 0, out[j...] = v[index[j...]]. Equal to torch.index_select for an index of one axis, and to numpy.take. If an
// index is out of range, the row is NaN, or 0 for integers, and Run reports it. The gradient is added up, in the order of
// the index, in the rows read.
//
// Shapes: [... d ...], index [n...] -> [... n... ...].
func (v *Value) Take(axis int, index *Value) *Value {
	v = v.orLost()
	op := takeOp{}
	if v.failed {
		return v.graph.poison(op, []*Value{v, index})
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
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

// indexAddOp is the adjoint of takeOp.
type indexAddOp struct{ irop.IndexAdd }

func (op indexAddOp) grad(y, dy *Value) []*Value {
	return []*Value{nil, dy.graph.add(takeOp{irop.Take{Axis: op.Axis}}, dy, y.in[0])}
}

// IndexAdd is v with each row of src added to the row that the index names: for axis 0, out[index[j...]] += src[j...].
// The sums are made in the order of the index, so that the result has the same bits every time. Equal to torch.index_add
// for an index of one axis. An index out of range is left out, and Run reports it.
//
// Shapes: [... d ...], index [n...], src [... n... ...] -> [... d ...].
func (v *Value) IndexAdd(axis int, index, src *Value) *Value {
	v = v.orLost()
	op, in := indexAddOp{}, []*Value{v, index, src}
	if v.failed || !index.exists() || index.failed || !src.exists() || src.failed {
		return v.graph.add(op, in...)
	}
	var err error
	if op.Axis, err = normalAxis(axis, len(v.typ.Shape)); err != nil {
		return v.graph.fail(op, in, err)
	}
	want := slices.Concat(v.typ.Shape[:op.Axis], index.typ.Shape, v.typ.Shape[op.Axis+1:])
	if !slices.Equal(want, src.typ.Shape) {
		return v.graph.fail(op, in, newProblem("the source is %s and should be %s: the operand %s with the index %s in the place of axis %d",
			ir.ShapeString(src.typ.Shape), ir.ShapeString(want), ir.ShapeString(v.typ.Shape), ir.ShapeString(index.typ.Shape), op.Axis))
	}
	op.Size = v.typ.Shape[op.Axis]
	return v.Add(v.graph.add(op, index, src))
}
