package ir

import (
	"fmt"
	"slices"
	"unsafe"
)

// This file holds the ops whose work is described by other graphs, bodies: a loop of a known number of steps, a loop
// that runs while a condition holds, and a branch.

// ControlKind is the way in which the bodies of a Control run.
type ControlKind uint8

// The kinds.
const (
	Scan   ControlKind = iota // one body, run Steps times
	While                     // a condition and a body, run as long as the condition is true
	Branch                    // two bodies, the second of which runs if the predicate is false
)

// Control is a computation with several results. The inputs of all its bodies are: first the number of the step, an i64
// scalar, or for a branch the predicate; then the carries, the slices of this step, and the other values read from outside.
//
// Operands are the same without the step's number, but for a branch with the predicate: the first contents of the carries, arrays
// whose first axis is the steps, and the rest. The body's outputs are the carries of the next step and then what is stacked. Results
// are the last contents of the carries and then the stacks, whose first axis is the steps. A branch has neither carries
// nor slices, and its results are those of its body.
type Control struct {
	Kind    ControlKind
	Bodies  []*Graph
	Carries int
	Slices  int
	Steps   int  // of a Scan
	Reverse bool // the last slice comes first, and the first place of a stack is filled last
}

// Nested is an op that is one result of a Control. All results of one Control on the same operands are computed together.
type Nested interface {
	Op
	Nests() (c *Control, result int)
}

// Lists remembers the operand lists of results. All results of one Control on the same operands share the list, so a walk over the operands
// of all nodes is linear in the size of the graph if it takes each list once.
type Lists map[**Node]bool

// First reports whether the operands of n have not been seen as those of another result.
func (l Lists) First(n *Node) bool {
	if _, ok := n.Op.(Nested); !ok || len(n.In) == 0 {
		return true
	}
	seen := l[&n.In[0]]
	l[&n.In[0]] = true
	return !seen
}

// SameOperands reports whether two nodes have the same operands.
func SameOperands(a, b *Node) bool {
	return len(a.In) == len(b.In) && (len(a.In) == 0 || &a.In[0] == &b.In[0] || slices.Equal(a.In, b.In))
}

// Operand is the number of the operand that input i of the bodies comes from: -1 for the step's number.
func (c *Control) Operand(i int) int {
	if c.Kind == Branch {
		return i
	}
	return i - 1
}

// Main returns a body that computes the results.
func (c *Control) Main() *Graph {
	if c.Kind == While {
		return c.Bodies[1]
	}
	return c.Bodies[0]
}

// ResultType is the type of result i.
func (c *Control) ResultType(i int) Type {
	t := c.Main().Outputs[i].Type
	if c.Kind == Scan && i >= c.Carries {
		return Type{t.DType, append([]int{c.Steps}, t.Shape...)}
	}
	return t
}

// Results is the reference: it runs the bodies node by node and returns every result. Before each step it asks stop, unless that is
// nil, whether to end with an error.
func (c *Control) Results(in []Array, stop func() error) ([]Array, error) {
	switch c.Kind {
	case Branch:
		body := c.Bodies[0]
		if in[0].Int(0) == 0 {
			body = c.Bodies[1]
		}
		return body.evaluate(in, stop)
	case While:
		return c.loop(in, stop)
	}
	return c.scan(in, stop)
}

func (c *Control) scan(in []Array, stop func() error) ([]Array, error) {
	carries := append([]Array(nil), in[:c.Carries]...)
	results := make([]Array, len(c.Main().Outputs))
	for i := c.Carries; i < len(results); i++ {
		results[i] = NewArray(c.ResultType(i))
	}
	for k := range c.Steps {
		at := k
		if c.Reverse {
			at = c.Steps - 1 - k
		}
		inputs := append([]Array{number(at)}, carries...)
		for _, a := range in[c.Carries : c.Carries+c.Slices] {
			inputs = append(inputs, a.Part(at))
		}
		out, err := c.Main().evaluate(append(inputs, in[c.Carries+c.Slices:]...), stop)
		if err != nil {
			return nil, err
		}
		copy(carries, out)
		for i := c.Carries; i < len(out); i++ {
			copy(results[i].Part(at).Raw(), out[i].Raw())
		}
	}
	copy(results, carries)
	return results, nil
}

