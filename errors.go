package tarn

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the reports of what is wrong with a graph, and the places in the user's program that they name.

// site is the stack of the call that made a value, as program counters, innermost first.
type site []uintptr

// caller records the stack outside this file.
func caller() site {
	var pcs [24]uintptr
	n := runtime.Callers(2, pcs[:])
	return slices.Clone(pcs[:n])
}

// ownPackages are the packages whose frames are not the user's.
var ownPackages = []string{"tarn.", "tarn/nn.", "tarn/optim.", "tarn/train.", "tarn/tarntest."}

const modulePath = "github.com/seed-49005b45/"

// frames gives the frames of the user's program, innermost first. Where there is none, as in a test inside this module's
// packages, it gives the outermost frames of the module.
func (s site) frames() []runtime.Frame {
	var user []runtime.Frame
	if len(s) == 0 {
		return nil
	}
	it := runtime.CallersFrames(s)
	for {
		f, more := it.Next()
		if !ownFrame(f) && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, "testing.") {
			user = append(user, f)
		}
		if !more {
			return user
		}
	}
}

func ownFrame(f runtime.Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	name, inside := strings.CutPrefix(f.Function, modulePath)
	return inside && slices.ContainsFunc(ownPackages, func(p string) bool { return strings.HasPrefix(name, p) })
}

func place(f runtime.Frame) string { return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line) }

// position is the innermost place in the user's program, as in "model.go:22".
func (s site) position() string {
	if fs := s.frames(); len(fs) > 0 {
		return place(fs[0])
	}
	return "unknown place"
}

// problem is what a shape rule found wrong: what, and a hint where the cure is certain.
type problem struct {
	what, hint string
}

func (p *problem) Error() string { return p.what }

func newProblem(format string, args ...any) *problem {
	return &problem{what: fmt.Sprintf(format, args...)}
}

func (p *problem) withHint(format string, args ...any) *problem {
	p.hint = fmt.Sprintf(format, args...)
	return p
}

// Diagnostic is one thing that is wrong with a graph.
type Diagnostic struct {
	Place    string   // the innermost place in the user's program, as in "model.go:22"
	Outer    []string // up to three places that called it, innermost first
	Op       string   // the op that failed, as in "MatMul"
	Problem  string   // what is wrong
	Operands []string // each operand: its type and where it came from
	Param    string   // the path of the nearest parameter among the operands' origins, or ""
	Hint     string   // what to do, where that is certain, or ""
	Times    int      // how often the same line failed in the same way
}

// Error gives the whole report, over several lines.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", d.Place, d.Op, d.Problem)
	for _, o := range d.Operands {
		fmt.Fprintf(&b, "\n\t%s", o)
	}
	if d.Param != "" {
		fmt.Fprintf(&b, "\n\tnear parameter %s", d.Param)
	}
	if len(d.Outer) > 0 {
		fmt.Fprintf(&b, "\n\tcalled from %s", strings.Join(d.Outer, ", "))
	}
	if d.Times > 1 {
		fmt.Fprintf(&b, "\n\tand %d more times from this line", d.Times-1)
	}
	if d.Hint != "" {
		fmt.Fprintf(&b, "\n\thint: %s", d.Hint)
	}
	return b.String()
}

// GraphError holds all independent mistakes of a graph.
type GraphError struct {
	Diagnostics []*Diagnostic
}

// Error lists the reports of all mistakes.
func (e *GraphError) Error() string {
	if len(e.Diagnostics) == 1 {
		return "tarn: " + e.Diagnostics[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tarn: %d mistakes in the graph", len(e.Diagnostics))
	for _, d := range e.Diagnostics {
		fmt.Fprintf(&b, "\n%v", d)
	}
	return b.String()
}

// Unwrap gives the mistakes one by one.
func (e *GraphError) Unwrap() []error {
	errs := make([]error, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		errs[i] = d
	}
	return errs
}

// fail records what is wrong with an op and gives a poisoned value.
func (g *Graph) fail(op op, in []*Value, err error) *Value {
	v := g.poison(op, in)
	g.report(v, op.Name(), err)
	return v
}

// failAs records what is wrong with a composition, which goes by a name of its own. Where an operand is poisoned nothing
// is recorded.
func (g *Graph) failAs(name string, in []*Value, err error) *Value {
	v := g.poison(failedOp{}, in)
	if !slices.ContainsFunc(in, func(v *Value) bool { return v != nil && v.failed }) {
		g.report(v, name, err)
	}
	return v
}

// Fail records a mistake found by a layer or a loss, which stands above the ops: name is the layer's, in its operands.
// It returns a poisoned value. The place reported is that of the user's call. Where an operand is poisoned itself nothing
// is recorded: the mistake that poisoned it has been.
func (g *Graph) Fail(name string, in []*Value, format string, args ...any) *Value {
	return g.failAs(name, in, newProblem(format, args...))
}

func (g *Graph) report(v *Value, name string, err error) {
	d := &Diagnostic{Place: v.Place(), Op: name, Problem: err.Error(), Times: 1}
	if fs := v.site.frames(); len(fs) > 1 {
		for _, f := range fs[1:min(4, len(fs))] {
			d.Outer = append(d.Outer, place(f))
		}
	}
	var p *problem
	if errors.As(err, &p) {
		d.Hint = p.hint
	}
	for i, in := range v.in {
		if in == nil {
			continue
		}
		d.Operands = append(d.Operands, fmt.Sprintf("operand %d: %s", i+1, in.describe()))
	}
	d.Param = nearestParam(v.in)
	for _, other := range g.diags {
		if other.Place == d.Place && other.Op == d.Op && other.Problem == d.Problem {
			other.Times++
			return
		}
	}
	g.diags = append(g.diags, d)
}

// describe says what a value is and where it came from, for a report.
func (v *Value) describe() string {
	switch op := v.op.(type) {
	case variableOp:
		return fmt.Sprintf("%v, parameter %s", v.typ, op.param.path)
	case inputOp:
		return fmt.Sprintf("%v, input %q", v.typ, v.label)
	}
	return fmt.Sprintf("%v, %s at %s", v.typ, v.op.Name(), v.Place())
}

// nearestParam finds the path of the parameter that is the fewest ops away from the values.
func nearestParam(values []*Value) string {
	seen := map[*Value]bool{}
	for len(values) > 0 {
		var next []*Value
		for _, v := range values {
			if v == nil || seen[v] {
				continue
			}
			seen[v] = true
			if p := v.Param(); p != nil && p.path != "" {
				return p.path
			}
			next = append(next, v.in...)
		}
		values = next
	}
	return ""
}

// failedOp stands for an op that was never made.
type failedOp struct{}

func (failedOp) Name() string                     { return "failed" }
func (failedOp) Attrs() string                    { return "" }
func (failedOp) Infer([]ir.Type) (ir.Type, error) { return ir.Type{}, errors.New("tarn: failed op") }
func (failedOp) Eval(ir.Array, []ir.Array)        {}
func (failedOp) grad(y, dy *Value) []*Value       { return nil }
