//go:build (linux && (amd64 || arm64)) || (darwin && arm64)

package jit

import "syscall"

//go:noescape
func call(code uintptr, slots *uintptr, n int)

// executable copies code into memory of its own, which is writable first and executable afterwards, never both.
func executable(code []byte) (b []byte, ok bool) {
	b, err := syscall.Mmap(-1, 0, len(code), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, false
	}
	copy(b, code)
	synchronize(b)
	if err := syscall.Mprotect(b, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		unmap(b)
		return nil, false
	}
	return b, true
}

func unmap(b []byte) { syscall.Munmap(b) }
