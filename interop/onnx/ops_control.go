package onnx

import (
	"slices"

	"github.com/seed-49005b45/tarn"
)

// This file holds branches, loops, and the lists of tensors that go through them. A branch whose condition is known is its graph, and a loop of a known number of
// steps is its graph that often, unless these are many: then it is a scan.

// mostUnrolled is the number of steps up to which a loop becomes one graph for each step, so that shapes may differ between steps.
const mostUnrolled = 64

func controlOperators() {
	registerOwn("If", func(c *call) []*value { return c.branch() })
	registerOwn("Loop", func(c *call) []*value { return c.loop() })
	registerOwn("Scan", func(c *call) []*value { return c.scan() })
	registerOwn("SequenceEmpty", func(c *call) []*value {
		return []*value{{elem: elemType(c.int("dtype", typeFloat)), isList: true}}
	})
	registerOwn("SequenceConstruct", func(c *call) []*value {
		out := &value{elem: c.elem(0), isList: true}
		for i := range c.in {
			v := *c.at(i)
			out.list = append(out.list, &v)
		}
		return []*value{out}
	})
	registerOwn("SequenceInsert", func(c *call) []*value {
		s := c.sequence(0)
		at := len(s.list)
		if c.has(2) {
			at = c.place(2, len(s.list)+1, len(s.list))
		}
		v := *c.at(1)
		out := *s
		out.list = slices.Insert(slices.Clone(s.list), at, &v)
		return []*value{&out}
	})
	registerOwn("SequenceErase", func(c *call) []*value {
		s := c.sequence(0)
		at := len(s.list) - 1
		if c.has(1) {
			at = c.place(1, len(s.list), len(s.list))
		}
		out := *s
		out.list = slices.Delete(slices.Clone(s.list), at, at+1)
		return []*value{&out}
	})
	registerOwn("SequenceAt", func(c *call) []*value {
		s := c.sequence(0)
		v := *s.list[c.place(1, len(s.list), len(s.list))]
		return []*value{&v}
	})
	registerOwn("SequenceLength", func(c *call) []*value { return int64s([]int{len(c.sequence(0).list)}) })
	register("ConcatFromSequence", func(c *call) []*value {
		s := c.sequence(0)
		var all []*tarn.Value
		for _, v := range s.list {
			all = append(all, v.graph(c.g))
		}
		if len(all) == 0 {
			failf("the sequence is empty")
		}
		axis := c.int("axis", 0)
		elem := s.list[0].elem
		if c.int("new_axis", 0) != 0 {
			return c.of(elem, tarn.Stack(axis, all...))
		}
		return c.of(elem, concat(axis, all...))
	})
	registerSet("SplitToSequence", []int{1}, func(c *call) []*value {
		x := c.val(0)
		axis := axisOf(c.int("axis", 0), x.Rank())
		d := x.Dim(axis)
		var sizes []int
		squeeze := false
		switch {
		case !c.has(1):
			sizes = slices.Repeat([]int{1}, d)
			squeeze = c.int("keepdims", 1) == 0
		case len(c.at(1).sizes()) == 0:
			n := c.ints(1, "the size of a part")[0]
			if n < 1 {
				failf("parts of %d make no sense", n)
			}
			for at := 0; at < d; at += n {
				sizes = append(sizes, min(n, d-at))
			}
		default:
			sizes = c.ints(1, "the sizes of the parts")
		}
		out := &value{elem: c.elem(0), isList: true}
		at := 0
		for _, n := range sizes {
			part := x.Slice(axis, at, at+n)
			if squeeze {
				part = part.Squeeze(axis)
			}
			out.list = append(out.list, &value{elem: c.elem(0), v: part})
			at += n
		}
		return []*value{out}
	})
	registerOwn("SequenceMap", func(c *call) []*value {
		body := c.body("body")
		first := c.sequence(0)
		var out []*value
		for k := range first.list {
			var in []*value
			for i := range c.in {
				v := c.at(i)
				if v.isList {
					if k >= len(v.list) {
						failf("the sequences have different lengths")
					}
					v = v.list[k]
				}
				in = append(in, v)
			}
			results := c.inner(body, in)
			for i, r := range results {
				if k == 0 {
					out = append(out, &value{elem: r.elem, isList: true})
				}
				out[i].list = append(out[i].list, r)
			}
		}
		if out == nil {
			for range body.outputs {
				out = append(out, &value{isList: true})
			}
		}
		return out
	})
	registerOwn("Optional", func(c *call) []*value {
		if len(c.in) == 0 || c.in[0] == nil {
			return []*value{{none: true}}
		}
		v := *c.in[0]
		return []*value{&v}
	})
	registerOwn("OptionalHasElement", func(c *call) []*value {
		t := tarn.Zeros(tarn.Bool)
		t.Bools()[0] = c.has(0)
		return host(typeBool, t)
	})
	registerOwn("OptionalGetElement", func(c *call) []*value { v := *c.at(0); return []*value{&v} })
}

