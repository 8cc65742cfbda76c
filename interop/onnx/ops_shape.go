package onnx

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds the operators that change shapes, and those that select and join.

func shapeOperators() {
	registerOwn("Shape", func(c *call) []*value {
		shape := c.at(0).sizes()
		rank := len(shape)
		clamp := func(i int) int {
			if i < 0 {
				i += rank
			}
			return max(0, min(rank, i))
		}
		first, end := clamp(c.int("start", 0)), clamp(c.int("end", rank))
		part := shape[first:max(first, end)]
		return int64s(part, len(part))
	})
	registerOwn("Size", func(c *call) []*value {
		n := 1
		for _, d := range c.at(0).sizes() {
			n *= d
		}
		return int64s([]int{n})
	})
	registerSet("Reshape", []int{1}, func(c *call) []*value {
		in := c.at(0).sizes()
		shape := c.ints(1, "the shape")
		for i, d := range shape {
			if d == 0 && c.int("allowzero", 0) == 0 {
				if i >= len(in) {
					failf("the shape %v keeps the size of axis %d, which %v does not have", shape, i, in)
				}
				shape[i] = in[i]
			}
		}
		return c.reshape(shape)
	})
	register("Flatten", func(c *call) []*value {
		in := c.at(0).sizes()
		axis := c.int("axis", 1)
		if axis < 0 {
			axis += len(in)
		}
		if axis < 0 || axis > len(in) {
			failf("there is no axis %d in the shape %v", axis, in)
		}
		rows, columns := 1, 1
		for i, d := range in {
			if i < axis {
				rows *= d
			} else {
				columns *= d
			}
		}
		return c.reshape([]int{rows, columns})
	})
	registerSet("Squeeze", []int{1}, func(c *call) []*value {
		in := c.at(0).sizes()
		axes := c.numbers("axes")
		if c.has(1) {
			axes = c.ints(1, "the axes")
		}
		axes = axesOf(axes, len(in))
		var shape []int
		for i, d := range in {
			drop := slices.Contains(axes, i) || len(axes) == 0 && d == 1
			if drop && d != 1 {
				failf("axis %d of %v is not 1", i, in)
			}
			if !drop {
				shape = append(shape, d)
			}
		}
		return c.reshape(shape)
	})
	registerSet("Unsqueeze", []int{1}, func(c *call) []*value {
		in := c.at(0).sizes()
		axes := c.numbers("axes")
		if c.has(1) {
			axes = c.ints(1, "the axes")
		}
		rank := len(in) + len(axes)
		axes = axesOf(axes, rank)
		var shape []int
		at := 0
		for i := range rank {
			if slices.Contains(axes, i) {
				shape = append(shape, 1)
			} else {
				if at >= len(in) {
					failf("the axes %v are named more than once", axes)
				}
				shape = append(shape, in[at])
				at++
			}
		}
		return c.reshape(shape)
	})
	register("Transpose", func(c *call) []*value {
		x := c.val(0)
		perm := c.numbers("perm")
		if perm == nil {
			for i := range x.Rank() {
				perm = append(perm, x.Rank()-1-i)
			}
		}
		return c.same(x.Permute(perm...))
	})
	register("Concat", func(c *call) []*value {
		if c.elem(0) == typeString {
			return c.concatStrings()
		}
		return c.same(concat(c.int("axis", 1), c.values()...))
	})
	registerSet("Split", []int{1}, func(c *call) []*value {
		x := c.val(0)
		axis := axisOf(c.int("axis", 0), x.Rank())
		sizes := c.numbers("split")
		if c.has(1) {
			sizes = c.ints(1, "the sizes")
		}
		if sizes == nil {
			n := c.int("num_outputs", len(c.n.outputs))
			if n < 1 || n > 1<<20 {
				failf("%d parts make no sense", n)
			}
			part := (x.Dim(axis) + n - 1) / n
			for i := range n {
				sizes = append(sizes, max(0, min(part, x.Dim(axis)-i*part)))
			}
		}
		var out []*value
		at := 0
		for _, n := range sizes {
			out = append(out, &value{elem: c.elem(0), v: x.Slice(axis, at, at+n)})
			at += n
		}
		if at != x.Dim(axis) {
			failf("the sizes %v do not add up to %d", sizes, x.Dim(axis))
		}
		return out
	})
	registerSet("Slice", []int{1, 2, 3, 4}, func(c *call) []*value {
		x := c.val(0)
		starts, ends, axes, steps := c.numbers("starts"), c.numbers("ends"), c.numbers("axes"), []int(nil)
		if c.version >= 10 {
			starts, ends = c.ints(1, "the start"), c.ints(2, "the end")
			if c.has(3) {
				axes = c.ints(3, "the axes")
			}
			if c.has(4) {
				steps = c.ints(4, "the steps")
			}
		}
		for i, start := range starts {
			axis, step := i, 1
			if axes != nil {
				axis = axes[i]
			}
			if steps != nil {
				step = steps[i]
			}
			x = slice(x, axisOf(axis, x.Rank()), start, ends[i], step)
		}
		return c.same(x)
	})
	registerSet("Expand", []int{1}, func(c *call) []*value {
		x := c.val(0)
		return c.same(x.Expand(broadcastShape(x.Shape(), c.ints(1, "the shape"))...))
	})
	registerSet("Tile", []int{1}, func(c *call) []*value { return c.same(c.val(0).Tile(c.ints(1, "the repeats")...)) })
	registerSet("Pad", []int{1, 2, 3}, func(c *call) []*value { return c.pad() })
	registerSet("Gather", []int{1}, func(c *call) []*value {
		if c.elem(0) == typeString {
			failf("strings are not supported")
		}
		x := c.val(0)
		axis := axisOf(c.int("axis", 0), x.Rank())
		return c.same(x.Take(axis, c.index(1, x.Dim(axis))))
	})
	registerSet("GatherElements", []int{1}, func(c *call) []*value {
		x, i := c.val(0), c.val(1)
		axis := axisOf(c.int("axis", 0), x.Rank())
		index := c.index(1, x.Dim(axis))
		for a := range x.Rank() { // the index may be shorter along the other axes
			if a != axis && i.Dim(a) < x.Dim(a) {
				x = x.Slice(a, 0, i.Dim(a))
			}
		}
		return c.same(x.Gather(axis, index))
	})
	registerSet("GatherND", []int{1}, func(c *call) []*value { return c.gatherND() })
	for _, name := range []string{"Scatter", "ScatterElements"} {
		registerSet(name, []int{1}, func(c *call) []*value { return c.scatterElements() })
	}
	registerSet("ScatterND", []int{1}, func(c *call) []*value { return c.scatterND() })
	registerSet("OneHot", []int{0, 1, 2}, func(c *call) []*value {
		depths := c.known(1, "the depth")
		depth := int(depths.Float(0))
		index := c.val(0)
		if index.DType().IsFloat() {
			index = index.Cast(tarn.I64)
		}
		index = index.Lt(tarn.Num(0)).Where(index.AddNum(float64(depth)), index)
		axis := axisOf(c.int("axis", -1), index.Rank()+1)
		values := c.val(2)
		shape := slices.Repeat([]int{1}, index.Rank()+1)
		shape[axis] = depth
		hot := index.Unsqueeze(axis).Eq(c.g.Iota(index.DType(), 0, depth).Reshape(shape...))
		off, on := values.Slice(0, 0, 1).Reshape(), values.Slice(0, 1, 2).Reshape()
		return c.of(c.elem(2), hot.Where(on, off))
	})
	register("DepthToSpace", func(c *call) []*value {
		x, b := c.val(0), c.int("blocksize", 0)
		s := x.Shape()
		if b < 1 || len(s) != 4 || s[1]%(b*b) != 0 {
			failf("blocks of %d do not fit the shape %v", b, s)
		}
		ch := s[1] / (b * b)
		if c.string("mode", "DCR") == "CRD" {
			x = x.Reshape(s[0], ch, b, b, s[2], s[3]).Permute(0, 1, 4, 2, 5, 3)
		} else {
			x = x.Reshape(s[0], b, b, ch, s[2], s[3]).Permute(0, 3, 4, 1, 5, 2)
		}
		return c.same(x.Reshape(s[0], ch, s[2]*b, s[3]*b))
	})
	register("SpaceToDepth", func(c *call) []*value {
		x, b := c.val(0), c.int("blocksize", 0)
		s := x.Shape()
		if b < 1 || len(s) != 4 || s[2]%b != 0 || s[3]%b != 0 {
			failf("blocks of %d do not fit the shape %v", b, s)
		}
		order := []int{0, 3, 5, 1, 2, 4}
		if c.string("mode", "DCR") == "CRD" {
			order = []int{0, 1, 3, 5, 2, 4}
		}
		return c.same(x.Reshape(s[0], s[1], s[2]/b, b, s[3]/b, b).Permute(order...).Reshape(s[0], s[1]*b*b, s[2]/b, s[3]/b))
	})
	registerOwn("Range", func(c *call) []*value {
		elem := c.elem(0)
		start, end, step := c.known(0, "the start").Float(0), c.known(1, "the end").Float(0), c.known(2, "the step").Float(0)
		if step == 0 {
			failf("the step is 0")
		}
		n := max(0, ceilTo((end-start)/step))
		dtype, ok := elem.carrier()
		if !ok {
			failf("the type %v is not supported", elem)
		}
		t := c.zeros(dtype, []int{n})
		for i := range n {
			t.SetFloat(i, start+float64(i)*step)
		}
		return host(elem, t)
	})
	registerOwn("EyeLike", func(c *call) []*value {
		shape := c.at(0).sizes()
		if len(shape) != 2 {
			failf("the shape %v is no matrix", shape)
		}
		elem := elemType(c.int("dtype", int(c.elem(0))))
		dtype, ok := elem.carrier()
		if !ok {
			failf("the type %v is not supported", elem)
		}
		t := c.zeros(dtype, shape)
		k := c.int("k", 0)
		for i := range shape[0] {
			if j := i + k; j >= 0 && j < shape[1] {
				t.SetFloat(i*shape[1]+j, 1)
			}
		}
		return host(elem, t)
	})
	registerSet("Trilu", []int{1}, func(c *call) []*value {
		x, k := c.val(0), 0
		if c.has(1) {
			k = c.ints(1, "the diagonal")[0]
		}
		if x.Rank() < 2 {
			failf("the shape %v is no matrix", x.Shape())
		}
		k = max(-1<<30, min(1<<30, k))
		k = max(-x.Dim(-2)-1, min(x.Dim(-1)+1, k))
		if x.DType() == tarn.Bool {
			rows, columns := x.Dim(-2), x.Dim(-1)
			mask := c.g.TrilMask(rows, columns, k)
			if c.int("upper", 1) != 0 {
				mask = c.g.TriuMask(rows, columns, k)
			}
			return c.same(x.And(mask))
		}
		if c.int("upper", 1) != 0 {
			return c.same(x.Triu(k))
		}
		return c.same(x.Tril(k))
	})
	registerSet("CenterCropPad", []int{1}, func(c *call) []*value {
		x := c.val(0)
		shape := c.ints(1, "the shape")
		axes := c.numbers("axes")
		for i, want := range shape {
			axis := i
			if axes != nil {
				axis = axisOf(axes[i], x.Rank())
			}
			d := x.Dim(axis)
			if want < d {
				x = x.Slice(axis, (d-want)/2, (d-want)/2+want)
			} else if want > d {
				x = x.Pad(axis, (want-d)/2, want-d-(want-d)/2)
			}
		}
		return c.same(x)
	})
	registerSet("ReverseSequence", []int{1}, func(c *call) []*value {
		x, lengths := c.val(0), c.val(1).Cast(tarn.I64)
		batch, time := c.int("batch_axis", 1), c.int("time_axis", 0)
		shape := x.Shape()
		row := slices.Repeat([]int{1}, len(shape))
		row[batch] = shape[batch]
		length := lengths.Reshape(row...).Expand(shape...)
		at := c.g.Iota(tarn.I64, time, shape...)
		index := at.Lt(length).Where(length.AddNum(-1).Sub(at), at)
		return c.same(x.Gather(time, index))
	})
	registerSet("TensorScatter", []int{2}, func(c *call) []*value {
		past, update := c.val(0), c.val(1)
		axis := axisOf(c.int("axis", -2), past.Rank())
		at := c.g.Iota(tarn.I64, axis, update.Shape()...)
		if c.has(2) {
			row := slices.Repeat([]int{1}, past.Rank())
			row[0] = past.Dim(0)
			at = at.Add(c.val(2).Cast(tarn.I64).Reshape(row...))
		}
		if c.string("mode", "linear") == "circular" {
			at = remainder(at, at.Num(float64(past.Dim(axis))))
		}
		return c.same(past.Scatter(axis, at, update))
	})
	registerSet("Compress", []int{1}, func(c *call) []*value {
		condition := c.known(1, "which elements are taken")
		x := c.val(0)
		a := c.attr("axis")
		axis := 0
		if a == nil {
			x = x.Reshape(-1)
		} else {
			axis = axisOf(int(a.i), x.Rank())
		}
		var at []int64
		for i := range condition.Size() {
			if condition.Float(i) != 0 {
				at = append(at, int64(i))
			}
		}
		if len(at) == 0 {
			return c.same(x.Slice(axis, 0, 0))
		}
		return c.same(x.Take(axis, c.g.Const(tarn.Vector(at))))
	})
}

