package ir

import (
	"fmt"
	"strings"
)

// Node is one operation of a graph and its result.
type Node struct {
	ID    int
	Op    Op
	In    []*Node
	Type  Type
	Label string        // the user's name for it, or a parameter's path, or ""
	Where func() string // the position in the user's program, for reports; may be nil

	Backward bool // a gradient rule made it
}

// Place is the position in the user's program, or "unknown place".
func (n *Node) Place() string {
	if n.Where == nil {
		return "unknown place"
	}
	return n.Where()
}

// String prints the node as in "%3 = MatMul(%1, %2) f32[128 512]".
func (n *Node) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%%%d = %s", n.ID, n.Op.Name())
	if len(n.In) > 0 {
		b.WriteByte('(')
		for i, in := range n.In {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%%%d", in.ID)
		}
		b.WriteByte(')')
	}
	if a := n.Op.Attrs(); a != "" {
		fmt.Fprintf(&b, "{%s}", a)
	}
	fmt.Fprintf(&b, " %v", n.Type)
	if n.Label != "" {
		fmt.Fprintf(&b, " %q", n.Label)
	}
	return b.String()
}

// Graph is a program before lowering. Nodes is in topological order: operands stand before their users.
type Graph struct {
	Nodes   []*Node
	Outputs []*Node
	Assigns []Assign
	// Guards, if there are any, make a run all or nothing: if one of these float values or a value to be assigned is not finite, the run ends
	// with a *NonFinite and the variables are as they were.
	Guards []*Node
	// Inputs and Variables are the leaves by index: what Input{i} and Variable{i} refer to. All are kept, used or not.
	Inputs    []*Node
	Variables []*Node
	// ShortActivations lets what the backward pass reads of the forward pass be kept as BF16 if it is F32. What the forward pass itself reads is not rounded.
	ShortActivations bool
	// Main, unless it is nil, is the part of the graph that has the same bits with the rest as without it: the rest only looks at its results.
	Main *Main
}

// Main counts the nodes, outputs and assignments that are the main part of a graph, each the first of their list. Nothing in it reads what is not. The guards guard
// all of the graph, and belong to the main part.
type Main struct{ Nodes, Outputs, Assigns int }

// MainPart returns the main part as a graph of its own, which is g if it has no other.
func (g *Graph) MainPart() *Graph {
	if g.Main == nil {
		return g
	}
	m := *g
	m.Nodes, m.Outputs, m.Assigns, m.Main = g.Nodes[:g.Main.Nodes], g.Outputs[:g.Main.Outputs], g.Assigns[:g.Main.Assigns], nil
	return &m
}

// Assign stores a value into a variable once the whole step has been computed: every read in the step sees the old value.
type Assign struct{ Variable, Value *Node }

// Roots are the nodes that the program exists for: outputs, guards and assigned values.
func (g *Graph) Roots() []*Node {
	roots := append(append([]*Node(nil), g.Outputs...), g.Guards...)
	for _, a := range g.Assigns {
		roots = append(roots, a.Value)
	}
	return roots
}

// NonFinite is the error of a guarded run: a guard, or a value that would have been assigned, is not finite.
type NonFinite struct{ Node *Node }

func (e *NonFinite) Error() string {
	return fmt.Sprintf("%s: %s is not finite", e.Node.Place(), e.Node.Op.Name())
}

// String lists the nodes, a line each.
func (g *Graph) String() string {
	var b strings.Builder
	for _, n := range g.Nodes {
		b.WriteString(n.String())
		b.WriteByte('\n')
	}
	for _, n := range g.Outputs {
		fmt.Fprintf(&b, "output %%%d\n", n.ID)
	}
	for _, a := range g.Assigns {
		fmt.Fprintf(&b, "assign %%%d <- %%%d\n", a.Variable.ID, a.Value.ID)
	}
	return b.String()
}

// leaf is embedded by ops without operands, whose type is given and not inferred.
type leaf struct{}

func (leaf) Infer([]Type) (Type, error) { panic("ir: a leaf's type is given, not inferred") }
func (leaf) Eval(Array, []Array)        { panic("ir: a leaf is not evaluated") }

// Input is a leaf that each run is given.
type Input struct {
	leaf
	Index int
}

// Name is "Input".
func (Input) Name() string { return "Input" }

// Attrs returns the index.
func (op Input) Attrs() string { return fmt.Sprint(op.Index) }

// Variable is a leaf whose memory outlives the run and can be assigned: a parameter or a state.
type Variable struct {
	leaf
	Index int
}

// Name is "Variable".
func (Variable) Name() string { return "Variable" }

// Attrs returns the index.
func (op Variable) Attrs() string { return fmt.Sprint(op.Index) }

// Const is a leaf with fixed contents.
type Const struct {
	leaf
	Array Array
}

// Name is "Const".
func (Const) Name() string { return "Const" }

// Attrs prints a scalar's value, and tells other constants apart by their memory.
func (op Const) Attrs() string {
	if op.Array.Size() == 1 {
		if op.Array.DType.Float() {
			return fmt.Sprint(op.Array.Float(0))
		}
		return fmt.Sprint(op.Array.Int(0))
	}
	return fmt.Sprintf("%p", op.Array.Data)
}

// Step is a leaf that holds the number of runs completed before this one, an i64 scalar.
type Step struct{ leaf }

// Name is "Step".
func (Step) Name() string { return "Step" }

// Attrs is empty.
func (Step) Attrs() string { return "" }
