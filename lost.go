package tarn

import (
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds what keeps ops from panicking if there is no graph to record a mistake in: an op on a nil *Value or a nil *Graph, or a
// Concat of no values. Such an op gets its own graph, which is lost. The first real graph in which one of its values is used takes over
// its report, and Compile returns it too if a lost value is an output.

// lose returns a lost graph, with a report of what is wrong.
func lose(format string, args ...any) *Graph {
	g := &Graph{lost: true}
	v := g.poison(failedOp{}, nil)
	_, called := v.site.frames()
	g.report(v, called[strings.LastIndex(called, ".")+1:], newProblem(format, args...))
	return g
}

// orLost returns v, or a failed value if there is none.
func (v *Value) orLost() *Value {
	if v.exists() {
		return v
	}
	return lose("the value is nil").poison(failedOp{}, nil)
}

// exists reports whether v is a value that an op has made.
func (v *Value) exists() bool { return v != nil && v.graph != nil }

// home is the graph of v, or a lost one.
func (v *Value) home() *Graph { return v.orLost().graph }

// orLost returns g, or a lost graph if it is nil.
func (g *Graph) orLost() *Graph {
	if g == nil {
		return lose("the graph is nil")
	}
	return g
}

// graphOf returns the graph of the first value that has one, preferably one that is not lost; nil if there is none.
func graphOf(values []*Value) (g *Graph) {
	for _, v := range values {
		if v.exists() && (g == nil || g.lost && !v.graph.lost) {
			g = v.graph
		}
	}
	return g
}

// adopt takes over the reports of the graph in which v failed, if that is another one, and reports whether it is.
func (g *Graph) adopt(v *Value) bool {
	if !v.exists() || !v.failed || v.graph.root() == g.root() {
		return false
	}
	root := g.root()
	for _, d := range v.graph.root().diags {
		if !slices.Contains(root.diags, d) {
			root.diags = append(root.diags, d)
		}
	}
	return true
}

// checkType refuses an unknown dtype, a negative size and a shape with too many elements.
func checkType(t ir.Type) error {
	if t.DType > ir.F16 {
		return newProblem("%v is not a dtype", t.DType).WithHint("use tarn.Bool, I32, I64, F32, F64, BF16 or F16")
	}
	return checkShape(t.Shape)
}
