//go:build ((darwin || linux) && (amd64 || arm64)) || (freebsd && amd64)

package jit

import "golang.org/x/sys/unix"

//go:noescape
func call(code uintptr, slots *uintptr, n int)

// executable copies code into memory of its own, which is writable first and executable afterwards, never both.
func executable(code []byte) (b []byte, ok bool) {
	b, err := unix.Mmap(-1, 0, len(code), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, false
	}
	copy(b, code)
	synchronize(b)
	if err := unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		unmap(b)
		return nil, false
	}
	return b, true
}

func unmap(b []byte) { unix.Munmap(b) }
