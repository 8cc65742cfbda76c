package hlo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what rearranges elements. A movement says what it does only by the view that it makes of memory, so its strides are
// read as steps along the axes of the operand.

// move is a movement of x.
func (b *text) move(op ir.Movement, x value, out value) (y value, ok bool) {
	v, ok := op.Move(ir.ViewOf(x.shape))
	if !ok {
		return value{}, false
	}
	if out.size() == 0 {
		return b.num(0, out), true
	}
	if v.Contiguous() && v.Offset == 0 && out.size() == x.size() {
		return b.reshape(x, out.shape), true
	}
	if y, ok := b.walk(v, x, out); ok {
		return y, true
	}
	return b.view(v, x, out), true
}

// walk is a view each axis of which walks along one axis of the operand, in steps, perhaps backwards, or along none; false if it is
// none of those.
func (b *text) walk(v ir.View, x value, out value) (y value, ok bool) {
	strides := ir.Strides(x.shape)
	of := make([]int, len(out.shape)) // the axis of the operand, or -1
	used := map[int]bool{}
	type steps struct{ start, step, n int }
	walks := make([]steps, len(strides))
	for a := range walks {
		walks[a] = steps{0, 1, 1}
	}
	for i, s := range v.Strides {
		of[i] = -1
		if s == 0 || out.shape[i] == 1 {
			continue
		}
		for a, stride := range strides { // the outermost axis that is not larger than the step
			if size := max(s, -s); stride <= size && x.shape[a] > 1 && s%stride == 0 && !used[a] && size/stride*(out.shape[i]-1) < x.shape[a] {
				of[i], used[a] = a, true
				walks[a] = steps{0, s / stride, out.shape[i]}
				break
			}
		}
		if of[i] < 0 {
			return value{}, false
		}
	}
	offset := v.Offset
	for a, s := range strides { // the rest of the offset says where each axis starts
		if x.shape[a] > 1 {
			walks[a].start = offset / s
			offset %= s
		}
	}
	var ranges []string
	var flip []int
	t := x.of()
	for a, w := range walks {
		low, high := w.start, w.start+w.step*(w.n-1)
		if w.step < 0 {
			low, high = high, low
			flip = append(flip, a)
		}
		if low < 0 || high >= x.shape[a] {
			return value{}, false
		}
		ranges = append(ranges, fmt.Sprintf("%d:%d:%d", low, high+1, max(w.step, -w.step)))
		t.shape = append(t.shape, w.n)
	}
	if !slices.Equal(t.shape, x.shape) {
		x = b.emit(t, "stablehlo.slice %s [%s] : (%s) -> %s", x, strings.Join(ranges, ", "), x.typ(), t.typ())
	}
	if flip != nil {
		x = b.reverse(x, flip)
	}
	// The axes of size 1 are dropped, the others put in order and spread.
	squeezed, place := []int{}, map[int]int{}
	for a, w := range walks {
		if used[a] {
			place[a] = len(squeezed)
			squeezed = append(squeezed, w.n)
		}
	}
	var order, axes []int
	for i, a := range of {
		if a >= 0 {
			order, axes = append(order, place[a]), append(axes, i)
		}
	}
	return b.spread(b.transpose(b.reshape(x, squeezed), order), out.shape, axes...), true
}

func (b *text) reverse(x value, axes []int) value {
	return b.emit(x, "stablehlo.reverse %s, dims = %s : %s", x, ints(axes), x.typ())
}

// view is any view, element by element.
func (b *text) view(v ir.View, x value, out value) value {
	at := out.as("i64")
	place := b.num(float64(v.Offset), at)
	for a, s := range v.Strides {
		place = b.op("add", place, b.op("multiply", b.iota(at, a), b.num(float64(s), at)))
	}
	return b.take(0, b.reshape(x, []int{x.size()}), place)
}

// take looks up the parts of a table along an axis. An index out of range reads NaN or 0.
func (b *text) take(axis int, x, index value) value {
	n := len(index.shape)
	t := x.of(slices.Concat(x.shape[:axis], index.shape, x.shape[axis+1:])...)
	if t.size() == 0 || x.size() == 0 {
		return b.missing(t)
	}
	var offset []int
	sizes := slices.Clone(x.shape)
	sizes[axis] = 1
	for a := range x.shape {
		if a < axis {
			offset = append(offset, a)
		} else if a > axis {
			offset = append(offset, a+n-1)
		}
	}
	at := b.reshape(index, append(slices.Clone(index.shape), 1))
	y := b.emit(t, `"stablehlo.gather"(%s, %s) {dimension_numbers = #stablehlo.gather<offset_dims = %s, collapsed_slice_dims = [%d], start_index_map = [%d], index_vector_dim = %d>, slice_sizes = %s} : (%s) -> %s`,
		x, at, ints(offset), axis, axis, n, array(sizes), types([]value{x, at}), t.typ())
	axes := make([]int, n)
	for k := range axes {
		axes[k] = axis + k
	}
	return b.choose(b.spread(b.inside(index, 0, x.shape[axis]), t.shape, axes...), y, b.missing(t))
}

