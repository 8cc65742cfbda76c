package jit

import (
	"runtime"
	"unsafe"
)

// synchronize makes new code visible to the instruction caches, for which macOS has a function of the C library.
func synchronize(code []byte) {
	rawSyscall(invalidateAddress, uintptr(unsafe.Pointer(unsafe.SliceData(code))), uintptr(len(code)), 0)
	runtime.KeepAlive(code)
}

//go:cgo_import_dynamic libc_sys_icache_invalidate sys_icache_invalidate "/usr/lib/libSystem.B.dylib"

// invalidateAddress is the address of the C function, which the linker and the loader fill in as for a program that is linked with the C library.
var invalidateAddress uintptr

// rawSyscall calls a C function on the thread's own stack, as package golang.org/x/sys/unix does.
//
//go:linkname rawSyscall syscall.rawSyscall
func rawSyscall(fn, a1, a2, a3 uintptr) (r1, r2, err uintptr)
