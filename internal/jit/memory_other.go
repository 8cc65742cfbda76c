//go:build !((darwin || linux) && (amd64 || arm64)) && !((freebsd || windows) && amd64)

package jit

// targets is empty: no code is made here.
var targets []*target

func executable([]byte) (b []byte, ok bool) { return nil, false }

func unmap([]byte) {}

func call(uintptr, *uintptr, int) { panic("jit: no code can be run on this machine") }
