package tarn

import (
	"fmt"
	"strings"
)

// This file prints graphs, as text and as pictures.

// String lists the whole graph as text, a line a value.
func (g *Graph) String() string { return listing(g.orLost().values) }

// Sprint lists the values that the given ones are computed from, a line a value, operands first.
func Sprint(values ...*Value) string { return listing(reachable(values)) }

func listing(values []*Value) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "%%%-4d %-14v %s", v.id, v.typ, v.expression())
		if v.label != "" {
			fmt.Fprintf(&b, "  %q", v.label)
		}
		fmt.Fprintf(&b, "  // %s\n", v.Place())
	}
	return b.String()
}

// Graphviz returns the values that the given ones are computed from as a graph in the DOT language, for `dot -Tsvg`.
// Params are boxes, inputs ellipses; what a gradient rule added is drawn in blue.
func Graphviz(values ...*Value) string {
	var b strings.Builder
	b.WriteString("digraph tarn {\n  rankdir=TB; node [fontname=\"Helvetica\" fontsize=10 shape=plain];\n")
	for _, v := range reachable(values) {
		shape, color := "plain", "black"
		switch v.op.(type) {
		case variableOp:
			shape = "box"
		case inputOp:
			shape = "ellipse"
		}
		if v.gradOf != nil {
			color = "blue"
		}
		title := v.op.Name()
		if v.label != "" {
			title = v.label
		} else if p := v.Param(); p != nil && p.label() != "" {
			title = p.label()
		} else if a := v.op.Attrs(); a != "" {
			title += " " + a
		}
		fmt.Fprintf(&b, "  v%d [label=%q shape=%s fontcolor=%s tooltip=%q];\n", v.id, title+"\n"+v.typ.String(), shape, color, v.Place())
		for _, in := range v.in {
			if in != nil {
				fmt.Fprintf(&b, "  v%d -> v%d;\n", in.id, v.id)
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}