// sequence is operand i, which must be a list.
func (c *call) sequence(i int) *value {
	v := c.at(i)
	if !v.isList {
		failf("its operand %d is no sequence", i+1)
	}
	return v
}

// place is operand i, a place among n.
func (c *call) place(i, n, from int) int {
	at := c.ints(i, "the place in a sequence")[0]
	if at < 0 {
		at += from
	}
	if at < 0 || at >= n {
		failf("there is no place %d in a sequence of %d", at, from)
	}
	return at
}

// body is an attribute that is a graph.
func (c *call) body(name string) *graphProto {
	a := c.attr(name)
	if a == nil || a.g == nil {
		failf("it has no graph %q", name)
	}
	return a.g
}

// inner adds a graph within this one, with the given inputs.
func (c *call) inner(p *graphProto, in []*value) []*value {
	s := &scope{values: map[string]*value{}, around: c.scope}
	if len(in) < len(p.inputs) {
		failf("its graph has %d inputs and %d are given", len(p.inputs), len(in))
	}
	for i, info := range p.inputs {
		s.values[info.name] = in[i]
	}
	out, err := c.graph(p, s)
	if err != nil {
		panic(failure{err})
	}
	return out
}

// truth returns a bool that is known.
func (v *value) truth() (is, known bool) {
	if v.t == nil || v.t.Size() != 1 {
		return false, false
	}
	return v.t.Float(0) != 0, true
}

func (c *call) branch() []*value {
	then, otherwise := c.body("then_branch"), c.body("else_branch")
	if is, known := c.at(0).truth(); known {
		if is {
			return c.inner(then, nil)
		}
		return c.inner(otherwise, nil)
	}
	var results []*value
	side := func(p *graphProto) func([]*tarn.Value) []*tarn.Value {
		return func([]*tarn.Value) []*tarn.Value {
			results = c.attempt(p)
			var out []*tarn.Value
			for _, v := range results {
				if v.isList || v.none || v.strings != nil {
					panic(failure{c.unknown(c.at(0), "which branch makes a sequence")})
				}
				out = append(out, v.graph(c.g))
			}
			return out
		}
	}
	predicate := c.val(0).Reshape()
	out := tarn.Cond(predicate, []*tarn.Value{predicate}, side(then), side(otherwise))
	return c.carried(out, results)
}

// attempt adds a branch that may not be the one that is taken. If it does not fit the operands, the condition must be known.
func (c *call) attempt(p *graphProto) []*value {
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(failure); ours && c.at(0).from != 0 {
				panic(failure{c.unknown(c.at(0), "which branch is taken, of which one does not fit,")})
			}
			panic(r)
		}
	}()
	return c.inner(p, nil)
}

// carried gives the results of a loop or branch the types of the values that they stand for.
func (c *call) carried(out []*tarn.Value, like []*value) []*value {
	var all []*value
	for i, v := range out {
		all = append(all, &value{elem: like[i].elem, v: v})
	}
	return all
}

