package ir

import (
	"fmt"
	"runtime"
	"strings"
)

// This file holds the report of a panic inside the compiler: the stage, the node, and the user's place.

// Watch follows what a stage of the compiler does, so that a panic can be reported with it. Its Report is deferred.
type Watch struct {
	Stage string // as in "pass fold"; empty if the caller's Watch knows it
	Node  *Node  // the node that is worked on, or nil
}

// Panic is a panic inside the compiler, with what the innermost Watches knew.
type Panic struct {
	Stage string
	Node  *Node
	Cause any    // the value of the panic
	Where string // the line of the compiler's source, as in "fold.go:12"
}

// Report turns a panic into one with a *Panic. It must be deferred.
func (w *Watch) Report() {
	cause := recover()
	if cause == nil {
		return
	}
	p, ok := cause.(*Panic)
	if !ok {
		p = &Panic{Cause: cause, Where: origin()}
	}
	if p.Stage == "" {
		p.Stage = w.Stage
	}
	if p.Node == nil {
		p.Node = w.Node
	}
	panic(p)
}

// origin returns the line that panicked. It is called by a deferred function.
func origin() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
	}
	return "unknown place"
}

// Error says what happened, where, and that the compiler is at fault.
func (p *Panic) Error() string {
	var b strings.Builder
	b.WriteString(p.Stage)
	if p.Node != nil {
		fmt.Fprintf(&b, " at %v, made at %s,", p.Node, p.Node.Place())
	}
	fmt.Fprintf(&b, " panicked in %s: %v; this is a fault of the compiler, please report it", p.Where, p.Cause)
	return b.String()
}

// Unwrap returns the panic's value if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Cause.(error)
	return err
}
