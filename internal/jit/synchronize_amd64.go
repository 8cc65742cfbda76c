//go:build darwin || freebsd || linux

package jit

// synchronize has nothing to do: processors of this architecture find out that code is new.
func synchronize([]byte) {}