func (c *call) loop() []*value {
	body := c.body("body")
	carries := slices.Clone(c.in[2:])
	n := len(carries)
	steps, bounded := -1, c.has(0)
	if bounded {
		v := c.at(0)
		if v.t == nil {
			if !c.has(1) || !c.at(1).known() || len(body.outputs) > n+1 {
				panic(failure{c.unknown(v, "the number of steps")})
			}
			bounded = false // a while loop counts
		} else {
			steps = c.ints(0, "the number of steps")[0]
		}
	}
	on := &value{elem: typeBool, t: tarn.Scalar(true)}
	if c.has(1) {
		on = c.at(1)
	}
	stacks := make([]*value, max(0, len(body.outputs)-1-n))
	for i := range stacks {
		stacks[i] = &value{isList: true}
	}
	for k := 0; ; k++ {
		is, known := on.truth()
		if !known {
			if k > 0 || len(stacks) > 0 || slices.ContainsFunc(carries, func(v *value) bool { return v.isList || v.none }) {
				panic(failure{c.unknown(on, "whether the loop goes on")})
			}
			return c.while(body, on, carries, steps)
		}
		if !is || c.has(0) && steps >= 0 && k >= steps {
			break
		}
		if k == 0 && c.has(0) && steps < 0 || !c.has(0) && k > 1<<16 {
			return c.while(body, on, carries, -1)
		}
		if k == 0 && steps > mostUnrolled {
			if out := c.scanned(body, carries, steps); out != nil {
				return out
			}
		}
		number := tarn.Scalar(int64(k))
		out := c.inner(body, append([]*value{constant(typeInt64, number), on}, carries...))
		on = out[0]
		if !on.known() && len(stacks) == 0 && k == 0 {
			return c.while(body, &value{elem: typeBool, t: tarn.Scalar(true)}, carries, steps)
		}
		carries = slices.Clone(out[1 : 1+n])
		for i := range stacks {
			stacks[i].list = append(stacks[i].list, out[1+n+i])
		}
	}
	out := carries
	for i, s := range stacks {
		out = append(out, c.stacked(s.list, body.outputs[1+n+i]))
	}
	return out
}

// stacked is a new first axis of values.
func (c *call) stacked(list []*value, info *valueInfo) *value {
	if len(list) == 0 {
		shape := []int{0}
		for _, d := range info.dims {
			shape = append(shape, int(max(0, d.size)))
		}
		dtype, _ := info.elem.carrier()
		return constant(info.elem, c.zeros(dtype, shape))
	}
	known := true
	for _, v := range list {
		known = known && v.t != nil
	}
	if known { // a graph of its own, for what may decide shapes
		out := &value{elem: list[0].elem, t: c.zeros(list[0].t.DType(), append([]int{len(list)}, list[0].t.Shape()...))}
		raw := out.t.Raw()
		for _, v := range list {
			raw = raw[copy(raw, v.t.Raw()):]
		}
		return out
	}
	var all []*tarn.Value
	for _, v := range list {
		all = append(all, v.graph(c.g))
	}
	return &value{elem: list[0].elem, v: tarn.Stack(0, all...)}
}

// while is a loop whose condition the program decides. It has no stacks.
func (c *call) while(body *graphProto, on *value, carries []*value, steps int) []*value {
	limit := c.g.Num(tarn.I64, -1)
	switch {
	case steps >= 0:
		limit = c.g.Const(tarn.Scalar(int64(steps)))
	case c.has(0):
		limit = c.val(0).Cast(tarn.I64).Reshape()
	}
	begin := []*tarn.Value{c.g.Num(tarn.I64, 0), on.graph(c.g).Reshape()}
	for _, v := range carries {
		begin = append(begin, v.graph(c.g))
	}
	var results []*value
	end := tarn.While(begin, func(x []*tarn.Value) *tarn.Value {
		return x[1].And(limit.Lt(tarn.Num(0)).Or(x[0].Lt(limit)))
	}, func(x []*tarn.Value) []*tarn.Value {
		in := []*value{{elem: typeInt64, v: x[0]}, {elem: typeBool, v: x[1]}}
		for i, v := range carries {
			in = append(in, &value{elem: v.elem, v: x[2+i]})
		}
		results = c.inner(body, in)
		next := []*tarn.Value{x[0].AddNum(1)}
		for i, v := range results {
			y := v.graph(c.g)
			if i == 0 {
				y = y.Reshape()
			}
			next = append(next, y)
		}
		return next
	})
	if len(results) == 0 {
		failf("the loop has no body")
	}
	return c.carried(end[2:], results[1:])
}

