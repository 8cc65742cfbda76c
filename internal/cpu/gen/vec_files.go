package main

// The files of vector functions, and the Go tables through which the package finds them.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

var levels = []level{avx2, avx512} // of amd64

// castKernels are the casts, named by their two types.
func castKernels() []vecKernel {
	same := func(m *machine, x []Op) Op { return x[0] }
	return []vecKernel{
		{name: "F32, Bool", in: "x", out: boolean, body: func(m *machine, x []Op) Op { return m.compare(notEqual, x[0], m.f(0)) }},
		{name: "F64, Bool", f64: true, in: "x", out: boolean, body: func(m *machine, x []Op) Op { return m.compare(notEqual, x[0], m.f(0)) }},
		{name: "Bool, F32", in: "b", out: element, body: func(m *machine, x []Op) Op { return m.keep(x[0], m.f(1)) }},
		{name: "Bool, F64", f64: true, in: "b", out: element, body: func(m *machine, x []Op) Op { return m.keep(x[0], m.f(1)) }},
		{name: "I32, Bool", in: "x", out: boolean, body: func(m *machine, x []Op) Op { return m.icompare(iNotEqual, x[0], constant(0)) }},
		{name: "I64, Bool", f64: true, in: "x", out: boolean, body: func(m *machine, x []Op) Op { return m.icompare(iNotEqual, x[0], constant(0)) }},
		{name: "Bool, I32", in: "b", out: element, body: func(m *machine, x []Op) Op { return m.keep(x[0], constant(1)) }},
		{name: "Bool, I64", f64: true, in: "b", out: element, body: func(m *machine, x []Op) Op { return m.keep(x[0], constant(1)) }},
		{name: "F32, I32", in: "x", out: element, body: func(m *machine, x []Op) Op { return m.truncate(x[0]) }},
		{name: "I32, F32", in: "x", out: element, body: func(m *machine, x []Op) Op { return m.fromInt(x[0]) }},
		{name: "F32, F64", f64: true, in: "h", out: element, body: same, keeps: true},
		{name: "F64, F32", f64: true, in: "x", out: narrower, body: same, keeps: true},
	}
}

func castFunction(k vecKernel) string { return "vecCast" + strings.ReplaceAll(k.name, ", ", "") }

func elementName(f64 bool) string {
	if f64 {
		return "F64"
	}
	return "F32"
}

// dtype is the type of the elements as the package calls it.
func (k vecKernel) dtype() string {
	if k.as != "" {
		return k.as
	}
	if k.integer {
		return strings.Replace(elementName(k.f64), "F", "I", 1)
	}
	return elementName(k.f64)
}

func functionName(k vecKernel) string { return "vec" + k.name + k.dtype() }

func functionKernels() []vecKernel {
	var all []vecKernel
	for _, f64 := range []bool{false, true} {
		all = slices.Concat(all, floatKernels(f64), mathKernels(f64), specialKernels(f64), integerKernels(f64))
	}
	return all
}

func rowFunction(k rowKernel) string { return "vecRow" + k.kind + elementName(k.f64) }

func columnFunction(k rowKernel) string { return "vecColumn" + k.kind + elementName(k.f64) }

var splatSizes = []int{1, 4, 8}

func init() {
	for _, l := range levels {
		register("vec_"+strings.ToLower(l.String())+"_amd64", func(c *build.Context) {
			m := &machine{Context: c, level: l, constants: map[string]Mem{}}
			for _, k := range functionKernels() {
				k.name = functionName(k)
				m.as(k.f64).function(k)
			}
			for _, k := range castKernels() {
				k.name = castFunction(k)
				m.as(k.f64).function(k)
			}
			for _, k := range partialKernels() {
				k.name = functionName(k)
				m.as(k.f64).function(k)
			}
			for _, k := range byteKernels() {
				m.byteFunction(k)
			}
			for _, k := range reductionKernels() {
				m.as(k.f64).rows(k, rowFunction(k))
			}
			for _, k := range squareKernels() {
				m.as(k.f64).rows(k, rowFunction(k))
			}
			for _, k := range columnKernels() {
				m.as(k.f64).columns(k, columnFunction(k))
			}
			for _, size := range splatSizes {
				m.splat(size, fmt.Sprintf("vecSplat%d", size))
			}
			for _, i64 := range []bool{false, true} {
				m.as(i64).outside(outsideFunction(i64))
			}
			if l == avx2 { // wider registers do not help
				for _, size := range transposeSizes {
					m.transpose(size)
				}
			}
		})
	}
	registerNEON("vec_neon_arm64", func(f *neonFile) {
		for _, list := range [][]vecKernel{functionKernels(), partialKernels()} {
			for _, k := range list {
				k.name = functionName(k)
				neonMachine(f, k.f64).neonFunction(k)
			}
		}
		for _, k := range castKernels() {
			k.name = castFunction(k)
			neonMachine(f, k.f64).neonFunction(k)
		}
		for _, k := range byteKernels() {
			neonMachine(f, false).neonBytes(k)
		}
		for _, k := range append(reductionKernels(), squareKernels()...) {
			neonMachine(f, k.f64).neonRows(k, rowFunction(k))
		}
		for _, k := range columnKernels() {
			neonMachine(f, k.f64).neonColumns(k, columnFunction(k))
		}
		for _, size := range splatSizes {
			neonMachine(f, false).neonSplat(size, fmt.Sprintf("vecSplat%d", size))
		}
		for _, i64 := range []bool{false, true} {
			neonMachine(f, i64).neonOutside(outsideFunction(i64))
		}
	})
	registerGo("../jit/coefficients", coefficients)
	registerGo("vec_table_amd64", func() string { return vecTables(levels...) })
	registerGo("vec_table_arm64", func() string { return vecTables(neon) })
}

