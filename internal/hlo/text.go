package hlo

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/half"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the writer: values, constants, and the ops from which everything else is composed. The spellings are old ones, which
// every plugin of the last years reads.

// value is a value of the text: its name, element type and shape.
type value struct {
	name  string
	elem  string // "i1", "i32", "f32", "ui64", "complex<f32>"
	shape []int
}

var elems = [...]string{ir.Bool: "i1", ir.I32: "i32", ir.I64: "i64", ir.F32: "f32", ir.F64: "f64", ir.BF16: "bf16", ir.F16: "f16"}

// String is the name.
func (v value) String() string { return v.name }

// typ is the type, as in "tensor<2x3xf32>".
func (v value) typ() string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, d := range v.shape {
		fmt.Fprintf(&b, "%dx", d)
	}
	return b.String() + v.elem + ">"
}

func (v value) size() int   { return ir.Size(v.shape) }
func (v value) float() bool { return v.elem == "f32" || v.elem == "f64" }

// The following are types, values without a name: v with another element type or shape, and those of the graph.
func (v value) as(elem string) value    { return value{elem: elem, shape: v.shape} }
func (v value) of(shape ...int) value   { return value{elem: v.elem, shape: shape} }
func typeOf(t ir.Type) value            { return value{elem: elems[t.DType], shape: t.Shape} }
func scalarOf(elem string) value        { return value{elem: elem} }
func vectorOf(elem string, n int) value { return value{elem: elem, shape: []int{n}} }

// text is the body of a function. Names of values are counted, so that no two are equal anywhere.
type text struct {
	strings.Builder
	functions string // that are called
	count     int
	fine      []value // scalars of the region being written that are false if an operand's contents are wrong
	refused   []error

	precision ir.Precision // of the products of the node being written
}

// name is a new name.
func (b *text) name() string {
	b.count++
	return fmt.Sprintf("%%v%d", b.count)
}

// emit writes an op and returns its result, of the type of t.
func (b *text) emit(t value, format string, args ...any) value {
	t.name = b.name()
	fmt.Fprintf(b, "  %s = %s\n", t.name, fmt.Sprintf(format, args...))
	return t
}

// results writes an op of several results, of the given types.
func (b *text) results(types []value, format string, args ...any) []value {
	name := b.name()
	fmt.Fprintf(b, "  %s:%d = %s\n", name, len(types), fmt.Sprintf(format, args...))
	return numbered(name, types)
}

// numbered are the results of an op of several.
func numbered(name string, types []value) []value {
	out := slices.Clone(types)
	for i := range out {
		out[i].name = fmt.Sprintf("%s#%d", name, i)
	}
	return out
}

// op writes an op of StableHLO whose operands and result are of one type.
func (b *text) op(name string, in ...value) value {
	return b.emit(in[0], "stablehlo.%s %s : %s", name, names(in), in[0].typ())
}

// chlo writes an op of the dialect of compositions.
func (b *text) chlo(name string, in ...value) value {
	return b.emit(in[0], "chlo.%s %s : %s -> %s", name, names(in), types(in), in[0].typ())
}

func names(in []value) string {
	all := make([]string, len(in))
	for i, v := range in {
		all[i] = v.name
	}
	return strings.Join(all, ", ")
}

func types(in []value) string {
	all := make([]string, len(in))
	for i, v := range in {
		all[i] = v.typ()
	}
	return strings.Join(all, ", ")
}

// ints prints integers as in "[1, 2]".
func ints(v []int) string { return "[" + list(v) + "]" }

func list(v []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ", "), "[]")
}

// array prints integers as an attribute.
func array(v []int) string {
	if len(v) == 0 {
		return "array<i64>"
	}
	return "array<i64: " + list(v) + ">"
}

// literal is a number as text: the bits of a float.
func literal(elem string, v float64) string {
	switch elem {
	case "f32":
		return fmt.Sprintf("0x%08X", math.Float32bits(float32(v)))
	case "f64":
		return fmt.Sprintf("0x%016X", math.Float64bits(v))
	case "bf16":
		return fmt.Sprintf("0x%04X", half.ToBF16(half.Odd(v)))
	case "f16":
		return fmt.Sprintf("0x%04X", half.ToF16(half.Odd(v)))
	case "i1":
		return fmt.Sprint(v != 0)
	}
	return fmt.Sprint(int64(v))
}

// num is an array of the type of t that holds v everywhere.
func (b *text) num(v float64, t value) value { return b.lit(literal(t.elem, v), t) }

// lit is an array of the type of t with the contents that s says.
func (b *text) lit(s string, t value) value {
	if t.size() == 0 {
		s = ""
	}
	return b.emit(t, "stablehlo.constant dense<%s> : %s", s, t.typ())
}

// constant is an array.
func (b *text) constant(a ir.Array) value {
	t := typeOf(a.Type)
	switch {
	case a.Size() == 0:
		return b.lit("", t)
	case a.DType == ir.Bool:
		all := make([]string, a.Size())
		for i := range all {
			all[i] = fmt.Sprint(a.Int(i) != 0)
		}
		return b.reshape(b.lit("["+strings.Join(all, ", ")+"]", vectorOf("i1", len(all))), t.shape)
	case a.Size() == 1 && a.DType.Float():
		return b.num(a.Float(0), t)
	case a.Size() == 1:
		return b.lit(fmt.Sprint(a.Int(0)), t)
	}
	return b.lit(fmt.Sprintf(`"0x%X"`, a.Raw()), t) // little-endian, as all machines that this runs on
}

// iota counts along an axis.
func (b *text) iota(t value, axis int) value {
	return b.emit(t, "stablehlo.iota dim = %d : %s", axis, t.typ())
}

