package tarn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds Value, a node of a graph: the operands and results of ops.

// Value is the result of an op in a Graph: a type, and the recipe by which a Program will compute it. The ops are its
// methods; none of them panics or returns an error, not even on a nil *Value. What is wrong with a call is recorded in the graph with
// its place and reported by Compile, all at once.
type Value struct {
	graph  *Graph
	id     int
	op     op
	in     []*Value
	typ    ir.Type
	label  string
	count  *Value // what v is a mean of; see WithCount
	site   site
	gradOf *Value // the forward value whose gradient rule made this one, or nil
	failed bool

	support *support // of a gradient: where it may differ from 0; nil for everywhere
}

// op is what the root package knows of every operation: what the compiler knows, and the gradient rule.
type op interface {
	ir.Op
	// grad builds, from ordinary values, the gradient of each operand of y given dy, the gradient of y. It has a nil
	// where none flows, and may be shorter than y.in.
	grad(y, dy *Value) []*Value
}

// Operand is an argument of a Value method: a *Value, a *Param, or a plain number as a Num.
type Operand interface {
	value(g *Graph) *Value
}

// Num is a number used as an operand; it takes the dtype of the other operand.
type Num float64

func (x Num) value(g *Graph) *Value { return g.Num(F64, float64(x)) }

func (v *Value) value(g *Graph) *Value { return v }

// Graph returns the graph that v belongs to.
func (v *Value) Graph() *Graph { return v.home() }

// Shape returns the sizes of the axes. The slice is the caller's to keep.
func (v *Value) Shape() []int { return slices.Clone(v.orLost().typ.Shape) }

// Dim returns the size of an axis; a negative axis counts from the last. It is 1 if there is no such axis.
func (v *Value) Dim(axis int) int {
	v = v.orLost()
	if axis < 0 {
		axis += len(v.typ.Shape)
	}
	if axis < 0 || axis >= len(v.typ.Shape) {
		return 1
	}
	return v.typ.Shape[axis]
}

// Rank returns the number of axes.
func (v *Value) Rank() int { return len(v.orLost().typ.Shape) }

// Size returns the number of elements.
func (v *Value) Size() int { return v.orLost().typ.Size() }

// DType returns the type of the elements.
func (v *Value) DType() DType { return DType(v.orLost().typ.DType) }

// Named sets the name that listings, pictures and reports show for v, and returns v.
func (v *Value) Named(name string) *Value {
	v = v.orLost()
	if v.label == "" {
		v.label = name
	}
	return v
}

// WithCount records that v is a mean over as many elements as count, and returns v. A loss that leaves elements out, such as
// those with an ignored label, says so, and package train and the optimizers combine the means of several batches by it.
//
// Shapes: any with count [] -> the shape of v.
func (v *Value) WithCount(count *Value) *Value {
	v = v.orLost()
	if !v.failed && count.exists() && !count.failed {
		if count.graph != v.graph || count.Rank() != 0 || count.typ.DType == ir.Bool {
			return v.graph.failAs("WithCount", []*Value{v, count}, newProblem("the count is %v and should be a number, a scalar of the same graph", count.typ))
		}
		v.count = count
	}
	return v
}

// Count returns what WithCount has recorded: the number of elements that v is a mean over. It is nil if nothing was.
//
// Shapes: [].
func (v *Value) Count() *Value {
	if !v.exists() {
		return nil
	}
	return v.count
}

// Param returns the param that v reads, or nil.
func (v *Value) Param() *Param {
	if !v.exists() {
		return nil
	}
	switch op := v.op.(type) {
	case variableOp:
		return op.param
	case argumentOp:
		if op.outer != nil {
			return op.outer.Param()
		}
	}
	return nil
}

// Place returns the position in the user's program where v was made, as in "model.go:22", with "in the gradient of Log," in
// front if a gradient rule made it.
func (v *Value) Place() string {
	return v.orLost().origin().String()
}

// origin is where a value was made, apart from the value.
type origin struct {
	gradients []string // the ops, from the inside out, in whose gradient rules it was made
	site      site     // where the outermost of them was made
}

func (v *Value) origin() origin {
	var o origin
	for ; v.gradOf != nil; v = v.gradOf {
		o.gradients = append(o.gradients, v.gradOf.op.Name())
	}
	o.site = v.site
	return o
}

// String is what Place returns.
func (o origin) String() string {
	var b strings.Builder
	for _, name := range o.gradients {
		fmt.Fprintf(&b, "in the gradient of %s, ", name)
	}
	b.WriteString(o.site.position())
	return b.String()
}

// mostPrinted bounds the operands that expression lists.
const mostPrinted = 32

// expression prints the op and its operands, as in "MatMul(%1, %2)".
func (v *Value) expression() string {
	var b strings.Builder
	b.WriteString(v.op.Name())
	if p := v.Param(); p != nil && p.label() != "" {
		fmt.Fprintf(&b, " %q", p.label())
		return b.String()
	}
	if len(v.in) > 0 {
		b.WriteByte('(')
		for i, in := range v.in {
			if i > 0 {
				b.WriteString(", ")
			}
			if i == mostPrinted {
				fmt.Fprintf(&b, "... (%d operands)", len(v.in))
				break
			}
			if in == nil {
				b.WriteString("nil")
				continue
			}
			fmt.Fprintf(&b, "%%%d", in.id)
		}
		b.WriteByte(')')
	}
	if a := v.op.Attrs(); a != "" {
		fmt.Fprintf(&b, "{%s}", a)
	}
	return b.String()
}

// String prints the value as in "%3 = MatMul(%1, %2) f32[128 512]".
func (v *Value) String() string {
	if !v.exists() {
		return "nil"
	}
	return fmt.Sprintf("%%%d = %s %v", v.id, v.expression(), v.typ)
}