func (c *Control) loop(in []Array, stop func() error) ([]Array, error) {
	carries := append([]Array(nil), in[:c.Carries]...)
	for k := 0; ; k++ {
		inputs := append(append([]Array{number(k)}, carries...), in[c.Carries:]...)
		more, err := c.Bodies[0].evaluate(inputs, stop)
		if err != nil {
			return nil, err
		}
		if more[0].Int(0) == 0 {
			return carries, nil
		}
		out, err := c.Bodies[1].evaluate(inputs, stop)
		if err != nil {
			return nil, err
		}
		copy(carries, out)
	}
}

func number(i int) Array {
	a := NewArray(Type{I64, []int{}})
	a.SetInt(0, int64(i))
	return a
}

// Part is the array of the elements whose index on the first axis is i, in the memory of a.
func (a Array) Part(i int) Array {
	t := Type{a.DType, a.Shape[1:]}
	if t.Size() == 0 {
		return Array{t, a.Data}
	}
	return Array{t, unsafe.Add(a.Data, i*t.Bytes())}
}

// evaluate computes the outputs of a body from its inputs, node by node.
func (g *Graph) evaluate(inputs []Array, stop func() error) ([]Array, error) {
	if stop != nil {
		if err := stop(); err != nil {
			return nil, err
		}
	}
	values := make(map[*Node]Array, len(g.Nodes))
	for _, n := range g.Nodes {
		switch op := n.Op.(type) {
		case Input:
			values[n] = inputs[op.Index]
			continue
		case Const:
			values[n] = op.Array
			continue
		}
		in := make([]Array, len(n.In))
		for i, m := range n.In {
			in[i] = values[m]
		}
		out, err := Evaluate(n, in, stop)
		if err != nil {
			return nil, err
		}
		values[n] = out
	}
	out := make([]Array, len(g.Outputs))
	for i, n := range g.Outputs {
		out[i] = values[n]
	}
	return out, nil
}

// Evaluate computes a node that is not a leaf by its reference kernel. The error says which op found the contents of its operands wrong, or is
// that of stop, which loops call if it is not nil.
func Evaluate(n *Node, in []Array, stop func() error) (Array, error) {
	switch op := n.Op.(type) {
	case Nested:
		c, result := op.Nests()
		results, err := c.Results(in, stop)
		if err != nil {
			return Array{}, err
		}
		return results[result], nil
	case Checked:
		if err := CheckOperands(op, in); err != nil {
			return Array{}, OpError(n, err)
		}
	}
	out := NewArray(n.Type)
	n.Op.Eval(out, in)
	return out, nil
}

// OpError says which op found its operands' contents wrong.
func OpError(n *Node, err error) error {
	return fmt.Errorf("%s: %s: %w", n.Place(), n.Op.Name(), err)
}

// Result is the compiler's Nested op: result Index of a Control.
type Result struct {
	Control *Control
	Index   int
	Title   string // the op's name
}

// Nests returns the control and the result's number.
func (r Result) Nests() (*Control, int) { return r.Control, r.Index }

// Name is the name of the op that this is a result of.
func (r Result) Name() string { return r.Title }

// Attrs tells controls apart by their memory.
func (r Result) Attrs() string { return fmt.Sprintf("%p result=%d", r.Control, r.Index) }

// Infer returns the type of the result.
func (r Result) Infer(in []Type) (Type, error) { return r.Control.ResultType(r.Index), nil }

// Eval is the reference kernel. Evaluate reports wrong contents of operands.
func (r Result) Eval(out Array, in []Array) {
	if results, err := r.Control.Results(in, nil); err == nil {
		copy(out.Raw(), results[r.Index].Raw())
	}
}