// compare is bool. how is EQ, NE, LT, LE, GT or GE.
func (b *text) compare(how string, x, y value) value {
	t := x.as("i1")
	return b.emit(t, "stablehlo.compare %s, %s, %s : (%s) -> %s", how, x, y, types([]value{x, y}), t.typ())
}

func (b *text) choose(p, x, y value) value {
	return b.emit(x, "stablehlo.select %s, %s, %s : %s, %s", p, x, y, p.typ(), x.typ())
}

func (b *text) convert(x value, elem string) value {
	if x.elem == elem {
		return x
	}
	t := x.as(elem)
	return b.emit(t, "stablehlo.convert %s : (%s) -> %s", x, x.typ(), t.typ())
}

func (b *text) reshape(x value, shape []int) value {
	if slices.Equal(shape, x.shape) {
		return x
	}
	t := x.of(shape...)
	return b.emit(t, "stablehlo.reshape %s : (%s) -> %s", x, x.typ(), t.typ())
}

func (b *text) transpose(x value, axes []int) value {
	if slices.IsSorted(axes) {
		return x
	}
	t := x.of(make([]int, len(axes))...)
	for i, a := range axes {
		t.shape[i] = x.shape[a]
	}
	return b.emit(t, "stablehlo.transpose %s, dims = %s : (%s) -> %s", x, ints(axes), x.typ(), t.typ())
}

// spread puts axis i of x at axis axes[i] of a shape, and repeats it along the others.
func (b *text) spread(x value, shape []int, axes ...int) value {
	t := x.of(shape...)
	return b.emit(t, "stablehlo.broadcast_in_dim %s, dims = %s : (%s) -> %s", x, ints(axes), x.typ(), t.typ())
}

// slice takes the indices from start to before stop of an axis.
func (b *text) slice(x value, axis, start, stop int) value {
	ranges := make([]string, len(x.shape))
	t := x.of(slices.Clone(x.shape)...)
	for a, d := range x.shape {
		ranges[a] = fmt.Sprintf("0:%d", d)
	}
	ranges[axis] = fmt.Sprintf("%d:%d", start, stop)
	t.shape[axis] = stop - start
	return b.emit(t, "stablehlo.slice %s [%s] : (%s) -> %s", x, strings.Join(ranges, ", "), x.typ(), t.typ())
}

func (b *text) concat(axis int, in ...value) value {
	t := in[0].of(slices.Clone(in[0].shape)...)
	t.shape[axis] = 0
	for _, x := range in {
		t.shape[axis] += x.shape[axis]
	}
	return b.emit(t, "stablehlo.concatenate %s, dim = %d : (%s) -> %s", names(in), axis, types(in), t.typ())
}

// pad puts elements before, after and between those of x. Negative numbers take away.
func (b *text) pad(x value, with float64, low, high, between []int) value {
	t := x.of(make([]int, len(x.shape))...)
	for a, d := range x.shape {
		t.shape[a] = low[a] + d + max(d-1, 0)*between[a] + high[a]
	}
	return b.emit(t, "stablehlo.pad %s, %s, low = %s, high = %s, interior = %s : (%s, %s) -> %s", x, b.num(with, scalarOf(x.elem)), ints(low), ints(high), ints(between),
		x.typ(), scalarOf(x.elem).typ(), t.typ())
}

// fold combines along axes by an op that is named, from a start.
func (b *text) fold(op string, start string, x value, axes ...int) value {
	t := x.of()
	for a, d := range x.shape {
		if !slices.Contains(axes, a) {
			t.shape = append(t.shape, d)
		}
	}
	s := b.lit(start, scalarOf(x.elem))
	return b.emit(t, "stablehlo.reduce(%s init: %s) applies stablehlo.%s across dimensions = %s : (%s, %s) -> %s", x, s, op, ints(axes), x.typ(), s.typ(), t.typ())
}

// sum adds up along axes.
func (b *text) sum(x value, axes ...int) value { return b.fold("add", literal(x.elem, 0), x, axes...) }

// all is whether all elements are true.
func (b *text) all(x value) value {
	axes := make([]int, len(x.shape))
	for a := range axes {
		axes[a] = a
	}
	if len(axes) == 0 {
		return x
	}
	return b.fold("and", "true", x, axes...)
}

// factors are the operands of a product as its precision has them, and what the product is told of it. Without a precision accelerators would round operands
// of f32 to less than 16 bits. HIGH is TF32 on GPUs, and no less on TPUs.
func (b *text) factors(x, y value) (fx, fy value, precision string) {
	switch {
	case x.elem == "f32" && b.precision == ir.PrecisionBF16:
		return b.convert(x, "bf16"), b.convert(y, "bf16"), "DEFAULT"
	case x.elem == "f32" && b.precision == ir.PrecisionTF32:
		return x, y, "HIGH"
	}
	return x, y, "HIGHEST"
}

// dot contracts axis cx of x with axis cy of y. The first axes are those of a batch.
func (b *text) dot(x, y value, batch, cx, cy int) value {
	t := x.of(slices.Clone(x.shape[:batch])...)
	axes := make([]int, batch)
	for a := range axes {
		axes[a] = a
	}
	for a := batch; a < len(x.shape); a++ {
		if a != cx {
			t.shape = append(t.shape, x.shape[a])
		}
	}
	for a := batch; a < len(y.shape); a++ {
		if a != cy {
			t.shape = append(t.shape, y.shape[a])
		}
	}
	x, y, precision := b.factors(x, y)
	return b.emit(t, "stablehlo.dot_general %s, %s, batching_dims = %s x %[3]s, contracting_dims = [%d] x [%d], precision = [%s, %[6]s] : (%s) -> %s",
		x, y, ints(axes), cx, cy, precision, types([]value{x, y}), t.typ())
}
