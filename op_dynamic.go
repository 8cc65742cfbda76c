package tarn

import (
	"fmt"
	"slices"

	"github.com/seed-49005b45/tarn/internal/ir"
	irop "github.com/seed-49005b45/tarn/internal/ir/op"
)

// This file holds slices whose start is a value, known when the program runs: reading one looks its rows up, writing one selects between it and
// the rest.

// DynamicSlice takes size indices of an axis from start on, an I32 or I64 scalar. If the slice does not lie within the axis, Run reports it, where
// JAX moves the start. Equal to jax.lax.dynamic_slice_in_dim, and to torch.narrow with a tensor as its start.
//
// Shapes: [... d ...], start [] -> [... size ...].
func (v *Value) DynamicSlice(axis int, start *Value, size int) *Value {
	v = v.orLost()
	in := []*Value{v, start}
	a, failed := v.dynamic("DynamicSlice", axis, start, in)
	switch {
	case failed != nil:
		return failed
	case size < 0 || size > v.typ.Shape[a]:
		return v.graph.failAs("DynamicSlice", in, newProblem("%d indices are asked for of axis %d of size %d", size, a, v.typ.Shape[a]))
	}
	first := start.Within(fmt.Sprintf("the start of a slice of %d along axis %d", size, a), 0, v.typ.Shape[a]-size)
	return v.Take(a, v.graph.count(start.DType(), size).Add(first))
}

// DynamicUpdate is v with update in the place of as many indices of an axis from start on, an I32 or I64 scalar. If these do not lie within the
// axis, Run reports it, where JAX moves the start. Equal to jax.lax.dynamic_update_slice_in_dim.
//
// Shapes: [... d ...], start [], update [... n ...] -> [... d ...].
func (v *Value) DynamicUpdate(axis int, start, update *Value) *Value {
	v = v.orLost()
	in := []*Value{v, start, update}
	a, failed := v.dynamic("DynamicUpdate", axis, start, in)
	if failed != nil {
		return failed
	}
	want := slices.Clone(v.typ.Shape)
	if update.Rank() == len(want) {
		want[a] = update.Dim(a)
	}
	switch {
	case v.typ.DType != update.typ.DType:
		return v.graph.failAs("DynamicUpdate", in, newProblem("the operand is %v and the update %v", v.typ.DType, update.typ.DType).WithHint("Cast one of them"))
	case !slices.Equal(want, update.typ.Shape) || want[a] > v.typ.Shape[a]:
		return v.graph.failAs("DynamicUpdate", in, newProblem("the operand %s and the update %s may differ at axis %d only, where the update is not longer",
			ir.ShapeString(v.typ.Shape), ir.ShapeString(update.typ.Shape), a))
	}
	d, n := v.typ.Shape[a], want[a]
	if n == 0 {
		return v
	}
	first := start.Within(fmt.Sprintf("the start of an update of %d along axis %d", n, a), 0, d-n)
	place := v.graph.count(start.DType(), d).Sub(first)
	if n > 1 {
		update = update.Take(a, place.Clip(Num(0), Num(float64(n-1))))
	}
	inside := place.Ge(Num(0)).And(place.Lt(Num(float64(n)))).Reshape(append([]int{d}, slices.Repeat([]int{1}, len(want)-a-1)...)...)
	return inside.broadcastTo(v.typ.Shape).Where(update.broadcastTo(v.typ.Shape), v)
}

// dynamic checks the start of a slice and returns the axis, or what has failed.
func (v *Value) dynamic(name string, axis int, start *Value, in []*Value) (a int, failed *Value) {
	if failed := v.unusable(name, in...); failed != nil {
		return 0, failed
	}
	a, err := normalAxis(axis, len(v.typ.Shape))
	switch {
	case err != nil:
	case start.Rank() != 0:
		err = newProblem("the start is %v and should be a scalar", start.typ)
	default:
		err = irop.CheckIndexType(start.typ)
	}
	if err != nil {
		return 0, v.graph.failAs(name, in, err)
	}
	return a, nil
}
