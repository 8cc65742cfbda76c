package tarn

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/seed-49005b45/tarn/internal/frames"
	"github.com/seed-49005b45/tarn/internal/ir"
)

// This file holds the reports of what is wrong with a graph, and the places in the user's program that they name.

// site is the stack of the call that made a value, as program counters, innermost first. If the stack is deep, the frames of this module
// above the outermost are left out.
type site []uintptr

// caller records the stack outside this file. It looks deeper only if the innermost frames, which are cheap to record, are all of this
// module, as under layers in layers. Most values are made where others have been, in a loop over layers or params: their stack is known.
func (g *Graph) caller() site {
	var stack frames.Stack
	readable := frames.Read(&stack)
	if readable {
		if known := sites.of(&stack); known != nil {
			return known
		}
	}
	var near [24]uintptr
	n := runtime.Callers(2, near[:])
	if n < len(near) || slices.ContainsFunc(near[:], isUserFrame) {
		s := slices.Clone(near[:n])
		if readable {
			sites.put(&stack, s)
		}
		return s
	}
	for _, depth := range []int{512, 8192} {
		far := make([]uintptr, depth)
		n = runtime.Callers(2, far)
		if at := slices.IndexFunc(far[:n], isUserFrame); at > 0 {
			return slices.Clone(far[at-1 : min(at+8, n)])
		}
		if n < depth {
			break
		}
	}
	return slices.Clone(near[:])
}

// sites remembers the places of all graphs: a program is often traced several times, for other sizes of the batch or by other ranks.
var sites siteCache

// siteCache is safe for concurrent use. If it has maxSites it forgets all of them, so that it does not grow forever.
type siteCache struct {
	mu    sync.Mutex
	known map[frames.Stack]site
}

const maxSites = 1 << 14

// of returns the place with a stack, nil if it is not known.
func (c *siteCache) of(stack *frames.Stack) site {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[*stack]
}

func (c *siteCache) put(stack *frames.Stack, s site) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxSites {
		clear(c.known)
	}
	put(&c.known, *stack, s)
}

// userFrames remembers what isUserFrame has found.
var userFrames sync.Map

// isUserFrame reports whether a program counter lies in the user's program.
func isUserFrame(pc uintptr) bool {
	if known, ok := userFrames.Load(pc); ok {
		return known.(bool)
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	_, own := ownFrame(f)
	user := !own && !ofLibrary(f)
	userFrames.Store(pc, user)
	return user
}

// ofLibrary reports whether a frame is of Go's standard library, which runs the program and calls what it is given, as sync.Once does.
func ofLibrary(f runtime.Frame) bool {
	if root := libraryRoot(); root != "" {
		return strings.HasPrefix(f.File, root)
	}
	first, _, _ := strings.Cut(f.Function, "/")
	first, _, _ = strings.Cut(first, ".")
	return slices.Contains(libraryPaths, first)
}

// libraryRoot returns the folder of the sources of the standard library, as the frames name it; "" if the program was built with -trimpath.
var libraryRoot = sync.OnceValue(func() string {
	pc := reflect.ValueOf(strings.Cut).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return strings.TrimSuffix(file, "strings/strings.go")
})

// libraryPaths are the first elements of the paths of the standard library.
var libraryPaths = strings.Fields(`archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar
	flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv
	strings structs sync syscall testing text time unicode unique unsafe vendor weak`)

// modulePath is where the packages of this module lie; those in userPackages are programs like the user's own.
const modulePath = "github.com/seed-49005b45/tarn"

var userPackages = []string{"/cmd/", "/examples/", "/internal/bench"}

// frames returns the frames of the user's program, innermost first, and the name of the function of this module that the
// innermost of them called, as in "Unsqueeze" or "nn.Linear.Forward".
func (s site) frames() (user []runtime.Frame, called string) {
	if len(s) == 0 {
		return nil, ""
	}
	it := runtime.CallersFrames(s)
	for {
		f, more := it.Next()
		name, own := ownFrame(f)
		switch {
		case own && len(user) == 0:
			called = name
		case !own && !ofLibrary(f):
			user = append(user, f)
		}
		if !more {
			return user, called
		}
	}
}

// plainName removes what the runtime writes around the name of a type.
var plainName = strings.NewReplacer("(*", "", ")", "", "[...]", "")

// ownFrame reports whether a frame is this module's and not the user's, and names its function.
func ownFrame(f runtime.Frame) (name string, own bool) {
	name, inside := strings.CutPrefix(f.Function, modulePath)
	if !inside || strings.HasSuffix(f.File, "_test.go") || !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "/") {
		return "", false
	}
	if slices.ContainsFunc(userPackages, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return "", false
	}
	// ".(*Value).Add" is Add, "/nn.(*Linear).Forward" is nn.Linear.Forward, and a closure goes by its function's name.
	name, root := strings.CutPrefix(name, ".")
	name = plainName.Replace(strings.TrimPrefix(name, "/"))
	if i := strings.Index(name, ".func"); i >= 0 {
		name = name[:i]
	}
	if root {
		name = name[strings.LastIndex(name, ".")+1:]
	}
	return name, true
}

func place(f runtime.Frame) string { return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line) }

// position is the innermost place in the user's program, as in "model.go:22".
func (s site) position() string {
	if user, _ := s.frames(); len(user) > 0 {
		return place(user[0])
	}
	return "unknown place"
}

// newProblem says what is wrong with a call.
func newProblem(format string, args ...any) *ir.Problem { return ir.NewProblem(format, args...) }

