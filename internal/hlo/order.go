package hlo

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what compares elements: sorting, the places of extremes, running sums and searching. Elements that are chosen carry
// their place along, so that the choice among equal ones does not depend on the order in which they are compared.

// pairs returns the arguments of a region that combines two tuples, as text, and both tuples.
func pairs(tuple []value) (arguments string, p, q []value) {
	var all []string
	for _, side := range []string{"p", "q"} {
		for i, t := range tuple {
			v := value{name: fmt.Sprintf("%%%s%d", side, i), elem: t.elem}
			all = append(all, v.name+": "+v.typ())
			if side == "p" {
				p = append(p, v)
			} else {
				q = append(q, v)
			}
		}
	}
	return strings.Join(all, ", "), p, q
}

// better is the region that returns one of two tuples: that whose first element is larger, or smaller. NaN is preferred. Of equal ones
// it is that whose last element, the place, is smaller, or larger.
func better(tuple []value, smallest, last bool) string {
	arguments, p, q := pairs(tuple)
	b := &text{}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "      %%%s = stablehlo.%s\n", name, fmt.Sprintf(format, args...))
	}
	compare := func(name, how string, x, y value) {
		line(name, "compare %s, %s, %s : (%s) -> tensor<i1>", how, x, y, types([]value{x, y}))
	}
	first, before := "GT", "LT"
	if smallest {
		first = "LT"
	}
	if last {
		before = "GT"
	}
	n := len(tuple) - 1
	compare("first", first, p[0], q[0])
	compare("equal", "EQ", p[0], q[0])
	if p[0].float() {
		compare("pn", "NE", p[0], p[0])
		compare("qn", "NE", q[0], q[0])
		line("qx", "not %%qn : tensor<i1>")
		line("nan", "and %%pn, %%qx : tensor<i1>")
		line("beats", "or %%first, %%nan : tensor<i1>")
		line("nans", "and %%pn, %%qn : tensor<i1>")
		line("tie", "or %%equal, %%nans : tensor<i1>")
	} else {
		line("beats", "or %%first, %%first : tensor<i1>")
		line("tie", "or %%equal, %%equal : tensor<i1>")
	}
	compare("before", before, p[n], q[n])
	line("kept", "and %%tie, %%before : tensor<i1>")
	line("takes", "or %%beats, %%kept : tensor<i1>")
	var out []value
	for i := range p {
		r := value{name: fmt.Sprintf("%%r%d", i), elem: p[i].elem}
		line(r.name[1:], "select %%takes, %s, %s : tensor<i1>, %s", p[i], q[i], p[i].typ())
		out = append(out, r)
	}
	return fmt.Sprintf("    ^bb0(%s):\n%s      stablehlo.return %s : %s\n", arguments, b, names(out), types(out))
}

// worst is a scalar that every element beats or equals.
func (b *text) worst(elem string, smallest bool) value {
	t := scalarOf(elem)
	sign := -1.0
	if smallest {
		sign = 1
	}
	switch elem {
	case "f32", "f64":
		return b.num(math.Inf(int(sign)), t)
	case "i32":
		if smallest {
			return b.lit(fmt.Sprint(math.MaxInt32), t)
		}
		return b.lit(fmt.Sprint(math.MinInt32), t)
	}
	if smallest {
		return b.lit(fmt.Sprint(int64(math.MaxInt64)), t)
	}
	return b.lit(fmt.Sprint(int64(math.MinInt64)), t)
}

// arg is the index of the largest or the smallest element along an axis.
func (b *text) arg(axis int, smallest bool, x value) value {
	places := b.iota(x.as("i64"), axis)
	start := []value{b.worst(x.elem, smallest), b.lit(fmt.Sprint(int64(math.MaxInt64)), scalarOf("i64"))}
	in := []value{x, places}
	shape := slices.Delete(slices.Clone(x.shape), axis, axis+1)
	out := []value{x.of(shape...), places.of(shape...)}
	return b.results(out, "\"stablehlo.reduce\"(%s, %s) ({\n%s  }) {dimensions = array<i64: %d>} : (%s, %s) -> (%s)",
		names(in), names(start), better(in, smallest, false), axis, types(in), types(start), types(out))[1]
}

// sort is the indices of the first count elements of each row in order.
func (b *text) sort(count int, descending bool, x value) value {
	last := len(x.shape) - 1
	if x.elem == "i1" {
		x = b.convert(x, "i32")
	}
	places := b.iota(x.as("i64"), last)
	in := []value{x, places}
	var arguments []string // those of a sort come in pairs
	for i, t := range in {
		for _, side := range []string{"p", "q"} {
			arguments = append(arguments, fmt.Sprintf("%%%s%d: %s", side, i, scalarOf(t.elem).typ()))
		}
	}
	before, after := value{name: "%p0", elem: x.elem}, value{name: "%q0", elem: x.elem}
	if descending {
		before, after = after, before
	}
	e := types([]value{before, after})
	region := fmt.Sprintf("      %%less = stablehlo.compare LT, %s, %s : (%s) -> tensor<i1>\n", before, after, e)
	result := "%less"
	if x.float() { // with NaN last: before is a number and after is none
		region += fmt.Sprintf("      %%is = stablehlo.compare EQ, %s, %s : (%s) -> tensor<i1>\n", before, before, e)
		region += fmt.Sprintf("      %%none = stablehlo.compare NE, %s, %s : (%s) -> tensor<i1>\n", after, after, e)
		region += "      %ends = stablehlo.and %is, %none : tensor<i1>\n      %goes = stablehlo.or %less, %ends : tensor<i1>\n"
		result = "%goes"
	}
	sorted := b.results(in, "\"stablehlo.sort\"(%s) ({\n    ^bb0(%s):\n%s      stablehlo.return %s : tensor<i1>\n  }) {dimension = %d : i64, is_stable = true} : (%s) -> (%s)",
		names(in), strings.Join(arguments, ", "), region, result, last, types(in), types(in))
	return b.slice(sorted[1], last, 0, count)
}