// vecTables is the text of the tables by which Go code finds the functions of the levels of an architecture.
func vecTables(levels ...level) string {
	var b strings.Builder
	entry := func(key, function string) {
		var names []string
		for _, l := range levels {
			names = append(names, function+l.String())
		}
		fmt.Fprintf(&b, "%s: {%s},\n", key, strings.Join(names, ", "))
	}
	b.WriteString("package cpu\n\nimport \"github.com/seed-49005b45/tarn/internal/scalar\"\n")
	b.WriteString("\n// functionTable holds the assembly functions of each level.\nvar functionTable = map[kernel]perLevel[Vec]{\n")
	for _, k := range functionKernels() {
		entry(fmt.Sprintf("{scalar.%s, %s}", k.name, k.dtype()), functionName(k))
	}
	for _, k := range byteKernels() {
		entry(fmt.Sprintf("{scalar.%s, Bool}", k.name), "vec"+k.name+"Bool")
	}
	b.WriteString("}\n\n// partialTable holds those that end before elements which they cannot do.\nvar partialTable = map[kernel]perLevel[partial]{\n")
	for _, k := range partialKernels() {
		entry(fmt.Sprintf("{scalar.%s, %s}", k.name, k.dtype()), functionName(k))
	}
	b.WriteString("}\n\n// castTable holds the casts.\nvar castTable = map[conversion]perLevel[Vec]{\n")
	for _, k := range castKernels() {
		entry("{"+k.name+"}", castFunction(k))
	}
	reductions := func(name, what string, kernels []rowKernel, function func(rowKernel) string) {
		fmt.Fprintf(&b, "}\n\n// %s holds the reductions of %s.\nvar %s = map[reduction]perLevel[Rows]{\n", name, what, name)
		for _, k := range kernels {
			entry(fmt.Sprintf("{%s, %s}", k.kind, elementName(k.f64)), function(k))
		}
	}
	reductions("rowTable", "rows", reductionKernels(), rowFunction)
	reductions("columnTable", "columns", columnKernels(), columnFunction)
	b.WriteString("}\n\n// squareTable holds the sums of squares of rows.\nvar squareTable = map[DType]perLevel[Rows]{\n")
	for _, k := range squareKernels() {
		entry(elementName(k.f64), rowFunction(k))
	}
	b.WriteString("}\n\n// splatTable holds the spreading of elements by their size.\nvar splatTable = map[int]perLevel[Rows]{\n")
	for _, size := range splatSizes {
		entry(fmt.Sprint(size), fmt.Sprintf("vecSplat%d", size))
	}
	b.WriteString("}\n")
	return b.String()
}

// coefficients is the text of those that the machine code made at run time needs, too.
func coefficients() string {
	var b strings.Builder
	b.WriteString("package jit\n\n// The coefficients of the vector functions, explained in the generator's vec_math.go and vec_pieces.go.\nvar (\n")
	numbers := func(x []float64, f func(float64) string) string {
		var all []string
		for _, x := range x {
			all = append(all, f(x))
		}
		return "{" + strings.Join(all, ", ") + "}"
	}
	exact := func(x float64) string { return fmt.Sprint(x) }
	rounded := func(x float64) string { return fmt.Sprint(float32(x)) }
	for _, list := range []struct {
		name string
		c    []float64
	}{
		{"expCoefficients", expCoefficients}, {"expCoefficients64", expCoefficients64},
		{"halfExpCoefficients", halfExpCoefficients},
	} {
		fmt.Fprintf(&b, "%s = []float64%s\n", list.name, numbers(list.c, exact))
	}
	fmt.Fprintf(&b, "powers = table%s\n", numbers(powers, rounded))
	for _, p := range []pieces{tailPieces, erfPieces, tanhPieces} {
		fmt.Fprintf(&b, "%sPieces = pieces{unit: %v", p.name, p.unit)
		for _, wide := range []bool{true, false} {
			fmt.Fprintf(&b, ", %s: []table{\n", map[bool]string{true: "wide", false: "narrow"}[wide])
			for _, row := range p.tables(wide) {
				fmt.Fprintf(&b, "%s,\n", numbers(row, rounded))
			}
			b.WriteString("}")
		}
		b.WriteString("}\n")
	}
	b.WriteString(")\n")
	return b.String()
}
