package tarn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/exec"
	"github.com/seed-49005b45/tarn/internal/ir"
	"github.com/seed-49005b45/tarn/internal/pool"
	"github.com/seed-49005b45/tarn/internal/scalar"
)

// This file holds Guard, which keeps infinities and NaN out of params, and Origin, which says where the first of them comes from.

// Guard returns an update that makes every run all or nothing: if a value that is given, a gradient, or a value that would be assigned to a param is
// not finite, Run returns an error that wraps a *NonFiniteError, no param changes, and the run does not count. The values are floats, usually the
// loss alone. While everything is finite a guard costs about a pass over the gradients. An element of a param that is not finite before the run may
// stay so.
func Guard(values ...*Value) Update {
	if values == nil {
		values = []*Value{}
	}
	return Update{guards: values}
}

// splitGuards takes the guards out of the updates.
func splitGuards(g *Graph, updates []Update) (rest []Update, guards []*Value, err error) {
	for _, u := range updates {
		if u.guards == nil {
			rest = append(rest, u)
			continue
		}
		if len(u.guards) == 0 {
			return nil, nil, errors.New("tarn: Compile: a Guard of no value; give it the loss")
		}
		for _, v := range u.guards {
			switch {
			case !v.exists() || v.graph != g || v.failed:
				return nil, nil, errors.New("tarn: Compile: a Guard of a value that is nil or belongs to another graph")
			case !v.DType().IsFloat():
				return nil, nil, fmt.Errorf("tarn: Compile: a Guard of the value made at %s, which is %v; it is for floats", v.Place(), v.DType())
			}
		}
		guards = append(guards, u.guards...)
	}
	return rest, guards, nil
}

// floats are the outputs that are floats, or if there are none a value assigned that is.
func (r wanted) floats() (values []*Value) {
	for _, name := range r.names {
		if r.outputs[name].DType().IsFloat() {
			values = append(values, r.outputs[name])
		}
	}
	for _, u := range r.updates {
		if len(values) == 0 && u.value.DType().IsFloat() {
			values = append(values, u.value) // one is enough: a guard sees all that is assigned
		}
	}
	return values
}

// traced is a graph as it was before any pass, for Origin.
type traced struct {
	graph     *ir.Graph
	variables []ir.Array
	always    bool // Run says the origin
}

// NonFiniteError is the error of a run that a Guard has stopped.
type NonFiniteError struct {
	Op     string  // the op that computed what the guard found, which is often far from the origin
	Place  string  // where that was called
	Origin *Origin // with TARN_DEBUG=nan; otherwise see Program.Origin
}

// Error says what was found.
func (e *NonFiniteError) Error() string {
	if e.Origin != nil {
		return "the run is not finite, nothing was stored: " + e.Origin.String()
	}
	return fmt.Sprintf("the result of %s (%s) is not finite, nothing was stored; Program.Origin or TARN_DEBUG=nan says where that comes from", e.Op, e.Place)
}

// failure makes what an engine returned, in the run in progress of the given number, an error for the caller of Run.
func (p *Program) failure(err error, run int64) error {
	var found *ir.NonFinite
	if !errors.As(err, &found) {
		return err
	}
	e := &NonFiniteError{Op: found.Node.Op.Name(), Place: found.Node.Place()}
	if p.traced != nil && p.traced.always {
		if e.Origin, err = p.origin(p.given, run); err != nil {
			return errors.Join(e, err)
		}
	}
	return e
}

// Origin is where the first infinity or NaN of a run comes from: an input, a param, or an op whose operands are all finite.
type Origin struct {
	Input    string   // the name of the input that is not finite, or ""
	Param    string   // the name of the param that was not finite before the run, or ""
	Op       string   // the op, as in "Log"; "" for an input or a param
	Place    string   // where it was called, as in "loss.go:31", with "in the gradient of Log," in front if it is part of a gradient
	Near     string   // the name of the param that is the fewest ops away, or ""
	Loops    []string // the loops and branches that the op is in, the outermost first, with their steps
	Element  []int    // the index of the first element that is not finite
	Value    float64  // of that element
	Count    int      // of the elements that are not finite
	Operands []string // of the op: their values at that element if it goes element by element, otherwise their types and ranges
	Overflow bool     // the result is too large for its dtype; false for the logarithm of 0, for example
}

// Origin runs the program again on the inputs of a run that a Guard has ended, in a mode that looks at every value, and returns where the
// first that is not finite comes from. It stores nothing. It returns nil if everything is finite, and an error if the program has no Guard.
func (p *Program) Origin(inputs ...*Tensor) (*Origin, error) {
	if p == nil || p.runner == nil {
		return nil, errNoProgram
	}
	if p.traced == nil {
		return nil, errors.New("tarn: Origin: the program has no Guard; compile it with one, or with TARN_DEBUG=nan")
	}
	var o *Origin
	find := func(c exec.Call) (err error) {
		o, err = p.origin(c.Inputs, c.Step)
		return err
	}
	if err := p.run(context.Background(), Results{}, inputs, find, 0); err != nil {
		return nil, fmt.Errorf("tarn: Origin: %w", err)
	}
	return o, nil
}