// accumulate combines along an axis from its start up to each element: a window as long as the axis, of which the part before the start
// is padding.
func (b *text) accumulate(kind ir.AccumulateKind, axis int, reverse bool, x value) value {
	n := x.shape[axis]
	low, high, none := make([]int, len(x.shape)), make([]int, len(x.shape)), make([]int, len(x.shape))
	if low[axis] = n - 1; reverse {
		low, high = high, low
	}
	size, ones := slices.Repeat([]int{1}, len(x.shape)), slices.Repeat([]int{1}, len(x.shape))
	size[axis] = n
	w := windows{size: size, stride: ones, dilation: ones}
	switch kind {
	case ir.AccumulateArgMax, ir.AccumulateArgMin:
		smallest := kind == ir.AccumulateArgMin
		worst := b.worst(x.elem, smallest)
		places := b.pad(b.iota(x.as("i64"), axis), -1, low, high, none)
		padded := b.padWith(x, worst, low, high)
		in := []value{padded, places}
		return b.reduceWindows(w, in, []value{worst, b.num(-1, scalarOf("i64"))}, better(in, smallest, true))[1]
	case ir.AccumulateLogSumExp:
		padded := b.pad(x, math.Inf(-1), low, high, none)
		return b.reduceWindows(w, []value{padded}, []value{b.num(math.Inf(-1), scalarOf(x.elem))}, logAddExp(x.elem))[0]
	case ir.AccumulateProd:
		return b.reduceWindows(w, []value{b.pad(x, 1, low, high, none)}, []value{b.num(1, scalarOf(x.elem))}, combine("multiply", x.elem))[0]
	}
	return b.reduceWindows(w, []value{b.pad(x, 0, low, high, none)}, []value{b.num(0, scalarOf(x.elem))}, combine("add", x.elem))[0]
}

// combine is the region of an op of two scalars.
func combine(op, elem string) string {
	e := scalarOf(elem).typ()
	return fmt.Sprintf("    ^bb0(%%p: %s, %%q: %s):\n      %%s = stablehlo.%s %%p, %%q : %s\n      stablehlo.return %%s : %s\n", e, e, op, e, e)
}

// logAddExp is the region of log(e^p + e^q): the larger + log1p(e^-|p-q|), where equal ones, infinities among them, have no difference.
func logAddExp(elem string) string {
	e := scalarOf(elem).typ()
	return fmt.Sprintf(`    ^bb0(%%p: %[1]s, %%q: %[1]s):
      %%m = stablehlo.maximum %%p, %%q : %[1]s
      %%d = stablehlo.subtract %%p, %%q : %[1]s
      %%a = stablehlo.abs %%d : %[1]s
      %%z = stablehlo.constant dense<%[2]s> : %[1]s
      %%same = stablehlo.compare EQ, %%p, %%q : (%[1]s, %[1]s) -> tensor<i1>
      %%b = stablehlo.select %%same, %%z, %%a : tensor<i1>, %[1]s
      %%c = stablehlo.negate %%b : %[1]s
      %%x = stablehlo.exponential %%c : %[1]s
      %%l = stablehlo.log_plus_one %%x : %[1]s
      %%s = stablehlo.add %%m, %%l : %[1]s
      stablehlo.return %%s : %[1]s
`, e, literal(elem, 0))
}

// padWith is pad with a scalar.
func (b *text) padWith(x, with value, low, high []int) value {
	t := x.of(make([]int, len(x.shape))...)
	for a, d := range x.shape {
		t.shape[a] = low[a] + d + high[a]
	}
	return b.emit(t, "stablehlo.pad %s, %s, low = %s, high = %s, interior = %s : (%s) -> %s", x, with, ints(low), ints(high), ints(make([]int, len(low))),
		types([]value{x, with}), t.typ())
}

// search counts the elements of each row that an element goes behind.
func (b *text) search(right bool, sorted, x value) value {
	last, n := len(sorted.shape)-1, sorted.shape[len(sorted.shape)-1]
	t := x.of(append(slices.Clone(x.shape), n)...)
	from := []int{len(x.shape)}
	if last > 0 { // a row for each row
		from = nil
		for a := range last {
			from = append(from, a)
		}
		from = append(from, last+1)
	}
	to := make([]int, len(x.shape))
	for a := range to {
		to[a] = a
	}
	row, at := b.spread(sorted, t.shape, from...), b.spread(x, t.shape, to...)
	how := "LT"
	if right {
		how = "LE"
	}
	behind := b.compare(how, row, at)
	if x.float() {
		nan := b.compare("NE", at, at)
		if !right {
			nan = b.op("and", nan, b.compare("EQ", row, row))
		}
		behind = b.op("or", behind, nan)
	}
	return b.sum(b.convert(behind, "i64"), len(x.shape))
}
