package jit

import (
	"runtime"
	"unsafe"

	"github.com/seed-49005b45/tarn/internal/cpu"
)

// This file collects the code of a program and makes it executable.

// Assembler collects the code of the runs of one program.
type Assembler struct {
	target *target
	code   code
	starts []int
	base   uintptr
}

// New returns an assembler of code for the current level of package cpu, or nil if none can be made for it here.
func New() *Assembler {
	if t := targetOf(cpu.Current()); t != nil {
		return &Assembler{target: t}
	}
	return nil
}

// Add makes the code of a run. It refuses one that needs more registers than there are.
func (a *Assembler) Add(r *Run) (id int, ok bool) {
	g := generator{run: r, t: a.target, instrs: r.contract()}
	if !g.generate() {
		return 0, false
	}
	a.code.align(64)
	a.starts = append(a.starts, len(a.code.b))
	a.code.put(g.c.b...)
	return len(a.starts) - 1, true
}

// Finish puts the code where it can be executed, for as long as the Memory is reachable. It reports false where the system
// does not allow that.
func (a *Assembler) Finish() (*Memory, bool) {
	if len(a.code.b) == 0 {
		return nil, true
	}
	b, ok := executable(a.code.b)
	if !ok {
		return nil, false
	}
	m := &Memory{b}
	runtime.AddCleanup(m, unmap, b)
	a.base = uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return m, true
}

// Func is the code of a run that was added, once finished.
func (a *Assembler) Func(id int) Func {
	end := len(a.code.b)
	if id+1 < len(a.starts) {
		end = a.starts[id+1]
	}
	return Func{a.base + uintptr(a.starts[id]), end - a.starts[id]}
}