// scanned is a loop of a known number of steps as a scan; nil if its condition is not always true.
func (c *call) scanned(body *graphProto, carries []*value, steps int) (out []*value) {
	n := len(carries)
	begin := []*tarn.Value{c.g.Num(tarn.I64, 0)}
	for _, v := range carries {
		if v.isList {
			return nil
		}
		begin = append(begin, v.graph(c.g))
	}
	var results []*value
	always := false
	last, stacks := tarn.Scan(begin, nil, tarn.ScanOptions{Steps: steps}, func(x, _ []*tarn.Value) (next, ys []*tarn.Value) {
		in := []*value{{elem: typeInt64, v: x[0]}, {elem: typeBool, t: tarn.Scalar(true)}}
		for i, v := range carries {
			in = append(in, &value{elem: v.elem, v: x[1+i]})
		}
		results = c.inner(body, in)
		is, known := results[0].truth()
		always = is && known
		next = []*tarn.Value{x[0].AddNum(1)}
		for i, v := range results[1:] {
			if i < n {
				next = append(next, v.graph(c.g))
			} else {
				ys = append(ys, v.graph(c.g))
			}
		}
		return next, ys
	})
	if !always {
		panic(failure{c.unknown(results[0], "whether a loop of many steps goes on")})
	}
	return c.carried(append(last[1:], stacks...), results[1:])
}

func (c *call) scan() []*value {
	body := c.body("body")
	slicesIn := c.int("num_scan_inputs", 0)
	n := len(c.in) - slicesIn
	if n < 0 || slicesIn < 1 || c.version < 9 {
		failf("%d inputs to scan do not fit %d operands", slicesIn, len(c.in))
	}
	list := func(name string, i int) int {
		if all := c.numbers(name); i < len(all) {
			return all[i]
		}
		return 0
	}
	var begin, xs []*tarn.Value
	for i := range c.in {
		v := c.val(i)
		if i < n {
			begin = append(begin, v)
			continue
		}
		axis := axisOf(list("scan_input_axes", i-n), v.Rank())
		order := append([]int{axis}, slices.DeleteFunc(axesFrom(0, v.Rank()), func(a int) bool { return a == axis })...)
		v = v.Permute(order...)
		if list("scan_input_directions", i-n) != 0 {
			v = v.Flip(0)
		}
		xs = append(xs, v)
	}
	var results []*value
	last, stacks := tarn.Scan(begin, xs, tarn.ScanOptions{}, func(carries, parts []*tarn.Value) (next, ys []*tarn.Value) {
		var in []*value
		for i, v := range append(slices.Clone(carries), parts...) {
			in = append(in, &value{elem: c.at(i).elem, v: v})
		}
		results = c.inner(body, in)
		for i, v := range results {
			if i < n {
				next = append(next, v.graph(c.g))
			} else {
				ys = append(ys, v.graph(c.g))
			}
		}
		return next, ys
	})
	for i, v := range stacks {
		if list("scan_output_directions", i) != 0 {
			v = v.Flip(0)
		}
		axis := axisOf(list("scan_output_axes", i), v.Rank())
		order := slices.Insert(axesFrom(1, v.Rank()), axis, 0)
		stacks[i] = v.Permute(order...)
	}
	return c.carried(append(last, stacks...), results)
}