// Diagnostic is one thing that is wrong with a graph.
type Diagnostic struct {
	Place    string   // the innermost place in the user's program, as in "model.go:22"
	Outer    []string // up to three places that called it, innermost first
	Call     string   // the function of Tarn that was called there, as in "nn.Linear.Forward"
	Op       string   // the op that failed, as in "MatMul"
	Problem  string   // what is wrong
	Operands []string // each operand: its type and where it came from
	Param    string   // the path of the nearest parameter among the operands' origins, or ""
	Hint     string   // what to do, if that is certain, or ""
	Times    int      // how often the same line failed in the same way
}

// Error returns the whole report, over several lines.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	name := d.Op
	if before, _, says := strings.Cut("."+d.Call+".", "."+d.Op+"."); says { // nn.Linear.Forward is nn.Linear
		name = strings.TrimPrefix(before+"."+d.Op, ".")
	} else if d.Call != "" {
		name = d.Call + ": " + d.Op
	}
	fmt.Fprintf(&b, "%s: %s: %s", d.Place, name, d.Problem)
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

// Error lists the reports of the mistakes: the first ones, and how many more there are.
func (e *GraphError) Error() string {
	if len(e.Diagnostics) == 1 {
		return "tarn: " + e.Diagnostics[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tarn: %d mistakes in the graph", len(e.Diagnostics))
	const most = 20
	for i, d := range e.Diagnostics {
		if i == most {
			fmt.Fprintf(&b, "\nand %d more", len(e.Diagnostics)-i)
			break
		}
		fmt.Fprintf(&b, "\n%v", d)
	}
	return b.String()
}

// Unwrap returns the mistakes one by one.
func (e *GraphError) Unwrap() []error {
	errs := make([]error, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		errs[i] = d
	}
	return errs
}

// fail records what is wrong with an op and returns a poisoned value. If an operand is poisoned nothing is recorded: the
// first mistake has been.
func (g *Graph) fail(op op, in []*Value, err error) *Value { return g.refuse(op, op.Name(), in, err) }

// failAs does so for a composition, which goes by its own name.
func (g *Graph) failAs(name string, in []*Value, err error) *Value {
	return g.refuse(failedOp{}, name, in, err)
}

func (g *Graph) refuse(op op, name string, in []*Value, err error) *Value {
	if g == nil {
		g = lose("%s", err)
	}
	for i, x := range in {
		if x.exists() && !x.failed && x.typ.DType.Storage() { // the cause of whatever else is wrong
			err = newProblem("operand %d is %v, in which numbers are stored and not computed", i+1, x.typ).WithHint("Cast it to f32")
		}
	}
	v := g.poison(op, in)
	known := g.lost
	for _, x := range in {
		known = known || x.exists() && (x.failed && x.graph == g || x.graph.lost && g.adopt(x))
	}
	if !known {
		g.report(v, name, err)
	}
	return v
}

// Fail records a mistake found by a layer or a loss, which stands above the ops: name is the layer's, in its operands.
// It returns a poisoned value. The place reported is that of the user's call. If an operand is poisoned, nothing
// is recorded: the first mistake has been.
func (g *Graph) Fail(name string, in []*Value, format string, args ...any) *Value {
	return g.failAs(name, in, newProblem(format, args...))
}

func (g *Graph) report(v *Value, name string, err error) {
	user, called := v.site.frames()
	d := &Diagnostic{Place: v.Place(), Call: called, Op: name, Problem: err.Error(), Times: 1}
	if len(user) > 1 {
		for _, f := range user[1:min(4, len(user))] {
			d.Outer = append(d.Outer, place(f))
		}
	}
	var p *ir.Problem
	if errors.As(err, &p) {
		d.Hint = p.Hint
	}
	for i, in := range v.in {
		if !in.exists() {
			continue
		}
		d.Operands = append(d.Operands, fmt.Sprintf("operand %d: %s", i+1, in.describe()))
	}
	d.Param = nearestParam(v.in)
	g = g.root()
	for _, other := range g.diags {
		if other.Place == d.Place && other.Op == d.Op && other.Problem == d.Problem {
			other.Times++
			return
		}
	}
	g.diags = append(g.diags, d)
}

// describe returns what a value is and where it came from, for a report.
func (v *Value) describe() string {
	switch op := v.op.(type) {
	case variableOp:
		if op.param.label() == "" {
			return fmt.Sprintf("%v, a parameter that Init has not named", v.typ)
		}
		return fmt.Sprintf("%v, parameter %s", v.typ, op.param.label())
	case inputOp:
		return fmt.Sprintf("%v, input %q", v.typ, v.label)
	case constOp:
		if v.Rank() == 0 {
			return fmt.Sprintf("%v, the number %s", v.typ, op.Attrs())
		}
	}
	if v.failed {
		return "a value that failed, " + v.Place()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v, ", v.typ)
	if v.label != "" {
		fmt.Fprintf(&b, "%q, ", v.label)
	}
	name := v.op.Name()
	if v.gradOf != nil {
		fmt.Fprintf(&b, "%s %s", name, v.Place())
		return b.String()
	}
	if user, called := v.site.frames(); len(user) > 0 && called != "" {
		name = called
	}
	fmt.Fprintf(&b, "%s at %s", name, v.Place())
	return b.String()
}

// nearestParam finds the path of the parameter that is the fewest ops away from the values.
func nearestParam(values []*Value) string {
	seen := map[*Value]bool{}
	for len(values) > 0 {
		var next []*Value
		for _, v := range values {
			if !v.exists() || seen[v] {
				continue
			}
			seen[v] = true
			if p := v.Param(); p != nil && p.label() != "" {
				return p.label()
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
