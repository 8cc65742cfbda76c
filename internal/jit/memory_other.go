//go:build !(linux && amd64)

package jit

import "unsafe"

// targets is empty: no code is made here.
var targets []*target

func executable([]byte) (b []byte, ok bool) { return nil, false }

func unmap([]byte) {}

func call(uintptr, *unsafe.Pointer, int) { panic("jit: no code can be run on this machine") }
