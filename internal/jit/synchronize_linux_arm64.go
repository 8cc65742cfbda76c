package jit

import "unsafe"

// synchronize makes new code visible to the instruction caches.
func synchronize(code []byte) {
	from := uintptr(unsafe.Pointer(unsafe.SliceData(code)))
	flush(from, from+uintptr(len(code)))
}

//go:noescape
func flush(from, to uintptr)