func (p *Program) origin(inputs []ir.Array, run int64) (*Origin, error) {
	t := p.traced
	for _, s := range p.storages {
		if err := s.Read(); err != nil {
			return nil, err
		}
	}
	for _, s := range p.lent {
		if err := s.Read(); err != nil {
			return nil, err
		}
	}
	found, err := exec.FindOrigin(t.graph, t.variables, inputs, run, pool.Default())
	if found == nil || err != nil {
		return nil, err
	}
	n, result := found.Node, found.Result
	o := &Origin{Op: n.Op.Name(), Place: n.Place(), Near: nearestLabel(n)}
	switch n.Op.(type) {
	case ir.Input:
		o.Op, o.Input = "", n.Label
	case ir.Variable:
		o.Op, o.Param = "", n.Label
		if n.Label == "" {
			o.Param = "without a name"
		}
	}
	for _, l := range found.Loops {
		where := "a branch of " + l.Node.Op.Name()
		if l.Step >= 0 {
			where = fmt.Sprintf("step %d of %s", l.Step, l.Node.Op.Name())
		}
		o.Loops = append(o.Loops, fmt.Sprintf("%s, %s", where, l.Node.Place()))
		if o.Near == "" {
			o.Near = nearestLabel(l.Node)
		}
	}
	first := -1
	for i := range result.Size() {
		if x := result.Float(i); math.IsNaN(x) || math.IsInf(x, 0) {
			if o.Count++; first < 0 {
				first, o.Value = i, x
			}
		}
	}
	if first < 0 {
		return o, nil
	}
	o.Element = ir.Unravel(first, result.Shape)
	_, each := n.Op.(ir.Elementwise)
	_, casts := n.Op.(ir.Conversion)
	for _, a := range found.In {
		if each || casts {
			o.Operands = append(o.Operands, element(a, first))
		} else {
			o.Operands = append(o.Operands, summary(a))
		}
	}
	o.Overflow = o.Op != "" && overflows(n, found.In, first)
	return o, nil
}

// element is an element of an operand as text.
func element(a ir.Array, i int) string {
	switch a.DType {
	case ir.Bool:
		return fmt.Sprint(a.Int(i) != 0)
	case ir.I32, ir.I64:
		return fmt.Sprint(a.Int(i))
	case ir.F32:
		return fmt.Sprint(float32(a.Float(i)))
	}
	return fmt.Sprint(a.Float(i))
}

// summary is the type of an operand and the range of its elements.
func summary(a ir.Array) string {
	if a.Size() == 0 {
		return a.Type.String()
	}
	if a.Size() == 1 {
		return a.Type.String() + " of " + element(a, 0)
	}
	low, high := 0, 0
	for i := range a.Size() {
		if a.Float(i) < a.Float(low) {
			low = i
		}
		if a.Float(i) > a.Float(high) {
			high = i
		}
	}
	return fmt.Sprintf("%v from %s to %s", a.Type, element(a, low), element(a, high))
}

// overflows reports whether the op, whose operands are finite, gave a number that is too large, and not one that does not exist, such as the
// logarithm of 0.
func overflows(n *ir.Node, in []ir.Array, i int) bool {
	op, ok := n.Op.(ir.Elementwise)
	if !ok {
		return true
	}
	switch op.Scalar() {
	case scalar.Reciprocal, scalar.Log, scalar.Log1p, scalar.Sqrt, scalar.Rsqrt, scalar.Asin, scalar.Acos, scalar.Atan2:
		return false
	case scalar.Div:
		return in[1].Float(i) != 0
	case scalar.Pow:
		return in[0].Float(i) > 0
	}
	return true
}

// nearestLabel is the name of the param that is the fewest ops away from the operands of a node.
func nearestLabel(n *ir.Node) string {
	seen := map[*ir.Node]bool{}
	for nodes := []*ir.Node{n}; len(nodes) > 0; {
		var next []*ir.Node
		for _, m := range nodes {
			if seen[m] {
				continue
			}
			seen[m] = true
			if _, ok := m.Op.(ir.Variable); ok && m.Label != "" {
				return m.Label
			}
			next = append(next, m.In...)
		}
		nodes = next
	}
	return ""
}

// String is the report, as in
//
//	NaN comes first from Sqrt, model.go:12, near parameter "head.weight": Sqrt(-0.25) at element [3 5] (and 2 other elements)
func (o *Origin) String() string {
	var b strings.Builder
	others := ""
	if o.Count == 2 {
		others = " (and 1 other element)"
	} else if o.Count > 2 {
		others = fmt.Sprintf(" (and %d other elements)", o.Count-1)
	}
	switch {
	case o.Input != "":
		fmt.Fprintf(&b, "input %q is %v%s%s", o.Input, o.Value, o.at(), others)
		return b.String()
	case o.Param != "":
		fmt.Fprintf(&b, "param %q was %v%s before the run%s", o.Param, o.Value, o.at(), others)
		return b.String()
	}
	fmt.Fprintf(&b, "%v comes first from %s, %s", o.Value, o.Op, o.Place)
	for _, l := range slices.Backward(o.Loops) {
		fmt.Fprintf(&b, ", in %s", l)
	}
	if o.Near != "" {
		fmt.Fprintf(&b, ", near parameter %q", o.Near)
	}
	fmt.Fprintf(&b, ": %s(%s)%s%s", o.Op, strings.Join(o.Operands, ", "), o.at(), others)
	return b.String()
}

// at says where the element stands.
func (o *Origin) at() string {
	switch {
	case len(o.Element) == 0:
		return ""
	case o.Op == "" && len(o.Element) == 1:
		return fmt.Sprintf(" in row %d", o.Element[0])
	case o.Input != "" && len(o.Element) == 2:
		return fmt.Sprintf(" in row %d, column %d", o.Element[0], o.Element[1])
	case o.Input != "":
		return fmt.Sprintf(" in row %d, element %v", o.Element[0], o.Element[1:])
	}
	return fmt.Sprintf(" at element %v", o.Element)
}
