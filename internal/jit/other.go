//go:build !(linux && amd64)

package jit

import "unsafe"

// Assembler makes no code on this machine.
type Assembler struct{}

// Available reports that runs cannot be made into machine code here.
func Available() bool { return false }

// Add refuses every run.
func (a *Assembler) Add(*Run) (id int, ok bool) { return 0, false }

// Finish has nothing to do.
func (a *Assembler) Finish() (*Memory, bool) { return nil, true }

// Func returns no code.
func (a *Assembler) Func(int) Func { return Func{} }

func call(uintptr, *unsafe.Pointer, int) { panic("jit: no code can be run on this machine") }