// inside is where an index is at least lo and below hi.
func (b *text) inside(index value, lo, hi int) value {
	return b.op("and", b.compare("GE", index, b.num(float64(lo), index)), b.compare("LT", index, b.num(float64(hi), index)))
}

// missing is what an index out of range reads.
func (b *text) missing(t value) value {
	switch t.elem {
	case "f32":
		return b.lit("0x7FC00000", t)
	case "f64":
		return b.lit("0x7FF8000000000000", t)
	}
	return b.num(0, t)
}

// addUp is the adjoint of take.
func (b *text) addUp(axis int, index, src value, out value) value {
	base := b.num(0, out)
	if src.size() == 0 || out.size() == 0 {
		return base
	}
	n := len(index.shape)
	var window []int
	for a := range out.shape {
		if a < axis {
			window = append(window, a)
		} else if a > axis {
			window = append(window, a+n-1)
		}
	}
	at := b.reshape(index, append(slices.Clone(index.shape), 1))
	return b.scatter("add", base, at, src, fmt.Sprintf("update_window_dims = %s, inserted_window_dims = [%d], scatter_dims_to_operand_dims = [%d], index_vector_dim = %d",
		ints(window), axis, axis, n))
}

// scatter combines elements by an op that is named.
func (b *text) scatter(op string, base, at, src value, numbers string) value {
	e := scalarOf(base.elem).typ()
	return b.emit(base, `"stablehlo.scatter"(%s, %s, %s) ({
    ^bb0(%%p: %s, %%q: %s):
      %%s = stablehlo.%s %%p, %%q : %s
      stablehlo.return %%s : %s
  }) {scatter_dimension_numbers = #stablehlo.scatter<%s>} : (%s) -> %s`, base, at, src, e, e, op, e, e, numbers, types([]value{base, at, src}), base.typ())
}

// others are the axes but one.
func others(n, axis int) (axes []int) {
	for a := range n {
		if a != axis {
			axes = append(axes, a)
		}
	}
	return axes
}

// pick reads along an axis; the other axes are those of a batch.
func (b *text) pick(axis int, x, index value) value {
	t := x.of(index.shape...)
	if t.size() == 0 || x.size() == 0 {
		return b.missing(t)
	}
	n := len(t.shape)
	at := b.reshape(index, append(slices.Clone(index.shape), 1))
	rest, ones := others(n, axis), slices.Repeat([]int{1}, n)
	y := b.emit(t, `"stablehlo.gather"(%s, %s) {dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [%d], operand_batching_dims = %s, start_indices_batching_dims = %s, start_index_map = [%d], index_vector_dim = %d>, slice_sizes = %s} : (%s) -> %s`,
		x, at, axis, ints(rest), ints(rest), axis, n, array(ones), types([]value{x, at}), t.typ())
	return b.choose(b.inside(index, 0, x.shape[axis]), y, b.missing(t))
}

// send combines the elements of src with those of base at the places along an axis that the index says.
func (b *text) send(op string, axis int, base, index, src value) value {
	if src.size() == 0 || base.size() == 0 {
		return base
	}
	n := len(index.shape)
	rest := others(n, axis)
	at := b.reshape(index, append(slices.Clone(index.shape), 1))
	return b.scatter(op, base, at, src, fmt.Sprintf("inserted_window_dims = [%d], input_batching_dims = %s, scatter_indices_batching_dims = %s, scatter_dims_to_operand_dims = [%d], index_vector_dim = %d",
		axis, ints(rest), ints(rest), axis, n))
}

// scattering sends by kind. The last of several that are sent to one place must win, which a scatter alone does not promise.
func (b *text) scattering(kind ir.ScatterKind, axis int, in []value, out value) value {
	index, src := in[len(in)-2], in[len(in)-1]
	base := in[0]
	if len(in) == 2 {
		base = b.num(0, out)
	}
	if kind == ir.ScatterSet {
		if out.size() == 0 {
			return base
		}
		last := b.lastPlaces(axis, index, base.as("i64"))
		sent := b.compare("GE", last, b.num(0, last))
		return b.choose(sent, b.pick(axis, src, last), base)
	}
	op := map[ir.ScatterKind]string{ir.ScatterMax: "maximum", ir.ScatterMin: "minimum", ir.ScatterMul: "multiply", ir.ScatterSum: "add"}[kind]
	return b.send(op, axis, base, index, src)
}

// lastPlaces is the last place along an axis of the index that holds each number, or -1.
func (b *text) lastPlaces(axis int, index, out value) value {
	base := b.num(-1, out)
	if index.size() == 0 {
		return base
	}
	return b.send("maximum", axis, base, index, b.iota(index.as("i64"), axis))
}

// padding puts zeros before, after and between.
func (b *text) padding(x value, axis, before, after, step int) value {
	low, high, between := make([]int, len(x.shape)), make([]int, len(x.shape)), make([]int, len(x.shape))
	low[axis], high[axis], between[axis] = before, after, step-1
	return b.pad(x, 0, low, high, between)
}