func ceilTo(x float64) int {
	n := int(x)
	if float64(n) < x {
		n++
	}
	if x != x || n > 1<<34 {
		failf("there would be %v elements", x)
	}
	return n
}

// reshape gives the first operand another shape.
func (c *call) reshape(shape []int) []*value {
	if v := c.at(0); v.strings != nil {
		same := *v
		same.shape = shape
		return []*value{&same}
	}
	return c.same(c.val(0).Reshape(shape...))
}

// values are all operands.
func (c *call) values() []*tarn.Value {
	var all []*tarn.Value
	for i := range c.in {
		all = append(all, c.val(i))
	}
	return all
}

// concat joins values; one without elements has no part in it.
func concat(axis int, all ...*tarn.Value) *tarn.Value {
	if len(all) == 1 {
		return all[0]
	}
	return tarn.Concat(axis, all...)
}

// slice is a slice in the manner of numpy.
func slice(x *tarn.Value, axis, start, end, step int) *tarn.Value {
	d := x.Dim(axis)
	if step == 0 {
		failf("the step is 0")
	}
	if start < 0 {
		start += d
	}
	if end < 0 {
		end += d
	}
	if step > 0 {
		start, end = max(0, min(d, start)), max(0, min(d, end))
		if end <= start {
			return x.Slice(axis, 0, 0)
		}
		if step == 1 {
			return x.Slice(axis, start, end)
		}
		return x.SliceStep(axis, start, end, min(step, d))
	}
	start, end = max(-1, min(d-1, start)), max(-1, min(d-1, end))
	if start <= end {
		return x.Slice(axis, 0, 0)
	}
	turned := x.Slice(axis, end+1, start+1).Flip(axis)
	if step == -1 {
		return turned
	}
	return turned.SliceStep(axis, 0, start-end, min(-max(step, -1<<40), max(d, 1)))
}

// broadcastShape is the shape of two that broadcast with each other.
func broadcastShape(a, b []int) []int {
	rank := max(len(a), len(b))
	shape := make([]int, rank)
	for i := range rank {
		d, e := 1, 1
		if j := i - rank + len(a); j >= 0 {
			d = a[j]
		}
		if j := i - rank + len(b); j >= 0 {
			e = b[j]
		}
		switch {
		case d == e || e == 1:
			shape[i] = d
		case d == 1:
			shape[i] = e
		default:
			failf("the shapes %v and %v do not broadcast", a, b)
		}
	}
	return shape
}

// index is operand i as places of an axis of n elements; negative ones count from the end.
func (c *call) index(i, n int) *tarn.Value {
	x := c.val(i)
	if t := c.at(i).t; t != nil { // no operations for what is known
		fixed := t.Clone()
		for k := range fixed.Size() {
			if v := fixed.Float(k); v < 0 {
				setInt(fixed, k, int64(v)+int64(n))
			}
		}
		return c.g.Const(fixed)
	}
	return x.Lt(tarn.Num(0)).Where(x.AddNum(float64(n)), x)
}

// flatIndex turns tuples of places, the last axis of an index, into places of the first axes of a shape in row-major order.
func (c *call) flatIndex(i int, shape []int) *tarn.Value {
	index := c.val(i).Cast(tarn.I64)
	k := index.Dim(-1)
	if k > len(shape) {
		failf("%d places are named of the shape %v", k, shape)
	}
	flat := index.Slice(-1, 0, 1).Scale(0)
	for a := range k {
		at := index.Slice(-1, a, a+1)
		at = at.Lt(tarn.Num(0)).Where(at.AddNum(float64(shape[a])), at)
		flat = flat.Mul(flat.Num(float64(shape[a]))).Add(at.Within("the index", 0, shape[a]))
	}
	return flat.Squeeze(-1)
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (c *call) gatherND() []*value {
	x, b := c.val(0), c.int("batch_dims", 0)
	shape, index := x.Shape(), c.val(1)
	if b < 0 || b >= len(shape) || b >= index.Rank() {
		failf("%d axes of batches do not fit", b)
	}
	k := index.Dim(-1)
	if k > len(shape)-b {
		failf("%d places are named of the shape %v", k, shape)
	}
	batches := product(shape[:b])
	flat := c.flatIndex(1, shape[b:])
	rest := shape[b+k:]
	rows := product(shape[b : b+k])
	if b > 0 { // places of all batches
		flat = flat.Reshape(batches, -1)
		flat = flat.Add(c.g.Iota(tarn.I64, 0, flat.Shape()...).Mul(flat.Num(float64(rows))))
	}
	y := x.Reshape(slices.Concat([]int{batches * rows}, rest)...).Take(0, flat.Reshape(-1))
	return c.same(y.Reshape(slices.Concat(index.Shape()[:index.Rank()-1], rest)...))
}

func (c *call) scatterElements() []*value {
	x, updates := c.val(0), c.val(2)
	axis := axisOf(c.int("axis", 0), x.Rank())
	index := c.index(1, x.Dim(axis))
	// The index may be shorter along the other axes: places are then counted in the whole.
	shape := x.Shape()
	short := false
	for a, d := range index.Shape() {
		short = short || a != axis && d != shape[a]
	}
	if short {
		flat := c.g.Num(tarn.I64, 0)
		for a := range shape {
			at := c.g.Iota(tarn.I64, a, index.Shape()...)
			if a == axis {
				at = index.Cast(tarn.I64)
			}
			flat = at.Add(flat.Mul(c.g.Num(tarn.I64, float64(shape[a]))))
		}
		return c.same(c.scatter(x.Reshape(-1), 0, flat.Reshape(-1), updates.Reshape(-1)).Reshape(shape...))
	}
	return c.same(c.scatter(x, axis, index, updates))
}

// scatter puts updates where an index says, combined as the attribute reduction says.
func (c *call) scatter(x *tarn.Value, axis int, index, updates *tarn.Value) *tarn.Value {
	switch c.string("reduction", "none") {
	case "none":
		return x.Scatter(axis, index, updates)
	case "add":
		return x.ScatterAdd(axis, index, updates)
	case "mul":
		return x.ScatterMul(axis, index, updates)
	case "max":
		return x.ScatterMax(axis, index, updates)
	case "min":
		return x.ScatterMin(axis, index, updates)
	}
	failf("the reduction %q is not supported", c.string("reduction", ""))
	return nil
}

func (c *call) scatterND() []*value {
	x, updates := c.val(0), c.val(2)
	shape := x.Shape()
	k := c.val(1).Dim(-1)
	flat := c.flatIndex(1, shape).Reshape(-1)
	rest := shape[k:]
	inner := product(rest)
	rows := product(shape[:k])
	x2 := x.Reshape(rows, inner)
	n := flat.Size()
	y := c.scatter(x2, 0, flat.Reshape(n, 1).Expand(n, inner), updates.Reshape(n, inner))
	return c.same(y.Reshape(shape...))
}

func (c *call) pad() []*value {
	x := c.val(0)
	pads, number := c.numbers("pads"), c.float("value", 0)
	var axes []int
	if c.version >= 11 {
		pads = c.ints(1, "the padding")
		if c.has(2) {
			number = c.known(2, "what pads").Float(0)
		}
		if c.has(3) {
			axes = axesOf(c.ints(3, "the axes"), x.Rank())
		}
	}
	if axes == nil {
		for i := range x.Rank() {
			axes = append(axes, i)
		}
	}
	if len(pads) != 2*len(axes) {
		failf("%d numbers of padding do not fit %d axes", len(pads), len(axes))
	}
	boolean := x.DType() == tarn.Bool
	if boolean {
		x = x.Cast(tarn.I32)
	}
	for i, axis := range axes {
		before, after := pads[i], pads[i+len(axes)]
		if before < 0 || after < 0 { // which takes away
			x = slice(x, axis, max(0, -before), x.Dim(axis)-max(0, -after), 1)
			before, after = max(0, before), max(0, after)
		}
		if before == 0 && after == 0 {
			continue
		}
		switch mode := c.string("mode", "constant"); mode {
		case "constant":
			x = x.PadValue(axis, before, after, number)
		case "reflect":
			x = x.PadReflect(axis, before, after)
		case "edge":
			x = x.PadReplicate(axis, before, after)
		case "wrap":
			x = x.PadCircular(axis, before, after)
		default:
			failf("the mode %q is not supported", mode)
		}
	}
	if boolean {
		x = x.Ne(tarn.Num(0))
	}
	return c.same(x)
}

func (c *call) concatStrings() []*value {
	axis := axisOf(c.int("axis", 1), len(c.at(0).shape))
	first := c.at(0).shape
	out := &value{elem: typeString, shape: slices.Clone(first), strings: []string{}}
	out.shape[axis] = 0
	outer := product(first[:axis])
	for i := range c.in {
		out.shape[axis] += c.at(i).shape[axis]
	}
	for o := range outer {
		for i := range c.in {
			n := len(c.at(i).strings) / max(1, outer)
			out.strings = append(out.strings, c.at(i).strings[o*n:(o+1)*n]...)
		}
	}
	return []*value{out}
}
